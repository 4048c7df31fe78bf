"""The sources of the record: which there are, what was done with each, and taking one back."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from peerscope.community import NotAllowedError, audit
from peerscope.community.accounts import names_of
from peerscope.discover.child import left_alone
from peerscope.record import WriterBusyError
from peerscope.record.read.sources import PastRun, one_source, page_of_sources, runs_of
from peerscope.record.withdraw import withdraw, withdrawal_of
from peerscope.web.asked import page_in
from peerscope.web.site import Site, site_of
from peerscope.web.visitor import Form, Visitor, recently, visitor

router = APIRouter(include_in_schema=False)

PLACE = "/sources"
PER_PAGE = 50
LARGEST = 2**53
AT_ONCE = 300
"""Records that are withdrawn while somebody waits for the page; more are left to a process of its own."""

STATES = {
    "running": "reading, or stopped on the way", "done": "read", "abandoned": "given up for a later reading",
    "withdrawing": "being withdrawn, or stopped on the way", "withdrawn": "withdrawn",
}  # fmt: skip
CHANGED = "Something else would go by now than what you looked at, so nothing was withdrawn."


@router.get(PLACE, response_class=HTMLResponse)
def listed(request: Request) -> Response:
    """Every source of the record, the latest first."""
    site = site_of(request)
    with site.database.session() as session:
        found = page_of_sources(session, page_in(request.query_params), PER_PAGE)
    return site.page(request, "bring/sources.html", found=found)


@router.get(PLACE + "/{number:int}", response_class=HTMLResponse)
def one(request: Request, number: int) -> Response:
    """A source with its history; to those who may, what withdrawing it would take."""
    return _page(request, number)


@router.post(PLACE + "/{number:int}/withdraw")
def take_back(request: Request, sent: Form, number: int) -> Response:
    """Withdraw a source: admins and moderators any, others what only they added."""
    site = site_of(request)
    with site.database.session() as session:
        source = one_source(session, number) if number < LARGEST else None
        if source is None:
            raise HTTPException(404)
        if not _may(sent.who, runs_of(session, number)):
            raise NotAllowedError(
                "A source is withdrawn by whoever added it, or by moderators of this site."
            )
        found = withdrawal_of(session, number)
    recently(sent.who, f"{PLACE}/{number}")
    if sent.get("expected") != f"{found.records}.{found.gone}":
        return _page(request, number, CHANGED)
    with site.community.writing() as session:
        actor = audit.actor_of(sent.who.id)
        audit.record(
            session,
            actor,
            "source.withdraw",
            f"source:{number}",
            records=found.records,
            gone=found.gone,
        )
    if found.records > AT_ONCE:
        by = ("--by", audit.actor_of(sent.who.id))
        left_alone(site.settings, "withdraw", str(number), "--yes", *by)
        return RedirectResponse(f"{PLACE}/{number}?begun=yes", 303)
    try:
        withdraw(site.database, number, made_by=audit.actor_of(sent.who.id))
    except (WriterBusyError, ValueError) as error:
        return _page(request, number, str(error))
    return RedirectResponse(f"{PLACE}/{number}", 303)


def _page(request: Request, number: int, error: str = "") -> HTMLResponse:
    site, who = site_of(request), visitor(request)
    with site.database.session() as session:
        source = one_source(session, number) if number < LARGEST else None
        if source is None:
            raise HTTPException(404)
        runs = runs_of(session, number)
        may = who is not None and _may(who, runs)
        found = withdrawal_of(session, number) if may and source.records else None
    begun = request.query_params.get("begun") == "yes" and not source.withdrawn
    return site.page(
        request, "bring/source.html", 409 if error else 200,
        source=source, runs=runs, states=STATES, names=_names(site, runs), found=found, error=error,
        begun=begun, refresh=begun or (may and bool(runs) and runs[0].state == "withdrawing"),
    )  # fmt: skip


def _may(who: Visitor, runs: Iterable[PastRun]) -> bool:
    makers = {run.made_by for run in runs}
    return who.account.is_moderator or makers == {audit.actor_of(who.id)}


def _names(site: Site, runs: Iterable[PastRun]) -> dict[str | None, str]:
    """Who had things done, by the name that they show."""
    numbers = {
        run.made_by: int(match[1])
        for run in runs
        if run.made_by and (match := re.fullmatch(r"account:(\d{1,15})", run.made_by, re.ASCII))
    }
    with site.community.reading() as session:
        shown = names_of(session, set(numbers.values()))
    names: dict[str | None, str] = {
        maker: shown.get(number, "a deleted account") for maker, number in numbers.items()
    }
    return {None: "the operator", **names}
