"""The protocols of DPSR's claims: what is run, on which data, and what it measures."""

from __future__ import annotations

from peerscope.reproduce.protocol import Profile, Protocol, Setting

YEARS: dict[str, Setting] = {
    "until": 1998, "taught": 1997, "queries": 800, "passes": 4, "pairs": 50_000,
}  # fmt: skip
FEW: dict[str, Setting] = {
    "until": 1993, "taught": 1992, "queries": 12, "passes": 1, "pairs": 128,
}  # fmt: skip
RANKS = {
    "top1/*": "whether the drawn relevant work stands first among 1,024, one value a query",
    "top10/*": "whether it stands among the first ten of 1,024, likewise",
    "new/*": "whether a relevant work that the user had not met stands among the first ten of 1,024 unmet "
    "ones",
    "auc/*": "area under the curve of relevant against drawn irrelevant works, all unmet, one value a "
    "query",
    "popularity/*": "mean of log(1 + training queries that led to it) over the first ten works",
    "familiar/*": "share of the first ten works that the user had met",
    "drop/*": "Top-1 at one share of random negatives less Top-1 at a larger one",
}
HEPTH = ("arXiv hep-th with its citations",)

TOWERS = Protocol(
    name="dpsr_towers",
    version=1,
    entry="peerscope.reproduce.protocols.dpsr_towers:run",
    summary="DPSR as printed (learned table of terms, hinge of 0.1, AdaGrad, batches of 64), trained on "
    "titles of hep-th works and the works that they cite: without users, with profiles, with histories, "
    "with unclicked items as the only negatives, and at four shares of random negatives; BM25 over the "
    "same titles.",
    figures=RANKS,
    profiles={
        "cpu": Profile(YEARS, seconds=1200),
        "tiny": Profile(FEW, seeds=1, seconds=60),
    },
    data=HEPTH,
)  # fmt: skip

HEADS = Protocol(
    name="dpsr_heads",
    version=1,
    entry="peerscope.reproduce.protocols.dpsr_heads:run",
    summary="DPSR as printed with one head, trained twice, and with two, on hep-th; ranks, and how much "
    "of their lists of a hundred works two heads, or two trainings, share. The soft dot product at both "
    "ends of its temperature, in float64.",
    figures={
        "top10/*": RANKS["top10/*"],
        "rare/*": "the same for the half of the queries whose relevant works fewest training queries led "
        "to",
        "shared/*": "share of a list of 100 works that the other list has too, one value a query",
        "use/*": "share of relevant works that the head used less is nearer to",
        "error/*": "largest distance of the soft dot product from its limit",
    },
    profiles={"cpu": Profile(YEARS), "tiny": Profile(FEW, seeds=1, seconds=60)},
    data=HEPTH,
)

TYPOS = Protocol(
    name="dpsr_typos",
    version=1,
    entry="peerscope.reproduce.protocols.dpsr_typos:run",
    summary="DPSR as printed with and without letter trigrams, on hep-th; queries as they are, and with "
    "one slip in half of their longer words (a letter twice, lost, changed or moved). BM25 beside them.",
    figures={
        "top10/*": RANKS["top10/*"],
        "kept/*": "Top-10 of mistyped queries over that of clean ones",
    },
    profiles={
        "cpu": Profile(YEARS | {"share": 0.5}),
        "tiny": Profile(FEW | {"share": 0.5}, seeds=1, seconds=60),
    },
    data=HEPTH,
)

LABELS = Protocol(
    name="dpsr_labels",
    version=2,
    entry="peerscope.reproduce.protocols.dpsr_labels:run",
    summary="DPSR as printed without users, taught by the labels E of one half of the queries of Amazon "
    "ESCI (150 queries, 6,764 products) and judged on all labels of the other half, both ways; BM25 over "
    "the same titles.",
    figures={
        "auc/*": "area under the curve over all labelled pairs, E and S against I",
        "bad/*": "share of I among the first ten labelled products, one value a query",
        "fair/*": "share of S and C, likewise",
        "perfect/*": "share of E, likewise",
    },
    profiles={
        "cpu": Profile({"products": 10_000, "passes": 8, "pairs": 20_000}),
        "tiny": Profile({"products": 600, "passes": 1, "pairs": 64}, seeds=1, seconds=60),
    },
    data=("Amazon ESCI",),
)

INPUT = Protocol(
    name="dpsr_input",
    version=1,
    entry="peerscope.reproduce.protocols.dpsr_input:run",
    summary="The clicks of a drawn half of hep-th's users as JSON lines: items, users, events and clicks "
    "once each, or every click with the features of its user and item, and what the user had met by id "
    "(rows) or with its features (whole_rows). Bytes are counted.",
    figures={
        "bytes/*": "bytes of the training data",
        "packed/*": "the same, packed by zlib at its fastest",
    },
    profiles={
        "cpu": Profile({"until": 2000, "taught": 1999, "queries": 1}),
        "tiny": Profile({"until": 1993, "taught": 1992, "queries": 1}, seeds=1, seconds=60),
    },
    data=HEPTH,
)

SERVING = Protocol(
    name="dpsr_serving",
    version=1,
    entry="peerscope.reproduce.protocols.dpsr_serving:run",
    summary="Titles of hep-th works by latent semantic analysis at 64 dimensions, and disturbed copies of "
    "them, in the index that search uses; later titles as queries, from text to the thousand nearest "
    "items in one process, beside a comparison with every vector.",
    figures={
        "milliseconds/*": "processor time from text to a thousand items, one value a query",
        "touched": "codes and vectors read, as a share of all items, likewise",
        "recall": "share of the thousand nearest that are found, likewise",
    },
    profiles={
        "cpu": Profile({"until": 2003, "taught": 2002, "queries": 300, "copies": 4}),
        "tiny": Profile(
            {"until": 1993, "taught": 1992, "queries": 5, "copies": 1}, seeds=1, seconds=60
        ),
    },
    data=HEPTH,
)
