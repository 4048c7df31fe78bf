"""Badges and cards to put elsewhere: a claim's verdict, a person's record, as one SVG without tracking.

They look the same to everybody, set no cookie, and may be kept by whoever shows them. Text is laid out by
the widths of a common sans-serif face, and held to them by ``textLength``.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from fastapi import APIRouter, HTTPException, Request, Response
from markupsafe import escape

from peerscope.record.models import Person
from peerscope.reproduce.overview import ClaimRow
from peerscope.web.caching import conditional
from peerscope.web.site import Site, site_of

router = APIRouter(include_in_schema=False)

KEPT = "public, max-age=3600"
INK, PAPER, SOFT, LINE = "#1f1d1a", "#ffffff", "#5d594f", "#b9b3a4"
COLOURS = {
    "reproduced": "#1d6b3a", "exceeded": "#1d6b3a", "partly": "#6b5a1d", "not_resolved": "#6b5a1d",
    "not_reproduced": "#8c1d18", "failed": "#8c1d18",
}  # fmt: skip
MARKS = {
    "reproduced": "M4 10l4 4 8-9", "exceeded": "M10 16V4M5 9l5-5 5 5", "partly": "M4 10h12",
    "not_reproduced": "M5 5l10 10M15 5L5 15", "not_resolved": "M7 7a3 3 0 1 1 4 3c-1 .6-1 1-1 2.5M10 15.5v.5",
}  # fmt: skip
"""Verdict to the path of its mark in a square of 20: colour never carries it alone."""

NARROW, WIDE = set("fijlrtI.,:;'|!()[] "), set("mwMW@%")
LONGEST = 90


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    size: float
    colour: str = INK
    weight: int = 400

    @property
    def width(self) -> float:
        """In pixels."""
        return text_width(self.text) * self.size


def text_width(text: str) -> float:
    """Width of a text set at size 1."""
    total = 0.0
    for character in text:
        if unicodedata.east_asian_width(character) in "WF":
            total += 1.0
        elif not unicodedata.combining(character):
            total += 0.3 if character in NARROW else 0.85 if character in WIDE else 0.56
    return total


def _cut(text: str, most: int = LONGEST) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _text(line: _Line, x: float, y: float) -> str:
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" font-size="{line.size}" fill="{line.colour}" '
        f'font-weight="{line.weight}" textLength="{line.width:.0f}" '
        f'lengthAdjust="spacingAndGlyphs">{escape(line.text)}</text>'
    )


def _mark(state: str, x: float, y: float) -> str:
    colour = COLOURS.get(state, SOFT)
    path = MARKS.get(state)
    if path is None:
        return (
            f'<circle cx="{x + 10}" cy="{y + 10}" r="6" fill="none" stroke="{colour}" '
            'stroke-width="1.6" stroke-dasharray="2.4 2.4"/>'
        )
    return (
        f'<path transform="translate({x} {y})" d="{path}" fill="none" stroke="{colour}" '
        'stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round"/>'
    )


def _svg(width: float, height: float, title: str, inside: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-labelledby="t" '
        'font-family="Segoe UI, Helvetica, Arial, DejaVu Sans, sans-serif">'
        f'<title id="t">{escape(title)}</title>'
        f'<rect x=".5" y=".5" width="{width - 1:.0f}" height="{height - 1:.0f}" rx="4" fill="{PAPER}" '
        f'stroke="{LINE}"/>{inside}</svg>'
    )


def _answer(request: Request, svg: str) -> Response:
    response = Response(svg, media_type="image/svg+xml")
    response.headers["Cache-Control"] = KEPT
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return conditional(request, response)


@router.get("/claims/{id}/badge.svg")
def claim_badge(request: Request, id: str) -> Response:
    """A claim's verdict in one line."""
    row = _claim(site_of(request), id)
    name = _Line(f"claim {row.claim.id}", 11, SOFT)
    verdict = _Line(row.words, 11, COLOURS.get(row.state, SOFT), 600)
    split = name.width + 18
    inside = (
        _text(name, 9, 15)
        + f'<path d="M{split:.0f} 1v20" stroke="{LINE}"/>'
        + _mark(row.state, split + 5, 1.5)
        + _text(verdict, split + 28, 15)
    )
    title = f"Claim {row.claim.id}: {row.words}"
    return _answer(request, _svg(split + verdict.width + 37, 22, title, inside))


@router.get("/claims/{id}/card.svg")
def claim_card(request: Request, id: str) -> Response:
    """A claim with its work, what it says, and its verdict."""
    site = site_of(request)
    row = _claim(site, id)
    verdict = _Line(row.words, 15, COLOURS.get(row.state, SOFT), 600)
    seeds = len(row.attempt.seeds) if row.attempt else 0
    when = f"{seeds} seeds, profile {row.verdict.profile}" if row.verdict else "not run here"
    lines = [
        _Line(_cut(row.paper.title, 64), 12, SOFT),
        _Line(_cut(row.claim.statement, 72), 13, INK, 600),
        _Line(f"{when} · {site.settings.site_name}"[:80], 11, SOFT),
    ]
    inside = _mark(row.state, 14, 12) + _text(verdict, 40, 27)
    for index, line in enumerate(lines):
        inside += _text(line, 16, 52 + 21 * index)
    width = max(360.0, max(line.width for line in lines) + 34)
    title = f"{row.paper.title}. {row.claim.statement} {row.words}."
    return _answer(request, _svg(width, 108, title, inside))


def _claim(site: Site, id: str) -> ClaimRow:
    row = site.overview.claim(id)
    if row is None:
        raise HTTPException(404, "There is no such claim.")
    return row


@router.get("/people/A{number}/badge.svg")
def person_badge(request: Request, number: int) -> Response:
    """A person's record in one line: the name, and how many works stand here."""
    site = site_of(request)
    person = _person(site, number)
    name = _Line(_cut(person.display_name, 40), 11, INK, 600)
    works = _Line(
        f"{person.works_count:,} {'work' if person.works_count == 1 else 'works'} on "
        f"{_cut(site.settings.site_name, 30)}", 11, SOFT,
    )  # fmt: skip
    split = name.width + 18
    inside = (
        _text(name, 9, 15)
        + f'<path d="M{split:.0f} 1v20" stroke="{LINE}"/>'
        + _text(works, split + 9, 15)
    )
    title = f"{person.display_name}: {works.text}"
    return _answer(request, _svg(split + works.width + 18, 22, title, inside))


def _person(site: Site, number: int) -> Person:
    with site.database.session() as session:
        for _ in range(8):
            found = session.get(Person, number) if 0 < number < 2**53 else None
            if found is None or found.merged_into_id is None:
                break
            number = found.merged_into_id
    if found is None or not found.works_count or number in site.community.kept.now().hidden:
        raise HTTPException(404, "There is no such person here.")
    return found
