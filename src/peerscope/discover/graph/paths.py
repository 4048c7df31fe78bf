"""A shortest path between two nodes, by breadth-first search from both ends.

Each round goes on from the smaller front, in one statement. Bounds: `MOST_STEPS` edges, `MOST_TOUCHED` rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session, aliased

from peerscope.discover.graph.edges import edges_among
from peerscope.discover.graph.layout import fingerprint
from peerscope.discover.graph.meaning import Meaning
from peerscope.discover.graph.reading import (
    Ends,
    by_letter,
    in_sight,
    not_crowded,
    shown,
    wanted_works,
)
from peerscope.discover.graph.slices import describe
from peerscope.discover.graph_shapes import (
    ELSEWHERE,
    MOST_STEPS,
    MOST_TOUCHED,
    ON_PATHS,
    GraphNode,
    GraphPath,
    GraphQuestion,
    GraphSlice,
    split_key,
)
from peerscope.discover.together import Question, asked_together
from peerscope.record.models import (
    Authorship,
    AuthorshipInstitution,
    Citation,
    Work,
    WorkTopic,
)

NOWHERE = GraphSlice((), ())


class _Front:
    """One side of the search: how each key was reached, and the keys of the last round."""

    def __init__(self, start: str) -> None:
        self.depth = {start: 0}
        self.before: dict[str, str] = {}
        self.last = [start]

    def take(self, pairs: Iterable[tuple[str, str]]) -> list[str]:
        """Note new keys; of several ways to one, the way by the smallest key stays."""
        found: dict[str, str] = {}
        for here, there in pairs:
            if there not in self.depth and (
                there not in found or split_key(here) < split_key(found[there])
            ):
                found[there] = here
        deep = self.depth[self.last[0]] + 1
        for there, here in found.items():
            self.depth[there], self.before[there] = deep, here
        self.last = sorted(found, key=split_key)
        return self.last

    def way(self, key: str) -> list[str]:
        """From the start to a key."""
        found = [key]
        while found[-1] in self.before:
            found.append(self.before[found[-1]])
        return found[::-1]


def path_between(session: Session, question: GraphQuestion, target: str) -> GraphPath:
    """A shortest path along stated edges; of several, always the same one.

    Args:
        session: Of the record. Eleven statements at most.
        question: Where it begins, which kinds and types count between the ends, whom it avoids.
        target: Key of where it ends.

    Raises:
        ValueError: A kind that no path goes along.
    """
    if wrong := question.kinds - ON_PATHS:
        names = ", ".join(sorted(wrong))
        raise ValueError(f"A path goes along what somebody states; {names} is computed.")
    source = question.key
    described = describe(session, [source, target])
    if source not in described or target not in described:
        return GraphPath(NOWHERE, gave_up=False, touched=0)
    if source == target:
        return GraphPath(_told(session, question, [source]), gave_up=False, touched=0)
    sides = (_Front(source), _Front(target))
    touched = 0
    for _ in range(MOST_STEPS):
        near, far = sorted(sides, key=lambda side: len(side.last))
        pairs = list(_neighbours(session, question, target, near.last, MOST_TOUCHED - touched + 1))
        touched += len(pairs)
        if touched > MOST_TOUCHED:
            return GraphPath(NOWHERE, gave_up=True, touched=MOST_TOUCHED)
        allowed = (
            pair for pair in pairs if pair[1][0] in question.types or pair[1] in (source, target)
        )
        new = near.take(allowed)
        meeting = [key for key in new if key in far.depth]
        if meeting:
            best = min(meeting, key=lambda key: (far.depth[key], split_key(key)))
            way = [*sides[0].way(best), *sides[1].way(best)[-2::-1]]
            return GraphPath(_told(session, question, way), gave_up=False, touched=touched)
        if not new:
            return GraphPath(NOWHERE, gave_up=False, touched=touched)
    return GraphPath(NOWHERE, gave_up=True, touched=touched)


def _neighbours(
    session: Session, question: GraphQuestion, target: str, keys: list[str], most: int
) -> Iterable[tuple[str, str]]:
    """Pairs of a key and one of its neighbours, ``most`` of each kind at most. One statement."""
    numbers = by_letter(keys)
    steps = [
        (first, second, statement.where(here.in_(numbers[first])).limit(most))
        for kind, first, second, here, statement in _steps(question, target)
        if kind in question.kinds and numbers[first]
    ]
    asked = {str(place): statement for place, (_, _, statement) in enumerate(steps)}
    for place, rows in asked_together(session, asked, sort=False).items():
        first, second, _ = steps[int(place)]
        for one, other in rows:
            yield f"{first}{one}", f"{second}{other}"
    for stated in question.elsewhere(numbers["W"], numbers["A"]) if _asks(question) else ():
        if stated.person not in {None, *question.without} and stated.kind in question.kinds:
            person, work = f"A{stated.person}", f"W{stated.work}"
            yield from ((person, work), (work, person))


def _asks(question: GraphQuestion) -> bool:
    return bool(question.kinds & ELSEWHERE)


Step = tuple[str, str, str, Any, Question]
"""Kind, letter of where one is, letter of where one comes to, column of the first, and both columns."""


def _steps(question: GraphQuestion, target: str) -> Iterable[Step]:
    ends = [
        number for letter, number in (split_key(question.key), split_key(target)) if letter == "W"
    ]
    wrote, ours, theirs = Authorship, aliased(Authorship), aliased(Authorship)
    place = AuthorshipInstitution

    def seen(work_id: Any) -> ColumnElement[bool]:
        if question.year_from is None and question.year_to is None:
            return in_sight(work_id)
        wanted = work_id.in_(select(Work.id).where(*wanted_works(question)))
        return or_(wanted, work_id.in_(ends))

    citing, cited = Citation.citing_id, Citation.cited_id
    yield "cites", "W", "W", citing, select(citing, cited).where(cited.is_not(None), seen(cited))
    yield "cites", "W", "W", cited, select(cited, citing).where(seen(citing))
    people = shown(wrote.person_id, question)
    yield (
        "authored",
        "A",
        "W",
        wrote.person_id,
        select(wrote.person_id, wrote.work_id).where(seen(wrote.work_id)),
    )
    yield "authored", "W", "A", wrote.work_id, select(wrote.work_id, wrote.person_id).where(people)
    topic, work = WorkTopic.topic_id, WorkTopic.work_id
    yield "topic", "W", "T", work, select(work, topic)
    yield "topic", "T", "W", topic, select(topic, work).where(seen(work))
    yield (
        "published",
        "W",
        "S",
        Work.id,
        select(Work.id, Work.venue_id).where(Work.venue_id.is_not(None)),
    )
    yield "published", "S", "W", Work.venue_id, select(Work.venue_id, Work.id).where(seen(Work.id))
    at = select(wrote.person_id, place.institution_id).join(place, place.authorship_id == wrote.id)
    at = at.where(people, in_sight(wrote.work_id))
    yield "affiliated", "A", "I", wrote.person_id, at
    yield (
        "affiliated", "I", "A", place.institution_id,
        at.with_only_columns(place.institution_id, wrote.person_id),
    )  # fmt: skip
    together = select(ours.person_id, theirs.person_id).join(theirs, theirs.work_id == ours.work_id)
    yield "coauthor", "A", "A", ours.person_id, together.where(
        shown(theirs.person_id, question), in_sight(ours.work_id), not_crowded(ours.work_id),
        theirs.person_id != ours.person_id,
    )  # fmt: skip


def _told(session: Session, question: GraphQuestion, way: list[str]) -> GraphSlice:
    """The path as a slice: nodes in its order, on a line, with the edges between one and the next."""
    described = describe(session, way)
    following = {frozenset(pair) for pair in pairwise(way)}
    letters = by_letter(way)
    stated = question.elsewhere(letters["W"], letters["A"]) if _asks(question) else ()
    edges = tuple(
        edge
        for edge in edges_among(
            session, question, Ends.of(way), Meaning(lambda ids, k: []), {}, stated
        )
        if frozenset((edge.source, edge.target)) in following
    )
    last = max(1, len(way) - 1)
    nodes = tuple(
        GraphNode(
            *split_key(key), described[key][0], round(place / last, 3), 0.5, 0.5, described[key][2]
        )
        for place, key in enumerate(way)
    )
    return GraphSlice(nodes, edges, False, fingerprint(way, edges))
