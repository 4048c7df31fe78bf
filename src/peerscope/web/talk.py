"""Invitations and conversations of an account. Who may do what is decided in the community's modules."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.orm import Session

from peerscope.community import CommunityError, NotThereError, TooOftenError, blocks
from peerscope.community import conversations as talks
from peerscope.community import invitations as inviting
from peerscope.community.contacts import NOBODY, Contact, behind_record, in_conversation
from peerscope.community.moderation import LONGEST_REPORT, REASONS, report
from peerscope.web.asked import number_in
from peerscope.web.forms import number_of
from peerscope.web.site import Site, site_of
from peerscope.web.visitor import Form, SignedInVisitor, Visitor

router = APIRouter(include_in_schema=False)

PLACE = "/talk"


def contact_of(site: Site, who: Visitor | None, person_id: int) -> Contact | None:
    """The account behind a record, for another member; no statement for anybody else."""
    if who is None:
        return None
    with site.community.reading() as session:
        return behind_record(session, who.account, person_id, site.community.consents)


@router.get(PLACE, response_class=HTMLResponse)
def overview(request: Request, who: SignedInVisitor) -> Response:
    """Conversations, invitations both ways, and whom one blocks."""
    site = site_of(request)
    with site.community.reading() as session:
        return site.page(
            request, "talk/index.html",
            talks=talks.talks_of(session, who.id),
            received=inviting.received(session, who.id),
            sent=inviting.sent(session, who.id),
            blocked=blocks.blocked_by(session, who.id),
            purposes=inviting.PURPOSES,
        )  # fmt: skip


@router.get(PLACE + "/invite", response_class=HTMLResponse)
def invite_page(request: Request, who: SignedInVisitor) -> Response:
    """The form to invite somebody: who claimed a record, or whom one talked with before."""
    site = site_of(request)
    given = request.query_params
    with site.community.reading() as session:
        contact = _asked(site, session, who, given.get("person", ""), given.get("talk", ""))
    return _invite_form(request, contact, given.get("person", ""), given.get("talk", ""))


@router.post(PLACE + "/invite")
def invite(request: Request, sent: Form) -> Response:
    """Send an invitation."""
    site, who = site_of(request), sent.who
    person, talk = sent.get("person"), sent.get("talk")
    site.community.rates.spend_of("invitation", who.id, who.account.joined_at)
    with site.community.reading() as session:
        contact = _asked(site, session, who, person, talk)
    try:
        with site.community.writing() as session:
            inviting.invite(
                session, who.id, contact.account_id, sent.get("purpose"), sent.get("text"),
                site.community.consents,
            )  # fmt: skip
    except (NotThereError, TooOftenError):
        raise
    except CommunityError as error:
        return _invite_form(request, contact, person, talk, error=str(error), given=sent.fields)
    return RedirectResponse(f"{PLACE}#sent", 303)


@router.post(PLACE + "/accept")
def accept(request: Request, sent: Form) -> Response:
    """Accept an invitation, and go to the conversation."""
    number = number_of(sent.fields, "invitation")
    with site_of(request).community.writing() as session:
        talk = inviting.accept(session, sent.who.id, number)
    return RedirectResponse(f"{PLACE}/T{talk}", 303)


@router.post(PLACE + "/decline")
def decline(request: Request, sent: Form) -> Response:
    """Decline an invitation; nobody is told."""
    number = number_of(sent.fields, "invitation")
    with site_of(request).community.writing() as session:
        inviting.decline(session, sent.who.id, number)
    return RedirectResponse(PLACE, 303)


@router.post(PLACE + "/withdraw")
def withdraw(request: Request, sent: Form) -> Response:
    """Take an invitation back."""
    number = number_of(sent.fields, "invitation")
    with site_of(request).community.writing() as session:
        inviting.withdraw(session, sent.who.id, number)
    return RedirectResponse(f"{PLACE}#sent", 303)


@router.post(PLACE + "/block")
def block(request: Request, sent: Form) -> Response:
    """Block who sent an invitation, or the other one of a conversation."""
    with site_of(request).community.writing() as session:
        if sent.get("invitation"):
            number = number_of(sent.fields, "invitation")
            other: int | None = inviting.arrived(session, sent.who.id, number)[0]
        else:
            other = talks.talk_of(session, sent.who.id, number_of(sent.fields, "talk", "T")).with_id
        if other is None:
            raise NotThereError("This account was deleted, so there is nothing to block.")
        blocks.block(session, sent.who.id, other)
    return RedirectResponse(f"{PLACE}#blocked", 303)


@router.post(PLACE + "/unblock")
def unblock(request: Request, sent: Form) -> Response:
    """Take a block back."""
    with site_of(request).community.writing() as session:
        blocks.unblock(session, sent.who.id, number_of(sent.fields, "account"))
    return RedirectResponse(f"{PLACE}#blocked", 303)


@router.get(PLACE + "/report", response_class=HTMLResponse)
def report_page(request: Request, who: SignedInVisitor) -> Response:
    """The form to report a message or an invitation."""
    site = site_of(request)
    with site.community.reading() as session:
        what, number, text = _reported(session, who, dict(request.query_params))
    return site.page(
        request, "talk/report.html",
        what=what, number=number, text=text, reasons=REASONS, longest=LONGEST_REPORT,
    )  # fmt: skip


@router.post(PLACE + "/report")
def send_report(request: Request, sent: Form) -> Response:
    """Report a message or an invitation to the moderators."""
    site, who = site_of(request), sent.who
    reason = sent.get("reason")
    if reason not in REASONS:
        raise HTTPException(400, "Say what is the matter with it.")
    site.community.rates.spend_of("report", who.id, who.account.joined_at)
    with site.community.writing() as session:
        what, number, _ = _reported(session, who, sent.fields)
        report(session, who.id, reason, f"{what}:{number}", sent.get("why"))
    return site.page(request, "talk/reported.html")


@router.get(PLACE + "/{name}", response_class=HTMLResponse)
def conversation(request: Request, who: SignedInVisitor, name: str) -> Response:
    """A conversation; what is shown counts as seen."""
    site, number = site_of(request), _number(name)
    before = number_in(request.query_params.get("before"), 1, 999_999_999)
    with site.community.reading() as session:
        open_ = talks.read(session, who.id, number, before)
    last = open_.said[-1].id if open_.said else 0
    if open_.talk.unread or who.account.unread:
        with site.community.writing() as session:
            talks.seen(session, who.id, number, last)
    return _conversation(request, open_)


@router.post(PLACE + "/{name}/write")
def write(request: Request, sent: Form, name: str) -> Response:
    """Write a message."""
    site, who, number = site_of(request), sent.who, _number(name)
    site.community.rates.spend_of("message", who.id, who.account.joined_at)
    try:
        with site.community.writing() as session:
            said = talks.write(session, who.id, number, sent.get("text"))
    except NotThereError:
        raise
    except CommunityError as error:
        with site.community.reading() as session:
            open_ = talks.read(session, who.id, number)
        return _conversation(request, open_, 400, error=str(error), text=sent.get("text"))
    return RedirectResponse(f"{PLACE}/T{number}#M{said}", 303)


@router.post(PLACE + "/{name}/delete")
def delete(request: Request, sent: Form, name: str) -> Response:
    """Take the words of a message of one's own back."""
    number = _number(name)
    with site_of(request).community.writing() as session:
        talks.talk_of(session, sent.who.id, number)
        talks.delete_message(session, sent.who.id, number_of(sent.fields, "message"))
    return RedirectResponse(f"{PLACE}/T{number}", 303)


