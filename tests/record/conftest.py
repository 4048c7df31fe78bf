"""A record to write into, on SQLite and on a real PostgreSQL that the tests start themselves."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

from peerscope.record import Database
from peerscope.record.parsed import Good, ParsedAuthor, ParsedWork, Quarantined, Record


@dataclass
class ListImporter:
    """Gives what it holds; the file that stands for it only has to exist."""

    records: list[ParsedWork | Quarantined] = field(default_factory=list)
    name: str = "list"
    covers: frozenset[str] = frozenset({"references", "ids"})

    def read(self, path: str) -> Iterator[Record]:
        for position, record in enumerate(self.records):
            if isinstance(record, Quarantined):
                record.position = position
                yield record
            else:
                yield Good(position, record)


@dataclass
class Files:
    """Files for list importers: same name, same source; the content follows the records."""

    folder: Path

    def write(self, name: str, records: list[Any]) -> str:
        path = self.folder / name
        path.write_text(repr(records), encoding="utf-8", errors="backslashreplace")
        return str(path)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def make_importer() -> type[ListImporter]:
    return ListImporter


@pytest.fixture
def make_work() -> Any:
    def make(key: str, title: str, *authors: str | ParsedAuthor, **fields: Any) -> ParsedWork:
        people = [a if isinstance(a, ParsedAuthor) else ParsedAuthor(a) for a in authors]
        return ParsedWork(key=key, title=title, authors=people, **fields)

    return make


@pytest.fixture
def put(files: Files) -> Any:
    """Import a list of works as one source."""
    from peerscope.record import ingest

    def run(database: Database, records: list[Any], name: str = "a.list", **options: Any) -> Any:
        importer = ListImporter(records, name=options.pop("importer", "list"))
        return ingest(database, importer, files.write(name, records), **options)

    return run


def postgres_binaries() -> Path | None:
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((p for p in places if (p / "postgres").exists()), None)


def as_user() -> list[str]:
    """PostgreSQL refuses to run as root: become nobody then."""
    if os.geteuid() != 0:
        return []
    nobody = pwd.getpwnam("nobody")
    ids = [f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    return ["setpriv", *ids]


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Address of a throw-away PostgreSQL server on a free port of the loopback."""
    binaries = postgres_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL binaries (initdb, postgres) on this machine")
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("running as root without setpriv: PostgreSQL does not start as root")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="peerscope-pg-", dir="/tmp") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        data = folder / "data"
        run = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "cwd": name}
        init = [
            str(binaries / "initdb"),
            "-D",
            str(data),
            "-U",
            "peer",
            "-A",
            "trust",
            "-E",
            "UTF8",
        ]
        subprocess.run([*as_user(), *init, "--no-sync", "--locale=C.UTF-8"], **run)
        options = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off -c shared_buffers=64MB"
        control = [str(binaries / "pg_ctl"), "-D", str(data), "-w"]
        log = ["-l", str(folder / "log")]
        subprocess.run([*as_user(), *control, *log, "-o", options, "start"], **run)
        try:
            yield f"postgresql+pg8000://peer@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*as_user(), *control, "-m", "immediate", "stop"], **run)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Address of a database without tables, one of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'record.sqlite'}"
        return
    server = request.getfixturevalue("postgres")
    name = f"t{uuid4().hex}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield server.rsplit("/", 1)[0] + f"/{name}"
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def database(empty_url: str) -> Iterator[Database]:
    """A migrated, empty record."""
    record = Database(empty_url)
    record.migrate()
    yield record
    record.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    """A migrated, empty record on SQLite, where the kind of database makes no difference."""
    record = Database(f"sqlite:///{tmp_path / 'one.sqlite'}")
    record.migrate()
    yield record
    record.close()
