r"""The grammar of Peerscope markup: a flat list of events, its written form, its plain text.

Markup is Unicode text with TeX maths in ``$...$`` and the commands of `COMMANDS`, ``\emph{so}``; a
backslash before ``\``, ``$``, ``{`` or ``}`` makes the character literal. Reading never fails: what
does not close is plain text. A plain text that reads as itself needs no markup, so that
``markup or text`` may be given to every function that takes markup.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from peerscope.record.markup.clean import squeeze
from peerscope.record.markup.maths import balanced, maths_to_text, tidy_maths

COMMANDS = ("emph", "textbf", "textsuperscript", "textsubscript", "texttt")
"""Commands with content; ``\\url{...}`` stands beside them and holds an address."""

MAX_DEPTH = 8
"""Commands nested deeper than this lose their effect, never their content."""

TEXT, MATHS, OPEN, CLOSE, URL = "text", "maths", "open", "close", "url"

Event = tuple[str, str]
"""A kind (`TEXT`, `MATHS`, `OPEN`, `CLOSE`, `URL`) and its text, TeX, command or address."""

_TOKEN = re.compile(
    r"\\([\\${}])|\\("
    + "|".join(COMMANDS)
    + r")\{|\\url\{([^{}\s]*)\}|\$((?:[^$\\]|\\.)+)\$|([{}])",
    re.DOTALL,
)
_ESCAPE = re.compile(r"[\\${}]")
_SPECIAL = re.compile(r"[\\$]")


class Marked(NamedTuple):
    """Clean Unicode ``text`` and the same as ``markup``, ``None`` where both agree."""

    text: str
    markup: str | None


def parse(markup: str) -> list[Event]:
    """Read markup (or plain text) as events; `OPEN` and `CLOSE` are always balanced."""
    if not _SPECIAL.search(markup):
        return [(TEXT, markup)] if markup else []
    events: list[Event] = []
    frames: list[int] = []  # index of the OPEN event, or -1 for a bare brace
    at = 0
    for token in _TOKEN.finditer(markup):
        if token.start() > at:
            events.append((TEXT, markup[at : token.start()]))
        at = token.end()
        literal, command, url, maths, brace = token.groups()
        if literal:
            events.append((TEXT, literal))
        elif command:
            frames.append(len(events))
            events.append((OPEN, command))
        elif url is not None:
            events.append((URL, url))
        elif maths:
            events.append((MATHS, maths))
        elif brace == "{":
            frames.append(-1)
            events.append((TEXT, "{"))
        else:
            start = frames.pop() if frames else -1
            events.append((TEXT, "}") if start < 0 else (CLOSE, events[start][1]))
    if at < len(markup):
        events.append((TEXT, markup[at:]))
    for start in frames:
        if start >= 0:
            events[start] = (TEXT, f"\\{events[start][1]}{{")
    return _merge(events)


def _merge(events: list[Event]) -> list[Event]:
    """Join neighbouring texts and let commands below `MAX_DEPTH` go."""
    merged: list[Event] = []
    depth = 0
    for kind, value in events:
        if kind == OPEN:
            depth += 1
            if depth > MAX_DEPTH:
                continue
        elif kind == CLOSE:
            depth -= 1
            if depth >= MAX_DEPTH:
                continue
        elif kind == TEXT and merged and merged[-1][0] == TEXT:
            merged[-1] = (TEXT, merged[-1][1] + value)
            continue
        if value:
            merged.append((kind, value))
    return merged


def plain(events: list[Event]) -> str:
    """The events as clean Unicode text."""
    parts = []
    for kind, value in events:
        if kind in (TEXT, URL):
            parts.append(value)
        elif kind == MATHS:
            parts.append(maths_to_text(value))
    # Where markup ended between a letter and its accent, the two meet only now.
    return unicodedata.normalize("NFC", squeeze("".join(parts)))


def escape(text: str) -> str:
    """Plain text as markup that says exactly it."""
    return _ESCAPE.sub(r"\\\g<0>", text)


def marked(events: list[Event]) -> Marked:
    """Bring events into their one canonical written form.

    White space is collapsed across events, commands without content disappear, and the markup is
    ``None`` where the plain text says the same.
    """
    events = _settle(events)
    text = plain(events)
    if all(kind == TEXT for kind, _ in events):
        alone = parse(text)
        return Marked(text, None if alone == [(TEXT, text)] or not text else escape(text))
    return Marked(text, write(events))


def write(events: list[Event]) -> str:
    """Events as markup."""
    parts = []
    for kind, value in events:
        if kind == TEXT:
            parts.append(escape(value))
        elif kind == MATHS:
            parts.append(f"${value}$")
        elif kind == URL:
            parts.append(f"\\url{{{value}}}")
        else:
            parts.append(f"\\{value}{{" if kind == OPEN else "}")
    return "".join(parts)


def _settle(events: list[Event]) -> list[Event]:
    """Canonical events: one space between words, none at the ends, no empty command."""
    settled: list[Event] = []
    space = True
    for kind, value in _merge(events):
        if kind == MATHS:
            value = tidy_maths(value)
            if not value:
                continue
            if not balanced(value):
                kind, value = TEXT, maths_to_text(value)
        if kind == TEXT:
            starts = value[:1].isspace()
            inner = squeeze(value)
            ends = value[-1:].isspace()
            value = ("" if space or not starts else " ") + inner + (" " if ends and inner else "")
            if not value:
                continue
            space = value.endswith(" ")
        elif kind in (MATHS, URL):
            space = False
        if kind == CLOSE and settled and settled[-1] == (OPEN, value):
            settled.pop()
            continue
        settled.append((kind, value))
    return _strip_end(_merge(settled))


def _strip_end(events: list[Event]) -> list[Event]:
    """Take the space away that no further word follows, also inside closing commands."""
    at = len(events) - 1
    while at >= 0 and events[at][0] == CLOSE:
        at -= 1
    if at >= 0 and events[at][0] == TEXT and events[at][1].endswith(" "):
        value = events[at][1].rstrip()
        changed = [*events[:at], *([(TEXT, value)] if value else []), *events[at + 1 :]]
        return _settle(changed)
    return events
