"""What people change about their own account, and what an operator changes about anybody's."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from peerscope.community import audit, tickets
from peerscope.community.accounts import account_of_email, admins, clean_email, clean_name
from peerscope.community.errors import CommunityError, NotAllowedError, NotThereError
from peerscope.community.logins import check_not_last, ways_of
from peerscope.community.models import Account
from peerscope.community.passkeys import passkeys_of
from peerscope.community.proofs import add_proof, proofs_of
from peerscope.community.sessions import close_all, sessions_of
from peerscope.community.times import utc

GONE = "There is no such account any more."


def change_name(session: Session, account_id: int, name: str) -> None:
    """Call an account something else.

    Raises:
        CommunityError: The name cannot be taken.
        NotThereError: There is no such account.
    """
    _account(session, account_id).name = clean_name(name)


def ask_for_email(session: Session, account_id: int, email: str) -> str | None:
    """Begin to change an address: the secret of the link that confirms it.

    ``None`` where another account has the address, which whoever asks is not told; its owner is.

    Raises:
        CommunityError: It is no address, or the account has it already.
        NotThereError: There is no such account.
    """
    account, wanted = _account(session, account_id), clean_email(email)
    if account.email == wanted:
        raise CommunityError("This is the address that your account has.")
    if account_of_email(session, wanted) is not None:
        return None
    tickets.withdraw(session, account_id, "email")
    return tickets.issue(session, "email", account_id, wanted)


def confirm_email(session: Session, account_id: int, secret: str) -> tuple[str, str]:
    """Change the address to the one that the link went to; the former one (or empty) and the new one.

    Links that were mailed to the former address hold no longer.

    Raises:
        NotThereError: The link was used, is too old, or is another account's.
        CommunityError: Another account took the address since.
    """
    held = tickets.use(session, "email", secret)
    if held.account_id != account_id:
        raise NotThereError(tickets.GONE)
    account = _account(session, account_id)
    former, account.email = account.email or "", held.value
    try:
        session.flush()
    except IntegrityError as error:
        raise CommunityError(
            "There is another account with this address by now; yours keeps the one that it had."
        ) from error
    tickets.withdraw(session, account_id, "reset", "email")
    add_proof(
        session, account_id, "email", issuer="this site", method="a link that was mailed to it"
    )
    audit.record(session, audit.actor_of(account_id), "email.change", f"account:{account_id}")
    return former, held.value


def remove_password(session: Session, account_id: int) -> None:
    """Take the password away; a link by mail can still set one.

    Raises:
        CommunityError: It is the last way to sign in.
        NotThereError: There is no such account.
    """
    account = _account(session, account_id)
    if account.password is None:
        raise CommunityError("Your account has no password.")
    check_not_last(session, account_id)
    account.password = None
    tickets.withdraw(session, account_id, "reset")
    audit.record(session, audit.actor_of(account_id), "password.remove", f"account:{account_id}")


def suspend(session: Session, account_id: int, actor: str) -> int:
    """Keep an account out, from now on; how many sessions ended.

    Raises:
        NotThereError: There is no such account.
        NotAllowedError: The last admin would be gone.
    """
    account = _account(session, account_id)
    if account.state == "suspended":
        return 0
    ended = keep_out(session, account)
    audit.record(session, actor, "account.suspend", f"account:{account_id}")
    return ended


def keep_out(session: Session, account: Account) -> int:
    """Suspend an account: links mailed to it hold no longer, its sessions end; how many there were.

    Who may do it, and what is written down of it, is for the caller.

    Raises:
        NotAllowedError: The last admin would be gone.
    """
    if account.role == "admin" and admins(session) < 2:
        raise NotAllowedError("This is the last admin: make another one first.")
    account.state = "suspended"
    tickets.withdraw(session, account.id, *tickets.HOLDS)
    return close_all(session, account.id)


def restore(session: Session, account_id: int, actor: str) -> None:
    """Let a suspended account in again.

    Raises:
        NotThereError: There is no such account.
    """
    account = _account(session, account_id)
    if account.state != "active":
        account.state = "active"
        audit.record(session, actor, "account.restore", f"account:{account_id}")


def exported(session: Session, account_id: int) -> dict[str, object]:
    """Everything that is kept of an account itself, but hashes and keys: plain JSON values.

    Raises:
        NotThereError: There is no such account.
    """
    account, ways = _account(session, account_id), ways_of(session, account_id)
    return {
        "name": account.name,
        "email": account.email,
        "role": account.role,
        "state": account.state,
        "joined": _day(account.created_at),
        "person": f"A{account.person_id}" if account.person_id else None,
        "has_password": account.password is not None,
        "accounts_elsewhere": [
            {"issuer": one.issuer, "subject": one.subject, "since": _day(one.created_at)}
            for one in ways.logins
        ],
        "passkeys": [
            {"name": one.name, "since": _day(one.created_at), "used": _day(one.used_at)}
            for one in passkeys_of(session, account_id)
        ],
        "sessions": [
            {"how": one.how, "since": _day(one.created_at), "used": _day(one.seen_at)}
            for one in sessions_of(session, account_id)
        ],
        "proofs": [
            {
                "kind": one.kind, "level": one.rung, "value": one.value, "issuer": one.issuer,
                "method": one.method, "evidence": one.evidence_url, "note": one.note,
                "verified": _day(one.verified_at), "expires": _day(one.expires_at),
                "revoked": _day(one.revoked_at), "revoked_why": one.revoked_why,
            }
            for one in proofs_of(session, account_id)
        ],
    }  # fmt: skip


def _day(moment: datetime | None) -> str | None:
    return utc(moment).date().isoformat() if moment is not None else None


def find_account(session: Session, wanted: str) -> int:
    """The account that an operator means: by number, address or name.

    Raises:
        NotThereError: There is none.
        CommunityError: Several have this name.
    """
    given = wanted.strip()
    if given.isdecimal() and len(given) < 19 and session.get(Account, int(given)) is not None:
        return int(given)
    number = account_of_email(session, given.casefold())
    if number is not None:
        return number
    found = session.scalars(select(Account.id).where(Account.name == given).limit(20)).all()
    if len(found) > 1:
        numbers = ", ".join(map(str, found))
        raise CommunityError(f"Several accounts have this name: say which by number ({numbers}).")
    if not found:
        raise NotThereError(
            f"There is no account {given!r:.200}, neither by number, address nor name."
        )
    return found[0]


def _account(session: Session, account_id: int) -> Account:
    account = session.get(Account, account_id)
    if account is None:
        raise NotThereError(GONE)
    return account
