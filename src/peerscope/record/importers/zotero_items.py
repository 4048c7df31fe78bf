"""An item of a Zotero library as a work, whichever way it comes: JSON, RDF or the library's own database.

Item types, field names and creator types are Zotero's. What a library says for its owner alone stays there:
notes, attachments, annotations, collections, when an item was added and read, and lines of ``extra`` that
are no identifiers.
"""

from __future__ import annotations

import re
from typing import Any

from peerscope.record.importers.bibliography import (
    arxiv_of,
    doi_of,
    iso_date,
    person,
    require_title,
    url_of,
    year_of,
)
from peerscope.record.importers.jsonlines import objects, text_of
from peerscope.record.markup import clean, from_html
from peerscope.record.parsed import ParsedAuthor, ParsedTopic, ParsedWork

TYPES = {
    "journalArticle": "journal-article", "magazineArticle": "journal-article",
    "newspaperArticle": "journal-article", "conferencePaper": "proceedings-article",
    "preprint": "preprint", "book": "book", "bookSection": "book-chapter",
    "encyclopediaArticle": "book-chapter", "dictionaryEntry": "book-chapter",
    "thesis": "dissertation", "report": "report", "standard": "report", "dataset": "dataset",
    "computerProgram": "software",
}  # fmt: skip
"""Zotero's item types to those of works; others that are works are ``other``."""

NO_WORKS = frozenset({"attachment", "note", "annotation", "email", "instantMessage"})
"""Item types that are passed over: they belong to an item or to a person."""

AUTHORS = (
    "author", "programmer", "presenter", "podcaster", "artist", "cartographer", "contributor",
    "inventor", "composer", "performer", "director", "interviewee",
)  # fmt: skip
"""Creator types that stand for authors; the first of them that an item has is taken."""

VENUES = (
    "publicationTitle", "proceedingsTitle", "bookTitle", "encyclopediaTitle", "dictionaryTitle",
    "conferenceName", "meetingName", "websiteTitle", "blogTitle", "repository",
)  # fmt: skip
PUBLISHERS = ("publisher", "university", "institution", "company", "organization", "distributor")
KEPT = (
    "citationKey", "edition", "numPages", "place", "rights", "series", "seriesNumber", "shortTitle",
    "thesisType", "reportType", "reportNumber",
)  # fmt: skip
"""Fields that have no place in a work and are kept for export."""

SQL_DATE = re.compile(r"(\d{4}-\d\d-\d\d)(?: (.*))?", re.DOTALL)
"""How the library's database holds a date: the parts as numbers, then as it was written."""

_EXTRA = re.compile(r"^\s*(doi|arxiv|pmid)\s*[:=]\s*(\S+)", re.IGNORECASE | re.MULTILINE)


def work_of(item: dict[str, Any]) -> ParsedWork:
    """One item as a work.

    Args:
        item: Zotero's fields by name, ``key``, ``creators`` and ``tags`` as in its web API.

    Raises:
        Refused: It has no title, or its year is impossible.
    """
    title = from_html(text_of(item.get("title")) or "")
    require_title(title.text)
    abstract = from_html(text_of(item.get("abstractNote")) or "")
    kind = text_of(item.get("itemType")) or ""
    year, date = _date(text_of(item.get("date")) or text_of(item.get("issueDate")) or "")
    key = text_of(item.get("key")) or text_of(item.get("itemKey")) or title.text[:200]
    work = ParsedWork(
        key=clean(key),
        title=title.text,
        title_markup=title.markup,
        abstract=abstract.text or None,
        abstract_markup=abstract.markup,
        type=TYPES.get(kind, "other"),
        year=year,
        date=date,
        language=_language(item),
        venue=_first(item, VENUES),
        publisher=_first(item, PUBLISHERS),
        volume=_plain(item, "volume"),
        issue=_plain(item, "issue"),
        pages=re.sub(r"\s*[-–—]+\s*", "-", _plain(item, "pages") or "") or None,
        url=url_of(text_of(item.get("url")) or ""),
        topics=_topics(item),
        extra={name: value for name in KEPT if (value := _plain(item, name))},
    )
    people = _people(item)
    work.authors = next((people[role] for role in AUTHORS if role in people), [])
    work.editors = people.get("editor", [])
    _identify(work, item)
    return work


