"""Edges of the graph that rooms above the record state: public reviews, and attempts on claims.

Nothing is concluded about anybody: a review counts for the person whose record its account owns, an attempt
for the person whose ORCID it names as who ran it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from functools import cached_property

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from peerscope.community.review_pages import reviews_of_people
from peerscope.discover.graph_shapes import Proof, Stated
from peerscope.record.models import Person
from peerscope.reproduce.kept import Kept
from peerscope.reproduce.overview import NOT_RUN, tally
from peerscope.reproduce.people import read_person
from peerscope.web.claims import work_numbers
from peerscope.web.site import Site

log = logging.getLogger(__name__)


class StatedHere:
    """What this site's accounts and attempts state; made for one request (`Elsewhere`)."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def __call__(self, works: Collection[int], people: Collection[int]) -> list[Stated]:
        """Statements about any of some works, or people. One statement to the accounts."""
        wanted, them = set(works), set(people)
        ran = [one for one in self._ran if one.work in wanted or one.person in them]
        return [*self._reviews(works, people), *ran]

    def _reviews(self, works: Collection[int], people: Collection[int]) -> list[Stated]:
        try:
            with self._site.community.reading() as session:
                found = reviews_of_people(session, works, people)
        except SQLAlchemyError:
            log.exception("Accounts cannot be read; the graph is shown without reviews.")
            return []
        return [
            Stated(
                "reviewed", one.work_id, one.person_id,
                f"reviewed it on {one.created_at.date().isoformat()}",
                Proof(
                    f"Review {one.id} of {one.created_at.date().isoformat()}, by the account "
                    f"“{one.name}”, which owns this person's record",
                    f"/reviews/{one.id}",
                    "a public review on this site",
                ),
            )
            for one in found
        ]  # fmt: skip

    @cached_property
    def _ran(self) -> list[Stated]:
        """What was run of every work whose claims were. Two statements to the record, or none."""
        overview = self._site.overview
        tried = {
            slug: (paper, overview.store.of_paper(slug))
            for slug, paper in overview.registry.papers.items()
        }
        tried = {slug: both for slug, both in tried.items() if both[1]}
        if not tried:
            return []
        with self._site.database.session() as session:
            works = work_numbers(session, [paper for paper, _ in tried.values()])
            orcids = {orcid for slug in works for one in tried[slug][1] if (orcid := _runner(one))}
            rows = session.execute(
                select(Person.orcid, Person.id).where(
                    Person.orcid.in_(orcids), Person.merged_into_id.is_(None)
                )
            )
            people = {orcid: number for orcid, number in rows if orcid}
        found: list[Stated] = []
        for slug, (work, _) in works.items():
            paper, attempts = tried[slug]
            counts = [one for one in tally(overview.of_paper(paper)) if one[0] != NOT_RUN]
            words = ", ".join(f"{number} {label}" for _, label, number in counts)
            if words:
                proof = Proof(f"Claims of the work: {words}", f"/works/W{work}#claims", "attempts")
                found.append(Stated("reproduced", work, None, words, proof))
            found += _by(attempts, work, people)
        return found


def _by(attempts: list[Kept], work: int, people: dict[str, int]) -> Iterator[Stated]:
    for one in attempts:
        person = people.get(_runner(one))
        if person is not None:
            day = one.ended.date().isoformat()
            verdicts = [verdict.state for verdict in one.verdicts.values()]
            said = f"{verdicts.count('reproduced')} of {len(verdicts)} claims reproduced"
            yield Stated(
                "reproduced", work, person, f"ran its claims on {day}",
                Proof(
                    f"Attempt {one.id} of {day}, profile {one.profile}: {said}. It names "
                    f"{one.about.get('by', '')} as who ran it.",
                    f"/attempts/{one.id}",
                    "a sealed attempt on this site",
                ),
            )  # fmt: skip


def _runner(attempt: Kept) -> str:
    """The ORCID that an attempt names; empty where it names none."""
    try:
        return read_person(str(attempt.about.get("by", ""))).orcid
    except ValueError:
        return ""
