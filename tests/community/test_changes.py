"""Changes of an account, below the pages."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from peerscope.community import CommunityError, NotAllowedError, NotThereError, changes, moderation
from peerscope.community.accounts import create_account, set_password, set_role
from peerscope.community.audit import OPERATOR, broken_at
from peerscope.community.logins import attach, detach, ways_of
from peerscope.community.models import Account, Login
from peerscope.community.openid import Identity, Provider, checked_orcid
from peerscope.community.passkey_models import Passkey
from peerscope.community.sessions import open_session
from peerscope.community.tickets import issue, look
from peerscope.community.times import now

PASSWORD = "a horse and a battery"
ORCID = Provider("orcid", "ORCID", "https://orcid.org", "x", "y", "openid")
ADA = Identity("orcid", ORCID.issuer, "0000-0002-1825-0097", "Ada", "", "0000-0002-1825-0097")


@pytest.fixture
def ada(community, quick_hashes) -> int:
    with community.writing() as session:
        number = create_account(
            session, "Ada Example", email="ada@example.org", password=PASSWORD, confirmed="a link"
        )
        attach(session, number, ORCID, ADA)
        session.add(
            Passkey(
                account_id=number, handle="h", credential="c", public_key=b"k", uses=0, name="Phone",
                created_at=now(),
            )
        )  # fmt: skip
        open_session(session, number, "password")
        return number


def test_everything_kept_of_an_account_is_exported_but_secrets(community, ada) -> None:
    with community.reading() as session:
        found = changes.exported(session, ada)
        kept = session.get(Account, ada).password
    text = json.dumps(found)
    assert kept not in text and found["has_password"] is True
    assert found["email"] == "ada@example.org" and found["role"] == "member"
    assert found["accounts_elsewhere"][0]["subject"] == ADA.subject
    assert found["passkeys"][0]["name"] == "Phone" and len(found["sessions"]) == 1
    assert {one["kind"] for one in found["proofs"]} == {"email", "orcid"}


def test_ways_go_one_by_one_but_for_the_last(community, ada) -> None:
    with community.writing() as session:
        assert ways_of(session, ada).count == 3
        changes.remove_password(session, ada)
        with pytest.raises(CommunityError, match="no password"):
            changes.remove_password(session, ada)
        detach(session, ada, session.scalar(select(Login.id)))
        assert ways_of(session, ada).count == 1
        from peerscope.community.passkeys import remove_passkey

        with pytest.raises(CommunityError, match="last way"):
            remove_passkey(session, ada, session.scalar(select(Passkey.id)))
        assert broken_at(session) is None


def test_what_was_taken_off_may_go_to_another_account(community, ada, make_account) -> None:
    other = make_account("Bo Other")
    with community.writing() as session:
        with pytest.raises(CommunityError, match="belongs to another account"):
            attach(session, other, ORCID, ADA)
        detach(session, ada, session.scalar(select(Login.id)))
        attach(session, other, ORCID, ADA)
        assert [one.subject for one in ways_of(session, other).logins] == [ADA.subject]


def test_an_erased_account_takes_its_ways_along(community, ada) -> None:
    with community.writing() as session:
        session.delete(session.get(Account, ada))
        session.flush()
        for table in (Login, Passkey):
            assert session.scalar(select(func.count()).select_from(table)) == 0


def test_suspending_ends_sessions_and_links_and_spares_the_last_admin(community, ada) -> None:
    with community.writing() as session:
        set_role(session, ada, "admin", OPERATOR)
        with pytest.raises(NotAllowedError, match="last admin"):
            changes.suspend(session, ada, OPERATOR)
        other = create_account(session, "Bo Other", email="bo@example.org", role="admin")
        link = issue(session, "reset", ada)
        assert changes.suspend(session, ada, OPERATOR) == 1
        assert changes.suspend(session, ada, OPERATOR) == 0
        with pytest.raises(NotThereError):
            look(session, "reset", link)
        with pytest.raises(NotAllowedError, match="last admin"):
            changes.suspend(session, other, OPERATOR)


def test_a_moderators_suspension_ends_mailed_links_as_well(community, ada) -> None:
    with community.writing() as session:
        link = issue(session, "reset", ada)
        moderation.suspend(session, moderation.OPERATOR, ada, "Spam.")
        with pytest.raises(NotThereError):
            look(session, "reset", link)


def test_a_new_password_ends_mailed_links(community, ada) -> None:
    with community.writing() as session:
        links = {
            "reset": issue(session, "reset", ada),
            "email": issue(session, "email", ada, "x@y.example"),
        }
        set_password(session, ada, "some other few words")
        for kind, secret in links.items():
            with pytest.raises(NotThereError):
                look(session, kind, secret)


def digit(fifteen: str) -> str:
    """ISO 7064 mod 11-2 by its definition: the whole, weighted by powers of two, leaves 1."""
    for value in range(11):
        weighted = sum(int(d) * 2 ** (15 - place) for place, d in enumerate(fifteen)) + value
        if weighted % 11 == 1:
            return "X" if value == 10 else str(value)
    raise AssertionError


@given(st.text("0123456789", min_size=15, max_size=15), st.integers(1, 10))
def test_the_check_digit_of_an_orcid(fifteen, other) -> None:
    def written(last: str) -> str:
        whole = fifteen + last
        return "-".join(whole[start : start + 4] for start in range(0, 16, 4))

    right = digit(fifteen)
    assert checked_orcid(written(right)) == checked_orcid(f"https://orcid.org/{written(right)}")
    values = "0123456789X"
    wrong = values[(values.index(right) + other) % 11]
    with pytest.raises(CommunityError):
        checked_orcid(written(wrong))


@pytest.mark.parametrize(
    "given", [None, 5, "", "0000-0002-1825-0097x", "٠٠٠٠-0002-1825-0097", ["x"]]
)
def test_what_is_no_orcid(given) -> None:
    with pytest.raises(CommunityError):
        checked_orcid(given)
