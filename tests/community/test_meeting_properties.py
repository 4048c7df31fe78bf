"""Whatever accounts do in whatever order: votes, versions, places in a collection, tags."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from peerscope.community import CommunityError, collection_works, collections, reactions, reviews
from peerscope.community.collection_works import works_of
from peerscope.community.meeting_models import ReviewVersion
from peerscope.community.proofs import add_proof
from peerscope.community.standing import standing_of
from peerscope.community.tags import MOST_TAGS, clean_tags, kept_tags, read_tags

QUICK = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def session(community, make_account) -> Iterator:
    """One transaction, rolled back to a savepoint for each example."""
    accounts = [make_account(f"Ada Example {n}") for n in range(4)]
    with community.writing() as opened:
        for number in accounts:
            add_proof(opened, number, "email")
        opened.flush()
        opened.accounts = accounts
        yield opened


def fresh(session):
    return session.begin_nested()


@QUICK
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(1, 2), st.sampled_from([-1, 0, 1])), max_size=30
    )
)
def test_counts_are_the_votes_that_stand(session, acts) -> None:
    point = fresh(session)
    standing: dict[tuple[int, int], int] = {}
    for who, work, value in acts:
        reactions.vote(session, session.accounts[who], work, value)
        standing[who, work] = value
    for work in (1, 2):
        found = standing_of(session, work, lambda _: set())
        values = [value for (_, voted), value in standing.items() if voted == work]
        assert (found.likes, found.dislikes) == (values.count(1), values.count(-1))
    point.rollback()


@QUICK
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(1, 7), st.just(0)),
            st.tuples(st.just("remove"), st.integers(1, 7), st.just(0)),
            st.tuples(st.just("move"), st.integers(1, 7), st.integers(-3, 12)),
        ),
        max_size=25,
    )
)
def test_an_order_is_what_a_list_would_be(session, acts) -> None:
    """Places stay 0 to n-1; an oracle does the same with a plain list."""
    point = fresh(session)
    owner = session.accounts[0]
    number = collections.make(session, owner, "A list")
    oracle: list[int] = []
    for act, work, place in acts:
        if act == "add":
            collection_works.add(session, owner, number, work)
            oracle += [] if work in oracle else [work]
        elif work not in oracle:
            with pytest.raises(CommunityError):
                (collection_works.remove if act == "remove" else _moved)(
                    session, owner, number, work
                )
        elif act == "remove":
            collection_works.remove(session, owner, number, work)
            oracle.remove(work)
        else:
            collection_works.move(session, owner, number, work, place)
            oracle.remove(work)
            oracle.insert(max(0, min(place, len(oracle))), work)
        session.expire_all()
        held = works_of(session, number)
        assert [one.work_id for one in held] == oracle
        assert [one.place for one in held] == list(range(len(oracle)))
    point.rollback()


def _moved(session, owner, number, work) -> None:
    collection_works.move(session, owner, number, work, 0)


@QUICK
@given(st.lists(st.tuples(st.integers(0, 1), st.text(max_size=40)), min_size=1, max_size=12))
def test_versions_are_only_ever_added(session, texts) -> None:
    point = fresh(session)
    before: dict[int, tuple] = {}
    for who, words in texts:
        given_words = {
            "summary": "What it does, in thirty characters.", "questions": words,
            "confidence": "3", "relation": "none",
        }  # fmt: skip
        try:
            reviews.write(session, session.accounts[who], 1, given_words)
        except CommunityError as error:
            assert "Nothing was changed" in str(error)
        session.expire_all()
        rows = session.query(ReviewVersion).all()
        now = {row.id: (row.review_id, row.number, row.questions, row.created_at) for row in rows}
        assert before.items() <= now.items()
        for review in {row[0] for row in now.values()}:
            numbers = sorted(row[1] for row in now.values() if row[0] == review)
            assert numbers == list(range(1, len(numbers) + 1))
        before = now
    point.rollback()


@given(st.text(max_size=200))
def test_tags_come_back_as_they_were_kept(given_tags) -> None:
    try:
        tags = clean_tags(given_tags)
    except CommunityError:
        return
    assert len(tags) <= MOST_TAGS
    assert read_tags(kept_tags(tags)) == tags
    assert len(set(tags)) == len(tags)
    assert all(tag and "\n" not in tag and "," not in tag for tag in tags)
    assert clean_tags(",".join(tags)) == tags
