"""The ACL Anthology as names alone, and its person ids as gold, kept apart.

An id reaches no record: what is imported is written anew from the fields of `WORK_FIELDS` and, of an author,
from name and affiliation only; `checked` then looks for identifiers of persons in the record that was made.
"""

from __future__ import annotations

import os
import re
import sqlite3
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import numpy as np
import orjson
import zstandard
from identity_measure import Labels, Mask
from numpy.typing import NDArray

from peerscope.record import Database, ingest
from peerscope.record.importers.jsonl import JsonLinesImporter

SHARED = Path(os.environ.get("PEERSCOPE_SHARED", Path(__file__).parents[2] / "shared"))
ANTHOLOGY = SHARED / "data" / "scholarly" / "acl.jsonl.zst"
WORKS = 97_494
WORK_FIELDS = ("id", "title", "abstract", "year", "venue", "container", "type", "language", "license",
               "doi", "references")  # fmt: skip
AUTHOR_FIELDS = ("name", "affiliation")

Gold = dict[tuple[str, int], str]
"""Person id of an author, by key of the work and position."""


def strip(source: Path, target: Path, tick: Callable[[], None], limit: int | None = None) -> Gold:
    """Write the works without person ids, as JSON lines; return what was left out."""
    gold: Gold = {}
    with zstandard.open(source, "rt", encoding="utf-8") as lines, target.open("wb") as out:
        for line in islice(lines, limit):
            work = orjson.loads(line)
            kept = {name: work[name] for name in WORK_FIELDS if name in work}
            kept["authors"] = [
                {name: one[name] for name in AUTHOR_FIELDS if name in one}
                for one in work.get("authors", [])
            ]
            for position, one in enumerate(work.get("authors", [])):
                gold[work["id"], position] = one["id"]
            out.write(orjson.dumps(kept) + b"\n")
            tick()
    return gold


def make_record(stripped: Path, path: Path, progress: Callable[..., None] | None = None) -> None:
    """Import the stripped works into a new record, as a site would."""
    database = Database(f"sqlite:///{path}")
    database.migrate()
    ingest(database, JsonLinesImporter(str(stripped)), str(stripped), progress=progress)
    database.close()


def held_out(block: str) -> bool:
    """Whether a block is reported only: the lowest bit of a hash of its key, one half of all."""
    return blake2b(block.encode(), digest_size=4).digest()[0] % 2 == 1


def slug(name: str) -> str:
    """The id that the Anthology gives to a name by default."""
    plain = unicodedata.normalize("NFKD", name.translate(str.maketrans("øłđ", "old")))
    plain = "".join(c for c in plain if not unicodedata.combining(c)).lower()
    return re.sub("[^a-z0-9]+", "-", re.sub("['’]", "", plain)).strip("-")


def labels(values: list[str]) -> Labels:
    """Numbers for strings."""
    return np.unique(np.asarray(values, dtype=object).astype(str), return_inverse=True)[1]


@dataclass(frozen=True)
class Names:
    """Every authorship in order of its number in the record.

    Attributes:
        ids: Its number.
        work: Its work's.
        raw: Name as printed.
        key: Normalised "family, given".
        block: Family name and first initial.
        gold_id: The Anthology's id.
    """

    ids: Labels
    work: Labels
    raw: list[str]
    key: list[str]
    block: list[str]
    gold_id: list[str] = field(repr=False)

    @cached_property
    def gold(self) -> Labels:
        """Gold persons as numbers."""
        return labels(self.gold_id)

    @cached_property
    def blocks(self) -> Labels:
        """Blocks as numbers."""
        return labels(self.block)

    @cached_property
    def reported(self) -> Mask:
        """Authorships of held-out blocks."""
        held = {block: held_out(block) for block in set(self.block)}
        return np.asarray([held[block] for block in self.block])

    @cached_property
    def told_apart(self) -> Mask:
        """One printed name, several ids: somebody told these people apart."""
        return _several(self.raw, self.gold_id)

    @cached_property
    def put_together(self) -> Mask:
        """One id, several normalised names: somebody listed the variants."""
        return _several(self.gold_id, self.key)

    @cached_property
    def shared_name(self) -> Mask:
        """One normalised name, several ids, decided by hand or by spelling."""
        return _several(self.key, self.gold_id)

    @cached_property
    def default_id(self) -> Mask:
        """The id is what the name gives by default: nobody need have looked."""
        known = {name: slug(name) for name in set(self.raw)}
        return np.asarray([known[r] == g for r, g in zip(self.raw, self.gold_id, strict=True)])

    @cached_property
    def block_sizes(self) -> NDArray[np.int64]:
        """Authorships of the block of each."""
        sizes = Counter(self.block)
        return np.asarray([sizes[block] for block in self.block])


def _several(keys: list[str], values: list[str]) -> Mask:
    found: dict[str, set[str]] = defaultdict(set)
    for key, value in zip(keys, values, strict=True):
        found[key].add(value)
    return np.asarray([len(found[key]) > 1 for key in keys])


def read_names(path: Path, gold: Gold) -> Names:
    """The authorships of a record with what was left out of it.

    Raises:
        ValueError: The record does not hold exactly the authors of the gold.
    """
    with sqlite3.connect(path) as connection:
        rows = connection.execute(
            "SELECT a.id, a.work_id, s.key, a.position, a.raw_name, a.name_key, a.block_key "
            "FROM authorship a JOIN source_record s ON s.work_id = a.work_id ORDER BY a.id"
        ).fetchall()
    if {(row[2], row[3]) for row in rows} != gold.keys() or len(rows) != len(gold):
        raise ValueError("The record does not hold exactly the authors whose ids were set aside.")
    ids, work, _, _, raw, key, block = map(list, zip(*rows, strict=True))
    stated = [gold[row[2], row[3]] for row in rows]
    return Names(np.asarray(ids), np.asarray(work), raw, key, block, stated)


def checked(path: Path) -> None:
    """See that the record knows no identifier of a person.

    Raises:
        ValueError: It does.
    """
    with sqlite3.connect(path) as connection:
        told = connection.execute(
            "SELECT (SELECT count(*) FROM authorship WHERE author_ids IS NOT NULL AND author_ids <> '') "
            "+ (SELECT count(*) FROM identifier WHERE entity = 'A')"
        ).fetchone()[0]
        payloads = connection.execute("SELECT payload FROM source_record")
        leaks = sum(1 for one in payloads if any(a["ids"] for a in orjson.loads(one[0])["authors"]))
    if told or leaks:
        raise ValueError(f"{told} authorships and {leaks} source records state a person's id.")
