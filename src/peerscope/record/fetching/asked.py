"""What somebody asks for: identifiers out of pasted text.

``ids_in(text, most=200) -> tuple[list[Asked], list[Refusal]]``: DOIs, arXiv ids, ORCIDs and OpenAlex works
in whatever form people paste them, in the order of the text, each once; and what was not taken, with the
reason as a sentence. Nothing here asks anybody: the forms are checked, not whether such a record exists.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote, urlsplit

from peerscope.record.importers.bibliography import arxiv_of, doi_of
from peerscope.record.markup import clean

Scheme = Literal["doi", "arxiv", "orcid", "openalex"]

MOST = 200
"""Identifiers that are taken from one text."""
LONGEST_TEXT = 200_000
"""Characters of a text that are looked at."""
LONGEST_DOI = 300
"""Characters; the longest that are in use have some 200."""
LONGEST_WORD = 2_000
"""Characters between two blanks; identifiers and addresses that hold one are shorter."""
SHOWN = 100
"""Characters of what was written that a refusal repeats."""

LABELS = {"doi": "doi", "arxiv": "arXiv", "orcid": "ORCID", "openalex": "OpenAlex"}
"""How an identifier's scheme is written before its value."""

_LABEL = re.compile(
    r"(?:doi|arxiv|orcid(?:\s+id)?|openalex|pmid|pmcid|isbn)\s*[:=]\s*", re.IGNORECASE
)
_BARE_LABEL = re.compile(r"(?:doi|arxiv|orcid|openalex|pmid|pmcid|isbn)[:=]?", re.IGNORECASE)
_PARTED = re.compile(
    r"[,;]+(?=10\.\d|https?://|arxiv[:.]|doi[:.]|\d{4}\.\d{4,5}|\d{4}-\d{4}-\d{4}-)", re.I
)
_WRAPPED = "<>[]{}\"'“”‘’«»|*`"
_NEW_ARXIV = re.compile(r"(\d\d)(\d\d)\.(\d{4,5})", re.ASCII)
_OLD_ARXIV = re.compile(r"[a-z][a-z-]+/(\d\d)(\d\d)\d{3}", re.ASCII)
_ORCID = re.compile(r"([0-9]{4})-?([0-9]{4})-?([0-9]{4})-?([0-9]{3}[0-9Xx])")
_DOI_PREFIX = re.compile(r"10\.\d{4,9}(?:\.\d+)*/", re.ASCII)
_OPENALEX = re.compile(r"([WASITCFPK])(\d{5,12})", re.IGNORECASE | re.ASCII)
_DOI_ON_A_PAGE = re.compile(
    r"/(?:doi|article|chapter|book)/(?:[a-z]{2,9}/)?(10\.\d{4,9}(?:\.\d+)*/.+)"
)
_LOOKS_MEANT = re.compile(r"^10\.\d{3,}|doi\.org|arxiv|orcid|openalex", re.IGNORECASE)

_RESOLVERS = frozenset({"doi.org", "dx.doi.org", "www.doi.org"})
_ARXIV_HOSTS = frozenset({"arxiv.org", "www.arxiv.org", "export.arxiv.org"})
_PUBMED = re.compile(r"(?:pubmed\.ncbi\.nlm\.nih\.gov|ncbi\.nlm\.nih\.gov)", re.IGNORECASE)

NOTHING = "There is no DOI, arXiv id, ORCID or OpenAlex work id in this line."
PUBMED = "PubMed ids are not fetched; give the work's DOI instead."
ISBN = "ISBNs are not fetched; import the book as BibTeX, RIS or CSL-JSON."


@dataclass(frozen=True, slots=True)
class Asked:
    """One identifier: its scheme, and its value in normal form.

    ``doi`` is in lower case without resolver, ``arxiv`` without version, ``orcid`` with hyphens and a
    right check digit, ``openalex`` as ``W`` and digits.
    """

    scheme: Scheme
    value: str

    def __str__(self) -> str:
        """As it is written where it must be recognised again: ``doi:10.1000/x``."""
        return f"{LABELS[self.scheme]}:{self.value}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was written (at most `SHOWN` characters of it) and why it was not taken, as a sentence."""

    written: str
    reason: str


