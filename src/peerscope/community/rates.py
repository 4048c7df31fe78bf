"""How often something may be asked: windows of time, held in memory, per account or per address."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter

from peerscope.community.errors import TooOftenError
from peerscope.community.times import now

RULES = {
    "sign-in": "10 per 10 minute",  # one account, or one address
    "sign-in.address": "60 per 10 minute",
    "mail": "3 per hour",  # to one e-mail address
    "mail.address": "20 per hour",
    "claim": "6 per day",  # claims on records, of one account
    "claim.ask": "6 per day",
    "domain": "6 per day",
    "vouch.link": "10 per day",
    "correct.address": "5 per day",  # requests about a person's page, from one address
    "review": "10 per day",
    "reply": "50 per day",
    "reaction": "100 per day",
    "collection": "30 per day",  # made or forked
    "add": "40 per day",  # files, pastes and lists of identifiers brought to be imported
    "collection.invite": "30 per day",
    "write": "120 per 10 minute",
    "write.day": "1500 per day",
    "export": "10 per hour",  # of everything an account owns
    "invitation": "10 per day",
    "invitation.young": "2 per day",
    "message": "60 per 10 minute",
    "message.young": "20 per hour",
    "review.young": "3 per day",
    "report": "20 per day",
    "report.young": "5 per day",
}
"""What is limited, and how often it may be done; rooms and routes add theirs with `Rates.rule`.

A rule that ends in ``.young`` is the one for accounts of less than a day (`Rates.spend_of`).
"""

YOUNG = timedelta(days=1)
"""An account of less than this gets by with less, so that many fresh ones are of little use to a spammer."""


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

    def spend_of(self, name: str, account_id: int, joined_at: datetime) -> None:
        """Count one use by an account, under the tighter rule while it is young.

        Raises:
            TooOftenError: There were as many as the rule allows; this one is not counted.
        """
        young = now() - joined_at < YOUNG
        self.spend(f"{name}.young" if young else name, account_id)

    def spent(self, name: str, *who: object) -> bool:
        """Whether nothing more is left under a rule; counts nothing."""
        return not self._limiter.test(self._rules[name], name, *map(str, who))

    def clear(self) -> None:
        """Forget all counts."""
        self._limiter.storage.reset()


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of an allowance after one more use.

    Attributes:
        limit: Uses in one window.
        window: Its length, in seconds.
        remaining: Uses left in it.
        seconds: Until the next one begins, at least 1.
        refused: Whether this use was one too many; it is not counted.
    """

    limit: int
    window: int
    remaining: int
    seconds: int
    refused: bool


class Allowance:
    """How often each address may ask the API: fixed windows, so that one number an address is held.

    Unlike `Rates` it refuses by its answer: what is left is told with every one. Several processes count each
    for itself.

    Args:
        often: As ``1200 per minute``.
    """

    def __init__(self, often: str) -> None:
        self._rule = parse(often)
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def take(self, who: str) -> Left:
        """Count one use."""
        allowed = self._limiter.hit(self._rule, who)
        stats = self._limiter.get_window_stats(self._rule, who)
        window = self._rule.get_expiry()
        seconds = min(max(1, math.ceil(stats.reset_time - time.time())), window)
        remaining = max(0, stats.remaining) if allowed else 0
        return Left(self._rule.amount, window, remaining, seconds, not allowed)


def _wait(seconds: int) -> str:
    if seconds < 90:
        return f"try again in {seconds} seconds"
    if seconds < 5_400:
        return f"try again in {math.ceil(seconds / 60)} minutes"
    return f"try again in {math.ceil(seconds / 3600)} hours"
