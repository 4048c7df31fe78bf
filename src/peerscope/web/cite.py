"""Works as formatted references: of one work, of a person, topic, place or venue, a collection, a search."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from markupsafe import Markup
from sqlalchemy.orm import Session

from peerscope.community.collection_works import works_of
from peerscope.community.collections import look
from peerscope.record import parsed_of
from peerscope.record.citing import LOCALES, Cited, UnknownStyleError, cite
from peerscope.record.export import EXPORTERS
from peerscope.record.models import Institution, Person, Topic, Venue, Work
from peerscope.record.read.entities import condition
from peerscope.record.read.lists import numbers_page
from peerscope.record.read.shapes import PER_PAGE, PageOf
from peerscope.record.statements import parsed_among
from peerscope.web.asked import asked, page_in
from peerscope.web.caching import conditional
from peerscope.web.meeting import number_in
from peerscope.web.site import PLACES, Site, base_of, site_of
from peerscope.web.visitor import visitor

router = APIRouter(include_in_schema=False)

TEXT = ".txt"
MOST_WRITTEN = 100
"""References in one plain text; a style takes up to 15 ms for each."""

WRAPPED = 72
"""Characters that fit in a line of the field to copy from, to guess its height."""

MOST_EXPORTED = 500
LETTERS = {place: letter for letter, place in PLACES.items()}
_TABLES: dict[str, Any] = {"A": Person, "T": Topic, "I": Institution, "S": Venue}

Numbers = Callable[[Session, int, int], tuple[Sequence[int], int]]
"""From page and size to the works' numbers and how many there are in all."""


@dataclass(frozen=True, slots=True)
class _Cited:
    """What is cited: its title, the page it has, what its address says besides, and its works."""

    title: str
    page: str
    pairs: tuple[tuple[str, str], ...]
    numbers: Numbers
    shared: bool = True

    def address(self, form: str = "", **changes: object) -> str:
        """The address of the references, or of a file of the works, with some parameters besides."""
        pairs = [*self.pairs, *((name, str(value)) for name, value in changes.items() if value)]
        path = self.page.partition("?")[0]
        return f"{path}/cite{form}{'?' + urlencode(pairs) if pairs else ''}"


@router.get("/search/cite", response_class=HTMLResponse)
def of_search(request: Request) -> Response:
    """What a search finds, as references."""
    return _page(request, _search(request))


@router.get("/search/cite.{form}")
def search_file(request: Request, form: str) -> Response:
    """What a search finds, as text or in a bibliographic form."""
    return _file(request, _search(request), form)


@router.get("/collections/{name}/cite", response_class=HTMLResponse)
def of_collection(request: Request, name: str) -> Response:
    """The works of a collection as references."""
    return _page(request, _collection(request, name))


@router.get("/collections/{name}/cite.{form}")
def collection_file(request: Request, name: str, form: str) -> Response:
    """The works of a collection as text or in a bibliographic form."""
    return _file(request, _collection(request, name), form)


@router.get("/{place}/{name}/cite", response_class=HTMLResponse)
def of_entity(request: Request, place: str, name: str) -> Response:
    """A work, or the works of a person, topic, institution or venue, as references."""
    return _page(request, _entity(request, place, name))


@router.get("/{place}/{name}/cite.{form}")
def entity_file(request: Request, place: str, name: str, form: str) -> Response:
    """The same as text or in a bibliographic form."""
    return _file(request, _entity(request, place, name), form)


def references(
    site: Site,
    session: Session,
    numbers: Sequence[int],
    style: str,
    locale: str,
    first: int = 1,
) -> list[Cited]:
    """References of works in sight, in the order of the style, the first one numbered ``first``.

    Raises:
        UnknownStyleError: There is no such style or locale.
    """
    found = parsed_among(session, numbers)
    works = [(number, found[number]) for number in numbers if number in found]
    return cite(works, site.styles, style, locale, first)


def negotiated(request: Request, number: int, style: str, locale: str) -> Response:
    """A work as one reference, for who asks as DOI resolvers are asked.

    Raises:
        HTTPException: 404 where there is no such work, 406 for a style that is not here.
    """
    site = site_of(request)
    with site.database.session() as session:
        try:
            name, place = site.styles.named(style), site.styles.locale(locale)
            found = references(site, session, [number], name, place)
        except UnknownStyleError as error:
            raise HTTPException(406, str(error)) from error
    if not found:
        raise HTTPException(404)
    kind = f"text/x-bibliography; style={name}" + (f"; locale={place}" if place else "")
    response = Response(found[0].text + "\n", media_type=f"{kind}; charset=utf-8")
    given = urlencode([("style", name), *([("locale", place)] if place else [])])
    response.headers["Content-Location"] = f"/works/W{number}/cite{TEXT}?{given}"
    response.headers["Vary"] = "Accept"
    return response


