"""What a teacher says about the site's texts, a bag of terms says after it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import sparse

from peerscope.retrieval import load_towers, save_towers, train
from peerscope.retrieval.distil import distilled_bag, lessons, ridge
from peerscope.retrieval.embed import unit_rows
from peerscope.retrieval.learn.config import best
from peerscope.retrieval.towers import item_text


@dataclass
class Prefixes:
    """A teacher with a rule that no bag is told of: a text means the first letters of its words."""

    dim: int = 26
    fingerprint: str = "prefixes"

    def encode(self, texts, progress=None):
        rows = np.zeros((len(texts), self.dim), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().split():
                if "a" <= word[0] <= "z":
                    row[ord(word[0]) - ord("a")] += 1
        return unit_rows(rows)

    def save(self, folder):
        raise AssertionError("a teacher is not kept")


def test_ridge_is_the_closed_form() -> None:
    generator = np.random.default_rng(0)
    inputs = generator.random((40, 12)).astype(np.float32) * (generator.random((40, 12)) < 0.4)
    targets = generator.standard_normal((40, 3)).astype(np.float32)
    oracle = np.linalg.solve(inputs.T @ inputs + 0.3 * np.eye(12), inputs.T @ targets)
    found = ridge(sparse.csr_array(inputs), targets, 0.3, 60)
    assert found == pytest.approx(oracle, abs=1e-4)
    assert ridge(sparse.csr_array(inputs), np.zeros_like(targets), 0.3, 5).any() == np.False_


def test_lessons_are_titles_and_sentences() -> None:
    assert lessons(["A title\nOne two three four. Too short. Five six\nseven eight nine ten", "A title"]) == [
        "A title", "One two three four.", "seven eight nine ten",
    ]  # fmt: skip


def test_the_student_follows_the_teacher_on_queries_it_has_not_seen(items, tokenizer) -> None:
    teacher = Prefixes()
    texts = [item_text(item) for item in items]
    bag = distilled_bag(texts[:200], tokenizer, teacher, width=26)
    queries = [" ".join(text.split()[3:9]) for text in texts[200:]]
    told = teacher.encode(queries) @ teacher.encode(texts).T
    learned = bag.embed(tokenizer, queries) @ bag.embed(tokenizer, texts).T
    assert np.corrcoef(told.ravel(), learned.ravel())[0, 1] > 0.9
    assert distilled_bag(texts, tokenizer, teacher, width=8).width == 8


def test_a_distilled_site_has_no_encoder_and_needs_one_to_learn_from(items, tmp_path) -> None:
    trained = train(items, [], best(text="distilled", epochs=0, history="none"), encoder=Prefixes())
    assert trained is not None
    assert trained.towers.front.encoder is None
    assert "no links" in trained.note
    assert trained.towers.embed_queries(["camera images"]).any()
    save_towers(trained.towers, tmp_path)
    assert load_towers(tmp_path).front.bag.taught
    with pytest.raises(ValueError, match="sentence encoder"):
        train(items, [], best(text="distilled"))
