"""Adding works from the page: a file, a paste or identifiers; looked at first, then imported as a source."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse

from peerscope.community import CommunityError, NotAllowedError, audit
from peerscope.community.bringing import PACKED, choose, is_packed, may_add, work_on
from peerscope.community.texts import clean_line
from peerscope.community.waiting import (
    IMPORTING,
    LIFE,
    MOST_BYTES,
    MOST_RECORDS,
    READING,
    READY,
    STOPPED,
    Job,
    Part,
    Waiting,
)
from peerscope.discover.child import left_alone
from peerscope.record import WriterBusyError
from peerscope.record.preview import Foreseen
from peerscope.record.read.shapes import PageOf
from peerscope.web.asked import page_in
from peerscope.web.site import Site, site_of
from peerscope.web.uploads import Upload, boundary_of, read_upload
from peerscope.web.visitor import Acting, Form, SignedInVisitor, Visitor, visitor

router = APIRouter(include_in_schema=False)

PLACE = "/add"
PER_PAGE = 50
AT_ONCE_BYTES = 300_000
"""A larger file is looked at by a process of its own, while the page says how far it is."""

AT_ONCE = 300
"""Records that are imported while somebody waits for the page; more are left to a process of its own."""

LONGEST_NAME = 120
ALONE = "upload"
STATES = {
    "new": "new here", "adds": "is here, and would change", "same": "is here, nothing would change",
    "known": "was added from this file before", "refused": "cannot go in",
}  # fmt: skip
NOT_ALLOWED = (
    "On this site, works are added by its moderators. Send them your file, or ask to become one."
)
Boundary = Annotated[bytes, Depends(boundary_of)]


@router.get(PLACE, response_class=HTMLResponse)
def begin(request: Request) -> Response:
    """The forms to bring works, for those who may; what it is, to everyone else."""
    return _beginning(request)


@router.post(PLACE)
async def bring(request: Request, who: SignedInVisitor, boundary: Boundary) -> Response:
    """Take a file, a paste or identifiers, and look at what they would do."""
    site = site_of(request)
    if not may_add(site.settings, who.account):
        raise NotAllowedError(NOT_ALLOWED)
    site.community.rates.spend("add", who.id)
    waiting = Waiting(site.settings.home)
    job = await run_in_threadpool(waiting.begin, who.id, "")
    try:
        upload = await read_upload(
            request, who, boundary, waiting.folder(job.key) / ALONE, MOST_BYTES
        )
        job = await run_in_threadpool(_brought, waiting, job, upload)
    except BaseException as error:
        waiting.erase(job.key)
        if isinstance(error, CommunityError):
            return _beginning(request, str(error), upload.fields)
        raise
    size = 0 if job.asked else (waiting.folder(job.key) / ALONE).stat().st_size
    if job.asked or size > AT_ONCE_BYTES:
        left_alone(site.settings, "bring", job.key)
    else:
        await run_in_threadpool(work_on, site.settings, site.database, job.key)
    return RedirectResponse(f"{PLACE}/{job.key}", 303)


def _brought(waiting: Waiting, job: Job, upload: Upload) -> Job:
    """What was sent, as an import that waits.

    Raises:
        CommunityError: Nothing was sent, more than one thing, or something that is not taken.
    """
    text, ids = upload.fields.get("text", "").strip(), upload.fields.get("ids", "").strip()
    if sum((bool(upload.size), bool(text), bool(ids))) != 1:
        raise CommunityError(
            "Choose a file, or paste references, or paste identifiers: one of the three."
        )
    if is_packed(upload.beginning):
        raise CommunityError(PACKED)
    name = clean_line(upload.fields.get("name", ""), LONGEST_NAME, "a name", least=0)
    licence = clean_line(upload.fields.get("licence", ""), LONGEST_NAME, "a licence", least=0)
    label = "Pasted references" if text else upload.file_name or "Uploaded file"
    if text:
        (waiting.folder(job.key) / ALONE).write_text(text, encoding="utf-8")
    parts = () if ids else (Part(ALONE, label),)
    named = name or ("" if ids else label)
    return waiting.save(replace(job, name=named, licence=licence, parts=parts, asked=ids))


@router.get(PLACE + "/{key}", response_class=HTMLResponse)
def one(request: Request, who: SignedInVisitor, key: str) -> Response:
    """How far an import is: what it would do, what it does, or what it did."""
    job = Waiting(site_of(request).settings.home).find(key, who.id)
    return _page(request, who, job)


@router.post(PLACE + "/{key}")
async def decide(request: Request, sent: Form, key: str) -> Response:
    """Choose records, import them, stop, go on, try again, or discard it all (``do``)."""
    return await run_in_threadpool(_decide, request, sent, key)


def _decide(request: Request, sent: Acting, key: str) -> Response:
    site, do = site_of(request), sent.get("do")
    waiting = Waiting(site.settings.home)
    job = waiting.find(key, sent.who.id)
    if do == "stop" and job.running:
        waiting.ask_to_stop(key)
        return RedirectResponse(f"{PLACE}/{key}", 303)
    if do == "discard" and not job.running:
        waiting.erase(key)
        return RedirectResponse(PLACE, 303)
    if not may_add(site.settings, sent.who.account):
        raise NotAllowedError(NOT_ALLOWED)
    try:
        with waiting.held(key):
            job = waiting.find(key, sent.who.id)
            page = page_in(sent.fields)
            if job.state == READY:
                shown = range((page - 1) * PER_PAGE, page * PER_PAGE)
                job = choose(waiting, job, shown, _ticked(sent), do)
            if do == "import" and job.state in (READY, STOPPED):
                if not job.taken():
                    return _page(
                        request, sent.who, job, "No record is chosen, so nothing was imported."
                    )
                site.community.rates.spend("add", sent.who.id)
                _record(site, sent.who, job)
                job = waiting.save(replace(job, state=IMPORTING, process=0, note=""))
            elif do == "again" and not job.running and job.asked and not job.parts:
                job = waiting.save(replace(job, state=READING, process=0, note="", missing=()))
            else:
                ahead = {"next": 1, "previous": -1}.get(do, 0)
                return RedirectResponse(f"{PLACE}/{key}?page={max(1, page + ahead)}", 303)
    except WriterBusyError:
        return RedirectResponse(f"{PLACE}/{key}", 303)
    if job.state == IMPORTING and job.taken() <= AT_ONCE:
        job = work_on(site.settings, site.database, key)
        if job.note and job.state == READY:
            return _page(request, sent.who, job)
    else:
        left_alone(site.settings, "bring", key)
    return RedirectResponse(f"{PLACE}/{key}", 303)


def _ticked(sent: Acting) -> set[int]:
    numbers = (re.fullmatch(r"r(\d{1,6})", name, re.ASCII) for name in sent.fields)
    return {int(match[1]) for match in numbers if match}


def _record(site: Site, who: Visitor, job: Job) -> None:
    with site.community.writing() as session:
        actor = audit.actor_of(who.id)
        audit.record(session, actor, "import.add", f"import:{job.key[:8]}", records=job.taken())


def _beginning(
    request: Request, error: str = "", given: dict[str, str] | None = None
) -> HTMLResponse:
    site, who = site_of(request), visitor(request)
    allowed = who is not None and may_add(site.settings, who.account)
    waiting = Waiting(site.settings.home)
    own = waiting.of(who.id) if who is not None else []
    return site.page(
        request, "bring/add.html", 400 if error else 200,
        allowed=allowed, own=own, error=error, given=given or {}, adding=site.settings.adding,
        most_bytes=MOST_BYTES >> 20, most_records=MOST_RECORDS, days=int(LIFE // 86_400),
        longest=LONGEST_NAME,
    )  # fmt: skip


def _page(request: Request, who: Visitor, job: Job, error: str = "") -> HTMLResponse:
    site = site_of(request)
    waiting = Waiting(site.settings.home)
    page = min(page_in(request.query_params), max(1, -(-job.records // PER_PAGE)))
    rows: list[tuple[int, int, Foreseen]] = []
    if job.state in (READY, STOPPED):
        rows = list(waiting.rows(job, (page - 1) * PER_PAGE, PER_PAGE))
    status = 409 if job.note and job.state == READY and request.method == "POST" else 200
    return site.page(
        request, "bring/job.html", 400 if error else status,
        job=job, rows=PageOf(tuple(rows), job.records, page, PER_PAGE), states=STATES, error=error,
        left=frozenset(job.left), allowed=may_add(site.settings, who.account),
        most_records=MOST_RECORDS, days=int(LIFE // 86_400), refresh=job.running,
    )  # fmt: skip
