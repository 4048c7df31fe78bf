"""Which work a record belongs to.

In order: the same source and key (decided before this module is asked); an identifier, in the precedence
`PRECEDENCE`; the title's fingerprint, with year and authors compared. Never joined: two records of
one source; records whose published DOIs, arXiv, ACL, OpenAlex or PubMed ids differ (a preprint's own
DOI does not count against the published one). A record whose identifiers lead to several works goes
to the first that may take it; what that leaves aside is said in its `SourceRecord.note`, and the works
are not merged: merging is a decision for people.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from peerscope.record.bulk import fetch_in, table_of
from peerscope.record.join import ARXIV_DOI, is_preprint, own_ids
from peerscope.record.models import Authorship, Identifier, SourceRecord, Work
from peerscope.record.names import parse_name
from peerscope.record.parsed import ParsedWork
from peerscope.record.text import fingerprint

PRECEDENCE = ("doi", "arxiv", "openalex", "acl", "pmid", "starter", "isbn")
EXCLUSIVE = ("doi", "arxiv", "openalex", "acl", "pmid")
"""A work has one of each; another value means another work."""
YEARS_APART = 2
"""How far preprint and published version may lie apart, in years."""


@dataclass(slots=True)
class Known:
    """What the record knows of a work that might be a candidate."""

    title: str | None = None
    year: int | None = None
    preprint: bool = False
    in_part: bool = False
    """Whether it has authors whom no source lists."""
    ids: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    families: list[str] = field(default_factory=list)


def ranked_ids(work: ParsedWork) -> list[tuple[str, str]]:
    """The record's identifiers, strongest first."""

    def rank(pair: tuple[str, str]) -> tuple[int, str, str]:
        scheme = pair[0]
        place = PRECEDENCE.index(scheme) if scheme in PRECEDENCE else len(PRECEDENCE)
        return (place, *pair)

    ids = own_ids(work)
    return sorted(ids, key=rank) if len(ids) > 1 else ids


