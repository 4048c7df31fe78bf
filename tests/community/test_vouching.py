"""Vouching, attestation, and what owners say of themselves."""

from __future__ import annotations

import pytest

from peerscope.community import CommunityError, NotAllowedError, NotThereError, audit
from peerscope.community.claiming_models import ClaimOnRecord, ReportContact
from peerscope.community.ladder import next_steps
from peerscope.community.models import Report
from peerscope.community.person_settings import (
    FRESH,
    KeptPeople,
    ask,
    asks_about,
    decide_ask,
    kept_people,
    set_person,
    show_again,
)
from peerscope.community.profiles import clean_link
from peerscope.community.proofs import YEAR, add_proof, level_of, proofs_of, revoke_proof
from peerscope.community.times import now
from peerscope.community.vouching import (
    A_YEAR,
    asker_of,
    attest,
    exported,
    take_back,
    vouch,
    vouch_link,
    vouches_by,
)

LINE = "We shared an office for three years."


@pytest.fixture
def voucher(community, make_account) -> int:
    account = make_account("Vera Verified")
    with community.writing() as session:
        add_proof(session, account, "domain", value="north.example", value_hash="v")
    return account


def test_a_verified_person_vouches_once_by_a_link_and_takes_it_back(
    community, make_account, voucher
) -> None:
    ada, eve = make_account(), make_account("Eve Other")
    with community.writing() as session:
        secret = vouch_link(session, ada)
        assert asker_of(session, secret) == (ada, "Ada Example")
        with pytest.raises(CommunityError, match="10 to 300"):
            vouch(session, voucher, secret, "known")
        proof = vouch(session, voucher, secret, LINE)
        assert level_of(session, ada) == 4
        shown = proofs_of(session, ada)[0]
        assert (shown.verifier_id, shown.note) == (voucher, LINE)
        with pytest.raises(NotThereError):
            vouch(session, voucher, secret, LINE)
        for other in (ada, eve):
            with pytest.raises(NotThereError):
                take_back(session, other, proof)
        assert [one.line for one in vouches_by(session, voucher) if one.in_force] == [LINE]
        assert exported(session, voucher)["vouches_given"][0]["account"] == ada
        take_back(session, voucher, proof)
        assert level_of(session, ada) == 0
        assert audit.broken_at(session) is None


def test_who_may_not_vouch(community, make_account, voucher) -> None:
    ada, bo = make_account(), make_account("Bo Other")
    with community.writing() as session:
        with pytest.raises(NotAllowedError, match="for themselves"):
            vouch(session, voucher, vouch_link(session, voucher), LINE)
        with pytest.raises(NotAllowedError, match="L3 or above"):
            vouch(session, bo, vouch_link(session, ada), LINE)
        vouch(session, voucher, vouch_link(session, ada), LINE)
        assert level_of(session, ada) == 4
        with pytest.raises(NotAllowedError, match="A vouch for you is not enough"):
            vouch(session, ada, vouch_link(session, bo), LINE)
        add_proof(session, ada, "domain", value="north.example", value_hash="a")
        with pytest.raises(NotAllowedError, match="for each other"):
            vouch(session, ada, vouch_link(session, voucher), LINE)
        vouch(session, ada, vouch_link(session, bo), LINE)


def test_rivals_on_one_record_do_not_vouch_for_each_other(community, make_account, voucher) -> None:
    ada = make_account()
    with community.writing() as session:
        for account in (ada, voucher):
            session.add(
                ClaimOnRecord(
                    account_id=account, claimed_id=7, person_id=7, state="disputed",
                    created_at=now(), note="", route="", evidence="", reason="",
                )
            )  # fmt: skip
        session.flush()
        with pytest.raises(NotAllowedError, match="same record"):
            vouch(session, voucher, vouch_link(session, ada), LINE)


def test_vouching_is_limited_within_a_year_also_by_what_was_taken_back(
    community, make_account, voucher, clock
) -> None:
    accounts = [make_account(f"Member {n}") for n in range(A_YEAR + 1)]
    with community.writing() as session:
        for account in accounts[:A_YEAR]:
            take_back(session, voucher, vouch(session, voucher, vouch_link(session, account), LINE))
        with pytest.raises(NotAllowedError, match="within a year"):
            vouch(session, voucher, vouch_link(session, accounts[-1]), LINE)
        clock.move(YEAR)
        add_proof(session, voucher, "domain", value="north.example", value_hash="v")
        vouch(session, voucher, vouch_link(session, accounts[-1]), LINE)


