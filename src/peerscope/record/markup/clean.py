"""Characters that never belong in a title: controls, direction overrides, invisible marks, heaps."""

from __future__ import annotations

import re
import unicodedata

MAX_CHARS = 100_000
"""Longest text that is read; what follows is cut and marked with an ellipsis."""

# C0 and C1 controls, soft hyphen, direction marks and overrides, invisible operators, byte order
# marks, interlinear annotation, lone surrogates, non-characters and tag characters.
_HARMFUL = (
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f"
)
_JOINERS = "\u200c\u200d"
_SUSPECT = re.compile(f"[{_HARMFUL}{_JOINERS}]|[^\\S ]|  |^ | $")
_STRIP = re.compile(f"[{_HARMFUL}]")
# Joiners carry meaning between letters of Persian or Indic scripts and within emoji, never in ASCII.
_LOOSE_JOINER = re.compile(
    f"(?<![^\\x00-\\x7f])[{_JOINERS}]+|[{_JOINERS}]+(?![^\\x00-\\x7f\\u200c\\u200d])"
)
_SPACES = re.compile(r"\s+")
# No orthography stacks more than a few marks on one letter; a heap of them covers the lines around.
_HEAP = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{4})"
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)


def clean(text: str) -> str:
    """Normalise to NFC, drop harmful characters and collapse white space.

    Args:
        text: Any string, lone surrogates included.

    Returns:
        Text of at most `MAX_CHARS` characters that encodes as UTF-8 and fits on one line.
    """
    if len(text) > MAX_CHARS:
        text = text[: MAX_CHARS - 1].rstrip() + "…"
    if text.isascii():
        return _tidy(text) if _SUSPECT.search(text) else text
    for _ in range(4):
        before = text
        if _SUSPECT.search(text):
            text = _tidy(_LOOSE_JOINER.sub("", text))
        text = _HEAP.sub(r"\1", text)
        if not unicodedata.is_normalized("NFC", text):
            text = unicodedata.normalize("NFC", text)
        if text == before:
            break
    return text


def squeeze(text: str) -> str:
    """Collapse white space and strip the ends."""
    return _SPACES.sub(" ", text).strip()


def _tidy(text: str) -> str:
    return squeeze(_STRIP.sub("", text))


def words(text: str) -> frozenset[str]:
    """A set of words written in one text, so that a long list stays readable."""
    return frozenset(text.split())
