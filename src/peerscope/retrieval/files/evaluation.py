"""How good a bundle is on the interactions held out: by words, vectors and both, with and without user.

Over the whole catalogue as usual (nDCG@10, MRR@10, Recall@100), and as the paper does (DPSR section 6.2.1):
the chance that a chosen item is first, or among the first ten, of 1,024 of which the others are drawn evenly.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from peerscope.retrieval.bundle import open_bundle
from peerscope.retrieval.files.catalogue import read_events
from peerscope.retrieval.files.held_out import HeldOutPart
from peerscope.retrieval.files.home import Home
from peerscope.retrieval.files.ids import ItemIds
from peerscope.retrieval.files.interactions import InteractionTable
from peerscope.retrieval.files.pipeline import known_files
from peerscope.retrieval.files.stored import StoredCatalogue
from peerscope.retrieval.fusion import Fusion
from peerscope.retrieval.histories import Histories
from peerscope.retrieval.metrics import ndcg, recall, reciprocal_rank
from peerscope.retrieval.query import SearchEngine
from peerscope.retrieval.schema import MOST_HISTORY, FloatArray, IntArray, User

Progress = Callable[[str, int, int | None], None]

POOL = 1024
"""Items of which a chosen one has to be found, as in the paper."""

DEPTH = 100
METRICS = ("ndcg@10", "mrr@10", "recall@100", "top1", "top10")


@dataclass(frozen=True, slots=True)
class Asking:
    """A query that was held out: who asked, and what was chosen."""

    query: str
    grades: Mapping[int, float]
    user: User | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a bundle reached.

    Attributes:
        model: Name of the model.
        bundle: Name of the bundle.
        held_out: How the queries were held out.
        askings: How many there are, and how many of them by a user of whom something is known.
        measured: How many of them were asked, and how many of those by such a user.
        pool: Items of which a chosen one had to be found for ``top1`` and ``top10``.
        systems: System to metric to mean over all queries.
        personal: The same over the queries by users of whom something is known.
        seconds: How long it took.
    """

    model: str
    bundle: str
    held_out: HeldOutPart
    askings: tuple[int, int]
    measured: tuple[int, int]
    pool: int
    systems: Mapping[str, dict[str, float]]
    personal: Mapping[str, dict[str, float]]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "model": self.model, "bundle": self.bundle, "held_out": self.held_out.to_dict(),
            "askings": {"all": self.askings[0], "known_user": self.askings[1]},
            "measured": {"all": self.measured[0], "known_user": self.measured[1]},
            "pool": self.pool, "systems": dict(self.systems),
            "known_user": dict(self.personal), "seconds": self.seconds,
        }  # fmt: skip