def test_an_admin_attests_with_a_reason_and_nobody_else(community, make_account) -> None:
    ada, admin, moderator = (
        make_account(), make_account("Ad Min", "admin"), make_account("Mo", "moderator"),
    )  # fmt: skip
    with community.writing() as session:
        for who, of in ((ada, ada), (moderator, ada), (admin, admin)):
            with pytest.raises(NotAllowedError):
                attest(session, who, of, "I saw a staff card today.")
        with pytest.raises(CommunityError, match="10 to 300"):
            attest(session, admin, ada, "ok")
        attest(session, admin, ada, "I saw a staff card today.")
        assert level_of(session, ada) == 5
        assert proofs_of(session, ada)[0].note == "I saw a staff card today."


def test_the_next_steps_are_those_above_and_not_shown_yet(community, make_account) -> None:
    ada = make_account()
    with community.writing() as session:
        assert [one.rung for one in next_steps(0, [])] == [1, 2, 3, 4, 5]
        add_proof(session, ada, "email")
        number = add_proof(session, ada, "vouch", note=LINE)
        holding = [one for one in proofs_of(session, ada) if one.in_force()]
        assert [one.rung for one in next_steps(4, holding)] == [5]
        revoke_proof(session, number, audit.OPERATOR, "withdrawn")
        holding = [one for one in proofs_of(session, ada) if one.in_force()]
        assert [one.rung for one in next_steps(1, holding)] == [2, 3, 4, 5]


def test_requests_without_an_account_and_the_address_that_goes(community, make_account) -> None:
    moderator, member = make_account("Mo", "moderator"), make_account()
    with community.writing() as session:
        number = ask(session, 12, "hide", "I am this person; please hide it.", "me@example.org")
        other = ask(session, 13, "object", "I object to this page being here.")
        assert [one.contact for one in asks_about(session, 12)] == ["me@example.org"]
        for wrong in (("gone", "Please take it all away.", ""), ("hide", "short", ""),
                      ("hide", "Please take it all away.", "no address")):  # fmt: skip
            with pytest.raises(CommunityError):
                ask(session, 12, *wrong)
        with pytest.raises(NotAllowedError):
            decide_ask(session, member, 12, number, "hidden", "")
        with pytest.raises(NotThereError):
            decide_ask(session, moderator, 12, other, "hidden", "")
        with pytest.raises(CommunityError):
            decide_ask(session, moderator, 12, number, "vanish", "")
        assert kept_people(session).hidden == frozenset()
        decide_ask(session, moderator, 12, number, "hidden", "It is theirs.")
        assert kept_people(session).hidden == {12} == kept_people(session).noindex
        assert session.get(ReportContact, number) is None
        with pytest.raises(NotThereError):
            decide_ask(session, moderator, 12, number, "hidden", "")
        show_again(session, moderator, 12)
        assert kept_people(session).hidden == frozenset()


def test_the_address_goes_whoever_decides_the_request(community) -> None:
    from sqlalchemy import text, update

    with community.writing() as session:
        one = ask(session, 1, "hide", "Please hide this page.", "me@example.org")
        two = ask(session, 1, "hide", "Please hide this page.", "you@example.org")
        session.execute(update(Report).where(Report.id == one).values(state="done"))
        session.execute(text("UPDATE report SET text = 'changed' WHERE id = :n"), {"n": two})
        session.expire_all()
        assert session.get(ReportContact, one) is None
        assert session.get(ReportContact, two).contact == "you@example.org"


def test_who_is_hidden_is_read_again_after_a_change_and_after_a_while(
    community, make_account, monkeypatch
) -> None:
    kept, account = KeptPeople(community.reading), make_account()
    assert kept.now().hidden == frozenset()
    with community.writing() as session:
        set_person(session, 5, account, hidden=True)
    assert kept.now().hidden == frozenset()
    kept.forget()
    assert kept.now().hidden == {5}
    with community.writing() as session:
        set_person(session, 5, account, hidden=False)
    import time

    later = time.monotonic() + FRESH + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert kept.now().hidden == frozenset()


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "data:text/html,x", "ftp://example.org/", "//example.org", "example.org",
        "https://", "https://ada@example.org/", "http://exa mple.org", 'https://example.org/"onclick="x',
        "https://example.org/<script>", "https://localhost/", "https://[::1", "https://x.org/" + "a" * 300,
        "HTTPS:\\\\example.org", "https://example.org/\u202e", "\x01javascript:alert(1)",
    ],
)  # fmt: skip
def test_links_that_are_none(url) -> None:
    with pytest.raises(CommunityError):
        clean_link(url)


@pytest.mark.parametrize("url", ["https://example.org/~ada?x=1#y", "http://ada.example.org"])
def test_links_that_are_some(url) -> None:
    assert clean_link(f" {url} ") == url
