"""The map as a picture without scripts: dots for many works, shapes for the most cited, names of regions.

Dots of one colour and size are one path of round points, so that a thousand of them cost ten kilobytes. Their
size says how many works stand there; shapes say with their form what they say with their colour.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from peerscope.discover.maps import OpenMap, Region, Window
from peerscope.discover.maps.view import OTHER
from peerscope.retrieval.schema import IntArray

SIDE = 640
"""Units of the picture along each side."""

ACROSS = 40
"""Hexagons along the side."""

SIZES = (2.5, 5, 8, 11, 14)
"""Diameters of dots, by how many works there are."""

SINGLE = 6.5
SINGLE_UP_TO = 400
"""Up to this many works each has a dot of its own."""

MOST_POINTS = 40
APART = 26.0
"""Units between two works that are drawn with a link."""

LONGEST_LABEL = 34
MARK = 22.0
FORMS = 6
"""Forms of points; the categories after them have the same forms, hollow."""


Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Lettering:
    """How names are set: how many at most, and how large in units of the picture."""

    most: int
    character: float
    line: float


WIDE = Lettering(most=14, character=9.4, line=17)
NARROW = Lettering(most=8, character=14.4, line=26)
"""On a phone the picture is half as wide, so letters are larger and fewer names have room."""


@dataclass(frozen=True, slots=True)
class Dots:
    """All dots of one category and size."""

    category: int
    size: float
    path: str


@dataclass(frozen=True, slots=True)
class Point:
    """A work with a link."""

    work_id: int
    x: float
    y: float
    category: int
    path: str
    found: bool


@dataclass(frozen=True, slots=True)
class Name:
    """The name of a region, in one or two lines."""

    region: Region
    x: float
    y: float
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MapPicture:
    """A window of the map ready to be drawn."""

    dots: tuple[Dots, ...]
    points: tuple[Point, ...]
    wide: tuple[Name, ...]
    narrow: tuple[Name, ...]
    here: tuple[float, float] | None
    single: bool
    most: int
    """Works of the largest dot."""


def pictured(
    found: OpenMap,
    window: Window,
    rows: IntArray,
    colour: str,
    *,
    hits: Sequence[int] = (),
    here: tuple[float, float] | None = None,
) -> MapPicture:
    """What a window shows.

    Args:
        found: The map.
        window: Which part of it.
        rows: Rows of the works in it, the most cited first.
        colour: What colours stand for (`peerscope.discover.maps.view.COLOURS`).
        hits: Rows of works that were searched for; drawn before the others.
        here: A place to mark, in the unit square.
    """
    categories = found.categories(colour)
    single = len(rows) <= SINGLE_UP_TO
    drawn: defaultdict[tuple[int, float], list[str]] = defaultdict(list)
    most = 1
    if single:
        for row, (x, y) in zip(rows.tolist(), found.places(rows), strict=True):
            drawn[int(categories[row]), SINGLE].append(_dot(window, x, y))
    else:
        spots = found.spots(rows, window.z, colour, ACROSS)
        most = max(spot.works for spot in spots)
        for spot in spots:
            drawn[spot.category, _size(spot.works, most)].append(_dot(window, spot.x, spot.y))
    inside = set(rows.tolist())
    first = [row for row in hits if row in inside]
    chosen = _apart(found, window, [*first, *rows[: 20 * MOST_POINTS].tolist()])
    wanted = set(first)
    points = tuple(
        Point(
            found.ids(np.asarray([row]))[0],
            round(x, 1),
            round(y, 1),
            int(categories[row]),
            form(int(categories[row]), x, y, 6.0 if row in wanted else 4.5),
            row in wanted,
        )
        for row, x, y in chosen
    )
    marked = _scaled(window, *here) if here is not None and window.shows(*here) else None
    return MapPicture(
        tuple(Dots(*key, "".join(paths)) for key, paths in sorted(drawn.items())),
        points,
        _names(found, window, WIDE, marked),
        _names(found, window, NARROW, marked),
        marked,
        single,
        most,
    )


def _scaled(window: Window, x: float, y: float) -> tuple[float, float]:
    return (x - window.left) / window.side * SIDE, (y - window.top) / window.side * SIDE


def _dot(window: Window, x: float, y: float) -> str:
    across, down = _scaled(window, x, y)
    return f"M{across:.0f} {down:.0f}h0"


def _size(works: int, most: int) -> float:
    """The diameter for a number of works: five steps of its root, so that areas go with numbers."""
    step = math.ceil(math.sqrt(works / most) * len(SIZES)) - 1
    return SIZES[min(max(step, 0), len(SIZES) - 1)]


def _apart(found: OpenMap, window: Window, rows: Sequence[int]) -> list[tuple[int, float, float]]:
    """The first of some rows that keep apart from each other on the picture."""
    places = found.places(np.asarray(rows, np.int64))
    kept: list[tuple[int, float, float]] = []
    for row, place in zip(rows, places, strict=True):
        x, y = _scaled(window, *place)
        if all((x - a) ** 2 + (y - b) ** 2 >= APART**2 for _, a, b in kept):
            kept.append((row, x, y))
        if len(kept) == MOST_POINTS:
            break
    return kept


def form(category: int, x: float, y: float, r: float) -> str:
    """The outline of a point of a category: disc, square, triangle, diamond, turned triangle, star."""
    kind = (category - 1) % FORMS if category != OTHER else 0
    if kind == 0:
        return f"M{x - r:.1f} {y:.1f}a{r:g} {r:g} 0 1 0 {2 * r:g} 0a{r:g} {r:g} 0 1 0 {-2 * r:g} 0z"
    if kind == 1:
        return f"M{x - r:.1f} {y - r:.1f}h{2 * r:g}v{2 * r:g}h{-2 * r:g}z"
    corners = {
        2: [(0, -1.2), (1.15, 0.9), (-1.15, 0.9)],
        3: [(0, -1.35), (1.35, 0), (0, 1.35), (-1.35, 0)],
        4: [(0, 1.2), (1.15, -0.9), (-1.15, -0.9)],
        5: [(0, -1.5), (0.45, -0.45), (1.5, 0), (0.45, 0.45), (0, 1.5), (-0.45, 0.45), (-1.5, 0),
            (-0.45, -0.45)],
    }[kind]  # fmt: skip
    points = " ".join(f"{x + r * a:.1f} {y + r * b:.1f}" for a, b in corners)
    return f"M{points}z"


def _names(
    found: OpenMap, window: Window, letters: Lettering, marked: tuple[float, float] | None
) -> tuple[Name, ...]:
    """Names of the regions in sight that have room: the largest level that tells the window apart first."""
    taken: list[Box] = []
    if marked is not None:
        x, y = marked
        taken.append((x - MARK, y - MARK, x + MARK, y + MARK))
    names: list[Name] = []
    for region in sorted(found.regions, key=lambda one: _turn(one, window.z)):
        if len(names) == letters.most or _turn(region, window.z)[0] > 1:
            break
        if not window.shows(region.x, region.y):
            continue
        x, y = _scaled(window, region.x, region.y)
        lines = _lines(region.label)
        half, line = letters.character * max(map(len, lines)) / 2 + 3, letters.line
        x = min(max(x, half), SIDE - half)
        y = min(max(y, line), SIDE - line * len(lines))
        box = (x - half, y - line, x + half, y + line * (len(lines) - 0.6))
        if not any(_covers(box, other) for other in taken):
            taken.append(box)
            names.append(Name(region, round(x, 1), round(y, 1), lines))
    return tuple(names)


def _turn(region: Region, z: float) -> tuple[int, int]:
    """In which turn a region is named at a level: those of its own level, one deeper, the rest."""
    own = 1 if z < 1 else 2 if z < 3 else 3
    return (0 if region.level == own else 1 if region.level == own - 1 else 2), -region.works


def _lines(label: str) -> tuple[str, ...]:
    """A label in one line, or two where it is long."""
    text = label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1].rstrip() + "…"
    words = text.split()
    if len(text) <= 16 or len(words) == 1:
        return (text,)
    split = min(
        range(1, len(words)),
        key=lambda at: max(len(" ".join(words[:at])), len(" ".join(words[at:]))),
    )
    return " ".join(words[:split]), " ".join(words[split:])


def _covers(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def legend(found: OpenMap, colour: str, types: Mapping[str, str]) -> list[tuple[int, str]]:
    """Category and what it stands for, in words."""
    about = found.about
    if colour == "topic":
        told = [(place, name) for place, (_, name) in enumerate(about.topics, start=1)]
        return [*told, (OTHER, "none of these")]
    if colour == "type":
        told = [(place, types.get(one, one)) for place, one in enumerate(found.types, start=1)]
        return [*told, (OTHER, "other kinds")]
    if colour == "year":
        steps = found.year_steps
        last = about.years[1] if about.years else None
        ends = [*(one - 1 for one in steps[1:]), last]
        told = [
            (place, f"{begin}" if begin == end else f"{begin} to {end}")
            for place, (begin, end) in enumerate(zip(steps, ends, strict=True), start=1)
        ]
        return [*told, (OTHER, "year not stated")]
    return [(region.number, region.label) for region in found.parts(None)]
