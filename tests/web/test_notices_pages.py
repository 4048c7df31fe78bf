"""Notices, switches, the secret feed and the way out of mails, through the pages."""

from __future__ import annotations

import re

import pytest
from lxml import html

from peerscope.community import digests, notices
from peerscope.community.notices import TOPICS, notify
from peerscope.community.talk_models import Digest


def tell(society, client, kind="claim.accepted", target="person:1", **more) -> None:
    with society.community.writing() as session:
        notify(session, client.account_id, kind, target, **more)


def unread(client) -> int:
    found = re.search(r'class="num fresh">(\d+)<', client.get("/about").text)
    return int(found[1]) if found else 0


def test_notices_are_counted_read_and_switched(society, numbers) -> None:
    ada = society.member("Ada Example")
    work = numbers["work:Dual Temperature Helps Contras"]
    assert unread(ada) == 0
    tell(society, ada, "review.reply", f"work:{work}")
    tell(society, ada, "claim.accepted", "person:999999999")
    tell(society, ada, "some.new_thing", "nothing at all", detail="<b>detail</b>")
    assert unread(ada) == 3
    page = ada.get("/notices").text
    tree = html.fromstring(page)
    assert "replied to your review of Dual Temperature Helps" in tree.text_content()
    assert tree.xpath(f"//a[@href='/works/W{work}']")
    assert "Your claim on a person was accepted." in page
    assert "Something new: new thing." in page
    assert "&lt;b&gt;detail&lt;/b&gt;" in page
    one = tree.xpath("//input[@name='notice']/@value")[0]
    society.post(ada, "/notices/read", "/notices", notice=one)
    assert unread(ada) == 2
    chosen = {f"{way}.{topic}": "yes" for way in ("here", "mail") for topic in TOPICS}
    assert (
        society.post(ada, "/notices/settings", "/notices", every="daily", **chosen).status_code
        == 303
    )
    del chosen["here.claim"]
    assert (
        society.post(ada, "/notices/settings", "/notices", every="weekly", **chosen).status_code
        == 303
    )
    page = ada.get("/notices").text
    assert "Your claim" not in page
    assert html.fromstring(page).xpath("//input[@name='every'][@checked]/@value") == ["weekly"]
    assert not html.fromstring(page).xpath("//input[@name='here.claim'][@checked]")
    society.post(ada, "/notices/read", "/notices")
    assert unread(ada) == 0


def test_the_notices_of_others_stay_theirs(society) -> None:
    ada, eve = society.member("Ada Example"), society.member("Eve Example")
    tell(society, ada, detail="only for Ada")
    number = html.fromstring(ada.get("/notices").text).xpath("//input[@name='notice']/@value")[0]
    assert "only for Ada" not in eve.get("/notices").text
    society.post(eve, "/notices/read", "/notices", notice=number)
    society.post(eve, "/notices/read", "/notices")
    assert unread(ada) == 1
    assert society.browser().get("/notices", follow_redirects=False).status_code == 303
    for act in ("read", "settings", "feed", "feed/end"):
        assert (
            ada.post(f"/notices/{act}", data={"token": society.token(eve, "/notices")}).status_code
            == 403
        )
    assert society.post(ada, "/notices/settings", "/notices", every="hourly").status_code == 400
    assert society.post(ada, "/notices/read", "/notices", notice="x").status_code == 400


def test_the_count_costs_no_statement_of_its_own(society) -> None:
    from peerscope.record import count_statements

    ada = society.member("Ada Example")
    ada.get("/about")
    with count_statements(society.community.database.engine) as seen:
        ada.get("/about")
    assert seen.count == 1


def test_every_topic_of_a_sentence_can_be_switched() -> None:
    from peerscope.community.sentences import SENTENCES

    assert {kind.partition(".")[0] for kind in SENTENCES} == set(TOPICS)
    assert 2 * len(TOPICS) + 2 <= 300, "the form would have more fields than a form may"


