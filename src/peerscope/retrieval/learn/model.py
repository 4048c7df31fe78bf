"""The trainable form of the two towers (DPSR section 4); `Model.exported` gives the form that serves.

Texts come as rows: a fixed front has embedded them beforehand, a learned table pools them here. What a tower
computes is the arithmetic of `peerscope.retrieval.towers`, checked against it in the tests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from peerscope.retrieval.front import Front
from peerscope.retrieval.learn.config import TrainConfig
from peerscope.retrieval.learn.lists import Lists
from peerscope.retrieval.schema import FloatArray, IntArray
from peerscope.retrieval.towers import Categories, History, Tower, TwoTowers


class Texts(Protocol):
    """Texts by their place: vectors of length k."""

    def rows(self, places: IntArray) -> Tensor:
        """Vectors of the texts at the places, shape ``[n, k]``."""
        ...


class FixedTexts:
    """Texts that a front has embedded already, shape ``[texts, k]``."""

    def __init__(self, embedded: FloatArray) -> None:
        self._rows = torch.from_numpy(embedded)

    def rows(self, places: IntArray) -> Tensor:
        """Vectors of the texts at the places."""
        return self._rows[torch.from_numpy(places)]


class LearnedTexts:
    """Texts as the mean of their features' vectors in a table that is learned."""

    def __init__(self, table: nn.EmbeddingBag, front: Front, texts: Sequence[str]) -> None:
        self._table = table
        self._features = Lists(*front.bag.columns(front.tokenizer, texts))

    def rows(self, places: IntArray) -> Tensor:
        """Vectors of the texts at the places; zeros where no feature is known."""
        found: Tensor = self._table(*self._features.bags(places))
        return found


