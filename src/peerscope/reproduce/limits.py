"""What a tree of processes uses, whether that is too much, and how all of it ends."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

MOST_PROCESSES = 64
"""Of one seed; threads are not counted."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one seed may use.

    Attributes:
        seconds: Wall clock.
        memory_mb: Resident memory of all its processes, in MiB.
        disk_mb: What they write, in MiB.
        processes: How many there are at once.
    """

    seconds: float
    memory_mb: int
    disk_mb: int
    processes: int = MOST_PROCESSES


@dataclass(frozen=True, slots=True)
class Usage:
    """What a tree of processes uses now.

    Attributes:
        memory: Bytes that are resident.
        written: Bytes written, or bytes in its folder if those are more.
        processes: How many there are.
    """

    memory: int
    written: int
    processes: int

    def beyond(self, limits: Limits) -> str | None:
        """Which limit it is beyond, as a sentence."""
        if self.processes > limits.processes:
            return f"It had more than {limits.processes} processes."
        if self.memory > limits.memory_mb * 2**20:
            return f"It used more than {limits.memory_mb:,} MiB of memory."
        if self.written > limits.disk_mb * 2**20:
            return f"It wrote more than {limits.disk_mb:,} MiB."
        return None


def descendants(root: psutil.Process) -> list[psutil.Process]:
    """All processes below one, orphans that it adopted included."""
    with contextlib.suppress(psutil.Error):
        return root.children(recursive=True)
    return []


def usage(root: psutil.Process, folder: Path, memory_limit: int) -> Usage:
    """What the processes below one use.

    Args:
        root: The supervisor; not counted itself.
        folder: Where they write.
        memory_limit: In bytes. Memory that processes share is counted once a process, which is cheap to
            read; only if that is beyond the limit, every page is shared out among those who use it.
    """
    found = descendants(root)
    memory = sum(_resident(one) for one in found)
    if memory > memory_limit:
        memory = sum(_shared_out(one) for one in found)
    written = max(sum(_written(one) for one in found), size_of(folder))
    return Usage(memory, written, len(found))


def size_of(folder: Path) -> int:
    """Bytes that the files of a folder take on the disk."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_blocks * 512  # noqa: PTH118
    return total


def end_all(root: psutil.Process, seconds: float = 10.0) -> None:
    """End every process below one; those that fork meanwhile are halted first, so that none is missed."""
    own = root.pid == os.getpid()
    until = time.monotonic() + seconds
    while (found := _alive(root)) and time.monotonic() < until:
        for one in found:
            with contextlib.suppress(psutil.Error):
                one.suspend()
        for one in _alive(root):
            with contextlib.suppress(psutil.Error):
                one.kill()
        if own:
            reap()
        time.sleep(0.01)


def _alive(root: psutil.Process) -> list[psutil.Process]:
    found = []
    for one in descendants(root):
        with contextlib.suppress(psutil.Error):
            if one.status() != psutil.STATUS_ZOMBIE:
                found.append(one)
    return found


def reap() -> dict[int, int]:
    """Take leave of children of this process that ended: process number to exit status."""
    found = {}
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            found[ended[0]] = ended[1]
    return found


def _resident(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0


def _shared_out(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error, AttributeError):
        return int(process.memory_full_info().pss)
    return _resident(process)


def _written(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error, AttributeError):
        return int(process.io_counters().write_bytes)
    return 0
