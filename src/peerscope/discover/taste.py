"""What somebody follows, saved, opened and wants less of, wherever it is kept: one value, merged from parts.

The parts are a reader's history, what an account saved and follows, and the shelf that a browser keeps by
itself. Nothing is read or written here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

MOST_WISHES = 400
"""Works, and topics and people each, of a taste; what came before them is passed over."""


@dataclass(frozen=True, slots=True)
class Less:
    """Works, topics and people that somebody wants to see less of: nothing of them is in their feed."""

    works: frozenset[int] = frozenset()
    topics: frozenset[int] = frozenset()
    people: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.works or self.topics or self.people)


@dataclass(frozen=True, slots=True)
class Taste:
    """What a feed and an order of search are made from.

    Attributes:
        met: Works saved, or opened after a search, newest first.
        saved: Those of them that are saved.
        topics: Topics followed.
        people: People followed.
        less: What is left out of the feed.
    """

    met: tuple[int, ...] = ()
    saved: frozenset[int] = frozenset()
    topics: tuple[int, ...] = ()
    people: tuple[int, ...] = ()
    less: Less = field(default_factory=Less)

    def __bool__(self) -> bool:
        return bool(self.met or self.topics or self.people)

    def did(self, work: int) -> str:
        """What was done with a work that was met, as a word."""
        return "saved" if work in self.saved else "opened"


def merged(parts: Iterable[Taste]) -> Taste:
    """Several parts as one, in the order given: a work saved anywhere is saved, "less" wins over following.

    The same parts in the same order give the same taste; a part given twice changes nothing.
    """
    given = list(parts)
    less = Less(
        frozenset().union(*(part.less.works for part in given)),
        frozenset().union(*(part.less.topics for part in given)),
        frozenset().union(*(part.less.people for part in given)),
    )
    met = _once(part.met for part in given)
    return Taste(
        met,
        frozenset().union(*(part.saved for part in given)).intersection(met),
        _once((part.topics for part in given), less.topics),
        _once((part.people for part in given), less.people),
        less,
    )


def _once(parts: Iterable[tuple[int, ...]], left_out: Iterable[int] = ()) -> tuple[int, ...]:
    gone = set(left_out)
    found = dict.fromkeys(number for part in parts for number in part if number not in gone)
    return tuple(found)[:MOST_WISHES]
