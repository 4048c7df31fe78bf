"""Atom feeds: of a person, a topic, an institution, a venue, a search, and of what an account follows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session
from starlette.datastructures import QueryParams

from peerscope.community.collection_works import works_in
from peerscope.community.collections import look
from peerscope.community.hearing import Search, followed_works
from peerscope.community.private_feed import account_of_feed
from peerscope.discover import Discovery
from peerscope.record.export.atom import MEDIA_TYPE, Feed, Place, write_feed
from peerscope.record.models import Institution, Person, Topic, Venue, Work
from peerscope.record.read.entities import condition
from peerscope.record.read.feeds import ENTRIES, began_at, feed_works, identity_changed_at
from peerscope.web.asked import Asked, asked
from peerscope.web.reader import LONGEST_SECRET
from peerscope.web.site import PLACES, Site, base_of, site_of

router = APIRouter(include_in_schema=False)

TABLES: dict[str, Any] = {"A": Person, "T": Topic, "I": Institution, "S": Venue}
LETTERS = {place: letter for letter, place in PLACES.items() if letter in TABLES}
SUFFIX = "/feed.atom"
Made = Callable[[Session], Feed]


@router.get("/search/feed.atom")
def search_feed(request: Request) -> Response:
    """What a search finds, the same for everyone, the latest in the record first."""
    wanted = asked(request.query_params)
    works = searching(site_of(request).discovery)(wanted.feed())
    return _answer(request, lambda session: _of_search(session, wanted, works), shared=True)


@router.get("/collections/{name}/feed.atom")
def collection_feed(request: Request, name: str) -> Response:
    """The works of a collection, as far as its address opens it to somebody without an account."""
    match = re.fullmatch(r"C(\d{1,15})", name, re.ASCII)
    if match is None:
        raise HTTPException(404)
    number = int(match[1])
    with site_of(request).community.reading() as session:
        seen = look(session, number, None, request.query_params.get("key", ""))
        held = works_in(session, [number]).get(number, set())

    def made(session: Session) -> Feed:
        page, _, key = seen.address.partition("?")
        tail = f"?{key}" if key else ""
        return Feed(
            seen.title, page[1:], seen.address, f"{page}{SUFFIX}{tail}",
            feed_works(session, Work.id.in_(sorted(held))), seen.changed_at,
        )  # fmt: skip

    return _answer(request, made, shared=seen.visibility == "public")


@router.get("/{place}/{name}/feed.atom")
def entity_feed(request: Request, place: str, name: str) -> Response:
    """The works of a person, topic, institution or venue."""
    letter = LETTERS.get(place, "")
    match = re.fullmatch(rf"{letter}(\d{{1,15}})", name, re.ASCII) if letter else None
    if match is None:
        raise HTTPException(404)
    number = int(match[1])
    with site_of(request).database.session() as session:
        row = session.get(TABLES[letter], number)
        if row is None:
            raise HTTPException(404)
        merged = getattr(row, "merged_into_id", None)
    if merged is not None:
        return RedirectResponse(f"/people/A{merged}{SUFFIX}", 302)
    return _answer(request, lambda session: _of_entity(session, letter, row), shared=True)


@router.get("/feeds/{secret}")
def private_feed(request: Request, secret: str) -> Response:
    """What an account follows, for whoever has the secret address."""
    site = site_of(request)
    if len(secret) > LONGEST_SECRET:
        raise HTTPException(404)
    with site.community.reading() as session:
        account_id = account_of_feed(session, secret)
        works = followed_works(session, account_id, searching(site.discovery))
    return _answer(request, lambda session: _of_follows(session, works, secret), shared=False)


def searching(discovery: Discovery) -> Search:
    """Runs the search of an address, as everyone gets it."""

    def search(address: str) -> Sequence[int]:
        wanted = asked(QueryParams(address.partition("?")[2]))
        found = discovery.search(wanted.query, wanted.filters, sort=wanted.sort, per_page=ENTRIES)
        return [hit.work_id for hit in found.hits]

    return search


def _of_search(session: Session, wanted: Asked, works: Sequence[int]) -> Feed:
    page, address = wanted.address(personal=True), wanted.feed()
    name = f"search:{sha256(address.encode()).hexdigest()[:32]}"
    title = f"Search: {wanted.query[:120]}" if wanted.query else "Works"
    return Feed(title, name, page, address, feed_works(session, Work.id.in_(list(works))))


def _of_entity(session: Session, letter: str, row: Any) -> Feed:
    page = f"/{PLACES[letter]}/{letter}{row.id}"
    # Who is who is decided without a change of any work.
    changed = identity_changed_at(session) if letter == "A" else None
    return Feed(
        row.display_name, page[1:], page, page + SUFFIX,
        feed_works(session, condition(letter, row.id)), changed,
    )  # fmt: skip


def _of_follows(session: Session, works: ColumnElement[bool], secret: str) -> Feed:
    address = f"/feeds/{quote(secret, safe='')}"
    name = f"follows:{sha256(secret.encode()).hexdigest()[:32]}"
    return Feed("What you follow", name, "/", address, feed_works(session, works))


def _answer(request: Request, make: Made, *, shared: bool) -> Response:
    """A feed, or that it did not change since the asker had it (RFC 9110, 13.1)."""
    site = site_of(request)
    with site.database.session() as session:
        feed, place = make(session), _place(request, site, session)
    written, updated = write_feed(feed, place), feed.updated(place)
    etag = f'"{sha256(written).hexdigest()[:32]}"'
    headers = {
        "ETag": etag,
        "Last-Modified": format_datetime(updated.replace(microsecond=0), usegmt=True),
        "Cache-Control": "public, max-age=300" if shared else "private, no-store",
        "X-Robots-Tag": "noindex",
    }
    if _unchanged(request, etag, updated):
        return Response(status_code=304, headers=headers)
    return Response(written, media_type=MEDIA_TYPE, headers=headers)


def _unchanged(request: Request, etag: str, updated: datetime) -> bool:
    given = request.headers.get("if-none-match")
    if given is not None:
        tags = [one.strip().removeprefix("W/") for one in given.split(",")]
        return "*" in tags or etag in tags
    since = request.headers.get("if-modified-since")
    if since is None:
        return False
    try:
        return updated.replace(microsecond=0) <= parsedate_to_datetime(since)
    except (TypeError, ValueError):
        return False


def _place(request: Request, site: Site, session: Session) -> Place:
    base = base_of(request)
    return Place(
        base, urlsplit(base).hostname or "localhost", began_at(session), site.settings.site_name
    )
