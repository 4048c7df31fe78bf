"""Every protocol of the seven works: it runs, puts down what its claims need, and its evidence is sound."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from peerscope.reproduce import load_registry
from peerscope.reproduce.claims import Claim, Paper
from peerscope.reproduce.overview import Overview
from peerscope.reproduce.papers import PAPERS
from peerscope.reproduce.protocol import Protocol, Trial, WrongFigure
from peerscope.reproduce.report import rewritten
from peerscope.reproduce.store import Store
from peerscope.reproduce.verdict import DECIDING

EVERY = [(paper, protocol) for paper in PAPERS for protocol in paper.protocols]
CLAIMS = [(paper, claim) for paper in PAPERS for claim in paper.claims]
NAMES = [protocol.name for _, protocol in EVERY]


def needed(paper: Paper, protocol: Protocol) -> set[str]:
    return {
        name
        for claim in paper.claims
        if claim.protocol == protocol.name
        for check in claim.checks
        for name in check.figures
    }


@pytest.mark.parametrize(("paper", "protocol"), EVERY, ids=NAMES)
def test_a_tiny_run_puts_down_every_figure_that_a_claim_needs(paper, protocol) -> None:
    from peerscope.methods.datasets import MissingData

    profile = protocol.profiles["tiny"]
    lines: list[str] = []
    trial = Trial(protocol, 0, profile.settings, "cpu", lines.append)
    try:
        protocol.function()(trial)
    except (MissingData, FileNotFoundError) as error:
        pytest.skip(f"data: {error}")
    assert needed(paper, protocol) <= trial.figures.keys()
    patterns = {pattern for pattern in protocol.figures
                if any(Protocol.described(protocol, name) == protocol.figures[pattern] for name in trial.figures)}  # fmt: skip
    for pattern in protocol.figures.keys() - patterns:
        assert "GPU" in protocol.figures[pattern], f"{pattern} is declared and never put down"
    for claim in paper.claims:
        if claim.protocol == protocol.name and claim.curve:
            assert claim.curve in trial.curves, claim.id
    assert bool(trial.hashes) == bool(protocol.data)


@pytest.mark.parametrize(("paper", "protocol"), EVERY, ids=NAMES)
def test_profiles_are_of_one_make(paper, protocol) -> None:
    keys = {frozenset(profile.settings) for profile in protocol.profiles.values()}
    assert len(keys) == 1, "profiles set different things"
    assert paper.tested_by(protocol.name, "tiny") == ()
    for name in DECIDING:
        if (profile := protocol.profiles.get(name)) is None:
            continue
        assert profile.seeds >= 3
        assert profile.device == ("cuda" if name == "gpu" else "cpu")
        # ten minutes on two cores or eight on one GPU are for all seeds, so a seed alone stays below them
        assert profile.seconds <= (1200 if name == "cpu" else 480)
    module = importlib.import_module(protocol.entry.partition(":")[0])
    assert module.__doc__
    assert module.__name__.rpartition(".")[2] == protocol.name


@pytest.mark.parametrize(("paper", "claim"), CLAIMS, ids=[claim.id for _, claim in CLAIMS])
def test_claims_say_what_a_reader_asks(paper: Paper, claim: Claim) -> None:
    assert re.fullmatch(rf"{paper.slug}-\d+", claim.id)
    assert claim.statement.endswith(".")
    assert claim.metric and claim.location
    for name in DECIDING:
        tried, why = name in claim.profiles, claim.not_run.get(name)
        assert tried != bool(why), f"{name}: it is run, or it says why not"
    assert Claim.from_dict(claim.to_dict()) == claim


def test_every_protocol_is_claimed_and_described_without_its_code() -> None:
    for paper, protocol in EVERY:
        assert any(claim.protocol == protocol.name for claim in paper.claims), protocol.name
    code = "import sys, peerscope.reproduce; peerscope.reproduce.load_registry(()); print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


def test_a_protocol_runs_by_name_and_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "peerscope.reproduce.protocols.dual_temperature_identities",
               "--profile", "tiny", "--out", str(tmp_path / "run")]  # fmt: skip
    first = subprocess.run(command, capture_output=True, text=True, check=True)
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert first.stdout == again.stdout
    assert re.match(r"Attempt [0-9a-f]{12}: ", first.stdout)


def test_wrong_figures_are_refused() -> None:
    (protocol,) = (one for _, one in EVERY if one.name == "dual_temperature_identities")
    trial = Trial(protocol, 0, {})
    for name, value in (
        ("nobody", 1.0),
        ("error/a", float("nan")),
        ("error/a", []),
        ("error/a", [[1.0]]),
    ):
        with pytest.raises(WrongFigure):
            trial.figure(name, value)
    trial.figure("error/a", [1.0, 2.0])
    with pytest.raises(WrongFigure, match="twice"):
        trial.figure("error/a", 1.0)


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Store:
    store = Store(tmp_path_factory.mktemp("store"))
    _, refused = store.take_shipped()
    assert refused == []
    return store


def test_the_evidence_that_is_shipped_is_sound(kept: Store) -> None:
    assert kept.attempts(), "no evidence is shipped"
    for one in kept.attempts():
        assert one.finished and one.profile in DECIDING, one.id
        assert one.about["by"]
        for text in (one.log(), (one.folder / "attempt.json").read_text()):
            assert not re.search(r"/(home|root|work|tmp|Users)/", text), one.id


def test_evidence_fits_the_claims_as_they_are_stated(kept: Store) -> None:
    """A claim whose checks were changed after its run has no verdict; neither has its evidence a use."""
    for one in kept.attempts():
        for then in one.claims:
            paper = next(paper for paper in PAPERS if paper.slug == one.paper)
            now = next(claim for claim in paper.claims if claim.id == then.id)
            assert then.checks == now.checks, f"{now.id} was changed after it was run"
            assert kept.standing(now, paper.protocol(now.protocol).version) is not None, now.id


def test_the_table_of_the_documentation_is_that_of_the_evidence(kept: Store) -> None:
    path = Path(__file__).parents[2] / "docs/reproductions.md"
    document = path.read_text("utf-8")
    assert rewritten(document, Overview(load_registry(()), kept)) == document
