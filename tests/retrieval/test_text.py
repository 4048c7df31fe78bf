from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerscope.retrieval.text import MOST_CHARACTERS, Tokenizer, TokenizerSettings


def test_words_are_folded_and_split(tokenizer) -> None:
    assert tokenizer.words("Naïve BAYES’s Self-Supervised 3D") == [
        "naive", "bayes’s", "self", "supervised", "3d",
    ]  # fmt: skip
    assert tokenizer.words("深度学习 models") == ["深", "度", "学", "习", "models"]
    assert tokenizer.words("ﬁne Ｆｕｌｌ") == ["fine", "full"]


def test_compounds_stand_joined_too(tokenizer) -> None:
    assert set(tokenizer.terms("self-supervised")) == {"self", "supervis", "selfsupervis"}
    assert tokenizer.query_terms("selfsupervised") == ["selfsupervis"]


def test_a_query_of_stop_words_keeps_them(tokenizer) -> None:
    assert tokenizer.query_terms("what is the") == ["what", "is", "the"]
    assert tokenizer.query_terms("the learning of the learning") == ["learn"]
    assert tokenizer.only_stop_words("what is the")
    assert not tokenizer.only_stop_words("")
    assert not tokenizer.only_stop_words("the parser")


def test_features_of_a_batch_are_those_of_each_text(tokenizer) -> None:
    texts = ["word sense disambiguation", "", "the of", "a neural parser of sentences"]
    flat, ends = tokenizer.features_batch(texts)
    for place, text in enumerate(texts):
        assert flat[ends[place] : ends[place + 1]].tolist() == tokenizer.features(text).tolist()
    assert ends.tolist() == [0, 5, 5, 5, 9]
    assert (flat > 0).all()


def test_features_do_not_depend_on_process_or_order() -> None:
    # a constant: stored vocabularies must be found again by any later process
    assert Tokenizer().features("parsing")[0] == Tokenizer().features("the parsing of")[0]
    bigram = Tokenizer().features("word sense")[2]
    assert bigram != Tokenizer().features("sense word")[2]


def test_trigrams_are_those_of_the_paper() -> None:
    plain = Tokenizer(TokenizerSettings(bigrams=False))
    trigram = Tokenizer(TokenizerSettings(bigrams=False, trigrams=True))
    assert len(trigram.features("abc")) == len(plain.features("abc")) + 3
    shared = set(trigram.features("vivo").tolist()) & set(trigram.features("ovivo").tolist())
    assert len(shared) == 3  # viv, ivo, vo#


def test_settings_travel_and_other_versions_are_refused() -> None:
    one = Tokenizer(TokenizerSettings(stem=False))
    again = Tokenizer.from_dict(one.to_dict())
    assert again.settings == one.settings
    assert again.fingerprint == one.fingerprint != Tokenizer().fingerprint
    with pytest.raises(ValueError, match="publish again"):
        Tokenizer.from_dict({**one.to_dict(), "version": 99})


@given(st.text(max_size=300))
def test_any_text_is_tokenized_alike_twice(text: str) -> None:
    one, other = Tokenizer(), Tokenizer()
    assert one.terms(text) == other.terms(text)
    assert np.array_equal(one.features(text), other.features(text))
    assert all(term and not term.isspace() for term in one.terms(text))


def test_endless_text_is_cut(tokenizer) -> None:
    assert len(tokenizer.words("ab " * MOST_CHARACTERS)) <= MOST_CHARACTERS // 3 + 1
    assert max(map(len, tokenizer.words("x" * 5000))) <= 40
