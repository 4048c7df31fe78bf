"""The systems compared on the personalised collections; each gives the scores of all works for an asking."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import bm25s
import numpy as np
import Stemmer
from numpy.typing import NDArray
from personal_data import Asking, user_of
from personal_measure import Scorer, best

from peerscope.retrieval import Item, TwoTowers
from peerscope.retrieval.embed import unit_rows
from peerscope.retrieval.fusion import Fusion, HeldOut
from peerscope.retrieval.schema import UserInput
from peerscope.retrieval.towers import item_text, soft_dot

Matrix = NDArray[np.float32]
CANDIDATES = 400
TOGETHER = 64
"""Askings that are scored at once."""


class Words:
    """BM25 by bm25s over English Snowball stems of title and text, all statistics of the whole collection.

    Args:
        items: The works.
        bigrams: Count pairs of neighbouring stems as terms too.
    """

    def __init__(self, items: Sequence[Item], *, bigrams: bool = False) -> None:
        self._stemmer = Stemmer.Stemmer("english")
        self._bigrams = bigrams
        self._corpus = self._terms([item_text(item) for item in items])
        self._model: bm25s.BM25 | None = None

    def _terms(self, texts: Sequence[str]) -> list[list[str]]:
        rows = bm25s.tokenize(
            list(texts),
            stopwords="en",
            stemmer=self._stemmer,
            return_ids=False,
            show_progress=False,
        )
        if not self._bigrams:
            return list(rows)
        return [[*row, *(f"{a} {b}" for a, b in pairwise(row))] for row in rows]

    def fitted(self, k1: float, b: float) -> Words:
        """With these parameters."""
        self._model = bm25s.BM25(k1=k1, b=b)
        self._model.index(self._corpus, show_progress=False)
        return self

    def texts(self, texts: Sequence[str]) -> list[Matrix]:
        """Scores of all works for each text."""
        return [self._scores(terms) for terms in self._terms(texts)]

    def scorer(self, askings: Sequence[Asking]) -> Scorer:
        """Scores of the askings' texts."""
        queries = self._terms([one.text for one in askings])
        return lambda row, one: self._scores(queries[row])

    def _scores(self, terms: list[str]) -> Matrix:
        if self._model is None:
            raise ValueError("Give k1 and b first: `fitted`.")
        if not terms:
            return np.zeros(len(self._corpus), np.float32)
        found: Matrix = self._model.get_scores(terms)
        return found


def history_vectors(
    text: Matrix, items: Matrix, askings: Sequence[Asking], weight: float, most: int = 50
) -> Matrix:
    """Text vectors plus ``weight`` times the mean vector of what was met before: the untrained baseline."""
    found = text.copy()
    for row, one in enumerate(askings):
        if one.history:
            found[row] += weight * items[list(one.history[:most])].mean(axis=0)
    return unit_rows(found)


def cosine_scorer(queries: Matrix, items: Matrix) -> Scorer:
    """Inner products of given vectors."""
    return lambda row, one: items @ queries[row]


class Vectors:
    """Trained towers over the whole collection.

    Args:
        towers: The towers.
        items: All works, also those that came after training.
        history: What a user's history is (`personal_data.user_of`); ``none`` asks as nobody.
        profile: Whether users show their profile.
    """

    def __init__(
        self,
        towers: TwoTowers,
        items: Sequence[Item],
        *,
        history: str = "met",
        profile: bool = False,
    ) -> None:
        self.towers = towers
        parts = [towers.embed_items(items[n : n + 4096]) for n in range(0, len(items), 4096)]
        self.items: Matrix = np.concatenate(parts)
        self._history, self._profile = history, profile

    def heads(self, askings: Sequence[Asking]) -> Matrix:
        """Query vectors, shape ``[askings, heads, dim]``."""
        users = []
        for one in askings:
            user = user_of(one, history=self._history, profile=self._profile)
            met = np.asarray(user.history[: self.towers.history.most], np.int64) - 1
            users.append(UserInput(self.items[met], user.profile))
        return self.towers.embed_queries([one.text for one in askings], users)

    def scorer(self, askings: Sequence[Asking]) -> Scorer:
        """Soft dot products, made for many askings at a time."""
        heads = self.heads(askings)
        made: dict[int, list[Matrix]] = {}

        def scores(row: int, one: Asking) -> Matrix:
            part, place = divmod(row, TOGETHER)
            if part not in made:
                made.clear()
                rows = heads[part * TOGETHER : (part + 1) * TOGETHER]
                limit = max(asked.limit for asked in askings[part * TOGETHER :][:TOGETHER])
                found = rows.reshape(-1, rows.shape[2]) @ self.items[:limit].T
                each = found.reshape(*rows.shape[:2], -1)
                made[part] = [soft_dot(scored.T, self.towers.beta) for scored in each]
            return made[part][place][: one.limit]

        return scores


def pools(
    words: Scorer, vectors: Scorer, askings: Sequence[Asking], *, met: bool = False
) -> list[HeldOut]:
    """Candidates of both with their scores, as the engine fuses them; with ``met``, who had met them too."""
    found = []
    for row, one in enumerate(askings):
        lexical = np.array(words(row, one)[: one.limit], np.float32)
        dense = np.array(vectors(row, one)[: one.limit], np.float32)
        if one.own < one.limit:
            lexical[one.own] = dense[one.own] = -np.inf
        ids = np.union1d(best(lexical, CANDIDATES), best(dense, CANDIDATES)).astype(np.int64)
        known = np.isin(ids, one.history).astype(np.float32) if met else None
        nothing = np.zeros(len(ids), np.float32)
        grades = dict.fromkeys(one.relevant, 1.0)
        found.append(HeldOut(ids, lexical[ids], dense[ids], nothing, grades, known))
    return found


def fused_scorer(fusion: Fusion, rows: Sequence[HeldOut], size: int) -> Scorer:
    """The fused order; works that are no candidates stand behind all others."""

    def scores(row: int, one: Asking) -> Matrix:
        found = np.full(size, -1e6, np.float32)
        pool = rows[row]
        found[pool.ids] = fusion.combine(pool.lexical, pool.dense, pool.title, pool.met)
        return found

    return scores
