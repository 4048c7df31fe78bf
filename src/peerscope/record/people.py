"""Decided clusters into the tables of persons, with ids that stay the same from run to run."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, select

from peerscope.record.blocks import Decision
from peerscope.record.bulk import Ids, chunks, fetch_in, insert_rows, table_of, timestamp
from peerscope.record.match import find_owners
from peerscope.record.models import Authorship, Identifier, Person, Work
from peerscope.record.names import Name

PERSON_COLUMNS = (
    "id", "display_name", "name_key", "orcid", "works_count", "cited_by_count", "rule", "source_id",
    "change_seq", "created_at",
)  # fmt: skip


@dataclass(slots=True)
class Cluster:
    """One person: rule and evidence of each authorship, the names they carry, the identifiers."""

    reasons: dict[int, tuple[str, str]]
    names: list[tuple[str, Name]]
    ids: Mapping[str, set[str]]

    def display(self) -> tuple[str, str]:
        """The most complete of the frequent forms, and its key.

        Frequent: at least half as often as the most frequent one. A written-out given name is
        preferred to an initial, however rare.
        """
        forms = Counter(self.names)
        full = {f: n for f, n in forms.items() if f[1].has_full_given} or dict(forms)
        most = max(full.values())
        often = [(f, n) for f, n in full.items() if 2 * n >= most]
        (raw, name), _ = min(often, key=lambda x: (-len(x[0][1].key), -x[1], x[0][0]))
        return raw, name.key

    @property
    def rule(self) -> str:
        """The strongest rule that holds the person together."""
        rules = {rule for rule, _ in self.reasons.values()}
        return min(rules, key=lambda r: (r != "orcid", not r.startswith("id:"), r == "name", r))


@dataclass(slots=True)
class Written:
    """What `write_people` changed."""

    new_people: int = 0
    moved: dict[int, tuple[int | None, int | None]] = field(default_factory=dict)
    """Authorship to whose it was and whose it is."""
    before: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    """Person whose row changed to name and ORCID as they were."""
    retired: dict[int, int] = field(default_factory=dict)
    """Person without an authorship to the one where their address leads now."""
    removed: dict[int, tuple[str, int]] = field(default_factory=dict)
    """Person who is gone, leading nowhere, to their name and number of works as they were."""


def write_people(
    connection: Connection,
    ids: Ids,
    clusters: Sequence[Cluster],
    undecided: Sequence[tuple[int, Decision]],
    rows: Mapping[int, Any],
    restored: Mapping[int, int | None] | None = None,
) -> Written:
    """Write clusters as persons.

    Args:
        connection: Inside a transaction.
        ids: Its counters.
        clusters: One a person.
        undecided: Authorships without a person.
        rows: The authorships as they were, by id.
        restored: Authorship to who counts as its person when ids are kept, where an event is undone.
    """
    written = Written()
    numbers = _keep_ids(clusters, rows, restored or {})
    for index in range(len(clusters)):
        if index not in numbers:
            numbers[index] = ids.take("person")
            written.new_people += 1
    written.before = _write_persons(connection, ids, clusters, numbers, rows)
    _write_identifiers(connection, clusters, numbers, rows)
    new: dict[int, tuple[int | None, str | None, str]] = {}
    for index, cluster in enumerate(clusters):
        for authorship, (rule, evidence) in cluster.reasons.items():
            new[authorship] = (numbers[index], rule, evidence)
    for authorship, decision in undecided:
        new[authorship] = (None, None, decision.evidence)
    written.moved = _write_decisions(connection, ids, new, rows)
    written.retired = _retire(connection, ids, new, rows)
    return written


def _keep_ids(
    clusters: Sequence[Cluster], rows: Mapping[int, Any], restored: Mapping[int, int | None]
) -> dict[int, int]:
    """The person of each cluster that has one already: who holds most of an old person keeps it."""
    shares: list[tuple[int, int, int]] = []
    for index, cluster in enumerate(clusters):
        old = Counter(restored.get(a, rows[a].person_id) for a in cluster.reasons)
        shares += [(-n, person, index) for person, n in old.items() if person is not None]
    numbers: dict[int, int] = {}
    used: set[int] = set()
    for _, person, index in sorted(shares):
        if person not in used and index not in numbers:
            numbers[index] = person
            used.add(person)
    return numbers


def _write_persons(
    connection: Connection,
    ids: Ids,
    clusters: Sequence[Cluster],
    numbers: Mapping[int, int],
    rows: Mapping[int, Any],
) -> dict[int, tuple[str, str | None]]:
    """Write the persons' rows; name and ORCID, as they were, of those that changed."""
    table = table_of(Person)
    columns = ("display_name", "name_key", "orcid", "rule")
    query = select(table.c.id, *(table.c[c] for c in columns), table.c.merged_into_id)
    there = {
        row.id: tuple(row[1:])
        for row in fetch_in(connection, query, table.c.id, sorted(numbers.values()))
    }
    now = timestamp(connection)
    new: list[tuple[Any, ...]] = []
    changed: list[dict[str, Any]] = []
    for index, cluster in enumerate(clusters):
        number = numbers[index]
        name, key = cluster.display()
        orcid = min(cluster.ids.get("orcid", ()), default=None)
        orcid = orcid if orcid is not None and len(orcid) <= 19 else None
        values = (name, key, orcid, cluster.rule)
        if number not in there:
            source = rows[min(cluster.reasons)].source_id
            seq = ids.take("change")
            new.append((number, name, key, orcid, 0, 0, cluster.rule, source, seq, now))
        elif there[number] != (*values, None):
            row = dict(zip(columns, values, strict=True))
            changed.append({"row_id": number, **row, "change_seq": ids.take("change")})
    insert_rows(connection, Person, PERSON_COLUMNS, new)
    if changed:
        bound: dict[str, Any] = {c: bindparam(c) for c in (*columns, "change_seq")}
        connection.execute(
            table.update()
            .where(table.c.id == bindparam("row_id"))
            .values(merged_into_id=None, **bound),
            changed,
        )
    return {row["row_id"]: (there[row["row_id"]][0], there[row["row_id"]][2]) for row in changed}


