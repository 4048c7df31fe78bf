"""What a browser keeps by itself: works saved, people and topics followed, things to see less of.

All of it stands in one cookie, as numbers; the site keeps nothing. Whoever changes the cookie changes what
they are shown and nothing else, so that it is read with doubt and not signed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from peerscope.discover.taste import Less, Taste

MOST_ENTRIES = 60
"""Entries of a shelf; the oldest make room."""

LONGEST_SHELF = 1_200
"""Characters of a cookie that are read: `MOST_ENTRIES` of the longest numbers fit in."""

VERSION = "1"
_ENTRY = re.compile(r"-?[WAT][1-9]\d{0,14}", re.ASCII)
_KINDS = {"save": "W", "follow": "AT", "less": "WAT"}


@dataclass(frozen=True, slots=True)
class Shelf:
    """Entries, the oldest first: ``W12`` saved, ``A3`` or ``T4`` followed, ``-W5`` to see less of."""

    entries: tuple[str, ...] = ()

    @classmethod
    def read(cls, cookie: str) -> Shelf | None:
        """The shelf of a cookie; ``None`` where it is none, parts that cannot be read left out."""
        if len(cookie) > LONGEST_SHELF or cookie.split(".")[0] != VERSION:
            return None
        parts = [part for part in cookie.split(".")[1:] if _ENTRY.fullmatch(part)]
        return cls(tuple(dict.fromkeys(parts))[-MOST_ENTRIES:])

    def written(self) -> str:
        """The cookie of this shelf."""
        return ".".join((VERSION, *self.entries))

    def __contains__(self, entry: str) -> bool:
        return entry in self.entries

    def with_entry(self, do: str, what: str) -> Shelf:
        """The shelf after somebody asked to ``save``, ``follow`` or see ``less`` of something.

        Raises:
            ValueError: This cannot be done with it.
        """
        if not _ENTRY.fullmatch(what) or what[0] not in _KINDS.get(do, ""):
            raise ValueError(f"{what!r} cannot be kept so.")
        entry, other = (f"-{what}", what) if do == "less" else (what, f"-{what}")
        kept = [one for one in self.entries if one not in (entry, other)]
        if entry in self.entries:
            return self
        return Shelf((*kept, entry)[-MOST_ENTRIES:])

    def without(self, entry: str) -> Shelf:
        """The shelf without an entry."""
        return Shelf(tuple(one for one in self.entries if one != entry))

    def taste(self, up_to: int | None = None) -> Taste:
        """The shelf as a taste.

        Args:
            up_to: How many entries count, for the later pages of a list; what is muted always counts.
        """
        wanted = [one for one in self.entries[:up_to] if not one.startswith("-")][::-1]
        works = self._numbers(wanted, "W")
        less = Less(*(frozenset(self._numbers(self.entries, f"-{letter}")) for letter in "WTA"))
        return Taste(
            works, frozenset(works), self._numbers(wanted, "T"), self._numbers(wanted, "A"), less
        )

    @staticmethod
    def _numbers(entries: tuple[str, ...] | list[str], start: str) -> tuple[int, ...]:
        return tuple(int(one[len(start) :]) for one in entries if one.startswith(start))
