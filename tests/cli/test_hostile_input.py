"""Hostile files and queries, each through the command line as a reader's machine would run it."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import pytest
import zstandard
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from peerscope.cli import app
from peerscope.discover import SiteDiscovery
from peerscope.record import Database
from peerscope.settings import Settings
from peerscope.web import create_app

CODE = """
import sys
from pathlib import Path
from peerscope.cli import main
peak, *arguments = sys.argv[1:]
sys.argv = ["peerscope", *arguments]
try:
    main()
finally:
    # Not ru_maxrss: a child's begins at what its parent held when it was made.
    lines = Path("/proc/self/status").read_text().splitlines()
    Path(peak).write_text(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
"""
MEGABYTE = 1 << 20


class Ended(NamedTuple):
    """A finished process: exit code, standard output, standard error, peak memory in megabytes."""

    code: int
    out: str
    err: str
    peak: float


def peerscope(*arguments: str) -> Ended:
    """Run the command line as a process of its own."""
    if not Path("/proc/self/status").exists():
        pytest.skip("peak memory is read from /proc, which this system has not")
    with tempfile.NamedTemporaryFile() as peak:
        done = subprocess.run(
            [sys.executable, "-c", CODE, peak.name, *arguments], capture_output=True, text=True
        )
        return Ended(done.returncode, done.stdout, done.stderr, int(peak.read()) / 1024)


def told(*arguments: str) -> Any:
    """What a command that reports says with ``--json``, run in this process."""
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def quarantined(home: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = told("quarantine", "--home", home)
    return found


@pytest.fixture(scope="module")
def idle_peak(tmp_path_factory) -> float:
    """Megabytes that an import of one small record takes."""
    folder = tmp_path_factory.mktemp("idle")
    path = folder / "small.jsonl"
    path.write_text('{"id": "a", "title": "A small work"}\n')
    done = peerscope("import", str(path), "--home", str(folder / "site"))
    assert done.code == 0, done.err
    return done.peak


def giant(before: bytes, after: bytes) -> Callable[[IO[bytes]], None]:
    def write(stream: IO[bytes]) -> None:
        stream.write(before)
        for _ in range(200):
            stream.write(b"x" * MEGABYTE)
        stream.write(after)

    return write


GOOD = b'{"id": "one", "title": "The first good work", "type": "article"}'
LAST = b'{"id": "two", "title": "The last good work", "type": "article"}'


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "write", "added"),
    [
        ("lines.jsonl", giant(GOOD + b'\n{"id": "giant", "title": "', b'"}\n' + LAST + b"\n"), 2),
        (
            "array.json",
            giant(b"[" + GOOD + b',{"id": "giant", "title": "', b'"},' + LAST + b"]"),
            2,
        ),
        ("alone.json", giant(b'[{"id": "giant", "type": "article", "title": "', b'"}]'), 0),
    ],
)
def test_two_hundred_megabytes_on_one_line(tmp_path, idle_peak, name, write, added) -> None:
    path, home = tmp_path / name, str(tmp_path / "site")
    with path.open("wb") as stream:
        write(stream)
    done = peerscope("import", str(path), "--home", home, "--json")
    assert done.code == (0 if added else 3), done.err
    report = json.loads(done.out)[0]
    assert (report["added"], report["quarantined"]) == (added, 1)
    assert done.peak < idle_peak + 60
    assert "MB" in quarantined(home)[0]["reason"] or "bytes" in quarantined(home)[0]["reason"]


def records(count: int) -> Iterator[bytes]:
    """Many good records on one line, as an array that never breaks."""
    yield b"["
    for n in range(count):
        filling = b"word%d " % n * 1200
        yield b'%s{"id": "k%d", "title": "Work number %d of many", "abstract": "%s"}' % (
            b"," if n else b"", n, n, filling,
        )  # fmt: skip
    yield b"]"


@pytest.mark.slow
def test_a_line_of_many_records_goes_in_record_by_record(tmp_path, idle_peak) -> None:
    path, home = tmp_path / "many.json", str(tmp_path / "site")
    with path.open("wb") as stream:
        for part in records(4_000):
            stream.write(part)
    assert path.stat().st_size > 35 * MEGABYTE
    done = peerscope("import", str(path), "--home", home, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)[0]["added"] == 4_000
    assert done.peak < idle_peak + 250


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "suffix", "head"),
    [("gzip", "jsonl", GOOD + b"\n"), ("zstd", "json", b"[" + GOOD + b","), ("gzip", "bib", b"@misc{a, title={The first}}\n"),
     ("zstd", "ris", b"TY  - JOUR\nTI  - The first\nER  - \n"), ("gzip", "xml", b"<?xml version='1.0'?><collection id='P18'><volume id='1'>")],
)  # fmt: skip
def test_a_bomb_costs_neither_memory_nor_the_works_before_it(
    tmp_path, idle_peak, kind, suffix, head
) -> None:
    """A gigabyte of blanks in about a megabyte."""
    path, home = tmp_path / f"bomb.{suffix}", str(tmp_path / "site")
    blanks = b" " * (16 * MEGABYTE)
    with path.open("wb") as raw:
        if kind == "gzip":
            # One member holds the records, a second one repeats without end.
            raw.write(gzip.compress(head))
            member = gzip.compress(blanks, compresslevel=9)
            for _ in range(64):
                raw.write(member)
        else:
            with zstandard.ZstdCompressor().stream_writer(raw, closefd=False) as writer:
                writer.write(head)
                for _ in range(64):
                    writer.write(blanks)
    assert path.stat().st_size < 1.2 * MEGABYTE
    done = peerscope("import", str(path), "--home", home, "--json")
    good = suffix != "xml"
    assert done.code == (0 if good else 3), done.err
    assert json.loads(done.out)[0]["added"] == (1 if good else 0)
    assert done.peak < idle_peak + 60
    reason = "unfolds to more" if good else "too long"
    assert any(reason in row["reason"] for row in quarantined(home))


ODD = [
    {"id": "crowd", "title": "A work of three thousand", "year": 2022,
     "authors": [{"name": f"Ada Author{n}"} for n in range(3000)]},
    {"id": "future", "title": "A work of a year that is none", "year": 20222},
    {"id": "one", "title": "The first of a circle", "references": ["two", "one"]},
    {"id": "two", "title": "The second of a circle", "references": ["three"]},
    {"id": "three", "title": "The third of a circle", "references": ["one"]},
    {"id": "controls", "title": "Con\u0000trol\u001b[31m chara\u0008cters \u202eand overrides\u2066"},
    {"id": "rtl", "title": "عنوان العمل العلمي", "authors": [{"name": "محمد علي"}, {"name": "דוד לוי"}]},
    {"id": "script", "title": "<script>alert(1)</script> and <img src=x onerror=alert(2)>",
     "abstract": "<svg onload=alert(3)>text", "url": "javascript:alert(4)",
     "authors": [{"name": "<b>Ada</b> <script>alert(5)</script>"}], "venue": ["<script>alert(6)</script>"]},
    {"id": "empty", "title": "  "},
]  # fmt: skip


@pytest.fixture(scope="module")
def odd(tmp_path_factory) -> str:
    """A site of nothing but odd records, made by one command."""
    folder = tmp_path_factory.mktemp("odd")
    path = folder / "odd.jsonl"
    path.write_text("\n".join(json.dumps(one) for one in ODD), encoding="utf-8")
    done = peerscope("up", str(path), "--home", str(folder / "site"), "--no-serve", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)["import"][0]
    assert (report["added"], report["quarantined"]) == (7, 2)
    return str(folder / "site")


def test_what_is_impossible_is_in_quarantine_with_its_mend(odd) -> None:
    rows = quarantined(odd)
    assert sorted("year" in row["reason"] or "20222" in row["reason"] for row in rows) == [
        False,
        True,
    ]
    assert all(row["mend"] for row in rows)


@pytest.fixture(scope="module")
def pages(odd) -> Iterator[TestClient]:
    settings = Settings(home=odd)
    database = Database(settings.record_url)
    yield TestClient(create_app(settings, database, SiteDiscovery(database, settings.bundles)))
    database.close()


def page_of(pages: TestClient, home: str, words: str) -> Any:
    found = told("search", words, "--home", home)["results"]
    response = pages.get(f"/works/{found[0]['id']}")
    assert response.status_code == 200
    return response


def test_a_circle_of_citations_is_shown_and_a_self_citation_is_not(odd, pages) -> None:
    status = told("status", "--home", odd)
    assert status["counts"]["references resolved"] == 3
    text = page_of(pages, odd, "The first of a circle").text
    assert "The second of a circle" in text
    assert "The third of a circle" in text


def test_three_thousand_authors_have_a_page_of_bounded_size(odd, pages) -> None:
    response = page_of(pages, odd, "A work of three thousand")
    assert len(response.content) < 60_000
    assert "3,000 authors" in response.text


def test_control_characters_and_overrides_reach_neither_page_nor_terminal(odd, pages) -> None:
    shown = peerscope("search", "characters overrides", "--home", odd).out
    text = page_of(pages, odd, "characters overrides").text
    for output in (shown, text):
        assert not set("\x00\x1b\x08\u202e\u2066") & set(output)
    assert "Control" in text


def test_names_from_right_to_left_are_kept_apart_from_their_surroundings(odd, pages) -> None:
    text = page_of(pages, odd, "عنوان العمل").text
    assert "<bdi>محمد علي</bdi>" in text
    assert "<bdi>דוד לוי</bdi>" in text
    assert '<h1 dir="auto">' in text


def test_no_markup_of_a_record_comes_through(odd, pages) -> None:
    # "alert" is a word of this record only
    text = page_of(pages, odd, "script alert").text
    for tag in ("<script>", "<img", "<svg onload", 'href="javascript:'):
        assert tag not in text


QUERIES = [
    "", "   ", "a" * 10_000, "word " * 2_000, "😀🎉", "'; DROP TABLE work; --", "x' OR '1'='1", "the of and",
    "* * * *", "*" * 500, "a* b* c* d* e* " * 60, "%_%_%", '"', '""', "NEAR(a b", "title:", "a OR b AND NOT (c",
    "\u202e\u2066", "<script>alert(1)</script>", "日本語", "[bold]markup[/]", "--", "-work",
]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES, ids=[str(n) for n in range(len(QUERIES))])
def test_any_query_gets_an_answer_in_text_and_json(odd, query) -> None:
    for form in ([], ["--json"]):
        done = CliRunner().invoke(app, ["search", "--home", odd, *form, "--", query])
        assert done.exit_code == 0, (query[:40], done.output)
        if form:
            found = json.loads(done.stdout)
            assert found["query"] == query
            assert len(found["results"]) <= 10


def test_a_file_that_is_none_of_the_formats_or_not_there_is_a_sentence(tmp_path) -> None:
    noise = tmp_path / "noise.bib"
    noise.write_bytes(os.urandom(100_000))
    for path in (noise, tmp_path / "absent.bib", tmp_path):
        done = peerscope("import", str(path), "--home", str(tmp_path / "site"))
        assert done.code in (1, 3), done.err
        assert "Traceback" not in done.err
        assert done.err.strip()


def test_a_truncated_and_mixed_bibliography_keeps_what_is_whole(tmp_path) -> None:
    path = tmp_path / "mixed.bib"
    path.write_bytes(
        "@article{a, title={Größe {und {Gestalt}} in Räumen}, author={Müller, Jörg}, year={2001}}\n".encode()
        + "@article{b, title={Théorie des catégories}, author={Élie, René}, year={2002}}\n".encode(
            "cp1252"
        )
        + b"@article{a, title={The same key again}, author={Other, Ann}, year={2003}}\n"
        + b"@article{c, title={It breaks off in the mid"
    )
    home = str(tmp_path / "site")
    done = peerscope("import", str(path), "--home", home, "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)[0]
    assert report["added"] == 2
    reasons = " ".join(row["reason"] for row in quarantined(home))
    assert report["quarantined"] == 2, reasons
    with Database(Settings(home=Path(home)).record_url).session() as session:
        from peerscope.record.models import Work

        titles = sorted(title for (title,) in session.query(Work.title))
    assert titles == ["Größe und Gestalt in Räumen", "Théorie des catégories"]
