"""A small record built through the tables: six works, five people, three topics, known links."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from peerscope.record import models as m

NOW = datetime(2026, 1, 1, tzinfo=UTC)

TITLES = {
    1: "Momentum contrast for visual representations",
    2: "A simple framework for contrastive learning",
    3: "Exploring simple siamese representation learning",
    4: "Product search with two towers",
    5: "Okapi at the third text retrieval conference",
    6: "A deleted work",
}
AUTHORS = {1: [1, 2], 2: [3], 3: [2, 1], 4: [4], 5: [5], 6: [5]}
CITES = [(2, 1), (3, 1), (3, 2), (4, 5), (1, 6)]
TOPICS = {1: [1], 2: [1], 3: [1, 2], 4: [3]}


def _work(number: int) -> m.Work:
    return m.Work(
        id=number,
        title=TITLES[number],
        abstract="Negatives and temperature." if number == 1 else None,
        summary="Two towers for products." if number == 4 else None,
        type="proceedings-article",
        publication_year=2015 + number,
        venue_id=1 if number < 4 else None,
        is_oa=True if number == 1 else None,
        doi="10.1000/one" if number == 1 else None,
        covered="",
        cited_by_count=sum(cited == number for _, cited in CITES),
        references_count=sum(citing == number for citing, _ in CITES),
        source_id=1,
        change_seq=number,
        created_at=NOW,
        updated_at=NOW,
        deleted_at=NOW if number == 6 else None,
    )


def fill(session: Session) -> None:
    session.add(m.Source(id=1, importer="test", name="t", location="t", covers="", created_at=NOW))
    session.flush()
    session.add_all(
        m.Person(
            id=n, display_name=f"Ada {'ABCDE'[n - 1]}", name_key=f"{n}", rule="test",
            works_count=sum(n in people for people in AUTHORS.values()), source_id=1, change_seq=n,
            created_at=NOW,
        )
        for n in range(1, 6)
    )  # fmt: skip
    session.add(m.Venue(id=1, display_name="CVPR", name_key="cvpr", works_count=3, source_id=1))
    session.add(
        m.Institution(id=1, display_name="KAIST", name_key="kaist", works_count=2, source_id=1)
    )
    session.add_all(
        m.Topic(id=n, display_name=name, name_key=name, origin="given", works_count=1, source_id=1)
        for n, name in enumerate(("contrastive", "siamese", "products"), start=1)
    )
    session.flush()
    session.add_all(_work(n) for n in TITLES)
    session.flush()
    number = 0
    for work, people in AUTHORS.items():
        for position, person in enumerate(people):
            number += 1
            session.add(
                m.Authorship(
                    id=number, work_id=work, position=position, person_id=person,
                    raw_name=f"Ada {'ABCDE'[person - 1]}", name_key=f"{person}",
                    block_key=f"{person}", source_id=1,
                )
            )  # fmt: skip
            if person == 1:
                session.flush()
                session.add(
                    m.AuthorshipInstitution(authorship_id=number, institution_id=1, source_id=1)
                )
    session.add_all(
        m.Citation(id=place, citing_id=citing, cited_id=cited, ref_key=f"test:{cited}", source_id=1)
        for place, (citing, cited) in enumerate(CITES, start=1)
    )
    session.add_all(
        m.WorkTopic(work_id=work, topic_id=topic, source_id=1)
        for work, topics in TOPICS.items()
        for topic in topics
    )
    session.add(m.Counter(name="topic", value=3))
    session.add(m.Counter(name="source", value=1))
    session.commit()


@pytest.fixture
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://")
    m.Base.metadata.create_all(engine)
    with Session(engine) as opened:
        fill(opened)
        yield opened
    engine.dispose()
