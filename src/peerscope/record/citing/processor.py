"""citeproc-py with the CSL 1.0.2 rules that it leaves out, and with its output in marks.

What differs from the package, each held by a test:

- Markup comes out as private characters (`MARKS`), which `references` turns into text or safe HTML. The
  package's own HTML lets the fields of a work through as they are.
- ``initialize="false"`` is heeded; names in scripts without capitals are not cut to initials.
- Page ranges whose ends have different numbers of digits stay whole.
- Labels take ``text-case="title"``; punctuation goes into quotes where the locale says so, and a question
  mark at a title's end is not followed by a full stop.
- A style's own form of a date keeps its delimiter.
- With ``second-field-align`` a space stands after the number.
- Lists are sorted by keys that are made once, and letters with marks stand beside those without.
- Macros are looked up once, not by a search of the whole style for each use.

Not done here either: year suffixes (2020a, 2020b) and dashes for repeated authors.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import citeproc.model as model
from citeproc.source import VariableError
from citeproc.string import String, join
from lxml import etree

from peerscope.record.text import fold

NAMESPACE = "http://purl.org/net/xbiblio/csl"

MARKS = {
    "Italic": ("\ue100", "\ue101"), "Bold": ("\ue102", "\ue103"),
    "Superscript": ("\ue104", "\ue105"), "Subscript": ("\ue106", "\ue107"),
    "SmallCaps": ("\ue108", "\ue109"), "Code": ("\ue10a", "\ue10b"),
}  # fmt: skip
"""Kind of markup to the characters at its begin and end."""

TITLE_END, QUOTE_END = "\ue10e", "\ue10f"
"""Where a title ends, and a quotation of a locale that takes punctuation into it."""

PRIVATE = dict.fromkeys(range(0xE100, 0xE110))
"""For ``str.translate``: takes the characters above out of what a source says."""


class _Writer:
    """The shape of a formatter of the package; ``marked`` is off while references are sorted."""

    def __init__(self, *, marked: bool) -> None:
        self.marked = marked
        for name in ("Italic", "Oblique", "Bold", "Superscript", "Subscript", "SmallCaps"):
            before, after = MARKS["Italic" if name == "Oblique" else name]
            setattr(self, name, self._wrapper(before, after) if marked else str)
        self.Light = self.Underline = str

    @staticmethod
    def preformat(text: object) -> str:
        return str(text)

    @staticmethod
    def _wrapper(before: str, after: str) -> Any:
        return lambda text: f"{before}{text}{after}"


_MARKING, _SORTING = _Writer(marked=True), _Writer(marked=False)


class Field(String):  # type: ignore[misc]
    """A field of a work; a mark at its begin does not keep the first letter from being made a capital."""

    def capitalize_first(self) -> Field:
        """The field with a capital."""
        for place, character in enumerate(self):
            if ord(character) not in PRIVATE:
                return Field(f"{self[:place]}{character.upper()}{self[place + 1 :]}")
        return self


def last_page(first: str, last: str, form: str | None) -> str:
    """The second number of a page range as a style shortens it (CSL 1.0.2, appendix V).

    Args:
        first: First page, as ``321``.
        last: Last page in full, as ``328``.
        form: ``page-range-format``: ``minimal``, ``minimal-two``, ``chicago`` and its editions; anything else
            leaves the number whole.
    """
    if len(first) != len(last) or not (first.isdecimal() and last.isdecimal()):
        return last
    number = int(first)
    if form in ("chicago", "chicago-15", "chicago-16"):
        if number < 100 or number % 100 == 0:
            return last
        changed = sum(1 for a, b in zip(first, last, strict=True) if a != b)
        if form != "chicago-16" and len(first) == 4 and changed >= 3:
            return last
        form = "minimal" if number % 100 < 10 else "minimal-two"
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=True)) if a != b), len(last))
    if form == "minimal":
        return last[min(same, len(last) - 1) :]
    if form == "minimal-two":
        return last[max(0, min(same, len(last) - 2)) :]
    return last


class _Pages:
    def _format_last_page(self, first: str, last: str) -> str:
        root: Any = self.get_root()  # type: ignore[attr-defined]
        return last_page(first, last, root.get("page-range-format"))


class _Macros:
    def get_macro(self, name: str) -> Any:
        return self.get_root().macros[name]  # type: ignore[attr-defined]


class _Style(model.Style):  # type: ignore[misc]
    pass


class _Key(_Macros, model.Key):  # type: ignore[misc]
    pass


class _Sort(model.Sort):  # type: ignore[misc]
    def sort(self, items: Sequence[Any], context: Any) -> list[Any]:
        """By each key in turn, the last one first; the package makes every key anew for each comparison."""
        order = list(items)
        for key in reversed(self.findall(f"{{{NAMESPACE}}}key")):
            keys = map(_sortable, key.sort_keys(order, context))
            made = list(zip(keys, order, strict=True))
            there = [pair for pair in made if pair[0] is not None]
            there.sort(key=lambda pair: pair[0] or (0, ""), reverse=key.get("sort") == "descending")
            order = [item for _, item in there] + [item for one, item in made if one is None]
        return order


def _sortable(key: Any) -> tuple[int, str] | None:
    """A key as it is compared: numbers before texts, letters without case and marks; ``None`` comes last."""
    if key is None:
        return None
    text = str(key)
    return (int(text), "") if text.isdecimal() else (2**63, fold(text))


class _Number(_Pages, model.Number):  # type: ignore[misc]
    pass


class _Text(_Macros, _Pages, model.Text):  # type: ignore[misc]
    def calls_variable(self) -> bool:
        name, asked = self.get("macro"), self.get_root().calling
        if name is None:
            return bool(super().calls_variable())
        if name not in asked:
            asked[name] = bool(super().calls_variable())
        return bool(asked[name])

    def _variable(self, item: Any, context: Any) -> Any:
        variable, root = self.get("variable"), self.get_root()
        if variable == "citation-number":
            return item.number if root.numbered else None
        text = super()._variable(item, context)
        if variable in ("title", "container-title") and text and root.formatter.marked:
            return Field(f"{text}{TITLE_END}")
        return text

    def quote(self, string: Any) -> Any:
        quoted = super().quote(string)
        if quoted is string or not self.get_root().formatter.marked:
            return quoted
        inside = self.get_locale_option("punctuation-in-quote")
        return quoted + QUOTE_END if inside == "true" else quoted


class _Label(model.Label):  # type: ignore[misc]
    def case(self, text: Any, language: str | None = None) -> Any:
        return super().case(text, language or self.get_root().get("default-locale", "en")[:2])


class _Name(model.Name):  # type: ignore[misc]
    def initialize(self, given: str, mark: str, context: Any) -> str:
        if self.get("initialize") == "false" or not any(one.isupper() for one in given):
            return given
        return str(super().initialize(given, mark, context))


class _Date(model.Date):  # type: ignore[misc]
    def render_single_date(self, date: Any, show_parts: Any = None, context: Any = None) -> Any:
        parts = self.parts(date, show_parts, context if context is not self else None)
        own = self.get("delimiter") is not None or not self.is_locale_date()
        return (self if own else context).join(parts) if parts else None


class _Layout(model.Layout):  # type: ignore[misc]
    def render_children(self, item: Any, delimiter: str = "", **given: Any) -> Any:
        apart = self.getparent().get("second-field-align") is not None
        output = []
        for place, child in enumerate(self.iterchildren()):
            try:
                text = child.render(item, **given)
            except VariableError:
                continue
            if text is not None:
                output.append(text + String(" ") if apart and not place else text)
        return join(output, delimiter) if output else None


_MENDED = {
    "style": _Style, "sort": _Sort, "key": _Key, "number": _Number, "text": _Text, "label": _Label,
    "name": _Name, "date": _Date, "layout": _Layout,
}  # fmt: skip


class Style:
    """A style in one locale, ready to write references. Not for two threads at once.

    Args:
        path: A ``.csl`` file that states its own formats (not one that leans on another).
        locale: Of the package, as ``en-US``; that of the style, or ``en-US``, if empty.
    """

    def __init__(self, path: Path, locale: str = "") -> None:
        lookup = etree.ElementNamespaceClassLookup()
        names = lookup.get_namespace(NAMESPACE)
        names[None] = model.CitationStylesElement
        for found in model.CitationStylesElement.__subclasses__():
            names[found.__name__.replace("_", "-").lower()] = found
        names.update(_MENDED)
        parser = etree.XMLParser(remove_comments=True, no_network=True, resolve_entities=False)
        parser.set_element_class_lookup(lookup)
        self._tree = etree.parse(str(path), parser)
        self.root: Any = self._tree.getroot()
        self.root.set_locale_list(
            locale or self.root.get("default-locale", "en-US"), validate=False
        )
        self._name_all()
        self.root.macros = {
            one.get("name"): one for one in self.root.findall(f"{{{NAMESPACE}}}macro")
        }
        self.root.numbered, self.root.calling = False, {}
        self.bibliography: Any = self.root.find(f"{{{NAMESPACE}}}bibliography")

    def _name_all(self) -> None:
        """Give lists of names without rules the empty ones; the package would add some at every use."""
        for names in self.root.iter(f"{{{NAMESPACE}}}names"):
            inside = names.getparent().tag == f"{{{NAMESPACE}}}substitute"
            if not inside and names.find(f"{{{NAMESPACE}}}name") is None:
                names.insert(0, names.makeelement(f"{{{NAMESPACE}}}name"))

    @property
    def numbers(self) -> bool:
        """Whether references are numbered in the order in which they are given."""
        sort = None if self.bibliography is None else self.bibliography.find(f"{{{NAMESPACE}}}sort")
        return self.bibliography is not None and sort is None

    def sort(self, items: Sequence[Any]) -> list[Any]:
        """References in the order of the style; as they are where it has none or cannot be kept."""
        self.root.formatter = _SORTING
        return list(self.bibliography.sort(list(items)))

    def write(self, item: Any, *, numbered: bool) -> str:
        """One reference, with `MARKS` in it.

        Args:
            item: A reference of the package, with a ``number``.
            numbered: Whether the style's number, if it has one, is written.
        """
        self.root.formatter, self.root.numbered = _MARKING, numbered
        layout = self.bibliography.find(f"{{{NAMESPACE}}}layout")
        layout.repressed = {}
        return str(layout.format(layout.wrap(layout.render_children(item))) or "")


__all__ = [
    "MARKS", "PRIVATE", "QUOTE_END", "TITLE_END", "Field", "Style", "last_page",
]  # fmt: skip
