"""The readers' file: opt-in, bounded, erased for good, whole after a kill."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from peerscope.discover import readers as module
from peerscope.discover.readers import DAY, DAYS_KEPT, LONGEST_KEPT, LogState, Readers, kept_query
from peerscope.record import count_statements


@pytest.fixture
def readers(tmp_path) -> Readers:
    found = Readers(tmp_path / "readers.sqlite")
    yield found
    found.close()


def someone(readers: Readers):
    secret = readers.enrol()
    return secret, readers.find(secret)


def on_disk(readers: Readers) -> bytes:
    return b"".join(
        path.read_bytes()
        for path in readers.path.parent.iterdir()
        if path.name != "retraining.json"
    )


def test_nothing_is_written_before_somebody_switches_it_on(readers) -> None:
    assert readers.find("anything") is None
    assert readers.state() == LogState()
    assert readers.entries(1, "saved") == []
    assert list(readers.of_everyone()) == []
    assert readers.expire() == 0
    assert list(readers.path.parent.iterdir()) == []


def test_the_secret_itself_is_not_kept_and_the_file_is_private(readers) -> None:
    secret, reader = someone(readers)
    readers.save(reader.id, 3)
    assert secret.encode() not in on_disk(readers)
    for path in readers.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name


def test_what_is_kept_comes_back_newest_first(readers) -> None:
    _, reader = someone(readers)
    readers.opened(reader.id, 3, "first")
    readers.opened(reader.id, 4, "second")
    assert readers.save(reader.id, 3, "first")
    readers.opened(reader.id, 5, "third")
    readers.opened(reader.id, 4, "second")
    assert [(e.query, e.work_id) for e in readers.entries(reader.id, "opened")] == [
        ("second", 4), ("third", 5), ("first", 3),
    ]  # fmt: skip
    assert readers.history(reader.id) == {4: "opened", 5: "opened", 3: "saved"}
    assert list(readers.saved_among(reader.id, [3, 4])) == [3]
    assert readers.counts(reader.id) == {"opened": 3, "saved": 1}


def test_readers_do_not_see_or_erase_each_other(readers) -> None:
    _, one = someone(readers)
    _, other = someone(readers)
    readers.save(one.id, 3)
    (entry,) = readers.every_entry(one.id)
    assert readers.every_entry(other.id) == []
    assert not readers.erase(other.id, entry.id)
    assert readers.erase(one.id, entry.id)


def test_off_keeps_nothing_more_and_is_left_out_of_the_log(readers) -> None:
    secret, reader = someone(readers)
    readers.opened(reader.id, 3, "q")
    readers.switch(reader.id, keeping=False)
    readers.opened(reader.id, 4, "q")
    assert not readers.save(reader.id, 5)
    assert [entry.work_id for entry in readers.every_entry(reader.id)] == [3]
    assert list(readers.of_everyone()) == []
    assert (readers.state().readers, readers.state().entries) == (0, 0)
    assert not readers.find(secret).keeping
    readers.switch(reader.id, keeping=True)
    assert len(list(readers.of_everyone())) == 1


def test_one_reader_is_bounded(readers, monkeypatch) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 5)
    monkeypatch.setattr(module, "PRUNED_EVERY", 1)
    _, reader = someone(readers)
    for number in range(9):
        readers.opened(reader.id, number, "q")
    kept = [entry.work_id for entry in readers.entries(reader.id, "opened")]
    assert kept == [8, 7, 6, 5, 4]
    assert [readers.save(reader.id, number) for number in range(7)] == [True] * 5 + [False] * 2


@pytest.mark.parametrize(
    ("query", "kept"),
    [("a  b\n c", "a b c"), ("\x00 x", "x"), ("é" * 5000, "é" * LONGEST_KEPT), (" ", "")],
)
def test_a_query_is_kept_as_one_short_line(query, kept) -> None:
    assert kept_query(query) == kept
    assert kept_query(kept) == kept


def test_every_question_takes_one_statement(readers) -> None:
    secret, reader = someone(readers)
    readers.save(reader.id, 3)
    database = readers._database(create=False)
    for ask in (
        lambda: readers.find(secret),
        lambda: readers.history(reader.id),
        lambda: readers.saved_among(reader.id, [1, 2, 3]),
        lambda: readers.entries(reader.id, "saved"),
        lambda: readers.counts(reader.id),
        readers.state,
    ):
        with count_statements(database.engine) as seen:
            ask()
        assert seen.count == 1


def test_what_is_erased_stands_in_no_file(readers) -> None:
    _, reader = someone(readers)
    _, other = someone(readers)
    readers.opened(other.id, 1, "kept words")
    readers.opened(reader.id, 2, "quokka marsupial")
    readers.save(reader.id, 3, "wombat marsupial")
    assert b"quokka" in on_disk(readers)
    entry = readers.entries(reader.id, "opened")[0]
    assert readers.erase(reader.id, entry.id)
    assert b"quokka" not in on_disk(readers)
    assert b"wombat" in on_disk(readers)
    readers.erase_reader(reader.id)
    assert b"wombat" not in on_disk(readers)
    assert b"kept words" in on_disk(readers)
    assert readers.state().erasures == 2
    assert [entry.work_id for _, entry in readers.of_everyone()] == [1]


def test_a_visit_is_remembered_once_a_day(readers, monkeypatch) -> None:
    secret, reader = someone(readers)
    readers.visited(reader)
    assert readers.find(secret).seen == reader.seen
    later = time.time() + 2 * DAY
    monkeypatch.setattr(time, "time", lambda: later)
    readers.visited(reader)
    assert readers.find(secret).seen == later


def test_those_who_do_not_come_back_are_erased(readers) -> None:
    secret, reader = someone(readers)
    readers.opened(reader.id, 2, "quokka")
    assert readers.expire(time.time() + (DAYS_KEPT - 1) * DAY) == 0
    assert readers.expire(time.time() + (DAYS_KEPT + 1) * DAY) == 1
    assert readers.find(secret) is None
    assert b"quokka" not in on_disk(readers)


def test_erasure_holds_while_others_write(readers) -> None:
    """Twelve threads keep writing for one reader and another; after erasure nothing of the first comes back."""
    _, gone = someone(readers)
    secret, stays = someone(readers)
    ending = threading.Event()
    errors = []

    def write(number: int) -> None:
        turn = 0
        try:
            while not ending.is_set():
                turn += 1
                readers.opened(gone.id, number * 100_000 + turn, f"quokka {number} {turn}")
                readers.opened(stays.id, number, "other")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    while readers.counts(gone.id)["opened"] < 30:
        time.sleep(0.01)
    readers.erase_reader(gone.id)
    time.sleep(0.2)
    ending.set()
    for thread in threads:
        thread.join()
    assert errors == []
    assert readers.every_entry(gone.id) == []
    assert len(readers.every_entry(stays.id)) == 12
    assert b"quokka" not in on_disk(readers)
    assert readers.find(secret).id == stays.id


def test_one_of_many_entries_is_erased_while_others_write(readers) -> None:
    _, reader = someone(readers)
    readers.save(reader.id, 1, "quokka")
    (entry,) = readers.every_entry(reader.id)
    threads = [
        threading.Thread(
            target=lambda n=n: [readers.opened(reader.id, n, f"t{k}") for k in range(20)]
        )
        for n in range(6)
    ]
    for thread in threads:
        thread.start()
    assert readers.erase(reader.id, entry.id)
    for thread in threads:
        thread.join()
    assert readers.counts(reader.id) == {"opened": 120, "saved": 0}
    assert b"quokka" not in on_disk(readers)


WRITER = """
import sys
from pathlib import Path
from peerscope.discover.readers import Readers
readers = Readers(Path(sys.argv[1]))
reader = readers.find(readers.enrol())
number = 0
while True:
    number += 1
    readers.opened(reader.id, number, f"query {number}")
    readers.save(reader.id, number)
    if number % 5 == 0:
        readers.erase(reader.id, readers.every_entry(reader.id)[0].id)
    print(number, flush=True)
