"""What people change about their account, what asks for a fresh sign-in, and where mails' links come from."""

from __future__ import annotations

import logging
import re
from datetime import timedelta

import pytest
from argon2 import extract_parameters
from sqlalchemy import select, update

from peerscope.community import accounts, sessions
from peerscope.community.models import Account, Session
from peerscope.community.openid import check_settings
from peerscope.community.sessions import open_session
from peerscope.community.times import now, utc
from peerscope.settings import Settings

SETTINGS = "/me/settings"


@pytest.fixture(scope="module")
def people(small_society, quick_hashes):
    return small_society()


@pytest.fixture(autouse=True)
def _fresh(people, caplog) -> None:
    people.community.rates.clear()
    caplog.set_level(logging.WARNING, "peerscope.mail")


def links(caplog, kind: str) -> list[str]:
    return re.findall(rf"(https?://[^/\s]+)(/{kind}/[\w-]+)", caplog.text)


def grown_old(people, client) -> None:
    """Let the sign-in of a browser be an hour ago."""
    with people.community.writing() as session:
        session.execute(
            update(Session)
            .where(Session.account_id == client.account_id)
            .values(proved_at=now() - timedelta(hours=1))
        )


def of(people, client) -> Account:
    with people.community.reading() as session:
        found = session.get(Account, client.account_id)
        session.expunge(found)
        return found


def second_browser(people, client):
    other = people.browser()
    with people.community.writing() as session:
        other.cookies.set("peerscope-session", open_session(session, client.account_id, "password"))
    return other


def test_a_name_is_changed_and_shown_escaped(people) -> None:
    member = people.member("Named Example")
    hostile = '<script>alert(1)</script> "x"'
    done = people.post(member, "/me/name", SETTINGS, name=hostile)
    assert done.headers["location"] == f"{SETTINGS}?done=name"
    page = member.get(SETTINGS).text
    assert "<script>alert" not in page and "&lt;script&gt;" in page
    for name in ("", " ", "x" * 101, "a\u202eb"):
        assert people.post(member, "/me/name", SETTINGS, name=name).status_code == 400
    assert of(people, member).name == hostile


def test_an_address_changes_by_a_link_to_it_and_the_old_one_is_told(people, caplog) -> None:
    member = people.member("Moving Example")
    people.post(member, "/reset", "/me")
    done = people.post(member, "/me/email", SETTINGS, email=" New.Place@Example.org ")
    assert done.headers["location"] == f"{SETTINGS}?done=mail"
    assert of(people, member).email == member.email
    link = links(caplog, "me/email")[-1][1]
    assert "To new.place@example.org" in caplog.text
    other = people.member("Prying Example")
    page = other.get(link)
    assert page.status_code == 403 and "new.place" not in page.text
    assert people.post(other, link).status_code == 404
    stranger = people.browser().get(link, follow_redirects=False)
    assert stranger.headers["location"].startswith("/sign-in?next=")
    page = member.get(link)
    assert "new.place@example.org" in page.text
    assert of(people, member).email == member.email  # looking changes nothing: mail programs look
    assert people.post(member, link, link).status_code == 303
    assert of(people, member).email == "new.place@example.org"
    assert f"To {member.email}: Your address" in caplog.text
    assert people.post(member, link).status_code == 404


def test_links_to_the_former_address_hold_no_longer(people, caplog) -> None:
    member = people.member("Leaving Example")
    people.browser().post("/reset", data={"email": member.email})
    reset = links(caplog, "reset")[-1][1]
    people.post(member, "/me/email", SETTINGS, email="leaving@new.example")
    people.post(member, links(caplog, "me/email")[-1][1])
    assert people.browser().get(reset).status_code == 404


def test_an_address_of_somebody_else_is_not_told(people, caplog) -> None:
    member, other = people.member("Asking Example"), people.member("Owner Example")
    free = people.post(member, "/me/email", SETTINGS, email="free@example.org")
    taken = people.post(member, "/me/email", SETTINGS, email=other.email)
    assert (free.status_code, free.headers["location"]) == (
        taken.status_code, taken.headers["location"],
    )  # fmt: skip
    assert f"To {other.email}" in caplog.text and len(links(caplog, "me/email")) == 1


