"""HTTP for models made from files: search, items in and out, what is in service. Everything is JSON.

Thin: `peerscope.retrieval.files.models` holds the rules. There are no accounts here; writing can be switched
off, and is where the server listens beyond this machine.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException as AnyHTTPException

from peerscope import __version__
from peerscope.retrieval import Filter
from peerscope.retrieval.files.models import ServedModels
from peerscope.retrieval.files.problems import FileError
from peerscope.retrieval.files.serving import Answer, Asked, AskedUser, NotServedError

LONGEST_QUERY = 2000
MOST_HITS = 1000
DEEPEST = 10_000
MOST_ITEMS = 1000
MOST_HISTORY = 1000


class Who(BaseModel):
    """Who asks. What is given here counts instead of what the bundle knows of the user."""

    model_config = ConfigDict(extra="forbid")

    id: str | None = None
    history: list[str | int] | None = Field(
        None, max_length=MOST_HISTORY, description="Items met before, newest first."
    )
    profile: dict[str, str] | None = None


class Question(BaseModel):
    """A query with everything that it may say."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(max_length=LONGEST_QUERY)
    model: str | None = Field(None, description="Name of the model; `main` without one.")
    k: int = Field(10, ge=1, le=MOST_HITS)
    offset: int = Field(0, ge=0, le=DEEPEST)
    where: dict[str, list[str]] = Field(default={}, description="Field to accepted values.")
    ranges: dict[str, tuple[int | None, int | None]] = Field(
        default={}, description="Field to bounds, which are part of the range."
    )
    facets: list[str] = Field(default=[], max_length=20)
    user: Who | None = None
    personal: bool = Field(True, description="Whether it matters who asks.")


class Hit(BaseModel):
    """An item found, with what put it there."""

    id: str
    title: str
    score: float
    lexical: float
    dense: float | None
    matched_words: list[str]
    head: int = Field(description="Head of the query tower that is nearest to the item.")
    because: str | None = Field(description="The item of the history that is nearest to it.")


class Found(BaseModel):
    """An answer."""

    model: str
    bundle: str
    query: str
    corrected: str | None
    mode: str
    note: str | None
    personal: bool = Field(description="Whether the order depends on who asks.")
    total: int
    capped: bool
    hits: list[Hit]
    facets: dict[str, dict[str, int]]


class NewItems(BaseModel):
    """Items to add or to replace: the columns of the items file."""

    model_config = ConfigDict(extra="forbid")

    items: list[dict[str, Any]] = Field(min_length=1, max_length=MOST_ITEMS)


class Taken(BaseModel):
    """What went in, and what did not as a whole."""

    items: int
    problems: list[dict[str, Any]]


class Health(BaseModel):
    """Whether anything is in service, and what."""

    ok: bool
    models: dict[str, str | None]


def create_servable_app(models: ServedModels, *, writable: bool = True) -> FastAPI:
    """The ASGI application over a home's models.

    Args:
        models: They are brought up to date while the application runs, and closed after it.
        writable: Whether items may be added and removed.
    """

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(models.watch)
        yield
        await run_in_threadpool(models.close)

    app = FastAPI(
        title="Peerscope retrieval", version=__version__, lifespan=running,
        docs_url=None, redoc_url=None,
    )  # fmt: skip
    _reading(app, models)
    _writing(app, models, writable)
    app.add_exception_handler(NotServedError, _not_served)
    app.add_exception_handler(FileError, _unusable)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(AnyHTTPException, _refused)
    return app


def _reading(app: FastAPI, models: ServedModels) -> None:
    @app.get("/healthz", response_model=Health)
    def health() -> JSONResponse:
        """Whether anything can be searched."""
        served = models.in_service()
        ok = any(served.values())
        return JSONResponse({"ok": ok, "models": served}, 200 if ok else 503)

    @app.get("/v1/models")
    def list_models() -> list[dict[str, Any]]:
        """Every model: the bundle in service, those beside it, and those that were refused."""
        return models.status()

    @app.get("/v1/search")
    def search(
        q: Annotated[str, Query(max_length=LONGEST_QUERY)],
        model: str | None = None,
        user: str | None = None,
        k: Annotated[int, Query(ge=1, le=MOST_HITS)] = 10,
        offset: Annotated[int, Query(ge=0, le=DEEPEST)] = 0,
    ) -> Found:
        """Search by words and meaning; `user` is an id of the users or the interactions file."""
        who = AskedUser(user) if user is not None else None
        return _found(q, models.search(Asked(q, k, offset, user=who), model))

    @app.post("/v1/search")
    def search_with(question: Question) -> Found:
        """Search with filters, facets, and a user who need not be known."""
        given = question.user if question.personal else None
        asked = Asked(
            question.query,
            question.k,
            question.offset,
            Filter({n: tuple(v) for n, v in question.where.items()}, question.ranges),
            tuple(question.facets),
            _who(given) if given is not None else None,
        )
        return _found(question.query, models.search(asked, question.model))


def _writing(app: FastAPI, models: ServedModels, writable: bool) -> None:
    def allowed() -> None:
        if not writable:
            raise HTTPException(
                403, "This server takes no items; start it with --writable if it should."
            )

    @app.put("/v1/items")
    def upsert(new: NewItems) -> Taken:
        """Add items, or replace them by id, in every model; they are found when this returns."""
        allowed()
        taken = models.upsert(new.items)
        if not taken.items:
            raise FileError(next(iter(taken.problems)).sentence())
        return Taken(items=taken.items, problems=taken.problems.as_dict())

    @app.delete("/v1/items")
    def delete(id: Annotated[list[str], Query(max_length=MOST_ITEMS)]) -> dict[str, int]:
        """Take items out of every model; unknown ids are passed over."""
        allowed()
        models.delete(id)
        return {"items": len(id)}


def _who(given: Who) -> AskedUser:
    history = None if given.history is None else tuple(str(own) for own in given.history)
    return AskedUser(given.id, history, given.profile)


def _found(query: str, answer: Answer) -> Found:
    results = answer.results
    hits = [
        Hit(
            id=found.id, title=found.title, score=found.hit.score, lexical=found.hit.lexical,
            dense=found.hit.dense, matched_words=list(found.hit.matched_words),
            head=found.hit.head, because=found.because,
        )
        for found in answer.found
    ]  # fmt: skip
    return Found(
        model=answer.model, bundle=answer.bundle, query=query, corrected=results.corrected,
        mode=results.mode, note=results.note, personal=results.personal, total=results.total,
        capped=results.capped, hits=hits, facets=results.facets,
    )  # fmt: skip


def _problem(status: int, detail: str) -> JSONResponse:
    """An error as problem details (RFC 9457)."""
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status,
               "detail": detail}  # fmt: skip
    return JSONResponse(content, status, media_type="application/problem+json")


async def _not_served(request: Request, error: Exception) -> JSONResponse:
    return _problem(404, str(error.args[0]))


async def _unusable(request: Request, error: Exception) -> JSONResponse:
    return _problem(422, str(error))


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "the request"
    return _problem(422, f"“{where}” is not as it should be: {first['msg'].lower()}.")


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AnyHTTPException)
    return _problem(error.status_code, str(error.detail))
