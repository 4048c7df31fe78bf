"""The two towers for serving: NumPy and SciPy only, query and user in, unit vectors out (DPSR section 4).

The query tower concatenates the vectors of query, history and profile and reads them through K heads; the
item tower reads title (or text) and categorical fields. Each head and the item tower is a perceptron with a
linear last layer, plus a linear map where training starts from a closed form, scaled to unit length (DPSR
figure 3). What training changes is only numbers in files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from peerscope.retrieval.embed import unit_rows
from peerscope.retrieval.encoder import Encoder
from peerscope.retrieval.front import Front, Progress
from peerscope.retrieval.schema import FloatArray, Item, UserInput
from peerscope.retrieval.text import Tokenizer


@dataclass(frozen=True)
class Tower:
    """One head or the item tower: ``unit(x A + MLP(x))``, ReLU between the perceptron's layers.

    Attributes:
        layers: Weight, shape ``[in, out]``, and bias, shape ``[out]``, of each layer.
        linear: ``A``, shape ``[in, d]``; ``None`` where the perceptron stands alone.
        last_relu: Whether the last layer has a ReLU too (DPSR figure 3 read literally).
    """

    layers: tuple[tuple[FloatArray, FloatArray], ...]
    linear: FloatArray | None = None
    last_relu: bool = False

    @property
    def dim(self) -> int:
        """Length d of the vectors."""
        return int(self.layers[-1][0].shape[1])

    def __call__(self, inputs: FloatArray) -> FloatArray:
        """Unit vectors, shape ``[n, in]`` to ``[n, d]``; rows of zeros stay zeros."""
        found = inputs
        for place, (weight, bias) in enumerate(self.layers):
            found = found @ weight + bias
            if self.last_relu or place + 1 < len(self.layers):
                found = np.maximum(found, 0.0)
        if self.linear is not None:
            found = found + inputs @ self.linear
        known = np.any(inputs, axis=1, keepdims=True)
        return unit_rows(np.where(known, found, 0.0).astype(np.float32))

    def cut(self, dim: int, gone: slice) -> Tower:
        """The tower for the first ``dim`` outputs, without the inputs in ``gone``."""
        layers = [list(layer) for layer in self.layers]
        layers[0][0] = np.delete(layers[0][0], gone, axis=0)
        layers[-1] = [layers[-1][0][:, :dim], layers[-1][1][:dim]]
        linear = None if self.linear is None else np.delete(self.linear, gone, axis=0)[:, :dim]
        kept = tuple((weight, bias) for weight, bias in layers)
        return replace(self, layers=kept, linear=linear)

    @classmethod
    def identity(cls, width: int, history: float | None = None) -> Tower:
        """A tower that passes its first ``width`` inputs on: the closed-form start.

        Args:
            width: Length of the text's vector and of the result.
            history: Weight of the ``width`` inputs that follow them; ``None`` where there are none.
        """
        linear = np.eye(width, dtype=np.float32)
        if history is not None:
            linear = np.concatenate([linear, np.float32(history) * linear])
        layer = (np.zeros(linear.shape, np.float32), np.zeros(width, np.float32))
        return cls((layer,), linear)


@dataclass(frozen=True)
class Categories:
    """Embeddings of one categorical field; several values of one item are averaged, unknown ones are row 0.

    Attributes:
        values: Known values; the embedding of ``values[i]`` is row ``i + 1``.
        table: Shape ``[1 + len(values), w]``.
    """

    values: tuple[str, ...]
    table: FloatArray
    code_of: Mapping[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        codes = {value: code for code, value in enumerate(self.values, 1)}
        object.__setattr__(self, "code_of", codes)

    def embed(self, rows: Sequence[Sequence[str]]) -> FloatArray:
        """Mean embedding of each row's values, shape ``[len(rows), w]``; row 0 for a row without."""
        found = np.empty((len(rows), self.table.shape[1]), np.float32)
        for place, values in enumerate(rows):
            codes = [self.code_of.get(value, 0) for value in values] or [0]
            found[place] = self.table[codes].mean(axis=0)
        return found


@dataclass(frozen=True)
class History:
    """How the items met before become one vector of length d (DPSR figure 3, "history vector").

    Attributes:
        kind: ``none``, ``mean`` (as in the paper) or ``attention`` (by nearness to the query).
        most: Items that are looked at, the newest.
        temperature: Of the attention's softmax over cosines, above 0.
    """

    kind: str = "none"
    most: int = 50
    temperature: float = 0.1

    def pooled(self, query: FloatArray, items: FloatArray) -> FloatArray:
        """One history vector.

        Args:
            query: The query's text vector, shape ``[k]``; only ``attention`` looks at it, and compares its
                first d entries with the items.
            items: Vectors of at least one item, newest first, shape ``[n, d]``.
        """
        items = items[: self.most]
        if self.kind == "mean":
            mean: FloatArray = items.mean(axis=0)
            return mean
        logits = items @ query[: items.shape[1]] / self.temperature
        shares = np.exp(logits - logits.max())
        found: FloatArray = ((shares / shares.sum()) @ items).astype(np.float32)
        return found


