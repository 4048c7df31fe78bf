"""Crossref's works: the answer for one DOI, a list of them, or messages one a line.

Field names are those of Crossref's REST API (its ``works`` format). The record of a retracted work names the
notice under ``updated-by``, the notice names the work under ``update-to``; where both are in one file, either
is enough. Counts, scores and dates of indexing stay behind: they say nothing about the work, and change.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from peerscope.record.files import BrokenFileError, decoded, head
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
)
from peerscope.record.importers.csl import json_object
from peerscope.record.importers.json_elements import Element, elements
from peerscope.record.importers.jsonlines import objects, strings, text_of
from peerscope.record.markup import clean, from_html
from peerscope.record.parsed import (
    ParsedAuthor,
    ParsedInstitution,
    ParsedNotice,
    ParsedReference,
    ParsedVersion,
    ParsedWork,
    Record,
)

TYPES = {
    "journal-article": "journal-article", "proceedings-article": "proceedings-article",
    "posted-content": "preprint", "book": "book", "monograph": "book", "edited-book": "book",
    "reference-book": "book", "proceedings": "book", "book-chapter": "book-chapter",
    "book-part": "book-chapter", "book-section": "book-chapter", "book-track": "book-chapter",
    "reference-entry": "book-chapter", "dissertation": "dissertation", "report": "report",
    "report-component": "report", "standard": "report", "dataset": "dataset",
    "peer-review": "review",
}  # fmt: skip
"""Crossref's types to those of works; others are ``other``."""

NOTICES = {
    "retraction": "retraction", "withdrawal": "retraction", "removal": "retraction",
    "correction": "correction", "corrigendum": "correction", "erratum": "correction",
    "addendum": "correction", "clarification": "correction", "partial_retraction": "correction",
    "expression_of_concern": "concern",
}  # fmt: skip
"""Types of update to kinds of notice; new editions and versions are none."""

REINSTATED = "reinstatement"
DATES = ("issued", "published", "posted", "published-online", "published-print")
PROBED = 200
"""Objects that are looked at to see what a file carries at all."""

MOST_TARGETS = 100_000
"""Works whose notices stand elsewhere in the file that are remembered."""

_HEADING = re.compile(
    r"^\s*(?:<jats:(?:sec|p)[^>]*>\s*)?<(jats:title|title)[^>]*>\s*(?:abstract|summary)\s*[:.]?\s*</\1>",
    re.IGNORECASE,
)

Notices = dict[str, list[tuple[str, str | None, str | None]]]
"""DOI of a work to what is said of it: type of update, date, DOI of the notice."""


class CrossrefImporter:
    """Reads Crossref's works; see `peerscope.record.parsed.Importer`.

    Args:
        path: Where given, what its first objects carry decides what the source covers.
    """

    name = "crossref"
    licence = "facts; an abstract belongs to its publisher"

    def __init__(self, path: str | None = None) -> None:
        self.covers = _covers(path) if path is not None else frozenset({"notices", "ids"})

    def read(self, path: str) -> Iterator[Record]:
        """Stream the works of a file, plain or compressed."""
        breaks: list[BrokenFileError] = []
        return numbered(_located(path, breaks), breaks)


def is_message(found: dict[str, Any]) -> bool:
    """Whether an object is a work of Crossref (its own CSL differs in that a title is a text there)."""
    if isinstance(found.get("message"), dict) and "message-type" in found:
        return True
    return (
        isinstance(found.get("DOI"), str)
        and isinstance(found.get("title"), list)
        and bool({"prefix", "member", "reference-count", "indexed", "deposited"} & found.keys())
    )


def looks_like(start: bytes) -> bool:
    """Whether a JSON file that begins so holds an answer of Crossref, or a message longer than that."""
    if re.search(rb'"message-type"\s*:\s*"work(?:-list)?"', start):
        return True
    marks = (rb'"DOI"\s*:', rb'"title"\s*:\s*\[', rb'"reference(?:s)?-count"\s*:')
    return len(start) >= 1 << 16 and all(re.search(mark, start) for mark in marks)


