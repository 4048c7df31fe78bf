"""arXiv's records: the Atom answer of its API, and OAI-PMH in the formats ``arXiv`` and ``arXivRaw``.

Namespaces and element names are arXiv's own. Its metadata is CC0. A record states a preprint; the DOI of an
article in a journal is kept as a version of the work, so that both lead to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from lxml import etree

from peerscope.record.importers.arxiv_categories import CATEGORIES
from peerscope.record.importers.bibliography import (
    Located,
    Refused,
    arxiv_of,
    doi_of,
    iso_date,
    numbered,
    person,
    require_title,
    url_of,
    year_of,
)
from peerscope.record.importers.xml_records import excerpt, records, text_at
from peerscope.record.markup import clean, from_mixed
from peerscope.record.parsed import ParsedAuthor, ParsedTopic, ParsedVersion, ParsedWork, Record

ATOM = "{http://www.w3.org/2005/Atom}"
SCHEMA = "{http://arxiv.org/schemas/atom}"
OAI = "{http://www.openarchives.org/OAI/2.0/}"
PLAIN = "{http://arxiv.org/OAI/arXiv/}"
RAW = "{http://arxiv.org/OAI/arXivRaw/}"
VENUE = "arXiv"
LONGEST_NAMES, NESTED = 200_000, 4
"""Of a line of names: characters that are read, and brackets within brackets that are taken out."""

_AFFILIATION = re.compile(r"\s*\([^()]*\)")
_COLLABORATION = re.compile(r"^(?:for|on behalf of)\s+", re.IGNORECASE)


class ArxivImporter:
    """Reads arXiv's records; see `peerscope.record.parsed.Importer`."""

    name = "arxiv"
    covers = frozenset({"abstract", "topics", "ids"})
    licence = "CC0-1.0"

    def read(self, path: str) -> Iterator[Record]:
        """Stream the records of a file, plain or compressed."""
        return numbered(_located(path))


def looks_like(start: bytes) -> bool:
    """Whether a file that begins so holds records of arXiv."""
    if b"http://www.openarchives.org/OAI/2.0/" in start:
        return b"http://arxiv.org/OAI/arXiv" in start or b"oai:arXiv.org:" in start
    return b"http://www.w3.org/2005/Atom" in start and b"arxiv.org/" in start


def ids_in(answer: bytes) -> set[str]:
    """The ids of the records in an Atom answer that states works, whatever else is wrong with them."""
    printed = re.findall(rb"<id>\s*(https?://arxiv\.org/abs/[^<\s]{1,80})\s*</id>", answer)
    found = (arxiv_of(one.decode("utf-8", "replace")) for one in printed)
    return {one for one in found if one is not None}


def _located(path: str) -> Iterator[Located]:
    for found in records(path, (ATOM + "entry", OAI + "record")):
        if isinstance(found, Located):
            yield found
            continue
        line = found.sourceline or 0
        key = _key(found)
        try:
            yield Located(line, "", _work(found, key), key)
        except Refused as refusal:
            yield Located(line, excerpt(found), refusal, key)


def _key(found: etree._Element) -> str | None:
    if found.tag == ATOM + "entry":
        return arxiv_of(text_at(found, ATOM + "id"))
    return arxiv_of(text_at(found, f"{OAI}header/{OAI}identifier").removeprefix("oai:arXiv.org:"))


def _work(found: etree._Element, key: str | None) -> ParsedWork:
    if found.tag == ATOM + "entry":
        return _entry(found, key)
    header = found.find(OAI + "header")
    if header is not None and header.get("status") == "deleted":
        raise Refused("arXiv has deleted this record.", "Nothing needs to be done.")
    for shape in (PLAIN + "arXiv", RAW + "arXivRaw"):
        record = found.find(f"{OAI}metadata/{shape}")
        if record is not None:
            return _harvested(record, shape.rpartition("}")[0] + "}")
    raise Refused(
        "The record is in neither of the formats arXiv and arXivRaw.",
        "Harvest it again with metadataPrefix=arXiv.",
    )


def _entry(found: etree._Element, key: str | None) -> ParsedWork:
    printed = text_at(found, ATOM + "id")
    if "/api/errors" in printed:
        said = text_at(found, ATOM + "summary") or "no reason"
        raise Refused(f"arXiv answered with an error: {said[:300]}.", "Ask for another id.")
    names = [
        (text_at(one, ATOM + "name"), text_at(one, SCHEMA + "affiliation"))
        for one in found.findall(ATOM + "author")
    ]
    terms = [one.get("term") or "" for one in found.findall(ATOM + "category")]
    primary = found.find(SCHEMA + "primary_category")
    return _made(
        key,
        title=text_at(found, ATOM + "title"),
        abstract=text_at(found, ATOM + "summary"),
        date=text_at(found, ATOM + "published")[:10],
        authors=[_named(name, place) for name, place in names],
        categories=([primary.get("term") or ""] if primary is not None else []) + terms,
        doi=text_at(found, SCHEMA + "doi"),
        journal=text_at(found, SCHEMA + "journal_ref"),
        comment=text_at(found, SCHEMA + "comment"),
    )


