"""What a search gives back."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ResultHit:
    """A ranked item.

    Attributes:
        id: The item.
        score: Fused score, comparable within one query only.
        lexical: BM25 score, 0 where no word matches.
        dense: Cosine of query and item vectors, ``None`` without a dense part.
        head: The head of the query tower that the item is nearest to.
        because: The item of the reader's history that moved this one up, if one did.
        matched_words: Words of the query, as typed (normalised), that occur in the item.
        title_match: Whether the whole query stands in the title, in order.
    """

    id: int
    score: float
    lexical: float
    dense: float | None
    head: int = 0
    because: int | None = None
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
        personal: Whether the order depends on who asks.
        note: A sentence for the reader, or ``None``.
    """

    hits: tuple[ResultHit, ...]
    total: int = 0
    capped: bool = False
    facets: dict[str, dict[str, int]] = field(default_factory=dict)
    corrected: str | None = None
    mode: str = "hybrid"
    personal: bool = False
    note: str | None = None
