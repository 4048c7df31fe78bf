"""Pages and forms of collections."""

from __future__ import annotations

import re

import orjson
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from peerscope.community import (
    CommunityError,
    collection_members,
    collection_works,
    collections,
)
from peerscope.community.follows import following
from peerscope.discover.results import work_titles
from peerscope.record.read import cards
from peerscope.record.read.shapes import PER_PAGE, PageOf
from peerscope.web.asked import page_in
from peerscope.web.forms import back_to
from peerscope.web.meeting import exported_works, number_in, titles, work_in
from peerscope.web.site import Site, site_of
from peerscope.web.visitor import Acting, Form, SignedInVisitor, visitor

router = APIRouter(include_in_schema=False)
PLACE = "/collections"


@router.get(PLACE, response_class=HTMLResponse)
def listed(request: Request) -> Response:
    """Public collections; of whoever is signed in, their own and invitations."""
    site, who = site_of(request), visitor(request)
    with site.community.reading() as session:
        found = collections.public(session, page_in(request.query_params))
        own = collections.mine(session, who.id) if who else []
        waiting = collection_members.invitations(session, who.id) if who else []
    return site.page(
        request, "meeting/collections.html",
        found=found, own=own, waiting=waiting, visibilities=collections.VISIBILITIES,
        longest=collections.LONGEST_TITLE,
    )  # fmt: skip


@router.post(PLACE)
def make(request: Request, sent: Form) -> Response:
    """Make a collection, with a work in it where the form names one."""
    site = site_of(request)
    work = work_in(request, sent.get("work"))[0] if sent.get("work") else None
    site.community.rates.spend("collection", sent.who.id)
    with site.community.writing() as session:
        number = collections.make(
            session, sent.who.id, sent.get("title"), sent.get("description"),
            sent.get("visibility", "private"),
        )  # fmt: skip
        if work is not None:
            collection_works.add(session, sent.who.id, number, work)
    return back_to(sent.get("back"), f"{PLACE}/C{number}")


@router.post(PLACE + "/add")
def add(request: Request, sent: Form) -> Response:
    """Put a work into a collection that the form names."""
    work, _ = work_in(request, sent.get("work"))
    number = number_in(sent.get("collection"), "C")
    with site_of(request).community.writing() as session:
        collection_works.add(session, sent.who.id, number, work)
    return back_to(sent.get("back"), f"{PLACE}/C{number}")


@router.get(PLACE + "/{name}", response_class=HTMLResponse)
def shown(request: Request, name: str) -> Response:
    """A collection, or its works in some form."""
    if match := re.fullmatch(r"C(\d{1,15})(\.[a-z.]+)", name, re.ASCII):
        return _export(request, int(match[1]), match[2])
    site, seen = site_of(request), _seen(request, number_in(name, "C"))
    who, tag = visitor(request), request.query_params.get("tag", "")
    page = page_in(request.query_params)
    with site.community.reading() as session:
        held = collection_works.works_of(session, seen.id)
        followed = following(session, f"C{seen.id}", who.id if who else None)
    rows = [one for one in held if not tag or tag in one.tags]
    here = rows[(page - 1) * PER_PAGE : page * PER_PAGE]
    with site.database.session() as record:
        known = {card.id: card for card in cards(record, [one.work_id for one in here])}
    return site.page(
        request, "meeting/collection.html",
        seen=seen, held=here, cards=known, tag=tag, followed=followed,
        tags=sorted({tag for one in held for tag in one.tags}),
        page=PageOf(tuple(here), len(rows), page), total=len(held),
    )  # fmt: skip


@router.get(PLACE + "/{name}/history", response_class=HTMLResponse)
def history(request: Request, name: str) -> Response:
    """What was done to a collection, after a line of its history."""
    site, seen = site_of(request), _seen(request, number_in(name, "C"))
    after = request.query_params.get("since", "0")
    if not re.fullmatch(r"\d{1,15}", after, re.ASCII):
        raise HTTPException(400, "The number of a change is a whole number.")
    with site.community.reading() as session:
        lines = collection_works.changes(session, seen.id, int(after))
    named = titles(site, [line.work_id for line in lines if line.work_id is not None])
    return site.page(
        request, "meeting/collection_history.html",
        seen=seen, lines=lines, titles=named, after=int(after), most=collection_works.HISTORY,
    )  # fmt: skip


@router.get(PLACE + "/{name}/manage", response_class=HTMLResponse)
def manage(request: Request, who: SignedInVisitor, name: str) -> Response:
    """What the owner changes: title, visibility, members."""
    site, number = site_of(request), number_in(name, "C")
    with site.community.reading() as session:
        seen = collections.for_managing(session, number, who.id)
        members = collection_members.members_of(session, number)
    return site.page(
        request, "meeting/collection_manage.html",
        seen=seen, members=members, visibilities=collections.VISIBILITIES,
        roles=collection_members.ROLES, longest=collections.LONGEST_TITLE,
    )  # fmt: skip


@router.post(PLACE + "/{name}/manage")
def describe(request: Request, sent: Form, name: str) -> Response:
    """Give a collection another title, description and visibility."""
    number = number_in(name, "C")
    with site_of(request).community.writing() as session:
        collections.describe(
            session, sent.who.id, number, sent.get("title"), sent.get("description"),
            sent.get("visibility"),
        )  # fmt: skip
    return RedirectResponse(f"{PLACE}/C{number}", 303)


