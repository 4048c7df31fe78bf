"""The published family of methods: a learned pairwise score, then average-linkage clustering in each block.

It follows what S2AND (Subramanian et al., JCDL 2021) and its forerunners share, and is nobody's code: blocks
of family name and first initial; features of each pair from names, coauthors, venue, title, year, affiliation
and citations; a logistic regression in the place of S2AND's boosted trees; agglomerative clustering with
average linkage, cut where B-cubed F1 is best. Weights and cut come from the fit blocks. Two places in one
work and two written-out first names that differ are kept apart by distance.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from identity_measure import Floats, Labels, b_cubed
from scipy import optimize, sparse
from scipy.cluster.hierarchy import fcluster, linkage

from peerscope.record.names import Name, compatible, parse_name
from peerscope.record.text import name_key, title_key

FEATURES = (
    "constant", "given names equal", "given names compatible", "initial only", "middle names agree",
    "shared coauthors, log", "shared coauthors by rarity", "one cites the other", "same venue",
    "title words, cosine", "years apart, log", "same affiliation", "other affiliation",
    "family name, log frequency", "given name, log frequency",
)  # fmt: skip
PAIRS_OF_A_GROUP = 300
"""Pairs of one block that teach at most; there are 13 million."""
APART = 1e3
"""Distance of a pair that must not be put together."""
RIDGE = 1e-4
CUTS = tuple(np.round(np.arange(0.05, 1.0, 0.05), 2))


@dataclass(slots=True)
class Papers:
    """What the record holds, read for a method that keeps everything in memory.

    Attributes:
        ids: Numbers of the authorships, in order.
        members: Places of the authorships of each block.
    """

    ids: Labels
    work: Labels
    names: list[Name]
    keys: list[str]
    members: dict[str, list[int]]
    authors: dict[int, list[str]]
    cited: dict[int, set[int]]
    words: dict[int, list[str]]
    venue: dict[int, int | None]
    year: dict[int, int | None]
    affiliation: dict[int, str]
    works_of_name: Counter[str]
    works_of_word: Counter[str]
    families: Counter[str]
    givens: Counter[str]


def read_papers(path: Path) -> Papers:
    """Read a record."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute(
            "SELECT id, work_id, name_key, block_key, raw_affiliation FROM authorship ORDER BY id"
        ).fetchall()
        works = connection.execute(
            "SELECT id, title, venue_id, publication_year FROM work"
        ).fetchall()
        pairs = connection.execute(
            "SELECT citing_id, cited_id FROM citation WHERE cited_id IS NOT NULL"
        ).fetchall()
    members: dict[str, list[int]] = defaultdict(list)
    authors: dict[int, list[str]] = defaultdict(list)
    affiliation = {}
    for place, (_, work, key, block, printed) in enumerate(rows):
        members[block].append(place)
        authors[work].append(key)
        if printed:
            affiliation[place] = name_key(printed)
    cited: dict[int, set[int]] = defaultdict(set)
    for one, other in pairs:
        cited[one].add(other)
    words = {work: sorted(set(title_key(title).split())) for work, title, _, _ in works}
    keys = [row[2] for row in rows]
    names = [parse_name(key) for key in keys]
    different = dict(zip(keys, names, strict=True)).values()
    return Papers(
        np.asarray([row[0] for row in rows]),
        np.asarray([row[1] for row in rows]),
        names,
        keys,
        members,
        authors,
        cited,
        words,
        {work: venue for work, _, venue, _ in works},
        {work: year for work, _, _, year in works},
        affiliation,
        Counter(keys),
        Counter(word for one in words.values() for word in one),
        Counter(name.family for name in different),
        Counter(name.given[0] for name in different if name.given),
    )


def _overlap(rows: list[list[str]], weight: Callable[[str], float], unit: bool) -> Floats:
    """Products of all rows as weighted bags; cosines where ``unit``."""
    number: dict[str, int] = {}
    indices = [number.setdefault(one, len(number)) for row in rows for one in row]
    weights = np.asarray([weight(one) for row in rows for one in row])
    begins = np.cumsum([0, *(len(row) for row in rows)])
    bag = sparse.csr_matrix((weights, indices, begins), shape=(len(rows), max(len(number), 1)))
    product = (bag @ bag.T).toarray()
    if unit:
        length = np.sqrt(np.maximum(product.diagonal(), 1e-12))
        product = product / length[:, None] / length[None, :]
    return product


