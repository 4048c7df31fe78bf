"""The living search of one site: the bundle in service, and what the record has changed since.

Every question starts by looking whether another bundle was published (one link read) and whether the
record changed (one statement). Changed works go into the engine's overlay in small portions, so that a
work imported a moment ago is found by the next query and a large import does not hold one up.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select

from peerscope.discover import neighbours as near
from peerscope.discover.browse import browse
from peerscope.discover.catalogue import items_of
from peerscope.discover.feed import asker_of, feed
from peerscope.discover.graph import Meaning, expansion, path_between, slice_of, why
from peerscope.discover.graph_shapes import (
    ELSEWHERE,
    MOST_ON_PAGE,
    ON_PATHS,
    GraphPath,
    GraphQuestion,
    GraphSlice,
    GraphWhy,
)
from peerscope.discover.results import among, found_page
from peerscope.discover.shapes import (
    Asker,
    FeedEntry,
    FeedOrder,
    Neighbour,
    SearchFilters,
    SearchPage,
    WorkHit,
)
from peerscope.discover.taste import Taste
from peerscope.record import Database, change_seq
from peerscope.record.models import Work
from peerscope.retrieval import BundleStore, SearchEngine, TwoTowers, WantedHit, open_bundle

PORTION = 500
"""Changed works taken into the overlay by one question; the rest follow with the next ones."""

PORTION_ENCODED = 32
"""The same where a sentence encoder reads them, which takes some hundred times as long."""

ANSWERS_KEPT = 1024
LOOKED_LATELY = 0.02
"""Seconds within which one look at the record serves all questions of a page."""

T = TypeVar("T")
NOT_PUBLISHED = (
    "Nothing is published for searching yet, so this is a list of the works. "
    "The operator can run `peerscope train` and `peerscope publish`."
)


@dataclass(slots=True)
class _InService:
    bundle: str
    engine: SearchEngine
    seen: int
    """The record's change number up to which the engine knows the works."""

    @property
    def portion(self) -> int:
        """Changed works that one question takes in."""
        towers = self.engine.towers
        encoded = isinstance(towers, TwoTowers) and towers.front.encoder is not None
        return PORTION_ENCODED if encoded else PORTION


