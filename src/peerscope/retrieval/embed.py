"""The two towers for serving: NumPy and SciPy only, text in, unit vectors out.

A text becomes a bag of hashed terms and pairs (`Tokenizer.features_batch`), weighted by (1 + log tf) x idf
and scaled to unit length; a table of term vectors turns the bag into one vector (DPSR section 5.1.2 pools
in the same way); each tower then maps it by a linear layer plus a small two-layer perceptron, and scales it
to unit length (DPSR figure 3, with a linear last layer). What training changes is only numbers in files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from scipy import sparse

from peerscope.retrieval.schema import FloatArray, Item
from peerscope.retrieval.text import Tokenizer

CHUNK = 4096
"""Texts embedded at a time, so that memory does not grow with the catalogue."""

FORMAT = 1


def unit_rows(rows: FloatArray) -> FloatArray:
    """Rows scaled to length 1; rows of zeros stay zeros."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 1e-12, lengths, 1.0)).astype(np.float32)


def counted(columns: NDArray[np.int64], ends: NDArray[np.int64], width: int) -> sparse.csr_array:
    """How often each column occurs in each text, shape ``[len(ends) - 1, width]``.

    Args:
        columns: Columns of all texts one after the other.
        ends: Where each text begins and ends among them.
        width: Number of columns.
    """
    ones = np.ones(len(columns), np.float32)
    found = sparse.csr_array((ones, columns.astype(np.int32), ends), shape=(len(ends) - 1, width))
    found.sum_duplicates()
    return found


def weighted(counts: sparse.csr_array, idf: FloatArray) -> sparse.csr_array:
    """(1 + log tf) x idf with rows of unit length; the counts are changed in place."""
    counts.data = (1 + np.log(counts.data)) * idf[counts.indices]
    sizes = np.diff(counts.indptr)
    squares = np.add.reduceat(np.append(counts.data**2, 0.0), counts.indptr[:-1])
    lengths = np.where(sizes > 0, np.sqrt(squares), 1.0)
    counts.data = (counts.data / np.repeat(lengths, sizes)).astype(np.float32)
    return counts


@dataclass(frozen=True)
class Bag:
    """Texts to vectors: known features, their idf, their vectors.

    Attributes:
        vocabulary: Feature ids, ascending, int64, shape ``[v]``.
        idf: Weight of each feature, above 0, shape ``[v]``.
        table: Vector of each feature, shape ``[v, k]`` (float16 on disk, float32 in memory).
    """

    vocabulary: NDArray[np.int64]
    idf: FloatArray
    table: FloatArray

    @property
    def width(self) -> int:
        """Length k of the vectors."""
        return int(self.table.shape[1])

    def weights(self, tokenizer: Tokenizer, texts: Sequence[str]) -> sparse.csr_array:
        """Weighted bags of known features, rows of unit length (or empty), shape ``[len(texts), v]``."""
        flat, ends = tokenizer.features_batch(texts)
        if not len(self.vocabulary):
            return sparse.csr_array((len(texts), 0), dtype=np.float32)
        columns = np.minimum(np.searchsorted(self.vocabulary, flat), len(self.vocabulary) - 1)
        known = self.vocabulary[columns] == flat
        counts = counted(
            columns[known], np.concatenate(([0], np.cumsum(known)))[ends], len(self.idf)
        )
        return weighted(counts, self.idf)

    def embed(self, tokenizer: Tokenizer, texts: Sequence[str]) -> FloatArray:
        """Unit vectors of texts, shape ``[len(texts), k]``; zeros where no feature is known."""
        found = np.zeros((len(texts), self.width), np.float32)
        for start in range(0, len(texts), CHUNK):
            part = texts[start : start + CHUNK]
            found[start : start + len(part)] = self.weights(tokenizer, part) @ self.table
        return unit_rows(found)


