"""The columns of the three files and the types they may have (docs/retrieval-files.md says it in full)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from peerscope.retrieval.files.problems import FileError, Problems, Unfit
from peerscope.retrieval.files.tables import Table

SCALARS = ("string", "integer", "float", "boolean")
IDS = ("string", "integer", "float")
LISTS = tuple(f"list of {kind}" for kind in (*SCALARS, "nothing"))

HIDDEN = "__"
"""Columns that begin so (``__index_level_0__``) are somebody's bookkeeping."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column with a meaning of its own: whether it must be there, and the kinds it may hold."""

    required: bool
    kinds: tuple[str, ...]


ITEMS = {
    "id": Column(True, IDS),
    "title": Column(True, ("string", "integer", "float")),
    "text": Column(False, (*IDS, "list of string")),
    "names": Column(False, (*IDS, "list of string")),
}
USERS = {
    "id": Column(True, IDS),
    "history": Column(False, ("string", *(f"list of {kind}" for kind in (*IDS, "nothing")))),
}
INTERACTIONS = {
    "query": Column(True, ("string", "integer", "float")),
    "item_id": Column(True, IDS),
    "user_id": Column(False, IDS),
    "time": Column(False, ("integer", "float", "string", "time")),
    "weight": Column(False, ("integer", "float", "string")),
    "kind": Column(False, ("string", "integer")),
}


def checked(table: Table, wanted: Mapping[str, Column]) -> None:
    """Whether a file has the columns that it must have, of types that they may have.

    Raises:
        FileError: It has not; the message names file and column, and says what is there.
    """
    for name, column in wanted.items():
        if name not in table.columns:
            if column.required:
                there = ", ".join(table.columns) or "none"
                raise FileError(
                    f"{table.name} has no column `{name}`; its columns are {there}. "
                    f"Add it, or rename the one that holds it."
                )
            continue
        kind = table.kinds.get(name, "")
        if kind and kind != "nothing" and kind not in column.kinds:
            raise FileError(
                f"{table.name}, column `{name}`: its type is {_named(kind)}, and must be one of "
                f"{', '.join(column.kinds)}."
            )


def further(table: Table, known: Mapping[str, Column], kinds: tuple[str, ...]) -> list[str] | None:
    """Further columns of usable types, or ``None`` where the file does not say which there are."""
    if not table.kinds:
        return None
    return [
        name
        for name in table.columns
        if name not in known and table.kinds[name] in kinds and not name.startswith(HIDDEN)
    ]


def note_unusable(
    table: Table, known: Mapping[str, Column], kinds: tuple[str, ...], problems: Problems
) -> None:
    """Note the further columns whose type makes them useless."""
    for name, kind in table.kinds.items():
        if name not in known and kind not in (*kinds, "nothing") and not name.startswith(HIDDEN):
            wrong = Unfit(
                f"a column of type {_named(kind)} is left out",
                f"It may be one of {', '.join(kinds)}; write it as one of them, or drop it.",
            )
            problems.add(table.name, None, name, wrong, kept=True)


def _named(kind: str) -> str:
    return "none that is read here (a struct, map, binary or the like)" if kind == "other" else kind
