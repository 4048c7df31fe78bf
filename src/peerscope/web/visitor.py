"""Who is signed in: the cookie of a session, and forms that only its own pages can have made."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import SQLAlchemyError

from peerscope.community.sessions import LIFE, NOTED, SignedIn, find_session, note_use
from peerscope.community.times import now
from peerscope.community.tokens import mac, same
from peerscope.web.forms import STALE, form
from peerscope.web.reader import LONGEST_SECRET, encrypted
from peerscope.web.site import site_of

log = logging.getLogger(__name__)

COOKIE = "peerscope-session"
SECURE_COOKIE = "__Host-peerscope-session"
PICTURES = ("/badge.svg", "/card.svg")
AGAIN = "Sign in again before this: it asks for a sign-in of the last half hour."


@dataclass(frozen=True, slots=True)
class Visitor:
    """An account that is here, with the secret of its cookie."""

    account: SignedIn
    secret: str

    @property
    def id(self) -> int:
        """Number of the account."""
        return self.account.account_id

    def token(self) -> str:
        """A fresh token for a form; fresh, so that compressed pages betray nothing of it."""
        nonce = secrets.token_hex(8)
        return f"{nonce}.{mac(self.secret, 'account form', nonce)}"

    def accepts(self, token: str) -> bool:
        """Whether a token was made for this session."""
        nonce, _, given = token.partition(".")
        return same(given, mac(self.secret, "account form", nonce))


class SignInNeeded(Exception):
    """What was asked for needs an account; answered by the way to sign in and back."""

    def __init__(self, back: str) -> None:
        super().__init__(back)
        self.back = back


class SignInAgainNeeded(SignInNeeded):
    """What was asked for needs a sign-in of a moment ago; answered by the way to it and back."""


@dataclass(frozen=True, slots=True)
class Acting:
    """Somebody who sent a form of theirs: who, and its fields."""

    who: Visitor
    fields: Mapping[str, str]

    def get(self, name: str, otherwise: str = "") -> str:
        """A field of the form."""
        return self.fields.get(name, otherwise)


async def see_visitor(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Find out who asks before a page is made; what is made for an account is kept by no cache."""
    request.state.visitor = None
    secret = request.cookies.get(_cookie(request), "")
    if secret and len(secret) <= LONGEST_SECRET and not _for_everybody(request.url.path):
        request.state.visitor = await run_in_threadpool(_find, request, secret)
    response = await call_next(request)
    if request.state.visitor is not None:
        response.headers["Cache-Control"] = "private, no-store"
    if response.headers.get("content-type", "").startswith("text/html"):
        response.headers.add_vary_header("Cookie")
    return response


def _for_everybody(path: str) -> bool:
    """Whether an address gives the same to everybody, whoever asks."""
    return path.startswith("/static/") or path.endswith(PICTURES)


def _find(request: Request, secret: str) -> Visitor | None:
    community = site_of(request).community
    try:
        with community.reading() as session:
            found = find_session(session, secret)
        if found is None:
            return None
        if now() - found.seen_at > NOTED:
            with community.writing() as session:
                note_use(session, found.session_id)
    except SQLAlchemyError:
        log.exception("Accounts cannot be read; the page is shown as to everyone.")
        return None
    return Visitor(found, secret)


def visitor(request: Request) -> Visitor | None:
    """Who is signed in. No statement: it was found out before."""
    found: Visitor | None = getattr(request.state, "visitor", None)
    return found


def signed_in(request: Request) -> Visitor:
    """Who is signed in, for a page that needs somebody.

    Raises:
        SignInNeeded: Nobody is.
    """
    who = visitor(request)
    if who is None:
        path = request.url.path
        if request.method != "GET":
            raise SignInNeeded("/")
        raise SignInNeeded(f"{path}?{request.url.query}" if request.url.query else path)
    return who


def moderator(request: Request) -> Visitor:
    """Who is signed in, for what only moderators and admins may do.

    Raises:
        SignInNeeded: Nobody is.
        HTTPException: 403 for other accounts.
    """
    who = signed_in(request)
    if not who.account.is_moderator:
        raise HTTPException(403, "Only moderators of this site can do this.")
    return who


def admin(request: Request) -> Visitor:
    """Who is signed in, for what only admins may do.

    Raises:
        SignInNeeded: Nobody is.
        HTTPException: 403 for other accounts.
    """
    who = signed_in(request)
    if not who.account.is_admin:
        raise HTTPException(403, "Only admins of this site can do this.")
    return who


def recently(who: Visitor, back: str = "/me/settings") -> None:
    """Ask for a recent sign-in before something grave.

    Args:
        who: Who wants it.
        back: The page to go on at, of this site: the one with the form.

    Raises:
        SignInAgainNeeded: It was too long ago.
    """
    if not who.account.recent:
        raise SignInAgainNeeded(back)


Fields = Annotated[Mapping[str, str], Depends(form)]


def acting(request: Request, fields: Fields) -> Acting:
    """The account whose form this is, its right shown, its use counted.

    Raises:
        SignInNeeded: Nobody is signed in.
        HTTPException: 403 where the form is of another site or session.
        TooOftenError: The account wrote more than one may.
    """
    who = signed_in(request)
    if not who.accepts(fields.get("token", "")):
        raise HTTPException(403, STALE)
    rates = site_of(request).community.rates
    rates.spend("write", who.id)
    rates.spend("write.day", who.id)
    return Acting(who, fields)


SignedInVisitor = Annotated[Visitor, Depends(signed_in)]
Moderator = Annotated[Visitor, Depends(moderator)]
Admin = Annotated[Visitor, Depends(admin)]
Form = Annotated[Acting, Depends(acting)]
"""What a route of an account takes: ``def save(request: Request, sent: Form)``."""


def welcome(request: Request, response: Response, secret: str) -> None:
    """Hand the browser its session."""
    response.set_cookie(
        _cookie(request), secret, max_age=int(LIFE.total_seconds()), path="/",
        secure=encrypted(request), httponly=True, samesite="lax",
    )  # fmt: skip


def goodbye(request: Request, response: Response) -> None:
    """Take the session's cookie away."""
    response.delete_cookie(
        _cookie(request), path="/", secure=encrypted(request), httponly=True, samesite="lax"
    )


def sign_in_address(back: str, again: bool = False) -> str:
    """Where to sign in, or to show again who one is, with the way back."""
    return f"/sign-in{'/again' if again else ''}?next={quote(back, safe='')}"


def client_address(request: Request) -> str:
    """The network address of whoever asks, for counting; uvicorn has read a trusted proxy's headers."""
    return request.client.host if request.client is not None else "unknown"


def _cookie(request: Request) -> str:
    return SECURE_COOKIE if encrypted(request) else COOKIE
