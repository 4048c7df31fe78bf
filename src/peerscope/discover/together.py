"""Several small questions to the record in one statement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, func, literal, select, union_all
from sqlalchemy.orm import Session

Question = Select[*tuple[Any, ...]]


def ranked(statement: Question, *order: Any) -> Question:
    """The statement in this order, its place as last column: a union keeps no order of its parts."""
    return statement.add_columns(func.row_number().over(order_by=order)).order_by(*order)


def asked_together(
    session: Session, questions: Mapping[str, Question], *, sort: bool = True
) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of each question, in the order of their last column (`ranked`), by its name.

    All questions select the same number of columns of the same types, and may have limits. Without
    ``sort`` the rows of a question are in no order.
    """
    found: dict[str, list[tuple[Any, ...]]] = {name: [] for name in questions}
    if not questions:
        return found
    parts = [
        select(literal(name).label("question"), *statement.subquery().c)
        for name, statement in questions.items()
    ]
    for name, *row in session.execute(union_all(*parts)):
        found[name].append(tuple(row))
    for rows in found.values() if sort else ():
        rows.sort(key=lambda row: row[-1])
    return found
