"""The claims of the seven works that this platform grew from; one module a work."""

from __future__ import annotations

from peerscope.reproduce.claims import Paper
from peerscope.reproduce.papers.dpsr import PAPER as DPSR
from peerscope.reproduce.papers.dual_temperature import PAPER as DUAL_TEMPERATURE
from peerscope.reproduce.papers.group_norm import PAPER as GROUP_NORM
from peerscope.reproduce.papers.masked_autoencoders import PAPER as MASKED_AUTOENCODERS
from peerscope.reproduce.papers.momentum import PAPER as MOMENTUM
from peerscope.reproduce.papers.simsiam import PAPER as SIMSIAM
from peerscope.reproduce.papers.topk_attack import PAPER as TOPK_ATTACK

PAPERS: tuple[Paper, ...] = (
    DPSR,
    DUAL_TEMPERATURE,
    SIMSIAM,
    MOMENTUM,
    TOPK_ATTACK,
    GROUP_NORM,
    MASKED_AUTOENCODERS,
)
