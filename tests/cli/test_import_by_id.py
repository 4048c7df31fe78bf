"""`peerscope import` and `up` with identifiers, as a process would be used, against services on loopback."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "record"))

import source_samples as samples
from services_on_loopback import running

from peerscope.cli import app


@pytest.fixture
def services(monkeypatch):
    with running() as found:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setenv("PEERSCOPE_OPENALEX_KEY", "secret")
        for name in ("crossref", "datacite", "arxiv", "orcid", "openalex"):
            monkeypatch.setenv(f"PEERSCOPE_{name.upper()}_API", f"{found.base}/{name}")
        yield found


def run(home: Path, *arguments: str):
    return CliRunner().invoke(app, [*arguments, "--home", str(home)])


def test_identifiers_and_files_in_one_command(services, tmp_path) -> None:
    bib = tmp_path / "a.bib"
    bib.write_text(samples.BIBTEX)
    home = tmp_path / "site"
    ids = [
        "https://doi.org/10.5555/ABC.1",
        "arXiv:2103.00001v2",
        samples.ADA_ORCID,
        "10.5555/unknown",
    ]
    done = run(home, "import", str(bib), *ids, "--json")
    assert done.exit_code == 0, done.output
    assert [report["added"] for report in json.loads(done.stdout)] == [1, 1, 1, 1]
    assert "doi:10.5555/unknown: Neither Crossref nor DataCite knows this DOI." in done.stderr
    assert "Crossref, 10.5555/abc.1: 1 added" in done.stderr
    assert {path.parent.name for path in (home / "fetched").rglob("*.*") if path.suffix != ".lock" and path.suffix != ".last"} == {
        "crossref", "arxiv", "orcid",
    }  # fmt: skip
    status = json.loads(run(home, "status", "--json").stdout)
    assert status["counts"]["works"] == 1
    names = [one["name"] for one in status["imports"]]
    assert names == [
        "a.bib",
        "Crossref, 10.5555/abc.1",
        "arXiv, 2103.00001",
        f"ORCID, {samples.ADA_ORCID}",
    ]


def test_a_file_is_never_taken_for_an_identifier(services, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "1706.03762").write_text(samples.BIBTEX)
    done = run(tmp_path / "site", "import", "1706.03762", "--json")
    assert json.loads(done.stdout)[0]["added"] == 1
    assert services.requests == []


@pytest.mark.parametrize(
    ("argument", "said"),
    [("missing.bib", "no file missing.bib"), ("0000-0002-1825-0098", "check digit"), ("PMID:12345", "PubMed")],
)  # fmt: skip
def test_what_is_neither_is_refused_before_anything_is_read(
    services, tmp_path, argument, said
) -> None:
    done = run(tmp_path / "site", "import", "10.5555/abc.1", argument)
    assert done.exit_code == 1
    assert said in " ".join(done.stderr.split())
    assert services.requests == []


def test_nothing_fetched_is_an_error_and_says_what_helps(services, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PEERSCOPE_CROSSREF_API", "http://127.0.0.1:9")
    done = run(tmp_path / "site", "import", "10.5555/abc.1")
    assert done.exit_code == 1
    told = " ".join(done.stderr.split())
    assert "There is no connection to 127.0.0.1; save the record as a file and import that." in told
    assert "Nothing was fetched" in told