def test_mails_to_one_address_are_counted(people) -> None:
    member = people.member("Flooding Example")
    codes = [
        people.post(member, "/me/email", SETTINGS, email="victim@example.org").status_code
        for _ in range(4)
    ]
    assert codes == [303, 303, 303, 429]


def test_no_passkeys_where_browsers_make_none(small_society) -> None:
    numbered = small_society(address="http://127.0.0.1:8321")
    assert "passkey/options" not in numbered.browser().get("/sign-in").text
    assert "passkeys/options" not in numbered.member("Numbered Example").get(SETTINGS).text


def test_an_address_taken_meanwhile_is_refused(people, caplog) -> None:
    member = people.member("Late Example")
    people.post(member, "/me/email", SETTINGS, email="race@example.org")
    with people.community.writing() as session:
        accounts.create_account(session, "Faster", email="race@example.org")
    done = people.post(member, links(caplog, "me/email")[-1][1])
    assert done.status_code == 400 and of(people, member).email == member.email


def test_a_password_changes_with_the_present_one(people, caplog) -> None:
    member = people.member("Changing Example")
    other = second_browser(people, member)
    fields = {"current": "not the present one", "password": "some other few words"}
    assert people.post(member, "/me/password", SETTINGS, **fields).status_code == 400
    fields["current"] = people.PASSWORD
    for easy in (
        "short",
        "aaaaaaaaaaaaaaaa",
        "qwertyuiop1234",
        "password123456",
        "ChangingExample",
    ):
        refused = people.post(member, "/me/password", SETTINGS, **fields | {"password": easy})
        assert refused.status_code == 400, easy
    before = member.cookies["peerscope-session"]
    assert people.post(member, "/me/password", SETTINGS, **fields).status_code == 303
    assert member.get("/me", follow_redirects=False).status_code == 200
    assert other.get("/me", follow_redirects=False).status_code == 303
    assert "password was changed" in caplog.text and before
    sent = {"email": member.email, "password": "some other few words"}
    assert people.browser().post("/sign-in", data=sent, follow_redirects=False).status_code == 303
    sent["password"] = people.PASSWORD
    assert people.browser().post("/sign-in", data=sent).status_code == 400


def test_guessing_the_present_password_is_counted(people) -> None:
    member = people.member("Robbed Example")
    fields = {"current": "not the present one", "password": "some other few words"}
    codes = [people.post(member, "/me/password", SETTINGS, **fields).status_code for _ in range(11)]
    assert codes == [400] * 10 + [429]
    again = people.post(member, "/sign-in/again", password=people.PASSWORD)
    assert again.status_code == 429


def test_browsers_are_listed_and_signed_out(people) -> None:
    member = people.member("Many Example")
    one, two = second_browser(people, member), second_browser(people, member)
    page = member.get(SETTINGS).text
    assert page.count("Sign it out") == 2 and "This one" in page
    stranger = people.member("Stranger Example")
    number = re.search(r'name="session" value="(\d+)"', page)[1]
    people.post(stranger, "/me/sessions/end", SETTINGS, session=number)
    assert member.get(SETTINGS).text.count("Sign it out") == 2
    people.post(member, "/me/sessions/end", SETTINGS, session=number)
    left = [b for b in (one, two) if b.get("/me", follow_redirects=False).status_code == 200]
    assert len(left) == 1
    people.post(member, "/me/sessions/end", SETTINGS, others="yes")
    assert left[0].get("/me", follow_redirects=False).status_code == 303
    assert member.get("/me", follow_redirects=False).status_code == 200


def session_in(done) -> str:
    return re.search(r"peerscope-session=([^;]+)", done.headers["set-cookie"])[1]


@pytest.mark.parametrize(
    "since",
    [
        {"expires_at": timedelta(seconds=-1)},
        {"seen_at": -sessions.IDLE},
        {"seen_at": timedelta(days=-13)},
    ],
    ids=str,
)
def test_a_session_ends_by_itself(people, since) -> None:
    member = people.member("Idle Example")
    values = {name: now() + by for name, by in since.items()}
    with people.community.writing() as session:
        kept = session.scalar(select(Session).where(Session.account_id == member.account_id))
        life = utc(kept.expires_at) - utc(kept.created_at)
        session.execute(
            update(Session).where(Session.account_id == member.account_id).values(**values)
        )
    assert life == sessions.LIFE == timedelta(days=30)
    ended = since != {"seen_at": timedelta(days=-13)}
    assert member.get("/me", follow_redirects=False).status_code == (303 if ended else 200)


