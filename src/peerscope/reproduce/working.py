"""An attempt in the making: a folder that keeps finished seeds until all of them are there.

::

    running/<paper>-<protocol>-<profile>/
        state.json       what the seeds fit to, and when the attempt began
        seeds/0.json     figures of a finished seed
        made/0.json      hashes of the code that made it, and what guarded it
        logs/0.txt       what it said
        attempt/         the attempt as it is sealed, at the end

Every step is one rename, so that a run that is killed leaves the old state or the new.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import platform
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from peerscope.reproduce.attempts import (
    SUMS,
    DamagedAttempt,
    Seed,
    read_attempt,
    read_seed,
    write_json,
)  # fmt: skip
from peerscope.reproduce.claims import Claim, Paper
from peerscope.reproduce.environment import file_hash
from peerscope.reproduce.harness import finish
from peerscope.reproduce.protocol import Protocol
from peerscope.reproduce.verdict import judge

LONGEST_LOGS = 24 * 2**20


class BusyRun(RuntimeError):
    """Another process runs this protocol under this profile."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be run.

    Attributes:
        paper: Whose protocol.
        origin: ``module:name`` that offers the paper.
        protocol: What is run.
        profile: Under which of its profiles.
        seeds: How many, numbered from 0.
        by: Who runs it, as they want to be named.
    """

    paper: Paper
    origin: str
    protocol: Protocol
    profile: str
    seeds: int
    by: str = ""

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.paper.slug}-{self.protocol.name}-{self.profile}"

    def fit(self) -> dict[str, Any]:
        """What finished seeds must have been made with to be gone on from."""
        chosen = self.protocol.profiles[self.profile]
        checks = [
            [claim.id, *(check.condition() for check in claim.checks_for(self.profile))]
            for claim in self.paper.tested_by(self.protocol.name, self.profile)
        ]
        fit = {
            "protocol": [self.protocol.name, self.protocol.version, self.protocol.entry],
            "settings": dict(chosen.settings),
            "device": chosen.device,
            "number of seeds": self.seeds,
            "claims": checks,
            "versions": {"python": platform.python_version(), **_versions("numpy", "torch")},
        }
        plain: dict[str, Any] = json.loads(json.dumps(fit))
        return plain


class Working:
    """The folder of an attempt in the making, held by one process.

    Args:
        folder: It; made if missing.
        plan: What is run.

    Attributes:
        begun_anew: Why finished seeds were not gone on from; empty if there were none, or they fit.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder = folder
        self.plan = plan
        self.begun_anew = ""
        state = self._state()
        if folder.exists() and not self.sealed():
            self.begun_anew = self._misfit(state)
            if self.begun_anew:
                self.remove()
                state = {}
        for name in ("seeds", "made", "logs"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        if not state:
            state = {
                "fit": plan.fit(),
                "started": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            write_json(folder / "state.json", state)
        self._started = datetime.fromisoformat(state["started"])

    def finished(self) -> list[int]:
        """Seeds that need not be run again."""
        return [seed for seed in range(self.plan.seeds) if self._seed(seed).exists()]

    def log(self, seed: int) -> Path:
        """Where the log of a seed is kept."""
        return self.folder / "logs" / f"{seed}.txt"

    def accept(self, seed: int, out: Path, guarded: str) -> None:
        """Take in what a process handed back for a seed.

        Args:
            seed: Which one.
            out: Folder with ``seeds/N.json`` and ``code.json``.
            guarded: What kept it from network and machine.

        Raises:
            DamagedAttempt: It is not what a seed of this protocol hands back.
        """
        path = out / "seeds" / f"{seed}.json"
        found = read_seed(path)
        self._demand(found, seed)
        code = json.loads((out / "code.json").read_text())
        write_json(self.folder / "made" / f"{seed}.json", {"code": code, "guarded": guarded})
        path.replace(self._seed(seed))

    def seal(self, failure: str = "", guarded: str = "") -> Path:
        """Make the attempt of what there is.

        Args:
            failure: Why it failed; empty if it did not.
            guarded: What kept a seed that failed from network and machine.

        Returns:
            The sealed folder.
        """
        attempt = self.folder / "attempt"
        if self.sealed():
            return attempt
        shutil.rmtree(attempt, ignore_errors=True)
        (attempt / "seeds").mkdir(parents=True)
        for seed in self.finished():
            shutil.copyfile(self._seed(seed), attempt / "seeds" / f"{seed}.json")
        (attempt / "log.txt").write_bytes(self._logs())
        failure = failure or self._undecidable()
        finish(
            attempt, self.plan.paper, self.plan.protocol, self.plan.profile, range(self.plan.seeds),
            started=self._started, failure=failure, by=self.plan.by, guarded=self._guarded(guarded),
        )  # fmt: skip
        return attempt

    def sealed(self) -> bool:
        """Whether there is a whole attempt, left by a run that was killed before it was taken in."""
        if not (self.folder / "attempt" / SUMS).exists():
            return False
        with contextlib.suppress(DamagedAttempt):
            return bool(read_attempt(self.folder / "attempt"))
        return False

    def remove(self) -> None:
        """Take the folder away, in one step."""
        gone = self.folder.with_name(f".gone-{self.folder.name}")
        shutil.rmtree(gone, ignore_errors=True)
        self.folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _seed(self, seed: int) -> Path:
        return self.folder / "seeds" / f"{seed}.json"

    def _state(self) -> dict[str, Any]:
        try:
            found = json.loads((self.folder / "state.json").read_text())
            datetime.fromisoformat(found["started"])
            return dict(found) if isinstance(found["fit"], dict) else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def _misfit(self, state: dict[str, Any]) -> str:
        seeds = list((self.folder / "seeds").glob("*.json"))
        if not state:
            return "its state cannot be read" if seeds else ""
        fit = self.plan.fit()
        changed = [name for name in fit if state["fit"].get(name) != fit[name]]
        if not changed and not all(self._code_fits(path.stem) for path in seeds):
            changed = ["code"]
        if not changed:
            return ""
        return f"{' and '.join(changed)} changed since"

    def _code_fits(self, seed: str) -> bool:
        try:
            made = json.loads((self.folder / "made" / f"{seed}.json").read_text())
            return all(file_hash(Path(path)) == sha for path, sha in made["code"].items())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return False

    def _demand(self, found: Seed, seed: int) -> None:
        if found.seed != seed:
            raise DamagedAttempt(f"It handed back the seed {found.seed}, not {seed}.")
        for name in found.figures:
            if self.plan.protocol.described(name) is None:
                raise DamagedAttempt(
                    f"It handed back a figure {name!r:.80}, which it does not declare."
                )
        for claim in self._claims():
            for name in claim.needs(self.plan.profile):
                if name not in found.figures:
                    raise DamagedAttempt(
                        f"It handed back no figure {name!r}, which {claim.id} needs."
                    )

    def _undecidable(self) -> str:
        figures = [read_seed(self._seed(seed)).figures for seed in self.finished()]
        try:
            for claim in self._claims() if len(figures) == self.plan.seeds else ():
                judge(claim, self.plan.profile, figures)
        except ValueError as error:
            return str(error)
        return ""

    def _claims(self) -> Sequence[Claim]:
        return self.plan.paper.tested_by(self.plan.protocol.name, self.plan.profile)

    def _logs(self) -> bytes:
        most = LONGEST_LOGS // self.plan.seeds
        logs = {seed: self.log(seed) for seed in range(self.plan.seeds)}
        found = [
            f"Seed {seed}:\n".encode() + path.read_bytes()[-most:]
            for seed, path in logs.items()
            if path.exists()
        ]
        return b"".join(found)

    def _guarded(self, also: str) -> str:
        found: dict[str, None] = {also: None} if also else {}
        for path in sorted((self.folder / "made").glob("*.json")):
            found[json.loads(path.read_text())["guarded"]] = None
        return " / ".join(found)


@contextlib.contextmanager
def held(root: Path, plan: Plan) -> Iterator[Working]:
    """The working folder of a plan, for this process alone.

    Args:
        root: Folder of all that are in the making.
        plan: What is run.

    Raises:
        BusyRun: Another process holds it.
    """
    root.mkdir(parents=True, exist_ok=True)
    with (root / f".{plan.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyRun(
                f"Another process runs {plan.protocol.name} under the profile {plan.profile} here."
            ) from None
        yield Working(root / plan.name, plan)


def _versions(*names: str) -> dict[str, str]:
    found = {}
    for name in names:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
