"""A sentence encoder as teacher only: its similarities on the site's own texts, in a bag of terms.

The table of term vectors is the ridge regression of the encoder's vectors on the weighted bags of the same
texts, so that a bag's inner products follow the encoder's where the site's texts are; whole texts, titles and
sentences teach, since a query is as short as a sentence. The encoder is needed for this once, and neither for
queries nor for new items.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from scipy import sparse

from peerscope.retrieval.embed import Bag, weighted
from peerscope.retrieval.encoder import Encoder
from peerscope.retrieval.front import leading_directions
from peerscope.retrieval.lsa import frequent_features
from peerscope.retrieval.schema import FloatArray
from peerscope.retrieval.text import Tokenizer

RIDGE = 0.3
"""Weight of the squared table beside the squared error; from 0.1 to 1 nothing changes much."""

STEPS = 25
"""Conjugate gradient steps; after 25 the table moves by less than ranking shows."""

SENTENCES = 6
"""Sentences of one text that teach, the first ones."""

SENTENCE_WORDS = (4, 32)
"""Shorter sentences are left out, longer ones are cut."""

MOST_LESSONS = 100_000
"""Titles and sentences that teach at most, evenly spaced."""

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")

Progress = Callable[[str, int, int | None], None]


def distilled_bag(
    texts: Sequence[str],
    tokenizer: Tokenizer,
    encoder: Encoder,
    *,
    width: int = 256,
    progress: Progress | None = None,
) -> Bag:
    """A bag whose inner products follow the encoder's.

    Args:
        texts: One text an item, its title on the first line.
        tokenizer: The site's tokenizer.
        encoder: The teacher.
        width: Length of the vectors at most; longer ones of the teacher are projected on their leading
            directions.
        progress: Told of the stage.

    Returns:
        A bag with the vocabulary of `lsa.frequent_features`; an empty one where nothing repeats.
    """
    counts, features, idf = frequent_features(texts, tokenizer, progress)
    short = lessons(texts)
    taught = np.concatenate([encoder.encode(texts, progress), encoder.encode(short, progress)])
    basis = leading_directions(taught, width)
    if basis is not None:
        taught = taught @ basis
    bag = Bag(features, idf, np.zeros((len(features), taught.shape[1]), np.float32))
    if not len(features):
        return bag
    bags = [weighted(counts, idf), bag.weights(tokenizer, short)]
    if progress is not None:
        progress("distilling the encoder", 0, None)
    table = ridge(sparse.csr_array(sparse.vstack(bags)), taught, RIDGE, STEPS)
    return Bag(features, idf, table, taught=True)


def lessons(texts: Sequence[str]) -> list[str]:
    """Distinct short texts of the texts: first lines (titles) and first sentences, at most `MOST_LESSONS`."""
    found: dict[str, None] = {}
    fewest, most = SENTENCE_WORDS
    for text in texts:
        title, _, rest = text.partition("\n")
        found.setdefault(title)
        sentences = [part.split() for part in _SENTENCE.split(rest)]
        for words in [words for words in sentences if len(words) >= fewest][:SENTENCES]:
            found.setdefault(" ".join(words[:most]))
    every = list(found)
    if len(every) <= MOST_LESSONS:
        return every
    return [every[place] for place in np.linspace(0, len(every) - 1, MOST_LESSONS).astype(int)]


def ridge(inputs: sparse.csr_array, targets: FloatArray, weight: float, steps: int) -> FloatArray:
    """The table X that makes ``|inputs X - targets|^2 + weight |X|^2`` least, by conjugate gradients.

    Every column is a problem of its own, all are solved at once (Hestenes and Stiefel 1952, on the normal
    equations).

    Args:
        inputs: Shape ``[n, v]``.
        targets: Shape ``[n, k]``.
        weight: Above 0.
        steps: Steps at most; fewer where the residual vanishes.

    Returns:
        Shape ``[v, k]``.
    """
    turned = sparse.csr_array(inputs.T)
    found = np.zeros((inputs.shape[1], targets.shape[1]), np.float32)
    residual = np.asarray(turned @ targets, dtype=np.float32)
    direction = residual.copy()
    left = (residual**2).sum(axis=0)
    for _ in range(steps):
        if left.max(initial=0.0) < 1e-12:
            break
        image = turned @ (inputs @ direction) + np.float32(weight) * direction
        step = left / np.maximum((direction * image).sum(axis=0), 1e-12)
        found += step * direction
        residual -= step * image
        now = (residual**2).sum(axis=0)
        direction = residual + now / np.maximum(left, 1e-12) * direction
        left = now
    return found.astype(np.float32)
