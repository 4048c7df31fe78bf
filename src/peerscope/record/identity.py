"""Whose authorship is it: identifiers first, then names with evidence, and "undecided" otherwise.

Order of the rules: (1) what people decided (`identity_events`), the newest first; (2) ORCID; (3)
identifiers that a source asserts for persons (`acl`, `openalex`, `starter`, ...), which join unless their
ORCIDs differ; (4) names within a block, with evidence (`blocks`, `evidence`). None joins what an earlier one
keeps apart. An event enters as one more identifier of the authorships that it names, so whatever follows
from it (new works that join, an undo) follows by the same resolution. A run looks at the name blocks that
changed since the last one (the watermark is the counter "identity"), is one transaction, and keeps the id of
a person with the cluster that holds most of the person's authorships. Ids are never used twice.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from sys import intern
from typing import Any

from sqlalchemy import Connection, func, select

from peerscope.record.blocks import Block, Decision, Groups
from peerscope.record.bulk import Ids, fetch_in, paused_collector, table_of
from peerscope.record.database import Database
from peerscope.record.evidence import MAX_SUBJECT_WORKS, Bearer, Surroundings
from peerscope.record.models import (
    Authorship,
    AuthorshipInstitution,
    Citation,
    Identifier,
    IdentityEvent,
    IdentityMark,
    Person,
    Topic,
    Venue,
    Work,
    WorkTopic,
)
from peerscope.record.names import parse_name
from peerscope.record.people import Cluster, Written, write_people
from peerscope.record.rarity import RecordNames
from peerscope.record.runs import Progress
from peerscope.record.text import name_key

WATERMARK = "identity"
EVENT = "event:"
"""Begins the scheme under which an event's labels stand beside identifiers."""

DETACHED = "out"
"""Begins the label of an authorship that is not the person's; whose it is stays open."""

NAME_ONLY_SCHEMES = frozenset(["hepth"])
"""Schemes whose values are names in disguise ("zhang_k"), not persons."""
PROGRESS_STEP = 2_000


