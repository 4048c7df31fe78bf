"""Rows as a file, in every format."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet


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
