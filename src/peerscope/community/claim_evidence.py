"""What the record says that bears on a claim: names, ORCID iDs, institutions, joint works."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from peerscope.community.domains import Place
from peerscope.record.bulk import chunks
from peerscope.record.models import (
    Authorship,
    AuthorshipInstitution,
    Identifier,
    Institution,
    Person,
    Work,
)
from peerscope.record.names import compatible, parse_name
from peerscope.record.text import name_key

LONGEST_CHAIN = 50
"""Merges that are followed from one record to the next."""

MOST_SHARING = 3
"""Institutions that may share a domain for it to say of which of them somebody is."""


@dataclass(frozen=True, slots=True)
class At:
    """An institution that works of the person state."""

    id: int
    label: str
    ror: str | None

    def is_at(self, place: Place) -> bool:
        """Whether a domain is this institution's: by ROR id where the record has one, else by name."""
        if self.ror:
            return self.ror in {ror for ror, _ in place.institutions}
        return name_key(self.label) in place.name_keys


@dataclass(frozen=True, slots=True)
class Facts:
    """A person's record, as far as a claim is concerned."""

    person_id: int
    display_name: str
    names: tuple[str, ...]
    orcids: tuple[str, ...]
    institutions: tuple[At, ...]
    block_keys: tuple[str, ...]

    def bears(self, name: str) -> bool:
        """Whether a name could be this person's: compatible with one in the record."""
        given = parse_name(name)
        return any(compatible(given, parse_name(one)) for one in self.names)

    def bears_in_full(self, name: str) -> bool:
        """As `bears`, with the given name written out on both sides: initials fit too many people."""
        given = parse_name(name)
        return given.has_full_given and any(
            compatible(given, other) and other.has_full_given
            for other in (parse_name(one) for one in self.names)
        )


def current_person(record: Session, person_id: int) -> Person | None:
    """The person of a number, or the one that they were merged into; ``None`` where there is none."""
    for _ in range(LONGEST_CHAIN):
        person = record.get(Person, person_id)
        if person is None or person.merged_into_id is None:
            return person
        person_id = person.merged_into_id
    return None


def heirs_of(record: Session, person_ids: Collection[int]) -> dict[int, int]:
    """Those of the people who were merged into others, with who they are now."""
    merged: dict[int, int] = {}
    wanted = set(person_ids)
    for _ in range(LONGEST_CHAIN):
        found: dict[int, int] = {}
        for part in chunks(sorted(wanted)):
            rows = record.execute(
                select(Person.id, Person.merged_into_id).where(
                    Person.id.in_(part), Person.merged_into_id.is_not(None)
                )
            )
            found |= {row.id: int(row.merged_into_id) for row in rows}
        wanted = set(found.values()) - merged.keys() - found.keys()
        merged |= found
        if not wanted:
            break
    heirs = {}
    for one in person_ids:
        now, seen = one, {one}
        while now in merged and merged[now] not in seen:
            now = merged[now]
            seen.add(now)
        if now != one:
            heirs[one] = now
    return heirs


def facts_of(record: Session, person: Person) -> Facts:
    """What the record says of a person. Three statements."""
    names = record.execute(
        select(Authorship.raw_name, Authorship.block_key)
        .where(Authorship.person_id == person.id)
        .distinct()
        .order_by(Authorship.raw_name)
    ).all()
    orcids = record.scalars(
        select(Identifier.value).where(
            Identifier.entity == "A",
            Identifier.entity_id == person.id,
            Identifier.scheme == "orcid",
        )
    ).all()
    ror = (
        select(Identifier.value)
        .where(
            Identifier.entity == "I", Identifier.scheme == "ror",
            Identifier.entity_id == Institution.id,
        )
        .limit(1)
        .scalar_subquery()
    )  # fmt: skip
    institutions = record.execute(
        select(Institution.id, Institution.display_name, Institution.ror, ror.label("known"))
        .join(AuthorshipInstitution, AuthorshipInstitution.institution_id == Institution.id)
        .join(Authorship, Authorship.id == AuthorshipInstitution.authorship_id)
        .where(Authorship.person_id == person.id)
        .distinct()
        .order_by(Institution.display_name)
    ).all()
    stated = {_bare(one) for one in (*orcids, person.orcid) if one}
    return Facts(
        person.id,
        person.display_name,
        tuple(dict.fromkeys([person.display_name, *(row.raw_name for row in names)])),
        tuple(sorted(stated)),
        tuple(
            At(row.id, row.display_name, _bare(row.ror or row.known or "") or None)
            for row in institutions
        ),
        tuple(sorted({row.block_key for row in names})),
    )


def _bare(identifier: str) -> str:
    """An ORCID iD or ROR id without the address in front of it."""
    return identifier.rstrip("/").rsplit("/", 1)[-1].strip()


def namesakes_at(record: Session, facts: Facts, institution_ids: Collection[int]) -> int:
    """How many other people with such a name have works that state one of the institutions. One statement."""
    rows = record.execute(
        select(Authorship.person_id, Authorship.raw_name)
        .join(AuthorshipInstitution, AuthorshipInstitution.authorship_id == Authorship.id)
        .join(Person, Person.id == Authorship.person_id)
        .where(
            AuthorshipInstitution.institution_id.in_(institution_ids),
            Authorship.block_key.in_(facts.block_keys), Authorship.person_id != facts.person_id,
            Person.merged_into_id.is_(None),
        )
        .distinct()
    ).all()  # fmt: skip
    return len({row.person_id for row in rows if facts.bears(row.raw_name)})


def joint_works(record: Session, person_id: int, others: Collection[int]) -> dict[int, int]:
    """Those of the other people who wrote a work with this one, with one such work. One statement."""
    if not others:
        return {}
    ours, theirs = aliased(Authorship), aliased(Authorship)
    rows = record.execute(
        select(theirs.person_id, theirs.work_id)
        .join(ours, ours.work_id == theirs.work_id)
        .join(Work, Work.id == theirs.work_id)
        .where(
            ours.person_id == person_id, theirs.person_id.in_(others), theirs.person_id != person_id,
            Work.deleted_at.is_(None),
        )
        .order_by(theirs.work_id.desc())
    ).all()  # fmt: skip
    return {row.person_id: row.work_id for row in rows}


def coauthor_ids(record: Session, person_id: int) -> frozenset[int]:
    """Everybody who wrote a work with this person. One statement."""
    ours, theirs = aliased(Authorship), aliased(Authorship)
    rows = record.scalars(
        select(theirs.person_id)
        .join(ours, ours.work_id == theirs.work_id)
        .where(
            ours.person_id == person_id,
            theirs.person_id.is_not(None),
            theirs.person_id != person_id,
        )
        .distinct()
    )
    return frozenset(int(one) for one in rows if one is not None)
