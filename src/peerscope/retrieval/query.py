"""From a query to ranked items: candidates by words and by meaning, one fused order, reasons, facets.

The engine stands on an immutable index and takes live changes in an overlay, a small index in memory
whose items hide their older selves. No lock is held across a query: readers take one state and keep it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence

import numpy as np

from peerscope.retrieval.feedback import Candidates, trusted
from peerscope.retrieval.fusion import Fusion, HeldOut, standardised
from peerscope.retrieval.index.arrays import best
from peerscope.retrieval.index.items import ItemIndex
from peerscope.retrieval.index.terms import QueryTerms, term_keys
from peerscope.retrieval.overlay import Overlay
from peerscope.retrieval.pool import Asked, Pool, result_hits
from peerscope.retrieval.results import ResultHit, Results
from peerscope.retrieval.schema import (
    MOST_HISTORY,
    Filter,
    FloatArray,
    Hits,
    IntArray,
    Item,
    Towers,
    User,
    UserInput,
)
from peerscope.retrieval.spelling import Spelling
from peerscope.retrieval.text import Tokenizer
from peerscope.retrieval.wanting import WantedHit, wanted_hits

log = logging.getLogger(__name__)

LIFTED = 0.1
"""How much higher, in deviations among the candidates, an item must stand by reason of the history."""

LONGEST_QUERY = 2000
"""Characters of a query that are read; the rest of a pasted text changes little."""


class SearchEngine:
    """Search over one index, its towers and its fusion weights; safe for many readers and one writer."""

    def __init__(
        self,
        index: ItemIndex,
        towers: Towers | None,
        fusion: Fusion,
        tokenizer: Tokenizer,
        spelling: Spelling | None = None,
    ) -> None:
        self.index = index
        self.towers = towers
        self.fusion = fusion
        self.tokenizer = tokenizer
        self.spelling = spelling or Spelling([])
        self._overlay = Overlay.empty(index, tokenizer)
        self._passed_over = term_keys(sorted(tokenizer.stop_terms))
        self._writing = threading.Lock()

    def upsert(self, items: Sequence[Item]) -> None:
        """Make new or changed items searchable at once, over the bundle's."""
        if not items:
            return
        with self._writing:
            vectors = self._embed_items(items)
            self._overlay = self._overlay.with_items(items, vectors)

    def delete(self, ids: Iterable[int]) -> None:
        """Hide items; unknown ids are passed over."""
        with self._writing:
            self._overlay = self._overlay.without(list(ids))

    @property
    def overlay_size(self) -> int:
        """How many items the overlay holds or hides."""
        return self._overlay.size

    def _embed_items(self, items: Sequence[Item]) -> FloatArray:
        if self.towers is None:
            return np.zeros((len(items), self.index.dim), np.float32)
        try:
            return self.towers.embed_items(items)
        except Exception:
            log.exception("The item tower failed; the new items are searchable by words only.")
            return np.zeros((len(items), self.index.dim), np.float32)

    def _embed_query(self, query: str, user: User | None, overlay: Overlay) -> Asked | None:
        """The query's vectors; ``None`` where there are no towers, they fail, or know nothing of it."""
        if self.towers is None:
            return None
        try:
            if user is None or not self.towers.personal:
                own = self.towers.embed_queries([query])[0]
                return Asked(own) if np.any(own) else None
            met = np.asarray(overlay.known(user.history[:MOST_HISTORY]), dtype=np.int64)
            who = UserInput(overlay.vectors(met), user.profile)
            own, plain = self.towers.embed_queries([query, query], [who, None])
        except Exception:
            log.exception("The query tower failed; answering by words only.")
            return None
        return Asked(own, plain, met) if np.any(own) else None

    def search(
        self,
        query: str,
        k: int,
        *,
        where: Filter | None = None,
        offset: int = 0,
        facets: Sequence[str] = (),
        candidates: int = 400,
        user: User | None = None,
    ) -> Results:
        """Rank the items for a query.

        Args:
            query: Any string; nothing in it is an operator.
            k: How many hits to return.
            where: Conditions that the items must fulfil.
            offset: How many ranked items to pass over.
            facets: Fields to count over all candidates.
            candidates: How many items each of words and meaning may bring in.
            user: Who asks; ``None`` asks as anybody would.
        """
        query = query[:LONGEST_QUERY]
        corrected = self._mended(query)
        understood = corrected or query
        terms = QueryTerms.of(self.tokenizer.query_counts(understood))
        if not terms.terms:
            return Results((), mode="lexical", note="The query has no word to look for.")
        pool = self._candidates(understood, terms, where, candidates, user)
        fused = pool.found.fused(self.fusion)
        order = np.lexsort((pool.found.ids, -fused))
        page = order[offset : offset + k]
        hits = tuple(result_hits(pool, page, fused, understood, self.tokenizer))
        return Results(
            hits=hits,
            total=len(pool.found.ids),
            capped=pool.capped,
            facets=pool.overlay.facets(pool.found.ids, facets) if facets else {},
            corrected=corrected,
            mode="lexical" if pool.dense is None else "hybrid",
            personal=pool.personal,
            note=self._note(understood, pool),
        )

    def _note(self, query: str, pool: Pool) -> str | None:
        if self.tokenizer.only_stop_words(query):
            return "The query has only common words, which say little about a subject."
        if len(pool.found.ids) and not pool.found.lexical.any():
            return "No work has these words; the ones shown are near in meaning."
        return None

    def held_out(
        self,
        query: str,
        grades: dict[int, float],
        asker: int | None = None,
        candidates: int = 200,
        user: User | None = None,
        second_look: bool = False,
    ) -> HeldOut:
        """The candidates and features of a query whose answers are known, for fitting and gates.

        ``asker`` is left out of the candidates: the item whose title the query is. With ``second_look``
        they are judged as they are served, which holds their texts in memory; the weights are fitted to the
        first order.
        """
        terms = QueryTerms.of(self.tokenizer.query_counts(query))
        pool = self._candidates(query, terms, None, candidates, user)
        kept = pool.found.without(-1 if asker is None else asker)
        served = kept.fused if second_look else None
        return HeldOut(kept.ids, kept.lexical, kept.dense, kept.title, grades, kept.met, served)

    def _candidates(
        self,
        query: str,
        terms: QueryTerms,
        where: Filter | None,
        candidates: int,
        user: User | None,
    ) -> Pool:
        overlay = self._overlay
        matching = overlay.search_lexical(terms, candidates, where)
        asked = self._embed_query(query, user, overlay)
        near = self._nearest(overlay, asked, candidates, where)
        ids = np.union1d(matching, np.concatenate([matching, *near]))
        capped = any(len(found) >= candidates for found in (matching, *near))
        return self._pool(overlay, asked, terms, ids, capped, user)

    def scores(self, query: str, ids: IntArray, user: User | None = None) -> FloatArray:
        """Fused scores of known items, taken for the candidates of a query, in their order."""
        overlay = self._overlay
        asked = self._embed_query(query, user, overlay)
        terms = QueryTerms.of(self.tokenizer.query_counts(query))
        pool = self._pool(overlay, asked, terms, ids, False, user)
        return pool.found.fused(self.fusion)

    def among(self, query: str, ids: Sequence[int]) -> tuple[ResultHit, ...]:
        """The given items in the order of the query, each with its reasons; unknown ones are left out."""
        overlay, query = self._overlay, query[:LONGEST_QUERY]
        known = np.asarray(sorted(set(overlay.known(ids))), np.int64)
        terms = QueryTerms.of(self.tokenizer.query_counts(query))
        pool = self._pool(
            overlay, self._embed_query(query, None, overlay), terms, known, False, None
        )
        fused = pool.found.fused(self.fusion)
        order = np.lexsort((pool.found.ids, -fused))
        return tuple(result_hits(pool, order, fused, query, self.tokenizer))

    def _pool(
        self,
        overlay: Overlay,
        asked: Asked | None,
        terms: QueryTerms,
        ids: IntArray,
        capped: bool,
        user: User | None,
    ) -> Pool:
        impacts = overlay.impacts(terms.keys, ids)
        in_title = overlay.in_title(terms.keys, ids)
        lexical = impacts @ overlay.weights(terms.keys, terms.counts)
        share = in_title.sum(axis=1) / max(len(terms.keys), 1)
        vectors = None if asked is None else overlay.vectors(ids)
        dense = heads = None
        if self.towers is not None and asked is not None and vectors is not None:
            dense = self.towers.score(asked.own, vectors)
            heads = np.argmax(vectors @ asked.own.T, axis=1)
        found = Candidates(
            ids,
            lexical,
            None if dense is None else dense * trusted(overlay.lengths(ids)),
            share.astype(np.float32),
            vectors,
            terms,
            overlay,
            self._passed_over,
            _met(ids, user),
        )
        return Pool(
            overlay,
            found,
            impacts,
            in_title,
            dense,
            capped,
            heads,
            asked is not None and asked.plain is not None,
            self._reasons(overlay, asked, ids, vectors, dense),
        )

    def _nearest(
        self, overlay: Overlay, asked: Asked | None, candidates: int, where: Filter | None
    ) -> list[IntArray]:
        """What each head brings in: the same number each (DPSR section 4.3)."""
        if asked is None:
            return []
        heads = asked.own[np.any(asked.own, axis=1)]
        return [hits.ids for hits in overlay.search_dense_many(heads, candidates, where)]

    def _reasons(
        self,
        overlay: Overlay,
        asked: Asked | None,
        ids: IntArray,
        vectors: FloatArray | None,
        dense: FloatArray | None,
    ) -> dict[int, int]:
        """For each candidate that the reader's history lifted, the item met before that it is nearest to."""
        if asked is None or asked.plain is None or asked.history is None or not len(asked.history):
            return {}
        if self.towers is None or vectors is None or dense is None:
            return {}
        plain = self.towers.score(asked.plain, vectors)
        lifted = standardised(dense) - standardised(plain) > LIFTED
        cosines = vectors[lifted] @ overlay.vectors(asked.history).T
        # An item met before is no reason for itself.
        cosines[ids[lifted][:, None] == asked.history[None, :]] = -1.0
        nearest = cosines.argmax(axis=1)
        close = cosines[np.arange(len(nearest)), nearest] > 0
        pairs = zip(
            ids[lifted][close].tolist(), asked.history[nearest[close]].tolist(), strict=True
        )
        return dict(pairs)

    def _mended(self, query: str) -> str | None:
        """The query with unknown words replaced by near known ones; ``None`` where nothing is to mend."""
        words = self.tokenizer.words(query)
        if len(words) > 12:
            return None
        distinct = list(dict.fromkeys(words))
        known = self._overlay.occurring(term_keys(map(self.tokenizer.term, distinct)))
        unknown = [word for word, here in zip(distinct, known, strict=True) if not here]
        mended = {}
        for word in unknown[:4]:
            near = self.spelling.suggestion(word)
            if near is not None:
                mended[word] = near
        return " ".join(mended.get(word, word) for word in words) if mended else None

    def facets(self, ids: Sequence[int], names: Sequence[str]) -> dict[str, dict[str, int]]:
        """For each field, how many of the given items carry each value."""
        return self._overlay.facets(ids, names)

    def neighbours_of(self, ids: Sequence[int], k: int, where: Filter | None = None) -> Hits:
        """The ``k`` items nearest to the mean vector of the given ones, which are left out."""
        overlay = self._overlay
        known = overlay.known(ids)
        if not known:
            return Hits(np.empty(0, np.int64), np.empty(0, np.float32))
        mean = overlay.vectors(known).mean(axis=0)
        length = float(np.linalg.norm(mean))
        if length < 1e-9:
            return Hits(np.empty(0, np.int64), np.empty(0, np.float32))
        found = overlay.search_dense((mean / length).astype(np.float32), k + len(known), where)
        others = ~np.isin(found.ids, np.asarray(known))
        return best(found.ids[others], found.scores[others], k)

    def vectors_of(self, ids: Sequence[int]) -> tuple[list[int], FloatArray]:
        """Those of some items that can be found, with their vectors of length 1, shape ``[n, dim]``."""
        overlay = self._overlay
        known = overlay.known(ids)
        vectors = overlay.vectors(known) if known else np.empty((0, 0), np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True) if known else vectors
        return known, (vectors / np.maximum(lengths, 1e-9)).astype(np.float32)

    def wanted(
        self, titles: Sequence[str], history: Sequence[int], k: int, where: Filter | None = None
    ) -> list[WantedHit]:
        """What a reader may want next, without a query; ``[]`` without towers or where they fail.

        Args:
            titles: Of items met before, newest first; each asks once.
            history: Items met before, newest first; none of them is a hit.
            k: How many at most.
            where: Conditions that the hits fulfil.
        """
        if self.towers is None:
            return []
        try:
            return wanted_hits(self._overlay, self.towers, titles, history, k, where)
        except Exception:
            log.exception("The query tower failed; nothing is near to what the reader met.")
            return []

    def count(self) -> int:
        """How many items can be found."""
        return self._overlay.count()

    def close(self) -> None:
        """Release the index."""
        self.index.close()


def _met(ids: IntArray, user: User | None) -> FloatArray | None:
    """1 for items of the reader's history, else 0; ``None`` without one."""
    if user is None or not user.history:
        return None
    return np.isin(ids, np.asarray(user.history[:MOST_HISTORY])).astype(np.float32)
