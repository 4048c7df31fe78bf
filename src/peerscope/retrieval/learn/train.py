"""Train the towers: from the closed-form start, by sampled softmax over pairs, judged on queries kept aside.

The bag of both towers stays as latent semantic analysis made it; what is learned is how a query and an item
are read from it (DPSR section 4.1: two towers, one space). Each pass draws its pairs by weight; negatives are
the batch's other items and one shared uniform set (DPSR section 4.4), their drawing probabilities corrected
for. Every pass ends with a checkpoint, so that a run that was stopped goes on to the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from peerscope.methods.contrastive import sampled_softmax
from peerscope.retrieval.embed import Bag, Tower, TwoTowers
from peerscope.retrieval.examples import Judged, Pairs
from peerscope.retrieval.learn.checkpoint import load_checkpoint, save_checkpoint
from peerscope.retrieval.learn.config import TrainConfig
from peerscope.retrieval.metrics import ndcg
from peerscope.retrieval.schema import FloatArray, IntArray
from peerscope.retrieval.text import Tokenizer

Progress = Callable[[str, int, int | None], None]


@dataclass(slots=True)
class TrainingReport:
    """What a run did.

    Attributes:
        pairs: Number of training pairs.
        judged: Number of queries kept aside.
        start: nDCG@10 of the closed-form start on them, by vectors alone.
        epochs: Loss and nDCG@10 after each pass.
        best: The pass that was kept; 0 is the start.
    """

    pairs: int
    judged: int
    start: float = 0.0
    epochs: list[dict[str, float]] = field(default_factory=list)
    best: int = 0


class TorchTower(nn.Module):
    """The trainable form of `peerscope.retrieval.embed.Tower`; same arithmetic."""

    def __init__(self, start: Tower, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Parameter(torch.from_numpy(start.linear.copy()))
        self.hidden = nn.Parameter(torch.from_numpy(start.hidden.copy()))
        self.bias = nn.Parameter(torch.from_numpy(start.bias.copy()))
        self.output = nn.Parameter(torch.from_numpy(start.output.copy()))
        self.dropout = dropout

    def forward(self, pooled: Tensor) -> Tensor:
        """Unit vectors of pooled texts, shape ``[n, k]`` to ``[n, d]``."""
        kept = functional.dropout(pooled, self.dropout, self.training)
        relu = functional.relu(kept @ self.hidden + self.bias)
        return functional.normalize(kept @ self.linear + relu @ self.output, dim=1)

    def exported(self) -> Tower:
        """The weights for serving."""
        parts = (self.linear, self.hidden, self.bias, self.output)
        return Tower(*(part.detach().numpy().copy() for part in parts))


class Trainer:
    """One training run over pooled texts.

    Args:
        bag: The towers' bag, already fitted to the catalogue.
        tokenizer: The site's tokenizer.
        pairs: Training pairs.
        judged: Queries kept aside, with grades by item id.
        item_ids: Id of each catalogue item; the first ``len(item_ids)`` of the pairs' texts are theirs.
        config: Settings.
        progress: Told of the stage.
    """

    def __init__(
        self,
        bag: Bag,
        tokenizer: Tokenizer,
        pairs: Pairs,
        judged: Sequence[Judged],
        item_ids: Sequence[int],
        config: TrainConfig,
        progress: Progress | None = None,
    ) -> None:
        self.config = config
        self.report = TrainingReport(len(pairs), len(judged))
        self._bag, self._tokenizer = bag, tokenizer
        self._progress = progress or (lambda stage, done, total: None)
        self._pairs = pairs
        self._judged = list(judged)
        self._item_ids = np.asarray(item_ids, dtype=np.int64)
        weight = np.asarray(pairs.weight, dtype=np.float64)
        self._share = weight / weight.sum() if len(weight) else weight
        self._place = {
            name: np.asarray(getattr(pairs, name), dtype=np.int64)
            for name in ("query", "text", "item")
        }
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        start = Tower.start(bag.width, config.hidden, config.seed)
        self.query, self.item = (TorchTower(start, config.dropout) for _ in range(2))
        self._optimizer = torch.optim.AdamW(
            [*self.query.parameters(), *self.item.parameters()],
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
        )

    def run(self, checkpoints: Path | None = None, identity: str = "") -> TwoTowers:
        """Train and return the towers of the best pass; `report` says what happened.

        Args:
            checkpoints: Folder for the checkpoint; a run with the same identity goes on from there.
            identity: Names the data and settings; a checkpoint of another identity is not used.
        """
        self._pool()
        best = (self.query.exported(), self.item.exported())
        self.report.start = most = self._reached()
        first = 1
        if checkpoints is not None and (found := load_checkpoint(checkpoints, identity)):
            first, most, best = self._restore(found)
        for epoch in range(first, self.config.epochs + 1):
            if self._stale(epoch):
                break
            loss = self._pass(epoch)
            reached = self._reached()
            self.report.epochs.append({"loss": loss, "ndcg@10": reached})
            if reached > most:
                most, best = reached, (self.query.exported(), self.item.exported())
                self.report.best = epoch
            if checkpoints is not None:
                save_checkpoint(checkpoints, identity, self._state(epoch, most, best))
        return TwoTowers(self._tokenizer, self._bag, *best)

    def _stale(self, epoch: int) -> bool:
        return not len(self._pairs) or epoch - 1 - self.report.best >= self.config.patience

    def _pool(self) -> None:
        """Pooled vectors of every text, once: the bag does not change while the towers learn."""
        self._progress("pooling texts", 0, None)
        self._queries = torch.from_numpy(self._bag.embed(self._tokenizer, self._pairs.queries))
        self._texts = torch.from_numpy(self._bag.embed(self._tokenizer, self._pairs.texts))
        self._asked = torch.from_numpy(
            self._bag.embed(self._tokenizer, [one.query for one in self._judged])
        )

    def _pass(self, epoch: int) -> float:
        """One pass; what is drawn depends on seed and epoch only, so that a resumed run draws the same."""
        config = self.config
        generator = np.random.default_rng((config.seed, epoch))
        torch.manual_seed(config.seed * 100_003 + epoch)
        number = min(config.most_pairs, len(self._pairs))
        drawn = generator.choice(len(self._pairs), number, replace=True, p=self._share)
        expected = self._expected()
        self.query.train()
        self.item.train()
        total, steps = 0.0, 0
        batch = min(config.batch, number)
        for start in range(0, number - batch + 1, batch):
            total += self._step(drawn[start : start + batch], generator, expected)
            steps += 1
            self._progress(f"training, pass {epoch}", start + batch, number)
        return total / max(steps, 1)

    def _expected(self) -> FloatArray:
        """How many times each item is expected among the candidates of a step, shape ``[items]``."""
        drawn = np.zeros(len(self._item_ids), np.float64)
        np.add.at(drawn, self._place["item"], self._share)
        return (
            self.config.batch * drawn + self.config.random_negatives / max(len(drawn), 1)
        ).astype(np.float32)

    def _step(
        self, chosen: IntArray, generator: np.random.Generator, expected: FloatArray
    ) -> float:
        config = self.config
        shared = generator.integers(len(self._item_ids), size=config.random_negatives)
        texts = np.concatenate([self._place["text"][chosen], shared])
        items = np.concatenate([self._place["item"][chosen], shared])
        own = torch.from_numpy(self._place["item"][chosen])
        columns = torch.from_numpy(items)
        queries = self.query(self._queries[torch.from_numpy(self._place["query"][chosen])])
        scores = queries @ self.item(self._texts[torch.from_numpy(texts)]).T
        loss = sampled_softmax(
            scores,
            torch.arange(len(chosen)),
            config.temperature,
            log_expected=torch.from_numpy(np.log(expected[items])) if config.log_q else None,
            excluded=own[:, None] == columns[None, :],
        )
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        return float(loss.detach())

    @torch.no_grad()
    def _reached(self) -> float:
        """Mean nDCG@10 of the queries kept aside, by vectors alone, over the whole catalogue."""
        if not self._judged:
            return 0.0
        self.query.eval()
        self.item.eval()
        catalogue = self._item_vectors()
        asked = self.query(self._asked).numpy()
        found = []
        for row, one in enumerate(self._judged):
            scores = catalogue @ asked[row]
            top = np.argpartition(-scores, min(30, len(scores) - 1))[:30]
            order = top[np.lexsort((self._item_ids[top], -scores[top]))]
            ranking = [int(number) for number in self._item_ids[order]]
            ranking = [number for number in ranking if number != one.asker]
            found.append(ndcg(ranking, one.grades))
        return float(np.mean(found))

    def _item_vectors(self) -> FloatArray:
        pooled = self._texts[: len(self._item_ids)]
        parts = [self.item(pooled[start : start + 8192]) for start in range(0, len(pooled), 8192)]
        rows: FloatArray = torch.cat(parts).numpy() if parts else np.empty((0, 0), np.float32)
        return rows

    def _state(self, epoch: int, most: float, best: tuple[Tower, Tower]) -> dict[str, Any]:
        return {
            "epoch": epoch,
            "most": most,
            "best": [[getattr(t, p) for p in ("linear", "hidden", "bias", "output")] for t in best],
            "report": {"epochs": self.report.epochs, "best": self.report.best},
            "query": self.query.state_dict(),
            "item": self.item.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }

    def _restore(self, state: dict[str, Any]) -> tuple[int, float, tuple[Tower, Tower]]:
        self.query.load_state_dict(state["query"])
        self.item.load_state_dict(state["item"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.report.epochs = list(state["report"]["epochs"])
        self.report.best = state["report"]["best"]
        query, item = (Tower(*parts) for parts in state["best"])
        return state["epoch"] + 1, state["most"], (query, item)