@dataclass(frozen=True)
class Tower:
    """One tower over pooled text: ``unit(x A + relu(x W1 + b1) W2)``.

    Attributes:
        linear: ``A``, shape ``[k, d]``.
        hidden: ``W1``, shape ``[k, h]``.
        bias: ``b1``, shape ``[h]``.
        output: ``W2``, shape ``[h, d]``.
    """

    linear: FloatArray
    hidden: FloatArray
    bias: FloatArray
    output: FloatArray

    def __call__(self, pooled: FloatArray) -> FloatArray:
        """Unit vectors of pooled texts, shape ``[n, k]`` to ``[n, d]``; zeros stay zeros."""
        known = np.any(pooled, axis=1, keepdims=True)
        relu = np.maximum(pooled @ self.hidden + self.bias, 0.0)
        return unit_rows(np.where(known, pooled @ self.linear + relu @ self.output, 0.0))

    @classmethod
    def start(cls, width: int, hidden: int, seed: int) -> Tower:
        """A tower that passes its input on: the closed-form start that training begins from."""
        generator = np.random.default_rng(seed)
        spread = (2.0 / width) ** 0.5
        return cls(
            np.eye(width, dtype=np.float32),
            (spread * generator.standard_normal((width, hidden))).astype(np.float32),
            np.zeros(hidden, np.float32),
            np.zeros((hidden, width), np.float32),
        )


PARTS = ("linear", "hidden", "bias", "output")


def item_text(item: Item) -> str:
    """What the item tower reads of an item: its title and its text."""
    return f"{item.title}\n{item.text}" if item.text else item.title


@dataclass(frozen=True)
class TwoTowers:
    """Query tower and item tower over one bag (`peerscope.retrieval.schema.Towers`)."""

    tokenizer: Tokenizer
    bag: Bag
    query: Tower
    item: Tower

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return int(self.query.linear.shape[1])

    def embed_queries(self, texts: Sequence[str]) -> FloatArray:
        """Query vectors, shape ``[len(texts), dim]``; a row of zeros where no feature is known."""
        return self.query(self.bag.embed(self.tokenizer, texts))

    def embed_items(self, items: Sequence[Item]) -> FloatArray:
        """Item vectors, shape ``[len(items), dim]``; a row of zeros where no feature is known."""
        return self.item(self.bag.embed(self.tokenizer, [item_text(item) for item in items]))

    def save(self, folder: Path) -> None:
        """Write ``towers.json`` and ``towers.safetensors`` into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, NDArray[Any]] = {
            "vocabulary": self.bag.vocabulary,
            "idf": self.bag.idf,
            "table": self.bag.table.astype(np.float16),
        }
        for name, tower in (("query", self.query), ("item", self.item)):
            for part in PARTS:
                arrays[f"{name}.{part}"] = np.ascontiguousarray(getattr(tower, part))
        save_file(arrays, folder / "towers.safetensors")
        stated = {"format": FORMAT, "tokenizer": self.tokenizer.to_dict(), "dim": self.dim}
        (folder / "towers.json").write_bytes(orjson.dumps(stated, option=orjson.OPT_INDENT_2))

    @classmethod
    def load(cls, folder: Path) -> TwoTowers:
        """Read what `save` wrote.

        Raises:
            ValueError: The folder was written by another version; the message says to train again.
        """
        stated = orjson.loads((folder / "towers.json").read_bytes())
        if stated["format"] != FORMAT:
            raise ValueError(
                f"The towers in {folder} have format {stated['format']}, this version reads {FORMAT}: "
                f"train again."
            )
        arrays = load_file(folder / "towers.safetensors")
        bag = Bag(arrays["vocabulary"], arrays["idf"], arrays["table"].astype(np.float32))
        query, item = (
            Tower(*(arrays[f"{name}.{part}"] for part in PARTS)) for name in ("query", "item")
        )
        return cls(Tokenizer.from_dict(stated["tokenizer"]), bag, query, item)
