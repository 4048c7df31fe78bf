"""Pages of the trust snapshot: all its sums, its history, replies to it, and the text of the formula."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from peerscope.community import Community
from peerscope.community.moderation import report
from peerscope.community.proofs import LEVELS
from peerscope.community.times import now
from peerscope.community.trust import (
    ClaimFacts,
    Evidence,
    Snapshot,
    coverage,
    rule_text,
    said,
    snapshot,
)
from peerscope.community.trust.document import document
from peerscope.community.trust.gather import authors_of, gather, works_of_person
from peerscope.community.trust.history import history, keep
from peerscope.community.trust.replies import replies, reply
from peerscope.community.trust.shapes import DIMENSIONS
from peerscope.community.trust.standing import hear
from peerscope.record.models import Identifier, Person
from peerscope.record.read import PersonPage, works_of_identifiers
from peerscope.reproduce.overview import ClaimRow, Overview
from peerscope.web.asked import page_in
from peerscope.web.claiming import asking_robots, person_at
from peerscope.web.site import Site, site_of
from peerscope.web.visitor import Form, visitor

router = APIRouter(include_in_schema=False)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Examined:
    """A person with everything that is known of them, and what it amounts to.

    Attributes:
        evidence: What was counted.
        snapshot: What it amounts to.
        owner: The account that owns the record, if one does.
    """

    evidence: Evidence
    snapshot: Snapshot
    owner: int | None


def examine(record: Session, people: Session, overview: Overview, person: Person) -> Examined:
    """Look at a person's works, claims and proofs.

    Args:
        record: Session of the record.
        people: Session of the community's database.
        overview: Claims and attempts.
        person: Who.
    """
    works = works_of_identifiers(record, overview.registry.identifiers())
    theirs = set(works_of_person(record, person.id))
    own = {one: found for one, found in works.items() if found[0] in theirs}
    identifiers = record.execute(
        select(Identifier.scheme, Identifier.value).where(
            Identifier.entity == "A", Identifier.entity_id == person.id
        )
    )
    heard = hear(people, person.id)
    evidence = gather(
        record,
        person,
        [(scheme, value) for scheme, value in identifiers],
        claim_facts(overview, own),
        heard.weighed(authors_of(record, heard.reviewed)),
    )
    return Examined(evidence, snapshot(evidence), heard.owner)


def compact(site: Site, record: Session, page: PersonPage) -> Snapshot | None:
    """The snapshot for the page of a person, from what that has loaded; kept until something changes.

    ``None`` where the accounts cannot be read: the page of the record stays.
    """
    claims = claim_facts(site.overview, page.works_by)
    try:
        with site.community.reading() as people:
            heard = hear(people, page.person.id)
    except SQLAlchemyError:
        log.exception("Accounts cannot be read; a person is shown without a trust snapshot.")
        return None

    def made() -> Snapshot:
        standing = heard.weighed(authors_of(record, heard.reviewed))
        return snapshot(gather(record, page.person, page.identifiers, claims, standing))

    key = ("trust", page.person.id, page.change, claims, heard)
    found: Snapshot = site.once(key, made)
    return found


def claim_facts(overview: Overview, works: Mapping[str, tuple[int, str]]) -> tuple[ClaimFacts, ...]:
    """Claims of some works (identifier to number and title) with the verdicts that stand."""
    rows: dict[str, ClaimFacts] = {}
    for paper in overview.registry.papers.values():
        number = next((works[one][0] for one in paper.identifiers if one in works), None)
        if number is not None:
            rows.update((row.claim.id, _claim(row, number)) for row in overview.of_paper(paper))
    return tuple(rows.values())


def _claim(row: ClaimRow, work: int) -> ClaimFacts:
    ended = row.attempt.ended.date().isoformat() if row.attempt else ""
    return ClaimFacts(
        row.claim.id, work, row.claim.statement, row.state, ended, f"/claims/{row.claim.id}"
    )


def remember(community: Community, found: Examined) -> None:
    """Keep a snapshot that differs from the last one kept; a failure costs the entry, not the answer."""
    try:
        keep(community, found.snapshot, found.owner)
    except SQLAlchemyError:
        log.exception("A trust snapshot could not be kept.")


@router.get("/trust/formula", response_class=PlainTextResponse)
def formula() -> Response:
    """The formula, as the code has it."""
    return PlainTextResponse(rule_text())


@router.get("/people/{id}/trust", response_class=HTMLResponse)
def trust(request: Request, id: str) -> Response:
    """Every term of a person's snapshot, with its sources and what would change it."""
    site, found = site_of(request), look(request, id, "/people/{}/trust")
    if not isinstance(found, Examined):
        return found
    who = visitor(request)
    with site.community.reading() as people:
        answers = replies(people, found.snapshot.person)
    page = site.page(
        request, "trust.html",
        snapshot=found.snapshot,
        said=said(found.snapshot),
        coverage=coverage(found.snapshot),
        computed=now(),
        claimed=found.owner is not None,
        level=LEVELS[int(found.snapshot.level[1:])],
        replies=answers,
        owns=who is not None and who.account.person_id == found.snapshot.person,
        thanks="reported" in request.query_params,
    )  # fmt: skip
    return asking_robots(page, noindex=True)


