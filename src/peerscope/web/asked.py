"""What an address asks for: filters, sorts and pages, read leniently, and addresses built back from them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.datastructures import QueryParams

from peerscope.discover.shapes import SORTS, SearchFilters
from peerscope.record.parsed import WORK_TYPES

LONGEST = 2000
MOST_VALUES = 20
DEEPEST = 400
NEAR = {"W": 8, "A": 8, "T": 12, "I": 0, "S": 0}
"""How many neighbours the page of an entity shows; institutions and venues have none."""

LATEST_YEAR = 9999
ENTITY_FILTERS = {"topic": "T", "person": "A", "institution": "I", "venue": "S"}
_FIELDS = {"topic": "topics", "person": "people", "institution": "institutions", "venue": "venues"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A search as its address states it."""

    query: str
    filters: SearchFilters
    sort: str
    page: int
    personal: bool = True
    """Whether a reader's own history may move the order."""

    def address(
        self,
        *,
        page: int = 1,
        sort: str | None = None,
        personal: bool | None = None,
        **changes: Any,
    ) -> str:
        """The address of this search, changed in some respect; a change starts at the first page."""
        filters = replace(self.filters, **changes)
        pairs: list[tuple[str, str]] = [("q", self.query)]
        pairs += [("type", kind) for kind in filters.types]
        for name, letter in ENTITY_FILTERS.items():
            pairs += [(name, f"{letter}{number}") for number in getattr(filters, _FIELDS[name])]
        for name in ("year_from", "year_to"):
            if (year := getattr(filters, name)) is not None:
                pairs.append((name, str(year)))
        if filters.open_access is not None:
            pairs.append(("oa", "yes" if filters.open_access else "no"))
        if (order := sort or self.sort) != "relevance":
            pairs.append(("sort", order))
        if not (self.personal if personal is None else personal):
            pairs.append(("personal", "off"))
        if page != 1:
            pairs.append(("page", str(page)))
        return f"/search?{urlencode([pair for pair in pairs if pair[1]])}"

    def feed(self) -> str:
        """The address of this search as a feed; the same for every reader."""
        query = self.address(personal=True).partition("?")[2]
        return f"/search/feed.atom?{query}" if query else "/search/feed.atom"

    def with_value(self, facet: str, value: str) -> str:
        """The address with a facet's value added."""
        if facet == "year":
            return self.address(year_from=int(value), year_to=int(value))
        changes: dict[str, Any] = {_field(facet): _values(self.filters, facet, value, add=True)}
        return self.address(**changes)

    def without(self, facet: str, value: str) -> str:
        """The address with a facet's value taken away."""
        if facet == "year":
            return self.address(year_from=None, year_to=None)
        changes: dict[str, Any] = {_field(facet): _values(self.filters, facet, value, add=False)}
        return self.address(**changes)

    def active(self) -> list[tuple[str, str]]:
        """Facet and value of every filter that is set."""
        found = [("type", kind) for kind in self.filters.types]
        for name in ENTITY_FILTERS:
            found += [(name, str(number)) for number in getattr(self.filters, _FIELDS[name])]
        low, high = self.filters.year_from, self.filters.year_to
        if low is not None or high is not None:
            text = f"{low or '…'} to {high or '…'}" if low != high else str(low)
            found.append(("year", text))
        if self.filters.open_access is not None:
            found.append(("open_access", "yes" if self.filters.open_access else "no"))
        return found

    def has(self, facet: str, value: str) -> bool:
        """Whether this value of a facet is set."""
        return (facet, value) in self.active()


def _field(facet: str) -> str:
    return {"type": "types", "open_access": "open_access", "year": "year_from"}.get(
        facet, _FIELDS.get(facet, facet)
    )


def _values(filters: SearchFilters, facet: str, value: str, *, add: bool) -> Any:
    if facet == "open_access":
        return (value == "yes") if add else None
    current = getattr(filters, _field(facet))
    own = value if facet == "type" else int(value)
    kept = tuple(one for one in current if one != own)
    return (*kept, own) if add else kept


def number_in(value: str | None, low: int, high: int) -> int | None:
    """A whole number within bounds, however it is written; anything else is ``None``."""
    if value is None or not re.fullmatch(r"\s*\d{1,9}\s*", value, re.ASCII):
        return None
    number = int(value)
    return number if low <= number <= high else None


def page_in(given: Mapping[str, str], name: str = "page") -> int:
    """The page asked for, from 1 to `DEEPEST`; 1 for anything else."""
    return number_in(given.get(name), 1, DEEPEST) or 1


def asked(given: QueryParams) -> Asked:
    """Read a search's address; what cannot be understood is left out."""
    entities: dict[str, Any] = {field: _entities(given, name) for name, field in _FIELDS.items()}
    filters = SearchFilters(
        year_from=number_in(given.get("year_from"), 0, LATEST_YEAR),
        year_to=number_in(given.get("year_to"), 0, LATEST_YEAR),
        types=tuple(dict.fromkeys(t for t in given.getlist("type") if t in WORK_TYPES)),
        open_access={"yes": True, "no": False}.get(given.get("oa", "")),
        **entities,
    )
    sort = given.get("sort", "relevance")
    query = given.get("q", "").replace("\x00", " ").strip()[:LONGEST]
    return Asked(
        query,
        filters,
        sort if sort in SORTS else "relevance",
        page_in(given),
        given.get("personal") != "off",
    )


def asked_at(address: str) -> Asked:
    """As `asked`, from the address of a search."""
    return asked(QueryParams(urlsplit(address).query))


def _entities(given: QueryParams, name: str) -> tuple[int, ...]:
    letter = ENTITY_FILTERS[name]
    found = (re.fullmatch(rf"{letter}(\d{{1,15}})", one, re.ASCII) for one in given.getlist(name))
    return tuple(dict.fromkeys(int(match[1]) for match in found if match))[:MOST_VALUES]
