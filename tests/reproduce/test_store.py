"""The store: what comes in, what is refused, which verdict stands, and notes that change nothing."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from attempt_cases import CHECK, changed, claim, made, told

from peerscope.reproduce.attempts import SUMS, DamagedAttempt, read_attempt
from peerscope.reproduce.claims import Check
from peerscope.reproduce.notes import LONGEST_TEXT, Note
from peerscope.reproduce.store import Store, sealed_below, shipped


@pytest.fixture(scope="module")
def sealed(tmp_path_factory) -> Path:
    return made(tmp_path_factory.mktemp("attempt") / "sealed", by="Somebody")


@pytest.fixture(scope="module")
def failed(tmp_path_factory) -> Path:
    return made(tmp_path_factory.mktemp("attempt") / "failed", "fails")


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "reproductions")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()
    }


def test_what_comes_in_is_the_same_byte_for_byte_and_comes_in_once(store, sealed) -> None:
    first, second = store.take(sealed), store.take(sealed)
    assert (first.new, second.new, first.id) == (True, False, second.id)
    assert contents(store.folder / "attempts" / first.id) == contents(sealed)
    kept = store.attempt(first.id)
    whole = read_attempt(sealed)
    assert kept is not None
    assert (
        [kept.id]
        == [one.id for one in store.attempts()]
        == [one.id for one in store.of_paper("kept")]
    )
    assert (kept.about, kept.claims, kept.ended, kept.seeds) == (
        whole.about, whole.claims, whole.ended, whole.seeds,
    )  # fmt: skip
    assert kept.files == whole.files
    assert sorted(kept.files) == sorted(contents(sealed))
    assert kept.figures == {"value", "units"}
    assert kept.verdicts["kept-1"] == whole.verdict(whole.claims[0])
    assert kept.log() == "Seed 0 begins.\n<script>alert(1)</script>\nSeed 1 begins.\n<script>alert(1)</script>\n" \
        "Seed 2 begins.\n<script>alert(1)</script>\n"  # fmt: skip


def test_a_failed_attempt_is_kept_without_a_verdict(store, failed) -> None:
    store.take(failed)
    (kept,) = store.of_claim("kept-2")
    assert not kept.finished
    assert kept.verdicts == {}
    assert kept.verdict(claim(2, "fails")) is None
    assert [seed.seed for seed in kept.seeds] == [0]
    assert store.standing(claim(2, "fails")) is None


def test_what_is_refused_leaves_nothing(store, sealed, tmp_path) -> None:
    store.take(sealed)
    before = contents(store.folder)
    copy = tmp_path / "copy"
    shutil.copytree(sealed, copy)
    (copy / "log.txt").write_text("better")
    with pytest.raises(DamagedAttempt, match=r"copy: log\.txt was changed"):
        store.take(copy)
    with pytest.raises(DamagedAttempt, match="no sealed attempt"):
        store.take(tmp_path / "absent")

    def zero(folder: Path) -> None:
        for path in (folder / "seeds").iterdir():
            found = json.loads(path.read_text())
            path.write_text(json.dumps(found | {"figures": {"value": 1.0, "other": 0.0}}))

    ratio = claim(
        checks=(Check("a ratio", "value", "other", bound=1.0, compare="ratio"),)
    ).to_dict()
    forged = changed(told(sealed, tmp_path / "told", claims=[ratio]), tmp_path / "forged", zero)
    with pytest.raises(DamagedAttempt, match="there is no ratio"):
        store.take(forged)
    assert contents(store.folder) == before


def take_many(folder: Path, sealed: Path, number: int) -> None:
    for _ in range(number):
        Store(folder).take(sealed)


def test_many_may_take_in_at_once(store, sealed) -> None:
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=take_many, args=(store.folder, sealed, 5)) for _ in range(3)]
    for one in others:
        one.start()
    for one in others:
        one.join()
        assert one.exitcode == 0
    assert len(store.attempts()) == 1
    assert [path.name for path in (store.folder / "attempts").iterdir()] == [store.attempts()[0].id]


def test_what_a_killed_process_left_half_taken_is_no_attempt_and_goes(
    store, sealed, failed
) -> None:
    store.take(sealed)
    left = store.folder / "attempts" / ".taking-abc"
    shutil.copytree(sealed, left)
    assert len(store.attempts()) == 1
    store.take(failed)
    assert not left.exists()
    assert len(store.attempts()) == 2


def test_a_list_is_the_same_object_until_something_changes(store, sealed, failed) -> None:
    assert store.attempts() == ()
    store.take(sealed)
    first = store.attempts()
    assert store.attempts() is first
    store.take(failed)
    assert len(store.attempts()) == 2
    shutil.rmtree(store.folder / "attempts" / first[0].id)
    assert [one.finished for one in store.attempts()] == [False]


@pytest.mark.parametrize("damage", ["gone", "nonsense", "rule", "shape"])
def test_summaries_follow_from_the_folders(store, sealed, damage) -> None:
    taken = store.take(sealed)
    before = store.attempts()[0].summary
    path = store.folder / "verdicts" / f"{taken.id}.json"
    kept = path.read_text()
    match damage:
        case "gone":
            path.unlink()
        case "nonsense":
            path.write_text("{")
        case "rule":
            path.write_text(
                kept.replace('"rule": "1"', '"rule": "0"').replace("reproduced", "exceeded")
            )
        case "shape":
            path.write_text(json.dumps(json.loads(kept) | {"verdicts": [1]}))
    assert Store(store.folder).attempts()[0].summary == before
    assert path.read_text() == kept


def test_a_folder_that_was_damaged_in_the_store_is_told_and_the_others_stay(
    store, sealed, failed
) -> None:
    bad, good = store.take(sealed).id, store.take(failed).id
    (store.folder / "attempts" / bad / "attempt.json").write_text("{}")
    again = Store(store.folder)
    assert [one.id for one in again.attempts()] == [good]
    (problem,) = again.problems()
    assert bad in problem
    assert again.attempt(bad) is None


@pytest.mark.parametrize(
    "id", ["", "..", "../attempts", "a" * 11, "A" * 12, "g" * 12, "/etc/passwd", "a" * 13]
)
def test_only_an_id_is_an_id(store, sealed, id) -> None:
    store.take(sealed)
    assert store.attempt(id) is None
    assert store.notes(id) == []
    with pytest.raises(ValueError, match="no attempt"):
        store.note(id, Note("Somebody", "text"))


def at(sealed: Path, folder: Path, ended: str, **about) -> Path:
    return told(sealed, folder, ended=f"2026-01-{ended}T00:00:00+00:00", **about)


def test_the_newest_of_the_largest_profile_stands(store, sealed, tmp_path) -> None:
    profiles = {"cpu": "", "gpu": ""}
    then = claim(profiles=profiles)
    assert store.standing(then) is None
    for number, (day, profile) in enumerate(
        [("02", "cpu"), ("03", "cpu"), ("01", "gpu"), ("09", "tiny")]
    ):
        store.take(at(sealed, tmp_path / f"{number}", day, profile=profile))
        standing = store.standing(then)
        expected = [("02", "cpu"), ("03", "cpu"), ("01", "gpu"), ("01", "gpu")][number]
        assert standing is not None
        assert (f"{standing.attempt.ended:%d}", standing.attempt.profile) == expected
    store.take(at(sealed, tmp_path / "failed", "08", profile="gpu", state="failed", failure="no"))
    assert store.standing(then).attempt.profile == "gpu"
    assert store.standing(then).attempt.ended.day == 1
    assert len(store.of_claim("kept-1")) == 5
    assert [one.ended.day for one in store.attempts()] == [9, 8, 3, 2, 1]
    only_cpu = replace(then, profiles={"cpu": ""})
    assert store.standing(only_cpu).attempt.ended.day == 3


def test_an_attempt_with_too_few_seeds_does_not_take_the_place_of_another(
    store, sealed, tmp_path
) -> None:
    def shorter(folder: Path) -> None:
        (folder / "seeds" / "2.json").unlink()
        path = folder / "attempt.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"seeds": [0, 1]}))

    short = changed(at(sealed, tmp_path / "new", "09"), tmp_path / "short", shorter)
    few = store.take(short).id
    assert store.standing(claim()).verdict.state == "not_resolved"
    whole = store.take(at(sealed, tmp_path / "old", "01")).id
    assert [one.id for one in store.of_claim("kept-1")] == [few, whole]
    assert store.standing(claim()).attempt.id == whole


def test_of_two_that_ended_at_once_the_greater_id_stands(store, sealed, tmp_path) -> None:
    ids = [store.take(at(sealed, tmp_path / by, "02", by=by)).id for by in ("a", "b", "c")]
    assert store.standing(claim()).attempt.id == max(ids)
    later = store.take(told(sealed, tmp_path / "zone", ended="2026-01-01T23:30:00-05:00")).id
    assert store.standing(claim()).attempt.id == later, "times are compared, not their texts"


def test_an_attempt_speaks_to_a_claim_as_it_is_stated_now_or_not_at_all(store, sealed) -> None:
    store.take(sealed)
    assert store.standing(claim()).verdict.state == "reproduced"
    assert not store.standing(claim()).changed
    assert store.standing(claim(statement="It is very large.")).verdict.state == "reproduced"
    stricter = store.standing(claim(checks=(replace(CHECK, bound=2.0),)))
    assert stricter.verdict.state == "not_reproduced"
    assert stricter.changed
    assert store.standing(claim(checks=(replace(CHECK, figure="another"),))) is None
    assert store.standing(claim(protocol="fails")) is None
    assert store.standing(claim(profiles={"gpu": ""})) is None
    assert store.standing(claim(3)) is None
    assert store.standing(claim(), version=1) is not None
    assert store.standing(claim(), version=2) is None
    units = Check("a ratio to nothing", "value", "value", bound=1.0, compare="ratio")
    assert store.standing(claim(checks=(units,))).verdict.state == "not_reproduced"


def test_notes_are_added_and_change_nothing(store, sealed) -> None:
    id = store.take(sealed).id
    before = store.standing(claim()).verdict
    texts = [
        "<script>alert(1)</script>",
        "It is *not* so.\n\nLook [here]",
        "ü" * LONGEST_TEXT,
        "\x00\x1b[31m",
    ]
    for number, text in enumerate(texts):
        written = store.note(
            id, Note(f"Person {number}", text, "reply" if number else "note", "kept-1")
        )
        assert written.at.startswith("20")
    assert [note.text for note in store.notes(id)] == texts
    assert [note.kind for note in Store(store.folder).notes(id)] == [
        "note",
        "reply",
        "reply",
        "reply",
    ]
    assert store.standing(claim()).verdict == before
    assert contents(store.folder / "attempts" / id) == contents(sealed)


def test_notes_of_one_moment_all_stay(store, sealed) -> None:
    id = store.take(sealed).id
    threads = [
        threading.Thread(target=store.note, args=(id, Note(f"Person {n}", "At once.")))
        for n in range(20)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert {note.by for note in store.notes(id)} == {f"Person {n}" for n in range(20)}
    folder = store.folder / "notes" / id
    assert not list(folder.glob(".*")), "nothing half-written is left"
    (folder / "20000101T000000-000.json").write_text('{"by": "", "text": "forged"}')
    (folder / "20000101T000000-001.json").write_text("[")
    assert len(store.notes(id)) == 20


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (("", "text"), "name"), (("  \n", "text"), "name"), (("A" * 201, "text"), "200 characters"),
        (("Somebody", ""), "text"), (("Somebody", "\t"), "text"),
        (("Somebody", "a" * (LONGEST_TEXT + 1)), "10,000 characters, not 10,001"),
        (("Somebody", "\ud800"), "no text"), (("Somebody", "text", "verdict"), "note or reply"),
        (("Somebody", "text", "note", "kept-9"), "not about 'kept-9'; its claims: kept-1"),
    ],
)  # fmt: skip
def test_a_note_that_cannot_be_kept_is_refused_in_a_sentence(store, sealed, given, why) -> None:
    id = store.take(sealed).id
    with pytest.raises(ValueError, match=why):
        store.note(id, Note(*given))
    assert store.notes(id) == []


def test_sealed_folders_are_found_two_levels_deep(sealed, tmp_path) -> None:
    shutil.copytree(sealed, tmp_path / "a" / "b")
    shutil.copytree(sealed, tmp_path / "a" / "c")
    (tmp_path / "a" / "other").mkdir()
    assert sealed_below(sealed) == [sealed]
    assert sealed_below(tmp_path / "a") == sealed_below(tmp_path)
    assert [path.name for path in sealed_below(tmp_path)] == ["b", "c"]
    assert sealed_below(tmp_path / "a" / "other") == []


def test_the_evidence_that_comes_along_goes_in_once(store) -> None:
    folders = shipped()
    assert folders, "the repository has evidence"
    assert all((folder / SUMS).is_file() for folder in folders)
    new, refused = store.take_shipped()
    assert refused == []
    assert sorted(new) == sorted(read_attempt(folder).id for folder in folders)
    assert store.take_shipped() == ([], [])


def test_lists_need_no_torch() -> None:
    code = (
        "import sys; from pathlib import Path; import peerscope.cli;"
        "from peerscope.reproduce.store import Store; from peerscope.reproduce import load_registry;"
        "import peerscope.reproduce.runner;"
        "load_registry(); Store(Path('absent')).attempts(); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
