"""The shelf of a browser: one cookie with numbers, read, written and taken away; the site keeps none."""

from __future__ import annotations

from fastapi import Request, Response

from peerscope.discover.readers import DAYS_KEPT
from peerscope.discover.shelf import Shelf
from peerscope.web.reader import encrypted
from peerscope.web.visitor import visitor

COOKIE = "peerscope-shelf"
SECURE_COOKIE = "__Host-peerscope-shelf"


def shelf_of(request: Request) -> Shelf | None:
    """The browser's shelf; ``None`` without one. No statement."""
    return Shelf.read(request.cookies.get(_cookie(request), ""))


def has_shelf_cookie(request: Request) -> bool:
    """Whether the browser sent a cookie of this name, readable or not."""
    return _cookie(request) in request.cookies


def shelf_in_use(request: Request) -> Shelf | None:
    """The shelf that the buttons of a page write to: that of a browser in which nobody is signed in."""
    return None if visitor(request) is not None else shelf_of(request)


def keep_shelf(request: Request, response: Response, shelf: Shelf) -> None:
    """Hand the browser its shelf, for as long as a browser keeps a cookie."""
    response.set_cookie(
        _cookie(request), shelf.written(), max_age=DAYS_KEPT * 86_400, path="/",
        secure=encrypted(request), httponly=True, samesite="lax",
    )  # fmt: skip


def clear_shelf(request: Request, response: Response) -> None:
    """Take the shelf away."""
    response.delete_cookie(
        _cookie(request), path="/", secure=encrypted(request), httponly=True, samesite="lax"
    )


def _cookie(request: Request) -> str:
    return SECURE_COOKIE if encrypted(request) else COOKIE