"""


def test_a_kill_leaves_every_finished_write_and_a_whole_file(tmp_path) -> None:
    path = tmp_path / "readers.sqlite"
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        )
        done = 0
        while done < 25:
            done = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        done = int([done, *process.stdout.read().split()][-1])
        process.wait()
        readers = Readers(path)
        reader_id = readers.state().readers
        assert {e.work_id for e in readers.entries(reader_id, "saved")} & {done}
        with sqlite3.connect(path) as raw:
            assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
        readers.close()


def test_a_file_of_a_later_version_is_refused(readers) -> None:
    someone(readers)
    readers.close()
    with sqlite3.connect(readers.path) as raw:
        raw.execute("PRAGMA user_version = 99")
    with pytest.raises(ValueError, match="later version"):
        readers.state()


def test_deleting_the_file_erases_everybody_while_the_site_runs(readers) -> None:
    secret, reader = someone(readers)
    readers.save(reader.id, 3, "quokka")
    readers.path.unlink()
    assert readers.find(secret) is None
    fresh, other = someone(readers)
    assert readers.every_entry(other.id) == []
    assert readers.find(fresh) == other
    assert b"quokka" not in on_disk(readers)


def test_two_processes_share_the_file(readers, tmp_path) -> None:
    secret, reader = someone(readers)
    second = Readers(readers.path)
    second.save(second.find(secret).id, 7)
    assert list(readers.saved_among(reader.id, [7])) == [7]
    readers.erase_reader(reader.id)
    assert second.find(secret) is None
    second.close()


def test_only_the_owner_of_the_machine_reads_it_under_any_umask(tmp_path) -> None:
    before = os.umask(0)
    try:
        readers = Readers(Path(tmp_path / "readers.sqlite"))
        readers.enrol()
        assert stat.S_IMODE(readers.path.stat().st_mode) == 0o600
        readers.close()
    finally:
        os.umask(before)