def evaluate_model(
    home: Home,
    name: str,
    given: Sequence[Path] = (),
    *,
    most: int = 1000,
    seed: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure the bundle in service on the interactions that it was neither trained nor fitted on.

    Args:
        home: The folder.
        name: Name of the model.
        given: Files, if others than those that were named last.
        most: Queries to ask, at most; drawn evenly.
        seed: Seed of what is drawn.
        progress: Told of the stage.

    Raises:
        ValueError: Nothing is in service, or nothing was held out.
    """
    began = time.perf_counter()
    store = home.model(name).store
    bundle = store.current()
    if bundle is None:
        raise ValueError(f"Nothing of the model {name!r} is in service: index it first.")
    stated = store.manifest(bundle).metadata.get("held_out", {"by": "nothing"})
    held_out = HeldOutPart(**stated)
    if held_out.by == "nothing":
        raise ValueError(
            f"No interactions were held out when the model {name!r} was trained: there were none, or "
            f"--hold-out was 0. Train it with a part held out."
        )
    stored = StoredCatalogue(store.path(bundle))
    numbers = stored.all_numbers()
    stored.close()
    ids = ItemIds(numbers)
    for own in numbers:
        ids.add(own)
    users, events, _ = read_events(known_files(home, given), ids, progress)
    histories = Histories(users, events, (number for _, number in ids))
    found = askings(events.where(held_out.mask(events)), histories)
    if not found:
        raise ValueError("No held-out interaction has a query and an item of the bundle.")
    generator = np.random.default_rng(seed)
    chosen = [found[n] for n in np.sort(generator.permutation(len(found))[:most])]
    engine = open_bundle(store.path(bundle), verify=False)
    try:
        rows, systems = _measured(engine, chosen, generator, progress)
    finally:
        engine.close()
    known = np.asarray([one.user is not None for one in chosen])
    return Evaluation(
        name, bundle, held_out,
        (len(found), sum(one.user is not None for one in found)),
        (len(chosen), int(known.sum())),
        min(POOL, len(ids)),
        _means(systems, rows),
        _means(systems, rows[known]) if known.any() else {},
        time.perf_counter() - began,
    )  # fmt: skip


def askings(events: InteractionTable, histories: Histories) -> list[Asking]:
    """Interactions of one query by one user at one time together; those without a query are none."""
    led: dict[tuple[str, str | None, float | None], dict[int, float]] = {}
    for event in events:
        if event.query:
            led.setdefault((event.query, event.user_id, event.time), {})[event.item_id] = 1.0
    return [
        Asking(query, grades, _known(histories, user_id, moment))
        for (query, user_id, moment), grades in led.items()
    ]


def _known(histories: Histories, user_id: str | None, moment: float | None) -> User | None:
    """Who asked, as known then; ``None`` where nothing was."""
    if user_id is None:
        return None
    met, profile = histories.of(user_id, moment, MOST_HISTORY), histories.profile(user_id)
    return User(user_id, profile, met) if met or profile else None


def _measured(
    engine: SearchEngine,
    chosen: Sequence[Asking],
    generator: np.random.Generator,
    progress: Progress | None,
) -> tuple[FloatArray, list[str]]:
    """Metrics of each asking, shape ``[askings, systems, metrics]``, and the systems' names."""
    orders = {"words": Fusion(1.0, 0.0, 0.0, 0.0, 0.0)}
    if engine.towers is not None:
        orders |= {"vectors": Fusion(0.0, 1.0, 0.0, 0.0, 0.0), "fused": engine.fusion}
    personal = (
        engine.towers is not None
        and engine.towers.personal
        and any(one.user is not None for one in chosen)
    )
    systems = [(name, False) for name in orders]
    if personal:
        systems += [(name, True) for name in orders if name != "words"]
    engines = {
        name: SearchEngine(engine.index, engine.towers, order, engine.tokenizer, engine.spelling)
        for name, order in orders.items()
    }
    every = engine.index.ids()
    rows = np.zeros((len(chosen), len(systems), len(METRICS)), np.float32)
    for place, one in enumerate(chosen):
        pool = drawn(every, one.grades, generator)
        for column, (name, with_user) in enumerate(systems):
            user = one.user if with_user else None
            ranking = [hit.id for hit in engines[name].search(one.query, DEPTH, user=user).hits]
            scores = engines[name].scores(one.query, pool, user)
            rank = 1 + int(np.count_nonzero(scores[1:] >= scores[0]))
            rows[place, column] = (
                ndcg(ranking, one.grades),
                reciprocal_rank(ranking, one.grades),
                recall(ranking, one.grades),
                rank == 1,
                rank <= 10,
            )
        if progress is not None:
            progress("asking held-out queries", place + 1, len(chosen))
    return rows, [f"{name}, with user" if user else name for name, user in systems]


def drawn(every: IntArray, grades: Mapping[int, float], generator: np.random.Generator) -> IntArray:
    """A chosen item, then others drawn uniformly, none of them chosen too; `POOL` together if there are."""
    relevant = np.asarray(sorted(grades), dtype=np.int64)
    wanted = min(POOL - 1, len(every) - len(relevant))
    if len(every) > 4 * POOL:
        # Drawing a few more than needed is cheaper than a permutation of a million.
        others = every[generator.choice(len(every), wanted + len(relevant), replace=False)]
    else:
        others = generator.permutation(every)
    others = others[~np.isin(others, relevant)][:wanted]
    return np.concatenate([[generator.choice(relevant)], others]).astype(np.int64)


def _means(systems: Sequence[str], rows: FloatArray) -> dict[str, dict[str, float]]:
    means = rows.mean(axis=0)
    return {
        name: dict(zip(METRICS, map(float, means[place]), strict=True))
        for place, name in enumerate(systems)
    }
