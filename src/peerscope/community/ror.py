"""Institutions and their domains out of ROR: JSON lines, or the JSON array of the ROR data dump.

ROR (https://ror.org) is CC0. Three shapes are read: schema 2 (``names``), schema 1 (``name``) and flat lines
with ``ror``. Only domains that ROR states as such are taken; the host of a homepage says nothing of mail.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import idna
import orjson

from peerscope.record.files import BrokenFileError, blocks, decoded
from peerscope.record.importers.json_elements import elements
from peerscope.record.importers.jsonlines import objects, strings, text_of
from peerscope.record.text import name_key

LONGEST_DOMAIN = 253
SHORTEST_NAME, MOST_NAMES = 4, 60
"""Letters that a name has to have to be compared, and how many are kept: short acronyms mean many things."""

_ROR = re.compile(r"0[a-hj-km-np-tv-z0-9]{6}[0-9]{2}")

SHARED_LABELS = frozenset([
    "ac", "asso", "co", "com", "ed", "edu", "gc", "go", "gob", "gouv", "gov", "govt", "int", "k12",
    "lg", "mil", "mod", "ne", "net", "nhs", "or", "org", "police", "re", "res", "sch",
])  # fmt: skip
"""First labels of suffixes under which strangers register (``edu.cn``). ROR gives some of them to single
colleges; taken at its word, everybody under them would be of that college."""


class DomainError(ValueError):
    """A text that is no domain of one institution; says why."""


@dataclass(frozen=True, slots=True)
class Organisation:
    """An institution in force, with its domains in ASCII form and those that could not be taken.

    ``name_keys`` are the keys of all its names, aliases and acronyms of four letters or more.
    """

    ror: str
    name: str
    name_keys: tuple[str, ...]
    domains: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A record of an institution that is not in force, or states no domain."""

    why: str


@dataclass(frozen=True, slots=True)
class Bad:
    """A record that cannot be read: where it stands, and why; ``cut`` where the file breaks off there."""

    line: int
    why: str
    excerpt: str
    cut: bool = False


Read = Organisation | Skipped | Bad


def normal_domain(given: str) -> str:
    """A domain in the one form in which it is kept and compared: lower case, punycode.

    Letters that look alike stay different: a Cyrillic ``а`` gives another domain than a Latin ``a``.

    Raises:
        DomainError: It is none.
    """
    text = given.strip().rstrip(".").lower()
    if len(text) > LONGEST_DOMAIN:
        raise DomainError("It is longer than a domain can be.")
    try:
        found = idna.encode(text, uts46=True, std3_rules=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError, IndexError) as error:
        raise DomainError("It is not a domain, as example.edu is one.") from error
    if "." not in found or found.rsplit(".", 1)[1].isdigit():
        raise DomainError("It is not a domain, as example.edu is one.")
    return found


def is_shared(domain: str) -> bool:
    """Whether a domain is a suffix under which strangers register, such as ``ac.in``."""
    labels = domain.split(".")
    return len(labels) == 2 and labels[0] in SHARED_LABELS


def read_ror(path: str | Path) -> Iterator[Read]:
    """Every record of a file, one after another, in bounded memory; plain, gzip or zstd.

    Raises:
        OSError: The file cannot be read.
    """
    line = 0
    try:
        for element in elements(blocks(path)):
            line = element.line
            if element.problem is not None:
                cut = "cut off" in element.problem
                yield Bad(line, element.problem, decoded(element.source[:200]), cut)
                continue
            try:
                found = orjson.loads(element.source)
            except orjson.JSONDecodeError as error:
                yield Bad(line, f"It is not JSON: {error}.", decoded(element.source[:200]))
                continue
            yield read_record(found, line)
    except BrokenFileError as error:
        yield Bad(line, str(error), "", cut=True)


def read_record(found: dict[str, Any], line: int = 0) -> Read:
    """One record in any of the three shapes."""
    ror = (text_of(found.get("ror")) or text_of(found.get("id")) or "").rsplit("/", 1)[-1].lower()
    if not _ROR.fullmatch(ror):
        return Bad(line, "It has no ROR id (0, six letters or digits, two digits).", _head(found))
    status = (text_of(found.get("status")) or "active").lower()
    if status != "active":
        return Skipped(status)
    name = _name(found)
    if not name:
        return Bad(line, "It has no name.", _head(found))
    good, refused = [], []
    for one in strings(found.get("domains")):
        try:
            domain = normal_domain(one)
            if is_shared(domain):
                raise DomainError("Strangers register under this suffix; it shows nothing.")
            good.append(domain)
        except DomainError as error:
            refused.append((one[:100], str(error)))
    if not good and not refused:
        return Skipped("no domain")
    return Organisation(
        ror, name, _name_keys(name, found), tuple(dict.fromkeys(good)), tuple(refused)
    )


def _name(found: dict[str, Any]) -> str:
    names = objects(found.get("names"))
    shown = [one for one in names if "ror_display" in strings(one.get("types"))] or names
    name = text_of(found.get("name")) or (text_of(shown[0].get("value")) if shown else None) or ""
    return " ".join(name.split())[:500]


def _name_keys(name: str, found: dict[str, Any]) -> tuple[str, ...]:
    labels = [*objects(found.get("names")), *objects(found.get("labels"))]
    others = [text_of(one.get("value")) or text_of(one.get("label")) for one in labels]
    others += [*strings(found.get("aliases")), *strings(found.get("acronyms"))]
    keys = [name_key(one) for one in [name, *others] if one and len(one) >= SHORTEST_NAME]
    return tuple(dict.fromkeys(key for key in keys if key and "\n" not in key))[:MOST_NAMES]


def _head(found: dict[str, Any]) -> str:
    return decoded(orjson.dumps(found, default=str)[:200])
