"""Claims and attempts as JSON."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi import Path as PathParameter
from pydantic import BaseModel, Field

from peerscope.record.openalex.objects import API
from peerscope.record.read import identifiers_of, labels_of
from peerscope.reproduce.overview import ClaimRow
from peerscope.web.api_route import ApiRoute, changed_at
from peerscope.web.site import site_of

router = APIRouter(prefix=API, tags=["Claims"], route_class=ApiRoute)

Slug = Annotated[str, PathParameter(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=100)]
AttemptId = Annotated[str, PathParameter(pattern=r"^[0-9a-f]{12}$")]


class CheckAnswer(BaseModel):
    """One check: the mean over seeds with its 95 % interval."""

    label: str
    condition: str
    measured: float
    low: float
    high: float
    per_seed: list[float]
    state: str = Field(description="holds, fails, open or exceeded.")


class ClaimAnswer(BaseModel):
    """A claim and what stands of it."""

    id: str
    paper: str
    identifiers: list[str]
    version: str
    statement: str
    metric: str
    location: str
    reported: str | None = Field(description="As printed; null for a direction only.")
    state: str = Field(
        description="reproduced, exceeded, partly, not_reproduced, not_resolved or not_run."
    )
    sentence: str | None
    rule: str | None
    profile: str | None
    seeds: int | None
    reduced: str | None = Field(description="What is smaller than in the work; empty for nothing.")
    checks: list[CheckAnswer]
    attempt: str | None
    attempts: list[str]


class ClaimsAnswer(BaseModel):
    """Claims of one work or of all."""

    total: int
    claims: list[ClaimAnswer]


class AttemptAnswer(BaseModel):
    """An attempt: ``attempt.json`` as it was sealed, and what it says now."""

    id: str
    about: dict[str, Any]
    verdicts: dict[str, str | None]
    files: list[str]


@router.get("/claims")
def claims(
    request: Request,
    paper: Annotated[str | None, Query(max_length=100, description="Slug of a paper.")] = None,
    verdict: Annotated[
        str | None, Query(max_length=20, description="Only claims in this state.")
    ] = None,
) -> ClaimsAnswer:
    """All claims with their verdicts."""
    rows = [
        row
        for row in site_of(request).overview.rows()
        if paper in (None, row.paper.slug) and verdict in (None, row.state)
    ]
    return ClaimsAnswer(total=len(rows), claims=[claim_answer(row) for row in rows])


@router.get("/works/{id}/claims")
def claims_of_work(
    request: Request, id: Annotated[str, PathParameter(pattern=r"^W[0-9]{1,15}$")]
) -> ClaimsAnswer:
    """The claims of a work with their verdicts; none where no package offers any."""
    site, number = site_of(request), int(id[1:])
    with site.database.session() as session:
        if not labels_of(session, [id]):
            raise HTTPException(404, f"There is no work {id}.")
        identifiers = identifiers_of(session, "W", number)
    rows = site.overview.of_work(identifiers)
    return ClaimsAnswer(total=len(rows), claims=[claim_answer(row) for row in rows])


@router.get("/claims/{id}")
def claim(request: Request, id: Slug) -> ClaimAnswer:
    """One claim with its verdict."""
    row = site_of(request).overview.claim(id)
    if row is None:
        raise HTTPException(404, f"There is no claim {id}.")
    return claim_answer(row)


@router.get("/attempts/{id}")
def attempt(request: Request, response: Response, id: AttemptId) -> AttemptAnswer:
    """One attempt with its verdicts."""
    overview = site_of(request).overview
    found = overview.store.attempt(id)
    if found is None:
        raise HTTPException(404, f"There is no attempt {id}.")
    said: dict[str, str | None] = {
        claim.id: verdict.state if verdict else None for claim, verdict in overview.verdicts(found)
    }
    changed_at(response, found.ended)
    return AttemptAnswer(
        id=found.id, about=dict(found.about), verdicts=said,
        files=[f"/attempts/{found.id}/{name}" for name in found.files],
    )  # fmt: skip


def claim_answer(row: ClaimRow) -> ClaimAnswer:
    """A claim with what stands of it."""
    verdict = row.verdict
    return ClaimAnswer(
        id=row.claim.id,
        paper=row.paper.slug,
        identifiers=list(row.paper.identifiers),
        version=row.paper.version,
        statement=row.claim.statement,
        metric=row.claim.metric,
        location=row.claim.location,
        reported=row.claim.reported or None,
        state=row.state,
        sentence=verdict.sentence if verdict else None,
        rule=verdict.rule if verdict else None,
        profile=verdict.profile if verdict else None,
        seeds=verdict.seeds if verdict else None,
        reduced=row.claim.profiles[verdict.profile] if verdict else None,
        checks=[
            CheckAnswer.model_validate(one, from_attributes=True)
            for one in (verdict.checks if verdict else ())
        ],
        attempt=row.attempt.id if row.attempt else None,
        attempts=[one.id for one in row.tried],
    )