def ids_in(text: str, most: int = MOST) -> tuple[list[Asked], list[Refusal]]:
    """The identifiers in a text that somebody pasted.

    They may stand in lines of their own, between other words, parted by blanks, commas or semicolons, as
    addresses, with labels, versions, brackets or a full stop behind them. An arXiv DOI is an arXiv id.

    Args:
        text: Any text.
        most: How many identifiers are taken; what stands behind them is refused.

    Returns:
        Identifiers in normal form without repetition, and refusals, both in the order of the text.
    """
    found: dict[Asked, None] = {}
    refused: dict[Refusal, None] = {}
    for line in text[:LONGEST_TEXT].splitlines():
        taken = _in_line(line)
        for one in taken:
            if isinstance(one, Refusal):
                refused[one] = None
            elif one in found or len(found) < most:
                found[one] = None
            else:
                reason = f"At most {most} identifiers are taken at once; bring this one later."
                refused[Refusal(str(one)[:SHOWN], reason)] = None
        if not taken and line.strip():
            refused[Refusal(_shown(line), NOTHING)] = None
    if len(text) > LONGEST_TEXT:
        reason = f"Only the first {LONGEST_TEXT:,} characters were looked at; bring the rest later."
        refused[Refusal(_shown(text[LONGEST_TEXT : LONGEST_TEXT + SHOWN]), reason)] = None
    return list(found), list(refused)


def orcid_in_form(printed: str) -> str | None:
    """An ORCID with hyphens, if form and check digit (ISO 7064, mod 11-2) are right, else ``None``."""
    match = _ORCID.fullmatch(printed)
    if match is None:
        return None
    digits = "".join(match.groups()).upper()
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    check = (12 - total % 11) % 11
    return "-".join(match.groups()).upper() if digits[-1] == "0123456789X"[check] else None


def _in_line(line: str) -> list[Asked | Refusal]:
    words = [part for word in line.split() for part in _PARTED.split(word)]
    taken: list[Asked | Refusal] = []
    label = ""
    for word in words:
        bare = word.strip(_WRAPPED + "(),;")
        if _BARE_LABEL.fullmatch(bare):
            label = bare.rstrip(":=").lower()
            continue
        one = _read(word, label)
        # "arXiv preprint": a word behind the name of a scheme is not yet an identifier in it
        meant = not label or any(char.isdigit() for char in word)
        label = ""
        if one is not None and meant:
            taken.append(one)
    return taken


def _read(word: str, label: str) -> Asked | Refusal | None:
    """What a word asks for; ``None`` where it asks for nothing."""
    if len(word) > LONGEST_WORD:
        meant = _LOOKS_MEANT.search(word[:SHOWN])
        return Refusal(_shown(word), f"This has {len(word):,} characters.") if meant else None
    plain = _trimmed(word)
    match = _LABEL.match(plain)
    if match:
        label, plain = match[0].rstrip(" :=").split()[0].lower(), plain[match.end() :]
    shown = _shown(word)
    if label == "isbn":
        return Refusal(shown, ISBN)
    if label in ("pmid", "pmcid") or _PUBMED.search(plain) or re.fullmatch(r"PMC\d+", plain, re.I):
        return Refusal(shown, PUBMED)
    if re.match(r"https?://|www\.", plain, re.IGNORECASE) or re.match(
        r"(?:dx\.)?doi\.org/|(?:export\.)?arxiv\.org/|orcid\.org/|openalex\.org/", plain, re.I
    ):
        return _of_address(plain, shown)
    return _of_value(plain, label, shown)


def _trimmed(word: str) -> str:
    """Without what stands around it: quotes, brackets that do not belong to it, a full stop."""
    plain = word.strip(_WRAPPED)
    while plain and (
        plain[-1] in ".,;:!?" + _WRAPPED
        or (plain[-1] == ")" and plain.count(")") > plain.count("("))
    ):
        plain = plain[:-1]
    while plain.startswith("(") and plain.count("(") > plain.count(")"):
        plain = plain[1:]
    if plain.startswith("(") and plain.endswith(")"):
        plain = plain[1:-1]
    return plain.strip(_WRAPPED)


