"""What an account is told, how it wants to be told, and the way out of mails that needs no account."""

from __future__ import annotations

from urllib.parse import parse_qs

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse

from peerscope.community import digests, notices, private_feed
from peerscope.community.sentences import tell
from peerscope.record.read.shapes import PageOf
from peerscope.web.asked import page_in
from peerscope.web.forms import number_of
from peerscope.web.reader import own_answer
from peerscope.web.site import site_of
from peerscope.web.visitor import Form, SignedInVisitor

router = APIRouter(include_in_schema=False)

PLACE = "/notices"
ONE_CLICK = {"List-Unsubscribe": ["One-Click"]}
MOST_BYTES = 1_000


@router.get(PLACE, response_class=HTMLResponse)
def listed(request: Request, who: SignedInVisitor) -> Response:
    """Notices, the newest first, and how one wants to be told."""
    site = site_of(request)
    page = page_in(request.query_params)
    with site.community.reading() as session, site.database.session() as record:
        told, total = notices.notices_of(session, who.id, page)
        said = tuple(tell(session, record, told))
        return site.page(
            request, "notices/index.html",
            page=PageOf(said, total, page, notices.PER_PAGE),
            topics=notices.TOPICS,
            switches=notices.switches_of(session, who.id),
            every=digests.digest_of(session, who.id),
            choices=digests.EVERY,
            feed_since=private_feed.address_since(session, who.id),
            mails=site.community.mailer.sends,
        )  # fmt: skip


@router.post(PLACE + "/read")
def read(request: Request, sent: Form) -> Response:
    """Take a notice, or all of them, for read."""
    number = number_of(sent.fields, "notice") if sent.get("notice") else None
    with site_of(request).community.writing() as session:
        notices.mark_read(session, sent.who.id, number)
    return RedirectResponse(PLACE, 303)


@router.post(PLACE + "/settings")
def settings(request: Request, sent: Form) -> Response:
    """Set of what one is told here, of what by mail, and how often a mail comes."""
    chosen = {
        way: [topic for topic in notices.TOPICS if sent.get(f"{way}.{topic}") == "yes"]
        for way in ("here", "mail")
    }
    with site_of(request).community.writing() as session:
        digests.set_digest(session, sent.who.id, sent.get("every", "never"))
        notices.set_switches(session, sent.who.id, chosen["here"], chosen["mail"])
    return RedirectResponse(f"{PLACE}#settings", 303)


@router.post(PLACE + "/feed")
def open_feed(request: Request, sent: Form) -> Response:
    """Make a secret address for one's own feed, and show it this once."""
    site = site_of(request)
    with site.community.writing() as session:
        secret = private_feed.new_address(session, sent.who.id)
    return own_answer(site.page(request, "notices/feed.html", secret=secret))


@router.post(PLACE + "/feed/end")
def end_feed(request: Request, sent: Form) -> Response:
    """Let the secret address work no more."""
    with site_of(request).community.writing() as session:
        private_feed.end_address(session, sent.who.id)
    return RedirectResponse(f"{PLACE}#feed", 303)


@router.get("/unsubscribe/{token}", response_class=HTMLResponse)
def unsubscribe_page(request: Request, token: str) -> Response:
    """The button that ends a digest: programs that look at links in mails must not end it."""
    site = site_of(request)
    with site.community.reading() as session:
        digests.held_by(session, token)
    return own_answer(site.page(request, "notices/unsubscribe.html", token=token, done=False))


@router.post("/unsubscribe/{token}")
async def unsubscribe(request: Request, token: str) -> Response:
    """End a digest: from the page above, or by a mail program's one click (RFC 8058).

    Mail programs come without cookie and from elsewhere, so nothing is asked for but the token, which is a
    secret of the mail and can do nothing else.
    """
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise HTTPException(413, "The form is larger than anything this site asks for.")
    try:
        given = parse_qs(body.decode("ascii", "replace"), max_num_fields=5)
    except ValueError:  # more fields than that
        given = {}
    if given != ONE_CLICK:
        raise HTTPException(400, "This address takes List-Unsubscribe=One-Click only.")
    return await run_in_threadpool(_end, request, token)


def _end(request: Request, token: str) -> Response:
    site = site_of(request)
    with site.community.writing() as session:
        digests.unsubscribe(session, token)
    return own_answer(site.page(request, "notices/unsubscribe.html", token=token, done=True))
