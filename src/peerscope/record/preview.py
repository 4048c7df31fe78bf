"""What importing a file would do, record by record, by the import's own matching; nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import Connection, select

from peerscope.record.bulk import fetch_in, table_of
from peerscope.record.database import Database
from peerscope.record.importers import importer_for
from peerscope.record.join import Joined, Statement, join
from peerscope.record.match import Matcher
from peerscope.record.models import Source, SourceRecord
from peerscope.record.parsed import Good, Importer, ParsedWork, Quarantined, Record
from peerscope.record.payload import content_hash
from peerscope.record.regroup import joined_from, records_of
from peerscope.record.runs import SourceInfo, read_sources
from peerscope.record.validate import clean_work, validate_work

SHOWN = 300
"""Characters of a value that a preview holds."""

LABELS = {
    "doi": "DOI", "arxiv": "arXiv id", "openalex": "OpenAlex id", "acl": "ACL Anthology id",
    "pmid": "PubMed id", "isbn": "ISBN",
}  # fmt: skip
FIELDS = {
    "title": "title", "abstract": "abstract", "summary": "summary", "type": "type", "year": "year",
    "date": "date", "language": "language", "venue": "venue", "publisher": "publisher",
    "volume": "volume", "issue": "issue", "pages": "pages", "url": "address", "pdf_url": "PDF",
    "licence": "licence", "is_oa": "open access",
}  # fmt: skip

NEW, ADDS, SAME, KNOWN, REFUSED = "new", "adds", "same", "known", "refused"


@dataclass(frozen=True, slots=True)
class Change:
    """What would be different about a work that is here: the field, as it is, as it would be."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would become of one record.

    Attributes:
        position: Its place in the file, from 0.
        state: ``new`` (a work that is not here), ``adds`` (a work that is here would change), ``same``
            (one that is here, and nothing would change), ``known`` (this source stated it before, with the
            same content) or ``refused``.
        title: As the record states it; the beginning of the record where it is refused.
        work: Number of the work that is here.
        why: Why it is taken for that work, as words after "the same".
        note: What the matching had to leave aside.
        reason: Why it is refused, and ``mend`` what would help; ``place`` where it stands.
    """

    position: int
    state: str
    title: str
    authors: str = ""
    year: int | None = None
    venue: str = ""
    work: int | None = None
    why: str = ""
    note: str = ""
    changes: tuple[Change, ...] = ()
    place: str = ""
    reason: str = ""
    mend: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Foreseen:
        """As `as_dict` wrote it."""
        changes = tuple(Change(**one) for one in plain.pop("changes"))
        return cls(**plain, changes=changes)


@dataclass(slots=True)
class Preview:
    """What a file would do: its format, its records in order, and whether it has more than were looked at."""

    importer: str
    rows: list[Foreseen] = field(default_factory=list)
    more: bool = False


def preview_file(database: Database, path: str, location: str, most: int) -> Preview:
    """Look at the first records of a file.

    Args:
        database: The record.
        path: A file in any format that is imported.
        location: What identifies it as a source.
        most: Records to look at.

    Raises:
        UnknownFormatError: No format was recognised.
        BrokenFileError: The file is damaged; nothing is said of what came before.
    """
    importer = importer_for(path)
    records = list(islice(importer.read(path), most + 1))
    found = Preview(importer.name, more=len(records) > most)
    with database.session() as session:
        looking = _Looking(session.connection(), importer, location)
        found.rows = looking.at(records[:most])
    return found


class _Looking:
    def __init__(self, connection: Connection, importer: Importer, location: str) -> None:
        self._connection = connection
        self._sources = read_sources(connection)
        source = table_of(Source)
        number = connection.scalar(
            select(source.c.id).where(
                source.c.importer == importer.name, source.c.location == location
            )
        )
        rank = getattr(importer, "rank", 0)
        self._source = SourceInfo(number or 0, importer.name, location, rank, importer.covers)

    def at(self, records: Sequence[Record]) -> list[Foreseen]:
        """The records in their order."""
        found: dict[int, Foreseen] = {}
        good: list[tuple[int, ParsedWork, str]] = []
        keys: set[str] = set()
        for record in records:
            refusal, digest = self._refusal(record, keys)
            if refusal is not None:
                found[record.position] = refusal
            else:
                assert isinstance(record, Good)
                keys.add(record.work.key)
                good.append((record.position, record.work, digest))
        known = self._known(keys)
        fresh = [one for one in good if one[1].key not in known]
        matcher = Matcher(
            self._connection, self._source.id, [work for _, work, _ in fresh],
            in_part="authors_in_part" in self._source.covers,
        )  # fmt: skip
        joins: dict[int, tuple[int, str, str]] = {}
        for index, (position, work, _) in enumerate(fresh):
            number, note = matcher.match(index, work)
            if number is not None:
                joins[position] = (number, _why(matcher.why.get(index)), note or "")
                matcher.took(number, index)
            else:
                found[position] = _foreseen(position, work, NEW, note=note or "")
        for position, work, digest in good:
            if work.key in known:
                number, before = known[work.key]
                joins[position] = (number, "record, read before", "")
                if before == digest:
                    found[position] = _foreseen(position, work, KNOWN, work=number)
        self._compare(good, joins, found)
        return [found[position] for position in sorted(found)]

    def _refusal(self, record: Record, keys: set[str]) -> tuple[Foreseen | None, str]:
        if isinstance(record, Quarantined):
            return _refused(
                record.position, record.excerpt, record.locator, record.reason, record.mend
            ), ""
        work, payload = clean_work(record.work)
        place = f"record {record.position + 1}"
        problem = validate_work(work)
        if problem is not None:
            return _refused(record.position, work.title, place, *problem), ""
        if work.key in keys:
            reason = f"An earlier record of this file has the key {work.key!r}."
            mend = "Give each record a key of its own, or remove the repetition."
            return _refused(record.position, work.title, place, reason, mend), ""
        return None, content_hash(payload)

    def _known(self, keys: set[str]) -> dict[str, tuple[int, str]]:
        table = table_of(SourceRecord)
        query = select(table.c.key, table.c.work_id, table.c.content_hash).where(
            table.c.source_id == self._source.id
        )
        rows = fetch_in(self._connection, query, table.c.key, sorted(keys))
        return {row.key: (row.work_id, row.content_hash) for row in rows}

    def _compare(
        self,
        good: Sequence[tuple[int, ParsedWork, str]],
        joins: dict[int, tuple[int, str, str]],
        found: dict[int, Foreseen],
    ) -> None:
        """Say what would change in the works that are here."""
        records = records_of(self._connection, {number for number, _, _ in joins.values()})
        now = joined_from(records, self._sources)
        stated: dict[int, list[Statement]] = {}
        for one in records:
            source = self._sources[one.source_id]
            origin = (source.importer, source.location)
            stated.setdefault(one.work_id, []).append(
                Statement(source.id, source.rank, origin, source.covers, one.work)
            )
        mine = (self._source.importer, self._source.location)
        for position, work, _ in good:
            if position not in joins or position in found:
                continue
            number, why, note = joins[position]
            others = [
                s for s in stated.get(number, ())
                if not (s.source_id == self._source.id and s.work.key == work.key)
            ]  # fmt: skip
            new = Statement(self._source.id, self._source.rank, mine, self._source.covers, work)
            changes = (
                tuple(changes_between(now[number], join([*others, new]))) if number in now else ()
            )
            found[position] = _foreseen(
                position, work, ADDS if changes else SAME, work=number, why=why, note=note,
                changes=changes,
            )  # fmt: skip


def changes_between(before: Joined, after: Joined) -> Iterator[Change]:
    """What differs between two states of a work, in the words of a page."""
    for name, label in FIELDS.items():
        if before.fields.get(name) != after.fields.get(name):
            yield Change(label, _said(before.fields.get(name)), _said(after.fields.get(name)))
    for scheme in sorted({*_schemes(before), *_schemes(after)}):
        one, other = _schemes(before).get(scheme, ""), _schemes(after).get(scheme, "")
        if one != other:
            yield Change(LABELS.get(scheme, scheme), one, other)
    for label, one, other in (
        ("authors", _authors(before), _authors(after)),
        (
            "topics",
            _listed(t.name for t, _ in before.topics),
            _listed(t.name for t, _ in after.topics),
        ),
        ("references", str(len(before.references)), str(len(after.references))),
        ("versions", str(len(before.versions)), str(len(after.versions))),
        ("code and data", str(len(before.artifacts)), str(len(after.artifacts))),
        ("notices", str(len(before.notices)), str(len(after.notices))),
    ):
        if one != other:
            yield Change(label, one, other)


def _schemes(work: Joined) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for scheme, value, _ in work.ids:
        found.setdefault(scheme, []).append(value)
    return {scheme: _said(", ".join(sorted(values))) for scheme, values in found.items()}


def _authors(work: Joined) -> str:
    """Names with identifiers and affiliations, which another source may add."""
    told = []
    for author, _ in work.authors:
        more = [*(f"{s} {v}" for s, v in sorted(author.ids.items()))]
        more += [one.name for one in author.institutions]
        told.append(f"{author.name} ({', '.join(more)})" if more else author.name)
    return _said("; ".join(told))


def _listed(names: Iterator[str]) -> str:
    return _said(", ".join(names))


def _said(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _why(pair: tuple[str, str] | None) -> str:
    if pair is None:
        return "title, authors and year"
    return f"{LABELS.get(pair[0], pair[0])}, {pair[1][:100]}"


def _foreseen(position: int, stated: ParsedWork, state: str, /, **more: Any) -> Foreseen:
    names = [author.name for author in stated.authors[:3]]
    rest = len(stated.authors) - len(names)
    authors = ", ".join(names) + (f" and {rest:,} more" if rest else "")
    return Foreseen(
        position,
        state,
        _said(stated.title),
        _said(authors),
        stated.year,
        _said(stated.venue),
        **more,
    )


def _refused(position: int, title: str, place: str, reason: str, mend: str) -> Foreseen:
    return Foreseen(position, REFUSED, _said(title), place=place, reason=reason, mend=mend)
