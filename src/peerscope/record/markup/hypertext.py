"""Titles and abstracts in HTML, JATS or CSL's dialect of it, read as markup."""

from __future__ import annotations

import html
import re

from lxml import etree

from peerscope.record.markup.clean import MAX_CHARS, clean, words
from peerscope.record.markup.nodes import CLOSE, MATHS, OPEN, TEXT, Event, Marked, marked

_STYLES = {
    "i": "emph", "em": "emph", "italic": "emph", "b": "textbf", "strong": "textbf", "bold": "textbf",
    "sup": "textsuperscript", "sub": "textsubscript", "inf": "textsubscript", "tt": "texttt",
    "code": "texttt", "monospace": "texttt", "kbd": "texttt",
}  # fmt: skip
_KNOWN = frozenset(_STYLES) | words(
    "scp sc span p br u title sec list list-item font small div h1 h2 h3 h4 ol ul li underline "
    "inline-formula disp-formula tex-math roman nlm ins del label xref ext-link uri strike"
)
_BREAKS = words("p br title sec list-item div h1 h2 h3 h4 li ul ol disp-formula")
_SILENT = words("script style iframe object embed template noscript head svg textarea")

_TAG = re.compile(
    r"<!--.*?-->|<!\[CDATA\[(.*?)\]\]>|<(/?)([A-Za-z][\w.:-]{0,40})((?:\s[^<>]{0,2000})?)/?>|<[!?][^<>]*>",
    re.DOTALL,
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_TWICE = re.compile(
    r"&lt;(/?(?:i|b|em|strong|sup|sub|scp|sc|tt|italic|bold|p|br|h[1-4]|inf)\s?/?)&gt;",
    re.IGNORECASE,
)
_FAST = re.compile(r"[<&$\\{\x00-\x1f\x7f-\xa0\xad]|  |^ | $")
_DOLLARS = re.compile(r"\$((?:[^$\\]|\\.)+)\$", re.DOTALL)
# A name that OpenAlex gives to angle brackets which some exporter had escaped for TeX.
_ESCAPED_ANGLES = (("\\textbackslashtextless", "<"), ("\\textbackslashtextgreater", ">"))


def from_html(text: str) -> Marked:
    """Read text with HTML, JATS or MathML tags and entities.

    Tags that are not known are dropped and their content stays, except scripts, styles and embedded
    objects, which go with their content. Maths becomes TeX.

    Args:
        text: HTML source, well formed or not.
    """
    if not _FAST.search(text):
        return Marked(text if text.isascii() and len(text) <= MAX_CHARS else clean(text), None)
    text = _unescape_angles(text[: MAX_CHARS + 1])
    return marked(_events(text))


def _unescape_angles(text: str) -> str:
    for name, char in _ESCAPED_ANGLES:
        if name in text:
            text = text.replace(name + "{}", char).replace(name, char)
    return _TWICE.sub(r"<\1>", text) if "&lt;" in text else text


def _events(text: str) -> list[Event]:
    events: list[Event] = []
    stack: list[str] = []
    at = 0
    while at < len(text):
        tag = _TAG.search(text, at)
        _append_text(events, text[at : tag.start() if tag else len(text)])
        if not tag:
            break
        at = tag.end()
        if tag[1] is not None:
            events.append((TEXT, clean(tag[1])))
        if not tag[3]:
            continue
        closing, name = bool(tag[2]), tag[3].lower().rpartition(":")[2]
        if name in _SILENT:
            at = at if closing or tag[0].endswith("/>") else _end_of(text, name, at, at)
        elif name in ("math", "tex-math") and not closing:
            end = _end_of(text, name, at, -1)
            if end >= 0:
                source = text[tag.start() : end]
                events.append((MATHS, mathml_to_tex(source) if name == "math" else _inner(source)))
                at = end
        elif name in _STYLES:
            _style(events, stack, name, closing, tag[0])
        elif name in _BREAKS:
            events.append((TEXT, " "))
    events.extend((CLOSE, style) for style in reversed(stack))
    return events


def _style(events: list[Event], stack: list[str], name: str, closing: bool, tag: str) -> None:
    style = _STYLES[name]
    if not closing:
        if not tag.endswith("/>"):
            events.append((OPEN, style))
            stack.append(style)
    elif style in stack:
        # Overlapping tags: what was opened inside is closed and opened again.
        reopened = []
        while stack[-1] != style:
            reopened.append(stack.pop())
            events.append((CLOSE, reopened[-1]))
        events.append((CLOSE, stack.pop()))
        for inner in reversed(reopened):
            events.append((OPEN, inner))
            stack.append(inner)


def _end_of(text: str, name: str, at: int, default: int) -> int:
    end = re.compile(rf"</(?:\w+:)?{re.escape(name)}\s*>", re.IGNORECASE).search(text, at)
    return end.end() if end else default


def _inner(source: str) -> str:
    inner = re.sub(r"^<[^>]*>|</[^>]*>$", "", source)
    inner = re.sub(r"<!\[CDATA\[(.*?)\]\]>", r"\1", inner, flags=re.DOTALL)
    body = re.search(r"\\begin\{document\}(.*?)\\end\{document\}", inner, re.DOTALL)
    return html.unescape(body[1] if body else inner).strip().strip("$").strip()


def _append_text(events: list[Event], raw: str) -> None:
    from peerscope.record.markup.tex import surely_maths

    if "$" not in raw:
        if raw:
            events.append((TEXT, _decode(raw)))
        return
    at = 0
    while True:
        maths = _DOLLARS.search(raw, at)
        if not maths:
            break
        if surely_maths(html.unescape(maths[1]), raw[maths.end() : maths.end() + 1], mixed=True):
            events.append((TEXT, _decode(raw[at : maths.start()])))
            events.append((MATHS, clean(html.unescape(maths[1]))))
            at = maths.end()
        else:
            events.append((TEXT, _decode(raw[at : maths.start() + 1])))
            at = maths.start() + 1
    events.append((TEXT, _decode(raw[at:])))


def _decode(raw: str) -> str:
    """Entities as characters; the blanks at the ends stay, for they may part two tags."""
    text = _ENTITY.sub(lambda m: html.unescape(m[0]), raw) if "&" in raw else raw
    inner = clean(text)
    if not inner:
        return " " if text[:1].isspace() else ""
    return (" " if text[0].isspace() else "") + inner + (" " if text[-1].isspace() else "")


def tags_to_tex(text: str) -> str:
    """Rewrite what is surely HTML in a plain text as TeX: paired known tags and entities."""
    text = _unescape_angles(text)
    if "<" in text:
        closed = {m.lower() for m in re.findall(r"</(?:\w+:)?([A-Za-z][\w-]*)\s*>", text)}
        if closed & (_KNOWN | {"math"}):
            text = _rewrite(text, closed)
        text = re.sub(r"<(?:br|p)\s*/?>", " ", text)
    return _ENTITY.sub(_entity_to_tex, text) if "&" in text else text


def _entity_to_tex(match: re.Match[str]) -> str:
    char = html.unescape(match[0])
    return "\\" + char if char in ("$", "{", "}") else char


def _rewrite(text: str, closed: set[str]) -> str:
    parts: list[str] = []
    opened: list[str] = []
    at = 0
    while True:
        tag = _TAG.search(text, at)
        if not tag:
            break
        parts.append(text[at : tag.start()])
        at = tag.end()
        name = (tag[3] or "").lower().rpartition(":")[2]
        if name == "math" and not tag[2]:
            end = _end_of(text, name, at, -1)
            if end >= 0:
                parts.append(f"\\({mathml_to_tex(text[tag.start() : end])}\\)")
                at = end
        elif name in _STYLES and (name in closed):
            if not tag[2]:
                opened.append(name)
                parts.append(f"\\{_STYLES[name]}{{")
            elif name in opened:
                opened.remove(name)
                parts.append("}")
        elif name in _KNOWN and name in closed:
            parts.append(" " if name in _BREAKS else "")
        else:
            parts.append(tag[0])
    parts.append(text[at:])
    return "".join(parts)


_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, recover=True, huge_tree=False)
_NAMED = {"log", "ln", "exp", "sin", "cos", "tan", "max", "min", "lim", "sup", "inf", "det", "dim"}


