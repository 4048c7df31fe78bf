"""What stands near a work, person or topic, each with the reason that put it there.

The order is a plain sum of evidence (`WEIGHTS`), not a learned score: the reasons shown are all there is.
Citation evidence follows bibliographic coupling (Kessler 1963) and co-citation (Small 1973).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, literal, select
from sqlalchemy.orm import Session, aliased

from peerscope.discover.shapes import Neighbour, Reason
from peerscope.discover.together import Question, asked_together, ranked
from peerscope.record.models import Authorship, Citation, Person, Topic, Venue, Work, WorkTopic

Near = Callable[[Sequence[int], int], list[tuple[int, float]]]
"""Works nearest to the mean vector of the given works, with their cosine; ``[]`` without vectors."""

WEIGHTS = {"meaning": 1.0, "citation": 0.3, "coupling": 0.06, "cocited": 0.06, "together": 0.1}
"""What one unit of evidence adds: a cosine of 1, a citation, one shared reference (five at most), ..."""

COMMON_REFERENCE = 500
"""A reference that more works than this share says little about any two of them, and is passed over."""

NEAREST_WORKS = 30
PERSON_WORKS = 50


@dataclass(slots=True)
class _Evidence:
    score: float = 0.0
    reasons: list[Reason] = field(default_factory=list)

    def add(self, kind: str, amount: float, text: str) -> None:
        self.score += WEIGHTS[kind] * amount
        self.reasons.append(Reason(kind, text))


def counted(number: int, one: str, many: str) -> str:
    """``1 work``, ``2 works``: a count with its noun."""
    return f"{number:,} {one if number == 1 else many}"


def near_works(session: Session, work_id: int, near: Near, limit: int) -> tuple[Neighbour, ...]:
    """Works near a work: by meaning, by direct citation, by shared references, by being cited together."""
    found: defaultdict[int, _Evidence] = defaultdict(_Evidence)
    for other, cosine in near([work_id], NEAREST_WORKS):
        if cosine > 0:
            found[other].add("meaning", cosine, "near in meaning")
    for kind, rows in _by_citation(session, work_id).items():
        for other, number, _ in rows:
            if number > 1 or kind in ("cited", "citing"):
                found[other].add(*_citation_reason(kind, number))
    found.pop(work_id, None)
    return _described_works(session, found, limit)


def _by_citation(session: Session, work_id: int) -> dict[str, list[tuple[int, int, int]]]:
    """Works that citations connect with a work, with how often: rows of (work, number, place)."""
    citing, cited = Citation.citing_id, Citation.cited_id
    return asked_together(
        session,
        {
            "cited": _linked(citing, cited, work_id),
            "citing": _linked(cited, citing, work_id),
            "coupling": _sharing("citing_id", "cited_id", Work.cited_by_count, work_id),
            "cocited": _sharing("cited_id", "citing_id", Work.references_count, work_id),
        },
    )


def _citation_reason(kind: str, number: int) -> tuple[str, float, str]:
    if kind == "cited":
        return "citation", 1, "cited by this work"
    if kind == "citing":
        return "citation", 1, "cites this work"
    if kind == "coupling":
        text = counted(number, "reference in common", "references in common")
    else:
        text = f"cited together by {counted(number, 'work', 'works')}"
    return kind, min(number, 5), text


def _linked(here: Any, there: Any, work_id: int) -> Question:
    """Works at the other end of the work's citations."""
    statement = (
        select(there, literal(1).label("number"))
        .join(Work, Work.id == there)
        .where(here == work_id, there.is_not(None), Work.deleted_at.is_(None))
    )
    return ranked(statement, Work.cited_by_count.desc(), Work.id).limit(NEAREST_WORKS)


