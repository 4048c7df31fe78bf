"""A paper whose words and log are hostile, with protocols that hold, fail, crash and draw."""

from __future__ import annotations

from peerscope.reproduce.claims import Check, Claim, Paper
from peerscope.reproduce.protocol import Profile, Protocol, Trial

EVIL = '<script>alert(1)</script> & "quoted" <img src=x onerror=alert(2)>'


def run(trial: Trial) -> None:
    noise = 0.01 * trial.seed
    trial.data("numbers", [1, 2, 3])
    trial.log(EVIL)
    trial.figure("score/a", [0.5 + noise, 0.7])
    trial.figure("score/b", [0.4, 0.5])
    trial.figure("score/tie", 0.3 + (0.2 if trial.seed % 2 else -0.2))
    trial.curve(f"{EVIL} over steps", "arm " + EVIL, range(5), [x + noise for x in range(5)])
    trial.curve(f"{EVIL} over steps", "other", range(5), [2.0] * 5)


def crash(trial: Trial) -> None:
    trial.log(EVIL)
    raise RuntimeError(EVIL)


def profiles() -> dict[str, Profile]:
    return {"cpu": Profile({"size": 3, "sizes": (1, 2)})}


def protocol(name: str) -> Protocol:
    return Protocol(
        name,
        1,
        f"{__name__}:{name}",
        f"Adds {EVIL}.",
        {"score/*": f"points, {EVIL}"},
        profiles(),
        ("numbers",),
    )


def claim(number: int, statement: str, protocol: str, *checks: Check, **more) -> Claim:
    return Claim(
        f"hostile-{number}", statement, "points", "table 1", protocol, checks, {"cpu": EVIL}, **more
    )


PAPER = Paper(
    "hostile", f"A work on {EVIL}", ("doi:10.9999/hostile", "arxiv:2203.17248"), f"version {EVIL}",
    (
        claim(1, f"A beats B, {EVIL}.", "run", Check(f"a above b {EVIL}", "score/a", "score/b"), learned=EVIL,
              controls=EVIL, reported=f"+3 {EVIL}", curve=f"{EVIL} over steps"),
        claim(2, "A is above 1.", "run", Check("above 1", "score/a", bound=1.0)),
        claim(3, "Ties are told.", "run", Check("above .3", "score/tie", bound=0.3)),
        claim(4, "Some hold.", "run", Check("holds", "score/a", "score/b"), Check("does not", "score/tie", bound=0.3)),
        claim(5, "A is .5.", "run", Check("near", "score/a", relation="within", bound=0.4, tolerance=0.05)),
        claim(6, "It crashes.", "crash", Check("above 0", "score/a")),
    ),
    (protocol("run"), protocol("crash")),
    known=EVIL, learned=EVIL,
)  # fmt: skip
