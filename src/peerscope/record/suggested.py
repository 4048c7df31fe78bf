"""Topics that this site suggests where no source gives any: written as statements of their own.

They carry a source like everything else (importer ``site``), have ``origin`` "suggested", and are
replaced as a whole by each new suggestion, so that nothing of an older one lingers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from peerscope.record.bulk import Ids
from peerscope.record.models import Source, Topic, Work, WorkTopic

LOCATION = "peerscope:topics"


@dataclass(frozen=True, slots=True)
class SuggestedTopic:
    """A group of works: its name, the words that set it apart, and its works with scores in [0, 1]."""

    name: str
    keywords: tuple[str, ...]
    works: tuple[tuple[int, float], ...]


def works_without_topics(session: Session) -> list[int]:
    """Living works for which no source gives a topic, in order of id."""
    given = (
        select(WorkTopic.work_id)
        .join(Topic, Topic.id == WorkTopic.topic_id)
        .where(Topic.origin == "given")
    )
    statement = select(Work.id).where(Work.deleted_at.is_(None), Work.id.not_in(given))
    return list(session.scalars(statement.order_by(Work.id)))


def replace_suggested_topics(session: Session, topics: Sequence[SuggestedTopic]) -> None:
    """Put these suggestions in the place of all earlier ones; a topic of the same name keeps its id.

    Two suggestions whose names differ in case only become one. The caller's transaction makes the
    exchange atomic.
    """
    ids = Ids(session.connection())
    source_id = _source(session, ids)
    suggested = select(Topic.name_key, Topic.id).where(Topic.origin == "suggested")
    known = dict(session.execute(suggested).all())
    session.execute(
        delete(WorkTopic).where(
            WorkTopic.topic_id.in_(select(Topic.id).where(Topic.origin == "suggested"))
        )
    )
    joined: dict[str, SuggestedTopic] = {}
    for topic in topics:
        key = topic.name.casefold()
        earlier = joined.get(key)
        works = dict(topic.works) | (dict(earlier.works) if earlier else {})
        joined[key] = SuggestedTopic(topic.name, topic.keywords, tuple(sorted(works.items())))
    for key, topic in joined.items():
        if key in known:
            number = known.pop(key)
        else:
            number = ids.take("topic")
            session.execute(insert(Topic).values(_row(number, key, topic, source_id)))
        session.execute(
            update(Topic)
            .where(Topic.id == number)
            .values(keywords=", ".join(topic.keywords), works_count=len(topic.works))
        )
        _attach(session, number, topic, source_id)
    session.execute(delete(Topic).where(Topic.id.in_(list(known.values()))))
    ids.save()


def _row(number: int, key: str, topic: SuggestedTopic, source_id: int) -> dict[str, object]:
    return {
        "id": number,
        "display_name": topic.name,
        "name_key": key,
        "origin": "suggested",
        "keywords": ", ".join(topic.keywords),
        "works_count": len(topic.works),
        "source_id": source_id,
    }


def _attach(session: Session, number: int, topic: SuggestedTopic, source_id: int) -> None:
    rows = [
        {"work_id": work, "topic_id": number, "score": score, "source_id": source_id}
        for work, score in topic.works
    ]
    if rows:
        session.execute(insert(WorkTopic), rows)


def _source(session: Session, ids: Ids) -> int:
    found = session.scalar(
        select(Source.id).where(Source.importer == "site", Source.location == LOCATION)
    )
    if found is not None:
        return found
    number = ids.take("source")
    session.execute(
        insert(Source).values(
            id=number,
            importer="site",
            name="suggested by this site",
            location=LOCATION,
            covers="topics",
            rank=-1,
            created_at=datetime.now(UTC),
        )
    )
    return number
