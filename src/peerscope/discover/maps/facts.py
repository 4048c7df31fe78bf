"""What the record says of the works of a map: title, year, type, citations, topics; read once, in bulk."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from peerscope.discover.maps.regions import Naming
from peerscope.record import change_seq
from peerscope.record.models import Topic, Work, WorkTopic
from peerscope.retrieval.schema import IntArray

MOST_TYPES = 255
SMALLEST_YEAR, LARGEST_YEAR = -32_768, 32_767


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts by work id."""

    change_seq: int
    ids: IntArray
    titles: dict[int, str]
    years: dict[int, int]
    types: dict[int, str]
    cited: dict[int, int]
    topics: dict[int, list[int]]
    names: dict[int, str]
    given: frozenset[int]

    def known(self, ids: IntArray) -> NDArray[np.bool_]:
        """Which of some works are in the record and in sight."""
        return np.isin(ids, self.ids)

    def naming(self, ids: IntArray) -> Naming:
        """What names of regions are made of."""
        numbers = ids.tolist()
        return Naming(
            [self.titles[one] for one in numbers],
            [self.topics.get(one, []) for one in numbers],
            self.names,
            self.given,
        )

    def coloured(self, ids: IntArray, most: int) -> tuple[list[tuple[int, str]], list[str]]:
        """The topics on most of these works with their names, and all types, most frequent first."""
        numbers = ids.tolist()
        topics = Counter(topic for one in numbers for topic in self.topics.get(one, []))
        types = Counter(self.types[one] for one in numbers)
        often = sorted(topics, key=lambda topic: (-topics[topic], topic))[:most]
        ranked = sorted(types, key=lambda kind: (-types[kind], kind))[:MOST_TYPES]
        return [(topic, self.names[topic]) for topic in often], ranked

    def fill(self, works: NDArray[np.void], ids: IntArray, most: int) -> None:
        """Write year, citations, type and coloured topic of each work into the rows of a map."""
        topics, types = self.coloured(ids, most)
        place_of_topic = {topic: place for place, (topic, _) in enumerate(topics, start=1)}
        place_of_type = {kind: place for place, kind in enumerate(types)}
        last = max(len(types) - 1, 0)
        for row, one in enumerate(ids.tolist()):
            year = self.years.get(one, 0)
            works["year"][row] = min(max(year, SMALLEST_YEAR), LARGEST_YEAR)
            works["cited"][row] = self.cited[one]
            works["type"][row] = place_of_type.get(self.types[one], last)
            own = [
                place_of_topic[topic]
                for topic in self.topics.get(one, [])
                if topic in place_of_topic
            ]
            works["topic"][row] = own[0] if own else 0


def facts_of(session: Session) -> Facts:
    """The facts of all works in sight; a work's topics in order of their score."""
    seen = change_seq(session)
    titles, years, types, cited = {}, {}, {}, {}
    rows = session.execute(
        select(Work.id, Work.title, Work.publication_year, Work.type, Work.cited_by_count)
        .where(Work.deleted_at.is_(None))
        .execution_options(yield_per=5000)
    )
    for number, title, year, kind, citations in rows:
        titles[number], types[number], cited[number] = title, kind, citations
        if year:
            years[number] = year
    topics: defaultdict[int, list[int]] = defaultdict(list)
    carried = session.execute(
        select(WorkTopic.work_id, WorkTopic.topic_id)
        .order_by(WorkTopic.work_id, WorkTopic.score.desc(), WorkTopic.topic_id)
        .execution_options(yield_per=5000)
    )
    for number, topic in carried:
        topics[number].append(topic)
    named = session.execute(select(Topic.id, Topic.display_name, Topic.origin)).all()
    return Facts(
        seen, np.asarray(sorted(titles), np.int64), titles, years, types, cited, dict(topics),
        {number: name for number, name, _ in named},
        frozenset(number for number, _, origin in named if origin == "given"),
    )  # fmt: skip
