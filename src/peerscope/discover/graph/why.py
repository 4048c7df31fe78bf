"""Why an edge stands: what was printed where, and who says so.

Evidence is read from the record when it is asked for, so that it is never older than the edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from peerscope.discover.graph.edges import LEAST_COCITED, LEAST_ON_TOPIC, said
from peerscope.discover.graph.meaning import Meaning
from peerscope.discover.graph.reading import COMMON_TOPIC, in_sight, not_crowded
from peerscope.discover.graph.slices import describe
from peerscope.discover.graph_shapes import (
    ELSEWHERE,
    KINDS,
    GraphEdge,
    GraphQuestion,
    GraphWhy,
    Proof,
    split_key,
)
from peerscope.discover.neighbours import (
    PERSON_WORKS,
    counted,
    people_in_meaning,
    topics_in_meaning,
)
from peerscope.discover.together import Question
from peerscope.record.models import (
    Authorship,
    AuthorshipInstitution,
    Citation,
    Institution,
    Source,
    SourceRecord,
    Topic,
    Venue,
    Work,
    WorkTopic,
)

MOST_PROOFS = 50
SITE = "worked out by this site"

Answer = tuple[float, list[Proof], int]
"""What the reason counts, the evidence, and how much of it there is."""


def why(
    session: Session, question: GraphQuestion, target: str, kind: str, meaning: Meaning
) -> GraphWhy | None:
    """An edge with its evidence; ``None`` where it does not stand.

    Args:
        session: Of the record. Five statements at most.
        question: The source of the edge, who is hidden, and what other rooms state.
        target: Key of the target.
        kind: One of `KINDS`.
        meaning: What the vectors say.
    """
    source, (letter, number) = question.key, split_key(target)
    if (question.entity, letter) not in KINDS[kind].ends or source == target:
        return None
    hidden = {f"A{one}" for one in question.without}
    labels = describe(session, [source, target])
    if hidden & {source, target} or source not in labels or target not in labels:
        return None
    if kind in ELSEWHERE:
        found = _elsewhere(question, kind, number)
    else:
        found = _WAYS[kind](session, question, number, meaning)
    if found is None:
        return None
    strength, proofs, total, *told = found
    weight, reason = (KINDS[kind].weight, told[0]) if told else said(kind, strength, letter)
    edge = GraphEdge(source, target, kind, round(weight, 4), reason)
    return GraphWhy(edge, (labels[source][0], labels[target][0]), tuple(proofs), total)


def _elsewhere(question: GraphQuestion, kind: str, work: int) -> tuple[Any, ...] | None:
    found = [
        one
        for one in question.elsewhere([work], [question.id])
        if (one.kind, one.work, one.person) == (kind, work, question.id)
    ]
    if not found:
        return None
    reason = found[0].reason if len(found) == 1 else f"{found[0].reason}, and more"
    return 1, [one.proof for one in found], len(found), reason


def _from(name: str, key: str | None) -> str:
    return f"{name}, record {key}" if key else name


def _sourced(statement: Question, source_id: Any, work_id: Any) -> Question:
    """A statement with the name of its source and the key of the record there as last columns."""
    key = (
        select(func.min(SourceRecord.key))
        .where(SourceRecord.source_id == source_id, SourceRecord.work_id == work_id)
        .scalar_subquery()
    )
    return statement.join(Source, Source.id == source_id).add_columns(Source.name, key)


def _authored(
    session: Session, question: GraphQuestion, number: int, meaning: Meaning
) -> Answer | None:
    statement = select(
        Authorship.position, Authorship.raw_name, Authorship.raw_affiliation, Authorship.evidence
    ).where(Authorship.person_id == question.id, Authorship.work_id == number)
    rows = session.execute(_sourced(statement, Authorship.source_id, Authorship.work_id)).all()
    proofs = [
        Proof(
            f"Author {position + 1} as printed: “{name}”"
            + (f", {affiliation}" if affiliation else "")
            + (f". {evidence}" if evidence else ""),
            f"/works/W{number}",
            _from(source, key),
        )
        for position, name, affiliation, evidence, source, key in rows
    ]
    return (1, proofs, len(proofs)) if proofs else None


def _coauthor(
    session: Session, question: GraphQuestion, number: int, meaning: Meaning
) -> Answer | None:
    one, other = aliased(Authorship), aliased(Authorship)
    statement = (
        select(Work.id, Work.title, Work.publication_year, one.raw_name, other.raw_name)
        .join(one, one.work_id == Work.id)
        .join(other, other.work_id == Work.id)
        .where(one.person_id == question.id, other.person_id == number)
        .where(Work.deleted_at.is_(None), not_crowded(Work.id))
        .order_by(Work.publication_year.desc(), Work.id, one.position, other.position)
    )
    rows = session.execute(_sourced(statement, one.source_id, Work.id)).all()
    works = {row[0]: row for row in reversed(rows)}
    proofs = [
        Proof(
            f"{_titled(title, year)}: printed “{first}” and “{second}”",
            f"/works/W{work}",
            _from(source, key),
        )
        for work, title, year, first, second, source, key in reversed(works.values())
    ]
    return _counted(proofs)


def _cites(
    session: Session, question: GraphQuestion, number: int, meaning: Meaning
) -> Answer | None:
    statement = select(Citation.raw, Citation.scheme, Citation.value).where(
        Citation.citing_id == question.id, Citation.cited_id == number
    )
    rows = session.execute(_sourced(statement, Citation.source_id, Citation.citing_id)).all()
    proofs = []
    for raw, scheme, value, source, key in rows:
        if raw:
            text = f"The reference as printed: {raw}"
        elif value:
            text = f"The reference is stated as {scheme} {value}; its words are not in the record."
        else:
            text = "The reference is stated; its words are not in the record."
        proofs.append(Proof(text, f"/works/{question.key}", _from(source, key)))
    return (1, proofs, len(proofs)) if proofs else None


def _cocited(
    session: Session, question: GraphQuestion, number: int, meaning: Meaning
) -> Answer | None:
    one, other = aliased(Citation), aliased(Citation)
    statement = (
        select(Work.id, Work.title, Work.publication_year)
        .where(Work.id.in_(select(one.citing_id).where(one.cited_id == question.id)))
        .where(Work.id.in_(select(other.citing_id).where(other.cited_id == number)))
        .where(Work.deleted_at.is_(None))
        .order_by(Work.cited_by_count.desc(), Work.id)
    )
    proofs = [_work(row, "cites both") for row in session.execute(statement)]
    return _counted(proofs, LEAST_COCITED)


def _topic(
    session: Session, question: GraphQuestion, number: int, meaning: Meaning
) -> Answer | None:
    statement = (
        select(Topic.origin, Topic.keywords, WorkTopic.score)
        .join(Topic, Topic.id == WorkTopic.topic_id)
        .where(WorkTopic.work_id == question.id, WorkTopic.topic_id == number)
    )
    row = session.execute(_sourced(statement, WorkTopic.source_id, WorkTopic.work_id)).first()
    if row is None:
        return None
    origin, keywords, score, source, key = row
    given = origin == "given"
    text = "The source gives the work this topic" if given else "This site groups the work here"
    text += f", with a score of {score:.2f}." if score is not None else "."
    if keywords and not given:
        text += f" Words of the group: {keywords}."
    proof = Proof(text, f"/works/{question.key}", _from(source, key) if given else SITE)
    return int(given), [proof], 1


def _same_topic(
    session: Session, question: GraphQuestion, number: int, meaning: Meaning
) -> Answer | None:
    sides = []
    for one in (question.id, number):
        if question.entity == "W":
            carried = select(WorkTopic.topic_id, func.count().label("works")).where(
                WorkTopic.work_id == one
            )
            least = 1
        else:
            carried = (
                select(WorkTopic.topic_id, func.count(Authorship.work_id.distinct()).label("works"))
                .join(Authorship, Authorship.work_id == WorkTopic.work_id)
                .where(Authorship.person_id == one, in_sight(Authorship.work_id))
            )
            least = LEAST_ON_TOPIC
        grouped = carried.group_by(WorkTopic.topic_id).having(func.count() >= least)
        sides.append(grouped.subquery())
    first, second = sides
    statement = (
        select(Topic.id, Topic.display_name, Topic.origin, first.c.works, second.c.works)
        .join(first, first.c.topic_id == Topic.id)
        .join(second, second.c.topic_id == Topic.id)
        .where(Topic.works_count <= COMMON_TOPIC)
        .order_by(Topic.works_count, Topic.id)
    )
    proofs = []
    for topic, name, origin, ours, theirs in session.execute(statement):
        text = name
        if question.entity == "A":
            text += f": {counted(ours, 'work', 'works')} of the one, {theirs:,} of the other"
        given = "given by a source of the record"
        proofs.append(Proof(text, f"/topics/T{topic}", given if origin == "given" else SITE))
    return _counted(proofs)


def _affiliated(
    session: Session, question: GraphQuestion, number: int, meaning: Meaning
) -> Answer | None:
    place = AuthorshipInstitution
    statement = (
        select(
            Work.id, Work.title, Work.publication_year, Authorship.raw_name,
            Authorship.raw_affiliation, Institution.display_name,
        )
        .join(Authorship, Authorship.work_id == Work.id)
        .join(place, place.authorship_id == Authorship.id)
        .join(Institution, Institution.id == place.institution_id)
        .where(Authorship.person_id == question.id, place.institution_id == number)
        .where(Work.deleted_at.is_(None))
        .order_by(Work.publication_year.desc(), Work.id)
    )  # fmt: skip
    proofs = [
        Proof(
            f"{_titled(title, year)}: printed “{name}”, "
            + (
                f"“{printed}”"
                if printed
                else f"{institution} (the affiliation's words are not kept)"
            ),
            f"/works/W{work}",
            _from(source, key),
        )
        for work, title, year, name, printed, institution, source, key in session.execute(
            _sourced(statement, place.source_id, Work.id)
        )
    ]
    return _counted(proofs)


def _published(
    session: Session, question: GraphQuestion, number: int, meaning: Meaning
) -> Answer | None:
    statement = (
        select(Venue.display_name, Work.volume, Work.pages)
        .join(Venue, Venue.id == Work.venue_id)
        .where(Work.id == question.id, Work.venue_id == number)
    )
    row = session.execute(_sourced(statement, Work.source_id, Work.id)).first()
    if row is None:
        return None
    name, volume, pages, source, key = row
    text = f"The work is stated to have appeared in {name}"
    text += f", volume {volume}" if volume else ""
    text += f", pages {pages}" if pages else ""
    return 1, [Proof(text + ".", f"/works/{question.key}", _from(source, key))], 1


def _near(
    session: Session, question: GraphQuestion, number: int, meaning: Meaning
) -> Answer | None:
    """The cosine, and between which works it was taken."""
    if question.entity == "W":
        known, vectors = meaning.vectors([question.id, number])
        if len(known) < 2:
            return None
        cosine = float(vectors[0] @ vectors[1])
        text = f"Cosine {cosine:.3f} between what this site's search read of both, title and text."
        return (cosine, [Proof(text, "", SITE)], 1) if cosine > 0 else None
    close = [
        (ours, work, cosine)
        for ours, one, other in (
            (question.key, question.id, number),
            (f"{question.entity}{number}", number, question.id),
        )
        for work, cosine in _closest(session, question.entity, one, other, meaning)
    ]
    labels = describe(session, [f"W{work}" for _, work, _ in close])
    proofs = [
        Proof(
            f"{labels[f'W{work}'][0]}: cosine {cosine:.3f} to the mean of {PERSON_WORKS} works at "
            f"most of {ours}",
            f"/works/W{work}",
            SITE,
        )
        for ours, work, cosine in close
        if f"W{work}" in labels
    ]
    return (1, proofs[:MOST_PROOFS], len(proofs)) if proofs else None


def _closest(
    session: Session, entity: str, one: int, other: int, meaning: Meaning
) -> list[tuple[int, float]]:
    """Works of the other that are near to those of the one, with the cosine."""
    if entity == "T":
        return topics_in_meaning(session, one, meaning.near).get(other, [])
    found = people_in_meaning(session, one, meaning.near).get(other)
    return [(found[0], found[1])] if found else []


def _counted(proofs: Sequence[Proof], least: int = 1) -> Answer | None:
    if len(proofs) < least:
        return None
    return len(proofs), list(proofs[:MOST_PROOFS]), len(proofs)


def _titled(title: str, year: int | None) -> str:
    return f"{title} ({year})" if year else title


def _work(row: Any, what: str) -> Proof:
    number, title, year = row
    return Proof(f"{_titled(title, year)} {what}", f"/works/W{number}", "the record's citations")


_WAYS = {
    "authored": _authored,
    "coauthor": _coauthor,
    "cites": _cites,
    "cocited": _cocited,
    "topic": _topic,
    "same_topic": _same_topic,
    "affiliated": _affiliated,
    "published": _published,
    "near": _near,
}
