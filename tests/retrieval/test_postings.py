"""Words against SQLite's FTS5, which computes the same BM25, and against plain counting."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter

import numpy as np
import pytest

from peerscope.retrieval import Item
from peerscope.retrieval.index.arrays import top_rows
from peerscope.retrieval.index.postings import MOST_TERMS, STEP, Postings
from peerscope.retrieval.index.terms import Statistics, impact, item_terms, rarity, term_keys


@pytest.fixture
def postings(items, tokenizer) -> Postings:
    return Postings.of(items, tokenizer)


def test_impacts_are_those_of_fts5(items, tokenizer, postings) -> None:
    """FTS5's score of one term is its idf, log((N - n + .5) / (n + .5)), times the impact."""
    items = [*items, *(Item(1000 + n, f"filler {n}", "nothing here " * n) for n in range(240))]
    postings = Postings.of(items, tokenizer)
    database = sqlite3.connect(":memory:")
    database.execute('CREATE VIRTUAL TABLE words USING fts5(title, text, names, tokenize="ascii")')
    for row, item in enumerate(items):
        columns = [" ".join(part) for part in item_terms(tokenizer, item)]
        database.execute("INSERT INTO words(rowid, title, text, names) VALUES (?, ?, ?, ?)",
                         (row, *columns))  # fmt: skip
    for word in ("images", "camera", "grammar", "ada", "voice"):
        term = tokenizer.term(word)
        found = dict(
            database.execute(
                "SELECT rowid, -bm25(words, 2, 1, 1) FROM words WHERE words MATCH ?", (f'"{term}"',)
            ).fetchall()
        )
        idf = math.log((len(items) - len(found) + 0.5) / (len(found) + 0.5))
        keys = term_keys([term])
        assert postings.frequencies(keys).tolist() == [len(found)]
        every = postings.impacts_on(keys, np.arange(len(items)))[:, 0]
        expected = [max(found.get(row, 0.0) / max(idf, 1e-6), 0.0) for row in range(len(items))]
        assert every == pytest.approx(expected, abs=2 * STEP, rel=1e-4)


def test_search_is_the_sorted_loop(items, tokenizer, postings) -> None:
    passing = np.asarray([n % 3 > 0 for n in range(len(items))])
    for query in ("camera of grammar", "images pixels camera", "voice 17", "nowhere"):
        counts = tokenizer.query_counts(query)
        keys = term_keys(counts)
        weights = np.asarray(list(counts.values())) * rarity(postings.frequencies(keys), len(items))
        scores = []
        for item in items:
            title, text, names = item_terms(tokenizer, item)
            held = Counter([*title, *title, *text, *names])
            length = len(title) + len(text) + len(names)
            mean = postings.statistics.mean_length
            scores.append(
                sum(
                    weight * impact(held[term], length, mean)
                    for term, weight in zip(counts, weights, strict=True)
                    if held[term]
                )
            )
        for mask in (None, passing):
            rows, found = postings.search(keys, weights.astype(np.float32), 40, mask)
            allowed = {n for n, s in enumerate(scores) if s and (mask is None or mask[n])}
            expected = sorted((scores[n] for n in allowed), reverse=True)[:40]
            assert set(rows.tolist()) <= allowed
            assert found == pytest.approx(expected, abs=1e-3)
            assert [scores[n] for n in rows] == pytest.approx(found.tolist(), abs=1e-3)


def test_titles_and_bags_are_the_items_own(items, tokenizer, postings) -> None:
    for row in (0, 17, 239):
        title, text, names = item_terms(tokenizer, items[row])
        assert postings.title(row).tolist() == term_keys(title).tolist()
        assert postings.lengths[row] == len(title) + len(text)
        keys, impacts = postings.bag(row)
        counts = Counter([*title, *title, *text, *names])
        length = len(title) + len(text) + len(names)
        expected = {
            int(key): impact(count, length, postings.statistics.mean_length)
            for key, count in zip(term_keys(counts), counts.values(), strict=True)
        }
        assert dict(zip(keys.tolist(), impacts.tolist(), strict=True)) == pytest.approx(
            expected, abs=STEP
        )
        here = np.asarray([row])
        assert postings.impacts_on(keys, here)[0] == pytest.approx(impacts)
        in_title = set(term_keys(title).tolist())
        assert postings.in_title(keys, here)[0].tolist() == [
            key in in_title for key in keys.tolist()
        ]


def test_common_terms_bring_candidates_only_where_there_are_no_others(tokenizer) -> None:
    items = [Item(n, "common", f"word{n % 1500} other{n}") for n in range(1, 3001)]
    postings = Postings.of(items, tokenizer)
    common, rare = (term_keys([tokenizer.term(word)]) for word in ("common", "word7"))
    both = np.concatenate([common, rare])
    assert postings.telling(both).tolist() == [1]
    assert postings.telling(common).tolist() == [0]
    rows, _ = postings.search(both, np.ones(2, np.float32), 10)
    assert sorted(rows.tolist()) == [6, 1506]
    assert len(postings.search(common, np.ones(1, np.float32), 10)[0]) == 10


def test_a_query_touches_the_lists_of_its_rarest_terms_only(tokenizer) -> None:
    """The budget of the word search, as a count: postings that are added up."""
    words = [f"w{place}" for place in range(400)]
    generator = np.random.default_rng(0)
    items = [
        Item(n + 1, " ".join(generator.choice(words, 5)), " ".join(generator.choice(words, 30)))
        for n in range(3000)
    ]
    postings = Postings.of(items, tokenizer)
    keys = term_keys(map(tokenizer.term, words))
    telling = postings.telling(keys)
    assert len(telling) == MOST_TERMS
    touched = postings.frequencies(keys[telling]).sum()
    assert touched <= MOST_TERMS * max(2000, 0.1 * len(items))
    assert touched < 0.05 * len(postings.rows)


def test_a_saved_copy_reads_the_same(tmp_path, items, tokenizer, postings) -> None:
    postings.save(tmp_path / "words")
    again = Postings.load(tmp_path / "words", Statistics(len(items), 1.0))
    for name in ("keys", "rows", "impacts", "own", "titles", "lengths"):
        assert np.array_equal(getattr(again, name), getattr(postings, name))
        assert not getattr(again, name).flags.writeable


@pytest.mark.parametrize("number", [0, 1, 7, 40_000])
@pytest.mark.parametrize("k", [0, 1, 5, 300])
def test_top_rows_are_the_sorted_ones(number, k) -> None:
    generator = np.random.default_rng(number)
    drawn = (
        generator.normal(size=number),
        generator.integers(0, 3, number).astype(float),
        np.zeros(number),
        np.where(generator.random(number) < 0.001, generator.random(number), 0.0),
    )
    for scores in drawn:
        given = scores.astype(np.float32)
        order = np.lexsort((np.arange(number), -given))
        assert top_rows(given, k).tolist() == order[:k].tolist()
        positive = order[given[order] > 0]
        assert top_rows(given, k, above=0.0).tolist() == positive[:k].tolist()
