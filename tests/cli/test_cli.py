from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from peerscope.cli import app

LIBRARY = Path(__file__).resolve().parents[1] / "record" / "data" / "library.bib"
DOCS = Path(__file__).resolve().parents[2] / "docs"
COMMANDS = (
    "up",
    "import",
    "sources",
    "withdraw",
    "bring",
    "train",
    "publish",
    "improve",
    "map",
    "rollback",
    "search",
    "serve",
    "status",
    "quarantine",
    "export",
    "export-events",
    "dump",
    "trust",
    "digest",
)


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> str:
    folder = str(tmp_path_factory.mktemp("cli") / "site")
    done = run("up", str(LIBRARY), "--home", folder, "--no-serve", "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["import"][0]["added"] > 20
    assert report["publish"]["published"] is True
    return folder


def test_search_finds_and_says_why(home) -> None:
    done = run("search", "contrastive learning without negatives", "--home", home, "--json")
    found = json.loads(done.stdout)["results"]
    assert "Contrastive" in found[0]["title"]
    assert found[0]["reasons"]
    text = run("search", "group normalization", "--home", home).stdout
    assert re.search(r"1\. .*Group Normalization", text)


def test_the_same_file_twice_changes_nothing(home) -> None:
    again = json.loads(run("import", str(LIBRARY), "--home", home, "--json").stdout)
    assert (again[0]["added"], again[0]["updated"], again[0]["skipped"]) == (0, 0, True)
    forced = json.loads(run("import", str(LIBRARY), "--home", home, "--force", "--json").stdout)
    assert (forced[0]["added"], forced[0]["updated"]) == (0, 0)
    assert forced[0]["unchanged"] > 20


def test_a_work_imported_after_publishing_is_found_at_once(home, tmp_path) -> None:
    more = tmp_path / "more.bib"
    more.write_text(
        "@article{new, title={Quokkas in graph retrieval}, author={Example, Ada}, year={2024}}"
    )
    assert run("import", str(more), "--home", home).exit_code == 0
    found = json.loads(run("search", "quokkas", "--home", home, "--json").stdout)["results"]
    assert found[0]["title"] == "Quokkas in graph retrieval"


def test_status_and_quarantine_report(home, tmp_path) -> None:
    status = json.loads(run("status", "--home", home, "--json").stdout)
    assert status["counts"]["works"] > 20
    assert status["search"]["bundle"]
    bad = tmp_path / "bad.bib"
    bad.write_text(
        "@article{a, author={Example, Ada}}\n@article{b, title={Fine}, year={20222}}\n@article{c, title={A fine one}}"
    )
    assert run("import", str(bad), "--home", home).exit_code == 0
    rows = json.loads(run("quarantine", "--home", home, "--json").stdout)
    assert {"no title" in row["reason"] for row in rows if row["source"] == "bad.bib"} == {
        True,
        False,
    }
    assert "line 1" in run("quarantine", "--home", home).stdout


def test_rollback_and_publish(home) -> None:
    first = json.loads(run("status", "--home", home, "--json").stdout)["search"]["bundle"]
    done = json.loads(run("publish", "--home", home, "--json").stdout)
    assert done["published"]
    assert done["bundle"] != first
    assert json.loads(run("rollback", "--home", home, "--json").stdout) == {"bundle": first}


@pytest.mark.parametrize(
    ("suffix", "sign"),
    [(".bib", "@"), (".ris", "TY  -"), (".csl.json", '"title"'), (".jsonld", "schema.org")],
)
def test_export_writes_what_import_reads(home, tmp_path, suffix, sign) -> None:
    path = tmp_path / f"all{suffix}"
    assert run("export", str(path), "--home", home).exit_code == 0
    assert sign in path.read_text()
    if suffix in (".bib", ".ris", ".csl.json"):
        other = str(tmp_path / "other")
        done = run("import", str(path), "--home", other, "--json")
        status = json.loads(run("status", "--home", home, "--json").stdout)["counts"]["works"]
        assert json.loads(done.stdout)[0]["added"] == status


def test_exit_codes_mean_something(tmp_path, home) -> None:
    assert run("status", "--home", str(tmp_path / "none")).exit_code == 1
    assert run("import", str(tmp_path / "none.bib"), "--home", home).exit_code == 1
    assert run("import", "--home", home).exit_code == 2
    assert run("nonsense").exit_code == 2
    odd = tmp_path / "odd"
    odd.write_text("nothing known")
    refused = run("import", str(odd), "--home", home)
    assert refused.exit_code == 1
    assert "none of BibTeX" in refused.output
    empty = tmp_path / "bad.bib"
    empty.write_text("@article{a, year={2020}}")
    assert run("import", str(empty), "--home", str(tmp_path / "fresh")).exit_code == 3
    assert run("export", "--format", "docx", "--home", home).exit_code == 2


def test_export_makes_no_folder_of_a_mistyped_path(home, tmp_path) -> None:
    refused = run("export", str(tmp_path / "mistyped" / "all.bib"), "--home", home)
    assert refused.exit_code == 1
    assert "There is no folder" in refused.output
    assert not (tmp_path / "mistyped").exists()


def test_what_fails_still_reports(tmp_path) -> None:
    """Twenty works that say the same lie in one point: the bundle is refused, and the report says so."""
    path = tmp_path / "same.bib"
    entry = "@article{{k{n}, title={{Words about words}}, author={{Person{n}, Ada}}, year={{{year}}}}}\n"
    path.write_text("".join(entry.format(n=n, year=1990 + n) for n in range(20)))
    done = run("up", str(path), "--home", str(tmp_path / "site"), "--no-serve", "--json")
    assert done.exit_code == 4
    report = json.loads(done.stdout)
    assert report["import"][0]["added"] == 20
    assert report["publish"]["published"] is False
    assert "not published" in done.stderr
    bad = tmp_path / "bad.bib"
    bad.write_text("@article{a, year={2020}}")
    done = run("import", str(bad), "--home", str(tmp_path / "other"), "--json")
    assert done.exit_code == 3
    assert json.loads(done.stdout)[0]["quarantined"] == 1


def test_a_bundle_of_another_version_is_told_before_serving(home, tmp_path) -> None:
    folder = tmp_path / "copied"
    shutil.copytree(home, folder, symlinks=True)
    for manifest in folder.glob("bundles/*/manifest.json"):
        stated = json.loads(manifest.read_text())
        manifest.write_text(json.dumps(stated | {"format": 0}))
    done = run("serve", "--home", str(folder), "--port", "0")
    assert done.exit_code == 1
    assert "publish again" in done.stderr
    assert "Serving" not in done.stdout


def test_every_command_is_documented() -> None:
    text = (DOCS / "cli.md").read_text()
    assert sorted(command.name for command in app.registered_commands) == sorted(COMMANDS)
    for command in COMMANDS:
        assert f"`peerscope {command}" in text
        for option in re.findall(r"--[a-z-]+", run(command, "--help").stdout):
            assert option in text, (command, option)


def test_every_command_of_claims_is_documented() -> None:
    from peerscope.cli.reproducing import app as claims

    text = (DOCS / "cli.md").read_text()
    names = [command.name for command in claims.registered_commands]
    assert names == ["list", "show", "run", "import", "export", "note"]
    for name in names:
        row = re.search(rf"^\| `peerscope reproduce {name}.*$", text, re.MULTILINE)[0]
        options = set(re.findall(r"--[a-z-]+", run("reproduce", name, "--help").stdout))
        assert options - {"--help"} == set(re.findall(r"`(--[a-z-]+)`", row)), name


def test_every_command_of_moderation_is_documented() -> None:
    from peerscope.cli.moderating import group

    text = (DOCS / "cli.md").read_text()
    for name in [command.name for command in group.registered_commands]:
        row = re.search(rf"^\| `peerscope moderation {name}.*$", text, re.MULTILINE)[0]
        options = set(re.findall(r"--[a-z-]+", run("moderation", name, "--help").stdout))
        assert options - {"--help"} == set(re.findall(r"`(--[a-z-]+)`", row)), name


def test_every_setting_is_documented() -> None:
    from peerscope.settings import Settings

    text = (DOCS / "settings.md").read_text()
    for name in Settings.model_fields:
        assert f"`PEERSCOPE_{name.upper()}`" in text


def test_serve_prints_its_address_answers_and_ends_cleanly(home) -> None:
    command = [
        sys.executable,
        "-c",
        "from peerscope.cli import main; main()",
        "serve",
        "--home",
        home,
        "--port",
        "0",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    address = re.search(r"http://[\d.]+:\d+/", line)[0]
    for _ in range(50):
        try:
            with urllib.request.urlopen(address + "healthz", timeout=5) as answer:
                assert json.loads(answer.read())["ok"] is True
            break
        except OSError:
            time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=15) in (0, 130)
    assert "Traceback" not in process.stderr.read()


def a_reader(home: str):
    from peerscope.discover.readers import Readers

    readers = Readers(Path(home) / "readers.sqlite")
    number = readers.find(readers.enrol()).id
    readers.opened(number, 1, "quokkas in graphs")
    readers.save(number, 2)
    return readers


def test_the_readers_log_is_counted_and_exported(home, tmp_path) -> None:
    before = json.loads(run("status", "--home", home, "--json").stdout)
    assert (before["readers"]["readers"], before["retraining"]["hours"]) == (0, 0.0)
    assert not (Path(home) / "readers.sqlite").exists(), "asking for it makes no file"
    readers = a_reader(home)
    status = json.loads(run("status", "--home", home, "--json").stdout)
    assert (status["readers"]["readers"], status["readers"]["entries"]) == (1, 2)
    assert status["new_since_training"]["entries"] == 2
    text = run("status", "--home", home).stdout
    assert "2 openings and saves of readers" in text
    assert "never (PEERSCOPE_RETRAIN_HOURS)" in text
    folder = tmp_path / "events"
    done = run("export-events", str(folder), "--home", home, "--json")
    rows = json.loads(done.stdout)["rows"]
    assert (rows["users.jsonl"], rows["interactions.jsonl"]) == (1, 2)
    assert rows["items.jsonl"] == status["counts"]["works"]
    readers.erase_reader(1)
    readers.close()


def test_a_site_that_is_served_trains_again_by_its_schedule(home, monkeypatch) -> None:
    monkeypatch.setenv("PEERSCOPE_RETRAIN_HOURS", "0.0002")
    readers = a_reader(home)
    before = json.loads(run("status", "--home", home, "--json").stdout)["search"]["bundle"]
    command = [sys.executable, "-m", "peerscope", "serve", "--home", home, "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    address = re.search(r"http://[\d.]+:\d+/", process.stdout.readline())[0]
    said = Path(home) / "retraining.json"
    until = time.monotonic() + 120
    while time.monotonic() < until:
        time.sleep(0.2)
        if said.exists() and "trained and published" in said.read_text():
            break
    with urllib.request.urlopen(address + "healthz", timeout=30) as answer:
        now = json.loads(answer.read())["bundle"]
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) in (0, 130)
    assert "Traceback" not in process.stderr.read()
    assert now != before, "the served site took up a bundle that was trained meanwhile"
    assert "every 0.0002 hours" in run("status", "--home", home).stdout
    readers.erase_reader(2)
    readers.close()


def test_a_damaged_readers_file_is_named(home) -> None:
    path = Path(home) / "readers.sqlite"
    for one in Path(home).glob("readers.sqlite*"):
        one.unlink()
    path.write_bytes(b"no database" * 1000)
    for command in ("train", "status", "publish"):
        done = run(command, "--home", home)
        assert done.exit_code == 1, done.output
        assert "no readers' file" in " ".join(done.output.split())
    path.unlink()
