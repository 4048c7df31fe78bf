"""The claims of the seven works that this platform grew from; one module a work."""

from __future__ import annotations

from peerscope.reproduce.claims import Paper
from peerscope.reproduce.papers.dual_temperature import PAPER as DUAL_TEMPERATURE
from peerscope.reproduce.papers.simsiam import PAPER as SIMSIAM

PAPERS: tuple[Paper, ...] = (
    DUAL_TEMPERATURE,
    SIMSIAM,
)
