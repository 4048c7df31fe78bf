"""Answers that a client may keep: an entity tag of the content, and 304 where it still holds."""

from __future__ import annotations

from hashlib import sha256

from fastapi import Request, Response


def conditional(request: Request, response: Response, content: bytes | None = None) -> Response:
    """Give an answer its entity tag; without content where the client has it already (RFC 9110, 13.1.2).

    Args:
        request: It may carry ``If-None-Match``.
        response: The whole answer.
        content: What the tag is made of, where that is not all of the answer.
    """
    tag = f'W/"{sha256(content or bytes(response.body)).hexdigest()[:32]}"'
    response.headers["ETag"] = tag
    response.headers.setdefault("Cache-Control", "no-cache")
    asked = request.headers.get("if-none-match", "")
    if asked.strip() == "*" or tag in [one.strip() for one in asked.split(",")]:
        kept = {
            name: value
            for name, value in response.headers.items()
            if name not in ("content-length", "content-type")
        }
        return Response(status_code=304, headers=kept)
    return response
