"""Pages of claims and attempts: what was printed, what was measured, and the evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from sqlalchemy.orm import Session

from peerscope.record.read import works_of_identifiers
from peerscope.reproduce.claims import Claim, Paper
from peerscope.reproduce.kept import Kept
from peerscope.reproduce.overview import NOT_RUN, ClaimRow, Overview, tally
from peerscope.reproduce.verdict import DECIDING, RULE, STATES, Verdict, rule_text
from peerscope.web.plots import Plot, Strip, plot, strip
from peerscope.web.site import site_of

router = APIRouter(include_in_schema=False)

LOG_SHOWN = 20_000
"""Characters of a log on the page; the file itself is linked."""

FIGURES_SHOWN = 200
KNOWN_STATES = (*STATES, NOT_RUN)


@dataclass(frozen=True, slots=True)
class Run:
    """A work of a person whose claims were run: its address and the verdicts counted."""

    number: int
    title: str
    verdicts: list[tuple[str, str, int]]


def work_numbers(session: Session, papers: Sequence[Paper]) -> dict[str, tuple[int, str]]:
    """Slug to number and title of the works that the record holds, in one statement."""
    wanted = {one: paper.slug for paper in papers for one in paper.identifiers}
    return {wanted[one]: work for one, work in works_of_identifiers(session, wanted).items()}


def runs_of(overview: Overview, works: Mapping[str, tuple[int, str]]) -> list[Run]:
    """Which of some works (identifier to number and title) have claims, with their verdicts."""
    rows: dict[tuple[int, str], list[ClaimRow]] = {}
    for paper in overview.registry.papers.values():
        found = next((works[one] for one in paper.identifiers if one in works), None)
        if found is not None:
            rows.setdefault(found, []).extend(overview.of_paper(paper))
    return [Run(*work, tally(claims)) for work, claims in rows.items()]


@router.get("/claims", response_class=HTMLResponse)
def overview(request: Request) -> Response:
    """All claims, by work, with a filter by verdict."""
    site = site_of(request)
    rows = site.overview.rows()
    state = request.query_params.get("verdict", "")
    state = state if state in KNOWN_STATES else ""
    shown = [row for row in rows if not state or row.state == state]
    papers = {row.paper.slug: row.paper for row in shown}
    with site.database.session() as session:
        numbers = work_numbers(session, list(papers.values()))
    return site.page(
        request, "claims.html",
        groups=[(paper, [row for row in shown if row.paper is paper]) for paper in papers.values()],
        numbers=numbers,
        counts=tally(rows),
        total=len(rows),
        state=state,
        states=STATES,
        problems=[*site.overview.registry.problems, *site.overview.store.problems()],
    )  # fmt: skip


@router.get("/claims/rule", response_class=PlainTextResponse)
def rule() -> Response:
    """The rule that makes verdicts, as the code states it."""
    return PlainTextResponse(f"Rule {RULE}\n\n{rule_text()}\n")


@router.get("/claims/{id}", response_class=HTMLResponse)
def claim(request: Request, id: str) -> Response:
    """One claim: the statement, what was measured check by check, and every attempt."""
    site = site_of(request)
    row = site.overview.claim(id)
    if row is None:
        raise HTTPException(404)
    with site.database.session() as session:
        number = work_numbers(session, [row.paper]).get(row.paper.slug)
    protocol = row.paper.protocol(row.claim.protocol)
    return site.page(
        request, "claim.html",
        row=row,
        work=number,
        protocol=protocol,
        profiles=[(name, protocol.profiles[name]) for name in DECIDING if name in row.claim.profiles],
        strips=strips(row.claim, row.verdict),
        plot=_plot(row.attempt, row.claim.curve) if row.attempt and row.claim.curve else None,
        tried=[(one, site.overview.says(one, row.paper, row.claim)) for one in row.tried],
        rule=RULE,
    )  # fmt: skip


def strips(claim: Claim, verdict: Verdict | None) -> list[tuple[Any, Strip]]:
    """Each check of a verdict with its picture."""
    if verdict is None:
        return []
    checks = claim.checks_for(verdict.profile)
    return [
        (result, strip(result, check.relation, check.bound, check.tolerance))
        for check, result in zip(checks, verdict.checks, strict=True)
    ]


def _plot(attempt: Kept, name: str) -> Plot | None:
    return plot(name, [seed.curves[name] for seed in attempt.seeds if name in seed.curves])


@router.get("/attempts/{id}", response_class=HTMLResponse)
def attempt(request: Request, id: str) -> Response:
    """One attempt: verdicts, plots, figures of each seed, environment and log."""
    site = site_of(request)
    found = site.overview.store.attempt(id)
    if found is None:
        raise HTTPException(404)
    paper = site.overview.registry.papers.get(found.paper)
    with site.database.session() as session:
        number = work_numbers(session, [paper]).get(paper.slug) if paper else None
    names = sorted({name for seed in found.seeds for name in seed.curves})
    log = found.log()
    return site.page(
        request, "attempt.html",
        attempt=found,
        about=found.about,
        work=number,
        registered=paper,
        verdicts=site.overview.verdicts(found),
        plots=[made for name in names if (made := _plot(found, name))],
        figures=_figures(found),
        log=log[-LOG_SHOWN:],
        log_cut=len(log) > LOG_SHOWN,
        notes=site.overview.store.notes(id),
    )  # fmt: skip


def _figures(found: Kept) -> list[tuple[str, int, list[float | None]]]:
    """Name, units and each seed's value (the mean over units) of the first figures, by name."""
    names = sorted({name for seed in found.seeds for name in seed.figures})
    rows = []
    for name in names[:FIGURES_SHOWN]:
        values = [seed.figures.get(name) for seed in found.seeds]
        units = max((len(one) for one in values if isinstance(one, list)), default=1)
        means = [None if one is None else float(np.mean(one)) for one in values]
        rows.append((name, units, means))
    return rows


@router.get("/attempts/{id}/{name:path}")
def file(request: Request, id: str, name: str) -> Response:
    """A file of an attempt, byte for byte."""
    found = site_of(request).overview.store.attempt(id)
    if found is None or name not in found.files:
        raise HTTPException(404)
    media = "application/json" if name.endswith(".json") else "text/plain; charset=utf-8"
    return Response((found.folder / name).read_bytes(), media_type=media)
