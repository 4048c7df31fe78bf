"""Which interactions are kept from training and indexing, to judge by: the newest, or those of some queries.

By time where nearly all events have one, since a model is asked about the future; else by a hash of the
query, so that the same query is never on both sides.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from peerscope.retrieval.files.interactions import InteractionTable

By = Literal["time", "query", "nothing"]

SHARE = 0.1
"""Of the interactions, by default."""

TIMED = 0.9
"""Share of the events that must have a time before they are split by it."""


@dataclass(frozen=True, slots=True)
class HeldOutPart:
    """A rule that says of each interaction whether it is held out.

    Attributes:
        by: ``time``, ``query``, or ``nothing``.
        share: About how many.
        since: The first time that is held out.
    """

    by: By = "nothing"
    share: float = 0.0
    since: float | None = None

    @classmethod
    def chosen(
        cls, events: InteractionTable, share: float = SHARE, by: By | None = None
    ) -> HeldOutPart:
        """The rule for these events.

        Raises:
            ValueError: The share is not from 0 to 0.5, or the events cannot be split by time.
        """
        if not 0 <= share <= 0.5:
            raise ValueError(f"From 0 to half of the interactions can be held out, not {share:g}.")
        if share == 0 or by == "nothing" or not len(events):
            return cls()
        times = events.time[~np.isnan(events.time)]
        since = float(np.quantile(times, 1 - share, method="higher")) if len(times) else None
        splits = since is not None and since > times.min() and len(times) >= TIMED * len(events)
        if by == "time" and not splits:
            raise ValueError(
                "The interactions cannot be split by time: too few have one, or all have the same. "
                "Fill the column `time`, or hold out by query."
            )
        if by == "query" or not splits:
            return cls("query", share)
        return cls("time", share, since)

    def mask(self, events: InteractionTable) -> NDArray[np.bool_]:
        """Which events are held out, shape ``[n]``."""
        if self.by == "time":
            assert self.since is not None
            late: NDArray[np.bool_] = events.time >= self.since  # NaN is not
            return late
        chosen = [self.by == "query" and _hashed(query) < self.share for query in events.queries]
        found = np.asarray(chosen, dtype=bool)
        return found[events.query] if len(found) else np.zeros(len(events), dtype=bool)

    def to_dict(self) -> dict[str, Any]:
        """For ``trained.json``."""
        return asdict(self)


def _hashed(query: str) -> float:
    """A number in [0, 1) that the query alone decides; "" (no query) is never held out."""
    if not query:
        return 1.0
    found = blake2b(query.encode("utf-8", "replace"), digest_size=8, person=b"held-out").digest()
    return int.from_bytes(found, "big") / 2**64
