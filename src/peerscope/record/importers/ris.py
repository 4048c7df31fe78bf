"""RIS files, as reference managers and publishers write them.

Lines are gathered by record and read here rather than by rispy, whose parser keeps only the first of
two equal tags and takes a continued author for a second one; rispy's table of tags is the reference in
the tests. Tags that have no place in a work are kept in ``extra``, several values parted by line ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b

from peerscope.record.files import BrokenFileError, decoded
from peerscope.record.importers.bibliography import (
    MAX_RECORD,
    Located,
    Refused,
    arxiv_of,
    chunks,
    doi_of,
    iso_date,
    numbered,
    person,
    require_title,
    url_of,
    year_of,
)
from peerscope.record.markup import clean, from_mixed
from peerscope.record.parsed import ParsedAuthor, ParsedTopic, ParsedWork, Record

TYPES = {
    "JOUR": "journal-article", "EJOUR": "journal-article", "JFULL": "other", "MGZN": "other",
    "NEWS": "other", "INPR": "journal-article", "CONF": "proceedings-article",
    "CPAPER": "proceedings-article", "BOOK": "book", "EBOOK": "book", "EDBOOK": "book",
    "CHAP": "book-chapter", "ECHAP": "book-chapter", "THES": "dissertation", "RPRT": "report",
    "DATA": "dataset", "COMP": "software", "UNPB": "preprint", "GEN": "other",
}  # fmt: skip
"""RIS type to work type; every other type is ``other``."""

RIS_TYPES = {
    "journal-article": "JOUR", "proceedings-article": "CPAPER", "preprint": "UNPB", "book": "BOOK",
    "book-chapter": "CHAP", "dissertation": "THES", "report": "RPRT", "dataset": "DATA",
    "software": "COMP", "review": "JOUR", "other": "GEN",
}  # fmt: skip
"""Work type to the RIS type under which it is written."""

_TAG = re.compile(r"([A-Z][A-Z0-9])  -(?:\s(.*))?$", re.DOTALL)
_TAG_BYTES = re.compile(rb"[A-Z][A-Z0-9]  -(?:\s|$)")
_TOO_LARGE = Refused(
    f"The record is larger than {MAX_RECORD // 1024 // 1024} MB.",
    "End the record with a line 'ER  - ', or shorten its abstract.",
)

Tags = dict[str, list[str]]


class RisImporter:
    """Reads ``.ris`` files; see `peerscope.record.parsed.Importer`."""

    name = "ris"
    covers = frozenset({"abstract", "topics", "ids"})

    def read(self, path: str) -> Iterator[Record]:
        """Stream the records of a RIS file.

        Args:
            path: A file in UTF-8, UTF-16 with a mark, or Windows-1252 where its bytes are not UTF-8.

        Yields:
            One record for every ``TY`` line; text outside records that holds tags is quarantined.
        """
        breaks: list[BrokenFileError] = []
        return numbered(_located(path, breaks), breaks)


def _located(path: str, breaks: list[BrokenFileError]) -> Iterator[Located]:
    for line, source, ended in _records(path, breaks):
        too_large = len(source) > MAX_RECORD
        text = decoded(source[:2000] if too_large else source)
        tags = _tags(text)
        key = (tags.get("ID") or [""])[0] or None
        try:
            if too_large:
                raise _TOO_LARGE
            if "TY" not in tags:
                raise Refused(
                    "The record does not start with a line 'TY  - '.",
                    "Put the type first, for example 'TY  - JOUR'.",
                )
            if not ended:
                raise Refused(
                    "The record has no end; the file seems to be cut off.",
                    "Add the line 'ER  - ' or fetch the whole file again.",
                )
            work = to_work(tags, key or "entry-" + blake2b(source, digest_size=6).hexdigest())
            yield Located(line, text[:2000], work, work.key)
        except Refused as refusal:
            yield Located(line, text[:2000], refusal, key)


def _records(path: str, breaks: list[BrokenFileError]) -> Iterator[tuple[int, bytes, bool]]:
    """Start line, source and whether it ends properly, of every record; memory stays bounded."""
    held: list[bytes] = []
    size = start = 0
    tagged = False
    for number, line in _lines(path, breaks):
        if line.startswith(b"TY  -"):
            if tagged:
                yield start, b"\n".join(held), True
            held, size, start, tagged = [], 0, number, True
        elif not tagged and _TAG_BYTES.match(line) and not line.startswith(b"ER  -"):
            held, size, start, tagged = [], 0, number, True
        if not tagged:
            continue
        if size <= MAX_RECORD:
            held.append(line)
            size += len(line) + 1
        if line.startswith(b"ER  -"):
            yield start, b"\n".join(held), True
            held, size, tagged = [], 0, False
    if tagged:
        yield start, b"\n".join(held), False


def _lines(path: str, breaks: list[BrokenFileError]) -> Iterator[tuple[int, bytes]]:
    """Numbered lines; one that grows beyond `MAX_RECORD` comes in pieces of about that size."""
    number = 1
    rest: list[bytes] = []
    size = 0
    for chunk in chunks(path, breaks):
        # A carriage return at the end may be half of a line end; it waits for the next piece.
        if rest and rest[-1].endswith(b"\r"):
            chunk = b"\r" + chunk
            rest[-1] = rest[-1][:-1]
        waiting = chunk.endswith(b"\r")
        body = chunk[:-1] if waiting else chunk
        lines = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        if len(lines) > 1:
            lines[0] = b"".join([*rest, lines[0]])
            for line in lines[:-1]:
                yield number, line
                number += 1
            rest, size = [], 0
        rest.append(lines[-1] + (b"\r" if waiting else b""))
        size += len(rest[-1])
        if size > MAX_RECORD:
            yield number, b"".join(rest)
            rest, size = [], 0
    last = b"".join(rest).rstrip(b"\r")
    if last.strip():
        yield number, last


def _tags(text: str) -> Tags:
    """Values by tag; lines without a tag continue the value above them."""
    parts: dict[str, list[list[str]]] = {}
    current: list[str] = []
    for line in text.split("\n"):
        match = _TAG.match(line)
        if match:
            current = [(match[2] or "").strip()]
            parts.setdefault(match[1], []).append(current)
        elif line.strip():
            current.append(line.strip())
    parts.pop("ER", None)
    joined = {tag: [" ".join(value).strip() for value in values] for tag, values in parts.items()}
    return {tag: kept for tag, values in joined.items() if (kept := [v for v in values if v])}


def to_work(tags: Tags, key: str) -> ParsedWork:
    """One record as a work.

    Args:
        tags: Values by tag, in the order of the file.
        key: The record's key.

    Raises:
        Refused: If there is no title, or the year is impossible.
    """
    left = {tag: list(values) for tag, values in tags.items()}
    kind = _take(left, "TY").upper()
    left.pop("ID", None)
    title = from_mixed(_take(left, "TI", "T1", "CT"))
    require_title(title.text)
    abstract = from_mixed(_take(left, "AB", "N2"))
    work = ParsedWork(
        key=clean(key),
        title=title.text,
        title_markup=title.markup,
        abstract=abstract.text or None,
        abstract_markup=abstract.markup,
        type=TYPES.get(kind, "other"),
    )
    if kind != RIS_TYPES[work.type]:
        work.extra["ris_type"] = clean(kind)
    work.authors = _people(left, "AU", "A1")
    work.editors = _people(left, "ED", "A2")
    _dates(work, left)
    _venue(work, left)
    _identifiers(work, left)
    work.topics = [ParsedTopic(name) for name in _keywords(left.pop("KW", []))]
    for tag, values in left.items():
        work.extra[tag] = "\n".join(clean(value) for value in values)
    return work


def _take(left: Tags, *wanted: str) -> str:
    """The first value of the first of these tags; further values stay."""
    for tag in wanted:
        if tag in left:
            value = left[tag].pop(0)
            if not left[tag]:
                del left[tag]
            return value
    return ""


def _people(left: Tags, *wanted: str) -> list[ParsedAuthor]:
    people = []
    for tag in wanted:
        for value in left.pop(tag, []):
            parts = [part.strip() for part in from_mixed(value).text.split(",")]
            if len(parts) == 1:
                author = ParsedAuthor(parts[0]) if parts[0] else None
            else:
                author = person(parts[0], parts[1], ", ".join(filter(None, parts[2:])))
            if author:
                people.append(author)
    return people


def _dates(work: ParsedWork, left: Tags) -> None:
    printed = clean(_take(left, "PY", "Y1"))
    if printed:
        work.year = year_of(printed)
        date = _slashed(printed)
        if date and len(date) > 4:
            work.date = date
        exact = bool(date) or printed.rstrip("/") == str(work.year)
        if not exact or "PY" in left or "Y1" in left:
            left["PY"] = [printed, *left.pop("PY", []), *left.pop("Y1", [])]
    for value in left.get("DA", [])[:1]:
        date = _slashed(value)
        if date and work.year in (None, int(date[:4])):
            work.year = year_of(date)
            work.date = work.date or (date if len(date) > 4 else None)
            if work.date == date:
                _take(left, "DA")


def _slashed(printed: str) -> str | None:
    """An ISO date from RIS's ``YYYY/MM/DD/other``."""
    parts = [part.strip() for part in printed.split("/")[:3]]
    return iso_date("-".join(part for part in parts if part)) or iso_date(printed)