def _sharing(end: str, middle: str, degree: Any, work_id: int) -> Question:
    """Works at the same end of citations as this one, by how many works both have at the other end."""
    ours, theirs, shared = aliased(Citation), aliased(Citation), aliased(Work)
    here, there = getattr(ours, end), getattr(theirs, end)
    number = func.count()
    statement = (
        select(there, number.label("number"))
        .join(ours, getattr(ours, middle) == getattr(theirs, middle))
        .join(shared, shared.id == getattr(ours, middle))
        .where(here == work_id, there != work_id)
        .where(getattr(shared, degree.key) <= COMMON_REFERENCE)
        .group_by(there)
    )
    return ranked(statement, number.desc(), there).limit(NEAREST_WORKS)


def _ranked(found: dict[int, _Evidence], limit: int) -> list[tuple[int, _Evidence]]:
    return sorted(found.items(), key=lambda pair: (-pair[1].score, pair[0]))[:limit]


def _described_works(
    session: Session, found: dict[int, _Evidence], limit: int
) -> tuple[Neighbour, ...]:
    ranked = _ranked(found, limit)
    statement = (
        select(Work.id, Work.title, Work.publication_year, Venue.display_name)
        .outerjoin(Venue, Venue.id == Work.venue_id)
        .where(Work.id.in_([number for number, _ in ranked]), Work.deleted_at.is_(None))
    )
    rows = {row[0]: row for row in session.execute(statement)}
    return tuple(
        Neighbour(
            "W",
            number,
            rows[number][1],
            ", ".join(str(part) for part in (rows[number][3], rows[number][2]) if part),
            tuple(evidence.reasons),
        )
        for number, evidence in ranked
        if number in rows
    )


def near_people(session: Session, person_id: int, near: Near, limit: int) -> tuple[Neighbour, ...]:
    """People near a person: coauthors, and authors of works near in meaning to the person's."""
    rows = asked_together(
        session, {"works": _newest_works(person_id), "people": _coauthors(person_id)}
    )
    works = [work for work, _, _ in rows["works"]]
    if not works:
        return ()
    found: defaultdict[int, _Evidence] = defaultdict(_Evidence)
    for other, joint, _ in rows["people"]:
        found[other].add("together", min(joint, 10), f"{counted(joint, 'work', 'works')} together")
    for other, (_, cosine, title) in _authors_near(session, person_id, works, near).items():
        found[other].add("meaning", cosine, f"wrote “{title}”, near in meaning")
    return _described(session, "A", Person, found, limit)


def _authors_near(
    session: Session, person_id: int, works: list[int], near: Near
) -> dict[int, tuple[int, float, str]]:
    """Authors of works near to some works of a person, with the nearest: number, cosine, title."""
    cosines = dict(near(works, NEAREST_WORKS))
    found = {}
    for other, titles in _authors_of(session, cosines, excluding=person_id).items():
        best = max(titles, key=lambda pair: cosines[pair[0]])
        found[other] = (best[0], cosines[best[0]], best[1])
    return found


def _newest_works(person_id: int) -> Question:
    own = (
        select(Authorship.work_id, literal(1).label("number"))
        .join(Work, Work.id == Authorship.work_id)
        .where(Authorship.person_id == person_id, Work.deleted_at.is_(None))
    )
    return ranked(own, Work.publication_year.desc(), Work.id).limit(PERSON_WORKS)


def people_in_meaning(
    session: Session, person_id: int, near: Near
) -> dict[int, tuple[int, float, str]]:
    """People who wrote works near in meaning to a person's, with the nearest: number, cosine, title.

    Near to the mean of the person's 50 newest works. Two statements.
    """
    rows = asked_together(session, {"works": _newest_works(person_id)})
    works = [work for work, _, _ in rows["works"]]
    return _authors_near(session, person_id, works, near) if works else {}


def _coauthors(person_id: int) -> Question:
    ours, theirs = aliased(Authorship), aliased(Authorship)
    joint = func.count(theirs.work_id.distinct())
    statement = (
        select(theirs.person_id, joint.label("number"))
        .join(ours, ours.work_id == theirs.work_id)
        .where(ours.person_id == person_id, theirs.person_id.is_not(None))
        .where(theirs.person_id != person_id)
        .group_by(theirs.person_id)
    )
    return ranked(statement, joint.desc(), theirs.person_id).limit(NEAREST_WORKS)


