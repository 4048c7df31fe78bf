"""One file of any of the three formats as batches of rows, in bounded memory.

The content says which format: Parquet (``PAR1``) or JSON lines (an object a line); CSV, with a header, is
known by its name. A part that cannot be read is a problem and stops nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from peerscope.retrieval.files.problems import FileError, Problems

PARQUET = b"PAR1"
PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04")
"""First bytes of gzip, zstd and zip."""

BATCH = 4096
"""Rows at a time."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows: their numbers, and the values of each column, ``None`` where there is none."""

    rows: Sequence[int]
    columns: Mapping[str, Sequence[Any]]

    def column(self, name: str) -> Sequence[Any]:
        """The values of a column; of a column that is not there, nothing for every row."""
        found = self.columns.get(name)
        return [None] * len(self.rows) if found is None else found


class Table(Protocol):
    """A file that can be read as rows.

    Attributes:
        name: Its name, for people.
        columns: Names of its columns, as far as they are known before all of it is read.
        total: Number of rows, ``None`` where only reading tells.
    """

    name: str
    columns: tuple[str, ...]
    total: int | None

    @property
    def kinds(self) -> Mapping[str, str]:
        """Column to the kind of its values, where the file itself states it."""
        ...

    def batches(self, problems: Problems) -> Iterator[Batch]:
        """The rows, at most `BATCH` at a time; what cannot be read is noted and passed over."""
        ...


def open_table(path: Path) -> Table:
    """A file as a table.

    Raises:
        FileError: There is no such file, it is of no known format, or broken from the start.
    """
    from peerscope.retrieval.files.lines import CsvTable, JsonTable

    try:
        with path.open("rb") as stream:
            head = stream.read(4)
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}. Check its name.") from error
    if head == PARQUET:
        from peerscope.retrieval.files.parquet import ParquetTable

        return ParquetTable(path)
    if head.startswith(PACKED):
        raise FileError(
            f"{path.name} is packed. Unpack it, or use Parquet, which is packed inside."
        )
    suffix = path.suffix.lower()
    if suffix in (".parquet", ".pq"):
        raise FileError(
            f"{path.name} is no Parquet file: it does not begin with PAR1. Export it again."
        )
    if suffix in (".csv", ".tsv"):
        return CsvTable(path, "\t" if suffix == ".tsv" else ",")
    first = first_character(path)
    if first == "{" or (first == "" and suffix in (".jsonl", ".ndjson", ".json")):
        return JsonTable(path)
    if first == "[":
        raise FileError(f"{path.name} is one JSON array. Write one object a line (JSON lines).")
    raise FileError(
        f"{path.name} is neither Parquet, nor JSON lines, nor CSV (.csv or .tsv, with a header)."
    )


def first_character(path: Path) -> str:
    """The first character that is no blank, within the first kilobyte."""
    with path.open("rb") as stream:
        start = stream.read(1024)
    return start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1].decode("latin-1")


class GivenRows:
    """Rows that are at hand already."""

    kinds: Mapping[str, str] = {}

    def __init__(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        self.name = name
        self.columns = tuple(dict.fromkeys(column for row in rows for column in row))
        self.total: int | None = len(rows)
        self._rows = rows

    def batches(self, problems: Problems) -> Iterator[Batch]:
        """All of them, counted from 1."""
        if self._rows:
            columns = {name: [row.get(name) for row in self._rows] for name in self.columns}
            yield Batch(range(1, len(self._rows) + 1), columns)
