"""A site that improves while it is in use: words first, the sentence encoder in the background.

Encoding a large record takes many minutes. So the site is published without it at once, and a process of its
own, at low priority, encodes, trains and publishes again; the running server takes the new bundle up. The
process can be stopped at any moment: what it encoded is kept, and the next one goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from peerscope.discover.child import started
from peerscope.discover.pipeline import (
    Progress,
    PublishOutcome,
    encode_site,
    publish_site,
    train_site,
    works_to_encode,
)
from peerscope.discover.work_notes import (
    DONE,
    FAILED,
    RUNNING,
    STOPPED,
    Telling,
    WorkNote,
    read_work,
    reason_of,
    write_work,
)
from peerscope.record import Database, file_lock
from peerscope.retrieval import BundleStore
from peerscope.settings import Settings

WAITING, REFUSED = "waiting", "refused"


@dataclass(frozen=True, slots=True)
class Improvement(WorkNote):
    """What the background work is at or came to; also ``waiting``, or ``refused`` by the gates."""

    def sentence(self) -> str:
        """For the operator."""
        at = f"{datetime.fromtimestamp(self.changed, UTC):%Y-%m-%d %H:%M} UTC"
        go_on = "`peerscope serve` or `peerscope improve`"
        return {
            WAITING: f"{self.total or 0:,} works wait to be encoded; {go_on} does it.",
            RUNNING: f"{self.far}, process {self.process}.",
            STOPPED: f"stopped at: {self.far}; {go_on} goes on from there.",
            DONE: f"encoded, trained and published at {at}.",
            REFUSED: f"the bundle of {at} was not published: {self.note}",
            FAILED: f"failed at {at}: {self.note}",
        }.get(self.state, self.state)


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
        told = Telling(_file(settings), Improvement(RUNNING), progress)
        try:
            encode_site(settings, database, told)
            train_site(settings, database, told)
            published = publish_site(settings, database, told)
        except Exception as error:
            write_improvement(settings, Improvement(FAILED, note=reason_of(error)))
            raise
        state = DONE if published.published else REFUSED
        write_improvement(settings, Improvement(state, note=published.refusal))
    return published


@contextmanager
def improving(settings: Settings) -> Iterator[None]:
    """While the block runs, a process of its own improves the site, if there is something left to do."""
    now = read_improvement(settings)
    if now is None or now.state not in (WAITING, STOPPED):
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
    return read_work(_file(settings), Improvement)


def write_improvement(settings: Settings, noted: Improvement) -> None:
    """Note what the background work is doing."""
    write_work(_file(settings), noted)


def _file(settings: Settings) -> Path:
    return settings.home / "improving.json"
