"""Train and publish: from the record to a bundle in service.

Training leaves its towers under ``home/towers``; publishing reads whatever towers are there. Both can be
run alone, again, and after a kill: each replaces its result by one rename. Where there is a sentence encoder
both read texts through it, and what it once encoded is kept under ``home/encodings``.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy.orm import Session

from peerscope.discover.catalogue import catalogue, interactions
from peerscope.discover.evidence import Mixture, mixed, reader_interactions
from peerscope.discover.forgetting import ForgetfulEncoder
from peerscope.discover.news import Seen, before_now, bounds_now, last_seen
from peerscope.discover.readers import LogState, Readers
from peerscope.discover.topics import suggest_topics
from peerscope.record import Database, change_seq, file_lock
from peerscope.record.suggested import replace_suggested_topics, works_without_topics
from peerscope.retrieval import (
    BuildReport,
    BundleStore,
    EncodingCache,
    Interaction,
    Item,
    TwoTowers,
    build,
    installed_encoder,
    item_text,
    item_vectors,
    load_towers,
    save_towers,
    train,
)
from peerscope.settings import Settings

Progress = Callable[[str, int, int | None], None]

NO_TOWERS = "No towers are trained, so this bundle searches by words only; run `peerscope train`."


@dataclass(frozen=True, slots=True)
class TrainOutcome:
    """What training did: a sentence, its figures, and how long it took."""

    note: str
    seconds: float
    figures: dict[str, Any] = field(default_factory=dict)

    def sentence(self) -> str:
        """For the operator."""
        return f"{self.note} ({self.seconds:.0f} s)"

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class PublishOutcome:
    """What publishing did."""

    report: BuildReport
    suggested_topics: int
    seconds: float
    note: str | None = None

    @property
    def published(self) -> bool:
        """Whether the bundle is in service."""
        return self.report.published

    @property
    def refusal(self) -> str:
        """Why it is not, as sentences."""
        return self.report.refusal

    def sentence(self) -> str:
        """For the operator."""
        state = "published" if self.published else "not published"
        about = (
            f"Bundle {self.report.bundle} {state}: {self.report.items:,} works, "
            f"{self.report.bytes / 1e6:,.0f} MB ({self.seconds:.0f} s)."
        )
        gates = [f"  {gate.name}: {gate.sentence}" for gate in self.report.gates]
        return "\n".join([about, *([self.note] if self.note else []), *gates])

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "bundle": self.report.bundle,
            "published": self.published,
            "items": self.report.items,
            "bytes": self.report.bytes,
            "fusion": self.report.fusion.to_dict(),
            "gates": [gate.to_dict() for gate in self.report.gates],
            "suggested_topics": self.suggested_topics,
            "seconds": self.seconds,
        }


def towers_folder(settings: Settings) -> Path:
    """Where the last trained towers lie."""
    return settings.home / "towers"


def site_encoder(settings: Settings) -> EncodingCache | None:
    """The site's sentence encoder, with all that it encoded before; ``None`` where there is none.

    Raises:
        EncoderError: The one that the settings name is missing or was changed.
    """
    encoder = installed_encoder(settings.encoder)
    return None if encoder is None else EncodingCache(settings.encodings, encoder)


def works_to_encode(settings: Settings, database: Database) -> int:
    """How many works the site's encoder has not read yet; 0 without an encoder."""
    encoder = site_encoder(settings)
    if encoder is None:
        return 0
    with database.session() as session:
        texts = [item_text(item) for item in catalogue(session)]
    return len(texts) - encoder.known(texts)


def encode_site(settings: Settings, database: Database, progress: Progress) -> int:
    """Encode the works that were not yet; stopped at any moment, it goes on from there. Returns how many."""
    encoder = site_encoder(settings)
    if encoder is None:
        return 0
    with database.session() as session:
        texts = [item_text(item) for item in _items(session, progress)]
    waiting = len(texts) - encoder.known(texts)
    if waiting:
        encoder.encode(texts, progress)
    return waiting


def train_site(
    settings: Settings, database: Database, progress: Progress, *, encoded: bool = True
) -> TrainOutcome:
    """Train the towers from the record and its readers, and put them in the place of the last ones.

    Args:
        settings: The site's.
        database: The record.
        progress: Told of the stage.
        encoded: Whether the towers read texts through the site's encoder, if it has one.

    Raises:
        WriterBusyError: Another process is training this site.
    """
    began = time.perf_counter()
    settings.home.mkdir(parents=True, exist_ok=True)
    with file_lock(settings.home / "training.lock", "training"):
        with database.session() as session:
            seen = change_seq(session)
        items, pairs = _catalogue(database, progress)
        state, mixture = _with_readers(settings, items, pairs)
        before = before_now(BundleStore(settings.bundles), len(items), state)
        asked = mixture.asked()
        warm = _remembering(before.towers, settings, asked) if before is not None else None
        encoder = installed_encoder(settings.encoder) if encoded else None
        checkpoints = settings.home / "training"
        trained = train(
            items,
            mixture.pairs,
            encoder=ForgetfulEncoder(settings.encodings, encoder, asked) if encoder else None,
            warm=warm,
            checkpoints=checkpoints,
            progress=progress,
        )
        if trained is None:
            note = "No word occurs in two works: there is nothing to learn from yet."
            return TrainOutcome(note, time.perf_counter() - began)
        went_on = warm is not None and trained.towers.front is warm.front
        fitted = before.seen.front_items if before is not None and went_on else len(items)
        stated = Seen(time.time(), seen, state.last, state.erasures, state.file, fitted)
        trained.figures |= {"readers": mixture.figures(), "seen": asdict(stated)}
        _replace(towers_folder(settings), trained.towers, trained.figures)
        shutil.rmtree(checkpoints, ignore_errors=True)
    return TrainOutcome(
        f"{trained.note}{mixture.sentence()}", time.perf_counter() - began, trained.figures
    )