class Matcher:
    """Finds works for a batch of new records of one source; looks everything up once, in sets.

    Args:
        connection: Inside a transaction.
        source_id: Whose records they are.
        works: The records' works.
        in_part: Whether they may have other authors than those listed.
    """

    def __init__(
        self,
        connection: Connection,
        source_id: int,
        works: Sequence[ParsedWork],
        *,
        in_part: bool = False,
    ) -> None:
        self._connection = connection
        self._in_part = in_part
        self._source_id = source_id
        self.ids = [ranked_ids(work) for work in works]
        self.prints = [fingerprint(work.title) if work.authors else None for work in works]
        refs = ((r.scheme, r.value) for w in works for r in w.references if r.scheme and r.value)
        self.owner = find_owners(connection, [*(p for ids in self.ids for p in ids), *refs])
        by_print = self._same_title()
        candidates = {self.owner[p] for ids in self.ids for p in ids if p in self.owner}
        candidates.update(w for works_ in by_print.values() for w in works_)
        self._taken = self._of_this_source(candidates)
        self._by_print = {p: [w for w in ws if w not in self._taken] for p, ws in by_print.items()}
        self._known = self._facts(candidates - self._taken)
        self.why: dict[int, tuple[str, str] | None] = {}
        """Record to the identifier by which it joined a work; ``None`` where it did by title and authors."""

    def match(self, index: int, work: ParsedWork) -> tuple[int | None, str | None]:
        """The work that record ``index`` joins (``None`` for a new one), and a note."""
        notes: list[str] = []
        chosen: int | None = None
        for scheme, value in self.ids[index]:
            owner = self.owner.get((scheme, value))
            if owner is None or owner == chosen:
                continue
            if chosen is not None:
                notes.append(f"{scheme} {value} belongs to W{owner}")
            elif owner in self._taken:
                notes.append(f"{scheme} {value} belongs to W{owner}, which this source states too")
            elif clash := self._clash(owner, work):
                notes.append(f"{scheme} {value} belongs to W{owner}, which has another {clash}")
            else:
                chosen = owner
                self.why[index] = (scheme, value)
        if chosen is None:
            chosen = self._by_title(index, work)
            if chosen is not None:
                self.why[index] = None
        if chosen is not None:
            self._taken.add(chosen)
        return chosen, "; ".join(notes) or None

    def took(self, work_id: int, index: int) -> None:
        """Note that record ``index`` is now stated of ``work_id``: its free identifiers go there."""
        self._taken.add(work_id)
        for pair in self.ids[index]:
            self.owner.setdefault(pair, work_id)

    def _by_title(self, index: int, work: ParsedWork) -> int | None:
        mark = self.prints[index]
        found = self._by_print.get(mark, []) if mark else []
        fitting = [
            (abs((self._known[w].year or 0) - (work.year or 0)), w)
            for w in found
            if w not in self._taken
            and not self._clash(w, work)
            and _same_work(self._known[w], work, self._in_part)
        ]
        return min(fitting)[1] if fitting else None

    def _clash(self, work_id: int, work: ParsedWork) -> str | None:
        """The scheme in which the record contradicts the work, if any."""
        known = self._known.get(work_id)
        if known is None:
            return None
        for scheme in EXCLUSIVE:
            mine = {v for s, v in own_ids(work) if s == scheme}
            theirs = known.ids.get(scheme, set())
            if scheme == "doi":
                mine = {v for v in mine if not v.startswith(ARXIV_DOI)}
                theirs = {v for v in theirs if not v.startswith(ARXIV_DOI)}
                if is_preprint(work) != known.preprint:
                    continue
            if mine and theirs and not mine & theirs:
                return scheme
        return None

    def _same_title(self) -> dict[str, list[int]]:
        work = table_of(Work)
        found: dict[str, list[int]] = defaultdict(list)
        query = select(work.c.fingerprint, work.c.id).where(work.c.deleted_at.is_(None))
        marks = {p for p in self.prints if p}
        for mark, work_id in fetch_in(self._connection, query, work.c.fingerprint, marks):
            found[mark].append(work_id)
        return found

    def _of_this_source(self, candidates: Iterable[int]) -> set[int]:
        record = table_of(SourceRecord)
        query = select(record.c.work_id).where(record.c.source_id == self._source_id)
        return {row[0] for row in fetch_in(self._connection, query, record.c.work_id, candidates)}

    def _facts(self, candidates: set[int]) -> dict[int, Known]:
        work, ident, author = table_of(Work), table_of(Identifier), table_of(Authorship)
        known: dict[int, Known] = defaultdict(Known)
        columns = (work.c.title, work.c.publication_year, work.c.type, work.c.covered)
        query = select(work.c.id, *columns)
        for work_id, title, year, kind, covered in fetch_in(
            self._connection, query, work.c.id, candidates
        ):
            in_part = "authors_in_part" in covered.split()
            known[work_id] = Known(title, year, kind == "preprint", in_part)
        by_work = select(ident.c.entity_id, ident.c.scheme, ident.c.value).where(
            ident.c.entity == "W"
        )
        for work_id, scheme, value in fetch_in(
            self._connection, by_work, ident.c.entity_id, candidates
        ):
            known[work_id].ids[scheme].add(value)
        names = select(author.c.work_id, author.c.block_key).order_by(author.c.position)
        for work_id, block in fetch_in(self._connection, names, author.c.work_id, candidates):
            known[work_id].families.append(block.rpartition("|")[0])
        return known


def find_owners(
    connection: Connection, pairs: Iterable[tuple[str, str]], entity: str = "W"
) -> dict[tuple[str, str], int]:
    """The works (or entities of another letter) that hold identifiers, one query per scheme."""
    ident = table_of(Identifier)
    by_scheme: dict[str, set[str]] = defaultdict(set)
    for scheme, value in pairs:
        by_scheme[scheme].add(value)
    owners: dict[tuple[str, str], int] = {}
    for scheme, values in by_scheme.items():
        query = select(ident.c.value, ident.c.entity_id).where(
            ident.c.entity == entity, ident.c.scheme == scheme
        )
        for value, number in fetch_in(connection, query, ident.c.value, values):
            owners[(scheme, value)] = number
    return owners


def _same_work(known: Known, work: ParsedWork, in_part: bool = False) -> bool:
    mine = [parse_name(a.name, a.family, a.given).family for a in work.authors]
    theirs = known.families
    if not mine or not theirs:
        return False
    if in_part or known.in_part:
        # who is listed first there may stand anywhere here; the year must not differ then
        within = set(mine) <= set(theirs) if in_part else set(theirs) <= set(mine)
        return within and known.year is not None and known.year == work.year
    shared = len(set(mine) & set(theirs))
    if known.year is None or work.year is None:
        return mine[0] == theirs[0] and set(mine) == set(theirs)
    apart = abs(known.year - work.year)
    if apart == 0:
        return mine[0] == theirs[0]
    if is_preprint(work) != known.preprint and apart <= YEARS_APART:
        return 2 * shared >= min(len(set(mine)), len(set(theirs)))
    return False
