r"""TeX of bibliographies and abstracts, and plain text that may hold some, read as markup.

`from_tex` takes the whole string for TeX, as BibTeX does. `from_mixed` takes it for plain text in which
only what is surely TeX or HTML is converted: "5 < 6 and $5 fee" stays. Both are one scanner with a
switch; it runs once over the string, keeps open groups on an explicit stack and never raises.
"""

from __future__ import annotations

import re
import unicodedata

from peerscope.record.markup.clean import MAX_CHARS, clean
from peerscope.record.markup.hypertext import tags_to_tex
from peerscope.record.markup.macros import (
    CITE,
    CONTENT_ONLY,
    DECLARATIONS,
    DEFINING,
    DROPPED,
    LAST_OF_TWO,
    MATHS_ONLY,
    SPACE_LIKE,
    STYLES,
)
from peerscope.record.markup.nodes import CLOSE, MATHS, OPEN, TEXT, URL, Event, Marked, marked
from peerscope.record.markup.symbols import LETTERS, SYMBOLS, TEXT_ACCENTS

_SPACING_SIGNS = {
    " ": " ",
    ",": " ",
    ";": " ",
    ":": " ",
    ">": " ",
    "\\": " ",
    "!": "",
    "/": "",
    "-": "",
    "@": "",
}
_PRINTED_SIGNS = frozenset("%&#_{}$")

_FAST = re.compile(r"[\\${}~`\x00-\x1f\x7f-\xa0\xad]|--|''|  |^ | $")
_FAST_MIXED = re.compile(r"[\\$`<&{\x00-\x1f\x7f-\xa0\xad]|~|  |^ | $")
_TOKEN = re.compile(r"\\([A-Za-z]+)\*?|\\(.)|([{}$~])|(---?)|(``|'')", re.DOTALL)
_BLANK = re.compile(r"\s*")
_CITED = "\x00"
_CITE_BRACKETS = re.compile(
    r"\s*[(\[]\s*(?:(?:e\.g\.|i\.e\.|see|see also|cf\.?)[,\s]*)?\x00(?:[\s,;\x00]|and\b)*[)\]]"
)
_CITE_BEFORE_STOP = re.compile(r"[\s~]*\x00+(?=\s*(?:[.,;:!?)\]]|$))")
_DECLARED = re.compile(
    r"\s*\\(?:it|em|sl|bf|tt|rm|sc|sf|itshape|bfseries|ttfamily|cal|color|small|large)\b"
)


def from_tex(text: str) -> Marked:
    """Read a TeX string: a BibTeX field or an arXiv title or abstract.

    Args:
        text: TeX source; what is unbalanced becomes plain characters.
    """
    if not _FAST.search(text):
        return _plain(text)
    return _Scanner(text, mixed=False).read()


def from_mixed(text: str) -> Marked:
    """Read plain text that may hold TeX or HTML, converting only what surely is such."""
    if not _FAST_MIXED.search(text):
        return _plain(text)
    return _Scanner(tags_to_tex(text[: MAX_CHARS + 1]), mixed=True).read()


def _plain(text: str) -> Marked:
    if len(text) <= MAX_CHARS and text.isascii():
        return Marked(text, None)
    return Marked(clean(text), None)


def surely_maths(content: str, follows: str, *, mixed: bool) -> bool:
    """Whether what stands between two dollar signs is maths rather than prose about money.

    Args:
        content: The text between the signs.
        follows: The character after the closing sign, or an empty string.
        mixed: Whether the text around is plain text rather than TeX.
    """
    if not content.strip() or len(content) > 4_000:
        return False
    if re.search(r"(?:(?<![\\A-Za-z{])[A-Za-z]{3,}[,;]?\s+){4}", content):
        return False
    if re.search(r"[\\^_]", content):
        return True
    if re.search(r"[A-Za-z]{2,}\s+[A-Za-z]{2,}", content) or follows.isdigit():
        return False
    if content[0].isspace() or content[-1].isspace():
        return not mixed and not re.search(r"[A-Za-z]{3,}", content)
    return not (mixed and re.match(r"\d[\d.,]*\s*[A-Za-z]{2,}", content))


