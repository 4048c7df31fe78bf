"""Training again by the clock, when there is something new.

The served site never trains itself: a process of its own runs ``peerscope train`` and ``peerscope publish``,
at low priority, and the site takes the new bundle up when it is published.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import orjson

from peerscope.atomic import written
from peerscope.discover.clock import ByTheClock
from peerscope.discover.improving import WAITING, read_improvement
from peerscope.discover.news import News, last_seen, news_since
from peerscope.discover.readers import Readers
from peerscope.discover.work_notes import RUNNING
from peerscope.record import Database
from peerscope.settings import Settings

log = logging.getLogger(__name__)

STEPS = ("train", "publish")


class Retraining(ByTheClock):
    """Trains and publishes every so many hours where something is new; a stopped training goes on next time.

    Args:
        settings: The site's.
        database: The record.
        hours: Between the end of one training and the beginning of the next.
        figures: File that says what the last training saw.
    """

    def __init__(self, settings: Settings, database: Database, hours: float, figures: Path) -> None:
        super().__init__(settings, hours, "Retraining")
        self._database, self._figures = database, figures

    def due_at(self) -> float:
        """When it is to be looked next, in seconds since 1970."""
        seen = last_seen(self._figures)
        state = read_state(self.settings)
        latest = max(seen.at if seen else 0.0, state.get("ended", 0.0) if state else 0.0)
        return latest + self.seconds

    def note_failure(self) -> None:
        """Write down that it failed."""
        write_state(self.settings, ended=time.time(), outcome="failed; see the log")

    def once(self) -> bool:
        """Look for news, and train and publish if there are any; whether it did."""
        readers = Readers(self.settings.readers)
        try:
            readers.expire()
            news = news_since(last_seen(self._figures), self._database, readers.state())
        finally:
            readers.close()
        improvement = read_improvement(self.settings)
        if improvement is not None and improvement.state in (WAITING, RUNNING):
            write_state(self.settings, ended=time.time(), outcome="works were being encoded")
            return False
        if not news:
            write_state(self.settings, ended=time.time(), outcome="nothing was new")
            return False
        log.info("Training again: %s.", news.sentence())
        self._steps(news)
        return True

    def _steps(self, news: News) -> None:
        for step in STEPS:
            write_state(self.settings, began=time.time(), outcome=f"{step} is running")
            code, said = self.command(step)
            if self.ending:
                write_state(self.settings, outcome=f"{step} was stopped with the server")
                return
            if code != 0:
                outcome = f"{step} ended with code {code}: {said}"
                write_state(self.settings, ended=time.time(), outcome=outcome)
                log.error("Retraining: %s", outcome)
                return
        outcome = f"trained and published; new: {news.sentence()}"
        write_state(self.settings, ended=time.time(), outcome=outcome)


def state_file(settings: Settings) -> Path:
    """Where the schedule says what it did."""
    return settings.home / "retraining.json"


def read_state(settings: Settings) -> dict[str, Any] | None:
    """What the schedule did last: ``began``, ``ended`` (seconds since 1970) and ``outcome``."""
    try:
        found: dict[str, Any] = orjson.loads(state_file(settings).read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return None
    return found


def write_state(settings: Settings, **changes: float | str) -> None:
    """Change what the schedule says about itself."""
    content = orjson.dumps((read_state(settings) or {}) | changes)
    with written(state_file(settings)) as stream:
        stream.write(content)
