"""What a reader may want next, without a query: the query tower asked with the titles of what they met.

Each title is asked as a query by this reader, so that it is read together with their history. The answers are
averaged, each counting half of the one met after it, into one vector a head; an item's score is the soft dot
product with these (DPSR equation 1). Why so: ``docs/benchmarks/feed.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from peerscope.retrieval.overlay import Overlay
from peerscope.retrieval.schema import (
    MOST_HISTORY,
    Filter,
    FloatArray,
    IntArray,
    Towers,
    UserInput,
)

FADING = 0.5
"""What a title counts beside the one that was met after it."""


@dataclass(frozen=True, slots=True)
class WantedHit:
    """An item near to what a reader met: its score, the nearest item met before, and the cosine to that."""

    id: int
    score: float
    because: int
    cosine: float


def wanted_hits(
    overlay: Overlay,
    towers: Towers,
    titles: Sequence[str],
    history: Sequence[int],
    k: int,
    where: Filter | None = None,
) -> list[WantedHit]:
    """The ``k`` items that a reader may want next, best first; none that they met.

    Args:
        overlay: What can be found.
        towers: Of the bundle in service.
        titles: Of items met before, newest first; each asks once.
        history: Ids of items met before, newest first.
        k: How many, and how many each vector brings in.
        where: Conditions that they fulfil.
    """
    met = np.asarray(overlay.known(history[:MOST_HISTORY]), dtype=np.int64)
    if not len(met) or not titles:
        return []
    who = UserInput(overlay.vectors(met), {})
    heads = _faded(towers.embed_queries(list(titles), [who] * len(titles)))
    lengths = np.linalg.norm(heads, axis=1)
    if not lengths.all():
        return []
    found = overlay.search_dense_many(heads / lengths[:, None], k + len(met), where)
    ids = np.setdiff1d(np.concatenate([hits.ids for hits in found]), np.asarray(history, np.int64))
    vectors = overlay.vectors(ids)
    scores = towers.score(heads, vectors)
    return _hits(ids, scores, vectors @ overlay.vectors(met).T, met, k)


def _faded(answers: FloatArray) -> FloatArray:
    """Query vectors ``[titles, heads, dim]``, the newest first, as their faded mean ``[heads, dim]``."""
    known = np.any(answers, axis=(1, 2))
    shares = np.where(known, FADING ** np.arange(len(answers)), 0.0)
    total = max(float(shares.sum()), 1e-9)
    found: FloatArray = np.einsum("t,thd->hd", shares / total, answers).astype(np.float32)
    return found


def _hits(
    ids: IntArray, scores: FloatArray, cosines: FloatArray, met: IntArray, k: int
) -> list[WantedHit]:
    order = np.lexsort((ids, -scores))[:k]
    nearest = cosines.argmax(axis=1) if len(ids) else np.empty(0, np.int64)
    return [
        WantedHit(
            int(ids[row]), float(scores[row]), int(met[nearest[row]]),
            float(cosines[row, nearest[row]]),
        )
        for row in order
    ]  # fmt: skip
