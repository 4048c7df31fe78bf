"""What the site keeps about people, with and without an account, from the constants that bound it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from peerscope.community import expiry, proofs, sessions, tickets
from peerscope.discover.readers import DAYS_KEPT
from peerscope.record.read.sources import sources_of_record
from peerscope.web.site import site_of

router = APIRouter(include_in_schema=False)


@router.get("/privacy", response_class=HTMLResponse)
def privacy(request: Request) -> Response:
    """What is kept about whom, for how long, who sees it, and how it goes."""
    site = site_of(request)
    with site.database.session() as session:
        sources = sources_of_record(session)
    return site.page(
        request, "claiming/privacy.html",
        sources=sources,
        session_days=sessions.LIFE.days,
        idle_days=sessions.IDLE.days,
        kinds=proofs.KINDS,
        links=tickets.HOLDS,
        reader_days=DAYS_KEPT,
        ahead=expiry.AHEAD.days,
        noindex=site.settings.people_noindex,
    )  # fmt: skip
