"""The application: rooms below, pages and API above, headers and errors around them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware

from peerscope import __version__
from peerscope.community import Community, CommunityError
from peerscope.community.rates import Allowance
from peerscope.discover import Discovery
from peerscope.discover.readers import Readers
from peerscope.record import Database
from peerscope.record.openalex import QueryError
from peerscope.reproduce import load_registry
from peerscope.reproduce.overview import Overview
from peerscope.reproduce.store import Store
from peerscope.settings import Settings
from peerscope.web import (
    account_settings,
    accounts,
    api,
    badges,
    bring,
    cite,
    claiming,
    claims,
    claims_api,
    collections,
    dumps,
    explore,
    feeds,
    follows,
    for_you,
    graph_api,
    graph_pages,
    harvest,
    history,
    identity,
    leaving,
    map,
    mcp,
    moderation,
    notices,
    openalex,
    openid,
    own_api,
    pages,
    passkeys,
    privacy,
    profile,
    proofs,
    reactions,
    reviews,
    saves,
    sources,
    talk,
    trust,
)
from peerscope.web.api_bounds import ApiBounds
from peerscope.web.api_schema import describe
from peerscope.web.errors import (
    bad_query,
    http_error,
    invalid_request,
    refused,
    sign_in_needed,
    unexpected,
)
from peerscope.web.links import HeadAsGet
from peerscope.web.site import Site, site_of
from peerscope.web.visible import Visible, refuse_hidden
from peerscope.web.visitor import SignInNeeded, see_visitor

STATIC = Path(__file__).parent / "static"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

ENCRYPTED_ONLY = "max-age=31536000"
"""A year. Subdomains are not included: they may be of somebody else."""

PACKED = 4
"""Level of packing: on lists of the API seven times as fast as level 9, for a tenth more bytes."""


def create_app(
    settings: Settings,
    database: Database,
    discovery: Discovery,
    readers: Readers | None = None,
    overview: Overview | None = None,
    community: Community | None = None,
    address: str = "",
) -> FastAPI:
    """The site's ASGI application.

    Args:
        settings: Name, addresses.
        database: The record, migrated.
        discovery: Search, neighbours and graph slices.
        readers: What readers let the site keep; the file in the site's folder if not given.
        overview: Claims and attempts; installed claims and the attempts in the site's folder if not given.
        community: Accounts and what they write; those in the site's folder if not given.
        address: Where the site listens, for links in mails; ``base_url`` of the settings outranks it.
    """
    app = FastAPI(
        title=settings.site_name,
        version=__version__,
        description=(
            "Read API of a Peerscope site: OpenAlex's shape, search, what stands near, claims, trust, "
            "identity, collections, and what each page says."
        ),
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(refuse_hidden)],
    )
    people = community or Community(settings)
    app.state.site = Site(
        settings,
        database,
        Visible(discovery, lambda: people.kept.now().hidden),
        readers or Readers(settings.readers),
        overview or Overview(load_registry(), Store(settings.reproductions)),
        people,
        address,
    )
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=PACKED)
    app.middleware("http")(see_visitor)
    # Assistants ask within the same bounds (`mcp`).
    app.state.allowance = Allowance(settings.api_rate) if settings.api_rate else None
    app.add_middleware(ApiBounds, allowance=app.state.allowance)
    app.middleware("http")(_headers)
    app.add_middleware(HeadAsGet)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    for router in (
        own_api.router, graph_api.router, claims_api.router, api.router, openalex.router, api.old,
    ):  # fmt: skip
        app.include_router(router)
    for room in (
        graph_pages, badges, cite, mcp, claims, harvest, dumps, history, accounts, identity, trust,
        openid, passkeys, account_settings, proofs, claiming, profile, privacy, follows, saves,
        collections, reactions, reviews, talk, for_you, leaving, notices, moderation, feeds,
        explore, map, bring, sources, pages,
    ):  # fmt: skip
        app.include_router(room.router)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(QueryError, bad_query)
    app.add_exception_handler(SignInNeeded, sign_in_needed)
    app.add_exception_handler(CommunityError, refused)
    app.add_exception_handler(RequestValidationError, invalid_request)
    app.add_exception_handler(Exception, unexpected)
    describe(app)
    return app


async def _headers(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    response = await call_next(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if site_of(request).settings.base_url.startswith("https://"):
        response.headers.setdefault("Strict-Transport-Security", ENCRYPTED_ONLY)
    if request.url.path.startswith("/static/") and "v" in request.query_params:
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    elif request.url.path.startswith("/static/"):
        # Modules import one another without a version: a browser asks whether they changed.
        response.headers["Cache-Control"] = "no-cache"
    return response