@router.get("/people/{id}/trust.json")
def trust_json(request: Request, id: str) -> Response:
    """The snapshot with everything that was counted, to recompute it from."""
    found = look(request, id, "/people/{}/trust.json")
    if not isinstance(found, Examined):
        return found
    answer = JSONResponse(told(found))
    return asking_robots(answer, noindex=True)


@router.get("/people/{id}/trust/history", response_class=HTMLResponse)
def trust_history(request: Request, id: str) -> Response:
    """Snapshots of a person as they were."""
    site = site_of(request)
    with site.database.session() as record:
        person = _person(request, record, id)
    if id != f"A{person.id}":
        return RedirectResponse(f"/people/A{person.id}/trust/history", 302)
    with site.community.reading() as people:
        past = history(people, person.id, page_in(request.query_params))
    page = site.page(request, "trust_history.html", person=person, past=past, dimensions=DIMENSIONS)
    return asking_robots(page, noindex=True)


@router.post("/people/{id}/trust/reply")
def answer(request: Request, id: str, sent: Form) -> Response:
    """What the owner of the record says to a statement."""
    site = site_of(request)
    with site.database.session() as record:
        number = _person(request, record, id).id
    with site.community.writing() as session:
        reply(session, sent.who.id, number, sent.get("dimension"), sent.get("text"))
    return RedirectResponse(f"/people/A{number}/trust#{sent.get('dimension')}", 303)


@router.post("/people/{id}/trust/report")
def error(request: Request, id: str, sent: Form) -> Response:
    """An error in a snapshot, for the moderators."""
    site, about = site_of(request), sent.get("dimension")
    with site.database.session() as record:
        number = _person(request, record, id).id
    target = f"trust:A{number}:{about}" if about in DIMENSIONS else f"trust:A{number}"
    with site.community.writing() as session:
        report(session, sent.who.id, "error", target, sent.get("text"))
    return RedirectResponse(f"/people/A{number}/trust?reported=yes#report", 303)


def _person(request: Request, record: Session, id: str) -> Person:
    """Who an address names, or who they are now; 404 for nobody, 410 where their page is hidden."""
    match = re.fullmatch(r"A(\d{1,15})", id, re.ASCII)
    if match is None:
        raise HTTPException(404)
    return person_at(site_of(request), record, int(match[1]), visitor(request))


def told(found: Examined) -> dict[str, Any]:
    """The snapshot as a document, with all that was counted."""
    return document(found.evidence, found.snapshot, now())


def look(request: Request, id: str, address: str) -> Examined | Response:
    """A person as `examine` sees them, kept if they changed; the way there if they are another now.

    Args:
        request: Of whoever asks.
        id: ``A12``.
        address: Of the answer, with a gap for the person's id.

    Raises:
        HTTPException: 404 for nobody, 410 where their page is hidden.
    """
    site = site_of(request)
    with site.database.session() as record, site.community.reading() as people:
        person = _person(request, record, id)
        if id != f"A{person.id}":
            return RedirectResponse(address.format(f"A{person.id}"), 302)
        found = examine(record, people, site.overview, person)
    remember(site.community, found)
    return found
