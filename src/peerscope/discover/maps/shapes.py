"""What a map consists of: one row for a work, one for a tile, its regions, and what it says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from peerscope.retrieval.planar import Frame

WORK = np.dtype(
    [
        ("id", "<f8"),
        ("x", "<u2"),
        ("y", "<u2"),
        ("year", "<i2"),
        ("region", "<u2"),
        ("cited", "<u4"),
        ("type", "u1"),
        ("topic", "u1"),
    ]
)
"""A work as tiles carry it, 22 bytes. ``id`` is a float because scripts read it (exact to 2^53); ``year`` is
0 where none is stated; ``region`` is the number of the innermost one, 0 without; ``type`` counts from 0 into
`MapAbout.types`; ``topic`` counts from 1 into `MapAbout.topics`, 0 for none of them."""

TILE = np.dtype([("z", "u1"), ("x", "<u2"), ("y", "<u2"), ("begin", "<u4"), ("count", "<u2")])
"""Where the rows of a tile begin, and how many there are."""

COLOURED_TOPICS = 8
"""Topics that a map tells apart by colour and shape."""


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the map with a name.

    Attributes:
        number: From 1, within one map.
        level: 1 for the largest.
        parent: Number of the region it is part of.
        label: What sets its titles apart from those around.
        words: More such phrases.
        topics: Topics of the record that do so: number, name, how many of its works carry it.
        works: How many works it has.
        x: Where its name stands, in the unit square.
        y: Likewise, downwards.
        box: Left, top, right and bottom of nine tenths of its works.
    """

    number: int
    level: int
    parent: int | None
    label: str
    words: tuple[str, ...]
    topics: tuple[tuple[int, str, int], ...]
    works: int
    x: float
    y: float
    box: tuple[float, float, float, float]

    @classmethod
    def from_dict(cls, stated: dict[str, Any]) -> Region:
        """What `dataclasses.asdict` and JSON made of a region."""
        lists = {
            "words": tuple(stated["words"]),
            "topics": tuple((one, name, number) for one, name, number in stated["topics"]),
            "box": tuple(stated["box"]),
        }
        return cls(**{**stated, **lists})


@dataclass(frozen=True, slots=True)
class MapAbout:
    """What a map says of itself.

    Attributes:
        id: Short hash of its content; part of the address of its tiles.
        bundle: The bundle whose vectors it shows.
        made: ISO 8601, UTC.
        method: ``t-SNE`` or ``PCA``.
        library: What computed it, with its version.
        follows: The map that it was started from, if there was one.
        works: How many works it has.
        without_vector: Works of the bundle that no vector stands for.
        change_seq: The record's change number when the bundle was made.
        seconds: How long it took.
        kept: Share of the ten nearest works by meaning that are among the ten nearest on the map, over a
            sample.
        moved: Median distance from the map it follows, as a share of the map's width; over the works of both.
        frame: How places came into the unit square; the next map keeps it.
        types: Types of works, most frequent first.
        topics: Number and name of the topics told apart.
        years: Earliest and latest year stated; ``None`` where none is.
        files: Relative path to ``{"sha256", "bytes"}``.
    """

    id: str
    bundle: str
    made: str
    method: str
    library: str
    follows: str | None
    works: int
    without_vector: int
    change_seq: int
    seconds: float
    kept: float | None
    moved: float | None
    frame: Frame
    types: list[str]
    topics: list[tuple[int, str]]
    years: tuple[int, int] | None
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    format: int = 2
