"""A map from the bundle in service: neighbours, places, regions, levels; stopped at any moment, it goes on.

The bundle is read and never changed; search knows nothing of a map in the making. Equal vectors and an equal
record give the same map to the byte. Where an earlier map is there, places start from it, so that readers
find again what they knew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import orjson
from numpy.typing import NDArray

from peerscope.atomic import written
from peerscope.discover.maps.facts import Facts, facts_of
from peerscope.discover.maps.groups import nested_groups
from peerscope.discover.maps.keeping import OWN, REGIONS, TILES, UNPLACED, WORKS, MapStore
from peerscope.discover.maps.levels import tile_order
from peerscope.discover.maps.notes import MapNote, note_file
from peerscope.discover.maps.regions import regions_of
from peerscope.discover.maps.shapes import COLOURED_TOPICS, WORK, MapAbout
from peerscope.discover.work_notes import DONE, FAILED, RUNNING, Telling, reason_of, write_work
from peerscope.record import Database, file_lock
from peerscope.retrieval import BundleStore
from peerscope.retrieval.bundle import open_items
from peerscope.retrieval.index.items import ItemIndex
from peerscope.retrieval.planar import (
    GRID,
    Frame,
    Places,
    kept_near,
    on_grid,
    principal_plane,
    turned_onto,
)
from peerscope.retrieval.schema import FloatArray, IntArray
from peerscope.retrieval.tsne import (
    COLD,
    FEWEST,
    NEIGHBOURS,
    WARM,
    started_small,
    tsne,
    tsne_version,
)
from peerscope.settings import Settings

Progress = Callable[[str, int, int | None], None]

NOTHING_PUBLISHED = (
    "No bundle is in service yet, so there is nothing to map. Run `peerscope publish`."
)
WORDS_ONLY = (
    "The bundle in service searches by words only: it has no vectors, and without them there is no map. "
    "Run `peerscope train` and `peerscope publish`."
)
SAMPLE = 1000
"""Works over which the map's faithfulness is measured."""

COMPARED = 10
"""Neighbours that are compared for it."""

CHUNK = 1024
KEPT_EVERY = 8
"""Chunks of neighbours after which they are kept for a run that goes on."""

ENOUGH_KNOWN = 0.5
"""Share of the works that an earlier map must have for the new one to start from it."""


@dataclass(frozen=True, slots=True)
class MapOutcome:
    """What making a map came to."""

    note: str
    made: bool = False
    about: MapAbout | None = None
    seconds: float = 0.0

    def sentence(self) -> str:
        """For the operator."""
        return self.note

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        about = {**asdict(self.about), "files": None} if self.about else None
        return {"made": self.made, "note": self.note, "seconds": self.seconds, "map": about}


@dataclass(slots=True)
class _Placed:
    """Places, and how they came about."""

    shown: Places
    own: Places
    frame: Frame
    method: str
    library: str
    follows: str | None = None
    moved: float | None = None
    kept: float | None = field(default=None)


def wanting(settings: Settings) -> str | None:
    """Name of the bundle in service if it has vectors and no map yet; ``None`` otherwise."""
    bundles = BundleStore(settings.bundles)
    name = bundles.current()
    if name is None or MapStore(settings.maps).has(name):
        return None
    return name if bundles.manifest(name).towers else None


def make_map(
    settings: Settings, database: Database, progress: Progress, *, again: bool = False
) -> MapOutcome:
    """Make the map of the bundle in service and put it beside it.

    Args:
        settings: The site's.
        database: The record.
        progress: Told of the stage.
        again: Make it anew although it is there, from the beginning and not from an earlier map.

    Raises:
        WriterBusyError: Another process is at it.
    """
    bundles, store = BundleStore(settings.bundles), MapStore(settings.maps)
    name = bundles.current()
    if name is None:
        return MapOutcome(NOTHING_PUBLISHED)
    if not bundles.manifest(name).towers:
        return MapOutcome(WORDS_ONLY)
    if store.has(name) and not again:
        return MapOutcome(f"Bundle {name} has its map already.", about=store.about(name))
    settings.maps.mkdir(parents=True, exist_ok=True)
    with file_lock(settings.maps / "making.lock", "making the map"):
        noted = note_file(settings)
        told = Telling(noted, MapNote(RUNNING, bundle=name), progress)
        try:
            outcome = _made(bundles, name, store, database, told, again=again)
        except Exception as error:
            write_work(noted, MapNote(FAILED, note=reason_of(error), bundle=name))
            raise
        store.prune(bundles.list())
        write_work(noted, MapNote(DONE, note=outcome.note, bundle=name))
    return outcome


