"""Who had met which items when they asked: users and interactions joined in memory (DPSR section 5.1.2).

Stored once for each event instead of once for each example: the training data stays as small as the log.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from peerscope.retrieval.schema import Interaction, User


class Histories:
    """What each user had met at any time.

    Args:
        users: Those with a profile or a history of before; their histories come before all events.
        interactions: Events; those with a user and a time become history.
        known: Ids of the catalogue; items that are not in it are passed over.
    """

    def __init__(
        self, users: Iterable[User], interactions: Iterable[Interaction], known: Iterable[int]
    ) -> None:
        self._users = {user.id: user for user in users}
        present = frozenset(known)
        events: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
        for event in interactions:
            if event.user_id is not None and event.time is not None and event.item_id in present:
                events[event.user_id].append((event.time, event.item_id))
        for found in events.values():
            found.sort()
        self._events = dict(events)
        self._before = {
            user.id: tuple(number for number in user.history if number in present)
            for user in self._users.values()
            if user.history
        }

    def of(self, user_id: str | None, time: float | None, most: int) -> tuple[int, ...]:
        """Ids of the items met before, newest first, each once, at most ``most``.

        Args:
            user_id: The user; nobody has no history.
            time: When; events of the same moment do not count. Without a time only the history of before
                the events counts, so that nothing is told from the future.
            most: At most so many.
        """
        if user_id is None or most <= 0:
            return ()
        found: dict[int, None] = {}
        if time is not None:
            events = self._events.get(user_id, [])
            for place in range(bisect_left(events, (time, -1)) - 1, -1, -1):
                found.setdefault(events[place][1])
                if len(found) >= most:
                    return tuple(found)
        for number in self._before.get(user_id, ()):
            found.setdefault(number)
            if len(found) >= most:
                break
        return tuple(found)

    def profile(self, user_id: str | None) -> Mapping[str, str]:
        """The user's profile; empty for nobody."""
        user = self._users.get(user_id) if user_id is not None else None
        return user.profile if user is not None else {}

    def profile_values(self, name: str, least: int = 2) -> list[str]:
        """Values of a profile field that at least ``least`` users have, the most frequent first."""
        counts: defaultdict[str, int] = defaultdict(int)
        for user in self._users.values():
            if value := user.profile.get(name):
                counts[value] += 1
        return frequent(counts, least)


def frequent(counts: Mapping[str, int], least: int) -> list[str]:
    """Values with at least ``least`` occurrences, the most frequent first, ties by name."""
    kept: Sequence[str] = [value for value, number in counts.items() if number >= least]
    return sorted(kept, key=lambda value: (-counts[value], value))
