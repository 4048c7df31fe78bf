"""Errors as pages with a sentence; under ``/api`` as problem details (RFC 9457)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException

from peerscope.community import (
    CommunityError,
    ElsewhereError,
    NotAllowedError,
    NotThereError,
    TooOftenError,
)
from peerscope.record.openalex import QueryError
from peerscope.web.site import site_of
from peerscope.web.visitor import AGAIN, SignInAgainNeeded, SignInNeeded, sign_in_address

log = logging.getLogger(__name__)

SENTENCES = {
    400: "The address is not one that this site can read.",
    404: "There is no such page here. It may have been moved, or never have existed.",
    405: "This address cannot be asked in this way.",
    410: "This work was removed from the record.",
    414: "The address is too long.",
    422: "A part of the address is not as it should be.",
    500: "Something went wrong on this site. It has been written to its log.",
}


def answer(
    request: Request, status: int, detail: str | None = None, more: Mapping[str, str] | None = None
) -> Response:
    """An error in the form that the asker reads.

    Args:
        request: What was asked.
        status: Of the answer, 400 or more.
        detail: A sentence; the usual one of the status without it.
        more: Members that a problem document has besides.
    """
    sentence = detail or SENTENCES.get(status) or HTTPStatus(status).phrase
    if request.url.path.startswith("/api"):
        return JSONResponse(
            {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status,
             "detail": sentence, **(more or {})},
            status,
            media_type="application/problem+json",
        )  # fmt: skip
    return site_of(request).page(
        request,
        "error.html",
        status,
        code=status,
        sentence=sentence,
        title=HTTPStatus(status).phrase.capitalize(),
    )


async def http_error(request: Request, error: Exception) -> Response:
    """A refused request."""
    assert isinstance(error, HTTPException)
    plain = error.detail == HTTPStatus(error.status_code).phrase
    response = answer(request, error.status_code, None if plain else str(error.detail))
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


async def invalid_request(request: Request, error: Exception) -> Response:
    """A parameter of the wrong form; says which."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["loc"][0] == "path":
        named = str(first.get("input", ""))[:100]
        return answer(request, 404, f"There is nothing named “{named}” at this address.")
    where = ".".join(str(part) for part in first["loc"][1:]) or "the request"
    return answer(request, 422, f"“{where}” is not as it should be: {first['msg'].lower()}.")


async def bad_query(request: Request, error: Exception) -> Response:
    """A query that cannot be answered; also in the members that OpenAlex's clients read."""
    assert isinstance(error, QueryError)
    said = {"error": "Invalid query parameters error.", "message": str(error)}
    return answer(request, 400, str(error), said)


async def sign_in_needed(request: Request, error: Exception) -> Response:
    """The way to sign in and back; a program is told that it must."""
    assert isinstance(error, SignInNeeded)
    again = isinstance(error, SignInAgainNeeded)
    if request.url.path.startswith("/api"):
        return answer(request, 401, AGAIN if again else "This needs an account that is signed in.")
    return RedirectResponse(sign_in_address(error.back, again), 303)


async def refused(request: Request, error: Exception) -> Response:
    """Something that the community refuses, with its sentence."""
    assert isinstance(error, CommunityError)
    if isinstance(error, TooOftenError):
        response = answer(request, 429, str(error))
        response.headers["Retry-After"] = str(error.seconds)
        return response
    status = {NotAllowedError: 403, NotThereError: 404, ElsewhereError: 502}.get(type(error), 400)
    return answer(request, status, str(error))


async def unexpected(request: Request, error: Exception) -> Response:
    """Anything else; nothing of it is shown."""
    log.error("Error at %s", request.url.path, exc_info=error)
    return answer(request, 500)
