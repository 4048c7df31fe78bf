"""One seed of a protocol in a process of its own, and the supervisor that keeps it within its limits.

::

    runner ── supervisor ── [first process of the namespace] ── protocol
              this module    forwards nothing, buries orphans    `harness.measure`

The supervisor (``python -m peerscope.reproduce.child``) starts the protocol behind the walls of `guard`,
keeps its log, looks at its processes several times a second and ends all of them when a limit is passed, when
the protocol is done, or when the runner is gone (its standard input ends). It tells the runner how far the
protocol is, and at last how it ended, as lines of JSON on standard output.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import selectors
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import psutil

from peerscope.reproduce import guard
from peerscope.reproduce.environment import code_hashes
from peerscope.reproduce.harness import measure
from peerscope.reproduce.limits import Limits, end_all, reap, usage
from peerscope.reproduce.registry import papers_at
from peerscope.reproduce.saying import Log, folders_of_this_machine

EVERY = 0.2
LONGEST_MESSAGE = 2**12
LONGEST_REASON = 400
MOST_OPEN = 256
Tell = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be run, and within which limits.

    Attributes:
        origin: ``module:name`` of the paper, as `registry.papers_at` reads it.
        paper: Its slug.
        protocol: Name.
        profile: Name.
        seed: From 0.
        device: The profile's; limits of memory that is asked for hold on ``cpu`` only.
        scratch: Folder of its own, with ``home``, ``tmp`` and ``out``.
        log: File of what it says.
        limits: As in its profile.
    """

    origin: str
    paper: str
    protocol: str
    profile: str
    seed: int
    device: str
    scratch: Path
    log: Path
    limits: Limits

    def command(self) -> list[str]:
        """Arguments that `main` reads back."""
        limits = self.limits
        given = {
            "origin": self.origin, "paper": self.paper, "protocol": self.protocol, "profile": self.profile,
            "seed": self.seed, "device": self.device, "scratch": self.scratch, "log": self.log,
            "seconds": limits.seconds, "memory-mb": limits.memory_mb, "disk-mb": limits.disk_mb,
            "processes": limits.processes,
        }  # fmt: skip
        return [f"--{name}={value}" for name, value in given.items()]


