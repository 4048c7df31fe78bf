"""What moderators can look at and hide: a kind of text each, registered by the module that keeps it.

A target is named as ``message:12``. A module that keeps texts says once, with `register`, how one of them
is shown to a moderator and how it is hidden; the queue, the decisions and the commands then know it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from peerscope.community.models import Account
from peerscope.community.sentences import target_of


@dataclass(frozen=True, slots=True)
class Passage:
    """Words of an account as a moderator sees them; ``meant`` is the one that the report is about."""

    author_id: int | None
    text: str
    meant: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """A target as it is now.

    Attributes:
        owner_id: Whose it is; ``None`` where nobody's account is behind it.
        passages: The words, in their order.
        hidden: Whether a moderator hid it.
        involved: Accounts that must not decide about it: the owner, and who was written to.
        private: Whether only the accounts in it can see it otherwise; to look is noted in the audit log.
        address: Where it stands on the site, if it has a page.
    """

    owner_id: int | None
    passages: tuple[Passage, ...]
    hidden: bool = False
    involved: frozenset[int] = frozenset()
    private: bool = False
    address: str = ""


Show = Callable[[Session, int], Seen | None]
Hide = Callable[[Session, int, bool], None]
Remove = Callable[[Session, int | None, int], object]
"""Takes who removes it (``None``: the operator) and the number of what goes."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of target: what it is called, how it is shown, hidden (or shown again) and removed."""

    label: str
    show: Show
    hide: Hide | None = None
    remove: Remove | None = None


KINDS: dict[str, Kind] = {}


def register(
    kind: str, label: str, show: Show, hide: Hide | None = None, remove: Remove | None = None
) -> None:
    """Let moderators see, and hide or remove, a kind of text.

    Args:
        kind: First part of the target, as ``review``.
        label: What one is called, as ``Review``.
        show: One of them by its number; ``None`` where it is gone. At most a few statements.
        hide: Hides one (``True``) or shows it again; ``None`` where it cannot be hidden.
        remove: Removes one for good and tells its author; ``None`` where it cannot be removed.
    """
    KINDS[kind] = Kind(label, show, hide, remove)


def see(session: Session, target: str) -> Seen | None:
    """A target as it is now; ``None`` where it is gone, or no module shows its kind."""
    kind, number = target_of(target)
    if number is None or kind not in KINDS:
        return None
    return KINDS[kind].show(session, number)


def label_of(target: str) -> str:
    """What a target is called."""
    kind, number = target_of(target)
    label = KINDS[kind].label if kind in KINDS else kind.capitalize()
    return label if number is None else f"{label} {number}"


def can_hide(target: str) -> bool:
    """Whether a target is of a kind that can be hidden."""
    kind = target_of(target)[0]
    return kind in KINDS and KINDS[kind].hide is not None


def can_remove(target: str) -> bool:
    """Whether a target is of a kind that can be removed for good."""
    kind = target_of(target)[0]
    return kind in KINDS and KINDS[kind].remove is not None


def _account(session: Session, number: int) -> Seen | None:
    row = session.get(Account, number)
    return Seen(number, (Passage(number, ""),), row.state != "active") if row else None


def _person(session: Session, number: int) -> Seen:
    owner = session.scalar(select(Account.id).where(Account.person_id == number))
    return Seen(owner, (), address=f"/people/A{number}")


def _work(session: Session, number: int) -> Seen:
    return Seen(None, (), address=f"/works/W{number}")


register("account", "Account", _account)
register("person", "Person", _person)
register("work", "Work", _work)
