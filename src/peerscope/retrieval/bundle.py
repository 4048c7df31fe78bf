"""Bundles: one immutable folder with everything that a search needs, published by one rename.

Query tower, item vectors, lexical index, tokenizer and fusion weights travel together, so that model and
index cannot disagree (DPSR section 5.2.1). ``bundles/current`` is a symbolic link to the one in service;
a kill at any moment leaves it on a whole bundle.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from peerscope import __version__
from peerscope.retrieval.encoder import EncoderError
from peerscope.retrieval.fusion import Fusion
from peerscope.retrieval.index.items import ItemIndex
from peerscope.retrieval.keeping import load_towers
from peerscope.retrieval.query import SearchEngine
from peerscope.retrieval.spelling import Spelling
from peerscope.retrieval.text import Tokenizer
from peerscope.retrieval.towers import TwoTowers

log = logging.getLogger(__name__)

FORMAT = 3
MANIFEST = "manifest.json"
CURRENT = "current"
REJECTED = "rejected"
_STAGE = ".stage-"


class BundleError(ValueError):
    """A bundle is missing, broken or of another version; the message names it and the mend."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle says of itself.

    Attributes:
        id: Name of the bundle, growing with time.
        created: ISO 8601, UTC.
        tokenizer: Settings of the tokenizer.
        fusion: Weights.
        items: Number of items.
        towers: Whether there is a dense part.
        gates: Result of every gate.
        metadata: What the caller added (the record's change number, training figures).
        files: Relative path to ``{"sha256", "bytes"}`` of every other file.
    """

    id: str
    created: str
    tokenizer: dict[str, Any]
    fusion: dict[str, float]
    items: int
    towers: bool
    gates: list[dict[str, Any]] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    version: str = __version__
    format: int = FORMAT


def new_name() -> str:
    """A name that sorts by time."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{secrets.token_hex(2)}"


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    found = sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def _files(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        path.relative_to(folder).as_posix(): {"sha256": digest(path), "bytes": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }


def synced(folder: Path) -> None:
    """Bring a folder's files and the folders themselves onto the disk."""
    for path in [*folder.rglob("*"), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class BundleStore:
    """The bundles of a site, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """Where a bundle lies."""
        return self.folder / name

    def current(self) -> str | None:
        """Name of the bundle in service, or ``None``."""
        try:
            return str((self.folder / CURRENT).readlink())
        except OSError:
            return None

    def list(self) -> list[str]:
        """Names of all published bundles, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(
            path.name
            for path in self.folder.iterdir()
            if path.is_dir() and not path.is_symlink() and (path / MANIFEST).exists()
            and not path.name.startswith(".")
        )  # fmt: skip

    def manifest(self, name: str) -> Manifest:
        """What a bundle says of itself.

        Raises:
            BundleError: There is no such bundle, or another version wrote it.
        """
        return read_manifest(self.path(name))

    @contextmanager
    def stage(self) -> Iterator[Path]:
        """A new folder to fill; what is not published or rejected when the block ends is removed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        staged = self.folder / f"{_STAGE}{os.getpid()}-{secrets.token_hex(4)}"
        staged.mkdir()
        try:
            yield staged
        finally:
            shutil.rmtree(staged, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove what a killed process left behind."""
        for path in self.folder.glob(f"{_STAGE}*"):
            owner = path.name.removeprefix(_STAGE).split("-")[0]
            if not (owner.isdigit() and alive(int(owner))):
                shutil.rmtree(path, ignore_errors=True)

    def seal(self, staged: Path, manifest: Manifest) -> Manifest:
        """Write the manifest with the hash of every file; the folder is complete then."""
        sealed = Manifest(**{**asdict(manifest), "files": _files(staged)})
        content = orjson.dumps(asdict(sealed), option=orjson.OPT_INDENT_2)
        (staged / MANIFEST).write_bytes(content)
        return sealed

    def publish(self, staged: Path, manifest: Manifest) -> str:
        """Put a sealed folder into service: one rename into place, one rename of the link."""
        synced(staged)
        staged.rename(self.path(manifest.id))
        self._point(manifest.id)
        return manifest.id

    def reject(self, staged: Path, manifest: Manifest) -> Path:
        """Keep a sealed folder that did not pass its gates, out of service."""
        place = self.folder / REJECTED
        place.mkdir(exist_ok=True)
        kept = place / manifest.id
        staged.rename(kept)
        return kept

    def _point(self, name: str) -> None:
        link = self.folder / f".{CURRENT}-{secrets.token_hex(4)}"
        link.symlink_to(name)
        link.replace(self.folder / CURRENT)
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def rollback(self) -> str:
        """Put the bundle published before the one in service back; returns its name.

        Raises:
            BundleError: There is no older bundle, or it is broken.
        """
        now = self.current()
        older = [name for name in self.list() if now is None or name < now]
        if not older:
            raise BundleError("There is no older bundle to go back to.")
        self.verify(older[-1])
        self._point(older[-1])
        return older[-1]

    def verify(self, name: str) -> Manifest:
        """Compare every file with its hash.

        Raises:
            BundleError: A file is missing, changed or added.
        """
        return verify_bundle(self.path(name))

    def prune(self, keep: int) -> None:
        """Remove the oldest bundles, so that ``keep`` remain besides the one in service."""
        now = self.current()
        others = [name for name in self.list() if name != now]
        for name in others[: max(len(others) - keep, 0)]:
            doomed = self.folder / f"{_STAGE}0-{name}"
            self.path(name).rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)


def alive(process: int) -> bool:
    """Whether a process with this number runs, be it somebody else's."""
    if process <= 0:  # to the system that is a whole group, its own caller among it
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a bundle folder.

    Raises:
        BundleError: There is none, or another version wrote it.
    """
    try:
        stated: Mapping[str, Any] = orjson.loads((folder / MANIFEST).read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise BundleError(f"{folder.name} is not a bundle: {error}. Publish again.") from error
    if stated.get("format") != FORMAT:
        raise BundleError(
            f"Bundle {folder.name} has format {stated.get('format')}, this version reads {FORMAT}: "
            f"publish again."
        )
    return Manifest(**stated)


def verify_bundle(folder: Path) -> Manifest:
    """Compare every file of a bundle folder with its hash; returns the manifest.

    Raises:
        BundleError: A file is missing, changed or added.
    """
    manifest = read_manifest(folder)
    found = _files(folder)
    for name in sorted(found.keys() | manifest.files.keys()):
        if found.get(name) != manifest.files.get(name):
            raise BundleError(
                f"Bundle {folder.name} is broken: {name} is not as it was published. "
                f"`peerscope rollback` returns to the one before; `peerscope publish` makes a new one."
            )
    return manifest


def open_bundle(folder: Path, *, engine: str = "auto", verify: bool = True) -> SearchEngine:
    """The search engine over a bundle.

    Args:
        folder: The bundle's folder.
        engine: Which index reads it (`peerscope.retrieval.index.ENGINES`).
        verify: Compare every file with its hash first.

    Raises:
        BundleError: The bundle is broken or of another version.
    """
    manifest = verify_bundle(folder) if verify else read_manifest(folder)
    tokenizer = Tokenizer.from_dict(manifest.tokenizer)
    return SearchEngine(
        ItemIndex.open(str(folder / "index"), tokenizer, engine),
        _towers(folder / "towers") if manifest.towers else None,
        Fusion.from_dict(manifest.fusion),
        tokenizer,
        Spelling.load(folder / "spelling.json"),
    )


def open_items(folder: Path, *, engine: str = "auto") -> ItemIndex:
    """The items of a bundle alone, without towers, as its manifest says: ids, vectors, what is near.

    Raises:
        BundleError: The bundle is of another version or not there.
    """
    tokenizer = Tokenizer.from_dict(read_manifest(folder).tokenizer)
    return ItemIndex.open(str(folder / "index"), tokenizer, engine)


def _towers(folder: Path) -> TwoTowers | None:
    """The towers; ``None``, and a line in the log, where this machine cannot run their encoder."""
    try:
        return load_towers(folder)
    except EncoderError as error:
        log.error("Searching by words only. %s", error)
        return None
