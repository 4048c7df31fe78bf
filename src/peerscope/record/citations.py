"""References find their works, whichever of the two comes first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text

from peerscope.record.bulk import is_sqlite


def resolve_citations(connection: Connection, gained: Sequence[tuple[str, str, int]]) -> None:
    """Point dangling references at works that have just gained an identifier.

    A reference of a work to itself is dropped: sources state such by mistake (a work's own DOI in its
    list), and a count of citations must not grow by it.

    Args:
        connection: Inside the caller's transaction.
        gained: Scheme, value and work id of each new identifier.
    """
    if not gained:
        return
    if is_sqlite(connection):
        rows = [(work, scheme, value) for scheme, value, work in gained]
        connection.exec_driver_sql(
            "DELETE FROM citation WHERE citing_id = ? AND scheme = ? AND value = ?", rows
        )
        connection.exec_driver_sql(
            "UPDATE citation SET cited_id = ? WHERE scheme = ? AND value = ? AND cited_id IS NULL",
            rows,
        )
        return
    given: dict[str, Any] = {
        "s": [scheme for scheme, _, _ in gained],
        "v": [value for _, value, _ in gained],
        "w": [work for _, _, work in gained],
    }
    these = "unnest(CAST(:s AS text[]), CAST(:v AS text[]), CAST(:w AS bigint[])) AS g(scheme, value, id)"
    connection.execute(
        text(
            f"DELETE FROM citation c USING {these} "  # noqa: S608
            "WHERE c.citing_id = g.id AND c.scheme = g.scheme AND c.value = g.value"
        ),
        given,
    )
    connection.execute(
        text(
            f"UPDATE citation c SET cited_id = g.id FROM {these} "  # noqa: S608
            "WHERE c.scheme = g.scheme AND c.value = g.value AND c.cited_id IS NULL"
        ),
        given,
    )


def release_citations(connection: Connection, lost: Sequence[tuple[str, str, int]]) -> None:
    """Let go references that pointed at works by an identifier which these no longer have."""
    for scheme, value, work in lost:
        connection.execute(
            text(
                "UPDATE citation SET cited_id = NULL "
                "WHERE scheme = :s AND value = :v AND cited_id = :w"
            ),
            {"s": scheme, "v": value, "w": work},
        )
