"""Files of a small shop, in every format."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from made_shop import write_shop
from pyarrow import parquet

from peerscope.retrieval.files.home import Home
from peerscope.retrieval.files.pipeline import index_model, train_model

Write = Callable[..., Path]


def write_rows(path: Path, rows: Sequence[dict[str, Any]], **kinds: Any) -> Path:
    """Rows in the format that the suffix names."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    if path.suffix == ".parquet":
        columns = {}
        for name in names:
            column = [row.get(name) for row in rows]
            columns[name] = pyarrow.array(column, kinds.get(name))
        parquet.write_table(pyarrow.table(columns), path, row_group_size=64)
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, names)
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("".join(json.dumps(row, default=str) + "\n" for row in rows))
    return path


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
