from __future__ import annotations

from collections import Counter

from sqlalchemy.orm import Session

from peerscope.discover import catalogue as c


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
    assert kinds == {"cites": 4, "same_person": 2, "same_venue": 2}
    assert all(pair.weight == c.INTERACTION_WEIGHTS[pair.kind] for pair in pairs)


def test_the_sample_is_bounded_and_repeatable(session: Session) -> None:
    one = c.interactions(session, limit=2, seed=7)
    assert Counter(pair.kind for pair in one) == {"cites": 2, "same_person": 2, "same_venue": 2}
    assert one == c.interactions(session, limit=2, seed=7)


def test_labels_of_entity_facets(session: Session) -> None:
    assert c.facet_labels(session, "topic", ["1", "3", "77"]) == {
        "1": "contrastive",
        "3": "products",
    }
    assert c.facet_labels(session, "person", ["2"]) == {"2": "Ada B"}
    assert c.facet_labels(session, "year", ["2020"]) == {}
