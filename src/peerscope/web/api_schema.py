"""The API's description for programs: FastAPI's, with the errors and headers that every answer really has."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

API = "/api/"
PROBLEM = {
    "title": "Problem",
    "description": "An error (RFC 9457); refused queries say it also as OpenAlex does.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "A sentence that says what would be right."},
        "error": {"type": "string"},
        "message": {"type": "string"},
    },
}
ALWAYS = {
    "400": "A parameter is unknown, stands twice, or does not read.",
    "414": "The address is too long.",
    "429": "The network address asked too often; `Retry-After` says when to go on.",
}
NAMED = {
    "404": "There is no such thing here.",
    "410": "It was removed from the record, or is hidden.",
}
INVALID = "A parameter is not of the form that it should have."


def _text(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


HEADERS = {
    "ETag": _text("Of the content; `If-None-Match` with it answers 304."),
    "X-RateLimit-Limit": _text("Questions that one network address may ask in a window of time."),
    "X-RateLimit-Remaining": _text("Of these, how many are left."),
    "X-RateLimit-Reset": _text("Seconds until the next window begins."),
}


def describe(app: FastAPI) -> None:
    """Let an application describe itself so."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            _complete(found)
            app.openapi_schema = found
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def _complete(schema: dict[str, Any]) -> None:
    shapes = schema.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        shapes.pop(name, None)
    shapes["Problem"] = PROBLEM
    for path, methods in schema["paths"].items():
        for operation in methods.values():
            answers = operation["responses"]
            answers.pop("422", None)
            if path.startswith(API):
                _manners(path, operation)


def _manners(path: str, operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    answers["200"]["headers"] = HEADERS | answers["200"].get("headers", {})
    answers["304"] = {"description": "The client has it already."}
    errors = dict(ALWAYS)
    if "{" in path:
        errors |= NAMED
    if operation.get("parameters"):
        errors["422"] = INVALID
    for status, description in sorted(errors.items()):
        told = answers.get(status, {}).get("description", description)
        answers[status] = {
            "description": told,
            "content": {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            },
        }
