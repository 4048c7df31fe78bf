"""Train and index from files: the three files in, towers and a bundle in service out.

Both can be run alone, again, and after a kill: each replaces its result by one rename, and goes on where it
was.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Any

import orjson
from safetensors import SafetensorError

from peerscope.atomic import written
from peerscope.retrieval.build import BuildReport, build
from peerscope.retrieval.bundle import BundleError, synced
from peerscope.retrieval.encoder import installed_encoder
from peerscope.retrieval.encodings import EncodingCache
from peerscope.retrieval.files.catalogue import Catalogue, Files, read_catalogue
from peerscope.retrieval.files.changes import ChangeLog
from peerscope.retrieval.files.held_out import SHARE, By, HeldOutPart
from peerscope.retrieval.files.home import Home, ModelFolder
from peerscope.retrieval.files.serving import CHANGES
from peerscope.retrieval.files.stored import StoredCatalogue, write_stored
from peerscope.retrieval.files.vectors import embedded
from peerscope.retrieval.histories import Histories
from peerscope.retrieval.keeping import load_towers, save_towers
from peerscope.retrieval.learn.config import TrainConfig, configured
from peerscope.retrieval.schema import User
from peerscope.retrieval.towers import TwoTowers
from peerscope.retrieval.training import sized, train

Progress = Callable[[str, int, int | None], None]

NOT_NAMED = "Name the items file, and after it those of users and interactions: no files are known here yet."
NOTHING_LEARNED = (
    "No word occurs in two items: there is nothing to learn from yet; search goes by words."
)
STARTED_ANEW = "There were no earlier towers that these settings fit, so it started anew."


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What training did."""

    model: str
    note: str
    catalogue: Catalogue
    held_out: HeldOutPart
    events_held_out: int
    seconds: float
    figures: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "model": self.model,
            "note": self.note,
            **self.catalogue.as_dict(),
            "held_out": {**self.held_out.to_dict(), "interactions": self.events_held_out},
            "figures": self.figures,
            "seconds": self.seconds,
        }


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What indexing did."""

    model: str
    build: BuildReport
    catalogue: Catalogue
    changes: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "model": self.model,
            "bundle": self.build.bundle,
            "published": self.build.published,
            "items": self.build.items,
            "bytes": self.build.bytes,
            "fusion": self.build.fusion.to_dict(),
            "gates": [gate.to_dict() for gate in self.build.gates],
            "changes": self.changes,
            **self.catalogue.as_dict(),
            "seconds": self.seconds,
        }


@dataclass(frozen=True, slots=True)
class _Read:
    """The files as they are now, with the changes in service that they do not hold yet."""

    catalogue: Catalogue
    seen: int
    changed: int


def known_files(home: Home, given: Sequence[Path]) -> Files:
    """The files that are named, else those that were named last.

    Raises:
        FileError: They cannot be told apart.
        ValueError: None are named and none are known.
    """
    if given:
        return Files.named(list(given))
    remembered = Files.load(home.files)
    if remembered is None:
        raise ValueError(NOT_NAMED)
    return remembered


def train_model(
    home: Home,
    name: str,
    given: Sequence[Path],
    *,
    preset: str = "best",
    changes: Sequence[str] = (),
    share: float = SHARE,
    by: By | None = None,
    encoder: str = "none",
    warm: bool = False,
    progress: Progress | None = None,
) -> TrainReport:
    """Read the files, hold a part of the interactions out, and train the towers of a model on the rest.

    Args:
        home: The folder.
        name: Name of the model.
        given: One to three files; none for those that were named last.
        preset: ``best`` or ``paper``.
        changes: Settings in place of the preset's, ``name=value``.
        share: How many of the interactions to hold out.
        by: How to choose them; ``None`` decides by the data.
        encoder: Sentence encoder in front of the towers, see `installed_encoder`; a learned table has none.
        warm: Go on from the model's last towers, which keep their front, if the settings still fit them.
        progress: Told of the stage.

    Raises:
        ValueError: A file or a setting cannot be used; the message says what to do.
    """
    began = time.perf_counter()
    model = home.model(name)
    files = known_files(home, given)
    config = configured(preset, changes)
    front = None if config.text == "learned" else installed_encoder(encoder)
    read = _read(home, model, files, progress)
    found = read.catalogue
    held_out = HeldOutPart.chosen(found.interactions, share, by)
    aside = held_out.mask(found.interactions)
    if preset == "paper":
        config = _with_all_fields(config, found, changes)
    if not any(change.startswith("learning_rate=") for change in changes):
        config = sized(config, len(found.items), front)
    trained = train(
        found.items,
        found.interactions.where(~aside),
        config,
        users=found.users,
        encoder=None if front is None else EncodingCache(home.encodings, front),
        warm=_last_towers(model) if warm else None,
        checkpoints=model.partial / "training",
        progress=progress,
    )
    towers = None if trained is None else trained.towers
    note = NOTHING_LEARNED if trained is None else trained.note
    figures = {} if trained is None else trained.figures
    if warm and not figures.get("warm"):
        note = f"{note} {STARTED_ANEW}"
    stated = {"preset": preset, "note": note, "figures": figures, "held_out": held_out.to_dict()}
    _replace(model, towers, stated)
    files.save(home.files)
    shutil.rmtree(model.partial / "training", ignore_errors=True)
    seconds = time.perf_counter() - began
    return TrainReport(name, note, found, held_out, int(aside.sum()), seconds, figures)


def _with_all_fields(config: TrainConfig, found: Catalogue, changes: Sequence[str]) -> TrainConfig:
    """The paper's towers read every field there is, unless the command line says which."""
    named = {change.partition("=")[0] for change in changes}
    fields = sorted({name for item in found.items for name in item.fields})
    profile = sorted({name for user in found.users for name in user.profile})
    return replace(
        config,
        fields=config.fields if "fields" in named else tuple(fields),
        profile=config.profile if "profile" in named else tuple(profile),
    )


