"""What a dump of the record holds, row by row, in a fixed order and in bounded memory.

A work's line holds the whole statement of it as an importer would give it, so that `peerscope import` of the
file makes the same record again; beside it stands what this record decided.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from peerscope.record.export.openalex import json_line
from peerscope.record.models import (
    Authorship,
    AuthorshipInstitution,
    Citation,
    Counter,
    Identifier,
    Institution,
    Person,
    Source,
    SourceRecord,
    Topic,
    Venue,
    Work,
    WorkTopic,
)
from peerscope.record.parsed import ParsedWork
from peerscope.record.statements import parsed_among

CHUNK = 500
EDGES = "kind,source,target,value\n"


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a dump.

    Attributes:
        name: Of the file, packed.
        about: What its rows are, for the manifest.
        lines: Makes them, each with its line end.
        heads: Lines at the start that are no rows.
    """

    name: str
    about: str
    lines: Callable[[], Iterable[bytes]]
    heads: int = 0


def json_lines(name: str, about: str, rows: Callable[[], Iterable[dict[str, Any]]]) -> Part:
    """A file of one JSON object a line, keys in order, so that equal rows are equal bytes."""
    return Part(name, about, lambda: (json_line(row).encode() for row in rows()))


def record_parts(session: Session, hidden: Collection[int] = frozenset()) -> list[Part]:
    """The files of a record.

    Args:
        session: Reads one state of the record to the end.
        hidden: People who are left out; their works stay, with the names that are printed on them.
    """
    return [
        json_lines(
            "works.jsonl.gz",
            "works as their sources state them, for another site to import; the persons who wrote them",
            lambda: works(session, hidden),
        ),
        json_lines(
            "people.jsonl.gz", "people as the record tells them apart", lambda: people(session, hidden)
        ),
        json_lines("topics.jsonl.gz", "topics, given by a source or suggested here",
                   lambda: entities(session, "T")),
        json_lines("institutions.jsonl.gz", "institutions", lambda: entities(session, "I")),
        json_lines("venues.jsonl.gz", "venues", lambda: entities(session, "S")),
        Part(
            "edges.csv.gz",
            "who wrote what, what cites what, topics, affiliations, venues",
            lambda: edges(session, hidden), heads=1,
        ),
    ]  # fmt: skip


def works(session: Session, hidden: Collection[int]) -> Iterator[dict[str, Any]]:
    """Works in sight by number."""
    last = 0
    while True:
        in_sight = select(Work.id).where(Work.id > last, Work.deleted_at.is_(None))
        numbers = list(session.scalars(in_sight.order_by(Work.id).limit(CHUNK)))
        if not numbers:
            return
        last = numbers[-1]
        yield from _works(session, numbers, hidden)
        session.expunge_all()


def _works(
    session: Session, numbers: list[int], hidden: Collection[int]
) -> Iterator[dict[str, Any]]:
    whose: defaultdict[int, dict[int, int | None]] = defaultdict(dict)
    signed = select(Authorship.work_id, Authorship.position, Authorship.person_id)
    for work, position, person in session.execute(signed.where(Authorship.work_id.in_(numbers))):
        whose[work][position] = person
    stated: defaultdict[int, list[str]] = defaultdict(list)
    named = (
        select(SourceRecord.work_id, Source.name)
        .join(Source, Source.id == SourceRecord.source_id)
        .where(SourceRecord.work_id.in_(numbers))
        .order_by(SourceRecord.work_id, Source.id, SourceRecord.id)
    )
    for work, name in session.execute(named):
        stated[work].append(name)
    facts = select(Work.id, Work.covered, Work.cited_by_count, Work.updated_at)
    rows = {row.id: row for row in session.execute(facts.where(Work.id.in_(numbers)))}
    for number, parsed in parsed_among(session, numbers).items():
        row, own = rows[number], whose[number]
        persons = [own.get(position) for position in range(len(parsed.authors))]
        yield {
            "id": f"W{number}",
            "people": [None if one is None or one in hidden else f"A{one}" for one in persons],
            "cited_by_count": row.cited_by_count,
            "covered": sorted(row.covered.split()),
            "sources": list(dict.fromkeys(stated[number])),
            "updated_at": row.updated_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "work": _without_ids(parsed, persons, hidden),
        }


def _without_ids(
    work: ParsedWork, persons: list[int | None], hidden: Collection[int]
) -> ParsedWork:
    """A work in which nothing leads from a hidden person's printed name to them."""
    if not any(one in hidden for one in persons if one is not None):
        return work
    authors = [
        replace(author, ids={}) if person in hidden else author
        for author, person in zip(work.authors, persons, strict=True)
    ]
    return replace(work, authors=authors)


def people(session: Session, hidden: Collection[int]) -> Iterator[dict[str, Any]]:
    """Living people with works, by number."""
    where = (Person.merged_into_id.is_(None), Person.works_count > 0)
    for rows in _chunks(session, Person, *where):
        shown = [row for row in rows if row.id not in hidden]
        numbers = [row.id for row in shown]
        ids = _identifiers(session, "A", numbers)
        names: defaultdict[int, list[str]] = defaultdict(list)
        printed = (
            select(Authorship.person_id, Authorship.raw_name)
            .where(Authorship.person_id.in_(numbers))
            .distinct()
            .order_by(Authorship.person_id, Authorship.raw_name)
        )
        for person, name in session.execute(printed):
            if person is not None:
                names[person].append(name)
        for row in shown:
            yield {
                "id": f"A{row.id}",
                "display_name": row.display_name,
                "names": names[row.id],
                "ids": ids[row.id],
                "works_count": row.works_count,
                "cited_by_count": row.cited_by_count,
                "rule": row.rule,
            }


