"""JSON lines with OpenAlex-like fields, one work a line: the shape of prepared collections.

Known keys: ``id, title, abstract, summary, year, date, type, venue, container, source, language, doi, pmid,
arxiv, url, license, open_access, authors, affiliations, references, categories, concepts, topics, keywords,
subjects``; others are kept in ``extra``. The form of the ``id`` says which scheme it and the references
belong to (ACL Anthology, arXiv, OpenAlex); any other id is local to the file, as are references by it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from peerscope.record.files import BrokenFileError, lines
from peerscope.record.importers.arxiv_categories import CATEGORIES
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
from peerscope.record.markup import from_mixed
from peerscope.record.parsed import (
    WORK_TYPES,
    ParsedAuthor,
    ParsedInstitution,
    ParsedReference,
    ParsedTopic,
    ParsedWork,
    Record,
)

PROBED_LINES, PROBED_STRIDE, PROBED_BYTES = 500, 17, 96 << 20
"""To see what a file carries at all: its first lines, then every 17th, of its first 96 MB."""

COVERING = {
    "abstract": "abstract",
    "affiliations": "affiliations",
    "categories": "topics",
    "concepts": "topics",
    "topics": "topics",
    "subjects": "topics",
    "references": "references",
    "open_access": "open_access",
    "doi": "ids",
}
"""Keys whose presence anywhere in a file says that it carries a kind of statement."""

TYPES = {
    "article": "journal-article",
    "posted-content": "preprint",
    "reference-entry": "book-chapter",
    "journal-issue": "other",
    "monograph": "book",
    "proceedings": "book",
}
VENUES = {
    "acl": "ACL", "cl": "Computational Linguistics", "coling": "COLING", "conll": "CoNLL",
    "eacl": "EACL", "emnlp": "EMNLP", "findings": "Findings of ACL", "ijcnlp": "IJCNLP",
    "jeptalnrecital": "JEP/TALN/RECITAL", "lrec": "LREC", "naacl": "NAACL", "paclic": "PACLIC",
    "ranlp": "RANLP", "semeval": "SemEval", "starsem": "*SEM", "tacl": "TACL", "wmt": "WMT",
    "anlp": "ANLP", "muc": "MUC", "hlt": "HLT", "aacl": "AACL", "eamt": "EAMT", "amta": "AMTA",
    "mtsummit": "MT Summit", "iwslt": "IWSLT", "inlg": "INLG", "sigdial": "SIGDIAL", "bea": "BEA",
    "bionlp": "BioNLP", "rocling": "ROCLING", "icon": "ICON", "tlt": "TLT", "nodalida": "NoDaLiDa",
}  # fmt: skip
"""Names of the ACL Anthology's most common venues by their slug; other slugs stand in capitals."""

WORKSHOPS = frozenset({"ws"})
"""Slugs that name no venue of their own; the proceedings' title stands for them."""

LANGUAGES = {"eng": "en", "fra": "fr", "deu": "de", "zho": "zh", "spa": "es", "por": "pt"}
ACCOUNTED = frozenset(
    """id title abstract summary year date type venue container source language doi pmid arxiv url
    license open_access authors affiliations references categories primary_category concepts topics
    subjects keywords affiliation""".split()  # noqa: SIM905
)

_ACL = re.compile(r"[A-Z]\d{2}-\d{4,5}|\d{4}\.[a-z0-9_]+-[a-z0-9_]+\.\d+")
_OPENALEX = re.compile(r"(?:https://openalex\.org/)?([WAICTS]\d+)")
_OLD_ARXIV = re.compile(r"[a-z-]+(?:\.[A-Z]{2})?/\d{7}")


class JsonLinesImporter:
    """Importer of JSON lines with OpenAlex-like fields (see the module's text).

    Args:
        covers: What the file carries; found out from its first lines when not given.
    """

    name = "jsonl"

    def __init__(self, path: str | None = None) -> None:
        self.covers = probe(path) if path is not None else frozenset(COVERING.values())

    def read(self, path: str) -> Iterator[Record]:
        """Stream the records of a local file, plain or compressed."""
        place = hashlib.blake2b(str(Path(path).resolve()).encode(), digest_size=4).hexdigest()
        return read_json_lines(path, partial(parse_work, place=place))


