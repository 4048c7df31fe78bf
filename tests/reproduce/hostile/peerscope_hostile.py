"""A package of claims whose protocols do what no protocol should; small limits, so that tests are short."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from peerscope.reproduce.claims import Check, Claim, Paper
from peerscope.reproduce.protocol import Profile, Protocol, Trial

LEFT_BEHIND = "peerscope-hostile-left-behind"
"""In the command line of whatever a protocol here leaves behind."""
SECONDS = {
    "hang": 1.0,
    "says_without_end": 1.5,
    "stops_itself": 1.0,
    "ignores_signals": 1.0,
    "kills_its_parent": 1.0,
}


def well(trial: Trial) -> None:
    trial.log("all is well with seed", trial.seed)
    trial.figure("value", 1.0 + trial.seed / 1000)
    trial.curve("value over steps", "it", [0, 1], [0.0, 1.0])
    trial.progress("measuring", 1, 1)


def slow(trial: Trial) -> None:
    """Seed 0 is done at once; the others wait for a file, or for their end."""
    trial.log("begins", os.getpid())
    Path(os.environ["HOME"]).joinpath("begun").touch()
    until = time.monotonic() + 60
    while trial.seed and not Path(str(trial["gate"])).exists() and time.monotonic() < until:
        time.sleep(0.02)
    trial.figure("value", 1.0 + trial.seed / 1000)


def crash(trial: Trial) -> None:
    trial.log("<b>not bold</b>", "\x1b[31mnot red", "[bold]not bold[/]", Path.cwd())
    raise RuntimeError(f"no {'way' * 400}")


def segfault(trial: Trial) -> None:
    import ctypes

    ctypes.string_at(0)


def hang(trial: Trial) -> None:
    while True:
        time.sleep(1)


def ignores_signals(trial: Trial) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        pass


def stops_itself(trial: Trial) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(60)


def nan(trial: Trial) -> None:
    print("loss nan")
    trial.figure("value", float("nan"))


def wrong_name(trial: Trial) -> None:
    trial.figure("vlaue", 1.0)


def nothing(trial: Trial) -> None:
    pass


def other_figure(trial: Trial) -> None:
    trial.figure("other", 1.0)


def forged(trial: Trial) -> None:
    """Writes its seed itself, with a figure that is none, and is gone before anyone looks."""
    trial.figure("value", 1.0)
    out = Path.cwd() / "out"
    (out / "seeds" / f"{trial.seed}.json").write_text('{"seed": 0, "figures": {"value": 1e999}}')
    (out / "code.json").write_text("{}")
    for number in range(3, 64):
        try:
            os.write(number, b'{"ended": ""}\n' + b"[" * 100_000 + b'\n{"progress": 1}\n')
        except OSError:
            continue
    os._exit(0)


def one_file(trial: Trial) -> None:
    with Path("large").open("wb") as stream:
        while True:
            stream.write(b"x" * 2**20)


def many_files(trial: Trial) -> None:
    for number in range(10**9):
        Path(f"file-{number}").write_bytes(b"x" * 2**19)


def fork_bomb(trial: Trial) -> None:
    """Bounded, in case that nothing stops it: at most 2 ** 9 processes of 20 s."""
    for _ in range(9):
        os.fork()
        time.sleep(0.1)
    time.sleep(20)


def memory(trial: Trial) -> None:
    held = []
    for _ in range(400):
        held.append(bytearray(os.urandom(16)) * 2**19)
        time.sleep(0.01)


def memory_at_once(trial: Trial) -> None:
    bytearray(2**36)


def memory_of_children(trial: Trial) -> None:
    for _ in range(6):
        if os.fork() == 0:
            block = b"x" * (60 * 2**20)
            time.sleep(20 + len(block) * 0)
    time.sleep(20)


def daemon(trial: Trial) -> None:
    """Measures well, and leaves a process behind that has got away from its parents and their session."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            command = [sys.executable, "-c", "import time; time.sleep(60)", LEFT_BEHIND]
            subprocess.Popen(command)
            time.sleep(60)
        os._exit(0)
    os.wait()
    well(trial)


def connects(trial: Trial) -> None:
    socket.create_connection(("127.0.0.1", int(trial["port"])), timeout=2)


