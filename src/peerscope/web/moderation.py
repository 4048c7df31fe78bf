"""The pages of moderators and admins: reports, accounts, the audit log."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse

from peerscope.community import CommunityError, NotAllowedError, NotThereError, audit, members
from peerscope.community import moderation as rules
from peerscope.community.accounts import ROLES, names_of, set_role
from peerscope.community.targets import KINDS, can_hide, can_remove
from peerscope.record.read.shapes import PageOf
from peerscope.web.asked import number_in, page_in
from peerscope.web.forms import number_of
from peerscope.web.site import Site, site_of
from peerscope.web.visitor import Acting, Admin, Form, Moderator, Visitor, recently

router = APIRouter(include_in_schema=False)

PLACE = "/moderation"
LINES = 50
LONGEST_FILTER = 200


@router.get(PLACE, response_class=HTMLResponse)
def queue(request: Request, who: Moderator) -> Response:
    """Reports, the oldest open ones first."""
    site, given = site_of(request), request.query_params
    state = given.get("state") if given.get("state") in (*rules.STATES, "all") else "open"
    kind, page = given.get("kind", ""), page_in(given)
    kind = kind if kind in KINDS else ""
    with site.community.reading() as session:
        found, total = rules.queue(session, state=state or "open", kind=kind, page=page)
        names = names_of(session, {one.by for one in found if one.by is not None})
        return site.page(
            request, "moderation/queue.html",
            page=PageOf(tuple(found), total, page, rules.PER_PAGE),
            names=names, state=state, kind=kind, kinds_known=KINDS, reasons=rules.REASONS,
        )  # fmt: skip


@router.get(PLACE + "/reports/{number}", response_class=HTMLResponse)
def report(request: Request, who: Moderator, number: str) -> Response:
    """A report with what it is about; that somebody looks at private words is written down."""
    if not re.fullmatch(r"\d{1,15}", number, re.ASCII):
        raise HTTPException(404)
    return _report(request, who, int(number))


@router.post(PLACE + "/decide")
def decide(request: Request, sent: Form) -> Response:
    """Decide a report."""
    judge, number = _judge(sent), number_of(sent.fields, "report")
    try:
        with site_of(request).community.writing() as session:
            rules.decide(
                session, judge, number, sent.get("state"), sent.get("decision"),
                sent.get("action", "none"),
            )  # fmt: skip
    except (NotThereError, NotAllowedError):
        raise
    except CommunityError as error:
        return _report(request, sent.who, number, error=str(error), given=dict(sent.fields))
    return RedirectResponse(PLACE, 303)


@router.post(PLACE + "/hide")
def hide(request: Request, sent: Form) -> Response:
    """Hide what a report is about, or show it again (``hidden=no``), whatever was decided before."""
    judge, number = _judge(sent), number_of(sent.fields, "report")
    with site_of(request).community.writing() as session:
        target = rules.find_report(session, number).target
        rules.hide(
            session, judge, target, sent.get("reason"),
            hidden=sent.get("hidden") != "no", report_id=number,
        )  # fmt: skip
    return RedirectResponse(f"{PLACE}/reports/{number}", 303)


@router.get(PLACE + "/accounts", response_class=HTMLResponse)
def accounts(request: Request, who: Admin) -> Response:
    """Accounts, to give roles, suspend and restore."""
    return _accounts(request)


@router.post(PLACE + "/role")
def role(request: Request, sent: Form) -> Response:
    """Make an account a member, moderator or admin."""
    _admin(sent)
    number = number_of(sent.fields, "account")
    recently(sent.who, f"{PLACE}/accounts?q={number}")
    with site_of(request).community.writing() as session:
        set_role(session, number, sent.get("role"), audit.actor_of(sent.who.id))
    return RedirectResponse(f"{PLACE}/accounts?q={number}", 303)


@router.post(PLACE + "/suspend")
def suspend(request: Request, sent: Form) -> Response:
    """Keep an account out."""
    judge, number = _admin(sent), number_of(sent.fields, "account")
    with site_of(request).community.writing() as session:
        rules.suspend(session, judge, number, sent.get("reason"))
    return RedirectResponse(f"{PLACE}/accounts?q={number}", 303)


@router.post(PLACE + "/restore")
def restore(request: Request, sent: Form) -> Response:
    """Let an account in again."""
    judge, number = _admin(sent), number_of(sent.fields, "account")
    with site_of(request).community.writing() as session:
        rules.restore(session, judge, number, sent.get("reason"))
    return RedirectResponse(f"{PLACE}/accounts?q={number}", 303)


@router.get(PLACE + "/audit", response_class=HTMLResponse)
def audit_log(request: Request, who: Admin) -> Response:
    """The audit log, and on demand whether its chain holds."""
    site, given = site_of(request), request.query_params
    asked = {name: given.get(name, "")[:LONGEST_FILTER] for name in ("actor", "action", "target")}
    asked = {name: value.replace("\x00", "") for name, value in asked.items()}
    before = number_in(given.get("before"), 1, 999_999_999)
    with site.community.reading() as session:
        found = audit.lines(session, **asked, before=before, most=LINES + 1)
        number, digest = audit.head(session)
        check = given.get("check") == "yes"
        broken = audit.broken_at(session) if check else None
        return site.page(
            request, "moderation/audit.html",
            lines=found[:LINES], more=len(found) > LINES, asked=asked,
            number=number, digest=digest, checked=check, broken=broken,
        )  # fmt: skip


@router.get(PLACE + "/audit.jsonl")
def audit_export(request: Request, who: Admin) -> Response:
    """The whole audit log, a JSON object a line, from which anybody can compute its chain anew."""
    response = StreamingResponse(_exported(site_of(request)), media_type="application/jsonl")
    response.headers["Content-Disposition"] = 'attachment; filename="audit.jsonl"'
    return response


def _exported(site: Site) -> Iterator[str]:
    with site.community.reading() as session:
        for line in audit.every_line(session):
            yield json.dumps(line.as_dict()) + "\n"


def _report(
    request: Request,
    who: Visitor,
    number: int,
    error: str = "",
    given: dict[str, str] | None = None,
) -> Response:
    site = site_of(request)
    with site.community.writing() as session:
        asked = rules.find_report(session, number)
        why, seen = "", None
        try:
            seen = rules.look(session, _judge_of(who), asked)
        except NotAllowedError as refused:
            why = str(refused)
        passages = seen.passages if seen is not None else ()
        taken = rules.measures_of(session, [asked.target])
        people = {one.author_id for one in passages} | {one.by for one in taken}
        people |= {asked.by, asked.decided_by, seen.owner_id if seen else None}
        names = names_of(session, {one for one in people if one is not None})
        return site.page(
            request, "moderation/report.html", 400 if error else 200,
            asked=asked, seen=seen, why=why, names=names, taken=taken, error=error,
            given=given or {}, actions=rules.ACTIONS, reasons=rules.REASONS,
            can_hide=can_hide(asked.target), can_remove=can_remove(asked.target),
            longest=rules.LONGEST_REASON,
        )  # fmt: skip


def _accounts(request: Request) -> Response:
    site, given = site_of(request), request.query_params
    query = given.get("q", "").replace("\x00", "")[: members.LONGEST_QUERY]
    kind, page = given.get("kind", ""), page_in(given)
    with site.community.reading() as session:
        rows, total = members.found(session, query, kind=kind, page=page)
        taken: dict[str, Any] = {}
        for one in rules.measures_of(session, [f"account:{row.id}" for row in rows]):
            taken.setdefault(one.target, one)
        return site.page(
            request, "moderation/accounts.html",
            page=PageOf(tuple(rows), total, page, members.PER_PAGE), query=query, kind=kind,
            roles=ROLES, taken=taken, longest=rules.LONGEST_REASON,
        )  # fmt: skip


def _judge_of(who: Visitor) -> rules.Judge:
    return rules.Judge(who.id, who.account.role)


def _judge(sent: Acting) -> rules.Judge:
    """Who moderates by a form.

    Raises:
        HTTPException: 403 for other accounts.
    """
    if not sent.who.account.is_moderator:
        raise HTTPException(403, "Only moderators of this site can do this.")
    return _judge_of(sent.who)


def _admin(sent: Acting) -> rules.Judge:
    if not sent.who.account.is_admin:
        raise HTTPException(403, "Only admins of this site can do this.")
    return _judge_of(sent.who)
