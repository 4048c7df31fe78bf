"""The trust snapshot: what is known of a person, in seven dimensions, with every source and every sum.

`evidence` holds what goes in, `formula` adds it up, `explain` says it; `gather` reads the record, `history`
keeps what changed. No number here orders anything.
"""

from peerscope.community.trust.evidence import ClaimFacts, Evidence, Standing
from peerscope.community.trust.explain import as_text, coverage, said
from peerscope.community.trust.formula import FORMULA, snapshot
from peerscope.community.trust.rule import rule_text
from peerscope.community.trust.shapes import Dimension, Snapshot

__all__ = [
    "FORMULA", "ClaimFacts", "Dimension", "Evidence", "Snapshot", "Standing", "as_text", "coverage",
    "rule_text", "said", "snapshot",
]  # fmt: skip
