"""TeX maths: tidied, as readable Unicode, and as MathML that can do nothing but stand there."""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache
from typing import Any
from xml.etree.ElementTree import Element

from latex2mathml.converter import Converter

from peerscope.record.markup.clean import squeeze, words
from peerscope.record.markup.symbols import ACCENTS, RELATIONS, SUBSCRIPT, SUPERSCRIPT, SYMBOLS

MAX_MATHS = 4_000
"""Longest TeX, in characters, that becomes MathML; longer maths is shown as code."""

_MAX_BRACES = 40
_MAX_MACROS = 400

# Commands that read files, define, or carry addresses and styles: their names go, with what they eat.
_ACTIVE = re.compile(
    r"\\(?:input|include|includegraphics|label|tag\*?|cite[a-z]*\*?|ref|eqref|href|url|class|style|"
    r"cssId|id|htmlData|hspace\*?|vspace\*?|hskip|vskip|kern|mkern|rule|raisebox|usepackage|"
    r"color|csname|begingroup)"
    r"(?![A-Za-z])\s*(?:\[[^\[\]]*\])?\s*(?:\{[^{}]*\})?(?:\s*(?<=\})\{(?=\}))?|"
    r"\\(?:def|edef|gdef|xdef|let|newcommand|renewcommand|providecommand|DeclareMathOperator)\*?"
    r"(?![A-Za-z])\s*\{?\\[A-Za-z]+\}?(?:\s*\[\d\])?|"
    r"\\(?:endcsname|expandafter|noexpand|write|read|openin|openout|catcode|special|immediate|"
    r"endgroup|nonumber|notag|displaystyle|textstyle|limits|nolimits)(?![A-Za-z])"
)
_PAIR = re.compile(r"\\(.)", re.DOTALL)
_BRACE = {"{": "\\lbrace ", "}": "\\rbrace ", "$": "\\$"}


def tidy_maths(tex: str) -> str:
    r"""Bring maths into the form in which it is kept.

    One line, no active commands, ``\{`` written ``\lbrace`` so that braces balance for readers that
    count every brace, and no dollar sign that could end it.
    """
    for _ in range(4):
        before = tex
        if "\\" in tex:
            tex = _ACTIVE.sub(" ", tex)
            tex = _PAIR.sub(lambda m: _BRACE.get(m[1], m[0]), tex)
        tex = squeeze(tex)
        bare = _PAIR.sub("", tex)
        if "$" in bare:
            tex = re.sub(r"(?<!\\)\$", " ", tex).replace("\\\\$", "\\\\")
        if bare.endswith("\\"):
            tex = tex[:-1]
        if tex == before:
            return tex
    return "" if "$" in _PAIR.sub("", tex) or _PAIR.sub("", tex).endswith("\\") else tex


def balanced(tex: str) -> bool:
    """Whether every brace of tidied maths closes."""
    depth = 0
    for brace in re.findall(r"[{}]", _PAIR.sub("", tex)):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            return False
    return depth == 0


_TOKEN = re.compile(r"\\([A-Za-z]+)\*?\s*|\\(.)|(\s+)|(.)", re.DOTALL)
_FONTS = words(
    "text textrm textit textbf textsf texttt textnormal textsc emph mathrm mathit mathbf mathsf mathtt "
    "mathcal mathscr mathfrak mathnormal boldsymbol bm bold pmb operatorname operatornamewithlimits "
    "mbox hbox fbox ensuremath underline overline widehat widetilde overbrace underbrace mathop "
    "mathbin mathrel mathord mathopen mathclose mathpunct rm it bf sf tt cal sl em sc Bbb frak "
    "boxed phantom hphantom vphantom smash substack mathstrut left right middle big Big bigg Bigg "
    "bigl bigr Bigl Bigr biggl biggr Biggl Biggr bigm Bigm color rlap llap"
)
_SPACING = words("quad qquad enspace thinspace medspace thickspace space hfill newline par")
_DOUBLE = {"R": "ℝ", "C": "ℂ", "N": "ℕ", "Z": "ℤ", "Q": "ℚ", "P": "ℙ", "H": "ℍ"}
_NAMED = words(
    "log ln lg exp sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh max min sup inf lim "
    "limsup liminf arg argmax argmin det dim ker deg gcd hom Pr mod bmod pmod tr Tr rank sgn"
)


