"""A slice around an entity, and what comes in when one of its nodes is opened.

A slice holds the entity, what stands one step from it, the people, topics, institutions and venues of these
works, and every edge among them (`edges`). Where there is room left, further works of its people fill it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from peerscope.discover.graph.around import carried, in_turn, ring, works_of_people
from peerscope.discover.graph.edges import edges_among
from peerscope.discover.graph.layout import fingerprint, places
from peerscope.discover.graph.meaning import Meaning
from peerscope.discover.graph.reading import NAMED, Ends, by_letter
from peerscope.discover.graph_shapes import (
    ELSEWHERE,
    KINDS,
    MOST_NODES,
    TYPES,
    GraphEdge,
    GraphNode,
    GraphQuestion,
    GraphSlice,
    Stated,
    split_key,
)
from peerscope.discover.together import Question, asked_together
from peerscope.record.models import Person, Work

SHARES: dict[str, dict[str, float]] = {
    "W": {"A": 0.2, "W": 0.55, "T": 0.12, "I": 0.08, "S": 0.05},
    "A": {"W": 0.45, "A": 0.35, "T": 0.12, "I": 0.05, "S": 0.03},
    "T": {"W": 0.5, "A": 0.3, "T": 0.15, "S": 0.05},
    "I": {"A": 0.4, "W": 0.4, "T": 0.15, "S": 0.05},
    "S": {"W": 0.5, "A": 0.3, "T": 0.2},
}
"""Which share of a slice's nodes each type may take first, by the type of its centre."""

Described = dict[str, tuple[str, int, int | None]]
"""Node key to label, size and year."""


def slice_of(session: Session, question: GraphQuestion, meaning: Meaning) -> GraphSlice:
    """The slice around an entity; empty for an unknown, deleted or merged one.

    Statements: seven at most, and two more for nearness to a person or topic.
    """
    room = max(1, min(question.limit, MOST_NODES) - 1)
    shares = _shares(question, room)
    close = _close(session, question, meaning, room + 1)
    about = _stated(question, by_letter([question.key]))
    around = ring(session, question, room + 1, close, about)
    works = [key for key in in_turn(around) if key[0] == "W"]
    anchor = [question.key] if question.entity == "W" else []
    anchors = by_letter([*anchor, *works[: shares.get("W", 0)]])["W"]
    related = carried(
        session, question, "".join(one for one in "ATIS" if one in shares), anchors, room + 1
    )
    direct = {letter: [key for key in in_turn(around) if key[0] == letter] for letter in shares}
    candidates = {
        letter: list(dict.fromkeys([*direct[letter], *related.get(letter, [])]))
        for letter in shares
    }
    keys, truncated = _chosen(question.key, candidates, shares, room)
    if len(keys) <= room and "authored" in question.kinds and "W" in shares:
        people = by_letter(keys)["A"]
        more = works_of_people(session, question, people, room + 1) if people else []
        fresh = [key for key in more if key not in set(keys)]
        truncated = truncated or len(fresh) > room + 1 - len(keys)
        keys += fresh[: room + 1 - len(keys)]
    return _finished(session, question, keys, meaning, close, truncated)


def _shares(question: GraphQuestion, room: int) -> dict[str, int]:
    """How many nodes each type may take first; types that are not asked for leave theirs to the others."""
    own = {letter: s for letter, s in SHARES[question.entity].items() if letter in question.types}
    total = sum(own.values()) or 1.0
    return {letter: max(1, int(share / total * room)) for letter, share in own.items()}


def _chosen(
    centre: str, candidates: dict[str, list[str]], shares: dict[str, int], room: int
) -> tuple[list[str], bool]:
    """The centre, then each type up to its share, then whatever is left in turn; whether some stay out."""
    first, rest = [], {}
    for letter, keys in candidates.items():
        others = [key for key in keys if key != centre]
        first += others[: shares[letter]]
        rest[letter] = others[shares[letter] :]
    ordered = [*first, *in_turn(rest)]
    return [centre, *ordered[:room]], len(ordered) > room


def _close(
    session: Session, question: GraphQuestion, meaning: Meaning, limit: int
) -> dict[str, float]:
    if "near" not in question.kinds or question.entity not in question.types:
        return {}
    return meaning.around(session, question.entity, question.id, limit)


def _stated(question: GraphQuestion, nodes: dict[str, list[int]]) -> tuple[Stated, ...]:
    """What other rooms state about some nodes; nobody hidden is named."""
    if not question.kinds & ELSEWHERE:
        return ()
    found = question.elsewhere(nodes["W"], nodes["A"])
    return tuple(one for one in found if one.person not in question.without)


def _finished(
    session: Session,
    question: GraphQuestion,
    keys: Sequence[str],
    meaning: Meaning,
    close: dict[str, float],
    truncated: bool,
) -> GraphSlice:
    described = describe(session, keys)
    if question.key not in described:
        return GraphSlice((), ())
    there = [key for key in keys if key in described]
    stated = _stated(question, by_letter(there))
    edges = edges_among(
        session, question, Ends.of(there), meaning, close, stated, _written(there, described)
    )
    joined = {end for edge in edges for end in (edge.source, edge.target)}
    kept = [key for key in there if key == question.key or key in joined]
    nodes = placed(kept, edges, described, reproduced(stated))
    return GraphSlice(nodes, tuple(edges), truncated, fingerprint(kept, edges))