def mathml_to_tex(source: str) -> str:
    """MathML as TeX: its own TeX where it carries some, else rebuilt from its elements.

    Args:
        source: One ``math`` element, with or without a namespace prefix.
    """
    bare = re.sub(r"<(/?)[\w.-]+:", r"<\1", source[:20_000])
    bare = _ENTITY.sub(lambda m: html.escape(html.unescape(m[0])), bare)
    try:
        root = etree.fromstring(bare, _PARSER)
    except (etree.XMLSyntaxError, ValueError):
        root = None
    if root is None:
        return re.sub(r"<[^>]*>", " ", bare)
    for note in root.iter("annotation"):
        if "tex" in (note.get("encoding") or "") and note.text:
            return clean(note.text).strip("$")
    if root.get("alttext"):
        return clean(str(root.get("alttext"))).strip("$")
    return clean(_tex(root, 0))


def _tex(node: etree._Element, depth: int) -> str:
    if depth > 30 or not isinstance(node.tag, str) or node.tag.startswith("annotation"):
        return ""
    children = [_tex(child, depth + 1) for child in node]
    text = re.sub(r"[\\{}$&#%_^~]", r" ", node.text or "").strip() if not len(node) else ""
    tag = node.tag
    if tag == "mtext" and text:
        return f"\\text{{{text}}}"
    if tag == "mi" and text in _NAMED:
        return f"\\{text} "
    if tag == "mi" and len(text) > 1 and text.isalpha():
        return f"\\mathrm{{{text}}}"
    args = [f"{{{child}}}" for child in children]
    if tag in ("msup", "mover") and len(args) == 2:
        return f"{args[0]}^{args[1]}"
    if tag in ("msub", "munder") and len(args) == 2:
        return f"{args[0]}_{args[1]}"
    if tag in ("msubsup", "munderover") and len(args) == 3:
        return f"{args[0]}_{args[1]}^{args[2]}"
    if tag == "mfrac" and len(args) == 2:
        return f"\\frac{args[0]}{args[1]}"
    if tag == "msqrt":
        return f"\\sqrt{{{''.join(children)}}}"
    return text + "".join(children)
