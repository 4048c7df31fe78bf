"""The library of an account: works it saved, filtered, searched, changed and exported."""

from __future__ import annotations

import re

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from peerscope.community import saves
from peerscope.record.read import cards
from peerscope.record.read.shapes import PER_PAGE, PageOf
from peerscope.web.asked import page_in
from peerscope.web.forms import back_to
from peerscope.web.meeting import exported_works, number_in, work_in
from peerscope.web.site import site_of
from peerscope.web.visitor import Form, SignedInVisitor

router = APIRouter(include_in_schema=False)
PLACE = "/saves"
LONGEST_QUERY = 200


@router.get(PLACE, response_class=HTMLResponse)
def library(request: Request, who: SignedInVisitor) -> Response:
    """A page of the library."""
    site, given = site_of(request), request.query_params
    wanted = {
        "state": given.get("state", ""),
        "tag": given.get("tag", ""),
        "query": given.get("q", "").replace("\x00", "")[:LONGEST_QUERY],
        "sort": given.get("sort", "saved"),
    }
    page = page_in(given)
    with site.community.reading() as session:
        entries = saves.library(session, who.id)
    with site.database.session() as record:
        found = saves.shelf(record, site.discovery, entries, **wanted)
        rows = found.entries[(page - 1) * PER_PAGE : page * PER_PAGE]
        shown = {card.id: card for card in cards(record, [one.work_id for one in rows])}
    return site.page(
        request, "meeting/saves.html",
        shelf=found, wanted=wanted, states=saves.STATES, sorts=saves.SORTS, cards=shown,
        page=PageOf(rows, len(found.entries), page),
    )  # fmt: skip


@router.get(PLACE + "/export{suffix}")
def export(request: Request, who: SignedInVisitor, suffix: str) -> Response:
    """The whole library as a bibliography, the latest saved first."""
    site = site_of(request)
    with site.community.reading() as session:
        works = [work for work, _ in saves.saved_works(session, who.id)]
    return exported_works(site, works, suffix, "library")


@router.post(PLACE)
def save(request: Request, sent: Form) -> Response:
    """Put a work into the library."""
    number, _ = work_in(request, sent.get("work"))
    with site_of(request).community.writing() as session:
        saves.save(session, sent.who.id, number)
    return _back(sent.get("back"), number)


@router.post(PLACE + "/change")
def change(request: Request, sent: Form) -> Response:
    """Change the state, note and tags of a saved work; what the form does not name stays."""
    number = number_in(sent.get("work"), "W")
    given = {name: sent.fields.get(name) for name in ("state", "note", "tags")}
    with site_of(request).community.writing() as session:
        saves.change(session, sent.who.id, number, **given)
    return _back(sent.get("back"), number)


@router.post(PLACE + "/remove")
def remove(request: Request, sent: Form) -> Response:
    """Take a work out of the library."""
    number = number_in(sent.get("work"), "W")
    with site_of(request).community.writing() as session:
        saves.remove(session, sent.who.id, number)
    return _back(sent.get("back"), number)


def _back(back: str, number: int) -> Response:
    """To the page that the form stood on, in a list at the work."""
    if re.match(r"/(search|works\?|saves)", back) and "#" not in back:
        back = f"{back}#W{number}"
    return back_to(back, PLACE)
