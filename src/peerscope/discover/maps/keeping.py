"""Maps on disk: one folder for each bundle, complete or not there, checked by hash, never written again.

A bundle is sealed before its map is made, so the map lies beside it: ``maps/BUNDLE`` belongs to
``bundles/BUNDLE`` and goes when it goes. What a map in the making has reached lies in ``maps/.making``.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from peerscope.discover.maps.shapes import MapAbout, Region
from peerscope.retrieval.bundle import alive, digest, synced
from peerscope.retrieval.planar import Frame

FORMAT = 2
ABOUT = "about.json"
WORKS, TILES, REGIONS = "works.npy", "tiles.npy", "regions.json"
OWN, UNPLACED = "own.npy", "unplaced.npy"
_STAGE = ".stage-"
MAKING = ".making"


class MapError(ValueError):
    """A map is missing, broken or of another version; the message says which and what mends it."""


class MapStore:
    """The maps of a site, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, bundle: str) -> Path:
        """Where the map of a bundle lies."""
        return self.folder / bundle

    def bundles(self) -> list[str]:
        """Names of the bundles that have a map, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(
            path.name
            for path in self.folder.iterdir()
            if not path.name.startswith(".") and (path / ABOUT).exists()
        )

    def has(self, bundle: str) -> bool:
        """Whether a bundle has a map."""
        return (self.path(bundle) / ABOUT).exists()

    def before(self, bundle: str) -> str | None:
        """The newest bundle with a map besides one; ``None`` where there is none."""
        others = [name for name in self.bundles() if name != bundle]
        return others[-1] if others else None

    def making(self, bundle: str) -> Path:
        """Where a map in the making keeps what it has reached; of other bundles it is thrown away."""
        place = self.folder / MAKING / bundle
        if place.parent.is_dir():
            for other in place.parent.iterdir():
                if other != place:
                    shutil.rmtree(other, ignore_errors=True)
        place.mkdir(parents=True, exist_ok=True)
        return place

    @contextmanager
    def stage(self) -> Iterator[Path]:
        """A new folder to fill; what is not put into its place when the block ends is removed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in self.folder.glob(f"{_STAGE}*"):
            owner = left.name.removeprefix(_STAGE).split("-")[0]
            if not (owner.isdigit() and alive(int(owner))):
                shutil.rmtree(left, ignore_errors=True)
        staged = self._new_stage()
        staged.mkdir()
        try:
            yield staged
        finally:
            shutil.rmtree(staged, ignore_errors=True)

    def _new_stage(self) -> Path:
        """A name that is swept away once this process has ended."""
        return self.folder / f"{_STAGE}{os.getpid()}-{secrets.token_hex(4)}"

    def publish(self, staged: Path, about: MapAbout) -> MapAbout:
        """Seal a filled folder and rename it into its place, instead of the bundle's earlier map."""
        files = {
            path.name: {"sha256": digest(path), "bytes": path.stat().st_size}
            for path in sorted(staged.iterdir())
        }
        sealed = replace(about, id=identity(staged), files=files)
        (staged / ABOUT).write_bytes(orjson.dumps(asdict(sealed), option=orjson.OPT_INDENT_2))
        synced(staged)
        goal, old = self.path(about.bundle), self._new_stage()
        if goal.exists():
            goal.rename(old)
        staged.rename(goal)
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        shutil.rmtree(old, ignore_errors=True)
        shutil.rmtree(self.folder / MAKING, ignore_errors=True)
        return sealed

    def prune(self, bundles: list[str]) -> None:
        """Remove the maps of bundles that are gone, but for the newest: the next one starts from it."""
        for name in self.bundles()[:-1]:
            if name not in bundles:
                doomed = self._new_stage()
                self.path(name).rename(doomed)
                shutil.rmtree(doomed, ignore_errors=True)

    def about(self, bundle: str) -> MapAbout:
        """What the map of a bundle says of itself.

        Raises:
            MapError: There is none, or another version wrote it.
        """
        mend = "`peerscope map --again` makes a new one."
        try:
            stated = orjson.loads((self.path(bundle) / ABOUT).read_bytes())
        except (OSError, orjson.JSONDecodeError) as error:
            raise MapError(
                f"Bundle {bundle} has no map that can be read: {error}. {mend}"
            ) from error
        if stated.get("format") != FORMAT:
            raise MapError(
                f"The map of bundle {bundle} has format {stated.get('format')}, this version reads "
                f"{FORMAT}. {mend}"
            )
        stated["topics"] = [(number, name) for number, name in stated["topics"]]
        stated["years"] = tuple(stated["years"]) if stated["years"] else None
        stated["frame"] = Frame(**stated["frame"])
        return MapAbout(**stated)

    def opened(
        self, bundle: str
    ) -> tuple[MapAbout, NDArray[np.void], NDArray[np.void], list[Region]]:
        """A map with its works, tiles and regions, compared with its hashes.

        Raises:
            MapError: It is missing, broken or of another version.
        """
        about = self.about(bundle)
        folder = self.path(bundle)
        for name, stated in about.files.items():
            if not (folder / name).exists() or digest(folder / name) != stated["sha256"]:
                raise MapError(
                    f"The map of bundle {bundle} is broken: {name} is not as it was made. "
                    f"`peerscope map --again` makes a new one."
                )
        regions = [Region.from_dict(one) for one in orjson.loads((folder / REGIONS).read_bytes())]
        works = np.load(folder / WORKS, mmap_mode="r")
        return about, works, np.load(folder / TILES), regions

    def unplaced(self, bundle: str) -> frozenset[int]:
        """Works of the bundle that have no place on its map."""
        return frozenset(np.load(self.path(bundle) / UNPLACED).tolist())

    def places(self, bundle: str) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[Any]]:
        """Ids of a map's works, their places in the unit square, and as the placing itself had them.

        Raises:
            MapError: There is none.
        """
        try:
            works = np.load(self.path(bundle) / WORKS)
            own = np.load(self.path(bundle) / OWN)
        except (OSError, ValueError) as error:
            raise MapError(f"The map of bundle {bundle} cannot be read: {error}.") from error
        shown = np.stack([works["x"], works["y"]], axis=1).astype(np.float64) / (1 << 16)
        return works["id"].astype(np.int64), shown, own.astype(np.float64)


def identity(folder: Path) -> str:
    """A short hash of what a map shows."""
    found = sha256()
    for name in (WORKS, TILES, REGIONS):
        found.update((folder / name).read_bytes())
    return found.hexdigest()[:12]
