"""ORCID's public record (version 3.0): the works that a person lists as theirs.

``/record``, ``/works``, or both as objects of an array or one a line. A work is stated with its one author
whom the record is about: the others are not known from here (`authors_in_part`), and where another source
lists them, the iD goes to whom of them it belongs. What the record says of the person beside works, such as
where they are employed today, is no statement about a work and stays out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

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
    url_of,
)
from peerscope.record.importers.csl import json_object
from peerscope.record.importers.json_elements import elements
from peerscope.record.importers.jsonlines import objects, text_of
from peerscope.record.markup import from_html
from peerscope.record.parsed import ParsedAuthor, ParsedVersion, ParsedWork, Record

TYPES = {
    "journal-article": "journal-article", "magazine-article": "journal-article",
    "newspaper-article": "journal-article", "conference-paper": "proceedings-article",
    "conference-proceedings": "book", "preprint": "preprint",
    "working-paper": "report", "book": "book", "edited-book": "book", "book-chapter": "book-chapter",
    "encyclopedia-entry": "book-chapter", "dictionary-entry": "book-chapter",
    "dissertation": "dissertation", "dissertation-thesis": "dissertation", "report": "report",
    "data-set": "dataset", "software": "software", "review": "review", "book-review": "review",
    "journal-issue": "other",
}  # fmt: skip
"""ORCID's work types to those of works; others are ``other``."""

LARGEST = 64 * 1024 * 1024
"""Bytes of one person's record; some list thousands of works."""


class OrcidImporter:
    """Reads ORCID's public records; see `peerscope.record.parsed.Importer`."""

    name = "orcid"
    covers = frozenset({"authors_in_part", "ids"})
    licence = "CC0-1.0"
    rank = -1

    def read(self, path: str) -> Iterator[Record]:
        """Give the works of every record in a file, plain or compressed."""
        breaks: list[BrokenFileError] = []
        return numbered(_located(path, breaks), breaks)


def looks_like(start: bytes) -> bool:
    """Whether a JSON file that begins so holds a public record."""
    return b'"orcid-identifier"' in start or (b'"work-summary"' in start and b'"put-code"' in start)


def _located(path: str, breaks: list[BrokenFileError]) -> Iterator[Located]:
    for element in elements(chunks(path, breaks), largest=LARGEST):
        source = decoded(element.source[:2000])
        try:
            record = json_object(element)
            owner = _owner(record)
        except Refused as refusal:
            yield Located(element.line, source, refusal)
            continue
        for group in _groups(record):
            key: str | None = None
            try:
                key = _key(owner, group)
                yield Located(element.line, source, _work(owner, group, key), key)
            except Refused as refusal:
                yield Located(element.line, _told(group), refusal, key)


def _groups(record: dict[str, Any]) -> list[dict[str, Any]]:
    activities = _object(record.get("activities-summary"))
    works = _object(activities.get("works")) or record
    return objects(works.get("group"))


def _owner(record: dict[str, Any]) -> ParsedAuthor:
    """Whom the record is about; without a public name, the name under which they added a work.

    Raises:
        Refused: It states no iD.
    """
    identifier = _object(record.get("orcid-identifier"))
    printed = text_of(identifier.get("path")) or text_of(record.get("path")) or ""
    orcid = orcid_of(printed)
    if orcid is None:
        raise Refused("The record states no ORCID.", "Get it again from pub.orcid.org.")
    name = _object(_object(record.get("person")).get("name"))
    given, family = _value(name, "given-names"), _value(name, "family-name")
    author = person(family or "", given or "") if family else person(given or "", "")
    if author is None:
        author = person(_own_name(record, orcid) or "", "")
        if author is not None:
            author.family = None
    author = author or ParsedAuthor("")
    author.ids["orcid"] = orcid
    return author


def _own_name(record: dict[str, Any], orcid: str) -> str | None:
    for group in _groups(record):
        for summary in objects(group.get("work-summary")):
            source = _object(summary.get("source"))
            if text_of(_object(source.get("source-orcid")).get("path")) == orcid:
                return _value(source, "source-name")
    return None


