"""What a browser holds while a sign-in is under way: the secret of a one-time link, in a cookie of its own.

So an answer that belongs to it can be taken in this browser only, and only once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from fastapi import Request, Response

from peerscope.community import NotThereError, tickets
from peerscope.community.tickets import HOLDS
from peerscope.web.reader import LONGEST_SECRET, encrypted
from peerscope.web.site import site_of

COOKIE = "peerscope-flow"
SECURE_COOKIE = "__Host-peerscope-flow"


def begin_flow(request: Request, kind: str, kept: Mapping[str, str], account_id: int | None) -> str:
    """Keep something until the browser returns with it; the secret for `hand_over`."""
    with site_of(request).community.writing() as session:
        return tickets.issue(session, kind, account_id, json.dumps(dict(kept), sort_keys=True))


def hand_over(request: Request, response: Response, secret: str, kind: str) -> None:
    """Give the browser the secret, for as long as what is kept holds."""
    response.set_cookie(
        _cookie(request), secret, max_age=int(HOLDS[kind].total_seconds()), path="/",
        secure=encrypted(request), httponly=True, samesite="lax",
    )  # fmt: skip


def take(request: Request, kind: str, account_id: int | None = None) -> dict[str, str]:
    """What was kept for this browser; it is used up by that, whatever comes next.

    Args:
        request: With the cookie.
        kind: Of the one-time link.
        account_id: Whose it has to be; ``None`` where it was begun by nobody in particular.

    Raises:
        NotThereError: This browser began nothing, it was too long ago, or for another account.
    """
    with site_of(request).community.writing() as session:
        held = tickets.use(session, kind, _secret(request))
    if held.account_id != account_id:
        raise NotThereError(tickets.GONE)
    return _read(held.value)


def glance(request: Request, kind: str) -> dict[str, str]:
    """As `take`, and it may be taken later.

    Raises:
        NotThereError: This browser began nothing, or too long ago.
    """
    with site_of(request).community.reading() as session:
        return _read(tickets.look(session, kind, _secret(request)).value)


def let_go(request: Request, response: Response) -> None:
    """Take the cookie away."""
    response.delete_cookie(
        _cookie(request), path="/", secure=encrypted(request), httponly=True, samesite="lax"
    )


def _secret(request: Request) -> str:
    return request.cookies.get(_cookie(request), "")[:LONGEST_SECRET]


def _read(value: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(value)
    return found


def _cookie(request: Request) -> str:
    return SECURE_COOKIE if encrypted(request) else COOKIE
