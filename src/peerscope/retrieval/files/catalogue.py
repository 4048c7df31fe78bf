"""The three files read together: items, users and interactions that fit each other, and what did not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from peerscope.atomic import written
from peerscope.retrieval.files.ids import ItemIds
from peerscope.retrieval.files.interactions import InteractionTable, read_interactions
from peerscope.retrieval.files.items import read_items
from peerscope.retrieval.files.problems import FileError, Problems
from peerscope.retrieval.files.tables import Batch, Table, open_table
from peerscope.retrieval.files.users import read_users
from peerscope.retrieval.schema import Item, User

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class Files:
    """Where the three files lie; users and interactions may be missing."""

    items: Path
    users: Path | None = None
    interactions: Path | None = None

    @classmethod
    def named(cls, given: list[Path]) -> Files:
        """One to three files in the order of the command line.

        Of two, the second is the interactions if it has the column ``item_id``, else the users.

        Raises:
            FileError: There are none or more than three, or the second cannot be read.
        """
        if not 1 <= len(given) <= 3:
            raise FileError("Name the items file, and after it those of users and interactions.")
        paths = [path.expanduser().resolve() for path in given]
        if len(paths) == 2 and "item_id" in open_table(paths[1]).columns:
            return cls(paths[0], None, paths[1])
        return cls(*paths)

    def save(self, path: Path) -> None:
        """Remember them."""
        stated = {name: str(value) for name, value in self._all() if value is not None}
        with written(path) as stream:
            stream.write(orjson.dumps(stated, option=orjson.OPT_INDENT_2))

    @classmethod
    def load(cls, path: Path) -> Files | None:
        """Those that were remembered, if any were."""
        try:
            stated = orjson.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        return cls(**{name: Path(value) for name, value in stated.items()})

    def _all(self) -> list[tuple[str, Path | None]]:
        return [("items", self.items), ("users", self.users), ("interactions", self.interactions)]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What the files say.

    Attributes:
        items: The catalogue, in the order of the file.
        users: The users.
        interactions: The events.
        ids: External ids and the numbers that stand for them.
        problems: What was set aside.
        counts: File to rows that went in and that were set aside.
    """

    items: list[Item]
    users: list[User]
    interactions: InteractionTable
    ids: ItemIds
    problems: Problems
    counts: Mapping[str, dict[str, int]]

    def as_dict(self) -> dict[str, Any]:
        """Counts and problems, for ``--json``."""
        return {"files": dict(self.counts), "problems": self.problems.as_dict()}


def read_catalogue(
    files: Files,
    *,
    before: Mapping[str, int] | None = None,
    changed: Mapping[str, Item | None] | None = None,
    listing: Path | None = None,
    progress: Progress | None = None,
) -> Catalogue:
    """Read and check the three files.

    Args:
        files: Where they lie.
        before: Numbers that ids had in an earlier bundle.
        changed: Items, by external id, that count instead of the file's; ``None`` for removed ones.
        listing: Where to list, as JSON lines, what was set aside.
        progress: Told of the stage.

    Raises:
        FileError: A file cannot be read, lacks a column, or not one row of it could go in.
    """
    problems = Problems()
    try:
        return _read(files, ItemIds(before), changed or {}, problems, progress)
    finally:
        if listing is not None:
            problems.write(listing)


def _read(
    files: Files,
    ids: ItemIds,
    changed: Mapping[str, Item | None],
    problems: Problems,
    progress: Progress | None,
) -> Catalogue:
    counts: dict[str, dict[str, int]] = {}

    def counted(table: Table, rows: int) -> None:
        aside = problems.set_aside(table.name)
        counts[table.name] = {"rows": rows, "set_aside": aside}
        if aside and not rows:
            first = problems.first(table.name)
            raise FileError(
                f"Not one of the {aside:,} rows of {table.name} could go in. The first: "
                f"{first.sentence() if first else ''}",
                nothing_left=True,
            )

    table = _Watched(open_table(files.items), progress)
    items = list(read_items(table, ids, problems))
    counted(table, len(items))
    items = _with_changes(items, ids, changed)
    if not items:
        raise FileError(
            f"{table.name} has no rows: there is nothing that could be found.", nothing_left=True
        )
    users: list[User] = []
    if files.users is not None:
        table = _Watched(open_table(files.users), progress)
        users = list(read_users(table, ids, problems))
        counted(table, len(users))
    events = InteractionTable.empty()
    if files.interactions is not None:
        table = _Watched(open_table(files.interactions), progress)
        events = read_interactions(table, ids, problems)
        counted(table, len(events))
    return Catalogue(items, users, events, ids, problems, counts)


def _with_changes(
    items: list[Item], ids: ItemIds, changed: Mapping[str, Item | None]
) -> list[Item]:
    kept = [item for item in items if ids.own(item.id) not in changed]
    for own, item in changed.items():
        number = ids.number(own)
        if item is None:
            ids.remove(own)
        else:
            kept.append(replace(item, id=number or ids.add(own)))
    return kept


def read_events(
    files: Files, ids: ItemIds, progress: Progress | None = None
) -> tuple[list[User], InteractionTable, Problems]:
    """Users and interactions alone, against the ids of a bundle; for evaluation.

    Raises:
        FileError: See `read_catalogue`.
    """
    problems = Problems()
    users: Iterable[User] = ()
    events = InteractionTable.empty()
    if files.users is not None:
        users = read_users(_Watched(open_table(files.users), progress), ids, problems)
    users = list(users)
    if files.interactions is not None:
        table = _Watched(open_table(files.interactions), progress)
        events = read_interactions(table, ids, problems)
    return users, events, problems


class _Watched:
    """A table that reports how many of its rows were read."""

    def __init__(self, table: Table, progress: Progress | None) -> None:
        self._table, self._progress = table, progress
        self.name, self.columns = table.name, table.columns
        self.total, self.kinds = table.total, table.kinds

    def batches(self, problems: Problems) -> Iterator[Batch]:
        done = 0
        for batch in self._table.batches(problems):
            yield batch
            done += len(batch.rows)
            if self._progress is not None:
                self._progress(f"reading {self.name}", done, self.total)
