"""OpenAlex's grammar of filters and orders, read into plain values.

``filter=publication_year:2020-2022,type:article|review,is_oa:!true``: a comma means and, ``|`` or (at most
`MOST_VALUES` values), ``!`` not, ``<`` and ``>`` and ``a-b`` bounds, ``+`` (which browsers send as a blank)
several values that all hold. A value in double quotes may hold commas.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST_VALUES = 100
"""Alternatives in one filter, as OpenAlex has it."""

MOST_TERMS = 60
"""Filters in one query."""

LONGEST_VALUE = 1_000


class QueryError(ValueError):
    """A query that cannot be answered; the sentence says what would be right."""


@dataclass(frozen=True, slots=True)
class Term:
    """One filter: the attribute, its alternatives, and whether none of them may hold."""

    attribute: str
    values: tuple[str, ...]
    negated: bool = False


def parse_filter(text: str) -> list[Term]:
    """Read a filter.

    Raises:
        QueryError: It is not in the grammar.
    """
    terms = []
    for part in _split(text, ","):
        attribute, colon, value = part.partition(":")
        attribute = attribute.strip().lower()
        if not colon or not attribute:
            raise QueryError(
                f"Filters look like attribute:value, several of them apart by commas; {_cut(part)} does not."
            )
        terms += _terms(attribute, value.strip())
    if len(terms) > MOST_TERMS:
        raise QueryError(f"A query may have {MOST_TERMS} filters; this one has {len(terms)}.")
    return terms


def _terms(attribute: str, value: str) -> list[Term]:
    other = re.search(r"\|([a-z_]+[._][a-z_.]+|type|language|journal):", value)
    if other is not None:
        raise QueryError(
            f"OR between different filters is not supported: {attribute} and {other[1]}. Alternatives "
            "(|) are for the values of one filter."
        )
    negated = value.startswith("!")
    alternatives = [one.strip().removeprefix("!") for one in _split(value, "|")]
    if len(alternatives) > MOST_VALUES:
        raise QueryError(
            f"A filter may have {MOST_VALUES} values between |; {attribute} has {len(alternatives)}."
        )
    if any(len(one) > LONGEST_VALUE for one in alternatives):
        raise QueryError(f"A value of {attribute} is longer than {LONGEST_VALUE:,} characters.")
    if not any(alternatives):
        raise QueryError(f"The filter {attribute} has no value.")
    return [Term(attribute, tuple(alternatives), negated)]


def parse_sort(text: str) -> list[tuple[str, bool]]:
    """Read an order: attributes with whether they descend.

    Raises:
        QueryError: It is not in the grammar.
    """
    found = []
    for part in filter(None, (one.strip() for one in text.split(","))):
        attribute, _, direction = part.partition(":")
        if direction not in ("", "asc", "desc"):
            raise QueryError(f"Orders look like attribute:desc; {_cut(part)} does not.")
        found.append((attribute.lower(), direction == "desc"))
    return found


def bounds(value: str) -> tuple[str | None, str | None, bool]:
    """Lower and upper bound of ``5``, ``>5``, ``<5``, ``5-9``, ``5-`` or ``-9``; whether they are open."""
    if value[:1] in "<>" and value:
        rest = value[1:].strip()
        return (rest, None, True) if value[0] == ">" else (None, rest, True)
    if match := re.fullmatch(r"(\d*)-(\d*)", value):
        return match[1] or None, match[2] or None, False
    return value, value, False


def _split(text: str, mark: str) -> list[str]:
    """Parts of a text between marks, those in double quotes aside; the quotes are gone."""
    parts, part, quoted = [], "", False
    for character in text:
        if character == '"':
            quoted = not quoted
        elif character == mark and not quoted:
            parts.append(part)
            part = ""
            continue
        part += character
    found = [*parts, part]
    if mark == "|":
        found = [one.replace('"', "") for one in found]
    return [one for one in found if one.strip()]


def _cut(text: str) -> str:
    return f"“{text[:60]}”"
