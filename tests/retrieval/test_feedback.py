"""The second look against its formulas, worked out by other means."""

from __future__ import annotations

import numpy as np
import pytest

from peerscope.retrieval import Item, SearchEngine
from peerscope.retrieval.feedback import mixed, neighbour_scores, trusted
from peerscope.retrieval.fusion import Fusion
from peerscope.retrieval.index import ItemIndex
from peerscope.retrieval.index.terms import QueryTerms, term_keys


def test_trust_grows_with_length() -> None:
    found = trusted(np.asarray([0, 10, 90], np.float32))
    assert found.tolist() == pytest.approx([0.0, 0.5, 0.9])


def test_mixed_weights_sum_to_one() -> None:
    a, b, c = term_keys("abc").tolist()

    def found(counts, others, share):
        keys = term_keys(others)
        weights = np.asarray(list(others.values()), np.float32)
        keys, weights = mixed(QueryTerms.of(counts), keys, weights, share)
        return dict(zip(keys.tolist(), weights.tolist(), strict=True))

    mixture = found({"a": 2, "b": 1}, {"b": 3.0, "c": 1.0}, 0.4)
    assert mixture == pytest.approx({a: 0.4, b: 0.2 + 0.3, c: 0.1})
    assert found({"a": 1}, {}, 0.4) == {a: pytest.approx(0.6)}


def test_neighbour_scores_are_weighted_means_of_the_nearest(monkeypatch) -> None:
    monkeypatch.setattr("peerscope.retrieval.feedback.NEIGHBOURS", 2)
    generator = np.random.default_rng(0)
    vectors = generator.standard_normal((9, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = generator.standard_normal(9).astype(np.float32)
    found = neighbour_scores(vectors, scores)
    for one in range(9):
        cosines = {n: float(vectors[one] @ vectors[n]) for n in range(9) if n != one}
        near = sorted(cosines, key=cosines.__getitem__)[-2:]
        weights = [max(cosines[n], 0.0) for n in near]
        mean = sum(w * scores[n] for w, n in zip(weights, near, strict=True)) / sum(weights)
        assert found[one] == pytest.approx(mean, rel=1e-5)
    assert neighbour_scores(np.eye(3, dtype=np.float32), np.ones(3, np.float32)).tolist() == [
        0,
        0,
        0,
    ]


@pytest.fixture
def wombats(tokenizer) -> SearchEngine:
    """Item 3 has one word of the query and what the best items share; item 4 has the word only."""
    texts = [
        ("Wombat burrows", "wombat marsupial burrow soil"),
        ("Wombat diet", "wombat marsupial grass burrow"),
        ("Animals", "wombat marsupial burrow habits"),
        ("Animals", "wombat cartoon painted ceiling"),
        ("Stars", "galaxy telescope spectrum dust"),
        ("Moons", "orbit telescope crater dust"),
    ]
    items = [Item(n, title, text) for n, (title, text) in enumerate(texts, 1)]
    index = ItemIndex(2, tokenizer)
    index.upsert(items, np.zeros((len(items), 2), np.float32))
    return SearchEngine(index, None, Fusion(dense=0.0), tokenizer)


def test_what_the_best_share_moves_the_rest(wombats) -> None:
    def scores(feedback):
        wombats.fusion = Fusion(1.0, 0.0, 0.0, feedback, 0.0)
        return {hit.id: hit.score for hit in wombats.search("wombat", 10).hits}

    plain, again = scores(0.0), scores(0.4)
    assert plain[3] == pytest.approx(plain[4])
    assert again[3] > again[4]
    assert set(plain) == set(again) == {1, 2, 3, 4}


def test_those_beyond_the_second_look_keep_their_order(wombats, monkeypatch) -> None:
    wombats.fusion = Fusion(1.0, 0.0, 0.0, 0.0, 0.0)
    first = [hit.id for hit in wombats.search("wombat burrow telescope dust", 10).hits]
    monkeypatch.setattr("peerscope.retrieval.feedback.DEPTH", 3)
    wombats.fusion = Fusion(1.0, 0.0, 0.0, 0.4, 0.3)
    hits = wombats.search("wombat burrow telescope dust", 10).hits
    assert [hit.id for hit in hits][3:] == first[3:]
    assert sorted(hit.score for hit in hits)[::-1] == [hit.score for hit in hits]
