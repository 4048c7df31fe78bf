"""Works as BibTeX, UTF-8, such that `BibtexImporter` reads the same works back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from peerscope.record.importers.bibliography import arxiv_of, suffix_of
from peerscope.record.importers.bibtex_fields import (
    ENTRY_TYPES,
    MONTHS,
    TYPES,
    derived_type,
    language_of,
    raw_safe,
)
from peerscope.record.markup import clean, escape_tex, to_tex
from peerscope.record.parsed import ParsedAuthor, ParsedWork

_KEY = re.compile(r"[^\s,{}\"=\\%#~()@\x00-\x1f]+")
_WORD_AND = re.compile(r"(?:^|\s)and(?:\s|$)", re.IGNORECASE)
_FIELD_NAME = re.compile(r"[a-z][a-z0-9_:+.-]*")
_OWN = frozenset({"bibtex_type", "more_authors", "more_editors"})


def to_bibtex(works: Iterable[ParsedWork]) -> Iterator[str]:
    """Yield one entry per work, each ending in an empty line.

    A work keeps its own key where BibTeX can write it; keys that would meet get a letter.
    """
    used: set[str] = set()
    for work in works:
        key = _unique(_key(work), used)
        lines = [f"  {name} = {value}," for name, value in _fields(work)]
        yield "\n".join([f"@{_entry_type(work)}{{{key},", *lines, "}", "", ""])


def _key(work: ParsedWork) -> str:
    if _KEY.fullmatch(work.key):
        return work.key
    return re.sub(r"[^\w:./+-]+", "_", work.key).strip("_") or "work"


def _unique(key: str, used: set[str]) -> str:
    unique, count = key, 1
    while unique in used:
        count += 1
        unique = f"{key}-{count}"
    used.add(unique)
    return unique


def _entry_type(work: ParsedWork) -> str:
    kept = work.extra.get("bibtex_type", "")
    if re.fullmatch(r"[a-z]+", kept) and kept not in ("string", "comment", "preamble"):
        return kept
    return ENTRY_TYPES.get(work.type, "misc")


def _fields(work: ParsedWork) -> Iterator[tuple[str, str]]:
    """Name and value of every field, the value in braces or a month's name; no name comes twice."""
    written: dict[str, str] = {}
    for name, value in _own_fields(work):
        if value and name not in written:
            written[name] = value
            yield name, value if name == "month" and value in MONTHS else f"{{{value}}}"
    for name, source in sorted(work.extra.items()):
        if name in _OWN or not source:
            continue
        field = name.lower() if _FIELD_NAME.fullmatch(name.lower()) else "extra"
        value = raw_safe(re.sub(r"\s+", " ", source).strip())
        while field in written:
            if written[field] == value:
                break
            field = f"x_{field}"
        else:
            written[field] = value
            yield field, f"{{{value}}}"


def _own_fields(work: ParsedWork) -> Iterator[tuple[str, str]]:
    extra = work.extra
    yield "title", to_tex(work.title_markup or work.title, protect=True)
    yield "author", _names(work.authors, others="more_authors" in extra)
    yield "editor", _names(work.editors, others="more_editors" in extra)
    yield from _venue(work)
    yield "year", extra.get("year") or (str(work.year) if work.year else "")
    if "date" not in extra:
        yield from _month(work)
    yield "volume", escape_tex(work.volume or "")
    yield "number", escape_tex(work.issue or "")
    yield "pages", _pages(work.pages or "")
    yield _publisher_field(work), escape_tex(work.publisher or "")
    yield "doi", work.ids.get("doi", "")
    # An entry may show its arXiv id elsewhere and name another archive here.
    printed = extra.get("eprint") or work.ids.get("arxiv", "")
    elsewhere = "archiveprefix" in extra or "eprinttype" in extra
    if "arxiv" in work.ids and arxiv_of(printed) == work.ids["arxiv"] and not elsewhere:
        yield "eprint", printed
        yield "archiveprefix", "arXiv"
    yield "pmid", work.ids.get("pmid", "")
    yield "isbn", work.ids.get("isbn") or work.venue_ids.get("isbn", "")
    yield "issn", work.venue_ids.get("issn", "")
    yield "url", work.url or ""
    yield "pdf", work.pdf_url or ""
    named = extra.get("langid", extra.get("language", ""))
    if work.language and language_of(named) != work.language:
        yield "langid", work.language
    yield "license", escape_tex(work.licence or "")
    yield "keywords", ", ".join(_topic(topic.name) for topic in work.topics)
    for kind in ("code", "data"):
        yield kind, " ".join(a.url for a in work.artifacts if a.kind == kind)
    yield "abstract", to_tex(work.abstract_markup or work.abstract or "")


def _venue(work: ParsedWork) -> Iterator[tuple[str, str]]:
    entry_type = _entry_type(work)
    chapter = TYPES.get(entry_type) in ("proceedings-article", "book-chapter")
    arxiv = "arxiv" in work.ids
    # arXiv as the venue follows from the id, or from the journal as it was printed.
    implied = work.type == "preprint" and work.venue == "arXiv" and arxiv
    name = "booktitle" if chapter else "journal"
    other = "journal" if chapter else "booktitle"
    printed = work.extra.get(name) or work.extra.get(other, "") if implied else work.venue or ""
    published = "howpublished" in work.extra
    if work.type != derived_type(entry_type, printed, arxiv=arxiv, published=published):
        yield "entrysubtype", work.type
    if not implied:
        yield name, escape_tex(printed)


def _publisher_field(work: ParsedWork) -> str:
    house = {"dissertation": "school", "report": "institution"}.get(work.type, "publisher")
    return "publisher" if house in work.extra else house


def _month(work: ParsedWork) -> Iterator[tuple[str, str]]:
    date = work.date or ""
    if len(date) < 7 or not date.startswith(f"{work.year}-"):
        return
    if "month" in work.extra or ("day" in work.extra and len(date) == 10):
        yield "date", date
        return
    yield "month", MONTHS[int(date[5:7]) - 1]
    if len(date) == 10:
        yield "day", str(int(date[8:]))


def _pages(pages: str) -> str:
    return (
        escape_tex(pages).replace("-{}-", "--")
        if "--" in pages
        else escape_tex(pages).replace("-", "--")
    )


def _topic(name: str) -> str:
    return f"{{{escape_tex(name)}}}" if re.search(r"[,;]", name) else escape_tex(name)


def _names(people: list[ParsedAuthor], *, others: bool) -> str:
    names = [_name(author) for author in people]
    if others:
        names.append("others")
    return " and ".join(names)


def _name(author: ParsedAuthor) -> str:
    if author.family and author.given:
        parts = [author.family, suffix_of(author), author.given]
        return ", ".join(_name_part(part) for part in parts if part)
    # A name that its source left whole: most are persons, whom a style may abbreviate.
    spaced = re.fullmatch(r"[^\s,{}\\~]+(?: [^\s,{}\\~]+)+", author.name)
    if author.family is None and spaced and not _WORD_AND.search(author.name):
        return escape_tex(author.name)
    return f"{{{escape_tex(author.name)}}}"


def _name_part(part: str) -> str:
    text = escape_tex(clean(part))
    return f"{{{text}}}" if "," in part or _WORD_AND.search(part) else text
