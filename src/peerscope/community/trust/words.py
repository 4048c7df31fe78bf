"""How a snapshot says things: counts with their nouns, lists, days, kinds of statement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

KIND_WORDS = {
    "abstract": "abstracts",
    "affiliations": "affiliations",
    "topics": "topics",
    "references": "references",
    "open_access": "open access states",
    "artifacts": "code and data",
    "notices": "integrity notices",
    "ids": "identifiers",
}
"""Kind of statement to its words."""


def counted(number: int, one: str, many: str) -> str:
    """A count with its noun."""
    return f"{number:,} {one if number == 1 else many}"


def listed(items: Sequence[str], most: int = 12) -> str:
    """Items as a list in a sentence; beyond ``most`` it says how many more there are."""
    shown = list(items[:most])
    if len(items) > most:
        shown.append(f"{len(items) - most:,} more")
    if len(shown) < 2:
        return "".join(shown)
    return ", ".join(shown[:-1]) + " and " + shown[-1]


def days(given: Iterable[str]) -> str:
    """When the sources were read, as a sentence; empty where no day is known."""
    known = sorted({day for day in given if day})
    if not known:
        return ""
    if len(known) == 1:
        return f"Read on {known[0]}."
    return f"Read between {known[0]} and {known[-1]}."
