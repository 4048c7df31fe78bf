"""What the owner of a record says: the form, and the list of works to confirm."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from peerscope.community import CommunityError, person_settings, profiles
from peerscope.community.claiming import require_owner
from peerscope.discover.results import work_titles
from peerscope.record.models import Person
from peerscope.record.read.entities import condition
from peerscope.record.read.lists import works_page
from peerscope.web.asked import page_in
from peerscope.web.claiming import person_at
from peerscope.web.proofs import number_in
from peerscope.web.reader import own_answer
from peerscope.web.site import site_of
from peerscope.web.visitor import Acting, Form, SignedInVisitor, Visitor

router = APIRouter(include_in_schema=False)


@router.get("/people/A{number:int}/profile", response_class=HTMLResponse)
def profile_page(request: Request, number: int, who: SignedInVisitor) -> Response:
    """The form for the owner's words."""
    person = _own_person(request, number, who)
    site = site_of(request)
    with site.community.reading() as session:
        said = profiles.said_by(session, who.id)
    links = [*said.links, *[""] * profiles.MOST_LINKS][: profiles.MOST_LINKS]
    chosen = [(f"W{one.work_id}", one.line) for one in said.highlights]
    chosen += [("", "")] * (profiles.MOST_HIGHLIGHTS - len(chosen))
    words = profiles.Words(
        said.bio, said.preferred_name, said.available_for or said.lapsed, links, chosen
    )
    return _profile_page(request, person, words, said)


def _profile_page(
    request: Request,
    person: Person,
    words: profiles.Words,
    said: profiles.Said | None,
    status: int = 200,
    error: str = "",
) -> Response:
    site = site_of(request)
    wanted = [number_in(work.lstrip("Ww")) for work, _ in words.highlights]
    with site.database.session() as record:
        titles = work_titles(record, [one for one in wanted if one])
    page = site.page(
        request, "claiming/profile.html", status,
        person=person, words=words, said=said, titles=titles, wanted=wanted, error=error,
        limits=profiles, noindex=person.id in site.community.kept.now().noindex,
    )  # fmt: skip
    return own_answer(page)


def _own_person(request: Request, number: int, who: Visitor) -> Person:
    site = site_of(request)
    with site.database.session() as record:
        person = person_at(site, record, number, who)
    if person.id != number:
        raise HTTPException(404, f"This record is part of A{person.id} now.")
    with site.community.reading() as session:
        require_owner(session, person.id, who.id)
    return person


def _words(sent: Acting) -> profiles.Words:
    return profiles.Words(
        sent.get("bio"), sent.get("name"), sent.get("available"),
        [sent.get(f"link{n}") for n in range(profiles.MOST_LINKS)],
        [(sent.get(f"work{n}"), sent.get(f"line{n}")) for n in range(profiles.MOST_HIGHLIGHTS)],
    )  # fmt: skip


@router.post("/people/A{number:int}/profile")
def save(request: Request, sent: Form, number: int) -> Response:
    """Keep what the owner says."""
    person = _own_person(request, number, sent.who)
    site, words = site_of(request), _words(sent)
    try:
        with site.community.writing() as session, site.database.session() as record:
            profiles.save_profile(session, record, sent.who.id, person.id, words)
    except CommunityError as error:
        if type(error) is not CommunityError:
            raise
        return _profile_page(request, person, words, None, 400, str(error))
    return RedirectResponse(f"/people/A{person.id}", 303)


@router.post("/people/A{number:int}/noindex")
def noindex(request: Request, sent: Form, number: int) -> Response:
    """Ask search engines to leave one's page out, or not."""
    person = _own_person(request, number, sent.who)
    site = site_of(request)
    with site.community.writing() as session:
        require_owner(session, person.id, sent.who.id)
        wanted = sent.get("noindex") == "yes"
        person_settings.set_person(session, person.id, sent.who.id, noindex=wanted)
    site.community.kept.forget()
    return RedirectResponse(f"/people/A{person.id}/profile", 303)


@router.get("/people/A{number:int}/confirm", response_class=HTMLResponse)
def confirm_page(request: Request, number: int, who: SignedInVisitor) -> Response:
    """The works of the record, each to be confirmed or not."""
    person = _own_person(request, number, who)
    site = site_of(request)
    with site.community.reading() as session:
        verdicts = profiles.verdicts_of(session, who.id)
    with site.database.session() as record:
        works = works_page(record, condition("A", person.id), page_in(request.query_params))
        page = site.page(
            request, "claiming/confirm.html", person=person, works=works, verdicts=verdicts
        )
    return own_answer(page)


@router.post("/people/A{number:int}/confirm")
def confirm(request: Request, sent: Form, number: int) -> Response:
    """Say that works are one's own, or that one is not; the latter leads to the identity workbench."""
    person = _own_person(request, number, sent.who)
    site, verdict = site_of(request), sent.get("verdict")
    works = [number_in(one) for one in sent.get("works").split()[:200]]
    with site.community.writing() as session, site.database.session() as record:
        if verdict == "undo":
            require_owner(session, person.id, sent.who.id)
            for work in works:
                profiles.unsay(session, sent.who.id, work)
        else:
            profiles.say_of_works(session, record, sent.who.id, person.id, works, verdict)
    if verdict == "not_mine":
        return RedirectResponse(f"/people/A{person.id}/identity", 303)
    page = number_in(sent.get("page")) or 1
    return RedirectResponse(f"/people/A{person.id}/confirm?page={page}", 303)
