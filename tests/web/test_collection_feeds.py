"""Feeds of collections: open to whom the collection is, and to nobody else."""

from __future__ import annotations

import feedparser

from peerscope.community import collection_works, collections


def test_a_feed_is_as_open_as_its_collection(society, numbers) -> None:
    work = numbers["work:Dual Temperature Helps Contras"]
    owner = society.member("Ow Ner", level=2)
    made = {}
    with society.community.writing() as session:
        for how in ("public", "unlisted", "private"):
            made[how] = collections.make(
                session, owner.account_id, f"A list, {how}", visibility=how
            )
            collection_works.add(session, owner.account_id, made[how], work)
        key = collections.look(session, made["unlisted"], owner.account_id).key
    anybody = society.browser()
    answer = anybody.get(f"/collections/C{made['public']}/feed.atom")
    read = feedparser.parse(answer.content)
    assert not read.bozo
    assert (read.feed.title, len(read.entries)) == ("A list, public", 1)
    assert read.entries[0].link.endswith(f"/works/W{work}")
    unlisted = f"/collections/C{made['unlisted']}/feed.atom"
    assert anybody.get(f"{unlisted}?key={key}").status_code == 200
    private = f"/collections/C{made['private']}/feed.atom"
    for closed in (unlisted, f"{unlisted}?key={key[:-1]}", private, f"{private}?key={key}",
                   "/collections/C999999/feed.atom"):  # fmt: skip
        refused = anybody.get(closed)
        assert refused.status_code == 404, closed
        assert "A list" not in refused.text
    assert owner.get(private).status_code == 404, (
        "a feed reader has no cookie, so a cookie opens none"
    )