GRAVE = [
    ("/me/email", {"email": "x@example.org"}), ("/me/password/remove", {}),
    ("/me/logins/remove", {"login": "1"}), ("/me/sessions/end", {"others": "yes"}),
    ("/me/passkeys/options", {}), ("/me/passkeys/add", {}), ("/me/passkeys/remove", {"passkey": "1"}),
]  # fmt: skip


@pytest.mark.parametrize(("address", "fields"), GRAVE)
def test_grave_things_ask_for_a_fresh_sign_in(people, address, fields) -> None:
    member = people.member("Grave Example")
    grown_old(people, member)
    done = people.post(member, address, **fields)
    assert done.headers["location"] == "/sign-in/again?next=%2Fme%2Fsettings"


def test_signing_in_again_leads_back_with_a_fresh_session(people) -> None:
    member = people.member("Again Example")
    grown_old(people, member)
    before = member.cookies["peerscope-session"]
    place = "/sign-in/again?next=%2Fme%2Fsettings"
    assert people.post(member, "/sign-in/again", place, password="wrong one").status_code == 400
    done = people.post(member, "/sign-in/again", place, password=people.PASSWORD, next=SETTINGS)
    assert done.headers["location"] == SETTINGS
    assert "peerscope-session=" in done.headers["set-cookie"]
    assert before not in done.headers["set-cookie"]
    member.cookies.clear()
    member.cookies.set("peerscope-session", session_in(done))
    planted = people.browser()
    planted.cookies.set("peerscope-session", before)
    assert planted.get("/me", follow_redirects=False).status_code == 303
    assert people.post(member, "/me/sessions/end", others="yes").headers["location"].startswith(
        SETTINGS
    )  # fmt: skip
    done = people.post(member, "/sign-in/again", password=people.PASSWORD, next="//evil.example")
    assert done.headers["location"] == "/me"


def test_the_last_way_to_sign_in_stays(people) -> None:
    member = people.member("Last Example")
    kept = people.post(member, "/me/password/remove", SETTINGS)
    assert kept.status_code == 400 and "last way" in kept.text
    assert of(people, member).password is not None


def test_fields_that_no_form_has_change_nothing(people) -> None:
    """Mass assignment."""
    member = people.member("Greedy Example")
    extra = {
        "role": "admin",
        "state": "suspended",
        "person_id": "1",
        "account_id": "1",
        "email": "x@example.org",
    }
    people.post(member, "/me/name", SETTINGS, name="Still Greedy", **extra)
    found = of(people, member)
    assert (found.role, found.state, found.person_id, found.email) == (
        "member", "active", None, member.email,
    )  # fmt: skip


def test_links_in_mails_never_name_the_host_of_a_request(people, caplog) -> None:
    """Host header poisoning: a reset link that leads to the thief."""
    member = people.member("Poisoned Example")
    evil = {
        "host": "evil.example",
        "x-forwarded-host": "evil.example",
        "forwarded": "host=evil.example",
    }
    people.browser().post("/reset", data={"email": member.email}, headers=evil)
    people.browser().post("/join", data={"email": "fresh@example.org"}, headers=evil)
    found = links(caplog, "reset") + links(caplog, "join")
    assert {host for host, _ in found} == {"http://testserver"} and len(found) == 2
    assert "evil.example" not in caplog.text


def test_the_stated_address_outranks_the_one_it_listens_on(small_society, caplog) -> None:
    caplog.set_level(logging.WARNING, "peerscope.mail")
    stated = small_society(
        address="http://127.0.0.1:8000", base_url="https://discover.example.org/"
    )
    stated.browser().post("/join", data={"email": "fresh@example.org"})
    assert {host for host, _ in links(caplog, "join")} == {"https://discover.example.org"}
    nowhere = small_society(address="", port=8400)
    assert nowhere.application.state.site.address == "http://127.0.0.1:8400"


