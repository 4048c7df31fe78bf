"""External ids and the integers that stand for them inside; answers speak the external ones.

An id is text outside, whatever type a file gives it. Numbers are dense, so that the words of an index stay
small, and an id keeps its number from one bundle to the next, so that the two can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping


class ItemIds:
    """Both ways between external ids and numbers.

    Args:
        before: Numbers that ids had in an earlier bundle; an id that comes back gets its number again.
    """

    def __init__(self, before: Mapping[str, int] | None = None) -> None:
        self._before = before or {}
        self._next = max(self._before.values(), default=0) + 1
        self._number: dict[str, int] = {}
        self._own: dict[int, str] = {}

    def add(self, own: str) -> int:
        """The number of a new id, from 1.

        Raises:
            ValueError: The id is here already.
        """
        if own in self._number:
            raise ValueError(f"The id {own!r} is here already.")
        number = self._before.get(own)
        if number is None:
            number, self._next = self._next, self._next + 1
        self._number[own] = number
        self._own[number] = own
        return number

    def remove(self, own: str) -> None:
        """Forget an id, if it is here; its number is not given again."""
        number = self._number.pop(own, None)
        if number is not None:
            del self._own[number]

    def number(self, own: str) -> int | None:
        """The number of an id, ``None`` for one that is not here."""
        return self._number.get(own)

    def own(self, number: int) -> str:
        """The external id of a number; raises KeyError for an unknown one."""
        return self._own[number]

    def __len__(self) -> int:
        return len(self._number)

    def __iter__(self) -> Iterator[tuple[str, int]]:
        return iter(self._number.items())
