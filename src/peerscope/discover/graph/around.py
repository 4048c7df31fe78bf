"""What stands one step from an entity, kind by kind, the strongest first."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from sqlalchemy import func, literal, select
from sqlalchemy.orm import Session, aliased

from peerscope.discover.graph.reading import (
    COMMON_TOPIC,
    in_sight,
    not_crowded,
    shown,
    wanted_works,
)
from peerscope.discover.graph_shapes import ELSEWHERE, GraphQuestion, Stated
from peerscope.discover.together import Question, asked_together, ranked
from peerscope.record.models import (
    Authorship,
    AuthorshipInstitution,
    Citation,
    Person,
    Topic,
    Work,
    WorkTopic,
)

MOST_CITED = (Work.cited_by_count.desc(), Work.id)

Ring = dict[str, list[str]]
"""Kind of edge to the keys at its other end, the best first; ``cites!`` is that of citing works."""

ALWAYS = ("works", "topic works", "published works")
"""A topic, venue or institution is seen by its works, whatever edges are asked for."""


def ring(
    session: Session,
    question: GraphQuestion,
    room: int,
    close: Mapping[str, float],
    stated: tuple[Stated, ...] = (),
) -> Ring:
    """Neighbours of the centre by kind, at most ``room`` of each. One statement.

    Works of an institution are among them, under ``works``, though no edge joins the two: the people do.

    Args:
        session: Of the record.
        question: The centre, and what counts.
        room: Most neighbours of each kind.
        close: What is near to the centre in meaning; years and hidden people are seen to here.
        stated: What other rooms state about the centre.
    """
    makers = {"W": _of_work, "A": _of_person, "T": _of_topic, "I": _of_institution, "S": _of_venue}
    asked = {
        name: (letter, statement.limit(room))
        for name, (letter, statement) in makers[question.entity](question).items()
        if letter in question.types and (name in ALWAYS or name.rstrip("!") in question.kinds)
    }
    elsewhere = _at_other_ends(question, close, stated)
    asked |= _checked(question, elsewhere)
    rows = asked_together(session, {name: statement for name, (_, statement) in asked.items()})
    found = {name: [f"{asked[name][0]}{row[0]}" for row in rows[name]] for name in asked}
    for name, keys in elsewhere.items():
        seen = {key for letter in "WAT" for key in found.pop(f"{name}:{letter}", [])}
        found[name] = [key for key in keys if key in seen][:room]
    return {name: keys for name, keys in found.items() if keys}


def in_turn(found: Mapping[str, list[str]]) -> list[str]:
    """The best of each list, then the second best, and so on, each key once."""
    mixed = (key for rank in zip_longest(*found.values()) for key in rank if key is not None)
    return list(dict.fromkeys(mixed))


def carried(
    session: Session, question: GraphQuestion, letters: str, works: list[int], room: int
) -> dict[str, list[str]]:
    """People, topics, institutions and venues that some works carry, those on most first. One statement."""
    often = func.count().desc()
    place = AuthorshipInstitution.institution_id
    ways: dict[str, tuple[Any, Question, Any]] = {
        "A": (
            Authorship.person_id,
            select(Authorship.person_id).where(shown(Authorship.person_id, question)),
            Authorship.work_id,
        ),
        "T": (WorkTopic.topic_id, select(WorkTopic.topic_id), WorkTopic.work_id),
        "I": (
            place,
            select(place).join(Authorship, Authorship.id == AuthorshipInstitution.authorship_id),
            Authorship.work_id,
        ),
        "S": (Work.venue_id, select(Work.venue_id), Work.id),
    }
    asked = {}
    for letter in letters:
        number, statement, work = ways[letter]
        first = (func.min(Authorship.position),) if letter == "A" else ()
        narrowed = statement.where(work.in_(works), number.is_not(None)).group_by(number)
        asked[letter] = ranked(narrowed, often, *first, number).limit(room)
    rows = asked_together(session, asked if works else {})
    return {letter: [f"{letter}{row[0]}" for row in rows.get(letter, [])] for letter in letters}


def works_of_people(
    session: Session, question: GraphQuestion, people: list[int], room: int
) -> list[str]:
    """Works of some people, those of most of them first; three times as many are looked at. One statement."""
    many = func.count().label("many")
    # Works are wide rows: those of most of the people are found without them.
    first = (
        select(Authorship.work_id, many)
        .where(Authorship.person_id.in_(people))
        .group_by(Authorship.work_id)
        .order_by(many.desc(), Authorship.work_id)
        .limit(3 * room)
        .subquery()
    )
    statement = (
        select(Work.id)
        .join(first, first.c.work_id == Work.id)
        .where(*wanted_works(question))
        .order_by(first.c.many.desc(), *MOST_CITED)
        .limit(room)
    )
    return [f"W{number}" for number in session.scalars(statement)]


def _works(question: GraphQuestion, statement: Question) -> Question:
    return ranked(statement.where(*wanted_works(question)), *MOST_CITED)


def _of_work(question: GraphQuestion) -> dict[str, tuple[str, Question]]:
    number = question.id
    ours, theirs = aliased(Citation), aliased(Citation)
    both = (
        select(theirs.cited_id, func.count().label("together"))
        .join(ours, ours.citing_id == theirs.citing_id)
        .where(ours.cited_id == number, theirs.cited_id != number, in_sight(ours.citing_id))
        .group_by(theirs.cited_id)
        .having(func.count() > 1)
        .subquery()
    )
    topics = func.count()
    mine, other = aliased(WorkTopic), aliased(WorkTopic)
    return {
        "cites": (
            "W",
            _works(
                question,
                select(Work.id)
                .join(Citation, Citation.cited_id == Work.id)
                .where(Citation.citing_id == number, Work.id != number),
            ),
        ),
        "cites!": (
            "W",
            _works(
                question,
                select(Work.id)
                .join(Citation, Citation.citing_id == Work.id)
                .where(Citation.cited_id == number, Work.id != number),
            ),
        ),
        "cocited": (
            "W",
            ranked(
                select(Work.id)
                .join(both, both.c.cited_id == Work.id)
                .where(*wanted_works(question)),
                both.c.together.desc(),
                Work.id,
            ),
        ),
        "same_topic": (
            "W",
            ranked(
                select(Work.id)
                .join(other, other.work_id == Work.id)
                .join(mine, mine.topic_id == other.topic_id)
                .join(Topic, Topic.id == mine.topic_id)
                .where(mine.work_id == number, Work.id != number, *wanted_works(question))
                .where(Topic.works_count <= COMMON_TOPIC)
                .group_by(Work.id, Work.cited_by_count),
                topics.desc(),
                *MOST_CITED,
            ),
        ),
        "authored": (
            "A",
            ranked(
                select(Authorship.person_id).where(
                    Authorship.work_id == number, shown(Authorship.person_id, question)
                ),
                Authorship.position,
            ),
        ),
        "topic": (
            "T",
            ranked(
                select(WorkTopic.topic_id).where(WorkTopic.work_id == number),
                func.coalesce(WorkTopic.score, 0).desc(),
                WorkTopic.topic_id,
            ),
        ),
        "published": (
            "S",
            ranked(
                select(Work.venue_id).where(Work.id == number, Work.venue_id.is_not(None)),
                Work.venue_id,
            ),
        ),
    }


def _of_person(question: GraphQuestion) -> dict[str, tuple[str, Question]]:
    number, place = question.id, AuthorshipInstitution.institution_id
    ours, theirs = aliased(Authorship), aliased(Authorship)
    joint, often = func.count(theirs.work_id.distinct()), func.count()
    return {
        "authored": (
            "W",
            _works(
                question,
                select(Work.id)
                .join(Authorship, Authorship.work_id == Work.id)
                .where(Authorship.person_id == number),
            ),
        ),
        "coauthor": (
            "A",
            ranked(
                select(theirs.person_id)
                .join(ours, ours.work_id == theirs.work_id)
                .where(ours.person_id == number, theirs.person_id != number)
                .where(shown(theirs.person_id, question), in_sight(ours.work_id))
                .where(not_crowded(ours.work_id))
                .group_by(theirs.person_id),
                joint.desc(),
                theirs.person_id,
            ),
        ),
        "affiliated": (
            "I",
            ranked(
                select(place)
                .join(Authorship, Authorship.id == AuthorshipInstitution.authorship_id)
                .where(Authorship.person_id == number, in_sight(Authorship.work_id))
                .group_by(place),
                often.desc(),
                place,
            ),
        ),
    }


def _of_topic(question: GraphQuestion) -> dict[str, tuple[str, Question]]:
    own = select(WorkTopic.work_id).where(WorkTopic.topic_id == question.id)
    return {"topic works": ("W", _works(question, _among(own)))}


def _of_institution(question: GraphQuestion) -> dict[str, tuple[str, Question]]:
    often = func.count()
    here = (
        select(Authorship.person_id)
        .join(AuthorshipInstitution, AuthorshipInstitution.authorship_id == Authorship.id)
        .where(AuthorshipInstitution.institution_id == question.id)
    )
    works = here.with_only_columns(Authorship.work_id)
    return {
        "affiliated": (
            "A",
            ranked(
                here.where(shown(Authorship.person_id, question), in_sight(Authorship.work_id))
                .group_by(Authorship.person_id),
                often.desc(),
                Authorship.person_id,
            ),
        ),
        "works": ("W", _works(question, _among(works))),
    }  # fmt: skip


def _of_venue(question: GraphQuestion) -> dict[str, tuple[str, Question]]:
    own = select(Work.id).where(Work.venue_id == question.id, Work.deleted_at.is_(None))
    return {"published works": ("W", _works(question, _among(own)))}


def _among(numbers: Question) -> Question:
    """Works among many: the plain sum keeps the index of citations in charge, which stops at the limit."""
    return select(Work.id).where((Work.id + literal(0)).in_(numbers))


def _at_other_ends(
    question: GraphQuestion, close: Mapping[str, float], stated: tuple[Stated, ...]
) -> dict[str, list[str]]:
    """What vectors and other rooms name, by kind."""
    found: dict[str, list[str]] = {}
    if "near" in question.kinds:
        found["near"] = list(close)
    for one in stated:
        if one.kind in question.kinds & ELSEWHERE and one.person is not None:
            ends = (f"A{one.person}", f"W{one.work}")
            if question.key in ends:
                found.setdefault(one.kind, []).append(ends[question.key == ends[0]])
    allowed = question.types
    return {
        kind: [key for key in dict.fromkeys(keys) if key[0] in allowed and key != question.key]
        for kind, keys in found.items()
    }


def _checked(
    question: GraphQuestion, named: Mapping[str, list[str]]
) -> dict[str, tuple[str, Question]]:
    """Questions for those of some keys that may be shown: works in sight and the years, people not hidden."""
    asked: dict[str, tuple[str, Question]] = {}
    for name, keys in named.items():
        for letter, column in (("W", Work.id), ("A", Person.id), ("T", Topic.id)):
            numbers = [int(key[1:]) for key in keys if key[0] == letter]
            if not numbers:
                continue
            statement = select(column).where(column.in_(numbers))
            if letter == "W":
                statement = statement.where(*wanted_works(question))
            if letter == "A":
                statement = statement.where(
                    shown(column, question), Person.merged_into_id.is_(None)
                )
            asked[f"{name}:{letter}"] = (letter, ranked(statement, column))
    return asked
