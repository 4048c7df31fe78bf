from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, text

from peerscope.record import Database, WriterBusyError, count_statements
from peerscope.record.models import Base, Counter


def test_migrations_make_exactly_the_models(database: Database) -> None:
    def made_here(found: object, *_: object) -> bool:
        return database.is_sqlite or getattr(found, "_ddl_if", None) is None

    with database.engine.connect() as connection:
        opts = {"compare_type": True, "include_object": made_here}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, Base.metadata) == []
    names = set(inspect(database.engine).get_table_names())
    assert set(Base.metadata.tables) | {"alembic_version"} == names


def test_migrating_twice_changes_nothing(database: Database) -> None:
    with database.begin() as session:
        session.add(Counter(name="work", value=7))
    database.migrate()
    with database.session() as session:
        assert session.scalar(select(Counter.value)) == 7


def test_begin_commits_whole_or_not_at_all(database: Database) -> None:
    with pytest.raises(RuntimeError), database.begin() as session:
        session.add(Counter(name="work", value=1))
        session.flush()
        raise RuntimeError
    with database.session() as session:
        assert session.scalars(select(Counter.name)).all() == []
    with database.begin() as session:
        session.add(Counter(name="work", value=1))
    with database.session() as session:
        assert session.scalars(select(Counter.name)).all() == ["work"]


def test_reading_session_leaves_nothing_behind(database: Database) -> None:
    with database.session() as session:
        session.add(Counter(name="work", value=1))
        session.flush()
    with database.session() as session:
        assert session.scalars(select(Counter.name)).all() == []


def test_sqlite_settings(sqlite: Database) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 30000}
    with sqlite.engine.connect() as connection:
        seen = {name: connection.scalar(text(f"PRAGMA {name}")) for name in wanted}
    assert seen == wanted


def test_readers_see_the_old_state_while_one_writes(database: Database) -> None:
    with database.begin() as writer:
        writer.add(Counter(name="work", value=1))
        writer.flush()
        with database.session() as reader:
            assert reader.scalars(select(Counter.name)).all() == []


def test_statements_are_counted(database: Database) -> None:
    with count_statements(database.engine) as seen, database.session() as session:
        session.execute(select(Counter))
        session.execute(select(Counter.name))
    assert seen.count == 2
    with database.session() as session:
        session.execute(select(Counter))
    assert seen.count == 2


def test_one_writer_at_a_time(database: Database) -> None:
    other = Database(database.url.render_as_string(hide_password=False))
    with (
        database.writer("importing x"),
        pytest.raises(WriterBusyError, match="Wait for it to end"),
        other.writer(),
    ):
        pass
    with other.writer():
        pass
    other.close()


def test_two_threads_are_two_writers(sqlite: Database) -> None:
    errors: list[str] = []

    def attempt() -> None:
        try:
            with sqlite.writer():
                pass
        except WriterBusyError as error:
            errors.append(str(error))

    with sqlite.writer("importing big.bib"):
        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
    assert len(errors) == 1
    assert f"process {os.getpid()}, importing big.bib" in errors[0]


def test_a_killed_writer_frees_the_lock(database: Database) -> None:
    url = database.url.render_as_string(hide_password=False)
    code = (
        "import sys, time\nfrom peerscope.record import Database\n"
        f"with Database({url!r}).writer():\n"
        "    print('held', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(WriterBusyError), database.writer():
            pass
        child.send_signal(signal.SIGKILL)
        child.wait()
    for _ in range(50):  # PostgreSQL notices the lost client a moment later
        try:
            with database.writer():
                return
        except WriterBusyError:
            threading.Event().wait(0.1)
    pytest.fail("still locked 5 seconds after the kill")


def test_other_databases_are_refused_with_the_mend() -> None:
    with pytest.raises(ValueError, match=r"sqlite:///path/to/record\.sqlite"):
        Database("mysql://host/name")


def test_plain_postgresql_address_means_pg8000() -> None:
    database = Database("postgresql://user@host/name")
    assert database.url.drivername == "postgresql+pg8000"
