"""An account's reader, and its saves and follows: off until asked for, then in order, feed and training."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from peerscope.community import reading
from peerscope.discover.evidence import reader_interactions
from peerscope.discover.readers import Readers
from peerscope.discover.readers_file import SCHEMA
from peerscope.discover.taste import Taste
from peerscope.discover.wishes import taste_of, want_again, want_less, wishes_of
from peerscope.record import Database

WHEN = datetime(2026, 1, 2, tzinfo=UTC)
LATER = datetime(2026, 1, 3, tzinfo=UTC)


def saves(session, account_id):
    return [(7, LATER), (5, WHEN)]


def follows(session, account_id):
    return [("A3", LATER), ("T4", WHEN), ("/search?q=x", WHEN), ("C9", WHEN), ("Ax", WHEN)]


@pytest.fixture
def readers(tmp_path):
    found = Readers(tmp_path / "readers.sqlite")
    yield found
    found.close()


def asked(community, account_id: int, until: float = 2e9) -> Taste:
    with community.reading() as session:
        return reading.taste_of_account(session, account_id, saves, follows, until)


def trained_on(readers) -> list[int]:
    return [event.item_id for event in reader_interactions(readers)]


def test_saves_take_part_only_where_the_account_asked(community, make_account, readers) -> None:
    one = make_account()
    assert asked(community, one) == Taste()
    with community.writing() as session:
        secret = reading.give_reader(session, readers, one, keeping=True)
        assert reading.give_reader(session, readers, one, keeping=True) == secret
    assert asked(community, one) == Taste()
    with community.writing() as session:
        reading.use_saves(session, one, True)
    assert asked(community, one) == Taste((7, 5), frozenset([5, 7]), (4,), (3,))
    assert asked(community, one, WHEN.timestamp()) == Taste((5,), frozenset([5]), (4,))


def test_saves_teach_only_where_saves_and_history_are_on(community, make_account, readers) -> None:
    one = make_account()
    with community.writing() as session:
        secret = reading.give_reader(session, readers, one, keeping=True)
        reading.copy_everyone(session, readers, saves)
        assert trained_on(readers) == [], "off until asked for"
        reading.use_saves(session, one, True)
        reading.copy_everyone(session, readers, saves)
    assert sorted(trained_on(readers)) == [5, 7]
    reader = readers.find(secret)
    readers.switch(reader.id, keeping=False)
    assert trained_on(readers) == []
    readers.switch(reader.id, keeping=True)
    before = readers.state().erasures
    with community.writing() as session:
        reading.copy_everyone(session, readers, lambda *_: [(7, LATER)])
    assert trained_on(readers) == [7]
    assert readers.state().erasures == before + 1, "what was taken out of the library is unlearned"
    with community.writing() as session:
        reading.use_saves(session, one, False)
        reading.copy_everyone(session, readers, saves)
    assert trained_on(readers) == []


def test_what_a_reader_saved_by_themselves_is_not_taken_back(
    community, make_account, readers
) -> None:
    one = make_account()
    with community.writing() as session:
        secret = reading.give_reader(session, readers, one, keeping=True)
        reading.use_saves(session, one, True)
    readers.save(readers.find(secret).id, 7, "found by this")
    with community.writing() as session:
        reading.copy_everyone(session, readers, saves)
        reading.use_saves(session, one, False)
        reading.copy_everyone(session, readers, saves)
    assert trained_on(readers) == [7]


def test_a_history_let_go_is_gone(community, make_account, readers) -> None:
    one = make_account()
    with community.writing() as session:
        secret = reading.give_reader(session, readers, one, keeping=True)
        reading.let_go(session, readers, one)
        reading.let_go(session, readers, one)
        assert reading.held(session, one) is None
    assert readers.find(secret) is None


def test_an_account_without_its_file_is_given_another_reader(
    community, make_account, readers
) -> None:
    one = make_account()
    with community.writing() as session:
        first = reading.give_reader(session, readers, one, keeping=True)
        readers.erase_reader(readers.find(first).id)
        second = reading.give_reader(session, readers, one, keeping=False)
    assert second != first
    assert readers.find(second).keeping is False


def test_less_of_this_is_kept_and_taken_back(readers) -> None:
    reader = readers.find(readers.enrol())
    for entity, number in (("W", 1), ("A", 2), ("T", 3), ("W", 1)):
        assert want_less(readers, reader.id, entity, number, 5.0)
    less = taste_of(readers, reader.id)[0].less
    assert (less.works, less.people, less.topics) == ({1}, {2}, {3})
    want_again(readers, reader.id, "A", 2)
    assert len(wishes_of(readers, reader.id)) == 2
    assert not want_less(readers, 99, "W", 1, 5.0), "there is no such reader"


def test_a_taste_is_what_it_was_at_an_entry(readers) -> None:
    reader = readers.find(readers.enrol())
    readers.save(reader.id, 1)
    readers.opened(reader.id, 2, "why")
    first, entry = taste_of(readers, reader.id)
    assert first == Taste((2, 1), frozenset([1]))
    readers.save(reader.id, 3)
    readers.opened(reader.id, 2, "why")
    assert taste_of(readers, reader.id, entry)[0] == first
    assert taste_of(readers, reader.id)[0].met == (3, 2, 1)


def test_a_file_of_the_first_version_is_brought_up(tmp_path) -> None:
    path = tmp_path / "old.sqlite"
    old = Database(f"sqlite:///{path}")
    with old.begin() as session:
        for statement in SCHEMA.split(";\n"):
            if statement.strip():
                session.connection().exec_driver_sql(statement)
        session.connection().exec_driver_sql(
            "INSERT INTO reader (secret, keeping, since, seen) VALUES ('x', 1, 1, 1)"
        )
        session.connection().exec_driver_sql(
            "INSERT INTO entry (reader_id, kind, work_id, query, at) VALUES (1, 'saved', 5, 'q', 1)"
        )
        session.connection().exec_driver_sql("PRAGMA user_version = 1")
    old.close()
    readers = Readers(path)
    assert [entry.work_id for entry in readers.every_entry(1)] == [5]
    assert want_less(readers, 1, "W", 6, 1.0)
    readers.close()
