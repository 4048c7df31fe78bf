"""Items and vectors for every test of retrieval."""

from __future__ import annotations

import numpy as np
import pytest

from peerscope.retrieval import Item, Tokenizer

SUBJECTS = {
    "vision": "images pixels camera segmentation detection convolution visual scene",
    "language": "words grammar parsing translation sentence syntax corpus semantics",
    "sound": "speech audio acoustic phoneme recording voice spectrum listener",
}


def made_items(number: int, seed: int = 0) -> list[Item]:
    generator = np.random.default_rng(seed)
    items = []
    for place in range(number):
        subject = list(SUBJECTS)[place % 3]
        words = SUBJECTS[subject].split()
        title = " ".join(generator.choice(words, 4, replace=False))
        sentences = [" ".join(generator.choice(words, 9)) + "." for _ in range(5)]
        fields = {"year": (str(2000 + place % 20),), "kind": (subject,)}
        if place % 7 == 0:
            fields["tag"] = ("rare", f"t{place % 3}")
        items.append(
            Item(place + 1, f"{title} {place}", " ".join(sentences), "Ada Example", fields)
        )
    return items


def unit(number: int, dim: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(number, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def tokenizer() -> Tokenizer:
    return Tokenizer()


@pytest.fixture
def items() -> list[Item]:
    return made_items(240)


@pytest.fixture(name="made_items")
def made_items_fixture():
    return made_items


@pytest.fixture(name="unit")
def unit_fixture():
    return unit
