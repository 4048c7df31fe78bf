"""Markup for people: plain text, safe HTML, TeX."""

from __future__ import annotations

import html
import re
from functools import lru_cache

from peerscope.record.markup.clean import clean
from peerscope.record.markup.maths import maths_to_mathml
from peerscope.record.markup.nodes import CLOSE, MATHS, OPEN, TEXT, URL, parse, plain
from peerscope.record.markup.tex import surely_maths

_TAGS = {
    "emph": "em", "textbf": "strong", "textsuperscript": "sup", "textsubscript": "sub", "texttt": "code",
}  # fmt: skip
_SAFE_URL = re.compile(r"https?://[^\s<>\"']{3,2000}", re.IGNORECASE)
_SPECIAL = re.compile(r"[\\$<>&\"']")


def to_text(markup: str) -> str:
    """Markup as clean Unicode text, maths included (x² for ``$x^2$``)."""
    return plain(parse(clean(markup)))


def to_html(markup: str) -> str:
    """Markup, or plain text without any, as HTML that is safe within an element's content.

    All text is escaped; the elements are ``em``, ``strong``, ``sup``, ``sub``, ``code``, ``a`` with an
    http address, and MathML. Results are cached.

    Args:
        markup: What the record holds: ``title_markup or title``.
    """
    if not _SPECIAL.search(markup):
        return clean(markup)
    return _to_html(markup)


@lru_cache(maxsize=20_000)
def _to_html(markup: str) -> str:
    parts = []
    for kind, value in parse(clean(markup)):
        if kind == TEXT:
            parts.append(html.escape(value, quote=True))
        elif kind == MATHS:
            parts.append(maths_to_mathml(value))
        elif kind == URL:
            parts.append(_link(value))
        else:
            parts.append(f"<{_TAGS[value]}>" if kind == OPEN else f"</{_TAGS[value]}>")
    return "".join(parts)


def _link(url: str) -> str:
    shown = html.escape(url, quote=True)
    if not _SAFE_URL.fullmatch(url):
        return shown
    return f'<a href="{shown}" rel="nofollow noopener ugc">{shown}</a>'


_TEX = {
    "\\": r"\textbackslash{}", "{": r"\textbraceleft{}", "}": r"\textbraceright{}", "$": r"\$",
    "%": r"\%", "&": r"\&", "#": r"\#", "_": r"\_", "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}", "--": "-{}-", "``": "`{}`", "''": "'{}'",
}  # fmt: skip
_TEX_SPECIAL = re.compile(r"[\\{}$%&#_~^]|-(?=-)|`(?=`)|'(?=')")
_CAPITAL_WORD = re.compile(
    r"[^\s\-–—/:,;.()\[\]{}\\$`'\"“”]*[^\W\d_a-z][^\s\-–—/:,;.()\[\]{}\\$`'\"“”]*"
)


def escape_tex(text: str) -> str:
    """Plain text as TeX that prints it, with braces balanced for readers that count every brace."""
    return _TEX_SPECIAL.sub(lambda m: _TEX.get(m[0], m[0] + "{}"), text)


def to_tex(markup: str, *, protect: bool = False) -> str:
    """Markup as TeX for a BibTeX field; reading it with `from_tex` gives the same markup.

    Args:
        markup: Markup, or plain text without any.
        protect: Whether to put words with capitals in braces, so that no style lowers them.
    """
    events = parse(clean(markup))
    parts = []
    for index, (kind, value) in enumerate(events):
        if kind == TEXT:
            parts.append(_protected(value, first=index == 0) if protect else escape_tex(value))
        elif kind == MATHS:
            follows = events[index + 1][1][:1] if index + 1 < len(events) else ""
            if surely_maths(value, "", mixed=False):
                parts.append(f"${value}$" + ("{}" if follows.isdigit() or follows == "$" else ""))
            else:
                parts.append(f"\\({value}\\)")
        elif kind == URL:
            address = re.sub(r"[%&#_]", r"\\\g<0>", value)
            parts.append(f"\\url{{{address}}}")
        else:
            parts.append(f"\\{value}{{" if kind == OPEN else "}")
        if kind == CLOSE:
            continue
    return "".join(parts)


def _protected(text: str, *, first: bool) -> str:
    parts = []
    at = 0
    for word in _CAPITAL_WORD.finditer(text):
        plain_first = first and word.start() == 0 and word[0][1:].islower()
        if plain_first or not any(c.isupper() for c in word[0]):
            continue
        parts.append(escape_tex(text[at : word.start()]))
        # A ligature must not form across the brace that is about to be written.
        parts.append("{" + escape_tex(word[0]) + "}")
        at = word.end()
    parts.append(escape_tex(text[at:]))
    return "".join(parts)