def _write_identifiers(
    connection: Connection,
    clusters: Sequence[Cluster],
    numbers: Mapping[int, int],
    rows: Mapping[int, Any],
) -> None:
    table = table_of(Identifier)
    wanted: dict[tuple[str, str], tuple[int, int, int]] = {}
    for index, cluster in enumerate(clusters):
        for scheme, values in cluster.ids.items():
            for value in values:
                claim = (
                    -len(cluster.reasons),
                    numbers[index],
                    rows[min(cluster.reasons)].source_id,
                )
                wanted[(scheme, value)] = min(claim, wanted.get((scheme, value), claim))
    there = find_owners(connection, wanted, "A")
    new = []
    for (scheme, value), (_, person, source) in wanted.items():
        if (scheme, value) not in there:
            new.append(("A", scheme, value, person, source))
        elif there[(scheme, value)] != person:
            connection.execute(
                table.update()
                .where(table.c.entity == "A", table.c.scheme == scheme, table.c.value == value)
                .values(entity_id=person)
            )
    insert_rows(
        connection, Identifier, ("entity", "scheme", "value", "entity_id", "source_id"), new
    )


def _write_decisions(
    connection: Connection,
    ids: Ids,
    new: Mapping[int, tuple[int | None, str | None, str]],
    rows: Mapping[int, Any],
) -> dict[int, tuple[int | None, int | None]]:
    """Write changed decisions; the works concerned count as changed. Which changed hands."""
    table, work = table_of(Authorship), table_of(Work)
    changes: list[dict[str, Any]] = []
    works: set[int] = set()
    moved: dict[int, tuple[int | None, int | None]] = {}
    for authorship, decision in new.items():
        row = rows[authorship]
        if (row.person_id, row.decided_by, row.evidence) != decision:
            person, rule, evidence = decision
            changes.append(
                {
                    "row_id": authorship,
                    "person_id": person,
                    "decided_by": rule,
                    "evidence": evidence,
                }
            )
            if row.person_id != person:
                works.add(row.work_id)
                moved[authorship] = (row.person_id, person)
    columns = ("person_id", "decided_by", "evidence")
    statement = (
        table.update()
        .where(table.c.id == bindparam("row_id"))
        .values({c: bindparam(c) for c in columns})
    )
    for part in chunks(changes):
        connection.execute(statement, part)
    if works:
        # One number for all of them: they become visible in one transaction.
        seq = ids.take("change")
        for part in chunks(sorted(works)):
            connection.execute(work.update().where(work.c.id.in_(part)).values(change_seq=seq))
    return moved


def _retire(
    connection: Connection,
    ids: Ids,
    new: Mapping[int, tuple[int | None, str | None, str]],
    rows: Mapping[int, Any],
) -> dict[int, int]:
    """Point persons who have no authorship left at the one who took most of theirs."""
    table, author = table_of(Person), table_of(Authorship)
    heirs: dict[int, Counter[int]] = defaultdict(Counter)
    kept: set[int] = set()
    for authorship, (person, _, _) in new.items():
        old = rows[authorship].person_id
        if person is not None:
            kept.add(person)
        if old is not None and person is not None and old != person:
            heirs[old][person] += 1
    gone = {old: took for old, took in heirs.items() if old not in kept}
    heirs_of = {}
    for old, took in gone.items():
        heir = min(took, key=lambda p: (-took[p], p))
        heirs_of[old] = heir
        # Authorships of blocks that this run did not look at follow their person.
        connection.execute(author.update().where(author.c.person_id == old).values(person_id=heir))
        connection.execute(
            table.update()
            .where(table.c.id == old)
            .values(merged_into_id=heir, change_seq=ids.take("change"))
        )
    return heirs_of
