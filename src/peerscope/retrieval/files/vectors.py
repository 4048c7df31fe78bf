"""Item vectors, embedded in parts that are kept until all is done, so that a stopped run goes on.

A part is known by what it was made from, the towers and the items' contents: a changed item costs its part
only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
import orjson

from peerscope.atomic import written
from peerscope.retrieval.schema import FloatArray, Item
from peerscope.retrieval.towers import TwoTowers

Progress = Callable[[str, int, int | None], None]

PART = 4096
"""Items of one part."""


def embedded(
    towers: TwoTowers,
    made_by: str,
    items: Sequence[Item],
    folder: Path,
    progress: Progress | None = None,
) -> FloatArray:
    """Vectors of items, shape ``[len(items), towers.dim]``.

    Args:
        towers: The towers.
        made_by: Names the towers, so that parts of others are not taken for theirs.
        items: The items.
        folder: Where the parts lie; the caller removes it when they are no longer needed.
        progress: Told of the stage.
    """
    found = np.zeros((len(items), towers.dim), np.float32)
    for start in range(0, len(items), PART):
        part = items[start : start + PART]
        path = folder / f"{_name(made_by, part)}.npy"
        known = _loaded(path, (len(part), towers.dim))
        if known is None:
            known = towers.embed_items(part)
            with written(path) as stream:
                np.save(stream, known)
        found[start : start + len(part)] = known
        if progress is not None:
            progress("embedding items", start + len(part), len(items))
    return found


def _loaded(path: Path, shape: tuple[int, int]) -> FloatArray | None:
    try:
        found: FloatArray = np.load(path)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.shape == shape else None


def _name(made_by: str, items: Sequence[Item]) -> str:
    digest = blake2b(made_by.encode(), digest_size=16)
    for item in items:
        fields = {name: item.fields[name] for name in sorted(item.fields)}
        digest.update(orjson.dumps([item.title, item.text, fields]))
    return digest.hexdigest()