def _venue(work: ParsedWork, left: Tags) -> None:
    work.venue = from_mixed(_take(left, "T2", "JF", "JO", "BT", "JA", "J2")).text or None
    work.publisher = from_mixed(_take(left, "PB")).text or None
    work.volume = clean(_take(left, "VL")) or None
    work.issue = clean(_take(left, "IS")) or None
    first, last = clean(_take(left, "SP")), clean(_take(left, "EP"))
    pages = f"{first}-{last}" if first and last and "-" not in first else first or last
    work.pages = re.sub(r"\s*[-–—]+\s*", "-", pages) or None
    work.language = clean(_take(left, "LA")) or None
    for value in left.get("SN", [])[:1]:
        number = re.sub(r"[\s-]|\([^)]*\)", "", value).upper()
        if re.fullmatch(r"\d{7}[\dX]", number):
            work.venue_ids["issn"] = f"{number[:4]}-{number[4:]}"
            _take(left, "SN")
        elif re.fullmatch(r"\d{13}|\d{9}[\dX]", number):
            whole = work.type in ("book", "dissertation", "report")
            (work.ids if whole else work.venue_ids)["isbn"] = number
            _take(left, "SN")


def _identifiers(work: ParsedWork, left: Tags) -> None:
    for value in left.get("DO", [])[:1]:
        doi = doi_of(value)
        if doi:
            work.ids["doi"] = doi
            _take(left, "DO")
    for value in list(left.get("AN", [])):
        arxiv = arxiv_of(value) if value.lower().startswith("arxiv") else None
        pmid = re.fullmatch(r"(?i)pmid:\s*(\d{1,9})", value.strip())
        if arxiv or pmid:
            work.ids.update({"arxiv": arxiv} if arxiv else {"pmid": pmid[1] if pmid else ""})
            left["AN"].remove(value)
    if not left.get("AN", [""]):
        del left["AN"]
    addresses = [
        part for value in left.get("UR", []) for part in re.split(r"\s*;\s*(?=https?:)", value)
    ]
    for address in addresses[:1]:
        work.url = url_of(address)
        if work.url:
            left["UR"] = addresses
            _take(left, "UR")
    for value in left.get("L1", [])[:1]:
        work.pdf_url = url_of(value)
        if work.pdf_url:
            _take(left, "L1")
    arxiv = arxiv_of(work.ids.get("doi", "")) or arxiv_of(work.url or "")
    if arxiv:
        work.ids.setdefault("arxiv", arxiv)


def _keywords(values: list[str]) -> list[str]:
    """One keyword a line; a single line with semicolons holds several."""
    if len(values) == 1 and ";" in values[0]:
        values = values[0].split(";")
    names = [from_mixed(value).text for value in values]
    return list(dict.fromkeys(name for name in names if name))
