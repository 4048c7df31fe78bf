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
from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from peerscope.discover.neighbours import Near, counted
from peerscope.discover.shapes import GraphEdge, GraphNode, GraphSlice
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
    for kind in ("A", "T", "I", "S"):
        if kind in shares:
            related = _related(session, kind, anchor, shares[kind] + 1)
            draft.add(kind, [other for other in related if f"{kind}{other}" not in draft.nodes],
                      shares[kind])  # fmt: skip
    _connect_works(session, draft)
    _connect_attributes(session, draft)
    _connect_coauthors(session, draft)
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
    sides = []
    for here, there in (
        (Citation.citing_id, Citation.cited_id),
        (Citation.cited_id, Citation.citing_id),
    ):
        statement = (
            select(Work.id)
            .join(Citation, there == Work.id)
            .where(here == number, Work.deleted_at.is_(None))
            .order_by(Work.cited_by_count.desc(), Work.id)
            .limit(room)
        )
        sides.append(list(session.scalars(statement)))
    cited, citing = sides
    mixed = [work for pair in zip(cited, citing, strict=False) for work in pair]
    return list(dict.fromkeys([*mixed, *cited, *citing]))


def _related(session: Session, kind: str, works: list[int], room: int) -> list[int]:
    """Entities that the given works carry, those on most of them first."""
    often = func.count()
    if kind == "A":
        statement = (
            select(Authorship.person_id)
            .where(Authorship.work_id.in_(works), Authorship.person_id.is_not(None))
            .group_by(Authorship.person_id)
            .order_by(often.desc(), func.min(Authorship.position), Authorship.person_id)
        )
    elif kind == "T":
        statement = (
            select(WorkTopic.topic_id)
            .where(WorkTopic.work_id.in_(works))
            .group_by(WorkTopic.topic_id)
            .order_by(often.desc(), WorkTopic.topic_id)
        )
    elif kind == "I":
        statement = (
            select(AuthorshipInstitution.institution_id)
            .join(Authorship, Authorship.id == AuthorshipInstitution.authorship_id)
            .where(Authorship.work_id.in_(works))
            .group_by(AuthorshipInstitution.institution_id)
            .order_by(often.desc(), AuthorshipInstitution.institution_id)
        )
    else:
        statement = (
            select(Work.venue_id)
            .where(Work.id.in_(works), Work.venue_id.is_not(None))
            .group_by(Work.venue_id)
            .order_by(often.desc(), Work.venue_id)
        )
    return [number for number in session.scalars(statement.limit(room)) if number is not None]


def _connect_works(session: Session, draft: _Draft) -> None:
    works = draft.of("W")
    statement = select(Citation.citing_id, Citation.cited_id).where(
        Citation.citing_id.in_(works), Citation.cited_id.in_(works)
    )
    for citing, cited in session.execute(statement):
        draft.connect(f"W{citing}", f"W{cited}", "cites", 1.0, "the first cites the second")
    venues = select(Work.id, Work.venue_id).where(Work.id.in_(works), Work.venue_id.is_not(None))
    for work, venue in session.execute(venues):
        draft.connect(f"W{work}", f"S{venue}", "published", 0.6, "published there")


def _connect_attributes(session: Session, draft: _Draft) -> None:
    works = draft.of("W")
    written = select(Authorship.person_id, Authorship.work_id).where(
        Authorship.work_id.in_(works), Authorship.person_id.in_(draft.of("A"))
    )
    for person, work in session.execute(written):
        draft.connect(f"A{person}", f"W{work}", "authored", 1.0, "is an author of it")
    carried = select(WorkTopic.work_id, WorkTopic.topic_id, Topic.origin).join(
        Topic, Topic.id == WorkTopic.topic_id
    ).where(WorkTopic.work_id.in_(works), WorkTopic.topic_id.in_(draft.of("T")))  # fmt: skip
    for work, topic, origin in session.execute(carried):
        reason = (
            "topic given by its source" if origin == "given" else "topic suggested by this site"
        )
        draft.connect(f"W{work}", f"T{topic}", "topic", 0.5, reason)
    joint = func.count(Authorship.work_id.distinct())
    affiliated = (
        select(Authorship.person_id, AuthorshipInstitution.institution_id, joint)
        .join(AuthorshipInstitution, AuthorshipInstitution.authorship_id == Authorship.id)
        .where(Authorship.person_id.in_(draft.of("A")))
        .where(AuthorshipInstitution.institution_id.in_(draft.of("I")))
        .group_by(Authorship.person_id, AuthorshipInstitution.institution_id)
    )
    for person, institution, number in session.execute(affiliated):
        reason = f"affiliated on {counted(number, 'work', 'works')}"
        draft.connect(f"A{person}", f"I{institution}", "affiliated", 0.7, reason)


def _connect_coauthors(session: Session, draft: _Draft) -> None:
    people = draft.of("A")
    one, other = aliased(Authorship), aliased(Authorship)
    joint = func.count(one.work_id.distinct())
    statement = (
        select(one.person_id, other.person_id, joint)
        .join(other, other.work_id == one.work_id)
        .where(one.person_id.in_(people), other.person_id.in_(people))
        .where(one.person_id < other.person_id)
        .group_by(one.person_id, other.person_id)
    )
    for first, second, number in session.execute(statement):
        reason = f"{counted(number, 'work', 'works')} together"
        weight = min(1.0, 0.3 + 0.1 * number)
        draft.connect(f"A{first}", f"A{second}", "coauthor", weight, reason)


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
    labels: dict[str, str] = {}
    sizes: dict[str, int] = {}
    works = select(Work.id, Work.title, Work.cited_by_count).where(
        Work.id.in_(draft.of("W")), Work.deleted_at.is_(None)
    )
    for number, title, cited in session.execute(works):
        labels[f"W{number}"], sizes[f"W{number}"] = title, cited
    for entity, table in NAMED.items():
        numbers = draft.of(entity)
        if numbers:
            rows = session.execute(
                select(table.id, table.display_name, table.works_count).where(table.id.in_(numbers))
            )
            for number, name, works_count in rows:
                labels[f"{entity}{number}"], sizes[f"{entity}{number}"] = name, works_count
    return labels, sizes
