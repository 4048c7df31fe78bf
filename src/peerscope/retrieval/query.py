"""From a query to ranked items: candidates by words and by meaning, one fused order, reasons, facets.

The engine stands on an immutable index and takes live changes in an overlay, a small index in memory
whose items hide their older selves. No lock is held across a query: readers take one state and keep it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from peerscope.retrieval.fusion import Fusion, HeldOut
from peerscope.retrieval.index.exact import ExactIndex
from peerscope.retrieval.index.rows import best
from peerscope.retrieval.overlay import Overlay
from peerscope.retrieval.schema import Filter, FloatArray, Hits, IntArray, Item, Towers
from peerscope.retrieval.spelling import Spelling
from peerscope.retrieval.text import Tokenizer

log = logging.getLogger(__name__)

LONGEST_QUERY = 2000
"""Characters of a query that are read; the rest of a pasted text changes little."""


@dataclass(frozen=True, slots=True)
class ResultHit:
    """A ranked item.

    Attributes:
        id: The item.
        score: Fused score, comparable within one query only.
        lexical: BM25 score, 0 where no word matches.
        dense: Cosine of query and item vectors, ``None`` without a dense part.
        matched_words: Words of the query, as typed (normalised), that occur in the item.
        title_match: Whether the whole query stands in the title, in order.
    """

    id: int
    score: float
    lexical: float
    dense: float | None
    matched_words: tuple[str, ...] = ()
    title_match: bool = False


@dataclass(frozen=True, slots=True)
class Results:
    """Ranked items of one query.

    Attributes:
        hits: The asked part of the ranking.
        total: Number of candidates that were ranked.
        capped: Whether more may match than were considered.
        facets: Field to value to count, over all candidates.
        corrected: The query as understood where spelling was mended, else ``None``.
        mode: ``hybrid`` or ``lexical``.
        note: A sentence for the reader, or ``None``.
    """

    hits: tuple[ResultHit, ...]
    total: int = 0
    capped: bool = False
    facets: dict[str, dict[str, int]] = field(default_factory=dict)
    corrected: str | None = None
    mode: str = "hybrid"
    note: str | None = None


@dataclass(frozen=True, slots=True)
class _Pool:
    """The candidates of one query with their features, in one order."""

    ids: IntArray
    lexical: FloatArray
    dense: FloatArray | None
    title: FloatArray
    stored: dict[int, tuple[str, str, str]]
    capped: bool


class SearchEngine:
    """Search over one index, its towers and its fusion weights; safe for many readers and one writer."""

    def __init__(
        self,
        index: ExactIndex,
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

    def _embed_query(self, query: str) -> FloatArray | None:
        """The query's vector; ``None`` where there are no towers, they fail, or know nothing of it."""
        if self.towers is None:
            return None
        try:
            vector = self.towers.embed_queries([query])[0]
        except Exception:
            log.exception("The query tower failed; answering by words only.")
            return None
        return vector if np.any(vector) else None

    def search(
        self,
        query: str,
        k: int,
        *,
        where: Filter | None = None,
        offset: int = 0,
        facets: Sequence[str] = (),
        candidates: int = 400,
    ) -> Results:
        """Rank the items for a query.

        Args:
            query: Any string; nothing in it is an operator.
            k: How many hits to return.
            where: Conditions that the items must fulfil.
            offset: How many ranked items to pass over.
            facets: Fields to count over all candidates.
            candidates: How many items each of words and meaning may bring in.
        """
        query = query[:LONGEST_QUERY]
        corrected = self._mended(query)
        understood = corrected or query
        terms = self.tokenizer.query_terms(understood)
        if not terms:
            return Results((), mode="lexical", note="The query has no word to look for.")
        pool = self._candidates(understood, terms, where, candidates)
        fused = self.fusion.combine(pool.lexical, pool.dense, pool.title)
        order = np.lexsort((pool.ids, -fused))
        page = order[offset : offset + k]
        hits = tuple(self._hit(pool, int(row), float(fused[row]), understood) for row in page)
        return Results(
            hits=hits,
            total=len(pool.ids),
            capped=pool.capped,
            facets=self._overlay.facets(pool.ids, facets) if facets else {},
            corrected=corrected,
            mode="lexical" if pool.dense is None else "hybrid",
            note=self._note(understood, pool),
        )

    def _note(self, query: str, pool: _Pool) -> str | None:
        if self.tokenizer.only_stop_words(query):
            return "The query has only common words, which say little about a subject."
        if len(pool.ids) and not pool.lexical.any():
            return "No work has these words; the ones shown are near in meaning."
        return None

    def held_out(
        self, query: str, grades: dict[int, float], asker: int | None = None, candidates: int = 200
    ) -> HeldOut:
        """The candidates and features of a query whose answers are known, for fitting and gates.

        ``asker`` is left out of the candidates: the item whose title the query is.
        """
        terms = self.tokenizer.query_terms(query)
        pool = self._candidates(query, terms, None, candidates)
        kept = pool.ids != (-1 if asker is None else asker)
        dense = None if pool.dense is None else pool.dense[kept]
        return HeldOut(pool.ids[kept], pool.lexical[kept], dense, pool.title[kept], grades)

    def _candidates(
        self, query: str, terms: list[str], where: Filter | None, candidates: int
    ) -> _Pool:
        overlay = self._overlay
        matching = overlay.search_lexical(terms, candidates, where)
        vector = self._embed_query(query)
        near = overlay.search_dense(vector, candidates, where) if vector is not None else None
        ids = np.union1d(matching, near.ids) if near is not None else matching
        stored = overlay.stored_terms(ids.tolist())
        words = overlay.lexical_scores(terms, stored)
        title = [_share(terms, stored.get(number, ("", "", ""))[0]) for number in ids.tolist()]
        return _Pool(
            ids,
            np.asarray([words.get(number, 0.0) for number in ids.tolist()], np.float32),
            overlay.vectors(ids) @ vector if vector is not None else None,
            np.asarray(title, np.float32),
            stored,
            len(matching) >= candidates or (near is not None and len(near) >= candidates),
        )

    def _hit(self, pool: _Pool, row: int, score: float, query: str) -> ResultHit:
        number = int(pool.ids[row])
        title, text, names = pool.stored.get(number, ("", "", ""))
        present = set(f"{title} {text} {names}".split())
        words = dict.fromkeys(self.tokenizer.words(query))
        telling = set(self.tokenizer.query_terms(query))
        matched = tuple(
            word
            for word in words
            if (term := self.tokenizer.term(word)) in present and term in telling
        )
        phrase = " ".join(self.tokenizer.term(word) for word in self.tokenizer.words(query))
        return ResultHit(
            number,
            score,
            float(pool.lexical[row]),
            None if pool.dense is None else float(pool.dense[row]),
            matched,
            " " in phrase and f" {phrase} " in f" {title} ",
        )

    def _mended(self, query: str) -> str | None:
        """The query with unknown words replaced by near known ones; ``None`` where nothing is to mend."""
        words = self.tokenizer.words(query)
        if len(words) > 12:
            return None
        known = self._overlay.document_frequencies([self.tokenizer.term(word) for word in words])
        unknown = [word for word in dict.fromkeys(words) if self.tokenizer.term(word) not in known]
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

    def count(self) -> int:
        """How many items can be found."""
        return self._overlay.count()

    def close(self) -> None:
        """Release the index."""
        self.index.close()


def _share(terms: Sequence[str], title: str) -> float:
    """Share of the query's terms that stand in the title, in [0, 1]."""
    present = set(title.split())
    return sum(term in present for term in terms) / len(terms) if terms else 0.0
