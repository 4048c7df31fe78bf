"""BibTeX's vocabulary: entry types, months, languages; field values, names and dates as it writes them."""

from __future__ import annotations

import re
from functools import lru_cache

from bibtexparser.middlewares.names import (
    parse_single_name_into_parts,
    split_multiple_persons_names,
)

from peerscope.record.importers.bibliography import Refused, person
from peerscope.record.markup import escape_tex, from_tex
from peerscope.record.parsed import ParsedAuthor

TYPES = {
    "article": "journal-article", "periodical": "other", "inproceedings": "proceedings-article",
    "conference": "proceedings-article", "book": "book", "mvbook": "book", "booklet": "book",
    "proceedings": "book", "mvproceedings": "book", "collection": "book", "mvcollection": "book",
    "manual": "other", "inbook": "book-chapter", "incollection": "book-chapter",
    "inreference": "book-chapter", "bookinbook": "book-chapter", "suppbook": "book-chapter",
    "phdthesis": "dissertation", "mastersthesis": "dissertation", "thesis": "dissertation",
    "techreport": "report", "report": "report", "dataset": "dataset", "software": "software",
    "review": "review", "unpublished": "other", "misc": "other", "online": "other",
    "electronic": "other", "www": "other", "patent": "other", "preprint": "preprint",
}  # fmt: skip
"""Entry type to work type; an entry type that is not listed is ``other``."""

ENTRY_TYPES = {
    "journal-article": "article", "proceedings-article": "inproceedings", "preprint": "misc",
    "book": "book", "book-chapter": "incollection", "dissertation": "phdthesis",
    "report": "techreport", "dataset": "dataset", "software": "software", "review": "review",
    "other": "misc",
}  # fmt: skip
"""Work type to the entry type under which it is written."""

ARCHIVE = re.compile(r"(?i)\s*(?:arxiv|corr$|computing research repository|e-?prints? arxiv)")
"""Names under which arXiv stands in a journal's place."""


def derived_type(entry_type: str, venue: str, *, arxiv: bool, published: bool) -> str:
    """The work type that an entry shows without saying it.

    Args:
        entry_type: Lower-case entry type.
        venue: The journal or book title as printed, or an empty string.
        arxiv: Whether the entry has an arXiv id.
        published: Whether it says how it was published.
    """
    kind = TYPES.get(entry_type, "other")
    alone = arxiv and not venue and not published and entry_type != "article"
    if kind in ("journal-article", "other") and (ARCHIVE.match(venue) or alone):
        return "preprint"
    if kind == "other" and arxiv and entry_type in ("misc", "unpublished", "online"):
        return "preprint"
    return kind


MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH_NAMES = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip

LANGUAGES = {
    "english": "en", "american": "en", "british": "en", "usenglish": "en", "ukenglish": "en",
    "german": "de", "ngerman": "de", "austrian": "de", "french": "fr", "spanish": "es",
    "italian": "it", "portuguese": "pt", "brazilian": "pt", "russian": "ru", "chinese": "zh",
    "japanese": "ja", "korean": "ko", "dutch": "nl", "polish": "pl", "czech": "cs", "swedish": "sv",
    "danish": "da", "norwegian": "no", "finnish": "fi", "turkish": "tr", "arabic": "ar",
    "hebrew": "he", "greek": "el", "hungarian": "hu", "ukrainian": "uk", "persian": "fa",
    "hindi": "hi", "romanian": "ro", "catalan": "ca",
}  # fmt: skip
"""Babel's names of languages and the ISO 639 codes."""


def language_of(printed: str) -> str | None:
    """The ISO 639 code of a language's name or code, or ``None`` where it is neither."""
    language = printed.lower()
    if language in LANGUAGES:
        return LANGUAGES[language]
    return language if re.fullmatch(r"[a-z]{2,3}(?:-[a-z]{2,4})?", language) else None


_PIECE = re.compile(r'\s*(?:(\{)|(")|(\d+)|([^\s#{}",=()%\d][^\s#{}",=%]*))')
_MAX_VALUE = 4_000_000


