"""t-SNE from given neighbours: the same places each time, also when it was stopped, and better than a plane."""

from __future__ import annotations

import numpy as np
import pytest

from peerscope.retrieval.planar import kept_near, principal_plane
from peerscope.retrieval.tsne import STEP, WARM, Schedule, started_small, tsne, tsne_version

pytestmark = pytest.mark.skipif(tsne_version() is None, reason="openTSNE is not installed")
SHORT = Schedule(early=100, late=150)


class StoppedError(Exception):
    pass


@pytest.fixture(scope="module")
def groups() -> tuple[np.ndarray, np.ndarray]:
    """Twelve groups in thirty dimensions, and the fifteen nearest of each by all distances."""
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(12, 30))
    vectors = centres[np.arange(360) % 12] + 0.7 * generator.normal(size=(360, 30))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -np.inf)
    return vectors.astype(np.float32), np.argsort(-likeness, axis=1)[:, :15]


@pytest.fixture(scope="module")
def whole(groups) -> np.ndarray:
    vectors, near = groups
    return tsne(near, started_small(principal_plane(vectors)), schedule=SHORT)


def test_near_ones_are_kept_better_than_by_a_plane(groups, whole) -> None:
    vectors, near = groups
    rows = np.arange(len(vectors))
    flat = kept_near(near[:, :10], principal_plane(vectors), rows)
    assert kept_near(near[:, :10], whole, rows) > 2 * flat


@pytest.mark.parametrize("at", [STEP, 100, 200])
def test_a_run_that_was_stopped_ends_where_it_would_have_ended(groups, whole, tmp_path, at) -> None:
    vectors, near = groups
    start, kept = started_small(principal_plane(vectors)), tmp_path / "state.npz"

    def stop(stage: str, done: int, total: int | None) -> None:
        if done >= at:
            raise StoppedError

    with pytest.raises(StoppedError):
        tsne(near, start, schedule=SHORT, kept=kept, progress=stop)
    seen = []
    again = tsne(
        near,
        start,
        schedule=SHORT,
        kept=kept,
        progress=lambda stage, done, total: seen.append(done),
    )
    assert np.array_equal(again, whole)
    assert seen[0] == at + STEP


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"no archive at all"])
def test_a_broken_state_is_begun_anew(groups, whole, tmp_path, content) -> None:
    vectors, near = groups
    kept = tmp_path / "state.npz"
    kept.write_bytes(content)
    found = tsne(near, started_small(principal_plane(vectors)), schedule=SHORT, kept=kept)
    assert np.array_equal(found, whole)


def test_from_earlier_places_things_stay_where_they_were(groups, whole) -> None:
    _, near = groups
    again = tsne(near, whole, schedule=WARM)
    width = np.ptp(whole, axis=0).max()
    assert np.median(np.linalg.norm(again - whole, axis=1)) < 0.25 * width
