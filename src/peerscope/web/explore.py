"""The explorer: a slice drawn on the server and handed to a script that lets one walk on from there.

Without a centre it is a finder. Everything that is asked for later is asked of the graph API; this file
only says what the page begins with.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.orm import Session

from peerscope.discover.graph_shapes import TYPES
from peerscope.discover.shapes import SearchFilters
from peerscope.record.models import Institution, Person, Topic, Venue, Work
from peerscope.record.read import cards, listing
from peerscope.web.site import PLACES, Site, site_of

router = APIRouter(include_in_schema=False)

KEY = re.compile(r"\s*([WATIS])(\d{1,15})\s*", re.ASCII)
ENTITIES: dict[str, type[Work | Person | Topic | Institution | Venue]] = {
    "W": Work,
    "A": Person,
    "T": Topic,
    "I": Institution,
    "S": Venue,
}
DRAWN = 40
"""Nodes of the picture that stands where no script runs."""

FOUND = 6
"""Entities of each type that the finder and the examples list."""

LONGEST = 200
FIRST_SIZES = (60, 150, 500, 1000, 2000)
CEILINGS = (2000, 5000, 10000)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entity that the explorer may begin with; ``note`` is a year or a count of works."""

    key: str
    label: str
    note: str


@router.get("/explore", response_class=HTMLResponse)
def explore(request: Request, centre: str = "", q: str = "") -> Response:
    """The explorer around ``centre`` (a key such as ``W12``), or a finder for where to begin.

    Raises:
        HTTPException: 400 for a centre that is no key, 404 for one that is not in the record, 410 for one
            that was removed or is not shown.
    """
    site = site_of(request)
    words = q.replace("\x00", " ").strip()[:LONGEST]
    if not centre:
        with site.database.session() as session:
            groups = _found(site, session, words) if words else _examples(site, session)
        return site.page(request, "explore.html", centre=None, q=words, groups=groups)
    match = KEY.fullmatch(centre)
    if match is None:
        raise HTTPException(
            400,
            f"“{centre[:50]}” is no key of this record. A key is a letter and a number as in addresses: "
            "W12 for a work, A3 for a person, T4, I5 or S6 for a topic, institution or venue.",
        )
    letter, number = match[1], int(match[2])
    with site.database.session() as session:
        row = session.get(ENTITIES[letter], number)
        _refuse_absent(site, f"{letter}{number}", row)
        if isinstance(row, Person) and row.merged_into_id is not None:
            return RedirectResponse(f"/explore?centre=A{row.merged_into_id}", 302)
        label = row.title if isinstance(row, Work) else row.display_name  # type: ignore[union-attr]
        return site.page(
            request, "explore.html",
            centre=Entry(f"{letter}{number}", label, ""),
            q="",
            slice=site.discovery.graph_slice(letter, number, DRAWN),
            types=TYPES,
            sizes=FIRST_SIZES,
            ceilings=CEILINGS,
        )  # fmt: skip


def _refuse_absent(site: Site, key: str, row: Any) -> None:
    if row is None:
        raise HTTPException(
            404, f"There is no {key} in this record. Find something else to begin with."
        )
    if isinstance(row, Work) and row.deleted_at is not None:
        raise HTTPException(410)
    if isinstance(row, Person) and site.is_hidden(row.id):
        raise HTTPException(410, "This person is not shown here.")


def _found(site: Site, session: Session, words: str) -> list[tuple[str, list[Entry]]]:
    """Entities by a part of their name; works by the site's search."""
    hits = site.discovery.search(words, SearchFilters(), per_page=FOUND).hits
    shown = cards(session, [hit.work_id for hit in hits])
    groups = [("works", [_work(card) for card in shown])]
    groups += [(place, _named(site, session, place, words)) for place in list(PLACES.values())[1:]]
    return [(place, entries) for place, entries in groups if entries]


def _examples(site: Site, session: Session) -> list[tuple[str, list[Entry]]]:
    """The most connected people, topics, institutions and venues of the record."""
    groups = [(place, _named(site, session, place, "")) for place in list(PLACES.values())[1:]]
    return [(place, entries) for place, entries in groups if entries]


def _work(card: Any) -> Entry:
    return Entry(f"W{card.id}", card.title, str(card.year or ""))


def _named(site: Site, session: Session, place: str, words: str) -> list[Entry]:
    letter = {name: one for one, name in PLACES.items()}[place]
    hidden = site.community.kept.now().hidden if letter == "A" else ()
    rows = listing(session, letter, 1, words, "works", hidden).page.rows[:FOUND]
    return [Entry(f"{letter}{row.id}", row.label, f"{row.works_count:,} works") for row in rows]
