"""Claims on records, the owner's words, and what anybody may ask about a person's page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.orm import Session

from peerscope.community import (
    CommunityError,
    claim_vouches,
    claiming,
    person_settings,
    times,
    vouching,
)
from peerscope.community.accounts import names_of
from peerscope.community.claim_block import ClaimBlock, claim_block
from peerscope.community.claim_evidence import Facts, current_person, facts_of, joint_works
from peerscope.community.claim_routes import Route, coauthors_of, routes_for
from peerscope.community.claiming_models import ClaimOnRecord
from peerscope.community.proofs import Shown, levels_of, proofs_of
from peerscope.discover.results import work_titles
from peerscope.record.models import Person
from peerscope.web.forms import form
from peerscope.web.proofs import NUMBER_DIGITS, number_in
from peerscope.web.reader import own_answer
from peerscope.web.site import Site, site_of
from peerscope.web.visible import HIDDEN
from peerscope.web.visitor import Admin, Form, Moderator, Visitor, client_address, visitor

router = APIRouter(include_in_schema=False)
Fields = Annotated[Mapping[str, str], Depends(form)]


def person_at(site: Site, record: Session, number: int, who: Visitor | None = None) -> Person:
    """The person of an address.

    Raises:
        HTTPException: 404 where there is none, 410 where the page is hidden (moderators see it).
    """
    person = current_person(record, number) if len(str(number)) <= NUMBER_DIGITS else None
    if person is None:
        raise HTTPException(404)
    if person.id in site.community.kept.now().hidden and not (who and who.account.is_moderator):
        raise HTTPException(410, HIDDEN)
    return person


@dataclass(frozen=True, slots=True)
class ClaimsPart:
    """What a person's page needs of this module; ``noindex`` says what search engines are asked."""

    block: ClaimBlock
    titles: dict[int, str]
    noindex: bool


def claims_part(request: Request, record: Session, number: int) -> ClaimsPart:
    """The claims' part of a person's page. One statement of the community while nobody owns the record."""
    site, who = site_of(request), visitor(request)
    kept = site.community.kept.now()
    with site.community.reading() as session:
        block = claim_block(session, number, who.id if who else None)
    chosen = [one.work_id for one in block.owner.said.highlights] if block.owner else []
    wanted = site.settings.people_noindex
    noindex = number in kept.noindex or wanted == "all"
    return ClaimsPart(
        block,
        work_titles(record, chosen) if chosen else {},
        noindex or (wanted == "unclaimed" and block.owner is None),
    )


def asking_robots(response: Response, noindex: bool) -> Response:
    """An answer with what search engines are asked also where they look before they read it."""
    if noindex:
        response.headers["X-Robots-Tag"] = "noindex"
    return response


@router.get("/people/A{number:int}/claim", response_class=HTMLResponse)
def claim_page(request: Request, number: int) -> Response:
    """Where a claim stands: which ways are open, what is missing, who decides."""
    site, who = site_of(request), visitor(request)
    with site.database.session() as record:
        person = person_at(site, record, number, who)
        if person.id != number:
            return RedirectResponse(f"/people/A{person.id}/claim", 302)
        return own_answer(_claim_page(request, record, person, who))


