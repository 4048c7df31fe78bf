"""How many other people of one name a record is likely to hold, from its own names alone.

Family and given names are taken as independent, as record linkage does since Fellegi and Sunter (1969):
among N people, families(f) x givens(g) / N are expected to be called "g f". Each spelling counts once,
however many works it stands on. Given names keep to their language, so the figure is too low
for names of one language that is a part of the record only; it orders names by how common they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import inf

from sqlalchemy import Connection, select

from peerscope.record.bulk import table_of
from peerscope.record.models import Authorship
from peerscope.record.names import Name

UNSEEN = 10
"""People added to what is seen of a family name and of a given name.

A count under ten says little, and a small record knows no names: with ten added, a record of fewer than
some 2,400 names has none that is rare (11 x 11 / 2,420 = `peerscope.record.evidence.CHANCE`), so a
bibliography of a few hundred works never joins by the name alone.
"""


class NameCounts:
    """Family and given names of a record.

    Args:
        keys: The different name keys ("family, given") of its authorships.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._families: Counter[str] = Counter()
        self._givens: Counter[str] = Counter()
        self.names = 0
        """Names with a written-out given name."""
        for key in keys:
            family, comma, given = key.partition(", ")
            if comma and len(given.partition(" ")[0]) > 1:
                self._families[family] += 1
                self._givens[given.replace(" ", "")] += 1
                self.names += 1

    def namesakes(self, name: Name) -> float:
        """Other people expected under this name; infinite where it is abbreviated or was not split."""
        if not self.names or not name.given or len(name.given[0]) == 1:
            return inf
        family = self._families[name.key.partition(", ")[0]]
        given = self._givens["".join(name.given)]
        return (family + UNSEEN) * (given + UNSEEN) / self.names


class RecordNames:
    """`NameCounts` of a whole record, read when first asked: many resolutions need none."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._counts: NameCounts | None = None
        self._known: dict[Name, float] = {}

    def namesakes(self, name: Name) -> float:
        """As `NameCounts.namesakes`."""
        if name not in self._known:
            if self._counts is None:
                keys = select(table_of(Authorship).c.name_key).distinct()
                self._counts = NameCounts(self._connection.scalars(keys))
            self._known[name] = self._counts.namesakes(name)
        return self._known[name]
