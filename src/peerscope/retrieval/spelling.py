"""Spelling help: the nearest word of the catalogue for a word that the catalogue does not have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import OSA

from peerscope.retrieval.schema import Item
from peerscope.retrieval.text import STOP_WORDS, Tokenizer

MOST_WORDS = 60_000
SHORTEST = 4
MOST_MENDED = 4
"""Words of one query that are looked up; a long text pasted in is not a misspelling."""


class Spelling:
    """Words of titles and texts with their numbers of occurrence, most frequent first."""

    def __init__(self, words: list[tuple[str, int]]) -> None:
        self._counts = dict(words[:MOST_WORDS])
        self._words = list(self._counts)
        self._letters = np.asarray([_letters(word) for word in self._words], dtype=np.uint64)
        self._lengths = np.asarray([len(word) for word in self._words], dtype=np.int64)

    @classmethod
    def of(cls, items: Iterable[Item], tokenizer: Tokenizer) -> Spelling:
        """Count the words of a catalogue; a word met once may itself be a misspelling and is left out."""
        counts: Counter[str] = Counter()
        for item in items:
            counts.update(tokenizer.words(item.title))
            counts.update(tokenizer.words(item.text))
            counts.update(tokenizer.words(item.names))
        kept = [(word, n) for word, n in counts.items() if n > 1 and len(word) >= SHORTEST]
        return cls(sorted(kept, key=lambda pair: (-pair[1], pair[0])))

    def suggestion(self, word: str) -> str | None:
        """A word one edit away (two for words of eight letters or more), the most frequent of the nearest."""
        if len(word) < SHORTEST or word in STOP_WORDS or any(c.isdigit() for c in word):
            return None
        most = 2 if len(word) >= 8 else 1
        near = [self._words[place] for place in self._possible(word, most)]
        found = process.extract(word, near, scorer=OSA.distance, score_cutoff=most, limit=20)
        ranked = sorted((distance, -self._counts[other], other) for other, distance, _ in found)
        return ranked[0][2] if ranked else None

    def _possible(self, word: str, most: int) -> NDArray[np.int64]:
        """Places of the words that may lie that many edits away.

        An edit changes the length by at most one and the set of letters by at most two, so that all but some
        hundred words need not be compared letter by letter.
        """
        changed = np.bitwise_count(self._letters ^ np.uint64(_letters(word)))
        near = (changed <= 2 * most) & (np.abs(self._lengths - len(word)) <= most)
        return np.flatnonzero(near)

    def save(self, path: Path) -> None:
        """Write the words as JSON."""
        path.write_bytes(orjson.dumps(list(self._counts.items())))

    @classmethod
    def load(cls, path: Path) -> Spelling:
        """Read what `save` wrote."""
        return cls([(word, count) for word, count in orjson.loads(path.read_bytes())])


def _letters(word: str) -> int:
    """The set of a word's letters, as bits (letters may share one)."""
    found = 0
    for letter in word:
        found |= 1 << (ord(letter) % 64)
    return found
