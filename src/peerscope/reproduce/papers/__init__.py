"""The claims of the seven works that this platform grew from; one module a work."""

from __future__ import annotations

from peerscope.reproduce.claims import Paper
from peerscope.reproduce.papers.dual_temperature import PAPER as DUAL_TEMPERATURE
from peerscope.reproduce.papers.group_norm import PAPER as GROUP_NORM
from peerscope.reproduce.papers.topk_attack import PAPER as TOPK_ATTACK

PAPERS: tuple[Paper, ...] = (
    DUAL_TEMPERATURE,
    GROUP_NORM,
    TOPK_ATTACK,
)
