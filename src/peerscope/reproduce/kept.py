"""An attempt in the store: what it says and its verdicts at hand, its figures read when they are wanted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from peerscope.reproduce.attempts import Attempt, Seed, read_known, write_json
from peerscope.reproduce.claims import Claim
from peerscope.reproduce.verdict import RULE, CheckResult, Verdict


@dataclass(frozen=True)
class Kept:
    """An attempt in the store; it answers what an `Attempt` answers.

    Attributes:
        id: Of the attempt.
        folder: Where it is.
        about: ``attempt.json``.
        claims: As they were when it was made.
        verdicts: Claim's id to what the figures say of it, by the present rule.
    """

    id: str
    folder: Path
    about: Mapping[str, Any]
    claims: tuple[Claim, ...]
    verdicts: Mapping[str, Verdict]

    @property
    def finished(self) -> bool:
        """Whether every seed finished; only then there are verdicts."""
        return bool(self.about["state"] == "finished")

    @property
    def profile(self) -> str:
        """Name of the profile."""
        return str(self.about["profile"])

    @property
    def protocol(self) -> str:
        """Name of the protocol."""
        return str(self.about["protocol"]["name"])

    @property
    def paper(self) -> str:
        """Slug of the paper."""
        return str(self.about["paper"]["slug"])

    @property
    def ended(self) -> datetime:
        """When it ended."""
        return datetime.fromisoformat(self.about["ended"])

    @property
    def seeds(self) -> tuple[Seed, ...]:
        """What its seeds measured, read now."""
        return self.whole().seeds

    def claim(self, id: str) -> Claim | None:
        """A claim as it was when the attempt was made."""
        return next((claim for claim in self.claims if claim.id == id), None)

    def verdict(self, claim: Claim) -> Verdict | None:
        """What it says of a claim, by the checks that the claim had when it was made."""
        return self.verdicts.get(claim.id)

    def log(self) -> str:
        """The log's text."""
        return (self.folder / "log.txt").read_text("utf-8", errors="replace")

    def whole(self) -> Attempt:
        """With its figures."""
        return read_known(self.folder, self.id)


def verdicts_of(attempt: Attempt) -> dict[str, Verdict]:
    """Claim's id to verdict; empty for a failed attempt.

    Raises:
        ValueError: The figures do not decide one of its claims at all.
    """
    judged = ((claim.id, attempt.verdict(claim)) for claim in attempt.claims)
    return {id: verdict for id, verdict in judged if verdict is not None}


def write_verdicts(path: Path, verdicts: Mapping[str, Verdict]) -> None:
    """Keep verdicts, which take a while to compute; they may be removed at any time."""
    found = {id: verdict.to_dict() for id, verdict in verdicts.items()}
    write_json(path, {"rule": RULE, "verdicts": found})


def read_verdicts(path: Path) -> dict[str, Verdict] | None:
    """Verdicts that were kept; ``None`` if there are none, or by another rule."""
    try:
        kept = json.loads(path.read_text())
        if kept["rule"] != RULE:
            return None
        found = {}
        for id, given in kept["verdicts"].items():
            checks = tuple(
                CheckResult(**{**check, "per_seed": tuple(check["per_seed"])})
                for check in given["checks"]
            )
            found[id] = Verdict(**{**given, "checks": checks})
        return found
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
