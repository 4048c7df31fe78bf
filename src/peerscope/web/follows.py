"""Following, and what is new in what one follows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from peerscope.community import CommunityError, NotThereError, follows
from peerscope.community.collections import look
from peerscope.community.since import FOUND, changes_after, since
from peerscope.community.times import now
from peerscope.discover.results import work_titles
from peerscope.record import change_seq
from peerscope.record.read import ChangedWork, cards, changed_among, moment_of
from peerscope.web.asked import asked, asked_at
from peerscope.web.forms import back_to
from peerscope.web.meeting import in_record, number_in, searching
from peerscope.web.site import KINDS, PLACES, site_of
from peerscope.web.visitor import Form, SignedInVisitor

router = APIRouter(include_in_schema=False)
PLACE = "/following"
NAMED = 8
"""Works that are named for each follow; the link beside them has all."""

LISTED = 100
"""Works that a page of changes lists."""


@router.get(PLACE, response_class=HTMLResponse)
def following(request: Request, who: SignedInVisitor) -> Response:
    """What the account follows, and what is new there since it last said that it looked."""
    site, at = site_of(request), now()
    with site.community.reading() as session, site.database.session() as record:
        seq = change_seq(record)
        found = since(session, record, who.id, searching(site))
        named = {
            number
            for one in found
            for group in (one.new, one.changed, one.removed)
            for number in group[:NAMED]
        }
        named |= {line.work_id for one in found for line in one.history if line.work_id}
        titles = work_titles(record, sorted(named))
    return site.page(
        request, "meeting/following.html",
        news=found, titles=titles, seq=seq, at=at.isoformat(), named=NAMED, asked_at=asked_at,
    )  # fmt: skip


@router.post(PLACE)
def follow(request: Request, sent: Form) -> Response:
    """Follow something from now on, or change whether others see it."""
    site = site_of(request)
    target = _target(sent.get("target"))
    with site.database.session() as record:
        if target[0] in "ATIS" and not in_record(site, record, target):
            raise NotThereError("There is nothing like this in the record to follow.")
        seq = change_seq(record)
    with site.community.writing() as session:
        if target[0] == "C":
            look(session, int(target[1:]), sent.who.id, sent.get("key"))
        follows.follow(session, sent.who.id, target, seq, visible=sent.get("visible") == "yes")
    return back_to(sent.get("back"), PLACE)


@router.post(PLACE + "/remove")
def unfollow(request: Request, sent: Form) -> Response:
    """Follow something no longer."""
    with site_of(request).community.writing() as session:
        follows.unfollow(session, sent.who.id, _target(sent.get("target")))
    return back_to(sent.get("back"), PLACE)


@router.post(PLACE + "/seen")
def seen(request: Request, sent: Form) -> Response:
    """Note that the account looked, at the page that the form stood on: what came after it stays new."""
    site = site_of(request)
    one = sent.get("follow")
    with site.database.session() as record:
        seq = min(_whole(sent.get("seq")), change_seq(record))
    with site.community.writing() as session:
        follows.mark_seen(
            session, sent.who.id, seq, _moment(sent.get("at")), number_in(one) if one else None
        )
    return back_to(sent.get("back"), PLACE)


@router.get("/changes/{name}", response_class=HTMLResponse)
def changes(request: Request, name: str) -> Response:
    """What changed among the works of something, or of a search, after a change of the record."""
    site, given = site_of(request), request.query_params
    after = _whole(given.get("since", "0"))
    with site.database.session() as record:
        moment = moment_of(record, after)
        if name == "search":
            wanted = asked(given)
            address = wanted.address()
            label, place = wanted.query or "a search by filters", address
            works = changed_among(record, list(searching(site)(address)), after)
        else:
            target = _target(name)
            if target[0] not in PLACES:
                raise HTTPException(404)
            named = follows.labels(record, [target])
            if target not in named or not in_record(site, record, target):
                raise HTTPException(404)
            label, place = named[target], f"/{PLACES[target[0]]}/{target}"
            works = changes_after(record, target[0], int(target[1:]), after)
        groups = _grouped(record, works, moment)
        return site.page(
            request, "meeting/changes.html",
            label=label, place=place, kind=KINDS.get(name[:1], "Search"), after=after,
            now=change_seq(record), moment=moment, groups=groups, found=FOUND,
        )  # fmt: skip


def _grouped(
    record: Session, works: list[ChangedWork], moment: datetime | None
) -> list[tuple[str, int, list[Any]]]:
    """What is new, changed and removed, each with its number and the first cards."""
    present = [one for one in works if not one.is_deleted]
    new = [one.id for one in present if moment is None or one.created_at > moment]
    changed = [one.id for one in present if one.id not in set(new)]
    shown = {card.id: card for card in cards(record, (new[:LISTED] + changed[:LISTED]))}
    removed = [one for one in works if one.is_deleted]
    return [
        ("New", len(new), [shown[number] for number in new[:LISTED] if number in shown]),
        (
            "Changed",
            len(changed),
            [shown[number] for number in changed[:LISTED] if number in shown],
        ),
        ("Removed from the record", len(removed), []),
    ]


def _target(given: str) -> str:
    """What a form or an address names, a search without what does not belong to it.

    Raises:
        CommunityError: It cannot be followed.
    """
    if given.startswith("/search?"):
        wanted = asked_at(given)
        if not wanted.query and not wanted.active():
            raise CommunityError("A search to follow has words or filters.")
        return follows.checked_target(wanted.address(personal=True))
    return follows.checked_target(given)


def _whole(given: str) -> int:
    """A change number.

    Raises:
        HTTPException: 400 where it is none.
    """
    if not given.isascii() or not given.isdecimal() or len(given) > 15:
        raise HTTPException(400, "The number of the change is not a whole number.")
    return int(given)


def _moment(given: str) -> datetime:
    try:
        found = datetime.fromisoformat(given)
    except ValueError as error:
        raise HTTPException(400, "The form does not say when its page was made.") from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
