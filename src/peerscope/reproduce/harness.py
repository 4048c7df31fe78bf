"""Running a protocol: one seed in this process, or all of them without the platform.

``python -m peerscope.reproduce.protocols.NAME --out DIR`` comes here; it needs what the protocol needs and
nothing of the platform, and its folder is taken in with ``peerscope reproduce import DIR``. A run that was
stopped goes on with the seeds that are not finished. `peerscope.reproduce.runner` calls `measure` in a
process of its own, under limits.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from peerscope.reproduce.attempts import FORMAT, DamagedAttempt, read_attempt, seal, write_json
from peerscope.reproduce.claims import Claim, Paper
from peerscope.reproduce.environment import code_hashes, digest, environment
from peerscope.reproduce.protocol import Protocol, Trial, WrongFigure

Told = Callable[[str], None]
Moved = Callable[[str, int, int], None]


def seed_file(folder: Path, seed: int) -> Path:
    """Where a seed's figures are written."""
    return folder / "seeds" / f"{seed}.json"


def measure(
    paper: Paper,
    protocol: Protocol,
    profile: str,
    seed: int,
    folder: Path,
    told: Told,
    moved: Moved = lambda what, done, total: None,
) -> None:
    """Run one seed here and write its figures as a whole file.

    Args:
        paper: Whose protocol it is.
        protocol: What is run.
        profile: Under which of its profiles.
        seed: From 0.
        folder: Of the attempt that is being made.
        told: Called with each line of the log.
        moved: Called with progress.

    Raises:
        WrongFigure: It handed back a figure that is none of its own, or not one that a claim needs.
        Exception: Whatever the protocol raises.
    """
    chosen = protocol.profiles[profile]
    trial = Trial(protocol, seed, chosen.settings, chosen.device, told, moved)
    began, wall, busy = datetime.now(UTC), time.perf_counter(), time.process_time()
    protocol.function()(trial)
    demand_figures(paper.tested_by(protocol.name, profile), profile, trial)
    write_json(
        seed_file(folder, seed),
        {
            "seed": seed,
            "figures": trial.figures,
            "curves": trial.curves,
            "data": trial.hashes,
            "code": digest(code_hashes(protocol.entry)),
            "started": began.isoformat(timespec="seconds"),
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - wall, 1),
            "processor_seconds": round(time.process_time() - busy, 1),
            "peak_memory_mb": _peak(),
            "environment": environment(),
        },
    )


def demand_figures(claims: Sequence[Claim], profile: str, trial: Trial) -> None:
    """Refuse a trial without a figure that a claim needs.

    Raises:
        WrongFigure: Names the figure and the claim.
    """
    if not trial.figures:
        raise WrongFigure(f"{trial.protocol.name} put down no figure.")
    for claim in claims:
        for name in claim.needs(profile):
            if name not in trial.figures:
                raise WrongFigure(
                    f"{trial.protocol.name} put down no figure {name!r}, which {claim.id} needs."
                )


def finish(
    folder: Path,
    paper: Paper,
    protocol: Protocol,
    profile: str,
    seeds: Sequence[int],
    *,
    started: datetime,
    failure: str = "",
    by: str = "",
    guarded: str = "",
) -> str:
    """Write ``attempt.json`` and seal the folder.

    Args:
        folder: With the finished seeds and ``log.txt``.
        paper: Whose protocol was run.
        protocol: What was run.
        profile: Under which profile.
        seeds: Those that were to be run.
        started: When the attempt began, the first time if it was stopped in between.
        failure: Why it failed; empty if it finished.
        by: Who ran it, as they want to be named.
        guarded: What kept it from network and machine.

    Returns:
        The attempt's id.
    """
    found = [
        json.loads(path.read_text()) for seed in seeds if (path := seed_file(folder, seed)).exists()
    ]
    if not failure and len(found) < len(seeds):
        failure = "Not every seed finished."
    if not failure and len({one["code"] for one in found}) > 1:
        failure = "The code changed between two seeds; their figures must not be compared."
    if not failure and len({digest(one["data"]) for one in found}) > 1:
        failure = "The data changed between two seeds; their figures must not be compared."
    chosen = protocol.profiles[profile]
    write_json(
        folder / "attempt.json",
        {
            "format": FORMAT,
            "state": "failed" if failure else "finished",
            "failure": failure,
            "paper": {
                "slug": paper.slug, "title": paper.title, "version": paper.version,
                "identifiers": list(paper.identifiers),
            },
            "protocol": {
                "name": protocol.name, "version": protocol.version, "entry": protocol.entry,
                "summary": protocol.summary, "figures": dict(protocol.figures), "data": list(protocol.data),
            },
            "profile": profile,
            "settings": {k: list(v) if isinstance(v, tuple) else v for k, v in chosen.settings.items()},
            "limits": {"seconds": chosen.seconds, "memory_mb": chosen.memory_mb, "disk_mb": chosen.disk_mb},
            "seeds": list(seeds),
            "claims": [claim.to_dict() for claim in paper.tested_by(protocol.name, profile)],
            "environment": found[0]["environment"] if found else environment(),
            "by": by,
            "guarded": guarded,
            "started": started.isoformat(timespec="seconds"),
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    )  # fmt: skip
    return seal(folder)


def main(paper: Paper, name: str, given: Sequence[str] | None = None) -> None:
    """The command line of one protocol: ``--out DIR [--profile P] [--seeds N] [--by NAME]``.

    Seeds run one after the other in this process, without limits on time, memory or network.
    """
    protocol = paper.protocol(name)
    parser = argparse.ArgumentParser(prog=f"python -m {protocol.entry.partition(':')[0]}",
                                     description=protocol.summary)  # fmt: skip
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the attempt; made if missing"
    )
    parser.add_argument("--profile", choices=sorted(protocol.profiles), default="cpu")
    parser.add_argument("--seeds", type=int, help="how many; the profile's if not given")
    parser.add_argument("--by", default="", help="who runs it")
    asked = parser.parse_args(given)
    chosen = protocol.profiles[asked.profile]
    number = asked.seeds or chosen.seeds
    if number < 1:
        parser.error("--seeds is 1 or more.")
    try:
        attempt = _all(paper, protocol, asked.profile, range(number), asked.out, asked.by)
    except DamagedAttempt as error:
        parser.exit(1, f"{error}\n")
    print(f"Attempt {attempt}: {asked.out}")


def _all(
    paper: Paper, protocol: Protocol, profile: str, seeds: Sequence[int], out: Path, by: str
) -> str:
    if (out / "SHA256SUMS").exists():
        return read_attempt(out).id
    (out / "seeds").mkdir(parents=True, exist_ok=True)
    started = datetime.now(UTC)
    failure = ""
    with (out / "log.txt").open("a", encoding="utf-8") as log:

        def told(line: str) -> None:
            print(line, file=sys.stderr, flush=True)
            log.write(line + "\n")
            log.flush()

        for seed in seeds:
            if seed_file(out, seed).exists():
                told(f"Seed {seed} is finished already.")
                continue
            told(f"Seed {seed} begins.")
            try:
                measure(paper, protocol, profile, seed, out, told)
            except Exception as error:
                told(traceback.format_exc())
                failure = f"Seed {seed}: {error!r}"
                break
    return finish(out, paper, protocol, profile, seeds, started=started, failure=failure, by=by)


def _peak() -> int | None:
    try:
        import resource
    except ImportError:
        return None
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // scale
