"""Ways into an account: its password, its accounts elsewhere, its passkeys; and the proofs that follow.

An account elsewhere is known by issuer and subject, never by an e-mail address: an address is no reason to
hand somebody an account that is there already.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from peerscope.community import audit
from peerscope.community.accounts import SUSPENDED, account_of_email, create_account
from peerscope.community.errors import CommunityError, NotAllowedError, NotThereError
from peerscope.community.models import Account, Login, Proof
from peerscope.community.openid import Identity, Provider
from peerscope.community.passkey_models import Passkey
from peerscope.community.proofs import add_proof, revoke_proof
from peerscope.community.times import now, utc

TAKEN = (
    "This account at {} belongs to another account here, so nothing was changed. Sign in with it, or ask "
    "the operator of this site."
)
LAST_WAY = "This is the last way to sign in to your account. Add another one first."


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An account elsewhere by which somebody signs in."""

    id: int
    issuer: str
    subject: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Ways:
    """How somebody may sign in.

    Attributes:
        email: Their address; empty without.
        password: Whether they have one, with the address that it goes with.
        logins: Accounts elsewhere.
        passkeys: How many.
    """

    email: str
    password: bool
    logins: tuple[Elsewhere, ...]
    passkeys: int

    @property
    def count(self) -> int:
        """How many ways there are."""
        return int(self.password) + len(self.logins) + self.passkeys


def ways_of(session: Session, account_id: int) -> Ways:
    """How somebody may sign in. Three statements.

    Raises:
        NotThereError: There is no such account.
    """
    account = session.get(Account, account_id)
    if account is None:
        raise NotThereError("There is no such account any more.")
    rows = session.scalars(select(Login).where(Login.account_id == account_id).order_by(Login.id))
    keys = select(func.count()).where(Passkey.account_id == account_id)
    return Ways(
        account.email or "",
        account.password is not None and account.email is not None,
        tuple(Elsewhere(row.id, row.issuer, row.subject, utc(row.created_at)) for row in rows),
        session.scalar(keys) or 0,
    )


def account_of(session: Session, identity: Identity) -> int | None:
    """The account that somebody known elsewhere signs in to; ``None`` where there is none.

    Raises:
        NotAllowedError: It is suspended.
    """
    found = session.execute(
        select(Account.id, Account.state)
        .join(Login, Login.account_id == Account.id)
        .where(Login.issuer == identity.issuer, Login.subject == identity.subject)
    ).first()
    if found is not None and found.state != "active":
        raise NotAllowedError(SUSPENDED)
    return found.id if found is not None else None


def join_with(
    session: Session, provider: Provider, identity: Identity, name: str, email: str = ""
) -> int:
    """Make an account without a password for somebody known elsewhere; its number.

    Args:
        session: Of the community's database, writing.
        provider: Where they are known.
        identity: As it was checked.
        name: As they want to be called.
        email: Theirs, as the provider confirmed it, if they want it kept.

    Raises:
        CommunityError: The name cannot be taken, the address has an account, or the identity does.
    """
    if email and (email != identity.email or account_of_email(session, email) is not None):
        raise CommunityError(
            "There is an account with this address. Sign in to it, and add this way to sign in there."
        )
    confirmed = f"stated as confirmed by {provider.host}" if email else ""
    number = create_account(session, name, email=email or None, confirmed=confirmed)
    attach(session, number, provider, identity)
    return number


def attach(session: Session, account_id: int, provider: Provider, identity: Identity) -> None:
    """Let an account be signed in to by an account elsewhere, and write down what that shows.

    Raises:
        CommunityError: It belongs to another account here, or the account has another ORCID iD.
    """
    owner = session.scalar(
        select(Login.account_id).where(
            Login.issuer == identity.issuer, Login.subject == identity.subject
        )
    )
    if owner not in (None, account_id) or _orcid_taken(session, account_id, identity.orcid):
        raise CommunityError(TAKEN.format(provider.label))
    other = select(Login.id).where(
        Login.account_id == account_id, Login.issuer == identity.issuer,
        Login.subject != identity.subject,
    )  # fmt: skip
    if session.scalar(other) is not None:
        raise CommunityError(
            f"Your account has another account at {provider.label}. Remove that one first."
        )
    if owner is None:
        session.add(
            Login(
                account_id=account_id, issuer=identity.issuer, subject=identity.subject,
                created_at=now(),
            )
        )  # fmt: skip
        try:
            session.flush()
        except IntegrityError as error:  # somebody else was faster
            raise CommunityError(TAKEN.format(provider.label)) from error
        audit.record(
            session, audit.actor_of(account_id), "login.add", f"account:{account_id}",
            provider=provider.key,
        )  # fmt: skip
    prove(session, account_id, provider, identity)


def prove(session: Session, account_id: int, provider: Provider, identity: Identity) -> None:
    """Write down, or renew, what signing in elsewhere shows of an account."""
    if identity.orcid:
        add_proof(
            session, account_id, "orcid", value=identity.orcid, issuer=provider.host,
            method="signed in at ORCID", evidence_url=f"{provider.issuer}/{identity.orcid}",
        )  # fmt: skip
    if provider.federation:
        add_proof(
            session, account_id, "federation", value=provider.federation, issuer=provider.host,
            method="signed in at the institution's provider",
        )  # fmt: skip


def detach(session: Session, account_id: int, login_id: int) -> None:
    """Take an account elsewhere off, with the proofs that it made.

    Raises:
        NotThereError: The account has no such one.
        CommunityError: It is the last way to sign in.
    """
    login = session.scalar(
        select(Login).where(Login.id == login_id, Login.account_id == account_id)
    )
    if login is None:
        raise NotThereError("Your account has no such way to sign in.")
    check_not_last(session, account_id)
    proofs = select(Proof.id).where(
        Proof.account_id == account_id, Proof.kind.in_(("orcid", "federation")),
        Proof.issuer == urlsplit(login.issuer).netloc, Proof.revoked_at.is_(None),
    )  # fmt: skip
    for number in session.scalars(proofs).all():
        revoke_proof(session, number, audit.actor_of(account_id), "Taken off by its holder.")
    session.delete(login)
    audit.record(session, audit.actor_of(account_id), "login.remove", f"account:{account_id}")


def check_not_last(session: Session, account_id: int) -> None:
    """Refuse to take the last way away.

    Raises:
        CommunityError: There is no other one.
    """
    if ways_of(session, account_id).count < 2:
        raise CommunityError(LAST_WAY)


def _orcid_taken(session: Session, account_id: int, orcid: str) -> bool:
    """Whether another account has a proof of this iD in force, however it came by it."""
    held = select(Proof.id).where(
        Proof.kind == "orcid", Proof.value == orcid, Proof.account_id != account_id,
        Proof.revoked_at.is_(None),
    )  # fmt: skip
    return bool(orcid) and session.scalar(held.limit(1)) is not None
