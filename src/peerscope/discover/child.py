"""A command of this program on this site, as a process of its own at low priority."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress

from peerscope.settings import Settings

LOWER_PRIORITY = 10
LOOKED_EVERY = 0.2
"""Seconds between two looks whether a command is to end."""


def started(
    settings: Settings, command: str, errors: int = subprocess.DEVNULL, *arguments: str
) -> subprocess.Popen[bytes]:
    """Start a command.

    It has a session of its own: Ctrl-C on the server's terminal is for the server, which ends it.

    Args:
        settings: The site's.
        command: Name of the command.
        errors: Where its standard error goes, as `subprocess` takes it.
        arguments: What stands behind the command.
    """
    surroundings = {
        **os.environ,
        "PEERSCOPE_DATABASE_URL": settings.database_url,
        "PEERSCOPE_COMMUNITY_URL": settings.community_url,
        "PEERSCOPE_ENCODER": settings.encoder,
        "PEERSCOPE_DUMPS_KEPT": str(settings.dumps_kept),
        "PEERSCOPE_BASE_URL": settings.base_url,
    }
    child = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "peerscope", command, *arguments, "--home", str(settings.home)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
        start_new_session=True, env=surroundings,
    )  # fmt: skip
    if hasattr(os, "setpriority"):
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, child.pid, LOWER_PRIORITY)
    return child


def outcome(child: subprocess.Popen[bytes], stop: threading.Event) -> tuple[int, str]:
    """Wait for a command whose errors come through a pipe, and end it when that is asked for.

    Args:
        child: From `started`, with ``subprocess.PIPE``.
        stop: Set when it is to end.

    Returns:
        Its exit code, and the error that it told, in a line.
    """
    said: bytes | None = None
    while said is None:
        ending = stop.is_set()
        if ending:
            with suppress(OSError):
                child.terminate()
        with suppress(subprocess.TimeoutExpired):
            _, said = child.communicate(timeout=None if ending else LOOKED_EVERY)
    told = " ".join(said.decode("utf-8", "replace").split())
    return child.returncode, told[max(told.rfind("Error:"), 0) :][:300]


def left_alone(settings: Settings, command: str, *arguments: str) -> None:
    """Start a command that says by itself how far it is, and that nobody waits for."""
    child = started(settings, command, subprocess.DEVNULL, *arguments)
    # Whoever is not waited for stays as a zombie, which looks as if it worked.
    threading.Thread(target=child.wait, daemon=True).start()
