"""The reader's own page: what is kept, with everything they can do about it."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from peerscope.community import reading
from peerscope.discover.readers import DAYS_KEPT, LONGEST_KEPT, Entry
from peerscope.discover.results import work_titles
from peerscope.discover.wishes import wishes_of
from peerscope.record.read import cards
from peerscope.record.read.shapes import PageOf
from peerscope.web.asked import page_in
from peerscope.web.forms import back_to, form, own_form
from peerscope.web.reader import (
    UNREADABLE,
    Present,
    forget,
    hand_out,
    has_cookie,
    in_browser,
    known,
    own_answer,
    present,
    remember,
)
from peerscope.web.shelf import shelf_of
from peerscope.web.site import site_of
from peerscope.web.visitor import Form, acting, visitor

router = APIRouter(include_in_schema=False)
log = logging.getLogger(__name__)

Fields = Annotated[Mapping[str, str], Depends(form)]
PLACE = "/history"
BROKEN = "What this site keeps of you cannot be read at the moment. The operator finds the reason in its log."
FULL = "As many works are saved as this site keeps for one reader; remove some first."


@router.get(PLACE, response_class=HTMLResponse)
def history(request: Request) -> Response:
    """What is kept of this reader; to everyone else, what would be."""
    site = site_of(request)
    try:
        who = known(request)
    except UNREADABLE as error:
        log.exception("The readers' file cannot be read.")
        raise HTTPException(503, BROKEN) from error
    limits: dict[str, Any] = {
        "days": DAYS_KEPT,
        "longest": LONGEST_KEPT,
        "shelf": shelf_of(request),
        "other": _other(request, who),
    }
    if who is None:
        page = site.page(
            request, "history.html", who=None, erased="erased" in request.query_params, **limits
        )
        if has_cookie(request) and in_browser(request) is None:
            forget(request, page)
        return own_answer(page)
    number = who.reader.id
    counts = site.readers.counts(number)
    pages = {kind: page_in(request.query_params, kind) for kind in counts}
    saved = site.readers.entries(number, "saved", pages["saved"])
    opened = site.readers.entries(number, "opened", pages["opened"])
    with site.database.session() as session:
        shown = {card.id: card for card in cards(session, [entry.work_id for entry in saved])}
        titles = work_titles(session, [entry.work_id for entry in opened])
    return own_answer(
        site.page(
            request, "history.html",
            who=who,
            since=_date(who.reader.since),
            saved=PageOf(
                tuple((one, shown.get(one.work_id)) for one in saved), counts["saved"], pages["saved"]
            ),
            opened=PageOf(
                tuple((one, titles.get(one.work_id)) for one in opened),
                counts["opened"], pages["opened"],
            ),
            date=_date,
            **limits,
        )
    )  # fmt: skip


@router.get(PLACE + "/export.json")
def export(request: Request) -> Response:
    """Everything that is kept of this reader, as a file."""
    site = site_of(request)
    who = present(request)
    if who is None:
        raise HTTPException(404, "Nothing is kept about you, so there is nothing to export.")
    entries = site.readers.every_entry(who.reader.id)
    with site.database.session() as session:
        titles = work_titles(session, [entry.work_id for entry in entries])

    def stated(entry: Entry, when: str) -> dict[str, object]:
        return {
            "query": entry.query or None,
            "work": f"W{entry.work_id}",
            "title": titles.get(entry.work_id),
            when: _time(entry.at),
        }

    content = {
        "site": site.settings.site_name,
        "written_at": _time(datetime.now(UTC).timestamp()),
        "switched_on_at": _time(who.reader.since),
        "on": who.reader.keeping,
        "opened": [stated(entry, "opened_at") for entry in entries if entry.kind == "opened"],
        "saved": [stated(entry, "saved_at") for entry in entries if entry.kind == "saved"],
        "less_of": [
            {"what": f"{wish.entity}{wish.number}", "since": _time(wish.at)}
            for wish in wishes_of(site.readers, who.reader.id)
        ],
    }
    response = Response(
        orjson.dumps(content, option=orjson.OPT_INDENT_2), media_type="application/json"
    )
    response.headers["Content-Disposition"] = 'attachment; filename="my-history.json"'
    return own_answer(response)


@router.post(PLACE + "/on")
def switch_on(request: Request, fields: Fields) -> Response:
    """Begin to keep a history, or go on with the one that is there; the account's, where one is signed in."""
    site = site_of(request)
    response = own_answer(RedirectResponse(_place(fields), 303))
    if present(request) is not None:
        who = own_form(request, fields)
        site.readers.switch(who.reader.id, keeping=True)
        remember(request, response, who)
    elif visitor(request) is not None:
        me = acting(request, fields).who
        with site.community.writing() as session:
            reading.give_reader(session, site.readers, me.id, keeping=True)
    else:
        hand_out(request, response, site.readers.enrol())
    return response


