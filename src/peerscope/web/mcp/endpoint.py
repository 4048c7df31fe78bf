"""The endpoint for assistants: the Model Context Protocol over HTTP at ``/mcp``, and over standard input.

It reads and keeps nothing: no sessions, no streams, no subscriptions; every request stands for itself.
"""

from __future__ import annotations

import ipaddress
import logging
from typing import Any
from urllib.parse import urlsplit

import anyio.to_thread
import orjson
from fastapi import APIRouter, Request, Response
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp.types import Tool as Described
from pydantic import ValidationError
from starlette.types import Receive, Scope, Send

from peerscope import __version__
from peerscope.community.rates import Allowance
from peerscope.web.api_bounds import asking, told, too_often
from peerscope.web.mcp.asking import Asking, CannotAnswerError
from peerscope.web.mcp.tools import TOOLS
from peerscope.web.site import Site, base_of, site_of
from peerscope.web.visitor import client_address

router = APIRouter(include_in_schema=False)
log = logging.getLogger(__name__)

PATH = "/mcp"
MOST_BYTES = 64 * 1024
INVALID_REQUEST = -32600

INSTRUCTIONS = """\
This is the scholarly record of one site. Citation counts are within this record. "Not imported" (no source \
of the work carries such statements), "none stated" and zero are different things: never report one as \
another. A verdict on a claim is what runs on this site measured under a published rule; "not run" is no \
verdict. Name works with their links."""

_READS = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
_BY_NAME = {one.name: one for one in TOOLS}
_LISTED = [
    Described(
        name=one.name, title=one.title, description=one.description, annotations=_READS,
        input_schema=one.arguments.model_json_schema(), output_schema=one.answer.model_json_schema(),
    )
    for one in TOOLS
]  # fmt: skip


def server_of(site: Site) -> Server[Any]:
    """The site as a server of the protocol, for any transport."""

    async def listed(
        context: ServerRequestContext[Any], given: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return ListToolsResult(tools=_LISTED)

    async def called(
        context: ServerRequestContext[Any], given: CallToolRequestParams
    ) -> CallToolResult:
        base = base_of(context.request) if context.request is not None else site.address
        if given.name not in _BY_NAME:
            known = ", ".join(_BY_NAME)
            raise MCPError(
                INVALID_PARAMS, f"There is no tool “{given.name[:60]}”; there are {known}."
            )
        return await anyio.to_thread.run_sync(
            _answered, Asking(site, base), given.name, given.arguments or {}
        )

    return Server(
        "peerscope", version=__version__, title=site.settings.site_name, instructions=INSTRUCTIONS,
        website_url=site.address, on_list_tools=listed, on_call_tool=called,
    )  # fmt: skip


def _answered(asking: Asking, name: str, given: dict[str, Any]) -> CallToolResult:
    tool = _BY_NAME[name]
    try:
        answer = tool.run(asking, tool.arguments.model_validate(given))
    except ValidationError as error:
        return _failed(_wrong(error))
    except CannotAnswerError as error:
        return _failed(str(error))
    except Exception:
        log.exception("The tool %s could not answer.", name)
        return _failed("Something went wrong on this site. It has been written to its log.")
    return CallToolResult(
        content=[TextContent(text=answer.text())], structured_content=answer.model_dump(mode="json")
    )


def _failed(sentence: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=sentence)], is_error=True)


def _wrong(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])[:80] or "the arguments"
    return f"“{where}” is not as it should be: {first['msg'].lower()}."


@router.get(PATH)
def explained() -> Response:
    """What this address is; the protocol's own streams are not offered."""
    sentence = "Assistants ask here by POST (Model Context Protocol). No stream is kept open."
    return _refused(405, sentence, {"Allow": "POST"})


@router.post(PATH)
def asked(request: Request) -> Response:
    """A request of the protocol."""
    problem = _elsewhere(request)
    if problem is not None:
        return problem
    allowance: Allowance | None = request.app.state.allowance
    if allowance is not None:
        left = allowance.take(asking(client_address(request)))
        if left.refused:
            return _refused(429, too_often(left), told(left) | {"Retry-After": str(left.seconds)})
    return _Handled(server_of(site_of(request)))


def _elsewhere(request: Request) -> Response | None:
    """Why a request is not for this site: a browser was led here under another name (DNS rebinding)."""
    site, host = site_of(request), request.headers.get("host", "")
    known = {urlsplit(one).hostname for one in (site.settings.base_url, site.address)}
    if not _ours(f"//{host}", known):
        return _refused(
            421,
            "This site does not know itself by that name; its operator sets PEERSCOPE_BASE_URL.",
        )
    origin = request.headers.get("origin")
    if origin is not None and not _ours(origin, known):
        return _refused(403, "Pages of other sites may not ask here.")
    return None


def _ours(address: str, known: set[str | None]) -> bool:
    """Whether an address names this site, this machine, or a machine by number.

    A number cannot be rebound: a name that was led to this server stands in the header as the name.
    """
    try:
        name = urlsplit(address).hostname
    except ValueError:
        return False
    if not name:
        return False
    if name in known or name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _refused(status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    content = {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": INVALID_REQUEST, "message": sentence},
    }
    return Response(orjson.dumps(content), status, headers, media_type="application/json")


class _Handled(Response):
    """Hands a request to the protocol's package.

    Its manager lives as long as the request: without sessions nothing outlives one, so that the application
    needs no task in the background and no start and end of its own.
    """

    def __init__(self, server: Server[Any]) -> None:
        super().__init__()
        self.server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        manager = StreamableHTTPSessionManager(
            self.server, json_response=True, stateless=True, max_request_body_size=MOST_BYTES
        )
        async with manager.run():
            await manager.handle_request(scope, receive, send)


async def serve_stdio(site: Site) -> None:
    """Answer an assistant that started this process, on standard input and output, until it ends."""
    server = server_of(site)
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())
