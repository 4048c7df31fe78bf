"""Spelling help against comparing every word, letter by letter."""

from __future__ import annotations

import random

import pytest
from rapidfuzz.distance import OSA

from peerscope.retrieval import Tokenizer
from peerscope.retrieval.spelling import Spelling

WORDS = [
    "segmentation",
    "segmentations",
    "regularisation",
    "regularization",
    "boundary",
    "bounded",
    "transformer",
    "transformers",
    "retrieval",
    "retrieved",
    "embedding",
    "embedded",
    "café",
    "naïve",
    "größe",
    "машина",
    "обучение",
    "quantum",
    "quanta",
    "lattice",
    "lattices",
    "gauge",
    "gauged",
    "tensor",
    "tensors",
    "spinor",
]


def harmed(word: str, generator: random.Random) -> str:
    place, letter = generator.randrange(len(word)), generator.choice("abcdefghijklmnop")
    before, after = word[:place], word[place:]
    return generator.choice(
        [before + after[1:], before + letter + after, before + letter + after[1:],
         before + after[1:2] + after[:1] + after[2:]]
    )  # fmt: skip


@pytest.mark.parametrize("edits", [1, 2, 3])
def test_suggestions_are_those_of_a_whole_comparison(edits) -> None:
    counts = {word: 100 - place for place, word in enumerate(WORDS)}
    spelling = Spelling(list(counts.items()))
    generator = random.Random(edits)
    suggested = 0
    for word in WORDS * 8:
        given = word
        for _ in range(edits):
            given = harmed(given, generator)
        if len(given) < 4:
            continue
        most = 2 if len(given) >= 8 else 1
        near = [(OSA.distance(given, other), -counts[other], other) for other in WORDS]
        expected = min((one for one in near if one[0] <= most), default=(0, 0, None))[2]
        assert spelling.suggestion(given) == expected, given
        suggested += expected is not None
    assert suggested > 20


def test_no_words_no_suggestion() -> None:
    assert Spelling([]).suggestion("segmentation") is None
    assert Spelling.of([], Tokenizer()).suggestion("segmentation") is None
