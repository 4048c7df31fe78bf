"""How often something may be asked: moving windows, held in memory, per account or per address."""

from __future__ import annotations

import math
import time

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from peerscope.community.errors import TooOftenError

RULES = {
    "sign-in": "10 per 10 minute",  # one account, or one address
    "sign-in.address": "60 per 10 minute",
    "mail": "3 per hour",  # to one e-mail address
    "mail.address": "20 per hour",
    "review": "10 per day",
    "reply": "50 per day",
    "reaction": "100 per day",
    "collection": "30 per day",  # made or forked
    "collection.invite": "30 per day",
    "meeting.report": "20 per day",
    "write": "120 per 10 minute",
    "write.day": "1500 per day",
    "export": "10 per hour",  # of everything an account owns
}
"""What is limited, and how often it may be done; rooms and routes add theirs with `Rates.rule`."""


class Rates:
    """Counts of one server process; safe to use from several threads.

    Several processes count each for itself, so that ``n`` of them let ``n`` times as much through.
    """

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._rules: dict[str, RateLimitItem] = {
            name: parse(often) for name, often in RULES.items()
        }

    def rule(self, name: str, often: str) -> None:
        """Set how often something may be done, as ``20 per day``."""
        self._rules[name] = parse(often)

    def spend(self, name: str, *who: object) -> None:
        """Count one use.

        Raises:
            TooOftenError: There were as many as the rule allows; this one is not counted.
        """
        item, keys = self._rules[name], [name, *map(str, who)]
        if not self._limiter.hit(item, *keys):
            reset = self._limiter.get_window_stats(item, *keys).reset_time
            seconds = max(1, math.ceil(reset - time.time()))
            raise TooOftenError(f"That was often enough for now; {_wait(seconds)}.", seconds)

    def spent(self, name: str, *who: object) -> bool:
        """Whether nothing more is left under a rule; counts nothing."""
        return not self._limiter.test(self._rules[name], name, *map(str, who))

    def clear(self) -> None:
        """Forget all counts."""
        self._limiter.storage.reset()


def _wait(seconds: int) -> str:
    if seconds < 90:
        return f"try again in {seconds} seconds"
    if seconds < 5_400:
        return f"try again in {math.ceil(seconds / 60)} minutes"
    return f"try again in {math.ceil(seconds / 3600)} hours"
