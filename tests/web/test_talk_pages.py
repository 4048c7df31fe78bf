"""Invitations and conversations through the pages, and attempts at those of others."""

from __future__ import annotations

import re

import pytest
from lxml import html

from peerscope.community.invitations import Consents
from peerscope.community.models import Account

HOSTILE = '<script>alert(1)</script> "quoted" <img src=x onerror=alert(2)>'


@pytest.fixture(autouse=True)
def _agreeing(society, monkeypatch) -> None:
    monkeypatch.setattr(
        society.community, "consents", Consents(lambda *_: "joint papers", lambda *_: False)
    )


@pytest.fixture
def pair(society, numbers):
    """Two members; the second claimed a record of a person of their own."""
    people = [number for name, number in numbers.items() if name.startswith("person:")]
    ada, bo = society.member("Ada Example", level=2), society.member("Bo Other", level=2)
    with society.community.writing() as session:
        taken = {one for (one,) in session.query(Account.person_id) if one is not None}
        bo.person = next(number for number in people if number not in taken)
        session.get(Account, bo.account_id).person_id = bo.person
    return ada, bo


def invite(society, sender, receiver, text="Shall we?"):
    return society.post(
        sender, "/talk/invite", f"/talk/invite?person=A{receiver.person}",
        person=f"A{receiver.person}", purpose="paper", text=text,
    )  # fmt: skip


def invitation_of(client) -> str:
    return re.search(r'id="invitation-(\d+)"', client.get("/talk").text)[1]


def begin(society, ada, bo) -> str:
    """A conversation of the two; its address."""
    assert invite(society, ada, bo).status_code == 303
    answer = society.post(bo, "/talk/accept", "/talk", invitation=invitation_of(bo))
    assert answer.status_code == 303
    return answer.headers["location"]


def steady(page: str) -> str:
    """A page without what is fresh at every look."""
    return re.sub(r'name="token" value="[^"]+"', "", page)


def test_from_invitation_to_answer(society, pair) -> None:
    ada, bo = pair
    assert "/talk/invite" in ada.get(f"/people/A{bo.person}").text
    assert "/talk/invite" not in bo.get(f"/people/A{bo.person}").text
    assert "/talk/invite" not in society.browser().get(f"/people/A{bo.person}").text
    invite(society, ada, bo, "Shall we write it?")
    listed = bo.get("/talk").text
    assert "Shall we write it?" in listed
    assert "Ada Example" in listed
    assert re.search(r'href="/notices"[^>]*>Notices <strong class="num fresh">1', listed)
    assert "Ada Example invites you to work together." in bo.get("/notices").text
    place = society.post(bo, "/talk/accept", "/talk", invitation=invitation_of(bo)).headers[
        "location"
    ]
    assert society.post(bo, f"{place}/write", place, text="Gladly.").status_code == 303
    assert "1 new message" in ada.get("/talk").text
    assert "Bo Other accepted your invitation." in ada.get("/notices").text
    assert "Gladly." in ada.get(place).text
    assert "new message" not in ada.get("/talk").text
    assert 'class="num fresh"' not in ada.get("/talk").text, "what was told of it counts as read"


def test_a_short_word_of_why_it_cannot_be_sent(society, pair) -> None:
    ada, bo = pair
    low = society.member("Low Level", level=1)
    page = low.get(f"/talk/invite?person=A{bo.person}").text
    assert "need level L2" in page
    assert "<textarea" not in page
    token = society.token(low, "/notices")
    fields = {"person": f"A{bo.person}", "purpose": "paper", "text": "x", "token": token}
    assert "need level L2" in low.post("/talk/invite", data=fields).text
    too_long = invite(society, ada, bo, "y" * 1_501)
    assert too_long.status_code == 400
    assert "has 1 to 1,500 characters" in too_long.text
    assert "yyyy" in too_long.text, "what was written is not lost"
    assert ada.get("/talk/invite?person=A999999999").status_code == 404
    assert ada.get("/talk/invite").status_code == 404


