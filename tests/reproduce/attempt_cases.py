"""Sealed folders for tests: made by the harness, changed, and sealed again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peerscope.reproduce.attempts import SUMS, seal
from peerscope.reproduce.claims import Check, Claim, Paper
from peerscope.reproduce.harness import main
from peerscope.reproduce.protocol import Profile, Protocol, Trial

CHECK = Check("it is large", "value", bound=0.5)


def measured(trial: Trial) -> None:
    trial.log("<script>alert(1)</script>")
    trial.data("numbers", [1, 2])
    trial.figure("value", 1.0 + trial.seed / 1000)
    trial.figure("units", [0.1, 0.2, 0.3])
    trial.curve("value over steps", "it", [0, 1], [0.5, 1.0])


def fails(trial: Trial) -> None:
    trial.log("seed", trial.seed)
    if trial.seed:
        raise RuntimeError("no more")
    trial.figure("value", 1.0)


def claim(number: int = 1, protocol: str = "measured", **changes: Any) -> Claim:
    given: dict[str, Any] = {
        "id": f"kept-{number}", "statement": "It is large.", "metric": "a number", "location": "table 1",
        "protocol": protocol, "checks": (CHECK,), "profiles": {"cpu": "", "gpu": ""},
    }  # fmt: skip
    return Claim(**given | changes)


def protocol(name: str) -> Protocol:
    profiles = {
        "cpu": Profile({"size": 1}),
        "gpu": Profile({"size": 2}),
        "tiny": Profile({"size": 0}, seeds=1),
    }
    return Protocol(
        name, 1, f"{__name__}:{name}", "Measures.", {"value": "a number", "units": "some"}, profiles
    )


PAPER = Paper(
    "kept", "Kept", ("doi:10.1000/kept",), "first",
    (claim(), claim(2, "fails")), (protocol("measured"), protocol("fails")),
)  # fmt: skip


def made(folder: Path, name: str = "measured", profile: str = "cpu", by: str = "") -> Path:
    """An attempt that was just run, without the platform."""
    main(PAPER, name, ["--out", str(folder), "--profile", profile, "--by", by])
    return folder


def changed(sealed: Path, folder: Path, change: Callable[[Path], None]) -> Path:
    """A copy that was changed and then sealed by whoever changed it."""
    shutil.copytree(sealed, folder)
    (folder / SUMS).unlink()
    change(folder)
    seal(folder)
    return folder


def told(sealed: Path, folder: Path, **about: Any) -> Path:
    """A copy whose ``attempt.json`` says something else."""

    def change(copy: Path) -> None:
        path = copy / "attempt.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | about))

    return changed(sealed, folder, change)
