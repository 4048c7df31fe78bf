"""Serving one site with uvicorn, and saying where it is."""

from __future__ import annotations

import socket

import uvicorn

from peerscope.cli.context import out
from peerscope.cli.errors import CommandError
from peerscope.discover import SiteDiscovery
from peerscope.record import Database
from peerscope.settings import Settings
from peerscope.web import create_app


def serve_site(settings: Settings, database: Database) -> None:
    """Listen until interrupted; the address is printed once the port is bound.

    Raises:
        CommandError: The port is taken.
        ValueError: The bundle in service cannot be read; the operator is told, not every reader.
    """
    discovery = SiteDiscovery(database, settings.bundles, settings.index)
    discovery.status()
    listener = _bound(settings.host, settings.port)
    app = create_app(settings, database, discovery)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    out.print(f"Serving {settings.site_name} at http://{shown}:{port}/ (Ctrl-C stops it)")
    config = uvicorn.Config(app, log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise CommandError(
            f"Cannot listen on {host} port {port} ({error.strerror}); choose another with --port."
        ) from error
    listener.listen(128)
    return listener
