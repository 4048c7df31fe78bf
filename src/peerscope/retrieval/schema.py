"""The nouns of retrieval: items, users, interactions, filters, hits. Any domain; nothing scholarly.

Items carry text and categorical fields. A categorical field maps to a tuple of strings (``("2020",)``);
fields named in `NUMERIC` are also compared as integers by range filters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

MOST_HISTORY = 100
"""Items met before that are looked up for a query, served or judged; a tower may look at fewer."""

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


@dataclass(slots=True)
class Item:
    """Something that can be found.

    Attributes:
        id: Stable positive integer (below 2**53).
        title: Short text; never empty.
        text: Longer text ("" where there is none).
        names: Text to be matched lexically but not learned from (author names, identifiers).
        fields: Categorical fields: name to values, as strings ("year": ("2020",)).
    """

    id: int
    title: str
    text: str = ""
    names: str = ""
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class User:
    """Who asks: profile fields and the items met before.

    Attributes:
        id: Any string.
        profile: Categorical field to value.
        history: Ids of items met before, newest first. For training these lie before every interaction of
            the user; what interactions add to them in time is worked out while they are joined.
    """

    id: str = ""
    profile: Mapping[str, str] = field(default_factory=dict)
    history: tuple[int, ...] = ()


@dataclass(slots=True)
class Interaction:
    """A query after which an item was chosen; ``kind`` says how it came about.

    Self-made pairs (``title``, ``sentence``, ``cites``, ``same_person``, ``same_venue``) stand in for
    readers' clicks until there are some.

    Attributes:
        query: What was asked; empty where an item was met without asking, which makes it history only.
        item_id: The chosen item.
        user_id: Who asked, or ``None``.
        kind: How it came about.
        weight: Relative frequency of sampling, above 0.
        time: When, in any unit that grows; an interaction becomes history of later ones of its user.
            Without a time it never does.
    """

    query: str
    item_id: int
    user_id: str | None = None
    kind: str = "click"
    weight: float = 1.0
    time: float | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions that all hold: each field has at least one of the listed values.

    Attributes:
        any_of: Field to accepted values (OR within a field, AND between fields).
        ranges: Numeric field to inclusive bounds, ``None`` for an open end.
    """

    any_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[int | None, int | None]] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether every item passes."""
        return not self.any_of and not self.ranges


@dataclass(frozen=True, slots=True)
class Hits:
    """Ids with scores, best first; ties in order of id. Shapes ``[n]`` and ``[n]``."""

    ids: IntArray
    scores: FloatArray

    def __len__(self) -> int:
        return int(self.ids.shape[0])


class SearchIndex(Protocol):
    """Vectors, words and categorical fields of one set of items.

    Every engine of `peerscope.retrieval.index.ENGINES` passes one contract suite. Vectors are float32 of unit
    length, so that the inner product is the cosine. Methods may be called from several threads for reading;
    writers are serialised by the caller.
    """

    dim: int

    def upsert(self, items: Sequence[Item], vectors: FloatArray) -> None:
        """Add items or replace them by id; ``vectors`` has shape ``[len(items), dim]``.

        Raises:
            ValueError: Wrong shape, NaN or infinite values, or a repeated id; nothing is written.
        """
        ...

    def delete(self, ids: Iterable[int]) -> int:
        """Remove items; unknown ids are passed over. Returns how many were there."""
        ...

    def search_dense(self, vector: FloatArray, k: int, where: Filter | None = None) -> Hits:
        """The ``k`` items of largest inner product with ``vector`` (shape ``[dim]``) of those that pass."""
        ...

    def search_dense_many(
        self, vectors: FloatArray, k: int, where: Filter | None = None
    ) -> list[Hits]:
        """For each of several vectors, shape ``[m, dim]``, what `search_dense` finds."""
        ...

    def search_lexical(self, query: str, k: int, where: Filter | None = None) -> Hits:
        """The ``k`` items of largest BM25 score for any of the query's words among those that pass.

        Any string is a legal query: nothing in it is an operator. No indexable word, no hits.
        """
        ...

    def vectors(self, ids: Sequence[int]) -> FloatArray:
        """Vectors of known items, shape ``[len(ids), dim]``; raises KeyError for an unknown id."""
        ...

    def facets(self, ids: Sequence[int], names: Sequence[str]) -> dict[str, dict[str, int]]:
        """For each field name, how many of the given items carry each value."""
        ...

    def count(self, where: Filter | None = None) -> int:
        """How many items pass."""
        ...

    def ids(self) -> IntArray:
        """All ids, ascending, shape ``[count]``."""
        ...

    def snapshot(self, folder: str) -> None:
        """Write a complete copy into an empty folder; `open` of the same class reads it back."""
        ...

    def close(self) -> None:
        """Nothing is asked after it; files and memory are released when the last query under way ends."""
        ...


@dataclass(frozen=True, slots=True)
class UserInput:
    """What the query tower sees of a user.

    Attributes:
        history: Vectors of the items met before, newest first, shape ``[n, dim]``.
        profile: Categorical field to value.
    """

    history: FloatArray
    profile: Mapping[str, str] = field(default_factory=dict)


class Towers(Protocol):
    """The two towers, for serving: text in, unit vectors out."""

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        ...

    @property
    def personal(self) -> bool:
        """Whether it matters who asks."""
        ...

    def embed_queries(
        self, texts: Sequence[str], users: Sequence[UserInput | None] | None = None
    ) -> FloatArray:
        """Query vectors, one a head, shape ``[len(texts), heads, dim]``; zeros where nothing is known."""
        ...

    def score(self, heads: FloatArray, items: FloatArray) -> FloatArray:
        """Relevance of items to one query: vectors ``[heads, dim]`` and ``[n, dim]`` to ``[n]``."""
        ...

    def embed_items(self, items: Sequence[Item]) -> FloatArray:
        """Item vectors, shape ``[len(items), dim]``; a row of zeros where nothing is known of an item."""
        ...
