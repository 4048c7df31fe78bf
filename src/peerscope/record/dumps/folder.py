"""Folders of dumps: written beside the others, renamed when whole; equal and old ones do not stay."""

from __future__ import annotations

import gzip
import re
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from io import BufferedWriter
from pathlib import Path
from typing import Any

import orjson

from peerscope.record.database import file_lock
from peerscope.record.dumps.rows import Part

FORMAT = "peerscope-dump"
VERSION = 1
MANIFEST = "manifest.json"
PACKED = 6
_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})(?:-(\d{1,4}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Dump:
    """A dump that is whole.

    Attributes:
        name: Its day, with a number where there are several of one day.
        folder: Where it is.
        manifest: As it stands in the folder.
    """

    name: str
    folder: Path
    manifest: dict[str, Any]

    @property
    def files(self) -> list[dict[str, Any]]:
        """Name, hash, bytes and rows of each file."""
        found: list[dict[str, Any]] = self.manifest["files"]
        return found

    def path(self, name: str) -> Path | None:
        """Where a file of it is; ``None`` for a name that the manifest does not have."""
        named = {MANIFEST, *(one["name"] for one in self.files)}
        return self.folder / name if name in named else None


def dumps_in(folder: Path) -> list[Dump]:
    """The dumps in a folder, the newest first; what is no dump is passed over."""
    if not folder.is_dir():
        return []
    names = [one.name for one in folder.iterdir() if _NAME.fullmatch(one.name)]
    found = (dump_named(folder, name) for name in sorted(names, key=_order, reverse=True))
    return [one for one in found if one is not None]


def dump_named(folder: Path, name: str) -> Dump | None:
    """The dump of this name; ``None`` where there is none that can be read."""
    if not _NAME.fullmatch(name):
        return None
    place = folder / name
    try:
        manifest = orjson.loads((place / MANIFEST).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    whole = isinstance(manifest, dict) and manifest.get("format") == FORMAT
    return Dump(name, place, manifest) if whole else None


def write_dump(
    folder: Path, parts: Iterable[Part], about: dict[str, Any], keep: int, at: datetime
) -> tuple[Dump, bool]:
    """Write a dump; where every file is equal to the newest one's, that one stays instead.

    Args:
        folder: Of all dumps; it is made.
        parts: The files.
        about: What the manifest says besides.
        keep: How many dumps stay, at least 1.
        at: When, with a time zone.

    Returns:
        The newest dump, and whether it is new.

    Raises:
        WriterBusyError: Another process writes one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with file_lock(folder / ".writer", "dump"):
        for left in folder.glob(".writing-*"):
            shutil.rmtree(left)
        beside = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder))
        try:
            files = [_written(beside, part) for part in parts]
            before = next(iter(dumps_in(folder)), None)
            if (
                before is not None
                and before.files == files
                and before.manifest["version"] == VERSION
            ):
                shutil.rmtree(beside)
                return before, False
            manifest = {
                "format": FORMAT,
                "version": VERSION,
                "written_at": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                **about,
                "files": files,
            }
            (beside / MANIFEST).write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
            # A folder made for one process alone is for whoever may read its neighbours.
            beside.chmod(0o755)
            name = _free(folder, at)
            beside.rename(folder / name)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        found = dumps_in(folder)
        for old in found[keep:]:
            shutil.rmtree(old.folder)
    return found[0], True


def _written(folder: Path, part: Part) -> dict[str, Any]:
    rows = -part.heads
    place = folder / part.name
    with place.open("wb") as raw:
        rows += _packed(raw, part.lines())
    digest = sha256()
    with place.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return {
        "name": part.name,
        "about": part.about,
        "rows": rows,
        "bytes": place.stat().st_size,
        "sha256": digest.hexdigest(),
    }


def _packed(raw: BufferedWriter, lines: Iterable[bytes]) -> int:
    """Write lines packed; the same lines make the same bytes. How many there were."""
    count = 0
    # Neither the name nor the time goes into the file: both would make equal content unequal.
    with gzip.GzipFile(
        filename="", mode="wb", compresslevel=PACKED, fileobj=raw, mtime=0
    ) as stream:
        block: list[bytes] = []
        size = 0
        for line in lines:
            count += 1
            block.append(line)
            size += len(line)
            if size > 1 << 18:
                stream.write(b"".join(block))
                block, size = [], 0
        stream.write(b"".join(block))
    return count


def _free(folder: Path, at: datetime) -> str:
    day = at.astimezone(UTC).strftime("%Y-%m-%d")
    taken = [_order(one.name) for one in folder.iterdir() if _NAME.fullmatch(one.name)]
    # Behind the last one of the day: a name that was given once is not given to other content.
    last = max((number for other, number in taken if other == day), default=0)
    return f"{day}-{last + 1}" if last else day


def _order(name: str) -> tuple[str, int]:
    match = _NAME.fullmatch(name)
    assert match is not None
    return match[1], int(match[2] or 1)
