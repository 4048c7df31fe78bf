"""A command of this program on this site, as a process of its own at low priority."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress

from peerscope.settings import Settings

LOWER_PRIORITY = 10


def started(
    settings: Settings, command: str, errors: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Start a command.

    It has a session of its own: Ctrl-C on the server's terminal is for the server, which ends it.

    Args:
        settings: The site's.
        command: Name of the command.
        errors: Where its standard error goes, as `subprocess` takes it.
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
        [sys.executable, "-m", "peerscope", command, "--home", str(settings.home)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
        start_new_session=True, env=surroundings,
    )  # fmt: skip
    if hasattr(os, "setpriority"):
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, child.pid, LOWER_PRIORITY)
    return child