def test_invitation_spam_ends_soon(society, pair) -> None:
    ada, bo = pair
    assert invite(society, ada, bo).status_code == 303
    again = invite(society, ada, bo)
    assert again.status_code == 429
    assert int(again.headers["retry-after"]) > 86_400
    statuses = [invite(society, ada, bo).status_code for _ in range(3)]
    assert set(statuses) == {429}


def test_declined_looks_unread_byte_for_byte(society, pair) -> None:
    ada, bo = pair
    invite(society, ada, bo)
    before = [
        steady(ada.get(place).text) for place in ("/talk", "/notices", f"/people/A{bo.person}")
    ]
    refused = steady(invite(society, ada, bo).text)
    society.post(bo, "/talk/decline", "/talk", invitation=invitation_of(bo))
    after = [
        steady(ada.get(place).text) for place in ("/talk", "/notices", f"/people/A{bo.person}")
    ]
    assert before == after
    society.community.rates.clear()
    assert steady(invite(society, ada, bo).text) == refused


def test_a_block_looks_like_silence_byte_for_byte(society, pair) -> None:
    ada, bo = pair
    place = begin(society, ada, bo)
    society.post(ada, f"{place}/write", place, text="Hello?")
    before = [steady(ada.get(one).text) for one in ("/talk", "/notices", place)]
    society.post(bo, "/talk/block", place, talk=place.rpartition("/")[2])
    assert [steady(ada.get(one).text) for one in ("/talk", "/notices", place)] == before
    answer = society.post(ada, f"{place}/write", place, text="Are you there?")
    assert answer.status_code == 303
    assert "Are you there?" in ada.get(place).text
    assert "Are you there?" not in bo.get(place).text
    assert "You block this account" in bo.get(place).text
    assert (
        society.post(bo, "/talk/unblock", "/talk", account=str(ada.account_id)).status_code == 303
    )
    assert "Are you there?" not in bo.get(place).text


def test_the_conversations_of_others_are_not_there(society, pair) -> None:
    ada, bo = pair
    eve = society.member("Eve Example", level=2)
    place = begin(society, ada, bo)
    society.post(ada, f"{place}/write", place, text="only for Bo")
    said = re.search(r'name="message" value="(\d+)"', ada.get(place).text)[1]
    number = place.rpartition("T")[2]
    assert eve.get(place).status_code == 404
    for act, fields in (
        (f"{place}/write", {"text": "x"}), (f"{place}/leave", {}), (f"{place}/mute", {}),
        (f"{place}/delete", {"message": said}), ("/talk/block", {"talk": f"T{number}"}),
        ("/talk/report", {"message": said, "reason": "abuse", "why": "x"}),
        ("/talk/invite", {"talk": f"T{number}", "purpose": "paper", "text": "x"}),
        ("/talk/withdraw", {"invitation": "1"}), ("/talk/accept", {"invitation": "1"}),
        ("/talk/unblock", {"account": str(bo.account_id)}),
    ):  # fmt: skip
        answer = society.post(eve, act, "/notices", **fields)
        assert answer.status_code == 404, act
        assert "only for Bo" not in answer.text
    assert society.post(bo, f"{place}/delete", place, message=said).status_code == 404
    assert "only for Bo" in bo.get(place).text
    assert society.browser().get(place, follow_redirects=False).status_code == 303


def test_forms_of_others_are_refused(society, pair) -> None:
    ada, bo = pair
    place = begin(society, ada, bo)
    stolen = society.token(bo, place)
    for token in ("", "made.up", stolen):
        for act in (
            "/talk/invite",
            "/talk/accept",
            "/talk/block",
            f"{place}/write",
            f"{place}/leave",
        ):
            answer = ada.post(act, data={"token": token, "text": "x"}, follow_redirects=False)
            assert answer.status_code == 403, act
    foreign = ada.post(
        f"{place}/write", data={"token": society.token(ada, place), "text": "x"},
        headers={"sec-fetch-site": "cross-site"},
    )  # fmt: skip
    assert foreign.status_code == 403


