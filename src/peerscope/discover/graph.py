"""The graph around one entity: which nodes, which edges and why, and where they lie.

A slice holds the entity, its most connected relations of each kind, and every edge among them that the
record states. Layout is Fruchterman and Reingold's (1991, by networkx), started from a fixed circle, so
that the same slice is always the same picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import networkx as nx
from sqlalchemy import case, func, literal, select
from sqlalchemy.orm import Session, aliased

from peerscope.discover.neighbours import Near, counted
from peerscope.discover.shapes import GraphEdge, GraphNode, GraphSlice
from peerscope.discover.together import Question, asked_together, ranked
from peerscope.record.models import (
    Authorship,
    AuthorshipInstitution,
    Citation,
    Institution,
    Person,
    Topic,
    Venue,
    Work,
    WorkTopic,
)

MOST_NODES = 150
NAMED: dict[str, type[Person | Topic | Institution | Venue]] = {
    "A": Person,
    "T": Topic,
    "I": Institution,
    "S": Venue,
}

SHARES: dict[str, dict[str, float]] = {
    "W": {"A": 0.2, "W": 0.55, "T": 0.12, "I": 0.08, "S": 0.05},
    "A": {"W": 0.45, "A": 0.35, "T": 0.12, "I": 0.05, "S": 0.03},
    "T": {"W": 0.5, "A": 0.3, "T": 0.15, "S": 0.05},
    "I": {"A": 0.4, "W": 0.4, "T": 0.15, "S": 0.05},
    "S": {"W": 0.5, "A": 0.3, "T": 0.2},
}
"""Which share of a slice's nodes each kind may take, by the kind of its centre."""

ENDS = {
    "cites": ("W", "W"),
    "published": ("W", "S"),
    "authored": ("A", "W"),
    "topic": ("W", "T"),
    "affiliated": ("A", "I"),
    "coauthor": ("A", "A"),
}
"""Which entities an edge of the record joins, in its direction."""


@dataclass(slots=True)
class _Draft:
    """Nodes and edges being collected; node key -> (entity, id)."""

    nodes: dict[str, tuple[str, int]] = field(default_factory=dict)
    edges: dict[tuple[str, str, str], tuple[float, str]] = field(default_factory=dict)
    limit: int = MOST_NODES
    truncated: bool = False

    def add(self, entity: str, numbers: Iterable[int], room: int) -> list[int]:
        added = []
        for number in numbers:
            if room <= 0 or len(self.nodes) >= self.limit:
                self.truncated = True
                break
            key = f"{entity}{number}"
            if key not in self.nodes:
                self.nodes[key] = (entity, number)
                added.append(number)
                room -= 1
        return added

    def connect(self, one: str, other: str, kind: str, weight: float, reason: str) -> None:
        if one != other and one in self.nodes and other in self.nodes:
            self.edges.setdefault((one, other, kind), (weight, reason))

    def of(self, entity: str) -> list[int]:
        return [number for kind, number in self.nodes.values() if kind == entity]


def graph_slice(session: Session, entity: str, number: int, near: Near, limit: int) -> GraphSlice:
    """The slice around an entity, at most ``min(limit, 150)`` nodes; empty for an unknown one."""
    room = max(2, min(limit, MOST_NODES)) - 1
    draft = _Draft(limit=room + 1)
    draft.add(entity, [number], 1)
    shares = {kind: max(1, int(share * room)) for kind, share in SHARES[entity].items()}
    works = _works(session, entity, number, near, shares.get("W", 0) + 1)
    if entity == "W":
        works = [other for other in works if other != number]
    draft.add("W", works, shares.get("W", 0))
    anchor = draft.of("W") if entity != "W" else [number]
    related = _related(session, [kind for kind in "ATIS" if kind in shares], anchor, room + 1)
    for kind, numbers in related.items():
        fresh = [other for other in numbers if f"{kind}{other}" not in draft.nodes]
        draft.add(kind, fresh[: shares[kind] + 1], shares[kind])
    _connect(session, draft)
    if entity == "W":
        for other, cosine in near([number], shares["W"]):
            draft.connect(f"W{number}", f"W{other}", "near", max(cosine, 0.0), "near in meaning")
    return _laid_out(session, draft, f"{entity}{number}")


