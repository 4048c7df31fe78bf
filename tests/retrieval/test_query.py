from __future__ import annotations

import math
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from peerscope.retrieval import Filter, Interaction, Item, SearchEngine, User, train
from peerscope.retrieval.feedback import DEPTH, SOURCES
from peerscope.retrieval.fusion import Fusion
from peerscope.retrieval.index import ItemIndex
from peerscope.retrieval.index.fields import Fields
from peerscope.retrieval.index.terms import QueryTerms, rarity
from peerscope.retrieval.learn.config import TrainConfig
from peerscope.retrieval.overlay import Overlay
from peerscope.retrieval.spelling import Spelling

SUBJECTS = ("vision", "language", "sound")


class SubjectTowers:
    """Towers that know three subjects by one word each: a checkable stand-in for trained ones."""

    dim = 3
    personal = False
    words = ({"images", "pixels"}, {"grammar", "parsing", "syntax"}, {"audio", "speech", "voice"})

    def _vector(self, text: str) -> np.ndarray:
        present = set(text.split())
        row = np.asarray([len(present & own) for own in self.words], np.float32)
        return row / max(float(np.linalg.norm(row)), 1e-9)

    def embed_queries(self, texts, users=None):
        return np.stack([self._vector(text) for text in texts])[:, None]

    def score(self, heads, items):
        return (items @ heads.T).max(axis=1)

    def embed_items(self, items):
        return np.stack([self._vector(f"{item.title} {item.text}") for item in items])


class BrokenTowers(SubjectTowers):
    def embed_queries(self, texts, users=None):
        raise RuntimeError("no")


@pytest.fixture
def engine(items, tokenizer, tmp_path) -> SearchEngine:
    index = ItemIndex(3, tokenizer)
    towers = SubjectTowers()
    index.upsert(items, towers.embed_items(items))
    index.snapshot(str(tmp_path / "index"))
    opened = ItemIndex.open(str(tmp_path / "index"), tokenizer)
    return SearchEngine(opened, towers, Fusion(), tokenizer, Spelling.of(items, tokenizer))


def test_meaning_finds_what_no_word_matches(engine, items) -> None:
    engine.upsert([Item(900, "syntax", "syntax grammar")])
    results = engine.search("parsing", 300)
    found = {hit.id: hit for hit in results.hits}
    assert 900 in found
    assert found[900].lexical == 0
    assert found[900].dense == pytest.approx(1.0)
    assert found[900].matched_words == ()


def test_a_new_item_is_found_at_once_and_a_changed_one_in_its_new_form(engine) -> None:
    assert engine.search("quokka", 5).hits == ()
    engine.upsert([Item(901, "The quokka", "", fields={"kind": ("animal",)})])
    assert [hit.id for hit in engine.search("quokka", 5).hits] == [901]
    engine.upsert([Item(1, "The wombat of the quokka")])
    hits = engine.search("wombat", 5, facets=("kind",)).hits
    assert [hit.id for hit in hits][:1] == [1]
    assert engine.search("quokka", 5, where=Filter(any_of={"kind": ("animal",)})).hits[0].id == 901
    before = engine.count()
    engine.delete([901, 1, 12345])
    assert engine.search("quokka wombat", 500).hits == ()
    assert engine.count() == before - 2
    engine.upsert([Item(901, "The quokka again")])
    assert [hit.id for hit in engine.search("quokka", 5).hits] == [901]


def test_a_term_weighs_as_often_as_it_is_said_and_common_ones_still_a_little(
    items, tokenizer
) -> None:
    counts = tokenizer.query_counts("the camera, a camera of images zebra")
    camera, images, zebra = map(tokenizer.term, ("camera", "images", "zebra"))
    assert counts == {camera: 2, images: 1, zebra: 1}
    found = rarity(np.asarray([3, 9, 10, 0]), 10)
    assert found == pytest.approx([math.log(11 / (n + 0.5)) for n in (3, 9, 10, 0)])
    assert (found > 0).all()
    index = ItemIndex(3, tokenizer)
    index.upsert(items, np.zeros((len(items), 3), np.float32))
    query = QueryTerms.of(counts)
    weights = Overlay.empty(index, tokenizer).weights(query.keys, query.counts)
    holders = [
        sum(term in tokenizer.terms(f"{item.title} {item.text}") for item in items)
        for term in counts
    ]
    assert weights == pytest.approx([2, 1, 1] * rarity(np.asarray(holders), len(items)))


