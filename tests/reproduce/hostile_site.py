"""A site where the package of hostile protocols is installed, and what its processes leave behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from peerscope.reproduce.kept import Kept
from peerscope.reproduce.runner import Ran, run_protocol
from peerscope.reproduce.store import Store
from peerscope.reproduce.working import Plan

HOSTILE = Path(__file__).parent / "hostile"
SOURCE = Path(__file__).resolve().parents[2] / "src"


@dataclass
class HostileSite:
    """A home folder, a copy of the hostile package, and the folder that its protocols are told of."""

    home: Path
    package: Path
    shared: Path

    @property
    def store(self) -> Store:
        return Store(self.home / "reproductions")

    def run(self, name: str, profile: str = "tiny", seeds: int = 1, **more) -> tuple[Ran, Kept]:
        from peerscope_hostile import PAPER

        store = self.store
        plan = Plan(PAPER, "peerscope_hostile:PAPER", PAPER.protocol(name), profile, seeds)
        ran = run_protocol(store, plan, **more)
        attempt = store.attempt(ran.attempt)
        assert attempt is not None
        return ran, attempt

    def left(self) -> list[str]:
        """Processes that have to do with this site, and files of protocols."""
        found = []
        for one in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                words = " ".join([*one.cmdline(), one.cwd()])
                if one.pid != os.getpid() and (str(self.home) in words or "left-behind" in words):
                    found.append(words)
        scratch = self.home / "reproductions" / "scratch"
        return found + [str(path) for path in scratch.glob("*")]

    def nothing_left(self, seconds: float = 8.0) -> bool:
        until = time.monotonic() + seconds
        while self.left() and time.monotonic() < until:
            time.sleep(0.05)
        return not self.left()

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": os.environ["PYTHONPATH"]}


@contextlib.contextmanager
def hostile_site(folder: Path) -> Iterator[HostileSite]:
    """The hostile package installed for this process and its children."""
    package, shared = folder / "package", folder / "shared"
    shutil.copytree(HOSTILE, package, ignore=shutil.ignore_patterns("__pycache__"))
    shared.mkdir()
    with pytest.MonkeyPatch.context() as patch, socket.create_server(("127.0.0.1", 0)) as server:
        (shared / "port").write_text(str(server.getsockname()[1]))
        patch.syspath_prepend(str(package))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(package), str(SOURCE)]))
        patch.setenv("PEERSCOPE_SHARED", str(shared))
        patch.setenv("PEERSCOPE_SECRET", "nobody's business")
        sys.modules.pop("peerscope_hostile", None)
        try:
            yield HostileSite(folder / "home", package, shared)
        finally:
            sys.modules.pop("peerscope_hostile", None)
            server.setblocking(False)
            with pytest.raises(BlockingIOError):
                server.accept()  # no protocol ever reached this server