def probe(path: str) -> frozenset[str]:
    """Which kinds of statement a file carries anywhere, as far as its probed lines show."""
    keys: set[str] = set()
    try:
        for line in lines(path):
            if line.offset > PROBED_BYTES:
                break
            if line.number < PROBED_LINES or line.number % PROBED_STRIDE == 0:
                keys |= _carried(line.content)
    except BrokenFileError:
        pass
    return frozenset(COVERING[key] for key in keys if key in COVERING)


def _carried(content: bytes) -> set[str]:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        return set()
    if not isinstance(found, dict):
        return set()
    people = objects(found.get("authors"))
    stated = any(one.get("affiliation") or one.get("institutions") for one in people)
    return found.keys() | ({"affiliations"} if stated else set())


def parse_work(found: dict[str, Any], place: str = "") -> ParsedWork:
    """One object as a work.

    Args:
        found: The object.
        place: What sets the file's own ids apart from the same ids in other files.

    Raises:
        Refused: It has no title, or its year is impossible.
    """
    title = from_mixed(text_of(found.get("title")) or "")
    require_title(title.text)
    key = text_of(found.get("id")) or text_of(found.get("doi")) or title.text[:200]
    scheme, value = scheme_of(key)
    ids = _ids(found, scheme, value if scheme != "local" else f"{place}:{value}")
    raw_abstract = text_of(found.get("abstract"))
    abstract = from_mixed(raw_abstract) if raw_abstract else None
    venue, venue_ids = _venue(found)
    stated = text_of(found.get("type")) or "other"
    kind = TYPES.get(stated, stated)
    access = text_of(found.get("open_access"))
    language = text_of(found.get("language"))
    return ParsedWork(
        key=key,
        title=title.text,
        title_markup=title.markup,
        abstract=(abstract.text or None) if abstract else None,
        abstract_markup=abstract.markup if abstract else None,
        summary=text_of(found.get("summary")),
        type=kind if kind in WORK_TYPES else "other",
        year=year_in(found.get("year")),
        date=iso_date(text_of(found.get("date")) or ""),
        language=LANGUAGES.get(language, language) if language else None,
        venue=venue,
        venue_ids=venue_ids,
        url=url_of(text_of(found.get("url")) or ""),
        licence=text_of(found.get("license")),
        is_oa=None if access is None else access not in ("closed", "False", "false"),
        ids=ids,
        authors=_authors(found, scheme),
        topics=_topics(found),
        references=[_reference(one, scheme, place) for one in strings(found.get("references"))],
        extra=_extra(found),
    )


def scheme_of(key: str) -> tuple[str, str]:
    """Which scheme an id belongs to, and its value there; ``local`` for a key of the file's own."""
    bare = re.sub(r"^arxiv:", "", key, flags=re.IGNORECASE)
    if bare != key or _OLD_ARXIV.fullmatch(key):
        found = arxiv_of(bare)
        if found:
            return "arxiv", found
    if match := _OPENALEX.fullmatch(key):
        return "openalex", match[1]
    if _ACL.fullmatch(key):
        return "acl", key
    if doi := doi_of(key):
        return "doi", doi
    return "local", key


def _ids(found: dict[str, Any], scheme: str, value: str) -> dict[str, str]:
    ids = {scheme: value}
    if doi := doi_of(text_of(found.get("doi")) or ""):
        ids["doi"] = doi
    if pmid := re.search(r"(\d+)/?$", text_of(found.get("pmid")) or ""):
        ids["pmid"] = pmid[1]
    if "arxiv" not in ids and (arxiv := arxiv_of(text_of(found.get("arxiv")) or "")):
        ids["arxiv"] = arxiv
    return ids


