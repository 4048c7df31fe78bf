"""What follows and profiles mean for invitations, mails and the secret feed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from peerscope.community import claiming_models as profiles
from peerscope.community import collection_works, collections, consenting, follows, hearing
from peerscope.community.accounts import create_account
from peerscope.community.models import Account
from peerscope.community.times import now
from peerscope.record import Database, ingest, refresh_counts, resolve_people
from peerscope.record.importers import importer_for
from peerscope.record.models import Venue, Work
from peerscope.record.read.feeds import feed_works

LIBRARY = """
@article{one, title={The first work}, author={Example, Ada}, journal={Journal A}, year={2020}}
@article{two, title={The second work}, author={Example, Ada}, journal={Journal B}, year={2021}}
@article{three, title={The third work}, author={Other, Bo}, journal={Journal B}, year={2022}}
"""


@pytest.fixture
def record(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'record.sqlite'}")
    database.migrate()
    path = tmp_path / "library.bib"
    path.write_text(LIBRARY)
    ingest(database, importer_for(str(path)), str(path))
    resolve_people(database)
    refresh_counts(database)
    yield database
    database.close()


@pytest.fixture
def reader(community, record):
    """An account that follows a venue and a search; with the numbers of the venue and of works by title."""
    with record.session() as known:
        venue = known.scalar(select(Venue.id).where(Venue.display_name == "Journal B"))
        works = dict(known.execute(select(Work.title, Work.id)).all())
    with community.writing() as session:
        number = create_account(session, "Rea Der")
        follows.follow(session, number, f"S{venue}", 0)
        follows.follow(session, number, "/search?q=first", 0)
    return number, venue, works


def test_a_mail_tells_the_works_of_its_time_only(community, record, reader) -> None:
    number, venue, works = reader
    heard = hearing.follow_news(lambda address: [works["The first work"]])
    early, late = now() - timedelta(days=1), now() + timedelta(days=1)
    with community.writing() as session:
        # Followed before the works came.
        session.execute(update(follows.Follow).values(seen_seq=0, seen_at=early, created_at=early))
    with community.reading() as session, record.session() as known:
        found = {one.label: one for one in heard(session, known, number, early, late)}
        assert heard(session, known, number, late, late + timedelta(days=1)) == []
    assert set(found) == {"Journal B", "a search"}
    assert found["Journal B"].address == f"/venues/S{venue}"
    assert {title for title, _ in found["Journal B"].works} == {"The second work", "The third work"}
    assert found["a search"].works == (("The first work", f"/works/W{works['The first work']}"),)


def test_the_secret_feed_holds_everything_that_is_followed(community, record, reader) -> None:
    number, venue, works = reader
    with community.writing() as session:
        other = create_account(session, "Ot Her")
        follows.follow(session, other, f"S{venue}", 0)
        for account, titles in (
            (number, set(works)),
            (other, {"The second work", "The third work"}),
            (create_account(session, "No Body"), set()),
        ):
            condition = hearing.followed_works(
                session, account, lambda _: [works["The first work"]]
            )
            with record.session() as known:
                assert {one.title for one in feed_works(known, condition)} == titles


def test_who_is_open_is_who_said_so(community) -> None:
    with community.writing() as session:
        number = create_account(session, "Ada Example")
        profile = profiles.Profile(
            account_id=number, available_for="joint papers", available_since=now(), updated_at=now()
        )
        session.add(profile)
        session.flush()
        assert consenting.open_to(session, number) is None, "not without a record"
        session.get(Account, number).person_id = 3
        session.flush()
        assert consenting.open_to(session, number) == "joint papers"
        profile.available_since = now() - timedelta(days=400)
        session.flush()
        assert consenting.open_to(session, number) is None, "not for ever"
        assert not consenting.follows(session, number, 3)
        follows.follow(session, number, "A3", 0)
        assert consenting.follows(session, number, 3)


def test_what_came_into_a_followed_collection_is_told(community, record, reader) -> None:
    number, _, works = reader
    early = now() - timedelta(minutes=1)
    with community.writing() as session:
        owner = create_account(session, "Ow Ner")
        lists = [
            collections.make(session, owner, f"List {how}", visibility=how)
            for how in ("public", "private")
        ]
        for one in lists:
            follows.follow(session, number, f"C{one}", 10**6)
        session.execute(
            update(follows.Follow)
            .where(follows.Follow.target.like("C%"))
            .values(seen_at=early, created_at=early)
        )
        for one in lists:
            collection_works.add(session, owner, one, works["The third work"])
    with community.reading() as session, record.session() as known:
        told = hearing.follow_news(lambda _: [])(
            session, known, number, early, now() + timedelta(minutes=1)
        )
        listed = [one for one in told if one.address.startswith("/collections/")]
        assert [(one.label, one.works) for one in listed] == [
            ("List public", (("The third work", f"/works/W{works['The third work']}"),))
        ]
        condition = hearing.followed_works(session, number, lambda _: [])
        assert "The first work" not in {one.title for one in feed_works(known, condition)}
