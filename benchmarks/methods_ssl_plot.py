"""Two drawings of self-supervised learning as SVG: a table in shades, and curves over steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

STYLE = (
    ".bg{fill:#fbfaf7}.t{fill:#1f1d1a}.m{fill:#5d594f;font-size:11.5px}.g{stroke:#8a8578;stroke-width:.4}"
    ".cell{fill:#0b5c66}.on{fill:#fbfaf7;font-size:11.5px}.off{fill:#1f1d1a;font-size:11.5px}"
    ".c0{stroke:#0b5c66}.c1{stroke:#a4481c}.c2{stroke:#7a5c9e}.c3{stroke:#8a8578}"
    ".k0{fill:#0b5c66}.k1{fill:#a4481c}.k2{fill:#7a5c9e}.k3{fill:#8a8578}"
    "polyline{fill:none;stroke-width:1.8}"
    "@media (prefers-color-scheme:dark){.bg{fill:#171613}.t{fill:#ece8de}.m{fill:#b3ad9e}.cell{fill:#6fc4cf}"
    ".on{fill:#171613}.off{fill:#ece8de}.c0{stroke:#6fc4cf}.c1{stroke:#eb9a6d}.c2{stroke:#bfa3e0}.c3{stroke:#9c9686}"
    ".k0{fill:#6fc4cf}.k1{fill:#eb9a6d}.k2{fill:#bfa3e0}.k3{fill:#9c9686}}"
)
Line = tuple[Sequence[float], Sequence[float]]


def _page(width: int, height: int, title: str, told: str, parts: Sequence[str]) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
            'aria-labelledby="t d" font-family="ui-sans-serif, system-ui, sans-serif" '
            'font-size="14">',
            f'<title id="t">{title}</title>',
            f'<desc id="d">{told}</desc>',
            f"<style>{STYLE}</style>",
            f'<rect class="bg" width="{width}" height="{height}" rx="8"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


def surface(rows: Sequence[Mapping[str, float]]) -> str:
    """W as a table in shades.

    Args:
        rows: ``negatives``, ``temperature`` and ``share`` of every cell.
    """
    numbers = sorted({row["negatives"] for row in rows})
    temperatures = sorted({row["temperature"] for row in rows})
    left, top, wide, high = 130, 64, 62, 34
    title = "W, the weight of an anchor, over the number of negatives and the temperature"
    parts = [f'<text class="t" x="24" y="30">{title}</text>']
    for column, t in enumerate(temperatures):
        x = left + column * wide + wide / 2
        parts.append(f'<text class="m" x="{x}" y="{top - 8}" text-anchor="middle">{t:g}</text>')
    for line, number in enumerate(numbers):
        y = top + line * high + high / 2 + 4
        parts.append(
            f'<text class="m" x="{left - 10}" y="{y}" text-anchor="end">{number:,.0f}</text>'
        )
    for row in rows:
        x = left + temperatures.index(row["temperature"]) * wide
        y = top + numbers.index(row["negatives"]) * high
        shade = 0.06 + 0.94 * row["share"]
        kind = "on" if shade > 0.5 else "off"
        parts.append(
            f'<rect class="cell" x="{x + 1}" y="{y + 1}" width="{wide - 2}" height="{high - 2}" '
            f'opacity="{shade:.3f}"/>'
        )
        parts.append(
            f'<text class="{kind}" x="{x + wide / 2}" y="{y + high / 2 + 4}" '
            f'text-anchor="middle">{row["share"]:.3f}</text>'
        )
    bottom = top + len(numbers) * high
    parts.append(
        f'<text class="m" x="24" y="{bottom + 26}">Rows: negatives; columns: temperature; positive at '
        "cosine 0.8, negatives random directions in 128 dimensions.</text>"
    )
    told = "; ".join(
        f"{row['negatives']:.0f} negatives at {row['temperature']:g}: {row['share']:.3f}"
        for row in rows
    )
    return _page(left + len(temperatures) * wide + 24, bottom + 44, title, told, parts)


def curves(title: str, lines: Mapping[str, Sequence[Line]]) -> str:
    """Values from 0 to 1 over steps, one colour a name, one curve a seed."""
    left, top, wide, high = 60, 56, 560, 240
    last = max(max(steps) for runs in lines.values() for steps, _ in runs)
    parts = [f'<text class="t" x="24" y="30">{title}</text>']
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = top + high * (1 - value)
        parts.append(f'<path class="g" d="M{left} {y:.1f}H{left + wide}"/>')
        parts.append(
            f'<text class="m" x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
        )
    for step in range(0, int(last) + 1, max(int(last) // 5, 1)):
        x = left + wide * step / last
        parts.append(
            f'<text class="m" x="{x:.1f}" y="{top + high + 20}" text-anchor="middle">{step}</text>'
        )
    for place, (name, runs) in enumerate(lines.items()):
        for steps, values in runs:
            points = " ".join(
                f"{left + wide * step / last:.1f},{top + high * (1 - value):.1f}"
                for step, value in zip(steps, values, strict=True)
            )
            parts.append(f'<polyline class="c{place}" points="{points}"/>')
        x, y = left + place * 150, top + high + 48
        parts.append(f'<circle class="k{place}" cx="{x}" cy="{y - 4}" r="4"/>')
        parts.append(f'<text class="m" x="{x + 10}" y="{y}">{name}</text>')
    told = "; ".join(
        f"{name} ends at {', '.join(f'{values[-1]:.3f}' for _, values in runs)}"
        for name, runs in lines.items()
    )
    return _page(left + wide + 30, top + high + 64, title, told, parts)