_OWN: dict[str, tuple[Any, tuple[str, ...]]] = {
    "T": (Topic, ("origin", "keywords")),
    "I": (Institution, ("country_code", "type")),
    "S": (Venue, ("type",)),
}


def entities(session: Session, letter: str) -> Iterator[dict[str, Any]]:
    """Topics (T), institutions (I) or venues (S) with works, by number."""
    table, own = _OWN[letter]
    for rows in _chunks(session, table, table.works_count > 0):
        ids = _identifiers(session, letter, [row.id for row in rows])
        for row in rows:
            yield {
                "id": f"{letter}{row.id}",
                "display_name": row.display_name,
                "ids": ids[row.id],
                "works_count": row.works_count,
                **{name: getattr(row, name) for name in own},
            }


def edges(session: Session, hidden: Collection[int]) -> Iterator[bytes]:
    """Who wrote what, what cites what and so on: lines of CSV, the names of the columns first."""
    yield EDGES.encode()
    there = Work.deleted_at.is_(None)
    authored = (
        select(Authorship.person_id, Authorship.work_id, Authorship.position)
        .join(Work, Work.id == Authorship.work_id)
        .where(there, Authorship.person_id.is_not(None))
        .order_by(Authorship.work_id, Authorship.position)
    )
    for person, work, position in _streamed(session, authored):
        if person not in hidden:
            yield _edge("authored", f"A{person}", f"W{work}", position + 1)
    cited = Work.__table__.alias()
    cites = (
        select(Citation.citing_id, Citation.cited_id)
        .join(Work, Work.id == Citation.citing_id)
        .join(cited, cited.c.id == Citation.cited_id)
        .where(there, cited.c.deleted_at.is_(None))
        .distinct()
        .order_by(Citation.citing_id, Citation.cited_id)
    )
    for citing, other in _streamed(session, cites):
        yield _edge("cites", f"W{citing}", f"W{other}")
    about = (
        select(WorkTopic.work_id, WorkTopic.topic_id, WorkTopic.score)
        .join(Work, Work.id == WorkTopic.work_id)
        .where(there)
        .order_by(WorkTopic.work_id, WorkTopic.topic_id)
    )
    for work, topic, score in _streamed(session, about):
        yield _edge("topic", f"W{work}", f"T{topic}", "" if score is None else score)
    placed = (
        select(Authorship.person_id, AuthorshipInstitution.institution_id)
        .join(Authorship, Authorship.id == AuthorshipInstitution.authorship_id)
        .join(Work, Work.id == Authorship.work_id)
        .where(there, Authorship.person_id.is_not(None))
        .distinct()
        .order_by(Authorship.person_id, AuthorshipInstitution.institution_id)
    )
    for person, place in _streamed(session, placed):
        if person not in hidden:
            yield _edge("affiliated", f"A{person}", f"I{place}")
    published = select(Work.id, Work.venue_id).where(there, Work.venue_id.is_not(None))
    for work, venue in _streamed(session, published.order_by(Work.id)):
        yield _edge("published", f"W{work}", f"S{venue}")


def sources_of(session: Session) -> list[dict[str, str | None]]:
    """Who the record's statements are from, with the licence that is known of each; files are not named."""
    rows = session.execute(
        select(Source.name, Source.importer, Source.licence)
        .where(select(SourceRecord.id).where(SourceRecord.source_id == Source.id).exists())
        .order_by(Source.id)
    )
    return [
        {"name": name, "importer": importer, "licence": given} for name, importer, given in rows
    ]


def last_change(session: Session) -> int:
    """Number of the record's last change."""
    return session.scalar(select(Counter.value).where(Counter.name == "change")) or 0


def _edge(kind: str, source: str, target: str, value: object = "") -> bytes:
    return f"{kind},{source},{target},{value}\n".encode()


def _streamed(session: Session, statement: Select[*tuple[Any, ...]]) -> Iterator[Any]:
    return iter(session.execute(statement.execution_options(yield_per=5_000)))


def _chunks(session: Session, table: Any, *where: Any) -> Iterator[list[Any]]:
    columns, last = table.__table__, 0
    while True:
        statement = select(columns).where(table.id > last, *where).order_by(table.id).limit(CHUNK)
        rows = list(session.execute(statement))
        if not rows:
            return
        last = rows[-1].id
        yield rows


def _identifiers(
    session: Session, letter: str, numbers: list[int]
) -> defaultdict[int, dict[str, list[str]]]:
    found: defaultdict[int, dict[str, list[str]]] = defaultdict(dict)
    rows = session.execute(
        select(Identifier.entity_id, Identifier.scheme, Identifier.value).where(
            Identifier.entity == letter, Identifier.entity_id.in_(numbers)
        )
    )
    for number, scheme, value in sorted((n, s, v) for n, s, v in rows):
        found[number].setdefault(scheme, []).append(value)
    return found


__all__ = ["Part", "edges", "entities", "json_lines", "last_change", "people", "record_parts",
           "sources_of", "works"]  # fmt: skip
