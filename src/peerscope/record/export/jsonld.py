"""Works as JSON-LD in schema.org's terms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from peerscope.record.parsed import ParsedAuthor, ParsedWork
from peerscope.record.read.people import PersonPage

_TYPES = {
    "book": "Book", "book-chapter": "Chapter", "dissertation": "Thesis", "report": "Report",
    "dataset": "Dataset", "software": "SoftwareSourceCode", "review": "Review", "other": "CreativeWork",
}  # fmt: skip
_PAGED = ("ScholarlyArticle", "Report", "Chapter")
"""Types of schema.org that have ``pagination``."""

_PEOPLE = {"orcid": "https://orcid.org/", "openalex": "https://openalex.org/"}
_RESOLVERS = {
    "doi": "https://doi.org/", "arxiv": "https://arxiv.org/abs/", "openalex": "https://openalex.org/",
    "acl": "https://aclanthology.org/", "pmid": "https://pubmed.ncbi.nlm.nih.gov/",
}  # fmt: skip


def to_jsonld(works: Iterable[ParsedWork]) -> Iterator[str]:
    """Yield one JSON-LD document with all works in its ``@graph``, piece by piece."""
    start = '{"@context":"https://schema.org","@graph":[\n'
    for work in works:
        # A page holds this within a script element, which no text in it may close.
        yield start + orjson.dumps(jsonld_work(work)).decode().replace("<", "\\u003c")
        start = ",\n"
    yield f"{start}]}}\n" if start != ",\n" else "\n]}\n"


def jsonld_work(work: ParsedWork) -> dict[str, Any]:
    """One work as a schema.org node, without the context; statements nobody made are left out."""
    links = [
        _RESOLVERS[scheme] + value for scheme, value in work.ids.items() if scheme in _RESOLVERS
    ]
    kind = _TYPES.get(work.type, "ScholarlyArticle")
    node: dict[str, Any] = {
        "@id": links[0] if links else work.url,
        "@type": kind,
        "headline": work.title,
        "name": work.title,
        "author": [_person(author) for author in work.authors],
        "editor": [_person(editor) for editor in work.editors],
        "datePublished": work.date or (str(work.year) if work.year else None),
        "inLanguage": work.language,
        "abstract": work.abstract,
        "description": work.summary,
        "isPartOf": _venue(work),
        "publisher": {"@type": "Organization", "name": work.publisher} if work.publisher else None,
        "pagination": work.pages if kind in _PAGED else None,
        "isbn": work.ids.get("isbn") if kind == "Book" else None,
        "identifier": [
            {"@type": "PropertyValue", "propertyID": scheme, "value": value}
            for scheme, value in work.ids.items()
            if scheme != "local"
        ],
        "sameAs": links[1:],
        "url": work.url,
        "isAccessibleForFree": work.is_oa,
        "license": work.licence,
        "keywords": [topic.name for topic in work.topics],
        "citation": [_reference(r.scheme, r.value, r.raw) for r in work.references],
        "encoding": {"@type": "MediaObject", "contentUrl": work.pdf_url} if work.pdf_url else None,
        "workExample": [
            {"@type": "SoftwareSourceCode" if a.kind == "code" else "Dataset", "url": a.url}
            for a in work.artifacts
        ],
    }
    return {key: value for key, value in node.items() if value not in (None, "", [])}


def jsonld_person(page: PersonPage, base: str) -> dict[str, Any]:
    """The page of a person as a schema.org node: what sources state of them, nothing that was suggested.

    Args:
        page: The person.
        base: Address of the site, without a slash at its end.
    """
    person = page.person
    own = f"{base}/people/A{person.id}"
    same = [_PEOPLE[scheme] + value for scheme, value in page.identifiers if scheme in _PEOPLE]
    about: dict[str, Any] = {
        "@type": "Person",
        "@id": f"https://orcid.org/{person.orcid}" if person.orcid else own,
        "name": person.display_name,
        "alternateName": [name for name, _ in page.names if name != person.display_name],
        "url": own,
        "sameAs": same,
        "affiliation": [
            {"@type": "Organization", "name": one.label}
            | ({"url": f"{base}/institutions/I{one.id}"} if one.id is not None else {})
            for one in page.affiliations
        ],
        "knowsAbout": [one.label for one in page.topics if one.note is None],
    }
    return {
        "@context": "https://schema.org",
        "@type": "ProfilePage",
        "url": own,
        "mainEntity": {key: value for key, value in about.items() if value not in (None, "", [])},
    }


def _venue(work: ParsedWork) -> dict[str, Any] | None:
    if not work.venue:
        return None
    # Only a book has an isbn in schema.org, only a series an issn.
    kind, scheme = "CreativeWork", ""
    if work.type == "book-chapter" or (work.type != "journal-article" and "isbn" in work.venue_ids):
        kind, scheme = "Book", "isbn"
    elif work.type == "journal-article":
        kind, scheme = "Periodical", "issn"
    elif "issn" in work.venue_ids:
        kind, scheme = "CreativeWorkSeries", "issn"
    venue: dict[str, Any] = {"@type": kind, "name": work.venue}
    if scheme in work.venue_ids:
        venue[scheme] = work.venue_ids[scheme]
    if not work.volume and not work.issue:
        return venue
    number: dict[str, Any] = venue
    if work.volume:
        number = {"@type": "PublicationVolume", "volumeNumber": work.volume, "isPartOf": number}
    if work.issue:
        number = {"@type": "PublicationIssue", "issueNumber": work.issue, "isPartOf": number}
    return number


def _person(author: ParsedAuthor) -> dict[str, Any]:
    node: dict[str, Any] = {"@type": "Person", "name": author.name}
    if author.family and author.given:
        node |= {"familyName": author.family, "givenName": author.given}
    if "orcid" in author.ids:
        node["@id"] = f"https://orcid.org/{author.ids['orcid']}"
    places = []
    for place in author.institutions:
        organisation = {"@type": "Organization", "name": place.name}
        if "ror" in place.ids:
            organisation["@id"] = f"https://ror.org/{place.ids['ror'].rpartition('/')[2]}"
        places.append(organisation)
    if places:
        node["affiliation"] = places
    return node


def _reference(scheme: str | None, value: str | None, raw: str | None) -> Any:
    if scheme in _RESOLVERS and value:
        return {"@id": _RESOLVERS[scheme] + value}
    return raw or f"{scheme}:{value}"
