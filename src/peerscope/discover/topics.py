"""Topics for works that no source gives any: groups of near item vectors, named by their own titles.

Spherical k-means (Dhillon and Modha 2001, sections 3 and 4) on unit vectors; a group is named by the
phrase of its titles that is most frequent inside it and rare outside. Seeded: the same catalogue and
vectors give the same topics.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from peerscope.discover.phrases import KEYWORDS, distinctive, phrases_of, spellings, titled
from peerscope.record.suggested import SuggestedTopic
from peerscope.retrieval.kmeans import spherical_kmeans
from peerscope.retrieval.schema import FloatArray

FEWEST_WORKS = 40
"""Below this many works without a topic, groups would say nothing; none are made."""

WORKS_PER_TOPIC = 60
MOST_TOPICS = 150
SMALLEST_GROUP = 5


def suggest_topics(
    ids: Sequence[int], titles: Sequence[str], vectors: FloatArray, seed: int = 0
) -> list[SuggestedTopic]:
    """Group the given works and name the groups; ``[]`` for fewer than `FEWEST_WORKS`.

    Args:
        ids: Work ids.
        titles: Their titles, in the same order.
        vectors: Their item vectors, shape ``[len(ids), d]``, unit length (all-zero rows are left out).
        seed: Seed of the grouping.
    """
    usable = np.flatnonzero(np.linalg.norm(vectors, axis=1) > 0)
    if len(usable) < FEWEST_WORKS:
        return []
    groups = min(MOST_TOPICS, max(2, len(usable) // WORKS_PER_TOPIC))
    assigned, cosines = spherical_kmeans(vectors[usable], groups, seed)
    phrases = [phrases_of(titles[int(place)]) for place in usable]
    everywhere = Counter(phrase for found in phrases for phrase in found)
    spelled = spellings(titles[int(place)] for place in usable)
    taken: set[str] = set()
    suggested = []
    for group in range(groups):
        members = np.flatnonzero(assigned == group)
        if len(members) < SMALLEST_GROUP:
            continue
        inside = Counter(phrase for member in members for phrase in phrases[member])
        ranked = distinctive(inside, everywhere, len(members), len(usable))
        name = next((phrase for phrase in ranked if phrase not in taken), None)
        if name is None:
            continue
        taken.add(name)
        works = tuple(
            (int(ids[usable[member]]), round(float(np.clip(cosines[member], 0, 1)), 4))
            for member in members
        )
        keywords = tuple(phrase for phrase in ranked if phrase != name)[:KEYWORDS]
        suggested.append(SuggestedTopic(titled(name, spelled), keywords, works))
    return suggested
