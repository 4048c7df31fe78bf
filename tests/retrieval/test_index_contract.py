"""One contract for every engine, in memory and opened from a snapshot, against a list and a loop."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from peerscope.retrieval import Filter, Item, Tokenizer
from peerscope.retrieval.index import ENGINES, ItemIndex

DIM = 6
Made = Callable[..., ItemIndex]


@pytest.fixture(params=[(engine, opened) for engine in ENGINES for opened in (False, True)],
                ids=lambda way: f"{way[0]}-{'opened' if way[1] else 'memory'}")  # fmt: skip
def made(request, tokenizer, tmp_path, monkeypatch) -> Made:
    """An index of some items, in memory or as another process would open it.

    Groups of near vectors are asked from the first item on, so that the engines differ at this size.
    """
    engine, opened = request.param
    monkeypatch.setattr("peerscope.retrieval.index.cells.MOST_COMPARED", 0)

    def index_of(items: list[Item], vectors: np.ndarray) -> ItemIndex:
        index = ItemIndex(vectors.shape[1], tokenizer, engine)
        index.upsert(items, vectors)
        if not opened:
            return index
        folder = str(tmp_path / f"snapshot{len(list(tmp_path.iterdir()))}")
        index.snapshot(folder)
        return ItemIndex.open(folder, tokenizer, engine)

    return index_of


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
def test_dense_search_is_the_sorted_loop(made, items, unit, where) -> None:
    vectors = unit(len(items), DIM)
    index = made(items, vectors)
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
    several = index.search_dense_many(np.stack([query, -query]), 10, where)
    assert several[0].ids.tolist() == hits.ids.tolist()
    assert several[1].ids.tolist() == index.search_dense(-query, 10, where).ids.tolist()
    index.close()


@pytest.mark.parametrize("where", FILTERS)
def test_lexical_hits_have_a_word_and_pass(made, items, unit, tokenizer, where) -> None:
    index = made(items, unit(len(items), DIM))
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


def test_replacing_and_deleting(items, unit, tokenizer) -> None:
    index = ItemIndex(DIM, tokenizer)
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
def test_bad_vectors_are_refused_and_nothing_is_written(tokenizer, bad) -> None:
    index = ItemIndex(DIM, tokenizer)
    with pytest.raises(ValueError, match=r"vectors|vector of item"):
        index.upsert([Item(1, "a title")], bad)
    with pytest.raises(ValueError, match="twice"):
        index.upsert([Item(1, "a"), Item(1, "b")], np.zeros((2, DIM), np.float32))
    assert index.count() == 0
    assert index.search_lexical("title", 5).ids.tolist() == []
    index.close()


@pytest.mark.parametrize("written", ENGINES)
@pytest.mark.parametrize("read", ENGINES)
def test_every_engine_opens_every_snapshot(written, read, items, unit, tokenizer, tmp_path) -> None:
    index = ItemIndex(DIM, tokenizer, written)
    vectors = unit(len(items), DIM)
    index.upsert(items, vectors)
    index.snapshot(str(tmp_path / "snapshot"))
    with pytest.raises(FileExistsError):
        index.snapshot(str(tmp_path / "snapshot"))
    opened = ItemIndex.open(str(tmp_path / "snapshot"), tokenizer, read)
    again = ItemIndex.open(str(tmp_path / "snapshot"), tokenizer, read)
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
        with pytest.raises(TypeError, match="immutable"):
            one.snapshot(str(tmp_path / "copy"))
        one.close()


def test_the_engine_is_chosen_by_the_number_of_items(
    items, unit, tokenizer, tmp_path, monkeypatch
) -> None:
    def groups(engine: str) -> bool:
        index = ItemIndex(DIM, tokenizer, engine)
        index.upsert(items, unit(len(items), DIM))
        folder = tmp_path / f"{engine}{len(list(tmp_path.iterdir()))}"
        index.snapshot(str(folder))
        return (folder / "cells").exists()

    assert (groups("exact"), groups("auto"), groups("ivf")) == (False, False, True)
    monkeypatch.setattr("peerscope.retrieval.index.items.CELLS_FROM", len(items))
    assert (groups("exact"), groups("auto")) == (False, True)
    with pytest.raises(ValueError, match="no index engine 'edge'"):
        ItemIndex(DIM, tokenizer, "edge")


def test_an_index_without_vectors_has_no_groups(items, tokenizer, tmp_path) -> None:
    index = ItemIndex(1, tokenizer, "ivf")
    index.upsert(items, np.zeros((len(items), 1), np.float32))
    index.snapshot(str(tmp_path / "snapshot"))
    opened = ItemIndex.open(str(tmp_path / "snapshot"), tokenizer, "ivf")
    assert not (tmp_path / "snapshot" / "cells").exists()
    assert len(opened.search_dense(np.ones(1, np.float32), 3)) == 3


HOSTILE = [
    "", " ", '"', "' OR 1=1 --", "NEAR(a b)", "title:x", "a AND NOT b", "*", "****", "(((", "^x",
    "😀", "\x00", "a" * 10_000, "the of and", "{words}: -a", "语言 模型",
]  # fmt: skip


@pytest.mark.parametrize("query", HOSTILE)
def test_nothing_in_a_query_is_an_operator(made, items, unit, query) -> None:
    index = made(items[:20], unit(20, DIM))
    assert len(index.search_lexical(query, 5)) <= 5
    index.close()


def test_an_empty_index(made) -> None:
    index = made([], np.zeros((0, DIM), np.float32))
    assert len(index.search_dense(np.ones(DIM, np.float32), 5)) == 0
    assert len(index.search_lexical("anything", 5)) == 0
    assert index.count() == index.count(Filter(any_of={"kind": ("x",)})) == 0
    assert index.facets([1], ["kind"]) == {"kind": {}}


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["put", "drop"]), st.integers(1, 12), st.integers(0, 3)),
        max_size=25,
    )
)
def test_any_sequence_of_changes_leaves_what_a_dictionary_would(steps) -> None:
    index = ItemIndex(4, Tokenizer())
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


def test_any_field_name_and_any_value(made, unit) -> None:
    """Names and values are data: nothing in them is a path, a number by accident or an operator."""
    values = ("--5", "٣", "1e3", "12", "-7", "9" * 40, 'x"y', "")
    items = [
        Item(n + 1, "title", fields=dict.fromkeys(AWKWARD, (value,)))
        for n, value in enumerate(values)
    ]
    index = made(items, unit(len(items), DIM))
    query = unit(1, DIM, seed=2)[0]
    for name in AWKWARD:
        for n, value in enumerate(values):
            found = index.search_dense(query, 10, Filter(any_of={name: (value,)}))
            assert found.ids.tolist() == [n + 1]
        for low, high, expected in ((None, None, {4, 5}), (0, 10**40, {4}), (-7, -7, {5})):
            found = index.search_dense(query, 10, Filter(ranges={name: (low, high)}))
            assert set(found.ids.tolist()) == expected
    index.close()


def test_a_filter_limits_words_and_keeps_their_order(made, items, unit) -> None:
    index = made(items, unit(len(items), DIM))
    where = Filter(any_of={"kind": ("vision",)}, ranges={"year": (2003, 2015)})
    allowed = {item.id for item in items if passes(item, where)}
    whole = index.search_lexical("images camera", 500)
    expected = [
        (number, score)
        for number, score in zip(whole.ids.tolist(), whole.scores.tolist(), strict=True)
        if number in allowed
    ]
    limited = index.search_lexical("images camera", 12, where)
    assert limited.ids.tolist() == [number for number, _ in expected][:12]
    assert limited.scores.tolist() == [score for _, score in expected][:12]


READER = """
import sys
import numpy as np
from peerscope.retrieval import Tokenizer
from peerscope.retrieval.index import ItemIndex
index = ItemIndex.open(sys.argv[1], Tokenizer())
print(index.search_lexical("images camera", 5).ids.tolist())
print(index.search_dense(np.ones(6, np.float32), 5).ids.tolist())
"""


def test_several_processes_read_one_folder_that_nobody_may_write(
    items, unit, tokenizer, tmp_path
) -> None:
    folder = tmp_path / "snapshot"
    index = ItemIndex(DIM, tokenizer, "ivf")
    index.upsert(items, unit(len(items), DIM))
    index.snapshot(str(folder))
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in _files(folder)}
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)
    command = [sys.executable, "-c", READER, str(folder)]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    opened = ItemIndex.open(str(folder), tokenizer)
    own = "".join(
        f"{hits.ids.tolist()}\n"
        for hits in (
            opened.search_lexical("images camera", 5),
            opened.search_dense(np.ones(6, np.float32), 5),
        )
    )
    assert [reader.communicate()[0] for reader in readers] == [own, own]
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o700)
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in _files(folder)} == before


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
