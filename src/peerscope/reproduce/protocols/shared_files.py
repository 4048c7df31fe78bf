"""Files of the shared data: found by path, or named with where to look for them."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from peerscope.methods.datasets import MissingData


def shared(*parts: str) -> Path:
    """A file below ``data`` of the shared folder, ``$PEERSCOPE_SHARED``.

    Raises:
        MissingData: It is not there.
    """
    path = Path(os.environ.get("PEERSCOPE_SHARED") or "shared", "data", *parts)
    if not path.is_file():
        raise MissingData(
            f"{'/'.join(parts)} is not there: set PEERSCOPE_SHARED to the folder of the shared data, whose "
            "README says where each file comes from."
        )
    return path


def text_lines(path: Path) -> Iterator[str]:
    """The lines of a file, plain or packed by zstandard.

    Raises:
        MissingData: It is packed, and the package zstandard is not installed.
    """
    if path.suffix != ".zst":
        with path.open(encoding="utf-8") as lines:
            yield from lines
        return
    try:
        import zstandard
    except ImportError as error:
        raise MissingData(f"{path.name} is packed: pip install zstandard.") from error
    with path.open("rb") as packed:
        stream = zstandard.ZstdDecompressor().stream_reader(packed)
        yield from io.TextIOWrapper(stream, "utf-8")


def objects(path: Path) -> Iterator[Any]:
    """The objects of a JSON lines file."""
    for line in text_lines(path):
        yield json.loads(line)
