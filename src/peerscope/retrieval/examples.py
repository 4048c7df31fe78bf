"""What training and judging look at: pairs of a query and an item, and queries kept aside.

Two kinds of pair come from the items alone (title -> own text, a span of the text -> the rest); the
others are interactions. Which queries are kept aside is decided by a hash of the query, so that it never
depends on the order of a file or on the rest of the catalogue.
"""

from __future__ import annotations

import math
import random
import re
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from peerscope.retrieval.histories import Histories, Met
from peerscope.retrieval.schema import MOST_HISTORY, IntArray, Interaction, Item, User

ASIDE = 10
"""One query in so many is kept aside."""

SHORTEST_TEXT = 120
"""Characters a text needs so that a span taken out of it leaves something to find."""

SPAN_WORDS = (6, 14)
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


def kept_aside(key: str) -> bool:
    """Whether the query with this key is kept from training."""
    return _number(key) % ASIDE == 0


def _number(key: str) -> int:
    """A hash from 0 to 2^32 - 1."""
    return int.from_bytes(blake2b(key.encode("utf-8", "replace"), digest_size=4).digest())


@dataclass(frozen=True, slots=True)
class Pairs:
    """Training pairs: texts of queries, texts of items, and which belong together.

    An asking is a query by one user at one time.

    Attributes:
        texts: Distinct item texts; the first ones are the catalogue's, in its order.
        queries: Distinct texts of queries.
        asked: Place of each asking's text among ``queries``.
        histories: What each asking's user had met then.
        profiles: The profile of each asking's user.
        query: Place of each pair's asking.
        text: Place of each pair's text among ``texts``.
        item: Place of each pair's item in the catalogue.
        weight: Relative frequency of sampling.
    """

    texts: list[str]
    queries: list[str]
    asked: IntArray
    histories: Met
    profiles: list[Mapping[str, str]]
    query: IntArray
    text: IntArray
    item: IntArray
    weight: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.query)


@dataclass(frozen=True, slots=True)
class Judged:
    """A query kept aside.

    Attributes:
        query: Its text.
        grades: Grade of each relevant item by id.
        untitled: Whether its item is to be found without its title (the query is the title).
        asker: The item whose title the query is, where it asks for others; it is no answer.
        user: Who asks, with the history of that time.
    """

    query: str
    grades: dict[int, float]
    untitled: bool = False
    asker: int | None = None
    user: User | None = None


def training_pairs(
    items: Sequence[Item],
    item_texts: Sequence[str],
    interactions: Iterable[Interaction],
    seed: int = 0,
    *,
    histories: Histories | None = None,
    most_own: int | None = None,
) -> Pairs:
    """All pairs that are not kept aside.

    Args:
        items: The catalogue.
        item_texts: What the item tower reads of each.
        interactions: Given pairs; those that point to no item, or have no query, are passed over.
        seed: Seed of the spans.
        histories: What users had met, over the same catalogue; without them nobody has a history.
        most_own: About how many items give pairs of their own text; ``None`` for all. A hash of the item
            decides, so that items which arrive later leave the choice among the others nearly as it was.
            Their pairs stand for those of the items left out: they are drawn as often as all would be.
    """
    place = {item.id: number for number, item in enumerate(items)}
    texts = list(item_texts)
    found = _Filling()
    share = 1.0 if most_own is None else min(1.0, most_own / max(len(items), 1))
    weight = 0.5 / max(share, 1e-9)
    for number, item in enumerate(items):
        if len(item.text) < SHORTEST_TEXT or kept_aside(f"item:{item.id}"):
            continue
        if _number(f"own:{item.id}") >= share * 2**32:
            continue
        texts.append(item.text)
        found.add(item.title, None, None, len(texts) - 1, number, weight)
        # Each item has draws of its own: one that arrives later changes no other span, and what a sentence
        # encoder read of them stays valid.
        cut = _cut(item.text, random.Random(f"{seed}:{item.id}"))  # noqa: S311 - no secret
        if cut is not None:
            span, rest = cut
            texts.append(f"{item.title}\n{rest}")
            found.add(span, None, None, len(texts) - 1, number, weight)
    aside: dict[str, bool] = {}
    for given in interactions:
        number = place.get(given.item_id, -1)
        if number < 0 or not given.query:
            continue
        if given.query not in aside:
            aside[given.query] = kept_aside(given.query)
        if not aside[given.query]:
            found.add(given.query, given.user_id, given.time, number, number, given.weight)
    return found.pairs(texts, histories or Histories((), (), place))


