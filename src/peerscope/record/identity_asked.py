"""What somebody asks for about who is who, as plain values that a form or a queue can hold.

`proposed` reads it against the record as it is then; nothing in it is trusted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from peerscope.record.database import Database
from peerscope.record.identity_events import decide, preview, preview_undo, undo
from peerscope.record.identity_proposals import (
    MOST_AUTHORSHIPS,
    assign,
    detach,
    merge,
    split,
)
from peerscope.record.identity_shapes import Consequences, IdentityError, Proposal

KINDS = ("split", "merge", "detach", "assign", "undo")
UNREADABLE = "This is not something that can be decided; go back to the page and choose again."
LARGEST = 2**53
MOST_PARTS = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """A split, a merge, a "not mine", an assignment, or an undoing.

    Attributes:
        kind: One of `KINDS`.
        person: Who is split, whose works are detached, whose the authorships are; ``None`` in an assignment
            to somebody new.
        people: Who is merged.
        parts: Works of each other person, in a split.
        works: Works that are detached.
        authorships: Undecided ones that are assigned.
        event: What is undone.
    """

    kind: str
    person: int | None = None
    people: tuple[int, ...] = ()
    parts: tuple[tuple[int, ...], ...] = ()
    works: tuple[int, ...] = ()
    authorships: tuple[int, ...] = ()
    event: int | None = None

    def write(self) -> str:
        """As JSON; what is empty is left out."""
        values = {
            "kind": self.kind, "person": self.person, "people": self.people, "parts": self.parts,
            "works": self.works, "authorships": self.authorships, "event": self.event,
        }  # fmt: skip
        return json.dumps(
            {k: v for k, v in values.items() if v not in (None, ())}, separators=(",", ":")
        )

    @classmethod
    def read(cls, text: str) -> Asked:
        """From JSON.

        Raises:
            IdentityError: It cannot be read, or holds more than one event may name.
        """
        try:
            given = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise IdentityError(UNREADABLE) from error
        if not isinstance(given, dict) or given.get("kind") not in KINDS:
            raise IdentityError(UNREADABLE)
        parts = given.get("parts", [])
        if not isinstance(parts, list) or len(parts) > MOST_PARTS:
            raise IdentityError(UNREADABLE)
        return cls(
            given["kind"],
            _number(given.get("person")),
            _numbers(given.get("people", [])),
            tuple(_numbers(part) for part in parts),
            _numbers(given.get("works", [])),
            _numbers(given.get("authorships", [])),
            _number(given.get("event")),
        )


def _number(given: Any) -> int | None:
    if given is None:
        return None
    if not isinstance(given, int) or isinstance(given, bool) or not 0 < given < LARGEST:
        raise IdentityError(UNREADABLE)
    return given


def _numbers(given: Any) -> tuple[int, ...]:
    if not isinstance(given, list) or len(given) > MOST_AUTHORSHIPS:
        raise IdentityError(UNREADABLE)
    return tuple(n for one in given if (n := _number(one)) is not None)


def proposed(session: Session, asked: Asked) -> Proposal:
    """What is asked for, as the record stands; not for an undoing.

    Raises:
        IdentityError: The record speaks against it.
    """
    if asked.kind == "merge":
        return merge(session, asked.people)
    if asked.kind == "assign":
        return assign(session, asked.authorships, asked.person)
    if asked.person is None:
        raise IdentityError(UNREADABLE)
    if asked.kind == "split":
        return split(session, asked.person, asked.parts)
    if asked.kind == "detach":
        return detach(session, asked.person, asked.works)
    raise IdentityError(UNREADABLE)


def look_at(database: Database, asked: Asked) -> Consequences:
    """What would follow; nothing is changed.

    Raises:
        IdentityError: The record speaks against it.
    """
    if asked.kind == "undo":
        return preview_undo(database, asked.event or 0)
    with database.session() as session:
        proposal = proposed(session, asked)
    return preview(database, proposal)


def carry_out(
    database: Database, asked: Asked, by: str, reason: str = "", expected: str = ""
) -> Consequences:
    """Do it, in one transaction.

    Args:
        database: The record.
        asked: What.
        by: Who decides, as the history keeps them.
        reason: Shown in the history.
        expected: `Consequences.digest` of what was looked at; empty where nothing was.

    Raises:
        IdentityError: The record speaks against it, or something else would follow than was expected.
    """
    if asked.kind == "undo":
        return undo(database, asked.event or 0, by, reason, expected)
    with database.session() as session:
        proposal = proposed(session, asked)
    return decide(database, proposal, by, reason, expected)
