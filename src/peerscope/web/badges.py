"""Badges and cards to put elsewhere: a claim's verdict, a work's claims, a person's record, as one SVG.

They look the same to everybody, set no cookie, fetch nothing, and may be kept by whoever shows them. They
follow the light or dark setting of whoever looks. `pictures` draws them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from peerscope.record.models import Person, Work
from peerscope.record.read import WorkCard, cards, identifiers_of
from peerscope.record.read.entities import condition, topics_of, years_of
from peerscope.reproduce.overview import ClaimRow, tally
from peerscope.web.caching import conditional
from peerscope.web.pictures import STYLE_HASH, Line, badge, card, cut
from peerscope.web.site import Site, base_of, count, site_of
from peerscope.web.visible import HIDDEN

router = APIRouter(include_in_schema=False)

KEPT = "public, max-age=3600"
POLICY = f"default-src 'none'; style-src '{STYLE_HASH}'; sandbox"
NO_CLAIMS = "none listed here"
LISTED = 4


@dataclass(frozen=True, slots=True)
class Snippet:
    """A picture of a page, and the text that shows it in three languages of markup."""

    name: str
    address: str
    alt: str
    page: str

    def markdown(self, base: str) -> str:
        """For a README."""
        alt = re.sub(r"([\\\[\]`*_<>])", r"\\\1", self.alt)
        return f"[![{alt}]({base}{self.address})]({base}{self.page})"

    def html(self, base: str) -> str:
        """For a homepage."""
        alt = self.alt.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
        return f'<a href="{base}{self.page}"><img src="{base}{self.address}" alt="{alt}"></a>'

    def rest(self, base: str) -> str:
        """For documentation in reStructuredText."""
        alt = " ".join(self.alt.split())
        return f".. image:: {base}{self.address}\n   :target: {base}{self.page}\n   :alt: {alt}"


def _answer(request: Request, svg: str) -> Response:
    response = Response(svg, media_type="image/svg+xml")
    response.headers["Cache-Control"] = KEPT
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["Content-Security-Policy"] = POLICY
    return conditional(request, response)


@router.get("/claims/{id}/badge.svg")
def claim_badge(request: Request, id: str) -> Response:
    """A claim's verdict in one line."""
    row = _claim(site_of(request), id)
    return _answer(
        request,
        badge(
            _said(row), Line(f"claim {row.claim.id}", 11, "soft"),
            [(row.state, Line(row.words, 11, row.state, 600))],
        ),
    )  # fmt: skip


@router.get("/claims/{id}/card.svg")
def claim_card(request: Request, id: str) -> Response:
    """A claim with its work, what it says, and its verdict."""
    site = site_of(request)
    row = _claim(site, id)
    seeds = len(row.attempt.seeds) if row.attempt else 0
    when = f"{seeds} seeds, profile {row.verdict.profile}" if row.verdict else "not run here"
    lines = [
        Line(cut(row.paper.title, 64), 12, "soft"),
        Line(cut(row.claim.statement, 72), 13, "ink", 600),
        Line(cut(f"{when} · {site.settings.site_name}", 80), 11, "soft"),
    ]
    title = f"{row.paper.title}. {row.claim.statement} {row.words}."
    return _answer(request, card(title, [(row.state, Line(row.words, 15, row.state, 600))], lines))


@router.get("/works/W{number}/badge.svg")
def work_badge(request: Request, number: int) -> Response:
    """How the claims of a work stand, in one line."""
    site = site_of(request)
    with site.database.session() as session:
        _, rows = _work(site, session, number)
    return _answer(
        request, badge(_standing(rows), Line("claims", 11, "soft"), _tallied(rows, 11, 600))
    )


@router.get("/works/W{number}/card.svg")
def work_card(request: Request, number: int) -> Response:
    """A work with how its claims stand."""
    site = site_of(request)
    with site.database.session() as session:
        shown, rows = _work(site, session, number)
    names = ", ".join(one.label for one in shown.authors[:3])
    more = f" and {shown.authors_count - 3} more" if shown.authors_count > 3 else ""
    where = [shown.venue.label if shown.venue else "", str(shown.year or "")]
    lines = [
        Line(cut(shown.title, 72), 14, "ink", 600),
        Line(cut(names, 70) + more, 12, "soft"),
        Line(cut(" · ".join([*filter(None, where), site.settings.site_name]), 80), 11, "soft"),
    ]
    title = f"{shown.title}. Claims: {_standing(rows).removeprefix('Claims: ')}"
    return _answer(request, card(title, _tallied(rows, 12, 600), lines))


