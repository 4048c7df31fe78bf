"""What the last training saw, what has come since, and whether the next one may go on from its towers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import orjson
from sqlalchemy import func, select

from peerscope.discover.readers import LogState
from peerscope.record import Database
from peerscope.record.models import Work
from peerscope.retrieval import BundleStore, TwoTowers, load_towers
from peerscope.retrieval.gates import Bounds

MOST_GROWTH = 1.1
"""How much the catalogue may have grown since the fixed part of the towers was fitted to it: the words of
works that came later have no vectors there."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the last training saw; written beside the towers.

    Attributes:
        at: When, in seconds since 1970.
        change_seq: The record's change number.
        last_entry: Highest entry number of the readers' log.
        erasures: How many times readers had erased something.
        file: Name of the readers' file.
        front_items: How many items the towers' fixed part was fitted to.
    """

    at: float
    change_seq: int
    last_entry: int = 0
    erasures: int = 0
    file: str = ""
    front_items: int = 0

    def erased_since(self, state: LogState) -> bool:
        """Whether something that it may have seen was erased, by readers or with the whole file."""
        if self.last_entry == 0:
            return False
        return (self.file, self.erasures) != (state.file, state.erasures)


@dataclass(frozen=True, slots=True)
class News:
    """What came since the last training."""

    works: int
    entries: int
    erased: bool

    def __bool__(self) -> bool:
        return bool(self.works or self.entries or self.erased)

    def sentence(self) -> str:
        """For the operator."""
        parts = [f"{self.works:,} works added or changed"] if self.works else []
        parts += [f"{self.entries:,} openings and saves of readers"] if self.entries else []
        parts += ["entries erased by readers"] if self.erased else []
        return ", ".join(parts) if parts else "nothing"


def last_seen(figures: Path) -> Seen | None:
    """What the last training saw, as its figures state it; ``None`` where there was none that says so."""
    try:
        stated = orjson.loads(figures.read_bytes()).get("seen")
        return Seen(**stated) if stated else None
    except (FileNotFoundError, orjson.JSONDecodeError, TypeError):
        return None


def news_since(seen: Seen | None, database: Database, state: LogState) -> News:
    """What came since; without an earlier training, everything."""
    with database.session() as session:
        changed = select(func.count()).select_from(Work).where(
            Work.change_seq > (seen.change_seq if seen else 0)
        )  # fmt: skip
        works = int(session.scalar(changed) or 0)
    if seen is None:
        return News(works, state.last, False)
    entries = state.last - seen.last_entry if state.file == seen.file else state.last
    return News(works, entries, seen.erased_since(state))


@dataclass(frozen=True, slots=True)
class Before:
    """Towers in service, and what they were trained on."""

    towers: TwoTowers
    seen: Seen


def before_now(store: BundleStore, items: int, state: LogState) -> Before | None:
    """The towers in service, where the next training may go on from them.

    Not where a reader erased something after they were trained: what they learned from it would go on in
    their weights. Not where the catalogue outgrew them (`MOST_GROWTH`), or they cannot be read.
    """
    seen = in_service(store)
    if seen is None or seen.erased_since(state) or items > MOST_GROWTH * seen.front_items:
        return None
    try:
        return Before(load_towers(store.path(store.current() or "") / "towers"), seen)
    except (OSError, ValueError):
        return None


def in_service(store: BundleStore) -> Seen | None:
    """What the towers in service were trained on, as the bundle's manifest states it."""
    try:
        name = store.current()
        stated = store.manifest(name).metadata.get("trained") if name is not None else None
        return Seen(**stated) if stated else None
    except (OSError, ValueError, TypeError):
        return None


def bounds_now(store: BundleStore, state: LogState) -> Bounds:
    """What the gates demand of the next bundle.

    Where a reader erased something since the towers in service were trained, it need not be as good as the
    bundle that had learned from it: else that one could stay for good. It must still beat words alone.
    """
    seen = in_service(store)
    if seen is not None and seen.erased_since(state):
        return Bounds(worse_than_before=1.0)
    return Bounds()
