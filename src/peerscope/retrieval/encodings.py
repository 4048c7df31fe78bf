"""Encodings kept on disk, so that training or publishing again encodes only what is new.

A folder for each encoder's fingerprint holds two files that only grow: the vectors, in half precision, and
the keys, a hash of each text. A vector is written before its key and a key counts only once it is whole, so
that a process killed at any moment leaves a shorter cache and never a wrong one, and the next run goes on
from there. Several processes may share a cache.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from peerscope.retrieval.embed import unit_rows
from peerscope.retrieval.encoder import Encoder
from peerscope.retrieval.schema import FloatArray

KEY_BYTES = 16
KEYS, VECTORS, LOCK = "keys", "vectors.f16", "lock"

AT_ONCE = 256
"""Texts encoded before they are written: what a kill can cost."""

ROWS_AT_ONCE = 65_536
"""Rows read at a time, so that reading needs little memory beside the result."""

Progress = Callable[[str, int, int | None], None]
KeyArray = NDArray[np.bytes_]


class EncodingCache:
    """An encoder that looks on disk first; same result up to half precision.

    Args:
        folder: Where the caches of all encoders lie.
        encoder: Encodes what is not there yet.
    """

    def __init__(self, folder: Path, encoder: Encoder) -> None:
        self.dim, self.fingerprint = encoder.dim, encoder.fingerprint
        self._encoder = encoder
        self._folder = folder / encoder.fingerprint

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> FloatArray:
        """Unit vectors, shape ``[len(texts), dim]``; zeros for a text without a known token.

        Raises:
            OSError: The disk is full; what was encoded before stays.
        """
        report = progress or (lambda stage, done, total: None)
        keys = _keys(texts)
        distinct, first = np.unique(keys, return_index=True)
        new = np.sort(first[~np.isin(distinct, self._stored())])
        report("encoding texts", len(texts) - len(new), len(texts))
        for start in range(0, len(new), AT_ONCE):
            part = new[start : start + AT_ONCE]
            before = len(texts) - len(new) + start

            def told(stage: str, done: int, total: int | None, before: int = before) -> None:
                report(stage, before + done, len(texts))

            vectors = self._encoder.encode([texts[place] for place in part], told)
            self._append(keys[part], vectors)
        return self._read(keys)

    def save(self, folder: Path) -> None:
        """Write the encoder, without the cache, into a folder."""
        self._encoder.save(folder)

    def known(self, texts: Sequence[str]) -> int:
        """How many of the texts are encoded already."""
        return int(np.isin(_keys(texts), self._stored()).sum())

    def __len__(self) -> int:
        """Number of stored vectors."""
        return len(self._stored())

    def _stored(self) -> KeyArray:
        """Keys whose vectors are whole, in the order of the vectors."""
        path = self._folder / KEYS
        if not path.exists():
            return np.empty(0, f"S{KEY_BYTES}")
        content = path.read_bytes()
        whole = min(len(content) // KEY_BYTES, self._vectors_on_disk())
        return np.frombuffer(content[: whole * KEY_BYTES], f"S{KEY_BYTES}")

    def _vectors_on_disk(self) -> int:
        path = self._folder / VECTORS
        return path.stat().st_size // (2 * self.dim) if path.exists() else 0

    def _read(self, keys: KeyArray) -> FloatArray:
        stored = self._stored()
        found = np.zeros((len(keys), self.dim), np.float32)
        if not len(keys):
            return found
        order = np.argsort(stored)
        rows = order[np.searchsorted(stored[order], keys)]
        vectors = np.memmap(self._folder / VECTORS, np.float16, "r", shape=(len(stored), self.dim))
        for start in range(0, len(rows), ROWS_AT_ONCE):
            found[start : start + ROWS_AT_ONCE] = vectors[rows[start : start + ROWS_AT_ONCE]]
        return unit_rows(found)

    def _append(self, keys: KeyArray, vectors: FloatArray) -> None:
        """Add vectors and their keys behind the last whole ones; other processes wait meanwhile."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with _locked(self._folder / LOCK):
            whole = len(self._stored())
            _write(
                self._folder / VECTORS, whole * 2 * self.dim, vectors.astype(np.float16).tobytes()
            )
            _write(self._folder / KEYS, whole * KEY_BYTES, keys.tobytes())


def _keys(texts: Sequence[str]) -> KeyArray:
    """A hash of each text, shape ``[len(texts)]``."""
    hashed = b"".join(
        blake2b(text.encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()
        for text in texts
    )
    return np.frombuffer(hashed, f"S{KEY_BYTES}")


def _write(path: Path, place: int, content: bytes) -> None:
    """Replace everything from ``place`` on, and wait until it is on the disk."""
    with path.open("r+b" if path.exists() else "w+b") as stream:
        stream.truncate(place)
        stream.seek(place)
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the cache's lock, which the system frees if the process dies."""
    with path.open("wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
