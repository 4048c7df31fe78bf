"""The command that exports: shipped evidence, notes and replies, what is missing, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from peerscope.cli import app
from peerscope.reproduce import load_registry, read_attempt

EVIDENCE = Path(__file__).parents[2] / "reproductions"
SLUGS = sorted(path.name for path in EVIDENCE.iterdir() if path.is_dir())


def run(*given: object):
    return CliRunner().invoke(app, ["reproduce", *map(str, given)])


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = run("import", EVIDENCE, "--home", folder)
    assert done.exit_code == 0, done.output
    return folder


@pytest.mark.parametrize("slug", SLUGS)
def test_shipped_evidence_is_exported_as_it_was_sealed(home, tmp_path, slug):
    done = run("export", slug, "--out", tmp_path / "e", "--home", home, "--json")
    assert done.exit_code == 0, done.output
    sealed = {read_attempt(path.parent).id for path in EVIDENCE.glob(f"{slug}/*/SHA256SUMS")}
    found = json.loads((tmp_path / "e/verdicts.json").read_text())
    assert {one["id"] for one in found["attempts"]} == sealed
    for one in found["attempts"]:
        assert read_attempt(tmp_path / "e" / one["folder"]).id == one["id"]
    told = [claim for one in found["attempts"] for claim in one["claims"]]
    assert told
    assert all(claim["state"] for claim in told)
    known = {claim.id for claim in load_registry([]).papers[slug].claims}
    assert {claim["claim"] for claim in told} <= known


def test_notes_and_replies_travel_along(home, tmp_path):
    attempt = next(EVIDENCE.glob("dual-temperature/*/SHA256SUMS")).parent
    id = read_attempt(attempt).id
    done = run(
        "note",
        id,
        "Ours differs in <b>one</b> way.",
        "--by",
        "Josiah Carberry",
        "--reply",
        "--home",
        home,
    )
    assert done.exit_code == 0, done.output
    assert run("export", "dual-temperature", "--out", tmp_path / "e", "--home", home).exit_code == 0
    found = json.loads((tmp_path / "e/verdicts.json").read_text())
    notes = {one["id"]: one["notes"] for one in found["attempts"]}
    assert [(one["by"], one["kind"], one["text"]) for one in notes[id]] == [
        ("Josiah Carberry", "reply", "Ours differs in <b>one</b> way.")
    ]
    assert "Reply of Josiah Carberry" in (tmp_path / "e/README.md").read_text()


def test_what_is_given_stands_in_it_and_what_is_missing_is_told(home, tmp_path):
    done = run(
        "export", "momentum", "--out", tmp_path / "e", "--home", home, "--license", "CC0-1.0",
        "--codechecker", "Josiah Carberry 0000-0002-1825-0097", "--author", "Laure Haak (0000-0001-5109-3700)",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    content = yaml.safe_load((tmp_path / "e/codecheck.yml").read_text())
    assert content["codechecker"] == [{"name": "Josiah Carberry", "ORCID": "0000-0002-1825-0097"}]
    assert content["paper"]["authors"] == [{"name": "Laure Haak", "ORCID": "0000-0001-5109-3700"}]
    assert "CC-CFG-025" in done.output
    assert "CC-CFG-008" not in done.output
    assert "CC0-1.0" in (tmp_path / "e/ro-crate-metadata.json").read_text()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--certificate", "one"], "YYYY-NNN"),
        (["--report", "mine"], "web address"),
        (["--codechecker", "A 0000-0002-1825-0098"], "no ORCID"),
    ],
)
def test_what_cannot_be_is_refused_in_words(home, tmp_path, given, words):
    done = run("export", "momentum", "--out", tmp_path / "e", "--home", home, *given)
    assert done.exit_code != 0
    assert words in " ".join(done.output.split())
    assert "Traceback" not in done.output
    assert not (tmp_path / "e").exists()


def test_a_folder_that_is_there_is_left_alone(home, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    done = run("export", "momentum", "--out", tmp_path, "--home", home)
    assert done.exit_code != 0
    assert "there already" in " ".join(done.output.split())
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_site_without_attempts_says_so(tmp_path):
    done = run("export", "momentum", "--out", tmp_path / "e", "--home", tmp_path / "empty")
    assert done.exit_code != 0
    assert "no attempt" in " ".join(done.output.split())
