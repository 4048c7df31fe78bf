"""Counts kept in columns: derived from the rows, refreshed in set-based statements after an import."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from peerscope.record.bulk import chunks
from peerscope.record.database import Database
from peerscope.record.models import Authorship, Person, Work

_COUNTS: tuple[tuple[str, str, str], ...] = (
    (
        "work",
        "authors_count",
        "SELECT work_id AS id, COUNT(*) AS n FROM authorship GROUP BY work_id",
    ),
    (
        "work",
        "references_count",
        # Two identifiers of one cited work are one reference.
        "SELECT citing_id AS id, COUNT(DISTINCT CASE WHEN cited_id IS NULL THEN ref_key "
        "ELSE 'W' || cited_id END) AS n FROM citation GROUP BY citing_id",
    ),
    (
        "work",
        "cited_by_count",
        "SELECT c.cited_id AS id, COUNT(DISTINCT c.citing_id) AS n FROM citation c "
        "JOIN work w ON w.id = c.citing_id WHERE c.cited_id IS NOT NULL AND w.deleted_at IS NULL "
        "GROUP BY c.cited_id",
    ),
    (
        "venue",
        "works_count",
        "SELECT venue_id AS id, COUNT(*) AS n FROM work "
        "WHERE venue_id IS NOT NULL AND deleted_at IS NULL GROUP BY venue_id",
    ),
    (
        "topic",
        "works_count",
        "SELECT t.topic_id AS id, COUNT(*) AS n FROM work_topic t JOIN work w ON w.id = t.work_id "
        "WHERE w.deleted_at IS NULL GROUP BY t.topic_id",
    ),
    (
        "institution",
        "works_count",
        "SELECT i.institution_id AS id, COUNT(DISTINCT a.work_id) AS n "
        "FROM authorship_institution i JOIN authorship a ON a.id = i.authorship_id "
        "JOIN work w ON w.id = a.work_id WHERE w.deleted_at IS NULL GROUP BY i.institution_id",
    ),
    (
        "person",
        "works_count",
        "SELECT a.person_id AS id, COUNT(DISTINCT a.work_id) AS n FROM authorship a "
        "JOIN work w ON w.id = a.work_id "
        "WHERE a.person_id IS NOT NULL AND w.deleted_at IS NULL GROUP BY a.person_id",
    ),
    (
        "person",
        "cited_by_count",
        # A person's citations are the sum over the works, as OpenAlex counts them.
        "SELECT a.person_id AS id, SUM(w.cited_by_count) AS n "
        "FROM (SELECT DISTINCT person_id, work_id FROM authorship WHERE person_id IS NOT NULL) a "
        "JOIN work w ON w.id = a.work_id WHERE w.deleted_at IS NULL GROUP BY a.person_id",
    ),
)


def refresh_counts(database: Database) -> None:
    """Bring all counts up to date; only rows whose count has changed are written."""
    with database.begin() as session:
        for table, column, query in _COUNTS:
            # Written in a form that both databases plan as one pass and a hash or index join.
            session.execute(
                text(
                    f"UPDATE {table} SET {column} = s.n FROM ({query}) AS s "  # noqa: S608
                    f"WHERE s.id = {table}.id AND {table}.{column} <> s.n"
                )
            )
            session.execute(
                text(
                    f"UPDATE {table} SET {column} = 0 WHERE {column} <> 0 "  # noqa: S608
                    f"AND id NOT IN (SELECT id FROM ({query}) AS s)"
                )
            )


def refresh_people(session: Session, people: Sequence[int]) -> None:
    """Bring the counts of some people up to date, inside the caller's transaction."""
    for part in chunks(people):
        own = (
            select(Authorship.person_id, Authorship.work_id)
            .where(Authorship.person_id.in_(part))
            .distinct()
            .subquery()
        )
        counted = {
            person: (works, cited or 0)
            for person, works, cited in session.execute(
                select(own.c.person_id, func.count(), func.sum(Work.cited_by_count))
                .join(Work, Work.id == own.c.work_id)
                .where(Work.deleted_at.is_(None))
                .group_by(own.c.person_id)
            )
        }
        for person in part:
            works, cited = counted.get(person, (0, 0))
            session.execute(
                update(Person)
                .where(Person.id == person)
                .values(works_count=works, cited_by_count=cited)
            )
