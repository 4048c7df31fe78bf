"""The one tokenizer: what preparation, training, the lexical index and serving all see of a text.

Words are runs of letters and digits in any script, compatibility-normalised, case-folded, without accents;
Chinese and Japanese characters stand alone. Terms are English Snowball stems. Features are 63-bit hashes of
terms and of pairs of neighbouring terms, so that no vocabulary has to travel between machines (DPSR section
5.1.1 asks for one tokenizer in all three places; its letter trigrams are a setting here).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
import Stemmer
from numpy.typing import NDArray

MOST_CHARACTERS = 20_000
"""Text beyond this many characters is not read: no title, abstract or query needs more."""

MOST_LETTERS = 40
"""Longer runs (hashes, base64) are cut: they carry no meaning and would fill the caches."""

CACHED_WORDS = 500_000

STOP_WORDS = frozenset(
    """a about all also an and any are as at be because been between both but by can could did do does
    each for from had has have how however if in into is it its may more most not of on one only or other
    our over same so some such than that the their them then there these they this those through to
    toward towards under until up upon us use used using very via was we were what when where whether
    which while who why will with within without would you your""".split()  # noqa: SIM905
)
"""Words that say nothing about a subject: kept in the index, left out of features and of mixed queries."""

_VOWELS = "".join(
    chr(code) for code in range(0x0900, 0x0E00) if unicodedata.category(chr(code)) in ("Mn", "Mc")
)
"""Vowel signs of the scripts of India: parts of a word that are no letters to `re`."""

_LETTER = rf"(?:[^\W_][{_VOWELS}]*)"
_WORD = re.compile(rf"{_LETTER}+(?:['’]{_LETTER}+)*")
_ASCII_WORD = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)*")
_CONTRACTION = re.compile(r"(?:['’](?:s|t|re|ve|ll|d|m))+$")
_HYPHEN = re.compile(r"(?<=[^\W\d_])[-\u2010](?=[^\W_])")
_CJK_RANGES = (
    r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\U00020000-\U0002fa1f\U00030000-\U000323af"
)
_CJK = re.compile(f"([{_CJK_RANGES}])")
_CJK_PAIR = re.compile(f"(?=([{_CJK_RANGES}]{{2}}))")
_MARKS = re.compile(
    "[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670]"
)
"""Accents, Hebrew points, Arabic vowel signs and the stroke that stretches Arabic words."""

_INVISIBLE = re.compile("[\u00ad\u200c\u200d\u2060\ufeff]")
_PLAIN = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ħ": "h", "ŧ": "t",
     "ı": "i", "ʼ": "’", "ʻ": "’", "‘": "’"}
)  # fmt: skip
"""Letters that do not come apart into a letter and an accent, and apostrophes of all makes."""

UInt = NDArray[np.uint64]
_ONE = np.uint64(0x9E3779B97F4A7C15)
_TWO = np.uint64(0xC2B2AE3D27D4EB4F)
_POSITIVE = np.uint64(0x7FFFFFFFFFFFFFFF)


def normalise(text: str) -> str:
    """Compatibility form, case folded, accents dropped, cut at `MOST_CHARACTERS`."""
    text = text[:MOST_CHARACTERS]
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).casefold()
    bare = _MARKS.sub("", unicodedata.normalize("NFD", folded)).translate(_PLAIN)
    return unicodedata.normalize("NFC", bare)


def _split(folded: str) -> list[str]:
    """The words of a normalised text."""
    if folded.isascii():
        return [word[:MOST_LETTERS] for word in _ASCII_WORD.findall(folded)]
    return [word[:MOST_LETTERS] for word in _WORD.findall(_CJK.sub(r" \1 ", folded))]


@dataclass(frozen=True, slots=True)
class TokenizerSettings:
    """What may differ between sites; all of it is part of the fingerprint.

    Attributes:
        stem: Reduce English words to Snowball stems.
        bigrams: Add features for neighbouring terms ("word sense").
        trigrams: Add features for the letter trigrams of each word (``#ab``, ``abc``, ``bc#``), as in
            DPSR section 6.1.3; off by default, since they triple the features of an abstract.
    """

    stem: bool = True
    bigrams: bool = True
    trigrams: bool = False


class Tokenizer:
    """Words, terms and features of a text; the same everywhere. Safe to use from several threads."""

    VERSION = 2

    def __init__(self, settings: TokenizerSettings | None = None) -> None:
        self.settings = settings or TokenizerSettings()
        self._stemmer = Stemmer.Stemmer("english", 0)
        self._stems: dict[str, str] = {}
        self._hashes: dict[str, int] = {}
        self._letters: dict[str, UInt] = {}

    @cached_property
    def stop_terms(self) -> frozenset[str]:
        """The terms of the stop words."""
        return frozenset(map(self.term, STOP_WORDS))

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same text could give other tokens."""
        return blake2b(repr(sorted(self.to_dict().items())).encode(), digest_size=8).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Settings and version, for a bundle's manifest."""
        return {"version": self.VERSION, **asdict(self.settings)}

    @classmethod
    def from_dict(cls, stated: dict[str, Any]) -> Tokenizer:
        """The tokenizer that a manifest describes.

        Raises:
            ValueError: The manifest was written by another version of the tokenizer.
        """
        given = dict(stated)
        version = given.pop("version", None)
        if version != cls.VERSION:
            raise ValueError(
                f"The bundle was tokenized by version {version}, this is version {cls.VERSION}: "
                f"publish again."
            )
        return cls(TokenizerSettings(**given))

    def words(self, text: str) -> list[str]:
        """Normalised words in order; Chinese and Japanese characters stand alone."""
        return _split(normalise(text))

    def term(self, word: str) -> str:
        """The stem of a normalised word, without apostrophes ("bayes's" is "bay", "o'brien" "obrien")."""
        found = self._stems.get(word)
        if found is None:
            bare = _CONTRACTION.sub("", word).replace("'", "").replace("’", "")
            found = self._stemmer.stemWord(bare) if self.settings.stem else bare
            if len(self._stems) < CACHED_WORDS:
                self._stems[word] = found
        return found

    def terms(self, text: str) -> list[str]:
        """Stems in order, for the lexical index, and after them the other forms of compounds."""
        folded = normalise(text)
        words = _split(folded)
        known = self._stems
        found = [known.get(word) or self.term(word) for word in words]
        return found + self._other_forms(folded, words, set(found))

    def _other_forms(self, folded: str, words: list[str], found: set[str]) -> list[str]:
        """Terms by which compounds are also found, without those found already.

        Hyphenated words joined ("self-supervised": selfsupervis), names without what stands before
        their apostrophe ("o'brien": brien), neighbouring Chinese and Japanese characters in pairs.
        """
        others: set[str] = set()
        joined = _HYPHEN.sub("", folded)
        if joined != folded:
            others.update(map(self.term, set(_split(joined)).difference(words)))
        for word in words:
            if "'" in word or "’" in word:
                parts = re.split("['’]", _CONTRACTION.sub("", word))
                others.update(self.term(part) for part in parts[1:] if len(part) > 1)
        if not folded.isascii():
            others.update(_CJK_PAIR.findall(folded))
        return sorted(others - found)

    def only_stop_words(self, query: str) -> bool:
        """Whether the query has words, but none that says anything about a subject."""
        words = self.words(query)
        return bool(words) and all(word in STOP_WORDS for word in words)

    def query_terms(self, query: str) -> list[str]:
        """Distinct terms worth matching: without stop words, unless there is nothing else."""
        return list(self.query_counts(query))

    def query_counts(self, query: str) -> dict[str, int]:
        """The terms of `query_terms` with how often the query says each."""
        folded = normalise(query)
        words = _split(folded)
        telling = [word for word in words if word not in STOP_WORDS] or words
        kept: dict[str, int] = {}
        for word in telling:
            term = self.term(word)
            kept[term] = kept.get(term, 0) + 1
        every = {self.term(word) for word in words}
        for term in self._other_forms(folded, words, every):
            kept.setdefault(term, 1)
        return kept

    def features(self, text: str) -> NDArray[np.int64]:
        """Feature ids of one text, shape ``[n]``, repeated as often as they occur."""
        return self.features_batch([text])[0]

    def features_batch(
        self, texts: Sequence[str] | Iterable[str]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Feature ids of many texts.

        Returns:
            All ids one after the other, shape ``[total]``, and where each text begins and ends, shape
            ``[len(texts) + 1]``. Stop words give no feature of their own and no pair.
        """
        parts: list[UInt] = []
        ends = [0]
        for text in texts:
            own = self._own_features(text)
            parts.append(own)
            ends.append(ends[-1] + len(own))
        flat = np.concatenate(parts) if parts else np.empty(0, np.uint64)
        return (flat & _POSITIVE).astype(np.int64), np.asarray(ends, dtype=np.int64)

    def _own_features(self, text: str) -> UInt:
        words = self.words(text)
        found = list(map(self._hashes.get, words))
        hashes = [self._hash(word) for word in words] if None in found else found
        telling = np.array(hashes, dtype=np.uint64)
        single = telling[telling != 0]
        parts = [single]
        if self.settings.bigrams and len(telling) > 1:
            left, right = telling[:-1], telling[1:]
            both = (left != 0) & (right != 0)
            parts.append(left[both] * _ONE ^ right[both] * _TWO)
        if self.settings.trigrams:
            parts.append(self._trigrams(words))
        return np.concatenate(parts) if len(parts) > 1 else single

    def _trigrams(self, words: list[str]) -> UInt:
        parts = [self._word_trigrams(word) for word in words if word not in STOP_WORDS]
        return np.concatenate(parts) if parts else np.empty(0, np.uint64)

    def _word_trigrams(self, word: str) -> UInt:
        found = self._letters.get(word)
        if found is None:
            padded = f"#{word}#"
            digests = [self._digest("3" + padded[i : i + 3]) for i in range(len(padded) - 2)]
            found = np.asarray(digests, dtype=np.uint64)
            if len(self._letters) < CACHED_WORDS:
                self._letters[word] = found
        return found

    def _hash(self, word: str) -> int:
        """Hash of a word's term; 0 for a stop word."""
        found = self._hashes.get(word)
        if found is None:
            found = 0 if word in STOP_WORDS else self._digest("1" + self.term(word))
            if len(self._hashes) < CACHED_WORDS:
                self._hashes[word] = found
        return found

    @staticmethod
    def _digest(text: str) -> int:
        return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()) | 1
