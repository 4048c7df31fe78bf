from __future__ import annotations

import numpy as np
import pytest

from peerscope.methods.collapse import CollapseMeter, effective_rank


def metered(rows: np.ndarray, parts: int = 1):
    meter = CollapseMeter(rows.shape[1])
    for part in np.array_split(rows.astype(np.float32), parts):
        meter.add(part)
    return meter.report()


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_one_point_is_collapse_and_an_even_sphere_is_not() -> None:
    generator = np.random.default_rng(0)
    point = unit(np.ones((500, 32)) + 1e-3 * generator.normal(size=(500, 32)))
    report = metered(point)
    assert report.collapsed
    assert "one point" in report.reason
    even = metered(unit(generator.normal(size=(4000, 32))))
    assert not even.collapsed
    assert even.spread == pytest.approx(1, abs=0.05)
    assert even.effective_rank == pytest.approx(32, rel=0.03)


def test_full_rank_noise_around_one_point_is_still_collapse() -> None:
    # effective rank alone would call this healthy
    noise = np.random.default_rng(2).normal(size=(2000, 32))
    report = metered(unit(np.ones((2000, 32)) * 5 + 0.05 * noise))
    assert report.effective_rank > 25
    assert report.collapsed


def test_one_direction_is_collapse_of_dimensions() -> None:
    generator = np.random.default_rng(3)
    line = generator.normal(size=(1000, 1)) * np.eye(64)[:1] + 1e-3 * generator.normal(
        size=(1000, 64)
    )
    report = metered(unit(line))
    assert report.collapsed
    assert "directions" in report.reason


def test_closed_forms() -> None:
    generator = np.random.default_rng(4)
    rows = unit(generator.normal(size=(300, 8)))
    report = metered(rows)
    cosines = rows @ rows.T
    mean = (cosines.sum() - 300) / (300 * 299)
    assert report.mean_cosine == pytest.approx(mean, abs=1e-5)
    assert report.centre**2 + report.residual**2 == pytest.approx(1, abs=1e-5)
    assert effective_rank(np.diag([1.0, 1, 1, 0, 0])) == pytest.approx(3)


def test_streaming_changes_nothing_and_unknown_rows_do_not_count() -> None:
    rows = unit(np.random.default_rng(5).normal(size=(100, 16)))
    padded = np.concatenate([rows, np.zeros((50, 16))])
    one, other = metered(rows), metered(padded, parts=7)
    assert other.n == 100
    assert other.effective_rank == pytest.approx(one.effective_rank, abs=1e-6)


def test_too_few_vectors_are_not_judged() -> None:
    assert not metered(np.eye(4)[:1]).collapsed
    few = metered(np.repeat(np.eye(4)[:1], 15, axis=0))
    assert not few.collapsed
    assert few.mean_cosine == pytest.approx(1)
    assert metered(np.repeat(np.eye(4)[:1], 16, axis=0)).collapsed
