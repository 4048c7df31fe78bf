from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from made_shop import shop_rows
from written import write_rows

from peerscope.retrieval import Item
from peerscope.retrieval.files import vectors
from peerscope.retrieval.files.catalogue import Files, read_catalogue
from peerscope.retrieval.files.changes import ChangeLog
from peerscope.retrieval.files.held_out import HeldOutPart
from peerscope.retrieval.files.home import Home
from peerscope.retrieval.files.pipeline import index_model, train_model, trained_state
from peerscope.retrieval.files.problems import FileError
from peerscope.retrieval.files.serving import Asked, AskedUser, Servable
from peerscope.retrieval.files.stored import StoredCatalogue


def ids_found(home: Home, query: str, name: str = "main", **asked) -> list[str]:
    model = home.model(name)
    servable = Servable(model.store, model.store.current())
    answer = servable.search(name, Asked(query, **asked))
    servable.retire()
    return [found.id for found in answer.found]


def test_answers_speak_the_ids_of_the_files(home, shop_files) -> None:
    found = ids_found(home, "red lamp", k=5)
    items = {row["id"]: row["title"] for row in shop_rows()[0]}
    assert len(found) == 5
    assert all("lamp" in items[own] for own in found)


def test_a_user_moves_the_order_and_the_reason_is_an_item_of_the_history(home) -> None:
    model = home.model()
    servable = Servable(model.store, model.store.current())
    wide = "red"
    nobody = servable.search("main", Asked(wide, k=30))
    some = {
        user: servable.search("main", Asked(wide, k=30, user=AskedUser(user)))
        for user in ("0", "1")
    }
    assert some["0"].user
    assert not nobody.user
    orders = [[found.id for found in one.found] for one in (nobody, *some.values())]
    assert orders[0] != orders[1] != orders[2]
    met = {row["item_id"] for row in shop_rows()[2] if row["user_id"] == 0}
    met |= set(shop_rows()[1][0]["history"])
    reasons = {found.because for found in some["0"].found} - {None}
    assert reasons
    assert reasons <= met
    stranger = servable.search("main", Asked(wide, k=30, user=AskedUser("no such user")))
    assert not stranger.user
    given = AskedUser(history=tuple(shop_rows()[1][0]["history"]), profile={"likes": "lamp"})
    assert servable.search("main", Asked(wide, user=given)).user
    servable.retire()


def test_the_bundle_knows_users_with_the_history_that_events_made(home) -> None:
    stored = StoredCatalogue(home.model().store.path(home.model().store.current()))
    newest = max(
        (row for row in shop_rows()[2] if row["user_id"] == 4), key=lambda row: row["time"]
    )
    user = stored.user("4")
    assert stored.numbers([newest["item_id"]]) == {newest["item_id"]: user.history[0]}
    assert user.profile == {"likes": "chair"}
    assert stored.user("nobody") is None
    assert stored.named([1, 2, 10**9]).keys() == {1, 2}
    stored.close()


def test_training_holds_the_newest_interactions_out(trained_home, shop_files) -> None:
    stated = trained_state(Home(trained_home).model())
    held_out = HeldOutPart(**stated["held_out"])
    assert held_out.by == "time"
    events = read_catalogue(Files(*shop_files)).interactions
    aside = held_out.mask(events)
    assert 0.09 * len(events) < aside.sum() < 0.11 * len(events)
    assert events.time[aside].min() > events.time[~aside].max()


def test_holding_out_by_query_never_splits_a_query(write) -> None:
    rows = [{"query": f"query {n % 50}", "item_id": 1} for n in range(500)]
    rows += [{"query": "", "user_id": "u", "item_id": 1}] * 20
    events = read_catalogue(
        Files(write("i.csv", [{"id": 1, "title": "A"}]), None, write("e.jsonl", rows))
    ).interactions
    held_out = HeldOutPart.chosen(events, 0.2)
    assert held_out.by == "query"
    aside = held_out.mask(events)
    assert set(events.query[aside]).isdisjoint(events.query[~aside])
    assert 0.05 < aside.mean() < 0.4
    assert not aside[500:].any()
    with pytest.raises(ValueError, match="cannot be split by time"):
        HeldOutPart.chosen(events, 0.2, "time")
    with pytest.raises(ValueError, match="half of the interactions"):
        HeldOutPart.chosen(events, 0.7)
    assert HeldOutPart.chosen(events, 0).mask(events).sum() == 0


def test_two_models_lie_side_by_side(home, shop_files) -> None:
    changes = (
        "threads=1",
        "epochs=1",
        "batch=32",
        "hidden=16",
        "projection=16",
        "dim=16",
        "width=16",
    )
    report = train_model(home, "paper", shop_files, preset="paper", changes=changes)
    assert report.figures["config"]["fields"] == ("colour", "sizes", "stock")
    assert report.figures["config"]["profile"] == ("likes",)
    before = home.model().store.current()
    index_model(home, "paper")
    assert home.model().store.current() == before
    assert [model.name for model in home.models()] == ["main", "paper"]