def _claim_page(
    request: Request,
    record: Session,
    person: Person,
    who: Visitor | None,
    status: int = 200,
    error: str = "",
) -> HTMLResponse:
    site = site_of(request)
    facts = facts_of(record, person)
    with site.community.reading() as session:
        claims = claiming.claims_on(session, person.id)
        mine = claiming.claim_of(session, who.id) if who else None
        last = claiming.last_claim(session, who.id, person.id) if who else None
        coauthor = (
            bool(mine and mine.state == "accepted")
            and mine is not None
            and bool(joint_works(record, person.id, [mine.person_id]))
        )
        judging = bool(who and who.account.is_moderator)
        to_vouch = [one for one in claims if coauthor and one.state == "open"]
        listed = claims if judging else to_vouch
        accounts = {one.account_id for one in [*claims, *listed]}
        return site.page(
            request, "claiming/claim.html", status,
            person=person,
            facts=facts,
            routes=routes_for(session, record, facts, who.id if who else None),
            owner=next((one for one in claims if one.state == "accepted"), None),
            mine=mine if mine is not None and mine.person_id == person.id else None,
            elsewhere=mine if mine is not None and mine.person_id != person.id else None,
            last=last,
            coauthors=coauthors_of(session, record, person.id) if mine else [],
            to_vouch=to_vouch,
            judged=[_judged(session, record, facts, one) for one in claims] if judging else [],
            vouched=[one for one in claims if who and one.route == "vouch" and one.decided_by == who.id],
            names=names_of(session, accounts),
            levels=levels_of(session, accounts),
            error=error,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judged:
    """A claim as moderators see it: with the proofs in force, and where each way stands for it."""

    claim: ClaimOnRecord
    proofs: tuple[Shown, ...]
    ways: tuple[Route, ...]


def _judged(session: Session, record: Session, facts: Facts, claim: ClaimOnRecord) -> Judged:
    proofs = (one for one in proofs_of(session, claim.account_id) if one.in_force(times.now()))
    ways = routes_for(session, record, facts, claim.account_id)
    return Judged(
        claim, tuple(proofs), tuple(way for way in ways if way.kind in ("orcid", "domain"))
    )


@router.post("/people/A{number:int}/claim")
def claim(request: Request, sent: Form, number: int) -> Response:
    """Claim the record."""
    site = site_of(request)
    site.community.rates.spend("claim", sent.who.id)
    with site.database.session() as record:
        person = person_at(site, record, number, sent.who)
        try:
            with site.community.writing() as session:
                claiming.open_claim(session, record, sent.who.id, person.id, sent.get("note"))
        except CommunityError as error:
            if type(error) is not CommunityError:
                raise
            return own_answer(_claim_page(request, record, person, sent.who, 400, str(error)))
    return _back(person.id)


def _back(number: int, page: str = "claim") -> RedirectResponse:
    return RedirectResponse(f"/people/A{number}/{page}".rstrip("/"), 303)


@router.post("/people/A{number:int}/claim/withdraw")
def withdraw(request: Request, sent: Form, number: int) -> Response:
    """Withdraw one's claim."""
    site = site_of(request)
    with site.community.writing() as session, site.database.session() as record:
        was = claiming.withdraw(session, record, sent.who.id)
    return _back(was)


@router.post("/people/A{number:int}/claim/ask")
def ask(request: Request, sent: Form, number: int) -> Response:
    """Ask a coauthor who has joined to vouch for one's claim."""
    site = site_of(request)
    site.community.rates.spend("claim.ask", sent.who.id)
    with site.community.writing() as session, site.database.session() as record:
        claim_vouches.ask_coauthor(
            session, record, sent.who.id, number, number_in(sent.get("account"))
        )
    return _back(number)


@router.post("/people/A{number:int}/claim/vouch")
def vouch(request: Request, sent: Form, number: int) -> Response:
    """Vouch for the claim of a coauthor, or take it back."""
    site = site_of(request)
    one = number_in(sent.get("claim"))
    with site.community.writing() as session, site.database.session() as record:
        if sent.get("back"):
            claim_vouches.unvouch_claim(session, record, sent.who.id, one)
        else:
            claim_vouches.vouch_for_claim(session, record, sent.who.id, one, sent.get("line"))
    return _back(number)


@router.post("/people/A{number:int}/claim/decide")
def decide(request: Request, who: Moderator, sent: Form, number: int) -> Response:
    """Decide on a claim as a moderator."""
    site = site_of(request)
    verdict = sent.get("verdict")
    if verdict not in ("accept", "decline"):
        raise CommunityError("A claim is accepted or declined.")
    with site.community.writing() as session, site.database.session() as record:
        one = number_in(sent.get("claim"))
        claiming.decide(session, record, who.id, one, verdict == "accept", sent.get("reason"))
    return _back(number)


@router.post("/people/A{number:int}/claim/attest")
def attest(request: Request, who: Admin, sent: Form, number: int) -> Response:
    """Write down that documents of a claimant were checked."""
    with site_of(request).community.writing() as session:
        one = next(
            (
                row
                for row in claiming.claims_on(session, number)
                if row.id == number_in(sent.get("claim"))
            ),
            None,
        )
        if one is None:
            raise HTTPException(404, "There is no such claim on this record.")
        vouching.attest(session, who.id, one.account_id, sent.get("reason"))
    return _back(number)


@router.get("/people/A{number:int}/correct", response_class=HTMLResponse)
def correct_page(request: Request, number: int) -> Response:
    """The form for "this is me, this is wrong", without an account."""
    site, who = site_of(request), visitor(request)
    with site.database.session() as record:
        person = person_at(site, record, number, who)
        if person.id != number:
            return RedirectResponse(f"/people/A{person.id}/correct", 302)
        return own_answer(_correct_page(request, person, who))


def _correct_page(
    request: Request, person: Person, who: Visitor | None, status: int = 200, **values: object
) -> HTMLResponse:
    site = site_of(request)
    asked: list[person_settings.Asked] = []
    if who is not None and who.account.is_moderator:
        with site.community.reading() as session:
            asked = person_settings.asks_about(session, person.id)
    kept = site.community.kept.now()
    blank: dict[str, object] = {"error": "", "number": 0, "ask": "", "text": "", "contact": ""}
    return site.page(
        request, "claiming/correct.html", status,
        person=person, asks=person_settings.ASKS, asked=asked,
        judging=who is not None and who.account.is_moderator,
        hidden=person.id in kept.hidden, noindex=person.id in kept.noindex,
        longest=person_settings.LONGEST_ASK, **(blank | values),
    )  # fmt: skip


@router.post("/people/A{number:int}/correct")
def correct(request: Request, fields: Fields, number: int) -> Response:
    """Put a request about a person's page into the moderators' queue."""
    site, who = site_of(request), visitor(request)
    with site.database.session() as record:
        person = person_at(site, record, number, who)
        site.community.rates.spend("correct.address", client_address(request))
        given = {name: fields.get(name, "") for name in ("ask", "text", "contact")}
        try:
            with site.community.writing() as session:
                made = person_settings.ask(
                    session, person.id, given["ask"], given["text"], given["contact"]
                )
        except CommunityError as error:
            page = _correct_page(request, person, who, 400, error=str(error), **given)
            return own_answer(page)
        return own_answer(_correct_page(request, person, who, number=made))


@router.post("/people/A{number:int}/correct/decide")
def decide_ask(request: Request, who: Moderator, sent: Form, number: int) -> Response:
    """Decide such a request, or show a hidden page again."""
    site = site_of(request)
    with site.community.writing() as session:
        if sent.get("decision") == "show":
            person_settings.show_again(session, who.id, number)
        else:
            person_settings.decide_ask(
                session, who.id, number, number_in(sent.get("report")), sent.get("decision"),
                sent.get("why"),
            )  # fmt: skip
    site.community.kept.forget()
    return _back(number, "correct")
