from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from peerscope.retrieval import (
    BundleError,
    BundleStore,
    Interaction,
    Tokenizer,
    build,
    open_bundle,
    train,
)
from peerscope.retrieval.bundle import MANIFEST
from peerscope.retrieval.gates import Bounds
from peerscope.retrieval.learn.config import TrainConfig

QUICK = TrainConfig(epochs=3, hidden=(16,), batch=64, threads=1)


@pytest.fixture
def pairs(items) -> list[Interaction]:
    return [Interaction(items[n].title, items[(n * 7) % 240].id, kind="cites") for n in range(240)]


@pytest.fixture
def store(tmp_path) -> BundleStore:
    return BundleStore(tmp_path / "bundles")


def words_only(store: BundleStore, items, **more):
    return build(items, [], store, towers=None, tokenizer=Tokenizer(), **more)


@pytest.mark.parametrize("number", [0, 1, 5])
def test_tiny_catalogues_are_published(store, made_items, number) -> None:
    items = made_items(number)
    trained = train(items, [], QUICK)
    report = build(items, [], store, towers=trained.towers if trained else None)
    assert report.published
    engine = open_bundle(store.path(report.bundle))
    assert engine.count() == number
    if items:
        assert engine.search(items[0].title, 3).hits[0].id == items[0].id


def test_trained_towers_publish_search_and_keep_their_metadata(store, items) -> None:
    pairs = [Interaction(items[n].title, items[n + 3].id, kind="cites") for n in range(200)]
    trained = train(items, pairs, QUICK)
    report = build(items, pairs, store, towers=trained.towers, metadata={"change_seq": 7})
    assert report.published, report.refusal
    manifest = store.manifest(report.bundle)
    assert manifest.metadata == {"change_seq": 7}
    assert {gate["name"] for gate in manifest.gates} == {
        "quality", "continuity", "latency", "size", "collapse",
    }  # fmt: skip
    engine = open_bundle(store.path(report.bundle))
    assert engine.search("parsing grammar", 5).mode == "hybrid"
    again = build(items, pairs, store, towers=trained.towers)
    gate = next(gate for gate in again.gates if gate.name == "continuity")
    assert "in service reaches" in gate.sentence


def test_a_bundle_that_fails_a_gate_is_kept_aside(store, items) -> None:
    good = words_only(store, items)
    bad = words_only(store, items, bounds=Bounds(bytes=10))
    assert not bad.published
    assert "MB" in bad.refusal
    assert store.current() == good.bundle
    assert (store.folder / "rejected" / bad.bundle / MANIFEST).exists()


def test_rollback_goes_back_and_says_when_it_cannot(store, items) -> None:
    first = words_only(store, items).bundle
    with pytest.raises(BundleError, match="no older bundle"):
        store.rollback()
    second = words_only(store, items).bundle
    assert store.current() == second
    assert store.rollback() == first == store.current()


@pytest.mark.parametrize("harm", ["flip", "remove", "add"])
def test_a_harmed_bundle_is_refused(store, items, harm) -> None:
    name = words_only(store, items).bundle
    path = store.path(name) / "index" / "words" / "rows.npy"
    if harm == "flip":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif harm == "remove":
        path.unlink()
    else:
        (store.path(name) / "more").write_text("x")
    with pytest.raises(BundleError, match="broken"):
        open_bundle(store.path(name))


