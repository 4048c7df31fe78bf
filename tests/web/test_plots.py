"""Geometry of the pictures of attempts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerscope.reproduce.verdict import CheckResult
from peerscope.web.plots import HEIGHT, STRIP_WIDTH, WIDTH, plot, strip, told

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: float(f"{x:.6g}"))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1.0, "1.00"), (-0.5, "−0.500"), (1234.5, "1,234"), (0.0123, "0.0123"), (99.96, "100.0"),
     (1e-15, "1.0 × 10⁻¹⁵"), (-2.5e-7, "−2.5 × 10⁻⁷"), (3e7, "3.0 × 10⁷")],
)  # fmt: skip
def test_numbers_are_told_to_three_digits(value: float, text: str) -> None:
    assert told(value) == text


@given(
    st.lists(NUMBERS, min_size=1, max_size=6),
    NUMBERS,
    st.sampled_from(["above", "below", "within"]),
)
def test_a_strip_keeps_order_and_stays_inside(values, bound, relation) -> None:
    low, high = min(values), max(values)
    check = CheckResult("l", "c", sum(values) / len(values), low, high, tuple(values), "open")
    found = strip(check, relation, bound, 0.5 if relation == "within" else None)
    places = [found.low, found.high, found.middle, found.bound, *found.seeds, *found.claimed]
    assert all(0 <= one <= STRIP_WIDTH for one in places)
    assert found.low <= found.high
    assert (found.bound < found.low) <= (bound < low)
    assert found.claimed[0] <= found.claimed[1]


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=20))
def test_a_plot_stays_inside(points) -> None:
    points = sorted(points)
    seeds = [{"a": [[x for x, _ in points], [y + n for _, y in points]]} for n in range(3)]
    found = plot("p", seeds)
    for line in found.lines:
        for path in (line.mean, *line.seeds):
            for x, y in re.findall(r"([-\d.]+) ([-\d.]+)", path):
                assert -1 <= float(x) <= WIDTH + 1
                assert -1 <= float(y) <= HEIGHT + 1
    assert len(found.across) >= 1
    assert 2 <= len(found.up) <= 12


def test_a_plot_of_nothing_is_none_and_many_lines_are_cut() -> None:
    assert plot("p", [{"a": [[], []]}]) is None
    found = plot("p", [{f"l{n}": [[0, 1], [n, n]] for n in range(11)}])
    assert len(found.lines) == 8
    assert found.left_out == 3


def test_positions_over_decades_are_logarithmic() -> None:
    found = plot("p", [{"a": [[0.01, 1, 100], [1, 2, 3]]}])
    assert found.logarithmic
    xs = [float(x) for x in re.findall(r"([\d.]+) ", found.lines[0].mean)]
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2)
