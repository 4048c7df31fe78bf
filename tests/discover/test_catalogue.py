from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy.orm import Session

from peerscope.discover import catalogue as c
from peerscope.retrieval.histories import Histories


def test_every_living_work_becomes_an_item_with_its_links(session: Session) -> None:
    items = {item.id: item for item in c.catalogue(session)}
    assert sorted(items) == [1, 2, 3, 4, 5]
    first = items[1]
    assert first.text == "Negatives and temperature."
    assert first.names == "Ada A ; Ada B ; CVPR ; 10.1000/one"
    assert first.fields == {
        "type": ("proceedings-article",),
        "year": ("2016",),
        "venue": ("1",),
        "open_access": ("yes",),
        "person": ("1", "2"),
        "institution": ("1",),
        "topic": ("1",),
    }
    assert items[4].text == "Two towers for products."
    assert "open_access" not in items[2].fields


def test_a_scan_in_small_chunks_is_the_same_scan(session: Session, monkeypatch) -> None:
    whole = list(c.catalogue(session))
    monkeypatch.setattr(c, "CHUNK", 2)
    assert list(c.catalogue(session)) == whole


def test_named_works_leave_out_deleted_and_unknown(session: Session) -> None:
    assert [item.id for item in c.items_of(session, [99, 6, 2, 1, 2])] == [1, 2]


def test_interactions_state_the_links_of_the_record(session: Session) -> None:
    pairs = c.interactions(session)
    cites = {(p.query, p.item_id) for p in pairs if p.kind == "cites"}
    assert (
        "A simple framework for contrastive learning",
        1,
    ) in cites
    assert all(item != 6 for _, item in cites), "a deleted work is no target"
    kinds = Counter(pair.kind for pair in pairs)
    assert {kind: kinds[kind] for kind in ("cites", "same_person", "same_venue")} == {
        "cites": 4, "same_person": 2, "same_venue": 2,
    }  # fmt: skip
    assert all(pair.weight == c.INTERACTION_WEIGHTS[pair.kind] for pair in pairs)


def test_the_sample_is_bounded_and_repeatable(session: Session) -> None:
    one = c.interactions(session, limit=2, seed=7)
    counts = Counter(pair.kind for pair in one)
    assert (counts["cites"], counts["same_person"], counts["same_venue"]) == (2, 2, 2)
    assert counts["wrote"] <= 2
    assert one == c.interactions(session, limit=2, seed=7)


def test_first_authors_ask_with_what_they_had_written_and_cited(
    session: Session, monkeypatch
) -> None:
    monkeypatch.setattr(c, "kept_aside", lambda query: query.startswith("A simple framework"))
    pairs = c.interactions(session)
    cites = {(p.query, p.item_id): (p.user_id, p.time) for p in pairs if p.kind == "cites"}
    assert cites["Exploring simple siamese representation learning", 1] == ("a2", 2018.0)
    assert cites["A simple framework for contrastive learning", 1] == (None, None), "kept aside"
    wrote = {(p.user_id, p.item_id, p.time) for p in pairs if p.kind == "wrote"}
    assert wrote == {("a2", 1, 2016.0), ("a2", 3, 2018.0), ("a4", 4, 2019.0)}
    assert all(p.query == "" for p in pairs if p.kind == "wrote")
    histories = Histories([], pairs, range(1, 7))
    assert histories.of("a2", 2018.0, 10) == (1,), "what was written before, not with it"
    assert histories.of("a2", 2019.0, 10) == (3, 2, 1)


@pytest.mark.parametrize(
    ("year", "date", "time"),
    [(2020, None, 2020.0), (2020, "2020-07-01", 2020.5), (2020, "2020-07", 2020.5),
     (2020, "2020", 2020.0), (None, "2020-07-01", None), (2020, "2020-99-99", 2020 + 11 / 12 + 30 / 372)],
)  # fmt: skip
def test_times_are_years(year, date, time) -> None:
    found = c.time_of(year, date)
    assert found == (None if time is None else pytest.approx(time))


def test_labels_of_entity_facets(session: Session) -> None:
    assert c.facet_labels(session, "topic", ["1", "3", "77"]) == {
        "1": "contrastive",
        "3": "products",
    }
    assert c.facet_labels(session, "person", ["2"]) == {"2": "Ada B"}
    assert c.facet_labels(session, "year", ["2020"]) == {}
