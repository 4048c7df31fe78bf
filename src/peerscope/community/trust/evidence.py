"""What is known of a person before anything is added up: plain values with their sources.

"Not looked for", "looked for and none found" and a finding stay three things (`Looked`). Everything that a
snapshot says follows from these values and from nothing else: the same evidence gives the same snapshot.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

KINDS = (
    "abstract", "affiliations", "topics", "references", "open_access", "artifacts", "notices", "ids",
)  # fmt: skip
"""Kinds of statement that a source can carry at all (`peerscope.record.parsed.Covered`)."""

Bond = Literal["confirmed", "orcid", "decided", "source", "evidence", "name"]
"""How a work came to be the person's, the strongest first (`BONDS`)."""

BONDS: dict[Bond, str] = {
    "confirmed": "confirmed by the person",
    "orcid": "carrying the person's ORCID in the metadata",
    "decided": "a decision by hand on this site",
    "source": "a source's own number for the person",
    "evidence": "the name, with evidence such as a shared coauthor",
    "name": "the name only",
}
"""Bond to its words."""


HERE = "this site"
"""Source of what is known from here."""


class Looked(Enum):
    """Whether something was found at a work."""

    FOUND = "found"
    NOT_FOUND = "looked for, not found"
    NOT_LOOKED_FOR = "not looked for"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who says so.

    Attributes:
        source: Name of the source.
        retrieved_at: Day on which it was read, ISO 8601; empty where that is not known.
    """

    source: str
    retrieved_at: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """A retraction, an expression of concern or a correction, as a source states it.

    Attributes:
        kind: ``retraction``, ``concern``, ``correction``, or what else the source calls it.
        date: Of the notice, as precise as the source is; empty where it gives none.
        url: Of the notice; empty where the source gives none.
        origin: Who states it.
    """

    kind: str
    date: str
    url: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class WorkFacts:
    """What is known of one work of the person.

    Attributes:
        work: Its number in the record.
        title: As the record shows it.
        bond: How it came to be the person's.
        bond_origin: Who states the authorship.
        open_access: Whether a source says that it can be read without paying.
        open_origin: Who says so.
        code: Whether a source links code.
        code_origin: Who links it.
        data: Whether a source links data.
        data_origin: Who links it.
        notices: Those stated of it.
        looked_for: The `KINDS` that any of its sources looks for.
        read: Sources that state the work, with the day on which each was read.
    """

    work: int
    title: str
    bond: Bond = "name"
    bond_origin: Origin | None = None
    open_access: Looked = Looked.NOT_LOOKED_FOR
    open_origin: Origin | None = None
    code: Looked = Looked.NOT_LOOKED_FOR
    code_origin: Origin | None = None
    data: Looked = Looked.NOT_LOOKED_FOR
    data_origin: Origin | None = None
    notices: tuple[Notice, ...] = ()
    looked_for: frozenset[str] = frozenset()
    read: tuple[Origin, ...] = ()


@dataclass(frozen=True, slots=True)
class ClaimFacts:
    """A claim of one of the person's works, with the verdict that stands.

    Attributes:
        claim: Its id.
        work: Number of the work.
        statement: What it says.
        state: ``reproduced``, ``exceeded``, ``partly``, ``not_reproduced``, ``not_resolved`` or ``not_run``.
        date: Day on which the attempt ended, ISO 8601; empty without one.
        url: Page of the claim.
    """

    claim: str
    work: int
    statement: str
    state: str
    date: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class ProofFacts:
    """A proof of who the account behind a claimed record is.

    Attributes:
        kind: Such as ``email`` or ``orcid``.
        label: The kind in words.
        rung: The level of the ladder that it stands on, 1 to 5.
        issuer: Who vouches for it: a host, an organisation, a person of this site.
        verified_at: Day, ISO 8601.
        expires_at: Day, ISO 8601; empty if it does not expire.
        in_force: Neither expired nor revoked.
        url: Where the evidence can be seen; empty if nowhere public.
    """

    kind: str
    label: str
    rung: int
    issuer: str
    verified_at: str
    expires_at: str = ""
    in_force: bool = True
    url: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.rung <= 5:
            raise ValueError(f"A proof stands on a level from 1 to 5, not on {self.rung}.")


@dataclass(frozen=True, slots=True)
class ReviewFacts:
    """A review that the person's work received, or that the person gave.

    Attributes:
        work: Number of the work.
        given: Whether the person gave it.
        date: Day, ISO 8601.
        left_out: Why it has no weight (`peerscope.community.trust.reviews`); empty if it has.
        url: Where it can be read.
    """

    work: int
    given: bool
    date: str
    left_out: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What accounts of this site have said about a person: nothing, as long as nobody joined.

    Attributes:
        claimed: Whether an account owns the record.
        level: ``L0`` to ``L5``; ``L0`` while the record is unclaimed.
        proofs: All of them, expired and revoked ones included.
        confirmed: Number of each work that the owner of the record confirmed, and the day, ISO 8601.
        reviews: Received and given; ``None`` while this site has no reviews to look at.
    """

    claimed: bool = False
    level: str = "L0"
    proofs: tuple[ProofFacts, ...] = ()
    confirmed: frozenset[tuple[int, str]] = frozenset()
    reviews: tuple[ReviewFacts, ...] | None = None


UNCLAIMED = Standing()
"""Of a person who has not joined."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that a snapshot is made of.

    Attributes:
        person: Number of the person in the record.
        name: As the record shows it.
        orcid: Bare; empty where none is stated.
        identifiers: Scheme and value of identifiers that sources state for the person.
        works: One entry a work, by number.
        claims: Claims of these works that can be run.
        standing: What accounts have said.
    """

    person: int
    name: str
    orcid: str = ""
    identifiers: tuple[tuple[str, str], ...] = ()
    works: tuple[WorkFacts, ...] = ()
    claims: tuple[ClaimFacts, ...] = ()
    standing: Standing = field(default=UNCLAIMED)
