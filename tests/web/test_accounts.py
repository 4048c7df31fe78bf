"""Joining, signing in and out, passwords, and what others try with them."""

from __future__ import annotations

import logging
import re

import pytest
from sqlalchemy import select

from peerscope.community.models import Account, Session


def links(caplog, kind: str) -> list[str]:
    return re.findall(rf"http://testserver(/{kind}/[\w-]+)", caplog.text)


@pytest.fixture(autouse=True)
def _mails(caplog) -> None:
    caplog.set_level(logging.WARNING, "peerscope.mail")


def join(society, caplog, email: str, name: str = "Ada Example"):
    client = society.browser()
    assert "Look at your mail" in client.post("/join", data={"email": email}).text
    link = links(caplog, "join")[-1]
    assert email.casefold() in client.get(link).text
    done = client.post(
        link, data={"name": name, "password": society.PASSWORD}, follow_redirects=False
    )
    return client, link, done


def test_joining_signing_out_and_in(society, caplog) -> None:
    client, link, done = join(society, caplog, "Joining@Example.org")
    assert (done.status_code, done.headers["location"]) == (303, "/me")
    cookie = done.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie
    page = client.get("/me")
    assert "Ada Example" in page.text and "Level L1" in page.text
    assert page.headers["cache-control"] == "private, no-store"
    assert "Ada Example" in client.get("/").text
    assert client.post(link, data={"name": "B", "password": society.PASSWORD}).status_code == 404
    assert society.post(client, "/sign-out").headers["location"] == "/"
    assert client.get("/me", follow_redirects=False).headers["location"] == "/sign-in?next=%2Fme"
    fields = {"email": "joining@example.org", "password": "not the password", "next": "/works"}
    assert client.post("/sign-in", data=fields).status_code == 400
    fields["password"] = society.PASSWORD
    done = client.post("/sign-in", data=fields, follow_redirects=False)
    assert done.headers["location"] == "/works"


def test_a_secret_of_before_signing_in_is_of_no_use(society) -> None:
    """Session fixation: a cookie planted before is neither taken over nor kept."""
    client = society.member("Fixed Example")
    other = society.browser()
    other.cookies.set("peerscope-session", "planted")
    fields = {"email": client.email, "password": society.PASSWORD}
    done = other.post("/sign-in", data=fields, follow_redirects=False)
    assert "planted" not in done.headers["set-cookie"]
    planted = society.browser()
    planted.cookies.set("peerscope-session", "planted")
    assert planted.get("/me", follow_redirects=False).status_code == 303


@pytest.mark.parametrize(
    "address",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "/%0d%0aa:b\n",
    ],
)
def test_the_way_back_stays_on_this_site(society, address) -> None:
    client = society.member("Back Example")
    fields = {"email": client.email, "password": society.PASSWORD, "next": address}
    done = society.browser().post("/sign-in", data=fields, follow_redirects=False)
    assert done.headers["location"] in ("/me", "/%0d%0aa:b")
    assert client.get("/sign-in", params={"next": address}, follow_redirects=False).headers[
        "location"
    ] in ("/me", "/%0d%0aa:b")


def test_nobody_learns_who_has_an_account(society, caplog) -> None:
    member = society.member("Known Example")
    for place in ("/join", "/reset"):
        pages = [
            society.browser().post(place, data={"email": email}).text.replace(email, "")
            for email in (member.email, "nobody@example.org")
        ]
        assert pages[0] == pages[1]
    tried = [
        society.browser().post("/sign-in", data={"email": email, "password": "wrong " * 3})
        for email in (member.email, "nobody@example.org")
    ]
    texts = {one.text.replace(member.email, "").replace("nobody@example.org", "") for one in tried}
    assert len(texts) == 1


def test_a_new_password_ends_all_sessions(society, caplog) -> None:
    member = society.member("Reset Example")
    society.browser().post("/reset", data={"email": member.email})
    link = links(caplog, "reset")[-1]
    client = society.browser()
    assert client.post(link, data={"password": "short"}).status_code == 400
    done = client.post(link, data={"password": "another few words"}, follow_redirects=False)
    assert done.status_code == 303 and client.get("/me").status_code == 200
    assert member.get("/me", follow_redirects=False).status_code == 303
    assert client.post(link, data={"password": "another few words"}).status_code == 404


def test_forms_of_other_sites_and_sessions_are_refused(society) -> None:
    member, other = society.member("Form Example"), society.member("Other Example")
    token = society.token(member)
    for sent in (
        member.post("/sign-out", data={"token": token}, headers={"sec-fetch-site": "cross-site"}),
        member.post("/sign-out", data={"token": token}, headers={"origin": "https://evil.example"}),
        other.post("/sign-out", data={"token": token}),
        member.post("/sign-out", data={"token": ""}),
    ):
        assert sent.status_code == 403
    assert member.get("/me", follow_redirects=False).status_code == 200


def test_guessing_is_counted(society) -> None:
    member = society.member("Guessed Example")
    fields = {"email": member.email, "password": "wrong password here"}
    codes = [society.browser().post("/sign-in", data=fields).status_code for _ in range(11)]
    assert codes == [400] * 10 + [429]
    fields["password"] = society.PASSWORD
    last = society.browser().post("/sign-in", data=fields)
    assert last.status_code == 429 and int(last.headers["retry-after"]) > 0


def test_the_first_admin_joins_by_the_link_of_the_start(society) -> None:
    from peerscope.community.tickets import issue

    with society.community.writing() as session:
        secret = issue(session, "admin")
    client = society.browser()
    assert "admin" in client.get(f"/join/{secret}").text
    fields = {"name": "The Admin", "email": "admin@example.org", "password": society.PASSWORD}
    assert client.post(f"/join/{secret}", data=fields, follow_redirects=False).status_code == 303
    assert "Admin" in client.get("/me").text
    assert society.community.first_admin() is None


def test_fields_that_no_form_has_change_nothing(society, caplog) -> None:
    """Mass assignment."""
    email = "assigned@example.org"
    client = society.browser()
    client.post("/join", data={"email": email, "role": "admin"})
    fields = {
        "name": "A", "password": society.PASSWORD, "role": "admin", "email": "other@example.org",
        "person_id": "1", "state": "suspended", "level": "5",
    }  # fmt: skip
    client.post(links(caplog, "join")[-1], data=fields)
    with society.community.reading() as session:
        account = session.scalar(select(Account).where(Account.email == email))
        assert (account.role, account.person_id, account.state) == ("member", None, "active")


def test_a_suspended_account_is_out_at_once(society) -> None:
    member = society.member("Suspended Example")
    with society.community.writing() as session:
        session.get(Account, member.account_id).state = "suspended"
    assert member.get("/me", follow_redirects=False).status_code == 303
    fields = {"email": member.email, "password": society.PASSWORD}
    refused = society.browser().post("/sign-in", data=fields)
    assert refused.status_code == 400 and "suspended" in refused.text


def test_the_secret_of_a_session_is_nowhere_in_the_database(society) -> None:
    member = society.member("Hashed Example")
    secret = member.cookies["peerscope-session"]
    with society.community.reading() as session:
        rows = session.scalars(select(Session)).all()
        assert not [row for row in rows if secret in str(vars(row))]
