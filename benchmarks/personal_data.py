"""The personalised collections: who asked what and when, what they had met then, and which works existed.

A query is the title of a new work, the user its author, relevant are the earlier works that it cites. Works
stand in order of time, so that what existed when a query was asked is a prefix of them; the query's own work
is no answer. Nothing that a system learns from comes from after the training split (`training_view`).
"""

from __future__ import annotations

import io
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

from peerscope.retrieval import Interaction, Item, User

SHARED = Path(os.environ.get("PEERSCOPE_SHARED", Path(__file__).resolve().parents[2] / "shared"))
MOST_HISTORY = 400
"""Items of a history that are kept, the newest; systems may look at fewer."""

FIRST_ID = 1


@dataclass(frozen=True, slots=True)
class Asking:
    """One query by one user at one time; works are named by their place in the collection.

    Attributes:
        id: The query's id in the collection.
        text: The query.
        user: The user's id.
        when: Time, in days or years.
        own: The work whose title the query is; it is no answer.
        limit: Works before this place existed.
        relevant: Works that the query's work cites.
        history: Works that the user had written or cited before, newest first, each once.
        written: Those that the user had written.
        earlier: How many works the user had written before.
        profile: Categorical profile at that time.
    """

    id: str
    text: str
    user: str
    when: float
    own: int
    limit: int
    relevant: frozenset[int]
    history: tuple[int, ...]
    written: tuple[int, ...]
    earlier: int
    profile: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Collection:
    """Works in order of time, and the askings of each split.

    Attributes:
        name: Of the folder.
        items: The works; the id of the work at place ``n`` is ``n + FIRST_ID``.
        times: When each appeared.
        askings: ``train``, ``dev`` and ``test``, in order of time.
    """

    name: str
    items: list[Item]
    times: np.ndarray[Any, np.dtype[np.float64]]
    askings: dict[str, list[Asking]]

    def cited_in_training(self) -> Counter[int]:
        """How many training queries led to each work."""
        return Counter(place for one in self.askings["train"] for place in one.relevant)


def lines(path: Path) -> Iterator[Any]:
    """The records of a compressed JSON lines file."""
    with path.open("rb") as raw:
        for line in io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(raw), "utf-8"):
            yield json.loads(line)


def judgements(path: Path) -> dict[str, list[str]]:
    """Relevant documents of each query."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    with path.open("rb") as raw:
        stream = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(raw), "utf-8")
        next(stream)
        for line in stream:
            query, document, _ = line.rstrip("\n").split("\t")
            found[query].append(document)
    return dict(found)


def time_of(value: str | int) -> float:
    """A date as days, a year as itself."""
    return float(value) if isinstance(value, int) else float(date.fromisoformat(value).toordinal())


def load(name: str, folder: Path | None = None) -> Collection:
    """Read ``personal_NAME`` and its works."""
    data = folder or SHARED / "data"
    works = list(lines(data / "scholarly" / f"{name}.jsonl.zst"))
    works.sort(key=lambda work: (time_of(work.get("date") or work["year"]), work["id"]))
    times = np.asarray([time_of(work.get("date") or work["year"]) for work in works])
    place = {work["id"]: number for number, work in enumerate(works)}
    items = [
        Item(
            number + FIRST_ID,
            work["title"],
            work.get("abstract") or "",
            fields={"venue": (venue,)} if (venue := venue_of(work)) else {},
        )
        for number, work in enumerate(works)
    ]
    past = Past(works, times, place)
    bench = data / "bench" / f"personal_{name}"
    relevant = judgements(bench / "qrels.tsv.zst")
    askings: dict[str, list[Asking]] = {"train": [], "dev": [], "test": []}
    for query in lines(bench / "queries.jsonl.zst"):
        when = time_of(query["when"])
        written, history = past.before(query["user"], when)
        askings[query["split"]].append(
            Asking(
                query["_id"], query["text"], query["user"], when, place[query["paper"]],
                int(np.searchsorted(times, when, side="right")),
                frozenset(place[found] for found in relevant[query["_id"]]),
                history[:MOST_HISTORY], written[:MOST_HISTORY], len(written), past.profile(written),
            )
        )  # fmt: skip
    for found in askings.values():
        found.sort(key=lambda one: (one.when, one.id))
    return Collection(name, items, times, askings)


def venue_of(work: Mapping[str, Any]) -> str:
    """Where a work appeared: the journal's name without its numbers, or the venue's code."""
    if journal := work.get("journal_ref"):
        return (
            str(journal)
            .translate(str.maketrans("0123456789", "          "))
            .split()[0]
            .rstrip(".,")
        )
    return str(work["venue"][0]) if work.get("container") else ""


class Past:
    """What each author had written and cited at any time.

    Args:
        works: Works in order of time.
        times: Their times.
        place: Place of each work's id.
    """

    def __init__(
        self,
        works: Sequence[Mapping[str, Any]],
        times: np.ndarray[Any, Any],
        place: Mapping[str, int],
    ) -> None:
        self._times = times
        self._venues = [venue_of(work) for work in works]
        self._cites = [
            [place[cited] for cited in work.get("references", ()) if cited in place]
            for work in works
        ]
        self._by: defaultdict[str, list[int]] = defaultdict(list)
        for number, work in enumerate(works):
            for author in work.get("authors", ()):
                if author.get("id"):
                    self._by[author["id"]].append(number)

    def before(self, user: str, when: float) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Works written before a moment, and works written or cited then, newest meeting first."""
        written = [number for number in self._by[user] if self._times[number] < when][::-1]
        met: dict[int, None] = {}
        for number in written:
            met.setdefault(number)
            for cited in sorted(self._cites[number], reverse=True):
                if self._times[cited] < when:  # a later version may cite what did not exist yet
                    met.setdefault(cited)
        return tuple(written), tuple(met)

    def profile(self, written: Sequence[int]) -> dict[str, str]:
        """How much the user had written, and where most often of late."""
        steps = (5, 10, 20, 40, 80)
        found = {"seniority": str(sum(len(written) >= step for step in steps))}
        venues = Counter(self._venues[number] for number in written[:10] if self._venues[number])
        if venues:
            found["venue"] = venues.most_common(1)[0][0]
        return found


