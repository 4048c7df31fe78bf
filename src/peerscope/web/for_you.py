"""The feed: works for whoever asks, from what they saved, opened and follow, with reasons and "less of this".

It needs no account and no script. Without a history the list lies in the browser's own cookie (`shelf`); a
form that changes it can carry no token, since there is no secret to make one with, and relies on the browser
saying that it came from a page of this site.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from peerscope.community import follows, reading, saves
from peerscope.discover.shapes import FeedOrder
from peerscope.discover.shelf import MOST_ENTRIES, Shelf
from peerscope.discover.wishes import want_again, want_less
from peerscope.record import change_seq
from peerscope.record.read import cards, labels_of, topics_of
from peerscope.record.read.shapes import PageOf
from peerscope.web.asked import page_in
from peerscope.web.forms import STALE, back_to, form
from peerscope.web.meeting import saved_here
from peerscope.web.reader import Present, held_by_account, own_answer, present
from peerscope.web.shelf import (
    clear_shelf,
    has_shelf_cookie,
    keep_shelf,
    shelf_of,
)
from peerscope.web.site import Site, site_of
from peerscope.web.taste import AsOf, taste_here
from peerscope.web.visitor import Form

router = APIRouter(include_in_schema=False)

Fields = Annotated[Mapping[str, str], Depends(form)]
PLACE = "/for-you"
PER_PAGE = 20
DOINGS = ("save", "remove", "follow", "less", "again")
NOTHING = "The form does not say what to change."
NO_LIST = "There is no list in this browser and no history of yours that this could be kept in."
TOO_MANY = "You see less of as many things as this site keeps; take some out first."


@router.get(PLACE, response_class=HTMLResponse)
def for_you(request: Request) -> Response:
    """The feed, or how to begin one."""
    site = site_of(request)
    given = request.query_params
    here = taste_here(request, AsOf.read(given.get("as_of", "")))
    order: FeedOrder = "new" if given.get("order") == "new" else "best"
    entries = site.discovery.feed(here.taste, order=order)
    page = page_in(given)
    part = entries[(page - 1) * PER_PAGE : page * PER_PAGE]
    less = here.taste.less
    muted = [
        *(f"W{n}" for n in sorted(less.works)), *(f"A{n}" for n in sorted(less.people)),
        *(f"T{n}" for n in sorted(less.topics)),
    ]  # fmt: skip
    kept = [one for one in here.shelf.entries if one[0] != "-"][::-1] if here.shelf else []
    with site.database.session() as session:
        shown = {card.id: card for card in cards(session, [entry.work_id for entry in part])}
        topics = topics_of(session, list(shown))
        labels = labels_of(session, [*muted, *kept])
    held = held_by_account(request)
    address = {"order": order} if order == "new" else {}
    rows = tuple((shown[one.work_id], one.reasons) for one in part if one.work_id in shown)
    answer = site.page(
        request, "for_you.html",
        who=here.who,
        shelf=here.shelf,
        taste=here.taste,
        order=order,
        rows=PageOf(rows, len(entries), page, PER_PAGE),
        topics=topics,
        library=saved_here(request, list(shown)),
        uses_saves=bool(held and held.uses_saves),
        muted=[(one, labels.get(one)) for one in muted],
        kept=[(one, labels.get(one)) for one in kept],
        most=MOST_ENTRIES,
        here=f"{PLACE}?{urlencode({**address, 'as_of': here.as_of.written()})}",
        cleared="cleared" in given,
    )  # fmt: skip
    if here.shelf is None and has_shelf_cookie(request):
        clear_shelf(request, answer)
    return own_answer(answer)


@router.post(PLACE + "/keep")
def keep(request: Request, fields: Fields) -> Response:
    """Begin a list in this browser; one that is there stays."""
    response = RedirectResponse(PLACE, 303)
    keep_shelf(request, response, shelf_of(request) or Shelf())
    return own_answer(response)


@router.post(PLACE + "/clear")
def clear(request: Request, fields: Fields) -> Response:
    """Take the browser's list away."""
    response = RedirectResponse(f"{PLACE}?cleared", 303)
    clear_shelf(request, response)
    return own_answer(response)


@router.post(PLACE + "/change")
def change(request: Request, fields: Fields) -> Response:
    """Save, remove, follow, see less of something, or see it again: in the history or the browser's list.

    What to see less of goes into the history of a reader who has one. Saves and follows of the browser's
    list stay in it; those of a history and of an account have forms of their own.
    """
    do = next((one for one in DOINGS if one in fields), None)
    what = fields.get(do or "", "")
    if do is None or not re.fullmatch(r"[WAT][1-9]\d{0,14}", what, re.ASCII):
        raise HTTPException(400, NOTHING)
    site, who, shelf = site_of(request), present(request), shelf_of(request)
    mark = f"#{what}" if do in ("save", "remove") and what[0] == "W" else ""
    response = _back(fields, mark)
    if do in ("save", "follow", "less"):
        with site.database.session() as session:
            if what not in labels_of(session, [what]):
                raise HTTPException(404, "There is nothing of this number here.")
    if do in ("less", "again") and who is not None:
        _change_history(site, who, fields, do, what)
        if do == "less" or shelf is None or f"-{what}" not in shelf:
            return own_answer(response)
    if shelf is None:
        raise HTTPException(409, NO_LIST)
    keep_shelf(request, response, _changed(shelf, do, what))
    return own_answer(response)


def _change_history(
    site: Site, who: Present, fields: Mapping[str, str], do: str, what: str
) -> None:
    if not who.accepts(fields.get("token", "")):
        raise HTTPException(403, STALE)
    entity, number = what[0], int(what[1:])
    if do == "again":
        want_again(site.readers, who.reader.id, entity, number)
    elif not want_less(site.readers, who.reader.id, entity, number, time.time()):
        raise HTTPException(409, TOO_MANY)
    site.readers.visited(who.reader)


def _changed(shelf: Shelf, do: str, what: str) -> Shelf:
    if do in ("remove", "again"):
        return shelf.without(what if do == "remove" else f"-{what}")
    try:
        return shelf.with_entry(do, what)
    except ValueError as error:
        raise HTTPException(400, NOTHING) from error


@router.post(PLACE + "/take")
def take(request: Request, sent: Form) -> Response:
    """Move the browser's list into the account that is signed in: library, follows, and what is muted."""
    shelf = shelf_of(request)
    if shelf is None:
        raise HTTPException(409, "There is no list in this browser.")
    site, taste = site_of(request), shelf.taste()
    with site.database.session() as record:
        there = labels_of(record, [one for one in shelf.entries if one[0] != "-"])
        seq = change_seq(record)
    muted = [one[1:] for one in shelf.entries if one[0] == "-"]
    with site.community.writing() as session:
        for work in reversed(taste.met):
            if f"W{work}" in there:
                saves.save(session, sent.who.id, work)
        targets = [f"A{one}" for one in taste.people] + [f"T{one}" for one in taste.topics]
        for target in reversed(targets):
            if target in there:
                follows.follow(session, sent.who.id, target, seq)
        secret = reading.give_reader(session, site.readers, sent.who.id, keeping=False)
    reader = site.readers.find(secret)
    assert reader is not None
    for what in muted:
        want_less(site.readers, reader.id, what[0], int(what[1:]), time.time())
    response = RedirectResponse(PLACE, 303)
    clear_shelf(request, response)
    return own_answer(response)


def _back(fields: Mapping[str, str], mark: str) -> RedirectResponse:
    back = fields.get("back", "")
    return back_to(f"{back}{mark}" if back and "#" not in back else back, PLACE)
