"""OpenAlex works as in its snapshot: JSON lines, one file or a folder of ``part_*.gz``.

Field names are OpenAlex's own (work object, documentation of 2025). An abstract is rebuilt from its inverted
index by position. Only what the record has a place for is taken; counts that OpenAlex computes over its own
corpus stay behind, since they say nothing about this record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from peerscope.record.importers.bibliography import (
    arxiv_of,
    doi_of,
    iso_date,
    orcid_of,
    require_title,
    url_of,
)
from peerscope.record.importers.jsonlines import (
    objects,
    read_json_lines,
    strings,
    text_of,
    year_in,
)
from peerscope.record.markup import from_html
from peerscope.record.parsed import (
    WORK_TYPES,
    ParsedAuthor,
    ParsedInstitution,
    ParsedNotice,
    ParsedReference,
    ParsedTopic,
    ParsedVersion,
    ParsedWork,
    Record,
)

TYPES = {
    "article": "journal-article",
    "posted-content": "preprint",
    "letter": "journal-article",
    "editorial": "journal-article",
    "reference-entry": "book-chapter",
    "monograph": "book",
    "edited-book": "book",
    "standard": "report",
    "peer-review": "review",
}
LONGEST_ABSTRACT = 30_000
"""Words of an abstract that are rebuilt; a position beyond them is an error of the index."""

_VERSIONS = {
    "submittedVersion": "preprint",
    "acceptedVersion": "accepted",
    "publishedVersion": "published",
}
_ID = re.compile(r"(?:https?://openalex\.org/)?([WAICTS]\d+)", re.IGNORECASE)


class OpenAlexImporter:
    """Importer of OpenAlex work objects."""

    name = "openalex"
    covers = frozenset(
        {"abstract", "affiliations", "topics", "references", "open_access", "notices", "ids"}
    )

    def read(self, path: str) -> Iterator[Record]:
        """Stream the records of a file, or of all parts of a snapshot folder in order of name."""
        place = Path(path)
        if not place.is_dir():
            yield from read_json_lines(path, parse_work)
            return
        seen: set[bytes] = set()
        position = 0
        for part in sorted(file for file in place.rglob("*") if is_part(file)):
            for record in read_json_lines(str(part), parse_work, position, seen):
                yield record
                position = record.position + 1


def is_part(file: Path) -> bool:
    """Whether a file of a snapshot folder holds records (and is no manifest)."""
    return file.is_file() and bool(
        re.search(r"\.(?:jsonl?|ndjson|gz|zst)$", file.name) and file.name != "manifest"
    )


def looks_like(found: dict[str, Any]) -> bool:
    """Whether a JSON object is an OpenAlex work."""
    own = found.get("id")
    return (
        isinstance(own, str)
        and bool(_ID.fullmatch(own))
        and ("authorships" in found or "primary_location" in found or "display_name" in found)
    )


def short_id(value: Any) -> str | None:
    """``W123`` out of ``https://openalex.org/W123``; ``None`` for anything else."""
    match = _ID.fullmatch(value.strip()) if isinstance(value, str) else None
    return match[1].upper() if match else None


def parse_work(found: dict[str, Any]) -> ParsedWork:
    """One work object as a work.

    Raises:
        Refused: It has no title, or its year is impossible.
    """
    title = from_html(text_of(found.get("title")) or text_of(found.get("display_name")) or "")
    require_title(title.text)
    abstract = from_html(_abstract(found.get("abstract_inverted_index")))
    place = found.get("primary_location")
    location = place if isinstance(place, dict) else {}
    source = location.get("source") if isinstance(location.get("source"), dict) else {}
    biblio = found.get("biblio") if isinstance(found.get("biblio"), dict) else {}
    access = found.get("open_access") if isinstance(found.get("open_access"), dict) else {}
    ids = _ids(found, location)
    stated = text_of(found.get("type_crossref")) or text_of(found.get("type")) or "other"
    kind = TYPES.get(stated, stated)
    assert isinstance(source, dict) and isinstance(biblio, dict) and isinstance(access, dict)
    venue_ids = {"openalex": own} if (own := short_id(source.get("id"))) else {}
    if issn := text_of(source.get("issn_l")):
        venue_ids["issn"] = issn
    pages = [text_of(biblio.get("first_page")), text_of(biblio.get("last_page"))]
    return ParsedWork(
        key=ids.get("openalex") or ids.get("doi") or title.text[:200],
        title=title.text,
        title_markup=title.markup,
        abstract=abstract.text or None,
        abstract_markup=abstract.markup,
        type=kind if kind in WORK_TYPES else "other",
        year=year_in(found.get("publication_year")),
        date=iso_date(text_of(found.get("publication_date")) or ""),
        language=text_of(found.get("language")),
        venue=text_of(source.get("display_name")),
        venue_ids=venue_ids,
        publisher=text_of(source.get("host_organization_name")),
        volume=text_of(biblio.get("volume")),
        issue=text_of(biblio.get("issue")),
        pages="-".join(dict.fromkeys(page for page in pages if page)) or None,
        url=url_of(text_of(location.get("landing_page_url")) or ""),
        pdf_url=url_of(text_of(location.get("pdf_url")) or ""),
        licence=text_of(location.get("license")),
        is_oa=access["is_oa"] if isinstance(access.get("is_oa"), bool) else None,
        ids=ids,
        authors=[one for given in objects(found.get("authorships")) if (one := _author(given))],
        topics=_topics(found),
        references=[
            ParsedReference("openalex", cited)
            for one in strings(found.get("referenced_works"))
            if (cited := short_id(one))
        ],
        versions=_versions(found),
        notices=[ParsedNotice("retraction")] if found.get("is_retracted") is True else [],
    )


