"""The table of settings in the documentation is the code's."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from peerscope.retrieval.learn.config import PRESETS, TrainConfig

DOCUMENT = Path(__file__).parents[2] / "docs" / "dpsr.md"
ROW = re.compile(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \|", re.MULTILINE)


def spelled(value: object) -> str:
    """A setting as the table writes it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "–"
    if isinstance(value, float) and abs(value - 1 / 3) < 1e-12:
        return "1/3"
    return f"{value:g}" if isinstance(value, float) else str(value)


@pytest.mark.parametrize("column", [0, 1])
def test_every_setting_stands_in_the_table_with_its_value(column) -> None:
    name = ("best", "paper")[column]
    config = PRESETS[name]()
    stated = {row[0]: row[1 + column].strip() for row in ROW.findall(DOCUMENT.read_text())}
    actual = {part.name: spelled(getattr(config, part.name)) for part in fields(TrainConfig)}
    assert stated == actual
