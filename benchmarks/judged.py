"""The judged collections of the shared data, as catalogues with queries and grades.

All systems see the same text of an item: title and text (for CACM also its keywords, which are part of the
record). Authors, brands and citations are left out. In synergy9 each query is judged within a pool of its
own, and every system ranks that pool only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import zstandard

from peerscope.retrieval import Item

SHARED = Path(os.environ.get("PEERSCOPE_SHARED", Path(__file__).resolve().parents[2] / "shared"))
BENCH = SHARED / "data" / "bench"
PLACES = {
    "cranfield": (BENCH / "cranfield", BENCH / "cranfield" / "corpus.jsonl"),
    "cacm": (BENCH / "cacm", BENCH / "cacm" / "corpus.jsonl"),
    "esci150": (
        SHARED / "data" / "ecommerce" / "esci150",
        SHARED / "data" / "ecommerce" / "esci150" / "corpus.jsonl",
    ),
    "synergy9": (
        BENCH / "synergy9",
        SHARED / "data" / "scholarly" / "openalex_synergy9.jsonl.zst",
    ),
}
CHOOSING = ("cranfield", "cacm")
"""Collections on which choices were made; the others confirm them."""

POOL = "pool"


@dataclass(frozen=True)
class Collection:
    """A judged collection.

    Attributes:
        name: Its name.
        keys: The collection's id of each item; item ``n`` of the catalogue has the id ``n + 1``.
        items: The catalogue.
        queries: Text of each query that has a relevant item, by its id.
        grades: Grade of each judged item by query and by the collection's id.
        pools: Places of the items that a query is judged among, or ``None`` where it is all of them.
    """

    name: str
    keys: list[str]
    items: list[Item]
    queries: dict[str, str]
    grades: dict[str, dict[str, int]]
    pools: dict[str, list[int]] | None

    @property
    def texts(self) -> list[str]:
        """Title and text of each item."""
        return [f"{item.title}\n{item.text}" if item.text else item.title for item in self.items]


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON lines file, plain or compressed."""
    if path.suffix == ".zst":
        with zstandard.open(path, "rt", encoding="utf-8") as stream:
            yield from map(orjson.loads, stream)
    else:
        with path.open("rb") as stream:
            yield from map(orjson.loads, stream)


def load(name: str) -> Collection:
    """A collection by its name."""
    folder, corpus = PLACES[name]
    grades: dict[str, dict[str, int]] = {}
    for line in (folder / "qrels.tsv").read_text().splitlines():
        query, key, grade = line.split("\t")[:3]
        if grade.lstrip("-").isdigit():
            grades.setdefault(query, {})[key] = int(grade)
    asked = {row["_id"]: row["text"] for row in lines(folder / "queries.jsonl")}
    queries = {q: t for q, t in asked.items() if any(g > 0 for g in grades.get(q, {}).values())}
    keys: list[str] = []
    items: list[Item] = []
    within: dict[str, list[int]] | None = {q: [] for q in queries} if name == "synergy9" else None
    for row in lines(corpus):
        key = row.get("_id") or row["id"]
        pools = tuple(q for q in within if key in grades[q]) if within is not None else ()
        for query in pools:
            within[query].append(len(items))  # type: ignore[index]
        title, text = row.get("title") or "", row.get("text") or row.get("abstract") or ""
        text = text.removeprefix(title).strip()
        words = row.get("keywords") or []
        text = f"{text} {words if isinstance(words, str) else ' '.join(words)}".strip()
        fields = {POOL: pools} if pools else {}
        items.append(Item(len(items) + 1, title or text[:80] or "untitled", text, fields=fields))
        keys.append(key)
    return Collection(name, keys, items, queries, {q: grades[q] for q in queries}, within)
