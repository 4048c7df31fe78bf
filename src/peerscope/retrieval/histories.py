"""Who had met which items when they asked: users and interactions joined in memory (DPSR section 5.1.2).

Each event is stored once, in order of user and time, with the place where its item comes next; what a user
had met at some moment is read off when a batch asks for it, so that the training data stays as small as the
log, however long the histories are.
"""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peerscope.retrieval.schema import IntArray, Interaction, User


class Histories:
    """What each user had met at any time.

    Args:
        users: Those with a profile or a history of before; their histories come before all events.
        interactions: Events; those with a user and a finite time become history.
        known: Ids of the catalogue, in its order; items that are not in it are passed over.
    """

    def __init__(
        self, users: Iterable[User], interactions: Iterable[Interaction], known: Iterable[int]
    ) -> None:
        self._ids = np.fromiter(known, dtype=np.int64)
        place = {number: row for row, number in enumerate(self._ids.tolist())}
        self._codes: dict[str, int] = {}
        self._profiles: dict[str, Mapping[str, str]] = {}
        who, met, when, tie = array("q"), array("q"), array("d"), array("q")

        def add(user_id: str, item: int, time: float, order: int) -> None:
            row = place.get(item, -1)
            if row >= 0:
                who.append(self._codes.setdefault(user_id, len(self._codes)))
                met.append(row)
                when.append(time)
                tie.append(order)

        for user in users:
            self._profiles[user.id] = user.profile
            for order, item in enumerate(user.history):
                add(user.id, item, -math.inf, -order)
        for event in interactions:
            if event.user_id is not None and event.time is not None and math.isfinite(event.time):
                add(event.user_id, event.item_id, event.time, event.item_id)
        self._sort(*map(np.asarray, (who, met, when, tie)))

    def _sort(
        self,
        who: IntArray,
        met: IntArray,
        when: NDArray[np.float64],
        tie: IntArray,
    ) -> None:
        order = np.lexsort((tie, when, who))
        who, met = who[order].astype(np.int64), met[order].astype(np.int64)
        self._times = when[order]
        self._items = met.astype(np.int32)
        self._begins = np.searchsorted(who, np.arange(len(self._codes) + 1))
        # Where a user meets the same item next: an event tells nothing once the cut lies beyond that.
        again = np.lexsort((np.arange(len(met)), met, who))
        same = (who[again[1:]] == who[again[:-1]]) & (met[again[1:]] == met[again[:-1]])
        self._next = np.full(len(met), np.iinfo(np.int64).max)
        self._next[again[:-1][same]] = again[1:][same]

    def of(self, user_id: str | None, time: float | None, most: int) -> tuple[int, ...]:
        """Ids of the items met before, newest first, each once, at most ``most``.

        Args:
            user_id: The user; nobody has no history.
            time: When; events of the same moment do not count. Without a time only the history of before
                the events counts, so that nothing is told from the future.
            most: At most so many.
        """
        begin, cut = self._span(user_id, math.nan if time is None else time)
        if begin == cut or most <= 0:
            return ()
        rows, sizes = self.joined(np.asarray([begin]), np.asarray([cut]), most)
        return tuple(self._ids[rows[0, : sizes[0]]].tolist())

    def _span(self, user_id: str | None, time: float) -> tuple[int, int]:
        """Where a user's events begin, and where those end that lie before a time (NaN for none)."""
        code = None if user_id is None else self._codes.get(user_id)
        if code is None:
            return 0, 0
        begin, end = int(self._begins[code]), int(self._begins[code + 1])
        times = self._times[begin:end]
        if math.isnan(time):
            return begin, begin + int(np.searchsorted(times, -math.inf, "right"))
        return begin, begin + int(np.searchsorted(times, time, "left"))

    def asked(self, users: Sequence[str | None], times: Iterable[float]) -> Met:
        """The histories of askings, by their users and times (NaN for none); nothing is joined yet."""
        spans = [self._span(user, time) for user, time in zip(users, times, strict=True)]
        found = np.asarray(spans, dtype=np.int64).reshape(-1, 2)
        return Met(self, found[:, 0].copy(), found[:, 1].copy())

    def joined(self, begins: IntArray, cuts: IntArray, most: int) -> tuple[IntArray, IntArray]:
        """The newest ``most`` distinct items between two places, for each pair of places.

        Returns:
            Places in the catalogue, newest first, shape ``[n, w]`` filled with 0, and how many there are.
        """
        found = np.zeros((len(begins), max(most, 1)), np.int64)
        sizes = np.zeros(len(begins), np.int64)
        upper = cuts.copy()
        rows = np.flatnonzero(cuts > begins) if most > 0 else np.empty(0, np.int64)
        while len(rows):
            low = np.maximum(begins[rows], upper[rows] - 2 * most)
            lengths = upper[rows] - low
            steps = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
            owner, event = np.repeat(rows, lengths), np.repeat(upper[rows] - 1, lengths) - steps
            fresh = self._next[event] >= cuts[owner]
            owner, event = owner[fresh], event[fresh]
            counts = np.bincount(owner, minlength=len(begins))
            starts = np.cumsum(counts) - counts
            rank = sizes[owner] + np.arange(len(owner)) - starts[owner]
            kept = rank < most
            found[owner[kept], rank[kept]] = self._items[event[kept]]
            sizes = np.minimum(sizes + counts, most)
            upper[rows] = low
            rows = rows[(sizes[rows] < most) & (low > begins[rows])]
        return found[:, : max(int(sizes.max(initial=0)), 1)], sizes

    def profile(self, user_id: str | None) -> Mapping[str, str]:
        """The user's profile; empty for nobody."""
        return self._profiles.get(user_id, {}) if user_id is not None else {}

    def profile_values(self, name: str, least: int = 2) -> list[str]:
        """Values of a profile field that at least ``least`` users have, the most frequent first."""
        counts: defaultdict[str, int] = defaultdict(int)
        for profile in self._profiles.values():
            if value := profile.get(name):
                counts[value] += 1
        return frequent(counts, least)

    @property
    def nbytes(self) -> int:
        """Bytes of the stored events."""
        parts = (self._items, self._times, self._next, self._begins)
        return sum(int(part.nbytes) for part in parts)


@dataclass(frozen=True, slots=True)
class Met:
    """The histories of askings, 16 bytes each; they are joined when they are read.

    Attributes:
        histories: The stored events.
        begins: Where the events of each asking's user begin, shape ``[n]``.
        cuts: Where those end that lie before the asking, shape ``[n]``.
    """

    histories: Histories
    begins: IntArray
    cuts: IntArray

    def padded(self, places: IntArray, most: int) -> tuple[IntArray, IntArray]:
        """The newest ``most`` items of the askings at the places; see `Histories.joined`."""
        return self.histories.joined(self.begins[places], self.cuts[places], most)


def frequent(counts: Mapping[str, int], least: int) -> list[str]:
    """Values with at least ``least`` occurrences, the most frequent first, ties by name."""
    kept: Sequence[str] = [value for value, number in counts.items() if number >= least]
    return sorted(kept, key=lambda value: (-counts[value], value))
