"""The map of a served site, made in a process of its own whenever a bundle is in service without one.

That covers every way a bundle comes into service: `up`, the schedule, another process, a rollback. The
process runs at low priority and never holds up a query; stopped with the server, it goes on the next time.
"""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from peerscope.discover.child import outcome, started
from peerscope.discover.improving import WAITING, read_improvement
from peerscope.discover.maps.making import wanting
from peerscope.discover.work_notes import RUNNING
from peerscope.retrieval import BundleError
from peerscope.settings import Settings

log = logging.getLogger(__name__)

LOOKED_EVERY = 5.0
"""Seconds between two looks at which bundle is in service."""

TRIED_AGAIN = 3600.0
"""Seconds after which a map that could not be made is tried again."""

AT_ONCE = 5_000
"""Works up to which a command that publishes also makes the map; more of them take minutes."""


@contextmanager
def mapping(settings: Settings) -> Iterator[None]:
    """While the block runs, each bundle that comes into service gets its map."""
    ended = threading.Event()
    thread = threading.Thread(target=_tend, args=(settings, ended), name="mapping", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=30)


def _tend(settings: Settings, ended: threading.Event) -> None:
    tried, at = "", 0.0
    while not ended.is_set():
        bundle = _unmapped(settings)
        late = time.monotonic() - at >= TRIED_AGAIN
        if bundle is not None and (bundle != tried or late) and not _encoding(settings):
            tried, at = bundle, time.monotonic()
            _run(settings, ended)
        ended.wait(LOOKED_EVERY)


def _unmapped(settings: Settings) -> str | None:
    try:
        return wanting(settings)
    except (BundleError, OSError):
        return None


def _encoding(settings: Settings) -> bool:
    """Whether another bundle is on its way: a map of this one would be thrown away."""
    found = read_improvement(settings)
    return found is not None and found.state in (WAITING, RUNNING)


def _run(settings: Settings, ended: threading.Event) -> None:
    code, said = outcome(started(settings, "map", subprocess.PIPE), ended)
    if code and not ended.is_set():
        log.error("The map was not made: %s", said)
