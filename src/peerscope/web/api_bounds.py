"""What one client may ask of the API, before anything is read or computed for it.

How long an address may be (for pages too), how often one network address may ask, and that every origin may
read. Counts are held in memory, one number for each address; nothing is written anywhere.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response

from peerscope.community.rates import Allowance, Left
from peerscope.web.errors import answer
from peerscope.web.visitor import client_address

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

API = "/api/"
LONGEST_ADDRESS = 40_000
"""Bytes of path and query: the longest filter in percent signs; the server itself refuses 64 kB."""

READING = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": (
        "ETag, Last-Modified, Link, Retry-After, RateLimit, RateLimit-Policy, X-RateLimit-Limit, "
        "X-RateLimit-Remaining, X-RateLimit-Reset"
    ),
}
METHODS = "GET, HEAD, OPTIONS"
PREFLIGHT = {
    "Allow": METHODS,
    "Access-Control-Allow-Methods": METHODS,
    "Access-Control-Allow-Headers": "Accept, If-None-Match",
    "Access-Control-Max-Age": "86400",
}
TOO_LONG = f"The address is longer than {LONGEST_ADDRESS:,} bytes. Ask for fewer values at a time."


class ApiBounds:
    """Counts and bounds around an application.

    Args:
        app: What answers within the bounds.
        allowance: How often one address may ask; ``None`` for as often as it likes.
    """

    def __init__(
        self, app: Callable[..., Awaitable[None]], allowance: Allowance | None = None
    ) -> None:
        self.app, self.allowance = app, allowance

    async def __call__(self, scope: Scope, receive: Any, send: Send) -> None:
        """Answer what goes beyond the bounds, pass on the rest and say what is left."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        if (
            len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"")
            > LONGEST_ADDRESS
        ):
            # The path is cut for the answer, which may show it.
            short = Request({**scope, "path": scope["path"][:100], "query_string": b""})
            refused = answer(short, 414, TOO_LONG)
            await self._sent(refused, scope, receive, send, {})
            return
        if not scope["path"].startswith(API):
            await self.app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS":
            await self._sent(Response(status_code=204), scope, receive, send, PREFLIGHT)
            return
        said: dict[str, str] = {}
        if self.allowance is not None:
            left = self.allowance.take(asking(client_address(request)))
            said = told(left)
            if left.refused:
                said["Retry-After"] = str(left.seconds)
                refused = answer(request, 429, too_often(left))
                await self._sent(refused, scope, receive, send, said)
                return
        await self.app(scope, receive, _adding(send, READING | said))

    async def _sent(
        self, response: Response, scope: Scope, receive: Any, send: Send, more: dict[str, str]
    ) -> None:
        reading = READING if scope["path"].startswith(API) else {}
        await response(scope, receive, _adding(send, reading | more))


def _adding(send: Send, headers: dict[str, str]) -> Send:
    async def adding(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(headers)
        await send(message)

    return adding


def asking(address: str) -> str:
    """Whom a network address counts as: a home or an office has a whole /64 of IPv6 to itself."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False))


def told(left: Left) -> dict[str, str]:
    """What is left, in the names that clients know and in those of the IETF's draft (RateLimit fields)."""
    return {
        "X-RateLimit-Limit": str(left.limit),
        "X-RateLimit-Remaining": str(left.remaining),
        "X-RateLimit-Reset": str(left.seconds),
        "RateLimit-Policy": f'"address";q={left.limit};w={left.window}',
        "RateLimit": f'"address";r={left.remaining};t={left.seconds}',
    }


def too_often(left: Left) -> str:
    """The sentence for whoever asked too often."""
    return (
        f"{left.limit:,} questions in {left.window} seconds are as many as one address may ask; go on in "
        f"{left.seconds} seconds. Whole collections are read with fewer: by per-page=200 and a cursor, or "
        "from the dumps of the site."
    )