def parse_work(found: dict[str, Any], told: Notices | None = None) -> ParsedWork:
    """One message as a work.

    Args:
        found: The work, or the answer that holds it as ``message``.
        told: Notices that stand in other messages of the file.

    Raises:
        Refused: It has no title or no DOI, or its year is impossible.
    """
    found = _message(found)
    doi = doi_of(text_of(found.get("DOI")) or "")
    if doi is None:
        raise Refused("The record has no DOI.", "Get the record again from Crossref.")
    title = from_html(_title(found))
    require_title(title.text)
    abstract = from_html(_HEADING.sub("", text_of(found.get("abstract")) or ""))
    year, date = _date(found)
    stated = text_of(found.get("type")) or ""
    kind = TYPES.get(stated, "other")
    if kind == "preprint" and (text_of(found.get("subtype")) or "preprint") != "preprint":
        kind = "other"
    work = ParsedWork(
        key=doi,
        title=title.text,
        title_markup=title.markup,
        abstract=abstract.text or None,
        abstract_markup=abstract.markup,
        type=kind,
        year=year,
        date=date,
        language=text_of(found.get("language")),
        venue=_venue(found),
        publisher=clean(text_of(found.get("publisher")) or "") or None,
        volume=text_of(found.get("volume")),
        issue=text_of(found.get("issue")),
        pages=text_of(found.get("page")) or text_of(found.get("article-number")),
        ids={"doi": doi},
        authors=_people(found, "author"),
        editors=_people(found, "editor"),
        references=_references(found),
        versions=_versions(found),
        notices=_notices(found, doi, told or {}),
    )
    _serial_numbers(work, found)
    return work


def _located(path: str, breaks: list[BrokenFileError]) -> Iterator[Located]:
    told = _told(path)
    for element in _elements(path, breaks):
        source = decoded(element.source[:2000])
        key: str | None = None
        try:
            message = _message(json_object(element))
            key = text_of(message.get("DOI"))
            yield Located(element.line, source, parse_work(message, told), key)
        except Refused as refusal:
            yield Located(element.line, source, refusal, key)


def _elements(path: str, breaks: list[BrokenFileError] | None = None) -> Iterator[Element]:
    listed = re.search(rb'"message-type"\s*:\s*"work-list"', head(path)) is not None
    return elements(chunks(path, breaks), ("items", 2) if listed else None)


def _message(found: dict[str, Any]) -> dict[str, Any]:
    message = found.get("message")
    return message if isinstance(message, dict) else found


def _told(path: str) -> Notices:
    """What messages of the file say of other works."""
    told: Notices = defaultdict(list)
    for element in _elements(path):
        if b'"update-to"' not in element.source or len(told) >= MOST_TARGETS:
            continue
        try:
            message = _message(json_object(element))
        except Refused:
            continue
        own = doi_of(text_of(message.get("DOI")) or "")
        for one in objects(message.get("update-to")):
            target = doi_of(text_of(one.get("DOI")) or "")
            if target:
                told[target].append((text_of(one.get("type")) or "", _moment(one), own))
    return told


def _covers(path: str) -> frozenset[Any]:
    """Abstracts, references and affiliations are left out by many publishers: what none states is unknown."""
    found: set[str] = {"notices", "ids"}
    for place, element in enumerate(_elements(path)):
        if place >= PROBED:
            break
        try:
            message = _message(json_object(element))
        except Refused:
            continue
        if objects(message.get("reference")):
            found.add("references")
        if text_of(message.get("abstract")):
            found.add("abstract")
        if any(objects(one.get("affiliation")) for one in objects(message.get("author"))):
            found.add("affiliations")
    return frozenset(found)


def _title(found: dict[str, Any]) -> str:
    main = " ".join(strings(found.get("title"))[:1])
    below = " ".join(strings(found.get("subtitle"))[:1])
    if not main or not below or below.casefold() in main.casefold():
        return main
    return f"{main} {below}" if main[-1] in ":?!–—" else f"{main}: {below}"


def _date(found: dict[str, Any]) -> tuple[int | None, str | None]:
    for name in DATES:
        stated = found.get(name)
        numbers = _parts(stated) if isinstance(stated, dict) else []
        if numbers:
            date = iso_date("-".join(str(number) for number in numbers))
            return check_year(numbers[0]), date if date and len(numbers) > 1 else None
    return None, None


def _parts(stated: dict[str, Any]) -> list[int]:
    parts = stated.get("date-parts")
    first = parts[0] if isinstance(parts, list) and parts and isinstance(parts[0], list) else []
    numbers: list[int] = []
    for part in first[:3]:
        if isinstance(part, bool) or not isinstance(part, int):
            break
        numbers.append(part)
    return numbers


def _venue(found: dict[str, Any]) -> str | None:
    names = strings(found.get("container-title")) or strings(found.get("group-title"))
    if not names and isinstance(found.get("event"), dict):
        names = strings(found["event"].get("name"))
    if not names and found.get("type") == "posted-content":
        names = [
            name for one in objects(found.get("institution")) for name in strings(one.get("name"))
        ]
    return from_html(names[0]).text or None if names else None


def _serial_numbers(work: ParsedWork, found: dict[str, Any]) -> None:
    issn = next(iter(strings(found.get("ISSN"))), "").upper()
    if re.fullmatch(r"\d{4}-\d{3}[\dX]", issn, re.ASCII) and work.venue:
        work.venue_ids["issn"] = issn
    isbn = (
        re.sub(r"[\s-]", "", next(iter(strings(found.get("ISBN"))), "")).upper().rpartition("/")[2]
    )
    if re.fullmatch(r"\d{13}|\d{9}[\dX]", isbn, re.ASCII):
        if work.type in ("book", "dissertation", "report"):
            work.ids["isbn"] = isbn
        elif work.venue:
            work.venue_ids["isbn"] = isbn