def _authors_of(
    session: Session, work_ids: Iterable[int], *, excluding: int
) -> dict[int, list[tuple[int, str]]]:
    authored: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
    statement = (
        select(Authorship.person_id, Work.id, Work.title)
        .join(Work, Work.id == Authorship.work_id)
        .where(Work.id.in_(list(work_ids)), Authorship.person_id.is_not(None))
        .where(Authorship.person_id != excluding, Authorship.position < NEAREST_WORKS)
    )
    for other, work_id, title in session.execute(statement):
        if other is not None:
            authored[other].append((work_id, title))
    return authored


def near_topics(session: Session, topic_id: int, near: Near, limit: int) -> tuple[Neighbour, ...]:
    """Topics near a topic: carried by the same works, or by works near in meaning to its works."""
    ours, theirs = aliased(WorkTopic), aliased(WorkTopic)
    number_of = func.count()
    both = (
        select(theirs.topic_id, number_of.label("number"))
        .join(ours, ours.work_id == theirs.work_id)
        .where(ours.topic_id == topic_id, theirs.topic_id != topic_id)
        .group_by(theirs.topic_id)
    )
    rows = asked_together(
        session,
        {
            "both": ranked(both, number_of.desc(), theirs.topic_id).limit(NEAREST_WORKS),
            "works": _own_works(topic_id),
        },
    )
    found: defaultdict[int, _Evidence] = defaultdict(_Evidence)
    for other, number, _ in rows["both"]:
        text = f"{counted(number, 'work carries', 'works carry')} both"
        found[other].add("together", min(number, 50), text)
    works = [work for work, _, _ in rows["works"]]
    carried = _topics_near(session, topic_id, works, near)
    for other, close in carried.items():
        text = f"{counted(len(close), 'work', 'works')} near in meaning"
        found[other].add("meaning", len(close) / (2 * NEAREST_WORKS), text)
    return _described(session, "T", Topic, found, limit)


def _topics_near(
    session: Session, topic_id: int, works: list[int], near: Near
) -> dict[int, list[tuple[int, float]]]:
    """Other topics of works near to some works of a topic, with these works, the nearest first."""
    cosines = dict(near(works, 2 * NEAREST_WORKS)) if works else {}
    carried: defaultdict[int, list[tuple[int, float]]] = defaultdict(list)
    statement = select(WorkTopic.topic_id, WorkTopic.work_id).where(
        WorkTopic.work_id.in_(list(cosines)), WorkTopic.topic_id != topic_id
    )
    for other, work in session.execute(statement):
        carried[other].append((work, cosines[work]))
    for close in carried.values():
        close.sort(key=lambda pair: (-pair[1], pair[0]))
    return carried


def _own_works(topic_id: int) -> Question:
    own = select(WorkTopic.work_id, literal(1).label("number")).where(
        WorkTopic.topic_id == topic_id
    )
    return ranked(own, WorkTopic.score.desc(), WorkTopic.work_id).limit(PERSON_WORKS)


def topics_in_meaning(
    session: Session, topic_id: int, near: Near
) -> dict[int, list[tuple[int, float]]]:
    """Topics that works near in meaning to a topic's works carry, with these works and their cosines.

    Near to the mean of 50 works of the topic. Two statements.
    """
    rows = asked_together(session, {"works": _own_works(topic_id)})
    return _topics_near(session, topic_id, [work for work, _, _ in rows["works"]], near)


def _described(
    session: Session,
    entity: str,
    table: type[Person | Topic],
    found: dict[int, _Evidence],
    limit: int,
) -> tuple[Neighbour, ...]:
    ranked = _ranked(found, limit)
    statement = select(table.id, table.display_name, table.works_count).where(
        table.id.in_([number for number, _ in ranked])
    )
    rows = {row[0]: row for row in session.execute(statement)}
    return tuple(
        Neighbour(
            entity,
            number,
            rows[number][1],
            counted(rows[number][2], "work", "works"),
            tuple(evidence.reasons),
        )
        for number, evidence in ranked
        if number in rows
    )
