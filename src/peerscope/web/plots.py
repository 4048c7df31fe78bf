"""Figures of attempts as pictures: intervals beside their bound, and curves; geometry only, no colours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from peerscope.reproduce.verdict import CheckResult

STRIP_WIDTH, STRIP_HEIGHT, STRIP_MARGIN = 320, 44, 10
WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 34
MOST_LINES = 8


def told(value: float) -> str:
    """A number to three significant digits, as a page shows it."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    size = abs(value)
    if size < 1e-3 or size >= 1e6:
        mantissa, _, power = f"{value:.1e}".partition("e")
        return f"{mantissa} × 10{_raised(int(power))}".replace("-", "−", 1 if value < 0 else 0)
    digits = max(0, 2 - math.floor(math.log10(size)))
    return f"{value:,.{digits}f}".replace("-", "−")


def _raised(power: int) -> str:
    return str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _tick(value: float) -> str:
    return f"{value:,.6g}".replace("-", "−")


@dataclass(frozen=True, slots=True)
class Strip:
    """One check on a line of its own: the interval, a dot a seed, the bound and the claimed side.

    All are positions in units of a picture of `STRIP_WIDTH` by `STRIP_HEIGHT`.
    """

    low: float
    high: float
    middle: float
    seeds: tuple[float, ...]
    bound: float
    claimed: tuple[float, float]
    """From where to where the claim says that it lies."""
    least: str
    most: str
    bound_told: str


def strip(check: CheckResult, relation: str, bound: float, tolerance: float | None) -> Strip:
    """Lay out one check."""
    half = tolerance or 0.0
    values = [check.low, check.high, *check.per_seed, bound - half, bound + half]
    least, most = min(values), max(values)
    room = 0.08 * (most - least) or abs(bound) * 0.1 or 1.0
    least, most = least - room, most + room

    def at(value: float) -> float:
        share = (value - least) / (most - least)
        return round(STRIP_MARGIN + share * (STRIP_WIDTH - 2 * STRIP_MARGIN), 1)

    claimed = {
        "above": (at(bound), float(STRIP_WIDTH)),
        "below": (0.0, at(bound)),
        "within": (at(bound - half), at(bound + half)),
    }[relation]
    return Strip(
        at(check.low), at(check.high), at(check.measured),
        tuple(at(value) for value in check.per_seed), at(bound), claimed,
        told(least + room), told(most - room), told(bound),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a plot: the path of the mean over seeds, those of the seeds, and how it ends."""

    label: str
    place: int
    mean: str
    seeds: tuple[str, ...]
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Curves laid out in a picture of `WIDTH` by `HEIGHT`; ticks are position and label."""

    name: str
    lines: tuple[Line, ...]
    across: tuple[tuple[float, str], ...]
    up: tuple[tuple[float, str], ...]
    logarithmic: bool
    left_out: int


Curve = Mapping[str, Sequence[Sequence[float]]]


def plot(name: str, seeds: Sequence[Curve]) -> Plot | None:
    """Lay out the curves of one name; ``None`` if there is not one point.

    Positions that grow by more than a hundredfold, all above 0, are drawn on a logarithmic axis.

    Args:
        name: Of the plot.
        seeds: Of each seed, label to positions and values.
    """
    labels = list(dict.fromkeys(label for seed in seeds for label in seed))
    drawn = {
        label: [seed[label] for seed in seeds if seed.get(label, ((),))[0]] for label in labels
    }
    drawn = {label: found for label, found in drawn.items() if found}
    if not drawn:
        return None
    left_out = max(0, len(drawn) - MOST_LINES)
    drawn = dict(list(drawn.items())[:MOST_LINES])
    xs = [x for found in drawn.values() for one in found for x in one[0]]
    ys = [y for found in drawn.values() for one in found for y in one[1]]
    logarithmic = min(xs) > 0 and max(xs) / min(xs) > 100 and len(set(xs)) <= 24
    across = _axis(min(xs), max(xs), logarithmic)
    up = _axis(min(ys), max(ys), False)

    def x_at(value: float) -> float:
        return round(LEFT + across.share(value) * (WIDTH - LEFT - RIGHT), 1)

    def y_at(value: float) -> float:
        return round(HEIGHT - BOTTOM - up.share(value) * (HEIGHT - TOP - BOTTOM), 1)

    def path(one: Sequence[Sequence[float]]) -> str:
        return "M" + "L".join(f"{x_at(x)} {y_at(y)}" for x, y in zip(one[0], one[1], strict=True))

    lines = []
    for place, (label, found) in enumerate(drawn.items()):
        mean = _mean(found)
        lines.append(
            Line(label, place, path(mean), tuple(path(one) for one in found) if len(found) > 1 else (),
                 told(mean[1][0]), told(mean[1][-1]))
        )  # fmt: skip
    return Plot(
        name, tuple(lines),
        tuple((x_at(value), _tick(value)) for value in across.ticks),
        tuple((y_at(value), _tick(value)) for value in up.ticks),
        logarithmic, left_out,
    )  # fmt: skip


def _mean(found: Sequence[Sequence[Sequence[float]]]) -> Sequence[Sequence[float]]:
    """The mean line where all seeds have the same positions, else the first seed's."""
    if any(list(one[0]) != list(found[0][0]) for one in found):
        return found[0]
    means = [sum(column) / len(found) for column in zip(*(one[1] for one in found), strict=True)]
    return [found[0][0], means]


@dataclass(frozen=True, slots=True)
class _Axis:
    least: float
    most: float
    logarithmic: bool
    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        if self.logarithmic:
            return math.log(value / self.least) / math.log(self.most / self.least)
        return (value - self.least) / (self.most - self.least)


def _axis(least: float, most: float, logarithmic: bool) -> _Axis:
    if logarithmic:
        powers = range(math.ceil(math.log10(least)), math.floor(math.log10(most)) + 1)
        return _Axis(least, most, True, tuple(10.0**power for power in powers))
    if most - least <= 1e-9 * max(abs(least), abs(most), 1e-9):
        room = max(abs(least) * 0.1, 1e-12) if least else 1.0
        least, most = least - room, most + room
    step = 10.0 ** math.floor(math.log10((most - least) / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if (most - least) / (step * factor) <= 6)
    first = math.floor(least / step + 1e-9)
    last = math.ceil(most / step - 1e-9)
    ticks = tuple(float(f"{number * step:.12g}") for number in range(first, last + 1))
    return _Axis(ticks[0], ticks[-1], False, ticks)
