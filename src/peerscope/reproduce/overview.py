"""Claims beside the attempts of a store: what a page of claims, of a work or of a person shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from peerscope.reproduce.claims import Claim, Paper
from peerscope.reproduce.kept import Kept
from peerscope.reproduce.registry import Registry
from peerscope.reproduce.store import Standing, Store
from peerscope.reproduce.verdict import STATES, State, Verdict

NOT_RUN = "not_run"


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """A claim with what stands.

    Attributes:
        paper: Whose claim it is.
        claim: As it is stated now.
        standing: The verdict that stands, with its attempt.
        tried: Every attempt on the claim, newest first, failed ones included.
    """

    paper: Paper
    claim: Claim
    standing: Standing | None
    tried: tuple[Kept, ...]

    @property
    def attempt(self) -> Kept | None:
        """The attempt whose verdict stands."""
        return self.standing.attempt if self.standing else None

    @property
    def verdict(self) -> Verdict | None:
        """The verdict that stands."""
        return self.standing.verdict if self.standing else None

    @property
    def state(self) -> State | str:
        """The verdict's state, or ``not_run``."""
        return self.standing.verdict.state if self.standing else NOT_RUN

    @property
    def words(self) -> str:
        """The state in words."""
        return STATES[self.standing.verdict.state] if self.standing else "not run"

    @property
    def why_not_run(self) -> str:
        """Why the small profile cannot test it; empty where it can, or where a verdict stands."""
        if self.standing or "cpu" in self.claim.profiles:
            return ""
        return "; ".join(self.claim.not_run.values())


def tally(rows: Iterable[ClaimRow]) -> list[tuple[str, str, int]]:
    """State, its words and how many claims are in it, in one fixed order; states without a claim left out."""
    counted = Counter(row.state for row in rows)
    order = [*STATES.items(), (NOT_RUN, "not run")]
    return [(state, words, counted[state]) for state, words in order if counted[state]]


@dataclass(frozen=True)
class Overview:
    """What can be run and what was run.

    Attributes:
        registry: The claims that installed packages offer.
        store: The attempts of the site.
    """

    registry: Registry
    store: Store

    def rows(self) -> list[ClaimRow]:
        """Every claim, paper by paper."""
        return [row for paper in self.registry.papers.values() for row in self.of_paper(paper)]

    def of_work(self, identifiers: Iterable[tuple[str, str]]) -> list[ClaimRow]:
        """The claims of a work.

        Args:
            identifiers: Scheme and value of each of the work's outside identifiers.
        """
        known = {f"{scheme}:{value}".lower() for scheme, value in identifiers}
        return [
            row
            for paper in self.registry.papers.values()
            if any(one.lower() in known for one in paper.identifiers)
            for row in self.of_paper(paper)
        ]

    def of_paper(self, paper: Paper) -> list[ClaimRow]:
        """The claims of a paper."""
        return [self._row(paper, claim) for claim in paper.claims]

    def claim(self, id: str) -> ClaimRow | None:
        """One claim by its id."""
        found = self.registry.claim(id)
        return self._row(*found) if found else None

    def verdicts(self, attempt: Kept) -> list[tuple[Claim, Verdict | None]]:
        """What an attempt says of each claim that it was made for, as stated now where it still fits."""
        found = []
        for then in attempt.claims:
            now = self.registry.claim(then.id)
            verdict = self.says(attempt, *now) if now else None
            found.append(
                (now[1], verdict) if now and verdict else (then, attempt.verdicts.get(then.id))
            )
        return found

    def says(self, attempt: Kept, paper: Paper, claim: Claim) -> Verdict | None:
        """The verdict of an attempt on a claim as it is stated now, if it speaks to it."""
        version = paper.protocol(claim.protocol).version
        standing = self.store.standing_of(attempt, claim, version)
        return standing.verdict if standing else None

    def _row(self, paper: Paper, claim: Claim) -> ClaimRow:
        tried = tuple(self.store.of_claim(claim.id))
        standing = self.store.standing(claim, paper.protocol(claim.protocol).version, tried)
        return ClaimRow(paper, claim, standing, tried)