def _made(
    bundles: BundleStore,
    name: str,
    store: MapStore,
    database: Database,
    progress: Progress,
    *,
    again: bool,
) -> MapOutcome:
    began = time.perf_counter()
    index = open_items(bundles.path(name))
    seen = int(bundles.manifest(name).metadata.get("change_seq", 0))
    ids = index.ids()
    vectors = index.vectors(ids.tolist())
    meant = np.linalg.norm(vectors, axis=1) > 0
    progress("reading the record", 0, None)
    with database.session() as session:
        facts = facts_of(session)
    held = meant & facts.known(ids)
    if not held.any():
        return MapOutcome(WORDS_ONLY)
    unplaced = ids[~meant]
    ids, vectors = ids[held], vectors[held]
    placed = _placed(index, ids, vectors, store, name, progress, again=again)
    progress("naming regions", 0, None)
    works, regions, order, tiles = _described(ids, vectors, placed.shown, facts)
    topics, types = facts.coloured(ids, COLOURED_TOPICS)
    years = works["year"][works["year"] != 0]
    seconds = time.perf_counter() - began
    with store.stage() as staged:
        np.save(staged / WORKS, works)
        np.save(staged / TILES, tiles)
        np.save(staged / UNPLACED, unplaced)
        np.save(staged / OWN, placed.own[order].astype(np.float32))
        (staged / REGIONS).write_bytes(orjson.dumps([asdict(one) for one in regions]))
        about = store.publish(
            staged,
            MapAbout(
                id="", bundle=name, made=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
                method=placed.method, library=placed.library, follows=placed.follows,
                works=len(ids), without_vector=len(unplaced),
                change_seq=min(facts.change_seq, seen), seconds=round(seconds, 1), kept=placed.kept,
                moved=placed.moved, frame=placed.frame, types=types, topics=topics,
                years=(int(years.min()), int(years.max())) if len(years) else None,
            ),
        )  # fmt: skip
    note = (
        f"{len(ids):,} works by {about.method}, in {len(regions)} regions ({seconds:.0f} s), "
        f"for bundle {name}."
    )
    return MapOutcome(note, True, about, seconds)


def _placed(
    index: ItemIndex,
    ids: IntArray,
    vectors: FloatArray,
    store: MapStore,
    name: str,
    progress: Progress,
    *,
    again: bool,
) -> _Placed:
    """Places by t-SNE where it is installed and there is enough to place, else by principal axes."""
    here = store.making(name)
    near = nearest_rows(index, ids, vectors, min(NEIGHBOURS, len(ids) - 1), here, progress)
    version = tsne_version()
    plane = principal_plane(vectors)
    if version is None or len(ids) < FEWEST:
        method, library = "PCA", f"NumPy {np.__version__}"
        before = None if again else _earlier(store, name, ids, method)
        own = plane
    else:
        method, library = "t-SNE", f"openTSNE {version}"
        before = None if again else _earlier(store, name, ids, method)
        start = started_small(plane) if before is None else before.start(near)
        kept = here / ("cold.npz" if before is None else "warm.npz")
        schedule = COLD if before is None else WARM
        own = tsne(near, start, schedule=schedule, kept=kept, progress=progress)
    if before is None:
        frame = Frame.of(own)
        placed = _Placed(frame.placed(own), own, frame, method, library)
    else:
        own, frame = turned_onto(own, before.rows, before.own), before.frame
        shown = frame.placed(own)
        gaps = np.linalg.norm(shown[before.rows] - before.shown, axis=1)
        moved = round(float(np.median(gaps)), 4)
        placed = _Placed(shown, own, frame, method, library, before.bundle, moved)
    placed.shown = on_grid(placed.shown).astype(np.float64) / GRID
    sample = np.random.default_rng(0).permutation(len(ids))[:SAMPLE]
    if len(ids) > COMPARED + 1:
        measured = kept_near(near[sample][:, :COMPARED], placed.shown, sample)
        placed.kept = round(measured, 3)
    return placed


