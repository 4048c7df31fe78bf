"""Hidden people: their addresses answer 410, and discover's answers are without them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from fastapi import HTTPException, Request

from peerscope.discover import Discovery, SearchFilters, SearchPage
from peerscope.discover.graph_shapes import GraphPath, GraphQuestion, GraphSlice, GraphWhy
from peerscope.discover.shapes import Asker, Neighbour
from peerscope.web.site import site_of
from peerscope.web.visitor import visitor

HIDDEN = (
    "This page is not shown: it was hidden after somebody asked for it. The works stay in the record, "
    "with the names that are printed on them."
)
PERSON = re.compile(r"/(?:api/(?:v1/)?)?(?:people|graph)/A(\d{1,15})(?!\d)", re.ASCII)
"""Addresses of a person: the page, everything below it, its feeds, its JSON,
its graph."""

NOBODY = 0
"""A number that no person has: a search among a hidden person's works finds nothing."""


async def refuse_hidden(request: Request) -> None:
    """Answer for no hidden person at whatever address; a dependency of the whole application.

    Raises:
        HTTPException: 410, but for moderators, who decide about it.
    """
    match = PERSON.match(request.url.path)
    if match is not None and site_of(request).is_hidden(int(match[1])):
        who = visitor(request)
        if who is None or not who.account.is_moderator:
            raise HTTPException(410, HIDDEN)


class Visible:
    """Answers of a `Discovery` in which nobody hidden is named; everything else is as it was.

    Args:
        discovery: Who answers.
        hidden: Numbers of the people that are hidden now.
    """

    def __init__(self, discovery: Discovery, hidden: Callable[[], frozenset[int]]) -> None:
        self._discovery, self._hidden = discovery, hidden

    def __getattr__(self, name: str) -> Any:
        return getattr(self._discovery, name)

    def search(
        self,
        query: str,
        filters: SearchFilters,
        *,
        sort: str = "relevance",
        page: int = 1,
        per_page: int = 20,
        asker: Asker | None = None,
    ) -> SearchPage:
        """As `Discovery.search`; hidden people are in no facet and no filter."""
        hidden = self._hidden()
        if hidden & set(filters.people):
            left = tuple(one for one in filters.people if one not in hidden)
            filters = replace(filters, people=left or (NOBODY,))
        found = self._discovery.search(
            query, filters, sort=sort, page=page, per_page=per_page, asker=asker
        )
        gone = {str(one) for one in hidden} | {f"A{one}" for one in hidden}
        people = found.facets.get("person", ())
        if not any(one.value in gone for one in people):
            return found
        left_over = tuple(one for one in people if one.value not in gone)
        return replace(found, facets=found.facets | {"person": left_over})

    def neighbours(self, entity: str, id: int, limit: int = 10) -> tuple[Neighbour, ...]:
        """As `Discovery.neighbours`."""
        hidden = self._hidden()
        found = self._discovery.neighbours(entity, id, limit)
        return tuple(one for one in found if one.entity != "A" or one.id not in hidden)

    def graph_slice(self, entity: str, id: int, limit: int = 60) -> GraphSlice:
        """As `Discovery.graph_slice`; the page's own entity stays."""
        found, hidden = self._discovery.graph_slice(entity, id, limit), self._hidden()
        gone = {one.key for one in found.nodes[1:] if one.entity == "A" and one.id in hidden}
        if not gone:
            return found
        return replace(
            found,
            nodes=tuple(one for one in found.nodes if one.key not in gone),
            edges=tuple(
                one for one in found.edges if one.source not in gone and one.target not in gone
            ),
        )

    def graph(self, question: GraphQuestion) -> GraphSlice:
        """As `Discovery.graph`."""
        return self._discovery.graph(self._without(question))

    def graph_expansion(self, question: GraphQuestion, known: Sequence[str]) -> GraphSlice:
        """As `Discovery.graph_expansion`."""
        return self._discovery.graph_expansion(self._without(question), known)

    def graph_path(self, question: GraphQuestion, target: str) -> GraphPath:
        """As `Discovery.graph_path`."""
        return self._discovery.graph_path(self._without(question), target)

    def graph_why(self, question: GraphQuestion, target: str, kind: str) -> GraphWhy | None:
        """As `Discovery.graph_why`."""
        return self._discovery.graph_why(self._without(question), target, kind)

    def _without(self, question: GraphQuestion) -> GraphQuestion:
        hidden = self._hidden()
        if question.entity == "A":
            hidden -= {question.id}
        return replace(question, without=question.without | hidden)
