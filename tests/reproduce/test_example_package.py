"""The example for researchers: installed as a package, found, run by its own command, judged and exported."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from peerscope.reproduce import read_attempt

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs/examples/my-paper"
PAGE = ROOT / "docs/reproduce-your-paper.md"


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with the example in it, as pip leaves it; without a network."""
    pytest.importorskip("hatchling", reason="hatchling builds the example (extra dev)")
    root = tmp_path_factory.mktemp("example")
    shutil.copytree(EXAMPLE, root / "source", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
            "--disable-pip-version-check", "--target", root / "installed", root / "source",
        ],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return root / "installed"


def python(installed: Path, *given: object) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(installed), str(ROOT / "src")])
    return subprocess.run(
        [sys.executable, *map(str, given)],
        env=os.environ | {"PYTHONPATH": path}, cwd=installed, capture_output=True, text=True, check=True,
    )  # fmt: skip


def test_it_is_found_beside_this_packages_own_papers(installed):
    script = (
        "import json\nfrom peerscope.reproduce import load_registry\nfound = load_registry()\n"
        "print(json.dumps([list(found.papers), found.origins['my-paper'], found.problems,"
        " found.find('10.5555/my-paper').slug]))"
    )
    papers, origin, problems, slug = json.loads(python(installed, "-c", script).stdout)
    assert papers[-1] == slug == "my-paper"
    assert "dual-temperature" in papers
    assert origin == "my_paper:PAPER"
    assert problems == []


@pytest.fixture(scope="module")
def attempt(installed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("attempts") / "mine"
    told = python(installed, "-m", "my_paper", "--out", folder, "--by", "Josiah Carberry").stdout
    found = read_attempt(folder)
    assert found.id in told
    return found


def test_its_command_makes_a_sealed_attempt(attempt):
    assert attempt.finished
    assert attempt.profile == "cpu"
    assert [seed.seed for seed in attempt.seeds] == [0, 1, 2, 3, 4]
    assert attempt.about["by"] == "Josiah Carberry"
    assert {len(values) for seed in attempt.seeds for values in seed.figures.values()} == {500}


def test_its_claim_gets_a_verdict(attempt):
    verdict = attempt.verdict(attempt.claims[0])
    assert verdict.state == "reproduced"
    assert verdict.checks[0].high < 0


def test_its_code_is_part_of_the_evidence(attempt):
    assert len({seed.details["code"] for seed in attempt.seeds}) == 1
    assert attempt.about["protocol"]["entry"] == "my_paper:run"


def test_it_goes_on_where_it_was_stopped(installed, attempt, tmp_path):
    (tmp_path / "seeds").mkdir()
    shutil.copy(attempt.folder / "seeds/0.json", tmp_path / "seeds")
    told = python(installed, "-m", "my_paper", "--out", tmp_path)
    assert "Seed 0 is finished already." in told.stderr
    again = read_attempt(tmp_path)
    assert [one.figures for one in again.seeds] == [one.figures for one in attempt.seeds]


def test_the_tiny_profile_decides_nothing(installed, tmp_path):
    python(installed, "-m", "my_paper", "--out", tmp_path / "t", "--profile", "tiny")
    found = read_attempt(tmp_path / "t")
    assert found.finished
    assert found.claims == ()
    assert set(found.seeds[0].figures) == {"error/mean", "error/median"}


def test_it_can_be_exported(installed, attempt, tmp_path):
    script = (
        "import sys\nfrom pathlib import Path\nfrom my_paper import PAPER\n"
        "from peerscope.reproduce import read_attempt\nfrom peerscope.reproduce.export import export_paper\n"
        "export_paper(PAPER, [read_attempt(Path(sys.argv[1]))], Path(sys.argv[2]))"
    )
    python(installed, "-c", script, attempt.folder, tmp_path / "e")
    told = json.loads((tmp_path / "e/verdicts.json").read_text())
    assert told["attempts"][0]["claims"][0]["state"] == "reproduced"
    assert told["attempts"][0]["claims"][0]["stated_otherwise_today"] is False


def test_the_page_shows_the_files_as_they_are():
    blocks = re.findall(r"```(?:python|toml)\n(.*?)```", PAGE.read_text("utf-8"), re.S)
    for name in ("my_paper.py", "pyproject.toml"):
        assert (EXAMPLE / name).read_text("utf-8") in blocks


def test_it_is_as_short_as_the_page_says():
    lines = (EXAMPLE / "my_paper.py").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) <= 30
