"""The text front of both towers: the bag alone, or the bag beside a frozen sentence encoder.

Both halves are scaled so that the inner product of two texts is the weighted mean of the bag's cosine and the
encoder's: a fusion that needs no training, from which training starts. Which front a site has is one setting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peerscope.retrieval.embed import Bag
from peerscope.retrieval.encoder import Encoder
from peerscope.retrieval.schema import FloatArray
from peerscope.retrieval.text import Tokenizer

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Front:
    """Texts to vectors of length ``width``.

    Attributes:
        tokenizer: The site's tokenizer.
        bag: Weighted n-grams to vectors of length k.
        encoder: The sentence encoder, or ``None``.
        share: Weight of the encoder's cosine in an inner product of two texts, in [0, 1].
        basis: Projection of the encoder's vectors, shape ``[encoder.dim, e]`` with orthonormal columns, or
            ``None`` for all of them.
    """

    tokenizer: Tokenizer
    bag: Bag
    encoder: Encoder | None = None
    share: float = 0.5
    basis: FloatArray | None = None

    @property
    def encoded_width(self) -> int:
        """Length of the encoder's part; 0 without one."""
        if self.encoder is None:
            return 0
        return self.encoder.dim if self.basis is None else int(self.basis.shape[1])

    @property
    def width(self) -> int:
        """Length of the vectors."""
        return self.bag.width + self.encoded_width

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> FloatArray:
        """Vectors of texts, shape ``[len(texts), width]``; a row of zeros where nothing is known of a text.

        Of unit length where bag and encoder both know the text, unless the bag is plain.
        """
        words = self.bag.embed(self.tokenizer, texts)
        if self.encoder is None:
            return words
        meaning = self.encoder.encode(texts, progress)
        if self.basis is not None:
            meaning = meaning @ self.basis
        return np.concatenate(
            [words * np.float32((1 - self.share) ** 0.5), meaning * np.float32(self.share**0.5)],
            axis=1,
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The numbers to keep; the encoder keeps its own."""
        found: dict[str, NDArray[Any]] = {
            "vocabulary": self.bag.vocabulary,
            "idf": self.bag.idf,
            "table": self.bag.table.astype(np.float16),
        }
        if self.basis is not None:
            found["basis"] = np.ascontiguousarray(self.basis)
        return found


def leading_directions(vectors: FloatArray, width: int) -> FloatArray | None:
    """The ``width`` directions that hold most of the vectors' length, shape ``[d, width]``.

    ``None`` where that is no reduction. Vectors are not centred: cosines of projected vectors stay close to
    those of the whole ones.
    """
    if width >= vectors.shape[1]:
        return None
    moments = vectors.astype(np.float64).T @ vectors.astype(np.float64)
    _, directions = np.linalg.eigh(moments)
    found: FloatArray = directions[:, ::-1][:, :width].astype(np.float32)
    return np.ascontiguousarray(found)
