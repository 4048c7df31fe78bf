"""Pairs that training sees and queries that it does not."""

from __future__ import annotations

import pytest

from peerscope.retrieval import Interaction, Item, train
from peerscope.retrieval.examples import judged_queries, training_pairs
from peerscope.retrieval.learn.config import paper


def test_one_query_is_never_both_learned_and_judged(items) -> None:
    pairs = [Interaction(f"query {n}", items[n % 240].id, kind="cites") for n in range(500)]
    learned = training_pairs(items, [i.title for i in items], pairs)
    judged = judged_queries(items, pairs, 400)
    assert judged
    assert not {one.query for one in judged} & set(learned.queries)
    backwards = judged_queries(list(reversed(items)), list(reversed(pairs)), 400)
    assert {one.query for one in judged} == {one.query for one in backwards}


def test_items_that_arrive_later_change_no_span_of_the_others() -> None:
    def sentence(n: int, part: int) -> str:
        return " ".join(f"w{n}p{part}k{word}" for word in range(20)) + ". "

    items = [Item(n, f"Title {n}", sentence(n, 0) + sentence(n, 1)) for n in range(60)]
    few, more = items[::2], items

    def spans(catalogue: list[Item]) -> set[str]:
        pairs = training_pairs(catalogue, [one.title for one in catalogue], [])
        return {pairs.queries[asked] for asked in pairs.asked} - {one.title for one in catalogue}

    assert len(spans(few)) > 10
    assert spans(few) < spans(more)


def test_about_as_many_items_as_wanted_give_pairs_of_their_own_text() -> None:
    items = [Item(n, f"Title {n}", f"Word {n} and more of the same. " * 8) for n in range(2000)]
    titles = [one.title for one in items]
    chosen = {
        most: set(training_pairs(items, titles, [], most_own=most).item.tolist())
        for most in (200, 400)
    }
    assert 120 < len(chosen[200]) < 240
    assert chosen[200] < chosen[400]
    every = training_pairs(items, titles, []).weight.sum()
    some = training_pairs(items, titles, [], most_own=400).weight.sum()
    assert some == pytest.approx(every, rel=0.15)


def test_titles_judge_unless_the_items_are_read_by_their_titles_alone(items) -> None:
    pairs = [Interaction(f"query {n}", items[n % 240].id, kind="cites") for n in range(500)]
    assert any(one.untitled for one in judged_queries(items, pairs, 400))
    links = judged_queries(items, pairs, 400, titles=False)
    assert links
    assert not any(one.untitled for one in links)
    assert judged_queries(items, [], 400, titles=False) == []


def test_towers_that_read_titles_only_are_not_judged_by_titles(items) -> None:
    pytest.importorskip("torch", reason="the extra `learn` is not installed")
    settings = {"epochs": 1, "threads": 1, "history": "none", "hidden": (16,), "buckets": 64}
    trained = train(items, [], paper(**settings))
    assert trained is not None
    assert trained.figures["held_out"] == 0
    assert train(items, [], paper(**settings, titles_only=False)).figures["held_out"] > 0