def _equal(values: list[object]) -> tuple[Floats, Floats]:
    """Whether two values are there and equal, and whether they are there and differ."""
    number: dict[object, int] = {}
    codes = np.asarray([-1 if v is None else number.setdefault(v, len(number)) for v in values])
    there = (codes[:, None] >= 0) & (codes[None, :] >= 0)
    same = codes[:, None] == codes[None, :]
    return (there & same).astype(float), (there & ~same).astype(float)


def features(papers: Papers, places: list[int]) -> tuple[Floats, Floats]:
    """Features of all pairs of some places (pairs x features), and which pairs are impossible."""
    names = [papers.names[p] for p in places]
    works = [int(papers.work[p]) for p in places]
    above = np.triu_indices(len(places), 1)
    total = len(papers.words)

    def rarity(one: str) -> float:
        return float(np.sqrt(np.log(total / papers.works_of_name[one])))

    around = [
        [key for key in papers.authors[work] if key != papers.keys[p]]
        for p, work in zip(places, works, strict=True)
    ]
    shared = _overlap(around, lambda _: 1.0, unit=False)
    rare = _overlap(around, rarity, unit=False)
    titles = [papers.words[work] for work in works]
    cosine = _overlap(titles, lambda w: float(np.log(1 + total / papers.works_of_word[w])), True)
    place_of: dict[int, list[int]] = defaultdict(list)
    for n, work in enumerate(works):
        place_of[work].append(n)
    cites = np.zeros((len(places), len(places)))
    for n, work in enumerate(works):
        for other in papers.cited.get(work, ()):
            for m in place_of.get(other, ()):
                cites[n, m] = cites[m, n] = 1.0
    years = np.asarray([papers.year[work] or np.nan for work in works], dtype=float)
    apart = np.nan_to_num(np.abs(years[:, None] - years[None, :]), nan=5.0)
    venue, _ = _equal([papers.venue[work] for work in works])
    affiliation, elsewhere = _equal([papers.affiliation.get(p) for p in places])
    equal, agree, initial, middle, impossible = _names(names, works)
    family = np.log1p([papers.families[name.family] for name in names])
    given = np.log1p([papers.givens[name.given[0]] if name.given else 0 for name in names])
    columns = [
        np.ones_like(shared), equal, agree, initial, middle, np.log1p(shared), rare, cites, venue, cosine,
        np.log1p(apart), affiliation, elsewhere, np.minimum(family[:, None], family[None, :]),
        np.minimum(given[:, None], given[None, :]),
    ]  # fmt: skip
    return np.stack([column[above] for column in columns], axis=1), impossible[above]


def _names(names: list[Name], works: list[int]) -> tuple[Floats, ...]:
    different = list(dict.fromkeys(names))
    number = {name: n for n, name in enumerate(different)}
    code = np.asarray([number[name] for name in names])
    count = len(different)
    equal, agree, initial, middle, clash = (np.zeros((count, count)) for _ in range(5))
    for n, one in enumerate(different):
        for m, two in enumerate(different):
            equal[n, m] = "".join(one.given) == "".join(two.given)
            agree[n, m] = compatible(one, two)
            initial[n, m] = not (one.has_full_given and two.has_full_given)
            middle[n, m] = agree[n, m] and len(one.given) > 1 and len(two.given) > 1
            first = one.given[:1], two.given[:1]
            written = one.has_full_given and two.has_full_given
            clash[n, m] = written and not agree[n, m] and first[0] != first[1]
    work = np.asarray(works)
    impossible = clash[code[:, None], code[None, :]].astype(bool)
    impossible |= work[:, None] == work[None, :]
    spread = (m[code[:, None], code[None, :]] for m in (equal, agree, initial, middle))
    return (*spread, impossible)


