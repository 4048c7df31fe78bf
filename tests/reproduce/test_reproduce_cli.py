"""The commands of claims: what they print, what they refuse, and that text stays text."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from attempt_cases import made
from hostile_site import HostileSite, hostile_site
from typer.testing import CliRunner

from peerscope.cli import app
from peerscope.reproduce.attempts import read_attempt
from peerscope.reproduce.store import shipped


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with hostile_site(tmp_path_factory.mktemp("hostile")) as made:
        yield made


@pytest.fixture(scope="module")
def attempt(site) -> str:
    """A finished attempt at ``two-well``, made by the command."""
    done = call(
        site,
        "run",
        "two",
        "--claim",
        "two-well",
        "--jobs",
        "3",
        "--by",
        "[red]Somebody[/]",
        "--json",
    )
    assert done.exit_code == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["state"], row["protocol"], row["seeds"]) == ("finished", "well", 3)
    assert row["verdicts"] == {"two-well": "reproduced"}
    return row["attempt"]


def call(site: HostileSite, *arguments: str, home: Path | None = None):
    return CliRunner().invoke(app, ["reproduce", *arguments, "--home", str(home or site.home)])


def rows(site: HostileSite, *arguments: str) -> dict[str, dict]:
    done = call(site, "list", *arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return {row["claim"]: row for row in json.loads(done.stdout)}


def test_a_list_says_what_was_printed_and_measured(site, attempt) -> None:
    found = rows(site)["two-well"]
    assert found["state"] == "reproduced"
    assert found["words"] == "reproduced"
    assert (found["seeds"], found["profile"], found["attempt"]) == (3, "cpu", attempt)
    (check,) = found["checks"]
    assert check["low"] < check["measured"] < check["high"]
    assert check["measured"] == pytest.approx(1.001)
    text = call(site, "list", "two").stdout
    assert "[bold]12[/]" in text, "markup of another package stays text"
    line = next(line for line in text.splitlines() if line.startswith("two-well"))
    assert re.search(r"1 \[0\.999, 1\].* reproduced +3 +cpu", line), line


def test_a_list_needs_no_site_and_makes_none(site, tmp_path) -> None:
    home = tmp_path / "absent"
    done = call(site, "list", home=home)
    assert done.exit_code == 0
    assert re.search(r"two-well .* not run", done.stdout)
    assert call(site, "show", "two", home=home).exit_code == 0
    assert not home.exists()


@pytest.mark.parametrize(
    "name",
    ["hostile", "10.1000/hostile", "doi:10.1000/HOSTILE", "https://doi.org/10.1000/hostile", "2401.00001",
     "arXiv:2401.00001v3", "https://arxiv.org/abs/2401.00001", "https://arxiv.org/pdf/2401.00001v2.pdf"],
)  # fmt: skip
def test_a_paper_is_found_by_any_of_its_names(site, name) -> None:
    done = call(site, "show", name, "--claim", "hostile-well", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["paper"] == "hostile"


def test_a_paper_is_found_by_its_number_in_the_record(site, tmp_path) -> None:
    home = tmp_path / "home"
    library = tmp_path / "library.bib"
    library.write_text(
        "@article{a, title={Hostile Things}, author={Jane Doe and John Smith}, year=2024,"
        " doi={10.1000/hostile}}\n@article{b, title={Another Work}, author={Jane Doe}, year=2024,"
        " doi={10.1000/other}}\n@article{c, title={Without Any}, author={Jane Doe}, year=2023}"
    )
    assert CliRunner().invoke(app, ["import", str(library), "--home", str(home)]).exit_code == 0
    numbers = {
        title: next(
            row["id"]
            for row in json.loads(
                CliRunner().invoke(app, ["search", title, "--home", str(home), "--json"]).stdout
            )["results"]
            if row["title"] == title
        )
        for title in ("Hostile Things", "Another Work", "Without Any")
    }
    found = call(site, "list", numbers["Hostile Things"], home=home)
    assert found.exit_code == 0, found.stderr
    assert "hostile-crash" in found.stdout
    other = call(site, "list", numbers["Another Work"], home=home)
    assert other.exit_code == 1
    assert "No installed package offers claims of" in other.stderr
    assert call(site, "list", numbers["Without Any"], home=home).exit_code == 1
    absent = call(site, "list", "W99999", home=home)
    assert "The record has no identifier of a work W99999" in absent.stderr
    no_site = call(site, "list", "W1", home=tmp_path / "absent")
    assert no_site.exit_code == 1
    assert "There is no site in" in no_site.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "why"),
    [
        (["show", "nonsense"], 1, "No installed package offers claims of 'nonsense'; there are: .*hostile.*two"),
        (["show", "[/red]"], 1, r"claims of '\[/red\]'"),
        (["run", "two", "--claim", "two-none"], 1, "two has no claim 'two-none'; it has: two-crash, two-well"),
        (["run", "two", "--profile", "huge"], 1, "not tested under the profile 'huge'. Its profiles: cpu, gpu, tiny"),
        (["run", "two", "--claim", "two-well", "--profile", "gpu"], 1, "It has no training"),
        (["run", "two", "--seeds", "0"], 2, "--seeds"),
        (["run", "two", "--jobs", "0"], 2, "--jobs"),
        (["run"], 2, "PAPER"),
        (["import"], 2, "DIR"),
        (["import", "/absent"], 1, "no sealed attempt"),
        (["note", "0123456789ab", "text", "--by", "A"], 1, "no attempt '0123456789ab' here"),
        (["note", "../../etc", "text", "--by", "A"], 1, "no attempt"),
        (["note", "0123456789ab", "text"], 2, "--by"),
        (["export", "hostile", "--out", "/absent/deep/folder"], 1, "no attempt at a claim of hostile"),
        (["export", "hostile"], 2, "--out"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_in_a_sentence(site, arguments, status, why) -> None:
    done = call(site, *arguments)
    assert done.exit_code == status
    assert re.search(why, " ".join(done.stderr.split())), done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_after_a_protocol_that_fails_the_next_one_runs(site) -> None:
    done = call(site, "run", "two", "--seeds", "1", "--json", "--by", "B")
    assert done.exit_code == 1
    crashed, well = json.loads(done.stdout)
    assert (crashed["protocol"], crashed["state"], crashed["verdicts"]) == ("crash", "failed", {})
    assert (well["protocol"], well["state"]) == ("well", "finished")
    assert well["verdicts"] == {"two-well": "not_resolved"}, "one seed decides nothing"
    said = " ".join(done.stderr.split())
    assert "1 of 2 protocols failed" in said
    assert "RuntimeError: no way" in said
    assert "<b>not bold</b> not red [bold]not bold[/]" in said, "the end of its log, as text"
    assert f"attempts/{crashed['attempt']}/log.txt" in said
    assert rows(site)["two-crash"]["words"] == "failed"
    shown = call(site, "show", "two", "--claim", "two-crash").stdout
    assert f"Attempt {crashed['attempt']}, cpu" in shown
    assert "failed: Seed 0: RuntimeError: no way" in shown


def test_a_profile_that_this_machine_cannot_run_is_no_failed_attempt(site, tmp_path) -> None:
    if any(Path(place).exists() for place in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")):
        pytest.skip("this machine has a GPU")
    done = call(site, "run", "simsiam", "--profile", "gpu", home=tmp_path / "home")
    assert done.exit_code == 1
    said = " ".join(done.stderr.split())
    assert re.search(r"needs a GPU.*--profile cpu.*peerscope reproduce import DIR", said), said
    assert not (tmp_path / "home").exists()


def test_attempts_made_elsewhere_come_in_and_tampered_ones_do_not(site, tmp_path) -> None:
    home, folder = tmp_path / "home", tmp_path / "made"
    for name in ("measured", "fails"):
        made(folder / name, name)
    bad = tmp_path / "bad"
    shutil.copytree(folder / "measured", bad)
    (bad / "log.txt").write_text("better")
    unfinished = tmp_path / "unfinished"
    (unfinished / "seeds").mkdir(parents=True)
    done = call(site, "import", str(folder), str(bad), str(unfinished), "--json", home=home)
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert [row["new"] for row in told["taken"]] == [True, True]
    ids = {read_attempt(folder / name).id for name in ("measured", "fails")}
    assert {row["attempt"] for row in told["taken"]} == ids
    assert [row["folder"] for row in told["refused"]] == [str(bad), str(unfinished)]
    said = " ".join(done.stderr.split())
    assert "bad: log.txt was changed after the attempt was sealed" in said
    assert "2 of 4 folders were refused" in said
    again = call(site, "import", str(folder / "fails"), home=home)
    assert again.exit_code == 0
    assert "is here already" in again.stdout


def test_a_note_stands_beside_the_attempt(site, attempt) -> None:
    text = "<script>alert(1)</script> [bold]It is so.[/]"
    done = call(
        site,
        "note",
        attempt,
        text,
        "--by",
        "[red]Jane[/]",
        "--claim",
        "two-well",
        "--reply",
        "--json",
    )
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["kind"] == "reply"
    shown = call(site, "show", "two").stdout
    assert f"Reply of [red]Jane[/] on two-well, attempt {attempt}: {text}" in shown
    assert (
        json.loads(call(site, "show", "two", "--json").stdout)["notes"][attempt][0]["text"] == text
    )
    assert rows(site)["two-well"]["state"] == "reproduced"


def test_an_export_holds_the_sealed_attempts(site, attempt, tmp_path) -> None:
    out = tmp_path / "export"
    done = call(site, "export", "two", "--out", str(out), "--codechecker", "Jane Doe 0000-0002-1825-0097",
                "--author", "John Smith", "--license", "CC0-1.0", "--json")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert {read_attempt(path.parent).id for path in out.glob("codecheck/*/SHA256SUMS")} >= {
        attempt
    }
    assert {"ro-crate-metadata.json", "codecheck.yml", "README.md", "verdicts.json"} <= {
        path.name for path in out.iterdir()
    }
    again = call(site, "export", "two", "--out", str(out))
    assert again.exit_code == 1
    assert "is there already" in " ".join(again.stderr.split())
    wrong = call(
        site,
        "export",
        "two",
        "--out",
        str(tmp_path / "x"),
        "--codechecker",
        "Jane 0000-0002-1825-0098",
    )
    assert wrong.exit_code == 1
    assert "is no ORCID" in " ".join(wrong.stderr.split())


def test_the_starter_collection_brings_its_evidence(tmp_path) -> None:
    command = [
        sys.executable,
        "-m",
        "peerscope",
        "up",
        "--no-serve",
        "--home",
        str(tmp_path / "home"),
    ]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    ends = threading.Timer(200, process.kill)
    ends.start()
    assert process.stderr is not None
    try:
        said = next((line for line in process.stderr if "came with the package" in line), "")
    finally:
        process.kill()
        process.communicate()
        ends.cancel()
    number = len(shipped())
    assert number > 0
    assert said.startswith(f"{number} attempts at claims of the starter collection")
    kept = list((tmp_path / "home" / "reproductions" / "attempts").iterdir())
    assert len(kept) == number
