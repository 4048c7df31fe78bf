"""Reviews of a work, one review in its versions, and replies; and reports of what is wrong with them."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from peerscope.community import CommunityError, review_pages, reviews
from peerscope.community.moderation import LONGEST_REPORT, REASONS, report
from peerscope.community.reportable import place_of
from peerscope.record.read import authors_among
from peerscope.web.asked import page_in
from peerscope.web.forms import back_to
from peerscope.web.meeting import number_in, titles, work_in
from peerscope.web.site import site_of
from peerscope.web.visitor import Form, SignedInVisitor, visitor

router = APIRouter(include_in_schema=False)
FIELDS = (*reviews.PARTS, "confidence", "relation")


@router.get("/works/{name}/reviews", response_class=HTMLResponse)
def listed(request: Request, name: str) -> Response:
    """Reviews of a work, and the form to write one."""
    return _page(request, name)


@router.post("/works/{name}/reviews")
def write(request: Request, sent: Form, name: str) -> Response:
    """Write a review, or another version of it."""
    number, _ = work_in(request, name)
    site = site_of(request)
    given = {field: sent.get(field) for field in FIELDS}
    site.community.rates.spend_of("review", sent.who.id, sent.who.account.joined_at)
    try:
        with site.community.writing() as session:
            review = reviews.write(session, sent.who.id, number, given)
    except CommunityError as error:
        if type(error) is not CommunityError:
            raise
        return _page(request, name, 400, given, str(error))
    return RedirectResponse(f"/reviews/{review}", 303)


def _page(
    request: Request,
    name: str,
    status: int = 200,
    given: dict[str, str] | None = None,
    error: str = "",
) -> Response:
    number, title = work_in(request, name)
    site, who = site_of(request), visitor(request)
    with site.community.reading() as session:
        found = review_pages.reviews_of(session, number, page_in(request.query_params))
        mine = review_pages.mine_on(session, who.id, number) if who else None
    with site.database.session() as record:
        people = {one.person_id for one in found.rows if one.person_id is not None}
        authors = authors_among(record, number, people)
    if given is None and mine is not None:
        given = {field: str(getattr(mine, field)) for field in FIELDS}
    return site.page(
        request, "meeting/reviews.html", status,
        number=number, title=title, found=found, authors=authors, mine=mine, given=given or {},
        error=error, **_words(),
    )  # fmt: skip


def _words() -> dict[str, object]:
    return {
        "parts": reviews.PARTS, "confidences": reviews.CONFIDENCE, "relations": reviews.RELATIONS,
        "longest": reviews.LONGEST_PART, "least": reviews.LEAST_SUMMARY,
    }  # fmt: skip


@router.get("/reviews/{name}", response_class=HTMLResponse)
def shown(request: Request, name: str) -> Response:
    """A review in one of its versions, with the replies to it."""
    return _review(request, number_in(name))


def _review(
    request: Request, number: int, status: int = 200, text: str = "", error: str = ""
) -> Response:
    site, given = site_of(request), request.query_params.get("version")
    version = number_in(given) if given is not None else None
    with site.community.reading() as session:
        review = review_pages.review(session, number, version)
        versions = review_pages.versions_of(session, number)
        replies = review_pages.replies_of(session, number)
    said_by = [review.person_id, *(one.person_id for one in replies)]
    people = {number for number in said_by if number is not None}
    with site.database.session() as record:
        authors = authors_among(record, review.work_id, people)
    named = titles(site, [review.work_id])
    return site.page(
        request, "meeting/review.html", status,
        review=review, versions=versions, replies=replies, authors=authors,
        title=named.get(review.work_id), text=text, error=error, most=reviews.LONGEST_REPLY,
        **_words(),
    )  # fmt: skip


@router.post("/reviews/{name}/replies")
def reply(request: Request, sent: Form, name: str) -> Response:
    """Answer a review."""
    number, site = number_in(name), site_of(request)
    site.community.rates.spend("reply", sent.who.id)
    try:
        with site.community.writing() as session:
            answer = reviews.reply(session, sent.who.id, number, sent.get("text"))
    except CommunityError as error:
        if type(error) is not CommunityError:
            raise
        return _review(request, number, 400, sent.get("text"), str(error))
    return RedirectResponse(f"/reviews/{number}#reply-{answer}", 303)


@router.post("/reviews/{name}/withdraw")
def withdraw(request: Request, sent: Form, name: str) -> Response:
    """Take all words of a review back: one's own, or any as a moderator."""
    if sent.get("sure") != "yes":
        raise CommunityError("Tick the box that says that you are sure; nothing was removed.")
    with site_of(request).community.writing() as session:
        work = reviews.withdraw(
            session, sent.who.id, number_in(name), moderates=sent.who.account.is_moderator
        )
    return RedirectResponse(f"/works/W{work}/reviews", 303)


@router.post("/replies/{name}/remove")
def remove_reply(request: Request, sent: Form, name: str) -> Response:
    """Remove a reply: one's own, or any as a moderator."""
    with site_of(request).community.writing() as session:
        review = reviews.remove_reply(
            session, sent.who.id, number_in(name), moderates=sent.who.account.is_moderator
        )
        left = review_pages.is_there(session, review)
    return RedirectResponse(f"/reviews/{review}" if left else "/", 303)


@router.get("/report", response_class=HTMLResponse)
def report_form(request: Request, who: SignedInVisitor) -> Response:
    """The form to report a review, a reply, a reaction or a collection."""
    target = request.query_params.get("target", "")
    with site_of(request).community.reading() as session:
        back = place_of(session, target, who.id, request.query_params.get("key", ""))
    return site_of(request).page(
        request, "meeting/report.html", target=target, back=back, most=LONGEST_REPORT, reasons=REASONS,
        key=request.query_params.get("key", ""),
    )  # fmt: skip


@router.post("/report")
def send_report(request: Request, sent: Form) -> Response:
    """Put something before the moderators."""
    site, target, reason = site_of(request), sent.get("target"), sent.get("reason")
    if reason not in REASONS:
        raise CommunityError("Say what is the matter with it.")
    site.community.rates.spend_of("report", sent.who.id, sent.who.account.joined_at)
    with site.community.writing() as session:
        back = place_of(session, target, sent.who.id, sent.get("key"))
        report(session, sent.who.id, reason, target, sent.get("text"))
    return back_to(back, "/")
