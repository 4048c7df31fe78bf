"""Links for programs: read by the package `signposting`; the form that is asked for; badges."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from peerscope.record.export import EXPORTERS
from peerscope.record.models import Work
from peerscope.web.links import REFERENCE, wanted_form
from peerscope.web.pictures import text_width

HERE = Path(__file__).parent
VALIDATORS = HERE.parents[1] / ".venv" / "validators" / "bin" / "python"


@pytest.fixture
def work(site) -> tuple[int, str]:
    with site[1].session() as session:
        return tuple(
            session.execute(select(Work.id, Work.doi).where(Work.doi.is_not(None))).first()
        )


def test_a_public_reader_finds_the_links(address, work) -> None:
    if not VALIDATORS.exists():
        pytest.skip("the validators' environment is not installed (make test installs it)")
    number, doi = work
    command = [str(VALIDATORS), str(HERE / "signposts_read.py"), f"{address}/works/W{number}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["header"] == found["linkset"]
    said = found["header"]
    assert said["citeAs"] == f"https://doi.org/{doi}"
    assert said["types"] == ["https://schema.org/AboutPage", "https://schema.org/ScholarlyArticle"]
    assert {kind for _, kind in said["describedBy"]} == {e.media_type for e in EXPORTERS.values()}


def test_head_is_get_without_content(client, address, work) -> None:
    for place in ("/", f"/works/W{work[0]}", "/api/v1/works", "/healthz", "/static/site.css"):
        whole, head = client.get(place), client.head(place)
        assert head.status_code == whole.status_code == 200 and head.content == b""
        assert head.headers["content-type"] == whole.headers["content-type"]
    assert client.head("/works/W999999").status_code == 404


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", None), ("*/*", None), ("text/html,application/xhtml+xml,*/*;q=0.8", None),
        ("application/x-bibtex", ".bib"), ("application/ld+json", ".jsonld"),
        ("application/x-research-info-systems;q=0.9, text/html;q=0.4", ".ris"),
        ("text/html, application/x-bibtex;q=0.5", None),
        ("application/vnd.citationstyles.csl+json, application/x-bibtex;q=0.5", ".csl.json"),
        ("application/x-bibtex;q=0", None), (";;;,,,=", None), ("application/x-bibtex;q=9", ".bib"),
        ("\x00/\x00", None), ("a" * 100_000, None),
    ],
)  # fmt: skip
def test_the_form_that_is_asked_for(accept: str, form: str | None) -> None:
    found = wanted_form(accept)
    assert (found and found.suffix) == form


@given(st.text(max_size=60))
def test_any_accept_header_is_read(accept: str) -> None:
    found = wanted_form(accept)
    assert (
        found is None
        or found.type == REFERENCE
        or found.suffix in {e.suffix for e in EXPORTERS.values()}
    )


def test_a_work_comes_in_the_form_that_is_asked_for(client, work) -> None:
    place = f"/works/W{work[0]}"
    for exporter in EXPORTERS.values():
        by_suffix = client.get(place + exporter.suffix)
        by_accept = client.get(place, headers={"accept": exporter.media_type})
        assert by_accept.content == by_suffix.content
        assert by_accept.headers["content-type"].startswith(exporter.media_type)
        assert "Accept" in by_accept.headers["vary"]
        assert by_accept.headers["content-location"] == place + exporter.suffix
    assert "Accept" in client.get(place).headers["vary"]


def test_links_cannot_be_bent_by_what_a_source_says(client, site, numbers) -> None:
    number = max(n for key, n in numbers.items() if key.startswith("work:Study"))
    evil = 'https://x.org/>; rel="cite-as", <https://evil.example'
    with site[1].begin() as session:
        found = session.get(Work, number)
        before = found.doi, found.pdf_url, found.licence
        found.doi, found.pdf_url, found.licence = '10.1/a>; rel="author"\r\nX: y', evil, "CC BY"
    try:
        header = client.get(f"/works/W{number}").headers["link"]
    finally:
        with site[1].begin() as session:
            found = session.get(Work, number)
            found.doi, found.pdf_url, found.licence = before
    assert "evil.example" not in header and 'rel="author"' not in header
    assert 'rel="license"' not in header and "\r" not in header and "x" not in client.headers


@given(st.text(max_size=40))
def test_text_is_never_without_bounds(text: str) -> None:
    assert 0 <= text_width(text) <= len(text)
