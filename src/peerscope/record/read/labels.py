"""What works, people and topics are called, by letter and number, and the topics of several works."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import literal, select, union_all
from sqlalchemy.orm import Session

from peerscope.record.models import Person, Topic, Work, WorkTopic
from peerscope.record.read.shapes import Link

TOPICS_OF_ONE = 3


def labels_of(session: Session, keys: Sequence[str]) -> dict[str, str]:
    """Titles of works, names of people and topics, by ``W12``, ``A3``, ``T4``. One statement at most.

    What is not in the record, or deleted, is left out; a merged person has the name they had.
    """
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for key in keys:
        numbers[key[0]].append(int(key[1:]))
    parts = []
    for letter, column, table in (
        ("W", Work.title, Work),
        ("A", Person.display_name, Person),
        ("T", Topic.display_name, Topic),
    ):
        if numbers[letter]:
            part = select(literal(letter), table.id, column).where(table.id.in_(numbers[letter]))
            parts.append(part.where(Work.deleted_at.is_(None)) if letter == "W" else part)
    if not parts:
        return {}
    return {
        f"{letter}{number}": label for letter, number, label in session.execute(union_all(*parts))
    }


def topics_of(session: Session, works: Sequence[int]) -> dict[int, list[Link]]:
    """The first topics of each work, those of most works last. One statement at most."""
    if not works:
        return {}
    rows = session.execute(
        select(WorkTopic.work_id, Topic.id, Topic.display_name)
        .join(Topic, Topic.id == WorkTopic.topic_id)
        .where(WorkTopic.work_id.in_(works))
        .order_by(WorkTopic.work_id, Topic.works_count, Topic.id)
    )
    found: defaultdict[int, list[Link]] = defaultdict(list)
    for work, number, name in rows:
        if len(found[work]) < TOPICS_OF_ONE:
            found[work].append(Link("T", number, name))
    return dict(found)
