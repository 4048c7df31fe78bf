"""From the engine's hits to a reader's page: filters in, reasons and labelled facets out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from peerscope.discover.catalogue import FACETS, facet_labels
from peerscope.discover.shapes import (
    Asker,
    FacetValue,
    Reason,
    SearchFilters,
    SearchPage,
    WorkHit,
)
from peerscope.record.models import Work
from peerscope.retrieval import Filter, ResultHit, SearchEngine, User

CANDIDATES = 400
"""Works considered for a query; the pages after them are reached by narrowing it."""

FACET_VALUES = 12
TITLES = 1000
LONGEST_TITLE = 80
"""Characters of a title that stands as a reason."""

TYPE_LABELS = {
    "journal-article": "Journal article",
    "proceedings-article": "Conference paper",
    "preprint": "Preprint",
    "book": "Book",
    "book-chapter": "Book chapter",
    "dissertation": "Dissertation",
    "report": "Report",
    "dataset": "Data set",
    "software": "Software",
    "review": "Review",
    "other": "Other",
}
"""What a reader sees for `peerscope.record.parsed.WORK_TYPES`."""

CLOSE = 0.5
"""Cosine from which a result is said to be near in meaning to the query."""


def engine_filter(filters: SearchFilters) -> Filter:
    """The address's filters in the engine's terms."""
    any_of: dict[str, tuple[str, ...]] = {}
    if filters.types:
        any_of["type"] = filters.types
    for name, numbers in (
        ("topic", filters.topics),
        ("person", filters.people),
        ("institution", filters.institutions),
        ("venue", filters.venues),
    ):
        if numbers:
            any_of[name] = tuple(str(number) for number in numbers)
    if filters.open_access is not None:
        any_of["open_access"] = ("yes" if filters.open_access else "no",)
    ranges = {}
    if filters.year_from is not None or filters.year_to is not None:
        ranges["year"] = (filters.year_from, filters.year_to)
    return Filter(any_of=any_of, ranges=ranges)


def found_page(
    session: Session,
    engine: SearchEngine,
    query: str,
    filters: SearchFilters,
    sort: str,
    page: int,
    per_page: int,
    asker: Asker | None = None,
) -> SearchPage:
    """One page of results for a query, ordered by the fused score, by year or by citations.

    The asker's history takes part in the fused score alone: a year is the same for everyone.
    """
    offset = (page - 1) * per_page
    by_score = sort == "relevance"
    user = User(history=asker.history) if asker and asker.history and by_score else None
    results = engine.search(
        query,
        per_page if by_score else CANDIDATES,
        where=engine_filter(filters),
        offset=min(offset, CANDIDATES) if by_score else 0,
        facets=FACETS,
        candidates=CANDIDATES,
        user=user,
    )
    hits = list(results.hits)
    if not by_score:
        hits = _reordered(session, hits, sort)[offset : offset + per_page]
    met = _met(session, asker, hits) if asker and results.personal else {}
    return SearchPage(
        query=query,
        hits=tuple(WorkHit(hit.id, float(hit.score), _reasons(hit, met)) for hit in hits),
        total=results.total,
        page=page,
        per_page=per_page,
        mode=results.mode,
        corrected=results.corrected,
        capped=results.capped,
        facets=labelled(session, results.facets),
        note=results.note,
        personal=results.personal,
    )


def among(engine: SearchEngine, query: str, work_ids: Sequence[int]) -> tuple[WorkHit, ...]:
    """Those of the given works that share a word with a query or are near it in meaning, best first."""
    return tuple(
        WorkHit(hit.id, float(hit.score), reasons)
        for hit in engine.among(query, work_ids)
        if (reasons := _reasons(hit, {}))
    )


def _met(session: Session, asker: Asker, hits: Sequence[ResultHit]) -> dict[int, str]:
    """What to say of the results that a history moved: the result to a part of a sentence."""
    seen = set(asker.history)
    moving = [hit.because for hit in hits if hit.because is not None and hit.id not in seen]
    titles = work_titles(session, moving) if moving else {}

    def did(work: int) -> str:
        return "saved" if work in asker.saved else "opened"

    def near(work: int) -> str:
        title = f"“{short_title(titles[work])}”"
        if work in asker.followed:
            return f"near {title}, {asker.followed[work]}"
        return f"because you {did(work)} {title}"

    told = {hit.id: near(hit.because) for hit in hits if hit.because in titles}
    # A work met before is lifted by itself, whatever else stands near it.
    return told | {
        hit.id: asker.followed.get(hit.id) or f"you {did(hit.id)} it before"
        for hit in hits
        if hit.id in seen
    }


def short_title(title: str) -> str:
    """A title that stands as a reason, at most `LONGEST_TITLE` characters."""
    if len(title) <= LONGEST_TITLE:
        return title
    return title[:LONGEST_TITLE].rsplit(" ", 1)[0] + " …"


def work_titles(session: Session, work_ids: Sequence[int]) -> dict[int, str]:
    """Titles of the works that are in the record; a statement for each `TITLES` of them."""
    found: dict[int, str] = {}
    wanted = sorted(set(work_ids))
    for start in range(0, len(wanted), TITLES):
        part = wanted[start : start + TITLES]
        statement = select(Work.id, Work.title).where(Work.id.in_(part), Work.deleted_at.is_(None))
        found.update(session.execute(statement).all())
    return found


def _reordered(session: Session, hits: list[ResultHit], sort: str) -> list[ResultHit]:
    statement = select(Work.id, Work.publication_year, Work.cited_by_count).where(
        Work.id.in_([hit.id for hit in hits])
    )
    facts = {number: (year, cited) for number, year, cited in session.execute(statement)}

    def place(hit: ResultHit) -> tuple[int, int]:
        year, cited = facts.get(hit.id, (None, 0))
        if sort == "cited":
            return -cited, hit.id
        if year is None:
            return 10_000, hit.id
        return (year if sort == "oldest" else -year), hit.id

    return sorted(hits, key=place)


def _reasons(hit: ResultHit, met: Mapping[int, str]) -> tuple[Reason, ...]:
    reasons = []
    if hit.id in met:
        reasons.append(Reason("history", met[hit.id]))
    if hit.title_match:
        reasons.append(Reason("title", "the query stands in its title"))
    if hit.matched_words:
        reasons.append(Reason("words", "matches " + ", ".join(hit.matched_words)))
    if hit.dense is not None and hit.dense >= CLOSE:
        reasons.append(Reason("meaning", "near in meaning"))
    return tuple(reasons)


def facet_page(
    session: Session, engine: SearchEngine, ids: Sequence[int]
) -> dict[str, tuple[FacetValue, ...]]:
    """Labelled facets over the given works."""
    return labelled(session, engine.facets(ids, FACETS)) if ids else {}


def labelled(
    session: Session, counts: Mapping[str, Mapping[str, int]]
) -> dict[str, tuple[FacetValue, ...]]:
    """The most frequent values of each facet with what a reader sees; years newest first."""
    facets = {}
    for name, values in counts.items():
        top = _top(values.items())
        labels = facet_labels(session, name, [value for value, _ in top])
        found = tuple(
            FacetValue(value, label, count)
            for value, count in top
            if (label := labels.get(value) or _plain(name, value))
        )
        if found:
            facets[name] = found
    if "year" in facets:
        facets["year"] = tuple(sorted(facets["year"], key=lambda v: v.value, reverse=True))
    return facets


def _top(values: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(values, key=lambda pair: (-pair[1], pair[0]))[:FACET_VALUES]


def _plain(facet: str, value: str) -> str | None:
    """A label for values that are words already; ``None`` for an entity that is no more."""
    if facet == "type":
        return TYPE_LABELS.get(value, value)
    if facet == "open_access":
        return {"yes": "Open access", "no": "Not open access"}.get(value)
    return value if facet == "year" else None