@lru_cache(maxsize=20_000)
def maths_to_text(tex: str) -> str:
    r"""TeX maths as readable Unicode: ``x^2`` is x², ``\alpha`` is α, ``\frac{a}{b}`` is a/b."""
    return squeeze(_Reader(tex[:MAX_MATHS]).row(0, stop=False))


class _Reader:
    """Reads maths left to right; groups nest at most twenty deep, below that braces are ignored."""

    def __init__(self, tex: str) -> None:
        self.tokens = [m.groups() for m in _TOKEN.finditer(tex)]
        self.at = 0

    def row(self, depth: int, *, stop: bool) -> str:
        out = ""
        while self.at < len(self.tokens):
            name, sign, space, char = self.tokens[self.at]
            self.at += 1
            if char == "}":
                if stop:
                    return out
                continue
            piece = self.atom(name, sign, space, char, depth)
            if name == "over" and out.strip():
                out, piece = (
                    _grouped(out.strip()) + "/",
                    _grouped(self.row(depth, stop=stop).strip()),
                )
                return out + piece
            if name in _NAMED and out[-1:].isalnum():
                out += " "
            if out and piece[:1].isalnum() and self._after_name(out):
                out += " "
            out += piece
        return out

    @staticmethod
    def _after_name(out: str) -> bool:
        word = re.search(r"(?:^|[^A-Za-z])([A-Za-z]{2,6})$", out)
        return bool(word and word[1] in _NAMED)

    def atom(
        self, name: str | None, sign: str | None, space: str | None, char: str | None, depth: int
    ) -> str:
        if space:
            return " "
        if sign:
            return {"\\": "; ", "!": "", "/": "", "|": "‖", "-": ""}.get(
                sign, " " if sign in " ,;:>" else sign
            )
        if name:
            return self.macro(name, depth)
        if char == "{":
            return self.group(depth)
        char = char or ""
        if char in ("^", "_"):
            return _script(char, self.argument(depth).strip())
        return {"~": " ", "&": " ", "'": "′"}.get(char, char)

    def group(self, depth: int) -> str:
        return self.row(depth + 1, stop=True) if depth < 20 else ""

    def argument(self, depth: int) -> str:
        while self.at < len(self.tokens) and self.tokens[self.at][2]:
            self.at += 1
        if self.at >= len(self.tokens) or depth >= 20:
            return ""
        name, sign, space, char = self.tokens[self.at]
        if char in ("}", "&"):
            return ""
        self.at += 1
        if char == "{":
            return self.group(depth)
        return self.atom(name, sign, space, char, depth + 1)

    def macro(self, name: str, depth: int) -> str:
        if name in ("frac", "dfrac", "tfrac", "nicefrac", "sfrac", "cfrac"):
            top, bottom = self.argument(depth), self.argument(depth)
            return f"{_grouped(top.strip())}/{_grouped(bottom.strip())}"
        if name in ("binom", "dbinom", "tbinom"):
            return f"({self.argument(depth)} choose {self.argument(depth)})"
        if name == "sqrt":
            degree = self.option()
            return (
                f"{_script('^', degree) if degree else ''}√{_grouped(self.argument(depth).strip())}"
            )
        if name == "mathbb":
            return "".join(_DOUBLE.get(c, c) for c in self.argument(depth))
        if name in ACCENTS:
            return _accent(self.argument(depth).strip(), ACCENTS[name])
        if name in ("begin", "end"):
            self.argument(depth)
            return ""
        if name in ("left", "right", "middle") and self.peek() == ".":
            self.at += 1
            return ""
        if name in ("pmod", "pod"):
            return f" (mod {self.argument(depth).strip()})"
        if name in ("mod", "bmod"):
            return " mod "
        if name in ("overset", "underset", "stackrel"):
            self.argument(depth)
            return self.argument(depth)
        if name == "textcolor":
            self.argument(depth)
            return self.argument(depth)
        if name in _FONTS:
            return ""
        if name in _SPACING:
            return " "
        if name in RELATIONS:
            return f" {RELATIONS[name]} "
        return SYMBOLS.get(name, name)

    def peek(self) -> str | None:
        return self.tokens[self.at][3] if self.at < len(self.tokens) else None

    def option(self) -> str:
        if self.peek() != "[":
            return ""
        end = next((i for i in range(self.at, len(self.tokens)) if self.tokens[i][3] == "]"), None)
        if end is None:
            return ""
        text = "".join(t[3] or "" for t in self.tokens[self.at + 1 : end])
        self.at = end + 1
        return text