class _Scanner:
    def __init__(self, text: str, *, mixed: bool) -> None:
        self.s = clean(text)
        self.mixed = mixed
        self.match = _match_braces(self.s)
        self.events: list[Event] = []
        self.frames: list[tuple[int, list[Event]]] = []  # closing position, what to write there
        self.at = 0

    def read(self) -> Marked:
        s = self.s
        size = len(s)
        while self.at < size:
            token = _TOKEN.search(s, self.at)
            start = token.start() if token else size
            if self.frames and self.frames[-1][0] < start:
                start = self.frames[-1][0]
                token = None
            if start > self.at:
                self.text(s[self.at : start])
                self.at = start
            if self.frames and self.frames[-1][0] == start:
                self.leave()
            elif token:
                self.at = token.end()
                self.token(token)
        return marked(_without_citations(self.events))

    def text(self, value: str) -> None:
        self.events.append((TEXT, value))

    def leave(self) -> None:
        for kind, value in reversed(self.frames.pop()[1]):
            self.events.append((kind, value))
        self.at += 1

    def enter(self, style: str | None) -> None:
        """Enter the group whose opening brace stands at the current position."""
        closes: list[Event] = [(CLOSE, style)] if style else []
        if style:
            self.events.append((OPEN, style))
        self.frames.append((self.match[self.at], closes))
        self.at += 1

    def token(self, token: re.Match[str]) -> None:
        name, sign, special, dash, quotes = token.groups()
        if name:
            self.macro(name, token)
        elif sign:
            self.sign(sign, token)
        elif special == "$":
            self.dollar(token.start())
        elif special in ("{", "}"):
            self.brace(special, token.start())
        elif special == "~":
            self.tie(token.start())
        elif dash:
            self.text(dash if self.mixed else {"--": "–", "---": "—"}[dash])
        elif self.mixed and "``" not in self.s:
            self.text(quotes)
        else:
            self.text("“" if quotes == "``" else "”")

    def brace(self, brace: str, start: int) -> None:
        if brace == "}" or start not in self.match:
            self.text(brace)
            return
        end = self.match[start]
        self.at = start
        if not self.mixed or _only_grouping(self.s, start, end):
            self.enter(None)
            return
        self.text("{")
        self.frames.append((end, [(TEXT, "}")]))
        self.at += 1

    def tie(self, start: int) -> None:
        before, after = self.s[start - 1 : start], self.s[start + 1 : start + 2]
        if self.mixed:
            tie = (before.isalpha() or before == ".") and after in ("\\", "$")
        else:
            # "~10" means "about ten", and a tilde within an address belongs to it.
            tie = before not in ("/", "") and not (before.isspace() and after.isdigit())
        self.text(" " if tie else "~")

    def dollar(self, start: int) -> None:
        s, width = self.s, 2 if self.s.startswith("$$", start) else 1
        inner = re.compile(r"(?:[^$\\]|\\.)*", re.DOTALL).match(s, start + width)
        end = inner.end() if inner else start
        content = s[start + width : end]
        follows = s[end + width : end + width + 1]
        closes = s.startswith("$" * width, end)
        if (
            closes
            and surely_maths(content, follows, mixed=self.mixed)
            and self.maths(content, start, end)
        ):
            self.at = end + width
            return
        self.text("$")
        self.at = start + 1

    def maths(self, content: str, start: int, end: int) -> bool:
        """Write maths unless it would reach out of the group in which it starts."""
        if self.frames and end > self.frames[-1][0]:
            return False
        self.events.append((MATHS, content))
        return True

    def sign(self, sign: str, token: re.Match[str]) -> None:
        if sign in "([" and self.delimited(token.end(), "\\)" if sign == "(" else "\\]"):
            return
        if sign in TEXT_ACCENTS and self.accent(sign):
            return
        if sign in _PRINTED_SIGNS:
            self.text(sign)
        elif sign in _SPACING_SIGNS and not (self.mixed and sign in "@!:>"):
            self.text(_SPACING_SIGNS[sign])
        elif sign in "()[]" or sign in TEXT_ACCENTS:
            self.text(sign)
        else:
            self.text("\\" + sign if self.mixed or not sign.isprintable() else sign)

    def delimited(self, start: int, closing: str) -> bool:
        end = self.s.find(closing, start)
        if end < 0 or end - start > 4_000 or not self.s[start:end].strip():
            return False
        if not self.maths(self.s[start:end], start, end):
            return False
        self.at = end + 2
        return True

    def accent(self, sign: str) -> bool:
        """Set an accent on what follows; ``False`` where nothing follows that can carry one."""
        at = _BLANK.match(self.s, self.at).end() if sign.isalpha() else self.at  # type: ignore[union-attr]
        limit = self.frames[-1][0] if self.frames else len(self.s)
        if at >= limit:
            return False
        char = self.s[at]
        if char == "{" and at in self.match:
            end = self.match[at]
            base = self.s[at + 1 : end].strip()
            end += 1
        elif char == "\\":
            letter = re.compile(r"\\(i|j|ae|AE|o|O|aa|AA|oe|OE)(?![A-Za-z])\s?(?:\{\})?").match(
                self.s, at
            )
            if not letter:
                return False
            base, end = letter[0], letter.end()
        elif char.isalpha():
            base, end = char, at + 1
        else:
            return False
        if len(base) > 20:
            return False
        base = re.sub(r"\\([ij])(?![A-Za-z])\s*(?:\{\})?", r"\1", base)
        plain = from_tex(base).text if "\\" in base or "{" in base else base
        if not plain:
            self.text(sign if sign in "^~`'\"=." else "")
        else:
            self.text(unicodedata.normalize("NFC", plain[0] + TEXT_ACCENTS[sign]) + plain[1:])
        self.at = end
        return True

    def macro(self, name: str, token: re.Match[str]) -> None:
        if self.mixed and not self.known(name) and token.start():
            before = self.s[token.start() - 1]
            if before.isalnum() or before in ":\\/.-_":
                self.text(token[0])
                return
        if len(name) == 1 and name in TEXT_ACCENTS and self.accent(name):
            return
        if name in STYLES:
            if self.peek_group():
                self.enter(STYLES[name])
            elif self.s.startswith("{", self.at):  # cut off: the content stands without its style
                self.at += 1
        elif name in DECLARATIONS:
            self.declare(DECLARATIONS[name])
        elif CITE.fullmatch(name):
            self.drop(1, options=2)
            self.text(_CITED)
        elif name in ("url", "href", "path", "nolinkurl"):
            self.address(name)
        elif name == "footnote" and self.peek_group():
            self.text(" (")
            self.frames.append((self.match[self.at], [(TEXT, ")")]))
            self.at += 1
        elif name in DROPPED:
            self.dropped(name)
        elif name in LAST_OF_TWO:
            self.drop(1, options=1)
            if self.peek_group():
                self.enter(None)
        elif name in MATHS_ONLY and self.peek_group():
            self.maths_macro(token.start(), MATHS_ONLY[name])
        elif (
            name == "ensuremath"
            and self.peek_group()
            and self.s[self.at + 1 : self.match[self.at]].strip()
        ):
            end = self.match[self.at]
            self.maths(self.s[self.at + 1 : end], self.at, end)
            self.at = end + 1
        else:
            self.symbol(name)

    @staticmethod
    def known(name: str) -> bool:
        return (
            name in STYLES or name in DECLARATIONS or name in CONTENT_ONLY or name in DROPPED
            or name in SYMBOLS or name in MATHS_ONLY or name in LAST_OF_TWO
            or name in ("url", "href", "footnote") or bool(CITE.fullmatch(name))
        )  # fmt: skip

    def symbol(self, name: str) -> None:
        """A macro that prints itself, its content only, or at least its name."""
        if name in CONTENT_ONLY:
            self.text(" " if name in SPACE_LIKE else "")
            self.skip_blank()
            self.open_plain_group()
            return
        text = SYMBOLS.get(name)
        if text is not None:
            self.text(text)
            if name in LETTERS or name.startswith("text"):
                self.skip_blank()
        elif not self.peek_group() or self.match[self.at] == self.at + 1:
            self.text(name)
        if self.s.startswith("{}", self.at):
            self.at += 2
        elif text is None:
            self.open_plain_group()

    def open_plain_group(self) -> None:
        if self.peek_group():
            self.enter(None)

    def skip_blank(self) -> None:
        limit = self.frames[-1][0] if self.frames else len(self.s)
        blank = _BLANK.match(self.s, self.at)
        self.at = min(limit, blank.end() if blank else self.at)

    def peek_group(self) -> bool:
        """Whether a closed group starts here, white space before it skipped."""
        blank = _BLANK.match(self.s, self.at)
        start = blank.end() if blank else self.at
        if start in self.match:
            self.at = start
            return True
        return False

    def drop(self, count: int, *, options: int) -> list[str]:
        """Skip options in brackets and then ``count`` groups; returns the groups' content."""
        for _ in range(options):
            option = re.compile(r"\s*\[[^\[\]{}]{0,300}\]").match(self.s, self.at)
            if option and (not self.frames or option.end() <= self.frames[-1][0]):
                self.at = option.end()
        groups = []
        for _ in range(count):
            if not self.peek_group():
                break
            end = self.match[self.at]
            groups.append(self.s[self.at + 1 : end])
            self.at = end + 1
        return groups

    def dropped(self, name: str) -> None:
        if name in DEFINING:
            defined = re.compile(r"\s*\{?\\[A-Za-z]+\}?[#\d\[\]]*").match(self.s, self.at)
            if defined and (not self.frames or defined.end() <= self.frames[-1][0]):
                self.at = defined.end()
        start = self.at
        groups = self.drop(DROPPED[name], options=1)
        if (
            name == "begin"
            and groups
            and re.fullmatch(r"(?:equation|align|math|displaymath|gather|eqnarray)\*?", groups[0])
        ):
            end = self.s.find(f"\\end{{{groups[0]}}}", self.at)
            if end >= 0 and self.maths(self.s[self.at : end], start, end):
                self.at = end + len(f"\\end{{{groups[0]}}}")

    def declare(self, style: str) -> None:
        self.skip_blank()
        if self.frames:
            self.events.append((OPEN, style))
            self.frames[-1][1].append((CLOSE, style))

    def maths_macro(self, start: int, count: int) -> None:
        at = self.at
        self.drop(count, options=0)
        if not self.maths(self.s[start : self.at], start, self.at):
            self.at = at

    def address(self, name: str) -> None:
        groups = self.drop(1, options=0)
        if not groups:
            bare = re.compile(r"\s*(https?://[^\s{}\\]+)").match(self.s, self.at)
            if bare:
                self.events.append((URL, bare[1]))
                self.at = bare.end()
            return
        url = re.sub(r"\\([%&#_~{}])(?:\{\})?|\s+", lambda m: m[1] or "", groups[0])
        url = re.sub(r"[{}\\$]", "", url.replace("\\textasciitilde", "~"))
        if name != "href":
            self.events.append((URL, url) if url else (TEXT, ""))
            return
        if self.peek_group():
            label = re.sub(
                r"[\\{}\s]|https?://|texttt|url|www\.",
                "",
                self.s[self.at + 1 : self.match[self.at]],
            )
            if label and label not in url:
                self.enter(None)
                self.frames[-1][1].extend([(TEXT, ")"), (URL, url), (TEXT, " (")] if url else [])
                return
            self.at = self.match[self.at] + 1
        if url:
            self.events.append((URL, url))


