"""Lines over a number, panel beside panel, as an SVG that follows a dark page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, LEFT, TOP, GAP = 300, 210, 58, 52, 70
COLOURS = {"a": ("#0b5c66", "#6fc4cf"), "b": ("#a4481c", "#eb9a6d"), "c": ("#5b5bb0", "#a9a9f0")}
COLOURS |= {"d": ("#6d7a1f", "#c3d06a"), "e": ("#8a8578", "#9c9686"), "f": ("#9b2d6b", "#e58cc0")}
DASHES = ("", "5 3", "2 2", "7 2 2 2")


@dataclass(frozen=True, slots=True)
class Panel:
    """One diagram.

    Attributes:
        title: Above it.
        across: What its x axis shows.
        series: Name to points (x, y).
        logarithmic: Whether x is drawn by its logarithm.
    """

    title: str
    across: str
    series: Mapping[str, Sequence[tuple[float, float]]]
    logarithmic: bool = False


def draw(title: str, panels: Sequence[Panel]) -> str:
    """The SVG; a name has the same colour in every panel, and its values are in the description."""
    names = list(dict.fromkeys(name for panel in panels for name in panel.series))
    columns = 2 if len(panels) > 3 else len(panels)
    down = math.ceil(len(panels) / columns)
    width = LEFT + columns * (WIDTH + GAP)
    legend = down * (TOP + HEIGHT + 44) + 14
    rows = math.ceil(len(names) / 4)
    height = legend + 20 * rows
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'aria-labelledby="t d" font-family="ui-sans-serif, system-ui, sans-serif" font-size="14">',
        f'<title id="t">{title}</title>',
        f'<desc id="d">{" ".join(_told(panel) for panel in panels)}</desc>',
        f"<style>{_style(len(names))}</style>",
        f'<rect class="bg" width="{width}" height="{height}" rx="8"/>',
    ]
    for place, panel in enumerate(panels):
        row, column = divmod(place, columns)
        parts.append(f'<g transform="translate(0 {row * (TOP + HEIGHT + 44)})">')
        parts += [*_panel(LEFT + column * (WIDTH + GAP), panel, names), "</g>"]
    for place, name in enumerate(names):
        x, y = LEFT + place % 4 * 175, legend + 20 * (place // 4)
        parts.append(f'<path class="l{place}" d="M{x} {y - 4}h22"/>')
        parts.append(f'<text class="m" x="{x + 28}" y="{y}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _style(count: int) -> str:
    keys = list(COLOURS)
    light = "".join(f".l{i}{{stroke:{COLOURS[keys[i % 6]][0]}}}" for i in range(count))
    dark = "".join(f".l{i}{{stroke:{COLOURS[keys[i % 6]][1]}}}" for i in range(count))
    dashes = "".join(
        f".l{i}{{stroke-dasharray:{DASHES[i % 4]}}}" for i in range(count) if DASHES[i % 4]
    )
    return (
        ".bg{fill:#fbfaf7}.t{fill:#1f1d1a}.m{fill:#5d594f;font-size:11.5px}.g{stroke:#8a8578;stroke-width:.4}"
        + "".join(f".l{i}{{fill:none;stroke-width:1.8}}" for i in range(count))
        + light
        + dashes
        + "@media (prefers-color-scheme:dark){.bg{fill:#171613}.t{fill:#ece8de}.m{fill:#b3ad9e}"
        + dark
        + "}"
    )


def _told(panel: Panel) -> str:
    lines = []
    for name, points in panel.series.items():
        picked = points[:: max(1, len(points) // 6)]
        lines.append(f"{name}: {', '.join(f'{y:.3g} at {x:g}' for x, y in picked)}.")
    return f"{panel.title}, over {panel.across}. {' '.join(lines)}"


def _panel(left: int, panel: Panel, names: Sequence[str]) -> list[str]:
    points = [point for line in panel.series.values() for point in line]
    place = math.log if panel.logarithmic else float
    first, last = min(place(x) for x, _ in points), max(place(x) for x, _ in points)
    low, high = _ends([y for _, y in points])

    def across(x: float) -> float:
        return left + (place(x) - first) / ((last - first) or 1) * WIDTH

    def up(y: float) -> float:
        return TOP + HEIGHT - (y - low) / (high - low) * HEIGHT

    parts = [f'<text class="t" x="{left}" y="{TOP - 20}">{panel.title}</text>']
    for value in _even(low, high):
        parts.append(f'<path class="g" d="M{left} {up(value):.1f}h{WIDTH}"/>')
        parts.append(
            f'<text class="m" x="{left - 6}" y="{up(value) + 4:.1f}" text-anchor="end">{value:.3g}</text>'
        )
    marks = sorted({x for x, _ in points})
    if len(marks) > 8:
        marks = _marks(marks, panel.logarithmic)
    parts += [
        f'<text class="m" x="{across(x):.1f}" y="{TOP + HEIGHT + 16}" text-anchor="middle">{x:g}</text>'
        for x in marks
    ]
    parts.append(
        f'<text class="m" x="{left + WIDTH / 2}" y="{TOP + HEIGHT + 34}" text-anchor="middle">'
        f"{panel.across}</text>"
    )
    for name, line in panel.series.items():
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in line)
        parts.append(f'<polyline class="l{names.index(name)}" points="{path}"/>')
    return parts


def _marks(values: Sequence[float], logarithmic: bool) -> list[float]:
    low, high = values[0], values[-1]
    if logarithmic:
        return [x for x in (1, 2, 5, 10, 20, 50, 100, 200, 500) if low <= x <= high]
    return [low, *(round(low + part * (high - low) / 4) for part in (1, 2, 3)), high]


def _even(low: float, high: float) -> list[float]:
    """Three to seven round numbers between the ends."""
    step = 10 ** math.floor(math.log10(high - low))
    step = next(s for s in (step / 5, step / 2, step, step * 2) if (high - low) / s <= 7)
    return [step * n for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _ends(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = 0.04 * ((high - low) or 1)
    return low - margin, high + margin