@router.post(PLACE + "/{name}/mute")
def mute(request: Request, sent: Form, name: str) -> Response:
    """Be told of new messages no more, or again (``on=no``)."""
    number = _number(name)
    with site_of(request).community.writing() as session:
        talks.mute(session, sent.who.id, number, on=sent.get("on") != "no")
    return RedirectResponse(f"{PLACE}/T{number}", 303)


@router.post(PLACE + "/{name}/leave")
def leave(request: Request, sent: Form, name: str) -> Response:
    """Leave a conversation for good."""
    with site_of(request).community.writing() as session:
        talks.leave(session, sent.who.id, _number(name))
    return RedirectResponse(PLACE, 303)


def _conversation(
    request: Request, open_: talks.Open, status: int = 200, error: str = "", text: str = ""
) -> Response:
    return site_of(request).page(
        request, "talk/conversation.html", status,
        talk=open_.talk, said=open_.said, earlier=open_.earlier, error=error, text=text,
        longest=talks.LONGEST, purposes=inviting.PURPOSES,
    )  # fmt: skip


def _invite_form(
    request: Request,
    contact: Contact,
    person: str,
    talk: str,
    error: str = "",
    given: Mapping[str, str] | None = None,
) -> Response:
    return site_of(request).page(
        request, "talk/invite.html", 400 if error else 200,
        contact=contact, person=person, talk=talk, error=error, given=given or {},
        purposes=inviting.PURPOSES, longest=inviting.LONGEST, days=inviting.HOLDS.days,
        least=inviting.LEAST_LEVEL,
    )  # fmt: skip


def _asked(site: Site, session: Session, who: Visitor, person: str, talk: str) -> Contact:
    """Whom a form to invite is about."""
    consents = site.community.consents
    if talk:
        return in_conversation(session, who.account, _number(talk), consents)
    match = re.fullmatch(r"A(\d{1,15})", person, re.ASCII)
    found = behind_record(session, who.account, int(match[1]), consents) if match else None
    if found is None:
        raise NotThereError(NOBODY)
    return found


def _reported(session: Session, who: Visitor, given: Mapping[str, str]) -> tuple[str, int, str]:
    """What a report is about, that arrived at the account: kind, number and words."""
    if given.get("message"):
        number = number_of(given, "message")
        return "message", number, talks.message_to(session, who.id, number).text
    number = number_of(given, "invitation")
    return "invitation", number, inviting.arrived(session, who.id, number)[1]


def _number(name: str) -> int:
    match = re.fullmatch(r"T(\d{1,15})", name, re.ASCII)
    if match is None:
        raise HTTPException(404)
    return int(match[1])