def _grouped(text: str) -> str:
    return text if len(text) < 2 or text.isalnum() else f"({text})"


def _accent(base: str, mark: str) -> str:
    return unicodedata.normalize("NFC", base + mark) if len(base) == 1 else base


def _script(sign: str, body: str) -> str:
    if not body:
        return ""
    if sign == "^" and body in ("∘", "°"):
        return "°"
    if sign == "^" and body in ("′", "*", "†", "‡"):
        return body
    table = SUPERSCRIPT if sign == "^" else SUBSCRIPT
    if len(body) <= 12 and all(c in table for c in body):
        return "".join(table[c] for c in body)
    return f"{sign}{_grouped(body)}"


_ELEMENTS = words(
    "math mrow mi mn mo mtext mspace msup msub msubsup munder mover munderover mfrac msqrt mroot "
    "mtable mtr mtd mstyle mpadded mphantom menclose mmultiscripts mprescripts none"
)
_WORDS = re.compile(r"[a-z][a-z -]{0,40}")
_LENGTH = re.compile(r"-?\d?(?:\.\d{1,4})?em|0")
_ATTRIBUTES: dict[str, re.Pattern[str]] = {
    "accent": _WORDS, "accentunder": _WORDS, "columnalign": _WORDS, "displaystyle": _WORDS,
    "fence": _WORDS, "form": _WORDS, "largeop": _WORDS, "linethickness": _LENGTH,
    "lspace": _LENGTH, "mathvariant": _WORDS, "movablelimits": _WORDS, "notation": _WORDS,
    "rspace": _LENGTH, "scriptlevel": re.compile(r"[+-]?\d"), "separator": _WORDS,
    "stretchy": _WORDS, "symmetric": _WORDS, "width": _LENGTH,
}  # fmt: skip


@lru_cache(maxsize=10_000)
def maths_to_mathml(tex: str) -> str:
    """TeX maths as a MathML element, its source kept in ``data-tex``.

    Only MathML elements and harmless attributes are written, every text is escaped. Maths that is
    too large, too deep or not understood is shown as code.
    """
    source = html.escape(tex[:MAX_MATHS], quote=True)
    element = _convert(tex)
    if element is None:
        return f'<code class="tex">{source}</code>'
    body = _write(element)
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML" data-tex="{source}">{body}</math>'


def _convert(tex: str) -> Element | None:
    if len(tex) > MAX_MATHS or tex.count("{") > _MAX_BRACES * 4 or tex.count("\\") > _MAX_MACROS:
        return None
    depth = deepest = 0
    for char in _PAIR.sub("", tex):
        depth += {"{": 1, "}": -1}.get(char, 0)
        deepest = max(deepest, depth)
    if deepest > _MAX_BRACES // 2:
        return None
    try:
        return Converter().convert_to_element(tex)
    # The converter raises what it likes on malformed maths (IndexError, KeyError, its own errors,
    # RecursionError); whatever it is, the maths is shown as code.
    except Exception:
        return None


def _write(root: Element) -> str:
    """Write the children of ``root`` with an explicit stack: no recursion on hostile depth."""
    out: list[str] = []
    stack: list[Any] = list(reversed(list(root)))
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            out.append(item)
            continue
        tag = item.tag if item.tag in _ELEMENTS and item.tag != "math" else "mrow"
        attributes = "".join(
            f' {name}="{value}"'
            for name, value in item.attrib.items()
            if name in _ATTRIBUTES and _ATTRIBUTES[name].fullmatch(value)
        )
        text = html.unescape(item.text or "").lstrip("\\")
        out.append(f"<{tag}{attributes}>{html.escape(_printable(text))}")
        stack.append(f"</{tag}>")
        stack.extend(reversed(list(item)))
    return "".join(out)


def _printable(text: str) -> str:
    return "".join(
        c for c in text if c == " " or c.isprintable() or c in "\u2061\u2062\u2063\u00a0"
    )
