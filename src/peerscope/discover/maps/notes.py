"""How far the making of a map is, for the operator and for the page of a map that is not there yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from peerscope.discover.work_notes import DONE, FAILED, RUNNING, STOPPED, WorkNote, read_work
from peerscope.settings import Settings


@dataclass(frozen=True, slots=True)
class MapNote(WorkNote):
    """What the making of a map is at, or came to.

    Attributes:
        bundle: The bundle whose map it is.
    """

    bundle: str = ""

    def sentence(self) -> str:
        """For the operator."""
        go_on = "`peerscope serve` or `peerscope map` goes on from there"
        return {
            RUNNING: f"{self.far}, process {self.process}.",
            STOPPED: f"stopped at: {self.far}; {go_on}.",
            DONE: self.note,
            FAILED: f"failed: {self.note}",
        }.get(self.state, self.state)


def note_file(settings: Settings) -> Path:
    """Where it is noted."""
    return settings.maps / "making.json"


def read_note(settings: Settings) -> MapNote | None:
    """What was noted last; ``None`` where no map was ever begun, or nobody can read it."""
    try:
        return read_work(note_file(settings), MapNote)
    except OSError:
        return None
