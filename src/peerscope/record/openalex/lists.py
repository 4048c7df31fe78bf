"""Lists of entities: counted, ordered, paged by number or by cursor, sampled, grouped."""

from __future__ import annotations

import base64
import binascii
import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select
from sqlalchemy.orm import Session

from peerscope.record.models import Institution, Person, Topic, Venue
from peerscope.record.openalex.conditions import LARGEST, conditions
from peerscope.record.openalex.entities import Group, Kind
from peerscope.record.openalex.grammar import QueryError, Term

MOST_PAGED = 10_000
"""Rows that pages reach; a cursor reaches all (OpenAlex's bound)."""

MOST_SAMPLED = 10_000
MOST_GROUPS = 200
PRIME = 2**31 - 1
"""Modulo of the polynomial that draws a sample: products stay below 2^62, which both databases compute."""

TABLES: dict[str, Any] = {"A": Person, "S": Venue, "I": Institution, "T": Topic}


@dataclass(frozen=True, slots=True)
class Asked:
    """A list that somebody asks for.

    Attributes:
        terms: Filters.
        sort: Attributes with whether they descend; empty means the kind's own order.
        among: Only these numbers, in this order where ``sort`` is empty: what a search found.
        page: From 1.
        per_page: 1 to 200.
        cursor: ``*`` or what the answer before gave; empty means pages.
        hidden: People who are neither listed nor found by.
    """

    terms: Sequence[Term] = ()
    sort: Sequence[tuple[str, bool]] = ()
    among: Sequence[int] | None = None
    page: int = 1
    per_page: int = 25
    cursor: str = ""
    hidden: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """Numbers of a page, how many there are in all, and the cursor of the next page."""

    numbers: tuple[int, ...]
    count: int
    next_cursor: str | None = None


def listed(session: Session, kind: Kind, asked: Asked) -> Listed:
    """A page of a list. Two statements, three where ids of elsewhere are named.

    Raises:
        QueryError: The filter, the order or the cursor cannot be read, or the page lies too deep.
    """
    where = _where(session, kind, asked)
    if asked.among is not None and not asked.sort:
        return _in_given_order(session, kind, asked, where)
    orders = _orders(kind, asked)
    statement = select(kind.table.id, *(column for column, _ in orders)).where(*where)
    statement = statement.order_by(
        *(c.desc().nulls_last() if down else c.asc().nulls_first() for c, down in orders)
    )
    if asked.cursor:
        # Read before anything is counted: one that this site did not make costs nothing.
        behind = _behind(orders, asked.cursor)
        count = _count(session, kind, where)
        return _by_cursor(session, statement.where(*behind), asked, count)
    if asked.page * asked.per_page > MOST_PAGED:
        raise QueryError(
            f"Maximum results size of {MOST_PAGED:,} records is exceeded. "
            "Use a cursor (cursor=*) to read more than that."
        )
    statement = statement.offset((asked.page - 1) * asked.per_page).limit(asked.per_page)
    if asked.terms:
        # What the filters leave is looked for once, and counted on the way.
        rows = session.execute(statement.add_columns(func.count().over())).all()
        if rows:
            return Listed(tuple(row[0] for row in rows), rows[0][-1])
    else:
        rows = session.execute(statement).all()
    return Listed(tuple(row[0] for row in rows), _count(session, kind, where))


def _count(session: Session, kind: Kind, where: list[ColumnElement[bool]]) -> int:
    return session.scalar(select(func.count()).select_from(kind.table).where(*where)) or 0


def sampled(session: Session, kind: Kind, asked: Asked, size: int, seed: str) -> Listed:
    """A random sample, the same for the same seed and record. Two statements.

    Those are drawn whose numbers a random polynomial of degree 3 modulo a prime makes the least: any four are
    drawn independently, and the database draws them without telling all numbers first.

    Raises:
        QueryError: The filter cannot be read, or the sample is too large.
    """
    if not 1 <= size <= MOST_SAMPLED:
        raise QueryError(f"A sample has 1 to {MOST_SAMPLED:,} records, not {size:,}.")
    where = _where(session, kind, asked)
    count = min(size, _count(session, kind, where))
    drawn = random.Random(seed)  # noqa: S311
    leading, *rest = (drawn.randrange(1, PRIME) for _ in range(4))
    number = kind.table.id % PRIME
    place = (number * leading + rest[0]) % PRIME
    for coefficient in rest[1:]:
        place = (place * number + coefficient) % PRIME
    start = (asked.page - 1) * asked.per_page
    statement = select(kind.table.id).where(*where).order_by(place, kind.table.id)
    numbers = session.scalars(
        statement.offset(start).limit(max(0, min(asked.per_page, count - start)))
    )
    return Listed(tuple(numbers), count)


def grouped(session: Session, kind: Kind, asked: Asked, name: str) -> list[dict[str, Any]]:
    """How many there are of each value, the most frequent first. Two statements.

    Raises:
        QueryError: The filter cannot be read, or nothing can be grouped so.
    """
    name, _, option = name.partition(":")
    group = kind.groups.get(name)
    if group is None or option not in ("", "include_unknown"):
        raise QueryError(
            f"{name[:80]} is not a valid field to group {kind.name} by. Valid are: "
            f"{', '.join(sorted(kind.groups))}."
        )
    if (
        group.letter
        and kind.name == "works"
        and not asked.terms
        and asked.among is None
        and not option
    ):
        rows = _counted_before(session, group.letter)
    else:
        rows = _counted_now(session, kind, asked, group, unknown=bool(option))
    if group.letter == "A" and asked.hidden:
        rows = [row for row in rows if row[0] not in asked.hidden]
    labels = _labels(session, group.letter, [row[0] for row in rows if row[0] is not None])
    return [
        {
            "key": _key(key, group.letter),
            "key_display_name": labels.get(key, _key(key, "") if key is not None else "unknown"),
            "count": count,
        }
        for key, count in rows
    ]


