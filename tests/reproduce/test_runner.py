"""Protocols that do what none should: a failed attempt with its log, never a verdict, and nothing left."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hostile_site import HostileSite, hostile_site

FAILURES = {
    "crash": r"RuntimeError: no way",
    "segfault": r"signal SIGSEGV",
    "hang": r"longer than 1(\.5)? seconds",
    "ignores_signals": r"longer than 1(\.5)? seconds",
    "stops_itself": r"longer than 1(\.5)? seconds",
    "says_without_end": r"longer than 1(\.5)? seconds",
    "nan": r"'value' is not a finite number",
    "wrong_name": r"declares no figure 'vlaue'",
    "nothing": r"put down no figure",
    "forged": r"seed 0 cannot be read",
    "one_file": r"File too large|wrote more than 16 MiB",
    "many_files": r"wrote more than 16 MiB|No space left",
    "fork_bomb": r"more than 64 processes|Resource temporarily unavailable",
    "memory": r"more than 256 MiB of memory",
    "memory_at_once": r"MemoryError|more than 256 MiB of memory",
    "memory_of_children": r"more than 256 MiB of memory",
    "connects": r"no network",
    "resolves": r"no network",
    "exits": r"sys\.exit\(0\)",
    "exits_at_once": r"exit status 0 before",
    "kills_its_parent": r"longer than 1(\.5)? seconds|supervisor ended",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with hostile_site(tmp_path_factory.mktemp("hostile")) as made:
        yield made


@pytest.mark.parametrize("name", FAILURES)
def test_what_goes_wrong_is_a_failed_attempt_with_its_log(site: HostileSite, name: str) -> None:
    began = time.monotonic()
    ran, attempt = site.run(name)
    assert re.search(FAILURES[name], ran.failure), ran.failure
    assert len(ran.failure) < 500
    assert attempt.about["state"] == "failed"
    assert attempt.about["failure"] == ran.failure
    assert attempt.about["guarded"].startswith("no network")
    assert attempt.verdicts == {}
    assert attempt.seeds == ()
    assert len(attempt.log()) < 400_000
    assert str(site.home) not in attempt.log() + ran.failure
    assert not list((site.store.running).glob("[!.]*"))
    assert site.nothing_left(), site.left()
    assert time.monotonic() - began < 20


def test_a_log_stays_text(site: HostileSite) -> None:
    log = site.run("crash")[1].log()
    assert "<b>not bold</b>" in log
    assert "[bold]not bold[/]" in log
    assert "\x1b" not in log
    assert "Traceback" in log
    assert "SCRATCH" in log, "the folder of this machine is hidden"


def test_an_endless_log_keeps_its_beginning_and_its_end(site: HostileSite) -> None:
    log = site.run("says_without_end")[1].log()
    assert log.startswith("Seed 0:\nthe beginning\n")
    assert re.search(r"\[[\d,]+ bytes of this log are left out here\]", log)
    assert log.rstrip().endswith("again and")
    ran, attempt = site.run("one_line_without_end")
    assert not ran.failure
    assert "all is well" in attempt.log()[-100:]


@pytest.mark.parametrize("name", ["daemon", "thread_stays", "moves_much"])
def test_what_a_protocol_leaves_behind_ends_with_it(site: HostileSite, name: str) -> None:
    moved: list[tuple[str, int, int | None]] = []
    began = time.monotonic()
    ran, attempt = site.run(name, moved=lambda *how: moved.append(how))
    assert not ran.failure
    assert attempt.finished
    assert site.nothing_left(), site.left()
    assert time.monotonic() - began < 20
    assert len({what for what, *_ in moved}) < 50, "kinds of progress are bounded"


def test_nothing_outside_reaches_a_protocol(site: HostileSite) -> None:
    _, attempt = site.run("surroundings")
    names = attempt.log().splitlines()
    assert "PEERSCOPE_SECRET" not in names
    assert {"HOME", "TMPDIR", "OMP_NUM_THREADS", "PEERSCOPE_SHARED"} <= set(names)
    assert "home is empty: True" in names


def test_a_program_below_python_has_no_network_either(site: HostileSite) -> None:
    if shutil.which("bash") is None:
        pytest.skip("bash opens the connection")
    _, attempt = site.run("connects_below_python")
    if "namespace without interfaces" not in attempt.about["guarded"]:
        pytest.skip(f"this system gives no network namespace: {attempt.about['guarded']}")
    assert attempt.seeds[0].figures["value"] == 0.0


def test_nothing_is_written_outside_the_scratch_folder(site: HostileSite) -> None:
    ran, attempt = site.run("writes_outside")
    if "no file written outside" not in attempt.about["guarded"]:
        pytest.skip(f"this system gives no mount namespace: {attempt.about['guarded']}")
    assert "Read-only file system" in ran.failure
    assert not (site.shared / "outside").exists()


def test_a_figure_that_a_claim_needs_must_be_there_and_decide(site: HostileSite) -> None:
    ran, _ = site.run("other_figure", "cpu", 3)
    assert "put down no figure 'value', which hostile-other-figure needs" in ran.failure
    ran, attempt = site.run("zero", "cpu", 3)
    assert "no ratio" in ran.failure
    assert len(attempt.seeds) == 3
    assert attempt.verdicts == {}


def test_a_good_protocol_beside_them_is_judged(site: HostileSite) -> None:
    moved: list[tuple[str, int, int | None]] = []
    ran, attempt = site.run("well", "cpu", 3, jobs=2, moved=lambda *how: moved.append(how))
    assert not ran.failure
    assert [seed.figures for seed in attempt.seeds] == [
        {"value": 1.0}, {"value": 1.001}, {"value": 1.002},
    ]  # fmt: skip
    assert attempt.verdicts["hostile-well"].state == "reproduced"
    assert attempt.log().count("all is well") == 3
    assert ("well, seeds", 3, 3) in moved
    assert ("seed 2: measuring", 1, 1) in moved


REFUSED = """
import sys
sys.path[:0] = {folders!r}
from pathlib import Path
from hostile_site import HostileSite
site = HostileSite(*map(Path, {site!r}))
for name in sys.argv[1:]:
    ran, attempt = site.run(name)
    print(name, "|", ran.failure, "|", attempt.about["guarded"], "|", site.nothing_left(), flush=True)