class _Filling:
    """Pairs while they grow: columns of numbers, each text and each user once."""

    def __init__(self) -> None:
        self._queries: dict[str, int] = {}
        self._users: dict[str | None, int] = {}
        self._places = tuple(array("q") for _ in range(4))
        self._time, self._weight = array("d"), array("d")

    def add(
        self,
        query: str,
        user: str | None,
        time: float | None,
        text: int,
        item: int,
        weight: float,
    ) -> None:
        """One more pair."""
        row = (
            self._queries.setdefault(query, len(self._queries)),
            self._users.setdefault(user, len(self._users)),
            text,
            item,
        )
        for column, value in zip(self._places, row, strict=True):
            column.append(value)
        self._time.append(math.nan if time is None else time)
        self._weight.append(weight)

    def pairs(self, texts: list[str], histories: Histories) -> Pairs:
        """The pairs, with their askings in the order in which they came."""
        query, user, text, item = (np.asarray(column, dtype=np.int64) for column in self._places)
        time = np.asarray(self._time, dtype=np.float64)
        moment = np.where(np.isnan(time), -np.inf, time)
        order = np.lexsort((moment, user, query))
        parts = (query[order], user[order], moment[order])
        fresh = np.ones(len(order), dtype=bool)
        fresh[1:] = np.any([part[1:] != part[:-1] for part in parts], axis=0)
        firsts = order[fresh]
        rank = np.empty(len(firsts), np.int64)
        rank[np.argsort(firsts)] = np.arange(len(firsts))
        asking = np.empty(len(order), np.int64)
        asking[order] = rank[np.cumsum(fresh) - 1]
        firsts = np.sort(firsts)
        names = list(self._users)
        users = [names[code] for code in user[firsts]]
        return Pairs(
            texts,
            list(self._queries),
            query[firsts],
            histories.asked(users, time[firsts].tolist()),
            [histories.profile(name) for name in users],
            asking,
            text,
            item,
            np.asarray(self._weight, dtype=np.float64),
        )


def _cut(text: str, generator: random.Random) -> tuple[str, str] | None:
    """A run of words out of one sentence, and the text without that sentence."""
    sentences = _SENTENCE.split(text)
    if len(sentences) < 2:
        return None
    chosen = generator.randrange(len(sentences))
    words = sentences[chosen].split()
    if len(words) < SPAN_WORDS[0]:
        return None
    length = generator.randint(SPAN_WORDS[0], min(SPAN_WORDS[1], len(words)))
    start = generator.randint(0, len(words) - length)
    rest = " ".join(sentences[:chosen] + sentences[chosen + 1 :])
    return " ".join(words[start : start + length]), rest


def judged_queries(
    items: Sequence[Item],
    interactions: Iterable[Interaction],
    most: int,
    histories: Histories | None = None,
    *,
    titles: bool = True,
) -> list[Judged]:
    """Queries kept aside, at most ``most``, half of each kind where there are both.

    Interactions of one asking are judged together (every item that it led to is relevant); weak kinds
    (``same_person``, ``same_venue``) do not judge. A title judges against its item without title only, so
    that ``titles`` must be off where an item tower reads nothing else.
    """
    led: dict[tuple[str, str | None, float | None], dict[int, float]] = {}
    present = {item.id: item.title for item in items}
    askers = {title: number for number, title in present.items()}
    for given in interactions:
        weak = given.kind in ("same_person", "same_venue")
        if weak or not given.query or given.item_id not in present:
            continue
        if kept_aside(given.query):
            led.setdefault((given.query, given.user_id, given.time), {})[given.item_id] = 1.0
    ordered = sorted(led.items(), key=lambda one: (one[0][0], one[0][1] or "", one[0][2] or 0.0))
    links = [
        Judged(query, grades, asker=askers.get(query), user=_user(histories, user_id, time))
        for (query, user_id, time), grades in ordered
    ]
    own = [
        Judged(item.title, {item.id: 1.0}, untitled=True)
        for item in items
        if titles and len(item.text) >= SHORTEST_TEXT and kept_aside(f"item:{item.id}")
    ]
    half = most // 2
    links = _spread(links, max(half, most - len(own)))
    return links + _spread(own, most - len(links))


def _user(histories: Histories | None, user_id: str | None, time: float | None) -> User | None:
    if histories is None or user_id is None:
        return None
    return User(user_id, histories.profile(user_id), histories.of(user_id, time, MOST_HISTORY))


def _spread(found: list[Judged], most: int) -> list[Judged]:
    """At most ``most`` of them, evenly spaced in an order that a hash of the query decides."""
    ordered = sorted(found, key=lambda one: blake2b(one.query.encode("utf-8", "replace")).digest())
    return ordered[: max(most, 0)]
