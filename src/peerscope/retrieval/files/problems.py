"""What is wrong with a row, said so that it can be mended: file, row, column, reason, mend.

A problem sets its row aside, or only a value of it (``kept``). Few of a kind are listed, all are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from peerscope.atomic import written

LISTED = 1000
"""Problems of one kind that are listed; a column of a million NaN is one fact."""

LONGEST_EXCERPT = 200


class FileError(ValueError):
    """A file that cannot be used at all; the message names it, and says what to do.

    Attributes:
        nothing_left: Whether it was read, but not one row could go in.
    """

    def __init__(self, message: str, *, nothing_left: bool = False) -> None:
        super().__init__(message)
        self.nothing_left = nothing_left


class Unfit(ValueError):
    """A value that cannot be used, with the reason and the mend."""

    def __init__(self, reason: str, mend: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.mend = mend


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        file: Name of the file.
        row: Row from 1, without a header; in JSON lines the line. ``None`` for a whole column.
        column: Column, or ``None`` where the row could not be read.
        reason: What is wrong, the same words for all of its kind.
        mend: What to do.
        kept: Whether the row went in, without the value.
        value: The beginning of the value.
    """

    file: str
    row: int | None
    column: str | None
    reason: str
    mend: str
    kept: bool = False
    value: str = ""

    def sentence(self) -> str:
        """For a person."""
        place = f"row {self.row}" if self.row is not None else ""
        column = f"column {self.column}" if self.column is not None else ""
        where = ", ".join(part for part in (self.file, place, column) if part)
        return f"{where}: {self.reason}. {self.mend}"


@dataclass(frozen=True, slots=True)
class Kind:
    """All problems of one kind: how many, and the first of them."""

    count: int
    first: Problem


class Problems:
    """The problems met while files are read."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str | None, str]] = Counter()
        self._listed: list[Problem] = []
        self._set_aside: Counter[str] = Counter()

    def add(
        self,
        file: str,
        row: int | None,
        column: str | None,
        found: Unfit,
        value: object = None,
        *,
        kept: bool = False,
    ) -> None:
        """Note a problem; a row is set aside by one problem only."""
        kind = (file, column, found.reason)
        self._counts[kind] += 1
        if not kept:
            self._set_aside[file] += 1
        if self._counts[kind] <= LISTED:
            excerpt = "" if value is None else excerpt_of(value)
            self._listed.append(Problem(file, row, column, found.reason, found.mend, kept, excerpt))

    def set_aside(self, file: str) -> int:
        """How many rows of a file did not go in."""
        return self._set_aside[file]

    def first(self, file: str) -> Problem | None:
        """The first problem of a file that set a row aside."""
        return next((one for one in self._listed if one.file == file and not one.kept), None)

    def __len__(self) -> int:
        return self._counts.total()

    def __iter__(self) -> Iterator[Problem]:
        """Those that are listed, file by file in order of row."""
        files = {
            name: place for place, name in enumerate(dict.fromkeys(p.file for p in self._listed))
        }
        return iter(sorted(self._listed, key=lambda one: (files[one.file], one.row or 0)))

    def kinds(self) -> list[Kind]:
        """Every kind with its first problem, the most frequent first."""
        firsts: dict[tuple[str, str | None, str], Problem] = {}
        for one in self._listed:
            firsts.setdefault((one.file, one.column, one.reason), one)
        return [Kind(count, firsts[kind]) for kind, count in self._counts.most_common()]

    def write(self, path: Path) -> None:
        """One JSON object a line; the file is replaced as a whole, and emptied where all is well."""
        with written(path) as stream:
            for one in self:
                stream.write(orjson.dumps(asdict(one), option=orjson.OPT_APPEND_NEWLINE))

    def as_dict(self) -> list[dict[str, Any]]:
        """The kinds, for ``--json``."""
        return [{"count": kind.count, **asdict(kind.first)} for kind in self.kinds()]


def excerpt_of(value: object) -> str:
    """The beginning of a value as printable text."""
    text = value if isinstance(value, str) else repr(value)
    shown = text[:LONGEST_EXCERPT].encode("utf-8", "replace").decode()
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in shown)
