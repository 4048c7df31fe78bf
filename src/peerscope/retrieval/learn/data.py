"""Training data in the form that a step reads: texts, histories, fields and known answers by their place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from peerscope.retrieval.examples import Judged, Pairs
from peerscope.retrieval.learn.lists import Lists
from peerscope.retrieval.learn.model import Model, Texts, TorchCategories
from peerscope.retrieval.schema import IntArray, Item


class Data:
    """Pairs, judged queries and the catalogue.

    Args:
        model: The model, which decides how texts are read.
        pairs: Training pairs.
        judged: Queries kept aside.
        items: The catalogue.
    """

    def __init__(
        self, model: Model, pairs: Pairs, judged: Sequence[Judged], items: Sequence[Item]
    ) -> None:
        self.texts = model.texts(pairs.texts)
        self.queries = Repeated(model.texts(pairs.queries), pairs.asked)
        self.asked = model.texts([one.query for one in judged])
        self.query, self.text, self.item = pairs.query, pairs.text, pairs.item
        weight = pairs.weight
        self.share: NDArray[np.float64] = weight / weight.sum() if len(weight) else weight
        self.histories = pairs.histories
        place = {item.id: number for number, item in enumerate(items)}
        self.ids = np.asarray([item.id for item in items], dtype=np.int64)
        met = [one.user.history if one.user is not None else () for one in judged]
        self.asked_histories = Lists.of([[place[n] for n in ids if n in place] for ids in met])
        self.profiles = _codes(model.profile.items(), pairs.profiles)
        self.asked_profiles = _codes(
            model.profile.items(),
            [one.user.profile if one.user is not None else {} for one in judged],
        )
        self.fields = {
            name: part.codes([item.fields.get(name, ()) for item in items])
            for name, part in model.fields.items()
            if isinstance(part, TorchCategories)
        }
        self.known = known_answers(pairs, items)
        bare = [n for n, one in enumerate(judged) if one.untitled]
        self.untitled = np.asarray(bare, dtype=np.int64)
        own = [place[next(iter(judged[n].grades))] for n in bare]
        self.untitled_items = np.asarray(own, dtype=np.int64)
        self.untitled_texts = model.texts([items[number].text for number in own])


class Repeated:
    """Texts of askings: few texts, asked many times."""

    def __init__(self, texts: Texts, places: IntArray) -> None:
        self._texts, self._places = texts, places

    def rows(self, places: IntArray) -> Tensor:
        """Vectors of the askings' texts at the places."""
        return self._texts.rows(self._places[places])


def _codes(
    parts: Iterable[tuple[str, object]], rows: Sequence[Mapping[str, str]]
) -> dict[str, Lists]:
    return {
        name: part.codes([(row[name],) if name in row else () for row in rows])
        for name, part in parts
        if isinstance(part, TorchCategories)
    }


def known_answers(pairs: Pairs, items: Sequence[Item]) -> Lists:
    """Items that are no negatives of an asking: those it led to, and one whose title it is."""
    titled = {item.title: number for number, item in enumerate(items)}
    by_text = [titled.get(text, -1) for text in pairs.queries]
    own = np.asarray(by_text, dtype=np.int64)[pairs.asked]
    named = np.flatnonzero(own >= 0)
    askings = np.concatenate([pairs.query, named])
    places = np.concatenate([pairs.item, own[named]])
    size = max(len(items), 1)
    keys = np.unique(askings * size + places)
    ends = np.searchsorted(keys, np.arange(len(pairs.asked) + 1) * size)
    return Lists(keys % size, ends.astype(np.int64))


def meeting(rows: Lists, places: IntArray, columns: IntArray) -> NDArray[np.bool_]:
    """Which columns' items stand in each row's list, shape ``[len(places), len(columns)]``."""
    found = np.zeros((len(places), len(columns)), dtype=bool)
    flat, sizes = rows.take(places)
    row = np.repeat(np.arange(len(places)), sizes)
    order = np.argsort(columns, kind="stable")
    low = np.searchsorted(columns, flat, "left", sorter=order)
    high = np.searchsorted(columns, flat, "right", sorter=order)
    hit = np.flatnonzero(high > low)
    for step in range(int((high - low).max(initial=0))):
        here = hit[low[hit] + step < high[hit]]
        found[row[here], order[low[here] + step]] = True
    return found
