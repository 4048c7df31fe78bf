"""Models in service by name (DPSR section 5.2): each one bundle, swapped while it is being asked.

A `Servable` is one opened bundle with the changes laid over it. A `ServedModel` holds the one in service and
puts the next in its place; a query takes the one it finds and keeps it to its end, so that a swap costs no
query anything, and the old bundle is closed by whoever leaves it last.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from peerscope.retrieval.bundle import BundleError, BundleStore, open_bundle, read_manifest
from peerscope.retrieval.files.changes import Change, ChangeLog
from peerscope.retrieval.files.stored import StoredCatalogue
from peerscope.retrieval.results import ResultHit, Results
from peerscope.retrieval.schema import Filter, User

log = logging.getLogger(__name__)

PORTION = 500
"""Changes that are laid over a bundle at a time."""

ATTEMPTS = 5
"""Swaps that one query may run into."""

CHANGES = "changes"
"""Key of a manifest: number of the last change that the bundle holds."""


class NotServedError(LookupError):
    """There is no model of this name, or nothing of it is in service."""


class RetiredError(RuntimeError):
    """The bundle was taken out of service and closed."""


@dataclass(frozen=True, slots=True)
class AskedUser:
    """Who asks, in external ids.

    Attributes:
        id: A user that the bundle knows; what else is given here counts instead of what it knows.
        history: Items met before, newest first; unknown ones are passed over.
        profile: Profile fields.
    """

    id: str | None = None
    history: tuple[str, ...] | None = None
    profile: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """One query in the words of the files."""

    query: str
    k: int = 10
    offset: int = 0
    where: Filter = field(default_factory=Filter)
    facets: tuple[str, ...] = ()
    user: AskedUser | None = None


@dataclass(frozen=True, slots=True)
class FoundItem:
    """A hit with its external id, its title, and the item of the history that is nearest to it."""

    id: str
    title: str
    hit: ResultHit
    because: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What one bundle answers.

    Attributes:
        model: Name of the model.
        bundle: Name of the bundle.
        found: The hits.
        results: The rest of the engine's answer.
        user: Whether anything is known of who asked.
    """

    model: str
    bundle: str
    found: tuple[FoundItem, ...]
    results: Results
    user: bool


