"""Feeds of works in Atom (RFC 4287).

Ids are tag URIs (RFC 4151) of the site's host and the day its record began: they stay the same however a
page's address changes. A name in a feed may hold characters that XML cannot carry; those are left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lxml import etree

from peerscope.record.read.feeds import FeedWork

ATOM = "http://www.w3.org/2005/Atom"
MEDIA_TYPE = "application/atom+xml"
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a feed stands.

    Attributes:
        base: Public address of the site, without a slash at its end.
        host: Its host name, for ids.
        since: When the record began.
        site: Its name, the author of feeds without one.
    """

    base: str
    host: str
    since: datetime
    site: str

    def tag(self, what: str) -> str:
        """The id of something on this site, as ``works/W1``."""
        return f"tag:{self.host},{self.since.astimezone(UTC):%Y-%m-%d}:{what}"


@dataclass(frozen=True, slots=True)
class Feed:
    """What a feed is of.

    Attributes:
        title: Of the feed.
        name: Its part of the id, which does not change.
        page: Path of the page that it is the feed of.
        address: Path of the feed.
        works: Its entries, at most `feeds.ENTRIES`.
        changed_at: When something else than its works changed last, if it did.
    """

    title: str
    name: str
    page: str
    address: str
    works: Sequence[FeedWork]
    changed_at: datetime | None = None

    def updated(self, place: Place) -> datetime:
        """When it changed last; when the record began, where it is empty."""
        moments = [work.updated_at for work in self.works]
        return max([*moments, self.changed_at or place.since, place.since])


def write_feed(feed: Feed, place: Place) -> bytes:
    """A feed as Atom, UTF-8."""
    root = etree.Element(f"{{{ATOM}}}feed", nsmap={None: ATOM})
    _add(root, "id", place.tag(feed.name))
    _add(root, "title", feed.title)
    _add(root, "updated", _stamp(feed.updated(place)))
    _link(root, "self", f"{place.base}{feed.address}", MEDIA_TYPE)
    _link(root, "alternate", f"{place.base}{feed.page}", "text/html")
    _add(etree.SubElement(root, f"{{{ATOM}}}author"), "name", place.site)
    _add(root, "generator", "Peerscope")
    for work in feed.works:
        _entry(root, work, place)
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return written


def _entry(root: etree._Element, work: FeedWork, place: Place) -> None:
    entry = etree.SubElement(root, f"{{{ATOM}}}entry")
    _add(entry, "id", place.tag(f"works/W{work.id}"))
    _add(entry, "title", work.title or "Untitled")
    _add(entry, "updated", _stamp(work.updated_at))
    _add(entry, "published", _stamp(work.created_at))
    _link(entry, "alternate", f"{place.base}/works/W{work.id}", "text/html")
    for name in work.authors:
        _add(etree.SubElement(entry, f"{{{ATOM}}}author"), "name", name or "Unnamed")
    parts = [str(part) for part in (work.venue, work.year) if part]
    if work.authors_count > len(work.authors):
        parts.append(f"{work.authors_count:,} authors")
    about = ", ".join(parts)
    _add(entry, "summary", ". ".join(part for part in (about, work.summary) if part))


def _add(parent: etree._Element, name: str, text: str) -> None:
    etree.SubElement(parent, f"{{{ATOM}}}{name}").text = _NOT_XML.sub("", text)


def _link(parent: etree._Element, relation: str, address: str, kind: str) -> None:
    etree.SubElement(parent, f"{{{ATOM}}}link", rel=relation, href=address, type=kind)


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
