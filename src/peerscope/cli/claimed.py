"""Whose claims are meant: a paper by its short name, its identifiers, or its number in the record."""

from __future__ import annotations

import re

from sqlalchemy import select

from peerscope.cli.context import open_record
from peerscope.cli.errors import CommandError
from peerscope.record.importers.bibliography import arxiv_of, doi_of
from peerscope.record.models import Authorship, Identifier, Person
from peerscope.record.read import entity_of_identifier
from peerscope.reproduce import Paper, Registry
from peerscope.settings import Settings


def find_paper(registry: Registry, wanted: str, settings: Settings) -> Paper:
    """A paper by short name, DOI, arXiv id or number of the site's record.

    Raises:
        CommandError: There is none, or the record has no such work.
    """
    name = wanted.strip()
    found = registry.find(name) or registry.find(arxiv_of(name) or doi_of(name) or name)
    if found is None and re.fullmatch(r"[Ww]\d{1,18}", name):
        for identifier in _identifiers(settings, int(name[1:])):
            found = found or registry.find(identifier)
        if found is None:
            raise CommandError(
                f"No installed package offers claims of {name}; there are: {_known(registry)}."
            )
    if found is None:
        raise CommandError(
            f"No installed package offers claims of {wanted!r:.200}; there are: {_known(registry)}."
        )
    return found


def _identifiers(settings: Settings, work: int) -> list[str]:
    known = select(Identifier.scheme, Identifier.value).where(
        Identifier.entity == "W", Identifier.entity_id == work
    )
    with open_record(settings, create=False).session() as session:
        found = [f"{scheme}:{value}" for scheme, value in session.execute(known)]
    if not found:
        raise CommandError(f"The record has no identifier of a work W{work}.")
    return sorted(found)


def authors_of(settings: Settings, paper: Paper) -> list[str]:
    """Names of a work's authors with their ORCIDs, as far as the site's record knows them."""
    if not settings.database_url and not (settings.home / "record.sqlite").exists():
        return []
    orcid = select(Identifier.value).where(
        Identifier.entity == "A", Identifier.scheme == "orcid", Identifier.entity_id == Person.id
    )
    with open_record(settings, create=False).session() as session:
        pairs = (one.split(":", 1) for one in paper.identifiers)
        found = {entity_of_identifier(session, "W", *pair) for pair in pairs} - {None}
        if len(found) != 1:
            return []
        written = (
            select(Authorship.raw_name, orcid.limit(1).scalar_subquery())
            .outerjoin(Person, Person.id == Authorship.person_id)
            .where(Authorship.work_id == found.pop())
            .order_by(Authorship.is_corresponding.desc(), Authorship.position)
        )
        return [f"{name} {number or ''}".strip() for name, number in session.execute(written)]


def _known(registry: Registry) -> str:
    return ", ".join(sorted(registry.papers)) or "none"
