from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from peerscope.discover.topics import FEWEST_WORKS, suggest_topics
from peerscope.record.models import Topic, WorkTopic
from peerscope.record.suggested import (
    SuggestedTopic,
    replace_suggested_topics,
    works_without_topics,
)
from peerscope.retrieval.kmeans import spherical_kmeans


def blobs(groups: int, each: int, dim: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    centres = np.linalg.qr(generator.normal(size=(dim, groups)))[0].T
    truth = np.repeat(np.arange(groups), each)
    rows = centres[truth] + 0.05 * generator.normal(size=(groups * each, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), truth


def test_separated_groups_are_found() -> None:
    rows, truth = blobs(4, 50, 16, seed=1)
    assigned, cosines = spherical_kmeans(rows, 4, seed=3)
    for group in range(4):
        assert len(set(assigned[truth == group])) == 1
    assert len(set(assigned)) == 4
    assert cosines.min() > 0.9


def test_grouping_reaches_a_fixed_point_of_its_objective() -> None:
    rows, _ = blobs(3, 40, 8, seed=5)
    assigned, own = spherical_kmeans(rows, 3, seed=0)
    for group in range(3):
        centre = rows[assigned == group].astype(np.float64).sum(axis=0)
        centre /= np.linalg.norm(centre)
        # closed form: the best direction of a group is its normalised sum
        assert np.allclose(rows[assigned == group] @ centre, own[assigned == group], atol=1e-5)


def test_groups_are_named_by_what_sets_them_apart() -> None:
    rows, truth = blobs(2, 40, 8, seed=2)
    subjects = ("word sense disambiguation", "image segmentation")
    titles = [
        f"A study of {subjects[group]} with data {place}" for place, group in enumerate(truth)
    ]
    topics = suggest_topics(range(100, 180), titles, rows)
    assert {topic.name for topic in topics} == {"Word sense disambiguation", "Image segmentation"}
    members = {number for topic in topics for number, _ in topic.works}
    assert members == set(range(100, 180))
    assert all(0 <= score <= 1 for topic in topics for _, score in topic.works)
    assert topics == suggest_topics(range(100, 180), titles, rows)


def test_too_few_works_or_no_vectors_give_no_topics() -> None:
    few = np.eye(FEWEST_WORKS - 1, dtype=np.float32)
    assert suggest_topics(range(FEWEST_WORKS - 1), ["x"] * (FEWEST_WORKS - 1), few) == []
    none = np.zeros((50, 4), dtype=np.float32)
    assert suggest_topics(range(50), ["x"] * 50, none) == []


def test_identical_vectors_do_not_break_the_start() -> None:
    rows = np.tile(np.array([[1.0, 0.0]], dtype=np.float32), (60, 1))
    assigned, cosines = spherical_kmeans(rows, 5)
    assert len(assigned) == 60
    assert cosines == pytest.approx(1.0)


def suggested(session: Session) -> dict[str, int]:
    statement = select(Topic.name_key, Topic.id).where(Topic.origin == "suggested")
    return dict(session.execute(statement).all())


def test_suggestions_replace_each_other_and_keep_ids(session: Session) -> None:
    assert works_without_topics(session) == [5]
    replace_suggested_topics(
        session,
        [
            SuggestedTopic("Retrieval", ("okapi",), ((5, 0.9),)),
            SuggestedTopic("Old", (), ((5, 0.1),)),
        ],
    )
    rows = suggested(session)
    assert set(rows) == {"retrieval", "old"}
    replace_suggested_topics(
        session,
        [
            SuggestedTopic("RETRIEVAL", ("bm25",), ((5, 0.8),)),
            SuggestedTopic("New", (), ((5, 0.2),)),
        ],
    )
    again = suggested(session)
    assert set(again) == {"retrieval", "new"}
    assert again["retrieval"] == rows["retrieval"]
    assert works_without_topics(session) == [5], "a suggestion is not a statement of a source"
    scores = session.scalars(
        select(WorkTopic.score).where(WorkTopic.topic_id == again["retrieval"])
    )
    assert list(scores) == [0.8]
    given = session.scalars(select(Topic.id).where(Topic.origin == "given"))
    assert sorted(given) == [1, 2, 3]


def test_names_that_differ_in_case_only_are_one_topic(session: Session) -> None:
    topics = [SuggestedTopic("Okapi", (), ((5, 0.5),)), SuggestedTopic("okapi", (), ((4, 0.5),))]
    replace_suggested_topics(session, topics)
    assert session.scalars(select(Topic.works_count).where(Topic.origin == "suggested")).all() == [
        2
    ]
