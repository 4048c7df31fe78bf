"""How far a long job in the background is: a note in a file, for the operator and for pages."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import orjson

from peerscope.atomic import written
from peerscope.retrieval.bundle import alive

TOLD_EVERY = 1.0
"""Seconds between two notes of how far it is."""

RUNNING, STOPPED, DONE, FAILED = "running", "stopped", "done", "failed"


@dataclass(frozen=True, slots=True)
class WorkNote:
    """What a job is at, or came to.

    Attributes:
        state: ``running``, ``done``, ``failed``; ``stopped`` where its process ended before its work.
        stage: What it is at.
        done: How much of the stage is done.
        total: How much there is; ``None`` where that is unknown.
        process: Number of the process.
        changed: When this was noted, in seconds since 1970.
        note: What it came to, in words.
    """

    state: str
    stage: str = ""
    done: int = 0
    total: int | None = None
    process: int | None = None
    changed: float = 0.0
    note: str = ""

    @property
    def far(self) -> str:
        """The stage, and how much of it is done where that is known."""
        return f"{self.stage} ({self.done:,} of {self.total:,})" if self.total else self.stage

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


N = TypeVar("N", bound=WorkNote)


def read_work(path: Path, kind: type[N]) -> N | None:
    """The note in a file; ``None`` where there is none, or none that can be read."""
    try:
        found = kind(**orjson.loads(path.read_bytes()))
    except (FileNotFoundError, orjson.JSONDecodeError, TypeError):
        return None
    if found.state == RUNNING and (found.process is None or not alive(found.process)):
        return replace(found, state=STOPPED)
    return found


def write_work(path: Path, note: WorkNote) -> None:
    """Note what a job is at, now."""
    with written(path) as stream:
        stream.write(orjson.dumps(replace(note, changed=time.time())))


def reason_of(error: Exception) -> str:
    """Why a job failed, in a line."""
    return " ".join(str(error).split())[:300] or type(error).__name__


class Telling:
    """Passes progress on, and writes it down at most every `TOLD_EVERY` seconds.

    Args:
        path: The file of the note.
        about: What is known of the job from the beginning.
        progress: Whom it is passed on to.
    """

    def __init__(
        self, path: Path, about: WorkNote, progress: Callable[[str, int, int | None], None]
    ) -> None:
        self._path, self._about, self._progress = path, about, progress
        self._stage, self._at = "", 0.0

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Pass it on, and note it if it is time."""
        self._progress(stage, done, total)
        now = time.monotonic()
        if stage != self._stage or now - self._at >= TOLD_EVERY:
            self._stage, self._at = stage, now
            at = replace(self._about, stage=stage, done=done, total=total, process=os.getpid())
            write_work(self._path, at)
