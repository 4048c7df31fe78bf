"""One contract for both engines, against a list and a loop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from peerscope.retrieval import Filter, Item, Tokenizer
from peerscope.retrieval.index import ENGINES, new_index, open_index

DIM = 6


@pytest.fixture(params=ENGINES)
def engine(request) -> str:
    if request.param == "edge":
        pytest.importorskip("qdrant_edge", reason="the extra `edge` is not installed")
    return request.param


def passes(item: Item, where: Filter | None) -> bool:
    if where is None:
        return True
    for name, accepted in where.any_of.items():
        if not set(item.fields.get(name, ())) & set(accepted):
            return False
    for name, (low, high) in where.ranges.items():
        numbers = [int(v) for v in item.fields.get(name, ()) if v.lstrip("-").isdecimal()]
        if not any((low is None or n >= low) and (high is None or n <= high) for n in numbers):
            return False
    return True


FILTERS = [
    None,
    Filter(),
    Filter(any_of={"kind": ("vision",)}),
    Filter(any_of={"kind": ("vision", "sound"), "tag": ("rare",)}),
    Filter(ranges={"year": (2005, 2010)}),
    Filter(any_of={"tag": ("t1",)}, ranges={"year": (None, 2012)}),
    Filter(any_of={"kind": ("nothing",)}),
    Filter(any_of={"no field": ("x",)}),
    Filter(ranges={"no field": (1, 2)}),
    Filter(ranges={"year": (-(10**30), 10**30)}),
]


@pytest.mark.parametrize("where", FILTERS)
def test_dense_search_is_the_sorted_loop(engine, items, unit, tokenizer, where) -> None:
    index = new_index(engine, DIM, tokenizer)
    vectors = unit(len(items), DIM)
    index.upsert(items, vectors)
    query = unit(1, DIM, seed=9)[0]
    oracle = sorted(
        (
            (-float(vectors[n] @ query), item.id)
            for n, item in enumerate(items)
            if passes(item, where)
        )
    )[:10]
    hits = index.search_dense(query, 10, where)
    assert hits.ids.tolist() == [number for _, number in oracle]
    assert hits.scores == pytest.approx([-score for score, _ in oracle], abs=1e-5)
    assert index.count(where) == sum(passes(item, where) for item in items)
    index.close()


@pytest.mark.parametrize("where", FILTERS)
def test_lexical_hits_have_a_word_and_pass(engine, items, unit, tokenizer, where) -> None:
    index = new_index(engine, DIM, tokenizer)
    index.upsert(items, unit(len(items), DIM))
    known = {item.id: item for item in items}
    hits = index.search_lexical("segmentation of images", 500, where)
    wanted = {"segment", "imag"}
    expected = {
        item.id
        for item in items
        if passes(item, where) and wanted & set(tokenizer.terms(f"{item.title} {item.text}"))
    }
    assert set(hits.ids.tolist()) == expected
    assert all(passes(known[number], where) for number in hits.ids.tolist())
    assert list(hits.scores) == sorted(hits.scores, reverse=True)
    index.close()


def test_replacing_and_deleting(engine, items, unit, tokenizer) -> None:
    index = new_index(engine, DIM, tokenizer)
    vectors = unit(len(items), DIM)
    index.upsert(items, vectors)
    changed = Item(5, "zeppelin", "", fields={"kind": ("airship",)})
    index.upsert([changed], -vectors[4:5])
    assert index.search_lexical("zeppelin", 3).ids.tolist() == [5]
    assert index.search_dense(-vectors[4], 1).ids.tolist() == [5]
    assert index.count() == len(items)
    assert index.facets([5], ["kind"]) == {"kind": {"airship": 1}}
    assert index.delete([5, 6, 999_999]) == 2
    assert index.search_lexical("zeppelin", 3).ids.tolist() == []
    assert 5 not in index.search_dense(-vectors[4], len(items)).ids
    with pytest.raises(KeyError):
        index.vectors([5])
    assert index.ids().tolist() == [item.id for item in items if item.id not in (5, 6)]
    index.close()


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((1, DIM + 1), np.float32),
        np.zeros((2, DIM), np.float32),
        np.full((1, DIM), np.nan, np.float32),
        np.full((1, DIM), np.inf, np.float32),
    ],
)
def test_bad_vectors_are_refused_and_nothing_is_written(engine, tokenizer, bad) -> None:
    index = new_index(engine, DIM, tokenizer)
    with pytest.raises(ValueError, match=r"vectors|vector of item"):
        index.upsert([Item(1, "a title")], bad)
    with pytest.raises(ValueError, match="twice"):
        index.upsert([Item(1, "a"), Item(1, "b")], np.zeros((2, DIM), np.float32))
    assert index.count() == 0
    assert index.search_lexical("title", 5).ids.tolist() == []
    index.close()


def test_every_engine_opens_every_snapshot(engine, items, unit, tokenizer, tmp_path) -> None:
    index = new_index("exact", DIM, tokenizer)
    vectors = unit(len(items), DIM)
    index.upsert(items, vectors)
    index.snapshot(str(tmp_path / "snapshot"))
    with pytest.raises(FileExistsError):
        index.snapshot(str(tmp_path / "snapshot"))
    opened = open_index(engine, str(tmp_path / "snapshot"), tokenizer)
    again = open_index(engine, str(tmp_path / "snapshot"), tokenizer)
    where = Filter(any_of={"kind": ("sound",)}, ranges={"year": (2003, None)})
    query = unit(1, DIM, seed=3)[0]
    for one in (opened, again):
        assert (
            one.search_dense(query, 7, where).ids.tolist()
            == index.search_dense(query, 7, where).ids.tolist()
        )
        assert (
            one.search_lexical("audio voice", 7, where).ids.tolist()
            == index.search_lexical("audio voice", 7, where).ids.tolist()
        )
        assert one.facets(one.ids().tolist(), ["kind"]) == index.facets(
            index.ids().tolist(), ["kind"]
        )
        with pytest.raises(TypeError, match="immutable"):
            one.upsert(items[:1], vectors[:1])
        one.close()


HOSTILE = [
    "", " ", '"', "' OR 1=1 --", "NEAR(a b)", "title:x", "a AND NOT b", "*", "****", "(((", "^x",
    "😀", "\x00", "a" * 10_000, "the of and", "{words}: -a", "语言 模型",
]  # fmt: skip


@pytest.mark.parametrize("query", HOSTILE)
def test_nothing_in_a_query_is_an_operator(engine, items, unit, tokenizer, query) -> None:
    index = new_index(engine, DIM, tokenizer)
    index.upsert(items[:20], unit(20, DIM))
    assert len(index.search_lexical(query, 5)) <= 5
    index.close()


def test_recall_of_the_dense_search(engine, tokenizer) -> None:
    generator = np.random.default_rng(4)
    latent = generator.normal(size=(4000, 8)) @ generator.normal(size=(8, 32))
    rows = (latent + 0.3 * generator.normal(size=latent.shape)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    index = new_index(engine, 32, tokenizer)
    index.upsert([Item(n + 1, f"item {n}") for n in range(len(rows))], rows)
    if engine == "edge":
        index.optimize()
    found = []
    for query in rows[::200]:
        exact = set((np.argsort(-(rows @ query), kind="stable")[:10] + 1).tolist())
        found.append(len(exact & set(index.search_dense(query, 10).ids.tolist())) / 10)
    assert np.mean(found) >= 0.95
    index.close()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["put", "drop"]), st.integers(1, 12), st.integers(0, 3)),
        max_size=25,
    )
)
def test_any_sequence_of_changes_leaves_what_a_dictionary_would(engine, steps) -> None:
    index = new_index(engine, 4, Tokenizer())
    oracle: dict[int, int] = {}
    for what, number, direction in steps:
        if what == "put":
            vector = np.eye(4, dtype=np.float32)[direction]
            index.upsert(
                [Item(number, f"word{direction}", fields={"d": (str(direction),)})], vector[None]
            )
            oracle[number] = direction
        else:
            assert index.delete([number]) == (oracle.pop(number, None) is not None)
    assert index.ids().tolist() == sorted(oracle)
    for direction in range(4):
        expected = sorted(n for n, d in oracle.items() if d == direction)
        assert sorted(index.search_lexical(f"word{direction}", 50).ids.tolist()) == expected
        where = Filter(any_of={"d": (str(direction),)})
        assert (
            sorted(index.search_dense(np.ones(4, np.float32), 50, where).ids.tolist()) == expected
        )
    index.close()


AWKWARD = ['quote"d', "a.b", "list[]", "back\\slash", " ", "ключ"]


def test_any_field_name_and_any_value(engine, tokenizer, unit) -> None:
    """Names and values are data: nothing in them is a path, a number by accident or an operator."""
    values = ("--5", "٣", "1e3", "12", "-7", "9" * 40, 'x"y', "")
    items = [
        Item(n + 1, "title", fields=dict.fromkeys(AWKWARD, (value,)))
        for n, value in enumerate(values)
    ]
    index = new_index(engine, DIM, tokenizer)
    index.upsert(items, unit(len(items), DIM))
    query = unit(1, DIM, seed=2)[0]
    for name in AWKWARD:
        for n, value in enumerate(values):
            found = index.search_dense(query, 10, Filter(any_of={name: (value,)}))
            assert found.ids.tolist() == [n + 1]
        for low, high, expected in ((None, None, {4, 5}), (0, 10**40, {4}), (-7, -7, {5})):
            found = index.search_dense(query, 10, Filter(ranges={name: (low, high)}))
            assert set(found.ids.tolist()) == expected
    index.close()


def test_readers_share_few_connections(items, unit, tokenizer, tmp_path) -> None:
    index = new_index("exact", DIM, tokenizer)
    index.upsert(items, unit(len(items), DIM))
    index.snapshot(str(tmp_path / "snap"))
    opened = open_index("exact", str(tmp_path / "snap"), tokenizer)
    for _ in range(30):
        reader = threading.Thread(target=opened.search_lexical, args=("images", 3))
        reader.start()
        reader.join()
    assert len(opened.lexical._opened) == 1
    opened.close()


def test_a_filter_limits_words_and_keeps_their_order(engine, items, unit, tokenizer) -> None:
    index = new_index(engine, DIM, tokenizer)
    index.upsert(items, unit(len(items), DIM))
    where = Filter(any_of={"kind": ("vision",)}, ranges={"year": (2003, 2015)})
    allowed = set(index.passing_ids(where).tolist())
    whole = index.search_lexical("images camera", 500)
    expected = [
        (number, score)
        for number, score in zip(whole.ids.tolist(), whole.scores.tolist(), strict=True)
        if number in allowed
    ]
    limited = index.search_lexical("images camera", 12, where)
    assert limited.ids.tolist() == [number for number, _ in expected][:12]
    assert limited.scores.tolist() == [score for _, score in expected][:12]


LEFT = """
import os, sys, time
from peerscope.retrieval import Tokenizer
from peerscope.retrieval.index import new_index
index = new_index("edge", 4, Tokenizer())
print(index._folder, flush=True)
time.sleep(60)
"""


def test_a_killed_process_leaves_no_folder_for_long(tokenizer) -> None:
    pytest.importorskip("qdrant_edge", reason="the extra `edge` is not installed")
    killed = subprocess.Popen([sys.executable, "-c", LEFT], stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    folder = Path(killed.stdout.readline().strip())
    assert folder.exists()
    assert folder.parent == Path(tempfile.gettempdir())
    first = new_index("edge", DIM, tokenizer)
    assert folder.exists(), "its owner is still alive"
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    second = new_index("edge", DIM, tokenizer)
    assert not folder.exists()
    assert first._folder.exists()
    first.close()
    second.close()
    assert not first._folder.exists()
