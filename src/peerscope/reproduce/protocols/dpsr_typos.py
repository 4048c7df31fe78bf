"""Mistyped queries against towers that read whole words, and towers that read letter trigrams too."""

from __future__ import annotations

import numpy as np

from peerscope.reproduce.harness import main
from peerscope.reproduce.papers.dpsr import PAPER
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.common import prepared
from peerscope.reproduce.protocols.dpsr_hepth import hepth
from peerscope.reproduce.protocols.dpsr_ranks import drawn, measured
from peerscope.reproduce.protocols.dpsr_training import Vectors, Words, settings, towers_of

SHORTEST = 5
"""Letters of the words that are mistyped."""

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def mistyped(text: str, share: float, chance: np.random.Generator) -> str:
    """A text in which a share of the longer words have one slip: a letter twice, lost, changed or moved."""
    words = text.split()
    for place, word in enumerate(words):
        if len(word) >= SHORTEST and word.isalpha() and chance.random() < share:
            at = int(chance.integers(1, len(word) - 1))
            before, letter, after = word[:at], word[at], word[at + 1 :]
            slips = (
                before + letter + letter + after,
                before + after,
                before + LETTERS[int(chance.integers(len(LETTERS)))] + after,
                before + after[:1] + letter + after[1:],
            )
            words[place] = slips[int(chance.integers(len(slips)))]
    return " ".join(words)


def run(trial: Trial) -> None:
    """Train both, and ask both the queries as they are and mistyped; BM25 beside them."""
    prepared(trial)
    collection = hepth(trial)
    askings, chosen = collection.asked, collection.chosen()
    pools = drawn(askings, trial.seed)
    chance = np.random.default_rng((trial.seed, 4))
    slipped = [mistyped(one.text, float(trial["share"]), chance) for one in askings]
    changed = np.mean(
        [one.text.split() != text.split() for one, text in zip(askings, slipped, strict=True)]
    )
    trial.log(f"{100 * changed:.0f} % of the queries have a slip, for instance: {slipped[0]}")
    words = Words(collection.items)
    reached = {
        "clean/bm25": measured(words.scorer(), askings, pools, chosen).top10,
        "typo/bm25": measured(
            lambda row, one: words.scores(slipped[row])[: one.limit], askings, pools, chosen
        ).top10,
    }
    for arm in ("words", "trigrams"):
        config = settings(trial, trigrams=arm == "trigrams")
        vectors = Vectors(towers_of(trial, arm, collection, config), collection)
        for name, texts in (("clean", None), ("typo", slipped)):
            scorer = vectors.scorer(askings, texts)
            reached[f"{name}/{arm}"] = measured(scorer, askings, pools, chosen).top10
    for name, values in reached.items():
        trial.figure(f"top10/{name}", values)
        trial.log(f"{name}: Top-10 {np.mean(values):.3f}")
    for arm in ("bm25", "words", "trigrams"):
        clean, typo = (np.mean(reached[f"{name}/{arm}"]) for name in ("clean", "typo"))
        trial.figure(f"kept/{arm}", typo / clean if clean else 0.0)


if __name__ == "__main__":
    main(PAPER, "dpsr_typos")
