"""Feeds, read by an independent parser and held against what RFC 4287 demands."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import feedparser
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from peerscope.record.export.atom import ATOM, Feed, Place, write_feed
from peerscope.record.read.feeds import FeedWork

NS = {"a": ATOM}
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def valid(content: bytes) -> etree._Element:
    """The feed, with what RFC 4287 requires of it (4.1.1, 4.1.2, 4.2)."""
    root = etree.fromstring(content)
    assert root.tag == f"{{{ATOM}}}feed"
    for element in (root, *root.findall("a:entry", NS)):
        for name in ("id", "title", "updated"):
            found = element.findall(f"a:{name}", NS)
            assert len(found) == 1, name
            assert found[0].text, name
        assert STAMP.fullmatch(element.findtext("a:updated", namespaces=NS))
        assert re.fullmatch(
            r"tag:[^,:]+,\d{4}-\d\d-\d\d:\S+", element.findtext("a:id", namespaces=NS)
        )
        for author in element.findall("a:author", NS):
            assert author.findtext("a:name", namespaces=NS)
        alternates = element.findall("a:link[@rel='alternate']", NS)
        assert len(alternates) == 1
        assert alternates[0].get("href").startswith("http")
    assert root.findall("a:author", NS), "entries without an author need one of the feed"
    assert len(root.findall("a:link[@rel='self']", NS)) == 1
    ids = [one.text for one in root.iterfind("a:entry/a:id", NS)]
    assert len(ids) == len(set(ids))
    return root


@pytest.fixture(scope="module")
def addresses(numbers) -> dict[str, str]:
    return {
        "person": f"/people/A{numbers['person:Kang Zhang']}",
        "topic": f"/topics/T{numbers['topic:Contrastive learning']}",
        "institution": f"/institutions/I{numbers['place:KAIST']}",
        "venue": f"/venues/S{numbers['venue:CVPR']}",
        "search": "/search?q=contrastive+learning&year_from=2019",
    }


def feed_of(address: str) -> str:
    place, mark, query = address.partition("?")
    return f"{place}/feed.atom{mark}{query}"


@pytest.mark.parametrize("name", ["person", "topic", "institution", "venue", "search"])
def test_a_page_has_a_feed_that_others_can_read(client, addresses, name) -> None:
    address = addresses[name]
    linked = re.search(r'<link rel="alternate" type="application/atom\+xml"[^>]*href="([^"]+)"',
                       client.get(address).text)  # fmt: skip
    answer = client.get(linked[1].replace("&amp;", "&"))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/atom+xml")
    root = valid(answer.content)
    read = feedparser.parse(answer.content)
    assert not read.bozo, read.get("bozo_exception")
    assert read.version == "atom10"
    assert 0 < len(read.entries) <= 50
    assert all(one.link.startswith("http://testserver/works/W") for one in read.entries)
    assert read.feed.links[0].href.startswith("http://testserver/")
    assert root.findtext("a:updated", namespaces=NS) == max(
        one.updated for one in read.entries
    ) or name == "person"  # fmt: skip


def test_entries_are_the_works_of_the_page(client, addresses) -> None:
    page = client.get(addresses["person"]).text
    on_page = set(re.findall(r'<h3 dir="auto"><a href="(/works/W\d+)"', page))
    entries = feedparser.parse(client.get(feed_of(addresses["person"])).content).entries
    assert {one.link.removeprefix("http://testserver") for one in entries} == on_page
    again = feedparser.parse(client.get(feed_of(addresses["person"])).content).entries
    assert [one.id for one in again] == [one.id for one in entries]
    assert any(len(one.authors) > 1 for one in entries)


def test_an_unchanged_feed_is_not_sent_again(client, addresses) -> None:
    address = feed_of(addresses["topic"])
    first = client.get(address)
    tag, changed = first.headers["etag"], first.headers["last-modified"]
    assert parsedate_to_datetime(changed) <= datetime.now(UTC)
    for headers, status in (
        ({"if-none-match": tag}, 304), ({"if-none-match": f'"x", W/{tag}'}, 304),
        ({"if-none-match": "*"}, 304), ({"if-none-match": '"other"'}, 200),
        ({"if-modified-since": changed}, 304),
        ({"if-modified-since": "Thu, 01 Jan 2015 00:00:00 GMT"}, 200),
        ({"if-modified-since": "yesterday"}, 200),
        ({"if-none-match": '"other"', "if-modified-since": changed}, 200),
    ):  # fmt: skip
        answer = client.get(address, headers=headers)
        assert answer.status_code == status, headers
        assert answer.headers["etag"] == tag
        assert (answer.content == b"") is (status == 304)


def test_what_has_no_feed_says_so(client, numbers) -> None:
    for bad in (
        "/people/A999999999",
        "/works/W1",
        "/people/T1",
        "/nowhere/A1",
        "/people/x",
        "/names/x",
    ):
        assert client.get(f"{bad}/feed.atom").status_code == 404, bad
    for query in ("", "?q=%00&topic=x&page=zzz", "?q=" + "y" * 3000):
        assert client.get(f"/search/feed.atom{query}").status_code == 200


def test_a_feed_is_the_same_for_every_reader(client, society, addresses) -> None:
    member = society.member("Ada Example")
    address = feed_of(addresses["search"])
    assert member.get(address).content == client.get(address).content


def test_hostile_titles_stay_text(client, numbers) -> None:
    answer = client.get("/search/feed.atom?q=%3Cscript%3Ealert")
    assert b"<script>" not in answer.content
    valid(answer.content)


MOMENT = datetime(2026, 11, 30, 12, tzinfo=UTC)


@given(
    st.text(), st.lists(st.text(), max_size=3), st.none() | st.text(), st.text(),
    st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC)),
)  # fmt: skip
def test_any_text_makes_a_valid_feed(title, authors, venue, summary, moment) -> None:
    work = FeedWork(1, title, tuple(authors), 5, 2020, venue, summary, MOMENT, moment)
    place = Place("https://example.org", "example.org", MOMENT, "Test site")
    content = write_feed(
        Feed(title, "people/A1", "/people/A1", "/people/A1/feed.atom", [work]), place
    )
    root = etree.fromstring(content)
    kept = re.sub("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", title)
    shown = root.findtext("a:title", namespaces=NS)
    assert (shown or "").replace("\r", "\n") == kept.replace("\r\n", "\n").replace(
        "\r", "\n"
    ) or kept == ""
    assert STAMP.fullmatch(root.findtext("a:updated", namespaces=NS))
