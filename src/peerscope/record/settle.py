"""Venues, topics and institutions after a source was withdrawn: named by those who still state them.

What nobody names any more is gone. What the source had named first takes the name of the first statement that
remains, and keeps the identifiers that remain; works that were led here by an identifier of the source alone
are led anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from peerscope.record.bulk import Ids, chunks, fetch_in, table_of, timestamp
from peerscope.record.entities import VENUE_TYPES, Entities
from peerscope.record.join import Joined
from peerscope.record.models import (
    Authorship,
    AuthorshipInstitution,
    Identifier,
    Institution,
    Topic,
    Venue,
    Work,
    WorkTopic,
)
from peerscope.record.regroup import joined_from, records_of
from peerscope.record.runs import SourceInfo, read_sources
from peerscope.record.store import Store
from peerscope.record.text import name_key

Pair = tuple[str, str]
Names = Iterator[tuple[str, dict[str, str], dict[str, int], int, dict[str, Any]]]
"""Name, identifiers, the source of each where they have several, source of the name, further columns."""


@dataclass(frozen=True, slots=True)
class _Named:
    """An entity as one work shows it; ``record`` is the source record that says so."""

    record: int
    work_id: int
    source_id: int
    name: str
    ids: Mapping[Pair, int]
    rest: Mapping[str, Any]

    @property
    def key(self) -> str:
        return name_key(self.name)


def _venues(work: Joined) -> Names:
    name = work.fields["venue"]
    if name:
        giver = work.field_sources.get("venue", work.source_id)
        kind = VENUE_TYPES.get(work.fields["type"])
        yield name, work.venue_ids, work.venue_id_sources, giver, {"type": kind}


def _topics(work: Joined) -> Names:
    for topic, source in work.topics:
        yield topic.name, topic.ids, {}, source, {}


def _institutions(work: Joined) -> Names:
    for author, source in work.authors:
        for one in author.institutions:
            ror = one.ids.get("ror")
            columns = {
                "ror": ror if ror and len(ror) <= 16 else None,
                "country_code": one.country if one.country and len(one.country) == 2 else None,
                "type": one.type[:32] if one.type else None,
            }
            yield one.name, one.ids, {}, source, columns


@dataclass(frozen=True, slots=True)
class _Kind:
    letter: str
    model: type[Any]
    unique: bool
    linked: Any
    """A selection of entity and work of each link."""
    shown: Callable[[Joined], Names]


_KINDS = (
    _Kind("S", Venue, True, select(Work.venue_id, Work.id).where(Work.venue_id.is_not(None)), _venues),
    _Kind("T", Topic, True, select(WorkTopic.topic_id, WorkTopic.work_id), _topics),
    _Kind(
        "I", Institution, False,
        select(AuthorshipInstitution.institution_id, Authorship.work_id)
        .join(Authorship, Authorship.id == AuthorshipInstitution.authorship_id),
        _institutions,
    ),
)  # fmt: skip


def settle_entities(connection: Connection, ids: Ids, source_id: int) -> None:
    """Name and identify without a source what it had named, and drop what nobody names any more.

    Args:
        connection: Inside a transaction; no record of the source is left.
        ids: Its counters; the caller saves them.
        source_id: The source that was withdrawn.
    """
    sources = read_sources(connection)
    astray: set[int] = set()
    for kind in _KINDS:
        for number in _named_by(connection, kind, source_id):
            astray |= _settle(connection, kind, number, sources)
    if astray:
        _lead_anew(connection, ids, sorted(astray), sources)
        for kind in _KINDS:
            for number in _linked_from(connection, kind, sorted(astray)):
                _settle(connection, kind, number, sources)
    for kind in _KINDS:
        _drop_unnamed(connection, kind)


def _named_by(connection: Connection, kind: _Kind, source_id: int) -> list[int]:
    table, ident = table_of(kind.model), table_of(Identifier)
    rows = set(connection.scalars(select(table.c.id).where(table.c.source_id == source_id)))
    rows |= set(
        connection.scalars(
            select(ident.c.entity_id).where(
                ident.c.entity == kind.letter, ident.c.source_id == source_id
            )
        )
    )
    return _given(connection, kind, rows)


def _linked_from(connection: Connection, kind: _Kind, works: list[int]) -> list[int]:
    work = list(kind.linked.selected_columns)[1]
    return _given(
        connection, kind, {row[0] for row in fetch_in(connection, kind.linked, work, works)}
    )


def _given(connection: Connection, kind: _Kind, numbers: set[int]) -> list[int]:
    """Without the topics that this site suggests: no source names these."""
    if kind.model is Topic:
        given = select(Topic.id).where(Topic.origin == "given")
        return sorted(row[0] for row in fetch_in(connection, given, Topic.id, sorted(numbers)))
    return sorted(numbers)


def _settle(
    connection: Connection, kind: _Kind, number: int, sources: Mapping[int, SourceInfo]
) -> set[int]:
    """Settle one entity; the works that are no longer led to it."""
    table, ident = table_of(kind.model), table_of(Identifier)
    entity, work = list(kind.linked.selected_columns)
    works = set(connection.scalars(kind.linked.where(entity == number).with_only_columns(work)))
    row = connection.execute(select(table).where(table.c.id == number)).one()
    held = {
        (scheme, value)
        for scheme, value in connection.execute(
            select(ident.c.scheme, ident.c.value).where(
                ident.c.entity == kind.letter, ident.c.entity_id == number
            )
        )
    }
    named = [
        one for one in _shown(connection, kind, works, sources)
        if one.key == row.name_key or one.ids.keys() & held
    ]  # fmt: skip
    core = _core(named, row.name_key)
    if core and core[0].key != row.name_key and kind.unique and _taken(connection, kind, core[0]):
        core = []
    kept: dict[Pair, int] = {}
    for one in reversed(core):
        kept |= one.ids
    for scheme, value in held:
        which = (
            (ident.c.entity == kind.letter) & (ident.c.scheme == scheme) & (ident.c.value == value)
        )
        if (scheme, value) not in kept:
            connection.execute(ident.delete().where(which))
        else:
            connection.execute(ident.update().where(which).values(source_id=kept[scheme, value]))
    if core:
        first = core[0]
        connection.execute(
            table.update()
            .where(table.c.id == number)
            .values(
                display_name=" ".join(first.name.split()), name_key=first.key,
                source_id=first.source_id, **first.rest,
            )
        )  # fmt: skip
    apart = {one.work_id for one in named if one not in core}
    return apart | (works - {one.work_id for one in core})


def _shown(
    connection: Connection, kind: _Kind, works: Iterable[int], sources: Mapping[int, SourceInfo]
) -> list[_Named]:
    """The entities that some works show, in the order in which their records came."""
    records = records_of(connection, works)
    numbers = {(one.work_id, one.source_id): one.id for one in records}
    found = [
        _Named(
            numbers[(work, source)], work, source, name,
            {(s, v): by.get(s, source) for s, v in stated.items()}, rest,
        )
        for work, joined in joined_from(records, sources).items()
        for name, stated, by, source, rest in kind.shown(joined)
    ]  # fmt: skip
    return sorted(found, key=lambda one: one.record)


def _core(named: Sequence[_Named], key: str) -> list[_Named]:
    """The statements that are of one entity also without the source: by the name, or by each other's ids."""
    begun = [one for one in named if one.key == key] or list(named[:1])
    keys, ids = {one.key for one in begun}, {pair for one in begun for pair in one.ids}
    while True:
        core = [one for one in named if one.key in keys or one.ids.keys() & ids]
        wider = ids | {pair for one in core for pair in one.ids}
        if wider == ids:
            return core
        ids = wider


def _taken(connection: Connection, kind: _Kind, one: _Named) -> bool:
    table = table_of(kind.model)
    query = select(table.c.id).where(table.c.name_key == one.key)
    if kind.model is Topic:
        query = query.where(table.c.origin == "given")
    return connection.scalar(query) is not None


def _lead_anew(
    connection: Connection, ids: Ids, works: list[int], sources: Mapping[int, SourceInfo]
) -> None:
    joined = joined_from(records_of(connection, works), sources)
    entities = Entities()
    entities.prepare(connection, joined.values())
    store = Store(connection, ids, entities, {}, timestamp(connection))
    store.update_works(joined)
    store.flush()


def _drop_unnamed(connection: Connection, kind: _Kind) -> None:
    table, ident = table_of(kind.model), table_of(Identifier)
    entity = next(iter(kind.linked.selected_columns))
    query = select(table.c.id).where(table.c.id.not_in(kind.linked.with_only_columns(entity)))
    if kind.model is Topic:
        query = query.where(table.c.origin == "given")
    for part in chunks(list(connection.scalars(query))):
        connection.execute(
            ident.delete().where(ident.c.entity == kind.letter, ident.c.entity_id.in_(part))
        )
        connection.execute(table.delete().where(table.c.id.in_(part)))