def nearest_rows(
    index: ItemIndex,
    ids: IntArray,
    vectors: FloatArray,
    k: int,
    kept: Path | None = None,
    progress: Progress | None = None,
) -> IntArray:
    """Rows of the ``k`` nearest others of each item by the site's own index, shape ``[n, k]``.

    Args:
        index: Where they are looked up; it may hold more items than these.
        ids: Ascending, shape ``[n]``.
        vectors: Their vectors, shape ``[n, d]``.
        k: Fewer than ``n``.
        kept: Folder in which they are kept for a run that goes on.
        progress: Told of how far it is.
    """
    file = kept / "near.npz" if kept is not None else None
    done, near = _kept_rows(file, (len(ids), k))
    for start in range(done, len(ids), CHUNK):
        part = slice(start, start + CHUNK)
        hits = index.search_dense_many(vectors[part], k + 1)
        for row, hit in enumerate(hits, start=start):
            near[row] = _others(hit.ids, ids, row, k)
        done = min(start + CHUNK, len(ids))
        if file is not None and (
            done == len(ids) or (start // CHUNK) % KEPT_EVERY == KEPT_EVERY - 1
        ):
            with written(file) as stream:
                np.savez(stream, done=done, near=near)
        if progress is not None:
            progress("looking up neighbours", done, len(ids))
    return near


def _kept_rows(file: Path | None, shape: tuple[int, int]) -> tuple[int, IntArray]:
    """How many rows a stopped run had looked up, and these; none where no file fits."""
    try:
        if file is not None:
            with np.load(file) as state:
                if state["near"].shape == shape:
                    return int(state["done"]), state["near"]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        pass
    return 0, np.zeros(shape, np.int64)


def _others(hits: IntArray, ids: IntArray, row: int, k: int) -> IntArray:
    """Rows of ``k`` hits besides the row itself; the rows beside it where too few are on the map."""
    places = np.minimum(np.searchsorted(ids, hits), len(ids) - 1)
    rows: IntArray = places[(ids[places] == hits) & (places != row)][:k]
    if len(rows) < k:
        beside = np.arange(row + 1, row + 1 + 2 * k + 1) % len(ids)
        spare = beside[~np.isin(beside, rows) & (beside != row)]
        rows = np.concatenate([rows, spare])[:k]
    return rows


@dataclass(frozen=True, slots=True)
class _Before:
    """The earlier map, as far as it has works of the new one."""

    bundle: str
    rows: IntArray
    shown: Places
    own: Places
    frame: Frame
    number: int

    def start(self, near: IntArray) -> Places:
        """Earlier places; a new work starts amid its nearest neighbours that had one, else in the middle."""
        found = np.zeros((self.number, 2))
        found[self.rows] = self.own
        known = np.zeros(self.number, bool)
        known[self.rows] = True
        generator = np.random.default_rng(0)
        for row in np.flatnonzero(~known).tolist():
            those = near[row][known[near[row]]][:5]
            if len(those):
                found[row] = found[those].mean(axis=0)
            found[row] += generator.normal(0, 1e-3 * float(self.own.std() or 1.0), 2)
        return found


def _earlier(store: MapStore, name: str, ids: IntArray, method: str) -> _Before | None:
    """The map before, if it was made in the same way and has enough of the works."""
    bundle = store.before(name)
    if bundle is None:
        return None
    try:
        about = store.about(bundle)
        earlier, shown, own = store.places(bundle)
    except ValueError:
        return None
    rows = np.flatnonzero(np.isin(ids, earlier))
    if about.method != method or len(rows) < ENOUGH_KNOWN * len(ids):
        return None
    order = np.argsort(earlier)
    there = order[np.searchsorted(earlier[order], ids[rows])]
    return _Before(bundle, rows, shown[there], own[there], about.frame, len(ids))


def _described(
    ids: IntArray, vectors: FloatArray, places: Places, facts: Facts
) -> tuple[NDArray[np.void], Sequence[Any], IntArray, NDArray[np.void]]:
    """Rows of works in the order of their tiles, regions, that order, and the tiles."""
    groups = nested_groups(places, vectors)
    regions, innermost = regions_of(groups, places, facts.naming(ids))
    works = np.zeros(len(ids), WORK)
    works["id"] = ids
    steps = np.rint(places * GRID).astype(np.int64)
    works["x"], works["y"] = steps[:, 0], steps[:, 1]
    works["region"] = innermost
    facts.fill(works, ids, COLOURED_TOPICS)
    order, tiles = tile_order(works["x"], works["y"], works["cited"], ids)
    return works[order], regions, order, tiles