def _counted_before(session: Session, letter: str) -> list[tuple[Any, int]]:
    """The works of each entity, as they are kept with it."""
    table = TABLES[letter]
    statement = select(table.id, table.works_count).where(table.works_count > 0)
    rows = session.execute(
        statement.order_by(table.works_count.desc(), table.id).limit(MOST_GROUPS)
    )
    return [(row[0], row[1]) for row in rows]


def _counted_now(
    session: Session, kind: Kind, asked: Asked, group: Group, *, unknown: bool
) -> list[tuple[Any, int]]:
    number = func.count(func.distinct(kind.table.id)) if group.join else func.count()
    statement = select(group.key, number).select_from(kind.table)
    for table, on in group.join:
        statement = statement.join(table, on)
    where = _where(session, kind, asked)
    if not unknown:
        where = [*where, group.key.is_not(None)]
    statement = statement.where(*where).group_by(group.key)
    rows = session.execute(statement.order_by(number.desc(), group.key).limit(MOST_GROUPS))
    return [(row[0], row[1]) for row in rows]


def _key(key: Any, letter: str) -> str:
    if key is None:
        return "unknown"
    if isinstance(key, bool):
        return str(key).lower()
    return f"{letter}{key}"


def _labels(session: Session, letter: str, keys: list[Any]) -> dict[Any, str]:
    if not letter or not keys:
        return {}
    table = TABLES[letter]
    rows = session.execute(select(table.id, table.display_name).where(table.id.in_(keys)))
    return {number: label for number, label in rows}  # noqa: C416


def _where(session: Session, kind: Kind, asked: Asked) -> list[ColumnElement[bool]]:
    found = [kind.there, *conditions(session, kind, asked.terms, asked.hidden)]
    if asked.among is not None:
        found.append(kind.table.id.in_(list(asked.among)))
    if asked.hidden and kind.letter == "A":
        found.append(kind.table.id.not_in(list(asked.hidden)))
    return found


def _in_given_order(
    session: Session, kind: Kind, asked: Asked, where: list[ColumnElement[bool]]
) -> Listed:
    there = set(session.scalars(select(kind.table.id).where(*where)))
    numbers = [number for number in asked.among or () if number in there]
    start = (asked.page - 1) * asked.per_page
    if asked.cursor:
        start = max(0, _read_cursor(asked.cursor, [int])[0] or 0) if asked.cursor != "*" else 0
    page = numbers[start : start + asked.per_page]
    following = start + asked.per_page
    more = asked.cursor and following < len(numbers)
    return Listed(tuple(page), len(numbers), _cursor([following]) if more else None)


def _orders(kind: Kind, asked: Asked) -> list[tuple[Any, bool]]:
    found: list[tuple[Any, bool]] = []
    for name, down in asked.sort:
        if name not in kind.orders:
            raise QueryError(
                f"{name[:80]} is not a valid field to sort {kind.name} by. Valid are: "
                f"{', '.join(sorted(kind.orders))}."
            )
        found.append((kind.orders[name], down))
    if not found and not asked.cursor:
        found = [(column, True) for column in kind.default_order]
    # The number last, in the same direction: so an index on the column serves the whole order.
    return [*found, (kind.table.id, bool(found) and found[-1][1])]


def _behind(orders: list[tuple[Any, bool]], cursor: str) -> list[ColumnElement[bool]]:
    """What comes behind the last row that a cursor names: equal in the first columns, further in the next."""
    if cursor == "*":
        return []
    last = _read_cursor(cursor, [column.type.python_type for column, _ in orders])
    ways = [
        and_(
            *(c.is_not_distinct_from(v) for (c, _), v in zip(orders[:n], last, strict=False)),
            _further(*orders[n], last[n]),
        )
        for n in range(len(orders))
    ]
    return [or_(*ways)]


def _by_cursor(session: Session, statement: Select[Any], asked: Asked, count: int) -> Listed:
    rows = session.execute(statement.limit(asked.per_page + 1)).all()
    page = rows[: asked.per_page]
    following = _cursor(list(page[-1][1:])) if len(rows) > asked.per_page else None
    return Listed(tuple(row[0] for row in page), count, following)


def _further(column: Any, down: bool, value: Any) -> ColumnElement[bool]:
    """What comes after a value in an order in which nothing is the least."""
    if value is None:
        return false() if down else column.is_not(None)
    return or_(column < value, column.is_(None)) if down else column > value


BAD_CURSOR = (
    "This cursor was not made by this site, or for another order. Begin again with cursor=*."
)


def _cursor(values: list[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")


def _read_cursor(text: str, kinds: list[type]) -> list[Any]:
    try:
        padded = text + "=" * (-len(text) % 4)
        values = orjson.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
    except (ValueError, UnicodeError, binascii.Error) as error:
        raise QueryError(BAD_CURSOR) from error
    if not isinstance(values, list) or len(values) != len(kinds):
        raise QueryError(BAD_CURSOR)
    if any(v is not None and type(v) is not kind for v, kind in zip(values, kinds, strict=True)):
        raise QueryError(BAD_CURSOR)
    if any(isinstance(v, int) and abs(v) > LARGEST for v in values):
        raise QueryError(BAD_CURSOR)
    return values
