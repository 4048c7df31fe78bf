"""What an address asks of the graph: read strictly for programs, leniently for pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from fastapi import HTTPException, Request
from starlette.datastructures import QueryParams

from peerscope.discover.graph_shapes import KINDS, MOST_ON_PAGE, TYPES, GraphQuestion, split_key
from peerscope.web.asked import LATEST_YEAR, number_in
from peerscope.web.graph_stated import StatedHere
from peerscope.web.site import site_of
from peerscope.web.visible import HIDDEN

KEY = re.compile(r"[WATIS]\d{1,15}", re.ASCII)
LETTERS = {name: letter for letter, name in TYPES.items()}
USUAL_ON_PAGE = 80


def key_in(request: Request, text: str) -> str:
    """A node's key, of somebody who is not hidden.

    Raises:
        HTTPException: 422 for anything else, 410 for a hidden person.
    """
    if not KEY.fullmatch(text):
        raise HTTPException(
            422, f"“{text[:50]}” is no key of a node; one looks like W12, A3, T4, I5 or S6."
        )
    letter, number = split_key(text)
    if letter == "A" and site_of(request).is_hidden(number):
        raise HTTPException(410, HIDDEN)
    return f"{letter}{number}"


def names_in(given: Iterable[str]) -> list[str]:
    """Names that stand one by one, or with commas between them."""
    return [name for one in given for part in one.split(",") if (name := part.strip())]


def kinds_in(given: Iterable[str], allowed: Iterable[str] = KINDS) -> frozenset[str] | None:
    """Kinds of edges by name; ``None`` where none is named.

    Raises:
        HTTPException: 422 for a name that is not allowed.
    """
    return _checked(names_in(given), list(allowed), "kind of edge") or None


def types_in(given: Iterable[str]) -> frozenset[str] | None:
    """Letters of types by name; ``None`` where none is named.

    Raises:
        HTTPException: 422 for an unknown name.
    """
    found = _checked(names_in(given), list(LETTERS), "type of node")
    return frozenset(LETTERS[name] for name in found) or None


def _checked(names: list[str], allowed: list[str], what: str) -> frozenset[str]:
    for name in names:
        if name not in allowed:
            raise HTTPException(
                422, f"“{name[:50]}” is no {what} here; there are {', '.join(allowed)}."
            )
    return frozenset(names)


def question(
    request: Request,
    key: str,
    limit: int,
    kinds: frozenset[str] | None = None,
    types: frozenset[str] | None = None,
    year_from: int | None = None,
    year_to: int | None = None,
) -> GraphQuestion:
    """A question with what this site's accounts and attempts state.

    Raises:
        HTTPException: 422 where the first year is after the last.
    """
    if year_from is not None and year_to is not None and year_from > year_to:
        raise HTTPException(422, f"No year is from {year_from} and to {year_to}.")
    return GraphQuestion(
        *split_key(key),
        limit,
        kinds or frozenset(KINDS),
        types or frozenset(TYPES),
        year_from,
        year_to,
        elsewhere=StatedHere(site_of(request)),
    )


def asked_of_page(request: Request, key: str) -> GraphQuestion:
    """The question of a page's address; what cannot be understood is left out."""
    given = request.query_params
    low, high = (number_in(given.get(name), 0, LATEST_YEAR) for name in ("year_from", "year_to"))
    if low is not None and high is not None and low > high:
        low, high = high, low
    return question(
        request,
        key,
        number_in(given.get("limit"), 2, MOST_ON_PAGE) or USUAL_ON_PAGE,
        frozenset(_known(given, "kinds", {name: name for name in KINDS})),
        frozenset(_known(given, "types", LETTERS)),
        low,
        high,
    )


def _known(given: QueryParams, name: str, allowed: Mapping[str, str]) -> list[str]:
    return [allowed[one] for one in names_in(given.getlist(name)) if one in allowed]
