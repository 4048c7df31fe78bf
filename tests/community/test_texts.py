"""Words that people write: nothing unseen stays, nothing seen is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerscope.community import CommunityError
from peerscope.community.texts import clean_line, clean_text


@given(st.text(max_size=200))
def test_cleaning_is_done_once(text: str) -> None:
    kept = clean_text(text, 1_000, "a note", least=0)
    assert clean_text(kept, 1_000, "a note", least=0) == kept
    assert not set(kept) & set("\x00\r\u202e\u2066")
    seen = [c for c in text if c.isalnum()]
    assert [c for c in kept if c.isalnum()] == seen
    line = clean_line(text, 1_000, "a title", least=0)
    assert clean_line(line, 1_000, "a title", least=0) == line
    assert "\n" not in line


def test_bounds_are_said() -> None:
    assert clean_line(" a\n b ", 10, "a title") == "a b"
    assert clean_line("a \x1b b", 10, "a title") == "a b"
    with pytest.raises(CommunityError, match=r"A title has 1 to 3 characters; this has 4\."):
        clean_line("abcd", 3, "a title")
    with pytest.raises(CommunityError, match="this has 0"):
        clean_text(" \n\x00 ", 3, "a title")
