"""Train the towers on pairs, judged after each pass on queries kept aside.

Each pass draws its pairs by weight; negatives are the batch's other items and one shared uniform set (DPSR
section 4.4 and algorithm 1). Items met before count by their vector of a moment ago: no gradient flows
through a history, and an item that arrives after training counts in one too. Every pass ends with a
checkpoint, so that a run that was stopped goes on to the same result.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from peerscope.retrieval.examples import Judged, Pairs
from peerscope.retrieval.front import Front
from peerscope.retrieval.histories import Met
from peerscope.retrieval.learn.checkpoint import load_checkpoint, save_checkpoint
from peerscope.retrieval.learn.config import TrainConfig
from peerscope.retrieval.learn.data import Data, meeting
from peerscope.retrieval.learn.lists import Lists
from peerscope.retrieval.learn.model import Model, Texts
from peerscope.retrieval.learn.momentum import Target
from peerscope.retrieval.learn.objective import objective
from peerscope.retrieval.metrics import ndcg
from peerscope.retrieval.schema import FloatArray, IntArray, Item
from peerscope.retrieval.towers import TwoTowers, soft_dot

Progress = Callable[[str, int, int | None], None]

REFRESHED = 500
"""Steps after which the vectors by which histories count are made anew."""

CHUNK = 8192
RANKED = 30


@dataclass(slots=True)
class TrainingReport:
    """What a run did.

    Attributes:
        pairs: Number of training pairs.
        judged: Number of queries kept aside.
        start: nDCG@10 of the start on them, by vectors alone.
        epochs: Loss and nDCG@10 after each pass.
        best: The pass that was kept; 0 is the start.
    """

    pairs: int
    judged: int
    start: float = 0.0
    epochs: list[dict[str, float]] = field(default_factory=list)
    best: int = 0


class Trainer:
    """One training run.

    Args:
        front: The towers' front, already fitted to the catalogue.
        pairs: Training pairs.
        judged: Queries kept aside.
        items: The catalogue; the first of the pairs' texts are theirs.
        config: Settings.
        profile: Profile field to its known values.
        fields: Item field to its known values.
        warm: Towers over the same front to start from, if they fit.
        progress: Told of the stage.
    """

    def __init__(
        self,
        front: Front,
        pairs: Pairs,
        judged: Sequence[Judged],
        items: Sequence[Item],
        config: TrainConfig,
        *,
        profile: Mapping[str, Sequence[str]] | None = None,
        fields: Mapping[str, Sequence[str]] | None = None,
        warm: TwoTowers | None = None,
        progress: Progress | None = None,
    ) -> None:
        torch.set_num_threads(config.threads)
        torch.sparse.check_sparse_tensor_invariants.disable()  # type: ignore[no-untyped-call]
        self.config = config
        self.report = TrainingReport(len(pairs), len(judged))
        self.model = Model(front, config, profile or {}, fields or {})
        self.warm = warm is not None and self.model.take_over(warm)
        self._progress = progress or (lambda stage, done, total: None)
        self._judged = list(judged)
        self._progress("embedding texts", 0, None)
        self._data = Data(self.model, pairs, judged, items)
        self._met = torch.zeros((0, self.model.dim))
        self._optimizers = _optimizers(self.model, config)
        self._target = Target(self.model, config.momentum) if config.momentum else None

    def run(self, checkpoints: Path | None = None, identity: str = "") -> TwoTowers:
        """Train and return the towers of the best pass; `report` says what happened.

        Args:
            checkpoints: Folder for the checkpoint; a run with the same identity goes on from there.
            identity: Names the data and settings; a checkpoint of another identity is not used.
        """
        first = 1
        found = load_checkpoint(checkpoints, identity) if checkpoints is not None else None
        if found is not None:
            first, most, best = self._restore(found)
        else:
            self.report.start = most = self._reached()
            best = copy.deepcopy(self.model.state_dict())
        for epoch in range(first, self.config.epochs + 1):
            if self._stale(epoch):
                break
            loss = self._pass(epoch)
            reached = self._reached()
            self.report.epochs.append({"loss": loss, "ndcg@10": reached})
            if reached > most or not self._judged:
                most, best = reached, copy.deepcopy(self.model.state_dict())
                self.report.best = epoch
            if checkpoints is not None:
                save_checkpoint(checkpoints, identity, self._state(epoch, most, best))
        self.model.load_state_dict(best)
        return self.model.exported()

    def _stale(self, epoch: int) -> bool:
        return not len(self._data.query) or epoch - 1 - self.report.best >= self.config.patience

    def _pass(self, epoch: int) -> float:
        """One pass; what is drawn depends on seed and epoch only, so that a resumed run draws the same."""
        config, data = self.config, self._data
        generator = np.random.default_rng((config.seed, epoch))
        torch.manual_seed(config.seed * 100_003 + epoch)
        number = min(config.most_pairs, len(data.query))
        drawn = generator.choice(len(data.query), number, replace=True, p=data.share)
        expected = self._expected()
        batch = min(config.batch, number)
        hard = self._hard(drawn, epoch, generator)
        total, steps = 0.0, 0
        for start in range(0, number - batch + 1, batch):
            if steps % REFRESHED == 0 and config.history != "none":
                self._met = self._item_vectors()
            self.model.train()
            part = slice(start, start + batch)
            total += self._step(drawn[part], hard[part], generator, expected)
            steps += 1
            self._progress(f"training, pass {epoch}", start + batch, number)
        return total / max(steps, 1)

    def _expected(self) -> NDArray[np.float64]:
        """How many times each item is expected among the candidates of a step, shape ``[items]``."""
        config, number = self.config, len(self._data.ids)
        drawn = np.zeros(number, np.float64)
        np.add.at(drawn, self._data.item, self._data.share)
        # At alpha 1 the batch gives a query its own item and nothing else.
        of_batch = config.batch if config.alpha < 1 else 1
        return of_batch * drawn + config.random_negatives / max(number, 1) + 1e-12

    def _step(
        self,
        chosen: IntArray,
        hard: IntArray,
        generator: np.random.Generator,
        expected: NDArray[np.float64],
    ) -> float:
        config, data = self.config, self._data
        shared = generator.integers(len(data.ids), size=config.random_negatives)
        others = np.concatenate([shared, np.unique(hard)])
        columns = np.concatenate([data.item[chosen], others])
        texts = np.concatenate([data.text[chosen], others])
        askings = data.query[chosen]
        kept = generator.random(len(chosen)) >= config.history_dropout
        heads, items = self._both(self.model, askings, kept, texts, columns)
        target = None
        if self._target is not None:
            with torch.no_grad():
                target = self._both(self._target.model, askings, kept, texts, columns)
        loss = objective(
            heads,
            items,
            config,
            log_expected=_logarithm(expected[columns]) if config.log_q else None,
            excluded=torch.from_numpy(self._excluded(chosen, askings, columns)),
            target=target,
        )
        for optimizer in self._optimizers:
            optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for optimizer in self._optimizers:
            optimizer.step()
        if self._target is not None:
            self._target.follow()
        return float(loss.detach())

    def _both(
        self,
        model: Model,
        askings: IntArray,
        kept: NDArray[np.bool_],
        texts: IntArray,
        columns: IntArray,
    ) -> tuple[Tensor, Tensor]:
        """Vectors of a step's queries, shape ``[n, K, d]``, and of its candidates, ``[c, d]``."""
        data = self._data
        fields = [model.fields[name](codes, columns) for name, codes in data.fields.items()]
        items = model.item_vectors(data.texts.rows(texts), fields)
        heads = self._query_vectors(
            data.queries, askings, data.histories, data.profiles, kept, model
        )
        return heads, items

    def _excluded(
        self, chosen: IntArray, askings: IntArray, columns: IntArray
    ) -> NDArray[np.bool_]:
        own = self._data.item[chosen]
        found: NDArray[np.bool_] = own[:, None] == columns[None, :]
        if self.config.mask_known:
            found |= meeting(self._data.known, askings, columns)
        if self.config.alpha == 1:
            found[:, : len(chosen)] = True
        return found

    def _query_vectors(
        self,
        texts: Texts,
        askings: IntArray,
        histories: Lists | Met,
        profiles: Mapping[str, Lists],
        kept: NDArray[np.bool_] | None = None,
        model: Model | None = None,
    ) -> Tensor:
        model = model or self.model
        history = None
        if self.config.history != "none":
            places, sizes = histories.padded(askings, self.config.most_history)
            if kept is not None:
                sizes = np.where(kept, sizes, 0)
            present = torch.from_numpy(np.arange(places.shape[1]) < sizes[:, None])
            history = (self._met[torch.from_numpy(places)], present)
        profile = [model.profile[name](codes, askings) for name, codes in profiles.items()]
        return model.query_vectors(texts.rows(askings), history, profile)

    @torch.no_grad()
    def _hard(self, drawn: IntArray, epoch: int, generator: np.random.Generator) -> IntArray:
        """Hard negatives of the drawn pairs, shape ``[len(drawn), hard]``: from the towers' own results."""
        config, data = self.config, self._data
        low, high = config.hard_ranks
        high = min(high, len(data.ids) - 1)
        if not config.hard or epoch <= config.hard_after or high <= low:
            return np.empty((len(drawn), 0), np.int64)
        self.model.eval()
        self._met = self._item_vectors()
        catalogue = self._met.numpy()
        asked, back = np.unique(data.query[drawn], return_inverse=True)
        found = np.empty((len(asked), config.hard), np.int64)
        for start in range(0, len(asked), 512):
            part = asked[start : start + 512]
            heads = self._query_vectors(data.queries, part, data.histories, data.profiles)
            scores = heads.mean(dim=1).numpy() @ catalogue.T
            top = np.argpartition(-scores, high, axis=1)[:, :high]
            ranked = np.take_along_axis(
                top, np.argsort(-np.take_along_axis(scores, top, 1), axis=1), 1
            )
            picked = generator.integers(low, high, size=(len(part), config.hard))
            found[start : start + len(part)] = np.take_along_axis(ranked, picked, 1)
            self._progress(f"hard negatives, pass {epoch}", start + len(part), len(asked))
        return found[back.reshape(-1)]

    @torch.no_grad()
    def _reached(self) -> float:
        """Mean nDCG@10 of the queries kept aside, by vectors alone, over the whole catalogue."""
        if not self._judged or not len(self._data.ids):
            return 0.0
        self.model.eval()
        data = self._data
        self._met = self._item_vectors()
        catalogue = self._met.numpy()
        every = np.arange(len(self._judged))
        heads = self._query_vectors(data.asked, every, data.asked_histories, data.asked_profiles)
        bare = self._untitled()
        found = []
        for row, one in enumerate(self._judged):
            asked = heads[row].numpy()
            scores = soft_dot(catalogue @ asked.T, self.config.beta)
            if row in bare:
                place, vector = bare[row]
                scores[place] = soft_dot(vector[None] @ asked.T, self.config.beta)[0]
            top = np.argpartition(-scores, min(RANKED, len(scores) - 1))[:RANKED]
            order = top[np.lexsort((data.ids[top], -scores[top]))]
            ranking = [int(number) for number in data.ids[order]]
            found.append(ndcg([number for number in ranking if number != one.asker], one.grades))
        return float(np.mean(found))

    def _untitled(self) -> dict[int, tuple[int, FloatArray]]:
        """Row of each judged title: its item's place, and the item's vector without the title."""
        data = self._data
        if not len(data.untitled):
            return {}
        fields = [
            self.model.fields[name](codes, data.untitled_items)
            for name, codes in data.fields.items()
        ]
        rows = data.untitled_texts.rows(np.arange(len(data.untitled)))
        vectors = self.model.item_vectors(rows, fields).numpy()
        places = zip(data.untitled_items.tolist(), vectors, strict=True)
        return dict(zip(data.untitled.tolist(), places, strict=True))

    @torch.no_grad()
    def _item_vectors(self) -> Tensor:
        """Vectors of the catalogue, shape ``[items, d]``."""
        data = self._data
        training = self.model.training
        self.model.eval()
        parts = []
        for start in range(0, len(data.ids), CHUNK):
            places = np.arange(start, min(start + CHUNK, len(data.ids)))
            fields = [self.model.fields[name](codes, places) for name, codes in data.fields.items()]
            parts.append(self.model.item_vectors(data.texts.rows(places), fields))
        self.model.train(training)
        return torch.cat(parts) if parts else torch.zeros((0, self.model.dim))

    def _state(self, epoch: int, most: float, best: dict[str, Any]) -> dict[str, Any]:
        return {
            "epoch": epoch,
            "most": most,
            "best": best,
            "report": {
                "start": self.report.start, "epochs": self.report.epochs, "best": self.report.best,
            },
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "target": [] if self._target is None else self._target.state(),
        }  # fmt: skip

    def _restore(self, state: dict[str, Any]) -> tuple[int, float, dict[str, Any]]:
        self.model.load_state_dict(state["model"])
        for optimizer, kept in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        if self._target is not None:
            self._target.restore(state["target"])
        self.report.start = state["report"]["start"]
        self.report.epochs = list(state["report"]["epochs"])
        self.report.best = state["report"]["best"]
        return state["epoch"] + 1, state["most"], state["best"]


def _optimizers(model: Model, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """One for the dense weights and, where a table of many rows is learned, one that touches few of them."""
    dense = [part for name, part in model.named_parameters() if not name.startswith("table.")]
    table = [] if model.table is None else [model.table.weight]
    rate = config.learning_rate
    if config.optimizer == "adagrad":
        return [torch.optim.Adagrad(part, lr=rate) for part in (dense, table) if part]
    found: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(dense, lr=rate, weight_decay=config.weight_decay)
    ]
    return [*found, torch.optim.SparseAdam(table, lr=rate)] if table else found


def _logarithm(expected: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(np.log(expected).astype(np.float32))