@dataclass(frozen=True, slots=True)
class Linker:
    """A fitted model: weights of `FEATURES` and the distance at which clustering stops."""

    weights: Floats
    cut: float

    def distances(self, papers: Papers, places: list[int]) -> Floats:
        """1 - probability of being one person for all pairs, condensed as SciPy has it."""
        values, impossible = features(papers, places)
        distance = 1 / (1 + np.exp(np.clip(values @ self.weights, -30, 30)))
        distance[impossible.astype(bool)] = APART
        return distance

    def cluster(self, papers: Papers, places: list[int]) -> Labels:
        """A number for each of the places of a block."""
        if len(places) == 1:
            return np.zeros(1, dtype=np.int64)
        tree = linkage(self.distances(papers, places), "average")
        return fcluster(tree, self.cut, "distance").astype(np.int64)


def fit(papers: Papers, gold: Labels, blocks: list[str], tick: Callable[[], None]) -> Linker:
    """Learn weights from pairs of these blocks, then the cut from clustering them."""
    groups = [papers.members[block] for block in blocks]
    weights = fit_weights(papers, gold, groups, tick)
    places = np.concatenate(groups)
    found = cut_at(papers, weights, groups, tick)
    return Linker(weights, max(CUTS, key=lambda cut: b_cubed(gold[places], found[cut]).f1))


def fit_weights(
    papers: Papers, gold: Labels, groups: list[list[int]], tick: Callable[[], None]
) -> Floats:
    """Weights of the features by pairs within groups of places; ``gold`` is by place."""
    draw = np.random.default_rng(0)
    rows, truths, weights = [], [], []
    for places in groups:
        tick()
        if len(places) < 2:
            continue
        one, two = np.triu_indices(len(places), 1)
        values, impossible = features(papers, places)
        chosen = np.flatnonzero(~impossible.astype(bool))
        if len(chosen) > PAIRS_OF_A_GROUP:
            chosen = draw.choice(chosen, PAIRS_OF_A_GROUP, replace=False)
        person = gold[places]
        rows.append(values[chosen])
        truths.append(person[one[chosen]] == person[two[chosen]])
        # A group counts as the authorships that it holds, not as the pairs that were drawn.
        weights.append(np.full(len(chosen), len(places) / max(len(chosen), 1)))
    return logistic(np.concatenate(rows), np.concatenate(truths), np.concatenate(weights))


def logistic(values: Floats, truth: Floats, weights: Floats) -> Floats:
    """Weighted logistic regression with a small ridge, by L-BFGS on scaled features."""
    scale = np.maximum(np.abs(values).max(axis=0), 1e-9)
    scaled, sign = values / scale, np.where(truth, 1.0, -1.0)
    weights = weights / weights.sum()

    def loss(w: Floats) -> tuple[float, Floats]:
        margin = sign * (scaled @ w)
        part = -weights * sign / (1 + np.exp(np.clip(margin, -30, 30)))
        value = float(weights @ np.logaddexp(0, -margin)) + RIDGE * float(w @ w)
        return value, scaled.T @ part + 2 * RIDGE * w

    found = optimize.minimize(loss, np.zeros(values.shape[1]), jac=True, method="L-BFGS-B")
    return found.x / scale


def cut_at(
    papers: Papers, weights: Floats, groups: list[list[int]], tick: Callable[[], None]
) -> dict[float, Labels]:
    """Cluster numbers at each cut, for the places of all groups one after another."""
    parts: dict[float, list[Labels]] = {cut: [] for cut in CUTS}
    begins = dict.fromkeys(CUTS, 0)
    for places in groups:
        tree = None
        if len(places) > 1:
            tree = linkage(Linker(weights, 0).distances(papers, places), "average")
        for cut in CUTS:
            part = np.ones(1, int) if tree is None else fcluster(tree, cut, "distance")
            parts[cut].append(part + begins[cut])
            begins[cut] += int(part.max())
        tick()
    return {cut: np.concatenate(found) for cut, found in parts.items()}


def clustered(
    papers: Papers, linker: Linker, blocks: list[str], tick: Callable[[], None]
) -> Iterator[tuple[list[int], Labels]]:
    """Places and cluster numbers, block by block; numbers are unique among all blocks."""
    begin = 0
    for block in blocks:
        members = papers.members[block]
        found = linker.cluster(papers, members)
        yield members, found + begin
        begin += int(found.max()) + 1
        tick()
