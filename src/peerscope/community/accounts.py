"""Accounts: joining, passwords, roles.

Nobody learns here whether an e-mail address has an account: asking for a link answers the same either way,
and a wrong name takes as long to refuse as a wrong password.
"""

from __future__ import annotations

import re
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from zxcvbn import zxcvbn

from peerscope.community import audit
from peerscope.community.errors import CommunityError, NotAllowedError, NotThereError
from peerscope.community.models import Account
from peerscope.community.proofs import add_proof
from peerscope.community.sessions import close_all
from peerscope.community.tickets import withdraw
from peerscope.community.times import now

ROLES = ("member", "moderator", "admin")
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 256
"""Characters; no rule asks for kinds of characters (OWASP ASVS 5.0, 6.2)."""

LEAST_GUESSES = 10**8
"""zxcvbn's score 3 of 4: more than can be tried against a slow hash by whoever steals the table."""

CONTEXT = ("peerscope", "research", "discovery", "orcid", "password", "moderator", "admin")
"""Words that go with this site, and so are tried first."""

LONGEST_NAME, LONGEST_EMAIL = 100, 254
WRONG = "This address and this password do not belong together."
SUSPENDED = "This account is suspended; the operator of this site can say why."

_hasher = PasswordHasher()
_guessing = (
    threading.Lock()
)  # zxcvbn puts what it is told of the account into a table of its module
_NOBODY = _hasher.hash("the password of nobody")
_EMAIL = re.compile(r"[^\s@<>\"(),:;\\\[\]\x00-\x1f\x7f]+@[^\s@.]+(\.[^\s@.]+)+")


def clean_email(given: str) -> str:
    """An address as it is kept: without blanks around it, case-folded.

    Raises:
        CommunityError: It is none.
    """
    email = given.strip().casefold()
    if len(email) > LONGEST_EMAIL or not _EMAIL.fullmatch(email):
        raise CommunityError("This is not an e-mail address: it should look like name@example.org.")
    return email


def clean_name(given: str) -> str:
    """A name as it is kept: one line.

    Raises:
        CommunityError: It is empty, too long, or holds characters that cannot be seen.
    """
    name = " ".join(given.split())
    if not name or len(name) > LONGEST_NAME:
        raise CommunityError(f"A name has 1 to {LONGEST_NAME} characters.")
    if not name.isprintable():
        raise CommunityError("This name holds characters that cannot be seen; type it again.")
    return name


def checked_password(given: str, *others: str) -> str:
    """A password that may be taken.

    Args:
        given: As typed; blanks count.
        others: What it must not be: the name, the address.

    Raises:
        CommunityError: It is too short, too long, or too easy to guess.
    """
    if not SHORTEST_PASSWORD <= len(given) <= LONGEST_PASSWORD:
        raise CommunityError(
            f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters; a few words do."
        )
    if len(set(given)) < 5 or guesses(given, *others) < LEAST_GUESSES:
        raise CommunityError("This password is too easy to guess; take a few words instead.")
    return given


def guesses(password: str, *others: str) -> int:
    """How many guesses zxcvbn expects somebody to need who knows common passwords, words and habits.

    Args:
        password: As typed; what follows the first 72 characters is not looked at.
        others: What whoever guesses knows of the account: name, address.
    """
    known = {*CONTEXT, *others}
    for one in others:
        parts = re.split(r"[\W_]+", one)
        known |= {*parts, "".join(parts)}
    with _guessing:
        return int(zxcvbn(password[:72], sorted(known - {""}))["guesses"])


