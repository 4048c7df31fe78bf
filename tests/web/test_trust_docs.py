"""docs/trust.md says what the code says, and its example is what the command prints."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from peerscope.cli import app
from peerscope.community.trust import rule_text
from peerscope.community.trust.shapes import DIMENSIONS
from peerscope.record import Database, ingest, resolve_people
from peerscope.record.importers import importer_for
from peerscope.record.models import Person
from peerscope.record.starter import FOLDER, STARTER

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "trust.md").read_text(encoding="utf-8")
NUMBER = re.search(r"`peerscope trust (A\d+) --explain`", TEXT)[1]


@pytest.fixture(scope="module")
def example(site, numbers, tmp_path_factory) -> Callable[..., str]:
    """The command of the example, on the test site: it holds the starter collection and more.

    Accounts are a fresh site's: other tests write reviews on the shared one.
    """
    settings, _, _ = site
    fresh = tmp_path_factory.mktemp("accounts") / "community.sqlite"
    surroundings = {"PEERSCOPE_COMMUNITY_URL": f"sqlite:///{fresh}"}
    number = f"A{numbers['person:Kang Zhang']}"

    def run(*options: str) -> str:
        done = CliRunner().invoke(
            app,
            ["trust", number, "--home", str(settings.home), *options],
            env=surroundings,
        )
        assert done.exit_code == 0, done.output
        return re.sub(rf"\b{number}\b", NUMBER, done.stdout)

    return run


def undated(text: str) -> str:
    """A text without the day on which the starter collection was read, and the name it has here."""
    text = text.replace("Peerscope starter collection", "Starter")
    return re.sub(r"(Read on |Starter, )\d{4}-\d\d-\d\d", r"\1DAY", text)


def test_a_fresh_site_gives_the_person_the_number_of_the_example(tmp_path) -> None:
    record = Database(f"sqlite:///{tmp_path / 'record.sqlite'}")
    record.migrate()
    ingest(record, importer_for(STARTER), str(FOLDER), location=STARTER)
    resolve_people(record)
    with record.session() as session:
        assert session.get(Person, int(NUMBER[1:])).display_name == "Kang Zhang"
    record.close()


def test_the_formula_is_that_of_the_code() -> None:
    assert f"```text\n{rule_text()}```" in TEXT


def test_the_example_is_what_the_command_prints(example) -> None:
    shown = re.search(r"printed:\n\n```text\n(.*?)```", TEXT, re.DOTALL)[1]
    assert undated(shown) == undated(example("--explain")), (
        f"Put the output of `peerscope trust {NUMBER} --explain` on a fresh site into docs/trust.md."
    )


def test_the_recomputed_figures_are_those_of_the_script(example, tmp_path) -> None:
    shown = re.search(r"recompute_trust\.py trust\.json\n(.*?)```", TEXT, re.DOTALL)[1]
    path = tmp_path / "trust.json"
    path.write_text(example("--json"), encoding="utf-8")
    script = DOCS / "examples" / "recompute_trust.py"
    done = subprocess.run([sys.executable, "-I", script, path], capture_output=True, text=True)
    assert done.stdout == shown, done.stderr


def test_every_dimension_has_its_row() -> None:
    rows = re.findall(r"^\| (\w+) \|", TEXT, re.MULTILINE)
    assert rows[1:] == list(DIMENSIONS)


def test_history_of_the_command(example) -> None:
    kept = json.loads(example("--history", "--json"))
    assert {one["person"] for one in kept} == {NUMBER}
    told = example("--history")
    assert "trust-snapshot/1.0  L0  checked in 5 of 7" in told
    assert "reproduction: 65/134" in told


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("X9", "no number of a person"),
        ("A999999", "no person A999999"),
        ("A1 OR 1", "no number"),
        ("A١", "no number"),
    ],
)
def test_wrong_numbers_are_told(site, given, sentence) -> None:
    done = CliRunner().invoke(app, ["trust", given, "--home", str(site[0].home)])
    assert done.exit_code == 1
    assert sentence in " ".join(done.output.split())