def _read(home: Home, model: ModelFolder, files: Files, progress: Progress | None) -> _Read:
    log = ChangeLog(home.changes)
    seen = log.last()
    try:
        written_at = files.items.stat().st_mtime
    except OSError:
        written_at = 0.0  # reading it says what is wrong
    newer = {one.own: one.item for one in log.since(0) if one.at > written_at}
    found = read_catalogue(
        files,
        before=_numbers(model),
        changed=newer,
        listing=home.problems,
        progress=progress,
    )
    return _Read(found, seen, len(newer))


def _numbers(model: ModelFolder) -> dict[str, int]:
    """Numbers of ids in the bundle in service."""
    name = model.store.current()
    if name is None:
        return {}
    try:
        stored = StoredCatalogue(model.store.path(name))
    except Exception:  # a broken bundle only costs the comparison with it
        return {}
    numbers = dict(stored.all_numbers())
    stored.close()
    return numbers


def _replace(model: ModelFolder, towers: TwoTowers | None, stated: dict[str, Any]) -> None:
    """Put new towers with their account in the place of the old ones, by one rename of the account."""
    fresh = model.folder / f"towers-{time.time_ns()}"
    if towers is not None:
        with _disk_errors():
            save_towers(towers, fresh)
        synced(fresh)
    content = {**stated, "towers": None if towers is None else fresh.name}
    with written(model.trained) as stream:
        stream.write(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    for path in model.folder.glob("towers-*"):
        if path != fresh:
            shutil.rmtree(path, ignore_errors=True)


def _last_towers(model: ModelFolder) -> TwoTowers | None:
    """The towers trained last, unless there are none or they cannot be read."""
    try:
        name = trained_state(model)["towers"]
        return None if name is None else load_towers(model.folder / name)
    except (KeyError, OSError, ValueError, SafetensorError):
        return None


def trained_state(model: ModelFolder) -> dict[str, Any]:
    """How the model's towers were trained, and what was held out.

    Raises:
        ValueError: They were not.
    """
    try:
        found: dict[str, Any] = orjson.loads(model.trained.read_bytes())
    except FileNotFoundError:
        raise ValueError(
            f"The model {model.name!r} is not trained: run `peerscope retrieval train` first."
        ) from None
    return found


def index_model(
    home: Home,
    name: str,
    given: Sequence[Path] = (),
    *,
    engine: str = "auto",
    progress: Progress | None = None,
) -> IndexReport:
    """Read the files again, embed the items, and publish a bundle if it passes its gates.

    Items that were added, changed or removed in service after the items file was written are taken in.

    Args:
        home: The folder.
        name: Name of the model.
        given: Files, if others than those that were named last.
        engine: Which index the bundle is for (`peerscope.retrieval.index.ENGINES`).
        progress: Told of the stage.

    Raises:
        ValueError: The model is not trained, or a file cannot be used.
    """
    began = time.perf_counter()
    model = home.model(name)
    files = known_files(home, given)
    stated = trained_state(model)
    read = _read(home, model, files, progress)
    found = read.catalogue
    towers = load_towers(model.folder / stated["towers"]) if stated["towers"] else None
    aside = HeldOutPart(**stated["held_out"]).mask(found.interactions)
    vectors = None
    if towers is not None:
        parts = model.partial / "vectors"
        kept = _remembering(towers, home)
        vectors = embedded(kept, stated["towers"], found.items, parts, progress)
    named = [(item.id, found.ids.own(item.id), item.title) for item in found.items]
    with _disk_errors():
        report = build(
            found.items,
            found.interactions.where(~aside),
            model.store,
            users=found.users,
            towers=towers,
            vectors=vectors,
            metadata={
                CHANGES: read.seen, "preset": stated["preset"], "files": dict(found.counts),
                "held_out": stated["held_out"],
            },
            beside=lambda folder: write_stored(folder, named, _users_in_service(found, towers)),
            engine=engine,
            progress=progress,
        )  # fmt: skip
    files.save(home.files)
    shutil.rmtree(model.partial / "vectors", ignore_errors=True)
    if report.published:
        _forget(home)
    return IndexReport(name, report, found, read.changed, time.perf_counter() - began)


@contextmanager
def _disk_errors() -> Iterator[None]:
    """What SQLite and safetensors raise for a full or broken disk, as the error that it is."""
    try:
        yield
    except (SafetensorError, sqlite3.Error) as error:
        raise OSError(
            f"The disk would not take it all ({error}). Make room and run the command again; what is in "
            f"service stays."
        ) from error


def _remembering(towers: TwoTowers, home: Home) -> TwoTowers:
    """The towers with kept encodings, for many texts at once."""
    encoder = towers.front.encoder
    return towers if encoder is None else towers.reading_by(EncodingCache(home.encodings, encoder))


def _users_in_service(found: Catalogue, towers: TwoTowers | None) -> Iterator[User]:
    """Every user with the history that all events have made, as long as the towers look at it."""
    most = towers.history.most if towers is not None and towers.history.kind != "none" else 0
    histories = Histories(found.users, found.interactions, (item.id for item in found.items))
    for own in dict.fromkeys([*(user.id for user in found.users), *found.interactions.users]):
        user = User(own, histories.profile(own), histories.of(own, inf, most))
        if user.profile or user.history:
            yield user


def _forget(home: Home) -> None:
    """Drop changes that every bundle which could come into service holds."""
    seen = []
    for model in home.models():
        for name in model.store.list():
            try:
                seen.append(int(model.store.manifest(name).metadata.get(CHANGES, 0)))
            except BundleError:
                continue
    if seen:
        ChangeLog(home.changes).forget(min(seen))
