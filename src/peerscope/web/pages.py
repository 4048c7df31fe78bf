"""The pages. Each reads its model, asks discover, and renders; none decides anything."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import orjson
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from peerscope.community.trust import coverage, said
from peerscope.discover.catalogue import facet_labels
from peerscope.discover.results import TYPE_LABELS
from peerscope.discover.shapes import Asker
from peerscope.record import parsed_work
from peerscope.record.export import EXPORTERS
from peerscope.record.export.embedded import citation_tags
from peerscope.record.export.jsonld import jsonld_person, jsonld_work
from peerscope.record.models import Person
from peerscope.record.read import (
    cards,
    entity_of_identifier,
    entity_page,
    listing,
    name_page,
    person_page,
    recent_works,
    totals,
    work_page,
)
from peerscope.record.read.shapes import LISTED_AUTHORS
from peerscope.record.read.sources import sources_of_record
from peerscope.web.asked import NEAR, Asked, asked, page_in
from peerscope.web.cite import negotiated
from peerscope.web.claiming import asking_robots, claims_part
from peerscope.web.claims import runs_of
from peerscope.web.links import LINK_SET, REFERENCE, header, link_set, signposts, wanted_form
from peerscope.web.meeting import followed, of_work, saved_here
from peerscope.web.reader import (
    Present,
    for_everyone,
    held_by_account,
    keeping,
    own_answer,
    remember,
)
from peerscope.web.shelf import shelf_in_use
from peerscope.web.site import KINDS, PLACES, Site, base_of, site_of
from peerscope.web.talk import contact_of
from peerscope.web.taste import taste_for_search
from peerscope.web.trust import compact
from peerscope.web.visitor import visitor

router = APIRouter(include_in_schema=False)
log = logging.getLogger(__name__)

NUMBER = r"([WATIS])(\d{1,15})"
SCHEMES = {"works": ("W", ("doi", "arxiv", "openalex", "pmid", "acl")),
           "people": ("A", ("orcid", "openalex")),
           "institutions": ("I", ("ror", "openalex"))}  # fmt: skip
NOT_FOR_ROBOTS = (
    "/search", "/explore", "/changes/", "/history", "/for-you", "/saves", "/following", "/report", "/me",
    "/join", "/sign-in", "/map?", "/map/",
    "/reset", "/vouch/", "/api/", "/dumps/", "/talk", "/notices", "/moderation", "/feeds/", "/unsubscribe/",
    "/embed/",
)  # fmt: skip
LETTERS = {place: letter for letter, place in PLACES.items()}


@router.get("/", response_class=HTMLResponse)
def home(request: Request) -> Response:
    """The search box, what there is, and where to begin."""
    site = site_of(request)
    with site.database.session() as session:
        return site.page(
            request, "home.html",
            totals=totals(session),
            works=recent_works(session, 6),
            topics=listing(session, "T", 1).page.rows[:14],
            people=listing(session, "A", 1, without=site.community.kept.now().hidden).page.rows[:12],
        )  # fmt: skip


@router.get("/search", response_class=HTMLResponse)
def search(request: Request) -> Response:
    """Results with reasons and facets; without a query, a list of works."""
    return _results(request, asked(request.query_params), "search.html")


def _results(request: Request, wanted: Asked, template: str) -> Response:
    site = site_of(request)
    who, shelf = keeping(request), shelf_in_use(request)
    found = site.discovery.search(
        wanted.query, wanted.filters, sort=wanted.sort, page=wanted.page,
        asker=_asker(request, who, wanted),
    )  # fmt: skip
    works = [hit.work_id for hit in found.hits]
    saved = site.readers.saved_among(who.reader.id, works) if who else {}
    with site.database.session() as session:
        shown = {card.id: card for card in cards(session, works)}
        page = site.page(
            request, template,
            asked=wanted,
            found=found,
            rows=[(shown[hit.work_id], hit) for hit in found.hits if hit.work_id in shown],
            active=_labelled(session, wanted),
            who=who,
            saved=saved,
            shelf=None if who else shelf,
            mine=bool(who or shelf or held_by_account(request)),
            kept=saved_here(request, works),
            followed=followed(request, address) if (address := _followable(wanted)) else None,
        )  # fmt: skip
    return own_answer(page) if who or shelf else for_everyone(page)


def _followable(wanted: Asked) -> str:
    """The address by which a search is followed; empty for one that finds everything."""
    return wanted.address(personal=True) if wanted.query or wanted.active() else ""


def _asker(request: Request, who: Present | None, wanted: Asked) -> Asker | None:
    """What whoever asks met and follows, where it may move the order."""
    if not (wanted.personal and wanted.query and wanted.sort == "relevance"):
        return None
    taste = taste_for_search(request, who)
    return site_of(request).discovery.asker(taste) if taste else None


def _labelled(session: Session, wanted: Asked) -> list[tuple[str, str, str]]:
    """Facet, value and label of every active filter."""
    found = []
    for facet in dict.fromkeys(facet for facet, _ in wanted.active()):
        values = [value for name, value in wanted.active() if name == facet]
        labels = facet_labels(session, facet, values)
        plain = {"yes": "Open access", "no": "Not open access"} | TYPE_LABELS
        found += [(facet, v, labels.get(v) or plain.get(v) or v) for v in values]
    return found


@router.get("/works", response_class=HTMLResponse)
def works(request: Request) -> Response:
    """All works, filtered and paged."""
    return _results(request, asked(request.query_params), "search.html")


@router.get("/{place}/{name:path}", response_class=HTMLResponse)
def entity(request: Request, place: str, name: str) -> Response:
    """The page of an entity, an export of a work, or the way there from an outside identifier."""
    if place == "names":
        return _name(request, name)
    if place not in LETTERS:
        raise HTTPException(404)
    if match := re.fullmatch(NUMBER, name, re.ASCII):
        if match[1] != LETTERS[place]:
            return RedirectResponse(f"/{PLACES[match[1]]}/{name}", 301)
        show = {"W": _work, "A": _person}.get(match[1], _entity)
        return show(request, match[1], int(match[2]))
    if match := re.fullmatch(r"W(\d{1,15})(\.[a-z.]+)", name, re.ASCII):
        return _export(request, int(match[1]), match[2])
    return _outside(request, place, name)


def _outside(request: Request, place: str, name: str) -> Response:
    letter, schemes = SCHEMES.get(place, ("", ()))
    scheme, _, value = name.partition(":")
    if scheme in schemes and value and "\x00" not in value:
        with site_of(request).database.session() as session:
            number = entity_of_identifier(session, letter, scheme, value)
        if number is not None:
            return RedirectResponse(f"/{place}/{letter}{number}", 302)
    raise HTTPException(404)


def _work(request: Request, letter: str, number: int) -> Response:
    site = site_of(request)
    given = request.query_params
    form = wanted_form(request.headers.get("accept", ""))
    if form is not None and form.type == REFERENCE:
        return negotiated(request, number, form.style, form.locale)
    if form is not None:
        return _export(request, number, form.suffix)
    who, shelf = keeping(request, number), shelf_in_use(request)
    with site.database.session() as session:
        page = work_page(
            session, number,
            references=page_in(given, "references"),
            cited_by=page_in(given, "cited_by"),
            authors=page_in(given, "authors"),
        )  # fmt: skip
        if page is None:
            raise HTTPException(404)
        if page.work.deleted_at is not None:
            raise HTTPException(410)
        query = _opened(site, who, request, number) if who else None
        key = ("linked", number, page.work.change_seq, base_of(request))
        linked, tags = site.once(key, lambda: _for_programs(session, number, key[3]))
        shown = site.page(
            request, "work.html",
            who=who,
            shelf=None if who else shelf,
            query=query,
            page=page,
            work=page.work,
            claims=site.overview.of_work(page.identifiers),
            meeting=of_work(request, session, number),
            near=site.discovery.neighbours("W", number, NEAR["W"]),
            on_map=site.maps.has(number),
            slice=site.discovery.graph_slice("W", number, 34),
            jsonld=linked, tags=tags,
        )  # fmt: skip
        shown.headers["Link"] = header(signposts(page, base_of(request)))
    shown.headers.add_vary_header("Accept")
    if who is None:
        return own_answer(shown) if shelf else for_everyone(shown)
    if query is not None:
        remember(request, shown, who)
    return own_answer(shown)


def _opened(site: Site, who: Present, request: Request, number: int) -> str | None:
    """Keep that a reader opened a work after a query; the query. A failure costs the entry, not the page."""
    query = who.query_from(request, number)
    if query is not None:
        try:
            site.readers.opened(who.reader.id, number, query)
            site.readers.visited(who.reader)
        except (SQLAlchemyError, OSError):
            log.exception("An opening could not be kept.")
            return None
    return query


def _for_programs(session: Session, number: int, base: str) -> tuple[Any, list[tuple[str, str]]]:
    """The work as linked data and as names for the head of the page.

    Long lists stay in the ``.jsonld`` export, to keep the page small.
    """
    found = parsed_work(session, number)
    if found is None:
        return None, []
    short = replace(found, authors=found.authors[:LISTED_AUTHORS], references=[])
    linked = {"@context": "https://schema.org"} | jsonld_work(short)
    return linked, citation_tags(found, f"{base}/works/W{number}")


def _person(request: Request, letter: str, number: int) -> Response:
    site = site_of(request)
    given = request.query_params
    with site.database.session() as session:
        page = person_page(
            session, number,
            page=page_in(given),
            sort=_sort(given.get("sort")),
            works_by=site.overview.registry.identifiers(),
        )  # fmt: skip
        if page is None:
            raise HTTPException(404)
        if page.person.merged_into_id is not None:
            # Not for good: the merge can be undone, and browsers never ask again for a 301.
            return RedirectResponse(f"/people/A{page.person.merged_into_id}", 302)
        if page.withdrawn:
            raise HTTPException(410, "No source states a work of this person any more.")
        known = compact(site, session, page)
        claimed = claims_part(request, session, number)
        shelf = shelf_in_use(request)
        shown = site.page(
            request, "person.html",
            shelf=shelf,
            claimed=claimed,
            page=page,
            person=page.person,
            followed=followed(request, f"A{number}"),
            near=site.discovery.neighbours("A", number, NEAR["A"]),
            slice=site.discovery.graph_slice("A", number, 40),
            sort=_sort(given.get("sort")),
            name_key=_name_key(session, page.person),
            runs=runs_of(site.overview, page.works_by),
            snapshot=known,
            said=said(known) if known else [],
            coverage=coverage(known) if known else "",
            contact=contact_of(site, visitor(request), number),
            jsonld=jsonld_person(page, base_of(request)),
        )  # fmt: skip
        if shelf:
            own_answer(shown)
    return asking_robots(shown, claimed.noindex)


def _name_key(session: Session, person: Person) -> str:
    return quote(person.name_key, safe="")


def _sort(given: str | None) -> str:
    return given if given in ("newest", "oldest", "cited") else "newest"


def _entity(request: Request, letter: str, number: int) -> Response:
    site = site_of(request)
    given = request.query_params
    with site.database.session() as session:
        page = entity_page(
            session, letter, number, page=page_in(given), sort=_sort(given.get("sort"))
        )
        if page is None:
            raise HTTPException(404)
        shelf = shelf_in_use(request) if letter == "T" else None
        shown = site.page(
            request, "entity.html",
            shelf=shelf,
            page=page,
            kind=KINDS[letter],
            followed=followed(request, f"{letter}{number}"),
            near=site.discovery.neighbours(letter, number, NEAR[letter]) if NEAR[letter] else (),
            slice=site.discovery.graph_slice(letter, number, 40),
            sort=_sort(given.get("sort")),
        )  # fmt: skip
        return own_answer(shown) if shelf else shown


def _name(request: Request, name: str) -> Response:
    site = site_of(request)
    with site.database.session() as session:
        page = None if "\x00" in name else name_page(session, name[:500])
        if page is None:
            raise HTTPException(404)
        return site.page(request, "name.html", page=page)


def _linked(request: Request, number: int) -> Response:
    """The work's links as a link set."""
    with site_of(request).database.session() as session:
        page = work_page(session, number)
        if page is None or page.work.deleted_at is not None:
            raise HTTPException(404)
        found = link_set(signposts(page, base_of(request)), f"{base_of(request)}/works/W{number}")
    return Response(orjson.dumps(found), media_type="application/linkset+json")


