"""``ro-crate-metadata.json``: its graph, and what public validators and a public client make of it.

`roc-validator` and `rocrate` stand in an environment of their own, since they pin other versions than this
package: ``make test`` makes it, PEERSCOPE_CRATES_PYTHON names another, and without either these tests skip.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest
from export_cases import JOSIAH, NASTY, OTHER, PAPER, STATES, attempt_in

from peerscope.reproduce.export import export_paper

VALIDATORS = Path(
    os.environ.get("PEERSCOPE_CRATES_PYTHON") or Path(sys.prefix) / "validators/bin/python"
)
validated = pytest.mark.skipif(
    not VALIDATORS.exists(),
    reason=f"no RO-Crate validators at {VALIDATORS}; `make test` installs them",
)
NOT_KEPT = {
    "ro-crate-1.2_56.1": "nobody says who publishes it",
    "ro-crate-1.2_80.2": "nor where an author works",
    "ro-crate-1.2_80.3": "nor where an author works",
    "ro-crate-1.2_83.1": "no licence was given, and a sentence says so",
    "ro-crate-1.2_83.2": "no licence was given, and a sentence says so",
    "process-run-crate-0.5_5.1": "protocols have no address of their own; the profile allows local names",
    "process-run-crate-0.5_8.6": "an agent that nobody named, or of whom it is not known what it is",
}
"""Recommendations that an export cannot keep without inventing something."""


@pytest.fixture(scope="module")
def attempts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("attempts")
    return [
        attempt_in(folder / "cpu", by="Josiah Carberry"),
        attempt_in(folder / "gpu", "gpu", by=NASTY),
        attempt_in(folder / "tiny", "tiny"),
    ]


@pytest.fixture(scope="module")
def folders(attempts, tmp_path_factory) -> dict[str, Path]:
    """Exports: with nobody named, with everything, declared a Process Run Crate, and damaged."""
    root = tmp_path_factory.mktemp("crates")
    export_paper(PAPER, attempts, root / "bare")
    export_paper(
        PAPER, attempts[:1], root / "full", authors=[OTHER], codecheckers=[JOSIAH], license="CC-BY-4.0",
        published=date(2026, 2, 3),
        notes={attempts[0].id: [SimpleNamespace(by=NASTY, text=NASTY, kind="reply", claim="quick-1", at="2026-02-01")]},
    )  # fmt: skip
    shutil.copytree(root / "bare", root / "process")
    path = root / "process/ro-crate-metadata.json"
    document = json.loads(path.read_text())
    profile = {"@id": "https://w3id.org/ro/wfrun/process/0.5"}
    next(one for one in document["@graph"] if one["@id"] == "./")["conformsTo"] = profile
    document["@graph"].append(
        profile | {"@type": ["CreativeWork", "Profile"], "name": "Process Run Crate"}
    )
    path.write_text(json.dumps(document))
    shutil.copytree(root / "full", root / "damaged")
    (root / "damaged/verdicts.json").unlink()
    return {name: root / name for name in ("bare", "full", "process", "damaged")}


@pytest.fixture(scope="module")
def told(folders) -> dict[str, dict]:
    """What validators and client say of each."""
    script = Path(__file__).with_name("crate_validators.py")
    asked = [
        f"{'process-run-crate-0.5' if name == 'process' else 'ro-crate-1.2'}={folder}"
        for name, folder in folders.items()
    ]
    ran = subprocess.run([VALIDATORS, script, *asked], capture_output=True, text=True, check=True)
    found = json.loads(ran.stdout.splitlines()[-1])
    return {name: found[str(folder)] for name, folder in folders.items()}


def graph(folder: Path) -> dict[str, dict]:
    document = json.loads((folder / "ro-crate-metadata.json").read_text())
    assert document["@context"] == "https://w3id.org/ro/crate/1.2/context"
    entities = {one["@id"]: one for one in document["@graph"]}
    assert len(entities) == len(document["@graph"]), "an @id stands twice"
    return entities


def references(value) -> list[str]:
    if isinstance(value, dict):
        return (
            [value["@id"]]
            if set(value) == {"@id"}
            else [r for v in value.values() for r in references(v)]
        )
    return [r for v in value for r in references(v)] if isinstance(value, list) else []


def listed(value) -> list:
    return value if isinstance(value, list) else [value]


# The graph


def test_every_reference_leads_somewhere(folders):
    for name in ("bare", "full"):
        entities = graph(folders[name])
        outside = {"https://w3id.org/ro/crate/1.2"}
        missing = {
            r for one in entities.values() for v in one.values() for r in references(v)
        } - set(entities)
        assert missing <= outside


def test_every_file_is_described_with_its_hash_and_size(folders):
    entities = graph(folders["bare"])
    there = {
        path.relative_to(folders["bare"]).as_posix(): path.read_bytes()
        for path in folders["bare"].rglob("*")
        if path.is_file() and path.name != "ro-crate-metadata.json"
    }
    files = {id: one for id, one in entities.items() if one["@type"] == "File"}
    assert set(files) == set(there)
    for id, one in files.items():
        assert one["sha256"] == hashlib.sha256(there[id]).hexdigest()
        assert one["contentSize"] == str(len(there[id]))


def test_every_file_hangs_from_the_root(folders):
    entities = graph(folders["bare"])
    reached, waiting = set(), ["./"]
    while waiting:
        id = waiting.pop()
        reached.add(id)
        waiting += [r for r in references(entities[id].get("hasPart", [])) if r not in reached]
    assert {id for id, one in entities.items() if one["@type"] in ("File", "Dataset")} <= reached


def test_an_attempt_is_an_action(folders, attempts):
    entities = graph(folders["bare"])
    cpu, gpu, tiny = (entities[f"#attempt-{attempt.id}"] for attempt in attempts)
    assert cpu["actionStatus"] == "http://schema.org/CompletedActionStatus"
    assert gpu["actionStatus"] == "http://schema.org/FailedActionStatus"
    assert "out of luck" in gpu["error"]
    assert "error" not in cpu
    assert cpu["startTime"] == "2026-01-01T00:00:00+00:00"
    assert cpu["endTime"] == attempts[0].about["ended"]
    assert "agent" not in tiny
    assert "--profile cpu --seeds 3" in cpu["description"]
    instrument = entities[cpu["instrument"]["@id"]]
    assert (instrument["@type"], instrument["name"], instrument["version"]) == (
        "SoftwareApplication",
        "quick",
        "2",
    )
    assert (
        entities[instrument["identifier"]["@id"]]["value"] == attempts[0].seeds[0].details["code"]
    )
    needs = {
        entities[r]["name"]: entities[r]["version"]
        for r in references(instrument["softwareRequirements"])
    }
    assert needs["Python"] == attempts[0].about["environment"]["python"]
    assert needs["numpy"] == attempts[0].about["environment"]["packages"]["numpy"]
    names = {entities[r]["name"] for r in references(cpu["object"])}
    assert names == {*STATES, "dice"}


def test_verdicts_are_reviews_of_claims_by_a_rule(folders, attempts):
    entities = graph(folders["bare"])
    reviews = [one for one in entities.values() if "ClaimReview" in listed(one["@type"])]
    states = {
        entities[one["itemReviewed"]["@id"]]["name"]: entities[one["reviewRating"]["@id"]][
            "alternateName"
        ]
        for one in reviews
    }
    assert states == {claim: state for claim, state in STATES.items() if state}
    rule = entities[reviews[0]["isBasedOn"]["@id"]]
    assert rule["version"] == reviews[0]["version"] == "1"
    assert "ratingValue" not in json.dumps(reviews)
    check = entities[references(reviews[0]["mentions"])[0]]
    verdict = attempts[0].verdict(PAPER.claims[0])
    result = verdict.checks[0]
    assert (check["value"], check["minValue"], check["maxValue"]) == (
        result.measured,
        result.low,
        result.high,
    )
    results = references(entities[f"#attempt-{attempts[0].id}"]["result"])
    assert {one["@id"] for one in reviews} <= set(results)


def test_nobody_is_invented(folders):
    entities = graph(folders["bare"])
    assert not [one for one in entities.values() if "Person" in listed(one["@type"])]
    named = [one for one in entities.values() if one["@id"].startswith("#agent-")]
    assert {one["@type"] for one in named} == {"Thing"}
    assert len(named) == 2
    root = entities["./"]
    assert root["license"].startswith("No licence is stated")
    assert not {"author", "publisher", "creator", "contributor"} & set(root)
    assert "author" not in entities[root["about"]["@id"]]


def test_who_is_named_is_there_with_orcid(folders, attempts):
    entities = graph(folders["full"])
    root = entities["./"]
    work = entities[root["about"]["@id"]]
    assert work["@id"] == "https://doi.org/10.5555/quick"
    assert work["@type"] == "ScholarlyArticle"
    assert {entities[r]["value"] for r in references(work["identifier"])} == {
        "2401.00001",
        "10.5555/quick",
        "quick-1",
    }
    assert work["author"] == {"@id": f"https://orcid.org/{OTHER.orcid}"}
    action = entities[f"#attempt-{attempts[0].id}"]
    assert action["agent"] == root["contributor"] == {"@id": f"https://orcid.org/{JOSIAH.orcid}"}
    assert entities[action["agent"]["@id"]]["@type"] == "Person"
    assert root["license"] == {"@id": "https://spdx.org/licenses/CC-BY-4.0"}
    assert root["datePublished"] == "2026-02-03"


def test_an_orcid_beside_a_name_makes_a_person(tmp_path):
    attempt = attempt_in(tmp_path / "a", "tiny", by=f"Ada ({OTHER.orcid})")
    export_paper(PAPER, [attempt], tmp_path / "e")
    agent = graph(tmp_path / "e")[f"https://orcid.org/{OTHER.orcid}"]
    assert (agent["@type"], agent["name"]) == ("Person", "Ada")


def test_a_claim_that_changed_keeps_both_wordings(attempts, tmp_path):
    first, *rest = PAPER.claims
    today = replace(PAPER, claims=(replace(first, statement="It is otherwise."), *rest))
    second = attempt_in(tmp_path / "second", paper=today, day=2)
    export_paper(today, [attempts[0], second], tmp_path / "e")
    texts = {
        one["@id"]: one["text"]
        for one in graph(tmp_path / "e").values()
        if "Claim" in listed(one["@type"])
    }
    assert texts["#claim-quick-1"] == "It is otherwise."
    assert len([id for id in texts if id.startswith("#claim-quick-1")]) == 2
    assert len(texts) == len(PAPER.claims) + 1


@pytest.mark.parametrize(
    ("license", "expected"),
    [
        ("MIT", {"@id": "https://spdx.org/licenses/MIT"}),
        (
            "https://creativecommons.org/licenses/by/4.0/",
            {"@id": "https://creativecommons.org/licenses/by/4.0/"},
        ),
        ("Ask the laboratory.", "Ask the laboratory."),
    ],
)
def test_a_licence_may_be_a_name_an_address_or_a_sentence(attempts, tmp_path, license, expected):
    export_paper(PAPER, attempts[:1], tmp_path / "e", license=license)
    assert graph(tmp_path / "e")["./"]["license"] == expected


# Public validators and a public client


@validated
@pytest.mark.parametrize("name", ["bare", "full"])
def test_a_crate_is_valid(told, name):
    issues = told[name]["issues"]
    assert [one for one in issues if one[0] == "REQUIRED"] == []
    assert {one[1] for one in issues} <= set(NOT_KEPT), issues
    if name == "full":
        assert not any(one[1].startswith("ro-crate-1.2_83") for one in issues)


@validated
def test_actions_are_those_of_a_process_run_crate(told):
    issues = told["process"]["issues"]
    assert [one for one in issues if one[0] == "REQUIRED"] == []
    assert {one[1] for one in issues} <= set(NOT_KEPT), issues


@validated
def test_the_validator_sees_a_missing_file(told):
    issues = told["damaged"]["issues"]
    assert any(one[0] == "REQUIRED" and "verdicts.json" in one[2] for one in issues)


@validated
def test_a_client_reads_what_was_written(told, attempts):
    found = told["bare"]["read"]
    assert found["name"] == f"Attempts at the claims of “{PAPER.title}”"
    assert found["published"] == max(attempt.ended for attempt in attempts).date().isoformat()
    assert found["verdicts"] == {claim: state for claim, state in STATES.items() if state}
    assert [status.rpartition("/")[2] for status in found["actions"]] == [
        "CompletedActionStatus", "CompletedActionStatus", "FailedActionStatus",
    ]  # fmt: skip
    assert found["agents"] == sorted(["Josiah Carberry", NASTY.strip()])
    assert len(found["files"]) == 3 + sum(3 + len(attempt.seeds) for attempt in attempts)
