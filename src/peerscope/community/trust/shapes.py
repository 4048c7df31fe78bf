"""The snapshot itself: seven dimensions, every term that was added up, and where each comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

State = Literal["evidence", "none_found", "not_checked", "not_applicable"]

STATES: dict[State, str] = {
    "evidence": "evidence",
    "none_found": "looked for, none found",
    "not_checked": "not checked",
    "not_applicable": "not applicable",
}
"""State to its words."""

DIMENSIONS = {
    "identity": "Identity",
    "authorship": "Authorship",
    "openness": "Openness",
    "reproduction": "Reproduction",
    "review": "Review and curation",
    "integrity": "Integrity notices",
    "data": "Freshness and coverage of our own data",
}
"""Id of a dimension to its heading, in the order in which they are shown."""

ABOVE = "points above the line"
"""Label of what stands below the line where there is no list of what could be found."""


@dataclass(frozen=True, slots=True)
class Term:
    """A number of things of one sort, and how many points each counts.

    Attributes:
        label: What they are.
        count: How many, from 0.
        weight: Points of one, from 0.
        warn: Whether a reader should look at them: matched by name only, a retraction.
    """

    label: str
    count: int
    weight: int = 1
    warn: bool = False

    @property
    def points(self) -> int:
        """Points of all of them."""
        return self.count * self.weight


@dataclass(frozen=True, slots=True)
class Trace:
    """Where one thing that was counted can be seen.

    Attributes:
        label: Its title.
        url: A page of this site, or the address of a notice.
        source: Who says so.
        retrieved_at: Day, ISO 8601; empty where it is not known.
        method: How it was looked for, such as ``authorship.orcid``.
        count: How many things it stands for.
    """

    label: str
    url: str
    source: str
    retrieved_at: str
    method: str
    count: int = 1

    def to_dict(self) -> dict[str, str | None]:
        """As plain data."""
        return {
            "url": self.url, "label": self.label, "source": self.source,
            "retrieved_at": self.retrieved_at or None, "method": self.method,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dimension:
    """One of the seven.

    Attributes:
        id: A key of `DIMENSIONS`.
        state: Whether there is evidence, none was found, or nobody looked.
        statement: What is known, as a sentence with its counts.
        terms: Above the line: what was found, each with its points.
        below: Below the line: what could have been found, and what is added so that the value stays under 1.
        would_change: What would change this, as a sentence.
        traces: Where what counts can be seen.
    """

    id: str
    state: State
    statement: str
    terms: tuple[Term, ...] = ()
    below: tuple[Term, ...] = ()
    would_change: str = ""
    traces: tuple[Trace, ...] = ()

    @property
    def value(self) -> Fraction | None:
        """In [0, 1), exact; ``None`` where nothing was checked or nothing applies."""
        if self.state in ("not_checked", "not_applicable"):
            return None
        return Fraction(points(self.terms), points(self.below))

    @property
    def n(self) -> int:
        """How many things could be found: the list below the line, or what was found where there is none."""
        if self.below and self.below[0].label != ABOVE:
            return self.below[0].count
        return sum(term.count for term in self.terms if term.weight)

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        value = self.value
        return {
            "id": self.id,
            "state": self.state,
            "statement": self.statement,
            "value": None if value is None else float(value),
            "value_exact": None if value is None else f"{points(self.terms)}/{points(self.below)}",
            "n": self.n,
            "terms": [_term(term) for term in self.terms],
            "below": [_term(term) for term in self.below],
            "evidence": [trace.to_dict() for trace in self.traces],
            "would_change": self.would_change,
        }


def points(terms: Sequence[Term]) -> int:
    """Points of several terms together."""
    return sum(term.points for term in terms)


def _term(term: Term) -> dict[str, Any]:
    told: dict[str, Any] = {"label": term.label, "count": term.count, "weight": term.weight}
    return told | ({"warn": True} if term.warn else {})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known of a person, and how; no number stands for all of it.

    Attributes:
        person: Number of the person.
        name: As the record shows it.
        orcid: Bare; empty where none is stated.
        formula: Id and version of the formula.
        level: ``L0`` to ``L5``.
        proofs: Kind, issuer, day of verification and of expiry of the proofs in force.
        dimensions: All seven, in the order of `DIMENSIONS`.
    """

    person: int
    name: str
    orcid: str
    formula: str
    level: str
    proofs: tuple[tuple[str, str, str, str], ...]
    dimensions: tuple[Dimension, ...]

    @property
    def checked(self) -> int:
        """Number of dimensions in which somebody looked."""
        return sum(one.state in ("evidence", "none_found") for one in self.dimensions)

    def of(self, dimension: str) -> Dimension:
        """One dimension by its id."""
        return next(one for one in self.dimensions if one.id == dimension)

    def to_dict(self) -> dict[str, Any]:
        """As plain data; the time of computing is the caller's to add."""
        return {
            "subject": f"person:{self.orcid or f'A{self.person}'}",
            "person": f"A{self.person}",
            "name": self.name,
            "formula": self.formula,
            "verification": {
                "level": self.level,
                "proofs": [
                    {"kind": kind, "issuer": issuer, "verified_at": at, "expires_at": ends or None}
                    for kind, issuer, at, ends in self.proofs
                ],
            },
            "dimensions": [one.to_dict() for one in self.dimensions],
            "coverage": {"checked": self.checked, "of": len(self.dimensions)},
            "composite": None,
            "history": f"/people/A{self.person}/trust/history",
        }
