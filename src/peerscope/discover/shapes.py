"""What discover answers with: result pages with reasons, neighbours, graph slices.

An entity is named by its letter (W work, A person, T topic, I institution, S venue) and its number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from peerscope.discover.graph_shapes import GraphPath, GraphQuestion, GraphSlice, GraphWhy
from peerscope.discover.taste import Taste

SORTS = ("relevance", "newest", "oldest", "cited")
"""Orders of a result page; ``relevance`` without a query means newest first."""


@dataclass(frozen=True, slots=True)
class SearchFilters:
    """Filters as they stand in the address; ids are numbers without their letter.

    Several values of one filter are alternatives; different filters all hold.
    """

    year_from: int | None = None
    year_to: int | None = None
    types: tuple[str, ...] = ()
    topics: tuple[int, ...] = ()
    people: tuple[int, ...] = ()
    institutions: tuple[int, ...] = ()
    venues: tuple[int, ...] = ()
    open_access: bool | None = None


@dataclass(frozen=True, slots=True)
class Asker:
    """What a reader met before, for an order of their own.

    Attributes:
        history: Works saved or opened, newest first; then works of people and topics that are followed.
        saved: Those of them that are saved.
        followed: Those that stand there for somebody or something followed, with the part of a sentence
            that says for whom: "by Ada Example, whom you follow".
    """

    history: tuple[int, ...] = ()
    saved: frozenset[int] = frozenset()
    followed: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a result stands where it stands: ``kind`` (words, meaning, title, ...) and a sentence part.

    Attributes:
        kind: What sort of reason.
        text: What a reader sees.
        about: What the sentence names, as in addresses (``W12``, ``A3``, ``T4``), where it names something.
    """

    kind: str
    text: str
    about: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkHit:
    """A work found, with its fused score (comparable within one page only) and reasons."""

    work_id: int
    score: float
    reasons: tuple[Reason, ...] = ()


FeedOrder = Literal["best", "new"]
"""Orders of a feed: what speaks most for a work first, or the newest work first."""


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """A work of a feed, with everything that speaks for it; ``score`` is the sum of that."""

    work_id: int
    score: float
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value of a facet: what goes into the address, what a reader sees, how many works."""

    value: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class SearchPage:
    """One page of results.

    Attributes:
        corrected: The query as understood, where spelling was mended, else ``None``.
        total: How many works answer (of the candidates considered, where ``capped``).
        capped: Whether more may match than were considered.
        facets: Facet name (``type``, ``year``, ``topic``, ``venue``, ``institution``, ``person``,
            ``open_access``) to its values, most frequent first.
        mode: ``hybrid`` (words and meaning), ``lexical`` (words only) or ``browse`` (no query).
        note: A sentence for the reader ("Only common words; showing ..."), or ``None``.
        personal: Whether the asker's history moved the order.
    """

    query: str
    hits: tuple[WorkHit, ...]
    total: int
    page: int
    per_page: int
    mode: str
    corrected: str | None = None
    capped: bool = False
    facets: dict[str, tuple[FacetValue, ...]] = field(default_factory=dict)
    note: str | None = None
    personal: bool = False


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Something near a page's entity, nearest first, with what makes it near."""

    entity: str
    id: int
    label: str
    detail: str
    reasons: tuple[Reason, ...]


class Discovery(Protocol):
    """Everything that pages and the command line ask of this room."""

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
        """Find works. Any string is a legal query; pages past the end are empty.

        With an ``asker`` the order by relevance takes their history into account, and says where.
        """
        ...

    def feed(self, taste: Taste, *, order: FeedOrder = "best") -> tuple[FeedEntry, ...]:
        """Works for somebody who asked nothing, each with reasons; empty for an empty taste."""
        ...

    def asker(self, taste: Taste) -> Asker:
        """A taste as it takes part in the order of results."""
        ...

    def among(self, query: str, work_ids: Sequence[int]) -> tuple[WorkHit, ...]:
        """Those of the given works that answer a query, by words or by meaning, best first.

        Empty where nothing is published for searching.
        """
        ...

    def neighbours(self, entity: str, id: int, limit: int = 10) -> tuple[Neighbour, ...]:
        """What stands near a work, person or topic; empty for an unknown id."""
        ...

    def graph_slice(self, entity: str, id: int, limit: int = 60) -> GraphSlice:
        """The graph around an entity: at most ``limit`` nodes (150 at most), laid out, seeded."""
        ...

    def graph(self, question: GraphQuestion) -> GraphSlice:
        """A part of the graph, laid out; empty for an unknown centre."""
        ...

    def graph_expansion(self, question: GraphQuestion, known: Sequence[str]) -> GraphSlice:
        """New neighbours of the question's centre, and the edges that join them to known nodes."""
        ...

    def graph_path(self, question: GraphQuestion, target: str) -> GraphPath:
        """A shortest path from the question's centre to a node."""
        ...

    def graph_why(self, question: GraphQuestion, target: str, kind: str) -> GraphWhy | None:
        """An edge from the question's centre with its evidence; ``None`` where it does not stand."""
        ...