def _works(session: Session, entity: str, number: int, near: Near, room: int) -> list[int]:
    if entity == "W":
        linked = _linked_works(session, number, room)
        close = [other for other, _ in near([number], room)]
        mixed = [work for pair in zip(linked, close, strict=False) for work in pair]
        return list(dict.fromkeys([*mixed, *linked, *close]))
    conditions = {
        "A": select(Authorship.work_id).where(Authorship.person_id == number),
        "T": select(WorkTopic.work_id).where(WorkTopic.topic_id == number),
        "I": select(Authorship.work_id)
        .join(AuthorshipInstitution, AuthorshipInstitution.authorship_id == Authorship.id)
        .where(AuthorshipInstitution.institution_id == number),
        "S": select(Work.id).where(Work.venue_id == number),
    }
    statement = (
        select(Work.id)
        .where(Work.id.in_(conditions[entity]), Work.deleted_at.is_(None))
        .order_by(Work.cited_by_count.desc(), Work.publication_year.desc(), Work.id)
        .limit(room)
    )
    return list(session.scalars(statement))


def _linked_works(session: Session, number: int, room: int) -> list[int]:
    """Cited and citing works in turn, the most cited of each first."""
    sides = {
        "cited": (Citation.citing_id, Citation.cited_id),
        "citing": (Citation.cited_id, Citation.citing_id),
    }
    order = (Work.cited_by_count.desc(), Work.id)
    found = asked_together(
        session,
        {
            name: ranked(
                select(Work.id)
                .join(Citation, there == Work.id)
                .where(here == number, Work.deleted_at.is_(None)),
                *order,
            ).limit(room)
            for name, (here, there) in sides.items()
        },
    )
    cited, citing = ([row[0] for row in found[name]] for name in sides)
    mixed = [work for pair in zip(cited, citing, strict=False) for work in pair]
    return list(dict.fromkeys([*mixed, *cited, *citing]))


def _related(
    session: Session, kinds: list[str], works: list[int], room: int
) -> dict[str, list[int]]:
    """Entities of each kind that the given works carry, those on most of them first."""
    often = func.count().desc()
    carried = {
        "A": (Authorship.person_id, select(Authorship.person_id), Authorship.work_id),
        "T": (WorkTopic.topic_id, select(WorkTopic.topic_id), WorkTopic.work_id),
        "I": (
            AuthorshipInstitution.institution_id,
            select(AuthorshipInstitution.institution_id).join(
                Authorship, Authorship.id == AuthorshipInstitution.authorship_id
            ),
            Authorship.work_id,
        ),
        "S": (Work.venue_id, select(Work.venue_id), Work.id),
    }
    questions = {}
    for kind in kinds:
        number, statement, work = carried[kind]
        order = (often, func.min(Authorship.position), number) if kind == "A" else (often, number)
        narrowed = statement.where(work.in_(works), number.is_not(None)).group_by(number)
        questions[kind] = ranked(narrowed, *order).limit(room)
    found = asked_together(session, questions)
    return {kind: [row[0] for row in rows] for kind, rows in found.items()}


def _connect(session: Session, draft: _Draft) -> None:
    """Every edge among the nodes that the record states."""
    works, people = draft.of("W"), draft.of("A")
    one, other = aliased(Authorship), aliased(Authorship)
    found = asked_together(
        session,
        {
            "cites": select(Citation.citing_id, Citation.cited_id, literal(1)).where(
                Citation.citing_id.in_(works), Citation.cited_id.in_(works)
            ),
            "published": select(Work.id, Work.venue_id, literal(1)).where(
                Work.id.in_(works), Work.venue_id.in_(draft.of("S"))
            ),
            "authored": select(Authorship.person_id, Authorship.work_id, literal(1)).where(
                Authorship.work_id.in_(works), Authorship.person_id.in_(people)
            ),
            "topic": select(
                WorkTopic.work_id, WorkTopic.topic_id, case((Topic.origin == "given", 1), else_=0)
            )
            .join(Topic, Topic.id == WorkTopic.topic_id)
            .where(WorkTopic.work_id.in_(works), WorkTopic.topic_id.in_(draft.of("T"))),
            "affiliated": select(
                Authorship.person_id,
                AuthorshipInstitution.institution_id,
                func.count(Authorship.work_id.distinct()),
            )
            .join(AuthorshipInstitution, AuthorshipInstitution.authorship_id == Authorship.id)
            .where(Authorship.person_id.in_(people))
            .where(AuthorshipInstitution.institution_id.in_(draft.of("I")))
            .group_by(Authorship.person_id, AuthorshipInstitution.institution_id),
            "coauthor": select(one.person_id, other.person_id, func.count(one.work_id.distinct()))
            .join(other, other.work_id == one.work_id)
            .where(one.person_id.in_(people), other.person_id.in_(people))
            .where(one.person_id < other.person_id)
            .group_by(one.person_id, other.person_id),
        },
    )
    for kind, rows in found.items():
        left, right = ENDS[kind]
        for first, second, number in rows:
            weight, reason = _why(kind, number)
            draft.connect(f"{left}{first}", f"{right}{second}", kind, weight, reason)