def _of_address(address: str, shown: str) -> Asked | Refusal | None:
    if "://" not in address:
        address = "https://" + address
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").lower()
    except ValueError:
        return Refusal(shown, "This address cannot be read.")
    path = unquote(parts.path)
    if host in _RESOLVERS:
        return _doi(path.strip("/"), shown)
    if host in _ARXIV_HOSTS:
        match = re.fullmatch(r"/(?:abs|pdf|html|format|ps|src|e-print)/(.+?)(?:\.pdf)?/?", path)
        return (
            _arxiv(match[1], shown)
            if match
            else Refusal(shown, "This is no page of a work on arXiv.")
        )
    if host in ("orcid.org", "www.orcid.org", "pub.orcid.org"):
        match = re.search(_ORCID.pattern, path)
        return (
            _orcid(match[0], shown)
            if match
            else Refusal(shown, "There is no ORCID in this address.")
        )
    if host.endswith(".orcid.org"):
        return Refusal(
            shown, "This is an iD of ORCID's sandbox, which nobody has shown to be theirs."
        )
    if host.endswith("openalex.org"):
        return _openalex(path.rstrip("/").rsplit("/", 1)[-1], shown)
    match = _DOI_ON_A_PAGE.search(path)
    if match:
        return _doi(match[1], shown)
    return Refusal(shown, "This address is not of doi.org, arXiv, ORCID or OpenAlex; give the DOI.")


def _of_value(plain: str, label: str, shown: str) -> Asked | Refusal | None:
    if label == "doi" or re.match(r"10\.\d{4,}", plain):
        return _doi(plain, shown)
    if label == "orcid":
        return _orcid(plain, shown)
    if label == "openalex":
        return _openalex(plain, shown)
    if label == "arxiv" or arxiv_of(plain) is not None:
        found = _arxiv(plain, shown)
        # a figure such as 1234.5678 in running text is nothing that was asked for
        return found if label or isinstance(found, Asked) else None
    if re.match(r"arxiv[.:]", plain, re.IGNORECASE):
        return _arxiv(re.sub(r"^arxiv[.:]", "", plain, flags=re.IGNORECASE), shown)
    if _ORCID.fullmatch(plain):
        return _orcid(plain, shown)
    if _OPENALEX.fullmatch(plain):
        return _openalex(plain, shown)
    return Refusal(shown, "This is no whole identifier.") if _LOOKS_MEANT.search(plain) else None


def _doi(printed: str, shown: str) -> Asked | Refusal:
    value = doi_of(unquote(printed) if "%2f" in printed.lower() else printed)
    steps = any(part in (".", "..") for part in (value or "").split("/"))
    if value is None or steps or not _DOI_PREFIX.match(value):
        return Refusal(shown, "This is no whole DOI; one looks like 10.1145/3292500.3330701.")
    if value.startswith("10.48550/arxiv."):
        return _arxiv(value.removeprefix("10.48550/arxiv."), shown)
    if len(value) > LONGEST_DOI or not value.isprintable():
        return Refusal(
            shown, f"A DOI has at most {LONGEST_DOI} characters, all of which can be seen."
        )
    return Asked("doi", value)


def _arxiv(printed: str, shown: str) -> Asked | Refusal:
    value = arxiv_of(printed)
    new = _NEW_ARXIV.fullmatch(value or "")
    old = _OLD_ARXIV.fullmatch(value or "")
    if new is not None:
        year, month, number = int(new[1]), int(new[2]), new[3]
        # numbers had four digits from April 2007, five from 2015 on
        known = year >= 7 and 1 <= month <= 12 and (year, month) >= (7, 4)
        if known and len(number) == (5 if year >= 15 else 4):
            return Asked("arxiv", new[0])
    elif old is not None and 1 <= int(old[2]) <= 12 and (int(old[1]) >= 91 or int(old[1]) <= 7):
        return Asked("arxiv", old[0])
    return Refusal(shown, "This is no arXiv id; one looks like 1706.03762 or hep-th/9901001.")


def _orcid(printed: str, shown: str) -> Asked | Refusal:
    match = re.search(_ORCID.pattern, printed)
    if match is None:
        return Refusal(shown, "This is no ORCID; one looks like 0000-0002-1825-0097.")
    value = orcid_in_form(match[0])
    if value is None:
        return Refusal(
            shown, "The check digit of this ORCID is wrong: look for a slip in its digits."
        )
    return Asked("orcid", value)


def _openalex(printed: str, shown: str) -> Asked | Refusal:
    match = _OPENALEX.fullmatch(printed)
    if match is None:
        return Refusal(shown, "This is no OpenAlex id; a work's looks like W2741809807.")
    if match[1].upper() != "W":
        return Refusal(shown, "Only works are fetched from OpenAlex; their ids begin with W.")
    return Asked("openalex", match[0].upper())


def _shown(text: str) -> str:
    plain = clean(text[:1000])
    return plain if len(plain) <= SHOWN else plain[: SHOWN - 1] + "…"
