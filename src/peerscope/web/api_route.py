"""What addresses of the API share: which parameters they take, what a client may keep, what follows.

The manners of one answer stand here; those of a client (how often, how long an address) in `api_bounds`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, datetime
from difflib import get_close_matches
from email.utils import format_datetime
from functools import cache
from typing import Any, get_args, get_origin

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from peerscope.record.openalex import QueryError
from peerscope.web.caching import conditional

IGNORED = frozenset({"mailto", "api_key", "api-key"})
"""What OpenAlex's clients send to say who they are; here nobody needs to."""


class ApiRoute(APIRoute):
    """A route of the API: unknown and repeated parameters are refused, answers carry an entity tag."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler with what comes before and after it."""
        inner = super().get_route_handler()
        # Not before the first question: a route learns its parameters after its handler is made.
        taken = cache(lambda: parameters_of(self.dependant))

        async def handler(request: Request) -> Response:
            _only_known(request, *taken())
            response = await inner(request)
            if response.status_code != 200 or "etag" in response.headers:
                return response
            return conditional(request, response)

        return handler


def parameters_of(dependant: Dependant) -> tuple[list[str], frozenset[str]]:
    """Names of the parameters that a route takes in its query, and those that may be repeated."""
    fields = list(dependant.query_params)
    for one in dependant.dependencies:
        fields += one.query_params
    several = frozenset(field.alias for field in fields if _is_list(field.field_info.annotation))
    return list(dict.fromkeys(field.alias for field in fields)), several


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(
        get_origin(one) is list for one in get_args(annotation)
    )


def _only_known(request: Request, known: list[str], several: Iterable[str]) -> None:
    """Refuse what would be passed over in silence.

    Raises:
        QueryError: A parameter is unknown, or stands twice where one value is meant.
    """
    given = [name for name, _ in request.query_params.multi_items()]
    for name in dict.fromkeys(given):
        if name in IGNORED:
            continue
        if name not in known:
            near = get_close_matches(name[:80], known, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            valid = (
                f"Valid parameters are: {', '.join(sorted(known))}." if known else "It takes none."
            )
            raise QueryError(f"{name[:80]} is not a valid parameter.{hint} {valid}")
        if name not in several and given.count(name) > 1:
            raise QueryError(
                f"The parameter {name} stands {given.count(name)} times; give it once."
            )


def following(request: Request, response: Response, **changes: object) -> None:
    """Say where the next page is (RFC 8288); nothing where there are no changes."""
    if changes:
        address = request.url.include_query_params(**changes)
        response.headers["Link"] = f'<{address}>; rel="next"'


def next_page(
    request: Request, response: Response, page: int, per_page: int, total: int, deepest: int
) -> None:
    """`following` for a list by pages, as far as pages reach.

    Args:
        request: For this page.
        response: Its answer.
        page: From 1.
        per_page: Rows of a page.
        total: Rows of the list.
        deepest: The last page that may be asked for.
    """
    if page * per_page < total and page < deepest:
        following(request, response, page=page + 1)


def changed_at(response: Response, moment: datetime) -> None:
    """Say when the thing itself changed last (RFC 9110, section 8.8.2).

    It is told, not compared: an answer also holds counts that change without the thing, so that clients
    ask again by its entity tag.
    """
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    response.headers["Last-Modified"] = format_datetime(aware.astimezone(UTC), usegmt=True)