def is_work(item: dict[str, Any]) -> bool:
    """Whether an item stands for a work, and not for a note, a file or a message."""
    return text_of(item.get("itemType")) not in NO_WORKS


def _plain(item: dict[str, Any], name: str) -> str | None:
    return from_html(text_of(item.get(name)) or "").text or None


def _first(item: dict[str, Any], names: tuple[str, ...]) -> str | None:
    return next((value for name in names if (value := _plain(item, name))), None)


def _language(item: dict[str, Any]) -> str | None:
    printed = (text_of(item.get("language")) or "").lower()
    return printed if re.fullmatch(r"[a-z]{2,3}(?:-[a-z0-9]{2,8})?", printed) else None


def _date(printed: str) -> tuple[int | None, str | None]:
    stored = SQL_DATE.fullmatch(printed)
    if stored is not None:
        numbers = stored[1].split("-")
        known = numbers[: next((at for at, one in enumerate(numbers) if not int(one)), 3)]
        date = iso_date("-".join(known)) if known else None
        if known:
            return year_of(known[0]), date if len(known) > 1 else None
        printed = stored[2] or ""
    date = iso_date(printed.replace("/", "-").split("T")[0])
    return year_of(date or printed), date if date and len(date) > 4 else None


def _people(item: dict[str, Any]) -> dict[str, list[ParsedAuthor]]:
    found: dict[str, list[ParsedAuthor]] = {}
    for one in objects(item.get("creators")):
        family, given = text_of(one.get("lastName")), text_of(one.get("firstName"))
        author = person(text_of(one.get("name")) or family or "", given or "")
        if author is not None:
            found.setdefault(text_of(one.get("creatorType")) or "author", []).append(author)
    return found


def _topics(item: dict[str, Any]) -> list[ParsedTopic]:
    tags = item.get("tags")
    names = [
        text_of(one.get("tag")) if isinstance(one, dict) else text_of(one)
        for one in (tags if isinstance(tags, list) else [])
    ]
    plain = [from_html(name).text for name in names if name]
    return [ParsedTopic(name) for name in dict.fromkeys(plain) if any(map(str.isalpha, name))]


def _identify(work: ParsedWork, item: dict[str, Any]) -> None:
    extra = text_of(item.get("extra")) or ""
    stated = {name.lower(): value for name, value in reversed(_EXTRA.findall(extra[:20_000]))}
    doi = doi_of(text_of(item.get("DOI")) or "") or doi_of(stated.get("doi", ""))
    if doi:
        work.ids["doi"] = doi
    archive = text_of(item.get("archiveID")) or ""
    candidates = (
        archive if archive.lower().startswith("arxiv") else "",
        stated.get("arxiv", ""),
        doi or "",
        work.url or "",
        text_of(item.get("reportNumber")) or text_of(item.get("number")) or "",
    )
    for printed in candidates:
        # a bare report number may look like an arXiv id: only what says "arXiv" counts
        if (printed == stated.get("arxiv") or "arxiv" in printed.lower()) and (
            found := arxiv_of(printed)
        ):
            work.ids["arxiv"] = found
            break
    if re.fullmatch(r"[0-9]{1,9}", stated.get("pmid", "")):
        work.ids["pmid"] = stated["pmid"]
    issn = re.search(r"[0-9]{4}-[0-9]{3}[0-9Xx]", text_of(item.get("ISSN")) or "")
    if issn and work.venue:
        work.venue_ids["issn"] = issn[0].upper()
    first = re.split(r"[\s,;]+", (text_of(item.get("ISBN")) or "").strip())[0]
    isbn = first.replace("-", "").upper()
    if re.fullmatch(r"[0-9]{13}|[0-9]{9}[0-9X]", isbn):
        if work.type in ("book", "dissertation", "report"):
            work.ids["isbn"] = isbn
        elif work.venue:
            work.venue_ids["isbn"] = isbn