@dataclass(slots=True)
class IdentityReport:
    """What one resolution did.

    Attributes:
        blocks: Name blocks looked at.
        authorships: Authorships in them.
        people: Persons to whom they belong now.
        new_people: Persons that were made.
        undecided: Authorships left without a person.
        changed: Authorships whose person changed.
        seconds: Wall-clock time.
    """

    blocks: int = 0
    authorships: int = 0
    people: int = 0
    new_people: int = 0
    undecided: int = 0
    changed: int = 0
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values, for JSON."""
        return asdict(self)


def resolve_people(
    database: Database, progress: Progress | None = None, *, everything: bool = False
) -> IdentityReport:
    """Decide whose each authorship is, as far as identifiers and evidence allow.

    Args:
        database: The record.
        progress: Called with "people", the blocks done, and all blocks.
        everything: Look at all blocks again, not only at those that changed.

    Raises:
        WriterBusyError: An import or another resolution is under way.
    """
    start = time.perf_counter()
    report = IdentityReport()
    with (
        database.writer("resolving people"),
        paused_collector(),
        database.begin() as session,
    ):
        connection = session.connection()
        ids = Ids(connection)
        scope = _Scope(connection, 0 if everything else ids.last(WATERMARK))
        report.blocks, report.authorships = len(scope.blocks), len(scope.bearers)
        if scope.blocks:
            clusters, undecided = _resolve(scope, progress)
            written = write_people(connection, ids, clusters, undecided, scope.rows)
            report.people, report.undecided = len(clusters), len(undecided)
            report.new_people, report.changed = written.new_people, len(written.moved)
        ids.set(WATERMARK, ids.last("change"))
        ids.save()
    report.seconds = time.perf_counter() - start
    return report


def resolve_blocks(
    connection: Connection, ids: Ids, blocks: Sequence[str], restored: Mapping[int, int | None]
) -> Written:
    """Decide some name blocks anew, inside the caller's transaction.

    Args:
        connection: Of the transaction.
        ids: Its counters; the caller saves them.
        blocks: Keys of the blocks.
        restored: Authorship to the person who holds it for the choice of who keeps an id, where that is not
            the one whose it is now.
    """
    scope = _Scope(connection, blocks=blocks)
    clusters, undecided = _resolve(scope, None)
    return write_people(connection, ids, clusters, undecided, scope.rows, restored)


@dataclass(slots=True)
class Held:
    """One authorship as the record holds it.

    Its strings are interned: names, blocks and rules repeat, and a record has several hundred thousand
    authorships.
    """

    id: int
    work_id: int
    person_id: int | None
    raw_name: str
    name_key: str
    block_key: str
    author_ids: str | None
    decided_by: str | None
    evidence: str | None
    source_id: int


class _Scope:
    """The authorships of the changed blocks, those elsewhere that share their identifiers, and more."""

    def __init__(
        self, connection: Connection, since: int = 0, blocks: Sequence[str] | None = None
    ) -> None:
        self._connection = connection
        self._whole = since == 0 and blocks is None
        self.rows: dict[int, Held] = {}
        self._block_of: dict[int, str] = {}
        self.groups = Groups()
        self.blocks: dict[str, list[Bearer]] = defaultdict(list)
        self.bearers: list[Bearer] = []
        touched = None if self._whole else list(self._touched(since) if blocks is None else blocks)
        if touched is not None and not touched:
            return
        for row in self._authorships(Authorship.block_key, touched):
            self.rows[row.id] = row
        self._inside = {row.block_key for row in self.rows.values()}
        self.events = self._events()
        if not self._whole:
            self._add_sharers()
        group_of = self._group()
        for number, row in self.rows.items():
            name = parse_name(row.name_key)
            group = group_of.get(number, -1)
            bearer = Bearer(number, row.work_id, name, row.name_key, row.raw_name, group)
            if row.block_key in self._inside:
                self.blocks[row.block_key].append(bearer)
            self.bearers.append(bearer)

    def _touched(self, since: int) -> list[str]:
        author, work, person = table_of(Authorship), table_of(Work), table_of(Person)
        changed = (
            select(author.c.block_key)
            .join(work, work.c.id == author.c.work_id)
            .where(work.c.change_seq > since)
        )
        # A person who lost an authorship since: the rest may no longer hold together.
        left = (
            select(author.c.block_key)
            .join(person, person.c.id == author.c.person_id)
            .where(person.c.change_seq > since)
        )
        return list(self._connection.scalars(changed.union(left)))

    def _authorships(self, column: Any, values: Iterable[Any] | None) -> Iterator[Held]:
        author, work = table_of(Authorship), table_of(Work)
        query = (
            select(*(author.c[one.name] for one in fields(Held)))
            .join(work, work.c.id == author.c.work_id)
            .where(work.c.deleted_at.is_(None))
            .order_by(author.c.id)
        )
        if values is None:
            rows: Iterable[Any] = self._connection.execute(query)
        else:
            rows = fetch_in(self._connection, query, author.c[column.key], values)
        for row in rows:
            cells: list[Any] = [intern(v) if isinstance(v, str) else v for v in row]
            yield Held(*cells)

    def _events(self) -> dict[int, list[tuple[str, str]]]:
        """Authorship to what events say of it, as (scheme, label), the newest first.

        Events are made by hand, so all of them fit into memory.
        """
        event, mark, author = table_of(IdentityEvent), table_of(IdentityMark), table_of(Authorship)
        rows = self._connection.execute(
            select(mark.c.authorship_id, event.c.id, mark.c.label, author.c.block_key)
            .join(event, event.c.id == mark.c.event_id)
            .join(author, author.c.id == mark.c.authorship_id)
            .where(event.c.undone_at.is_(None), mark.c.label != "")
            .order_by(event.c.id.desc())
        )
        found: dict[int, list[tuple[str, str]]] = defaultdict(list)
        for authorship, number, label, block in rows:
            found[authorship].append((f"{EVENT}{number}", label))
            self._block_of[authorship] = block
        return dict(found)

    def ids_of(self, row: Held) -> list[tuple[str, str]]:
        """What holds an authorship to others: labels of events, then identifiers."""
        return self.events.get(row.id, []) + person_ids(row.author_ids)

    def _add_sharers(self) -> None:
        """Load what meets this scope from other blocks: by an event the whole block, else the authorship.

        What an event parts or joins in one block decides what the names of another lead to.
        """
        ident = table_of(Identifier)
        done: set[tuple[str, str]] = set()
        fresh = list(self.rows.values())
        while fresh:
            told = {scheme for row in fresh for scheme, _ in self.events.get(row.id, ())}
            named = [n for n, said in self.events.items() if any(s in told for s, _ in said)]
            blocks = {self._block_of[n] for n in named} - self._inside
            self._inside |= blocks
            joined = list(self._authorships(Authorship.block_key, sorted(blocks)))
            fresh += [row for row in joined if row.id not in self.rows]
            self.rows.update((row.id, row) for row in joined)
            wanted = {pair for row in fresh for pair in person_ids(row.author_ids)} - done
            done |= wanted
            people: set[int] = set()
            for scheme in sorted({s for s, _ in wanted}):
                query = select(ident.c.entity_id).where(
                    ident.c.entity == "A", ident.c.scheme == scheme
                )
                values = [v for s, v in wanted if s == scheme]
                people.update(
                    r[0] for r in fetch_in(self._connection, query, ident.c.value, values)
                )
            found = self._authorships(Authorship.person_id, sorted(people))
            fresh = [r for r in found if r.id not in self.rows and self.ids_of(r)]
            self.rows.update((row.id, row) for row in fresh)

    def _group(self) -> dict[int, int]:
        """Groups by events, the newest first, then ORCID, then every scheme in order.

        Never across what an event keeps apart, and by other schemes never across two ORCIDs.
        """
        holders: dict[tuple[str, str], list[int]] = defaultdict(list)
        for number, row in self.rows.items():
            for pair in self.ids_of(row):
                holders[pair].append(number)
        group_of: dict[int, int] = {}
        ordered = sorted(holders, key=_precedence)
        for pair in ordered:
            scheme, value = pair
            known = sorted({self.groups.find(group_of[n]) for n in holders[pair] if n in group_of})
            new = [n for n in holders[pair] if n not in group_of]
            if self._apart(scheme, known):
                # One identifier, and two ORCIDs or two persons by an event: the rest stands apart.
                for group in known:
                    self.groups.ids[group].setdefault(scheme, set()).add(value)
                known = []
            if not known and not new:
                continue
            group = known[0] if known else self.groups.new()
            for other in known[1:]:
                self.groups.join(group, other)
            group = self.groups.find(group)
            self.groups.ids[group].setdefault(scheme, set()).add(value)
            for number in new:
                group_of[number] = group
        return group_of

    def _apart(self, scheme: str, known: list[int]) -> bool:
        """Whether what ranks above a scheme keeps some of these groups apart."""
        labels: dict[str, set[str]] = {}
        for group in known:
            for other, values in self.groups.ids[group].items():
                if other.startswith(EVENT) and other != scheme:
                    if other in labels and not labels[other] & values:
                        return True
                    labels.setdefault(other, set()).update(values)
        if scheme == "orcid" or scheme.startswith(EVENT):
            return False
        return len({o for g in known for o in self.groups.ids[g].get("orcid", ())}) > 1

    def surroundings(self) -> Surroundings:
        """Load what can become evidence."""
        author, cite = table_of(Authorship), table_of(Citation)
        link, work = table_of(AuthorshipInstitution), table_of(Work)
        works = sorted({b.work for b in self.bearers})
        wanted = None if self._whole else works
        names: dict[int, list[str]] = defaultdict(list)
        for work_id, key in self._select(select(author.c.work_id, author.c.name_key), 0, wanted):
            names[work_id].append(intern(key))
        if self._whole:
            frequency: Counter[str] = Counter(k for keys in names.values() for k in keys)
        else:
            count = select(author.c.name_key, func.count()).group_by(author.c.name_key)
            keys = {k for around in names.values() for k in around}
            frequency = Counter(dict(map(tuple, self._select(count, 0, keys))))
        cites: dict[int, list[int]] = defaultdict(list)
        pairs = select(cite.c.citing_id, cite.c.cited_id).where(cite.c.cited_id.is_not(None))
        for citing, cited in self._select(pairs, 0, wanted):
            cites[citing].append(cited)
        institutions: dict[int, list[int]] = defaultdict(list)
        at = select(link.c.authorship_id, link.c.institution_id)
        numbers = None if self._whole else [b.authorship for b in self.bearers]
        for authorship, institution in self._select(at, 0, numbers):
            institutions[authorship].append(institution)
        printed = select(author.c.id, author.c.raw_affiliation).where(
            author.c.raw_affiliation.is_not(None)
        )
        affiliations = {a: intern(name_key(t)) for a, t in self._select(printed, 0, numbers)}
        dated = select(work.c.id, work.c.publication_year).where(
            work.c.publication_year.is_not(None)
        )
        years = dict(map(tuple, self._select(dated, 0, wanted)))
        total = self._connection.scalar(select(func.count()).select_from(work)) or 0
        return Surroundings(
            total,
            names,
            frequency,
            cites,
            institutions,
            self._subjects(wanted),
            affiliations,
            years,
            RecordNames(self._connection).namesakes,
        )

    def _select(self, query: Any, column: int, values: Iterable[Any] | None) -> Iterable[Any]:
        if values is None:
            return self._connection.execute(query)
        chosen = list(query.selected_columns)[column]
        return fetch_in(self._connection, query, chosen, values)

    def _subjects(self, works: list[int] | None) -> dict[int, list[tuple[int, int]]]:
        work, link = table_of(Work), table_of(WorkTopic)
        topic, venue = table_of(Topic), table_of(Venue)
        query = (
            select(work.c.id, work.c.venue_id, link.c.topic_id)
            .join(link, link.c.work_id == work.c.id)
            .join(topic, topic.c.id == link.c.topic_id)
            .join(venue, venue.c.id == work.c.venue_id)
            # Everyone meets in a repository: a subject there says nothing of a person.
            .where(topic.c.origin == "given", venue.c.type.is_distinct_from("repository"))
        )
        shared: dict[tuple[int, int], list[int]] = defaultdict(list)
        for work_id, venue_id, topic_id in self._select(query, 0, works):
            shared[(venue_id, topic_id)].append(work_id)
        found: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for subject, bearers in shared.items():
            if 1 < len(bearers) <= MAX_SUBJECT_WORKS:
                for work_id in bearers:
                    found[work_id].append(subject)
        return found


def _precedence(pair: tuple[str, str]) -> tuple[int, int, tuple[str, str]]:
    scheme = pair[0]
    if scheme.startswith(EVENT):
        return 0, -int(scheme.removeprefix(EVENT)), pair
    return (1 if scheme == "orcid" else 2), 0, pair


def person_ids(author_ids: str | None) -> list[tuple[str, str]]:
    """The identifiers of persons among those stated with a name, as (scheme, value)."""
    if not author_ids:
        return []
    pairs = (line.partition(":")[::2] for line in author_ids.split("\n"))
    return [(s, v) for s, v in pairs if v and s not in NAME_ONLY_SCHEMES]


def _resolve(
    scope: _Scope, progress: Progress | None
) -> tuple[list[Cluster], list[tuple[int, Decision]]]:
    """Clusters of authorships that are one person's, and the authorships that stay undecided."""
    around = scope.surroundings()
    loose: list[Cluster] = []
    grouped: dict[int, list[tuple[Bearer, Decision]]] = defaultdict(list)
    undecided: list[tuple[int, Decision]] = []
    placed: set[int] = set()
    joined: list[tuple[int, list[tuple[Bearer, Decision]]]] = []
    for done, key in enumerate(sorted(scope.blocks)):
        bearers = scope.blocks[key]
        parts: dict[int, list[tuple[Bearer, Decision]]] = defaultdict(list)
        for bearer, decision in zip(
            bearers, Block(bearers, scope.groups, around).resolve(), strict=True
        ):
            placed.add(bearer.authorship)
            if decision.cluster is None:
                undecided.append((bearer.authorship, decision))
            else:
                parts[decision.cluster].append((bearer, decision))
        for members in parts.values():
            group = max(bearer.group for bearer, _ in members)
            if group >= 0:
                joined.append((group, members))
            else:
                loose.append(_cluster(scope, members, {}))
        if progress is not None and done % PROGRESS_STEP == 0:
            progress("people", done, len(scope.blocks))
    # Only now are the groups what they stay: a later block may have joined two of them.
    for group, members in joined:
        grouped[scope.groups.find(group)] += members
    for bearer in scope.bearers:
        if bearer.authorship not in placed:
            grouped[scope.groups.find(bearer.group)].append((bearer, Decision(0, "id", "")))
    for group, members in sorted(grouped.items()):
        loose.append(_cluster(scope, members, scope.groups.ids[group]))
    if progress is not None:
        progress("people", len(scope.blocks), len(scope.blocks))
    return _without_detached(scope, loose, undecided), undecided