@router.post(PLACE + "/{name}/erase")
def erase(request: Request, sent: Form, name: str) -> Response:
    """Remove a collection; the form says so in words."""
    number = number_in(name, "C")
    if sent.get("sure") != "yes":
        raise CommunityError("Tick the box that says that you are sure; nothing was removed.")
    with site_of(request).community.writing() as session:
        collections.erase(session, sent.who.id, number, moderates=sent.who.account.is_moderator)
    return RedirectResponse(PLACE, 303)


@router.post(PLACE + "/{name}/fork")
def fork(request: Request, sent: Form, name: str) -> Response:
    """Make a collection of one's own with the works of another."""
    site = site_of(request)
    site.community.rates.spend("collection", sent.who.id)
    with site.community.writing() as session:
        number = collection_works.fork(
            session, sent.who.id, number_in(name, "C"), sent.get("title"), sent.get("key")
        )
    return RedirectResponse(f"{PLACE}/C{number}", 303)


@router.post(PLACE + "/{name}/remove")
def remove(request: Request, sent: Form, name: str) -> Response:
    """Take a work out."""
    number, work = number_in(name, "C"), number_in(sent.get("work"), "W")
    with site_of(request).community.writing() as session:
        collection_works.remove(session, sent.who.id, number, work)
    return _back(sent, number)


@router.post(PLACE + "/{name}/move")
def move(request: Request, sent: Form, name: str) -> Response:
    """Put a work at another place, counted from 1 as on the page."""
    number, work = number_in(name, "C"), number_in(sent.get("work"), "W")
    place = sent.get("place").strip()
    if not re.fullmatch(r"\d{1,6}", place, re.ASCII):
        raise CommunityError("The place is a whole number, from 1.")
    with site_of(request).community.writing() as session:
        collection_works.move(session, sent.who.id, number, work, int(place) - 1)
    return _back(sent, number, f"#W{work}")


@router.post(PLACE + "/{name}/note")
def note(request: Request, sent: Form, name: str) -> Response:
    """Set the account's note on a work, and the work's tags."""
    number, work = number_in(name, "C"), number_in(sent.get("work"), "W")
    with site_of(request).community.writing() as session:
        collection_works.say(session, sent.who.id, number, work, sent.get("note"), sent.get("tags"))
    return _back(sent, number, f"#W{work}")


@router.post(PLACE + "/{name}/invite")
def invite(request: Request, sent: Form, name: str) -> Response:
    """Invite an account, named by its number or by the person that it claimed."""
    site, number = site_of(request), number_in(name, "C")
    site.community.rates.spend("collection.invite", sent.who.id)
    with site.community.writing() as session:
        guest = collection_members.guest_of(session, sent.get("who"))
        collection_members.invite(session, sent.who.id, number, guest, sent.get("role"))
    return RedirectResponse(f"{PLACE}/C{number}/manage#members", 303)


@router.post(PLACE + "/{name}/dismiss")
def dismiss(request: Request, sent: Form, name: str) -> Response:
    """Take an invitation back, or somebody's part."""
    number, guest = number_in(name, "C"), number_in(sent.get("who"), "U")
    with site_of(request).community.writing() as session:
        collection_members.dismiss(session, sent.who.id, number, guest)
    return RedirectResponse(f"{PLACE}/C{number}/manage#members", 303)


@router.post(PLACE + "/{name}/answer")
def answer(request: Request, sent: Form, name: str) -> Response:
    """Accept or decline an invitation."""
    number, accept = number_in(name, "C"), sent.get("answer") == "accept"
    with site_of(request).community.writing() as session:
        collection_members.answer(session, sent.who.id, number, accept=accept)
    return RedirectResponse(f"{PLACE}/C{number}" if accept else PLACE, 303)


@router.post(PLACE + "/{name}/leave")
def leave(request: Request, sent: Form, name: str) -> Response:
    """Take part no longer."""
    with site_of(request).community.writing() as session:
        collection_members.leave(session, sent.who.id, number_in(name, "C"))
    return RedirectResponse(PLACE, 303)


def _seen(request: Request, number: int) -> collections.Seen:
    who = visitor(request)
    with site_of(request).community.reading() as session:
        key = request.query_params.get("key", "")
        return collections.look(session, number, who.id if who else None, key)


def _export(request: Request, number: int, suffix: str) -> Response:
    site, seen = site_of(request), _seen(request, number)
    with site.community.reading() as session:
        held = collection_works.works_of(session, seen.id)
    if suffix == ".json":
        return _as_json(site, seen, held)
    return exported_works(site, [one.work_id for one in held], suffix, f"C{seen.id}")


def _as_json(site: Site, seen: collections.Seen, held: list[collection_works.Held]) -> Response:
    """A collection with what its editors wrote, for programs."""
    with site.database.session() as record:
        named = work_titles(record, [one.work_id for one in held])
    content = {
        "id": f"C{seen.id}",
        "title": seen.title,
        "description": seen.description,
        "owner": seen.owner,
        "visibility": seen.visibility,
        "forked_from": f"C{seen.forked_from_id}" if seen.forked_from_id else None,
        "changed_at": seen.changed_at.isoformat(timespec="seconds"),
        "works": [
            {
                "work": f"W{one.work_id}",
                "title": named.get(one.work_id),
                "tags": list(one.tags),
                "notes": [{"by": note.name, "note": note.text} for note in one.notes],
            }
            for one in held
        ],
    }
    response = Response(
        orjson.dumps(content, option=orjson.OPT_INDENT_2), media_type="application/json"
    )
    response.headers["Content-Disposition"] = f'attachment; filename="C{seen.id}.json"'
    return response


def _back(sent: Acting, number: int, mark: str = "") -> Response:
    back = sent.get("back")
    place = f"{PLACE}/C{number}"
    return back_to(
        f"{back}{mark}" if back.startswith(place) and "#" not in back else "", place + mark
    )
