"""Works as OpenAlex-shaped JSON lines; what only this record says stands under ``x_``."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from peerscope.record.parsed import ParsedAuthor, ParsedInstitution, ParsedWork

_TYPES = {
    "journal-article": "article", "proceedings-article": "article", "review": "review",
}  # fmt: skip
_SOURCE_TYPES = {
    "journal-article": "journal",
    "proceedings-article": "conference",
    "preprint": "repository",
}


def to_openalex(works: Iterable[ParsedWork]) -> Iterator[str]:
    """Yield one JSON object a line, as in OpenAlex's snapshot."""
    for work in works:
        yield json_line(openalex_work(work), sort=False)


def json_line(value: Any, *, sort: bool = True) -> str:
    """A value as one line of JSON, at no character of which a reader would cut it."""
    option = orjson.OPT_SORT_KEYS if sort else None
    return _LINE_ENDS.sub(_escaped, orjson.dumps(value, option=option).decode()) + "\n"


# Line ends of Unicode, at which many readers of JSON lines would cut.
_LINE_ENDS = re.compile("[\x85\u2028\u2029]")


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def openalex_work(work: ParsedWork) -> dict[str, Any]:
    """One work in the shape of OpenAlex's ``/works``; unknown values are ``None``, never guessed."""
    doi = f"https://doi.org/{work.ids['doi']}" if "doi" in work.ids else None
    identifier = (
        f"https://openalex.org/{work.ids['openalex']}" if "openalex" in work.ids else work.key
    )
    location = _location(work, doi)
    oa_url = work.pdf_url or work.url if work.is_oa else None
    return {
        "id": identifier,
        "doi": doi,
        "title": work.title,
        "display_name": work.title,
        "publication_year": work.year,
        "publication_date": work.date,
        "type": _TYPES.get(work.type, work.type),
        "type_crossref": work.type,
        "language": work.language,
        "ids": _ids(work, doi),
        "primary_location": location,
        "best_oa_location": location if work.is_oa else None,
        "locations": [location],
        "open_access": {"is_oa": work.is_oa, "oa_status": None, "oa_url": oa_url},
        "authorships": [_authorship(a, i, len(work.authors)) for i, a in enumerate(work.authors)],
        "biblio": _biblio(work),
        "is_retracted": True if any(n.kind == "retraction" for n in work.notices) else None,
        "topics": [
            {"id": _openalex(t.ids), "display_name": t.name, "score": t.score} for t in work.topics
        ],
        "primary_topic": {
            "id": _openalex(work.topics[0].ids),
            "display_name": work.topics[0].name,
            "score": work.topics[0].score,
        }
        if work.topics
        else None,
        "keywords": [],
        "referenced_works": [
            f"https://openalex.org/{r.value}" for r in work.references if r.scheme == "openalex"
        ],
        "abstract_inverted_index": inverted_index(work.abstract),
        "x_summary": work.summary,
        "x_type": work.type,
        "x_ids": dict(work.ids),
        "x_publisher": work.publisher,
        "x_title_markup": work.title_markup,
        "x_abstract_markup": work.abstract_markup,
        "x_artifacts": [{"kind": a.kind, "url": a.url} for a in work.artifacts],
        "x_references": [
            {"scheme": r.scheme, "value": r.value, "raw": r.raw}
            for r in work.references
            if r.scheme != "openalex"
        ],
        "x_extra": dict(work.extra),
    }


def inverted_index(abstract: str | None) -> dict[str, list[int]] | None:
    """Every word of the abstract with its positions, counted from 0 at single spaces."""
    if not abstract:
        return None
    index: defaultdict[str, list[int]] = defaultdict(list)
    for position, word in enumerate(abstract.split()):
        index[word].append(position)
    return dict(index)


def _openalex(ids: dict[str, str]) -> str | None:
    return f"https://openalex.org/{ids['openalex']}" if "openalex" in ids else None


def _ids(work: ParsedWork, doi: str | None) -> dict[str, str]:
    ids: dict[str, str | None] = {
        "openalex": _openalex(work.ids),
        "doi": doi,
        "pmid": f"https://pubmed.ncbi.nlm.nih.gov/{work.ids['pmid']}"
        if "pmid" in work.ids
        else None,
    }
    return {scheme: value for scheme, value in ids.items() if value}


def _location(work: ParsedWork, doi: str | None) -> dict[str, Any]:
    arxiv = work.ids.get("arxiv")
    landing = work.url or doi or (f"https://arxiv.org/abs/{arxiv}" if arxiv else None)
    source = None
    if work.venue:
        source = {
            "id": _openalex(work.venue_ids),
            "display_name": work.venue,
            "issn_l": work.venue_ids.get("issn"),
            "type": _SOURCE_TYPES.get(work.type),
        }
    return {
        "is_oa": work.is_oa,
        "landing_page_url": landing,
        "pdf_url": work.pdf_url,
        "source": source,
        "license": work.licence,
        "version": "submittedVersion" if work.type == "preprint" else None,
    }


def _authorship(author: ParsedAuthor, index: int, count: int) -> dict[str, Any]:
    position = "first" if index == 0 else "last" if index == count - 1 else "middle"
    orcid = author.ids.get("orcid")
    return {
        "author_position": position,
        "author": {
            "id": _openalex(author.ids),
            "display_name": author.name,
            "orcid": f"https://orcid.org/{orcid}" if orcid else None,
        },
        "institutions": [_institution(place) for place in author.institutions],
        "countries": sorted({p.country for p in author.institutions if p.country}),
        "is_corresponding": author.is_corresponding,
        "raw_author_name": author.name,
        "raw_affiliation_strings": [author.raw_affiliation] if author.raw_affiliation else [],
    }


def _institution(place: ParsedInstitution) -> dict[str, Any]:
    ror = place.ids.get("ror")
    return {
        "id": _openalex(place.ids),
        "display_name": place.name,
        "ror": f"https://ror.org/{ror.rpartition('/')[2]}" if ror else None,
        "country_code": place.country,
        "type": place.type,
    }


def _biblio(work: ParsedWork) -> dict[str, str | None]:
    first, _, last = (work.pages or "").partition("-")
    return {
        "volume": work.volume,
        "issue": work.issue,
        "first_page": first or None,
        "last_page": last or first or None,
    }
