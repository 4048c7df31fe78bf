"""Joined works into the tables: new ones as bulk rows, known ones as the difference to what is there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select

from peerscope.record.bulk import Ids, chunks, fetch_in, insert_rows, table_of
from peerscope.record.citations import release_citations, resolve_citations
from peerscope.record.entities import Entities
from peerscope.record.join import Joined
from peerscope.record.match import find_owners
from peerscope.record.models import (
    Artifact,
    Authorship,
    AuthorshipInstitution,
    Citation,
    Identifier,
    Notice,
    Person,
    SourceRecord,
    Topic,
    Version,
    Work,
    WorkTopic,
)
from peerscope.record.rows import (
    AUTHOR_COLUMNS,
    CITATION_COLUMNS,
    RECORD_COLUMNS,
    WORK_COLUMNS,
    WORK_SHOWN,
    artifact_values,
    author_values,
    notice_values,
    shown,
    version_values,
)

Pair = tuple[str, str]
_LISTS: dict[type[Any], tuple[str, tuple[str, ...], Any]] = {
    Version: (
        "version",
        ("kind", "venue", "year", "scheme", "value", "url", "source_id"),
        version_values,
    ),
    Artifact: ("artifact", ("kind", "url", "source_id"), artifact_values),
    Notice: ("notice", ("kind", "date", "url", "source_id"), notice_values),
}
_INSERTS: tuple[tuple[type[Any], tuple[str, ...]], ...] = (
    (Work, WORK_COLUMNS),
    (SourceRecord, RECORD_COLUMNS),
    (Identifier, ("entity", "scheme", "value", "entity_id", "source_id")),
    (Authorship, AUTHOR_COLUMNS),
    (AuthorshipInstitution, ("authorship_id", "institution_id", "source_id")),
    (WorkTopic, ("work_id", "topic_id", "score", "source_id")),
    (Citation, CITATION_COLUMNS),
    *((model, ("id", "work_id", *columns)) for model, (_, columns, _) in _LISTS.items()),
)
"""Parents before children: the order in which a batch is written."""


class Store:
    """Writes one batch inside the caller's transaction.

    Args:
        owners: Which work holds which identifier, complete for the identifiers and references of the
            batch; identifiers claimed by the batch are in it already.
    """

    def __init__(
        self,
        connection: Connection,
        ids: Ids,
        entities: Entities,
        owners: dict[Pair, int],
        now: Any,
    ) -> None:
        self._connection = connection
        self._ids = ids
        self._entities = entities
        self._owners = owners
        self._now = now
        self._rows: dict[type[Any], list[tuple[Any, ...]]] = defaultdict(list)
        self._gained: list[tuple[str, str, int]] = []

    def add_record(self, values: Sequence[Any]) -> None:
        """Queue a source record (`RECORD_COLUMNS`)."""
        self._rows[SourceRecord].append(tuple(values))

    def add_work(self, work_id: int, joined: Joined) -> None:
        """Queue a work that is not in the tables yet."""
        venue = self._entities.venue(self._ids, joined)
        seq = self._ids.take("change")
        values = shown(joined, venue, seq, self._now)
        self._rows[Work].append((work_id, *values, len(joined.authors), 0, 0, self._now))
        self._add_ids(work_id, joined)
        for position, (author, source) in enumerate(joined.authors):
            number = self._ids.take("authorship")
            self._rows[Authorship].append(
                (number, work_id, position, *author_values(author, source))
            )
            if author.institutions:
                self._add_institutions(number, author.institutions, source)
        if joined.topics:
            self._rows[WorkTopic].extend(self._topic_rows(work_id, joined))
        self._add_citations(work_id, joined, joined.references)
        for model, (_, _, values_of) in _LISTS.items():
            for row in values_of(joined):
                self._rows[model].append((self._ids.take(model.__tablename__), work_id, *row))

    def update_works(self, works: Mapping[int, Joined]) -> None:
        """Bring works that are in the tables to what their sources now state together."""
        if not works:
            return
        self._update_fields(works)
        self._update_ids(works)
        self._update_authors(works)
        self._update_topics(works)
        self._update_citations(works)
        for model, (name, columns, values_of) in _LISTS.items():
            self._update_list(model, name, columns, {w: values_of(j) for w, j in works.items()})

    def flush(self) -> None:
        """Write the queue, then let references find the works that are new."""
        self._entities.flush(self._connection)
        for model, columns in _INSERTS:
            insert_rows(self._connection, model, columns, self._rows[model])
        self._rows.clear()
        resolve_citations(self._connection, self._gained)
        self._gained.clear()

    def _add_ids(self, work_id: int, joined: Joined, held: frozenset[Pair] = frozenset()) -> None:
        for scheme, value, source in joined.ids:
            pair = (scheme, value)
            if pair not in held and self._owners.setdefault(pair, work_id) == work_id:
                self._rows[Identifier].append(("W", scheme, value, work_id, source))
                self._gained.append((scheme, value, work_id))

    def _add_institutions(self, authorship: int, stated: Sequence[Any], source: int) -> None:
        found = [self._entities.institution(self._ids, i, source) for i in stated]
        self._rows[AuthorshipInstitution].extend(
            (authorship, number, source) for number in dict.fromkeys(found) if number is not None
        )

    def _topic_rows(self, work_id: int, joined: Joined) -> list[tuple[Any, ...]]:
        rows: dict[int, tuple[Any, ...]] = {}
        for topic, source in joined.topics:
            number = self._entities.topic(self._ids, topic, source)
            if number is not None:
                rows.setdefault(number, (work_id, number, topic.score, source))
        return list(rows.values())

    def _add_citations(self, work_id: int, joined: Joined, keys: Any) -> None:
        if not keys:
            return
        own = {(scheme, value) for scheme, value, _ in joined.ids}
        for key in keys:
            scheme, value, raw, source = joined.references[key]
            cited = None
            if scheme is not None and value is not None:
                if (scheme, value) in own:
                    continue
                cited = self._owners.get((scheme, value))
                if cited == work_id:
                    continue
            self._rows[Citation].append(
                (self._ids.take("citation"), work_id, cited, key, scheme, value, raw, source)
            )

    def _update_fields(self, works: Mapping[int, Joined]) -> None:
        work = table_of(Work)
        venues = {w: self._entities.venue(self._ids, j) for w, j in works.items()}
        # Before the update below: a work may point at a venue that this batch has made.
        self._entities.flush(self._connection)
        rows = []
        for work_id, joined in works.items():
            values = shown(joined, venues[work_id], self._ids.take("change"), self._now)
            row = dict(zip(WORK_SHOWN, values, strict=True))
            row.pop("updated_at")
            rows.append({"row_id": work_id, "authors_count": len(joined.authors), **row})
        columns = ["authors_count", *(c for c in WORK_SHOWN if c != "updated_at")]
        self._connection.execute(
            work.update()
            .where(work.c.id == bindparam("row_id"))
            .values({c: bindparam(c) for c in columns}),
            rows,
        )
        for part in chunks(works):
            self._connection.execute(
                work.update().where(work.c.id.in_(part)).values(updated_at=datetime.now(UTC))
            )

    def _update_ids(self, works: Mapping[int, Joined]) -> None:
        ident = table_of(Identifier)
        query = select(ident.c.entity_id, ident.c.scheme, ident.c.value, ident.c.source_id).where(
            ident.c.entity == "W"
        )
        held: dict[int, dict[Pair, int]] = defaultdict(dict)
        for work_id, scheme, value, source in fetch_in(
            self._connection, query, ident.c.entity_id, works
        ):
            held[work_id][(scheme, value)] = source
        wanted = {w: {(s, v) for s, v, _ in j.ids} for w, j in works.items()}
        unknown = {
            p for w, ps in wanted.items() for p in ps - held[w].keys() if p not in self._owners
        }
        for pair, owner in find_owners(self._connection, unknown).items():
            self._owners.setdefault(pair, owner)
        lost = [(s, v, w) for w in works for s, v in held[w].keys() - wanted[w]]
        for scheme, value, work_id in lost:
            self._connection.execute(
                ident.delete().where(
                    ident.c.entity == "W", ident.c.scheme == scheme, ident.c.value == value
                )
            )
            if self._owners.get((scheme, value)) == work_id:
                del self._owners[(scheme, value)]
        release_citations(self._connection, lost)
        for work_id, joined in works.items():
            self._add_ids(work_id, joined, frozenset(held[work_id]))
            for scheme, value, source in joined.ids:
                if held[work_id].get((scheme, value), source) != source:
                    # Who stated it first among the sources has changed.
                    self._connection.execute(
                        ident.update()
                        .where(
                            ident.c.entity == "W",
                            ident.c.scheme == scheme,
                            ident.c.value == value,
                        )
                        .values(source_id=source)
                    )

    def _update_authors(self, works: Mapping[int, Joined]) -> None:
        """Keep the row of every author who stays: decisions about whose it is hang on it."""
        author = table_of(Authorship)
        there: dict[int, list[Any]] = defaultdict(list)
        query = select(*(author.c[c] for c in AUTHOR_COLUMNS), author.c.person_id)
        for row in fetch_in(
            self._connection, query.order_by(author.c.position), author.c.work_id, works
        ):
            there[row.work_id].append(row)
        changed: list[dict[str, Any]] = []
        gone: list[int] = []
        touched: set[int] = set()
        stated: dict[int, tuple[Sequence[Any], int]] = {}
        for work_id, joined in works.items():
            old = {row.position: row for row in there[work_id]}
            by_name: dict[str, list[Any]] = defaultdict(list)
            for row in there[work_id]:
                by_name[row.name_key].append(row)
            kept: set[int] = set()
            for position, (person, source) in enumerate(joined.authors):
                values = author_values(person, source)
                row = _same_author(old.get(position), by_name.get(values[1], []), values[1], kept)
                if row is None:
                    number = self._ids.take("authorship")
                    self._rows[Authorship].append((number, work_id, position, *values))
                else:
                    number = row.id
                    kept.add(number)
                    if tuple(row[2 : len(AUTHOR_COLUMNS)]) != (position, *values):
                        names = AUTHOR_COLUMNS[2:]
                        pairs = zip(names, (position, *values), strict=True)
                        changed.append({"row_id": number, **dict(pairs)})
                stated[number] = (person.institutions, source)
            for row in there[work_id]:
                if row.id not in kept:
                    gone.append(row.id)
                    if row.person_id is not None:
                        touched.add(row.person_id)
        self._write_authors(works, changed, gone)
        self._update_affiliations(stated, [r.id for rows in there.values() for r in rows])
        # A person who lost a work must be looked at again (see `identity`).
        for person_id in touched:
            people = table_of(Person)
            self._connection.execute(
                people.update()
                .where(people.c.id == person_id)
                .values(change_seq=self._ids.take("change"))
            )

    def _write_authors(
        self, works: Mapping[int, Joined], changed: list[dict[str, Any]], gone: list[int]
    ) -> None:
        author, link = table_of(Authorship), table_of(AuthorshipInstitution)
        for part in chunks(gone):
            self._connection.execute(link.delete().where(link.c.authorship_id.in_(part)))
            self._connection.execute(author.delete().where(author.c.id.in_(part)))
        if not changed:
            return
        # Two steps, because positions may change places and are unique within a work at every moment.
        for part in chunks(row["row_id"] for row in changed):
            self._connection.execute(
                author.update().where(author.c.id.in_(part)).values(position=-1 - author.c.position)
            )
        self._connection.execute(
            author.update()
            .where(author.c.id == bindparam("row_id"))
            .values({c: bindparam(c) for c in AUTHOR_COLUMNS[2:]}),
            changed,
        )

    def _update_affiliations(
        self, stated: Mapping[int, tuple[Sequence[Any], int]], old: Sequence[int]
    ) -> None:
        link = table_of(AuthorshipInstitution)
        query = select(link.c.authorship_id, link.c.institution_id)
        there: dict[int, set[int]] = defaultdict(set)
        for authorship, institution in fetch_in(self._connection, query, link.c.authorship_id, old):
            there[authorship].add(institution)
        for authorship, (institutions, source) in stated.items():
            found = [self._entities.institution(self._ids, i, source) for i in institutions]
            wanted = {n for n in found if n is not None}
            for number in there[authorship] - wanted:
                self._connection.execute(
                    link.delete().where(
                        link.c.authorship_id == authorship, link.c.institution_id == number
                    )
                )
            self._rows[AuthorshipInstitution].extend(
                (authorship, number, source) for number in sorted(wanted - there[authorship])
            )

    def _update_topics(self, works: Mapping[int, Joined]) -> None:
        """Only topics that sources give: this site's own suggestions stay as they are."""
        link, topic = table_of(WorkTopic), table_of(Topic)
        query = (
            select(link.c.work_id, link.c.topic_id, link.c.score, link.c.source_id)
            .join(topic, topic.c.id == link.c.topic_id)
            .where(topic.c.origin == "given")
        )
        there: dict[int, set[tuple[Any, ...]]] = defaultdict(set)
        for row in fetch_in(self._connection, query, link.c.work_id, works):
            there[row.work_id].add(tuple(row))
        for work_id, joined in works.items():
            wanted = set(self._topic_rows(work_id, joined))
            for row in there[work_id] - wanted:
                self._connection.execute(
                    link.delete().where(link.c.work_id == work_id, link.c.topic_id == row[1])
                )
            self._rows[WorkTopic].extend(sorted(wanted - there[work_id], key=lambda r: r[1]))

    def _update_citations(self, works: Mapping[int, Joined]) -> None:
        cite = table_of(Citation)
        query = select(cite.c.citing_id, cite.c.ref_key, cite.c.id, cite.c.raw, cite.c.source_id)
        there: dict[int, dict[str, tuple[int, Any]]] = defaultdict(dict)
        for citing, key, number, raw, source in fetch_in(
            self._connection, query, cite.c.citing_id, works
        ):
            there[citing][key] = (number, (raw, source))
        own = {w: {f"{s}:{v}" for s, v, _ in joined.ids} for w, joined in works.items()}
        gone = [
            number
            for work_id, joined in works.items()
            for key, (number, _) in there[work_id].items()
            if key not in joined.references or key in own[work_id]
        ]
        changed = [
            {"row_id": number, "raw": raw, "source_id": source}
            for work_id, joined in works.items()
            for key, (_, _, raw, source) in joined.references.items()
            for number, said in (there[work_id].get(key, (0, (raw, source))),)
            if said != (raw, source)
        ]
        if changed:
            self._connection.execute(
                cite.update()
                .where(cite.c.id == bindparam("row_id"))
                .values(raw=bindparam("raw"), source_id=bindparam("source_id")),
                changed,
            )
        for part in chunks(gone):
            self._connection.execute(cite.delete().where(cite.c.id.in_(part)))
        refs = [
            (scheme, value)
            for joined in works.values()
            for scheme, value, _, _ in joined.references.values()
            if scheme is not None and value is not None and (scheme, value) not in self._owners
        ]
        for pair, owner in find_owners(self._connection, refs).items():
            self._owners.setdefault(pair, owner)
        for work_id, joined in works.items():
            new = [key for key in joined.references if key not in there[work_id]]
            self._add_citations(work_id, joined, new)

    def _update_list(
        self,
        model: type[Any],
        counter: str,
        columns: tuple[str, ...],
        works: Mapping[int, list[tuple[Any, ...]]],
    ) -> None:
        table = table_of(model)
        query = select(table.c.work_id, table.c.id, *(table.c[c] for c in columns))
        there: dict[int, dict[tuple[Any, ...], int]] = defaultdict(dict)
        for row in fetch_in(self._connection, query, table.c.work_id, works):
            there[row.work_id][tuple(row[2:])] = row.id
        gone = [n for w, old in there.items() for key, n in old.items() if key not in set(works[w])]
        for part in chunks(gone):
            self._connection.execute(table.delete().where(table.c.id.in_(part)))
        for work_id, wanted in works.items():
            for row in wanted:
                if row not in there[work_id]:
                    self._rows[model].append((self._ids.take(counter), work_id, *row))


def _same_author(here: Any, named: list[Any], key: str, kept: set[int]) -> Any:
    """The row of this author: the one in this place if its name agrees, else one of that name."""
    if here is not None and here.name_key == key and here.id not in kept:
        return here
    return next((row for row in named if row.id not in kept), None)
