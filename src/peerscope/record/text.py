"""Normal forms under which titles and names of things are compared; never shown."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import lru_cache

_MARKS = re.compile("[\u0300-\u036f]")
_NOT_WORD = re.compile(r"[\W_]+")
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "þ": "th", "ı": "i", "ħ": "h"}
)
KEY_LENGTH = 300
"""Longest key in characters: PostgreSQL's B-tree takes 2.7 kB."""

GENERIC_TITLES = frozenset([
    "introduction", "preface", "editorial", "foreword", "afterword", "abstract",
    "abstracts", "contents", "index", "errata", "erratum", "corrigendum", "correction",
    "retraction", "conclusion", "conclusions", "discussion", "summary", "keynote",
    "overview", "obituary", "acknowledgements", "acknowledgments", "appendix",
    "bibliography", "references", "glossary", "announcement", "announcements", "welcome",
    "reply", "response", "commentary", "comment", "comments", "letter", "letters", "news",
    "table of contents", "front matter", "back matter", "guest editorial", "book review",
    "book reviews", "guest editors introduction", "introduction to the special issue",
    "message from the general chair", "message from the program chairs", "list of reviewers",
    "letter to the editor", "letters to the editor", "in this issue", "about the authors",
    "organizing committee", "program committee", "author index", "subject index", "call for papers",
    "editor s note", "from the editor", "review of the literature", "literature review",
    "special issue introduction", "title page", "title page and copyright", "invited talk abstract",
])  # fmt: skip
"""Titles that many different works carry; they never show that two records are the same work."""


def fold(text: str) -> str:
    """Case-folded text without Latin accents; other scripts keep their marks.

    ``fold(fold(x)) == fold(x)``.
    """
    if text.isascii():
        return text.lower()
    # NFKD can give new capitals and folding can give new compositions: folded twice, it stays put.
    once = unicodedata.normalize("NFKD", text).casefold().translate(_LETTERS)
    plain = _MARKS.sub("", unicodedata.normalize("NFKD", once)).casefold()
    return unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFKD", plain)))


@lru_cache(maxsize=65536)
def name_key(text: str) -> str:
    """Key of a venue, institution or topic name: "Proc. of CVPR" and "proc of cvpr" are the same."""
    key = " ".join(_NOT_WORD.sub(" ", fold(text)).split())
    return (key or " ".join(text.split()))[:KEY_LENGTH]


def title_key(title: str) -> str:
    """Words of a title alone, without case, accents or punctuation."""
    return " ".join(_NOT_WORD.sub(" ", fold(title)).split())


def fingerprint(title: str) -> str | None:
    """BLAKE2b-128 of the title's key, or ``None`` where the title is too common to tell works apart.

    Year and authors are not in the hash: they are compared from the rows, because a preprint and the
    published version of one work often differ in the year (see `peerscope.record.match`).
    """
    key = title_key(title)
    if is_generic(key):
        return None
    return hashlib.blake2b(key.encode(), digest_size=16).hexdigest()


def is_generic(key: str) -> bool:
    """Whether a title key is generic, or too short (under 3 words or 12 letters) to mean one work."""
    if key in GENERIC_TITLES or key.startswith("proceedings of "):
        return True
    if key.isascii():
        return len(key) < 12 or key.count(" ") < 2
    return len(key) < 6
