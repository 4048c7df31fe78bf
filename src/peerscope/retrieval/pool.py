"""The candidates of one query, and the reasons that are told of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import compress, repeat

import numpy as np

from peerscope.retrieval.feedback import Candidates
from peerscope.retrieval.index.terms import Mask, term_keys
from peerscope.retrieval.overlay import Overlay
from peerscope.retrieval.results import ResultHit
from peerscope.retrieval.schema import FloatArray, IntArray
from peerscope.retrieval.text import Tokenizer


@dataclass(frozen=True, slots=True)
class Asked:
    """A query's vectors, one a head: as this reader asks it and as anybody would."""

    own: FloatArray
    plain: FloatArray | None = None
    history: IntArray | None = None
    """Ids of the items met before that the query tower saw; set together with ``plain``."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The candidates of one query with their features, in one order."""

    overlay: Overlay
    found: Candidates
    impacts: FloatArray
    in_title: Mask
    dense: FloatArray | None
    capped: bool
    heads: IntArray | None = None
    personal: bool = False
    because: dict[int, int] = field(default_factory=dict)


def result_hits(
    pool: Pool, page: IntArray, fused: FloatArray, query: str, tokenizer: Tokenizer
) -> Iterator[ResultHit]:
    """The hits of a page with the reasons for each.

    Args:
        pool: The candidates.
        page: Their places in the order that is asked for, shape ``[n]``.
        fused: Score of every candidate.
        query: The query as understood.
        tokenizer: The site's tokenizer.
    """
    words = list(dict.fromkeys(tokenizer.words(query)))
    column_of = {term: place for place, term in enumerate(pool.found.query.terms)}
    told = [(word, column_of.get(tokenizer.term(word))) for word in words]
    columns = np.asarray([column for _, column in told if column is not None], np.int64)
    named = [word for word, column in told if column is not None]
    phrase = [tokenizer.term(word) for word in tokenizer.words(query)]
    wanted = term_keys(phrase).tolist() if len(phrase) > 1 else []
    whole = np.all(pool.in_title[np.ix_(page, columns)], axis=1) & bool(wanted)
    rows = zip(
        pool.found.ids[page].tolist(),
        fused[page].tolist(),
        pool.found.lexical[page].tolist(),
        repeat(None) if pool.dense is None else pool.dense[page].tolist(),
        repeat(0) if pool.heads is None else pool.heads[page].tolist(),
        (pool.impacts[np.ix_(page, columns)] > 0).tolist(),
        whole.tolist(),
        strict=False,
    )
    for number, score, lexical, dense, head, present, likely in rows:
        yield ResultHit(
            number,
            score,
            lexical,
            dense,
            head,
            pool.because.get(number),
            tuple(compress(named, present)),
            likely and _in_title(pool, wanted, number),
        )


def _in_title(pool: Pool, wanted: list[int], number: int) -> bool:
    """Whether the terms stand in the item's title side by side, in this order."""
    title = pool.overlay.title(number).tolist()
    starts = range(len(title) - len(wanted) + 1)
    return any(title[start : start + len(wanted)] == wanted for start in starts)