def connects_below_python(trial: Trial) -> None:
    """From a program that no hook of Python sees."""
    code = f"exec 3<>/dev/tcp/127.0.0.1/{trial['port']}"
    trial.figure("value", float(subprocess.run(["bash", "-c", code]).returncode == 0))


def resolves(trial: Trial) -> None:
    socket.getaddrinfo("localhost", 80)


def writes_outside(trial: Trial) -> None:
    Path(str(trial["outside"])).write_text("from a protocol")


def says_without_end(trial: Trial) -> None:
    trial.log("the beginning")
    while True:
        print("again and " * 100)


def one_line_without_end(trial: Trial) -> None:
    for _ in range(2_000):
        print("no end " * 1000, end="")
    well(trial)


def exits(trial: Trial) -> None:
    sys.exit(0)


def exits_at_once(trial: Trial) -> None:
    os._exit(0)


def kills_its_parent(trial: Trial) -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


def surroundings(trial: Trial) -> None:
    for name in sorted(os.environ):
        trial.log(name)
    trial.log("home is empty:", not any(Path.home().iterdir()))
    trial.figure("value", float("PEERSCOPE_SECRET" in os.environ))


def thread_stays(trial: Trial) -> None:
    import atexit
    import threading

    threading.Thread(target=time.sleep, args=(60,)).start()
    atexit.register(time.sleep, 60)
    well(trial)


def moves_much(trial: Trial) -> None:
    for number in range(200_000):
        trial.progress(f"[/]stage {number}", number, 0)
    well(trial)


def zero(trial: Trial) -> None:
    trial.figure("value", 1.0)
    trial.figure("other", 0.0)


ALL = (
    well, slow, crash, segfault, hang, ignores_signals, stops_itself, nan, wrong_name, nothing, other_figure,
    forged, one_file, many_files, fork_bomb, memory, memory_at_once, memory_of_children, daemon, connects,
    connects_below_python, resolves, writes_outside, says_without_end, one_line_without_end, exits,
    exits_at_once, kills_its_parent, surroundings, thread_stays, moves_much, zero,
)  # fmt: skip


def _protocol(name: str) -> Protocol:
    settings = {
        "gate": os.environ.get("PEERSCOPE_SHARED", "") + "/gate",
        "outside": os.environ.get("PEERSCOPE_SHARED", "") + "/outside",
        "port": int(Path(os.environ.get("PEERSCOPE_SHARED", "/absent"), "port").read_text())
        if Path(os.environ.get("PEERSCOPE_SHARED", "/absent"), "port").exists()
        else 9,
    }
    limits = {"seconds": SECONDS.get(name, 30.0), "memory_mb": 256, "disk_mb": 16}
    return Protocol(
        name=name,
        version=1,
        entry=f"peerscope_hostile:{name}",
        summary="Does what no protocol should.",
        figures={"value": "a number", "other": "another"},
        profiles={
            "cpu": Profile(settings, seeds=3, **limits),
            "gpu": Profile(settings, seeds=3, device="cuda", **limits),
            "tiny": Profile(settings, seeds=1, **limits),
        },
    )


def _claim(name: str) -> Claim:
    check = (
        Check("their ratio is large", "value", against="other", compare="ratio", bound=1.0)
        if name == "zero"
        else Check("the value is large", "value", bound=0.5)
    )
    return Claim(
        id=f"hostile-{name.replace('_', '-')}",
        statement=f"What {name} measures is large.",
        metric="a number",
        location="nowhere",
        protocol=name,
        checks=(check,),
        profiles={"cpu": ""},
        reported="[bold]12[/]" if name == "well" else "",
    )


NAMES = [one.__name__ for one in ALL]
PAPER = Paper(
    slug="hostile",
    title="<script>alert(1)</script> [red]and[/] other things",
    identifiers=("doi:10.1000/hostile", "arxiv:2401.00001"),
    version="first",
    claims=tuple(_claim(name) for name in NAMES),
    protocols=tuple(_protocol(name) for name in NAMES),
)

TWO = Paper(
    slug="two",
    title="Two protocols, the first of which crashes",
    identifiers=("arxiv:2401.00002",),
    version="first",
    claims=(
        replace(_claim("crash"), id="two-crash"),
        replace(_claim("well"), id="two-well", not_run={"gpu": "It has no training."}),
    ),
    protocols=(_protocol("crash"), _protocol("well")),
)
PAPERS = (PAPER, TWO)
