"""BibTeX and BibLaTeX files.

The file is cut into blocks by `bibtex_blocks` and each block is parsed by bibtexparser, so that memory
stays bounded and one broken entry costs one entry. What an entry says and a work has no place for is
kept in ``extra`` under the field's name, as TeX source.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from hashlib import blake2b

from bibtexparser.model import DuplicateFieldKeyBlock, Entry, String
from bibtexparser.splitter import Splitter

from peerscope.record.files import BrokenFileError
from peerscope.record.importers.bibliography import (
    Located,
    Refused,
    arxiv_of,
    check_year,
    chunks,
    doi_of,
    iso_date,
    numbered,
    require_title,
    split_topics,
    url_of,
    year_of,
)
from peerscope.record.importers.bibtex_blocks import Block, blocks
from peerscope.record.importers.bibtex_fields import (
    ARCHIVE,
    ENTRY_TYPES,
    MONTH_NAMES,
    MONTHS,
    TYPES,
    derived_type,
    evaluate,
    language_of,
    month_and_day,
    names,
    raw_safe,
)
from peerscope.record.markup import clean, from_tex
from peerscope.record.markup.clean import words
from peerscope.record.parsed import WORK_TYPES, ParsedArtifact, ParsedTopic, ParsedWork, Record

# The splitter warns about every broken block; ours go to quarantine with a reason.
logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)

_MAX_PARENTS = 50_000
_NOT_INHERITED = words(
    "title author doi eprint url abstract keywords pages crossref key ids pmid code data pdf "
    "shorttitle xdata entrysubtype archiveprefix eprinttype primaryclass sortkey label note"
)
_DOUBLED = "\x01\x02"  # two backslashes, hidden from a splitter that looks one character back
_VERBATIM = re.compile(r"\\([%&#_$~{}-])(?:\{\})?|\\textasciitilde\s*(?:\{\})?|\\url\s*|[{}]")


class BibtexImporter:
    """Reads ``.bib`` files; see `peerscope.record.parsed.Importer`."""

    name = "bibtex"
    covers = frozenset({"abstract", "topics", "ids"})

    def read(self, path: str) -> Iterator[Record]:
        """Stream the entries of a BibTeX file.

        Args:
            path: A file in UTF-8, UTF-16 with a mark, or Windows-1252 where its bytes are not UTF-8.

        Yields:
            One record for every entry, broken or not; macros, comments and preambles yield none.
        """
        parents = self._parents(path)
        breaks: list[BrokenFileError] = []
        yield from numbered(self._entries(path, parents, breaks), breaks)

    def _entries(
        self, path: str, parents: dict[str, dict[str, str]], breaks: list[BrokenFileError]
    ) -> Iterator[Located]:
        for block, fields, key in _read_fields(path, breaks):
            source = block.text[:2000]
            if isinstance(fields, Refused):
                yield Located(block.line, source, fields, key)
                continue
            try:
                work = to_work(block.type, key or _key_of(block), _inherit(fields, parents))
                yield Located(block.line, source, work, work.key)
            except Refused as refusal:
                yield Located(block.line, source, refusal, key)

    @staticmethod
    def _parents(path: str) -> dict[str, dict[str, str]]:
        """Fields of the entries that others point to with ``crossref``; read first, for order is free."""
        wanted: set[str] = set()
        tail = b""
        for chunk in chunks(path):
            for found in re.finditer(
                rb"(?i)crossref\s*=\s*[{\"]?\s*([^\s{}\",]{1,200})", tail + chunk
            ):
                if len(wanted) < _MAX_PARENTS:
                    wanted.add(found[1].decode("utf-8", "replace").lower())
            tail = chunk[-300:]
        if not wanted:
            return {}
        parents: dict[str, dict[str, str]] = {}
        for _, fields, key in _read_fields(path, []):
            if key and key.lower() in wanted and not isinstance(fields, Refused):
                parents.setdefault(key.lower(), {k: v[:20_000] for k, v in fields.items()})
        return parents


def _read_fields(
    path: str, breaks: list[BrokenFileError]
) -> Iterator[tuple[Block, dict[str, str] | Refused, str | None]]:
    """Every entry's block with its evaluated fields or the reason why it has none, and its key."""
    macros = dict(zip(MONTHS, MONTH_NAMES, strict=True))
    for block in blocks(chunks(path, breaks)):
        if block.type in ("comment", "preamble"):
            continue
        if block.problem:
            named = re.match(r"@\s*\w+\s*[{(]\s*([^\s,{}\"=]+)\s*,", block.text)
            yield block, Refused(block.problem, block.mend), named[1] if named else None
            continue
        entry = _parse(block)
        if isinstance(entry, String):
            try:
                macros[entry.key.strip().lower()] = evaluate(_whole(entry.value), macros)
            except Refused:
                continue
        elif isinstance(entry, Entry):
            key = clean(_whole(entry.key)) or None
            try:
                yield block, _evaluated(entry, macros), key
            except Refused as refusal:
                yield block, refusal, key
        elif block.type != "string":
            yield block, entry, None


