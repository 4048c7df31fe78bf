"""A feed: works for somebody who asked nothing, from what they saved, opened and follow, each with reasons.

The order is a plain sum of evidence (`WEIGHTS`, chosen in ``docs/benchmarks/feed.md``), not a learned score:
the reasons shown are all there is. Meaning comes from the query tower, asked with the titles of what was met
last (`retrieval.wanting`). What somebody wants less of is left out before anything is counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import func, literal, select, union_all
from sqlalchemy.orm import Session

from peerscope.discover.results import short_title, work_titles
from peerscope.discover.shapes import Asker, FeedEntry, FeedOrder, Reason
from peerscope.discover.taste import Less, Taste
from peerscope.discover.together import Question, asked_together, ranked
from peerscope.record.models import Authorship, Citation, Person, Topic, Work, WorkTopic
from peerscope.retrieval import WantedHit

Wanted = Callable[[Sequence[str], Sequence[int], int], list[WantedHit]]
"""Titles of works met, works met (newest first), how many: works near to them. ``[]`` without vectors."""

WEIGHTS = {
    "meaning": 1.0, "citing": 0.05, "cited": 0.02, "person": 0.1, "topic": 0.05, "fresh": 0.2,
}  # fmt: skip
"""What one unit of evidence adds: a score of 1 by meaning, one saved work cited (five at most), ..."""

FRESH_DAYS = 365.0
"""Days after which a work is no longer new; on its day it has a whole unit of ``fresh``, half-way half."""

OPENED = 1 / 3
"""What an opened work counts beside a saved one, as in training (`evidence.WEIGHTS`)."""

ASKING = 12
"""Works met last whose titles ask: each is a query to the towers."""

NEAR = 200
LINKED = 150
"""Works that meaning, and each kind of link, bring in."""

LISTED = 200
"""Works of a feed; who saved or muted something gets others."""

WINDOW, MOST_OF_ONE = 10, 2
"""Of so many works in a row at most so many are of one person, where others are left."""

FIRST_AUTHORS = 30
FOLLOWED_WORKS = 3
MOST_FOLLOWED = 30
"""Works that stand for each person or topic followed in the order of results, and for all of them."""


@dataclass(slots=True)
class _Evidence:
    score: float = 0.0
    reasons: list[Reason] = field(default_factory=list)

    def add(self, kind: str, amount: float, text: str, about: str) -> None:
        self.score += WEIGHTS[kind] * amount
        self.reasons.append(Reason(kind, text, (about,)))


def feed(
    session: Session,
    wanted: Wanted,
    taste: Taste,
    *,
    order: FeedOrder = "best",
    today: date | None = None,
) -> tuple[FeedEntry, ...]:
    """The whole feed of a taste, at most `LISTED` works that were not met. At most seven statements.

    The same record, bundle, taste and day give the same feed.

    Args:
        session: Of the record.
        wanted: What the bundle in service finds near to works.
        taste: What it is made from.
        order: ``best`` (most evidence first, nobody's works crowding the others out) or ``new``.
        today: From which day back works are new; today if not given.
    """
    if not taste:
        return ()
    people = _people(session, [*taste.people, *sorted(taste.less.people)])
    followed = _followed(session, taste, people)
    titles = work_titles(session, taste.met)
    found = _evidence(session, wanted, taste, titles, followed)
    left_out = set(taste.met) | taste.less.works
    for work in left_out:
        found.pop(work, None)
    gone = _muted(session, found, taste.less, people)
    facts = _facts(session, [number for number in found if number not in gone])
    for number, fact in facts.items():
        share = fact.freshness(today or date.today())
        if share > 0:
            found[number].add("fresh", share, f"published {fact.when}", f"W{number}")
    entries = [
        FeedEntry(number, found[number].score, tuple(found[number].reasons)) for number in facts
    ]
    entries.sort(key=lambda entry: (-entry.score, entry.work_id))
    if order == "new":
        newest = entries[: 2 * LISTED]
        newest.sort(key=lambda entry: (facts[entry.work_id].when, entry.work_id), reverse=True)
        return tuple(newest[:LISTED])
    return tuple(spread(entries[:LISTED], {n: fact.people for n, fact in facts.items()}))


def asker_of(session: Session, taste: Taste) -> Asker:
    """A taste as it takes part in the order of results. At most three statements.

    What is followed takes part by its newest works, behind those that were met.
    """
    if not taste.topics and not taste.people:
        return Asker(taste.met, taste.saved)
    people = _people(session, taste.people)
    followed = _followed(session, taste, people)
    rows = _links(session, taste, followed, FOLLOWED_WORKS * MOST_FOLLOWED)
    told: dict[int, str] = {}
    of_each: defaultdict[int, int] = defaultdict(int)
    for kind, tell in (("person", _by), ("topic", _on)):
        for work, _, example, _ in rows[kind]:
            if work not in taste.met and of_each[example] < FOLLOWED_WORKS:
                of_each[example] += 1
                told.setdefault(work, tell(followed[kind][example]))
    told = dict(list(told.items())[:MOST_FOLLOWED])
    return Asker((*taste.met, *told), taste.saved, told)


def spread(entries: Sequence[FeedEntry], people: Mapping[int, Collection[int]]) -> list[FeedEntry]:
    """The entries with nobody's works crowding the others out (`MOST_OF_ONE` in `WINDOW`).

    An entry waits until it fits; where none of those left fits, the first of them comes.
    """
    waiting, placed = list(entries), list[FeedEntry]()
    while waiting:
        latest = placed[-(WINDOW - 1) :]
        counts: defaultdict[int, int] = defaultdict(int)
        for entry in latest:
            for person in people.get(entry.work_id, ()):
                counts[person] += 1
        full = {person for person, count in counts.items() if count >= MOST_OF_ONE}
        fits = (n for n, one in enumerate(waiting) if full.isdisjoint(people.get(one.work_id, ())))
        placed.append(waiting.pop(next(fits, 0)))
    return placed


def _evidence(
    session: Session,
    wanted: Wanted,
    taste: Taste,
    titles: Mapping[int, str],
    followed: Mapping[str, Mapping[int, str]],
) -> dict[int, _Evidence]:
    """Everything that speaks for each work."""
    found: defaultdict[int, _Evidence] = defaultdict(_Evidence)
    asking = [titles[work] for work in taste.met if work in titles][:ASKING]
    for hit in wanted(asking, taste.met, NEAR) if asking else []:
        if hit.cosine > 0 and hit.because in titles:
            text = f"because you {taste.did(hit.because)} “{short_title(titles[hit.because])}”"
            found[hit.id].add("meaning", max(hit.score, 0.0), text, f"W{hit.because}")
    rows = _links(session, taste, followed, LINKED)
    for kind, verb in (("citing", "cites"), ("cited", "cited by")):
        for did, weight in (("saved", 1.0), ("opened", OPENED)):
            for work, number, example, _ in rows.get(f"{kind} {did}", []):
                if number == 1:
                    text = f"{verb} “{short_title(titles.get(example, ''))}”, which you {did}"
                else:
                    text = f"{verb} {number} works you {did}"
                found[work].add(kind, weight * min(number, 5), text, f"W{example}")
    for kind, letter, tell in (("person", "A", _by), ("topic", "T", _on)):
        for work, _, example, _ in rows[kind]:
            text = tell(followed[kind][example])
            found[work].add(kind, 1.0, text, f"{letter}{example}")
    return found


def _by(name: str) -> str:
    return f"by {name}, whom you follow"


def _on(name: str) -> str:
    return f"on the topic {name}, which you follow"


def _links(
    session: Session, taste: Taste, followed: Mapping[str, Mapping[int, str]], most: int
) -> dict[str, list[tuple[Any, ...]]]:
    """Works that the record links with a taste: rows of (work, number, an example of what with, place)."""
    questions: dict[str, Question] = {}
    for did in ("saved", "opened"):
        if works := [work for work in taste.met if taste.did(work) == did]:
            questions[f"citing {did}"] = _cites(Citation.citing_id, Citation.cited_id, works, most)
            questions[f"cited {did}"] = _cites(Citation.cited_id, Citation.citing_id, works, most)
    if followed["person"]:
        written = select(
            Authorship.work_id, literal(1), func.min(Authorship.person_id).label("example")
        ).where(Authorship.person_id.in_(list(followed["person"])))
        questions["person"] = _newest(written, Authorship.work_id, most)
    if followed["topic"]:
        carried = select(
            WorkTopic.work_id, literal(1), func.min(WorkTopic.topic_id).label("example")
        ).where(WorkTopic.topic_id.in_(list(followed["topic"])))
        questions["topic"] = _newest(carried, WorkTopic.work_id, most)
    return {"person": [], "topic": []} | asked_together(session, questions)


def _cites(work: Any, other: Any, works: Sequence[int], most: int) -> Question:
    number = func.count(other.distinct())
    statement = (
        select(work, number.label("number"), func.min(other).label("example"))
        .where(other.in_(list(works)), work.is_not(None))
        .group_by(work)
    )
    return ranked(statement, number.desc(), work.desc()).limit(most)


def _newest(statement: Question, work: Any, most: int) -> Question:
    joined = (
        statement.join(Work, Work.id == work)
        .where(Work.deleted_at.is_(None))
        .group_by(work, Work.publication_year)
    )
    return ranked(joined, func.coalesce(Work.publication_year, 0).desc(), work.desc()).limit(most)


def _people(session: Session, numbers: Iterable[int]) -> dict[int, tuple[int, str]]:
    """Each person asked for as who they are now, with their name; a merged one leads on."""
    found: dict[int, tuple[int | None, str]] = {}
    asked = set(numbers)
    while asked:
        rows = session.execute(
            select(Person.id, Person.merged_into_id, Person.display_name).where(
                Person.id.in_(sorted(asked))
            )
        )
        fresh = {number: (heir, name) for number, heir, name in rows}
        found |= fresh
        asked = {heir for heir, _ in fresh.values() if heir is not None} - found.keys()

    def now(number: int) -> tuple[int, str] | None:
        for _ in found:
            heir, name = found.get(number, (None, ""))
            if heir is None:
                return (number, name) if number in found else None
            number = heir
        return None

    return {number: known for number in found if (known := now(number)) is not None}


def _followed(
    session: Session, taste: Taste, people: Mapping[int, tuple[int, str]]
) -> dict[str, dict[int, str]]:
    """Names of the people and topics followed, as the record has them now."""
    muted = {people[number][0] for number in taste.less.people if number in people}
    persons = dict(people[number] for number in taste.people if number in people)
    topics: dict[int, str] = {}
    if taste.topics:
        rows = session.execute(
            select(Topic.id, Topic.display_name).where(Topic.id.in_(taste.topics))
        )
        topics.update(rows.all())
    return {
        "person": {number: name for number, name in persons.items() if number not in muted},
        "topic": topics,
    }


def _muted(
    session: Session,
    works: Collection[int],
    less: Less,
    people: Mapping[int, tuple[int, str]],
) -> set[int]:
    """Which of the works carry a muted topic or are by a muted person."""
    questions = []
    if less.people:
        who = sorted(less.people | {people[number][0] for number in less.people & people.keys()})
        questions.append(
            select(Authorship.work_id).where(
                Authorship.person_id.in_(who), Authorship.work_id.in_(list(works))
            )
        )
    if less.topics:
        questions.append(
            select(WorkTopic.work_id).where(
                WorkTopic.topic_id.in_(sorted(less.topics)), WorkTopic.work_id.in_(list(works))
            )
        )
    return set(session.scalars(union_all(*questions))) if questions and works else set()


@dataclass(slots=True)
class _Fact:
    """When a work appeared, as far as stated (``2020``, ``2020-05``, ``2020-05-17``), and its people."""

    when: str
    people: set[int] = field(default_factory=set)

    def freshness(self, today: date) -> float:
        """1 on its day, 0 a year later and before; the middle of the month or year where no day is stated."""
        parts = [int(part) for part in self.when.split("-") if part.isdecimal()]
        try:
            day = date(*([*parts, 7, 1] if len(parts) == 1 else [*parts, 15])[:3])
        except (TypeError, ValueError):
            return 0.0
        return min(1.0, max(0.0, 1 - max((today - day).days, 0) / FRESH_DAYS))


def _facts(session: Session, works: Sequence[int]) -> dict[int, _Fact]:
    """When each work appeared, and who wrote it; deleted ones are left out. One statement."""
    if not works:
        return {}
    rows = session.execute(
        select(Work.id, Work.publication_year, Work.publication_date, Authorship.person_id)
        .outerjoin(
            Authorship,
            (Authorship.work_id == Work.id) & (Authorship.position < FIRST_AUTHORS),
        )
        .where(Work.id.in_(works), Work.deleted_at.is_(None))
    )
    found: dict[int, _Fact] = {}
    for number, year, day, person in rows:
        fact = found.setdefault(number, _Fact(str(day or year or "")))
        if person is not None:
            fact.people.add(person)
    return found