def _export(request: Request, number: int, suffix: str) -> Response:
    if suffix == LINK_SET:
        return _linked(request, number)
    for exporter in EXPORTERS.values():
        if exporter.suffix == suffix:
            with site_of(request).database.session() as session:
                found = parsed_work(session, number)
                if found is None:
                    raise HTTPException(404)
                content = "".join(exporter.write([found]))
            response = Response(content, media_type=exporter.media_type)
            response.headers["Content-Location"] = f"/works/W{number}{suffix}"
            response.headers["Vary"] = "Accept"
            return response
    known = ", ".join(exporter.suffix for exporter in EXPORTERS.values())
    raise HTTPException(404, f"There is no such form of a work; there are {known}.")


@router.get("/{place}", response_class=HTMLResponse)
def listed(request: Request, place: str) -> Response:
    """Lists of people, topics, institutions and venues; the page about the site."""
    site = site_of(request)
    given = request.query_params
    if place == "about":
        with site.database.session() as session:
            return site.page(
                request, "about.html",
                totals=totals(session),
                sources=sources_of_record(session),
                service=_status(site),
            )  # fmt: skip
    if place == "robots.txt":
        return PlainTextResponse(
            "User-agent: *\n"
            + "".join(f"Disallow: {one}\n" for one in NOT_FOR_ROBOTS)
            + f"Sitemap: {base_of(request)}/sitemap.xml\n"
        )
    if place == "favicon.ico":
        return RedirectResponse("/static/icon.svg", 301)
    if place not in LETTERS:
        raise HTTPException(404)
    query = given.get("q", "").replace("\x00", "")[:100]
    sort = "name" if given.get("sort") == "name" else "works"
    with site.database.session() as session:
        hidden = site.community.kept.now().hidden if place == "people" else ()
        found = listing(session, LETTERS[place], page_in(given), query, sort, hidden)
        return site.page(request, "list.html", found=found, place=place, kind=KINDS[LETTERS[place]])


def _status(site: Site) -> dict[str, Any]:
    status = getattr(site.discovery, "status", None)
    return dict(status()) if status is not None else {"bundle": None}