def _match_braces(s: str) -> dict[int, int]:
    """Opening to closing position of every brace pair; a brace after a backslash is a character."""
    match: dict[int, int] = {}
    stack: list[int] = []
    for m in re.finditer(r"\\.|([{}])", s, re.DOTALL):
        if m[1] == "{":
            stack.append(m.start())
        elif m[1] and stack:
            match[stack.pop()] = m.start()
    return match


def _only_grouping(s: str, start: int, end: int) -> bool:
    """Whether braces in plain text are TeX's: after a command, around a command, within a word."""
    inner = s[start + 1 : end]
    if inner.startswith("\\") and inner[1:2] not in ("{", "}"):
        return True
    if _DECLARED.match(inner):
        return True
    glued = (
        s[start - 1 : start].isalnum()
        or s[end + 1 : end + 2].isalnum()
        or s[start - 1 : start] in ("_", "^")
    )
    return bool(glued and start and inner.isalnum())


def _without_citations(events: list[Event]) -> list[Event]:
    """Take the places of citations away, with the brackets and blanks that held them."""
    if not any(kind == TEXT and _CITED in value for kind, value in events):
        return events
    joined: list[Event] = []
    for kind, value in events:
        if kind == TEXT and joined and joined[-1][0] == TEXT:
            joined[-1] = (TEXT, joined[-1][1] + value)
        else:
            joined.append((kind, value))
    tidy: list[Event] = []
    for kind, value in joined:
        if kind == TEXT and _CITED in value:
            value = _CITE_BRACKETS.sub("", value)
            value = _CITE_BEFORE_STOP.sub("", value).replace(_CITED, "")
        tidy.append((kind, value))
    return tidy