class SiteDiscovery:
    """`Discovery` over a record and a folder of bundles; safe to use from several threads.

    Args:
        database: The record, migrated.
        bundles: Folder of the bundles; it may be empty or not exist yet.
        engine: Which index implementation reads them (`peerscope.retrieval.index.ENGINES`).
    """

    def __init__(self, database: Database, bundles: Path, engine: str = "auto") -> None:
        self._database = database
        self._engine = engine
        self._store = BundleStore(bundles)
        self._lock = threading.Lock()
        self._state: _InService | None = None
        self._kept: OrderedDict[tuple[object, ...], Any] = OrderedDict()
        self._looked = 0.0

    def search(
        self,
        query: str,
        filters: SearchFilters,
        *,
        sort: str = "relevance",
        page: int = 1,
        per_page: int = 20,
        asker: Asker | None = None,
    ) -> SearchPage:
        """Find works; without a query, list them. Any string is a legal query."""
        state = self._current()
        with self._database.session() as session:
            if state is None or not query.strip():
                note = NOT_PUBLISHED if state is None and query.strip() else None
                engine = state.engine if state else None
                return browse(session, engine, filters, sort, page, per_page, query, note)
            return found_page(session, state.engine, query, filters, sort, page, per_page, asker)

    def feed(self, taste: Taste, *, order: FeedOrder = "best") -> tuple[FeedEntry, ...]:
        """Works for somebody who asked nothing, each with reasons; empty for an empty taste."""
        state = self._current()

        def wanted(titles: Sequence[str], works: Sequence[int], k: int) -> list[WantedHit]:
            return state.engine.wanted(titles, works, k) if state is not None else []

        with self._database.session() as session:
            return feed(session, wanted, taste, order=order)

    def asker(self, taste: Taste) -> Asker:
        """A taste as it takes part in the order of results; no statement where nothing is followed."""
        with self._database.session() as session:
            return asker_of(session, taste)

    def among(self, query: str, work_ids: Sequence[int]) -> tuple[WorkHit, ...]:
        """Those of the given works that answer a query, by words or by meaning, best first."""
        state = self._current()
        if state is None or not query.strip() or not work_ids:
            return ()
        return among(state.engine, query, work_ids)

    def neighbours(self, entity: str, id: int, limit: int = 10) -> tuple[Neighbour, ...]:
        """What stands near a work (W), person (A) or topic (T), nearest first, with reasons."""
        ways = {"W": near.near_works, "A": near.near_people, "T": near.near_topics}
        if entity not in ways:
            return ()
        state = self._current()

        def made() -> tuple[Neighbour, ...]:
            with self._database.session() as session:
                return ways[entity](session, id, self._near(state), limit)

        return self._once(("near", entity, id, limit), state, made)

    def graph_slice(self, entity: str, id: int, limit: int = 60) -> GraphSlice:
        """The graph around an entity, laid out; kept until the record or the bundle changes.

        For the entity's own page, which is to stay small: what the record states, and works near to a work.
        """
        state = self._current()
        kinds = ON_PATHS - ELSEWHERE | ({"near"} if entity == "W" else set())

        def made() -> GraphSlice:
            question = GraphQuestion(entity, id, min(limit, MOST_ON_PAGE), frozenset(kinds))
            with self._database.session() as session:
                return slice_of(session, question, Meaning(self._near(state)))

        return self._once(("slice", entity, id, limit), state, made)

    def graph(self, question: GraphQuestion) -> GraphSlice:
        """A part of the graph, read anew; only its layout is kept."""
        state = self._current()
        with self._database.session() as session:
            return slice_of(session, question, self._meaning(state))

    def graph_expansion(self, question: GraphQuestion, known: Sequence[str]) -> GraphSlice:
        """What comes in when a node is opened, with its edges to known nodes."""
        state = self._current()
        with self._database.session() as session:
            return expansion(session, question, known, self._meaning(state))

    def graph_path(self, question: GraphQuestion, target: str) -> GraphPath:
        """A shortest path from the question's centre."""
        with self._database.session() as session:
            return path_between(session, question, target)

    def graph_why(self, question: GraphQuestion, target: str, kind: str) -> GraphWhy | None:
        """The evidence for an edge from the question's centre."""
        state = self._current()
        with self._database.session() as session:
            return why(session, question, target, kind, self._meaning(state))

    def _once(self, key: tuple[object, ...], state: _InService | None, make: Callable[[], T]) -> T:
        """An answer kept until record or bundle change; made each time where nothing is published."""
        if state is None:
            return make()
        whole = (*key, state.bundle, state.seen)
        if whole not in self._kept:
            self._kept[whole] = make()
            while len(self._kept) > ANSWERS_KEPT:
                self._kept.popitem(last=False)
        found: T = self._kept[whole]
        return found

    def status(self) -> dict[str, Any]:
        """What is in service: the bundle's name and how many changed works wait to be taken in."""
        state = self._current()
        if state is None:
            return {"bundle": None, "pending": None}
        with self._database.session() as session:
            pending = len(_changed(session, state.seen, PORTION + 1))
        return {"bundle": state.bundle, "pending": pending}

    @staticmethod
    def _near(state: _InService | None) -> near.Near:
        def nearest(ids: Sequence[int], k: int) -> list[tuple[int, float]]:
            if state is None:
                return []
            hits = state.engine.neighbours_of(ids, k)
            return list(zip(hits.ids.tolist(), hits.scores.tolist(), strict=True))

        return nearest

    @classmethod
    def _meaning(cls, state: _InService | None) -> Meaning:
        if state is None:
            return Meaning(cls._near(None))
        return Meaning(cls._near(state), state.engine.vectors_of)

    def _current(self) -> _InService | None:
        """The engine to ask, brought up to date; never waits for another thread's update."""
        first = self._state is None
        if not self._lock.acquire(blocking=first):
            return self._state
        try:
            if self._state is not None and time.monotonic() - self._looked < LOOKED_LATELY:
                return self._state
            self._swap()
            if self._state is not None:
                self._catch_up(self._state)
            self._looked = time.monotonic()
            return self._state
        finally:
            self._lock.release()

    def _swap(self) -> None:
        name = self._store.current()
        if name is None or (self._state is not None and self._state.bundle == name):
            return
        path = self._store.path(name)
        manifest = self._store.manifest(name)
        self._state = _InService(
            name,
            open_bundle(path, engine=self._engine),
            int(manifest.metadata.get("change_seq", 0)),
        )

    def _catch_up(self, state: _InService) -> None:
        with self._database.session() as session:
            if change_seq(session) <= state.seen:
                return
            changed = _changed(session, state.seen, state.portion)
            if not changed:
                state.seen = change_seq(session)
                return
            numbers = [number for number, _ in changed]
            items = items_of(session, numbers)
        gone = set(numbers) - {item.id for item in items}
        state.engine.upsert(items)
        state.engine.delete(sorted(gone))
        state.seen = changed[-1][1]


def _changed(session: Any, seen: int, limit: int) -> list[tuple[int, int]]:
    statement = (
        select(Work.id, Work.change_seq)
        .where(Work.change_seq > seen)
        .order_by(Work.change_seq)
        .limit(limit)
    )
    return [(number, seq) for number, seq in session.execute(statement)]