"""


def test_limits_hold_where_the_system_gives_no_namespaces(site: HostileSite) -> None:
    """In a namespace of users that allows no further one, and without the right to make others."""
    if not (shutil.which("unshare") and shutil.which("setpriv")):
        pytest.skip("unshare and setpriv of util-linux take the rights away")
    names = ["well", "daemon", "fork_bomb", "memory_of_children", "many_files", "kills_its_parent"]
    code = REFUSED.format(
        folders=[str(Path(__file__).parent), *site.environment()["PYTHONPATH"].split(":")],
        site=[str(site.home), str(site.package), str(site.shared)],
    )
    inside = (
        "echo 0 > /proc/sys/user/max_user_namespaces && "
        'exec setpriv --bounding-set -all --inh-caps -all --no-new-privs "$@"'
    )
    command = ["unshare", "-Ur", "sh", "-c", inside, "sh", sys.executable, "-c", code, *names]
    done = subprocess.run(
        command, capture_output=True, text=True, env=site.environment(), timeout=120
    )
    if done.returncode != 0 and not done.stdout:
        pytest.skip(f"this system does not let rights be taken away: {done.stderr.strip()[-200:]}")
    rows = {row[0]: row[1:] for row in (line.split(" | ") for line in done.stdout.splitlines())}
    assert rows.keys() == set(names), done.stderr
    for name, (failure, guarded, nothing_left) in rows.items():
        assert "gives no network namespace" in guarded
        assert nothing_left == "True", name
        if name in FAILURES:
            assert re.search(FAILURES[name], failure), failure
        else:
            assert failure == "", failure