def _written(keys: Iterable[str], described: Described) -> int:
    """Works of all people among some nodes, counted once for each."""
    return sum(described[key][1] for key in keys if key[0] == "A")


def placed(
    keys: Sequence[str],
    edges: Sequence[GraphEdge],
    described: Described,
    said: dict[str, str],
) -> tuple[GraphNode, ...]:
    """Nodes with their places; the first is the largest."""
    where = places(keys, edges)
    most = max((described[key][1] for key in keys), default=1) or 1
    return tuple(
        GraphNode(
            *split_key(key),
            described[key][0],
            *where[key],
            round(0.15 + 0.7 * math.sqrt(described[key][1] / most), 4) if place else 1.0,
            described[key][2],
            said.get(key, ""),
        )
        for place, key in enumerate(keys)
    )


def reproduced(stated: Iterable[Stated]) -> dict[str, str]:
    """What attempts found of works' claims, by the key of the work."""
    found: dict[str, str] = {}
    for one in stated:
        if one.kind == "reproduced" and one.person is None:
            found.setdefault(f"W{one.work}", one.reason)
    return found


def describe(session: Session, keys: Iterable[str]) -> Described:
    """Label, size and year of nodes that are in the record; deleted works and merged people are not."""
    numbers = by_letter(keys)
    asked: dict[str, Question] = {
        "W": select(Work.id, Work.title, Work.cited_by_count, Work.publication_year).where(
            Work.id.in_(numbers["W"]), Work.deleted_at.is_(None)
        )
    }
    for letter, table in NAMED.items():
        statement = select(table.id, table.display_name, table.works_count, literal(None)).where(
            table.id.in_(numbers[letter])
        )
        asked[letter] = (
            statement.where(Person.merged_into_id.is_(None)) if letter == "A" else statement
        )
    rows = asked_together(session, {one: asked[one] for one in TYPES if numbers[one]}, sort=False)
    return {
        f"{letter}{number}": (label, size or 0, year)
        for letter, found in rows.items()
        for number, label, size, year in found
    }


def expansion(
    session: Session, question: GraphQuestion, known: Sequence[str], meaning: Meaning
) -> GraphSlice:
    """New neighbours of a node, and the edges that join them to it, to each other and to known nodes.

    The first node is the one that is opened; places are around it, at the middle of the unit square.
    ``truncated`` says that there are more neighbours.

    Args:
        session: Of the record. Five statements at most, and two more for nearness.
        question: The node; ``limit`` is the number of new ones.
        known: Keys of nodes that the asker has.
        meaning: What the vectors say.
    """
    here = set(known) | {question.key}
    close = _close(session, question, meaning, question.limit + len(here))
    about = _stated(question, by_letter([question.key]))
    around = ring(session, question, question.limit + len(here) + 1, close, about)
    more = [key for key in in_turn(around) if key not in here]
    fresh = more[: question.limit]
    described = describe(session, [question.key, *known, *fresh])
    if question.key not in described:
        return GraphSlice((), ())
    fresh = [key for key in fresh if key in described]
    there = list(dict.fromkeys([question.key, *(k for k in known if k in described), *fresh]))
    hidden = {f"A{number}" for number in question.without}
    there = [key for key in there if key not in hidden]
    stated = _stated(question, by_letter(there))
    edges = edges_among(
        session, question, Ends.of(there, fresh), meaning, close, stated, _written(there, described)
    )
    joined = {end for edge in edges for end in (edge.source, edge.target)}
    fresh = [key for key in fresh if key in joined]
    nodes = placed(
        [question.key, *fresh],
        [edge for edge in edges if {edge.source, edge.target} <= {question.key, *fresh}],
        described,
        reproduced(stated),
    )
    return GraphSlice(
        _around_middle(nodes), tuple(edges), len(more) > question.limit, fingerprint(fresh, edges)
    )


def _around_middle(nodes: Sequence[GraphNode]) -> tuple[GraphNode, ...]:
    """Moved so that the first node is in the middle, and shrunk so that all stay in the square."""
    middle = nodes[0]
    reach = max((max(abs(n.x - middle.x), abs(n.y - middle.y)) for n in nodes), default=0.0) or 1.0
    return tuple(
        replace(
            node,
            x=round(0.5 + (node.x - middle.x) / reach / 2, 4),
            y=round(0.5 + (node.y - middle.y) / reach / 2, 4),
        )
        for node in nodes
    )


def kinds_between(types: Iterable[str]) -> frozenset[str]:
    """Kinds that can join nodes of these types."""
    allowed = set(types)
    return frozenset(
        name for name, kind in KINDS.items() if any(set(pair) <= allowed for pair in kind.ends)
    )