@router.get("/people/A{number}/badge.svg")
def person_badge(request: Request, number: int) -> Response:
    """A person's record in one line: the name, and how many works stand here."""
    site = site_of(request)
    with site.database.session() as session:
        person = _person(site, session, number)
    name = Line(cut(person.display_name, 40), 11, "ink", 600)
    works = Line(_works_here(site, person), 11, "soft")
    return _answer(request, badge(f"{person.display_name}: {works.text}", name, [("", works)]))


@router.get("/people/A{number}/card.svg")
def person_card(request: Request, number: int) -> Response:
    """A person's record: name, works, years, and the topics that sources give these works."""
    site = site_of(request)
    with site.database.session() as session:
        person = _person(site, session, number)
        works = condition("A", person.id)
        years = years_of(session, works)
        topics = [one.label for one in topics_of(session, works, LISTED) if one.note is None]
    span = (
        f"{years[0][0]} to {years[-1][0]}" if len(years) > 1 else str(years[0][0]) if years else ""
    )
    lines = [Line(cut(person.display_name, 60), 15, "ink", 600)]
    lines.append(Line(", ".join(filter(None, [_works_here(site, person), span])), 12, "soft"))
    if topics:
        lines.append(Line(cut(", ".join(topics), 80), 12, "ink"))
    return _answer(request, card(f"{person.display_name}: {lines[1].text}", [], lines))


@router.get("/embed/{key}", response_class=HTMLResponse)
def embed(request: Request, key: str) -> Response:
    """The pictures of a work, person or claim, and what to copy to show them elsewhere."""
    site = site_of(request)
    title, page, alt = _embedded(site, key)
    longer = alt if title in alt else f"{title}. {alt}"
    kinds = [("Badge", "badge", alt), ("Card", "card", longer)]
    found = [Snippet(name, f"{page}/{kind}.svg", text, page) for name, kind, text in kinds]
    return site.page(
        request, "embed.html", title=title, place=page, snippets=found, own=base_of(request)
    )


def _embedded(site: Site, key: str) -> tuple[str, str, str]:
    """Title, page and text of what is to be shown elsewhere."""
    if match := re.fullmatch(r"([WA])(\d{1,15})", key, re.ASCII):
        number = int(match[2])
        with site.database.session() as session:
            if match[1] == "W":
                shown, rows = _work(site, session, number)
                return shown.title, f"/works/W{shown.id}", _standing(rows)
            person = _person(site, session, number)
        said = _works_here(site, person)
        return person.display_name, f"/people/A{person.id}", f"{person.display_name}: {said}"
    row = _claim(site, key)
    return row.claim.statement, f"/claims/{row.claim.id}", _said(row)


def _said(row: ClaimRow) -> str:
    return f"Claim {row.claim.id}: {row.words}"


def _standing(rows: list[ClaimRow]) -> str:
    told = ", ".join(f"{number} {words}" for _, words, number in tally(rows))
    return f"Claims: {told or NO_CLAIMS}"


def _tallied(rows: list[ClaimRow], size: float, weight: int) -> list[tuple[str, Line]]:
    found = [
        (state, Line(f"{number} {words}", size, state, weight))
        for state, words, number in tally(rows)
    ]
    return found or [("not_run", Line(NO_CLAIMS, size, "soft"))]


def _works_here(site: Site, person: Person) -> str:
    return f"{count(person.works_count, 'work', 'works')} on {cut(site.settings.site_name, 30)}"


def _claim(site: Site, id: str) -> ClaimRow:
    row = site.overview.claim(id)
    if row is None:
        raise HTTPException(404, "There is no such claim.")
    return row


def _work(site: Site, session: Session, number: int) -> tuple[WorkCard, list[ClaimRow]]:
    work = session.get(Work, number) if 0 < number < 2**53 else None
    if work is None:
        raise HTTPException(404, "There is no such work here.")
    if work.deleted_at is not None:
        raise HTTPException(410)
    return cards(session, [number])[0], site.overview.of_work(identifiers_of(session, "W", number))


def _person(site: Site, session: Session, number: int) -> Person:
    for _ in range(8):
        found = session.get(Person, number) if 0 < number < 2**53 else None
        if found is None or found.merged_into_id is None:
            break
        number = found.merged_into_id
    if site.is_hidden(number):
        raise HTTPException(410, HIDDEN)
    if found is None or not found.works_count:
        raise HTTPException(404, "There is no such person here.")
    return found
