"""What laying out a graph takes, beside the ways that networkx has: one thread, processor milliseconds.

    python benchmarks/graph_layout.py

Preferential attachment with three edges a node (one seed); the best of three, of one at 2,000 nodes. Prints a
table in Markdown, for docs/decisions/graph.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import networkx as nx

from peerscope.discover.graph.layout import forget, places
from peerscope.discover.graph_shapes import GraphEdge

SIZES = (60, 150, 2_000)
LARGE = 1_000
WAYS: dict[str, Callable[[nx.Graph], object]] = {
    "networkx spring, 120 rounds": lambda g: nx.spring_layout(g, seed=0, iterations=120),
    "networkx spring, 50 rounds": lambda g: nx.spring_layout(g, seed=0, iterations=50),
    "networkx ForceAtlas2, 10 rounds": lambda g: nx.forceatlas2_layout(g, seed=0, max_iter=10),
}


def milliseconds(do: Callable[[], object], times: int) -> float:
    """Processor time of the quickest of some runs."""
    best = float("inf")
    for _ in range(times):
        began = time.process_time()
        do()
        best = min(best, time.process_time() - began)
    return 1000 * best


def ours(graph: nx.Graph) -> Callable[[], object]:
    """The layout of slices, of works that cite works."""
    keys = [f"W{node}" for node in graph]
    edges = [GraphEdge(f"W{a}", f"W{b}", "cites", 1.0, "") for a, b in graph.edges]

    def lay() -> object:
        forget()
        return places(keys, edges)

    return lay


def main() -> None:
    """Measure and print."""
    print(f"| nodes | {' | '.join(WAYS)} | this |")
    print("| ---: |" + " ---: |" * (len(WAYS) + 1))
    for size in SIZES:
        graph = nx.barabasi_albert_graph(size, 3, seed=0)
        times = 1 if size > LARGE else 3
        row = [milliseconds(lambda do=do, graph=graph: do(graph), times) for do in WAYS.values()]
        row.append(milliseconds(ours(graph), 3))
        print(f"| {size:,} | " + " | ".join(f"{one:,.0f}" for one in row) + " |", flush=True)


if __name__ == "__main__":
    main()
