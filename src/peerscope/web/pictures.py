"""Draws badges and cards: SVG by hand, in two themes, without anything from elsewhere.

Text is laid out by the widths of a common sans-serif face, and held to them by ``textLength``.
"""

from __future__ import annotations

import unicodedata
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from markupsafe import escape

STYLE = (
    ".ink{color:#1f1d1a}.soft,.not_run{color:#5d594f}.reproduced,.exceeded{color:#1d6b3a}"
    ".partly,.not_resolved{color:#6b5a1d}.not_reproduced,.failed{color:#8c1d18}"
    "text{fill:currentColor}.mark{fill:none;stroke:currentColor}.paper{fill:#fff;stroke:#b9b3a4}.line{stroke:#b9b3a4}"
    "@media(prefers-color-scheme:dark){.ink{color:#ece8de}.soft,.not_run{color:#b3ad9e}"
    ".reproduced,.exceeded{color:#86cf9f}.partly,.not_resolved{color:#dcc983}"
    ".not_reproduced,.failed{color:#f2a59f}.paper{fill:#1e1d19;stroke:#4a463d}.line{stroke:#4a463d}}"
)
"""Colours by class, as in the site's style sheet; each is at least 4.5 to 1 on its paper."""

STYLE_HASH = f"sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}"
"""For a content security policy that allows this style and no other."""

MARKS = {
    "reproduced": "M4 10l4 4 8-9", "exceeded": "M10 16V4M5 9l5-5 5 5", "partly": "M4 10h12",
    "not_reproduced": "M5 5l10 10M15 5L5 15", "not_resolved": "M7 7a3 3 0 1 1 4 3c-1 .6-1 1-1 2.5M10 15.5v.5",
}  # fmt: skip
"""Verdict to the path of its mark in a square of 20: colour never carries it alone."""

NARROW, WIDE = set("fijlrtI.,:;'|!()[] "), set("mwMW@%")
LONGEST = 90
NARROWEST = 360.0


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text: its size in pixels, the class of its colour, its weight."""

    text: str
    size: float
    colour: str = "ink"
    weight: int = 400

    @property
    def width(self) -> float:
        """In pixels."""
        return text_width(self.text) * self.size * (1.07 if self.weight > 400 else 1)

    def drawn(self, x: float, y: float) -> str:
        """As an element."""
        return (
            f'<text class="{self.colour}" x="{x:.0f}" y="{y:.0f}" font-size="{self.size}" '
            f'font-weight="{self.weight}" textLength="{self.width:.0f}" '
            f'lengthAdjust="spacingAndGlyphs">{escape(_plain(self.text))}</text>'
        )


Verdicts = Sequence[tuple[str, Line]]
"""A verdict, or an empty text for a line without a mark, and its words."""


def text_width(text: str) -> float:
    """Width of a text set at size 1."""
    total = 0.0
    for character in text:
        if unicodedata.east_asian_width(character) in "WF":
            total += 1.0
        elif not unicodedata.combining(character):
            total += 0.3 if character in NARROW else 0.85 if character in WIDE else 0.56
    return total


def cut(text: str, most: int = LONGEST) -> str:
    """A text of at most so many characters."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def badge(title: str, name: Line, verdicts: Verdicts) -> str:
    """One line: a name, and what stands of it."""
    split = name.width + 18
    inside = name.drawn(9, 15) + f'<path class="line" d="M{split:.0f} 1v20"/>'
    x = split + 5
    for state, words in verdicts:
        if state:
            inside += _mark(state, x, 1.5)
            x += 23
        else:
            x += 4
        inside += words.drawn(x, 15)
        x += words.width + 9
    return _svg(x, 22, title, inside)


def card(title: str, verdicts: Verdicts, lines: Sequence[Line]) -> str:
    """Several lines, the verdicts above them."""
    inside, x, y = "", 14.0, 31.0
    for state, words in verdicts:
        inside += _mark(state, x, 12) + words.drawn(x + 26, 27)
        x += words.width + 42
    if verdicts:
        y = 52.0
    for line in lines:
        inside += line.drawn(16, y)
        y += 21
    width = max([NARROWEST, x, *(line.width + 34 for line in lines)])
    return _svg(width, y - 7, title, inside)


def _mark(state: str, x: float, y: float) -> str:
    path = MARKS.get(state)
    if path is None:
        return (
            f'<circle class="mark {state}" cx="{x + 10:.0f}" cy="{y + 10:.1f}" r="6" '
            'stroke-width="1.6" stroke-dasharray="2.4 2.4"/>'
        )
    return (
        f'<path class="mark {state}" transform="translate({x:.0f} {y})" d="{path}" '
        'stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round"/>'
    )


def _svg(width: float, height: float, title: str, inside: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-labelledby="t" '
        'font-family="Segoe UI, Helvetica, Arial, DejaVu Sans, sans-serif">'
        f'<title id="t">{escape(_plain(title))}</title><style>{STYLE}</style>'
        f'<rect class="paper" x=".5" y=".5" width="{width - 1:.0f}" height="{height - 1:.0f}" rx="4"/>'
        f"{inside}</svg>"
    )


def _plain(text: str) -> str:
    """Without the characters that XML does not have."""
    return "".join(c for c in text if c >= " " and c not in "\ufffe\uffff")