class Servable:
    """One opened bundle; many readers and one writer.

    Args:
        store: Where the bundle lies.
        bundle: Its name.
        engine: Which index implementation reads it.

    Raises:
        BundleError: It is broken, of another version, or was not made from files.
    """

    def __init__(self, store: BundleStore, bundle: str, engine: str = "auto") -> None:
        self.bundle = bundle
        folder = store.path(bundle)
        self.engine = open_bundle(folder, engine=engine)
        try:
            self._stored = StoredCatalogue(folder)
        except sqlite3.Error as error:
            self.engine.close()
            raise BundleError(
                f"Bundle {bundle} was not made by `peerscope retrieval index`: {error}."
            ) from error
        self.seen = int(read_manifest(folder).metadata.get(CHANGES, 0))
        self._new: dict[str, int] = {}
        self._named: dict[int, tuple[str, str]] = {}
        self._counting = threading.Lock()
        self._readers = 0
        self._retired = False

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Keep the bundle open for this block; the lock is held for the counting alone.

        Raises:
            RetiredError: It is closed, or about to be.
        """
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def _enter(self) -> None:
        with self._counting:
            if self._retired:
                raise RetiredError(self.bundle)
            self._readers += 1

    def _leave(self) -> None:
        with self._counting:
            self._readers -= 1
            last = self._retired and not self._readers
        if last:
            self._close()

    def retire(self) -> None:
        """Take no more readers; the last one that is there closes it."""
        with self._counting:
            self._retired = True
            last = not self._readers
        if last:
            self._close()

    def _close(self) -> None:
        self.engine.close()
        self._stored.close()

    def take_in(self, changes: Sequence[Change]) -> None:
        """Lay changes over the bundle; for one writer at a time."""
        numbers = self._stored.numbers([change.own for change in changes])
        items, gone = [], []
        for change in changes:
            number = numbers.get(change.own) or self._new.get(change.own)
            if change.item is None:
                gone += [] if number is None else [number]
                continue
            if number is None:
                number = self._stored.last + 1 + len(self._new)
                self._new[change.own] = number
            self._named[number] = (change.own, change.item.title)
            items.append(replace(change.item, id=number))
        self.engine.upsert(items)
        self.engine.delete(gone)
        if changes:
            self.seen = changes[-1].number

    def search(self, model: str, asked: Asked) -> Answer:
        """Answer one query."""
        user = self._user(asked.user) if asked.user is not None else None
        results = self.engine.search(
            asked.query,
            asked.k,
            where=asked.where,
            offset=asked.offset,
            facets=asked.facets,
            user=user,
        )
        wanted = [hit.id for hit in results.hits]
        wanted += [hit.because for hit in results.hits if hit.because is not None]
        named = self._stored.named(wanted)
        named |= {number: self._named[number] for number in wanted if number in self._named}
        found = [
            FoundItem(*named[hit.id], hit, named[hit.because][0] if hit.because else None)
            for hit in results.hits
        ]
        return Answer(model, self.bundle, tuple(found), results, user is not None)

    def _user(self, asked: AskedUser) -> User | None:
        known = self._stored.user(asked.id) if asked.id is not None else None
        if known is None and asked.history is None and asked.profile is None:
            return None
        history = known.history if known is not None else ()
        if asked.history is not None:
            numbers = self._stored.numbers(asked.history)
            met = (numbers.get(own) or self._new.get(own) for own in asked.history)
            history = tuple(number for number in met if number is not None)
        profile = known.profile if known is not None else {}
        return User(
            asked.id or "", asked.profile if asked.profile is not None else profile, history
        )

    def count(self) -> int:
        """How many items can be found."""
        return self.engine.count()


class ServedModel:
    """One model: the bundle in service, and the way from one to the next."""

    def __init__(self, name: str, store: BundleStore, changes: ChangeLog, engine: str) -> None:
        self.name, self.store = name, store
        self.refused: dict[str, str] = {}
        self._changes, self._engine = changes, engine
        self._servable: Servable | None = None
        self._swapping, self._writing = threading.Lock(), threading.Lock()

    @property
    def servable(self) -> Servable | None:
        """The bundle in service."""
        return self._servable

    def search(self, asked: Asked) -> Answer:
        """Answer from the bundle in service.

        Raises:
            NotServedError: There is none.
        """
        for _ in range(ATTEMPTS):
            servable = self._servable
            if servable is None:
                break
            try:
                with servable.reading():
                    return servable.search(self.name, asked)
            except RetiredError:
                continue
            except (OSError, sqlite3.Error):
                # Bundles were published faster than this process looked, and this one is removed.
                if self.store.current() == servable.bundle:
                    raise
                self.refresh()
        raise NotServedError(f"Nothing of the model {self.name!r} is in service: index it first.")

    def refresh(self) -> None:
        """Put the published bundle into service if it is another, and lay new changes over it."""
        with self._swapping:
            self._swap()
        self.catch_up()

    def catch_up(self) -> None:
        """Lay new changes over the bundle in service."""
        with self._writing:
            if self._servable is not None:
                self._catch_up(self._servable)

    def _catch_up(self, servable: Servable) -> None:
        while changes := self._changes.since(servable.seen, PORTION):
            servable.take_in(changes)

    def _swap(self) -> None:
        wanted = self.store.current()
        now = self._servable
        if wanted is None or (now is not None and now.bundle == wanted):
            return
        fresh = self._opened(wanted)
        if fresh is None and now is None:
            older = [name for name in reversed(self.store.list()) if name < wanted]
            fresh = next((found for name in older if (found := self._opened(name))), None)
        if fresh is None:
            return
        self._catch_up(fresh)
        with self._writing:
            self._catch_up(fresh)
            self._servable = fresh
        log.info("Model %s: bundle %s is in service.", self.name, fresh.bundle)
        if now is not None:
            now.retire()

    def _opened(self, bundle: str) -> Servable | None:
        if bundle in self.refused:
            return None
        try:
            return Servable(self.store, bundle, self._engine)
        except (BundleError, OSError, ValueError, sqlite3.Error, KeyError) as error:
            self.refused[bundle] = str(error)
            log.error("Model %s: bundle %s is refused: %s", self.name, bundle, error)
            return None

    def close(self) -> None:
        """Take the bundle out of service."""
        servable, self._servable = self._servable, None
        if servable is not None:
            servable.retire()