def create_account(
    session: Session,
    name: str,
    *,
    email: str | None = None,
    password: str | None = None,
    role: str = "member",
    confirmed: str = "",
) -> int:
    """Make an account; its number.

    Args:
        session: Of the community's database, writing.
        name: Shown to others.
        email: Kept for signing in and mails, not shown.
        password: As typed; ``None`` where they sign in otherwise.
        role: One of `ROLES`.
        confirmed: How it was shown that the address is theirs; empty where it was not.

    Raises:
        CommunityError: Something of it cannot be taken, or the address has an account.
    """
    name, email = clean_name(name), clean_email(email) if email else None
    if email is not None and account_of_email(session, email) is not None:
        raise CommunityError(
            "There is an account with this address: sign in, or set a new password."
        )
    kept = _hasher.hash(checked_password(password, name, email or "")) if password else None
    account = Account(
        name=name, email=email, password=kept, role=role, state="active", created_at=now()
    )
    session.add(account)
    session.flush()
    audit.record(
        session, audit.actor_of(account.id), "account.create", f"account:{account.id}", role=role
    )
    if email is not None and confirmed:
        add_proof(session, account.id, "email", issuer="this site", method=confirmed)
    return account.id


def account_of_email(session: Session, email: str) -> int | None:
    """The account with this address."""
    return session.scalar(select(Account.id).where(Account.email == email))


def sign_in(session: Session, email: str, password: str) -> int:
    """The account with this address and password. Slow on purpose, and as slow without an account.

    Raises:
        CommunityError: They do not belong together, or the account is suspended.
    """
    try:
        address = clean_email(email)
    except CommunityError:
        address = ""
    found = session.scalar(select(Account).where(Account.email == address))
    kept = found.password if found is not None and found.password else _NOBODY
    if not _is_right(kept, password) or found is None or kept is _NOBODY:
        raise CommunityError(WRONG)
    if found.state != "active":
        raise NotAllowedError(SUSPENDED)
    return found.id


def check_password(session: Session, account_id: int, password: str) -> None:
    """Refuse whoever does not know an account's password.

    Raises:
        CommunityError: It is not the account's, or the account has none.
    """
    account = session.get(Account, account_id)
    kept = account.password if account is not None and account.password else _NOBODY
    if not _is_right(kept, password) or kept is _NOBODY:
        raise CommunityError("This is not the password of your account.")


def _is_right(kept: str, password: str) -> bool:
    if len(password) > LONGEST_PASSWORD:
        password = ""  # nobody's, and refused as slowly as the others
    try:
        return _hasher.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False


def set_password(session: Session, account_id: int, password: str, keep: int | None = None) -> None:
    """Set a password and end all sessions but ``keep``.

    Raises:
        CommunityError: The password cannot be taken.
        NotThereError: There is no such account.
    """
    account = session.get(Account, account_id)
    if account is None:
        raise NotThereError("There is no such account any more.")
    account.password = _hasher.hash(checked_password(password, account.name, account.email or ""))
    close_all(session, account_id, keep)
    withdraw(session, account_id, "reset", "email")
    audit.record(session, audit.actor_of(account_id), "password.set", f"account:{account_id}")


def set_role(session: Session, account_id: int, role: str, actor: str) -> None:
    """Make an account a member, moderator or admin.

    Raises:
        CommunityError: There is no such role.
        NotThereError: There is no such account.
        NotAllowedError: The last admin would be gone.
    """
    account = session.get(Account, account_id)
    if role not in ROLES:
        raise CommunityError(f"A role is one of {', '.join(ROLES)}.")
    if account is None:
        raise NotThereError("There is no such account.")
    if account.role == "admin" and role != "admin" and admins(session) < 2:
        raise NotAllowedError("This is the last admin: make another one first.")
    was, account.role = account.role, role
    audit.record(session, actor, "role.change", f"account:{account_id}", was=was, now=role)


def admins(session: Session) -> int:
    """How many admins there are."""
    count = select(func.count()).select_from(Account).where(Account.role == "admin")
    return session.scalar(count.where(Account.state == "active")) or 0


def names_of(session: Session, account_ids: set[int]) -> dict[int, str]:
    """Names of accounts; those that are gone are left out. One statement."""
    rows = session.execute(select(Account.id, Account.name).where(Account.id.in_(account_ids)))
    return {row.id: row.name for row in rows}
