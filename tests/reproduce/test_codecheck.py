"""``codecheck.yml`` against the published rules of configuration 2.0, each written anew from its text.

The rules are those of ``rules-2.0.yml`` in the register of CODECHECK that a file and its folder decide alone;
the others ask a network (whether an ORCID resolves) or the register (whether a certificate is new).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest
import yaml
from export_cases import JOSIAH, OTHER, PAPER, attempt_in

from peerscope.reproduce.bundle import bundle
from peerscope.reproduce.codecheck import codecheck_text, configuration, missing, summary
from peerscope.reproduce.export import export_paper
from peerscope.reproduce.people import Person

PLACEHOLDER = re.compile(r"FIXME|TODO|X{3,}", re.I)
Rule = Callable[[str, dict[str, Any], Path], bool]


def everyone(content) -> list[dict]:
    return [*content.get("codechecker", []), *content.get("paper", {}).get("authors", [])]


def strings(value) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.values() for text in strings(one)]
    return (
        [text for one in value for text in strings(one)]
        if isinstance(value, list)
        else [str(value)]
    )


def is_url(text) -> bool:
    found = urlparse(str(text))
    return found.scheme in ("http", "https") and bool(found.netloc) and " " not in str(text)


def check_digit_is_right(orcid: str) -> bool:
    """As ORCID describes it: a running total doubled at every digit, modulo 11."""
    total = 0
    for letter in orcid.replace("-", "")[:15]:
        total = (total + int(letter)) * 2
    return orcid[-1] == "0123456789X"[(12 - total % 11) % 11]


RULES: dict[str, Rule] = {
    "CC-CFG-001 well-formed": lambda text, content, folder: isinstance(content, dict),
    "CC-CFG-002 explicit document": lambda text, content, folder: text.startswith("---\n"),
    "CC-CFG-003 name and place": lambda text, content, folder: (folder / "codecheck.yml").is_file(),
    "CC-CFG-004 manifest": lambda text, content, folder: isinstance(content["manifest"], list),
    "CC-CFG-005 manifest files": lambda text, content, folder: all(one["file"] for one in content["manifest"]),
    "CC-CFG-006 relative paths": lambda text, content, folder: not any(
        Path(one["file"]).is_absolute() or ".." in Path(one["file"]).parts for one in content["manifest"]
    ),
    "CC-CFG-007 comments": lambda text, content, folder: all(one["comment"] for one in content["manifest"]),
    "CC-CFG-008 codechecker": lambda text, content, folder: bool(content.get("codechecker")),
    "CC-CFG-009 codechecker's name": lambda text, content, folder: all(one["name"] for one in content["codechecker"]),
    "CC-CFG-010 codechecker's ORCID": lambda text, content, folder: all(one["ORCID"] for one in content["codechecker"]),
    "CC-CFG-011 report": lambda text, content, folder: bool(content.get("report")),
    "CC-CFG-012 report resolvable": lambda text, content, folder: is_url(content["report"]),
    "CC-CFG-014 version": lambda text, content, folder: "version" in content,
    "CC-CFG-015 version known": lambda text, content, folder: content["version"] == "https://codecheck.org.uk/spec/config/2.0/",
    "CC-CFG-016 paper": lambda text, content, folder: isinstance(content["paper"], dict),
    "CC-CFG-017 title": lambda text, content, folder: bool(content["paper"]["title"]),
    "CC-CFG-018 authors": lambda text, content, folder: len(content["paper"].get("authors", [])) > 0,
    "CC-CFG-019 authors' names": lambda text, content, folder: all(one["name"] for one in content["paper"]["authors"]),
    "CC-CFG-020 authors' ORCIDs": lambda text, content, folder: all(
        re.fullmatch(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]", one.get("ORCID", "")) for one in content["paper"]["authors"]
    ),
    "CC-CFG-021 reference": lambda text, content, folder: bool(content["paper"].get("reference")),
    "CC-CFG-022 no bare PDF": lambda text, content, folder: not content["paper"]["reference"].endswith(".pdf"),
    "CC-CFG-023 no placeholder": lambda text, content, folder: not any(map(PLACEHOLDER.search, strings(content))),
    "CC-CFG-024 summary": lambda text, content, folder: bool(content["summary"].strip()),
    "CC-CFG-025 certificate": lambda text, content, folder: bool(content.get("certificate")),
    "CC-CFG-026 certificate's form": lambda text, content, folder: bool(re.fullmatch(r"\d{4}-\d{3}", content["certificate"])),
    "CC-CFG-027 reference is an address": lambda text, content, folder: is_url(content["paper"]["reference"]),
    "CC-CFG-028 reference is a DOI": lambda text, content, folder: content["paper"]["reference"].startswith("https://doi.org/10."),
    "CC-CFG-029 other references": lambda text, content, folder: isinstance(content["paper"].get("reference-other", []), list),
    "CC-CFG-030 other references are addresses": lambda text, content, folder: all(
        map(is_url, content["paper"].get("reference-other", []))
    ),
    "CC-MET-001 ORCIDs": lambda text, content, folder: all(
        check_digit_is_right(one["ORCID"]) for one in everyone(content) if "ORCID" in one
    ),
    "CC-BUN-001 files exist": lambda text, content, folder: all((folder / one["file"]).is_file() for one in content["manifest"]),
    "CC-BUN-002 folder codecheck": lambda text, content, folder: (folder / "codecheck").is_dir(),
}  # fmt: skip
NEEDS_PEOPLE = {"CC-CFG-008", "CC-CFG-011", "CC-CFG-018", "CC-CFG-025"}
"""What no attempt can know: who checks, and what came of it in the register."""


@pytest.fixture(scope="module")
def attempts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("attempts")
    return [attempt_in(folder / "cpu"), attempt_in(folder / "gpu", "gpu")]


@pytest.fixture(scope="module")
def full(attempts, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("full") / "e"
    export_paper(
        PAPER, attempts, folder, authors=[OTHER], codecheckers=[JOSIAH], certificate="2026-042",
        report="https://doi.org/10.5555/report", published=date(2026, 2, 3),
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def bare(attempts, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bare") / "e"
    export_paper(PAPER, attempts, folder)
    return folder


def broken_rules(folder: Path) -> set[str]:
    text = (folder / "codecheck.yml").read_bytes().decode("utf-8")
    content = yaml.safe_load(text)

    def holds(rule: Rule) -> bool:
        try:
            return rule(text, content, folder)
        except KeyError:
            return False

    return {name for name, rule in RULES.items() if not holds(rule)}


def test_a_full_file_keeps_every_rule(full):
    assert broken_rules(full) == set()


def test_a_file_without_people_lacks_what_only_people_know(bare):
    broken = {name[:10] for name in broken_rules(bare)}
    follows = {"CC-CFG-009", "CC-CFG-010", "CC-CFG-012", "CC-CFG-019", "CC-CFG-020", "CC-CFG-026"}
    assert broken == NEEDS_PEOPLE | follows


def test_what_is_missing_is_named_by_its_rule(bare, full):
    content = yaml.safe_load((bare / "codecheck.yml").read_text())
    assert {re.search(r"CC-CFG-\d{3}", one)[0] for one in missing(content)} == NEEDS_PEOPLE
    assert missing(yaml.safe_load((full / "codecheck.yml").read_text())) == []
    text = (bare / "codecheck.yml").read_text()
    assert all(f"# Not known to the export: {one}." in text for one in missing(content))
    assert all(one in (bare / "README.md").read_text() for one in NEEDS_PEOPLE)


def test_an_author_without_orcid_is_named(attempts):
    about = bundle(PAPER, attempts, authors=[OTHER, Person("Ada")], codecheckers=[Person("Grace")])
    content = yaml.safe_load(codecheck_text(about))
    assert content["paper"]["authors"] == [
        {"name": OTHER.name, "ORCID": OTHER.orcid},
        {"name": "Ada"},
    ]
    assert content["codechecker"] == [{"name": "Grace"}]
    assert "the ORCID of Ada (CC-CFG-020)" in missing(content)


def test_nothing_is_invented(bare):
    content = yaml.safe_load((bare / "codecheck.yml").read_text())
    assert set(content) == {"version", "manifest", "paper", "summary", "check_time"}
    assert set(content["paper"]) == {"title", "reference", "reference-other"}


def test_yaml_gives_back_what_was_written(attempts, full):
    about = bundle(
        PAPER, attempts, authors=[OTHER], codecheckers=[JOSIAH], certificate="2026-042",
        report="https://doi.org/10.5555/report",
    )  # fmt: skip
    content = yaml.safe_load((full / "codecheck.yml").read_text())
    assert content == configuration(about)
    assert content["paper"]["title"] == PAPER.title
    assert isinstance(content["check_time"], str)
    assert isinstance(content["certificate"], str)


def test_references(attempts):
    found = configuration(bundle(PAPER, attempts))["paper"]
    assert found["reference"] == "https://doi.org/10.5555/quick"
    assert found["reference-other"] == ["https://arxiv.org/abs/2401.00001"]
    unknown = configuration(bundle(replace(PAPER, identifiers=("venue:1",)), attempts))["paper"]
    assert unknown["reference"] == "venue:1"
    none = configuration(bundle(replace(PAPER, identifiers=()), attempts))
    assert "a reference to the work (CC-CFG-021)" in missing(none)


def test_the_summary_counts_verdicts_and_failures(attempts):
    told = summary(bundle(PAPER, attempts))
    assert told.startswith(
        "5 verdicts by Peerscope's rule 1: 1 reproduced, 1 exceeded, 1 partly reproduced, "
    )
    assert "1 not reproduced, 1 not resolved" in told
    assert "1 of 2 attempts failed" in told
    assert "failed" not in summary(bundle(PAPER, attempts[:1]))


def test_the_manifest_lists_the_figures_of_every_finished_seed(full, attempts):
    content = yaml.safe_load((full / "codecheck.yml").read_text())
    listed = {one["file"] for one in content["manifest"]}
    there = {path.relative_to(full).as_posix() for path in full.glob("codecheck/*/seeds/*.json")}
    assert listed == there | {"verdicts.json"}
    assert len(there) == sum(len(attempt.seeds) for attempt in attempts)