def test_saying_a_word_twice_moves_the_order(items, tokenizer) -> None:
    index = ItemIndex(3, tokenizer)
    index.upsert(items, np.zeros((len(items), 3), np.float32))
    engine = SearchEngine(index, None, Fusion(), tokenizer)

    def scores(query):
        return {hit.id: hit.lexical for hit in engine.search(query, 500).hits}

    once, twice, alone = (scores(q) for q in ("images camera", "images camera images", "images"))
    for number, score in twice.items():
        assert score == pytest.approx(once[number] + alone.get(number, 0.0), rel=1e-5)


def test_words_alone_remain_when_the_towers_fail(items, tokenizer) -> None:
    index = ItemIndex(3, tokenizer)
    index.upsert(items, np.zeros((len(items), 3), np.float32))
    for towers in (BrokenTowers(), None):
        engine = SearchEngine(index, towers, Fusion(), tokenizer)
        results = engine.search("images", 5)
        assert results.mode == "lexical"
        assert len(results.hits) == 5
        assert all(hit.dense is None for hit in results.hits)


@pytest.mark.parametrize(
    "query",
    ["", "   ", "a" * 10_000, "images " * 4000, "😀🎉", "'; DROP TABLE words; --", "* * *", "***",
     '"images', "NEAR(", "the of and", "\x00\x01", "\u202eimages"],
)  # fmt: skip
def test_any_query_gets_a_sensible_answer(engine, query) -> None:
    results = engine.search(query, 10, facets=("kind",))
    assert len(results.hits) <= 10
    assert results.total >= len(results.hits)
    if not engine.tokenizer.words(query):
        assert results.hits == ()
        assert results.note


def test_stop_words_alone_are_answered_with_a_note(engine) -> None:
    engine.upsert([Item(905, "The of and")])
    results = engine.search("the of and", 5)
    assert results.hits[0].id == 905
    assert "common words" in results.note


def test_a_misspelt_word_is_mended_only_where_it_is_unknown(engine) -> None:
    results = engine.search("segmentaton", 5)
    assert results.corrected == "segmentation"
    assert "segmentation" in results.hits[0].matched_words
    assert engine.search("segmentation", 5).corrected is None
    assert engine.search("zzzzqqqq", 5).corrected is None


def test_reasons_and_facets_say_what_is_true(engine, items) -> None:
    known = {item.id: item for item in items}
    results = engine.search(known[1].title, 20, facets=("kind", "year"))
    assert results.hits[0].id == 1
    assert results.hits[0].title_match
    for hit in results.hits:
        text = engine.tokenizer.terms(f"{known[hit.id].title} {known[hit.id].text}")
        assert all(engine.tokenizer.term(word) in text for word in hit.matched_words)
    assert sum(results.facets["kind"].values()) == results.total


def test_paging_cuts_one_order(engine) -> None:
    whole = [hit.id for hit in engine.search("images audio", 60).hits]
    parts = [
        hit.id
        for start in (0, 20, 40)
        for hit in engine.search("images audio", 20, offset=start).hits
    ]
    assert parts == whole
    assert engine.search("images", 20, offset=10_000).hits == ()


def test_among_given_items_the_order_is_that_of_their_scores(engine, items) -> None:
    known = {item.id: item for item in items}
    asked = sorted(known)[3:40:3]
    hits = engine.among(known[asked[4]].title, [*reversed(asked), 424242, asked[0]])
    assert sorted(hit.id for hit in hits) == asked
    scores = engine.scores(known[asked[4]].title, np.asarray(asked))
    assert {hit.id: hit.score for hit in hits} == dict(zip(asked, scores.tolist(), strict=True))
    ranked = [hit.score for hit in hits]
    assert ranked == sorted(ranked, reverse=True)
    assert hits[0].id == asked[4]
    assert hits[0].title_match
    assert engine.among("anything", [424242]) == ()
    assert engine.among("", asked) is not None


