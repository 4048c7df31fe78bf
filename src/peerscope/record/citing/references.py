"""Works as references in a citation style: plain text, and HTML that is safe in a page."""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from citeproc.source import Date, Name, Reference
from citeproc.string import NoCase

from peerscope.record.citing.processor import MARKS, PRIVATE, QUOTE_END, TITLE_END, Field
from peerscope.record.citing.styles import Styles
from peerscope.record.importers.bibliography import suffix_of
from peerscope.record.importers.csl import CSL_TYPES, TYPES
from peerscope.record.markup import to_text
from peerscope.record.markup.nodes import CLOSE, MATHS, OPEN, parse
from peerscope.record.names import PARTICLES, SUFFIXES, is_whole
from peerscope.record.parsed import ParsedAuthor, ParsedWork

log = logging.getLogger(__name__)

MOST_NAMES = 200
"""Authors that a reference is made of; the styles that print all of them print no more."""

_TAGS = {
    "Italic": "i", "Bold": "b", "Superscript": "sup", "Subscript": "sub", "SmallCaps": "span",
    "Code": "code",
}  # fmt: skip
_COMMANDS = {
    "emph": "Italic", "textbf": "Bold", "textsuperscript": "Superscript", "textsubscript": "Subscript",
    "texttt": "Code",
}  # fmt: skip
_OPENING = {before: kind for kind, (before, _) in MARKS.items()}
_CLOSING = {after: kind for kind, (_, after) in MARKS.items()}
_MARK = re.compile(f"([{''.join([*_OPENING, *_CLOSING])}])")
_CLOSED = f"[{''.join(_CLOSING)}]*"
_AFTER_TITLE = re.compile(f"([.?!…]{_CLOSED}){TITLE_END}({_CLOSED}[”’»\"']?{QUOTE_END}?)[.]")
_TWICE = re.compile(f"([.,;:])([{''.join(_CLOSING)}]+)\\1")
_QUOTED = re.compile(f"([”’»\"']){QUOTE_END}([.,])")
_GROUP = re.compile(
    r"\b(team|collaboration|consortium|group|committee|council|network|initiative|organi[sz]ation"
    r"|association|society|institute|university|laboratory|foundation|project|inc|ltd|llc)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Cited:
    """A reference: the work's number, the text, and the same as HTML (escaped, with ``i``, ``b``, ...)."""

    work: int
    text: str
    html: str


class _Item(dict[str, Any]):
    """A reference as the package's elements ask for it."""

    has_locator = False

    def __init__(self, work: int, reference: Reference) -> None:
        super().__init__()
        self.work, self.reference, self.number = work, reference, 0

    @property
    def key(self) -> int:
        return self.work

    def get_field(self, name: str) -> str | None:
        value = self.reference.get(name)
        return None if value is None else str(value)


def cite(
    works: Sequence[tuple[int, ParsedWork]],
    styles: Styles,
    style: str,
    locale: str = "",
    first: int = 1,
) -> list[Cited]:
    """References of works, in the order of the style: by author, say, or as given.

    Each stands for itself: years get no letters, and repeated authors no dash. One reference bears no number,
    several do where the style counts.

    Args:
        works: Number and statement of each.
        styles: The styles of the site.
        style: Name of a style.
        locale: As ``en-US``; the style's own if empty.
        first: Number of the first reference, where these are the page of a longer list.

    Raises:
        UnknownStyleError: There is no such style or locale.
    """
    with styles.opened(style, locale) as opened:
        items = [_Item(number, _reference(number, work)) for number, work in works]
        if len(items) > 1 and not opened.numbers:
            try:
                items = opened.sort(items)
            except Exception:
                log.exception("The order of the style %s could not be found out.", style)
        for place, item in enumerate(items, first):
            item.number = place
        numbered = len(items) > 1 or first > 1
        stated = dict(works)
        found = []
        for item in items:
            try:
                marked = opened.write(item, numbered=numbered)
            except Exception:
                # A style is a program in XML; one work that it trips over must not cost the list.
                log.exception("W%d could not be written in the style %s.", item.work, style)
                marked = ""
            found.append(_written(item.work, marked or _plain(stated[item.work])))
    return found


def _plain(work: ParsedWork) -> str:
    """What is left where a style cannot say a work."""
    return f"{work.title}{f' ({work.year})' if work.year else ''}".translate(PRIVATE)


def _written(number: int, marked: str) -> Cited:
    marked = _AFTER_TITLE.sub(r"\1\2", " ".join(marked.split()))
    marked = _QUOTED.sub(r"\2\1", marked.replace(TITLE_END, ""))
    marked = _TWICE.sub(r"\1\2", marked)
    # The space of a title in typewriter letters, say, is where the mark is not.
    marked = re.sub(r" +([,.;:])(?=\s|$)", r"\1", marked.replace(QUOTE_END, "").strip())
    parts, open_now = [], []
    for piece in _MARK.split(marked):
        if piece in _OPENING:
            open_now.append(_OPENING[piece])
            parts.append(_tag(_OPENING[piece]))
        elif piece in _CLOSING:
            if _CLOSING[piece] in open_now:
                while (last := open_now.pop()) != _CLOSING[piece]:
                    parts.append(f"</{_TAGS[last]}>")
                parts.append(f"</{_TAGS[last]}>")
        else:
            parts.append(html.escape(piece))
    parts += [f"</{_TAGS[kind]}>" for kind in reversed(open_now)]
    return Cited(number, _MARK.sub("", marked), "".join(parts))


def _tag(kind: str) -> str:
    return '<span class="small-caps">' if kind == "SmallCaps" else f"<{_TAGS[kind]}>"


def _reference(number: int, work: ParsedWork) -> Reference:
    kept = work.extra.get("csl_type", "")
    kind = kept if TYPES.get(kept) == work.type else CSL_TYPES.get(work.type, "document")
    arxiv = work.ids.get("arxiv")
    address = work.url or (f"https://arxiv.org/abs/{arxiv}" if arxiv else None)
    texts = {
        "title": _marked(work.title_markup or work.title),
        "container_title": _clean(None if work.type == "preprint" else work.venue),
        # A repository publishes a preprint; it does not contain it as a journal does.
        "publisher": _clean(work.publisher or (work.venue if work.type == "preprint" else None)),
        "publisher_place": _clean(work.extra.get("publisher-place") or work.extra.get("address")),
        "volume": _clean(work.volume),
        "issue": _clean(work.issue),
        "page": _clean(work.pages),
        "edition": _clean(work.extra.get("edition")),
        "genre": _clean(work.extra.get("genre")),
        # A DOI or an arXiv number is no word, and keeps its letters.
        "DOI": _exact(work.ids.get("doi")),
        "URL": _exact(address),
        "number": _exact(f"arXiv:{arxiv}") if arxiv and work.type == "preprint" else None,
    }
    given: dict[str, Any] = {name: text for name, text in texts.items() if text}
    if work.language:
        given["language"] = work.language
    for role, people in (("author", work.authors), ("editor", work.editors)):
        if people:
            given[role] = [_name(one) for one in people[:MOST_NAMES]]
    if issued := _issued(work):
        given["issued"] = issued
    return Reference(str(number), kind, **given)


def _clean(text: str | None) -> Field | None:
    return Field(" ".join(text.translate(PRIVATE).split())) if text else None


def _exact(text: str | None) -> NoCase | None:
    return NoCase(text.translate(PRIVATE)) if text else None


def _marked(markup: str) -> Field:
    parts = []
    for kind, value in parse(markup):
        if kind == OPEN:
            parts.append(MARKS[_COMMANDS[value]][0])
        elif kind == CLOSE:
            parts.append(MARKS[_COMMANDS[value]][1])
        else:
            text = to_text(f"${value}$") if kind == MATHS else value
            parts.append(text.translate(PRIVATE))
    return Field(" ".join("".join(parts).split()))


def _issued(work: ParsedWork) -> Date | None:
    if not work.year:
        return None
    parts = {"year": work.year}
    if work.date and work.date.startswith(str(work.year)):
        parts |= dict(
            zip(("month", "day"), (int(one) for one in work.date.split("-")[1:]), strict=False)
        )
    return Date(**parts)


def _name(author: ParsedAuthor) -> Name:
    given, family = author.given, author.family
    if is_whole(author.name):
        return Name(literal=_text(author.name))
    if family and given:
        return _parts(given.split(), family.split(), suffix_of(author))
    words = author.name.split()
    if len(words) < 2 or "," in author.name or _GROUP.search(author.name):
        return Name(literal=_text(author.name))
    suffix = words.pop() if len(words) > 2 and _bare(words[-1]) in SUFFIXES else ""
    first = next(
        (i for i in range(1, len(words) - 1) if words[i] in PARTICLES and len(words[i]) > 1),
        len(words) - 1,
    )
    return _parts(words[:first], words[first:], suffix)


def _parts(given: list[str], family: list[str], suffix: str) -> Name:
    particles: list[str] = []
    while len(family) > 1 and family[0] in PARTICLES:
        particles = [*particles, family[0]]
        family = family[1:]
    named = {
        "given": " ".join(given), "family": " ".join(family),
        "non-dropping-particle": " ".join(particles), "suffix": suffix,
    }  # fmt: skip
    return Name(**{name: _text(text) for name, text in named.items() if text})


def _bare(word: str) -> str:
    return word.strip(".,").lower()


def _text(text: str) -> str:
    return " ".join(text.translate(PRIVATE).split()) or "?"


__all__ = ["MOST_NAMES", "Cited", "cite"]
