"""Samples of the API: drawn by the database, the same for the same seed, fair, and what the polynomial says."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from sqlalchemy import select

from peerscope.record import Database, ingest
from peerscope.record.importers import importer_for
from peerscope.record.models import Work
from peerscope.record.openalex import ENTITIES, Asked, QueryError, parse_filter, sampled
from peerscope.record.openalex.lists import PRIME

WORKS = 60


@pytest.fixture
def filled(database: Database, tmp_path) -> Database:
    entry = "@article{{k{0}, title={{Work number {0}}}, author={{Example, Ada}}, year={{{1}}}}}\n"
    path = tmp_path / "works.bib"
    path.write_text("".join(entry.format(n, 1990 + n % 3) for n in range(WORKS)))
    ingest(database, importer_for(str(path)), str(path))
    return database


def drawn(session, size, seed, **more):
    return sampled(session, ENTITIES["works"], Asked(per_page=200, **more), size, seed)


def test_the_database_draws_what_the_polynomial_says(filled) -> None:
    with filled.session() as session:
        numbers = list(session.scalars(select(Work.id)))
        for seed in ("", "1", "another"):
            random_one = random.Random(seed)
            a, b, c, d = (random_one.randrange(1, PRIME) for _ in range(4))
            order = sorted(
                numbers, key=lambda x: ((((a * x + b) % PRIME * x + c) % PRIME * x + d) % PRIME, x)
            )
            found = drawn(session, 7, seed)
            assert list(found.numbers) == order[:7] and found.count == 7
            assert drawn(session, 7, seed) == found
            assert drawn(session, 1000, seed).numbers == tuple(order)
            part = sampled(session, ENTITIES["works"], Asked(per_page=3, page=3), 7, seed)
            assert part.numbers == tuple(order[6:7]) and part.count == 7


def test_filters_choose_first(filled) -> None:
    with filled.session() as session:
        found = drawn(session, 10, "1", terms=parse_filter("publication_year:1990"))
        years = session.scalars(select(Work.publication_year).where(Work.id.in_(found.numbers)))
        assert found.count == len(set(found.numbers)) == 10 and set(years) == {1990}
        for size in (0, -1, 10_001):
            with pytest.raises(QueryError, match="A sample has"):
                drawn(session, size, "1")


def test_each_is_drawn_as_often_as_any_other(filled) -> None:
    """600 seeds, 12 of 60 each: 120 times each, give or take four standard deviations of a fair draw."""
    counted: Counter[int] = Counter()
    with filled.session() as session:
        for seed in range(600):
            counted.update(drawn(session, 12, str(seed)).numbers)
    spread = (600 * 0.2 * 0.8) ** 0.5
    assert len(counted) == WORKS
    assert all(abs(times - 120) < 4 * spread for times in counted.values()), counted
