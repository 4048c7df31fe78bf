"""How readers' evidence is weighed against the record's, and what of it leaves the site."""

from __future__ import annotations

import json
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerscope.discover.events import FILES, event_rows, export_events
from peerscope.discover.evidence import (
    FEWEST_EVEN,
    MOST_OF_ONE,
    WEIGHTS,
    even_at,
    mixed,
    reader_interactions,
    reader_share,
)
from peerscope.discover.readers import DAY, Readers
from peerscope.retrieval import Interaction, Item
from peerscope.retrieval.examples import training_pairs
from peerscope.retrieval.files.catalogue import Files, read_catalogue

ITEMS = [Item(n, f"title {n}", "a text. " * (30 if n % 2 else 1)) for n in range(1, 41)]
RECORD = [Interaction(f"title {n}", n % 40 + 1, kind="cites", weight=0.5) for n in range(60)]
RECORD += [Interaction("", n, "a1", "wrote", 1.0, 2000.0 + n) for n in range(1, 9)]

weights = st.floats(min_value=0.01, max_value=50.0)
events = st.lists(
    st.builds(
        Interaction,
        query=st.text(max_size=5),
        item_id=st.integers(1, 60),
        user_id=st.sampled_from(["r1", "r2"]),
        kind=st.sampled_from(["opened", "saved"]),
        weight=weights,
        time=st.floats(0, 1e9),
    ),
    max_size=40,
)
evidence = st.floats(min_value=0, max_value=1e9)
evens = st.floats(min_value=1, max_value=1e9)


@given(evidence, evens)
def test_the_share_grows_from_nothing_and_never_becomes_all(n, even) -> None:
    share = reader_share(n, even)
    assert 0 <= share < 1 or n / even > 1e15
    assert reader_share(n + even, even) > share or share > 0.999
    assert reader_share(even, even) == pytest.approx(0.5)
    assert reader_share(0, even) == 0


@given(st.integers(0, 10**8))
def test_a_larger_collection_asks_for_more_evidence(items) -> None:
    assert even_at(items) == max(FEWEST_EVEN, items)


@given(events)
def test_the_mixture_has_the_share_that_the_rule_says(given_events) -> None:
    found = mixed(ITEMS, RECORD, given_events)
    known = [event for event in given_events if event.item_id <= len(ITEMS)]
    assert found.pairs[: len(RECORD)] == RECORD, "the record's pairs stay as they are"
    own = found.pairs[len(RECORD) :]
    assert len(own) == len(known) == found.events
    n = sum(event.weight for event in known if event.query)
    assert found.share == pytest.approx(reader_share(n, even_at(len(ITEMS))))
    total = sum(event.weight for event in own if event.query)
    texts = training_pairs(ITEMS, [item.title for item in ITEMS], [])
    # Independent of `mixed`: what training itself makes of the items, but for those kept aside.
    expected = sum(pair.weight for pair in RECORD if pair.query) + sum(
        len(item.text) >= 120 for item in ITEMS
    )
    assert sum(texts.weight) <= expected
    assert total / (total + expected) == pytest.approx(found.share)
    factors = {round(b.weight / a.weight, 9) for a, b in zip(known, own, strict=True)}
    assert not n or len(factors) == 1, "what weighed more than another still does, by the same"
    assert all(event.weight > 0 for event in own)


@given(events, events)
def test_more_evidence_never_weighs_less(some, more) -> None:
    assert mixed(ITEMS, RECORD, some + more).share >= mixed(ITEMS, RECORD, some).share - 1e-12


def test_without_a_record_readers_are_all_there_is() -> None:
    alone = [Interaction("q", 1, "r1", "opened", 1.0, 1.0)]
    assert mixed([Item(1, "t")], [], alone).pairs == alone
    assert mixed([Item(1, "t")], [], []).share == 0


@pytest.fixture
def readers(tmp_path):
    found = Readers(tmp_path / "home" / "readers.sqlite")
    yield found
    found.close()


def someone(readers: Readers) -> int:
    return readers.find(readers.enrol()).id


