"""Whose taste a page is made for: what the account, the reader and the browser's shelf say, as one.

Always in this order, so that the same parts give the same page.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from fastapi import Request

from peerscope.community.reading import FOLLOWS, SAVES, taste_of_account
from peerscope.discover.shelf import MOST_ENTRIES, Shelf
from peerscope.discover.taste import Taste, merged
from peerscope.discover.wishes import taste_of
from peerscope.web.reader import Present, present
from peerscope.web.shelf import shelf_of
from peerscope.web.site import site_of
from peerscope.web.visitor import visitor


@dataclass(frozen=True, slots=True)
class AsOf:
    """Up to where each part counted when a list was begun, so that its later pages go on with the same list.

    Attributes:
        entry: Highest entry of the reader's history.
        shelf: Entries of the shelf.
        second: Time of the account's saves and follows, in seconds since 1970.
    """

    entry: int
    shelf: int
    second: int

    def written(self) -> str:
        """As it stands in an address."""
        return f"{self.entry}-{self.shelf}-{self.second}"

    @classmethod
    def read(cls, given: str) -> AsOf | None:
        """From an address; ``None`` where it cannot be read."""
        match = re.fullmatch(r"(\d{1,15})-(\d{1,4})-(\d{1,12})", given, re.ASCII)
        return cls(*map(int, match.groups())) if match else None


@dataclass(frozen=True, slots=True)
class Here:
    """Who is here with what: a reader, a shelf, both or none, and the taste that they make."""

    who: Present | None
    shelf: Shelf | None
    taste: Taste
    as_of: AsOf


def taste_here(request: Request, as_of: AsOf | None = None) -> Here:
    """The taste of whoever asks, as it was at ``as_of``, or is now.

    A reader whose history is off has none but what they want less of. At most three statements of the
    readers' file and three of the community's.
    """
    site = site_of(request)
    who, shelf = present(request), shelf_of(request)
    keeps = who is not None and who.reader.keeping
    now = as_of or AsOf(2**40, MOST_ENTRIES, int(time.time()) + 1)
    parts, entry = [_of_account(request, now.second)], 0
    if who is not None:
        own, entry = taste_of(site.readers, who.reader.id, now.entry)
        parts.append(own if keeps else Taste(less=own.less))
    if shelf is not None:
        parts.append(shelf.taste(now.shelf))
    held = len(shelf.entries) if shelf else 0
    return Here(who, shelf, merged(parts), as_of or AsOf(entry, held, now.second))


def taste_for_search(request: Request, who: Present | None) -> Taste:
    """The taste that takes part in an order of results; works in order of when they were met last."""
    parts = [_of_account(request, 2**40)]
    if who is not None:
        met = site_of(request).readers.history(who.reader.id)
        saved = frozenset(work for work, kind in met.items() if kind == "saved")
        parts.append(Taste(tuple(met), saved))
    if (shelf := shelf_of(request)) is not None:
        parts.append(shelf.taste())
    return merged(parts)


def _of_account(request: Request, second: int) -> Taste:
    me = visitor(request)
    if me is None:
        return Taste()
    with site_of(request).community.reading() as session:
        return taste_of_account(session, me.id, SAVES, FOLLOWS, second)