@pytest.mark.parametrize(
    "wrong",
    [
        {"smtp_host": "mail.example.org"},
        {"orcid_client_id": "APP-1"},
        {"oidc_issuer": "https://sso.example.org", "oidc_client_id": "x"},
        {"base_url": "discover.example.org"},
        {"base_url": "javascript:alert(1)"},
        {
            "base_url": "https://x.example",
            "oidc_issuer": "http://sso.example.org",
            "oidc_client_id": "x",
        },
        {"base_url": "https://x.example", "orcid_client_id": "x", "orcid_base": "orcid.org"},
    ],
)
def test_settings_by_which_links_would_go_astray_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match=r"PEERSCOPE_BASE_URL|https://"):
        check_settings(Settings(**wrong))


def test_settings_that_hold_are_taken() -> None:
    check_settings(Settings())
    check_settings(Settings(smtp_host="m.example.org", base_url="https://x.example"))
    check_settings(Settings(orcid_client_id="x", base_url="https://x.example"))


class Counted:
    """The hasher, counting."""

    def __init__(self, hasher) -> None:
        self.hasher, self.verified, self.hashed = hasher, 0, 0

    def verify(self, *given):
        self.verified += 1
        return self.hasher.verify(*given)

    def hash(self, *given):
        self.hashed += 1
        return self.hasher.hash(*given)


def test_refusing_costs_the_same_whoever_it_is(people, monkeypatch, quick_hashes) -> None:
    """User enumeration by time: each refusal checks exactly one hash of the same cost."""
    member, locked, without = (people.member(f"{name} Example") for name in ("Here", "Out", "No"))
    with people.community.writing() as session:
        session.get(Account, locked.account_id).state = "suspended"
        session.get(Account, without.account_id).password = None
    counted = Counted(accounts._hasher)
    monkeypatch.setattr(accounts, "_hasher", counted)
    tried = [
        member.email,
        "nobody@example.org",
        "no address",
        "",
        locked.email,
        without.email,
        "x" * 300,
    ]
    for email in tried:
        before, pages = counted.verified, []
        for password in ("wrong " * 3, "", "x" * 5000):
            sent = {"email": email, "password": password}
            pages.append(people.browser().post("/sign-in", data=sent))
        assert counted.verified - before == 3, email
        assert {page.status_code for page in pages} == {400}
    assert counted.hashed == 0
    hasher, nobody = quick_hashes
    assert extract_parameters(nobody) == extract_parameters(hasher.hash("a horse and a battery"))


def test_asking_for_a_link_does_the_same_before_it_answers(people, monkeypatch) -> None:
    """The account is looked for, and the mail made, after the answer."""
    member, order = people.member("Slow Example"), []
    monkeypatch.setattr(people.community.mailer, "send", lambda mail: order.append(mail.to))
    from peerscope.web import accounts as pages

    asked = []
    monkeypatch.setattr(pages, "_write", lambda *given: asked.append(given[2]))
    for email in (member.email, "nobody@example.org"):
        assert people.browser().post("/reset", data={"email": email}).status_code == 200
    assert asked == [member.email, "nobody@example.org"] and order == []


def test_a_mail_server_that_is_down_changes_no_answer(small_society, caplog) -> None:
    down = small_society(smtp_host="127.0.0.1", smtp_port=9, smtp_security="none")
    page = down.browser().post("/join", data={"email": "fresh@example.org"})
    assert page.status_code == 200 and "Look at your mail" in page.text
    assert "could not be sent" in caplog.text


def test_easy_passwords_are_refused_and_words_are_taken() -> None:
    for easy in ("letmeinletmein", "123456789012", "qwerty123456", "peerscope1234", "administrator1",
                 "iloveyou1234", "adaexample2024", "Ada Example 1", "passwordpassword"):  # fmt: skip
        with pytest.raises(accounts.CommunityError):
            accounts.checked_password(easy, "Ada Example", "ada@example.org")
    for fine in (
        "a horse and a battery",
        "Übermäßig ruhiger Garten",
        "日本語のとても長い合言葉です",
        "x7#Kq!2mZp9&",
    ):
        assert accounts.checked_password(fine, "Ada Example") == fine
