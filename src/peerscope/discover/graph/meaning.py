"""Nearness in meaning as the graph draws it: between works, people and topics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from peerscope.discover.neighbours import Near, people_in_meaning, topics_in_meaning

Vectors = Callable[[Sequence[int]], tuple[list[int], NDArray[np.float32]]]
"""Those of some works that have a vector, with their vectors of length 1, shape ``[n, dim]``."""

LEAST_COSINE = 0.5
"""Two works of a slice are drawn as near from this cosine on."""


def no_vectors(works: Sequence[int]) -> tuple[list[int], NDArray[np.float32]]:
    """Nothing is published, so no work has a vector."""
    return [], np.empty((0, 0), np.float32)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the published vectors say.

    Attributes:
        near: Works nearest to the mean of some works.
        vectors: Vectors of works.
    """

    near: Near
    vectors: Vectors = no_vectors

    def around(self, session: Session, entity: str, number: int, limit: int) -> dict[str, float]:
        """Keys near a work, person or topic, nearest first, with a cosine in (0, 1].

        A person is near who wrote a work near to the mean of the person's works; a topic, which such a
        work carries. The cosine is that of the nearest such work, and holds seen from this one of the
        two. Statements: none for a work, two else.
        """
        if entity == "W":
            found = {f"W{other}": cosine for other, cosine in self.near([number], limit)}
        elif entity == "A":
            people = people_in_meaning(session, number, self.near)
            found = {f"A{other}": cosine for other, (_, cosine, _) in people.items()}
        elif entity == "T":
            topics = topics_in_meaning(session, number, self.near)
            found = {f"T{other}": close[0][1] for other, close in topics.items()}
        else:
            found = {}
        best = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
        return {key: min(cosine, 1.0) for key, cosine in best[:limit] if cosine > 0}

    def among(self, works: Sequence[int], fresh: Sequence[int]) -> dict[tuple[int, int], float]:
        """Pairs of works, the smaller number first, one fresh, with a cosine from `LEAST_COSINE` on."""
        known, vectors = self.vectors(sorted(works))
        if len(known) < 2:
            return {}
        rows = np.flatnonzero(np.isin(known, list(fresh)))
        cosines = vectors[rows] @ vectors.T
        pairs = {}
        for row, column in zip(*np.nonzero(cosines >= LEAST_COSINE), strict=True):
            one, other = known[rows[row]], known[column]
            if one != other:
                pair = (min(one, other), max(one, other))
                pairs[pair] = min(float(cosines[row, column]), 1.0)
        return pairs
