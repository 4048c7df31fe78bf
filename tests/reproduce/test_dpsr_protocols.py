"""What the protocols of DPSR measure by: ranks, areas, slips, rows that are read, and bytes."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `learn` is not installed")

from peerscope.reproduce.protocols.dpsr_hepth import Asking, Collection, user_of
from peerscope.reproduce.protocols.dpsr_input import _joined, _rows, _sizes
from peerscope.reproduce.protocols.dpsr_ranks import (
    POOL,
    area,
    drawn,
    leading,
    measured,
    placed,
)
from peerscope.reproduce.protocols.dpsr_serving import Counted, _copies
from peerscope.reproduce.protocols.dpsr_shop import Shop
from peerscope.reproduce.protocols.dpsr_training import Words, passed_over
from peerscope.reproduce.protocols.dpsr_typos import mistyped
from peerscope.retrieval import Item

WORKS = 2000


def asking(history: tuple[int, ...] = (1, 2), relevant: tuple[int, ...] = (2, 5)) -> Asking:
    return Asking("q@a", "strings", 1500, WORKS, frozenset(relevant), history, {"venue": "PRL"})


def test_a_rank_counts_those_above_and_half_of_those_alike() -> None:
    assert placed(np.asarray([0.5, 0.7, 0.5, 0.1], np.float32)) == 1.5
    assert placed(np.asarray([0.9, 0.7], np.float32)) == 0


def test_an_area_is_the_share_of_pairs_in_the_right_order() -> None:
    chance = np.random.default_rng(0)
    good, bad = chance.integers(9, size=40) / 8, chance.integers(9, size=30) / 8
    pairs = np.sign(good[:, None] - bad[None, :])
    assert area(good, bad) == pytest.approx(((pairs + 1) / 2).mean())


def test_what_is_compared_holds_neither_answers_nor_the_own_work() -> None:
    one = asking()
    (found,) = drawn([one], seed=3)
    assert len(found.pool) == len(found.fresh) == POOL
    assert found.pool[0] in one.relevant and found.fresh[0] == 5
    for rivals in (found.pool[1:], found.fresh[1:], found.bad):
        assert not np.isin(rivals, [*one.relevant, one.own]).any()
        assert len(set(rivals.tolist())) == len(rivals)
    assert not np.isin(found.fresh[1:], one.history).any()
    assert found.good.tolist() == [5]
    assert (drawn([one], seed=3)[0].pool == found.pool).all()
    assert (drawn([one], seed=4)[0].pool != found.pool).any()


def test_a_perfect_order_and_its_reverse() -> None:
    one = asking()
    scores = np.zeros(WORKS, np.float32)
    scores[[2, 5]] = 1
    scores[1] = 0.5
    chosen = np.zeros(WORKS)
    chosen[2] = np.e - 1
    pools = drawn([one], seed=0)
    best = measured(lambda row, who: scores, [one], pools, chosen)
    assert (best.top1, best.top10, best.new, best.auc) == ([1], [1], [1], [1])
    assert best.familiar == [0.2]
    assert best.popularity == [pytest.approx(0.1)]
    worst = measured(lambda row, who: -scores, [one], pools, chosen)
    assert (worst.top10, worst.new, worst.auc) == ([0], [0], [0])


def test_a_works_own_place_is_no_result() -> None:
    assert leading(np.asarray([3, 2, 1, 0], np.float32), 2, own=0).tolist() == [1, 2]
    assert leading(np.asarray([1, 1, 1, 1], np.float32), 3, own=9).tolist() == [0, 1, 2]


def test_users_show_what_the_arm_lets_them() -> None:
    one = asking()
    assert user_of(one, history=True, profile=False).history == (2, 3)
    assert user_of(one, history=False, profile=True).profile == {"venue": "PRL"}
    bare = user_of(one, history=False, profile=False)
    assert (bare.history, dict(bare.profile)) == ((), {})


def test_slips_are_small_and_in_longer_words_only() -> None:
    text = "on strings in black holes and x-rays of gravity"
    for seed in range(50):
        slipped = mistyped(text, 1.0, np.random.default_rng(seed)).split()
        for word, other in zip(text.split(), slipped, strict=True):
            assert abs(len(word) - len(other)) <= 1
            assert word[0] == other[0]
            assert word == other or (len(word) >= 5 and word.isalpha())
    assert mistyped(text, 0.0, np.random.default_rng(0)) == text
    assert mistyped(text, 1.0, np.random.default_rng(1)) != text


def small() -> Collection:
    titles = ["black holes", "strings and branes", "black strings", "gauge theory", "open strings"]
    items = [Item(n + 1, title) for n, title in enumerate(titles)]
    taught = [
        Asking("p@a", "black holes", 0, 4, frozenset({2}), (3,), {}),
        Asking("q@a", "strings", 4, 4, frozenset({1, 2}), (3, 0), {}),
    ]
    return Collection(items, taught, [])


def test_words_score_what_shares_a_word_and_a_page_holds_what_was_passed_over() -> None:
    collection = small()
    words = Words(collection.items)
    scores = words.scores("black")
    assert np.flatnonzero(scores).tolist() == [0, 2]
    shown = passed_over(words, collection)
    assert shown["strings"][0] not in (1, 2, 4)
    assert not {1, 2, 4}.intersection(shown["strings"])


def test_clicks_and_catalogue_are_of_the_training_time() -> None:
    collection = small()
    assert [item.id for item in collection.catalogue()] == [1, 2, 3, 4]
    assert [(one.query, one.item_id) for one in collection.clicks()] == [
        ("black holes", 3), ("strings", 2), ("strings", 3),
    ]  # fmt: skip
    assert collection.chosen().tolist() == [0, 1, 2, 0, 0]


def test_joined_files_hold_each_fact_once_and_rows_hold_all_of_them() -> None:
    collection = small()
    joined = list(_joined(collection, collection.taught))
    met = [row for row in joined if "item_id" in row and "query" not in row]
    assert [(row["user_id"], row["item_id"]) for row in met] == [("a", 4), ("a", 1)]
    assert sum("query" in row for row in joined) == 3
    rows = list(_rows(collection, collection.taught, whole=True))
    assert rows[-1]["item"]["title"] == "black strings"
    assert [one["title"] for one in rows[-1]["history"]] == ["gauge theory", "black holes"]
    assert next(iter(_rows(collection, collection.taught, whole=False)))["history"] == [4]
    written = sum(len(json.dumps(row, separators=(",", ":"))) + 1 for row in rows)
    assert _sizes(rows)[0] == written


def test_rows_that_are_read_are_counted() -> None:
    array = np.arange(40.0).reshape(20, 2).view(Counted)
    Counted.read = 0
    assert type(array[3:8]) is np.ndarray
    assert array[np.asarray([1, 2])].tolist() == [[2, 3], [4, 5]]
    assert Counted.read == 7


def test_copies_are_near_and_of_unit_length() -> None:
    vectors = np.eye(8, dtype=np.float32)
    found = _copies(vectors, 3, seed=0)
    assert found.shape == (24, 8)
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(24), abs=1e-5)
    assert (found[:8] == vectors).all() and (found[8:16] != vectors).any()
    assert (np.argmax(found[8:16], axis=1) == np.arange(8)).mean() > 0.7


def test_a_shops_area_is_over_all_pairs_and_leaves_complements_out() -> None:
    items = [Item(n + 1, "thing") for n in range(4)]
    shop = Shop(items, {"q": "thing"}, {"q": {0: "E", 1: "I", 2: "C", 3: "S"}})
    scores = {"q": np.asarray([0.9, 0.5, 2.0, 0.1], np.float32)}
    assert shop.area(scores) == 0.5
    (first, second), (third, fourth) = shop.halves()
    assert first == fourth and second == third and sorted(first + second) == ["q"]
