"""Passkeys: signing in by a key that stays on somebody's device (WebAuthn, through py_webauthn).

The device asks its holder for a fingerprint, a face or a PIN each time, so that a passkey is two factors in
one; and it answers for the site's own address only, so that it cannot be fished for.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    base64url_to_bytes,
    bytes_to_base64url,
    parse_authentication_credential_json,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from peerscope.community import audit
from peerscope.community.accounts import SUSPENDED
from peerscope.community.errors import CommunityError, NotAllowedError, NotThereError
from peerscope.community.logins import check_not_last
from peerscope.community.models import Account
from peerscope.community.passkey_models import Passkey
from peerscope.community.texts import clean_line
from peerscope.community.times import now, utc
from peerscope.community.tokens import new_secret

MOST = 20
"""Passkeys of one account."""

LONGEST_ANSWER = 20_000
LONGEST_NAME = 60
REFUSED = "This passkey could not be checked. Try again, or sign in in another way."
BROKEN = (
    WebAuthnException, ValueError, LookupError, TypeError, AttributeError, RecursionError, struct.error,
)  # fmt: skip
"""What reading an answer may raise that was not made by a device."""

UNKNOWN = "No account here has this passkey. It may have been removed."


@dataclass(frozen=True, slots=True)
class Shown:
    """A passkey as its holder sees it."""

    id: int
    name: str
    created_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Place:
    """The site that passkeys are for.

    Attributes:
        origin: Its address without a path, as browsers state it.
        host: Its host alone.
    """

    origin: str
    host: str

    @property
    def usable(self) -> bool:
        """Whether browsers make passkeys for it: for names, never for a number such as 127.0.0.1."""
        try:
            ip_address(self.host)
        except ValueError:
            return True
        return False

    @classmethod
    def of(cls, address: str) -> Place:
        """From the site's address."""
        parts = urlsplit(address)
        return cls(f"{parts.scheme}://{parts.netloc}", parts.hostname or "localhost")


def passkeys_of(session: Session, account_id: int) -> list[Shown]:
    """Passkeys of an account, the oldest first. One statement."""
    rows = session.scalars(
        select(Passkey).where(Passkey.account_id == account_id).order_by(Passkey.id)
    )
    return [
        Shown(row.id, row.name, utc(row.created_at), utc(row.used_at) if row.used_at else None)
        for row in rows
    ]


def asked_to_add(session: Session, account_id: int, challenge: str, place: Place, site: str) -> str:
    """What a browser is told to make a passkey, as JSON.

    Raises:
        CommunityError: The account has as many as one may.
        NotThereError: There is no such account.
    """
    account = session.get(Account, account_id)
    if account is None:
        raise NotThereError("There is no such account any more.")
    there = session.scalars(select(Passkey).where(Passkey.account_id == account_id)).all()
    if len(there) >= MOST:
        raise CommunityError(f"An account has at most {MOST} passkeys. Remove one first.")
    options = generate_registration_options(
        rp_id=place.host,
        rp_name=site,
        user_name=account.email or account.name,
        user_display_name=account.name,
        user_id=base64url_to_bytes(there[0].handle if there else new_secret()),
        challenge=base64url_to_bytes(challenge),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[
            PublicKeyCredentialDescriptor(id=base64url_to_bytes(row.credential)) for row in there
        ],
    )
    return options_to_json(options)


def asked_to_sign_in(challenge: str, place: Place) -> str:
    """What a browser is told to sign in by any passkey of this site, as JSON."""
    options = generate_authentication_options(
        rp_id=place.host,
        challenge=base64url_to_bytes(challenge),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json(options)


def add_passkey(
    session: Session, account_id: int, answer: str, *, challenge: str, handle: str, name: str,
    place: Place,
) -> int:  # fmt: skip
    """Keep a passkey that a browser made; its number.

    Args:
        session: Of the community's database, writing.
        account_id: Whose.
        answer: JSON of the browser.
        challenge: Of what it was asked, base64url.
        handle: By which the device knows the account, from what it was asked.
        name: What its holder calls it; empty takes the day.
        place: The site.

    Raises:
        CommunityError: It does not hold, the name cannot be taken, or the passkey is there already.
    """
    called = clean_line(name, LONGEST_NAME, "a passkey's name", least=0)
    try:
        made = verify_registration_response(
            credential=answer[:LONGEST_ANSWER],
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=place.host,
            expected_origin=place.origin,
            require_user_verification=True,
        )
    except BROKEN as error:
        raise CommunityError(REFUSED) from error
    credential = bytes_to_base64url(made.credential_id)
    if session.scalar(select(Passkey.id).where(Passkey.credential == credential)) is not None:
        raise CommunityError("This passkey is there already.")
    row = Passkey(
        account_id=account_id, handle=handle, credential=credential,
        public_key=made.credential_public_key, uses=made.sign_count,
        name=called or f"Passkey of {now().date()}", created_at=now(),
    )  # fmt: skip
    session.add(row)
    session.flush()
    audit.record(
        session, audit.actor_of(account_id), "passkey.add", f"account:{account_id}", passkey=row.id
    )
    return row.id


def sign_in_by(session: Session, answer: str, *, challenge: str, place: Place) -> int:
    """The account that a browser's passkey signs in to.

    Args:
        session: Of the community's database, writing.
        answer: JSON of the browser.
        challenge: Of what it was asked, base64url.
        place: The site.

    Raises:
        CommunityError: The answer does not hold, or no account has this passkey.
        NotAllowedError: The account is suspended.
    """
    try:
        given = parse_authentication_credential_json(answer[:LONGEST_ANSWER])
    except BROKEN as error:
        raise CommunityError(REFUSED) from error
    row = session.scalar(
        select(Passkey).where(Passkey.credential == bytes_to_base64url(given.raw_id))
    )
    handle = given.response.user_handle
    if row is None or handle is None or bytes_to_base64url(handle) != row.handle:
        raise CommunityError(UNKNOWN)
    try:
        checked = verify_authentication_response(
            credential=given,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=place.host,
            expected_origin=place.origin,
            credential_public_key=row.public_key,
            credential_current_sign_count=row.uses,
            require_user_verification=True,
        )
    except BROKEN as error:
        raise CommunityError(REFUSED) from error
    account = session.get(Account, row.account_id)
    if account is None or account.state != "active":
        raise NotAllowedError(SUSPENDED)
    row.uses, row.used_at = checked.new_sign_count, now()
    return row.account_id


def rename_passkey(session: Session, account_id: int, passkey_id: int, name: str) -> None:
    """Call a passkey something else.

    Raises:
        NotThereError: The account has no such one.
        CommunityError: The name cannot be taken.
    """
    _own(session, account_id, passkey_id).name = clean_line(name, LONGEST_NAME, "a passkey's name")


def remove_passkey(session: Session, account_id: int, passkey_id: int) -> None:
    """Let a passkey sign in no longer.

    Raises:
        NotThereError: The account has no such one.
        CommunityError: It is the last way to sign in.
    """
    row = _own(session, account_id, passkey_id)
    check_not_last(session, account_id)
    session.delete(row)
    audit.record(
        session, audit.actor_of(account_id), "passkey.remove", f"account:{account_id}",
        passkey=passkey_id,
    )  # fmt: skip


def _own(session: Session, account_id: int, passkey_id: int) -> Passkey:
    row = session.scalar(
        select(Passkey).where(Passkey.id == passkey_id, Passkey.account_id == account_id)
    )
    if row is None:
        raise NotThereError("Your account has no such passkey.")
    return row
