"""Bytes of training data: files that are joined while they are read, against rows that hold everything."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from peerscope.reproduce.harness import main
from peerscope.reproduce.papers.dpsr import PAPER
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.dpsr_hepth import Asking, Collection, hepth


def run(trial: Trial) -> None:
    """Write the clicks of a drawn half of the users both ways, and count bytes, plain and packed."""
    collection = hepth(trial)
    chance = np.random.default_rng((trial.seed, 5))
    askers = sorted({_user(one) for one in collection.taught})
    kept = set(chance.choice(askers, (len(askers) + 1) // 2, replace=False).tolist())
    taught = [one for one in collection.taught if _user(one) in kept]
    forms = {
        "joined": _joined(collection, taught),
        "rows": _rows(collection, taught, whole=False),
        "whole_rows": _rows(collection, taught, whole=True),
    }
    for name, rows in forms.items():
        plain, packed = _sizes(rows)
        trial.figure(f"bytes/{name}", plain)
        trial.figure(f"packed/{name}", packed)
        trial.log(f"{name}: {plain:,} bytes, {packed:,} packed by zlib")


def _user(one: Asking) -> str:
    return one.id.rpartition("@")[2]


def _item(collection: Collection, place: int) -> dict[str, Any]:
    item = collection.items[place]
    return {"id": item.id, "title": item.title, **{n: list(v) for n, v in item.fields.items()}}


def _joined(collection: Collection, taught: list[Asking]) -> Iterator[dict[str, Any]]:
    """Items once, users once, what a user met once, and clicks by their ids (DPSR section 5.1.2)."""
    for place in range(collection.known):
        yield _item(collection, place)
    met: dict[str, dict[int, int]] = {}
    profiles: dict[str, Any] = {}
    for one in taught:
        profiles[_user(one)] = dict(one.profile)
        before = met.setdefault(_user(one), {})
        for place in one.history:
            before.setdefault(place, one.limit)
    for user, profile in profiles.items():
        yield {"id": user, **profile}
    for user, events in met.items():
        for place, time in events.items():
            yield {"user_id": user, "item_id": place + 1, "time": time}
    for one in taught:
        for place in sorted(one.relevant):
            yield {
                "query": one.text, "user_id": _user(one), "item_id": place + 1, "time": one.limit,
            }  # fmt: skip


def _rows(collection: Collection, taught: list[Asking], *, whole: bool) -> Iterator[dict[str, Any]]:
    """Every click with the features of its user and its item; what the user had met by id, or ``whole``."""
    for one in taught:
        history = [_item(collection, n) if whole else n + 1 for n in one.history]
        for place in sorted(one.relevant):
            yield {
                "query": one.text, **one.profile, "history": history, "item": _item(collection, place),
            }  # fmt: skip


def _sizes(rows: Iterable[dict[str, Any]]) -> tuple[int, int]:
    """Bytes as JSON lines, and packed at zlib's fastest."""
    packer, plain, packed = zlib.compressobj(1), 0, 0
    for row in rows:
        line = json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        plain += len(line)
        packed += len(packer.compress(line))
    return plain, packed + len(packer.flush())


if __name__ == "__main__":
    main(PAPER, "dpsr_input")
