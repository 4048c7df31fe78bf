"""t-SNE of item vectors (van der Maaten and Hinton 2008), by openTSNE, from given neighbours.

Attraction is equal among near neighbours, as Böhm, Berens and Kobak (2022) show to be enough; repulsion is
interpolated on a grid (FIt-SNE, Linderman et al. 2019) for large catalogues. One thread, seeded by its start:
equal input gives equal places. What has been reached is kept after every `STEP` iterations, so that a run
that was stopped goes on and ends where it would have ended.

openTSNE is imported when places are asked for and nowhere else; nothing that serves a query needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from peerscope.atomic import written
from peerscope.retrieval.planar import Places
from peerscope.retrieval.schema import IntArray

Progress = Callable[[str, int, int | None], None]

NEIGHBOURS = 15
"""Neighbours by which an item is attracted."""

FEWEST = 40
"""Items below which attraction and repulsion say little; principal axes are as good."""

STEP = 50
"""Iterations between two states that are kept."""

MOMENTUM = 0.8

START_SPREAD = 1e-4
"""Standard deviation of the start: small, so that it sets the order and not the shape."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Iterations with exaggerated attraction, which forms the large groups, and after it.

    Attributes:
        early: Iterations with attraction times ``exaggeration``.
        late: Iterations after them.
        exaggeration: See there.
    """

    early: int = 250
    late: int = 500
    exaggeration: float = 12.0


COLD = Schedule()
WARM = Schedule(early=0, late=250)
"""From the places of an earlier map: the large groups are there already."""


def tsne_version() -> str | None:
    """Version of the installed openTSNE; ``None`` where there is none."""
    try:
        return version("openTSNE") if find_spec("openTSNE") else None
    except (PackageNotFoundError, ValueError):
        return None


def started_small(places: Places) -> Places:
    """Places scaled to the spread of a start, shape ``[n, 2]``."""
    spread = float(places[:, 0].std())
    found: Places = places / (spread or 1.0) * START_SPREAD
    return found


def tsne(
    near: IntArray,
    start: Places,
    *,
    schedule: Schedule = COLD,
    kept: Path | None = None,
    progress: Progress | None = None,
) -> Places:
    """Places of items from their nearest neighbours.

    Args:
        near: Rows of the nearest others of each item, shape ``[n, k]``, nearest first.
        start: Where they start, shape ``[n, 2]``.
        schedule: How long.
        kept: File of the state reached; one that was left by a run on the same input is gone on from. The
            caller removes it.
        progress: Told of iterations.

    Returns:
        Shape ``[n, 2]``, around 0.

    Raises:
        ImportError: openTSNE is not installed (see `tsne_version`).
    """
    from openTSNE import TSNEEmbedding
    from openTSNE.affinity import Uniform
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    distances = np.ones(
        near.shape
    )  # attraction is equal among neighbours, so how near does not count
    index = PrecomputedNeighbors(near.astype(np.int64), distances)
    pull = Uniform(knn_index=index, k_neighbors=near.shape[1], symmetrize=True, n_jobs=1)
    total = schedule.early + schedule.late
    exact = pull.P.data.copy()
    done, places, gains, update = _read(kept, start)
    embedding: Any = TSNEEmbedding(places, pull, random_state=0)
    embedding.optimizer.gains, embedding.optimizer.update = gains, update
    while done < total:
        early = done < schedule.early
        steps = min(STEP, (schedule.early if early else total) - done)
        pull.P.data[:] = (
            exact  # exaggerating and back leaves rounding, which a resumed run would not have
        )
        embedding.optimize(
            steps,
            inplace=True,
            propagate_exception=True,
            exaggeration=schedule.exaggeration if early else 1.0,
            momentum=MOMENTUM,
            learning_rate="auto",
            n_jobs=1,
            verbose=False,
        )
        done += steps
        _write(kept, done, embedding)
        if progress is not None:
            progress("placing works on the map", done, total)
    return np.asarray(embedding, np.float64).copy()


State = tuple[int, Places, Places | None, Places | None]


def _read(kept: Path | None, start: Places) -> State:
    """Iterations done, places, gains and last step of a kept state; the start where none is that fits."""
    try:
        if kept is not None:
            with np.load(kept) as state:
                if state["places"].shape == start.shape:
                    return int(state["done"]), state["places"], state["gains"], state["update"]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        pass
    return 0, start, None, None


def _write(kept: Path | None, done: int, embedding: Any) -> None:
    if kept is None:
        return
    made = embedding.optimizer
    with written(kept) as stream:
        np.savez(
            stream, done=done, places=np.asarray(embedding), gains=made.gains, update=made.update
        )
