"""The account's own switches on one page, everything it owns as one file, and the way out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse

from peerscope.community import CommunityError, leaving
from peerscope.web.history import BROKEN
from peerscope.web.reader import UNREADABLE, held_by_account, known, own_answer
from peerscope.web.shelf import shelf_of
from peerscope.web.site import site_of
from peerscope.web.visitor import Form, SignedInVisitor, goodbye, recently

router = APIRouter(include_in_schema=False)
IN_MEMORY = 1_000_000
PIECE = 65_536


@router.get("/me/privacy", response_class=HTMLResponse)
def privacy(request: Request, who: SignedInVisitor) -> Response:
    """Every switch that decides what is kept of an account and who sees it."""
    try:
        reader = known(request)
    except UNREADABLE as error:
        raise HTTPException(503, BROKEN) from error
    return own_answer(
        site_of(request).page(
            request, "accounts/privacy.html",
            reader=reader,
            held=held_by_account(request),
            shelf=shelf_of(request),
        )
    )  # fmt: skip


@router.get("/me/export")
def export(request: Request, who: SignedInVisitor) -> Response:
    """Everything that the account owns, as a ZIP. It is made whole before it is sent."""
    site = site_of(request)
    site.community.rates.spend("export", who.id)
    whole = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed when it is sent
    try:
        leaving.write_export(whole, site.community, site.readers, site.database, who.id)
    except BaseException:
        whole.close()
        raise
    response = StreamingResponse(_pieces(whole), media_type="application/zip")
    response.headers["Content-Length"] = str(whole.tell())
    response.headers["Content-Disposition"] = 'attachment; filename="my-account.zip"'
    return own_answer(response)


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    stream.seek(0, 2)
    stream.seek(0)
    with stream:
        while piece := stream.read(PIECE):
            yield piece


@router.get("/me/delete", response_class=HTMLResponse)
def preview(request: Request, who: SignedInVisitor) -> Response:
    """What deleting the account takes and leaves."""
    return _shown(request, who.id)


def _shown(request: Request, number: int, status: int = 200, error: str = "") -> Response:
    site = site_of(request)
    with site.community.reading() as session:
        found = leaving.preview(session, site.readers, number)
    page = site.page(request, "accounts/delete.html", status, found=found, error=error)
    return own_answer(page)


@router.post("/me/delete")
def delete(request: Request, sent: Form) -> Response:
    """Delete the account, where it signed in a moment ago and typed its name."""
    recently(sent.who)
    site = site_of(request)
    try:
        leaving.confirmed(sent.who.account.name, sent.get("name"))
    except CommunityError as error:
        return _shown(request, sent.who.id, 400, str(error))
    leaving.delete_account(site.community, site.readers, sent.who.id)
    response = RedirectResponse("/gone", 303)
    goodbye(request, response)
    response.headers["Clear-Site-Data"] = '"cache"'
    return own_answer(response)


@router.get("/gone", response_class=HTMLResponse)
def gone(request: Request) -> Response:
    """That an account is gone, to whoever deleted it."""
    return site_of(request).page(request, "accounts/gone.html")
