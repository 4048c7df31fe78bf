"""Votes and specific reactions on a work."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from peerscope.community import CommunityError, reactions
from peerscope.record.read import authors_among
from peerscope.web.asked import page_in
from peerscope.web.forms import back_to
from peerscope.web.meeting import number_in, of_work, work_in
from peerscope.web.site import site_of
from peerscope.web.visitor import Form, visitor

router = APIRouter(include_in_schema=False)
VALUES = {"like": 1, "dislike": -1, "none": 0}


@router.post("/works/{name}/vote")
def vote(request: Request, sent: Form, name: str) -> Response:
    """Like or dislike a work, or take that back."""
    number, _ = work_in(request, name)
    given = sent.get("vote")
    if given not in VALUES:
        raise CommunityError("A work can be liked or disliked, or neither.")
    with site_of(request).community.writing() as session:
        reactions.vote(session, sent.who.id, number, VALUES[given])
    return back_to(sent.get("back"), f"/works/W{number}")


@router.get("/works/{name}/reactions", response_class=HTMLResponse)
def listed(request: Request, name: str) -> Response:
    """Specific reactions with their evidence."""
    return _page(request, name)


@router.post("/works/{name}/reactions")
def react(request: Request, sent: Form, name: str) -> Response:
    """Add a specific reaction, or change the own one of its kind."""
    number, _ = work_in(request, name)
    site = site_of(request)
    given = {field: sent.get(field) for field in ("kind", "evidence", "link")}
    site.community.rates.spend("reaction", sent.who.id)
    try:
        with site.community.writing() as session:
            reactions.react(session, sent.who.id, number, **given)
    except CommunityError as error:
        if type(error) is not CommunityError:
            raise
        return _page(request, name, 400, given, str(error))
    return RedirectResponse(f"/works/W{number}/reactions", 303)


@router.post("/reactions/{name}/remove")
def remove(request: Request, sent: Form, name: str) -> Response:
    """Remove a specific reaction: one's own, or any as a moderator."""
    with site_of(request).community.writing() as session:
        work = reactions.take_back(
            session, sent.who.id, number_in(name), moderates=sent.who.account.is_moderator
        )
    return RedirectResponse(f"/works/W{work}/reactions", 303)


def _page(
    request: Request,
    name: str,
    status: int = 200,
    given: dict[str, str] | None = None,
    error: str = "",
) -> Response:
    number, title = work_in(request, name)
    site, who = site_of(request), visitor(request)
    kind = request.query_params.get("kind", "")
    kind = kind if kind in reactions.KINDS else ""
    with site.community.reading() as session:
        found = reactions.reactions_of(session, number, kind, page_in(request.query_params))
        mine = reactions.mine_of(session, who.id, number) if who else {}
    with site.database.session() as record:
        people = {one.person_id for one in found.rows if one.person_id is not None}
        block = of_work(request, record, number)
        authors = authors_among(record, number, people)
    return site.page(
        request, "meeting/reactions.html", status,
        number=number, title=title, found=found, kind=kind, kinds=reactions.KINDS, mine=mine,
        authors=authors, block=block, given=given or {}, error=error,
        least=reactions.LEAST_EVIDENCE, most=reactions.MOST_EVIDENCE,
    )  # fmt: skip