def test_the_log_becomes_interactions(readers) -> None:
    one, other, off = (someone(readers) for _ in range(3))
    readers.opened(one, 5, "norms")
    readers.save(one, 5, "norms")
    readers.save(one, 6)
    readers.opened(other, 7, "attacks")
    readers.opened(off, 8, "hidden")
    readers.switch(off, keeping=False)
    found = reader_interactions(readers)
    assert [(e.query, e.item_id, e.kind, e.weight) for e in found] == [
        ("norms", 5, "opened", WEIGHTS["opened"]),
        ("norms", 5, "saved", WEIGHTS["saved"]),
        ("", 6, "saved", WEIGHTS["saved"]),
        ("attacks", 7, "opened", WEIGHTS["opened"]),
    ]
    assert WEIGHTS["saved"] > WEIGHTS["opened"]
    assert found[0].user_id == found[2].user_id != found[3].user_id
    assert found[0].time < found[1].time < found[2].time
    entry = readers.every_entry(one)[0]
    readers.erase(one, entry.id)
    readers.erase_reader(other)
    assert [(e.query, e.item_id) for e in reader_interactions(readers)] == [("norms", 5), ("", 6)]


def test_one_reader_does_not_outweigh_all(readers) -> None:
    busy, quiet = someone(readers), someone(readers)
    for number in range(300):
        readers.opened(busy, number, f"query {number}")
    readers.opened(quiet, 1, "one")
    totals = defaultdict(float)
    for event in reader_interactions(readers):
        totals[event.user_id] += event.weight
    assert sorted(totals.values()) == [pytest.approx(1.0), pytest.approx(MOST_OF_ONE)]


def test_names_of_an_export_are_fresh_and_times_are_days() -> None:
    given_events = [
        Interaction("b", 2, "r1", "opened", 1.0, 3 * DAY + 50_000.0),
        Interaction("a", 1, "r1", "opened", 1.0, 3 * DAY + 100.0),
        Interaction("c", 3, "r1", "saved", 3.0, 4 * DAY + 1.0),
        Interaction("d", 4, "r2", "opened", 1.0, 3 * DAY + 77.0),
    ]
    first, second = list(event_rows(given_events)), list(event_rows(given_events))
    names = [{row["user_id"] for row in rows} for rows in (first, second)]
    assert len(names[0]) == 2
    assert not names[0] & names[1]
    assert not names[0] & {"r1", "r2"}
    times = {row["query"]: row["time"] for row in first}
    assert times == {"a": 3.0, "b": 3.5, "c": 4.0, "d": 3.0}


def test_ten_thousand_events_of_one_day_keep_their_order() -> None:
    given_events = [Interaction(f"{n}", 1, "r1", "opened", 1.0, DAY + n) for n in range(10_000)]
    rows = list(event_rows(reversed(given_events)))
    assert [row["query"] for row in rows] == [str(n) for n in range(10_000)]
    assert all(1 <= row["time"] < 2 for row in rows)


def test_three_files_of_opted_in_readers_only(readers, tmp_path) -> None:
    from peerscope.record import Database, ingest
    from peerscope.record.importers import importer_for

    database = Database(f"sqlite:///{tmp_path / 'record.sqlite'}")
    database.migrate()
    library = tmp_path / "library.bib"
    library.write_text(
        "@article{a, title={Norms}, year={2020}}\n@article{b, title={Attacks}, year={2021}}"
    )
    ingest(database, importer_for(str(library)), str(library))
    one, off = someone(readers), someone(readers)
    readers.opened(one, 1, "norms")
    readers.save(one, 2)
    readers.opened(one, 99, "a work that is gone")
    readers.opened(off, 2, "hidden")
    readers.switch(off, keeping=False)
    folder = tmp_path / "out"
    counts = export_events(database, readers, folder)
    rows = {
        name: [json.loads(line) for line in (folder / name).read_text().splitlines()]
        for name in FILES
    }
    assert (
        counts
        == {name: len(rows[name]) for name in FILES}
        == dict(zip(FILES, (2, 1, 2), strict=True))
    )
    items, users, interactions = (rows[name] for name in FILES)
    assert {item["id"] for item in items} == {"W1", "W2"}
    assert items[0]["year"] == ["2020"]
    assert {row["user_id"] for row in interactions} == {users[0]["id"]}
    assert [(row["query"], row["item_id"]) for row in interactions] == [("norms", "W1"), ("", "W2")]
    assert {path.name for path in folder.iterdir()} == set(FILES)
    read = read_catalogue(Files.named([folder / name for name in FILES]))
    assert [len(part) for part in (read.items, read.users, read.interactions)] == [2, 1, 2]
    assert not read.problems
    assert {event.kind for event in read.interactions} == {"opened", "saved"}
    database.close()
