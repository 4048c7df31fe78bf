"""Links for programs: FAIR Signposting of a work, its link set, and the form that is asked for.

https://signposting.org/FAIR/, RFC 8288 (Link), RFC 9264 (link sets), RFC 9110 section 12 (Accept).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from peerscope.record.export import EXPORTERS
from peerscope.record.read.works import WorkPage

LINK_SET = ".linkset.json"
MOST_AUTHORS = 30
"""Authors in the header; the link set has those of the page."""

LONGEST_ACCEPT = 1_000
Scope = MutableMapping[str, Any]


@dataclass(frozen=True, slots=True)
class Signpost:
    """A typed link from a page."""

    rel: str
    href: str
    type: str = ""

    def header(self) -> str:
        """As a value of a ``Link`` header."""
        kind = f'; type="{self.type}"' if self.type else ""
        return f'<{self.href}>; rel="{self.rel}"{kind}'


def signposts(page: WorkPage, base: str) -> list[Signpost]:
    """The links of a work, level 1.

    Args:
        page: The work as read for its page.
        base: Address of the site, without a slash at its end.
    """
    work = page.work
    own = f"{base}/works/W{work.id}"
    found = [
        Signpost("type", "https://schema.org/AboutPage"),
        Signpost("type", "https://schema.org/ScholarlyArticle"),
    ]
    if work.doi:
        found.append(Signpost("cite-as", f"https://doi.org/{_safe(work.doi)}"))
    elif work.arxiv_id:
        found.append(Signpost("cite-as", f"https://arxiv.org/abs/{_safe(work.arxiv_id)}"))
    authors = dict.fromkeys(one.orcid for one in page.authors.rows if one.orcid)
    found += [
        Signpost("author", f"https://orcid.org/{one}") for one in list(authors)[:MOST_AUTHORS]
    ]
    found += [
        Signpost("describedby", own + exporter.suffix, exporter.media_type)
        for exporter in EXPORTERS.values()
    ]
    if work.pdf_url and (pdf := _address(work.pdf_url)):
        found.append(Signpost("item", pdf, "application/pdf"))
    if work.licence and (licence := _address(work.licence)):
        found.append(Signpost("license", licence))
    return [*found, Signpost("linkset", own + LINK_SET, "application/linkset+json")]


def header(links: list[Signpost]) -> str:
    """Links as one ``Link`` header."""
    return ", ".join(one.header() for one in links)


def link_set(links: list[Signpost], anchor: str) -> dict[str, Any]:
    """Links as a link set in JSON (RFC 9264, section 4.2), level 2."""
    found: dict[str, Any] = {"anchor": anchor}
    for one in links:
        if one.rel != "linkset":
            target = {"href": one.href} | ({"type": one.type} if one.type else {})
            found.setdefault(one.rel, []).append(target)
    return {"linkset": [found]}


def _safe(value: str) -> str:
    return quote(value, safe="/:.()-_;~")


def _address(given: str) -> str:
    """An http address that can stand in a header; empty if it is none."""
    if not re.fullmatch(r"https?://[\x21-\x7e]+", given) or set(given) & set('<>"\\^`{|}'):
        return ""
    try:
        return given if urlsplit(given).netloc else ""
    except ValueError:
        return ""


REFERENCE = "text/x-bibliography"
"""What DOI resolvers call a formatted reference; ``style`` and ``locale`` are its parameters."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a program prefers to the page: a media type, the suffix of its export, its parameters."""

    type: str
    suffix: str = ""
    style: str = ""
    locale: str = ""


def wanted_form(accept: str) -> Wanted | None:
    """The form that a program prefers to the page; ``None`` for the page.

    What cannot be read counts as no preference.
    """
    weights: dict[str, float] = {}
    given: dict[str, dict[str, str]] = {}
    for part in accept[:LONGEST_ACCEPT].split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = 1.0
        named = {}
        for parameter in parameters:
            if match := re.fullmatch(r"q\s*=\s*([01](?:\.\d{0,3})?)", parameter):
                weight = min(float(match[1]), 1.0)
            elif match := re.fullmatch(r"(style|locale)\s*=\s*\"?([\w./:-]{1,200})\"?", parameter):
                named[match[1]] = match[2]
        if re.fullmatch(r"[\w.+*-]+/[\w.+*-]+", kind, re.ASCII):
            if weight > weights.get(kind, -1.0):
                given[kind] = named
            weights[kind] = max(weight, weights.get(kind, 0.0))
    page = max(weights.get("text/html", 0.0), weights.get("application/xhtml+xml", 0.0))
    best, wanted = page, None
    forms = [Wanted(one.media_type, one.suffix) for one in EXPORTERS.values()]
    for form in [*forms, Wanted(REFERENCE, **given.get(REFERENCE, {}))]:
        if weights.get(form.type, 0.0) > best:
            best, wanted = weights[form.type], form
    return wanted


class HeadAsGet:
    """Answer HEAD as GET is answered, without content (RFC 9110, section 9.3.2)."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass a request on; take the content out of the answer to HEAD."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def headers_only(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self.app({**scope, "method": "GET"}, receive, headers_only)
