"""The logic of the personalised benchmark: what counts as past, who is rare, how a rank is drawn."""

from __future__ import annotations

import json
import math
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import zstandard

pytest.importorskip("bm25s", reason="the extra `bench` is not installed")
pytest.importorskip("ir_measures", reason="the extra `bench` is not installed")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import alpha_plot
import personal_data
import personal_measure
import personal_systems
import products

from peerscope.retrieval import Interaction, Item


def _packed(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zstandard.compress(text.encode()))


WORKS = [
    {"id": "a", "title": "Black holes", "date": "1992-01-01", "venue": ["x"], "authors": [{"id": "u"}]},
    {"id": "b", "title": "Strings", "date": "1992-02-01", "venue": ["x"], "authors": [{"id": "v"}]},
    {
        "id": "c", "title": "Branes", "date": "1992-03-01", "venue": ["x"], "authors": [{"id": "u"}],
        "references": ["a", "b", "e"],
    },
    {
        "id": "d", "title": "Black branes", "date": "1992-04-01", "venue": ["x"],
        "authors": [{"id": "u"}], "references": ["b", "c"],
    },
    {"id": "e", "title": "Later", "date": "1992-05-01", "venue": ["x"], "authors": [{"id": "u"}]},
]  # fmt: skip


@pytest.fixture
def collection(tmp_path: Path) -> personal_data.Collection:
    _packed(tmp_path / "scholarly/tiny.jsonl.zst", "\n".join(map(json.dumps, reversed(WORKS))))
    asked = {
        "_id": "d@u", "text": "Black branes", "paper": "d", "user": "u", "when": "1992-04-01",
    }  # fmt: skip
    queries = [
        {**asked, "_id": f"{split}@u", "split": split, "history": []}
        for split in ("train", "dev", "test")
    ]
    bench = tmp_path / "bench/personal_tiny"
    _packed(bench / "queries.jsonl.zst", "\n".join(map(json.dumps, queries)))
    rows = [f"{q['_id']}\t{document}\t1" for q in queries for document in ("b", "c")]
    _packed(bench / "qrels.tsv.zst", "\n".join(["query-id\tcorpus-id\tscore", *rows]))
    return personal_data.load("tiny", tmp_path)


def test_nothing_is_told_from_the_future(collection: personal_data.Collection) -> None:
    one = collection.askings["test"][0]
    titles = [item.title for item in collection.items]
    # Works in order of time; "Branes" cites "Later", which did not exist yet when it was asked.
    assert titles == ["Black holes", "Strings", "Branes", "Black branes", "Later"]
    assert [titles[place] for place in one.history] == ["Branes", "Strings", "Black holes"]
    assert [titles[place] for place in one.written] == ["Branes", "Black holes"]
    assert one.limit == 4
    assert titles[one.own] == "Black branes"
    items, interactions, users = personal_data.training_view(collection)
    assert [item.title for item in items] == titles[:4]
    assert {given.item_id for given in interactions} == {2, 3}
    assert users[0].history == (3, 2, 1)


def test_same_moment_and_own_work_are_no_history(collection: personal_data.Collection) -> None:
    one = collection.askings["train"][0]
    assert one.own not in one.history
    assert all(collection.times[place] < one.when for place in one.history)


def test_rarity_is_the_median_of_training_citations(collection: personal_data.Collection) -> None:
    counts = collection.cited_in_training()
    assert counts == {1: 1, 2: 1}
    one = collection.askings["test"][0]
    assert personal_data.rarity(one, {1: 4}) == 2.0
    groups = personal_data.Strata((2.0, 5.0), (0.5, 1.0)).groups([one], counts)
    assert {name: bool(mask[0]) for name, mask in groups.items()} == {
        "all": True, "tail users": True, "head users": False,
        "tail queries": False, "head queries": True, "tail both": False,
    }  # fmt: skip


def test_figures_leave_the_own_work_and_the_future_out(
    collection: personal_data.Collection,
) -> None:
    one = collection.askings["test"][0]
    scores = np.asarray([0.2, 0.3, 0.1, 9.0, 8.0], np.float32)  # own work and a later one lead
    found = personal_measure.figures(lambda row, asked: scores, [one], {1: 1})
    # Ranking: Strings (relevant), Black holes, Branes (relevant).
    assert found["ndcg@10"][0] == pytest.approx((1 + 1 / 2) / (1 + 1 / math.log2(3)))
    assert found["mrr@10"] == [1.0]
    assert found["recall@100"] == [1.0]
    assert found["popularity"][0] == pytest.approx(math.log(2) / 3)
    assert math.isnan(found["new"][0])  # both relevant works were met before


def test_the_best_leave_out_what_is_excluded_and_break_ties_by_place() -> None:
    scores = np.asarray([1, 3, 3, -np.inf, 2], np.float32)
    assert personal_measure.best(scores, 3) == [1, 2, 4]
    assert personal_measure.best(scores, 9) == [1, 2, 4, 0]


def test_ties_of_a_drawn_rank_count_half(collection: personal_data.Collection) -> None:
    one = collection.askings["test"][0]
    flat = np.zeros(4, np.float32)
    # Rivals are "Black holes" alone: the own work and other relevant ones are none.
    assert personal_measure.drawn_rank(flat, one, np.random.default_rng(0)) == 0.5