def _page(request: Request, cited: _Cited | Response) -> Response:
    if isinstance(cited, Response):
        return cited
    site, given = site_of(request), request.query_params
    wanted, locale = (
        given.get("other", "").strip() or given.get("style", ""),
        given.get("locale", ""),
    )
    page, problem = page_in(given), ""
    with site.database.session() as session:
        numbers, total = cited.numbers(session, page, PER_PAGE)
        try:
            style, place = site.styles.named(wanted), site.styles.locale(locale)
            found = references(site, session, numbers, style, place, (page - 1) * PER_PAGE + 1)
        except UnknownStyleError as error:
            problem, style, place, found = str(error), site.styles.default(), "", []
    offered = site.styles.offered()
    response = site.page(
        request, "cite.html", 400 if problem else 200,
        cited=cited, found=found, safe=Markup, problem=problem,
        style=style, locale=place, offered=offered, listed=style in dict(offered), locales=LOCALES,
        page=PageOf(tuple(found), total, page), forms=_forms(),
        lines=sum(len(one.text) // WRAPPED + 1 for one in found) + 1,
    )  # fmt: skip
    return _kept(cited, response)


def _forms() -> list[tuple[str, str]]:
    labels = {"bibtex": "BibTeX", "ris": "RIS", "csl": "CSL-JSON", "jsonld": "JSON-LD"}
    return [(EXPORTERS[name].suffix, label) for name, label in labels.items()]


def _file(request: Request, cited: _Cited | Response, form: str) -> Response:
    if isinstance(cited, Response):
        return cited
    site, given, page = site_of(request), request.query_params, page_in(request.query_params)
    exporter = next((one for one in EXPORTERS.values() if one.suffix == f".{form}"), None)
    if exporter is None and f".{form}" != TEXT:
        known = ", ".join([TEXT, *(one.suffix for one in EXPORTERS.values())])
        raise HTTPException(404, f"There is no such form of a list; there are {known}.")
    size = MOST_WRITTEN if exporter is None else MOST_EXPORTED
    with site.database.session() as session:
        numbers, total = cited.numbers(session, page, size)
        if exporter is not None:
            text = "".join(exporter.write(parsed_of(session, numbers)))
            response = Response(text, media_type=exporter.media_type)
        else:
            response = PlainTextResponse(
                _written(site, session, numbers, given, (page - 1) * size + 1)
            )
    if page * size < total:
        following = request.url.include_query_params(page=page + 1)
        response.headers["Link"] = (
            f'<{base_of(request)}{following.path}?{following.query}>; rel="next"'
        )
    response.headers["X-Robots-Tag"] = "noindex"
    return _kept(cited, conditional(request, response))


def _written(
    site: Site, session: Session, numbers: Sequence[int], given: Mapping[str, str], first: int
) -> str:
    style, locale = given.get("style", ""), given.get("locale", "")
    try:
        found = references(site, session, numbers, style, locale, first)
    except UnknownStyleError as error:
        raise HTTPException(400, str(error)) from error
    return "".join(f"{one.text}\n" for one in found)


def _kept(cited: _Cited, response: Response) -> Response:
    if not cited.shared:
        response.headers["Cache-Control"] = "private, no-store"
    return response


def _search(request: Request) -> _Cited:
    site, wanted = site_of(request), asked(request.query_params)

    def numbers(session: Session, page: int, size: int) -> tuple[Sequence[int], int]:
        found = site.discovery.search(
            wanted.query, wanted.filters, sort=wanted.sort, page=page, per_page=size
        )
        return [hit.work_id for hit in found.hits], found.total

    page = wanted.address(personal=True)
    title = f"Search: {wanted.query[:120]}" if wanted.query else "Works"
    return _Cited(title, page, tuple(parse_qsl(page.partition("?")[2])), numbers)


def _collection(request: Request, name: str) -> _Cited:
    number, who = number_in(name, "C"), visitor(request)
    key = request.query_params.get("key", "")
    with site_of(request).community.reading() as session:
        seen = look(session, number, who.id if who else None, key)
        held = [one.work_id for one in works_of(session, seen.id)]

    def numbers(session: Session, page: int, size: int) -> tuple[Sequence[int], int]:
        return held[(page - 1) * size : page * size], len(held)

    pairs = (("key", key),) if key else ()
    address = f"/collections/C{seen.id}" + (f"?{urlencode(pairs)}" if pairs else "")
    return _Cited(seen.title, address, pairs, numbers, shared=seen.visibility == "public")


def _entity(request: Request, place: str, name: str) -> _Cited | Response:
    letter = LETTERS.get(place, "")
    match = re.fullmatch(rf"{letter}(\d{{1,15}})", name, re.ASCII) if letter else None
    if match is None:
        raise HTTPException(404)
    number = int(match[1])
    if letter == "W":
        return _work(request, number)
    with site_of(request).database.session() as session:
        row = session.get(_TABLES[letter], number)
    if row is None:
        raise HTTPException(404)
    if (merged := getattr(row, "merged_into_id", None)) is not None:
        tail = request.url.path.rpartition("/")[2]
        return RedirectResponse(f"/people/A{merged}/{tail}", 302)
    given = request.query_params.get("sort", "")
    sort = given if given in ("newest", "oldest", "cited") else "newest"

    def numbers(session: Session, page: int, size: int) -> tuple[Sequence[int], int]:
        return numbers_page(session, condition(letter, number), page, size, sort)

    pairs = (("sort", sort),) if sort != "newest" else ()
    return _Cited(row.display_name, f"/{place}/{letter}{number}", pairs, numbers)


def _work(request: Request, number: int) -> _Cited:
    with site_of(request).database.session() as session:
        work = session.get(Work, number)
    if work is None:
        raise HTTPException(404)
    if work.deleted_at is not None:
        raise HTTPException(410)
    return _Cited(work.title, f"/works/W{number}", (), lambda session, page, size: ([number], 1))