def evaluate(raw: str, macros: dict[str, str]) -> str:
    """A field's value: braces or quotation marks taken off, macros put in, parts at ``#`` joined.

    Args:
        raw: The value as it stands in the file.
        macros: ``@string`` names in lower case and their values.

    Raises:
        Refused: If the value is not one that BibTeX knows.
    """
    if raw[:1] == "{" and raw[-1:] == "}" and raw.count("{") == raw.count("}") == 1:
        return _one_line(raw[1:-1])
    parts: list[str] = []
    at = 0
    size = 0
    while True:
        piece = _PIECE.match(raw, at)
        if piece is None:
            return _unquoted(raw)
        brace, quote, number, name = piece.groups()
        if brace or quote:
            end = _closing(raw, piece.end(), '"' if quote else "}")
            if end < 0:
                raise Refused(
                    "A field's value does not close.",
                    "Add the missing brace or quotation mark.",
                )
            parts.append(raw[piece.end() : end])
            at = end + 1
        else:
            parts.append(number or macros.get(name.lower(), name))
            at = piece.end()
        size += len(parts[-1])
        if size > _MAX_VALUE:
            raise Refused(
                f"A field's value grows beyond {_MAX_VALUE:,} characters.", "Shorten its macros."
            )
        rest = raw[at:].lstrip()
        if not rest:
            return _one_line("".join(parts))
        if not rest.startswith("#"):
            if brace or quote:
                raise Refused(
                    f"Behind a field's value stands '{rest[:40]}'.",
                    "Put a comma between the two fields.",
                )
            return _unquoted(raw)
        at = raw.index("#", at) + 1


def _unquoted(raw: str) -> str:
    """A value without braces or quotation marks, such as a bare address."""
    if re.search(r'[{}"]', raw):
        raise Refused(
            f"The value '{raw.strip()[:40]}' stands neither in braces nor in quotation marks.",
            "Put the whole value in braces.",
        )
    return _one_line(raw)


def _one_line(value: str) -> str:
    return re.sub(r"\s+", " ", value).strip()


def _closing(raw: str, at: int, sign: str) -> int:
    depth = 0
    for mark in re.finditer(r'\\.|[{}"]', raw[at:], re.DOTALL):
        if mark[0] == sign and depth == 0:
            return at + mark.start()
        if mark[0] == "{":
            depth += 1
        elif mark[0] == "}":
            depth -= 1
            if depth < 0:
                return -1
    return -1


def raw_safe(value: str) -> str:
    """TeX source that may stand in braces again.

    It is unchanged where its braces balance both for BibTeX, which counts every brace, and for readers
    that skip one behind a backslash; else what disturbs is written as a command.
    """
    if _balances(value):
        return value
    mended = re.sub(r"\\([{}\\]|$)", lambda m: _NAMED_SIGNS.get(m[1], r"\textbackslash{}"), value)
    return mended if _balances(mended) else escape_tex(value)


_NAMED_SIGNS = {"{": r"\textbraceleft{}", "}": r"\textbraceright{}", "\\": r"\\"}


def _balances(value: str) -> bool:
    strict = lenient = 0
    hidden = False
    for char in value:
        step = {"{": 1, "}": -1}.get(char, 0)
        strict += step
        if not hidden:
            lenient += step
        if strict < 0 or lenient < 0:
            return False
        hidden = char == "\\" and not hidden
    return strict == lenient == 0 and not hidden


def names(value: str) -> tuple[list[ParsedAuthor], bool]:
    """The people of an author field, and whether it ends in "and others"."""
    people: list[ParsedAuthor] = []
    others = False
    for one in split_multiple_persons_names(value) if "{" in value else _AND.split(value):
        one = one.strip(" ,")
        if one.lower() in ("others", "et al", "et al.", r"et~al."):
            others = True
            continue
        author = person(*_name(one))
        if author:
            people.append(author)
    return people, others


_AND = re.compile(r"\s+and(?=\s)|^and\s", re.IGNORECASE)


@lru_cache(maxsize=50_000)
def _name(one: str) -> tuple[str, str, str]:
    """Family name with its particles, given names, and what follows them."""
    if one.startswith("{") and _closing(one, 1, "}") == len(one) - 1:
        return from_tex(one).text, "", ""
    parts = parse_single_name_into_parts(one, strict=False)
    family = from_tex(" ".join([*parts.von, *parts.last])).text
    return family, from_tex(" ".join(parts.first)).text, from_tex(" ".join(parts.jr)).text


def month_and_day(printed: str) -> tuple[int, int | None] | None:
    """Month and day of a month field ("jun", "6", "June~5"), or ``None`` where it is something else."""
    text = from_tex(printed).text.lower().strip(". ")
    match = re.fullmatch(
        r"(?:(\d{1,2})\.?\s+)?([a-z]{3,9})\.?(?:\s+(\d{1,2})(?:st|nd|rd|th)?)?", text
    )
    if match and not (match[1] and match[3]):
        for number, name in enumerate(MONTH_NAMES, 1):
            if match[2] in (name.lower(), name[:3].lower()) or (match[2] == "sept" and number == 9):
                day = match[1] or match[3]
                return number, int(day) if day else None
    if re.fullmatch(r"0?[1-9]|1[0-2]", text):
        return int(text), None
    return None
