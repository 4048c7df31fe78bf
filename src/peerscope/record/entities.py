"""Venues, institutions and topics by identifier or name: found in sets, made where they are missing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select

from peerscope.record.bulk import Ids, fetch_in, insert_rows, table_of
from peerscope.record.join import Joined
from peerscope.record.models import Identifier, Institution, Topic, Venue
from peerscope.record.parsed import ParsedInstitution, ParsedTopic
from peerscope.record.text import name_key

MAX_CACHED = 500_000
"""Names remembered between batches before the cache is emptied."""
VENUE_TYPES = {
    "journal-article": "journal",
    "review": "journal",
    "proceedings-article": "conference",
    "preprint": "repository",
}
_ROWS = {
    "S": (Venue, ("id", "display_name", "name_key", "type", "works_count", "source_id")),
    "I": (
        Institution,
        (
            "id",
            "display_name",
            "name_key",
            "ror",
            "country_code",
            "type",
            "works_count",
            "source_id",
        ),
    ),
    "T": (
        Topic,
        (
            "id",
            "display_name",
            "name_key",
            "origin",
            "keywords",
            "works_count",
            "source_id",
        ),
    ),
}
_COUNTERS = {"S": "venue", "I": "institution", "T": "topic"}


class Entities:
    """The things that works refer to, remembered over the batches of one import.

    Identifiers come first, then the normalised name. Two institutions may carry one name: a printed
    name without identifier then goes to the one without identifiers, never to a guess among others.
    """

    def __init__(self) -> None:
        self._by_id: dict[tuple[str, str, str], int] = {}
        self._by_name: dict[tuple[str, str], int] = {}
        self._seen_ids: set[tuple[str, str, str]] = set()
        self._seen_names: set[tuple[str, str]] = set()
        self._identified: set[int] = set()
        self._rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        self._identifiers: list[tuple[Any, ...]] = []

    def prepare(self, connection: Connection, works: Iterable[Joined]) -> None:
        """Look up everything that these works refer to and that is not remembered yet."""
        if len(self._seen_names) > MAX_CACHED:
            self.__init__()  # type: ignore[misc]
        ids: set[tuple[str, str, str]] = set()
        names: set[tuple[str, str]] = set()
        for joined in works:
            venue = joined.fields["venue"]
            if venue:
                names.add(("S", name_key(venue)))
                ids.update(("S", s, v) for s, v in joined.venue_ids.items())
            for topic, _ in joined.topics:
                names.add(("T", name_key(topic.name)))
                ids.update(("T", s, v) for s, v in topic.ids.items())
            for author, _ in joined.authors:
                for institution in author.institutions:
                    names.add(("I", name_key(institution.name)))
                    ids.update(("I", s, v) for s, v in institution.ids.items())
        self._find_ids(connection, ids - self._seen_ids)
        self._find_names(connection, names - self._seen_names)

    def venue(self, ids: Ids, joined: Joined) -> int | None:
        """Id of the venue of a work, ``None`` where it states none."""
        name = joined.fields["venue"]
        if not name:
            return None
        key = name_key(name)
        found = self._lookup("S", joined.venue_ids) or self._by_name.get(("S", key))
        if found is None:
            kind = VENUE_TYPES.get(joined.fields["type"])
            giver = joined.field_sources.get("venue", joined.source_id)
            found = self._make(ids, "S", key, name, kind, 0, giver)
        for scheme, value in joined.venue_ids.items():
            self._claim("S", {scheme: value}, found, joined.venue_id_sources[scheme])
        return found

    def topic(self, ids: Ids, topic: ParsedTopic, source_id: int) -> int | None:
        """Id of a topic that a source gives, ``None`` for a nameless one."""
        key = name_key(topic.name)
        if not key:
            return None
        found = self._lookup("T", topic.ids) or self._by_name.get(("T", key))
        if found is None:
            found = self._make(ids, "T", key, topic.name, "given", None, 0, source_id)
        self._claim("T", topic.ids, found, source_id)
        return found

    def institution(self, ids: Ids, stated: ParsedInstitution, source_id: int) -> int | None:
        """Id of an institution as stated, ``None`` for a nameless one."""
        key = name_key(stated.name)
        if not key:
            return None
        found = self._lookup("I", stated.ids)
        if found is None:
            named = self._by_name.get(("I", key))
            if named is not None and not (stated.ids and named in self._identified):
                found = named
        if found is None:
            ror = stated.ids.get("ror")
            country = stated.country if stated.country and len(stated.country) == 2 else None
            kind = stated.type[:32] if stated.type else None
            ror = ror if ror and len(ror) <= 16 else None
            found = self._make(ids, "I", key, stated.name, ror, country, kind, 0, source_id)
        self._claim("I", stated.ids, found, source_id)
        return found

    def flush(self, connection: Connection) -> None:
        """Write what was made since the last time."""
        for entity, rows in self._rows.items():
            model, columns = _ROWS[entity]
            insert_rows(connection, model, columns, rows)
        insert_rows(
            connection,
            Identifier,
            ("entity", "scheme", "value", "entity_id", "source_id"),
            self._identifiers,
        )
        self._rows.clear()
        self._identifiers.clear()

    def _lookup(self, entity: str, stated: dict[str, str]) -> int | None:
        for scheme, value in stated.items():
            found = self._by_id.get((entity, scheme, value))
            if found is not None:
                return found
        return None

    def _make(self, ids: Ids, entity: str, key: str, name: str, *rest: Any) -> int:
        number = ids.take(_COUNTERS[entity])
        shown = " ".join(name.split())
        self._rows[entity].append((number, shown, key, *rest))
        self._by_name.setdefault((entity, key), number)
        self._seen_names.add((entity, key))
        return number

    def _claim(self, entity: str, stated: dict[str, str], number: int, source_id: int) -> None:
        for scheme, value in stated.items():
            key = (entity, scheme, value)
            if key in self._by_id or not value or len(scheme) > 16 or len(value) > 500:
                continue
            self._by_id[key] = number
            self._seen_ids.add(key)
            if entity == "I":
                self._identified.add(number)
            self._identifiers.append((entity, scheme, value, number, source_id))

    def _find_ids(self, connection: Connection, wanted: set[tuple[str, str, str]]) -> None:
        self._seen_ids |= wanted
        ident = table_of(Identifier)
        groups: dict[tuple[str, str], list[str]] = defaultdict(list)
        for entity, scheme, value in wanted:
            groups[(entity, scheme)].append(value)
        for (entity, scheme), values in groups.items():
            query = select(ident.c.value, ident.c.entity_id).where(
                ident.c.entity == entity, ident.c.scheme == scheme
            )
            for value, number in fetch_in(connection, query, ident.c.value, values):
                self._by_id[(entity, scheme, value)] = number
                if entity == "I":
                    self._identified.add(number)

    def _find_names(self, connection: Connection, wanted: set[tuple[str, str]]) -> None:
        self._seen_names |= wanted
        for entity, (model, _) in _ROWS.items():
            table = table_of(model)
            query = select(table.c.name_key, table.c.id).order_by(table.c.id)
            if entity == "T":
                query = query.where(table.c.origin == "given")
            keys = [key for e, key in wanted if e == entity]
            numbers: dict[str, list[int]] = defaultdict(list)
            for key, number in fetch_in(connection, query, table.c.name_key, keys):
                numbers[key].append(number)
            found = [n for ns in numbers.values() for n in ns] if entity == "I" else []
            self._identified |= _with_ids(connection, found)
            for key, ns in numbers.items():
                plain = [n for n in ns if n not in self._identified]
                # One bearer only: the name alone is enough. Several: only the one without ids.
                if len(ns) == 1 or plain:
                    self._by_name[(entity, key)] = plain[0] if plain else ns[0]


def _with_ids(connection: Connection, institutions: list[int]) -> set[int]:
    ident = table_of(Identifier)
    query = select(ident.c.entity_id).where(ident.c.entity == "I")
    return {row[0] for row in fetch_in(connection, query, ident.c.entity_id, institutions)}