def _replace(folder: Path, towers: TwoTowers, figures: dict[str, Any]) -> None:
    """Write beside the old towers, then swap; a kill in between leaves the old ones or the new."""
    fresh, old = folder.with_name("towers.new"), folder.with_name("towers.old")
    for left in (fresh, old):
        shutil.rmtree(left, ignore_errors=True)
    save_towers(towers, fresh)
    (fresh / "training.json").write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2))
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    handle = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    shutil.rmtree(old, ignore_errors=True)


def trained_towers(settings: Settings) -> TwoTowers | None:
    """The last trained towers, or ``None``; the swap's leftovers count as what they are."""
    folder = towers_folder(settings)
    for place in (folder, folder.with_name("towers.old")):
        if (place / "towers.json").exists():
            return load_towers(place)
    return None


def publish_site(settings: Settings, database: Database, progress: Progress) -> PublishOutcome:
    """Build a bundle from the record and the trained towers, and publish it if it passes its gates.

    Works without a topic from any source first get the topics that their vectors suggest.
    """
    began = time.perf_counter()
    towers = trained_towers(settings)
    trained = last_seen(figures_file(settings)) if towers is not None else None
    with database.session() as session:
        seen = change_seq(session)
    items, pairs = _catalogue(database, progress)
    state, mixture = _with_readers(settings, items, pairs)
    store = BundleStore(settings.bundles)
    vectors = None
    if towers is not None and items:
        vectors = item_vectors(_remembering(towers, settings), items, progress)
    suggested = 0
    if vectors is not None:
        suggested = _suggest(database, items, vectors, progress)
        if suggested:
            with database.session() as session:
                items = list(catalogue(session))
    report = build(
        items,
        mixture.pairs,
        store,
        towers=towers if items else None,
        vectors=vectors,
        bounds=bounds_now(store, state),
        metadata={"change_seq": seen, "trained": asdict(trained) if trained else None},
        engine=settings.index,
        progress=progress,
    )
    note = NO_TOWERS if towers is None else None
    return PublishOutcome(report, suggested, time.perf_counter() - began, note)


def _remembering(
    towers: TwoTowers, settings: Settings, unkept: frozenset[str] = frozenset()
) -> TwoTowers:
    """The towers with kept encodings, for many texts at once; a single query is quicker without.

    Readers' queries, ``unkept``, are encoded each time and leave nothing behind.
    """
    encoder = towers.front.encoder
    if encoder is None:
        return towers
    return towers.reading_by(ForgetfulEncoder(settings.encodings, encoder, unkept))


def _suggest(database: Database, items: list[Item], vectors: Any, progress: Progress) -> int:
    """Suggest topics for the works that have none; returns how many topics there are."""
    with database.session() as session:
        bare = set(works_without_topics(session))
    rows = [row for row, item in enumerate(items) if item.id in bare]
    progress("suggesting topics", 0, None)
    topics = suggest_topics(
        [items[row].id for row in rows], [items[row].title for row in rows], vectors[rows]
    )
    with database.writer("suggesting topics"), database.begin() as session:
        replace_suggested_topics(session, topics)
    return len(topics)


def figures_file(settings: Settings) -> Path:
    """Where the last training says what it did and saw."""
    return towers_folder(settings) / "training.json"


def _with_readers(
    settings: Settings, items: list[Item], pairs: list[Interaction]
) -> tuple[LogState, Mixture]:
    """The record's pairs and those of the readers who keep a history, and up to where their log goes."""
    readers = Readers(settings.readers)
    try:
        readers.expire()
        return readers.state(), mixed(items, pairs, reader_interactions(readers))
    finally:
        readers.close()


def _catalogue(database: Database, progress: Progress) -> tuple[list[Item], list[Interaction]]:
    with database.session() as session:
        return _items(session, progress), interactions(session)


def _items(session: Session, progress: Progress) -> list[Item]:
    items: list[Item] = []
    for item in catalogue(session):
        items.append(item)
        if len(items) % 5000 == 0:
            progress("reading the record", len(items), None)
    return items
