"""JSON lines and CSV as tables. A line that is not as it should be is set aside with its number."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from peerscope.retrieval.files.problems import FileError, Problems, Unfit
from peerscope.retrieval.files.tables import BATCH, Batch

LONGEST_LINE = 16 << 20
"""Bytes of one line; longer ones are set aside unread."""

PEEKED = 100
"""Lines of a JSON file that say which columns it has."""

_TOO_LONG = Unfit("a line of more than 16 MiB", "Break it up: one object a line.")
_BROKEN_OFF = Unfit(
    "the file breaks off here", "Export it again; the rows before this one went in."
)
_NO_JSON = Unfit("no JSON object", 'Write one object a line, in UTF-8, such as {"id": 1}.')
_NO_UTF8 = Unfit("not UTF-8", "Export the file in UTF-8.")

_UNDECODED = re.compile("[\udc80-\udcff]")


def lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Line numbers from 1 with the lines; ``None`` for one that is too long, which is not kept in memory."""
    number = 0
    while line := stream.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) <= LONGEST_LINE:
            yield number, line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(LONGEST_LINE)
        yield number, None


class JsonTable:
    """JSON lines. Objects may have different keys; the first hundred say which there are."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.total: int | None = None
        self.kinds: dict[str, str] = {}
        self._path = path
        names: dict[str, None] = {}
        try:
            with path.open("rb") as stream:
                for number, line in lines(stream):
                    found = _loaded(line)
                    names.update(dict.fromkeys(found if isinstance(found, dict) else ()))
                    if number >= PEEKED:
                        break
        except OSError as error:
            if not names:
                raise FileError(f"{path.name} cannot be read: {error}. Export it again.") from error
        self.columns = tuple(names)

    def batches(self, problems: Problems) -> Iterator[Batch]:
        """The rows; their numbers are those of their lines."""
        rows: list[int] = []
        found: list[dict[str, Any]] = []
        number = 0
        try:
            with self._path.open("rb") as stream:
                for number, line in lines(stream):
                    value = _loaded(line)
                    if isinstance(value, dict):
                        rows.append(number)
                        found.append(value)
                    elif line is None or line.strip():
                        wrong = _TOO_LONG if line is None else _NO_JSON
                        problems.add(self.name, number, None, wrong, _shown(line))
                    if len(rows) == BATCH:
                        yield _columns(rows, found)
                        rows, found = [], []
        except OSError as error:
            problems.add(self.name, number + 1, None, _BROKEN_OFF, str(error))
        if rows:
            yield _columns(rows, found)


def _loaded(line: bytes | None) -> Any:
    if line is None:
        return None
    line = line.removeprefix(b"\xef\xbb\xbf")
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(line)  # takes NaN, which Python's own writer writes
    except (ValueError, RecursionError):
        return None


def _shown(line: bytes | None) -> str:
    return (line or b"")[:400].decode("utf-8", "replace")


def _columns(rows: list[int], found: list[dict[str, Any]]) -> Batch:
    names = dict.fromkeys(name for one in found for name in one)
    return Batch(rows, {name: [one.get(name) for one in found] for name in names})


class CsvTable:
    """CSV with a header; empty cells are missing values."""

    def __init__(self, path: Path, delimiter: str) -> None:
        self.name = path.name
        self.total: int | None = None
        self.kinds: dict[str, str] = {}
        self._path, self._delimiter = path, delimiter
        try:
            with path.open("rb") as stream:
                header = next(self._reader(stream), [])
        except (OSError, csv.Error) as error:
            raise FileError(f"{path.name} cannot be read: {error}. Export it again.") from error
        self.columns = tuple(name.strip() for name in header)
        if len(set(self.columns)) != len(self.columns):
            raise FileError(
                f"{path.name} has a column twice: {', '.join(self.columns)}. Rename one."
            )

    def _reader(self, stream: BinaryIO) -> Iterator[list[str]]:
        csv.field_size_limit(LONGEST_LINE)
        text = io.TextIOWrapper(stream, "utf-8-sig", "surrogateescape", newline="")
        return csv.reader(text, delimiter=self._delimiter)

    def batches(self, problems: Problems) -> Iterator[Batch]:
        """The rows, counted from 1 after the header."""
        rows: list[int] = []
        found: list[list[str | None]] = []
        number = 0
        try:
            with self._path.open("rb") as stream:
                reader = self._reader(stream)
                next(reader, None)
                for number, cells in enumerate(reader, 1):
                    if self._fits(number, cells, problems):
                        rows.append(number)
                        found.append([cell or None for cell in cells])
                    if len(rows) == BATCH:
                        yield self._batch(rows, found)
                        rows, found = [], []
        except (OSError, csv.Error) as error:
            problems.add(self.name, number + 1, None, _BROKEN_OFF, str(error))
        if rows:
            yield self._batch(rows, found)

    def _fits(self, number: int, cells: list[str], problems: Problems) -> bool:
        if not cells:
            return False
        if len(cells) != len(self.columns):
            wrong = Unfit(
                "another number of cells than the header has",
                "Quote cells that hold commas or line ends.",
            )
            problems.add(self.name, number, None, wrong, self._delimiter.join(cells))
            return False
        if any(_UNDECODED.search(cell) for cell in cells):
            problems.add(self.name, number, None, _NO_UTF8, self._delimiter.join(cells))
            return False
        return True

    def _batch(self, rows: list[int], found: list[list[str | None]]) -> Batch:
        return Batch(rows, dict(zip(self.columns, zip(*found, strict=True), strict=True)))