def _why(kind: str, number: int) -> tuple[float, str]:
    """Weight and reason of an edge of the record."""
    if kind == "affiliated":
        return 0.7, f"affiliated on {counted(number, 'work', 'works')}"
    if kind == "coauthor":
        return min(1.0, 0.3 + 0.1 * number), f"{counted(number, 'work', 'works')} together"
    if kind == "topic":
        return 0.5, "topic given by its source" if number else "topic suggested by this site"
    return {
        "cites": (1.0, "the first cites the second"),
        "published": (0.6, "published there"),
        "authored": (1.0, "is an author of it"),
    }[kind]


def _laid_out(session: Session, draft: _Draft, centre: str) -> GraphSlice:
    labels, sizes = _labels(session, draft)
    if centre not in labels:
        return GraphSlice((), ())
    keys = [key for key in draft.nodes if key in labels]
    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(keys)
    edges = {
        pair: value
        for pair, value in draft.edges.items()
        if pair[0] in labels and pair[1] in labels
    }
    for (one, other, _), (weight, _reason) in edges.items():
        graph.add_edge(one, other, weight=weight)
    kept = [key for key in keys if key == centre or graph.degree(key) > 0]
    places = _places(graph.subgraph(kept).copy(), kept)
    most = max((sizes[key] for key in kept), default=1) or 1
    nodes = tuple(
        GraphNode(
            *draft.nodes[key],
            labels[key],
            *places[key],
            1.0 if key == centre else 0.15 + 0.7 * math.sqrt(sizes[key] / most),
        )
        for key in kept
    )
    return GraphSlice(
        nodes,
        tuple(GraphEdge(*pair, *value) for pair, value in sorted(edges.items())),
        draft.truncated,
    )


def _places(graph: nx.Graph[str], keys: list[str]) -> dict[str, tuple[float, float]]:
    """Positions in the unit square, three decimals: equal slices give equal bytes."""
    if len(keys) == 1:
        return {keys[0]: (0.5, 0.5)}
    angle = 2 * math.pi / (len(keys) - 1)
    start = {
        key: (0.0, 0.0) if place == 0 else (math.cos(angle * place), math.sin(angle * place))
        for place, key in enumerate(keys)
    }
    spread = nx.spring_layout(
        graph, pos=start, seed=0, iterations=120, k=1.9 / math.sqrt(len(keys)), weight="weight"
    )
    columns = [float(spread[key][0]) for key in keys]
    rows = [float(spread[key][1]) for key in keys]
    wide, high = max(columns) - min(columns) or 1.0, max(rows) - min(rows) or 1.0
    return {
        key: (round((x - min(columns)) / wide, 3), round((y - min(rows)) / high, 3))
        for key, x, y in zip(keys, columns, rows, strict=True)
    }


def _labels(session: Session, draft: _Draft) -> tuple[dict[str, str], dict[str, int]]:
    questions: dict[str, Question] = {
        "W": select(Work.id, Work.title, Work.cited_by_count).where(
            Work.id.in_(draft.of("W")), Work.deleted_at.is_(None)
        )
    }
    for entity, table in NAMED.items():
        if numbers := draft.of(entity):
            questions[entity] = select(table.id, table.display_name, table.works_count).where(
                table.id.in_(numbers)
            )
    labels: dict[str, str] = {}
    sizes: dict[str, int] = {}
    for entity, rows in asked_together(session, questions).items():
        for number, label, size in rows:
            labels[f"{entity}{number}"], sizes[f"{entity}{number}"] = label, size
    return labels, sizes
