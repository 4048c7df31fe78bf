"""Dumps by the clock: a process of its own runs ``peerscope dump`` every so many hours.

Whether anything changed is found out there; the served site only looks at the clock.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

import orjson

from peerscope.atomic import written
from peerscope.discover.clock import ByTheClock
from peerscope.settings import Settings

log = logging.getLogger(__name__)


class Dumping(ByTheClock):
    """Writes dumps every so many hours; what a stopped process wrote is no dump.

    Args:
        settings: The site's.
        hours: Between the end of one dump and the beginning of the next.
    """

    def __init__(self, settings: Settings, hours: float) -> None:
        super().__init__(settings, hours, "Writing a dump")

    def due_at(self) -> float:
        """When it is to be written next, in seconds since 1970."""
        return last_ended(self.settings) + self.seconds

    def once(self) -> int:
        """Write a dump now; the exit code of the command."""
        code, said = self.command("dump")
        if code != 0 and not self.ending:
            log.error("The dump ended with code %s: %s", code, said)
            write_state(self.settings, f"failed with code {code}; see the log")
        return code

    def note_failure(self) -> None:
        """Write down that it failed."""
        write_state(self.settings, "failed; see the log")


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
