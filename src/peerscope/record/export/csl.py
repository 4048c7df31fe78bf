"""Works as CSL-JSON, such that `CslImporter` reads the same works back."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from peerscope.record.importers.bibliography import suffix_of
from peerscope.record.importers.csl import CSL_TYPES, TYPES
from peerscope.record.markup import from_html
from peerscope.record.markup.nodes import CLOSE, MATHS, OPEN, TEXT, parse
from peerscope.record.markup.tex import surely_maths
from peerscope.record.parsed import ParsedAuthor, ParsedWork

_TAGS = {
    "emph": "i",
    "textbf": "b",
    "textsuperscript": "sup",
    "textsubscript": "sub",
    "texttt": "tt",
}


def to_csl_json(works: Iterable[ParsedWork]) -> Iterator[str]:
    """Yield a JSON array of CSL items, piece by piece."""
    start = "[\n"
    for work in works:
        yield start + orjson.dumps(csl_item(work)).decode()
        start = ",\n"
    yield "[]\n" if start == "[\n" else "\n]\n"


def csl_item(work: ParsedWork) -> dict[str, Any]:
    """One work as a CSL item."""
    kept = work.extra.get("csl_type")
    derived = kept is not None and TYPES.get(kept, "other") == work.type
    item: dict[str, Any] = {
        "id": work.key,
        "type": kept if derived else CSL_TYPES.get(work.type, "document"),
        "title": _rich(work.title_markup or work.title),
        "author": [_person(author) for author in work.authors],
        "editor": [_person(editor) for editor in work.editors],
        "issued": _issued(work),
        "container-title": _flat(work.venue),
        "publisher": _flat(work.publisher),
        "volume": work.volume,
        "issue": work.issue,
        "page": work.pages,
        "DOI": work.ids.get("doi"),
        "PMID": work.ids.get("pmid"),
        "ISBN": work.ids.get("isbn") or work.venue_ids.get("isbn"),
        "ISSN": work.venue_ids.get("issn"),
        "URL": work.url,
        "PDF": work.pdf_url,
        "language": work.language,
        "license": work.licence,
        "abstract": _rich(work.abstract_markup or work.abstract or ""),
        **_topics(work),
    }
    if "arxiv" in work.ids:
        item["number"] = f"arXiv:{work.ids['arxiv']}"
    item = {name: value for name, value in item.items() if value}
    for name, value in work.extra.items():
        if name != "csl_type" and name not in item:
            item[name] = _unkept(value)
    return item


def _unkept(value: str) -> Any:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def _topics(work: ParsedWork) -> dict[str, Any]:
    names = [_literal(topic.name) for topic in work.topics]
    if any(re.search(r"[,;{}]", name) for name in names):
        return {"categories": names}
    return {"keyword": ", ".join(names)}


def _issued(work: ParsedWork) -> Any:
    if "issued" in work.extra:
        return _unkept(work.extra["issued"])
    if work.date and work.date.startswith(str(work.year)):
        return {"date-parts": [[int(part) for part in work.date.split("-")]]}
    return {"date-parts": [[work.year]]} if work.year else None


def _person(author: ParsedAuthor) -> dict[str, Any]:
    name: dict[str, Any] = (
        {"family": author.family, "given": author.given, "suffix": suffix_of(author)}
        if author.family and author.given
        else {"literal": author.name}
    )
    if "orcid" in author.ids:
        name["ORCID"] = f"https://orcid.org/{author.ids['orcid']}"
    name["affiliation"] = [{"name": place.name} for place in author.institutions]
    return {key: value for key, value in name.items() if value}


def _flat(text: str | None) -> str | None:
    return _literal(text) if text else None


def _literal(text: str) -> str:
    """Plain text, escaped only where a reader of CSL's HTML would take it for a tag, entity or maths."""
    if from_html(text) == (text, None):
        return text
    escaped = re.sub(r"&(?=[#\w])", "&amp;", text)
    escaped = re.sub(r"<(?=[A-Za-z/!?])", "&lt;", escaped)
    return escaped.replace("$", "&#36;") if from_html(escaped).text != text else escaped


def _rich(markup: str) -> str:
    events = parse(markup)
    parts = []
    for index, (kind, value) in enumerate(events):
        if kind == OPEN:
            parts.append(f"<{_TAGS[value]}>")
        elif kind == CLOSE:
            parts.append(f"</{_TAGS[value]}>")
        elif kind == MATHS:
            follows = events[index + 1][1][:1] if index + 1 < len(events) else ""
            bare = surely_maths(value, follows, mixed=True) and not re.search(r"[<&]", value)
            parts.append(
                f"${value}$" if bare else f"<tex-math>{html.escape(value, quote=False)}</tex-math>"
            )
        elif kind == TEXT:
            parts.append(_escape(value, alone=len(events) == 1))
        else:
            parts.append(_literal(value))
    return "".join(parts)


def _escape(text: str, *, alone: bool) -> str:
    if alone:
        return _literal(text)
    text = re.sub(r"&(?=[#\w])", "&amp;", text)
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text).replace("$", "&#36;")
