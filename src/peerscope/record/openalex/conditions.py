"""Filters into conditions: values are read, ids looked up, and what cannot be read is said."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from difflib import get_close_matches
from typing import Any

from sqlalchemy import ColumnElement, and_, false, not_, or_, select
from sqlalchemy.orm import Session

from peerscope.record.models import Identifier
from peerscope.record.openalex.entities import Attribute, Kind
from peerscope.record.openalex.grammar import QueryError, Term, bounds

Condition = ColumnElement[bool]
LARGEST = 2**53
NOTHING = "null"

_PREFIXES = {
    "openalex": ("https://openalex.org/", "openalex:"),
    "doi": ("https://doi.org/", "http://doi.org/", "https://dx.doi.org/", "doi:"),
    "arxiv": ("https://arxiv.org/abs/", "arxiv:"),
    "pmid": ("https://pubmed.ncbi.nlm.nih.gov/", "pmid:"),
    "orcid": ("https://orcid.org/", "http://orcid.org/", "orcid:"),
    "ror": ("https://ror.org/", "ror:"),
    "acl": ("https://aclanthology.org/", "acl:"),
    "issn": ("issn:",),
}
_BARE = {
    "doi": re.compile(r"10\.[0-9]{4,9}/\S+"),
    "orcid": re.compile(r"\d{4}-\d{4}-\d{4}-\d{3}[\dXx]", re.ASCII),
    "ror": re.compile(r"0[a-z0-9]{6}\d{2}", re.ASCII),
    "issn": re.compile(r"\d{4}-\d{3}[\dXx]", re.ASCII),
    "arxiv": re.compile(r"\d{4}\.\d{4,5}|[a-z-]+/\d{7}", re.ASCII),
}


def conditions(
    session: Session, kind: Kind, terms: Sequence[Term], hidden: Collection[int] = ()
) -> list[Condition]:
    """The conditions that filters make. At most one statement, for ids of elsewhere.

    Args:
        session: Of the record.
        kind: What is filtered.
        terms: The filters.
        hidden: People by whom nothing is found: the list of their works would be their page.

    Raises:
        QueryError: An attribute is unknown, or a value of it cannot be read.
    """
    named = {term: attribute_of(kind, term.attribute) for term in terms}
    outside = _look_up(session, named)
    return [_condition(term, attribute, outside, hidden) for term, attribute in named.items()]


def attribute_of(kind: Kind, name: str) -> Attribute:
    """The attribute of this name.

    Raises:
        QueryError: There is none; a near one is named.
    """
    if name in kind.attributes:
        return kind.attributes[name]
    near = get_close_matches(name, kind.attributes, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise QueryError(
        f"{name[:80]} is not a valid field to filter {kind.name} by.{hint} Valid are: "
        f"{', '.join(sorted(kind.attributes))}."
    )


def own_number(letter: str, value: str) -> int | None:
    """The number in an id of this site, as ``W12`` or an address that ends in it."""
    match = re.fullmatch(
        rf"(?:https?://[^/]+(?:/[\w/-]*)?/)?{letter}(\d{{1,15}})", value, re.I | re.ASCII
    )
    foreign = value.lower().startswith(_PREFIXES["openalex"])
    return int(match[1]) if match and not foreign else None


def outside_id(value: str) -> tuple[str, str] | None:
    """Scheme and value of an identifier of elsewhere, as clients write it."""
    lowered = value.lower()
    for scheme, prefixes in _PREFIXES.items():
        for prefix in prefixes:
            if lowered.startswith(prefix):
                return scheme, _normal(scheme, value[len(prefix) :])
    for scheme, pattern in _BARE.items():
        if pattern.fullmatch(value):
            return scheme, _normal(scheme, value)
    return None


def _normal(scheme: str, value: str) -> str:
    value = value.strip().rstrip("/")
    if scheme in ("doi", "ror"):
        return value.lower()
    return value.upper() if scheme in ("orcid", "openalex", "issn") else value


def _look_up(session: Session, named: dict[Term, Attribute]) -> dict[tuple[str, str, str], int]:
    wanted: set[tuple[str, str, str]] = set()
    for term, attribute in named.items():
        if attribute.kind == "id":
            for value in _all_of(term):
                found = outside_id(value)
                if own_number(attribute.letter, value) is None and found is not None:
                    wanted.add((attribute.letter, *found))
    if not wanted:
        return {}
    either = or_(
        *(
            and_(Identifier.entity == e, Identifier.scheme == s, Identifier.value == v)
            for e, s, v in sorted(wanted)
        )
    )
    rows = session.execute(
        select(Identifier.entity, Identifier.scheme, Identifier.value, Identifier.entity_id).where(
            either
        )
    )
    return {(e, s, v): number for e, s, v, number in rows}


def _all_of(term: Term) -> list[str]:
    return [one for value in term.values for one in value.split() if one]


def _condition(
    term: Term,
    attribute: Attribute,
    outside: dict[tuple[str, str, str], int],
    hidden: Collection[int],
) -> Condition:
    kind = attribute.kind
    if kind == "text":
        found: Condition = or_(*(attribute.make(value) for value in term.values))
    elif kind == "bool":
        wanted = {_boolean(term.attribute, value) for value in term.values}
        found = or_(*(attribute.make if yes else not_(attribute.make) for yes in sorted(wanted)))
    elif kind in ("number", "date"):
        read = _number if kind == "number" else _date
        found = or_(*(_between(term.attribute, attribute.make, v, read) for v in term.values))
    elif kind in ("from", "to"):
        found = or_(*(_since(term.attribute, attribute, value) for value in term.values))
    elif kind == "word":
        found = attribute.make(list(term.values))
    else:
        # A blank is the + of an address: all of these hold.
        found = or_(
            *(
                and_(*(_bearing(term, attribute, one, outside, hidden) for one in value.split()))
                for value in term.values
            )
        )
    return not_(found) if term.negated else found


def _bearing(
    term: Term,
    attribute: Attribute,
    value: str,
    outside: dict[tuple[str, str, str], int],
    hidden: Collection[int],
) -> Condition:
    number = own_number(attribute.letter, value)
    if number is None:
        found = outside_id(value)
        if found is None:
            raise QueryError(
                f"'{value[:80]}' is not a valid id for {term.attribute}. It looks like "
                f"{attribute.letter}12, or like an identifier of elsewhere."
            )
        number = outside.get((attribute.letter, *found))
    if number is None or number > LARGEST or (attribute.letter == "A" and number in hidden):
        return false()
    condition: Condition = attribute.make([number])
    return condition


def _boolean(name: str, value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise QueryError(f"Value for {name} must be true or false, not '{value[:40]}'.")
    return value.lower() == "true"


def _number(name: str, value: str) -> int:
    if not re.fullmatch(r"\d{1,15}", value, re.ASCII):
        raise QueryError(
            f"Value for {name} must be a number, a range such as 2-9, or begin with < or >, "
            f"not '{value[:40]}'."
        )
    return int(value)


def _date(name: str, value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError as error:
        raise QueryError(
            f"Value for {name} must be a date such as 2020-01-31, not '{value[:40]}'."
        ) from error


def _between(name: str, column: Any, value: str, read: Any) -> Condition:
    if value.lower() == NOTHING:
        nothing: Condition = column.is_(None)
        return nothing
    # A date holds the mark of a range itself.
    low, high, is_open = (
        bounds(value) if read is _number or value[:1] in "<>" else (value, value, False)
    )
    if low is not None and low == high:
        same: Condition = column == read(name, low)
        return same
    parts = []
    if low is not None:
        parts.append(column > read(name, low) if is_open else column >= read(name, low))
    if high is not None:
        parts.append(column < read(name, high) if is_open else column <= read(name, high))
    if not parts:
        raise QueryError(f"The range of {name} has no bounds.")
    return and_(*parts)


def _since(name: str, attribute: Attribute, value: str) -> Condition:
    day: Any = _date(name, value)
    if attribute.make.key in ("created_at", "updated_at"):
        moment = date.fromisoformat(day)
        day = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    found: Condition = attribute.make >= day if attribute.kind == "from" else attribute.make <= day
    return found