def _abstract(inverted: Any) -> str:
    if not isinstance(inverted, dict):
        return ""
    placed = [
        (place, word)
        for word, places in inverted.items()
        if isinstance(places, list)
        for place in places
        if isinstance(place, int) and 0 <= place < LONGEST_ABSTRACT
    ]
    return " ".join(word for _, word in sorted(placed))


def _ids(found: dict[str, Any], location: dict[str, Any]) -> dict[str, str]:
    stated = found.get("ids") if isinstance(found.get("ids"), dict) else {}
    assert isinstance(stated, dict)
    ids = {}
    if own := short_id(found.get("id")) or short_id(stated.get("openalex")):
        ids["openalex"] = own
    if doi := doi_of(text_of(found.get("doi")) or text_of(stated.get("doi")) or ""):
        ids["doi"] = doi
    if pmid := re.search(r"(\d+)/?$", text_of(stated.get("pmid")) or ""):
        ids["pmid"] = pmid[1]
    addresses = [location, *objects(found.get("locations"))]
    for address in [
        ids.get("doi", ""),
        *(text_of(o.get("landing_page_url")) or "" for o in addresses),
    ]:
        if "arxiv" in address and (arxiv := arxiv_of(address)):
            ids["arxiv"] = arxiv
            break
    return ids


def _author(given: dict[str, Any]) -> ParsedAuthor | None:
    author = given.get("author") if isinstance(given.get("author"), dict) else {}
    assert isinstance(author, dict)
    name = text_of(given.get("raw_author_name")) or text_of(author.get("display_name"))
    if not name:
        return None
    ids = {"openalex": own} if (own := short_id(author.get("id"))) else {}
    if orcid := orcid_of(text_of(author.get("orcid")) or ""):
        ids["orcid"] = orcid
    return ParsedAuthor(
        name=name,
        ids=ids,
        institutions=[
            place for one in objects(given.get("institutions")) if (place := _institution(one))
        ],
        raw_affiliation="; ".join(strings(given.get("raw_affiliation_strings"))) or None,
        is_corresponding=given.get("is_corresponding") is True,
    )


def _institution(one: dict[str, Any]) -> ParsedInstitution | None:
    name = text_of(one.get("display_name"))
    if not name:
        return None
    ids = {"openalex": own} if (own := short_id(one.get("id"))) else {}
    if ror := text_of(one.get("ror")):
        ids["ror"] = ror.rstrip("/").rsplit("/", 1)[-1]
    return ParsedInstitution(name, ids, text_of(one.get("country_code")), text_of(one.get("type")))


def _topics(found: dict[str, Any]) -> list[ParsedTopic]:
    """The work's topics; its keywords only where it has none."""
    topics = []
    for one in objects(found.get("topics")) or objects(found.get("keywords")):
        name = text_of(one.get("display_name"))
        score = one.get("score")
        if name:
            own = short_id(one.get("id"))
            usable = isinstance(score, int | float) and 0 <= score <= 1
            ids = {"openalex": own} if own else {}
            topics.append(ParsedTopic(name, ids, float(score) if usable and score else None))
    return topics


def _versions(found: dict[str, Any]) -> list[ParsedVersion]:
    versions = []
    for one in objects(found.get("locations")):
        kind = _VERSIONS.get(text_of(one.get("version")) or "")
        address = url_of(text_of(one.get("landing_page_url")) or "")
        source = one.get("source")
        if kind and address:
            name = text_of(source.get("display_name")) if isinstance(source, dict) else None
            versions.append(ParsedVersion(kind, venue=name, url=address))
    return versions