def test_compared_finds_a_difference_and_none() -> None:
    generator = np.random.default_rng(0)
    base = generator.random(400)
    noise = generator.normal(0, 0.05, 400)
    better = personal_measure.compared((base + 0.05 + noise).tolist(), base.tolist())
    assert better["low"] < 0.05 / base.mean() < better["high"]
    assert better["p"] < 1e-6
    same = personal_measure.compared((base + noise).tolist(), base.tolist())
    assert same["low"] < 0 < same["high"]


def test_bm25_puts_the_matching_work_first(collection: personal_data.Collection) -> None:
    words = personal_systems.Words(collection.items).fitted(1.2, 0.75)
    scores = words.texts(["strings", "the of"])
    assert int(scores[0].argmax()) == 1
    assert not scores[1].any()


def test_history_moves_a_vector_towards_what_was_met(
    collection: personal_data.Collection,
) -> None:
    one = collection.askings["test"][0]
    items = np.eye(5, dtype=np.float32)
    text = np.eye(5, dtype=np.float32)[4:5]
    moved = personal_systems.history_vectors(text, items, [one], 3.0)
    # Text vector plus three times the mean of three unit vectors: all four entries alike.
    assert moved[0] == pytest.approx([0.5, 0.5, 0.5, 0, 0.5])


def test_area_under_the_curve_counts_pairs() -> None:
    good, bad = np.asarray([3, 2], np.float32), np.asarray([1, 2, 0], np.float32)
    assert products.area(good, bad) == pytest.approx((3 + 2.5) / 6)


def test_the_plot_holds_every_point_and_leaves_out_what_was_not_measured() -> None:
    printed = {0.0: (0.7, 0.6, 0.3), 1.0: (0.6, 0.6, 0.6)}
    ours = {"paper": {"top1": [[0.5, 0.6], []], "popularity": [[2.0, 2.0], []]}}
    drawn = ET.fromstring(alpha_plot.draw((0.0, 1.0), printed, ours))
    space = "{http://www.w3.org/2000/svg}"
    lines = [one.get("points", "").split() for one in drawn.iter(f"{space}polyline")]
    assert [len(points) for points in lines] == [2, 1, 2, 1]
    told = drawn.findtext(f"{space}desc") or ""
    assert "Top-1, configuration paper: 0.55 at 0.0." in told
    # Popularity is shown relative to alpha 0: the printed one doubles.
    assert "Popularity, printed: 1.00 at 0.0, 2.00 at 1.0." in told


def test_only_what_was_shown_is_a_negative() -> None:
    torch = pytest.importorskip("torch")
    import unclicked

    from peerscope.retrieval.examples import training_pairs
    from peerscope.retrieval.front import Front
    from peerscope.retrieval.learn.config import paper
    from peerscope.retrieval.learn.lists import Lists
    from peerscope.retrieval.lsa import random_bag
    from peerscope.retrieval.text import Tokenizer

    items = [Item(n + 1, f"thing {'red' if n % 2 else 'blue'} {n}") for n in range(8)]
    clicks = [Interaction("red thing", 2), Interaction("blue thing", 1)]
    config = paper(history="none", hard=1, batch=2, width=8, dim=8, hidden=(8,), projection=0)
    tokenizer = Tokenizer()
    titles = [item.title for item in items]
    front = Front(tokenizer, random_bag(titles, tokenizer, width=8))
    pairs = training_pairs(items, titles, clicks)
    trainer = unclicked.UnclickedOnly(front, pairs, [], items, config)
    trainer.shown = Lists.of([[3, 5], [2]])
    chosen = np.asarray([0, 1])
    columns = np.asarray([1, 0, 3, 2, 5, 7])
    excluded = trainer._excluded(chosen, np.asarray(pairs.query)[chosen], columns)
    # The batch's other positive and drawn items are no negatives of either query.
    assert (~excluded).tolist() == [
        [False, False, True, False, True, False],
        [False, False, False, True, False, False],
    ]
    drawn = trainer._hard(chosen, 1, np.random.default_rng(0))
    assert drawn[0, 0] in (3, 5)
    assert drawn[1, 0] == 2
    assert torch.isfinite(torch.tensor(trainer._pass(1)))


def test_training_with_what_was_shown_takes_askings_of_one_text_by_several_users() -> None:
    pytest.importorskip("torch")
    import unclicked

    items = [Item(n + 1, f"thing {'red' if n % 2 else 'blue'} {n}") for n in range(8)]
    clicks = [
        Interaction(query, item, user_id=user, time=float(user))
        for user in "12345"
        for query, item in (("red thing", 2), ("blue thing", 1), ("never shown", 3))
    ]
    from peerscope.retrieval.learn.config import paper

    config = paper(history="none", hard=1, batch=2, width=8, dim=8, hidden=(8,), projection=0,
                   epochs=1, threads=1)  # fmt: skip
    shown = {"red thing": [3, 5], "blue thing": [2]}
    result = unclicked.train_unclicked(items, clicks, config, shown)
    # Queries that a hash keeps aside and those that had no page shown give no pairs.
    pairs = int(result.note.split()[2])
    assert pairs in (5, 10)
    assert np.isfinite([one["loss"] for one in result.figures["passes"]]).all()
