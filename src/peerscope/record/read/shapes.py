"""Small values that all read models share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

PER_PAGE = 25
LISTED_AUTHORS = 30

T = TypeVar("T")


class Known(Enum):
    """What is known of a kind of statement that a page has no value for."""

    NOT_LOOKED_FOR = "not imported"
    NONE_STATED = "none stated"

    @classmethod
    def of(cls, kind: str, covered: str) -> Known:
        """Whether any source of the work (``covered``: kinds, separated by blanks) looks for the kind."""
        return cls.NONE_STATED if kind in covered.split() else cls.NOT_LOOKED_FOR


@dataclass(frozen=True, slots=True)
class Link:
    """An entity with its label; ``id`` is ``None`` where the record cannot say which it is."""

    entity: str
    id: int | None
    label: str
    count: int | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class WorkCard:
    """A work in a list."""

    id: int
    title: str
    title_markup: str | None
    year: int | None
    type: str
    venue: Link | None
    authors: tuple[Link, ...]
    authors_count: int
    cited_by_count: int
    is_oa: bool | None
    snippet: str | None
    snippet_kind: str | None


@dataclass(frozen=True, slots=True)
class PageOf(Generic[T]):
    """One page of a list, from 1, and how long the list is."""

    rows: tuple[T, ...]
    total: int
    page: int
    per_page: int = PER_PAGE

    @property
    def pages(self) -> int:
        """Number of pages, at least 1."""
        return max(1, -(-self.total // self.per_page))