def _key(owner: ParsedAuthor, group: dict[str, Any]) -> str:
    """The iD and the lowest put-code: which summary a person prefers may change, that one does not."""
    codes = [
        code
        for one in objects(group.get("work-summary"))
        if isinstance(code := one.get("put-code"), int) and not isinstance(code, bool)
    ]
    if not codes:
        raise Refused("The work has no put-code.", "Get the record again from pub.orcid.org.")
    return f"{owner.ids['orcid']}/{min(codes)}"


def _work(owner: ParsedAuthor, group: dict[str, Any], key: str) -> ParsedWork:
    summaries = objects(group.get("work-summary"))
    # several sources may have added one work: the person says which of them is shown
    summaries.sort(key=lambda one: -_index(one))
    first = summaries[0]
    titles = _object(first.get("title"))
    printed, below = _value(titles, "title") or "", _value(titles, "subtitle")
    title = from_html(f"{printed}: {below}" if below and below not in printed else printed)
    require_title(title.text)
    year, date = _date(first)
    work = ParsedWork(
        key=key,
        title=title.text,
        title_markup=title.markup,
        type=TYPES.get(text_of(first.get("type")) or "", "other"),
        year=year,
        date=date,
        venue=from_html(_value(first, "journal-title") or "").text or None,
        url=url_of(_value(first, "url") or ""),
        authors=[ParsedAuthor(owner.name, owner.family, owner.given, dict(owner.ids))]
        if owner.name
        else [],
    )
    for summary in summaries:
        _identify(work, summary)
    return work


def _identify(work: ParsedWork, summary: dict[str, Any]) -> None:
    for one in objects(_object(summary.get("external-ids")).get("external-id")):
        scheme = (text_of(one.get("external-id-type")) or "").lower()
        normal = _value(one, "external-id-normalized")
        printed = normal or text_of(one.get("external-id-value")) or ""
        value = _identifier(scheme, printed)
        relation = (text_of(one.get("external-id-relationship")) or "self").lower()
        if value is None:
            continue
        if scheme in ("issn", "isbn") and (scheme == "issn" or relation != "self"):
            if work.venue:
                work.venue_ids.setdefault(scheme, value)
        elif relation == "self":
            work.ids.setdefault(scheme, value)
            if scheme == "doi" and (arxiv := arxiv_of(value)):
                work.ids.setdefault("arxiv", arxiv)
        elif relation == "version-of" and scheme in ("doi", "arxiv"):
            kind = "published" if work.type == "preprint" else "preprint"
            if not any(version.ids == {scheme: value} for version in work.versions):
                work.versions.append(ParsedVersion(kind, ids={scheme: value}))


def _identifier(scheme: str, printed: str) -> str | None:
    if scheme == "doi":
        return doi_of(printed)
    if scheme == "arxiv":
        return arxiv_of(printed)
    plain = re.sub(r"[\s-]", "", printed).upper()
    if scheme == "pmid":
        found = re.fullmatch(r"(?:PMID:)?([0-9]{1,9})", plain)
        return found[1] if found else None
    if scheme == "isbn":
        return plain if re.fullmatch(r"[0-9]{13}|[0-9]{9}[0-9X]", plain) else None
    if scheme == "issn" and re.fullmatch(r"[0-9]{7}[0-9X]", plain):
        return f"{plain[:4]}-{plain[4:]}"
    return None


def _date(summary: dict[str, Any]) -> tuple[int | None, str | None]:
    stated = _object(summary.get("publication-date"))
    parts = []
    for name in ("year", "month", "day"):
        value = _value(stated, name)
        if value is None or not re.fullmatch(r"[0-9]{1,4}", value):
            break
        parts.append(int(value))
    if not parts:
        return None, None
    date = iso_date("-".join(str(part) for part in parts))
    return check_year(parts[0]), date if date and len(parts) > 1 else None


def _index(summary: dict[str, Any]) -> int:
    printed = text_of(summary.get("display-index")) or "0"
    return int(printed) if re.fullmatch(r"[0-9]{1,9}", printed) else 0


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _value(holder: dict[str, Any], name: str) -> str | None:
    """ORCID's texts are objects with a ``value``."""
    return text_of(_object(holder.get(name)).get("value"))


def _told(group: dict[str, Any]) -> str:
    return str(objects(group.get("work-summary"))[:1])[:500]
