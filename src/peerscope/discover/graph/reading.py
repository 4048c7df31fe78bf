"""Parts of statements that all of the graph's questions to the record share."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import aliased

from peerscope.discover.graph_shapes import TYPES, GraphQuestion, split_key
from peerscope.record.models import Authorship, Institution, Person, Topic, Venue, Work

NAMED: dict[str, type[Person | Topic | Institution | Venue]] = {
    "A": Person,
    "T": Topic,
    "I": Institution,
    "S": Venue,
}

COMMON_TOPIC = 2_000
"""A topic that more works carry says little about any two of them, and joins none as `same_topic`."""


CROWD = 50
"""A work of more authors joins no two of them as coauthors: pairs would be thousands, and say little."""


def not_crowded(work_id: Any) -> ColumnElement[bool]:
    """Whether the work has at most `CROWD` authors: one look into an index, not into the work's wide row."""
    more = aliased(Authorship)
    return ~(
        select(more.id)
        .where(more.work_id == work_id, more.position >= CROWD)
        .correlate_except(more)
    ).exists()


def in_sight(work_id: Any) -> ColumnElement[bool]:
    """Whether the work is not deleted, without reading its wide row: deleted ones are few and indexed."""
    gone: ColumnElement[bool] = work_id.not_in(
        select(Work.id).where(Work.deleted_at.is_not(None)).scalar_subquery()
    )
    return gone


def shown(person_id: Any, question: GraphQuestion) -> ColumnElement[bool]:
    """Whether it is decided who the person is, and they are not hidden."""
    known: ColumnElement[bool] = person_id.is_not(None)
    return and_(known, person_id.not_in(question.without)) if question.without else known


def wanted_works(question: GraphQuestion) -> list[ColumnElement[bool]]:
    """Conditions on `Work`: in sight, and of the years asked for."""
    found: list[ColumnElement[bool]] = [Work.deleted_at.is_(None)]
    if question.year_from is not None:
        found.append(Work.publication_year >= question.year_from)
    if question.year_to is not None:
        found.append(Work.publication_year <= question.year_to)
    return found


@dataclass(frozen=True, slots=True)
class Ends:
    """Nodes between which edges are looked for: all pairs, or those with one end among ``fresh``.

    Attributes:
        all: Numbers of the nodes by letter.
        fresh: Those of which one has to be an end.
    """

    all: Mapping[str, list[int]]
    fresh: Mapping[str, list[int]]
    _all: frozenset[str] = field(init=False, default=frozenset())
    _fresh: frozenset[str] = field(init=False, default=frozenset())
    _old: dict[str, list[int]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for name, numbers in (("_all", self.all), ("_fresh", self.fresh)):
            keys = frozenset(f"{letter}{n}" for letter, of in numbers.items() for n in of)
            object.__setattr__(self, name, keys)
        for letter, of in self.all.items():
            self._old[letter] = [n for n in of if f"{letter}{n}" not in self._fresh]

    @classmethod
    def of(cls, keys: Iterable[str], fresh: Collection[str] | None = None) -> Ends:
        """From node keys; without ``fresh`` all of them are."""
        keys = list(keys)
        return cls(by_letter(keys), by_letter(keys if fresh is None else fresh))

    def possible(self, one: str, other: str) -> bool:
        """Whether any edge between these types can be there."""
        here, there = self.all[one], self.all[other]
        return bool(here and there and (self.fresh[one] or self.fresh[other]))

    def between(self, one: Any, first: str, other: Any, second: str) -> ColumnElement[bool]:
        """The condition that two columns hold such a pair."""
        if not self._old[first] and not self._old[second]:
            return and_(one.in_(self.all[first]), other.in_(self.all[second]))
        return or_(
            and_(one.in_(self.fresh[first]), other.in_(self.all[second])),
            and_(one.in_(self._old[first]), other.in_(self.fresh[second])),
        )

    def holds(self, key: str) -> bool:
        """Whether a node is there."""
        return key in self._all

    def is_fresh(self, key: str) -> bool:
        """Whether a node is there, and fresh."""
        return key in self._fresh

    def joins(self, one: str, other: str) -> bool:
        """Whether an edge between two nodes has a fresh end."""
        return one in self._fresh or other in self._fresh


def by_letter(keys: Iterable[str]) -> dict[str, list[int]]:
    """Numbers by letter, for every letter."""
    found: dict[str, list[int]] = {letter: [] for letter in TYPES}
    for key in keys:
        letter, number = split_key(key)
        found[letter].append(number)
    return found
