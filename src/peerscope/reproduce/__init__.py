"""Claims that can be run: what a work says, what was measured, and the verdict between them.

``work -> claims -> protocol -> attempts -> verdict``. `claims`, `protocol`, `verdict` and `attempts` need
NumPy only, so that a protocol runs on a bare GPU machine; `protocols` hold the code that is run, in a process
of its own, and import `peerscope.methods` and `peerscope.retrieval` but never the record. Nothing here knows
pages or accounts.
"""

from peerscope.reproduce.attempts import Attempt, DamagedAttempt, read_attempt, seal
from peerscope.reproduce.claims import Check, Claim, Paper
from peerscope.reproduce.protocol import Profile, Protocol, Trial
from peerscope.reproduce.registry import Registry, load_registry
from peerscope.reproduce.verdict import RULE, Verdict, judge

__all__ = [
    "RULE", "Attempt", "Check", "Claim", "DamagedAttempt", "Paper", "Profile", "Protocol", "Registry",
    "Trial", "Verdict", "judge", "load_registry", "read_attempt", "seal",
]  # fmt: skip
