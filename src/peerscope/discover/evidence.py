"""What readers did, as training data, and the rule by which it takes over from the record's own pairs.

On a new site the record is the only teacher: nobody has searched yet. What readers opened and saved after a
search says more about searching than any citation does, but a handful of openings says little about a whole
collection. So they count by weight of evidence (`reader_share`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from peerscope.discover.readers import Readers
from peerscope.retrieval import Interaction, Item
from peerscope.retrieval.examples import SHORTEST_TEXT

WEIGHTS = {"opened": 1.0, "saved": 3.0}
"""Opening a result says that its title looked right, saving it that the work was; a save follows an opening
of the same work as a rule, so that together it counts four times."""

MOST_OF_ONE = 200.0
"""Weight of one reader at most: the habits of one, or of a program, are not those of all readers."""

FEWEST_EVEN = 2000.0
"""Readers' evidence that weighs as much as the record at least, however small the collection is."""


def user_name(reader_id: int) -> str:
    """How training calls a reader."""
    return f"r{reader_id}"


def reader_interactions(readers: Readers) -> list[Interaction]:
    """The log of everyone whose history is on, with the weights of `WEIGHTS` bounded by `MOST_OF_ONE`.

    A save to which no search led has an empty query: it is history and teaches no query.
    """
    by_reader: defaultdict[int, list[Interaction]] = defaultdict(list)
    for reader_id, entry in readers.of_everyone():
        by_reader[reader_id].append(
            Interaction(
                entry.query, entry.work_id, user_name(reader_id), entry.kind,
                WEIGHTS[entry.kind], entry.at,
            )
        )  # fmt: skip
    return [event for events in by_reader.values() for event in _bounded(events)]


def _bounded(events: list[Interaction]) -> list[Interaction]:
    total = sum(event.weight for event in events if event.query)
    if total <= MOST_OF_ONE:
        return events
    return [replace(event, weight=event.weight * MOST_OF_ONE / total) for event in events]


def even_at(items: int) -> float:
    """The readers' evidence that weighs as much as the record: one opening for each item.

    Where every work was opened once on average, readers have said about as much of the collection as its
    own titles, texts and citations do; below `FEWEST_EVEN` that average says too little.
    """
    return max(FEWEST_EVEN, float(items))


def reader_share(evidence: float, even: float) -> float:
    """Share of the readers' pairs in training: ``n / (n + n0)``.

    The form of a mean with a prior: ``n0`` is how much evidence the record's pairs are worth. It is 0
    without readers, a half at ``n0``, and never reaches 1.

    Args:
        evidence: Weight ``n`` of what readers did, 0 or more.
        even: ``n0``, above 0 (`even_at`).
    """
    return evidence / (evidence + even)


@dataclass(frozen=True, slots=True)
class Mixture:
    """What training learns from.

    Attributes:
        pairs: The record's pairs, then the readers'.
        events: How many are the readers'.
        evidence: What these weigh by themselves.
        share: Their share in training; 1 where the record gives no pair at all.
    """

    pairs: list[Interaction]
    events: int = 0
    evidence: float = 0.0
    share: float = 0.0

    def asked(self) -> frozenset[str]:
        """The queries of readers."""
        return frozenset(pair.query for pair in self.pairs[len(self.pairs) - self.events :])

    def figures(self) -> dict[str, float]:
        """For the report of a training."""
        return {"events": self.events, "evidence": self.evidence, "share": self.share}

    def sentence(self) -> str:
        """For the operator; empty where no reader takes part."""
        if not self.events:
            return ""
        return f" {self.events:,} openings and saves of readers weighed {self.share:.1%} of it."


def mixed(
    items: Sequence[Item], self_made: Sequence[Interaction], events: Iterable[Interaction]
) -> Mixture:
    """The record's pairs and the readers', weighted so that the readers' have their `reader_share`.

    Only the readers' weights change, all by one factor; events that point to no item are left out.

    Args:
        items: The catalogue.
        self_made: The record's pairs; with what training takes from the items' texts they are the rest.
        events: As `reader_interactions` gives them.
    """
    present = {item.id for item in items}
    found = [event for event in events if event.item_id in present]
    # Training adds two pairs of weight 1/2 for each item with a text (`retrieval.examples`).
    texts = sum(len(item.text) >= SHORTEST_TEXT for item in items)
    pairs = (pair.weight for pair in self_made if pair.query and pair.item_id in present)
    record = texts + sum(pairs)
    evidence = sum(event.weight for event in found if event.query)
    if not record or not evidence:
        return Mixture([*self_made, *found], len(found), evidence, float(bool(evidence)))
    share = reader_share(evidence, even_at(len(items)))
    factor = record * share / (1 - share) / evidence
    scaled = [replace(event, weight=event.weight * factor) for event in found]
    return Mixture([*self_made, *scaled], len(found), evidence, share)
