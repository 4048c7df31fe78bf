"""The map of a running site: that of the bundle in service, brought up to what the record says now."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from peerscope.discover.maps.keeping import ABOUT, MapError, MapStore
from peerscope.discover.maps.making import NOTHING_PUBLISHED, WORDS_ONLY
from peerscope.discover.maps.notes import read_note
from peerscope.discover.maps.view import OpenMap
from peerscope.discover.work_notes import FAILED, RUNNING
from peerscope.record import change_seq
from peerscope.record.models import Work
from peerscope.retrieval import BundleError, BundleStore
from peerscope.settings import Settings

log = logging.getLogger(__name__)

NOT_YET = (
    "The map of this collection is not made yet. It is made in the background after publishing."
)


class SiteMaps:
    """Maps of one site; safe to use from several threads.

    Args:
        settings: The site's.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._bundles = BundleStore(settings.bundles)
        self._store = MapStore(settings.maps)
        self._lock = threading.Lock()
        self._key: tuple[str, int] | None = None
        self._open: OpenMap | None = None
        self._unplaced: frozenset[int] = frozenset()
        self._seen = 0
        self._broken = ""

    def current(self, session: Session) -> OpenMap | None:
        """The map to show, without the works that were deleted since; ``None`` where there is none.

        Until the bundle in service has its own, that is the newest one there is. Two statements at most.
        """
        with self._lock:
            self._reopen()
            if self._open is not None:
                self._catch_up(session, self._open)
            return self._open

    def has(self, work_id: int) -> bool:
        """Whether a work has a place on the map, without asking the record."""
        with self._lock:
            self._reopen()
            return self._open is not None and self._open.place(work_id) is not None

    @property
    def available(self) -> bool:
        """Whether there is a map."""
        with self._lock:
            self._reopen()
            return self._open is not None

    def is_older(self, found: OpenMap) -> bool:
        """Whether a map shows an earlier bundle than the one in service."""
        return self._bundles.current() != found.about.bundle

    def why_none(self) -> str:
        """Why there is no map, for readers."""
        name = self._bundles.current()
        if name is None:
            return NOTHING_PUBLISHED
        try:
            if not self._bundles.manifest(name).towers:
                return WORDS_ONLY
        except BundleError as error:
            return str(error)
        if self._broken:
            return self._broken
        note = read_note(self._settings)
        if note is not None and note.bundle == name:
            if note.state == RUNNING:
                return f"The map is being made now: {note.far}. Search is not held up by it."
            if note.state == FAILED:
                return f"The map could not be made: {note.note}"
        return NOT_YET

    def _reopen(self) -> None:
        name = self._bundles.current()
        if name is None or not self._store.has(name):
            others = self._store.bundles() if name is not None else []
            name = others[-1] if others else None
        if name is None:
            self._key, self._open = None, None
            return
        key = (name, _changed(self._store.path(name) / ABOUT))
        if key == self._key:
            return
        self._key, self._broken, self._open = key, "", None
        try:
            about, works, tiles, regions = self._store.opened(name)
        except (MapError, OSError, ValueError) as error:
            self._broken = str(error)
            log.error("There is no map. %s", error)
            return
        self._open = OpenMap(about, works, tiles, regions)
        self._unplaced = self._store.unplaced(name)
        self._seen = about.change_seq

    def _catch_up(self, session: Session, found: OpenMap) -> None:
        now = change_seq(session)
        if now <= self._seen:
            return
        rows = session.execute(
            select(Work.id, Work.deleted_at.is_not(None)).where(Work.change_seq > self._seen)
        ).all()
        gone = [number for number, deleted in rows if deleted]
        there = [number for number, deleted in rows if not deleted]
        placed = set(found.ids(found.rows(there)))
        found.changed(gone, placed, set(there) - placed - self._unplaced)
        self._seen = now


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
