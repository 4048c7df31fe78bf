"""Serving one site with uvicorn, and saying where it is."""

from __future__ import annotations

import gc
import logging
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import uvicorn
from sqlalchemy.exc import SQLAlchemyError

from peerscope.cli.context import err, out
from peerscope.cli.errors import CommandError
from peerscope.community import Community
from peerscope.community.claim_merges import follow_merges
from peerscope.community.digesting import Digesting
from peerscope.community.digests import NO_ADDRESS
from peerscope.community.expiry import remind_of_expiry
from peerscope.community.hearing import follow_news
from peerscope.community.openid import check_settings
from peerscope.discover import SiteDiscovery
from peerscope.discover.dumping import Dumping
from peerscope.discover.improving import improving
from peerscope.discover.maps.background import mapping
from peerscope.discover.pipeline import figures_file
from peerscope.discover.readers import Readers
from peerscope.discover.retrain import Retraining
from peerscope.record import Database
from peerscope.retrieval.files.models import ServedModels
from peerscope.settings import Settings
from peerscope.web import create_app
from peerscope.web.feeds import searching
from peerscope.web.mcp import serve_stdio
from peerscope.web.servable import create_servable_app

log = logging.getLogger(__name__)
A_DAY = 86_400.0


def serve_site(settings: Settings, database: Database) -> None:
    """Listen until interrupted; the address is printed once the port is bound.

    Raises:
        CommandError: The port is taken.
        ValueError: The bundle in service cannot be read, or settings contradict each other; the operator is
            told, not every reader.
    """
    check_settings(settings)
    discovery = SiteDiscovery(database, settings.bundles, settings.index)
    discovery.status()
    listener = _bound(settings.host, settings.port)
    readers = Readers(settings.readers)
    try:
        readers.expire()
    except (ValueError, SQLAlchemyError) as error:
        err.print(f"[bold red]Without histories of readers:[/] {error}", highlight=False)
    community = Community(settings)
    address = _address(listener)
    app = create_app(settings, database, discovery, readers, community=community, address=address)
    out.print(f"Serving {settings.site_name} at {address} (Ctrl-C stops it)")
    link = community.first_admin()
    if link is not None:
        base = app.state.site.address
        out.print(f"There is no admin yet; this link makes the first one: {base}/join/{link}")
    config = uvicorn.Config(app, log_level="warning", access_log=False)
    _spare_what_stands()
    # uvicorn raises the signal again when it has ended: the background work is to be ended too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with (
        improving(settings),
        mapping(settings),
        _retraining(settings, database),
        _tending(community, database),
        _digesting(settings, community, database, discovery),
        _dumping(settings),
    ):
        uvicorn.Server(config).run(sockets=[listener])


def answer_assistant(settings: Settings, database: Database) -> None:
    """Answer the assistant that started this process on standard input and output, until it ends.

    Raises:
        ValueError: The bundle in service cannot be read, or settings contradict each other.
    """
    check_settings(settings)
    discovery = SiteDiscovery(database, settings.bundles, settings.index)
    discovery.status()
    app = create_app(settings, database, discovery, Readers(settings.readers))
    anyio.run(serve_stdio, app.state.site)


@contextmanager
def _tending(community: Community, database: Database) -> Iterator[None]:
    """What has to be seen to once a day while the block runs: proofs that end, claims whose records moved."""
    ended = threading.Event()

    def tend() -> None:
        while not ended.is_set():
            try:
                with community.writing() as session, database.session() as record:
                    remind_of_expiry(session)
                    follow_merges(session, record)
            except SQLAlchemyError:
                log.exception("Proofs and claims could not be seen to; tried again in a day.")
            ended.wait(A_DAY)

    thread = threading.Thread(target=tend, name="tending", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=10)


@contextmanager
def _retraining(settings: Settings, database: Database) -> Iterator[None]:
    """The schedule of `Settings.retrain_hours`, if there is one, while the block runs."""
    if not settings.retrain_hours:
        yield
        return
    schedule = Retraining(settings, database, settings.retrain_hours, figures_file(settings))
    schedule.start()
    try:
        yield
    finally:
        schedule.stop()


@contextmanager
def _digesting(
    settings: Settings, community: Community, database: Database, discovery: SiteDiscovery
) -> Iterator[None]:
    """The mails of `Settings.digest_hours`, if it is set, while the block runs."""
    if not settings.digest_hours:
        yield
        return
    if not settings.base_url:
        err.print(f"[bold red]Without mails of what is new:[/] {NO_ADDRESS}", highlight=False)
        yield
        return
    schedule = Digesting(
        community, database, follow_news(searching(discovery)), settings.digest_hours
    )
    schedule.start()
    try:
        yield
    finally:
        schedule.stop()


@contextmanager
def _dumping(settings: Settings) -> Iterator[None]:
    """The dumps of `Settings.dump_hours`, if it is set, while the block runs."""
    if not settings.dump_hours:
        yield
        return
    schedule = Dumping(settings, settings.dump_hours)
    schedule.start()
    try:
        yield
    finally:
        schedule.stop()


def serve_models(models: ServedModels, host: str, port: int, writable: bool) -> None:
    """Serve a folder of models until interrupted.

    Raises:
        CommandError: The port is taken.
    """
    listener = _bound(host, port)
    app = create_servable_app(models, writable=writable)
    out.print(f"Serving {models.home.folder} at {_address(listener)} (Ctrl-C stops it)")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    config = uvicorn.Config(app, log_level="warning", access_log=False)
    _spare_what_stands()
    uvicorn.Server(config).run(sockets=[listener])


def _spare_what_stands() -> None:
    """Keep what the start left in memory out of garbage collection, which holds up one query in a hundred.

    It is let go by its reference counts, as before, when a new bundle takes its place.
    """
    gc.collect()
    gc.freeze()


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/"


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
