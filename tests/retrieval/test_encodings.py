"""The cache of encodings: the same vectors, only new work, and whole after every kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from peerscope.retrieval import encodings
from peerscope.retrieval.encodings import EncodingCache


class HashedTexts:
    """An encoder whose vector is a function of the text that the test can check."""

    def __init__(self, fingerprint: str = "f1", dim: int = 24) -> None:
        self.dim, self.fingerprint = dim, fingerprint
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str], progress=None) -> np.ndarray:
        self.asked += texts
        rows = np.zeros((len(texts), self.dim), np.float32)
        for place, text in enumerate(texts):
            if text:
                seed = int.from_bytes(
                    sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big"
                )
                row = np.random.default_rng(seed).normal(size=self.dim)
                rows[place] = row / np.linalg.norm(row)
            if progress is not None:
                progress("encoding texts", place + 1, len(texts))
        return rows

    def save(self, folder: Path) -> None:
        (folder / "saved").write_text(self.fingerprint)


TEXTS = [f"text {n}" for n in range(300)]


def test_same_vectors_and_only_new_work(tmp_path: Path) -> None:
    encoder = HashedTexts()
    wanted = HashedTexts().encode([*TEXTS[:200], "", TEXTS[3], "lone \ud800"])
    cache = EncodingCache(tmp_path, encoder)
    found = cache.encode([*TEXTS[:200], "", TEXTS[3], "lone \ud800"])
    assert np.abs(found - wanted).max() < 1e-3
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found[:200], axis=1), 1, atol=1e-6)
    assert len(encoder.asked) == 202 == len(cache)
    encoder.asked.clear()
    again = EncodingCache(tmp_path, encoder)
    later = again.encode(list(reversed(TEXTS)))
    assert sorted(encoder.asked) == sorted(TEXTS[200:])
    assert again.known(TEXTS) == 300
    assert np.abs(later - HashedTexts().encode(list(reversed(TEXTS)))).max() < 1e-3
    assert cache.encode([]).shape == (0, 24)


def test_progress_counts_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encodings, "AT_ONCE", 40)
    cache = EncodingCache(tmp_path, HashedTexts())
    cache.encode(TEXTS[:100])
    seen: list[tuple[int, int | None]] = []
    cache.encode(TEXTS, lambda stage, done, total: seen.append((done, total)))
    assert seen[0] == (100, 300) and seen[-1] == (300, 300)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_encoders_are_kept_apart(tmp_path: Path) -> None:
    EncodingCache(tmp_path, HashedTexts("f1")).encode(TEXTS[:5])
    other = HashedTexts("f2")
    EncodingCache(tmp_path, other).encode(TEXTS[:5])
    assert len(other.asked) == 5


@pytest.mark.parametrize(
    "cut", [("vectors.f16", 1), ("vectors.f16", 48 * 3), ("keys", 1), ("keys", 16 * 3)]
)
def test_a_torn_tail_is_dropped(tmp_path: Path, cut: tuple[str, int]) -> None:
    EncodingCache(tmp_path, HashedTexts()).encode(TEXTS[:50])
    path = tmp_path / "f1" / cut[0]
    with path.open("r+b") as stream:
        stream.truncate(path.stat().st_size - cut[1])
    encoder = HashedTexts()
    cache = EncodingCache(tmp_path, encoder)
    assert np.abs(cache.encode(TEXTS[:60]) - HashedTexts().encode(TEXTS[:60])).max() < 1e-3
    assert 11 <= len(encoder.asked) <= 13
    assert len(cache) == 60


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_encodings import HashedTexts
from peerscope.retrieval import encodings
encodings.AT_ONCE = 50
print("go", flush=True)
encodings.EncodingCache(Path(sys.argv[2]), HashedTexts(dim=384)).encode(
    [f"long run {n}" for n in range(int(sys.argv[3]))])
"""


def child(folder: Path, number: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(Path(__file__).parent), str(folder), str(number)],
        stdout=subprocess.PIPE,
        env=dict(os.environ),
    )


def test_kill_at_any_moment(tmp_path: Path) -> None:
    """Killed again and again, the run ends with right vectors and lost at most a step each time."""
    number, sizes = 20_000, [0]
    generator = np.random.default_rng(0)
    for _ in range(6):
        running = child(tmp_path, number)
        assert running.stdout is not None and running.stdout.readline()
        time.sleep(float(generator.uniform(0.05, 0.6)))
        running.send_signal(signal.SIGKILL)
        running.wait()
        cache = EncodingCache(tmp_path, HashedTexts(dim=384))
        sizes.append(len(cache))
    assert sizes == sorted(sizes) and sizes[-1] > 0
    kept = min(sizes[-1], 2000)
    encoder = HashedTexts(dim=384)
    texts = [f"long run {n}" for n in range(kept)]
    found = EncodingCache(tmp_path, encoder).encode(texts)
    assert not encoder.asked
    assert np.abs(found - HashedTexts(dim=384).encode(texts)).max() < 1e-3


def test_two_processes_share_a_cache(tmp_path: Path) -> None:
    both = [child(tmp_path, 1500) for _ in range(2)]
    assert [running.wait() for running in both] == [0, 0]
    texts = [f"long run {n}" for n in range(1500)]
    encoder = HashedTexts(dim=384)
    found = EncodingCache(tmp_path, encoder).encode(texts)
    assert not encoder.asked
    assert np.abs(found - HashedTexts(dim=384).encode(texts)).max() < 1e-3


def test_a_full_disk_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = EncodingCache(tmp_path, HashedTexts())
    cache.encode(TEXTS[:10])
    real = encodings._write

    def full(path: Path, place: int, content: bytes) -> None:
        if path.name == "keys":
            raise OSError(28, "No space left on device")
        real(path, place, content[: len(content) // 2])

    monkeypatch.setattr(encodings, "_write", full)
    with pytest.raises(OSError, match="No space"):
        cache.encode(TEXTS[:20])
    monkeypatch.undo()
    assert len(cache) == 10
    assert np.abs(cache.encode(TEXTS[:20]) - HashedTexts().encode(TEXTS[:20])).max() < 1e-3