@pytest.mark.parametrize("name", ["", "A", "../x", "a/b", "a" * 64, ".x"])
def test_names_of_models_cannot_leave_their_folder(tmp_path, name) -> None:
    with pytest.raises(ValueError, match="cannot name a model"):
        Home(tmp_path).model(name)


def test_indexing_again_finds_new_items_without_training(home, tmp_path) -> None:
    items, _, _ = shop_rows()
    towers = trained_state(home.model())["towers"]
    later = [*items[1:], {"id": "quokka", "title": "A quokka lamp", "text": ""}]
    report = index_model(home, "main", [write_rows(tmp_path / "later.parquet", later)])
    assert report.build.published
    assert ids_found(home, "quokka") == ["quokka"]
    assert "sku-0" not in ids_found(home, "lamp no 0", k=100)
    assert trained_state(home.model())["towers"] == towers


def test_numbers_stay_so_that_the_new_bundle_is_compared_with_the_old(home) -> None:
    report = index_model(home, "main")
    sentences = {gate.name: gate.sentence for gate in report.build.gates}
    assert "the bundle in service reaches" in sentences["continuity"]


def test_changes_in_service_are_taken_in_if_they_are_newer_than_the_file(home, tmp_path) -> None:
    path = write_rows(tmp_path / "items.parquet", shop_rows()[0])
    log = ChangeLog(home.changes)
    log.put([("new", Item(0, "A wombat lamp")), ("sku-1", Item(0, "Renamed bilby"))])
    log.remove(["sku-2", "unknown"])
    os.utime(path, (time.time() - 60,) * 2)
    report = index_model(home, "main", [path])
    assert report.changes == 4
    assert ids_found(home, "wombat") == ["new"]
    assert ids_found(home, "bilby") == ["sku-1"]
    assert "sku-2" not in ids_found(home, "no 2", k=100)
    os.utime(path, (time.time() + 60,) * 2)
    assert index_model(home, "main", [path]).changes == 0
    assert ids_found(home, "wombat") != ["new"]


def test_changes_that_every_bundle_holds_are_dropped(home) -> None:
    log = ChangeLog(home.changes)
    log.put([("new", Item(0, "A wombat lamp"))])
    for _ in range(3):
        index_model(home, "main")
    assert log.since(0) == []
    assert log.last() == 1


def test_a_vocabulary_of_one_searches_by_words(write, tmp_path) -> None:
    home = Home(tmp_path / "home")
    items = write("i.jsonl", [{"id": n, "title": f"word{n}"} for n in range(5)])
    report = train_model(home, "main", [items])
    assert "No word occurs in two items" in report.note
    assert index_model(home, "main").build.published
    assert ids_found(home, "word3") == ["3"]


def test_items_that_all_say_the_same(write, tmp_path) -> None:
    home = Home(tmp_path / "home")
    few, many = ([{"id": n, "title": "word"} for n in range(number)] for number in (5, 300))
    train_model(home, "few", [write("few.jsonl", few)])
    assert index_model(home, "few").build.published
    assert ids_found(home, "word", "few") == ["0", "1", "2", "3", "4"]
    train_model(home, "many", [write("many.jsonl", many)])
    report = index_model(home, "many").build
    assert not report.published
    assert [gate.name for gate in report.gates if not gate.passed] == ["collapse"]
    assert report.refusal


def test_without_interactions_the_items_teach(shop_files, tmp_path) -> None:
    home = Home(tmp_path / "home")
    report = train_model(
        home, "main", shop_files[:1], changes=("threads=1", "epochs=1", "width=16")
    )
    assert report.events_held_out == 0
    index_model(home, "main")
    assert len(ids_found(home, "kettle")) == 10


def test_what_cannot_be_done_is_said(tmp_path, shop_files) -> None:
    home = Home(tmp_path / "home")
    with pytest.raises(ValueError, match="no files are known"):
        train_model(home, "main", [])
    with pytest.raises(ValueError, match="not trained"):
        index_model(home, "main", shop_files)
    with pytest.raises(ValueError, match="no configuration 'odd'"):
        train_model(home, "main", shop_files, preset="odd")
    with pytest.raises(ValueError, match="no setting 'odd'"):
        train_model(home, "main", shop_files, changes=("odd=1",))
    with pytest.raises(FileError, match="cannot be read"):
        train_model(home, "main", [tmp_path / "none.parquet"])
    assert not home.files.exists()


