"""Training again by the clock, when there is something new.

The served site never trains itself: a process of its own runs ``peerscope train`` and ``peerscope publish``,
at low priority, and the site takes the new bundle up when it is published.
"""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from peerscope.atomic import written
from peerscope.discover.child import started
from peerscope.discover.improving import RUNNING, WAITING, read_improvement
from peerscope.discover.news import News, last_seen, news_since
from peerscope.discover.readers import Readers
from peerscope.record import Database
from peerscope.settings import Settings

log = logging.getLogger(__name__)

STEPS = ("train", "publish")
LONGEST_WAIT = 60.0
"""Seconds between two looks at the clock, so that a machine that slept does not wait for hours more."""


class Retraining:
    """Trains and publishes every so many hours where something is new, in processes of its own.

    Args:
        settings: The site's.
        database: The record.
        hours: Between the end of one training and the beginning of the next.
        figures: File that says what the last training saw.
    """

    def __init__(self, settings: Settings, database: Database, hours: float, figures: Path) -> None:
        self._settings, self._database = settings, database
        self._seconds = hours * 3600.0
        self._figures = figures
        self._ending = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="retraining", daemon=True)

    def start(self) -> None:
        """Begin to look at the clock."""
        self._thread.start()

    def stop(self) -> None:
        """End, and with it the process that may be training; training goes on there the next time."""
        self._ending.set()
        child = self._child
        if child is not None and child.poll() is None:
            with suppress(OSError):
                child.terminate()
        self._thread.join(timeout=30)

    def due_at(self) -> float:
        """When it is to be looked next, in seconds since 1970."""
        seen = last_seen(self._figures)
        state = read_state(self._settings)
        latest = max(seen.at if seen else 0.0, state.get("ended", 0.0) if state else 0.0)
        return latest + self._seconds

    def _run(self) -> None:
        while not self._ending.is_set():
            wait = self.due_at() - time.time()
            if wait > 0:
                self._ending.wait(min(wait, LONGEST_WAIT))
                continue
            try:
                self.once()
            except Exception:
                log.exception("Retraining failed; it is tried again at the next time.")
                write_state(self._settings, ended=time.time(), outcome="failed; see the log")
            self._ending.wait(min(self._seconds, 1.0))

    def once(self) -> bool:
        """Look for news, and train and publish if there are any; whether it did."""
        readers = Readers(self._settings.readers)
        try:
            readers.expire()
            news = news_since(last_seen(self._figures), self._database, readers.state())
        finally:
            readers.close()
        improvement = read_improvement(self._settings)
        if improvement is not None and improvement.state in (WAITING, RUNNING):
            write_state(self._settings, ended=time.time(), outcome="works were being encoded")
            return False
        if not news:
            write_state(self._settings, ended=time.time(), outcome="nothing was new")
            return False
        log.info("Training again: %s.", news.sentence())
        self._steps(news)
        return True

    def _steps(self, news: News) -> None:
        for step in STEPS:
            write_state(self._settings, began=time.time(), outcome=f"{step} is running")
            code, said = self._command(step)
            if self._ending.is_set():
                write_state(self._settings, outcome=f"{step} was stopped with the server")
                return
            if code != 0:
                outcome = f"{step} ended with code {code}: {said}"
                write_state(self._settings, ended=time.time(), outcome=outcome)
                log.error("Retraining: %s", outcome)
                return
        outcome = f"trained and published; new: {news.sentence()}"
        write_state(self._settings, ended=time.time(), outcome=outcome)

    def _command(self, step: str) -> tuple[int, str]:
        """Run one command of this program on this site; its exit code and the last it said."""
        child = self._child = started(self._settings, step, subprocess.PIPE)
        if self._ending.is_set():
            child.terminate()
        _, said = child.communicate()
        told = " ".join(said.decode("utf-8", "replace").split())
        return child.returncode, told[max(told.rfind("Error:"), 0) :][:300]


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