class TorchTower(nn.Module):
    """One head or the item tower: ``normalise(x A + MLP(x))``.

    Args:
        inputs: Length of ``x``; its first ``width`` entries are the text.
        width: Length of the text's vector.
        config: Settings.
        seed: Seed of the start.
        head: Whether it is a head, which may have a projection in front of its perceptron, and reads a
            history of length ``dim`` after the text.
    """

    def __init__(
        self, inputs: int, width: int, config: TrainConfig, seed: int, *, head: bool
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        dim = config.dim or width
        self.dropout, self.last_relu = config.dropout, config.last_relu
        self.projection: nn.Parameter | None = None
        widths = [inputs, *config.hidden, dim]
        if head and config.projection:
            self.projection = nn.Parameter(_spread(inputs, config.projection, 1.0, generator))
            widths[0] = config.projection
        self.weights = nn.ParameterList(
            _spread(left, right, 2.0, generator) for left, right in pairwise(widths)
        )
        self.biases = nn.ParameterList(torch.zeros(right) for right in widths[1:])
        self.linear: nn.Parameter | None = None
        if config.residual:
            start = torch.eye(inputs, dim)
            if head and config.history != "none":
                start[width : width + dim] = config.history_start * torch.eye(dim)
            if head and config.heads > 1:
                start = start + 0.3 * _spread(inputs, dim, 1.0, generator)
            self.linear = nn.Parameter(start)
            nn.init.zeros_(self.weights[-1])

    def forward(self, inputs: Tensor) -> Tensor:
        """Unit vectors, shape ``[n, in]`` to ``[n, d]``; rows of zeros stay zeros."""
        kept = functional.dropout(inputs, self.dropout, self.training)
        found = kept if self.projection is None else kept @ self.projection
        last = len(self.weights) - 1
        for place, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            found = found @ weight + bias
            if self.last_relu or place < last:
                found = functional.relu(found)
        if self.linear is not None:
            found = found + kept @ self.linear
        known = inputs.ne(0).any(dim=1, keepdim=True)
        return functional.normalize(found, dim=1) * known

    def exported(self) -> Tower:
        """The weights for serving; the projection, being linear, is folded into the first layer."""
        weights = [_array(weight) for weight in self.weights]
        if self.projection is not None:
            weights[0] = _array(self.projection) @ weights[0]
        layers = zip(weights, (_array(bias) for bias in self.biases), strict=True)
        linear = None if self.linear is None else _array(self.linear)
        return Tower(tuple(layers), linear, self.last_relu)

    def take_over(self, tower: Tower) -> bool:
        """Start from served weights; whether they fit (a folded projection does not)."""
        mine = [*self.weights, *self.biases, *([] if self.linear is None else [self.linear])]
        theirs = [weight for weight, _ in tower.layers] + [bias for _, bias in tower.layers]
        theirs += [] if tower.linear is None else [tower.linear]
        if self.projection is not None or [tuple(p.shape) for p in mine] != [
            p.shape for p in theirs
        ]:
            return False
        with torch.no_grad():
            for own, other in zip(mine, theirs, strict=True):
                own.copy_(torch.from_numpy(other.copy()))
        return True


class TorchCategories(nn.Module):
    """Embeddings of one categorical field, averaged over the values of a row; row 0 stands for none."""

    def __init__(self, values: Sequence[str], width: int) -> None:
        super().__init__()
        self.values = tuple(values)
        self.table = nn.EmbeddingBag(1 + len(values), width, mode="mean")
        nn.init.normal_(self.table.weight, std=0.1)
        self._code_of = {value: code for code, value in enumerate(self.values, 1)}

    def codes(self, rows: Sequence[Sequence[str]]) -> Lists:
        """The codes of rows of values."""
        return Lists.of([[self._code_of.get(value, 0) for value in row] or [0] for row in rows])

    def forward(self, codes: Lists, places: IntArray) -> Tensor:
        """Mean embedding of the rows at the places, shape ``[n, w]``."""
        found: Tensor = self.table(*codes.bags(places))
        return found

    def exported(self) -> Categories:
        """The embeddings for serving."""
        return Categories(self.values, _array(self.table.weight))


class Model(nn.Module):
    """Both towers.

    Args:
        front: The front; its bag's table is learned where the settings say so.
        config: Settings.
        profile: Profile field to its known values.
        fields: Item field to its known values.
    """

    def __init__(
        self,
        front: Front,
        config: TrainConfig,
        profile: Mapping[str, Sequence[str]],
        fields: Mapping[str, Sequence[str]],
    ) -> None:
        super().__init__()
        torch.manual_seed(config.seed)
        self.front, self.config = front, config
        width, each = front.width, config.category_width
        self.dim = config.dim or width
        self.table: nn.EmbeddingBag | None = None
        if config.text == "learned":
            rows = torch.from_numpy(front.bag.table.copy())
            self.table = nn.EmbeddingBag.from_pretrained(
                rows, freeze=False, mode="mean", sparse=True
            )
        self.profile = nn.ModuleDict({n: TorchCategories(v, each) for n, v in profile.items()})
        self.fields = nn.ModuleDict({n: TorchCategories(v, each) for n, v in fields.items()})
        asked = width + len(profile) * each + (self.dim if config.history != "none" else 0)
        self.heads = nn.ModuleList(
            TorchTower(asked, width, config, config.seed + n, head=True)
            for n in range(config.heads)
        )
        item_inputs = width + len(fields) * each
        self.item = TorchTower(item_inputs, width, config, config.seed + 1000, head=False)

    def texts(self, texts: Sequence[str]) -> Texts:
        """Texts in the form that the towers read."""
        if self.table is None:
            return FixedTexts(self.front.embed(texts))
        return LearnedTexts(self.table, self.front, texts)

    def query_vectors(
        self,
        text: Tensor,
        history: tuple[Tensor, Tensor] | None,
        profile: Sequence[Tensor],
    ) -> Tensor:
        """Vectors of queries, shape ``[n, K, d]``.

        Args:
            text: Shape ``[n, k]``.
            history: Vectors of items met before, shape ``[n, h, d]``, and which are there, ``[n, h]``.
            profile: Embeddings of the profile fields.
        """
        parts = [text]
        if history is not None:
            items, present = history
            if self.config.history == "attention":
                near = text[:, : items.shape[2]]
                parts.append(attended(near, items, present, self.config.history_temperature))
            else:
                parts.append(averaged_history(items, present))
        known = text.ne(0).any(dim=1, keepdim=True)
        inputs = torch.cat([*parts, *profile], dim=1) * known
        return torch.stack([head(inputs) for head in self.heads], dim=1)

    def item_vectors(self, text: Tensor, fields: Sequence[Tensor]) -> Tensor:
        """Vectors of items, shape ``[n, d]``."""
        known = text.ne(0).any(dim=1, keepdim=True)
        found: Tensor = self.item(torch.cat([text, *fields], dim=1) * known)
        return found

    def exported(self) -> TwoTowers:
        """The towers for serving."""
        config, front = self.config, self.front
        if self.table is not None:
            table = _array(self.table.weight)
            bag = type(front.bag)(front.bag.vocabulary, front.bag.idf, table, plain=True)
            front = Front(front.tokenizer, bag, front.encoder, front.share, front.basis)
        return TwoTowers(
            front,
            tuple(head.exported() for head in self.heads),  # type: ignore[operator]
            self.item.exported(),
            History(config.history, config.most_history, config.history_temperature),
            {name: part.exported() for name, part in self.profile.items()},  # type: ignore[operator]
            {name: part.exported() for name, part in self.fields.items()},  # type: ignore[operator]
            config.beta,
            config.titles_only,
        )

    def take_over(self, towers: TwoTowers) -> bool:
        """Start from towers in service that have the same front; whether they fit."""
        if len(towers.query) != len(self.heads) or self.table is not None:
            return False
        pairs = [*zip(self.heads, towers.query, strict=True), (self.item, towers.item)]
        if self.profile or self.fields:
            return False
        return all(isinstance(mine, TorchTower) and mine.take_over(tower) for mine, tower in pairs)


def attended(query: Tensor, items: Tensor, present: Tensor, temperature: float) -> Tensor:
    """Histories as one vector each, weighted by nearness to the query (`towers.History`).

    Args:
        query: Text vectors, shape ``[n, d]``.
        items: Vectors of the items met before, shape ``[n, h, d]``.
        present: Which of them there are, bool, shape ``[n, h]``.
        temperature: Of the softmax.

    Returns:
        Shape ``[n, d]``; zeros for an empty history.
    """
    logits = torch.einsum("nd,nhd->nh", query, items) / temperature
    shares = logits.masked_fill(~present, -1e9).softmax(dim=1) * present
    return torch.einsum("nh,nhd->nd", shares, items)


def averaged_history(items: Tensor, present: Tensor) -> Tensor:
    """Histories as the mean of their items' vectors, shape ``[n, h, d]`` to ``[n, d]``."""
    counts = present.sum(dim=1, keepdim=True).clamp(min=1)
    found: Tensor = (items * present[:, :, None]).sum(dim=1) / counts
    return found


def _spread(left: int, right: int, gain: float, generator: torch.Generator) -> Tensor:
    return torch.randn(left, right, generator=generator) * math.sqrt(gain / left)


def _array(part: Tensor) -> FloatArray:
    found: FloatArray = part.detach().numpy().copy()
    return found
