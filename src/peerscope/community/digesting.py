"""Digests by the clock, in a thread of the served site."""

from __future__ import annotations

import logging
import threading

from peerscope.community.digests import FollowNews, run
from peerscope.community.service import Community
from peerscope.record import Database

log = logging.getLogger(__name__)


class Digesting:
    """Looks every so many hours who is to get a mail, and sends it.

    It keeps no time of its own: who is due stands in the database, so that starting again, a second server
    or the command ``peerscope digest`` beside it send nothing twice.

    Args:
        community: Of the site.
        record: Of the site.
        follow_news: What is new in what an account follows.
        hours: Between two looks.
    """

    def __init__(
        self, community: Community, record: Database, follow_news: FollowNews, hours: float
    ) -> None:
        self._community, self._record, self._news = community, record, follow_news
        self._seconds = hours * 3600.0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="digests", daemon=True)

    def start(self) -> None:
        """Begin to look, at once for the first time."""
        self._thread.start()

    def stop(self) -> None:
        """End after the mail that is being sent."""
        self._ending.set()
        self._thread.join(timeout=30)

    def once(self) -> int:
        """Send what is due; how many mails went out."""
        sent = 0
        for one in run(self._community, self._record, self._news):
            sent += one.outcome == "sent"
            if self._ending.is_set():
                break
        return sent

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self.once()
            except Exception:
                log.exception("Mails of what is new could not be sent; they are tried again.")
            self._ending.wait(self._seconds)
