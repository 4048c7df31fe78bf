"""Work by the clock: a served site starts commands of this program every so many hours.

The server only looks at the clock; whether there is anything to do, and doing it, is a process of its own.
"""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from abc import ABC, abstractmethod

from peerscope.discover.child import outcome, started
from peerscope.settings import Settings

log = logging.getLogger(__name__)

LONGEST_WAIT = 60.0
"""Seconds between two looks at the clock, so that a machine that slept does not wait for hours more."""


class ByTheClock(ABC):
    """A job of a served site that comes round.

    Args:
        settings: The site's.
        hours: Between the end of one turn and the beginning of the next.
        name: What the job is called in the log and among the threads.
    """

    def __init__(self, settings: Settings, hours: float, name: str) -> None:
        self.settings, self.seconds, self.name = settings, hours * 3600.0, name
        self._ending = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @abstractmethod
    def due_at(self) -> float:
        """When its next turn is, in seconds since 1970."""

    @abstractmethod
    def once(self) -> object:
        """Do it now."""

    @abstractmethod
    def note_failure(self) -> None:
        """Write down that a turn failed, so that the next one is not due at once."""

    @property
    def ending(self) -> bool:
        """Whether the server is being stopped."""
        return self._ending.is_set()

    def start(self) -> None:
        """Begin to look at the clock."""
        self._thread.start()

    def stop(self) -> None:
        """End, and with it the process that may be at work."""
        self._ending.set()
        self._thread.join(timeout=30)

    def command(self, *words: str) -> tuple[int, str]:
        """Run one command of this program on this site; its exit code and what it said as an error."""
        self._child = started(self.settings, words[0], subprocess.PIPE, *words[1:])
        return outcome(self._child, self._ending)

    def _run(self) -> None:
        while not self.ending:
            wait = self.due_at() - time.time()
            if wait > 0:
                self._ending.wait(min(wait, LONGEST_WAIT))
                continue
            try:
                self.once()
            except Exception:
                log.exception("%s failed; it is tried again at the next time.", self.name)
                self.note_failure()
            self._ending.wait(min(self.seconds, 1.0))
