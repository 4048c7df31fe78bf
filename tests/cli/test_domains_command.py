"""``peerscope domains``: reading ROR, asking about a domain, and what bad files and names get."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from peerscope.cli import app
from peerscope.cli.domains import domains

DOCS = Path(__file__).resolve().parents[2] / "docs"
GOOD = {
    "ror": "012345600",
    "name": "Example [bold]University",
    "domains": ["example.edu", "edu.cn"],
}


def run(*arguments: str):
    return CliRunner().invoke(app, ["domains", *arguments])


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "ror.jsonl"
    path.write_text(json.dumps(GOOD) + "\n{broken\n", encoding="utf-8")
    return path


def test_a_file_is_read_and_asked(file, tmp_path) -> None:
    home = str(tmp_path / "site")
    done = run("import", str(file), "--home", home)
    assert done.exit_code == 0, done.output
    assert "1 domains of 1 institutions: 1 new, 0 gone" in done.stdout
    assert "2 bad records or domains" in done.stdout
    assert "edu.cn: Strangers register" in done.stderr and "line 2" in done.stderr
    again = json.loads(run("import", str(file), "--home", home, "--json").stdout)
    assert (again["added"], again["removed"], again["bad"]) == (0, 0, 2)
    shown = run("show", "mail.Example.edu", "--home", home)
    assert shown.stdout.split() == ["example.edu", "012345600", "Example", "[bold]University"]
    found = json.loads(run("show", "other.org", "--home", home, "--json").stdout)
    assert found == {"domain": None, "institutions": [], "known_domains": 1}


def test_what_cannot_be_read_is_said(file, tmp_path) -> None:
    home = str(tmp_path / "site")
    empty = tmp_path / "empty.json"
    empty.write_text("[]", encoding="utf-8")
    refused = run("import", str(empty), "--home", home)
    assert refused.exit_code == 3 and "states no domain" in refused.stderr
    assert run("import", str(tmp_path / "none"), "--home", home).exit_code == 1
    assert run("show", "no domain", "--home", home).exit_code == 1


def test_every_command_of_domains_is_documented() -> None:
    text = (DOCS / "cli.md").read_text()
    for command in domains.registered_commands:
        assert f"`peerscope domains {command.name}" in text
