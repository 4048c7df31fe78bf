"""What is proposed, decided and undone about who is who, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256


class IdentityError(ValueError):
    """A proposal contradicts the record; the sentence says how, and what helps."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an event would say.

    Attributes:
        kind: ``split``, ``merge``, ``detach`` or ``assign``.
        labels: Authorship to label.
        people: The persons whose they may be when it is decided; ``None`` for nobody's.
    """

    kind: str
    labels: Mapping[int, str]
    people: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """An authorship that changes hands; ``None`` is nobody yet."""

    work: int
    title: str
    name: str
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """A person before and after; a name or count is ``None`` where there is no such person then."""

    person: int
    name_before: str | None
    name_after: str | None
    works_before: int | None
    works_after: int | None
    leads_to: int | None
    """Where the address of a person without works leads."""


@dataclass(frozen=True, slots=True)
class Consequences:
    """Everything that an event, or its undoing, changes.

    Attributes:
        event: Its number; in a preview, the one it would get.
        kind: The event's, or ``undo``.
        people: Before and after.
        moved: Authorships that change hands.
    """

    event: int
    kind: str
    people: tuple[Standing, ...]
    moved: tuple[Moved, ...]

    def digest(self) -> str:
        """A hash of what changes, whatever the event's number."""
        return sha256(repr((self.kind, self.people, self.moved)).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class PastEvent:
    """An event in the history, with how many authorships it names and the persons it is about."""

    id: int
    kind: str
    made_at: datetime
    made_by: str
    reason: str
    undone_at: datetime | None
    undone_by: str | None
    undone_reason: str | None
    authorships: int
    people: tuple[int, ...]
