"""The checklist of docs/security.md names tests that exist, and each requirement once."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "security.md").read_text()


def test_every_named_test_exists() -> None:
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    named = set(re.findall(r"`(test_\w+)`", TEXT))
    assert len(named) > 50
    assert named <= there, named - there


def test_each_requirement_stands_once_and_says_how_it_is_met() -> None:
    rows = re.findall(r"^\| ((?:\d+\.\d+\.\d+(?:, )?)+) \|(.+)\|$", TEXT, re.MULTILINE)
    numbers = Counter(number for row, _ in rows for number in row.split(", "))
    assert len(numbers) > 80 and set(numbers.values()) == {1}, numbers.most_common(3)
    for row, rest in rows:
        asks, here, shown = (part.strip() for part in rest.split(" | ", 2))
        assert asks and here and ("`test_" in shown or shown == "–"), row
        assert len(rest.split(" | ")) == 3, row
