"""An attempt in the store: what it says at hand, its figures read when they are wanted.

Figures are megabytes and verdicts take a while to compute, so beside each sealed folder there is a summary
(``verdicts/<id>.json``) of what lists of claims need. It follows from the folder and may be removed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from peerscope.reproduce.attempts import SUMS, Account, Attempt, Seed, read_known, write_json
from peerscope.reproduce.claims import Claim
from peerscope.reproduce.verdict import RULE, CheckResult, Verdict, judge

HELD = 16
"""Attempts whose figures stay in memory."""


@dataclass(frozen=True)
class Summary:
    """What lists need of an attempt's figures.

    Attributes:
        verdicts: Claim's id to verdict, by the checks that the claim had when the attempt was made.
        figures: Names of the figures that every seed has.
        numbers: Of the seeds that finished.
    """

    verdicts: Mapping[str, Verdict]
    figures: frozenset[str]
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Kept(Account):
    """An attempt in the store; it answers what an `Attempt` answers.

    Attributes:
        id: Of the attempt.
        folder: Where it is.
        about: ``attempt.json``.
        claims: As they were when it was made.
        summary: Of its figures.
    """

    id: str
    folder: Path
    about: Mapping[str, Any]
    claims: tuple[Claim, ...]
    summary: Summary

    @property
    def protocol(self) -> str:
        """Name of the protocol."""
        return str(self.about["protocol"]["name"])

    @property
    def paper(self) -> str:
        """Slug of the paper."""
        return str(self.about["paper"]["slug"])

    @property
    def verdicts(self) -> Mapping[str, Verdict]:
        """Claim's id to verdict, by the checks that the claim had when the attempt was made."""
        return self.summary.verdicts

    @property
    def figures(self) -> frozenset[str]:
        """Names of the figures that every seed has."""
        return self.summary.figures

    @property
    def files(self) -> list[str]:
        """Names of its files, the sums last."""
        seeds = [f"seeds/{number}.json" for number in self.summary.numbers]
        return ["attempt.json", *seeds, "log.txt", SUMS]

    @property
    def seeds(self) -> tuple[Seed, ...]:
        """What its seeds measured, read now."""
        return self.whole().seeds

    def claim(self, id: str) -> Claim | None:
        """A claim as it was when the attempt was made."""
        return next((claim for claim in self.claims if claim.id == id), None)

    def verdict(self, claim: Claim) -> Verdict | None:
        """What it says of a claim; ``None`` for a failed attempt or a profile that decides nothing.

        Raises:
            ValueError: It lacks a figure that the claim, as it is given, needs.
        """
        then = self.claim(claim.id)
        if not self.finished:
            return None
        if then is not None and then.checks == claim.checks and then.better == claim.better:
            return self.verdicts.get(claim.id)
        return judge(claim, self.profile, [seed.figures for seed in self.seeds])

    def whole(self) -> Attempt:
        """With its figures."""
        return _whole(self.folder, self.id)


@lru_cache(maxsize=HELD)
def _whole(folder: Path, id: str) -> Attempt:
    return read_known(folder, id)


def summarised(attempt: Attempt) -> Summary:
    """What lists need of an attempt.

    Raises:
        ValueError: The figures do not decide one of its claims at all.
    """
    judged = ((claim.id, attempt.verdict(claim)) for claim in attempt.claims)
    verdicts = {id: verdict for id, verdict in judged if verdict is not None}
    names = [seed.figures.keys() for seed in attempt.seeds]
    figures = frozenset(names[0]).intersection(*names) if names else frozenset[str]()
    return Summary(verdicts, figures, tuple(seed.seed for seed in attempt.seeds))


def write_summary(path: Path, summary: Summary) -> None:
    """Keep a summary."""
    write_json(
        path,
        {
            "rule": RULE,
            "verdicts": {id: asdict(verdict) for id, verdict in summary.verdicts.items()},
            "figures": sorted(summary.figures),
            "seeds": list(summary.numbers),
        },
    )


def read_summary(path: Path) -> Summary | None:
    """A summary that was kept; ``None`` if there is none, or by another rule."""
    try:
        kept = json.loads(path.read_text())
        if kept["rule"] != RULE:
            return None
        verdicts = {}
        for id, given in kept["verdicts"].items():
            checks = tuple(
                CheckResult(**{**check, "per_seed": tuple(check["per_seed"])})
                for check in given["checks"]
            )
            verdicts[id] = Verdict(**{**given, "checks": checks})
        return Summary(verdicts, frozenset(kept["figures"]), tuple(kept["seeds"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
