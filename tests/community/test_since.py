"""What is new since the last visit, read off the record: the same question, the same answer."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from sqlalchemy import select, update

from peerscope.community import collection_works, collections, follows
from peerscope.community.meeting_models import Follow
from peerscope.community.since import changes_after, since
from peerscope.community.times import now
from peerscope.record import (
    Database,
    change_seq,
    count_statements,
    delete_works,
    ingest,
    refresh_counts,
    resolve_people,
)
from peerscope.record.identity_events import decide, merge, undo
from peerscope.record.importers import importer_for
from peerscope.record.models import Person, Venue, Work
from peerscope.record.read import authors_among, changed_among, current_people, moment_of

FIRST = """
@article{one, title={Signals in noise}, author={Example, Ada and Other, Bo}, year={2020}, journal={Journal of Tests}}
@article{two, title={Noise in signals}, author={Example, Ada and Other, Bo and Third, Cy}, year={2021}, journal={Journal of Tests}}
@article{three, title={Quite another matter}, author={Fourth, Dee}, year={2021}, journal={Letters}}
"""
SECOND = """
@article{four, title={More signals}, author={Example, Ada and Other, Bo}, year={2022}, journal={Journal of Tests}}
"""


@pytest.fixture
def record(tmp_path) -> Database:
    database = Database(f"sqlite:///{tmp_path}/record.sqlite")
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def read_in(record, tmp_path) -> Callable[[str, str], None]:
    def read(name: str, text: str) -> None:
        path = tmp_path / name
        path.write_text(text)
        ingest(record, importer_for(str(path)), str(path))
        resolve_people(record)
        refresh_counts(record)
        time.sleep(0.002)

    return read


def person(session, name: str) -> int:
    return session.scalar(
        select(Person.id).where(Person.display_name == name, Person.merged_into_id.is_(None))
    )


def numbers(session, *titles: str) -> list[int]:
    return [session.scalar(select(Work.id).where(Work.title == title)) for title in titles]


def none(_: str) -> list[int]:
    return []


def test_news_are_what_came_changed_and_went(community, make_account, record, read_in) -> None:
    read_in("first.bib", FIRST)
    ada = make_account()
    with record.session() as at:
        seq, who = change_seq(at), person(at, "Ada Example")
        venue = at.scalar(select(Venue.id).where(Venue.display_name == "Letters"))
        one, two, three = numbers(
            at, "Signals in noise", "Noise in signals", "Quite another matter"
        )
    with community.writing() as session:
        for target in (f"A{who}", f"S{venue}"):
            follows.follow(session, ada, target, seq)
    with community.reading() as session, record.session() as at:
        assert not any(since(session, at, ada, none))
    read_in("second.bib", SECOND)
    with record.begin() as at:
        delete_works(at, [two, three])
    with record.session() as at:
        (four,) = numbers(at, "More signals")
    with community.reading() as session, record.session() as at:
        first = since(session, at, ada, none)
        assert since(session, at, ada, none) == first
        news = {one.follow.target: one for one in first}
        assert news[f"A{who}"].new == (four,)
        assert news[f"A{who}"].removed == (two,)
        assert news[f"S{venue}"].removed == (three,)
        assert news[f"A{who}"].label == "Ada Example"
        linked = {work.id for work in changes_after(at, "A", who, seq)}
        told = news[f"A{who}"]
        assert linked == {*told.new, *told.changed, *told.removed}
        assert one not in told.new
        latest = change_seq(at)
    with community.writing() as session, record.session() as at:
        follows.mark_seen(session, ada, latest, now())
        assert not any(since(session, at, ada, none))


def test_a_search_brings_what_is_new_among_its_results(
    community, make_account, record, read_in
) -> None:
    read_in("first.bib", FIRST)
    ada = make_account()
    with record.session() as at:
        seq = change_seq(at)
    with community.writing() as session:
        follows.follow(session, ada, "/search?q=signals", seq)
    read_in("second.bib", SECOND)
    with community.reading() as session, record.session() as at:
        one, four = numbers(at, "Signals in noise", "More signals")
        asked = []

        def search(address: str) -> list[int]:
            asked.append(address)
            return [one, four]

        (news,) = since(session, at, ada, search)
        assert asked == ["/search?q=signals"]
        assert news.new == (four,)
        (nothing,) = since(session, at, ada, lambda _: [one][:0])
        assert not nothing


def test_a_collection_tells_its_history_and_nothing_once_closed(
    community, make_account, record, read_in
) -> None:
    read_in("first.bib", FIRST)
    ada, bo = make_account(), make_account("Bo Other")
    with record.session() as at:
        seq = change_seq(at)
        one, two = numbers(at, "Signals in noise", "Noise in signals")
    with community.writing() as session:
        number = collections.make(session, bo, "A list", "", "public")
        collection_works.add(session, bo, number, one)
        follows.follow(session, ada, f"C{number}", seq)
        time.sleep(0.002)
        collection_works.add(session, bo, number, two)
    with record.begin() as at:
        delete_works(at, [one])
    with community.reading() as session, record.session() as at:
        (news,) = since(session, at, ada, none)
        assert [(line.kind, line.work_id, line.name) for line in news.history] == [
            ("added", two, "Bo Other")
        ]
        assert (news.label, news.removed) == ("A list", (one,))
    with community.writing() as session, record.session() as at:
        collections.describe(session, bo, number, "A secret name", "", "private")
        (news,) = since(session, at, ada, none)
        assert (news.label, news.history, news.removed) == ("", (), ())


def test_who_follows_many_asks_few_questions(community, make_account, record, read_in) -> None:
    read_in("first.bib", FIRST)
    ada = make_account()
    with record.session() as at:
        targets = [f"A{n}" for n in at.scalars(select(Person.id))]
        targets += [f"S{n}" for n in at.scalars(select(Venue.id))]
    with community.writing() as session:
        for target in targets:
            follows.follow(session, ada, target, 0)
        session.execute(update(Follow).values(seen_at=now().replace(year=2000)))
    with (
        community.reading() as session,
        record.session() as at,
        count_statements(community.database.engine) as seen,
        count_statements(record.engine) as asked,
    ):
        news = since(session, at, ada, none)
    assert len(news) == len(targets) > 4
    assert all(one.new for one in news)
    assert seen.count <= 4
    assert asked.count <= 6


def test_joined_people_are_who_they_are_now(record, read_in) -> None:
    read_in("first.bib", FIRST)
    with record.session() as at:
        ada, dee = person(at, "Ada Example"), person(at, "Dee Fourth")
        one, _, three = numbers(at, "Signals in noise", "Noise in signals", "Quite another matter")
        assert current_people(at, [ada, dee, 10**9]) == {ada: ada, dee: dee}
        assert authors_among(at, three, [ada, dee]) == {dee}
        proposal = merge(at, [ada, dee])
    event = decide(record, proposal, "a test").event
    with record.session() as at, count_statements(record.engine) as seen:
        assert set(current_people(at, [ada, dee]).values()) == {ada}
        assert authors_among(at, three, [ada, dee]) == {ada, dee}
        assert authors_among(at, one, [dee]) == {dee}
        assert authors_among(at, one, []) == set()
        assert seen.count == 3
    undo(record, event, "a test")
    with record.session() as at:
        assert authors_among(at, three, [ada, dee]) == {dee}


def test_the_moment_of_a_change(record, read_in) -> None:
    with record.session() as at:
        assert moment_of(at, 10**9) is None
    read_in("first.bib", FIRST)
    with record.session() as at:
        seq = change_seq(at)
        first = moment_of(at, seq)
        assert changed_among(at, [], 0) == []
    read_in("second.bib", SECOND)
    with record.session() as at:
        assert moment_of(at, seq) == first < moment_of(at, change_seq(at))
