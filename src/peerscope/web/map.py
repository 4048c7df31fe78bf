"""The map of the field: the page, its tiles and lists for the viewer, and the pages of its regions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import numpy as np
import orjson
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from peerscope.discover import SearchFilters
from peerscope.discover.maps import OpenMap, Region, Window
from peerscope.discover.maps.view import COLOURS, DEEPEST
from peerscope.discover.results import TYPE_LABELS
from peerscope.record.models import Work
from peerscope.record.read import cards
from peerscope.record.read.shapes import PageOf, WorkCard
from peerscope.web.asked import LATEST_YEAR, LONGEST, number_in, page_in
from peerscope.web.map_picture import MapPicture, form, legend, pictured
from peerscope.web.site import Site, site_of

router = APIRouter(include_in_schema=False)

LISTED = 20
MOST_HITS = 50
MOST_TITLES = 100
MOST_REGIONS = 40
PER_PAGE = 20
FORGOTTEN = (
    "This belongs to a map that is not shown any more; the map of the field has the present one."
)
IMMUTABLE = "public, max-age=31536000, immutable"
CLOSE_TO_A_WORK, LARGE = 4, 5000
NAMED = {"region": "Region", "topic": "Topic", "year": "Year", "type": "Kind of work"}


@dataclass(frozen=True, slots=True)
class MapAsked:
    """A view of the map as its address states it."""

    window: Window
    placed: bool
    colour: str
    years: tuple[int | None, int | None]
    work: int | None
    query: str

    def address(self, window: Window | None = None, **changes: Any) -> str:
        """The address of this view, changed in some respect."""
        asked = replace(self, **changes)
        pairs: list[tuple[str, str]] = []
        if window is not None or asked.placed:
            shown = window or asked.window
            pairs += [("x", _short(shown.x)), ("y", _short(shown.y)), ("z", f"{shown.z:g}")]
        pairs += asked.kept()
        return f"/map?{urlencode(pairs)}" if pairs else "/map"

    def kept(self) -> list[tuple[str, str]]:
        """Everything but the window, as pairs of an address."""
        first, last = self.years
        pairs = [
            ("colour", self.colour if self.colour != "region" else ""),
            ("year_from", "" if first is None else str(first)),
            ("year_to", "" if last is None else str(last)),
            ("work", "" if self.work is None else f"W{self.work}"),
            ("q", self.query),
        ]
        return [pair for pair in pairs if pair[1]]

    def closer(self) -> str | None:
        """One level closer; ``None`` at the closest."""
        shown = self.window
        if shown.z >= DEEPEST:
            return None
        return self.address(Window.of(shown.x, shown.y, int(shown.z) + 1))

    def wider(self) -> str | None:
        """One level wider; ``None`` where the whole map is shown."""
        shown = self.window
        return self.address(Window.of(shown.x, shown.y, int(shown.z) - 1)) if shown.z else None

    def whole(self) -> str | None:
        """The whole map; ``None`` where it is shown."""
        return self.address(Window()) if self.window.z else None

    def beside(self, across: int, down: int) -> str | None:
        """Half a window further; ``None`` at the edge."""
        shown, step = self.window, self.window.side / 2
        moved = Window.of(shown.x + across * step, shown.y + down * step, int(shown.z))
        return None if moved == shown else self.address(moved)


def _short(value: float) -> str:
    return f"{value:.4f}".rstrip("0")


def _asked(given: Mapping[str, str]) -> MapAsked:
    """Read a view's address; what cannot be understood is left out."""
    x, y, z = (_decimal(given.get(name)) for name in "xyz")
    work = re.fullmatch(r"W(\d{1,15})", given.get("work", ""), re.ASCII)
    return MapAsked(
        Window.of(0.5 if x is None else x, 0.5 if y is None else y, int(z or 0)),
        x is not None or y is not None or z is not None,
        given.get("colour", "") if given.get("colour") in COLOURS else "region",
        (
            number_in(given.get("year_from"), 0, LATEST_YEAR),
            number_in(given.get("year_to"), 0, LATEST_YEAR),
        ),
        int(work[1]) if work else None,
        given.get("q", "").replace("\x00", " ").strip()[:LONGEST],
    )


def _decimal(value: str | None) -> float | None:
    if value is None or not re.fullmatch(r"\d{1,2}(\.\d{1,9})?", value, re.ASCII):
        return None
    return float(value)


@dataclass(frozen=True, slots=True)
class Here:
    """Where a work that was asked for stands; without a place where the map does not know it."""

    work: int
    title: str
    place: tuple[float, float] | None
    guessed: bool


