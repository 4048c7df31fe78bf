"""A sealed folder that was changed in any way is refused, and so is one that was sealed with nonsense."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from attempt_cases import changed, made, told
from hypothesis import given, settings
from hypothesis import strategies as st

from peerscope.reproduce.attempts import SUMS, DamagedAttempt, read_attempt, seal

FILES = ("attempt.json", "log.txt", "seeds/0.json", "seeds/1.json", "seeds/2.json", SUMS)


@pytest.fixture(scope="module")
def sealed(tmp_path_factory) -> Path:
    return made(tmp_path_factory.mktemp("attempt") / "sealed")


def altered(content: bytes, how: str, place: float, byte: int) -> bytes:
    at = min(int(place * len(content)), len(content) - 1)
    match how:
        case "flip":
            return content[:at] + bytes([content[at] ^ byte]) + content[at + 1 :]
        case "cut":
            return content[:at]
        case "insert":
            return content[:at] + bytes([byte]) + content[at:]
        case "double":
            return content + content
    return content + bytes([byte])


@settings(max_examples=150)
@given(
    name=st.sampled_from(FILES),
    how=st.sampled_from(["flip", "cut", "insert", "double", "append"]),
    place=st.floats(0, 1),
    byte=st.integers(1, 255),
)
def test_no_byte_can_be_changed(sealed, name: str, how: str, place: float, byte: int) -> None:
    before = read_attempt(sealed).id
    with tempfile.TemporaryDirectory() as place_of_copy:
        copy = Path(place_of_copy) / "copy"
        shutil.copytree(sealed, copy)
        content = (copy / name).read_bytes()
        new = altered(content, how, place, byte)
        (copy / name).write_bytes(new)
        if new == content:
            assert read_attempt(copy).id == before
        else:
            with pytest.raises(DamagedAttempt):
                read_attempt(copy)


def add(name: str, content: str = "x"):
    def change(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)

    return change


def link(name: str, target: str):
    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return change


def large(folder: Path) -> None:
    with (folder / "log.txt").open("wb") as stream:
        stream.truncate(33 * 2**20)


def folder_instead(folder: Path) -> None:
    (folder / "log.txt").unlink()
    (folder / "log.txt").mkdir()


def fifo_instead(folder: Path) -> None:
    (folder / "log.txt").unlink()
    os.mkfifo(folder / "log.txt")


def line(text: str):
    def change(folder: Path) -> None:
        with (folder / SUMS).open("a") as stream:
            stream.write(f"{'0' * 64}  {text}\n")

    return change


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (add("seeds/3.json"), "added"),
        (add("model.pt"), "no file of an attempt"),
        (add(".hidden"), "no file of an attempt"),
        (add("seeds/deep/0.json"), "no file of an attempt"),
        (add("seeds/٣.json"), "no file of an attempt"),
        (add("seeds/00000.json"), "no file of an attempt"),
        (lambda folder: (folder / "seeds" / "1.json").unlink(), "1.json is missing"),
        (lambda folder: (folder / SUMS).unlink(), "no file SHA256SUMS"),
        (lambda folder: (folder / SUMS).write_text(""), "was added"),
        (link("seeds/1.json", "0.json"), "is a link"),
        (link("log.txt", "/etc/passwd"), "is a link"),
        (link(SUMS, "log.txt"), "no file SHA256SUMS"),
        (link("seeds/more", "/etc"), "is a link"),
        (large, "larger than 32 MiB"),
        (folder_instead, "log.txt is missing"),
        (fifo_instead, "no file of an attempt"),
        (line("../attempt.json"), "none of ours"),
        (line("seeds/../../../../etc/passwd"), "none of ours"),
        (line("/etc/passwd"), "none of ours"),
        (line("seeds\\0.json"), "none of ours"),
        (line("log.txt"), "none of ours"),
        (line("seeds/9.json"), "9.json is missing"),
        (lambda folder: shutil.rmtree(folder), "no sealed attempt"),
    ],
)  # fmt: skip
def test_no_file_can_be_added_lost_linked_or_renamed(sealed, tmp_path, change, why) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(sealed, copy)
    change(copy)
    with pytest.raises(DamagedAttempt, match=why):
        read_attempt(copy)


def seed_says(**what: Any):
    def change(folder: Path) -> None:
        path = folder / "seeds" / "0.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | what))

    return change


def seed_is(text: str):
    return lambda folder: (folder / "seeds" / "0.json").write_text(text)


@pytest.mark.parametrize(
    "change",
    [
        seed_is('{"seed": 0, "figures": {"value": NaN}, "curves": {}, "data": {}, "environment": {}}'),
        seed_is('{"seed": 0, "figures": {"value": 1e999}, "curves": {}, "data": {}, "environment": {}}'),
        seed_is("[" * 100_000),
        seed_is("9" * 10_000),
        seed_is('"\\ud800'),
        seed_is(""),
        seed_says(figures={"value": "1"}),
        seed_says(figures={"value": True}),
        seed_says(figures={"value": None}),
        seed_says(figures={"value": []}),
        seed_says(figures={"value": [1.0, [2.0]]}),
        seed_says(figures={}),
        seed_says(figures=[]),
        seed_says(curves={"plot": {"line": [[0, 1], ["a", "b"]]}}),
        seed_says(curves={"plot": {"line": [[0, 1]]}}),
        seed_says(curves={"plot": [1]}),
        seed_says(seed=1),
        seed_says(seed="0"),
        seed_says(data=None),
        seed_says(environment=3),
        lambda folder: (folder / "seeds" / "0.json").unlink(),
        lambda folder: (folder / "seeds" / "0.json").rename(folder / "seeds" / "7.json"),
    ],
)  # fmt: skip
def test_seals_do_not_make_figures_of_nonsense(sealed, tmp_path, change) -> None:
    forged = changed(sealed, tmp_path / "forged", change)
    with pytest.raises(DamagedAttempt):
        read_attempt(forged)


CLAIM = {
    "id": "kept-1", "statement": "It is large.", "metric": "a number", "location": "table 1",
    "protocol": "measured", "profiles": {"cpu": ""},
    "checks": [{"label": "large", "figure": "value", "profiles": ["cpu"]}],
}  # fmt: skip


@pytest.mark.parametrize(
    "about",
    [
        {"format": 2}, {"state": "running"}, {"ended": "yesterday"}, {"ended": "2026-01-01T00:00:00"},
        {"ended": None}, {"started": 5}, {"claims": [{"id": "x"}]}, {"claims": 3}, {"paper": "kept"},
        {"paper": {}}, {"protocol": {"name": 3}}, {"profile": None}, {"environment": []}, {"seeds": [0, 1]},
        {"seeds": []}, {"seeds": ["0", 1, None]}, {"by": ["x"]}, {"failure": {}}, {"guarded": 1},
        {"claims": [CLAIM | {"statement": 5}]}, {"claims": [CLAIM | {"profiles": 5}]},
        {"claims": [CLAIM | {"checks": []}]},
        {"claims": [CLAIM | {"checks": [{"label": "x", "figure": "other", "profiles": ["cpu"]}]}]},
        {"claims": [CLAIM | {"checks": [CLAIM["checks"][0] | {"relation": "beside"}]}]},
        {"claims": [CLAIM | {"checks": [CLAIM["checks"][0] | {"bound": "1"}]}]},
    ],
    ids=lambda about: json.dumps(about)[:60],
)  # fmt: skip
def test_an_account_that_is_none_is_refused(sealed, tmp_path, about) -> None:
    with pytest.raises(DamagedAttempt):
        read_attempt(told(sealed, tmp_path / "forged", **about))


def test_a_folder_is_sealed_once_and_whole(sealed, tmp_path) -> None:
    with pytest.raises(DamagedAttempt, match="sealed already"):
        seal(sealed)
    with pytest.raises(DamagedAttempt, match=r"has no attempt\.json"):
        seal(tmp_path)
    copy = changed(sealed, tmp_path / "copy", lambda folder: None)
    assert read_attempt(copy).id == read_attempt(sealed).id, "equal content has one id"
