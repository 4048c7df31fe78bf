"""Groups of works that lie together on the map and are alike in meaning, one inside another.

Small groups are made of the places (k-means in the plane). They are then joined two by two where they touch
on the map, those first whose joining adds least to the spread (Ward 1963, with neighbours only) of vectors
and places, which weigh alike: by vectors alone one region takes half of a large map. The joins are a tree;
each level of regions is a cut through it, so that regions nest by themselves.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.spatial import Delaunay, QhullError, cKDTree

from peerscope.retrieval.planar import Places
from peerscope.retrieval.schema import FloatArray, IntArray

FEWEST = 24
"""Works below which a map has no regions."""

FEWEST_TOP, MOST_TOP = 8, 12
"""Regions of the first level; how many of these is decided by where joining costs most."""

MOST_SMALL = 500
SAMPLE = 20_000
"""Places from which the small groups are made; the others go to the nearest."""

Join = tuple[int, int, float]


def nested_groups(places: Places, vectors: FloatArray, seed: int = 0) -> list[IntArray]:
    """The group of each work at each level, the largest groups first; ``[]`` for fewer than `FEWEST`.

    Args:
        places: Shape ``[n, 2]``.
        vectors: Shape ``[n, d]``.
        seed: Of the small groups.

    Returns:
        One array of group numbers, shape ``[n]``, for each of at most three levels.
    """
    if len(places) < FEWEST:
        return []
    small = _small_groups(places, seed)
    number = int(small.max()) + 1
    sizes = np.bincount(small, minlength=number)
    centres = _means(places, small, sizes)
    features = np.concatenate(
        [_spread_alike(centres), _spread_alike(_means(vectors, small, sizes))], axis=1
    )
    joins = joined_neighbours(sizes, features, _touching(centres))
    top = _cut_at(joins, number)
    middle = round(math.sqrt(top * number))
    cuts = [top, *([middle] if 2 * top <= middle <= number // 2 else []), number]
    return [_cut(joins, number, cut)[small] for cut in dict.fromkeys(cuts)]


def _small_groups(places: Places, seed: int) -> IntArray:
    wanted = min(MOST_SMALL, round(1.3 * math.sqrt(len(places))))
    generator = np.random.default_rng(seed)
    sample = places
    if len(places) > SAMPLE:
        sample = places[np.sort(generator.choice(len(places), SAMPLE, replace=False))]
    distinct = np.unique(sample, axis=0)
    wanted = min(wanted, len(distinct))
    centres, _ = kmeans2(sample, wanted, iter=20, minit="++", seed=generator, missing="warn")
    _, nearest = cKDTree(centres).query(places)
    return np.unique(nearest, return_inverse=True)[1].astype(np.int64)


def _spread_alike(means: Places) -> Places:
    """Means around 0, scaled so that their squares add up to one: what is put beside weighs alike."""
    centred = means - means.mean(axis=0)
    found: Places = centred / (float(np.linalg.norm(centred)) or 1.0)
    return found


def _means(values: NDArray[Any], groups: IntArray, sizes: IntArray) -> Places:
    found = np.zeros((len(sizes), values.shape[1]))
    np.add.at(found, groups, values)
    means: Places = found / sizes[:, None]
    return means


def _touching(centres: Places) -> set[tuple[int, int]]:
    """Pairs of groups that touch: the edges of Delaunay's triangles; all pairs where there are none."""
    number = len(centres)
    try:
        triangles = Delaunay(centres).simplices if number > 3 else None
    except QhullError:
        triangles = None
    if triangles is None:
        return {(a, b) for a in range(number) for b in range(a + 1, number)}
    edges = np.sort(
        np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [0, 2]]])
    )
    found = {(int(a), int(b)) for a, b in edges}
    lonely = set(range(number)) - {end for edge in found for end in edge}
    return found | {(min(a, b), max(a, b)) for a in lonely for b in range(number) if a != b}


def joined_neighbours(sizes: IntArray, means: Places, touching: set[tuple[int, int]]) -> list[Join]:
    """Joins in order until one group is left: two groups, and what joining them adds to the spread.

    Groups are numbered from 0; each join makes the next number.

    Args:
        sizes: Members of each group, shape ``[m]``.
        means: Mean vector of each group, shape ``[m, d]``.
        touching: Pairs that may be joined; they connect all groups.
    """
    size = [float(one) for one in sizes]
    mean = [np.asarray(one, np.float64) for one in means]
    beside: defaultdict[int, set[int]] = defaultdict(set)
    for a, b in touching:
        beside[a].add(b)
        beside[b].add(a)

    def cost(a: int, b: int) -> float:
        gap = mean[a] - mean[b]
        return size[a] * size[b] / (size[a] + size[b]) * float(gap @ gap)

    waiting = [(cost(a, b), a, b) for a, b in touching]
    heapq.heapify(waiting)
    gone: set[int] = set()
    joins: list[Join] = []
    while waiting:
        price, a, b = heapq.heappop(waiting)
        if a in gone or b in gone:
            continue
        made = len(size)
        gone |= {a, b}
        size.append(size[a] + size[b])
        mean.append((size[a] * mean[a] + size[b] * mean[b]) / size[made])
        joins.append((a, b, price))
        beside[made] = (beside[a] | beside[b]) - gone
        for other in sorted(beside[made]):
            beside[other].add(made)
            heapq.heappush(waiting, (cost(other, made), other, made))
    return joins


def _cut_at(joins: list[Join], number: int) -> int:
    """How many groups the first level has: where the next join costs most against the one before."""
    if number <= MOST_TOP + 1:
        return min(number, FEWEST_TOP)
    price = {number - done: join[2] for done, join in enumerate(joins)}  # groups before the join

    def dearer(groups: int) -> float:
        return price[groups] / max(price[groups + 1], 1e-12)

    return max(range(FEWEST_TOP, MOST_TOP + 1), key=lambda groups: (dearer(groups), -groups))


def _cut(joins: list[Join], number: int, groups: int) -> IntArray:
    """The group of each small group when ``groups`` are left, shape ``[number]``."""
    members = {one: [one] for one in range(number)}
    for made, (a, b, _) in enumerate(joins[: number - groups], start=number):
        members[made] = members.pop(a) + members.pop(b)
    found = np.zeros(number, np.int64)
    for place, held in enumerate(members.values()):
        found[held] = place
    return found
