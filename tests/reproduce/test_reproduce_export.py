"""An export is whole, exact and atomic, and says what is not known."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pytest
from export_cases import JOSIAH, NASTY, OTHER, PAPER, STATES, attempt_in

from peerscope.reproduce.attempts import Attempt, DamagedAttempt, read_attempt, seal, write_json
from peerscope.reproduce.bundle import addresses
from peerscope.reproduce.export import export_paper
from peerscope.reproduce.people import Person, read_person, valid_orcid
from peerscope.reproduce.verdict import RULE, rule_text


@pytest.fixture(scope="module")
def attempts(tmp_path_factory) -> list[Attempt]:
    """One that finished and decides, one that decides nothing, one that failed."""
    folder = tmp_path_factory.mktemp("attempts")
    return [
        attempt_in(folder / "cpu", by="Josiah Carberry"),
        attempt_in(folder / "tiny", "tiny", by=NASTY),
        attempt_in(folder / "gpu", "gpu"),
    ]


@pytest.fixture(scope="module")
def exported(attempts, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "quick"
    export_paper(PAPER, attempts, folder, codecheckers=[JOSIAH])
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def told(folder: Path) -> dict:
    return json.loads((folder / "verdicts.json").read_text())


# What is in it


def test_attempts_are_there_byte_for_byte(exported, attempts):
    found = {one["id"]: exported / one["folder"] for one in told(exported)["attempts"]}
    assert set(found) == {attempt.id for attempt in attempts}
    for attempt in attempts:
        assert contents(found[attempt.id]) == contents(attempt.folder)
        assert read_attempt(found[attempt.id]).id == attempt.id


def test_sums_can_be_checked_without_this_package(exported):
    for sums in exported.glob("codecheck/*/SHA256SUMS"):
        subprocess.run(["sha256sum", "--check", "--quiet", sums.name], cwd=sums.parent, check=True)
        assert hashlib.sha256(sums.read_bytes()).hexdigest()[:12] == sums.parent.name[-12:]


def test_every_verdict_is_told_with_its_checks(exported, attempts):
    found = told(exported)
    assert found["rule"] == RULE
    assert found["rule_text"] == rule_text()
    by_profile = {one["profile"]: one for one in found["attempts"]}
    states = {one["claim"]: one["state"] for one in by_profile["cpu"]["claims"]}
    assert states == STATES
    first = by_profile["cpu"]["claims"][0]
    check = first["checks"][0]
    figures = [seed.figures for seed in attempts[0].seeds]
    assert check["per_seed"] == pytest.approx([one["acc/b"] - one["acc/a"] for one in figures])
    assert check["low"] < check["measured"] < check["high"]
    assert first["printed"] == "+5 points"
    assert first["reduced"] == "dice instead of images"


def test_why_there_is_no_verdict_is_told(exported):
    found = {one["profile"]: one for one in told(exported)["attempts"]}
    assert found["tiny"]["claims"] == []
    assert found["gpu"]["state"] == "failed"
    assert "out of luck" in found["gpu"]["failure"]
    assert {one["sentence"] for one in found["gpu"]["claims"]} == {"The attempt failed."}
    assert "acc/zero is 0" in found["cpu"]["claims"][-1]["sentence"]


def test_a_claim_that_is_stated_otherwise_today_is_marked(attempts, tmp_path):
    first, *rest = PAPER.claims
    learned = replace(rest[0], learned="It taught something.")
    today = replace(PAPER, claims=(replace(first, reported="+6 points"), learned, *rest[1:-1]))
    export_paper(today, attempts[:1], tmp_path / "e")
    marked = {
        one["claim"]: one["stated_otherwise_today"]
        for one in told(tmp_path / "e")["attempts"][0]["claims"]
    }
    assert marked == {f"quick-{n}": n in (1, 6) for n in range(1, 7)}
    assert (tmp_path / "e/README.md").read_text().count("stated otherwise today") == 2


def test_the_readme_holds_no_markup_of_others(exported):
    text = (exported / "README.md").read_text()
    assert "<script" not in text.replace("\\<script", "")
    assert "\n# f" not in text
    assert text.count("\n# ") == 0
    rows = [line for line in text.splitlines() if line.startswith("| quick-")]
    assert len(rows) == 12
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 7 for row in rows)
    for words in (
        "not reproduced",
        "not resolved",
        "partly reproduced",
        "exceeded",
        "reproduced",
        "none: ",
    ):
        assert words in text
    assert "python -m export_cases --profile cpu --seeds 3 --out FOLDER" in text
    assert "None is stated" in text


def test_the_readme_says_what_was_given(attempts, tmp_path):
    export_paper(PAPER, attempts[:1], tmp_path / "e", license="CC-BY-4.0")
    text = (tmp_path / "e/README.md").read_text()
    assert "CC-BY-4.0" in text
    assert "Dice fall" in text
    assert "The abstract was read" in text


@dataclass(frozen=True)
class Note:
    by: str
    text: str
    kind: str = "note"
    claim: str = ""
    at: str = "2026-01-03T00:00:00+00:00"


def test_notes_and_replies_stand_beside_the_verdict(attempts, tmp_path):
    given = [
        Note("Laure Haak", NASTY, "reply", "quick-2"),
        Note("Josiah Carberry", "The dice are old."),
    ]
    export_paper(PAPER, attempts, tmp_path / "e", notes={attempts[0].id: given})
    found = {one["id"]: one for one in told(tmp_path / "e")["attempts"]}
    assert [one["text"] for one in found[attempts[0].id]["notes"]] == [NASTY, "The dice are old."]
    assert found[attempts[1].id]["notes"] == []
    states = {one["claim"]: one["state"] for one in found[attempts[0].id]["claims"]}
    assert states == STATES
    readme = (tmp_path / "e/README.md").read_text()
    assert "Reply of Laure Haak on quick-2, 2026-01-03T00:00:00+00:00: x \\<script" in readme
    crate = json.loads((tmp_path / "e/ro-crate-metadata.json").read_text())["@graph"]
    comments = [one for one in crate if one["@type"] == "Comment"]
    assert [(one["name"], one["text"]) for one in comments] == [
        ("Reply of Laure Haak on quick-2", NASTY), ("Note of Josiah Carberry", "The dice are old."),
    ]  # fmt: skip


# Exactly once, whole or not at all


def test_equal_attempts_make_equal_exports(exported, attempts, tmp_path):
    export_paper(PAPER, attempts[::-1], tmp_path / "again", codecheckers=[JOSIAH])
    assert contents(tmp_path / "again") == contents(exported)


@pytest.mark.parametrize("kind", ["folder", "file", "link", "full"])
def test_nothing_is_written_over(attempts, tmp_path, kind):
    place = tmp_path / "e"
    if kind in ("folder", "full"):
        place.mkdir()
    if kind == "full":
        (place / "mine.txt").write_text("mine")
    if kind == "file":
        place.write_text("mine")
    if kind == "link":
        place.symlink_to(tmp_path / "nowhere")
    before = names(tmp_path), contents(tmp_path)
    with pytest.raises(FileExistsError, match="there already"):
        export_paper(PAPER, attempts, place)
    assert (names(tmp_path), contents(tmp_path)) == before


def test_a_missing_parent_is_said(attempts, tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        export_paper(PAPER, attempts, tmp_path / "no" / "e")


@pytest.mark.parametrize("change", ["log.txt", "seeds/0.json", "new", "gone", "resealed"])
def test_a_changed_attempt_is_refused_and_leaves_nothing(attempts, tmp_path, change):
    source = tmp_path / "source"
    shutil.copytree(attempts[0].folder, source)
    attempt = read_attempt(source)
    if change == "new":
        (source / "seeds/9.json").write_text("{}")
    elif change == "gone":
        (source / "log.txt").unlink()
    elif change == "resealed":
        (source / "log.txt").write_text("another")
        (source / "SHA256SUMS").unlink()
        seal(source)
    else:
        (source / change).write_text("another")
    with pytest.raises(DamagedAttempt):
        export_paper(PAPER, [attempts[1], attempt], tmp_path / "e")
    assert names(tmp_path) == ["source"]


def test_what_cannot_be_exported_is_refused(attempts, tmp_path):
    with pytest.raises(ValueError, match="no attempt"):
        export_paper(PAPER, [], tmp_path / "e")
    with pytest.raises(ValueError, match="twice"):
        export_paper(PAPER, [attempts[0], attempts[0]], tmp_path / "e")
    with pytest.raises(ValueError, match="is at quick-paper, not at other"):
        export_paper(replace(PAPER, slug="other"), attempts, tmp_path / "e")
    assert names(tmp_path) == []


@pytest.mark.parametrize("certificate", ["2026-1", "26-001", "2026-001x", "FIXME", "2026_001"])
def test_a_certificate_that_cannot_be_one_is_refused(attempts, tmp_path, certificate):
    with pytest.raises(ValueError, match="YYYY-NNN"):
        export_paper(PAPER, attempts, tmp_path / "e", certificate=certificate)
    with pytest.raises(ValueError, match="no web address"):
        export_paper(PAPER, attempts, tmp_path / "e", report="my report")
    assert names(tmp_path) == []


def test_what_is_missing_is_handed_back(attempts, tmp_path):
    bare = export_paper(PAPER, attempts, tmp_path / "bare")
    assert bare.attempts == 3
    assert len(bare.missing) == 4
    full = export_paper(
        PAPER, attempts, tmp_path / "full", authors=[OTHER], codecheckers=[JOSIAH], certificate="2026-001",
        report="https://doi.org/10.5555/report", published=date(2026, 2, 3), license="MIT",
    )  # fmt: skip
    assert full.missing == ()


# Attempts from elsewhere


def resealed(source: Path, place: Path, change) -> Path:
    """A copy with a changed attempt.json, sealed as if it were honest."""
    shutil.copytree(source, place)
    about = json.loads((place / "attempt.json").read_text())
    change(about)
    (place / "SHA256SUMS").unlink()
    write_json(place / "attempt.json", about)
    seal(place)
    return place


def test_a_name_from_elsewhere_is_no_path(attempts, tmp_path):
    def change(about):
        about["protocol"]["name"] = "../../../out/of here\n<b>"

    attempt = read_attempt(resealed(attempts[0].folder, tmp_path / "s", change))
    export_paper(PAPER, [attempt], tmp_path / "e")
    (folder,) = (tmp_path / "e/codecheck").iterdir()
    assert re.fullmatch(r"[a-z0-9_-]+", folder.name)
    assert names(tmp_path) == ["e", "s"]


@pytest.mark.parametrize(
    "change",
    [
        lambda about: about.update(paper="quick-paper"),
        lambda about: about.update(environment=None),
        lambda about: about.update(ended="yesterday"),
        lambda about: about.update(started=1),
        lambda about: about.update(by=["a"]),
        lambda about: about.update(seeds=["0"]),
        lambda about: about.update(profile=None),
        lambda about: about["protocol"].update(entry=None),
        lambda about: about["claims"][0].update(better="up"),
        lambda about: about["claims"][0]["checks"][0].update(relation="equals"),
        lambda about: about.update(state="won"),
        lambda about: about.update(format=2),
    ],
)
def test_an_account_from_elsewhere_that_makes_no_sense_is_refused(attempts, tmp_path, change):
    with pytest.raises(DamagedAttempt):
        read_attempt(resealed(attempts[0].folder, tmp_path / "s", change))


@pytest.mark.parametrize(
    "text",
    [
        '{"seed": 0, "figures": {"acc/a": 1e999}, "curves": {}}',
        '{"seed": 0, "figures": {"acc/a": NaN}, "curves": {}}',
        '{"seed": 0, "figures": {"acc/a": "60"}, "curves": {}}',
        '{"seed": 0, "figures": {"acc/a": true}, "curves": {}}',
        '{"seed": 0, "figures": {"acc/a": []}, "curves": {}}',
        '{"seed": 0, "figures": {"acc/a": [[1]]}, "curves": {}}',
        '{"seed": 0, "figures": {"acc/a": [1, null]}, "curves": {}}',
        '{"seed": 0, "figures": [1], "curves": {}}',
        '{"seed": 0, "figures": {}, "curves": {"c": {"a": [[1], ["x"]]}}}',
        '{"seed": 0, "figures": {}, "curves": {"c": {"a": [1]}}}',
        '{"figures": {}, "curves": {}}',
        "[" * 100_000,
        '{"seed": 0, "figures": {"acc/a": 1' + "0" * 400 + '}, "curves": {}}',
    ],
    ids=range(13),
)
def test_figures_from_elsewhere_that_are_none_are_refused(attempts, tmp_path, text):
    place = tmp_path / "s"
    shutil.copytree(attempts[0].folder, place)
    (place / "seeds/0.json").write_text(text)
    (place / "SHA256SUMS").unlink()
    seal(place)
    with pytest.raises(DamagedAttempt):
        read_attempt(place)


# People and addresses


@pytest.mark.parametrize(
    ("orcid", "valid"),
    [
        ("0000-0002-1825-0097", True), ("0000-0001-5109-3700", True), ("0000-0002-1694-233X", True),
        ("0000-0002-1825-0098", False), ("0000-0002-1694-2330", False), ("0000-0002-1825-009", False),
        ("https://orcid.org/0000-0002-1825-0097", False), ("", False), ("0000-0002-1825-009x", False),
    ],
)  # fmt: skip
def test_an_orcid_has_its_check_digit(orcid, valid):
    assert valid_orcid(orcid) is valid
    if orcid and not valid:
        with pytest.raises(ValueError, match="no ORCID"):
            Person("A", orcid)


@pytest.mark.parametrize(
    "text",
    [
        "Josiah Carberry 0000-0002-1825-0097", "Josiah Carberry <https://orcid.org/0000-0002-1825-0097>",
        "Josiah Carberry (0000-0002-1825-0097)", " Josiah Carberry, ORCID:0000-0002-1825-0097 ",
    ],
)  # fmt: skip
def test_a_person_is_read_from_what_people_type(text):
    assert read_person(text) == JOSIAH


def test_a_person_needs_a_name_only():
    assert read_person(" Ada ") == Person("Ada")
    for text in ("", "  ", "0000-0002-1825-0097", "Ada 0000-0002-1825-0098"):
        with pytest.raises(ValueError):
            read_person(text)


def test_addresses_come_most_lasting_first():
    assert addresses(PAPER) == ["https://doi.org/10.5555/quick", "https://arxiv.org/abs/2401.00001"]
    assert addresses(replace(PAPER, identifiers=("https://example.org/a",))) == [
        "https://example.org/a"
    ]
    assert addresses(replace(PAPER, identifiers=())) == []
