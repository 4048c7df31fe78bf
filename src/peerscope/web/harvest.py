"""For harvesters and crawlers: OAI-PMH, the site map, and what programs are told about the site."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse
from sqlalchemy import func, select

from peerscope.record.models import Institution, Person, Topic, Venue, Work
from peerscope.record.oai import PATH, answer
from peerscope.web.caching import conditional
from peerscope.web.forms import MOST_BYTES
from peerscope.web.site import PLACES, base_of, site_of

router = APIRouter(include_in_schema=False)

MAPPED = 10_000
"""Addresses in one site map; the protocol allows 50,000."""


async def _posted(request: Request) -> list[tuple[str, str]]:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise HTTPException(413, "The request is larger than any that the protocol has.")
    return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)


@router.get(PATH)
def harvest(request: Request) -> Response:
    """An OAI-PMH request."""
    return _harvested(request, list(request.query_params.multi_items()))


@router.post(PATH)
def harvest_posted(
    request: Request, given: Annotated[list[tuple[str, str]], Depends(_posted)]
) -> Response:
    """An OAI-PMH request, sent as the protocol also allows."""
    return _harvested(request, given)


def _harvested(request: Request, given: list[tuple[str, str]]) -> Response:
    site = site_of(request)
    with site.database.session() as session:
        content = answer(session, given, base_of(request), site.settings.site_name)
    return Response(content, media_type="text/xml")


_MAPS: dict[str, Any] = {"W": Work, "A": Person, "T": Topic, "I": Institution, "S": Venue}


@router.get("/sitemap.xml")
def site_maps(request: Request) -> Response:
    """The list of site maps."""
    base = base_of(request)
    with site_of(request).database.session() as session:
        maps = []
        for letter, table in _MAPS.items():
            last = session.scalar(select(func.max(table.id))) or 0
            maps += [f"{PLACES[letter]}-{n}" for n in range(last // MAPPED + 1) if last]
    lines = "".join(
        f"<sitemap><loc>{escape(base)}/sitemap/{one}.xml</loc></sitemap>" for one in maps
    )
    return _xml(request, "sitemapindex", lines)


@router.get("/sitemap/{name}.xml")
def site_map(request: Request, name: str) -> Response:
    """Addresses of entities of one kind, with the day of the last change where it is known."""
    place, _, number = name.rpartition("-")
    letter = next((one for one, path in PLACES.items() if path == place), None)
    if letter is None or not number.isascii() or not number.isdigit() or len(number) > 9:
        raise HTTPException(404)
    table = _MAPS[letter]
    first = int(number) * MAPPED
    columns = (table.id, table.updated_at) if table is Work else (table.id,)
    statement = select(*columns).where(table.id > first, table.id <= first + MAPPED)
    statement = statement.where(
        Work.deleted_at.is_(None) if table is Work else table.works_count > 0
    )
    if table is Person:
        kept_back = site_of(request).community.kept.now().noindex
        statement = statement.where(Person.merged_into_id.is_(None), Person.id.not_in(kept_back))
    base = escape(base_of(request))
    lines = []
    with site_of(request).database.session() as session:
        for row in session.execute(statement.order_by(table.id)):
            day = f"<lastmod>{row[1]:%Y-%m-%d}</lastmod>" if len(row) > 1 else ""
            lines.append(f"<url><loc>{base}/{place}/{letter}{row[0]}</loc>{day}</url>")
    return _xml(request, "urlset", "".join(lines))


def _xml(request: Request, root: str, lines: str) -> Response:
    space = "http://www.sitemaps.org/schemas/sitemap/0.9"
    text = f'<?xml version="1.0" encoding="UTF-8"?><{root} xmlns="{space}">{lines}</{root}>'
    return conditional(request, Response(text, media_type="application/xml"))


@router.get("/llms.txt")
def for_assistants(request: Request) -> Response:
    """What the site is and how programs read it, in a few lines."""
    site, base = site_of(request), base_of(request)
    return PlainTextResponse(
        f"""# {site.settings.site_name}

> A Peerscope site: works, people, topics, institutions and venues of one scholarly record, each statement
> with its source; search by meaning; claims of works with runs and their evidence.

Citation counts are within this record. "Not looked for", "none stated" and zero are different things here.

## For programs

- [OpenAlex-shaped API]({base}/api/v1/works): lists, filters, search, groups; no key
- [OpenAPI description]({base}/api/openapi.json)
- [Search]({base}/api/v1/search?q=contrastive+learning): words and meaning, with reasons
- [Claims]({base}/api/v1/claims): claims of works with verdicts and intervals
- [Dumps]({base}/dumps): the whole public record as files, listed in `/dumps/latest/manifest.json`
- [OAI-PMH]({base}/oai?verb=Identify): Dublin Core for harvesters
- Assistants: `{base}/mcp` answers the Model Context Protocol, by POST; read only
- References in a citation style: add `/cite.txt?style=apa` to the address of a work, person or topic
- A work as BibTeX, RIS, CSL-JSON, JSON-LD: add `.bib`, `.ris`, `.csl.json`, `.jsonld` to its address

## For people

- [About the site and its sources]({base}/about)
- [Works]({base}/works), [people]({base}/people), [topics]({base}/topics), [claims]({base}/claims)
"""
    )
