"""How far the making of a map is, for the operator and for the page of a map that is not there yet."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import orjson

from peerscope.atomic import written
from peerscope.retrieval.bundle import alive
from peerscope.settings import Settings

TOLD_EVERY = 1.0
RUNNING, DONE, FAILED = "running", "done", "failed"


@dataclass(frozen=True, slots=True)
class MapNote:
    """What the making of a map is at, or came to.

    Attributes:
        state: ``running``, ``done``, ``failed``; ``stopped`` where its process ended before its work.
        bundle: The bundle whose map it is.
        stage: What it is at.
        done: How much of the stage is done.
        total: How much there is; ``None`` where that is unknown.
        process: Number of the process.
        changed: When this was noted, in seconds since 1970.
        note: What it came to, in words.
    """

    state: str
    bundle: str
    stage: str = ""
    done: int = 0
    total: int | None = None
    process: int | None = None
    changed: float = 0.0
    note: str = ""

    def sentence(self) -> str:
        """For the operator."""
        far = f" ({self.done:,} of {self.total:,})" if self.total else ""
        go_on = "`peerscope serve` or `peerscope map` goes on from there"
        return {
            RUNNING: f"{self.stage}{far}, process {self.process}.",
            "stopped": f"stopped at: {self.stage}{far}; {go_on}.",
            DONE: self.note,
            FAILED: f"failed: {self.note}",
        }.get(self.state, self.state)

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


def read_note(settings: Settings) -> MapNote | None:
    """What was noted last; ``None`` where no map was ever begun."""
    try:
        found = MapNote(**orjson.loads((settings.maps / "making.json").read_bytes()))
    except (OSError, orjson.JSONDecodeError, TypeError):
        return None
    if found.state == RUNNING and (found.process is None or not alive(found.process)):
        return replace(found, state="stopped")
    return found


def write_note(settings: Settings, note: MapNote) -> None:
    """Note how far it is."""
    with written(settings.maps / "making.json") as stream:
        stream.write(orjson.dumps(replace(note, changed=time.time())))


class Telling:
    """Passes progress on, and writes it down at most once a second."""

    def __init__(self, settings: Settings, bundle: str, progress: Any) -> None:
        self._settings, self._bundle, self._progress = settings, bundle, progress
        self._stage, self._at = "", 0.0

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Pass it on, and note it if it is time."""
        self._progress(stage, done, total)
        now = time.monotonic()
        if stage != self._stage or now - self._at >= TOLD_EVERY:
            self._stage, self._at = stage, now
            note = MapNote(RUNNING, self._bundle, stage, done, total, os.getpid())
            write_note(self._settings, note)