@router.get("/map", response_class=HTMLResponse)
def field_map(request: Request) -> Response:
    """A window of the map, drawn and as lists."""
    site = site_of(request)
    asked = _asked(request.query_params)
    with site.database.session() as session:
        found = site.maps.current(session)
        if found is None:
            return site.page(request, "map_missing.html", why=site.maps.why_none())
        here = _here(site, session, found, asked.work) if asked.work is not None else None
        if here is not None and here.place and not asked.placed:
            level = CLOSE_TO_A_WORK if found.about.works > LARGE else 2
            asked = replace(asked, window=Window.of(*here.place, level), placed=True)
        rows = found.inside(asked.window, asked.years)
        hits, unplaced = _hits(site, found, asked)
        inside = set(rows.tolist())
        hits_here = [row for row in hits if row in inside]

        def drawn() -> tuple[MapPicture, Any, Any]:
            place = here.place if here else None
            return (
                pictured(found, asked.window, rows, asked.colour, hits=hits, here=place),
                _used(legend(found, asked.colour, TYPE_LABELS), found, rows, asked.colour),
                _nested(found, rows, asked.window),
            )

        view = ("map", found.version, asked.window, asked.colour, asked.years)
        picture, told, regions = drawn() if hits or here else site.once(view, drawn)
        listed = found.ids(np.asarray(hits_here[:LISTED] or rows[:LISTED], np.int64))
        wanted = dict.fromkeys([*listed, *(point.work_id for point in picture.points)])
        shown = {card.id: card for card in cards(session, list(wanted))}
        return site.page(
            request, "map.html",
            asked=asked, found=found, about=found.about, window=asked.window,
            picture=picture, total=len(rows), here=here,
            older=site.maps.is_older(found),
            legend=told,
            colours=NAMED, titles=shown,
            works=[shown[one] for one in listed if one in shown],
            hits=len(hits), most_hits=MOST_HITS, hits_here=len(hits_here), unplaced=unplaced,
            form=form, regions=regions,
            around=Window.around,
            hit_places=orjson.dumps(_rounded(found, hits)).decode(),
        )  # fmt: skip


def _rounded(found: OpenMap, rows: list[int]) -> list[tuple[float, float]]:
    return [(round(x, 5), round(y, 5)) for x, y in found.places(np.asarray(rows, np.int64))]


def _here(site: Site, session: Session, found: OpenMap, work_id: int) -> Here | None:
    """Where a work stands; one that the map does not know is placed amid those near to it in meaning."""
    work = session.get(Work, work_id)
    if work is None or work.deleted_at is not None:
        return None
    place = found.place(work_id)
    if place is not None:
        return Here(work_id, work.title, place, False)
    near = site.discovery.neighbours("W", work_id, 10)
    amid = found.amid([one.id for one in near if one.entity == "W"])
    return Here(work_id, work.title, amid, True)


def _hits(site: Site, found: OpenMap, asked: MapAsked) -> tuple[list[int], int]:
    """Rows of the works that answer the query, best first, and how many have no place."""
    if not asked.query:
        return [], 0
    filters = SearchFilters(year_from=asked.years[0], year_to=asked.years[1])
    page = site.discovery.search(asked.query, filters, per_page=MOST_HITS)
    ids = [hit.work_id for hit in page.hits]
    rows = [int(row) for row in found.rows(ids) if found.place(found.ids(np.asarray([row]))[0])]
    return rows, len(ids) - len(rows)


def _used(
    told: list[tuple[int, str]], found: OpenMap, rows: Any, colour: str
) -> list[tuple[int, str, int]]:
    """The legend with how many works in sight each entry stands for; those without any are left out."""
    counted = np.bincount(found.categories(colour)[rows], minlength=1)
    numbers = [(one, text, int(counted[one]) if one < len(counted) else 0) for one, text in told]
    return [entry for entry in numbers if entry[2]]


def _nested(
    found: OpenMap, rows: Any, window: Window
) -> list[tuple[Region, int, list[tuple[Region, int]]]]:
    """Regions in sight with their parts: of the whole map, or of the level that a window shows."""
    counted = found.in_regions(rows)
    above = 1 if window.z <= 1 else 2
    outer = [one for one in found.regions if one.level == above and one.number in counted]
    if not outer:
        outer = [one for one in found.parts(None) if one.number in counted]
    outer.sort(key=lambda one: -counted[one.number])
    nested = []
    for region in outer[:MOST_REGIONS]:
        parts = [
            (part, counted[part.number])
            for part in found.parts(region.number)
            if part.number in counted
        ]
        parts.sort(key=lambda one: -one[1])
        nested.append((region, counted[region.number], parts[:8] if window.z <= 1 else parts[:5]))
    return nested


