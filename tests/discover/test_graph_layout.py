"""Places: in the square, the same for the same slice in any process, and near where edges are."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peerscope.discover.graph import layout
from peerscope.discover.graph_shapes import GraphEdge

PROGRAM = """
from peerscope.discover.graph import layout
from peerscope.discover.graph_shapes import GraphEdge
size = {size}
keys = [f"W{{n}}" for n in range(size)]
edges = [GraphEdge(f"W{{n}}", f"W{{(n * 7 + 3) % size}}", "cites", 1.0, "") for n in range(size)
         if n != (n * 7 + 3) % size]
print(layout.fingerprint(keys, edges), layout.places(keys, edges))
"""


@pytest.mark.parametrize("size", [60, 700])
def test_another_process_draws_the_same(size: int) -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM.format(size=size)],
            capture_output=True, check=True, env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(said) == 1


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=80))
def test_any_graph_lies_in_the_unit_square(size: int, pairs: list[tuple[int, int]]) -> None:
    keys = [f"W{n}" for n in range(size)]
    edges = [
        GraphEdge(f"W{a % size}", f"W{b % size}", "cites", 0.5, "")
        for a, b in pairs
        if a % size != b % size
    ]
    found = layout.places(keys, edges)
    assert list(found) == keys
    assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y in found.values())
    if size > 1:
        assert len(set(found.values())) > 1


@pytest.mark.parametrize("size", [40, 300])
def test_two_groups_lie_apart(size: int) -> None:
    groups = [range(size), range(size, 2 * size)]
    edges = [
        GraphEdge(f"W{a}", f"W{b}", "cites", 1.0, "")
        for group in groups
        for a, b in combinations(group, 2)
        if (a * 13 + b * 7) % size < 8
    ]
    edges.append(GraphEdge("W0", f"W{size}", "cites", 1.0, ""))
    found = layout.places([f"W{n}" for n in range(2 * size)], edges)
    one, other = (np.array([found[f"W{n}"] for n in group]) for group in groups)
    apart = float(np.linalg.norm(one.mean(axis=0) - other.mean(axis=0)))
    spread = float(
        np.mean([np.linalg.norm(g - g.mean(axis=0), axis=1).mean() for g in (one, other)])
    )
    assert apart > spread


def test_layouts_are_kept_by_content_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    layout.forget()
    monkeypatch.setattr(layout, "LAYOUTS_KEPT", 3)
    edges = [GraphEdge("W1", "W2", "cites", 1.0, "")]
    first = layout.places(["W1", "W2"], edges)
    assert layout.places(["W1", "W2"], edges) is first
    heavier = [GraphEdge("W1", "W2", "cites", 0.5, "")]
    assert layout.fingerprint(["W1", "W2"], edges) != layout.fingerprint(["W1", "W2"], heavier)
    for n in range(10):
        layout.places([f"W{n}"], [])
    assert len(layout._kept) == 3
