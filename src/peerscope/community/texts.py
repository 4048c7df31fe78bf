"""Words that people write here: plain text, cleaned of what cannot be seen, never too long."""

from __future__ import annotations

import re
import unicodedata

from peerscope.community.errors import CommunityError

_BLANK_LINES = re.compile(r"\n{3,}")


def clean_text(given: str, most: int, what: str, *, least: int = 1) -> str:
    """Text of several lines as it is kept; shown it is escaped, and its line breaks stay.

    Args:
        given: As typed.
        most: Characters it may have.
        what: What it is, for the sentence, as ``a review``.
        least: Characters it must have; 0 lets it be empty.

    Raises:
        CommunityError: It is too short or too long.
    """
    lines = given.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    kept = "\n".join("".join(c for c in line if _visible(c)).rstrip() for line in lines).strip()
    kept = _BLANK_LINES.sub("\n\n", kept)
    if not least <= len(kept) <= most:
        raise CommunityError(
            f"{what[:1].upper()}{what[1:]} has {least:,} to {most:,} characters; this has {len(kept):,}."
        )
    return kept


def clean_line(given: str, most: int, what: str, *, least: int = 1) -> str:
    """As `clean_text`, in one line, with single blanks."""
    seen = "".join(c for c in given if _visible(c) or c.isspace())
    return clean_text(" ".join(seen.split()), most, what, least=least)


def _visible(character: str) -> bool:
    # Controls, and the marks that turn the direction of what follows: both can make text read as
    # something else than it is.
    if character in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069":
        return False
    return character == "\t" or unicodedata.category(character) not in ("Cc", "Cs")
