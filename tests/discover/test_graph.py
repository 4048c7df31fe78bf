from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy.orm import Session

from peerscope.discover.graph import Meaning, slice_of
from peerscope.discover.graph_shapes import GraphQuestion, GraphSlice
from peerscope.discover.neighbours import Near


def graph_slice(session: Session, entity: str, number: int, near: Near, limit: int) -> GraphSlice:
    return slice_of(session, GraphQuestion(entity, number, limit), Meaning(near))


def nothing_near(ids: Sequence[int], k: int) -> list[tuple[int, float]]:
    return []


@pytest.mark.parametrize(("entity", "number"), [("W", 1), ("A", 1), ("T", 1), ("I", 1), ("S", 1)])
def test_a_slice_starts_with_its_centre_and_lies_in_the_unit_square(
    session: Session, entity: str, number: int
) -> None:
    found = graph_slice(session, entity, number, nothing_near, 40)
    assert (found.nodes[0].entity, found.nodes[0].id) == (entity, number)
    keys = [node.key for node in found.nodes]
    assert len(set(keys)) == len(keys)
    assert all(0 <= node.x <= 1 and 0 <= node.y <= 1 for node in found.nodes)
    assert all(0 < node.weight <= 1 for node in found.nodes)
    assert found.edges
    assert all(edge.source in keys and edge.target in keys for edge in found.edges)
    assert all(edge.reason for edge in found.edges)


def test_edges_are_those_that_the_record_states(session: Session) -> None:
    found = graph_slice(session, "A", 1, nothing_near, 40)
    edges = {(edge.source, edge.target, edge.kind): edge.reason for edge in found.edges}
    assert edges["A1", "A2", "coauthor"] == "2 works together"
    assert edges["W3", "W1", "cites"] == "the first cites the second"
    assert edges["A1", "I1", "affiliated"] == "affiliated on 2 works"
    assert "W6" not in {node.key for node in found.nodes}


def test_the_same_slice_is_the_same_picture(session: Session) -> None:
    assert graph_slice(session, "W", 1, nothing_near, 40) == graph_slice(
        session, "W", 1, nothing_near, 40
    )


@pytest.mark.parametrize("limit", [2, 3, 5])
def test_the_limit_holds(session: Session, limit: int) -> None:
    found = graph_slice(session, "W", 1, nothing_near, limit)
    assert len(found.nodes) <= limit
    assert found.truncated


def test_an_unknown_or_deleted_centre_has_no_slice(session: Session) -> None:
    assert graph_slice(session, "W", 99, nothing_near, 40).nodes == ()
    assert graph_slice(session, "W", 6, nothing_near, 40).nodes == ()


def test_near_works_are_drawn_as_such(session: Session) -> None:
    found = graph_slice(session, "W", 1, lambda ids, k: [(4, 0.8)], 40)
    assert ("W1", "W4", "near") in {(e.source, e.target, e.kind) for e in found.edges}
