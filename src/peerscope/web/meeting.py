"""What pages of the record show of the community, and what its routes share.

Counts are for everyone; buttons for whoever is signed in. Where the accounts cannot be read, the pages of the
record stay and leave this out.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

from fastapi import HTTPException, Request, Response
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from peerscope.community import NotThereError
from peerscope.community.collection_works import collections_with
from peerscope.community.follows import Following, following, labels
from peerscope.community.saves import saved_among
from peerscope.community.since import FOUND
from peerscope.community.standing import Standing, standing_of
from peerscope.discover.results import work_titles
from peerscope.record import parsed_of
from peerscope.record.export import EXPORTERS
from peerscope.record.models import Work
from peerscope.record.read import authors_among
from peerscope.web.asked import asked_at
from peerscope.web.site import Site, site_of
from peerscope.web.visitor import visitor

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WorkBlock:
    """What a work's page shows: how the work stands, and the asker's collections."""

    standing: Standing
    collections: list[tuple[int, str, bool]]


def of_work(request: Request, record: Session, number: int) -> WorkBlock | None:
    """The block of a work's page; one statement of the community, two for who is signed in."""
    who = visitor(request)
    account_id = who.id if who else None

    def read(session: Session) -> WorkBlock:
        standing = standing_of(
            session, number, lambda people: authors_among(record, number, people), account_id
        )
        own = collections_with(session, number, account_id) if account_id is not None else []
        return WorkBlock(standing, own)

    return _read(request, read)


def followed(request: Request, target: str) -> Following | None:
    """How a page's person, topic, institution, venue or search is followed; one statement."""
    who = visitor(request)
    return _read(request, lambda session: following(session, target, who.id if who else None))


def saved_here(request: Request, work_ids: Collection[int]) -> dict[int, str] | None:
    """Which works of a list the asker saved; ``None`` where nobody is signed in. One statement."""
    who = visitor(request)
    if who is None:
        return None
    return _read(request, lambda session: saved_among(session, who.id, work_ids))


def _read(request: Request, read: Callable[[Session], T]) -> T | None:
    try:
        with site_of(request).community.reading() as session:
            return read(session)
    except SQLAlchemyError:
        log.exception("The community cannot be read; the page is shown without it.")
        return None


def number_in(name: str, letter: str = "") -> int:
    """The number in a part of an address, as ``W12``, or ``12`` where no letter is asked for.

    Raises:
        HTTPException: 404 where it is none.
    """
    match = re.fullmatch(rf"{letter}([1-9]\d{{0,14}})", name, re.ASCII)
    if match is None:
        raise HTTPException(404)
    return int(match[1])


def work_in(request: Request, name: str) -> tuple[int, str]:
    """Number and title of the work that an address or a field names.

    Raises:
        HTTPException: 404 where there is none, 410 where it was removed.
    """
    number = number_in(name, "W")
    with site_of(request).database.session() as record:
        found = record.get(Work, number)
    if found is None:
        raise HTTPException(404)
    if found.deleted_at is not None:
        raise HTTPException(410)
    return number, found.title


def in_record(site: Site, record: Session, target: str) -> bool:
    """Whether the record shows the person, topic, institution or venue of a letter and a number."""
    if target[0] == "A" and site.is_hidden(int(target[1:])):
        return False
    return target in labels(record, [target])


def searching(site: Site) -> Callable[[str], Sequence[int]]:
    """Runs the search of an address, as everyone gets it: the first `FOUND` works that answer it."""

    def search(address: str) -> Sequence[int]:
        wanted = asked_at(address)
        sort = "newest" if not wanted.query else "relevance"
        found = site.discovery.search(wanted.query, wanted.filters, sort=sort, per_page=FOUND)
        # What has no reason merely fills a page: it shares no word and is not near in meaning.
        return [hit.work_id for hit in found.hits if hit.reasons or not wanted.query]

    return search


def titles(site: Site, work_ids: Sequence[int]) -> dict[int, str]:
    """Titles of works, for lists of what happened to them."""
    with site.database.session() as record:
        return work_titles(record, work_ids)


def exported_works(site: Site, work_ids: Sequence[int], suffix: str, name: str) -> Response:
    """Works as a file in one of the bibliographic forms.

    Args:
        site: The site.
        work_ids: In the order of the file.
        suffix: Of `EXPORTERS`, as ``.bib``.
        name: Of the file, without suffix.

    Raises:
        NotThereError: There is no such form.
    """
    for exporter in EXPORTERS.values():
        if exporter.suffix == suffix:
            with site.database.session() as record:
                content = "".join(exporter.write(parsed_of(record, work_ids)))
            response = Response(content, media_type=exporter.media_type)
            response.headers["Content-Disposition"] = f'attachment; filename="{name}{suffix}"'
            return response
    known = ", ".join(exporter.suffix for exporter in EXPORTERS.values())
    raise NotThereError(f"There is no such form of a list; there are {known}.")
