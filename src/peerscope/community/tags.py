"""Tags: short words of one's own, kept as lines in one column."""

from __future__ import annotations

import re

from peerscope.community.errors import CommunityError
from peerscope.community.texts import clean_line

LONGEST_TAG = 40
MOST_TAGS = 20


def clean_tags(given: str) -> tuple[str, ...]:
    """Tags as typed, with commas or line breaks between them: case-folded, each once, in their order.

    Raises:
        CommunityError: One is too long, or there are too many.
    """
    parts = (clean_line(one, LONGEST_TAG, "a tag", least=0) for one in re.split(r"[,\r\n]", given))
    found = tuple(dict.fromkeys(part.casefold() for part in parts if part))
    if len(found) > MOST_TAGS:
        raise CommunityError(f"There are at most {MOST_TAGS} tags; these are {len(found)}.")
    return found


def kept_tags(tags: tuple[str, ...]) -> str:
    """Tags as a column holds them: a line each, with a break before and after."""
    return "\n" + "\n".join(tags) + "\n" if tags else ""


def read_tags(column: str) -> tuple[str, ...]:
    """Tags as a column holds them, apart again."""
    return tuple(column.strip("\n").split("\n")) if column else ()
