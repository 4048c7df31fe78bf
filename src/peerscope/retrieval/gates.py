"""What a new bundle must show before it goes into service.

Quality on queries that neither training nor the fusion weights have seen, vectors that have not collapsed,
the full path's latency, the size on disk. Each gate gives a figure, a bound and a sentence; a bundle that
fails one is kept beside the others with its explanation.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from peerscope.methods.collapse import CollapseMeter
from peerscope.retrieval.fusion import Fusion, HeldOut, mean_ndcg, ndcgs
from peerscope.retrieval.query import SearchEngine
from peerscope.retrieval.schema import FloatArray


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is demanded.

    Attributes:
        worse_than_words: How much lower than words alone nDCG@10 may be, beyond the standard error of the
            difference.
        worse_than_before: How much lower than the bundle in service nDCG@10 may be.
        latency_ms: 95th percentile of a query, on the machine that publishes.
        bytes: Size of the bundle.
        fewest_queries: Below this many held-out queries quality is not judged.
    """

    worse_than_words: float = 0.01
    worse_than_before: float = 0.03
    latency_ms: float = 1000.0
    bytes: int = 16 << 30
    fewest_queries: int = 20


@dataclass(frozen=True, slots=True)
class GateResult:
    """One gate: its figure, what was demanded, and a sentence for the operator."""

    name: str
    passed: bool
    measured: float | None
    bound: float | None
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return asdict(self)


def quality_gate(fusion: Fusion, queries: Sequence[HeldOut], bounds: Bounds) -> GateResult:
    """Fused order against words alone, on held-out queries."""
    if len(queries) < bounds.fewest_queries:
        return GateResult(
            "quality", True, None, None,
            f"Only {len(queries)} held-out queries: quality could not be judged.",
        )  # fmt: skip
    alone = np.asarray(ndcgs(Fusion(1.0, 0.0, fusion.title, 0.0, 0.0), queries))
    together = np.asarray(ndcgs(fusion, queries))
    words, fused = float(alone.mean()), float(together.mean())
    # A few held-out queries tell little: their standard error is allowed for.
    unsure = float((together - alone).std() / np.sqrt(len(queries)))
    bound = words - bounds.worse_than_words - unsure
    return GateResult(
        "quality", fused >= bound, fused, bound,
        f"nDCG@10 {fused:.3f} on {len(queries)} held-out queries; words alone reach {words:.3f}.",
    )  # fmt: skip


def continuity_gate(
    fusion: Fusion,
    queries: Sequence[HeldOut],
    earlier: float | None,
    bounds: Bounds,
) -> GateResult:
    """The new bundle against nDCG@10 of the one in service, on the same queries."""
    if earlier is None or len(queries) < bounds.fewest_queries:
        return GateResult(
            "continuity", True, None, None, "There is no earlier bundle to compare with."
        )
    now = mean_ndcg(fusion, queries)
    bound = earlier - bounds.worse_than_before
    return GateResult(
        "continuity", now >= bound, now, bound,
        f"nDCG@10 {now:.3f}; the bundle in service reaches {earlier:.3f} on the same queries.",
    )  # fmt: skip


def collapse_gate(vectors: FloatArray) -> GateResult:
    """The collapse report over all item vectors (`peerscope.methods.collapse`)."""
    meter = CollapseMeter(vectors.shape[1])
    for start in range(0, len(vectors), 8192):
        meter.add(vectors[start : start + 8192])
    report = meter.report()
    return GateResult(
        "collapse", not report.collapsed, round(report.effective_rank, 2), None, report.reason
    )


def latency_gate(engine: SearchEngine, queries: Sequence[str], bounds: Bounds) -> GateResult:
    """95th percentile of the full path, text in, ten items out."""
    if not queries:
        return GateResult("latency", True, None, bounds.latency_ms, "There was no query to time.")
    engine.search(queries[0], 10)
    spent = []
    for query in queries:
        began = time.perf_counter()
        engine.search(query, 10)
        spent.append(1000 * (time.perf_counter() - began))
    slowest = float(np.percentile(spent, 95))
    return GateResult(
        "latency", slowest <= bounds.latency_ms, round(slowest, 2), bounds.latency_ms,
        f"95 of 100 queries take at most {slowest:.0f} ms on this machine.",
    )  # fmt: skip


def size_gate(size: int, bounds: Bounds) -> GateResult:
    """Bytes on disk."""
    return GateResult(
        "size", size <= bounds.bytes, size, bounds.bytes, f"The bundle takes {size / 1e6:,.1f} MB."
    )