def test_words_stay_words(society, pair) -> None:
    ada, bo = pair
    with society.community.writing() as session:
        session.get(Account, ada.account_id).name = HOSTILE[:90]
    invite(society, ada, bo, HOSTILE)
    pages = [bo.get("/talk").text, bo.get("/notices").text]
    place = society.post(bo, "/talk/accept", "/talk", invitation=invitation_of(bo)).headers[
        "location"
    ]
    society.post(ada, f"{place}/write", place, text=HOSTILE)
    said = re.findall(r"/talk/report\?message=(\d+)", bo.get(place).text)[-1]
    pages += [ada.get(place).text, bo.get(place).text, bo.get(f"/talk/report?message={said}").text]
    bad = society.post(ada, f"{place}/write", place, text=HOSTILE + "z" * 5_000).text
    for page in [*pages, bad]:
        tree = html.fromstring(page)
        assert not tree.xpath("//script|//img|//*[@onerror]")
        assert "alert(1)" in tree.text_content() or bad is page


def test_fields_that_no_form_has_change_nothing(society, pair) -> None:
    ada, bo = pair
    place = begin(society, ada, bo)
    society.post(
        ada, f"{place}/write", place, text="hello", held="yes", account_id=str(bo.account_id),
        created_at="2000-01-01", conversation_id="1",
    )  # fmt: skip
    tree = html.fromstring(ada.get(place).text)
    assert "hello" in tree.xpath("//li[@class='mine']")[-1].text_content()


def test_messages_are_counted(society, pair) -> None:
    ada, bo = pair
    place = begin(society, ada, bo)
    token = society.token(ada, place)
    statuses = [
        ada.post(f"{place}/write", data={"token": token, "text": "x"}, follow_redirects=False).status_code
        for _ in range(22)
    ]  # fmt: skip
    assert statuses[:20] == [303] * 20
    assert statuses[20:] == [429, 429], "an account of today writes 20 an hour"


def test_leaving_muting_and_deleting(society, pair) -> None:
    ada, bo = pair
    place = begin(society, ada, bo)
    society.post(ada, f"{place}/write", place, text="taken back")
    said = re.findall(r'name="message" value="(\d+)"', ada.get(place).text)[-1]
    society.post(ada, f"{place}/delete", place, message=said)
    assert "taken back" not in bo.get(place).text
    assert "Deleted by its author." in bo.get(place).text
    society.post(bo, f"{place}/mute", place, on="yes")
    assert "Muted" in bo.get(place).text
    society.post(bo, f"{place}/leave", place)
    assert bo.get(place).status_code == 404
    page = ada.get(place).text
    assert "left this conversation" in page
    assert "<textarea" not in page
    assert society.post(ada, f"{place}/write", place, text="x").status_code == 400


def test_hostile_addresses_and_fields_get_a_sentence(society, pair) -> None:
    ada, bo = pair
    place = begin(society, ada, bo)
    for bad in ("/talk/T", "/talk/T0x1", "/talk/x", f"/talk/T{'9' * 15}", "/talk/T-1"):
        assert ada.get(bad).status_code == 404, bad
    assert ada.get(f"{place}?before=abc").status_code == 200
    for act, fields in (
        ("/talk/accept", {}), ("/talk/accept", {"invitation": "x"}), ("/talk/block", {"talk": "1"}),
        ("/talk/unblock", {"account": "9" * 30}), (f"{place}/delete", {"message": ""}),
        ("/talk/report", {"message": "1", "reason": "nonsense", "why": "x"}),
        (f"{place}/write", {"text": "\x00\u202e"}),
    ):  # fmt: skip
        assert society.post(ada, act, place, **fields).status_code == 400, (act, fields)
