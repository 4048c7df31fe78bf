"""A protocol without the platform: seeds one by one, a folder at the end, and what stops it in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from attempt_cases import PAPER, protocol

from peerscope.reproduce.attempts import SUMS, read_attempt
from peerscope.reproduce.harness import finish, main, measure, seed_file
from peerscope.reproduce.protocol import Trial, WrongFigure

STOPS_AT: list[int] = []


def stopped(trial: Trial) -> None:
    if trial.seed in STOPS_AT:
        raise KeyboardInterrupt
    trial.data("numbers", [len(STOPS_AT) if trial.seed == 7 else 1])
    trial.figure("value", float(trial.seed))


STOPPED = replace(
    PAPER,
    protocols=tuple(
        replace(one, entry=f"{__name__}:stopped") if one.name == "measured" else one
        for one in PAPER.protocols
    ),
)


def test_it_makes_a_sealed_folder_of_what_was_measured(tmp_path, capsys) -> None:
    main(PAPER, "measured", ["--out", str(tmp_path / "out"), "--by", "Somebody", "--seeds", "4"])
    found = read_attempt(tmp_path / "out")
    assert capsys.readouterr().out == f"Attempt {found.id}: {tmp_path / 'out'}\n"
    assert found.finished
    assert [seed.seed for seed in found.seeds] == [0, 1, 2, 3]
    assert found.seeds[3].figures == {"value": 1.003, "units": [0.1, 0.2, 0.3]}
    about = found.about
    assert (about["by"], about["guarded"], about["profile"]) == ("Somebody", "", "cpu")
    assert about["settings"] == {"size": 1}
    assert [claim.id for claim in found.claims] == ["kept-1"]
    details = found.seeds[0].details
    assert details["data"].keys() == {"numbers"}
    assert len(details["code"]) == 64
    assert {"seconds", "peak_memory_mb", "environment", "started", "ended"} <= details.keys()
    everything = "".join(
        path.read_text() for path in (tmp_path / "out").rglob("*") if path.is_file()
    )
    assert str(tmp_path) not in everything
    assert str(Path.home()) not in everything


def test_a_sealed_folder_is_not_run_again(tmp_path, capsys) -> None:
    main(PAPER, "measured", ["--out", str(tmp_path)])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    main(PAPER, "measured", ["--out", str(tmp_path), "--seeds", "9"])
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    (tmp_path / "log.txt").write_text("better")
    with pytest.raises(SystemExit, match="1"):
        main(PAPER, "measured", ["--out", str(tmp_path)])
    assert "log.txt was changed" in capsys.readouterr().err


def test_a_run_that_was_stopped_goes_on_with_the_seeds_that_are_left(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "STOPS_AT", [1])
    with pytest.raises(KeyboardInterrupt):
        main(STOPPED, "measured", ["--out", str(tmp_path)])
    assert not (tmp_path / SUMS).exists()
    first = seed_file(tmp_path, 0)
    written = first.stat().st_mtime_ns
    monkeypatch.setattr(sys.modules[__name__], "STOPS_AT", [])
    main(STOPPED, "measured", ["--out", str(tmp_path)])
    assert first.stat().st_mtime_ns == written
    found = read_attempt(tmp_path)
    assert [seed.figures["value"] for seed in found.seeds] == [0.0, 1.0, 2.0]
    assert "Seed 0 is finished already." in found.log()


def test_what_it_raises_makes_a_failed_attempt_with_the_seeds_before(tmp_path) -> None:
    main(PAPER, "fails", ["--out", str(tmp_path)])
    found = read_attempt(tmp_path)
    assert not found.finished
    assert found.about["failure"] == "Seed 1: RuntimeError('no more')"
    assert [seed.seed for seed in found.seeds] == [0]
    assert "Traceback" in found.log()
    assert found.verdict(found.claims[0]) is None


@pytest.mark.parametrize(
    ("key", "value", "why"), [("code", "other", "code changed"), ("data", {"numbers": "other"}, "data changed")]
)  # fmt: skip
def test_seeds_of_other_code_or_data_are_not_compared(tmp_path, key, value, why) -> None:
    (tmp_path / "log.txt").touch()
    for seed in range(3):
        measure(PAPER, protocol("measured"), "cpu", seed, tmp_path, lambda line: None)
    path = seed_file(tmp_path, 1)
    found = json.loads(path.read_text())
    path.write_text(json.dumps(found | {key: value}))

    finish(tmp_path, PAPER, protocol("measured"), "cpu", range(3), started=datetime.now(UTC))
    attempt = read_attempt(tmp_path)
    assert not attempt.finished
    assert why in attempt.about["failure"]


def test_a_seed_that_is_missing_is_a_failure(tmp_path) -> None:

    (tmp_path / "log.txt").touch()
    measure(PAPER, protocol("measured"), "cpu", 0, tmp_path, lambda line: None)
    finish(tmp_path, PAPER, protocol("measured"), "cpu", range(3), started=datetime.now(UTC))
    assert read_attempt(tmp_path).about["failure"] == "Not every seed finished."


def test_a_figure_that_a_claim_needs_must_be_put_down(tmp_path) -> None:
    without = replace(protocol("measured"), entry=f"{__name__}:without")
    paper = replace(PAPER, protocols=(without, protocol("fails")))
    with pytest.raises(WrongFigure, match="no figure 'value', which kept-1 needs"):
        measure(paper, without, "cpu", 0, tmp_path, lambda line: None)
    assert not seed_file(tmp_path, 0).exists()


def without(trial: Trial) -> None:
    trial.figure("units", [1.0])


@pytest.mark.parametrize(
    ("given", "why"),
    [(["--seeds", "0"], "required: --out"), (["--out", "x", "--seeds", "-1"], "1 or more"),
     (["--out", "x", "--profile", "huge"], "invalid choice: 'huge'")],
)  # fmt: skip
def test_a_wrong_command_line_is_told(given, why, capsys) -> None:
    with pytest.raises(SystemExit):
        main(PAPER, "measured", given)
    assert why in capsys.readouterr().err


def test_a_protocol_of_the_package_runs_from_any_folder(tmp_path) -> None:
    source = Path(__file__).resolve().parents[2] / "src"
    command = [sys.executable, "-m", "peerscope.reproduce.protocols.dual_temperature_identities",
               "--out", "here", "--profile", "tiny"]  # fmt: skip
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert read_attempt(tmp_path / "here").finished