@router.get("/map/tiles/{version}/{z}/{x}/{y}")
def tile(request: Request, version: str, z: int, x: int, y: int) -> Response:
    """The works of a tile, as rows of `peerscope.discover.maps.shapes.WORK`."""
    found = _present(request, version)
    if not found.is_tile(z, x, y):
        raise HTTPException(404, "There is no such tile.")
    return _kept(
        found, version, Response(found.tile(z, x, y), media_type="application/octet-stream")
    )


@router.get("/map/parts/{version}")
def parts(request: Request, version: str) -> Response:
    """What a viewer needs besides tiles: which tiles there are, regions, and what colours stand for."""
    found = _present(request, version)
    regions = [
        [
            one.number,
            one.level,
            one.parent or 0,
            one.label,
            one.x,
            one.y,
            one.works,
            Window.around(one).z,
        ]
        for one in found.regions
    ]
    content = {
        "tiles": found.tiles(),
        "regions": regions,
        "year_steps": found.year_steps,
        "types": len(found.types),
    }
    return _kept(found, version, Response(orjson.dumps(content), media_type="application/json"))


def _present(request: Request, version: str) -> OpenMap:
    site = site_of(request)
    with site.database.session() as session:
        found = site.maps.current(session)
    if found is None or version.partition(".")[0] != found.about.id:
        raise HTTPException(404, FORGOTTEN)
    return found


def _kept(found: OpenMap, version: str, response: Response) -> Response:
    """Mark an answer as one for good, unless works were deleted since its address was given out."""
    response.headers["Cache-Control"] = IMMUTABLE if version == found.version else "no-cache"
    return response


@router.get("/map/view")
def view(request: Request) -> Response:
    """What a window shows, for the viewer's lists: how many works, the most cited ones, the regions."""
    site = site_of(request)
    given = request.query_params
    asked = _asked(given)
    level = min(_decimal(given.get("z")) or 0.0, float(DEEPEST))
    window = Window.of(asked.window.x, asked.window.y, level)
    with site.database.session() as session:
        found = site.maps.current(session)
        if found is None:
            raise HTTPException(404, site.maps.why_none())
        rows = found.inside(window, asked.years)
        shown = cards(session, found.ids(rows[:LISTED]))
    nested = _nested(found, rows, window)
    content = {
        "version": found.version,
        "total": len(rows),
        "works": [_line(card) for card in shown],
        "regions": [
            [*_row(one, works), [_row(*part) for part in parts]] for one, works, parts in nested
        ],
    }
    return Response(
        orjson.dumps(content), media_type="application/json", headers={"Cache-Control": "no-cache"}
    )


def _row(region: Region, works: int) -> list[Any]:
    """A region in a list of the viewer: number, name, works in sight, and the window around it."""
    window = Window.around(region)
    return [region.number, region.label, works, round(window.x, 4), round(window.y, 4), window.z]


@router.get("/map/titles")
def titles(request: Request) -> Response:
    """Titles of works by number (``w=1,2``), at most a hundred; deleted ones are not among them."""
    wanted = re.findall(r"\d{1,15}", request.query_params.get("w", "")[:2000], re.ASCII)[
        :MOST_TITLES
    ]
    numbers = list(dict.fromkeys(int(one) for one in wanted))
    with site_of(request).database.session() as session:
        shown = cards(session, numbers)
    content = {str(card.id): _line(card) for card in shown}
    return Response(
        orjson.dumps(content), media_type="application/json", headers={"Cache-Control": "no-cache"}
    )


def _line(card: WorkCard) -> dict[str, Any]:
    return {"id": card.id, "title": card.title, "year": card.year, "cited": card.cited_by_count,
            "type": TYPE_LABELS.get(card.type, card.type)}  # fmt: skip


@router.get("/map/regions/{map_id}/{number}", response_class=HTMLResponse)
def region(request: Request, map_id: str, number: str) -> Response:
    """A region: its words, topics, parts, and its works by citations."""
    site = site_of(request)
    with site.database.session() as session:
        found = site.maps.current(session)
        if (
            found is None
            or found.about.id != map_id
            or not re.fullmatch(r"\d{1,5}", number, re.ASCII)
        ):
            raise HTTPException(404, FORGOTTEN)
        shown = found.region(int(number))
        if shown is None:
            raise HTTPException(404, "The map has no such region.")
        rows = found.region_rows(shown.number)
        last = max(1, -(-len(rows) // PER_PAGE))
        page = min(page_in(request.query_params), last)
        ids = found.ids(rows[(page - 1) * PER_PAGE : page * PER_PAGE])
        works = cards(session, ids)
        return site.page(
            request, "map_region.html",
            found=found, region=shown, above=found.enclosing(shown), inner=found.parts(shown.number),
            works=PageOf(tuple(works), len(rows), page, PER_PAGE), around=Window.around,
        )  # fmt: skip