@router.post(PLACE + "/take")
def take(request: Request, sent: Form) -> Response:
    """Make the history of this browser the account's."""
    site = site_of(request)
    own = in_browser(request)
    if own is None:
        raise HTTPException(409, "This browser has no history of its own.")
    with site.community.writing() as session:
        reading.take_over(session, site.readers, sent.who.id, own.reader)
    response = RedirectResponse(PLACE, 303)
    forget(request, response)
    return own_answer(response)


@router.post(PLACE + "/saves")
def saves(request: Request, sent: Form) -> Response:
    """Let what the account saved and follows take part in order, feed and training, or not any more."""
    site = site_of(request)
    with site.community.writing() as session:
        reading.give_reader(session, site.readers, sent.who.id, keeping=False)
        reading.use_saves(session, sent.who.id, sent.get("use") == "yes")
    with site.community.reading() as session:
        reading.copy_saves(session, site.readers, sent.who.id, reading.SAVES)
    return own_answer(RedirectResponse(_place(sent.fields), 303))


@router.post(PLACE + "/off")
def switch_off(request: Request, fields: Fields) -> Response:
    """Keep nothing more; what is there stays until it is erased."""
    who = own_form(request, fields)
    site_of(request).readers.switch(who.reader.id, keeping=False)
    return own_answer(RedirectResponse(_place(fields), 303))


@router.post(PLACE + "/erase")
def erase(request: Request, fields: Fields) -> Response:
    """Erase one entry, or the reader with everything."""
    who = own_form(request, fields)
    site = site_of(request)
    readers = site.readers
    if fields.get("everything") == "yes":
        response = RedirectResponse(f"{PLACE}?erased", 303)
        me = visitor(request)
        if who.mine is not None and me is not None:
            with site.community.writing() as session:
                reading.let_go(session, readers, me.id)
        else:
            readers.erase_reader(who.reader.id)
            forget(request, response)
        return own_answer(response)
    number = fields.get("entry", "")
    if not re.fullmatch(r"\d{1,18}", number, re.ASCII):
        raise HTTPException(400, "The form does not say what to erase.")
    readers.erase(who.reader.id, int(number))
    return own_answer(_back(fields))


@router.post(PLACE + "/save")
def save(request: Request, fields: Fields) -> Response:
    """Save a work."""
    site = site_of(request)
    who = own_form(request, fields)
    match = re.fullmatch(r"W(\d{1,15})", fields.get("work", ""), re.ASCII)
    with site.database.session() as session:
        if match is None or not work_titles(session, [int(match[1])]):
            raise HTTPException(404, "There is no such work to save.")
    if not site.readers.save(who.reader.id, int(match[1]), fields.get("query", "")):
        raise HTTPException(409, FULL if who.reader.keeping else "Your history is switched off.")
    site.readers.visited(who.reader)
    response = _back(fields, mark=match[0])
    remember(request, response, who)
    return own_answer(response)


def _other(request: Request, who: Present | None) -> bool:
    """Whether an account is signed in whose browser has a history that is not the account's."""
    if visitor(request) is None or not has_cookie(request):
        return False
    own = in_browser(request)
    return own is not None and (who is None or who.mine is not None or own.reader == who.reader)


def _place(fields: Mapping[str, str]) -> str:
    """The page of a switch: this one, that of all switches, or the feed."""
    back = fields.get("back", "")
    return back if back in ("/me/privacy", "/for-you") else PLACE


def _back(fields: Mapping[str, str], mark: str = "") -> RedirectResponse:
    """To the page that the form stood on, in a list at the work."""
    back = fields.get("back", "")
    if mark and back.startswith(("/search", "/works?")) and "#" not in back:
        back = f"{back}#{mark}"
    return back_to(back, PLACE)


def _date(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
