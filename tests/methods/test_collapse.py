from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peerscope.methods.collapse import CollapseMeter, collapse_report, effective_rank


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
    covariance = np.cov(rows.T)
    apart = covariance[~np.eye(8, dtype=bool)]
    assert report.off_diagonal == pytest.approx((apart**2).sum() / 8, rel=1e-4)
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


@given(st.integers(2, 60), st.integers(2, 12), st.floats(0, 50), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_mean_and_residual_share_the_unit_length(number, width, centre, seed) -> None:
    """m_o^2 + mean r^2 = 1, wherever the vectors lie; the residual bounds the spread."""
    generator = np.random.default_rng(seed)
    rows = unit(generator.normal(size=(number, width)) + centre)
    report = collapse_report(rows)
    residuals = np.linalg.norm(rows - rows.mean(axis=0), axis=1)
    assert report.centre == pytest.approx(np.linalg.norm(rows.mean(axis=0)), abs=1e-9)
    assert report.centre**2 + np.mean(residuals**2) == pytest.approx(1, abs=1e-9)
    assert report.residual == pytest.approx(np.sqrt(np.mean(residuals**2)), abs=1e-7)
    assert report.spread <= report.residual + 1e-9


def test_the_mean_is_asked_before_the_rank() -> None:
    generator = np.random.default_rng(6)
    point = unit(generator.normal(size=(1000, 64)) + 40)
    report = collapse_report(point)
    assert report.effective_rank > 0.8 * 64
    assert report.kind == "complete"
    few = unit(generator.normal(size=(1000, 2)) @ generator.normal(size=(2, 64)))
    report = collapse_report(few)
    assert report.spread > 0.8  # turned away from the axes, so that no single dimension looks poor
    assert report.kind == "dimensional"


def test_a_low_rank_counts_only_where_the_rest_holds_nothing() -> None:
    # one strong direction, and 255 that hold 3 % of the variance or almost none of it
    generator = np.random.default_rng(12)
    for rest, kind in ((0.03, "none"), (0.003, "dimensional")):
        scale = np.sqrt(np.r_[1 - rest, np.full(255, rest / 255)])
        rows = unit(generator.choice([-1, 1], size=(3000, 256)) * scale)
        report = collapse_report(rows)
        assert report.effective_rank < 0.05 * 256
        assert report.tail == pytest.approx(rest * 243 / 255, rel=0.1)
        assert report.kind == kind


def test_two_opposite_points_are_collapse_in_few_dimensions_too() -> None:
    generator = np.random.default_rng(11)
    side = generator.choice([-1.0, 1.0], size=(200, 1)) * np.ones((1, 16))
    report = collapse_report(side + 0.01 * generator.normal(size=(200, 16)))
    assert report.centre < 0.3
    assert report.kind == "dimensional"


def test_a_mean_of_length_0_95_is_collapse_however_the_rest_is_spread() -> None:
    # an even sphere around a mean: every dimension of the rest deviates alike
    generator = np.random.default_rng(7)
    for length, kind in ((0.96, "complete"), (0.9, "none")):
        rest = unit(generator.normal(size=(4000, 64)) * np.r_[0, np.ones(63)])
        rows = np.sqrt(1 - length**2) * rest
        rows[:, 0] = length
        report = collapse_report(rows)
        assert report.centre == pytest.approx(length, abs=0.01)
        assert report.kind == kind
        assert report.collapsed == (kind == "complete")


def test_a_row_that_is_not_a_number_is_not_overlooked() -> None:
    rows = unit(np.random.default_rng(8).normal(size=(100, 8)))
    rows[3, 2] = np.nan
    rows[5, 0] = np.inf
    report = collapse_report(rows)
    assert (report.collapsed, report.kind, report.not_finite, report.n) == (
        True, "not finite", 2, 98,
    )  # fmt: skip
    assert "2 vectors" in report.reason
    json.dumps(report.to_dict(), allow_nan=False)
    nothing = collapse_report(np.full((3, 4), np.nan))
    assert (nothing.n, nothing.collapsed) == (0, True)


def test_length_counts_only_where_it_is_said_to() -> None:
    generator = np.random.default_rng(9)
    rows = unit(generator.normal(size=(200, 8)))
    stretched = rows * generator.uniform(0.1, 9, size=(200, 1))
    assert collapse_report(stretched).centre == pytest.approx(collapse_report(rows).centre)
    raw = collapse_report(stretched, normalise=False)
    assert raw.centre != pytest.approx(collapse_report(rows).centre, rel=0.1)


def test_shapes_that_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[n, 4\]"):
        CollapseMeter(4).add(np.zeros((2, 5)))
    with pytest.raises(ValueError, match=r"\[n, d\]"):
        collapse_report(np.zeros(5))


def test_tensors_count_like_arrays() -> None:
    torch = pytest.importorskip("torch", reason="the extra `learn` is not installed")
    rows = np.random.default_rng(10).normal(size=(60, 8)).astype(np.float32)
    told = collapse_report(rows)
    tensor = torch.tensor(rows, requires_grad=True)
    assert collapse_report(tensor) == told
    coarse = collapse_report(tensor.to(torch.bfloat16))
    assert coarse.centre == pytest.approx(told.centre, abs=0.01)


def test_it_is_there_without_torch() -> None:
    code = (
        "import sys; from peerscope.methods.collapse import collapse_report; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
