"""Local files, opened within bounds: plain, gzip or zstd, recognised by their first bytes.

Compressed input may be a bomb: reading stops when the output is out of all proportion. A line longer than
the limit is passed over without being held in memory. What came before a break is good.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import zstandard

BLOCK = 1 << 18
LONGEST_LINE = 8 * 1024 * 1024
"""Bytes of one line; a longer one is quarantined."""

MOST_BYTES = 256 << 30
"""Bytes that one compressed file may unfold to."""

RATIO, RATIO_FROM = 1000, 64 << 20
"""From 64 MB of output on, more than 1,000 bytes out of one byte in is taken for a bomb."""

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"

GZIP_PIECE, ZSTD_PIECE = 1 << 12, 1 << 8
"""Bytes unfolded in one go. A byte of gzip may stand for 1 KB, four bytes of zstd for 128 KB: a piece
makes 4 or 8 MB at most."""

ZSTD_WINDOW = 1 << 28
"""Most memory that a frame may ask for, in bytes; twice what the zstd program allows by itself."""

GET_AGAIN = "Get the file again and import it; what came before is in."
"""The mend of a file that breaks off."""


class BrokenFileError(ValueError):
    """A file ends too early, is damaged, or unfolds beyond all proportion; says which."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end: number from 1, offset in bytes, and whether it was too long to keep."""

    number: int
    offset: int
    content: bytes
    too_long: bool = False


def blocks(path: str | Path) -> Iterator[bytes]:
    """The unfolded bytes of a file in blocks, in bounded memory.

    Raises:
        BrokenFileError: The compressed data is damaged, truncated or a bomb. Blocks before it were good.
        OSError: The file cannot be read.
    """
    with Path(path).open("rb") as raw:
        magic = raw.read(4)
        raw.seek(0)
        if magic.startswith(GZIP):
            yield from _bounded(_gzip(raw), raw, path)
        elif magic == ZSTD:
            yield from _bounded(_zstd(raw), raw, path)
        else:
            while block := raw.read(BLOCK):
                yield block


def _gzip(raw: IO[bytes]) -> Iterator[bytes]:
    """Members one after the other; what came before a break is given out."""
    unfolder: Any = None
    while compressed := raw.read(GZIP_PIECE):
        while compressed:
            if unfolder is None:
                unfolder = zlib.decompressobj(wbits=31)
            yield unfolder.decompress(compressed)
            compressed = unfolder.unused_data.lstrip(b"\0") if unfolder.eof else b""
            unfolder = None if unfolder.eof else unfolder
    if unfolder is not None:
        raise EOFError("the last member is not complete")


def _zstd(raw: IO[bytes]) -> Iterator[bytes]:
    """Frames one after the other; a decompressor object says whether a frame came to its end."""
    unfolder: Any = None
    while compressed := raw.read(ZSTD_PIECE):
        while compressed:
            if unfolder is None:
                unfolder = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW).decompressobj()
            yield unfolder.decompress(compressed)
            compressed = unfolder.unused_data if unfolder.eof else b""
            unfolder = None if unfolder.eof else unfolder
    if unfolder is not None:
        raise EOFError("the last frame is not complete")


def _bounded(unfolded: Iterator[bytes], raw: IO[bytes], path: str | Path) -> Iterator[bytes]:
    made = 0
    name = Path(path).name
    while True:
        try:
            block = next(unfolded, None)
        except (EOFError, zlib.error, zstandard.ZstdError) as error:
            raise BrokenFileError(
                f"The compressed data of {name} breaks off after {made:,} bytes ({error})."
            ) from error
        if block is None:
            return
        made += len(block)
        if made > MOST_BYTES or (made > RATIO_FROM and made > RATIO * max(raw.tell(), 1)):
            raise BrokenFileError(
                f"{name} unfolds to more than {made:,} bytes out of {raw.tell():,}: not read on."
            )
        if block:
            yield block


def lines(path: str | Path, longest: int = LONGEST_LINE) -> Iterator[Line]:
    """The lines of a file, without holding more than ``longest`` bytes of any.

    Raises:
        BrokenFileError: As `blocks`; the whole lines before the break were given out.
    """
    number, offset, size = 1, 0, 0
    pending = bytearray()
    for block in blocks(path):
        first, *rest = block.split(b"\n")
        size += len(first)
        if size <= longest:
            pending += first
        if not rest:
            continue
        yield Line(number, offset, bytes(pending), size > longest)
        number, offset = number + 1, offset + size + 1
        for content in rest[:-1]:
            yield Line(number, offset, content)
            number, offset = number + 1, offset + len(content) + 1
        pending = bytearray(rest[-1])
        size = len(pending)
    if size:
        yield Line(number, offset, bytes(pending), size > longest)


class BlockStream(io.RawIOBase):
    """The blocks of a file as a readable stream, for parsers that want one."""

    def __init__(self, path: str | Path) -> None:
        self._blocks = blocks(path)
        self._rest = b""

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes; ``b""`` at the end."""
        if size < 0:
            return self._rest + b"".join(self._blocks)
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return b""
            self._rest = block
        part, self._rest = self._rest[:size], self._rest[size:]
        return part


def decoded(content: bytes) -> str:
    """UTF-8, else Windows-1252, else Latin-1, which takes every byte."""
    for encoding in ("utf-8", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def head(path: str | Path, size: int = 1 << 16) -> bytes:
    """The first unfolded bytes of a file; as many as there are where it breaks off."""
    found = b""
    try:
        for block in blocks(path):
            found += block
            if len(found) >= size:
                break
    except BrokenFileError:
        pass
    return found[:size]
