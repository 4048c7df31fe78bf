"""Namesakes that are made: people of rare names get one name, so that the evidence beside it is judged.

The Anthology tells apart a few dozen names only. Here groups of people, each the only bearer of a rare name
with a common family name (so that they share its communities), are taken for bearers of one name that says
nothing. Who is who is known, because the names were rare.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from identity_baseline import CUTS, Papers, cut_at, fit_weights
from identity_data import held_out
from identity_measure import Figures, Labels, b_cubed

from peerscope.record import blocks
from peerscope.record.blocks import Block, Groups
from peerscope.record.evidence import Bearer, Surroundings
from peerscope.record.names import Name
from peerscope.record.rarity import NameCounts

SIZES = (2, 4, 8, 16)
OF_A_SIZE = 100
COMMON_FAMILY = 150
"""Names of the record that a family name stands in at least."""
RARE = 0.1
"""Namesakes expected at most, so that one name is one person as far as one can know."""
SURE = 0.97
"""Precision that the second cut of the learned baseline aims at."""


@dataclass(frozen=True, slots=True)
class Made:
    """People under one name: the places of their authorships, and the gold person of each."""

    size: int
    places: list[int]
    people: Labels


def make(papers: Papers, gold: Labels, *, reported: bool) -> list[Made]:
    """Groups from the held-out blocks or from the others; nobody stands twice in a group or a work."""
    counts = NameCounts(set(papers.keys))
    by_key: dict[str, list[int]] = defaultdict(list)
    for block, places in papers.members.items():
        if held_out(block) == reported:
            for place in places:
                by_key[papers.keys[place]].append(place)
    people = [
        places
        for key, places in sorted(by_key.items())
        if papers.families[papers.names[places[0]].family] >= COMMON_FAMILY
        and counts.namesakes(papers.names[places[0]]) <= RARE
        and len(set(gold[places])) == 1
    ]
    weights = np.sqrt([len(places) for places in people])
    draw = np.random.default_rng(1 if reported else 0)
    groups = []
    for size in SIZES:
        for _ in range(OF_A_SIZE):
            chosen = draw.choice(len(people), size, replace=False, p=weights / weights.sum())
            works: set[int] = set()
            places: list[int] = []
            for person in chosen:
                own = {int(papers.work[p]) for p in people[person]}
                if works.isdisjoint(own):
                    works |= own
                    places += people[person]
            groups.append(Made(size, places, gold[places]))
    return groups


class _Over(dict):  # type: ignore[type-arg]
    """A few values in the place of those of a large mapping."""

    def __init__(self, base: Mapping, values: Mapping) -> None:  # type: ignore[type-arg]
        super().__init__(values)
        self._base = base

    def get(self, key, default=None):  # type: ignore[no-untyped-def]
        return super().get(key) if key in self else self._base.get(key, default)


def surroundings(papers: Papers) -> Surroundings:
    """What the resolver sees around the authorships, from the same reading as the baseline's."""
    return Surroundings(
        works=len(papers.words),
        names=papers.authors,
        frequency=papers.works_of_name,
        cites=papers.cited,  # type: ignore[arg-type]
        affiliations={int(papers.ids[p]): text for p, text in papers.affiliation.items()},
        years={work: year for work, year in papers.year.items() if year},
    )


def block_of(papers: Papers, around: Surroundings, group: Made) -> Block:
    """The block that the group would be, if all bore one name with as many namesakes."""
    name = Name("example", "", ("made",))
    bearers = [
        Bearer(int(papers.ids[p]), int(papers.work[p]), name, name.key, "Made Example")
        for p in group.places
    ]
    own = {int(papers.work[p]): papers.keys[p] for p in group.places}
    names = {w: [name.key if k == key else k for k in around.names[w]] for w, key in own.items()}
    frequency = {name.key: len(bearers)}
    seen = replace(
        around,
        names=_Over(around.names, names),
        frequency=_Over(around.frequency, frequency),
        namesakes=lambda _: group.size - 1.0,
    )
    return Block(bearers, Groups(), seen)


def resolved(papers: Papers, around: Surroundings, groups: Sequence[Made]) -> Labels:
    """The resolver's clusters for the places of all groups; an undecided place is one of its own."""
    found: list[tuple[int, int]] = []
    for number, group in enumerate(groups):
        for place, decision in enumerate(block_of(papers, around, group).resolve()):
            cluster = -1 - place if decision.cluster is None else decision.cluster
            found.append((number, cluster))
    return np.unique(np.asarray(found), axis=0, return_inverse=True)[1].ravel()


def truth(groups: Sequence[Made]) -> Labels:
    """A number for each person of each group."""
    rows = [(n, int(one)) for n, group in enumerate(groups) for one in group.people]
    return np.unique(np.asarray(rows), axis=0, return_inverse=True)[1].ravel()


def sizes(groups: Sequence[Made]) -> Labels:
    """Size of the group of each place."""
    return np.concatenate([np.full(len(group.places), group.size) for group in groups])


def strangers_linked(papers: Papers, around: Surroundings, groups: Sequence[Made]) -> float:
    """Share of the pairs of works by two different people of a group that some rule links."""
    linked, pairs = 0, 0
    for group in groups:
        block = block_of(papers, around, group)
        met: set[tuple[int, int]] = set()
        for rule in blocks.RULES:
            for _, _, places in rule(block.bearers, block.around):
                met |= {
                    (a, b) for n, a in enumerate(sorted(places)) for b in sorted(places)[n + 1 :]
                }
        linked += sum(group.people[a] != group.people[b] for a, b in met)
        own = Counter(group.people.tolist()).values()
        pairs += (len(group.people) ** 2 - sum(n * n for n in own)) // 2
    return linked / pairs


@contextmanager
def one_name(papers: Papers, groups: Sequence[Made]) -> Iterator[None]:
    """Give all places of all groups one name while the learned baseline looks at them."""
    kept = {p: papers.names[p] for group in groups for p in group.places}
    for place in kept:
        papers.names[place] = Name("example", "", ("made",))
    try:
        yield
    finally:
        for place, name in kept.items():
            papers.names[place] = name


def learned(
    papers: Papers,
    gold: Labels,
    taught: Sequence[Made],
    groups: Sequence[Made],
    tick: Callable[[], None],
) -> dict[str, Labels]:
    """The learned baseline, taught by made namesakes of the fit blocks, at two cuts that these chose."""
    with one_name(papers, [*taught, *groups]):
        lists = [group.places for group in taught]
        weights = fit_weights(papers, gold, lists, tick)
        tried = cut_at(papers, weights, lists, tick)
        found = cut_at(papers, weights, [group.places for group in groups], tick)
    reached = {cut: b_cubed(truth(taught), labels) for cut, labels in tried.items()}
    best = max(CUTS, key=lambda cut: reached[cut].f1)
    sure = max([cut for cut in CUTS if reached[cut].precision >= SURE], default=min(CUTS))
    return {
        f"learned, cut {best:g} for F1": found[best],
        f"learned, cut {sure:g} for precision {SURE:g}": found[sure],
    }


def figures(groups: Sequence[Made], found: Labels) -> dict[int, Figures]:
    """B-cubed for each size of a group."""
    gold, size = truth(groups), sizes(groups)
    return {one: b_cubed(gold, found, size == one) for one in SIZES}
