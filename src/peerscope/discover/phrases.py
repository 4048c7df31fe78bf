"""What a group of titles is about: its phrases that are frequent inside and rare outside."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable

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
    report shared
    au aux avec ce ces cette con da dans das de dei del della der des di die do dos du ein eine el en es
    et für il im la las le les los mit na nel no os par para per por pour que sur um un una und une von
    y zu zur""".split()  # noqa: SIM905
)
"""Words that neither begin nor end a name."""


def spellings(titles: Iterable[str]) -> dict[str, str]:
    """How the titles mostly write each word that they write in capitals within ("WordNet", "LLMs")."""
    seen: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for title in titles:
        if not title.isupper():
            for word in WORD.findall(title):
                seen[word.casefold()][word] += 1
    common = {key: counts.most_common(1)[0][0] for key, counts in seen.items()}
    return {key: word for key, word in common.items() if not word[1:].islower() and len(word) > 1}


def titled(name: str, spelled: dict[str, str]) -> str:
    """A phrase as a heading: its words as they are mostly written, the first with a capital."""
    words = [spelled.get(word, word) for word in name.split()]
    return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])


def phrases_of(title: str) -> set[str]:
    """Runs of one to three words of a title that neither begin nor end with an edge word."""
    words = [word.casefold() for word in WORD.findall(title)[:40]]
    found = set()
    for length in (1, 2, 3):
        for start in range(len(words) - length + 1):
            run = words[start : start + length]
            if run[0] not in EDGES and run[-1] not in EDGES and len(run[0]) > 1:
                found.add(" ".join(run))
    return found


def distinctive(
    inside: Counter[str], everywhere: Counter[str], members: int, works: int
) -> list[str]:
    """Phrases by (share inside) x log(share inside / share outside), longer ones preferred.

    A phrase that only repeats a better one (a part of it, or it with a word more) is passed over.

    Args:
        inside: In how many works of the group each phrase occurs.
        everywhere: In how many works each occurs, those of the group included.
        members: Works of the group.
        works: All works.
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