def main(given: Sequence[str] | None = None) -> None:
    """Run one seed and tell how it ended; the exit status is 0 unless the supervisor itself failed."""
    parser = argparse.ArgumentParser(prog="python -m peerscope.reproduce.child")
    for name in ("origin", "paper", "protocol", "profile", "device"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("scratch", "log"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("seed", "memory-mb", "disk-mb", "processes"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    found = vars(parser.parse_args(given))
    limits = {name: found.pop(name) for name in ("seconds", "memory_mb", "disk_mb", "processes")}
    supervise(Asked(**found, limits=Limits(**limits)))


def supervise(asked: Asked) -> None:
    """Start the protocol, keep it within its limits, and tell the runner how it ended."""
    guard.adopt_orphans()
    log = Log(asked.log, folders_of_this_machine(asked.scratch))
    isolation = guard.isolate(asked.scratch)
    said, reported = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(said[0])
        os.close(reported[0])
        _begin(asked, isolation, said[1], reported[1])
    os.close(said[1])
    os.close(reported[1])
    watch = _Watch(asked, child, log, said[0], reported[0])
    try:
        watch.tell({"guarded": isolation.sentence()})
        failure = watch.until_the_end()
    finally:
        if isolation.processes:  # the kernel ends the whole namespace with its first process
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        end_all(psutil.Process())
        watch.read_the_rest()
        log.close()
    if watch.left_alone:
        shutil.rmtree(asked.scratch, ignore_errors=True)
        return
    watch.tell_at_last({"ended": log.hidden(failure or watch.outcome())})


class _Watch:
    """The supervisor's eyes: what the protocol says and reports, and what its processes use."""

    def __init__(self, asked: Asked, child: int, log: Log, said: int, reported: int) -> None:
        self.left_alone = False
        self._asked = asked
        self._child = child
        self._log = log
        self._status: int | None = None
        self._end: str | None = None
        self._message = b""
        self._root = psutil.Process()
        self._selector = selectors.DefaultSelector()
        for pipe, taker in ((0, self._gone), (said, self._said), (reported, self._reported)):
            os.set_blocking(pipe, False)
            self._selector.register(pipe, selectors.EVENT_READ, taker)
        os.set_blocking(1, False)

    def until_the_end(self) -> str | None:
        """Wait for the protocol's end; which limit it passed, if it did."""
        began = time.monotonic()
        looked = began
        while not self.left_alone:
            self._read(EVERY)
            now = time.monotonic()
            if now - began > self._asked.limits.seconds:
                return f"It took longer than {self._asked.limits.seconds:g} seconds."
            if self._over():
                return None
            if now - looked >= EVERY:
                looked = now
                found = usage(self._root, self._asked.scratch, self._asked.limits.memory_mb * 2**20)
                beyond = found.beyond(self._asked.limits)
                if beyond is not None:
                    return beyond
        return None

    def outcome(self) -> str:
        """How a protocol that passed no limit ended; empty if it is finished."""
        if self._end is not None and (self._end or self._status == 0):
            return self._end
        if self._status is None:
            return "It was ended."
        code = os.waitstatus_to_exitcode(self._status)
        number = -code if code < 0 else code - 128
        with contextlib.suppress(ValueError):
            return f"It was ended by the signal {signal.Signals(number).name}."
        return f"It ended with the exit status {code} before it had handed back its figures."

    def read_the_rest(self) -> None:
        """Take what is left in the pipes, as much as one pipe holds."""
        for _ in range(16):
            self._read(0.0)

    def tell(self, message: dict[str, Any]) -> None:
        """A line for the runner; left out while the runner does not read."""
        line = json.dumps(message).encode() + b"\n"
        if len(line) < LONGEST_MESSAGE:
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                os.write(1, line)

    def tell_at_last(self, message: dict[str, Any]) -> None:
        """The last line for the runner."""
        os.set_blocking(1, True)
        with contextlib.suppress(BrokenPipeError):
            os.write(1, json.dumps(message).encode() + b"\n")

    def _over(self) -> bool:
        ended = reap()
        if self._child in ended:
            self._status = ended[self._child]
        return self._status is not None

    def _read(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            try:
                data = os.read(key.fd, 2**16)
            except BlockingIOError:
                continue
            if not data:
                self._selector.unregister(key.fd)
            key.data(data)

    def _gone(self, data: bytes) -> None:
        self.left_alone = self.left_alone or not data

    def _said(self, data: bytes) -> None:
        self._log.take(data)

    def _reported(self, data: bytes) -> None:
        lines = (self._message + data).split(b"\n")
        self._message = lines.pop()[:LONGEST_MESSAGE]
        for line in lines:
            with contextlib.suppress(ValueError, RecursionError):
                self._understood(json.loads(line))

    def _understood(self, message: object) -> None:
        match message:
            case {"progress": [str(what), int(done), int(total)]}:
                self.tell({"progress": [what[:60], done, total]})
            case {"ended": str(how)}:
                self._end = how[:LONGEST_REASON]
            case {"unguarded": str(why)}:
                self.tell({"guarded": why[:LONGEST_REASON]})


def _begin(asked: Asked, isolation: guard.Isolation, said: int, reported: int) -> NoReturn:
    """In the process that was forked: put up the walls, and become the protocol."""
    status = 70
    try:
        guard.die_with_parent()
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(said, 1)
        os.dup2(said, 2)
        os.closerange(3, reported)
        os.closerange(reported + 1, MOST_OPEN)
        if isolation.files:
            guard.confine(asked.scratch, asked.limits.disk_mb)
        os.chdir(asked.scratch)
        if isolation.processes:
            _stand_aside(reported)
        status = _run(asked, isolation, reported)
    except BaseException:
        traceback.print_exc()
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)  # what the protocol registered for the end of the process is not waited for


def _stand_aside(reported: int) -> None:
    """Stay as the first process of the namespace, and go on in a child.

    The first process buries orphans; when it ends, after the protocol, the kernel ends all the others.
    """
    protocol = os.fork()
    if protocol == 0:
        guard.die_with_parent()
        return
    for number in (1, 2, reported):
        os.close(number)
    while True:
        ended, status = os.wait()
        if ended == protocol:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def _run(asked: Asked, isolation: guard.Isolation, reported: int) -> int:
    limits = asked.limits
    alone = isolation.network and isolation.processes
    on_cpu = asked.device == "cpu"
    guard.limit_resources(
        limits.disk_mb,
        limits.memory_mb if on_cpu else None,
        # threads count too: an accelerator's library starts dozens of them
        4 * limits.processes + (os.cpu_count() or 1) if alone and on_cpu else None,
    )
    guard.give_up_rights()
    guard.refuse_network()

    def tell(message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            os.write(reported, json.dumps(message).encode() + b"\n")

    try:
        _measure(asked, tell)
    except BaseException as error:  # sys.exit and an interrupt of its own making included
        traceback.print_exc()
        tell({"ended": _reason(error)})
        return 1
    tell({"ended": ""})
    return 0


def _measure(asked: Asked, tell: Tell) -> None:
    paper = next(paper for paper in papers_at(asked.origin) if paper.slug == asked.paper)
    protocol = paper.protocol(asked.protocol)
    last = 0.0

    def moved(what: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > EVERY or done == total:
            last = now
            tell({"progress": [str(what)[:60], int(done), int(total)]})

    def told(line: str) -> None:
        print(line, flush=True)

    out = asked.scratch / "out"
    measure(paper, protocol, asked.profile, asked.seed, out, told, moved)
    names = code_hashes(protocol.entry)
    code = {str(getattr(sys.modules[name], "__file__", "")): sha for name, sha in names.items()}
    (out / "code.json").write_text(json.dumps(code))


def _reason(error: BaseException) -> str:
    try:
        words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    except BaseException:  # an exception whose own text fails
        words = type(error).__name__
    if isinstance(error, SystemExit):
        words = f"It called sys.exit({error.code!r:.40})"
    return words.replace("\n", " ")[:LONGEST_REASON] + ("" if words.endswith(".") else ".")


if __name__ == "__main__":
    main()