def test_a_stopped_embedding_goes_on(home, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(vectors, "PART", 50)
    from peerscope.retrieval import load_towers

    towers = load_towers(home.model().folder / trained_state(home.model())["towers"])
    found = read_catalogue(Files.load(home.files)).items
    whole = vectors.embedded(towers, "t", found, tmp_path / "a")

    class Stopped(Exception):
        pass

    def stop(stage: str, done: int, total: int | None) -> None:
        if done >= 100:
            raise Stopped

    with pytest.raises(Stopped):
        vectors.embedded(towers, "t", found, tmp_path / "b", stop)
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "b").iterdir()}
    assert len(made) == 2
    (tmp_path / "b" / "other.npy").write_bytes(b"broken")
    np.testing.assert_array_equal(vectors.embedded(towers, "t", found, tmp_path / "b"), whole)
    assert {path: path.stat().st_mtime_ns for path in made} == made


def small_disk(folder: Path, size: str) -> None:
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
    )
    if made.returncode:
        pytest.skip(f"mounting a small disk is not allowed here: {made.stderr.strip()}")


@pytest.fixture
def disk(tmp_path):
    if shutil.which("mount") is None:
        pytest.skip("there is no mount command")
    folder = tmp_path / "disk"
    small_disk(folder, "6m")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_the_old_bundle_in_service(disk, trained_home) -> None:
    shutil.copytree(trained_home, disk / "home", symlinks=True)
    home = Home(disk / "home")
    store = home.model().store
    before = store.current()
    filler = disk / "filler"
    for left in (384 << 10, 128 << 10, 16 << 10, 4 << 10):
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        with filler.open("ab") as stream:
            stream.write(b"\0" * max(free - left, 0))
        done = subprocess.run(
            [sys.executable, "-c", "from peerscope.cli import main; main()", "retrieval", "index", "--home", str(home.folder)],
            capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == 1, done.stderr
        assert "Error:" in done.stderr
        assert "Traceback" not in done.stderr
        assert store.current() == before
        store.verify(before)
        assert store.list() == [before]
    assert ids_found(home, "red lamp")
    filler.unlink()
    assert index_model(home, "main").build.published


@pytest.mark.parametrize("momentum", ["momentum=0", "momentum=0.9"])
def test_a_killed_training_goes_on_where_it_was(tmp_path, shop_files, momentum) -> None:
    home = tmp_path / "home"
    script = textwrap.dedent(
        """
        import os, sys
        from pathlib import Path
        from peerscope.retrieval.files.home import Home
        from peerscope.retrieval.files.pipeline import train_model
        def stop(stage, done, total):
            if stage == "training, pass 3":
                os.kill(os.getpid(), 9)
        files = [Path(name) for name in sys.argv[3:]]
        train_model(Home(Path(sys.argv[1])), "main", files, progress=stop,
                    changes=("threads=1", "epochs=4", "patience=9", "width=16", "batch=64", sys.argv[2]))
        """
    )
    stopped = subprocess.run(
        [sys.executable, "-c", script, str(home), momentum, *map(str, shop_files)]
    )
    assert stopped.returncode == -9
    seen = []
    changes = ("threads=1", "epochs=4", "patience=9", "width=16", "batch=64", momentum)
    report = train_model(
        Home(home),
        "main",
        shop_files,
        changes=changes,
        progress=lambda stage, *_: seen.append(stage),
    )
    assert "training, pass 3" in seen
    assert "training, pass 1" not in seen
    assert len(report.figures["passes"]) == 4
    whole = train_model(Home(tmp_path / "other"), "main", shop_files, changes=changes)
    assert json.dumps(report.figures["passes"]) == json.dumps(whole.figures["passes"])
    assert not (home / "models" / "main" / "partial" / "training").exists()


def test_a_warm_start_goes_on_from_the_last_towers(tmp_path, shop_files) -> None:
    changes = ("threads=1", "epochs=2", "width=32", "batch=64", "learning_rate=0.0003")
    home = Home(tmp_path / "home")
    first = train_model(home, "main", shop_files, changes=changes)
    reached = max(one["ndcg@10"] for one in first.figures["passes"])
    assert reached > first.figures["start"]
    second = train_model(home, "main", shop_files, changes=changes, warm=True)
    assert second.figures["warm"]
    assert second.figures["start"] == pytest.approx(reached, abs=1e-6)


@pytest.mark.parametrize("before", ["nothing", "another width", "a broken file"])
def test_a_warm_start_without_fitting_towers_starts_anew_and_says_so(
    tmp_path, shop_files, before
) -> None:
    home = Home(tmp_path / "home")
    changes = ("threads=1", "epochs=1", "hidden=32", "width=32", "batch=64")
    if before != "nothing":
        train_model(home, "main", shop_files, changes=(*changes[:2], "hidden=16", *changes[3:]))
    if before == "a broken file":
        folder = home.model("main").folder / trained_state(home.model("main"))["towers"]
        (folder / "towers.safetensors").write_bytes(b"broken")
    report = train_model(home, "main", shop_files, changes=changes, warm=True)
    assert not report.figures["warm"]
    assert "started anew" in report.note