def _parse(block: Block) -> Entry | String | Refused:
    text = block.text.replace("\\\\", _DOUBLED)
    found = Splitter(text).split().blocks
    first = found[0] if found else None
    if isinstance(first, DuplicateFieldKeyBlock):
        first = first.ignore_error_block
    if isinstance(first, Entry | String):
        return first
    detail = str(
        getattr(getattr(first, "error", None), "abort_reason", "") or "it cannot be parsed"
    )
    return Refused(
        f"The entry is not well formed: {clean(detail).rstrip('.')}.",
        "Correct the entry's commas, equals signs, braces and quotation marks.",
    )


def _whole(value: str) -> str:
    return value.replace(_DOUBLED, "\\\\")


def _evaluated(entry: Entry, macros: dict[str, str]) -> dict[str, str]:
    """Fields by lower-case name; a name that comes again is kept under ``name_2``."""
    fields: dict[str, str] = {}
    for field in entry.fields:
        name = clean(field.key).lower()
        count = 2
        unique = name
        while unique in fields:
            unique = f"{name}_{count}"
            count += 1
        try:
            value = evaluate(_whole(field.value), macros)
        except Refused as refusal:
            raise Refused(f"In the field '{name}': {refusal.reason}", refusal.mend) from None
        if value and name:
            fields[unique] = value
    return fields


def _key_of(block: Block) -> str:
    return "entry-" + blake2b(block.source, digest_size=6).hexdigest()


def _inherit(fields: dict[str, str], parents: dict[str, dict[str, str]]) -> dict[str, str]:
    parent = parents.get(fields.get("crossref", "").lower())
    if not parent:
        return fields
    merged = dict(fields)
    for name, value in parent.items():
        if name not in _NOT_INHERITED:
            merged.setdefault(name, value)
    if "title" in parent:
        merged.setdefault("booktitle", parent.get("booktitle", parent["title"]))
    return merged


class _Fields:
    """The fields of one entry; what nobody takes is left for ``extra``."""

    def __init__(self, fields: dict[str, str]) -> None:
        self.left = dict(fields)

    def take(self, *wanted: str) -> str:
        """The source of the first of these fields that is there."""
        for name in wanted:
            if name in self.left:
                return self.left.pop(name)
        return ""

    def text(self, *wanted: str) -> str | None:
        return from_tex(self.take(*wanted)).text or None

    def back(self, name: str, source: str) -> None:
        """Keep a source that could not be used."""
        self.left[name] = source


def to_work(entry_type: str, key: str, fields: dict[str, str]) -> ParsedWork:
    """One entry as a work.

    Args:
        entry_type: Lower-case entry type ("article").
        key: The entry's key.
        fields: Lower-case names and evaluated values, as TeX source.

    Raises:
        Refused: If there is no title, or the year is impossible.
    """
    source = _Fields(fields)
    title = from_tex(source.take("title"))
    require_title(title.text)
    abstract = from_tex(source.take("abstract"))
    work = ParsedWork(
        key=key,
        title=title.text,
        title_markup=title.markup,
        abstract=abstract.text or None,
        abstract_markup=abstract.markup,
    )
    _people(work, source)
    _identifiers(work, source)
    _dates(work, source)
    _type_and_venue(work, entry_type, source)
    _details(work, source)
    for name, value in source.left.items():
        work.extra.setdefault(name, raw_safe(value))
    return work


def _people(work: ParsedWork, source: _Fields) -> None:
    work.authors, more = names(source.take("author"))
    if more:
        work.extra["more_authors"] = "yes"
    work.editors, more = names(source.take("editor"))
    if more:
        work.extra["more_editors"] = "yes"


def _identifiers(work: ParsedWork, source: _Fields) -> None:
    _identifier(work, source, "doi", "doi", doi_of)
    archive = verbatim(source.left.get("archiveprefix") or source.left.get("eprinttype") or "arxiv")
    if archive.lower() == "arxiv":
        _identifier(work, source, "eprint", "arxiv", arxiv_of)
        if "arxiv" in work.ids:
            for name in ("archiveprefix", "eprinttype"):
                if source.left.get(name, "").lower() == "arxiv":
                    del source.left[name]
    for name in ("arxivid", "arxiv"):
        if "arxiv" not in work.ids:
            _identifier(work, source, name, "arxiv", arxiv_of)
    _identifier(work, source, "pmid", "pmid", lambda v: v if re.fullmatch(r"\d{1,9}", v) else None)
    url = verbatim(source.left.get("url", ""))
    work.url = url_of(url)
    if work.url:
        source.take("url")
    pdf = verbatim(source.left.get("pdf", ""))
    work.pdf_url = url_of(pdf)
    if work.pdf_url:
        source.take("pdf")
    if "arxiv" not in work.ids:
        venues = [source.left.get(f, "") for f in ("journal", "journaltitle", "booktitle")]
        number = re.search(r"(?i)arxiv[:.\s]+(\d{4}\.\d{4,5}|[a-z.-]+/\d{7})", " ; ".join(venues))
        if not number and "corr" in (venue.lower() for venue in venues):
            number = re.search(r"abs/([\w.-]+(?:/\d{7})?)", source.left.get("volume", ""))
        for candidate in (work.ids.get("doi", ""), work.url or "", number[1] if number else ""):
            found = arxiv_of(candidate)
            if found:
                work.ids["arxiv"] = found
                break


