"""A site that improves while it is in use: words first, the sentence encoder in the background.

Encoding a large record takes many minutes. So the site is published without it at once, and a process of its
own, at low priority, encodes, trains and publishes again; the running server takes the new bundle up. The
process can be stopped at any moment: what it encoded is kept, and the next one goes on from there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from peerscope.atomic import written
from peerscope.discover.child import started
from peerscope.discover.pipeline import (
    Progress,
    PublishOutcome,
    encode_site,
    publish_site,
    train_site,
    works_to_encode,
)
from peerscope.record import Database, file_lock
from peerscope.retrieval import BundleStore
from peerscope.retrieval.bundle import alive
from peerscope.settings import Settings

TOLD_EVERY = 1.0
"""Seconds between two notes of how far it is."""

WAITING, RUNNING, DONE, REFUSED, FAILED = "waiting", "running", "done", "refused", "failed"


@dataclass(frozen=True, slots=True)
class Improvement:
    """What the background work is doing, or did last.

    Attributes:
        state: ``waiting``, ``running``, ``done``, ``refused`` by the gates, ``failed``; ``stopped`` when
            its process ended before its work.
        stage: What it is at.
        done: How much of the stage is done.
        total: How much there is; ``None`` where that is unknown.
        process: Number of the process.
        changed: When this was noted, in seconds since 1970.
        note: Why it was refused or failed.
    """

    state: str
    stage: str = ""
    done: int = 0
    total: int | None = None
    process: int | None = None
    changed: float = 0.0
    note: str = ""

    def sentence(self) -> str:
        """For the operator."""
        at = f"{datetime.fromtimestamp(self.changed, UTC):%Y-%m-%d %H:%M} UTC"
        far = f" ({self.done:,} of {self.total:,})" if self.total else ""
        go_on = "`peerscope serve` or `peerscope improve`"
        return {
            WAITING: f"{self.total or 0:,} works wait to be encoded; {go_on} does it.",
            RUNNING: f"{self.stage}{far}, process {self.process}.",
            "stopped": f"stopped at: {self.stage}{far}; {go_on} goes on from there.",
            DONE: f"encoded, trained and published at {at}.",
            REFUSED: f"the bundle of {at} was not published: {self.note}",
            FAILED: f"failed at {at}: {self.note}",
        }.get(self.state, self.state)

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


def to_improve_later(settings: Settings, database: Database) -> int:
    """How many works to leave to the background because there are too many to wait for; 0 for none."""
    waiting = works_to_encode(settings, database)
    return waiting if waiting > settings.encoder_at_once else 0


def encoder_in_service(settings: Settings) -> bool:
    """Whether the bundle in service reads texts through a sentence encoder."""
    store = BundleStore(settings.bundles)
    name = store.current()
    return name is not None and (store.path(name) / "towers" / "encoder").is_dir()


def improve_site(settings: Settings, database: Database, progress: Progress) -> PublishOutcome:
    """Encode what was not yet, train and publish, and note how far it is.

    Raises:
        WriterBusyError: Another process is at it.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    with file_lock(settings.home / "improving.lock", "encoding and training"):
        told = _Notes(settings, progress)
        try:
            encode_site(settings, database, told)
            train_site(settings, database, told)
            published = publish_site(settings, database, told)
        except Exception as error:
            note = " ".join(str(error).split())[:300] or type(error).__name__
            write_improvement(settings, Improvement(FAILED, note=note))
            raise
        state = DONE if published.published else REFUSED
        write_improvement(settings, Improvement(state, note=published.refusal))
    return published


class _Notes:
    """Passes progress on, and writes it down at most once a second."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self._settings, self._progress = settings, progress
        self._stage, self._at = "", 0.0

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        self._progress(stage, done, total)
        now = time.monotonic()
        if stage != self._stage or now - self._at >= TOLD_EVERY:
            self._stage, self._at = stage, now
            noted = Improvement(RUNNING, stage, done, total, os.getpid())
            write_improvement(self._settings, noted)


@contextmanager
def improving(settings: Settings) -> Iterator[None]:
    """While the block runs, a process of its own improves the site, if there is something left to do."""
    now = read_improvement(settings)
    if now is None or now.state not in (WAITING, "stopped"):
        yield
        return
    child = started(settings, "improve")
    try:
        yield
    finally:
        if child.poll() is None:
            with suppress(OSError):
                child.terminate()
        child.wait()


def note_waiting(settings: Settings, works: int) -> None:
    """Leave so many works to the background."""
    write_improvement(settings, Improvement(WAITING, total=works))


def read_improvement(settings: Settings) -> Improvement | None:
    """What the background work is doing; ``None`` where there never was any."""
    try:
        found = Improvement(**orjson.loads(_file(settings).read_bytes()))
    except (FileNotFoundError, orjson.JSONDecodeError, TypeError):
        return None
    if found.state == RUNNING and (found.process is None or not alive(found.process)):
        return replace(found, state="stopped")
    return found


def write_improvement(settings: Settings, noted: Improvement) -> None:
    """Note what the background work is doing."""
    with written(_file(settings)) as stream:
        stream.write(orjson.dumps(replace(noted, changed=time.time())))


def _file(settings: Settings) -> Path:
    return settings.home / "improving.json"