def _people(found: dict[str, Any], role: str) -> list[ParsedAuthor]:
    return [author for one in objects(found.get(role)) if (author := _person(one))]


def _person(one: dict[str, Any]) -> ParsedAuthor | None:
    family, given = text_of(one.get("family")), text_of(one.get("given"))
    name = text_of(one.get("name"))
    author = (
        person(family or "", given or "", text_of(one.get("suffix")) or "")
        if family or given
        else person(name or "", "")
    )
    if author is None:
        return None
    if orcid := orcid_of(text_of(one.get("ORCID")) or ""):
        author.ids["orcid"] = orcid
    author.institutions = [
        place for at in objects(one.get("affiliation")) if (place := _institution(at))
    ]
    author.raw_affiliation = "; ".join(place.name for place in author.institutions) or None
    return author


def _institution(one: dict[str, Any]) -> ParsedInstitution | None:
    name = from_html(text_of(one.get("name")) or "").text
    if not name:
        return None
    stated = (
        (text_of(one.get("id")) or "").rstrip("/").rpartition("/")[2]
        for one in objects(one.get("id"))
        if (text_of(one.get("id-type")) or "").upper() == "ROR"
    )
    ror = next(stated, "")
    return ParsedInstitution(name, {"ror": ror} if ror else {})


def _references(found: dict[str, Any]) -> list[ParsedReference]:
    references = []
    for one in objects(found.get("reference")):
        doi = doi_of(text_of(one.get("DOI")) or "")
        raw = from_html(text_of(one.get("unstructured")) or _printed(one)).text or None
        if doi:
            references.append(ParsedReference("doi", doi, raw))
        elif raw:
            references.append(ParsedReference(raw=raw))
    return references


def _printed(one: dict[str, Any]) -> str:
    names = (
        "author",
        "year",
        "article-title",
        "volume-title",
        "journal-title",
        "volume",
        "first-page",
    )
    return ", ".join(part for name in names if (part := text_of(one.get(name))))


def _versions(found: dict[str, Any]) -> list[ParsedVersion]:
    relation = found.get("relation")
    if not isinstance(relation, dict):
        return []
    versions = []
    for name, kind in (("is-preprint-of", "published"), ("has-preprint", "preprint")):
        for one in objects(relation.get(name)):
            value, scheme = text_of(one.get("id")) or "", text_of(one.get("id-type"))
            doi = doi_of(value) if scheme == "doi" else None
            arxiv = arxiv_of(doi or value) if doi or scheme == "arxiv" else None
            ids = {"arxiv": arxiv} if arxiv else {"doi": doi} if doi else None
            if ids:
                versions.append(ParsedVersion(kind, ids=ids))
    return versions


def _notices(found: dict[str, Any], own: str, told: Notices) -> list[ParsedNotice]:
    updates = [
        (text_of(one.get("type")) or "", _moment(one), doi_of(text_of(one.get("DOI")) or ""))
        for one in objects(found.get("updated-by"))
    ]
    updates += told.get(own, [])
    updates += [
        (text_of(one.get("type")) or "", _moment(one), own)
        for one in objects(found.get("update-to"))
        if doi_of(text_of(one.get("DOI")) or "") == own
    ]
    back = max((date or "9999" for kind, date, _ in updates if kind == REINSTATED), default="")
    # the publisher and Retraction Watch may both state one notice, days apart: the earlier day counts
    updates.sort(key=lambda update: update[1] or "9999")
    notices: dict[tuple[str, str | None], ParsedNotice] = {}
    for kind, date, notice in updates:
        known = NOTICES.get(kind.replace("-", "_").replace(" ", "_").lower())
        # a work that was put back after its retraction is not a retracted one
        if known and not (known == "retraction" and back and (date or "") <= back):
            url = f"https://doi.org/{notice}" if notice else None
            notices.setdefault((known, url or date), ParsedNotice(known, date, url))
    return list(notices.values())


def _moment(one: dict[str, Any]) -> str | None:
    """The day of an update, as precise as it is stated."""
    updated = one.get("updated")
    numbers = _parts(updated) if isinstance(updated, dict) else []
    return iso_date("-".join(str(number) for number in numbers)) if numbers else None


def notices_on(found: dict[str, Any]) -> list[str]:
    """DOIs of other works that a message is a notice on."""
    message = _message(found)
    own = doi_of(text_of(message.get("DOI")) or "")
    dois = [doi_of(text_of(one.get("DOI")) or "") for one in objects(message.get("update-to"))]
    return list(dict.fromkeys(doi for doi in dois if doi and doi != own))
