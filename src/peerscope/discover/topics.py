"""Topics for works that no source gives any: groups of near item vectors, named by their own titles.

Spherical k-means (Dhillon and Modha 2001, sections 3 and 4) on unit vectors; a group is named by the
phrase of its titles that is most frequent inside it and rare outside. Seeded: the same catalogue and
vectors give the same topics.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from peerscope.record.suggested import SuggestedTopic
from peerscope.retrieval.kmeans import spherical_kmeans
from peerscope.retrieval.schema import FloatArray

FEWEST_WORKS = 40
"""Below this many works without a topic, groups would say nothing; none are made."""

WORKS_PER_TOPIC = 60
MOST_TOPICS = 150
SMALLEST_GROUP = 5
KEYWORDS = 6

WORD = re.compile(r"[^\W\d_][\w'-]*[^\W_]|[^\W\d_]", re.UNICODE)
EDGES = frozenset(
    """a about above across after against all among an analysis and any approach approaches are as at
    based be been before being between beyond both but by can case data do does doing each effect effective
    effects efficient evaluating evaluation exploring few for from further general has have how if improved
    improving in into investigating is it its large learning like making method methods model modeling
    modelling models more most multi new no not novel of on one or other our out over paper problem process
    proposed results second some study studies such system systems task tasks than that the their them then
    there these they this those through to toward towards two under understanding up use used using very
    via was we well were what when where which while who why will with within without work you your
    proceedings workshop conference international annual meeting volume introduction preface overview
    report shared""".split()  # noqa: SIM905
)
"""Words that neither begin nor end a topic's name."""


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
    phrases = [_phrases(titles[int(place)]) for place in usable]
    everywhere = Counter(phrase for found in phrases for phrase in found)
    spelled = _spellings(titles[int(place)] for place in usable)
    taken: set[str] = set()
    suggested = []
    for group in range(groups):
        members = np.flatnonzero(assigned == group)
        if len(members) < SMALLEST_GROUP:
            continue
        inside = Counter(phrase for member in members for phrase in phrases[member])
        ranked = _distinctive(inside, everywhere, len(members), len(usable))
        name = next((phrase for phrase in ranked if phrase not in taken), None)
        if name is None:
            continue
        taken.add(name)
        works = tuple(
            (int(ids[usable[member]]), round(float(np.clip(cosines[member], 0, 1)), 4))
            for member in members
        )
        keywords = tuple(phrase for phrase in ranked if phrase != name)[:KEYWORDS]
        suggested.append(SuggestedTopic(_titled(name, spelled), keywords, works))
    return suggested


def _spellings(titles: Iterable[str]) -> dict[str, str]:
    """How the titles mostly write each word that they write in capitals within ("WordNet", "LLMs")."""
    seen: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for title in titles:
        if not title.isupper():
            for word in WORD.findall(title):
                seen[word.casefold()][word] += 1
    common = {key: counts.most_common(1)[0][0] for key, counts in seen.items()}
    return {key: word for key, word in common.items() if not word[1:].islower() and len(word) > 1}


def _titled(name: str, spelled: dict[str, str]) -> str:
    words = [spelled.get(word, word) for word in name.split()]
    return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])


def _phrases(title: str) -> set[str]:
    """Runs of one to three words of a title that neither begin nor end with an edge word."""
    words = [word.casefold() for word in WORD.findall(title)[:40]]
    found = set()
    for length in (1, 2, 3):
        for start in range(len(words) - length + 1):
            run = words[start : start + length]
            if run[0] not in EDGES and run[-1] not in EDGES and len(run[0]) > 1:
                found.add(" ".join(run))
    return found


def _distinctive(
    inside: Counter[str], everywhere: Counter[str], members: int, works: int
) -> list[str]:
    """Phrases by (share inside) x log(share inside / share outside), longer ones preferred.

    A phrase that only repeats a better one (a part of it, or it with a word more) is passed over.
    """
    scored = []
    for phrase, number in inside.items():
        if number < max(2, members // 50):
            continue
        outside = (everywhere[phrase] - number + 1) / (works - members + 1)
        lift = math.log((number / members) / outside) if outside > 0 else 0.0
        longer = 1.0 + 0.5 * phrase.count(" ")
        scored.append((-(number / members) * lift * longer, phrase))
    kept: list[str] = []
    for _, phrase in sorted(scored):
        if not any(phrase in other or other in phrase for other in kept):
            kept.append(phrase)
        if len(kept) > KEYWORDS:
            break
    return kept
