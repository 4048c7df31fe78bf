"""The alpha sweep as SVG: Top-1 and popularity over the share of uniformly drawn negatives (figure 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

WIDTH, HEIGHT, LEFT, TOP, GAP = 330, 230, 60, 56, 60
STYLE = (
    ".bg{fill:#fbfaf7}.t{fill:#1f1d1a}.m{fill:#5d594f;font-size:11.5px}.g{stroke:#8a8578;stroke-width:.4}"
    ".printed{stroke:#8a8578;fill:#8a8578}.paper{stroke:#0b5c66;fill:#0b5c66}.best{stroke:#a4481c;fill:#a4481c}"
    "polyline{fill:none!important;stroke-width:1.8}.l{stroke:none!important;font-size:11.5px}"
    "@media (prefers-color-scheme:dark){.bg{fill:#171613}.t{fill:#ece8de}.m{fill:#b3ad9e}"
    ".printed{stroke:#9c9686;fill:#9c9686}.paper{stroke:#6fc4cf;fill:#6fc4cf}.best{stroke:#eb9a6d;fill:#eb9a6d}}"
)
NAMES = {"printed": "printed", "paper": "configuration paper", "best": "configuration best"}


def draw(
    alphas: Sequence[float],
    printed: Mapping[float, tuple[float, float, float]],
    values: Mapping[str, Mapping[str, Sequence[Sequence[float]]]],
) -> str:
    """Two panels; a point is the mean over seeds, a bar its range.

    Args:
        alphas: Positions on the axis.
        printed: Top-1, AUC and popularity of figure 7 by alpha.
        values: Configuration to measure (``top1``, ``popularity``) to the seeds' values at each alpha; an
            alpha without a value is left out.
    """
    first = {"printed": [[printed[alpha][0]] for alpha in alphas]}
    second = {"printed": [[printed[alpha][2]] for alpha in alphas]}
    for name, measures in values.items():
        first[name] = [list(found) for found in measures["top1"]]
        second[name] = [list(found) for found in measures["popularity"]]
    # The printed popularity has another unit, which the paper does not define: only its course compares.
    scaled = {name: _relative(rows) for name, rows in second.items()}
    width = LEFT + 2 * (WIDTH + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT + TOP + 70}" role="img" '
        'aria-labelledby="t d" font-family="ui-sans-serif, system-ui, sans-serif" font-size="14">',
        '<title id="t">Share of random negatives against Top-1 and popularity</title>',
        f'<desc id="d">{_described(alphas, first, "Top-1")}',
        f"{_described(alphas, scaled, 'Popularity')}</desc>",
        f"<style>{STYLE}</style>",
        f'<rect class="bg" width="{width}" height="{HEIGHT + TOP + 70}" rx="8"/>',
        _panel(LEFT, "Top-1 among 1,024", alphas, first),
        _panel(LEFT + WIDTH + GAP, "Popularity, alpha 0 = 1", alphas, scaled),
    ]
    for number, (name, label) in enumerate(NAMES.items()):
        x, y = LEFT + number * 190, HEIGHT + TOP + 52
        parts.append(f'<circle class="{name}" cx="{x}" cy="{y - 4}" r="4"/>')
        parts.append(f'<text class="m" x="{x + 10}" y="{y}">{label}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _relative(rows: Sequence[Sequence[float]]) -> list[list[float]]:
    if not rows or not rows[0]:
        return [list(row) for row in rows]
    base = float(np.mean(rows[0]))
    return [[value / base for value in row] for row in rows]


def _described(
    alphas: Sequence[float], lines: Mapping[str, Sequence[Sequence[float]]], what: str
) -> str:
    found = []
    for name, rows in lines.items():
        told = [
            f"{np.mean(row):.2f} at {alpha}" for alpha, row in zip(alphas, rows, strict=True) if row
        ]
        found.append(f"{what}, {NAMES[name]}: {', '.join(told)}.")
    return " ".join(found)


def _panel(
    left: int, title: str, alphas: Sequence[float], lines: Mapping[str, Sequence[Sequence[float]]]
) -> str:
    every = [value for rows in lines.values() for row in rows for value in row]
    low, high = min(every), max(every)
    margin = 0.08 * (high - low or 1.0)
    low, high = max(low - margin, 0.0), high + margin

    def across(alpha: float) -> float:
        return left + 12 + alpha * (WIDTH - 24)

    def up(value: float) -> float:
        return TOP + HEIGHT - (value - low) / (high - low) * HEIGHT

    parts = [f'<text class="t" x="{left}" y="{TOP - 22}">{title}</text>']
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        value = low + share * (high - low)
        y = up(value)
        parts.append(f'<path class="g" d="M{left} {y:.1f}H{left + WIDTH}"/>')
        parts.append(
            f'<text class="m" x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.2f}</text>'
        )
    parts += [
        f'<text class="m" x="{across(alpha):.1f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">'
        f"{alpha:g}</text>"
        for alpha in alphas
    ]
    for name, rows in lines.items():
        points = [(across(a), row) for a, row in zip(alphas, rows, strict=True) if row]
        line = " ".join(f"{x:.1f},{up(float(np.mean(row))):.1f}" for x, row in points)
        parts.append(f'<polyline class="{name}" points="{line}"/>')
        for x, row in points:
            parts.append(
                f'<path class="{name}" d="M{x:.1f} {up(min(row)):.1f}V{up(max(row)):.1f}"/>'
            )
            middle = up(float(np.mean(row)))
            parts.append(f'<circle class="{name}" cx="{x:.1f}" cy="{middle:.1f}" r="3.2"/>')
    return "\n".join(parts)
