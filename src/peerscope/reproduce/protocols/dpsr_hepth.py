"""Who asked what, when, and what was there to find: hep-th titles as queries, their citations as clicks.

A query is the title of a new work, the user its author; what is chosen are the earlier works that it cites,
and the history is what the author had written or cited before that day. Works stand in order of time, so
that what existed at an asking is a prefix of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.shared_files import objects, shared, text_lines
from peerscope.retrieval import Interaction, Item, User

MOST_HISTORY = 100
STEPS_OF_SENIORITY = (5, 10, 20, 40, 80)


@dataclass(frozen=True, slots=True)
class Asking:
    """One query by one user on one day; works are named by their place in the collection.

    Attributes:
        id: Of the query, and of the user at that moment.
        text: The query.
        own: The work whose title it is; it is no answer.
        limit: Works before this place existed.
        relevant: Works that the query's work cites.
        history: Works that the user had written or cited before, newest meeting first.
        profile: How much the user had written, and where most often of late.
    """

    id: str
    text: str
    own: int
    limit: int
    relevant: frozenset[int]
    history: tuple[int, ...]
    profile: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Collection:
    """Works in order of time, and who asked.

    Attributes:
        items: The works; the id of the work at place ``n`` is ``n + 1``.
        taught: Askings of the training time.
        asked: Later askings, to be judged.
    """

    items: list[Item]
    taught: list[Asking]
    asked: list[Asking]

    @property
    def known(self) -> int:
        """Works that existed when the last training query was asked."""
        return max(one.limit for one in self.taught)

    def chosen(self) -> NDArray[np.float64]:
        """How many training queries led to each work, shape ``[works]``."""
        counts = Counter(place for one in self.taught for place in one.relevant)
        found = np.zeros(len(self.items))
        found[list(counts)] = list(counts.values())
        return found

    def catalogue(self, *, texts: bool = False) -> list[Item]:
        """The works of the training time; with their abstracts only if ``texts``."""
        items = self.items[: self.known]
        if texts:
            return items
        return [Item(item.id, item.title, fields=item.fields) for item in items]

    def clicks(self) -> list[Interaction]:
        """Every training query with each work that it led to."""
        return [
            Interaction(one.text, place + 1, user_id=one.id, kind="cites")
            for one in self.taught
            for place in sorted(one.relevant)
        ]

    def users(self, *, history: bool, profile: bool) -> list[User]:
        """Every asking's user, as the towers take one."""
        return [user_of(one, history=history, profile=profile) for one in self.taught]


def user_of(one: Asking, *, history: bool, profile: bool) -> User:
    """The user of an asking, with what the towers may see of them."""
    met = tuple(place + 1 for place in one.history) if history else ()
    return User(one.id, dict(one.profile) if profile else {}, met)


def hepth(trial: Trial) -> Collection:
    """The collection as far as the profile's settings go.

    ``until`` is the last year of the collection, ``taught`` the last year whose queries teach, ``queries``
    how many later ones are judged: which, the seed decides.

    Raises:
        MissingData: A file is not on this machine.
    """
    files = [
        shared("scholarly", "hepth.jsonl.zst"),
        shared("bench", "personal_hepth", "queries.jsonl.zst"),
        shared("bench", "personal_hepth", "qrels.tsv.zst"),
    ]
    trial.data("hep-th", *(np.frombuffer(path.read_bytes(), np.uint8) for path in files))
    until, taught = int(trial["until"]), int(trial["taught"])
    works = [work for work in objects(files[0]) if int(work["date"][:4]) <= until]
    works.sort(key=lambda work: (work["date"], work["id"]))
    past = _Past(works)
    relevant = _judgements(files[2])
    found: dict[bool, list[Asking]] = {True: [], False: []}
    for query in objects(files[1]):
        if query["paper"] in past.place and int(query["when"][:4]) <= until:
            later = int(query["when"][:4]) > taught
            found[later].append(past.asking(query, relevant[query["_id"]]))
    asked = sorted(found[True], key=lambda one: (one.limit, one.id))
    number = min(int(trial["queries"]), len(asked))
    drawn = np.random.default_rng((trial.seed, 1)).choice(len(asked), number, replace=False)
    items = [
        Item(
            place + 1,
            work["title"],
            work.get("abstract") or "",
            fields={"venue": (venue,)} if (venue := _venue(work)) else {},
        )
        for place, work in enumerate(works)
    ]
    return Collection(
        items,
        sorted(found[False], key=lambda one: (one.limit, one.id)),
        [asked[place] for place in sorted(drawn)],
    )


def _judgements(path: Path) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for line in islice(text_lines(path), 1, None):
        query, document, _ = line.split("\t")
        found[query].append(document)
    return dict(found)


def _venue(work: Mapping[str, Any]) -> str:
    """The journal's name without its numbers."""
    words = "".join(" " if letter.isdigit() else letter for letter in work.get("journal_ref") or "")
    return words.split()[0].rstrip(".,") if words.split() else ""


class _Past:
    """What each author had written and cited at any time.

    Args:
        works: In order of time.
    """

    def __init__(self, works: Sequence[Mapping[str, Any]]) -> None:
        self.place = {work["id"]: number for number, work in enumerate(works)}
        self._days = np.asarray([date.fromisoformat(work["date"]).toordinal() for work in works])
        self._venues = [_venue(work) for work in works]
        self._cites = [
            [self.place[cited] for cited in work.get("references", ()) if cited in self.place]
            for work in works
        ]
        self._by: defaultdict[str, list[int]] = defaultdict(list)
        for number, work in enumerate(works):
            for author in work.get("authors", ()):
                if author.get("id"):
                    self._by[author["id"]].append(number)

    def asking(self, query: Mapping[str, Any], relevant: Sequence[str]) -> Asking:
        """A query of the file with what its user had met by then."""
        day = date.fromisoformat(query["when"]).toordinal()
        written = [place for place in self._by[query["user"]] if self._days[place] < day][::-1]
        return Asking(
            query["_id"],
            query["text"],
            self.place[query["paper"]],
            int(np.searchsorted(self._days, day, side="right")),
            frozenset(self.place[one] for one in relevant if one in self.place),
            self._met(written, day),
            self._profile(written),
        )

    def _met(self, written: Sequence[int], day: int) -> tuple[int, ...]:
        met: dict[int, None] = {}
        for number in written:
            met.setdefault(number)
            for cited in sorted(self._cites[number], reverse=True):
                if self._days[cited] < day:  # a later version may cite what did not exist yet
                    met.setdefault(cited)
        return tuple(met)[:MOST_HISTORY]

    def _profile(self, written: Sequence[int]) -> dict[str, str]:
        found = {"seniority": str(sum(len(written) >= step for step in STEPS_OF_SENIORITY))}
        venues = Counter(self._venues[number] for number in written[:10] if self._venues[number])
        if venues:
            found["venue"] = venues.most_common(1)[0][0]
        return found
