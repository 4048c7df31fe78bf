"""A paper whose protocol takes no time, run for real by the harness."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from peerscope.reproduce.attempts import Attempt, read_attempt
from peerscope.reproduce.claims import Check, Claim, Paper
from peerscope.reproduce.harness import finish, measure
from peerscope.reproduce.people import Person
from peerscope.reproduce.protocol import Profile, Protocol, Trial

JOSIAH = Person("Josiah Carberry", "0000-0002-1825-0097")
"""ORCID's own fictitious researcher."""

OTHER = Person("Laure Haak", "0000-0001-5109-3700")
"""The example of ORCID's documentation."""

NASTY = 'x <script>alert("1")</script> | *b* `c` [d](e) \n# f & “ü” 日本'


def run(trial: Trial) -> None:
    chance = np.random.default_rng(trial.seed)
    if trial["fails"] and trial.seed == 1:
        raise RuntimeError("out of luck")
    trial.data("dice", np.arange(6))
    trial.figure("acc/a", 60 + chance.normal(0, 0.1))
    trial.figure("acc/b", 65 + chance.normal(0, 0.1))
    trial.figure("acc/zero", 0.0)
    trial.figure("right/a", (chance.random(50) < 0.5).astype(float))
    trial.figure("right/b", (chance.random(50) < 0.5).astype(float))
    trial.curve("acc over steps", "a", [0, 1], [50.0, 60.0])
    trial.log("seed", trial.seed, NASTY)


QUICK = Protocol(
    name="quick", version=2, entry="export_cases:run", summary=f"Throws dice. {NASTY}",
    figures={"acc/*": "accuracy in %", "right/*": "1 for each right answer"}, data=("dice",),
    profiles={
        "cpu": Profile({"fails": False}, seeds=3), "gpu": Profile({"fails": True}, seeds=3),
        "tiny": Profile({"fails": False}, seeds=1),
    },
)  # fmt: skip


def _claim(id: str, *checks: Check, **more) -> Claim:
    return Claim(
        id=id, statement=f"{id} is so. {NASTY}", metric="accuracy in %", location="table 1", protocol="quick",
        checks=checks, profiles={"cpu": "dice instead of images", "gpu": ""}, **more,
    )  # fmt: skip


PAPER = Paper(
    slug="quick-paper",
    title=f"A quick paper {NASTY}",
    identifiers=("arxiv:2401.00001", "doi:10.5555/quick", "venue:quick-1"),
    version="v2",
    claims=(
        _claim("quick-1", Check("b is better", "acc/b", "acc/a"), reported="+5 points"),
        _claim("quick-2", Check("a is better", "acc/a", "acc/b")),
        _claim("quick-3", Check("b is more often right", "right/b", "right/a")),
        _claim("quick-4", Check("about 50 %", "acc/a", relation="within", bound=50.0, tolerance=1.0)),
        _claim("quick-5", Check("b is better", "acc/b", "acc/a"), Check("a is above 70", "acc/a", bound=70.0)),
        _claim("quick-6", Check("a ratio", "acc/a", "acc/zero", compare="ratio", bound=1.0)),
    ),
    protocols=(QUICK,),
    known="The abstract was read.",
    learned=f"Dice fall. {NASTY}",
)  # fmt: skip

STATES = {
    "quick-1": "reproduced", "quick-2": "not_reproduced", "quick-3": "not_resolved", "quick-4": "exceeded",
    "quick-5": "partly", "quick-6": None,
}  # fmt: skip
"""Claim to the state that its figures have to give under the profile cpu."""


def attempt_in(
    folder: Path, profile: str = "cpu", *, by: str = "", paper: Paper = PAPER, day: int = 1
) -> Attempt:
    """Run all seeds and seal the folder, with a start on a day of January 2026."""
    protocol = paper.protocol("quick")
    (folder / "seeds").mkdir(parents=True)
    failure, lines = "", []
    seeds = range(protocol.profiles[profile].seeds)
    for seed in seeds:
        try:
            measure(paper, protocol, profile, seed, folder, lines.append)
        except RuntimeError as error:
            failure = f"Seed {seed}: {error!r} {NASTY}"
            break
    (folder / "log.txt").write_text("\n".join(lines) + "\n")
    started = datetime(2026, 1, day, tzinfo=UTC)
    finish(folder, paper, protocol, profile, seeds, started=started, failure=failure, by=by)
    return read_attempt(folder)
