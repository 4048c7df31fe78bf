"""Running a protocol: its seeds in processes of their own, several at once, kept until all are there.

A seed that crashes, hangs, hands back what is no figure of it or passes a limit makes the attempt a failed
one, with its log and never with a verdict. A run that is interrupted or killed keeps its finished seeds.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil

from peerscope.reproduce.attempts import DamagedAttempt
from peerscope.reproduce.child import Asked
from peerscope.reproduce.limits import Limits, end_all
from peerscope.reproduce.store import Store
from peerscope.reproduce.working import Plan, Working, held

Moved = Callable[[str, int, int | None], None]
Told = Callable[[str], None]

PASSED_ON = (
    "PATH",
    "LANG",
    "LANGUAGE",
    "LD_LIBRARY_PATH",
    "TZ",
    "SYSTEMROOT",
    "ROCR_VISIBLE_DEVICES",
)
PASSED_ON_BEGINNINGS = ("LC_", "CUDA_", "NVIDIA_", "HIP_")
PATIENCE = 60.0
"""Seconds past its limit after which a supervisor is taken for dead."""
MOST_STAGES = 40
"""Kinds of progress of one seed that are told apart."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of running a protocol.

    Attributes:
        attempt: Id of the attempt in the store.
        failure: Why it failed; empty if it finished.
        gone_on: Seeds that an earlier run had finished.
    """

    attempt: str
    failure: str
    gone_on: int


def run_protocol(
    store: Store,
    plan: Plan,
    *,
    jobs: int = 1,
    moved: Moved = lambda what, done, total: None,
    told: Told = lambda sentence: None,
) -> Ran:
    """Run every seed of a protocol that is not finished yet, and keep what came of it as an attempt.

    Args:
        store: Where the attempt goes; what is in the making is kept beside it.
        plan: What is run.
        jobs: How many seeds at once.
        moved: Called with progress: of what, how much is done and how much there is.
        told: Called with sentences for whoever runs it.

    Raises:
        BusyRun: Another process runs it here.
        KeyboardInterrupt: It was interrupted; finished seeds are kept.
    """
    with held(store.running, plan) as working:
        if working.sealed():
            told("An earlier run had finished and was stopped before it was kept; it is kept now.")
            return _keep(store, working, "", 0)
        if working.begun_anew:
            told(f"An earlier run is not gone on from: {working.begun_anew}.")
        finished = working.finished()
        if finished:
            told(f"{len(finished)} of {plan.seeds} seeds are finished already.")
        failure, guarded = _Seeds(working, store.scratch, moved).run(jobs)
        working.seal(failure, guarded)
        return _keep(store, working, failure, len(finished))


def surroundings(scratch: Path, device: str) -> dict[str, str]:
    """The environment of a protocol: what it needs and nothing that tells of the machine's people.

    Args:
        scratch: Its folder, with ``home`` and ``tmp``.
        device: On ``cpu`` every library gets one thread.
    """
    found = {
        name: value
        for name, value in os.environ.items()
        if name in PASSED_ON or name.startswith(PASSED_ON_BEGINNINGS)
    }
    for name in ("PYTHONPATH", "PEERSCOPE_SHARED"):
        if os.environ.get(name):
            places = os.environ[name].split(os.pathsep)
            found[name] = os.pathsep.join(str(Path(one).absolute()) for one in places if one)
    threads = ["OPENBLAS_NUM_THREADS"]
    threads += ["OMP_NUM_THREADS", "MKL_NUM_THREADS"] if device == "cpu" else []
    return found | {
        "HOME": str(scratch / "home"),
        "TMPDIR": str(scratch / "tmp"),
        "PYTHONUTF8": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
        "PYTHONHASHSEED": "0",
        **dict.fromkeys(threads, "1"),
    }


def _keep(store: Store, working: Working, failure: str, gone_on: int) -> Ran:
    taken = store.take(working.folder / "attempt")
    working.remove()
    attempt = store.attempt(taken.id)
    if attempt is not None and not attempt.finished:
        failure = str(attempt.about["failure"])
    return Ran(taken.id, failure, gone_on)


class _Seeds:
    """The seeds of one attempt while they run."""

    def __init__(self, working: Working, scratch: Path, moved: Moved) -> None:
        self._working = working
        self._scratch = scratch
        self._moved = moved
        self._waiting = [
            seed for seed in range(working.plan.seeds) if seed not in working.finished()
        ]
        self._running: list[_Supervisor] = []
        self._selector = selectors.DefaultSelector()

    def run(self, jobs: int) -> tuple[str, str]:
        """Run what is waiting; why the first seed failed, if one did, and what guarded it."""
        self._count()
        try:
            while self._waiting or self._running:
                while self._waiting and len(self._running) < jobs:
                    self._start(self._waiting.pop(0))
                failed = self._look()
                if failed is not None:
                    return failed
        finally:
            for one in self._running:
                one.stop()
        return "", ""

    def _start(self, seed: int) -> None:
        one = _Supervisor(self._working, seed, self._scratch, self._moved)
        self._running.append(one)
        self._selector.register(one.output, selectors.EVENT_READ, one)

    def _look(self) -> tuple[str, str] | None:
        for key, _ in self._selector.select(1.0):
            key.data.read()
        for one in list(self._running):
            if not one.over():
                continue
            self._selector.unregister(one.output)
            failure = one.finish()
            self._running.remove(one)
            if failure:
                return f"Seed {one.seed}: {failure}", one.guarded
            self._count()
        return None

    def _count(self) -> None:
        plan = self._working.plan
        done = len(self._working.finished())
        self._moved(f"{plan.protocol.name}, seeds", done, plan.seeds)


class _Supervisor:
    """A process that supervises one seed, seen from here."""

    def __init__(self, working: Working, seed: int, scratch: Path, moved: Moved) -> None:
        self.seed = seed
        self.guarded = ""
        self._working = working
        self._moved = moved
        self._ended: str | None = None
        self._rest = b""
        self._open = True
        self._stages: set[str] = set()
        plan = working.plan
        chosen = plan.protocol.profiles[plan.profile]
        self._place = scratch / f"{plan.name}-{seed}"
        shutil.rmtree(self._place, ignore_errors=True)
        for name in ("home", "tmp", "out/seeds"):
            (self._place / name).mkdir(parents=True)
        self._place = self._place.resolve()
        asked = Asked(
            plan.origin, plan.paper.slug, plan.protocol.name, plan.profile, seed, chosen.device,
            self._place, working.log(seed).resolve(),
            Limits(chosen.seconds, chosen.memory_mb, chosen.disk_mb),
        )  # fmt: skip
        self._until = time.monotonic() + chosen.seconds + PATIENCE
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "peerscope.reproduce.child", *asked.command()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            cwd=self._place, env=surroundings(self._place, chosen.device), start_new_session=True,
        )  # fmt: skip

    @property
    def output(self) -> IO[bytes]:
        """What it tells."""
        return _there(self._process.stdout)

    def read(self) -> None:
        """Take in what it tells now."""
        data = os.read(self.output.fileno(), 2**16)
        self._open = bool(data)
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            with contextlib.suppress(ValueError):
                self._understand(json.loads(line))

    def over(self) -> bool:
        """Whether it told how the seed ended, ended itself, or is taken for dead."""
        return self._ended is not None or not self._open or time.monotonic() > self._until

    def finish(self) -> str:
        """Take in the seed; why it failed, if it did."""
        ended = self._ended
        if ended is None:
            ended = f"Its supervisor ended before it did. {self._last_words()}".strip()
        self.stop()
        if not ended:
            try:
                self._working.accept(self.seed, self._place / "out", self.guarded)
            except (DamagedAttempt, OSError, ValueError) as error:
                ended = str(error)
        shutil.rmtree(self._place, ignore_errors=True)
        return ended

    def stop(self) -> None:
        """End it and all that it started."""
        with contextlib.suppress(OSError):
            _there(self._process.stdin).close()
        try:
            self._process.wait(PATIENCE / 4)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(psutil.Error):
                end_all(psutil.Process(self._process.pid))
            self._process.kill()
            self._process.wait()

    def _last_words(self) -> str:
        if self._process.poll() is None:
            return ""
        said = _there(self._process.stderr).read(2**14).decode("utf-8", errors="replace").strip()
        return said.rpartition("\n")[2][:400]

    def _understand(self, message: dict[str, Any]) -> None:
        match message:
            case {"progress": [str(what), int(done), int(total)]}:
                self._stages.add(what)
                if len(self._stages) <= MOST_STAGES:
                    self._moved(f"seed {self.seed}: {what}", done, total)
            case {"guarded": str(guarded)}:
                self.guarded = guarded
            case {"ended": str(how)}:
                self._ended = how


def _there(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise RuntimeError("A process was started without its pipes.")
    return stream
