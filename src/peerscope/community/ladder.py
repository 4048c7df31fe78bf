"""What would be the next step up: for each rung above an account's level, the ways that lead there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from peerscope.community.proofs import LEVELS, Shown


@dataclass(frozen=True, slots=True)
class Step:
    """A way to a level: what to do, whether it is at once, and where on this site (empty: nowhere)."""

    rung: int
    says: str
    how: str
    at_once: bool
    address: str


WAYS = (
    (1, "Confirm your e-mail address by a link that is mailed to it.", True, "/me/settings"),
    (2, "Sign in with your ORCID iD.", True, "/me/settings"),
    (3, "Show an address at your institution by a link that is mailed to it.", True, "#domain"),
    (4, "Be vouched for by a verified person who knows you.", False, "#vouch"),
    (5, "Show documents to an admin of this site, who keeps none of them.", False, ""),
)
"""Rung, what to do, whether it takes nobody else's time, and where."""


def next_steps(level: int, proofs: Sequence[Shown]) -> list[Step]:
    """The ways up from a level, the nearest first; those shown already are left out.

    Args:
        level: Of the account, 0 to 5.
        proofs: Those of it that are in force.
    """
    shown = {one.rung for one in proofs}
    return [
        Step(rung, LEVELS[rung], how, at_once, address)
        for rung, how, at_once, address in WAYS
        if rung > level and rung not in shown
    ]