def test_neighbours_leave_out_the_asked(engine) -> None:
    near = engine.neighbours_of([1, 4], 10)
    assert not {1, 4} & set(near.ids.tolist())
    assert len(near) == 10
    assert len(engine.neighbours_of([424242], 10)) == 0


def test_a_query_looks_at_few_items_and_opens_no_database(
    made_items, tokenizer, tmp_path, monkeypatch
) -> None:
    """The budget of a query as counts, which no machine changes."""
    items = made_items(3000)
    towers = SubjectTowers()
    index = ItemIndex(3, tokenizer, "ivf")
    index.upsert(items, towers.embed_items(items))
    index.snapshot(str(tmp_path / "index"))
    index = ItemIndex.open(str(tmp_path / "index"), tokenizer)
    engine = SearchEngine(index, towers, Fusion(), tokenizer, Spelling.of(items, tokenizer))
    asked = Counter()

    def counted(name, size):
        original = getattr(ItemIndex, name)

        def watching(self, *given):
            asked[name] += 1
            asked[f"{name} of"] += size(*given)
            return original(self, *given)

        monkeypatch.setattr(ItemIndex, name, watching)

    counted("search_terms", lambda query, k, where: k)
    counted("search_dense_many", lambda vectors, k, where: k * len(vectors))
    counted("impacts", lambda keys, ids: len(ids))
    counted("in_title", lambda keys, ids: len(ids))
    counted("look_up", len)
    counted("bag", lambda number: 1)
    counted("title", lambda number: 1)
    monkeypatch.setattr("sqlite3.connect", lambda *given, **named: pytest.fail("a database"))
    results = engine.search("images of the camera", 20, facets=("kind", "year"), candidates=100)
    assert len(results.hits) == 20
    candidates = results.total
    assert 100 <= candidates <= 200
    assert asked["search_terms of"] == 100
    assert asked["search_dense_many of"] == 100
    assert asked["impacts"] == 2
    assert asked["impacts of"] <= candidates + DEPTH
    assert asked["in_title of"] == asked["look_up of"] == candidates
    assert asked["bag"] == SOURCES
    assert asked["title"] <= 20


def test_the_filter_is_worked_out_once_for_words_and_meaning(engine, monkeypatch) -> None:
    worked_out = []
    passing = Fields.passing

    def watching(self, where):
        worked_out.append(where)
        return passing(self, where)

    monkeypatch.setattr(Fields, "passing", watching)
    where = Filter(any_of={"kind": ("vision",)})
    assert engine.search("images of the camera", 5, where=where).hits
    assert worked_out == [where]


def test_serving_never_imports_torch(tmp_path, items, tokenizer) -> None:
    code = (
        "import sys; import peerscope.retrieval, peerscope.discover, peerscope.web, peerscope.cli;"
        "print([m for m in sys.modules if m.split('.')[0] == 'torch'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_who_asks_moves_the_order_and_the_page_says_why(items, tokenizer) -> None:
    clicks = [
        Interaction(items[n].title, items[(n * 3) % 240].id, f"u{n % 9}", time=float(n))
        for n in range(240)
    ]
    towers = train(items, clicks, TrainConfig(epochs=1, hidden=(16,), batch=64, threads=1)).towers
    index = ItemIndex(towers.dim, tokenizer)
    index.upsert(items, towers.embed_items(items))
    engine = SearchEngine(index, towers, Fusion(), tokenizer)
    plain = engine.search("scene words voice", 240)
    assert not plain.personal
    assert all(hit.because is None for hit in plain.hits)
    met = tuple(item.id for item in items if item.fields["kind"] == ("sound",))[:5]
    own = engine.search("scene words voice", 240, user=User("u", history=(*met, 99_999)))
    assert own.personal

    def mean_place(results) -> float:
        kinds = {item.id: item.fields["kind"][0] for item in items}
        places = [n for n, hit in enumerate(results.hits) if kinds[hit.id] == "sound"]
        return float(np.mean(places))

    assert mean_place(own) < mean_place(plain)
    reasons = {hit.id: hit.because for hit in own.hits if hit.because is not None}
    assert reasons
    assert set(reasons.values()) <= set(met)
    assert all(number != because for number, because in reasons.items())
    nobody = engine.search("scene words voice", 240, user=User("new"))
    assert [hit.id for hit in nobody.hits] == [hit.id for hit in plain.hits]
