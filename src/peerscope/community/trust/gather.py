"""Evidence about a person from the record: two statements, whatever the number of works."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import String, Text, cast, literal, null, select, union_all
from sqlalchemy.orm import Session

from peerscope.community.trust.evidence import (
    HERE,
    KINDS,
    UNCLAIMED,
    Bond,
    ClaimFacts,
    Evidence,
    Looked,
    Notice,
    Origin,
    Standing,
    WorkFacts,
)
from peerscope.record.identity import EVENT
from peerscope.record.models import (
    Artifact,
    Authorship,
    Person,
    Source,
    SourceRecord,
    Work,
)
from peerscope.record.models import (
    Notice as NoticeRow,
)

OWN_SCHEMES = frozenset({"starter"})
"""Schemes of identifiers that lead nowhere outside this site."""


def gather(
    session: Session,
    person: Person,
    identifiers: Iterable[tuple[str, str]],
    claims: Sequence[ClaimFacts] = (),
    standing: Standing = UNCLAIMED,
) -> Evidence:
    """What the record holds about a person. Two statements.

    Args:
        session: Of the record.
        person: Whose works are looked at.
        identifiers: Scheme and value of those that sources state for the person.
        claims: Of the person's works, with their verdicts; those of other works are left out.
        standing: What accounts have said.
    """
    rows = session.execute(
        select(Work.id, Work.title, Work.covered, Work.is_oa, Work.source_id, Work.field_sources,
               Authorship.author_ids, Authorship.decided_by, Authorship.source_id.label("bond_source"))
        .join(Authorship, Authorship.work_id == Work.id)
        .where(Authorship.person_id == person.id, Work.deleted_at.is_(None))
        .order_by(Work.id, Authorship.position)
    ).all()  # fmt: skip
    read, attached = _stated(session, person.id)
    confirmed = dict(standing.confirmed)
    works = {
        row.id: _facts(row, person.orcid, confirmed, read[row.id], attached[row.id]) for row in rows
    }
    return Evidence(
        person=person.id,
        name=person.display_name,
        orcid=person.orcid or "",
        identifiers=tuple(sorted(pair for pair in identifiers if pair[0] not in OWN_SCHEMES)),
        works=tuple(works.values()),
        claims=tuple(claim for claim in claims if claim.work in works),
        standing=standing,
    )


def works_of_person(session: Session, person: int) -> list[int]:
    """Numbers of the works of a person, in order. One statement."""
    rows = session.scalars(
        select(Authorship.work_id)
        .join(Work, Work.id == Authorship.work_id)
        .where(Authorship.person_id == person, Work.deleted_at.is_(None))
        .order_by(Authorship.work_id)
    )
    return list(rows)


def authors_of(session: Session, works: Collection[int]) -> dict[int, set[int]]:
    """Work to the numbers of the persons who wrote it, as far as decided. One statement, or none."""
    found: dict[int, set[int]] = {}
    if works:
        rows = session.execute(
            select(Authorship.work_id, Authorship.person_id).where(Authorship.work_id.in_(works))
        )
        for work, person in rows:
            if person is not None:
                found.setdefault(work, set()).add(person)
    return found


def _facts(
    row: Any,
    orcid: str | None,
    confirmed: Mapping[int, str],
    read: Mapping[int, Origin],
    attached: Sequence[Any],
) -> WorkFacts:
    covered = frozenset(row.covered.split()) & frozenset(KINDS)
    fields = orjson.loads(row.field_sources) if row.field_sources else {}
    links: dict[str, int] = {}
    for one in attached:
        if one.sort == "artifact":
            links.setdefault(one.kind, one.source_id)
    is_open = (
        Looked.FOUND if row.is_oa else _without(row.is_oa is False or "open_access" in covered)
    )
    return WorkFacts(
        work=row.id,
        title=row.title,
        bond="confirmed" if row.id in confirmed else _bond(row, orcid),
        bond_origin=Origin(HERE, confirmed[row.id])
        if row.id in confirmed
        else read.get(row.bond_source),
        open_access=is_open,
        open_origin=read.get(fields.get("is_oa", row.source_id)),
        code=_linked("code", links, covered),
        code_origin=read.get(links.get("code", -1)),
        data=_linked("data", links, covered),
        data_origin=read.get(links.get("data", -1)),
        notices=tuple(
            Notice(
                one.kind, one.date or "", one.url or "", read.get(one.source_id, Origin("a source"))
            )
            for one in attached
            if one.sort == "notice"
        ),
        looked_for=covered,
        read=tuple(read.values()),
    )


def _linked(kind: str, links: Mapping[str, int], covered: frozenset[str]) -> Looked:
    return Looked.FOUND if kind in links else _without("artifacts" in covered)


def _without(looked: bool) -> Looked:
    return Looked.NOT_FOUND if looked else Looked.NOT_LOOKED_FOR


def _bond(row: Any, orcid: str | None) -> Bond:
    """The strongest of what sources and this site say to tie a work to the person."""
    rule = row.decided_by or "name"
    if orcid and f"orcid:{orcid}" in (row.author_ids or "").split("\n"):
        return "orcid"
    if rule.startswith(EVENT):
        return "decided"
    if rule == "orcid" or rule.startswith("id:"):
        return "source"
    return "evidence" if rule.startswith("name+") else "name"


def _stated(
    session: Session, person: int
) -> tuple[defaultdict[int, dict[int, Origin]], defaultdict[int, list[Any]]]:
    """Work to its sources and when each was read; work to code, data and notices. One statement."""
    theirs = select(Authorship.work_id).where(Authorship.person_id == person)
    parts = union_all(
        select(
            literal("read").label("sort"), SourceRecord.id.label("id"), SourceRecord.work_id.label("work_id"),
            Source.name.label("kind"), cast(null(), String).label("date"), cast(null(), Text).label("url"),
            SourceRecord.source_id.label("source_id"), SourceRecord.retrieved_at.label("at"),
        )
        .join(Source, Source.id == SourceRecord.source_id)
        .where(SourceRecord.work_id.in_(theirs)),
        select(
            literal("artifact"), Artifact.id, Artifact.work_id, Artifact.kind, cast(null(), String),
            Artifact.url, Artifact.source_id, cast(null(), SourceRecord.retrieved_at.type),
        ).where(Artifact.work_id.in_(theirs)),
        select(
            literal("notice"), NoticeRow.id, NoticeRow.work_id, NoticeRow.kind, NoticeRow.date,
            NoticeRow.url, NoticeRow.source_id, cast(null(), SourceRecord.retrieved_at.type),
        ).where(NoticeRow.work_id.in_(theirs)),
    ).subquery()  # fmt: skip
    read: defaultdict[int, dict[int, Origin]] = defaultdict(dict)
    attached: defaultdict[int, list[Any]] = defaultdict(list)
    for row in session.execute(
        select(parts).order_by(parts.c.sort, parts.c.source_id, parts.c.at, parts.c.id)
    ):
        if row.sort == "read":
            read[row.work_id][row.source_id] = Origin(row.kind, row.at.date().isoformat())
        else:
            attached[row.work_id].append(row)
    return read, attached