def _harvested(record: etree._Element, space: str) -> ParsedWork:
    listed = record.find(space + "authors")
    people = list(listed.iterfind(space + "author")) if listed is not None else []
    if space == PLAIN:
        authors = [_parted(one, space) for one in people]
        date = text_at(record, space + "created")
    else:
        authors = [_named(name) for name in _names(text_at(record, space + "authors"))]
        date = _first_version(record, space)
    return _made(
        arxiv_of(text_at(record, space + "id")),
        title=text_at(record, space + "title"),
        abstract=text_at(record, space + "abstract"),
        date=date,
        authors=authors,
        categories=text_at(record, space + "categories").split(),
        doi=text_at(record, space + "doi"),
        journal=text_at(record, space + "journal-ref"),
        comment=text_at(record, space + "comments"),
        licence=text_at(record, space + "license"),
    )


def _made(
    key: str | None,
    *,
    title: str,
    abstract: str,
    date: str,
    authors: list[ParsedAuthor | None],
    categories: list[str],
    doi: str,
    journal: str,
    comment: str,
    licence: str = "",
) -> ParsedWork:
    if key is None:
        raise Refused("The record has no arXiv id.", "Get the record again from arXiv.")
    heading, text = from_mixed(title), from_mixed(abstract)
    require_title(heading.text)
    day = iso_date(date)
    extra = {"comment": comment, "journal_ref": journal, "license": url_of(licence) or ""}
    versions = []
    # a record with its arXiv DOI alone names no article
    published = doi_of(doi.split()[0]) if doi else None
    if published and not published.startswith("10.48550/"):
        versions.append(ParsedVersion("published", venue=journal or None, ids={"doi": published}))
    return ParsedWork(
        key=key,
        title=heading.text,
        title_markup=heading.markup,
        abstract=text.text or None,
        abstract_markup=text.markup,
        type="preprint",
        year=year_of(day or date),
        date=day,
        venue=VENUE,
        url=f"https://arxiv.org/abs/{key}",
        pdf_url=f"https://arxiv.org/pdf/{key}",
        ids={"arxiv": key},
        authors=[author for author in authors if author is not None],
        topics=_topics(categories),
        versions=versions,
        extra={name: value for name, value in extra.items() if value},
    )


def _named(name: str, affiliation: str = "") -> ParsedAuthor | None:
    author = person(_COLLABORATION.sub("", name), "")
    if author is None:
        return None
    # the whole name stands in one element: which part is the family name is not said
    author.family = None
    author.raw_affiliation = affiliation or None
    return author


def _parted(one: etree._Element, space: str) -> ParsedAuthor | None:
    author = person(
        text_at(one, space + "keyname"),
        text_at(one, space + "forenames"),
        text_at(one, space + "suffix"),
    )
    if author is not None:
        places = [clean("".join(at.itertext())) for at in one.findall(space + "affiliation")]
        author.raw_affiliation = "; ".join(place for place in places if place) or None
    return author


def _names(printed: str) -> list[str]:
    """Names out of one line: parted by commas and "and", with affiliations in brackets."""
    plain = printed[:LONGEST_NAMES]
    for _ in range(NESTED):
        plain = _AFFILIATION.sub("", plain)
    names = re.split(r"\s*;\s*|\s*,\s+and\s+|\s+and\s+|\s*,\s*", plain.split("((")[0])
    parted: list[str] = []
    for name in names:
        if parted and re.fullmatch(r"(?:Jr|Sr|II|III|IV)\.?", name):
            parted[-1] += f" {name}"
        elif name:
            parted.append(name)
    return parted


def _first_version(record: etree._Element, space: str) -> str:
    """The day of the first version."""
    for version in record.findall(space + "version"):
        if version.get("version") == "v1":
            printed = text_at(version, space + "date")
            try:
                return parsedate_to_datetime(printed).date().isoformat()
            except (ValueError, TypeError, OverflowError):
                return printed
    return ""


def _topics(categories: list[str]) -> list[ParsedTopic]:
    topics: dict[str, ParsedTopic] = {}
    for category in categories:
        name = CATEGORIES.get(category)
        if name is not None:
            topics.setdefault(name, ParsedTopic(name, {"arxiv": category}))
    return list(topics.values())
