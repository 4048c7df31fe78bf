"""The record as a catalogue: works become items, the record's own links become interactions.

A new site has no readers, so the record is the teacher (design, "retrieval"): who cites whom, who wrote
what and what was published together stand in for clicks until there are some.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, aliased

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
from peerscope.retrieval.examples import kept_aside
from peerscope.retrieval.schema import Interaction, Item

CHUNK = 2000
"""Works read at a time, so that a scan of any record stays in bounded memory."""

LISTED_AUTHORS = 200
"""Authors of one work that become searchable; a collaboration of thousands would drown its title."""

FACETS = ("type", "year", "topic", "venue", "institution", "person", "open_access")
"""The categorical fields of every item; the numbers of entities stand as their values."""

LABELLED: dict[str, type[Topic | Venue | Person | Institution]] = {
    "topic": Topic,
    "venue": Venue,
    "person": Person,
    "institution": Institution,
}
"""Facets whose values are numbers of entities, with the table that names them."""

INTERACTION_WEIGHTS = {"cites": 1.0, "same_person": 0.3, "same_venue": 0.1, "wrote": 1.0}
"""Relative frequency of the self-made pairs: a citation says more than a shared name or venue. What somebody
wrote has no query: it is history, and its weight counts for nothing."""


@dataclass(slots=True)
class _Links:
    """What hangs on the works of one chunk, by work id."""

    people: dict[int, list[str]]
    names: dict[int, list[str]]
    institutions: dict[int, list[str]]
    topics: dict[int, list[str]]


def catalogue(session: Session) -> Iterator[Item]:
    """Every living work as an item, in order of id, streamed in chunks of `CHUNK`."""
    last = 0
    while True:
        rows = _works(session, (Work.id > last) & Work.deleted_at.is_(None))
        if not rows:
            return
        yield from _items(session, rows)
        last = rows[-1].id


def items_of(session: Session, work_ids: Sequence[int]) -> list[Item]:
    """The named works as items; deleted and unknown ones are left out."""
    found: list[Item] = []
    wanted = sorted(set(work_ids))
    for start in range(0, len(wanted), CHUNK):
        part = wanted[start : start + CHUNK]
        found += _items(session, _works(session, Work.id.in_(part) & Work.deleted_at.is_(None)))
    return found


class _WorkRow(NamedTuple):
    """The columns of one work that an item needs, in the order of the statement."""

    id: int
    title: str
    abstract: str | None
    summary: str | None
    type: str
    year: int | None
    venue_id: int | None
    venue: str | None
    is_oa: bool | None
    doi: str | None
    arxiv_id: str | None


def _works(session: Session, condition: ColumnElement[bool]) -> list[_WorkRow]:
    statement = (
        select(
            Work.id, Work.title, Work.abstract, Work.summary, Work.type, Work.publication_year,
            Work.venue_id, Venue.display_name, Work.is_oa, Work.doi, Work.arxiv_id,
        )
        .outerjoin(Venue, Venue.id == Work.venue_id)
        .where(condition)
        .order_by(Work.id)
        .limit(CHUNK)
    )  # fmt: skip
    return [_WorkRow(*row) for row in session.execute(statement)]


def _links(session: Session, low: int, high: int, wanted: set[int]) -> _Links:
    links = _Links(defaultdict(list), defaultdict(list), defaultdict(list), defaultdict(list))
    authors = (
        select(Authorship.work_id, Authorship.person_id, Authorship.raw_name)
        .where(Authorship.work_id.between(low, high), Authorship.position < LISTED_AUTHORS)
        .order_by(Authorship.work_id, Authorship.position)
    )
    for work_id, person_id, raw_name in session.execute(authors):
        if work_id in wanted:
            links.names[work_id].append(raw_name)
            if person_id is not None:
                links.people[work_id].append(str(person_id))
    places = (
        select(Authorship.work_id, AuthorshipInstitution.institution_id)
        .join(AuthorshipInstitution, AuthorshipInstitution.authorship_id == Authorship.id)
        .where(Authorship.work_id.between(low, high))
        .distinct()
    )
    for work_id, institution_id in session.execute(places):
        if work_id in wanted:
            links.institutions[work_id].append(str(institution_id))
    subjects = select(WorkTopic.work_id, WorkTopic.topic_id).where(
        WorkTopic.work_id.between(low, high)
    )
    for work_id, topic_id in session.execute(subjects):
        if work_id in wanted:
            links.topics[work_id].append(str(topic_id))
    return links


def _items(session: Session, rows: list[_WorkRow]) -> list[Item]:
    if not rows:
        return []
    links = _links(session, rows[0].id, rows[-1].id, {row.id for row in rows})
    return [_item(row, links) for row in rows]


def _item(row: _WorkRow, links: _Links) -> Item:
    fields: dict[str, tuple[str, ...]] = {"type": (row.type,)}
    if row.year is not None:
        fields["year"] = (str(row.year),)
    if row.venue_id is not None:
        fields["venue"] = (str(row.venue_id),)
    if row.is_oa is not None:
        fields["open_access"] = ("yes" if row.is_oa else "no",)
    for name, values in (
        ("person", links.people),
        ("institution", links.institutions),
        ("topic", links.topics),
    ):
        if found := values.get(row.id):
            fields[name] = tuple(dict.fromkeys(found))
    names = [*links.names.get(row.id, ()), row.venue or "", row.doi or "", row.arxiv_id or ""]
    return Item(
        id=row.id,
        title=row.title,
        text=row.abstract or row.summary or "",
        names=" ; ".join(name for name in names if name),
        fields=fields,
    )


def interactions(session: Session, *, limit: int = 400_000, seed: int = 0) -> list[Interaction]:
    """Self-made pairs from the links of the record, at most ``limit`` of each kind.

    Kinds: ``cites`` (title of the citing work -> cited work), ``same_person`` (title -> another work of
    the person) and ``same_venue`` (title -> another work of the venue and year). Where there are more
    than ``limit``, an evenly drawn sample (by ``seed``) stands for them.

    A citing work is asked for by its first author, who had written and cited other works before: so the
    record also teaches what a history is worth (``wrote`` are the works that they met by writing them).
    Queries that are kept aside are nobody's, so that bundles are judged on what everyone is shown.
    """
    cites = _sampled(_cites(session), limit, seed)
    askers = {pair.user_id for pair in cites if pair.user_id is not None}
    return [
        *cites,
        *_sampled(_consecutive(session, "same_person"), limit, seed),
        *_sampled(_consecutive(session, "same_venue"), limit, seed),
        *_sampled(_wrote(session, askers), limit, seed),
    ]


def _sampled(pairs: Iterator[Interaction], limit: int, seed: int) -> list[Interaction]:
    """Reservoir sample (Vitter 1985, algorithm R): one pass, ``limit`` pairs in memory."""
    generator = random.Random(seed)  # noqa: S311 - a sample for training, not a secret
    kept: list[Interaction] = []
    for seen, pair in enumerate(pairs):
        if seen < limit:
            kept.append(pair)
        else:
            place = generator.randint(0, seen)
            if place < limit:
                kept[place] = pair
    return kept


def _cites(session: Session) -> Iterator[Interaction]:
    citing, cited = aliased(Work), aliased(Work)
    first = (Authorship.work_id == Citation.citing_id) & (Authorship.position == 0)
    statement = (
        select(citing.title, citing.publication_year, citing.publication_date,
               Citation.cited_id, Authorship.person_id)
        .join(citing, citing.id == Citation.citing_id)
        .join(cited, cited.id == Citation.cited_id)
        .outerjoin(Authorship, first)
        .where(citing.deleted_at.is_(None), cited.deleted_at.is_(None))
        .execution_options(yield_per=CHUNK)
    )  # fmt: skip
    for title, year, date, cited_id, person_id in session.execute(statement):
        assert cited_id is not None
        time = time_of(year, date)
        asker = None
        if person_id is not None and time is not None and not kept_aside(title):
            asker = author_name(person_id)
        weight = INTERACTION_WEIGHTS["cites"]
        yield Interaction(title, cited_id, asker, "cites", weight, time if asker else None)


def _wrote(session: Session, askers: Set[str]) -> Iterator[Interaction]:
    """Works by those who ask for others, as something that they met."""
    statement = (
        select(Authorship.person_id, Work.id, Work.publication_year, Work.publication_date)
        .join(Work, Work.id == Authorship.work_id)
        .where(Authorship.person_id.is_not(None), Work.deleted_at.is_(None))
        .order_by(Authorship.id)
        .execution_options(yield_per=CHUNK)
    )
    for person_id, work_id, year, date in session.execute(statement):
        assert person_id is not None
        name, time = author_name(person_id), time_of(year, date)
        if name in askers and time is not None:
            weight = INTERACTION_WEIGHTS["wrote"]
            yield Interaction("", work_id, name, "wrote", weight, time)


def author_name(person_id: int) -> str:
    """How training calls a person of the record who stands in for a reader."""
    return f"a{person_id}"


def time_of(year: int | None, date: str | None) -> float | None:
    """When a work appeared, in years: to the day, the month or, without a date, the beginning of its year."""
    if year is None:
        return None
    _, month, day = (*(int(part) for part in (date or "").split("-") if part.isdigit()), 1, 1, 1)[
        :3
    ]
    return year + (min(max(month, 1), 12) - 1) / 12 + (min(max(day, 1), 31) - 1) / 372


def _consecutive(session: Session, kind: str) -> Iterator[Interaction]:
    """Pairs of neighbours in a person's (or venue's and year's) list of works, one for each work."""
    if kind == "same_person":
        statement = (
            select(Authorship.person_id, Work.id, Work.title)
            .join(Work, Work.id == Authorship.work_id)
            .where(Authorship.person_id.is_not(None), Work.deleted_at.is_(None))
            .order_by(Authorship.person_id, Work.publication_year, Work.id)
        )
    else:
        statement = (
            select(Work.venue_id, Work.id, Work.title)
            .where(Work.venue_id.is_not(None), Work.deleted_at.is_(None))
            .order_by(Work.venue_id, Work.publication_year, Work.id)
        )
    previous: tuple[int | None, int] | None = None
    for group, work_id, title in session.execute(statement.execution_options(yield_per=CHUNK)):
        if previous is not None and previous[0] == group and previous[1] != work_id:
            yield Interaction(title, previous[1], kind=kind, weight=INTERACTION_WEIGHTS[kind])
        previous = (group, work_id)


def facet_labels(session: Session, facet: str, values: Sequence[str]) -> dict[str, str]:
    """What a reader sees for the values of an entity facet (``topic``, ``venue``, ...); one statement.

    Unknown values are left out; facets whose values are words already (``year``, ``type``) give ``{}``.
    """
    table = LABELLED.get(facet)
    if table is None or not values:
        return {}
    numbers = [int(value) for value in values]
    rows = session.execute(select(table.id, table.display_name).where(table.id.in_(numbers)))
    return {str(key): name for key, name in rows}
