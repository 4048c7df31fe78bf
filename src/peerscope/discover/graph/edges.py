"""Every edge among some nodes: those that the record states, and those that follow from it.

Stated edges are all there. Of a computed kind (`cocited`, `same_topic`, `near`) there can be as many as
pairs, so each node keeps its `STRONGEST` and the centre keeps all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any

import numpy as np
from scipy.sparse import coo_array, csr_array
from sqlalchemy import String, case, cast, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from peerscope.discover.graph.meaning import Meaning
from peerscope.discover.graph.reading import COMMON_TOPIC, Ends, in_sight, not_crowded
from peerscope.discover.graph_shapes import (
    ELSEWHERE,
    KINDS,
    GraphEdge,
    GraphQuestion,
    Stated,
    ordered,
)
from peerscope.discover.neighbours import counted
from peerscope.discover.together import Question, asked_together
from peerscope.record.models import (
    Authorship,
    AuthorshipInstitution,
    Citation,
    Topic,
    Work,
    WorkTopic,
)

STRONGEST = 3
LEAST_COCITED = 2
LEAST_ON_TOPIC = 2
"""Works of a person on a topic from which on the person counts as working on it."""

MOST_WORKS = 1_500
"""Works of all people of a slice up to which it is worked out which people have a topic in common."""

Found = dict[tuple[str, str, str], tuple[float, str]]
"""Kind, source and target to weight and reason."""


def edges_among(
    session: Session,
    question: GraphQuestion,
    ends: Ends,
    meaning: Meaning,
    close: Mapping[str, float],
    stated: Iterable[Stated],
    written: int = 0,
) -> list[GraphEdge]:
    """The edges between some nodes, in one fixed order.

    Args:
        session: Of the record. Two statements at most.
        question: The centre, and which kinds count.
        ends: The nodes, and those of which one has to be an end.
        meaning: What the vectors say.
        close: Nodes that are near to the centre, with the cosine.
        stated: What other rooms state about these nodes.
        written: Works of all its people; beyond `MOST_WORKS` no two of them are joined by a topic.
    """
    found: Found = {}
    for kind, (first, second), rows in _recorded(session, question, ends):
        for one, other, number in rows:
            found[kind, f"{first}{one}", f"{second}{other}"] = said(kind, number)
    found |= _elsewhere(question, ends, stated)
    if "cocited" in question.kinds and ends.possible("W", "W"):
        found |= _kept(question.key, ends, "cocited", _cocited(session, ends))
    if "near" in question.kinds:
        found |= _kept(question.key, ends, "near", _near(question, ends, meaning, close))
    if "same_topic" in question.kinds:
        joined = {ordered(one, other) for _, one, other in found}
        on_topic = {
            pair: number
            for pair, number in _on_one_topic(session, question, ends, written).items()
            if pair not in joined
        }
        found |= _kept(question.key, ends, "same_topic", on_topic)
    return [
        GraphEdge(one, other, kind, round(weight, 4), reason)
        for (kind, one, other), (weight, reason) in sorted(found.items())
    ]


def said(kind: str, number: float, letter: str = "W") -> tuple[float, str]:
    """Weight and reason of an edge, by what was counted for it (a cosine, for nearness of works).

    People and topics are near by some of their works, so that no one number says how near they are.
    """
    weight, count = KINDS[kind].weight, int(number)
    if kind == "affiliated":
        return weight, f"affiliated on {counted(count, 'work', 'works')}"
    if kind == "coauthor":
        return min(1.0, 0.3 + 0.1 * count), f"{counted(count, 'work', 'works')} together"
    if kind == "cocited":
        return min(1.0, 0.2 + 0.05 * count), f"cited together by {counted(count, 'work', 'works')}"
    if kind == "same_topic":
        return min(0.5, 0.1 + 0.1 * count), f"{counted(count, 'topic', 'topics')} in common"
    if kind == "near" and letter != "W":
        return weight, {"A": "wrote works", "T": "on works"}[letter] + " near in meaning"
    if kind == "near":
        return max(number, 0.01), f"near in meaning (cosine {number:.2f})"
    if kind == "topic":
        return weight, "topic given by its source" if number else "topic suggested by this site"
    return weight, {
        "cites": "the first cites the second",
        "published": "published there",
        "authored": "is an author of it",
    }[kind]


def _recorded(
    session: Session, question: GraphQuestion, ends: Ends
) -> list[tuple[str, tuple[str, str], list[tuple[Any, ...]]]]:
    """Kind, letters of its ends, and rows of (source, target, number), in one statement."""
    asked = {
        name: statement
        for name, statement in _statements(ends).items()
        if name in question.kinds and ends.possible(*KINDS[name].ends[0])
    }
    rows = asked_together(session, asked)
    return [(name, KINDS[name].ends[0], rows[name]) for name in asked]


def _statements(ends: Ends) -> dict[str, Question]:
    one, other = aliased(Authorship), aliased(Authorship)
    place = AuthorshipInstitution
    return {
        "cites": select(Citation.citing_id, Citation.cited_id, literal(1)).where(
            ends.between(Citation.citing_id, "W", Citation.cited_id, "W"),
            Citation.citing_id != Citation.cited_id,
        ),
        "published": select(Work.id, Work.venue_id, literal(1)).where(
            ends.between(Work.id, "W", Work.venue_id, "S")
        ),
        "authored": select(Authorship.person_id, Authorship.work_id, literal(1)).where(
            ends.between(Authorship.person_id, "A", Authorship.work_id, "W")
        ),
        "topic": select(
            WorkTopic.work_id, WorkTopic.topic_id, case((Topic.origin == "given", 1), else_=0)
        )
        .join(Topic, Topic.id == WorkTopic.topic_id)
        .where(ends.between(WorkTopic.work_id, "W", WorkTopic.topic_id, "T")),
        "affiliated": select(
            Authorship.person_id, place.institution_id, func.count(Authorship.work_id.distinct())
        )
        .join(place, place.authorship_id == Authorship.id)
        .where(ends.between(Authorship.person_id, "A", place.institution_id, "I"))
        .where(in_sight(Authorship.work_id))
        .group_by(Authorship.person_id, place.institution_id),
        "coauthor": select(one.person_id, other.person_id, func.count(one.work_id.distinct()))
        .join(other, other.work_id == one.work_id)
        .where(
            or_(
                ends.between(one.person_id, "A", other.person_id, "A"),
                ends.between(other.person_id, "A", one.person_id, "A"),
            )
            if ends.all["A"] != ends.fresh["A"]
            else ends.between(one.person_id, "A", other.person_id, "A")
        )
        .where(one.person_id < other.person_id, in_sight(one.work_id), not_crowded(one.work_id))
        .group_by(one.person_id, other.person_id),
    }


def _cocited(session: Session, ends: Ends) -> dict[tuple[str, str], float]:
    """How many works of the record cite both, for pairs that at least two do."""
    cited = func.aggregate_strings(cast(Citation.cited_id, String), ",")
    statement = (
        select(cited)
        .where(Citation.cited_id.in_(ends.all["W"]), in_sight(Citation.citing_id))
        .group_by(Citation.citing_id)
        .having(func.count() > 1)
    )
    rows = [{int(one) for one in row.split(",")} for row in session.scalars(statement)]
    if not rows:
        return {}
    works, columns = np.unique([one for row in rows for one in row], return_inverse=True)
    citing = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    cited_by = csr_array((np.ones(len(columns), np.int32), (citing, columns)))
    both = coo_array(cited_by.T @ cited_by)
    fresh = np.isin(works, ends.fresh["W"])
    kept = (both.data >= LEAST_COCITED) & (both.row < both.col)
    kept &= fresh[both.row] | fresh[both.col]
    pairs = zip(works[both.row[kept]].tolist(), works[both.col[kept]].tolist(), strict=True)
    counts = both.data[kept].tolist()
    return {
        (f"W{one}", f"W{other}"): count for (one, other), count in zip(pairs, counts, strict=True)
    }


def _near(
    question: GraphQuestion, ends: Ends, meaning: Meaning, close: Mapping[str, float]
) -> dict[tuple[str, str], float]:
    found = {
        (f"W{one}", f"W{other}"): cosine
        for (one, other), cosine in meaning.among(ends.all["W"], ends.fresh["W"]).items()
    }
    for key, cosine in close.items():
        if key != question.key and ends.joins(key, question.key) and ends.holds(key):
            found[ordered(question.key, key)] = cosine
    return found


def _on_one_topic(
    session: Session, question: GraphQuestion, ends: Ends, written: int
) -> dict[tuple[str, str], float]:
    """How many topics two works, or two people, have in common, of those that are not drawn."""
    works = (
        select(WorkTopic.work_id, WorkTopic.topic_id, literal(1))
        .join(Topic, Topic.id == WorkTopic.topic_id)
        .where(WorkTopic.work_id.in_(ends.all["W"]))
    )
    often = func.count(Authorship.work_id.distinct())
    people = (
        select(Authorship.person_id, WorkTopic.topic_id, often)
        .join(WorkTopic, WorkTopic.work_id == Authorship.work_id)
        .join(Topic, Topic.id == WorkTopic.topic_id)
        .where(Authorship.person_id.in_(ends.all["A"]), in_sight(Authorship.work_id))
        .group_by(Authorship.person_id, WorkTopic.topic_id)
        .having(often >= LEAST_ON_TOPIC)
    )
    drawn = ends.all["T"] if "topic" in question.kinds else []
    asked = {
        letter: statement.where(Topic.works_count <= COMMON_TOPIC, Topic.id.not_in(drawn))
        for letter, statement in (("W", works), ("A", people))
        if ends.possible(letter, letter) and (letter == "W" or written <= MOST_WORKS)
    }
    number: defaultdict[tuple[str, str], float] = defaultdict(float)
    for letter, rows in asked_together(session, asked).items():
        fresh, carried = set(ends.fresh[letter]), defaultdict(list)
        for one, topic, _ in rows:
            carried[topic].append(one)
        for bearers in carried.values():
            for one, other in combinations(sorted(bearers), 2):
                if one in fresh or other in fresh:
                    number[f"{letter}{one}", f"{letter}{other}"] += 1
    return number


def _kept(centre: str, ends: Ends, kind: str, strengths: Mapping[tuple[str, str], float]) -> Found:
    """The strongest computed edges of each fresh node, and all of the centre."""
    sides: defaultdict[str, list[tuple[float, tuple[str, str]]]] = defaultdict(list)
    for pair, strength in strengths.items():
        for end in pair:
            sides[end].append((-strength, pair))
    kept = {pair for pair in strengths if centre in pair}
    for end, edges in sides.items():
        if ends.is_fresh(end):
            kept |= {pair for _, pair in sorted(edges)[:STRONGEST]}
    return {(kind, *pair): said(kind, strengths[pair], pair[0][0]) for pair in kept}


def _elsewhere(question: GraphQuestion, ends: Ends, stated: Iterable[Stated]) -> Found:
    """Edges that other rooms state; several statements of one kind between two nodes are one edge."""
    reasons: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for one in stated:
        person, work = f"A{one.person}", f"W{one.work}"
        if one.person is None or one.kind not in question.kinds & ELSEWHERE:
            continue
        if ends.holds(person) and ends.holds(work) and ends.joins(person, work):
            reasons[one.kind, person, work].append(one.reason)
    return {
        edge: (KINDS[edge[0]].weight, told[0] if len(told) == 1 else f"{told[0]}, and more")
        for edge, told in reasons.items()
    }
