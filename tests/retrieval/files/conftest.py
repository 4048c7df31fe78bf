"""Files of a small shop, in every format."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from made_shop import write_shop
from written import write_rows

from peerscope.retrieval.files.home import Home
from peerscope.retrieval.files.pipeline import index_model, train_model

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path) -> Write:
    def made(name: str, rows: Sequence[dict[str, Any]], **kinds: Any) -> Path:
        return write_rows(tmp_path / name, rows, **kinds)

    return made


@pytest.fixture(scope="session")
def shop_files(tmp_path_factory) -> list[Path]:
    """The three files of a small shop."""
    return write_shop(tmp_path_factory.mktemp("shop"), write_rows)


@pytest.fixture(scope="session")
def trained_home(tmp_path_factory, shop_files) -> Path:
    """A home with one model, trained with history and profile, indexed; to be copied, not changed."""
    home = Home(tmp_path_factory.mktemp("trained") / "home")
    changes = ("threads=1", "epochs=2", "width=32", "batch=64", "profile=likes")
    train_model(home, "main", shop_files, changes=changes)
    assert index_model(home, "main").build.published
    return home.folder


@pytest.fixture
def home(trained_home, tmp_path) -> Home:
    """A copy of the trained home."""
    shutil.copytree(trained_home, tmp_path / "home", symlinks=True)
    return Home(tmp_path / "home")
