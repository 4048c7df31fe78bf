"""`peerscope identity`: looked at first, done with --yes, undone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from peerscope.cli import app

LINES = [
    {"id": f"m{i}", "title": f"The work with the number {i}", "year": 2000 + i,
     "authors": [{"id": "kang", "name": "Kang Zhang"}, {"name": "Ada Example"}]}
    for i in range(1, 4)
] + [{"id": "m4", "title": "The fourth work", "year": 2004, "authors": [{"name": "K. Zhang"}]},
     {"id": "m5", "title": "The fifth work", "year": 2005, "authors": [{"name": "K. Zhang"}]}]  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Any:
    path = tmp_path / "works.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in LINES))
    home = str(tmp_path / "site")

    def call(*words: str, code: int = 0) -> Any:
        done = CliRunner().invoke(app, [*words, "--home", home])
        assert done.exit_code == code, done.output
        return done

    call("import", str(path))
    return call


def shown(run: Any, person: str) -> dict[str, Any]:
    return json.loads(run("identity", "show", person, "--json").stdout)


def kang(run: Any) -> str:
    for number in range(1, 9):
        one = shown(run, f"A{number}")
        if one["name"] == "Kang Zhang":
            return one["person"]
    raise AssertionError("there is no Kang Zhang")


def test_a_split_is_shown_done_and_undone(run: Any) -> None:
    person = kang(run)
    whole = shown(run, person)
    assert [len(part["works"]) for part in whole["partition"]["parts"]] == [3]
    work = f"W{whole['partition']['parts'][0]['works'][0]}"
    for words in ([], ["--yes", "--preview"]):
        seen = run("identity", "split", person, "--part", work, *words)
        assert "3 works" in seen.stdout and "Nothing was changed" in seen.stderr
    assert json.loads(run("identity", "history", "--json").stdout) == []
    done = json.loads(
        run(
            "identity", "split", person, "--part", work, "--yes", "--reason", "Two.", "--json"
        ).stdout
    )
    assert done["done"] and len(done["moved"]) == 1
    assert len(shown(run, person)["partition"]["parts"][0]["works"]) == 2
    assert "Two." in run("identity", "history", person).stdout
    run("identity", "undo", str(done["event"]), "--yes", "--by", "Somebody")
    assert "Undone by Somebody." in run("identity", "history").stdout
    assert shown(run, person)["partition"] == whole["partition"]


def test_works_are_detached_assigned_and_people_merged(run: Any) -> None:
    person = kang(run)
    before = shown(run, person)
    work = f"W{before['partition']['parts'][0]['works'][0]}"
    run("identity", "detach", person, work, "--yes")
    numbers = [str(one["authorship"]) for one in shown(run, person)["lookalikes"]["undecided"]]
    assert len(numbers) == 3
    made = json.loads(run("identity", "assign", "new", numbers[0], "--yes", "--json").stdout)
    run("identity", "assign", person, numbers[1], "--yes")
    (new,) = {row["after"] for row in made["moved"]}
    merged = run("identity", "merge", person, f"A{new}", "--yes").stdout
    assert f"the address leads to {person}" in merged
    assert f"is {person} now" in run("identity", "show", f"A{new}", code=1).stderr
    text = run("identity", "show", person).stdout
    assert "works" in text and "undecided" in text


def test_what_cannot_be_ends_with_a_sentence(run: Any) -> None:
    person = kang(run)
    assert "is not a person" in run("identity", "show", "W1", code=2).stderr
    assert "no person" in run("identity", "show", "A99999", code=1).stderr
    assert "is no work of" in run("identity", "split", person, "--part", "W999", code=1).stderr
    assert "some, but not all" in run("identity", "split", person, "--suggested", code=1).stderr
    assert "no event" in run("identity", "undo", "7", code=1).stderr
    assert "at least two" in run("identity", "merge", person, person, code=1).stderr
    assert (
        "names who" in run("identity", "detach", person, "W1", "--yes", "--by", " ", code=1).stderr
    )