def _without_detached(
    scope: _Scope, clusters: list[Cluster], undecided: list[tuple[int, Decision]]
) -> list[Cluster]:
    """The clusters but those of authorships alone that an event took from a person: these stay open."""
    kept = []
    for cluster in clusters:
        taken = {number: _detached(scope, number) for number in cluster.reasons}
        if all(taken.values()):
            for number, event in taken.items():
                why = f"Event {event} says that it is not the person's; whose it is stays open."
                undecided.append((number, Decision(None, None, why)))
        else:
            kept.append(cluster)
    return kept


def _detached(scope: _Scope, authorship: int) -> str:
    """The number of the newest event on an authorship, if that took it from a person; else empty."""
    said = scope.events.get(authorship, [])
    if said and said[0][1].startswith(DETACHED):
        return said[0][0].removeprefix(EVENT)
    return ""


def _cluster(
    scope: _Scope, members: Sequence[tuple[Bearer, Decision]], ids: dict[str, set[str]]
) -> Cluster:
    reasons: dict[int, tuple[str, str]] = {}
    for bearer, decision in members:
        stated = scope.ids_of(scope.rows[bearer.authorship])
        reasons[bearer.authorship] = _by_id(stated) or (decision.rule or "name", decision.evidence)
    names = [(b.raw_name, b.name) for b, _ in members]
    outside = {scheme: values for scheme, values in ids.items() if not scheme.startswith(EVENT)}
    return Cluster(reasons, names, outside)


def _by_id(stated: list[tuple[str, str]]) -> tuple[str, str] | None:
    if not stated:
        return None
    scheme, value = min(stated, key=_precedence)
    if scheme.startswith(EVENT):
        return scheme, f"Event {scheme.removeprefix(EVENT)} decided it."
    rule = "orcid" if scheme == "orcid" else f"id:{scheme}"
    label = "ORCID" if scheme == "orcid" else scheme
    return rule[:32], f"The source states {label} {value} with this name."
