"""CSL-JSON: the exchange format of Zotero, Mendeley, Pandoc and citation processors.

An array, an object with ``items``, or one object a line. Keys that have no place in a work are kept in
``extra``: texts as they are, everything else (and texts that read as JSON) as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import orjson

from peerscope.record.files import BrokenFileError, decoded
from peerscope.record.importers.bibliography import (
    Located,
    Refused,
    arxiv_of,
    check_year,
    chunks,
    doi_of,
    iso_date,
    numbered,
    orcid_of,
    person,
    require_title,
    split_topics,
    url_of,
    year_of,
)
from peerscope.record.importers.json_elements import Element, elements
from peerscope.record.markup import clean, from_html
from peerscope.record.parsed import ParsedAuthor, ParsedInstitution, ParsedTopic, ParsedWork, Record

TYPES = {
    "article-journal": "journal-article", "article": "preprint", "paper-conference": "proceedings-article",
    "book": "book", "chapter": "book-chapter", "entry-encyclopedia": "book-chapter",
    "entry-dictionary": "book-chapter", "thesis": "dissertation", "report": "report",
    "dataset": "dataset", "software": "software", "review": "review", "review-book": "review",
    "document": "other", "manuscript": "other", "journal-article": "journal-article",
    "proceedings-article": "proceedings-article", "posted-content": "preprint",
    "book-chapter": "book-chapter", "dissertation": "dissertation",
}  # fmt: skip
"""CSL type (and Crossref's names, which its own CSL carries) to work type; others are ``other``."""

CSL_TYPES = {
    "journal-article": "article-journal", "proceedings-article": "paper-conference",
    "preprint": "article", "book": "book", "book-chapter": "chapter", "dissertation": "thesis",
    "report": "report", "dataset": "dataset", "software": "software", "review": "review",
    "other": "document",
}  # fmt: skip
"""Work type to the CSL type under which it is written."""


class CslImporter:
    """Reads CSL-JSON files; see `peerscope.record.parsed.Importer`."""

    name = "csl"
    covers = frozenset({"abstract", "topics", "ids"})

    def read(self, path: str) -> Iterator[Record]:
        """Stream the items of a CSL-JSON file.

        Args:
            path: A file with an array, ``{"items": [...]}`` or one object a line.

        Yields:
            One record for every object, broken or not.
        """
        breaks: list[BrokenFileError] = []
        return numbered(_located(path, breaks), breaks)


def _located(path: str, breaks: list[BrokenFileError]) -> Iterator[Located]:
    for element in elements(chunks(path, breaks)):
        source = decoded(element.source[:2000])
        try:
            item = json_object(element)
            key = (
                _string(item, "id") or "entry-" + blake2b(element.source, digest_size=6).hexdigest()
            )
        except Refused as refusal:
            yield Located(element.line, source, refusal)
            continue
        try:
            yield Located(element.line, source, to_work(item, clean(key)), key)
        except Refused as refusal:
            yield Located(element.line, source, refusal, key)


def json_object(element: Element) -> dict[str, Any]:
    """The object that was cut out of a file.

    Raises:
        Refused: It is broken, or no object.
    """
    if element.problem:
        raise Refused(element.problem, f"Correct the object at byte {element.offset}.")
    try:
        item = orjson.loads(element.source)
    except orjson.JSONDecodeError as error:
        try:
            item = orjson.loads(decoded(element.source))
        except (orjson.JSONDecodeError, ValueError):
            raise Refused(
                f"The object is not valid JSON: {error}.",
                f"Correct the object at byte {element.offset}.",
            ) from None
    if not isinstance(item, dict):
        raise Refused("Here stands something that is not an object.", "Remove it.")
    return item


def _string(item: dict[str, Any], key: str) -> str:
    """A text or number under ``key``; anything else counts as absent."""
    value = item.get(key)
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def to_work(item: dict[str, Any], key: str) -> ParsedWork:
    """One CSL item as a work.

    Args:
        item: The decoded object.
        key: The item's id.

    Raises:
        Refused: If there is no title, or the year is impossible.
    """
    left = dict(item)
    left.pop("id", None)
    title = from_html(_take(left, "title"))
    require_title(title.text)
    abstract = from_html(_take(left, "abstract"))
    kind = _take(left, "type")
    work = ParsedWork(
        key=key,
        title=title.text,
        title_markup=title.markup,
        abstract=abstract.text or None,
        abstract_markup=abstract.markup,
        type=TYPES.get(kind, "other"),
        venue=from_html(_take(left, "container-title")).text or None,
        publisher=from_html(_take(left, "publisher")).text or None,
        volume=clean(_take(left, "volume")) or None,
        issue=clean(_take(left, "issue")) or None,
        pages=re.sub(r"\s*[-–—]+\s*", "-", clean(_take(left, "page"))) or None,
        language=clean(_take(left, "language")) or None,
        licence=clean(_take(left, "license")) or None,
    )
    if kind != CSL_TYPES[work.type]:
        work.extra["csl_type"] = kind
    work.authors = _people(left, "author")
    work.editors = _people(left, "editor")
    _issued(work, left)
    _identifiers(work, left)
    work.topics = [ParsedTopic(name) for name in _topics(left)]
    for name, value in left.items():
        kept = keep(value)
        if kept and clean(name):
            work.extra[clean(name)] = kept
    return work


def keep(value: Any) -> str:
    """A value as a text of ``extra``: texts stay unless they would read as JSON."""
    if isinstance(value, str):
        text = value.encode("utf-8", "ignore").decode()
        try:
            orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode("utf-8")


def _take(left: dict[str, Any], name: str) -> str:
    """The text under ``name``, taken out; what is neither text nor number stays."""
    value = left.get(name)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        left[name] = value[0]
    text = _string(left, name)
    if text or value in ("", [], None):
        left.pop(name, None)
    return text


def _people(left: dict[str, Any], role: str) -> list[ParsedAuthor]:
    listed = left.get(role)
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        return []
    del left[role]
    return [author for one in listed if (author := _person(one))]


def _person(one: dict[str, Any]) -> ParsedAuthor | None:
    particles = [_string(one, "dropping-particle"), _string(one, "non-dropping-particle")]
    family = " ".join(part for part in [*particles, _string(one, "family")] if part)
    literal = _string(one, "literal") or _string(one, "name")
    author = (
        person(literal, "")
        if literal
        else person(family, _string(one, "given"), _string(one, "suffix"))
    )
    if author is None:
        return None
    orcid = orcid_of(_string(one, "ORCID") or _string(one, "orcid"))
    if orcid:
        author.ids["orcid"] = orcid
    places = one.get("affiliation")
    if isinstance(places, list):
        names = [_string(p, "name") if isinstance(p, dict) else p for p in places]
        author.institutions = [
            ParsedInstitution(clean(n)) for n in names if isinstance(n, str) and clean(n)
        ]
    return author


def _issued(work: ParsedWork, left: dict[str, Any]) -> None:
    issued = left.get("issued")
    if isinstance(issued, str | int):
        issued = {"raw": str(issued)}
    if not isinstance(issued, dict):
        return
    parts = issued.get("date-parts")
    first = parts[0] if isinstance(parts, list) and parts and isinstance(parts[0], list) else []
    numbers = [int(p) for p in first if re.fullmatch(r"-?\d{1,9}", str(p))][:3]
    if numbers:
        work.year = check_year(numbers[0])
        date = iso_date("-".join(str(n) for n in numbers))
        work.date = date if date and len(numbers) > 1 else None
        exact = len(numbers) == len(first) and (work.date or len(numbers) == 1)
        if exact and len(issued) == 1 and len(parts or []) == 1:
            del left["issued"]
        return
    printed = _string(issued, "raw") or _string(issued, "literal")
    if printed:
        work.year = year_of(printed)
        date = iso_date(printed)
        if date:
            work.date = date if len(date) > 4 else None
            if len(issued) == 1:
                del left["issued"]


def _identifiers(work: ParsedWork, left: dict[str, Any]) -> None:
    def move(name: str, scheme: str, value: str | None, into: dict[str, str]) -> None:
        if value:
            into[scheme] = value
            del left[name]

    move("DOI", "doi", doi_of(_string(left, "DOI")), work.ids)
    pmid = _string(left, "PMID")
    move("PMID", "pmid", pmid if re.fullmatch(r"\d{1,9}", pmid) else None, work.ids)
    issn = _string(left, "ISSN").upper()
    move("ISSN", "issn", issn if re.fullmatch(r"\d{4}-\d{3}[\dX]", issn) else None, work.venue_ids)
    isbn = re.sub(r"[\s-]", "", _string(left, "ISBN")).upper()
    whole = work.type in ("book", "dissertation", "report")
    isbn_ok = isbn if re.fullmatch(r"\d{13}|\d{9}[\dX]", isbn) else None
    move("ISBN", "isbn", isbn_ok, work.ids if whole else work.venue_ids)
    number = _string(left, "number")
    if number.lower().startswith("arxiv"):
        move("number", "arxiv", arxiv_of(number), work.ids)
    work.url = url_of(_string(left, "URL"))
    if work.url:
        del left["URL"]
    work.pdf_url = url_of(_string(left, "PDF"))
    if work.pdf_url:
        del left["PDF"]
    found = arxiv_of(work.ids.get("doi", "")) or arxiv_of(work.url or "")
    if found:
        work.ids.setdefault("arxiv", found)


def _topics(left: dict[str, Any]) -> list[str]:
    names: list[str] = []
    categories = left.get("categories")
    if isinstance(categories, list) and all(isinstance(c, str) for c in categories):
        names += left.pop("categories")
    names += split_topics(_take(left, "keyword"))
    return list(dict.fromkeys(text for name in names if (text := from_html(name).text)))