def _venue(found: dict[str, Any]) -> tuple[str | None, dict[str, str]]:
    source = found.get("source")
    if isinstance(source, dict) and text_of(source.get("name")):
        ids = {}
        if isinstance(source.get("id"), str):
            ids["openalex"] = source["id"]
        if isinstance(source.get("issn_l"), str):
            ids["issn"] = source["issn_l"]
        return text_of(source["name"]), ids
    slugs = strings(found.get("venue"))
    if not slugs or slugs[0] in WORKSHOPS:
        return text_of(found.get("container")) or (slugs[0].upper() if slugs else None), {}
    slug = slugs[0]
    known = VENUES.get(slug)
    return known or (slug.upper() if slug.islower() and len(slug) <= 12 else slug), {}


def _authors(found: dict[str, Any], scheme: str) -> list[ParsedAuthor]:
    printed = strings(found.get("affiliations"))
    people = objects(found.get("authors"))
    shared = printed[0] if len(printed) == 1 else None
    return [author for one in people if (author := _author(one, scheme, shared))]


def _author(one: dict[str, Any], scheme: str, shared: str | None) -> ParsedAuthor | None:
    name = text_of(one.get("name"))
    if not name:
        return None
    ids = {}
    if own := text_of(one.get("id")):
        # the hep-th ids are "lastname_initial": they do not tell people apart and stay out
        if scheme == "openalex" and (match := _OPENALEX.fullmatch(own)):
            ids["openalex"] = match[1]
        elif scheme in ("acl", "local", "doi"):
            ids["acl" if scheme == "acl" else "local"] = own
    if orcid := orcid_of(text_of(one.get("orcid")) or ""):
        ids["orcid"] = orcid
    return ParsedAuthor(
        name=name,
        ids=ids,
        institutions=[
            place for found in objects(one.get("institutions")) if (place := _institution(found))
        ],
        raw_affiliation=text_of(one.get("affiliation")) or shared,
    )


def _institution(found: dict[str, Any]) -> ParsedInstitution | None:
    name = text_of(found.get("name"))
    if not name:
        return None
    ids = {}
    if ror := text_of(found.get("ror")):
        ids["ror"] = ror.rsplit("/", 1)[-1]
    if own := text_of(found.get("id")):
        ids["openalex"] = own.rsplit("/", 1)[-1]
    return ParsedInstitution(
        name=name, ids=ids, country=text_of(found.get("country")), type=text_of(found.get("type"))
    )


def _topics(found: dict[str, Any]) -> list[ParsedTopic]:
    topics: dict[str, ParsedTopic] = {}
    for one in [*objects(found.get("topics")), *objects(found.get("concepts"))]:
        name = text_of(one.get("name")) or text_of(one.get("display_name"))
        if name:
            score = one.get("score")
            own = text_of(one.get("id"))
            topics.setdefault(
                name.casefold(),
                ParsedTopic(
                    name,
                    {"openalex": own.rsplit("/", 1)[-1]} if own else {},
                    float(score) if isinstance(score, int | float) and 0 <= score <= 1 else None,
                ),
            )
    for category in strings(found.get("categories")):
        if category in CATEGORIES:
            name = CATEGORIES[category]
            topics.setdefault(name.casefold(), ParsedTopic(name, {"arxiv": category}))
    subjects = [part for one in strings(found.get("subjects")) for part in one.split(";")]
    for name in [*strings(found.get("topics")), *strings(found.get("keywords")), *subjects]:
        if plain := name.strip():
            topics.setdefault(plain.casefold(), ParsedTopic(plain))
    return list(topics.values())


def _reference(one: str, scheme: str, place: str) -> ParsedReference:
    own, value = scheme_of(one)
    if own != "local":
        return ParsedReference(own, value)
    if scheme != "local":
        return ParsedReference(scheme, value)
    return ParsedReference("local", f"{place}:{value}", raw=value)


def _extra(found: dict[str, Any]) -> dict[str, str]:
    extra = {
        name: value if isinstance(value, str) else orjson.dumps(value).decode()
        for name, value in found.items()
        if name not in ACCOUNTED and value is not None
    }
    if (container := text_of(found.get("container"))) is not None:
        extra["container"] = container
    return extra
