"""Works as RIS.

RIS holds plain text: markup of titles and abstracts, review as a type of its own, artifacts, licences
and the ``extra`` of other formats cannot be said in it. All else reads back as it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from peerscope.record.importers.bibliography import suffix_of
from peerscope.record.importers.ris import RIS_TYPES, TYPES
from peerscope.record.markup import clean
from peerscope.record.parsed import ParsedAuthor, ParsedWork

_TAG = re.compile(r"[A-Z][A-Z0-9]")
_RESERVED = frozenset({"TY", "ER", "ID"})


def to_ris(works: Iterable[ParsedWork]) -> Iterator[str]:
    """Yield one record per work, from ``TY`` to ``ER`` and an empty line."""
    for work in works:
        lines = [f"{tag}  - {clean(value)}" for tag, value in _lines(work) if value]
        yield "\r\n".join([*lines, "ER  - ", "", ""])


def _lines(work: ParsedWork) -> Iterator[tuple[str, str]]:
    kept = work.extra.get("ris_type", "")
    derived = re.fullmatch(r"[A-Z]+", kept) and TYPES.get(kept, "other") == work.type
    yield "TY", kept if derived else RIS_TYPES.get(work.type, "GEN")
    yield "ID", work.key
    yield "TI", work.title
    for author in work.authors:
        yield "AU", _name(author)
    for editor in work.editors:
        yield "A2", _name(editor)
    for printed in work.extra.get("PY", str(work.year or "")).split("\n"):
        yield "PY", printed
    yield "DA", (work.date or "").replace("-", "/")
    yield "T2", work.venue or ""
    yield "PB", work.publisher or ""
    yield "VL", work.volume or ""
    yield "IS", work.issue or ""
    yield from _pages(work.pages or "")
    yield "SN", work.venue_ids.get("issn") or work.ids.get("isbn") or work.venue_ids.get("isbn", "")
    yield "DO", work.ids.get("doi", "")
    if "arxiv" in work.ids:
        yield "AN", f"arXiv:{work.ids['arxiv']}"
    if "pmid" in work.ids:
        yield "AN", f"PMID:{work.ids['pmid']}"
    yield "UR", work.url or ""
    yield "L1", work.pdf_url or ""
    yield "LA", work.language or ""
    for topic in work.topics:
        yield "KW", topic.name
    yield "AB", work.abstract or ""
    for tag, values in work.extra.items():
        if _TAG.fullmatch(tag) and tag not in _RESERVED and tag != "PY":
            for value in values.split("\n"):
                yield tag, value


def _pages(pages: str) -> Iterator[tuple[str, str]]:
    span = re.fullmatch(r"([^-\s]+)-([^-\s]+)", pages)
    if span:
        yield "SP", span[1]
        yield "EP", span[2]
    else:
        yield "SP", pages


def _name(author: ParsedAuthor) -> str:
    if author.family and author.given:
        parts = [author.family, author.given, suffix_of(author)]
        return ", ".join(part.replace(",", " ") for part in parts if part)
    return f"{author.name.replace(',', ' ')}," if author.family else author.name