def test_a_full_disk_leaves_the_old_bundle_in_service(store, items, monkeypatch) -> None:
    old = words_only(store, items).bundle

    def full(*arguments, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(BundleStore, "seal", full)
    with pytest.raises(OSError, match="No space"):
        words_only(store, items)
    assert store.current() == old
    store.verify(old)
    assert not list(store.folder.glob(".stage-*"))


def test_leftovers_of_the_dead_are_swept_and_of_the_living_kept(store, items) -> None:
    store.folder.mkdir(parents=True)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (store.folder / f".stage-{dead.pid}-x").mkdir()
    (store.folder / f".stage-{os.getpid()}-y").mkdir()
    words_only(store, items)
    assert [path.name for path in store.folder.glob(".stage-*")] == [f".stage-{os.getpid()}-y"]


def test_old_bundles_are_pruned_but_never_the_one_in_service(store, items) -> None:
    names = [words_only(store, items).bundle for _ in range(5)]
    assert store.list() == names[-3:]
    store.rollback()
    store.prune(0)
    assert store.list() == [store.current()]


def test_what_a_killed_pruning_left_goes_with_the_next_stage(store, items) -> None:
    left = store.folder / ".stage-0-old"
    words_only(store, items)
    left.mkdir()
    words_only(store, items)
    assert not left.exists()


PUBLISHER = """
import sys
from pathlib import Path
from peerscope.retrieval import BundleStore, Item, Tokenizer, build
store = BundleStore(Path(sys.argv[1]))
items = [Item(n, f"title {n} of a work", "some words " * 40) for n in range(1, 300)]
while True:
    build(items, [], store, towers=None, tokenizer=Tokenizer())
    print("published", flush=True)
"""


def test_kill_at_any_moment_leaves_a_whole_bundle(store, tmp_path) -> None:
    generator = np.random.default_rng(5)
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", PUBLISHER, str(store.folder)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(float(generator.uniform(0.01, 0.4)))
        process.send_signal(signal.SIGKILL)
        process.wait()
        name = store.current()
        assert name is not None
        store.verify(name)
        assert open_bundle(store.path(name)).count() == 299


class Stop(Exception):
    pass


def arrays(towers) -> list[np.ndarray]:
    found = []
    for tower in (*towers.query, towers.item):
        found += [part for layer in tower.layers for part in layer]
        found += [] if tower.linear is None else [tower.linear]
    return found


def test_a_stopped_training_goes_on_to_the_same_result(items, pairs, tmp_path) -> None:
    whole = train(items, pairs, QUICK)

    def interrupt(stage: str, done: int, total: int | None) -> None:
        if stage == "training, pass 2":
            raise Stop

    with pytest.raises(Stop):
        train(items, pairs, QUICK, checkpoints=tmp_path, progress=interrupt)
    assert (tmp_path / "checkpoint.pt").exists()
    resumed = train(items, pairs, QUICK, checkpoints=tmp_path)
    for one, other in zip(arrays(whole.towers), arrays(resumed.towers), strict=True):
        assert np.array_equal(one, other)
    assert whole.figures["passes"] == resumed.figures["passes"]


def test_a_checkpoint_of_other_data_or_a_broken_one_is_not_used(items, pairs, tmp_path) -> None:
    from peerscope.retrieval.learn.checkpoint import load_checkpoint

    train(items, pairs, QUICK, checkpoints=tmp_path)
    path = Path(tmp_path / "checkpoint.pt")
    assert load_checkpoint(tmp_path, "something else") is None
    path.write_bytes(path.read_bytes()[:100])
    assert load_checkpoint(tmp_path, "x") is None


def test_training_never_keeps_less_than_its_start(items, pairs) -> None:
    trained = train(items, pairs, QUICK)
    kept = max([trained.figures["start"], *(p["ndcg@10"] for p in trained.figures["passes"])])
    chosen = trained.figures["kept_pass"]
    reached = (
        trained.figures["start"]
        if chosen == 0
        else trained.figures["passes"][chosen - 1]["ndcg@10"]
    )
    assert reached == kept


def test_without_torch_the_towers_stay_at_their_start(items, pairs, monkeypatch) -> None:
    from peerscope.retrieval import training

    monkeypatch.setattr(training, "find_spec", lambda name: None)
    trained = training.train(items, pairs, QUICK)
    assert "PyTorch is not installed" in trained.note
    towers = trained.towers
    texts = [item.title for item in items[:5]]
    assert towers.embed_queries(texts)[:, 0] == pytest.approx(towers.front.embed(texts), abs=1e-6)


def test_latent_semantic_analysis_is_the_truncated_svd() -> None:
    from scipy import sparse

    from peerscope.retrieval.lsa import right_basis

    generator = np.random.default_rng(0)
    dense = (generator.random((60, 40)) < 0.2) * generator.random((60, 40))
    dense = dense @ np.diag(np.linspace(3, 0.1, 40))
    table = right_basis(sparse.csr_array(dense.astype(np.float32)), 10, seed=0)
    exact = np.linalg.svd(dense)[2][:10].T
    assert table.T @ table == pytest.approx(np.eye(10), abs=1e-4)
    captured = np.linalg.norm(dense @ table) ** 2
    assert captured == pytest.approx(np.linalg.norm(dense @ exact) ** 2, rel=0.01)


def test_a_title_that_was_taken_away_is_not_missed(items, store) -> None:
    from peerscope.retrieval.build import held_out_rows
    from peerscope.retrieval.examples import judged_queries
    from peerscope.retrieval.fusion import Fusion, mean_ndcg

    words_only(store, items)
    engine = open_bundle(store.path(store.current()))
    judged = judged_queries(items, [], 40)
    assert judged
    assert all(one.untitled for one in judged)
    rows = held_out_rows(engine, items, judged)
    assert mean_ndcg(Fusion(1.0, 0.0, 5.0), rows) == mean_ndcg(Fusion(1.0, 0.0, 0.0), rows)
    assert mean_ndcg(Fusion(1.0, 0.0, 0.0), rows) > 0
