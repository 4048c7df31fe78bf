"""The pages by which an account sees its switches, takes everything along, and goes; attacks on them."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import timedelta

import pytest
from lxml import html
from sqlalchemy import select, update

from peerscope.community.models import Account, Session
from peerscope.community.times import now


def tree(response):
    return html.fromstring(response.text)


def account_in(answer) -> dict[str, object]:
    with zipfile.ZipFile(io.BytesIO(answer.content)) as folder:
        return json.loads(folder.read("account.json"))


def is_there(society, number: int) -> bool:
    with society.community.reading() as session:
        return session.scalar(select(Account.id).where(Account.id == number)) is not None


def grow_old(society, member) -> None:
    with society.community.writing() as session:
        session.execute(
            update(Session)
            .where(Session.account_id == member.account_id)
            .values(proved_at=now() - timedelta(hours=1))
        )


def test_everything_is_exported_to_the_one_whose_it_is(society) -> None:
    one, other = society.member("Ada Export"), society.member("Bo Export")
    answer = one.get("/me/export")
    assert answer.headers["content-type"] == "application/zip"
    assert "attachment" in answer.headers["content-disposition"]
    assert "no-store" in answer.headers["cache-control"]
    assert int(answer.headers["content-length"]) == len(answer.content)
    found = account_in(answer)
    assert found["account"]["email"] == one.email
    assert other.email not in json.dumps(found)
    for tail in (f"?account={other.account_id}", f"?id={other.account_id}"):
        assert account_in(one.get(f"/me/export{tail}"))["account"]["id"] == one.account_id
    assert one.get(f"/me/export/{other.account_id}").status_code == 404


def test_nobody_exports_or_deletes_without_signing_in(society) -> None:
    anyone = society.browser()
    for place in ("/me/export", "/me/delete", "/me/privacy"):
        answer = anyone.get(place, follow_redirects=False)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in?next=")
    sent = anyone.post("/me/delete", data={"name": "Ada"}, follow_redirects=False)
    assert sent.status_code == 303


def test_exports_are_counted(society) -> None:
    one = society.member("Ada Often")
    answers = [one.get("/me/export").status_code for _ in range(11)]
    assert answers == [200] * 10 + [429]


def test_deleting_asks_for_the_name_and_a_recent_sign_in(society) -> None:
    one = society.member("Ada Leaving")
    page = one.get("/me/delete")
    assert "What goes" in page.text
    assert "What stays" in page.text
    wrong = society.post(one, "/me/delete", "/me/delete", name="Ada")
    assert wrong.status_code == 400
    assert "not the name of your account" in wrong.text
    assert tree(wrong).xpath("//input[@id='name']/@aria-describedby") == ["error"]
    grow_old(society, one)
    assert "Sign in again" in one.get("/me/delete").text
    late = society.post(one, "/me/delete", "/me", name="Ada Leaving")
    assert late.status_code in (303, 403)
    assert is_there(society, one.account_id)


def test_an_account_goes_with_its_sessions(society) -> None:
    one = society.member("Ada Gone")
    elsewhere = society.browser()
    elsewhere.cookies.update(one.cookies)
    answer = society.post(one, "/me/delete", "/me/delete", name="Ada Gone")
    assert (answer.status_code, answer.headers["location"]) == (303, "/gone")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert not is_there(society, one.account_id)
    assert elsewhere.get("/me", follow_redirects=False).status_code == 303
    assert "is gone" in elsewhere.get("/gone").text


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}]
)
def test_a_form_of_another_site_deletes_nothing(society, headers) -> None:
    one = society.member("Ada Stays")
    fields = {"name": "Ada Stays", "token": society.token(one, "/me/delete")}
    answer = one.post("/me/delete", data=fields, headers=headers, follow_redirects=False)
    assert answer.status_code == 403
    assert is_there(society, one.account_id)


def test_a_token_of_somebody_else_deletes_nothing(society) -> None:
    one, other = society.member("Ada Victim"), society.member("Bo Attacker")
    for token in ("", "x", society.token(other, "/me/delete")):
        fields = {"name": "Ada Victim", "token": token, "account": str(one.account_id)}
        assert one.post("/me/delete", data=fields).status_code == 403
    fields = {"name": "Ada Victim", "token": society.token(other, "/me/delete")}
    other.post("/me/delete", data=fields | {"account_id": str(one.account_id)})
    assert is_there(society, one.account_id)
    assert is_there(society, other.account_id)
    assert one.get("/me/delete?name=Ada+Victim").status_code == 200
    assert is_there(society, one.account_id), "reading changes nothing"


def test_a_name_is_shown_as_text(society) -> None:
    one = society.member("Ada Bold")
    with society.community.writing() as session:
        session.execute(
            update(Account).where(Account.id == one.account_id).values(name="Ada <b>Bold</b>")
        )
    assert "<b>Bold" not in one.get("/me/delete").text
    sent = society.post(one, "/me/delete", "/me/delete", name="<script>alert(1)</script>")
    assert "<script>alert" not in sent.text


def test_every_switch_is_on_one_page_and_off_at_first(society) -> None:
    one = society.member("Ada Switch")
    page = tree(one.get("/me/privacy"))
    assert len(page.xpath("//h1")) == 1
    buttons = [button.text_content() for button in page.xpath("//main//button")]
    assert buttons == ["Switch on: history", "Switch on: saves and follows"]
    society.post(one, "/history/on", "/me/privacy", back="/me/privacy")
    answer = society.post(one, "/history/saves", "/me", use="yes", back="/me/privacy")
    assert answer.headers["location"] == "/me/privacy"
    page = tree(one.get("/me/privacy"))
    buttons = [button.text_content() for button in page.xpath("//main//button")]
    assert buttons == ["Switch off: history", "Switch off: saves and follows"]
    tokens = page.xpath("//form[@action='/history/off']/input[@name='token']/@value")
    one.post("/history/off", data={"token": tokens[0]})
    assert "Switch on: history" in tree(one.get("/me/privacy")).text_content()
    society.post(one, "/history/saves", "/me", use="no")
    assert "Switch on: saves" in tree(one.get("/me/privacy")).text_content()


def test_switches_are_turned_by_their_own_account_only(society) -> None:
    one = society.member("Ada Own")
    for token in ("", "x", society.token(society.member("Bo Own"), "/me")):
        answer = one.post("/history/saves", data={"use": "yes", "token": token})
        assert answer.status_code == 403
    assert "Switch on: saves" in tree(one.get("/me/privacy")).text_content()
