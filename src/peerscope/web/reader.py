"""Who is reading: the cookie of those who switched their history on, and what it seals.

A form of a reader carries a token, a result's address a seal; both are made with the cookie's secret, so that
no other site can make them. Answers to a reader are never kept by a cache.
"""

from __future__ import annotations

import hmac
import logging
import secrets
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlencode

from fastapi import Request, Response
from sqlalchemy.exc import SQLAlchemyError

from peerscope.community.reading import Held, held
from peerscope.discover.readers import DAYS_KEPT, Reader, kept_query
from peerscope.web.site import site_of

log = logging.getLogger(__name__)

COOKIE = "peerscope-reader"
SECURE_COOKIE = "__Host-peerscope-reader"
"""Over https: browsers take a cookie of this name from this host only, never from a neighbouring one."""

LONGEST_SECRET = 100
UNREADABLE = (SQLAlchemyError, ValueError, OSError)


@dataclass(frozen=True, slots=True)
class Present:
    """A reader who is here, with the secret that their cookie or their account holds."""

    reader: Reader
    secret: str
    mine: Held | None = None
    """What the account holds, where the reader is an account's."""

    def token(self) -> str:
        """A fresh token for a form; fresh, so that compressed pages betray nothing of it."""
        nonce = secrets.token_hex(8)
        return f"{nonce}.{self._mac('form', nonce)}"

    def accepts(self, token: str) -> bool:
        """Whether a token was made for this reader."""
        nonce, _, given = token.partition(".")
        return _same(given, self._mac("form", nonce))

    def address(self, work_id: int, query: str) -> str:
        """The address of a result, with the query that it was found by."""
        kept = kept_query(query)
        if not kept:
            return f"/works/W{work_id}"
        given = {"from": kept, "seal": self._mac("opened", str(work_id), kept)[:20]}
        return f"/works/W{work_id}?{urlencode(given)}"

    def query_from(self, request: Request, work_id: int) -> str | None:
        """The query after which this work is opened, if the address was made for this reader here."""
        query = request.query_params.get("from", "")
        seal = request.query_params.get("seal", "")
        ahead = "prefetch" in request.headers.get("sec-purpose", "")
        if not query or ahead or request.headers.get("sec-fetch-site") == "cross-site":
            return None
        right = _same(seal, self._mac("opened", str(work_id), query)[:20])
        return query if right else None

    def _mac(self, *parts: str) -> str:
        message = "\0".join(parts).encode("utf-8", "replace")
        return hmac.new(self.secret.encode(), message, sha256).hexdigest()


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), right.encode())


def present(request: Request, work_id: int = 0) -> Present | None:
    """Who sent the request, and whether they saved a work.

    ``None``, without asking the readers' file, for everyone without the cookie. One statement.
    """
    try:
        return known(request, work_id)
    except UNREADABLE:
        log.exception("The readers' file cannot be read; the page is shown as to everyone.")
        return None


def known(request: Request, work_id: int = 0) -> Present | None:
    """As `present`, but raises one of `UNREADABLE` where the readers' file cannot be read."""
    mine = held_by_account(request)
    if mine is not None:
        found = site_of(request).readers.find(mine.secret, work_id)
        return Present(found, mine.secret, mine) if found is not None else None
    return in_browser(request, work_id)


def held_by_account(request: Request) -> Held | None:
    """What the account that is signed in holds of its history. One statement for a request, or none."""
    who = getattr(request.state, "visitor", None)
    if who is None:
        return None
    if not hasattr(request.state, "held"):
        with site_of(request).community.reading() as session:
            request.state.held = held(session, who.id)
    found: Held | None = request.state.held
    return found


def in_browser(request: Request, work_id: int = 0) -> Present | None:
    """The reader of the browser's own cookie, whoever is signed in."""
    secret = request.cookies.get(_cookie(request), "")
    if not secret or len(secret) > LONGEST_SECRET or not secret.isascii():
        return None
    found = site_of(request).readers.find(secret, work_id)
    return Present(found, secret) if found is not None else None


def has_cookie(request: Request) -> bool:
    """Whether the browser sent a reader's cookie, whoever's it was."""
    return _cookie(request) in request.cookies


def keeping(request: Request, work_id: int = 0) -> Present | None:
    """As `present`, but only where the history is on."""
    who = present(request, work_id)
    return who if who is not None and who.reader.keeping else None


def remember(request: Request, response: Response, who: Present) -> None:
    """Hand the reader of a browser their cookie, for as long as the file keeps them; accounts need none."""
    if who.mine is None:
        hand_out(request, response, who.secret)


def hand_out(request: Request, response: Response, secret: str) -> None:
    """Hand the browser the cookie of a reader."""
    response.set_cookie(
        _cookie(request), secret, max_age=DAYS_KEPT * 86_400, path="/",
        secure=encrypted(request), httponly=True, samesite="lax",
    )  # fmt: skip


def forget(request: Request, response: Response) -> None:
    """Take the cookie away."""
    response.delete_cookie(
        _cookie(request), path="/", secure=encrypted(request), httponly=True, samesite="lax"
    )


def own_answer(response: Response) -> Response:
    """Mark an answer as one reader's own: no cache may keep it."""
    response.headers["Cache-Control"] = "private, no-store"
    response.headers.add_vary_header("Cookie")
    return response


def for_everyone(response: Response) -> Response:
    """Mark an answer that a cache may keep, but not hand to a reader with a history."""
    response.headers.add_vary_header("Cookie")
    return response


def encrypted(request: Request) -> bool:
    """Whether the browser speaks to the site over https."""
    stated = site_of(request).settings.base_url
    return request.url.scheme == "https" or stated.startswith("https://")


def _cookie(request: Request) -> str:
    return SECURE_COOKIE if encrypted(request) else COOKIE
