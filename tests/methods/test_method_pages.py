"""The examples of the methods' pages run as they stand, and every page is in the index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from peerscope.methods.datasets import MissingData

PAGES = sorted((Path(__file__).parents[2] / "docs" / "methods").glob("*.md"))
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[int, str]]:
    """Line and source of each Python block."""
    text = page.read_text()
    return [(text[: found.start(1)].count("\n"), found[1]) for found in PYTHON.finditer(text)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page_run_one_after_the_other(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    found = blocks(page)
    assert found, f"{page.name} has no example"
    names: dict[str, object] = {"__name__": "example"}
    for line, source in found:
        # Blank lines in front, so that an error names the page's own line.
        try:
            exec(compile("\n" * line + source, str(page), "exec"), names)
        except MissingData as missing:
            pytest.skip(f"{page.name}, line {line}: {missing}")


def test_every_page_is_in_the_index_and_every_link_of_the_index_leads_somewhere() -> None:
    index = PAGES[0].parent / "README.md"
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", index.read_text())
    assert {page.name for page in PAGES} - {"README.md"} <= set(links)
    assert [link for link in links if not (index.parent / link).exists()] == []
