"""What the research graph is made of: types, kinds of edge, questions and answers.

A node is named by its key, entity letter and number as in addresses (``W12``). Which edges are stated and
which are computed, and what each means, is said once, in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

TYPES = {"W": "work", "A": "person", "T": "topic", "I": "institution", "S": "venue"}
"""Entity letter to the name of the node's type."""

MOST_ON_PAGE = 150
MOST_NODES = 2_000
MOST_KNOWN = 2_000
MOST_STEPS = 8
MOST_TOUCHED = 30_000
"""Rows of the record that one search for a path reads before it gives up."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of edge.

    Attributes:
        name: As in addresses and answers.
        ends: Pairs of entity letters that it joins, source first.
        directed: Whether its direction says something.
        computed: Whether this site works it out; else somebody states it.
        label: As pages call it.
        means: What it says, as a sentence.
        weight: Of one edge in the layout, in (0, 1], where its own strength sets none.
    """

    name: str
    ends: tuple[tuple[str, str], ...]
    directed: bool
    computed: bool
    label: str
    means: str
    weight: float


_KINDS = (
    Kind("authored", (("A", "W"),), True, False, "wrote",
         "The person is an author of the work.", 1.0),
    Kind("coauthor", (("A", "A"),), False, False, "wrote together",
         "Both people are authors of at least one work of at most 50 authors.", 0.4),
    Kind("cites", (("W", "W"),), True, False, "cites",
         "The first work has the second among its references.", 1.0),
    Kind("cocited", (("W", "W"),), False, True, "cited together",
         "At least two works of this record cite both.", 0.4),
    Kind("topic", (("W", "T"),), True, False, "is about",
         "A source gives the work this topic, or this site suggests it.", 0.5),
    Kind("same_topic", (("W", "W"), ("A", "A")), False, True, "on the same topic",
         "Both have a topic in common that is not drawn itself, and nothing else joins them.", 0.2),
    Kind("affiliated", (("A", "I"),), True, False, "affiliated",
         "A work prints the institution as an affiliation of the person.", 0.7),
    Kind("published", (("W", "S"),), True, False, "published in",
         "The work was published in the venue.", 0.6),
    Kind("near", (("W", "W"), ("A", "A"), ("T", "T")), False, True, "near in meaning",
         "Their texts are near in meaning, by the vectors that this site searches with.", 0.3),
    Kind("reviewed", (("A", "W"),), True, False, "reviewed",
         "The owner of the person's record published a review of the work on this site.", 0.8),
    Kind("reproduced", (("A", "W"),), True, False, "ran the claims of",
         "An attempt on claims of the work names the person's ORCID as who ran it.", 0.8),
)  # fmt: skip

KINDS = {kind.name: kind for kind in _KINDS}
"""Every kind of edge by its name."""

ELSEWHERE = frozenset({"reviewed", "reproduced"})
"""Kinds that no table of the record holds: the caller hands them in (`Stated`)."""

ON_PATHS = frozenset(name for name, kind in KINDS.items() if not kind.computed)
"""Kinds that a path may go along: what somebody states."""

USUAL_PATH = frozenset({"authored", "cites"})


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A node with its place in the unit square; ``weight`` in (0, 1] sets its size.

    Attributes:
        year: Year of publication of a work.
        reproduced: What attempts found of a work's claims, in words; empty where none ran.
    """

    entity: str
    id: int
    label: str
    x: float
    y: float
    weight: float
    year: int | None = None
    reproduced: str = ""

    @property
    def key(self) -> str:
        """Entity letter and number, as in addresses."""
        return f"{self.entity}{self.id}"


@dataclass(frozen=True, slots=True)
class GraphEdge:
    """An edge between node keys; ``weight`` in (0, 1]; ``reason`` says in words why it exists."""

    source: str
    target: str
    kind: str
    weight: float
    reason: str

    @property
    def key(self) -> str:
        """Kind and both ends: no two edges of a slice share it."""
        return f"{self.kind}:{self.source}:{self.target}"


@dataclass(frozen=True, slots=True)
class GraphSlice:
    """The part of the graph around one entity (the first node); ``truncated`` when more would fit.

    Attributes:
        fingerprint: Hash of what is in it; equal slices have equal fingerprints and equal places.
    """

    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]
    truncated: bool = False
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """One piece of evidence for an edge.

    Attributes:
        text: What a reader sees.
        url: Where it can be looked at, or empty.
        source: Who says so: the source of the record with the record's key there, or this site.
    """

    text: str
    url: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Stated:
    """An edge that another room states: a review, an attempt.

    ``person`` is ``None`` where it is not known who of the site it was; then only the work carries it.
    """

    kind: str
    work: int
    person: int | None
    reason: str
    proof: Proof


Elsewhere = Callable[[Collection[int], Collection[int]], Collection[Stated]]
"""What other rooms state about any of some works, or of some people."""


def nothing_elsewhere(works: Collection[int], people: Collection[int]) -> Collection[Stated]:
    """No other room states anything."""
    return ()


@dataclass(frozen=True, slots=True)
class GraphQuestion:
    """Which part of the graph is asked for.

    Attributes:
        entity: Letter of the centre.
        id: Number of the centre.
        limit: Most nodes.
        kinds: Kinds of edges that count.
        types: Letters of the nodes that count; the centre always does.
        year_from: First year of publication of works, or ``None``. A work without a year is left out
            where either year is given.
        year_to: Last year.
        without: People who are shown nowhere.
        elsewhere: What other rooms state.
    """

    entity: str
    id: int
    limit: int = 60
    kinds: frozenset[str] = frozenset(KINDS)
    types: frozenset[str] = frozenset(TYPES)
    year_from: int | None = None
    year_to: int | None = None
    without: frozenset[int] = frozenset()
    elsewhere: Elsewhere = field(default=nothing_elsewhere, compare=False)

    @property
    def key(self) -> str:
        """Of the centre."""
        return f"{self.entity}{self.id}"


@dataclass(frozen=True, slots=True)
class GraphPath:
    """A shortest path, as a slice whose nodes are in the order of the path.

    Attributes:
        found: The nodes and edges; empty where there is none within the bounds.
        gave_up: Whether the search ended at a bound, so that a path may exist all the same.
        touched: Rows of the record that were read.
    """

    found: GraphSlice
    gave_up: bool
    touched: int

    @property
    def steps(self) -> int | None:
        """How many edges long it is; ``None`` without a path."""
        return len(self.found.nodes) - 1 if self.found.nodes else None


@dataclass(frozen=True, slots=True)
class GraphWhy:
    """An edge with its evidence; ``total`` counts all of it where not everything is listed."""

    edge: GraphEdge
    labels: tuple[str, str]
    proofs: tuple[Proof, ...]
    total: int


def split_key(key: str) -> tuple[str, int]:
    """Letter and number of a key."""
    return key[0], int(key[1:])


def ordered(one: str, other: str) -> tuple[str, str]:
    """Both ends of an edge without direction, in the order in which it is kept."""
    return (one, other) if split_key(one) <= split_key(other) else (other, one)