def item_text(item: Item) -> str:
    """What the item tower reads of an item: its title and its text."""
    return f"{item.title}\n{item.text}" if item.text else item.title


@dataclass(frozen=True)
class TwoTowers:
    """Query tower and item tower over one front (`peerscope.retrieval.schema.Towers`).

    Attributes:
        front: Texts to vectors of length k.
        query: The heads; each reads ``[text k | history d | profile]``, absent parts left out.
        item: The item tower; it reads ``[text k | fields]``.
        history: How history becomes a vector.
        profile: Profile field to its embeddings, in the order of concatenation.
        fields: Item field to its embeddings, likewise.
        beta: Temperature of the soft dot product (equation 1), above 0.
        titles_only: Whether the item tower reads titles only, as in the paper.
    """

    front: Front
    query: tuple[Tower, ...]
    item: Tower
    history: History = History()
    profile: Mapping[str, Categories] = field(default_factory=dict)
    fields: Mapping[str, Categories] = field(default_factory=dict)
    beta: float = 0.1
    titles_only: bool = False

    @property
    def tokenizer(self) -> Tokenizer:
        """The site's tokenizer."""
        return self.front.tokenizer

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return self.item.dim

    @property
    def heads(self) -> int:
        """Number K of vectors of a query."""
        return len(self.query)

    @property
    def personal(self) -> bool:
        """Whether it matters who asks."""
        return self.history.kind != "none" or bool(self.profile)

    def item_texts(self, items: Sequence[Item]) -> list[str]:
        """What the item tower reads of each item."""
        return [item.title if self.titles_only else item_text(item) for item in items]

    def embed_queries(
        self, texts: Sequence[str], users: Sequence[UserInput | None] | None = None
    ) -> FloatArray:
        """Query vectors, one a head, shape ``[len(texts), heads, dim]``; zeros where nothing is known.

        Args:
            texts: Queries.
            users: Who asks each of them; ``None`` is nobody in particular.
        """
        pooled = self.front.embed(texts)
        who = list(users) if users is not None else [None] * len(texts)
        parts = [pooled]
        if self.history.kind != "none":
            rows = zip(pooled, who, strict=True)
            parts.append(np.stack([self._history(text, one) for text, one in rows]))
        for name, categories in self.profile.items():
            values = [one.profile.get(name) if one is not None else None for one in who]
            parts.append(categories.embed([() if value is None else (value,) for value in values]))
        # A query of which no word is known has no direction, whoever asks it.
        known = np.any(pooled, axis=1, keepdims=True)
        inputs = np.where(known, np.concatenate(parts, axis=1), 0.0).astype(np.float32)
        return np.stack([head(inputs) for head in self.query], axis=1)

    def _history(self, text: FloatArray, user: UserInput | None) -> FloatArray:
        if user is None or not len(user.history):
            return np.zeros(self.dim, np.float32)
        return self.history.pooled(text, user.history)

    def score(self, heads: FloatArray, items: FloatArray) -> FloatArray:
        """The soft dot product (equation 1): vectors ``[heads, d]`` and ``[n, d]`` to ``[n]``."""
        return soft_dot(items @ heads.T, self.beta)

    def embed_items(self, items: Sequence[Item], progress: Progress | None = None) -> FloatArray:
        """Item vectors, shape ``[len(items), dim]``; a row of zeros where nothing is known of an item."""
        pooled = self.front.embed(self.item_texts(items), progress)
        parts = [pooled]
        for name, categories in self.fields.items():
            parts.append(categories.embed([item.fields.get(name, ()) for item in items]))
        known = np.any(pooled, axis=1, keepdims=True)
        return self.item(np.where(known, np.concatenate(parts, axis=1), 0.0).astype(np.float32))

    def reading_by(self, encoder: Encoder) -> TwoTowers:
        """The same towers with another way to the same encoder's vectors, such as one that keeps them."""
        return replace(self, front=replace(self.front, encoder=encoder))

    def truncated(self, dim: int) -> TwoTowers:
        """Towers that keep the first ``dim`` entries of every vector (Kusupati et al. 2022).

        Raises:
            ValueError: ``dim`` does not lie from 1 to the present length.
        """
        if not 1 <= dim <= self.dim:
            raise ValueError(f"dim must lie from 1 to {self.dim}, not at {dim}.")
        width = self.front.width
        gone = slice(width + dim, width + self.dim) if self.history.kind != "none" else slice(0, 0)
        heads = tuple(head.cut(dim, gone) for head in self.query)
        return replace(self, query=heads, item=self.item.cut(dim, slice(0, 0)))


def soft_dot(scores: FloatArray, beta: float) -> FloatArray:
    """Scores of several heads as one: their mean, each weighted by the softmax of the scores themselves.

    Args:
        scores: Shape ``[n, heads]``.
        beta: Temperature, above 0: towards 0 the largest score counts alone, towards infinity all alike.
    """
    if scores.shape[1] == 1:
        return scores[:, 0].astype(np.float32)
    shares = np.exp((scores - scores.max(axis=1, keepdims=True)) / beta)
    shares /= shares.sum(axis=1, keepdims=True)
    found: FloatArray = (shares * scores).sum(axis=1).astype(np.float32)
    return found
