"""Personal names: parts, keys for blocking, and whether two of them could be the same person's.

Names in Han, kana, Hangul, Arabic or Hebrew script are kept whole: splitting them needs a language, and
a wrong split joins strangers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from peerscope.record.text import KEY_LENGTH, fold

PARTICLES = frozenset([
    "van", "von", "der", "den", "de", "del", "della", "di", "da", "dos", "das", "du", "la",
    "le", "ter", "ten", "te", "zu", "zur", "vom", "vande", "vander", "af", "av", "bin",
    "ibn", "al", "el", "ben", "abu", "bint", "y", "e",
])  # fmt: skip
SUFFIXES = frozenset(["jr", "sr", "ii", "iii", "iv", "junior", "senior"])
_WHOLE = re.compile(
    "[\u0590-\u08ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\ufb1d-\ufefc]"
)
_QUOTES = re.compile("[\u2018\u2019\u02bc\u02b9\u0060\u00b4']")
_SPLIT = re.compile(r"[\s.\-\u2010-\u2015_·]+")
_OTHER = re.compile(r"[^\w\s]+")


@dataclass(frozen=True, slots=True)
class Name:
    """A name in its normal form.

    Attributes:
        family: Family name without particles, or the whole name where it was not split.
        particles: "van der", "de la", ...; empty where there is none.
        given: Given names in order; a single letter is an initial.
        suffix: "jr", "iii", ...
    """

    family: str
    particles: str = ""
    given: tuple[str, ...] = ()
    suffix: str = ""

    @property
    def key(self) -> str:
        """Sortable "family, given" with particles and suffix; parsing it gives the same name."""
        family = f"{self.particles} {self.family}".strip()
        tail = f"{family} {self.suffix}".strip()
        return (f"{tail}, {' '.join(self.given)}" if self.given else tail)[:KEY_LENGTH]

    @property
    def block(self) -> str:
        """Family name and first initial: two names in different blocks are never one person by name."""
        initial = self.given[0][0] if self.given else ""
        return f"{self.family}|{initial}"[:KEY_LENGTH]

    @property
    def has_full_given(self) -> bool:
        """Whether the first given name is written out (a whole name in its own script counts)."""
        return len(self.given[0]) > 1 if self.given else bool(_WHOLE.search(self.family))


def parse_name(name: str, family: str | None = None, given: str | None = None) -> Name:
    """Read "Given Family" or "Family, Given"; ``family`` and ``given`` are used where a source has them.

    Never fails: what cannot be read is kept whole as the family name ("?" for an empty one).
    """
    return _parse(name, family or "", given or "")


@lru_cache(maxsize=131072)
def _parse(name: str, family: str, given: str) -> Name:
    if _WHOLE.search(name):
        return (
            Name("".join(_words(name)) or "?")
            if _is_east_asian(name)
            else Name(" ".join(_words(name)) or "?")
        )
    if family and given:
        return _assemble(_words(family), _words(given))
    if "," in name:
        head, *rest = [part for part in name.split(",") if part.strip()] or [""]
        tails = [_words(part) for part in rest]
        suffix = [w for tail in tails if set(tail) <= SUFFIXES for w in tail]
        first = next((tail for tail in tails if not set(tail) <= SUFFIXES), [])
        if first:
            return _assemble(_words(head) + suffix, first)
        words = _words(head) + suffix
    else:
        words = _words(name)
    return _divide(words)


def is_whole(name: str) -> bool:
    """Whether a name is in a script in which names are kept whole here."""
    return bool(_WHOLE.search(name))


def _is_east_asian(name: str) -> bool:
    return any("\u3040" <= c <= "\ud7af" or "\uf900" <= c <= "\ufaff" for c in name)


def _words(part: str) -> list[str]:
    text = _QUOTES.sub("", fold(part))
    return [
        w for w in _SPLIT.split(_OTHER.sub(" ", text).replace("_", " ")) if w for w in w.split()
    ]


def _divide(words: list[str]) -> Name:
    suffix: list[str] = []
    while len(words) > 2 and words[-1] in SUFFIXES:
        suffix.insert(0, words[-1])
        words = words[:-1]
    for i in range(1, len(words) - 1):
        if words[i] in PARTICLES and len(words[i]) > 1:
            return _assemble(words[i:] + suffix, words[:i])
    return _assemble(words[-1:] + suffix, words[:-1])


def _assemble(family: list[str], given: list[str]) -> Name:
    suffix = ""
    while len(family) > 1 and family[-1] in SUFFIXES:
        suffix = f"{family[-1]} {suffix}".strip()
        family = family[:-1]
    # "Maaten, Laurens van der": the particles were filed after the given names.
    while len(given) > 1 and given[-1] in PARTICLES and len(given[-1]) > 1:
        family = [given[-1], *family]
        given = given[:-1]
    n = 0
    while n < len(family) - 1 and family[n] in PARTICLES:
        n += 1
    return Name(" ".join(family[n:]) or "?", " ".join(family[:n]), tuple(given), suffix)


def compatible(a: Name, b: Name) -> bool:
    """Whether two names could be one person's: nothing in them contradicts (symmetric).

    A missing part contradicts nothing; an initial agrees with every name that it begins. Nicknames and
    transliterations are not guessed.
    """
    if a == b:
        return True
    if a.family != b.family:
        return False
    if a.suffix and b.suffix and a.suffix != b.suffix:
        return False
    if a.particles and b.particles and a.particles != b.particles:
        return False
    if "".join(a.given) == "".join(b.given):
        return True
    return all(
        x == y or (len(x) == 1 and y[0] == x) or (len(y) == 1 and x[0] == y)
        for x, y in zip(a.given, b.given, strict=False)
    )
