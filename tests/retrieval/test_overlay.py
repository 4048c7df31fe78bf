"""Live changes over a published index: any sequence, several readers, one order of scores."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from peerscope.retrieval import Filter, Item, SearchEngine, Tokenizer
from peerscope.retrieval.fusion import Fusion
from peerscope.retrieval.index import ItemIndex
from peerscope.retrieval.index.terms import QueryTerms
from peerscope.retrieval.overlay import Overlay

DIRECTIONS = np.eye(4, dtype=np.float32)


def item(number: int, direction: int) -> Item:
    return Item(number, f"word{direction}", "common", fields={"d": (str(direction),)})


def said(*terms: str) -> QueryTerms:
    return QueryTerms.of(dict.fromkeys(terms, 1))


@pytest.fixture
def base() -> ItemIndex:
    index = ItemIndex(4, Tokenizer())
    index.upsert([item(n, n % 4) for n in range(1, 9)], DIRECTIONS[[n % 4 for n in range(1, 9)]])
    return index


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["put", "drop"]), st.integers(1, 12), st.integers(0, 3)),
        max_size=20,
    )
)
def test_any_sequence_of_changes_leaves_what_a_dictionary_would(base, steps) -> None:
    overlay = Overlay.empty(base, base.tokenizer)
    oracle = {n: n % 4 for n in range(1, 9)}
    for what, number, direction in steps:
        if what == "put":
            overlay = overlay.with_items([item(number, direction)], DIRECTIONS[[direction]])
            oracle[number] = direction
        else:
            overlay = overlay.without([number])
            oracle.pop(number, None)
    assert overlay.count() == len(oracle)
    everyone = list(range(1, 14))
    assert sorted(overlay.known(everyone)) == sorted(oracle)
    counts: dict[str, int] = {}
    for direction in range(4):
        expected = sorted(n for n, d in oracle.items() if d == direction)
        if expected:
            counts[str(direction)] = len(expected)
        where = Filter(any_of={"d": (str(direction),)})
        assert overlay.search_lexical(said(f"word{direction}"), 50, None).tolist() == expected
        assert overlay.search_lexical(said("common"), 50, where).tolist() == expected
        near = overlay.search_dense(DIRECTIONS[direction], 50, where)
        assert sorted(near.ids.tolist()) == expected
        assert all(score == 1 for score in near.scores)
        assert [tuple(v) for v in overlay.vectors(expected)] == [
            tuple(DIRECTIONS[direction])
        ] * len(expected)
    assert overlay.facets(sorted(oracle), ["d"]) == {"d": counts}


def test_a_new_item_scores_as_if_it_had_been_published(items, tokenizer) -> None:
    """The same item, once in the base and once over it; only the statistics it adds itself may differ."""
    new = Item(9999, "segmentation of images", "pixels and a camera")
    query = said(*tokenizer.query_terms("camera segmentation"))
    whole = ItemIndex(4, tokenizer)
    whole.upsert([*items, new], np.zeros((len(items) + 1, 4), np.float32))
    part = ItemIndex(4, tokenizer)
    part.upsert(items, np.zeros((len(items), 4), np.float32))
    over = Overlay.empty(part, tokenizer).with_items([new], np.zeros((1, 4), np.float32))
    matching = np.sort(whole.search_terms(query, 999).ids)
    assert 9999 in matching
    scores = []
    for one in (Overlay.empty(whole, tokenizer), over):
        found = one.impacts(query.keys, matching) @ one.weights(query.keys, query.counts)
        scores.append(dict(zip(matching.tolist(), found.tolist(), strict=True)))
        keys = one.bag(9999)[0]
        assert sorted(keys.tolist()) == sorted(
            QueryTerms.of(dict.fromkeys(tokenizer.terms(f"{new.title} {new.text}"), 1)).keys
        )
        assert one.lengths(np.asarray([9999])).tolist() == [7]
        assert one.title(9999).tolist() == said(*tokenizer.terms(new.title)).keys.tolist()
    published, live = scores
    assert live[9999] == pytest.approx(published[9999], rel=0.02)
    for number, score in published.items():
        assert live[number] == pytest.approx(score, rel=0.05)


def test_readers_never_meet_a_half_made_change(items, tokenizer, unit) -> None:
    """One writer replaces, adds and deletes; readers see whole answers, each id once, nothing raised.

    Item 1 is replaced all the time and deleted never, so that every reader must find it.
    """
    index = ItemIndex(4, tokenizer)
    index.upsert(items, unit(len(items), 4))

    class Same:
        dim = 4
        personal = False

        def embed_queries(self, texts, users=None):
            return DIRECTIONS[:1].repeat(len(texts), axis=0)[:, None]

        def score(self, heads, items):
            return (items @ heads.T)[:, 0]

        def embed_items(self, given):
            return DIRECTIONS[:1].repeat(len(given), axis=0)

    engine = SearchEngine(index, Same(), Fusion(), tokenizer)
    engine.upsert([Item(1, "zeppelin 0")])
    wrong: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            try:
                hits = engine.search("zeppelin", 50, facets=("kind",)).hits
                ids = [hit.id for hit in hits]
                if len(set(ids)) != len(ids) or not any(h.id == 1 and h.lexical > 0 for h in hits):
                    wrong.append(("search", ids[:5]))
                near = engine.neighbours_of([2], 40).ids.tolist()
                if len(set(near)) != len(near):
                    wrong.append(("neighbours", near))
            except Exception as error:
                wrong.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for step in range(150):
        engine.upsert([Item(1, f"zeppelin {step}"), Item(1000 + step % 7, f"balloon {step}")])
        engine.upsert([Item(5 + step % 3, "zeppelin")])
        engine.delete([1000 + (step + 3) % 7, 20 + step % 40])
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []


def test_hidden_items_do_not_shorten_an_answer(items, tokenizer, unit) -> None:
    index = ItemIndex(4, tokenizer)
    vectors = unit(len(items), 4)
    index.upsert(items, vectors)
    overlay = Overlay.empty(index, tokenizer)
    first = index.search_dense(vectors[0], 100).ids.tolist()
    overlay = overlay.without(first)
    assert len(overlay.search_dense(vectors[0], 50, None)) == 50
    assert not set(first) & set(overlay.search_dense(vectors[0], 50, None).ids.tolist())
    words = said("imag", "audio", "grammar")
    assert len(overlay.search_lexical(words, 100, None)) == 100