def _identifier(work: ParsedWork, source: _Fields, name: str, scheme: str, read: object) -> None:
    printed = verbatim(source.left.get(name, ""))
    value = read(printed) if printed else None  # type: ignore[operator]
    if value:
        work.ids[scheme] = value
        source.take(name)
        if scheme == "arxiv" and value != printed:
            source.back("eprint", printed)


def verbatim(value: str) -> str:
    """A field of which TeX prints nothing: escapes undone, braces and blanks taken away."""
    return clean(_VERBATIM.sub(lambda m: m[1] or ("~" if "tilde" in m[0] else ""), value)).strip()


def _dates(work: ParsedWork, source: _Fields) -> None:
    year_source = source.take("year")
    if year_source:
        work.year = year_of(from_tex(year_source).text)
        if year_source != str(work.year):
            work.extra["year"] = raw_safe(year_source)
    date = verbatim(source.left.get("date", ""))
    iso = iso_date(date.split("/")[0]) if date else None
    if iso:
        year = check_year(int(iso[:4]))
        if work.year in (None, year):
            work.year = year
            work.date = iso if len(iso) > 4 else None
            if date == iso and "year" not in work.extra:
                source.take("date")
    elif date and work.year is None:
        work.year = year_of(date)
    month = month_and_day(source.left.get("month", ""))
    if work.date and month == (int(work.date[5:7]), None):
        source.take("month")
    if work.date or not month or work.year is None:
        return
    day = month[1]
    if day is None and re.fullmatch(r"\d{1,2}", source.left.get("day", "")):
        day = int(source.left["day"])
        both = True
    else:
        both = False
    iso = iso_date(f"{work.year}-{month[0]}" + (f"-{day}" if day else ""))
    if iso:
        work.date = iso
        source.take("month")
        if both:
            source.take("day")


def _type_and_venue(work: ParsedWork, entry_type: str, source: _Fields) -> None:
    chapter = TYPES.get(entry_type) in ("proceedings-article", "book-chapter")
    first, second = ("booktitle", "journal") if chapter else ("journal", "booktitle")
    if "journaltitle" in source.left and "journal" not in source.left:
        source.left["journal"] = source.take("journaltitle")
    venue_field = first if first in source.left else second
    venue = from_tex(source.left.get(venue_field, "")).text
    work.type = derived_type(
        entry_type, venue, arxiv="arxiv" in work.ids, published="howpublished" in source.left
    )
    subtype = source.left.get("entrysubtype", "")
    if subtype in WORK_TYPES:
        work.type = source.take("entrysubtype")
    if work.type == "preprint" and "arxiv" in work.ids and (ARCHIVE.match(venue) or not venue):
        work.venue = "arXiv"
    elif venue:
        work.venue = venue
        source.take(venue_field)
    if entry_type != ENTRY_TYPES[work.type]:
        work.extra["bibtex_type"] = entry_type


def _details(work: ParsedWork, source: _Fields) -> None:
    house = {"dissertation": ("school", "institution"), "report": ("institution", "school")}
    work.publisher = source.text("publisher", *house.get(work.type, ()))
    work.volume = source.text("volume")
    work.issue = source.text("number", "issue")
    pages = source.text("pages")
    work.pages = re.sub(r"\s*[-–—]+\s*", "-", pages) if pages else None
    work.licence = source.text("license", "licence")
    name = "langid" if "langid" in source.left else "language"
    printed = verbatim(source.left.get(name, ""))
    work.language = language_of(printed)
    if work.language == printed:
        source.take(name)
    _series_numbers(work, source)
    seen: set[str] = set()
    for part in split_topics(source.take("keywords", "keyword")):
        topic = from_tex(part).text
        if topic and topic.lower() not in seen:
            seen.add(topic.lower())
            work.topics.append(ParsedTopic(name=topic))
    for kind, wanted in (
        ("code", ("code", "codeurl", "code_url", "github")),
        ("data", ("data", "dataurl", "data_url")),
    ):
        for name in wanted:
            urls = [url_of(verbatim(u)) for u in source.left.get(name, "").split()]
            if urls and all(urls):
                source.take(name)
                work.artifacts += [ParsedArtifact(kind, url) for url in dict.fromkeys(urls) if url]


def _series_numbers(work: ParsedWork, source: _Fields) -> None:
    """An ISBN names a book, but only the container of a paper or chapter."""
    issn = verbatim(source.left.get("issn", "")).upper()
    if re.fullmatch(r"\d{4}-\d{3}[\dX]", issn):
        work.venue_ids["issn"] = issn
        source.take("issn")
    isbn = re.sub(r"[\s-]", "", verbatim(source.left.get("isbn", ""))).upper()
    if re.fullmatch(r"\d{13}|\d{9}[\dX]", isbn):
        source.take("isbn")
        place = work.ids if work.type in ("book", "dissertation", "report") else work.venue_ids
        place["isbn"] = isbn