def test_every_kind_that_is_told_has_a_sentence() -> None:
    from pathlib import Path

    import peerscope
    from peerscope.community.sentences import SENTENCES

    told = set()
    for path in Path(peerscope.__file__).parent.glob("community/**/*.py"):
        source = path.read_text()
        for call in re.findall(r"notify\((.*?)\n    ?\)?", source, re.DOTALL):
            told |= set(re.findall(r'"([a-z]+\.[a-z_]+)"', call))
    assert len(told) > 12
    assert told <= set(SENTENCES)


@pytest.fixture
def subscribed(society):
    ada = society.member("Ada Example")
    with society.community.writing() as session:
        digests.set_digest(session, ada.account_id, "daily")
        secret = session.get(Digest, ada.account_id).secret
    return ada, digests.unsubscribe_token(ada.account_id, secret)


def every(society, client) -> str:
    with society.community.reading() as session:
        return digests.digest_of(session, client.account_id)


def test_one_click_ends_the_mails_without_cookie_or_origin(society, subscribed) -> None:
    ada, token = subscribed
    from fastapi.testclient import TestClient

    program = TestClient(society.application, raise_server_exceptions=False)
    page = program.get(f"/unsubscribe/{token}")
    assert page.status_code == 200
    assert every(society, ada) == "daily", "looking at the link ends nothing"
    click = {"content": "List-Unsubscribe=One-Click",
             "headers": {"content-type": "application/x-www-form-urlencoded"}}  # fmt: skip
    for _ in range(2):
        assert program.post(f"/unsubscribe/{token}", **click).status_code == 200
    assert every(society, ada) == "never"


def test_forged_links_end_nothing(society, subscribed) -> None:
    ada, token = subscribed
    eve = society.member("Eve Example")
    number, _, mac = token.partition(".")
    with society.community.writing() as session:
        digests.set_digest(session, eve.account_id, "weekly")
    forged = [
        f"{eve.account_id}.{mac}", f"{number}.{mac[:-1]}{'0' if mac[-1] != '0' else '1'}",
        f"{number}.{'0' * 64}", number, f"{number}.", "x.y", f"{'9' * 18}.{mac}", f"{'9' * 40}.{mac}",
        f"{number}.{mac.upper()}x",
    ]  # fmt: skip
    for one in forged:
        assert ada.get(f"/unsubscribe/{one}").status_code == 404, one
        answer = ada.post(f"/unsubscribe/{one}", data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 404, one
    for body in ("", "List-Unsubscribe=Two", "x" * 2_000):
        assert ada.post(f"/unsubscribe/{token}", content=body).status_code in (400, 413)
    assert (every(society, ada), every(society, eve)) == ("daily", "weekly")


def test_a_secret_feed_is_shown_once_and_ends(society) -> None:
    ada = society.member("Ada Example")
    page = society.post(ada, "/notices/feed", "/notices").text
    address = re.search(r"/feeds/[\w-]+", page)[0]
    anybody = society.browser()
    assert anybody.get(address).status_code == 200
    assert anybody.get(address).headers["cache-control"] == "private, no-store"
    assert address not in ada.get("/notices").text
    secret = address.rpartition("/")[2]
    assert secret not in society.community.database.path.read_bytes().decode("latin-1")
    again = re.search(r"/feeds/[\w-]+", society.post(ada, "/notices/feed", "/notices").text)[0]
    assert anybody.get(address).status_code == 404
    assert anybody.get(again).status_code == 200
    society.post(ada, "/notices/feed/end", "/notices")
    for bad in (again, "/feeds/x", "/feeds/" + "y" * 500):
        assert anybody.get(bad).status_code == 404


def test_old_notices_that_were_read_go(society) -> None:
    from datetime import timedelta

    from sqlalchemy import select, update

    from peerscope.community.models import Notice
    from peerscope.community.times import now

    ada = society.member("Ada Example")
    tell(society, ada)
    tell(society, ada, target="person:2")
    with society.community.writing() as session:
        old = now() - notices.READ_KEPT - timedelta(days=1)
        session.execute(update(Notice).where(Notice.account_id == ada.account_id,
                                             Notice.target == "person:1").values(read_at=old))  # fmt: skip
        notices.mark_read(session, ada.account_id)
        kept = session.scalars(
            select(Notice.target).where(Notice.account_id == ada.account_id)
        ).all()
    assert kept == ["person:2"]
