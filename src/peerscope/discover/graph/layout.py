"""Where the nodes lie: the same slice is the same picture, also after a restart.

Start: pivot MDS (Brandes and Pich 2007), which places nodes by their distances in the graph to a few far
apart ones. Then the springs of Fruchterman and Reingold (1991), shortened for large graphs as they did:
only nodes near to each other repel. Nothing is drawn by lot, and places are rounded, so that equal
slices give equal bytes. What was measured: docs/decisions/graph.md.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import cKDTree

from peerscope.discover.graph_shapes import GraphEdge

Floats = NDArray[np.float64]
PIVOTS = 24
ROUNDS = 60
ALL_PAIRS = 200
"""Up to so many nodes every pair repels; beyond, each is pushed by the `NEAREST` around it."""
NEAREST = 16
LOOKED = 5
"""Rounds after which it is looked anew which those are."""
LAYOUTS_KEPT = 512

_kept: OrderedDict[str, dict[str, tuple[float, float]]] = OrderedDict()
_lock = threading.Lock()


def fingerprint(keys: Sequence[str], edges: Iterable[GraphEdge]) -> str:
    """Hash of nodes in their order, and of edges with their weights."""
    digest = blake2b(digest_size=16)
    digest.update("\n".join(keys).encode())
    for edge in edges:
        digest.update(f"\n{edge.key} {edge.weight:.4f}".encode())
    return digest.hexdigest()


def places(keys: Sequence[str], edges: Sequence[GraphEdge]) -> dict[str, tuple[float, float]]:
    """Places in the unit square by node key, the first node's component in the middle of the drawing.

    Kept by `fingerprint`, the last `LAYOUTS_KEPT`.
    """
    name = fingerprint(keys, edges)
    with _lock:
        if name in _kept:
            _kept.move_to_end(name)
            return _kept[name]
    found = _laid_out(keys, edges)
    with _lock:
        _kept[name] = found
        while len(_kept) > LAYOUTS_KEPT:
            _kept.popitem(last=False)
    return found


def forget() -> None:
    """Let go of every layout: for measurements."""
    with _lock:
        _kept.clear()


def _laid_out(keys: Sequence[str], edges: Sequence[GraphEdge]) -> dict[str, tuple[float, float]]:
    if len(keys) == 1:
        return {keys[0]: (0.5, 0.5)}
    number = {key: place for place, key in enumerate(keys)}
    heads = np.array([number[edge.source] for edge in edges], dtype=np.int64)
    tails = np.array([number[edge.target] for edge in edges], dtype=np.int64)
    weights = np.array([edge.weight for edge in edges])
    size = len(keys)
    graph = csr_array((weights, (heads, tails)), shape=(size, size))
    graph = csr_array(graph + graph.T)
    spread = _springs(_started(graph), graph)
    low, high = spread.min(axis=0), spread.max(axis=0)
    wide = np.where(high - low > 1e-9, high - low, 1.0)
    digits = 3 if size <= ALL_PAIRS else 4
    # Half by place and half by rank: a few far nodes do not press all others into the middle.
    ranks = np.argsort(np.argsort(spread, axis=0, kind="stable"), axis=0, kind="stable")
    square = np.round(0.5 * (spread - low) / wide + 0.5 * ranks / (size - 1), digits)
    return {key: (float(x), float(y)) for key, (x, y) in zip(keys, square.tolist(), strict=True)}


def _started(graph: csr_array) -> Floats:
    """Places by pivot MDS, shape ``[n, 2]``; parts that hang together with nothing stand around the rest."""
    size = graph.shape[0]
    steps = csr_array((np.ones_like(graph.data), graph.indices, graph.indptr), shape=graph.shape)
    pivots, nearest = [0], np.full(size, np.inf)
    distances = np.empty((size, 0))
    for _ in range(min(PIVOTS, size)):
        row = dijkstra(steps, indices=pivots[-1], unweighted=True)
        distances = np.column_stack([distances, row])
        nearest = np.minimum(nearest, row)
        reached = np.where(np.isfinite(nearest), nearest, 0.0)
        if reached.max() == 0:
            break
        pivots.append(int(reached.argmax()))
    parts, part = connected_components(graph, directed=False)
    inside = part == part[0]
    start = np.zeros((size, 2))
    start[inside] = _projected(distances[inside])
    if parts > 1:
        turn = 2 * np.pi * np.arange(parts) / parts
        ring = 1.2 * max(1.0, float(np.abs(start).max()))
        away = np.column_stack([np.cos(turn), np.sin(turn)]) * ring
        start[~inside] = away[part[~inside]]
    # Nodes with equal distances would start on one spot: a spiral of golden angles parts them.
    angle = np.arange(size) * np.pi * (3 - np.sqrt(5))
    radius = 0.35 * np.sqrt(np.arange(size) / size)
    return np.asarray(start + np.column_stack([np.cos(angle), np.sin(angle)]) * radius[:, None])


def _projected(distances: Floats) -> Floats:
    squared = distances**2
    centred = (
        squared - squared.mean(axis=0) - squared.mean(axis=1, keepdims=True) + squared.mean()
    ) * -0.5
    _, vectors = np.linalg.eigh(centred.T @ centred)
    axes = vectors[:, ::-1][:, :2]
    # An eigenvector has no sign of its own; its largest part is made positive.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    spread = centred @ axes
    if spread.shape[1] < 2:
        spread = np.column_stack([spread, np.zeros(len(spread))])
    scale = np.abs(spread).max()
    return np.asarray(spread / scale if scale > 0 else spread)


def _springs(start: Floats, graph: csr_array) -> Floats:
    """Edges draw together with ``d² / k``, nodes push apart with ``k² / d``, for a fixed number of rounds."""
    size = len(start)
    spot = start.copy()
    ideal = 1.9 / np.sqrt(size)
    links = graph.tocoo()
    once = links.row < links.col
    heads, tails, weights = links.row[once], links.col[once], links.data[once]
    others = np.empty((0, 0), np.int64)
    for turn in range(ROUNDS):
        if size <= ALL_PAIRS:
            force = _pushes(spot, ideal)
        else:
            if turn % LOOKED == 0:
                others = cKDTree(spot).query(spot, NEAREST + 1)[1][:, 1:]
            force = _near_pushes(spot, others, ideal)
        apart = spot[heads] - spot[tails]
        pull = apart * (np.sqrt((apart**2).sum(axis=1)) * weights / ideal)[:, None]
        for axis in (0, 1):
            force[:, axis] -= np.bincount(heads, pull[:, axis], size)
            force[:, axis] += np.bincount(tails, pull[:, axis], size)
        # Weak gravity keeps parts without an edge between them in one picture.
        force -= 0.3 * spot
        length = np.sqrt((force**2).sum(axis=1)).clip(1e-9)
        heat = 0.12 * (1 - turn / ROUNDS)
        spot += force * (np.minimum(length, heat) / length)[:, None]
    return spot


def _pushes(spot: Floats, ideal: float) -> Floats:
    across = spot[:, 0, None] - spot[None, :, 0]
    down = spot[:, 1, None] - spot[None, :, 1]
    push = ideal**2 / (across**2 + down**2 + 1e-6)
    return np.column_stack([(across * push).sum(axis=1), (down * push).sum(axis=1)])


def _near_pushes(spot: Floats, others: NDArray[np.int64], ideal: float) -> Floats:
    across = spot[:, 0, None] - spot[others, 0]
    down = spot[:, 1, None] - spot[others, 1]
    push = ideal**2 / (across**2 + down**2 + 1e-6)
    return np.column_stack([(across * push).sum(axis=1), (down * push).sum(axis=1)])