def training_view(
    collection: Collection,
    *,
    history: str = "met",
    profile: bool = False,
    splits: Iterable[str] = ("train",),
) -> tuple[list[Item], list[Interaction], list[User]]:
    """Works, interactions and users of the training time.

    Every asking is a user of its own, with the history of that moment, so that what counts as history is
    this benchmark's choice.

    Args:
        collection: The data.
        history: ``met`` (written or cited before), ``written`` or ``none``.
        profile: Whether users have their profile.
        splits: Whose askings become interactions; works are those of their time.
    """
    askings = [one for split in splits for one in collection.askings[split]]
    items = collection.items[: max(one.limit for one in askings)]
    users = [user_of(one, history=history, profile=profile) for one in askings]
    interactions = [
        Interaction(one.text, place + FIRST_ID, user_id=one.id, kind="cites")
        for one in askings
        for place in sorted(one.relevant)
    ]
    return items, interactions, users


def user_of(one: Asking, *, history: str = "met", profile: bool = False) -> User:
    """The asking's user, as the towers take one."""
    met = {"met": one.history, "written": one.written, "none": ()}[history]
    return User(one.id, dict(one.profile) if profile else {}, tuple(n + FIRST_ID for n in met))


@dataclass(frozen=True, slots=True)
class Strata:
    """Bounds of head and tail, taken from the development split: its lower and upper third.

    Attributes:
        earlier: Works written before, by the user.
        cited: Median number of training queries that led to a query's relevant works.
    """

    earlier: tuple[float, float]
    cited: tuple[float, float]

    @classmethod
    def of(cls, collection: Collection) -> Strata:
        """Bounds from the development split."""
        counts = collection.cited_in_training()
        dev = collection.askings["dev"]
        thirds = (100 / 3, 200 / 3)
        return cls(
            tuple(np.percentile([one.earlier for one in dev], thirds)),
            tuple(np.percentile([rarity(one, counts) for one in dev], thirds)),
        )

    def groups(
        self, askings: Sequence[Asking], counts: Counter[int]
    ) -> dict[str, np.ndarray[Any, Any]]:
        """Which askings belong to each group, as masks."""
        earlier = np.asarray([one.earlier for one in askings])
        cited = np.asarray([rarity(one, counts) for one in askings])
        return {
            "all": np.ones(len(askings), bool),
            "tail users": earlier <= self.earlier[0],
            "head users": earlier >= self.earlier[1],
            "tail queries": cited <= self.cited[0],
            "head queries": cited >= self.cited[1],
            "tail both": (earlier <= self.earlier[0]) & (cited <= self.cited[0]),
        }


def rarity(one: Asking, counts: Mapping[int, int]) -> float:
    """Median number of training queries that led to the asking's relevant works."""
    return float(np.median([counts.get(place, 0) for place in one.relevant]))
