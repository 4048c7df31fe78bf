"""What BibTeX, RIS and CSL-JSON share: identifiers, years, dates, names and refusals."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from peerscope.record.files import GET_AGAIN, BrokenFileError, blocks
from peerscope.record.markup import clean
from peerscope.record.parsed import Good, ParsedAuthor, ParsedWork, Quarantined, Record

MAX_RECORD = 8 * 1024 * 1024
"""Largest single record, in bytes; a larger one goes to quarantine."""
MAX_TITLE = 4_000
"""Longest title, in characters."""

_DOI = re.compile(r"10\.\d{4,9}(?:\.\d+)*/[^\s{}\\]+")
_DOI_PREFIX = re.compile(
    r"^(?:https?://(?:dx\.|www\.)?doi\.org/|doi\s*[:=]\s*|doi\s+)", re.IGNORECASE
)
_ARXIV = re.compile(r"(?:\d{4}\.\d{4,5}|[a-z][a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v\d+)?", re.IGNORECASE)
_ARXIV_PREFIX = re.compile(
    r"^(?:https?://(?:www\.|export\.)?arxiv\.org/(?:abs|pdf)/|arxiv\s*[:.]\s*|https?://(?:dx\.)?doi\.org/10\.48550/arxiv\.|10\.48550/arxiv\.)",
    re.IGNORECASE,
)
_URL = re.compile(r"(?:https?|ftp)://[^\s<>\"]+", re.IGNORECASE)
_ORCID = re.compile(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]")
_YEAR = re.compile(r"(?<!\d)\d{4}(?!\d)")
_ISO = re.compile(r"(\d{4})(?:-(\d\d?)(?:-(\d\d?))?)?")


class Refused(Exception):
    """A record that cannot go in; says why and what would mend it, as sentences."""

    def __init__(self, reason: str, mend: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.mend = mend


@dataclass(slots=True)
class Located:
    """A record on its way: where it stands, its text for the excerpt, and the work or the refusal."""

    line: int
    source: str
    outcome: ParsedWork | Refused
    key: str | None = None


def numbered(found: Iterable[Located], breaks: Sequence[BrokenFileError] = ()) -> Iterator[Record]:
    """Number the records without gaps and refuse every key that was there before.

    Args:
        found: The records of a file.
        breaks: What `chunks` met while they were read; said in a last record.

    Yields:
        `Good` or `Quarantined` in file order; of two records with one key the first goes in.
    """
    seen: dict[str, tuple[int, int]] = {}
    position = -1
    for position, record in enumerate(found):
        outcome, key = record.outcome, record.key
        if isinstance(outcome, ParsedWork):
            if outcome.key not in seen:
                seen[outcome.key] = (record.line, position + 1)
                yield Good(position, outcome)
                continue
            key = outcome.key
            line, ordinal = seen[key]
            outcome = Refused(
                f"The key '{key}' belongs to record {ordinal} on line {line} and again to record "
                f"{position + 1} on line {record.line}; the first went in.",
                f"Give the record on line {record.line} a key of its own, or remove it if both are "
                "the same work.",
            )
        yield Quarantined(
            position,
            f"line {record.line}",
            outcome.reason,
            outcome.mend,
            key=clean(key)[:200] if key else None,
            excerpt=clean(record.source[:2000])[:500],
        )
    for place, error in enumerate(breaks, position + 1):
        yield Quarantined(place, "end of the readable part", str(error), GET_AGAIN)


def require_title(title: str) -> None:
    """Refuse a record whose title is empty or out of all measure."""
    if not title:
        raise Refused("The record has no title.", "Add a title and import the file again.")
    if len(title) > MAX_TITLE:
        raise Refused(
            f"The title has {len(title):,} characters; at most {MAX_TITLE:,} are read.",
            "Shorten the title, or close the quotation mark or brace that is missing in it.",
        )


def check_year(year: int) -> int:
    """A year between 1000 and two years from now; anything else is refused."""
    latest = datetime.now(UTC).year + 2
    if 1000 <= year <= latest:
        return year
    raise Refused(
        f"The year is {year}; a work's year lies between 1000 and {latest}.",
        "Correct the year and import the file again.",
    )


def year_of(printed: str) -> int | None:
    """The year in what is printed as one ("2020", "c. 1999", "in press": ``None``).

    Raises:
        Refused: If it holds digits but no possible year ("20222").
    """
    found = _YEAR.search(printed)
    if found:
        return check_year(int(found[0]))
    digits = re.search(r"\d{3,}", printed)
    if digits:
        return check_year(int(digits[0][:9]))
    return None


def iso_date(printed: str) -> str | None:
    """An ISO 8601 date of year, month or day precision, or ``None`` where it is none."""
    match = _ISO.fullmatch(printed.strip())
    if not match:
        return None
    year, month, day = match.groups()
    try:
        datetime(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return None
    return "-".join([year, *(f"{int(part):02d}" for part in (month, day) if part)])


def doi_of(printed: str) -> str | None:
    """A DOI in lower case without resolver, or ``None`` where it is none."""
    value = _DOI_PREFIX.sub("", printed.strip()).rstrip(".,;").lower()
    return value if _DOI.fullmatch(value) else None


def arxiv_of(printed: str) -> str | None:
    """An arXiv id without version and subject class (``math.GT/0309136``), or ``None`` where it is none."""
    value = re.sub(r"\.pdf$", "", _ARXIV_PREFIX.sub("", printed.strip()))
    value = re.sub(r"\s*\[[\w.-]+\]$", "", value)
    if not _ARXIV.fullmatch(value):
        return None
    archive, slash, number = re.sub(r"v\d+$", "", value, flags=re.IGNORECASE).rpartition("/")
    return archive.split(".")[0].lower() + slash + number


def orcid_of(printed: str) -> str | None:
    """A bare ORCID, or ``None`` where it is none."""
    found = _ORCID.search(printed.upper())
    return found[0] if found else None


def url_of(printed: str) -> str | None:
    """A web address as it may stand in a link, or ``None`` where it is none."""
    value = clean(printed).strip("<> ")
    value = re.sub(r"[{}\\^`|\s]", lambda m: f"%{ord(m[0]):02X}", value)
    return value if _URL.fullmatch(value) else None


def person(family: str, given: str, suffix: str = "") -> ParsedAuthor | None:
    """An author from parts; with a family name alone it stands for the whole name."""
    family, given, suffix = clean(family), clean(given), clean(suffix)
    name = " ".join(part for part in (given, family, suffix) if part)
    if not name:
        return None
    if not family:
        return ParsedAuthor(name=name, family=name)
    return ParsedAuthor(
        name=name, family=family if given or not suffix else name, given=given or None
    )


def suffix_of(author: ParsedAuthor) -> str:
    """What follows given and family name in the display name ("Jr."), or an empty string."""
    if not author.family or not author.given:
        return ""
    stem = f"{author.given} {author.family} "
    return author.name[len(stem) :] if author.name.startswith(stem) else ""


def split_topics(printed: str) -> list[str]:
    """Keywords apart: at semicolons where there are any, else at commas, never within braces."""
    parts: list[str] = []
    depth = 0
    sign = ";" if re.search(r";", re.sub(r"\{[^{}]*\}", "", printed)) else ","
    part = ""
    for char in printed:
        depth += {"{": 1, "}": -1}.get(char, 0)
        if char == sign and depth <= 0:
            parts.append(part)
            part = ""
        else:
            part += char
    return [*parts, part]


def chunks(path: str, breaks: list[BrokenFileError] | None = None) -> Iterator[bytes]:
    """The file's unfolded bytes in pieces, as UTF-8 where it starts with a UTF-16 mark.

    A compressed file that breaks off ends there, and the error joins ``breaks``.
    """
    decoder: codecs.IncrementalDecoder | None = None
    first = True
    try:
        for block in blocks(path):
            if first and block[:2] in (b"\xff\xfe", b"\xfe\xff"):
                decoder = codecs.getincrementaldecoder("utf-16")("replace")
            part = block.removeprefix(b"\xef\xbb\xbf") if first else block
            first = False
            yield decoder.decode(part).encode("utf-8", "replace") if decoder else part
    except BrokenFileError as error:
        if breaks is not None:
            breaks.append(error)
