"""Which reviews have weight: not one's own, not rings, one vote an account, level L2 or above."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerscope.community.trust.reviews import (
    AGAIN,
    CIRCLE,
    LEAST_LEVEL,
    LEVEL,
    RING,
    SAME_WORK,
    SELF,
    Review,
    reviews_of,
)

ADA, BO, CY, DI = 1, 2, 3, 4


def review(id: int, person: int | None, author: int, **fields) -> Review:
    """By the account of a person (or of nobody on record), of a work of its own number."""
    given = {
        "account": 100 + (person or id), "person": person, "level": 2, "work": 1000 + id,
        "authors": frozenset({author}), "date": f"2026-01-{id:02}",
    }  # fmt: skip
    return Review(**(given | fields))


def weights(person: int, *rows: Review) -> list[tuple[int, str]]:
    return [(one.work - 1000, one.left_out) for one in reviews_of(person, rows)]


def test_a_review_by_somebody_else_counts_for_both() -> None:
    row = review(1, BO, ADA)
    assert [(r.given, r.left_out) for r in reviews_of(ADA, [row])] == [(False, "")]
    assert [(r.given, r.left_out) for r in reviews_of(BO, [row])] == [(True, "")]
    assert reviews_of(CY, [row]) == ()


def test_of_ones_own_work_also_as_one_of_several_authors() -> None:
    row = review(1, ADA, ADA, authors=frozenset({ADA, BO}))
    assert weights(ADA, row) == [(1, SELF)]
    assert weights(BO, row) == [(1, SELF)]


@pytest.mark.parametrize("level", range(6))
def test_below_the_level_it_has_no_weight(level) -> None:
    expected = "" if level >= LEAST_LEVEL else LEVEL
    assert weights(ADA, review(1, BO, ADA, level=level)) == [(1, expected)]
    assert weights(ADA, review(1, None, ADA, level=level)) == [(1, expected)]


def test_one_account_has_one_vote_for_a_person() -> None:
    rows = [review(n, BO, ADA) for n in (1, 2, 3)]
    assert weights(ADA, *rows) == [(1, ""), (2, AGAIN), (3, AGAIN)]
    low = [replace(rows[0], level=1), *rows[1:]]
    assert weights(ADA, *low) == [(1, LEVEL), (2, ""), (3, AGAIN)], (
        "a vote without weight is no vote"
    )


def test_one_work_counts_once_for_who_reviews_it_twice() -> None:
    rows = [review(1, BO, ADA, work=1007), review(2, BO, ADA, work=1007), review(3, BO, ADA)]
    assert weights(BO, *rows) == [(7, ""), (7, SAME_WORK), (3, "")]


def test_two_who_reviewed_each_other_give_no_weight_whoever_began() -> None:
    rows = [review(1, BO, ADA), review(2, ADA, BO), review(3, CY, ADA)]
    assert weights(ADA, *rows) == [(1, CIRCLE), (2, CIRCLE), (3, "")]
    assert weights(BO, *rows) == [(1, CIRCLE), (2, CIRCLE)]


def test_a_ring_of_three_gives_no_weight_and_a_longer_way_round_does() -> None:
    ring = [review(1, ADA, BO), review(2, BO, CY), review(3, CY, ADA)]
    assert all(out == CIRCLE for person in (ADA, BO, CY) for _, out in weights(person, *ring))
    longer = [review(1, ADA, BO), review(2, BO, CY), review(3, CY, DI), review(4, DI, ADA)]
    assert RING == 3
    assert all(out == "" for person in (ADA, BO, CY, DI) for _, out in weights(person, *longer))


def test_a_coauthor_can_close_a_ring() -> None:
    rows = [review(1, BO, ADA), review(2, CY, BO, authors=frozenset({BO, DI})), review(3, ADA, CY)]
    assert weights(ADA, *rows) == [(1, CIRCLE), (3, CIRCLE)]


def test_an_account_without_a_record_is_in_no_ring() -> None:
    rows = [review(1, None, ADA), review(2, ADA, BO)]
    assert weights(ADA, *rows) == [(1, ""), (2, "")]


people = st.integers(1, 5)
tables = st.lists(
    st.builds(
        lambda person, authors, level, day, work: (person, authors, level, day, work),
        st.none() | people, st.frozensets(people, min_size=1, max_size=2), st.integers(0, 5),
        st.integers(1, 9), st.integers(1, 4),
    ),
    max_size=12,
).map(
    lambda rows: list({  # an account has one review of a work
        (p or -n, work): Review(100 + (p or 50 + n), p, level, work, authors, f"2026-01-0{day}")
        for n, (p, authors, level, day, work) in enumerate(rows, 1)
    }.values())
)  # fmt: skip


@given(tables, people, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(rows, person, random) -> None:
    other = random.sample(rows, len(rows))
    assert reviews_of(person, other) == reviews_of(person, rows)


@given(tables, people)
def test_what_counts_obeys_every_rule(rows, person) -> None:
    """An oracle that looks at all ways of at most three reviews, one by one."""
    facts = reviews_of(person, rows)
    mine = [
        r
        for r in sorted(rows, key=lambda r: (r.date, r.account, r.work))
        if person in r.authors or r.person == person
    ]
    assert [(f.work, f.date) for f in facts] == [(r.work, r.date) for r in mine]
    edges = {(r.person, a) for r in rows if r.person for a in r.authors if a != r.person}
    kept = [r for f, r in zip(facts, mine, strict=True) if not f.left_out]
    for row in kept:
        assert row.level >= 2
        assert row.person not in row.authors
        for author in row.authors if row.person else ():
            assert (author, row.person) not in edges
            assert not any((author, m) in edges and (m, row.person) in edges for m in range(1, 6))
    votes = Counter(r.account for r in kept if person in r.authors)
    assert all(n == 1 for n in votes.values())
    works = Counter(r.work for r in kept if person not in r.authors)
    assert all(n == 1 for n in works.values())


@given(tables, people, people, st.frozensets(people, min_size=1, max_size=2))
def test_a_review_takes_weight_from_others_only_by_closing_a_ring(
    rows, person, by, authors
) -> None:
    more = Review(100 + by, by, 2, 77, authors, "2026-02-01")
    before = {(f.work, f.date, f.given) for f in reviews_of(person, rows) if not f.left_out}
    facts = reviews_of(person, [*rows, more])
    after = {(f.work, f.date, f.given) for f in facts if not f.left_out}
    lost = before - after
    if lost:
        assert CIRCLE in {f.left_out for f in facts if (f.work, f.date, f.given) in lost}
