"""Runs that are interrupted or killed: finished seeds stay, nothing else does, and the next run goes on."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from hostile_site import HostileSite, hostile_site

from peerscope.reproduce.attempts import read_attempt
from peerscope.reproduce.working import Plan, held


@pytest.fixture
def site(tmp_path):
    with hostile_site(tmp_path) as made:
        yield made


def started(site: HostileSite, *arguments: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "peerscope",
        "reproduce",
        "run",
        "hostile",
        "--home",
        str(site.home),
    ]
    return subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=site.environment(), start_new_session=True, preexec_fn=heeding_interrupts,
    )  # fmt: skip


def heeding_interrupts() -> None:
    """As from a terminal: a shell that starts the tests in the background has them ignore interrupts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.02)


def working(site: HostileSite, name: str = "slow") -> Path:
    return site.home / "reproductions" / "running" / f"hostile-{name}-cpu"


def in_the_middle(site: HostileSite, *arguments: str) -> subprocess.Popen[str]:
    """A run whose first seed is finished and whose second one waits."""
    run = started(site, "--claim", "hostile-slow", *arguments)
    wait_until(lambda: (working(site) / "seeds" / "0.json").exists())
    wait_until(lambda: bool(list(site.home.glob("reproductions/scratch/*-1/home/begun"))))
    return run


def supervisors(site: HostileSite) -> list[psutil.Process]:
    found = []
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if "peerscope.reproduce.child" in one.cmdline() and str(site.home) in " ".join(
                one.cmdline()
            ):
                found.append(one)
    return found


def one_attempt(site: HostileSite) -> Path:
    folders = list((site.home / "reproductions" / "attempts").glob("[!.]*"))
    assert len(folders) == 1
    read_attempt(folders[0])
    return folders[0]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_finished_seeds_outlive_the_run(site: HostileSite, number: int, status: int) -> None:
    run = in_the_middle(site)
    second = started(site, "--claim", "hostile-slow")
    _, said = second.communicate(timeout=30)
    assert second.returncode == 5, "two runs of one protocol do not mix"
    assert "Another process runs slow" in said
    run.send_signal(number)
    _, said = run.communicate(timeout=30)
    assert run.returncode == status, said
    assert site.nothing_left(), site.left()
    assert not (site.home / "reproductions" / "attempts").exists()
    kept = (working(site) / "seeds" / "0.json").read_bytes()
    (site.shared / "gate").touch()
    again = started(site, "--claim", "hostile-slow", "--jobs", "2", "--json", "--by", "Second")
    told, said = again.communicate(timeout=60)
    assert again.returncode == 0, said
    assert "1 of 3 seeds are finished already" in said
    folder = one_attempt(site)
    assert (folder / "seeds" / "0.json").read_bytes() == kept
    assert [seed.seed for seed in read_attempt(folder).seeds] == [0, 1, 2]
    assert json.loads(told)[0]["by"] == "Second"
    assert json.loads(told)[0]["verdicts"] == {"hostile-slow": "reproduced"}
    assert not working(site).exists()


def test_a_killed_supervisor_is_a_failed_attempt(site: HostileSite) -> None:
    run = in_the_middle(site)
    (found,) = (one for one in supervisors(site) if one.ppid() == run.pid)
    found.kill()
    _, said = run.communicate(timeout=30)
    assert run.returncode == 1
    assert "supervisor ended" in said
    attempt = read_attempt(one_attempt(site))
    assert not attempt.finished
    assert [seed.seed for seed in attempt.seeds] == [0]
    assert site.nothing_left(), site.left()


def interrupted(site: HostileSite) -> None:
    """A run in this process that is interrupted when its first seed is finished."""

    def moved(what: str, done: int, total: int | None) -> None:
        if what == "slow, seeds" and done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        site.run("slow", "cpu", 3, moved=moved)
    assert site.nothing_left(), site.left()


@pytest.mark.parametrize(
    ("change", "why"),
    [("nothing", ""), ("seeds", "number of seeds changed"), ("code", "code changed"),
     ("setting", "settings changed"), ("version", "protocol changed"), ("state", "its state cannot be read"),
     ("made", "code changed")],
)  # fmt: skip
def test_seeds_that_no_longer_fit_are_not_gone_on_from(
    site: HostileSite, change: str, why: str
) -> None:
    from peerscope_hostile import PAPER

    interrupted(site)
    source = site.package / "peerscope_hostile.py"
    protocol, seeds = PAPER.protocol("slow"), 2 if change == "seeds" else 3
    if change == "code":
        source.write_text(source.read_text() + "\n# another version\n")
    elif change == "setting":
        profile = protocol.profiles["cpu"]
        other = replace(profile, settings={**profile.settings, "port": 0})
        protocol = replace(protocol, profiles={**protocol.profiles, "cpu": other})
    elif change == "version":
        protocol = replace(protocol, version=2)
    elif change == "state":
        (working(site) / "state.json").write_text('{"fit": [')
    elif change == "made":
        (working(site) / "made" / "0.json").unlink()
    paper = replace(
        PAPER, protocols=tuple(protocol if one.name == "slow" else one for one in PAPER.protocols)
    )
    with held(site.store.running, Plan(paper, "", protocol, "cpu", seeds)) as found:
        assert found.finished() == ([] if why else [0])
        assert found.begun_anew == (why if why.startswith("its") else why and f"{why} since")


def test_killed_at_any_moment_it_leaves_the_old_state_or_the_new(site: HostileSite) -> None:
    chance = random.Random(3)
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); from hostile_site import *;"
        "print(HostileSite(*map(Path, sys.argv[2:])).run('well', 'cpu', 3, jobs=3)[0].attempt)"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent),
               str(site.home), str(site.package), str(site.shared)]  # fmt: skip
    for _ in range(4):
        run = subprocess.Popen(command, env=site.environment(), stdout=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.wait(chance.uniform(0.3, 1.5))
        run.kill()
        run.wait()
        for folder in (site.home / "reproductions" / "attempts").glob("[!.]*"):
            assert read_attempt(folder).finished
    done = subprocess.run(command, env=site.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert site.store.attempt(done.stdout.strip()) is not None
    assert site.nothing_left(), site.left()


def test_a_sealed_attempt_that_was_not_kept_is_kept_by_the_next_run(site: HostileSite) -> None:
    from peerscope_hostile import PAPER

    site.run("well", "cpu", 3)
    made = one_attempt(site)
    plan = Plan(PAPER, "peerscope_hostile:PAPER", PAPER.protocol("well"), "cpu", 3)
    with held(site.store.running, plan) as folder:
        made.rename(folder.folder / "attempt")
    told: list[str] = []
    ran, attempt = site.run("well", "cpu", 3, told=told.append)
    assert ran.attempt == made.name == attempt.id
    assert "had finished" in told[0]
    assert one_attempt(site) == made
