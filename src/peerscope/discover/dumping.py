"""Dumps by the clock: a process of its own runs ``peerscope dump`` every so many hours.

Whether anything changed is found out there; the served site only looks at the clock.
"""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import orjson

from peerscope.atomic import written
from peerscope.discover.child import started
from peerscope.settings import Settings

log = logging.getLogger(__name__)

LONGEST_WAIT = 60.0
"""Seconds between two looks at the clock, so that a machine that slept does not wait for hours more."""


class Dumping:
    """Writes dumps every so many hours, in processes of its own.

    Args:
        settings: The site's.
        hours: Between the end of one dump and the beginning of the next.
    """

    def __init__(self, settings: Settings, hours: float) -> None:
        self._settings, self._seconds = settings, hours * 3600.0
        self._ending = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="dumping", daemon=True)

    def start(self) -> None:
        """Begin to look at the clock."""
        self._thread.start()

    def stop(self) -> None:
        """End, and with it the process that may be writing: what it wrote so far is no dump."""
        self._ending.set()
        child = self._child
        if child is not None and child.poll() is None:
            with suppress(OSError):
                child.terminate()
        self._thread.join(timeout=30)

    def once(self) -> int:
        """Write a dump now; the exit code of the command."""
        child = self._child = started(self._settings, "dump", subprocess.PIPE)
        if self._ending.is_set():
            child.terminate()
        _, said = child.communicate()
        if child.returncode != 0 and not self._ending.is_set():
            told = " ".join(said.decode("utf-8", "replace").split())[-300:]
            log.error("The dump ended with code %s: %s", child.returncode, told)
            write_state(self._settings, f"failed with code {child.returncode}; see the log")
        return child.returncode

    def _run(self) -> None:
        while not self._ending.is_set():
            wait = last_ended(self._settings) + self._seconds - time.time()
            if wait > 0:
                self._ending.wait(min(wait, LONGEST_WAIT))
                continue
            try:
                self.once()
            except Exception:
                log.exception("The dump could not be written; it is tried again at the next time.")
                write_state(self._settings, "failed; see the log")
            self._ending.wait(min(self._seconds, 1.0))


def state_file(settings: Settings) -> Path:
    """Where it stands when the last dump ended, and how."""
    return settings.home / "dumping.json"


def last_ended(settings: Settings) -> float:
    """When the last dump ended, well or not, in seconds since 1970; 0 where there was none."""
    try:
        return float(orjson.loads(state_file(settings).read_bytes())["ended"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def write_state(settings: Settings, outcome: str) -> None:
    """Say that a dump ended now."""
    with written(state_file(settings)) as stream:
        stream.write(orjson.dumps({"ended": time.time(), "outcome": outcome}))
