"""Domains of institutions, and the proof that somebody has an address there (L3).

The address is written to once and not kept: the proof holds the domain, and a hash of the address that
lets one address prove one account only.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from peerscope.community import audit, times
from peerscope.community.claiming_models import InstitutionDomain, SiteSecret
from peerscope.community.errors import CommunityError, NotThereError
from peerscope.community.models import Proof
from peerscope.community.proofs import add_proof, in_force
from peerscope.community.ror import (
    Bad,
    DomainError,
    Organisation,
    Read,
    Skipped,
    normal_domain,
    read_ror,
)
from peerscope.community.tickets import GONE, Held, issue, look, use
from peerscope.community.tokens import new_secret

BATCH = 2_000
SHOWN_BAD = 20
LONGEST_ADDRESS = 254

PUBLIC_MAILBOXES = frozenset([
    "126.com", "139.com", "163.com", "aol.com", "bk.ru", "duck.com", "fastmail.com", "fastmail.fm",
    "foxmail.com", "free.fr", "freenet.de", "gmail.com", "gmx.at", "gmx.ch", "gmx.com", "gmx.de",
    "gmx.net", "googlemail.com", "hey.com", "hotmail.co.uk", "hotmail.com", "hotmail.de",
    "hotmail.es", "hotmail.fr", "hotmail.it", "hushmail.com", "icloud.com", "inbox.ru", "laposte.net",
    "libero.it", "list.ru", "live.com", "live.nl", "mac.com", "mail.com", "mail.ru", "mailbox.org",
    "mailfence.com", "mailinator.com", "me.com", "msn.com", "naver.com", "orange.fr", "outlook.com",
    "outlook.de", "outlook.fr", "pm.me", "posteo.de", "proton.me", "protonmail.com", "qq.com",
    "rambler.ru", "rediffmail.com", "riseup.net", "seznam.cz", "sina.com", "sohu.com", "t-online.de",
    "tutanota.com", "uol.com.br", "wanadoo.fr", "web.de", "wp.pl", "yahoo.co.in", "yahoo.co.jp",
    "yahoo.co.uk", "yahoo.com", "yahoo.de", "yahoo.fr", "yandex.com", "yandex.ru", "yeah.net",
    "ymail.com", "zoho.com",
])  # fmt: skip
"""Where anybody gets a mailbox: an address there shows no affiliation."""

_LOCAL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}")


@dataclass(frozen=True, slots=True)
class Place:
    """A registered domain with the institutions that have it: (ROR id, name), by name.

    ``name_keys`` are the keys of all their names.
    """

    domain: str
    institutions: tuple[tuple[str, str], ...]
    name_keys: frozenset[str]

    @property
    def label(self) -> str:
        """Its institutions in words; the first two where there are more."""
        names = [name for _, name in self.institutions]
        more = f" and {len(names) - 2} more" if len(names) > 2 else ""
        return ", ".join(names[:2]) + more


@dataclass(slots=True)
class ImportedDomains:
    """What an import of ROR did; ``bad`` counts records and domains that did not go in."""

    institutions: int = 0
    domains: int = 0
    added: int = 0
    removed: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    bad: int = 0
    examples: list[str] = field(default_factory=list)

    def refuse(self, sentence: str) -> None:
        """Count something that did not go in."""
        self.bad += 1
        if len(self.examples) < SHOWN_BAD:
            self.examples.append(sentence)


def import_domains(session: Session, path: str | Path) -> ImportedDomains:
    """Make the domains of a ROR file the domains of this site, in the transaction of ``session``.

    What an earlier import brought and this file no longer states goes, so that a domain which an
    institution lost shows nothing any more. Read again, a file changes nothing.

    Raises:
        CommunityError: The file states no domain at all; the old ones stay.
        OSError: The file cannot be read.
    """
    return store_domains(session, read_ror(path))


def store_domains(session: Session, records: Iterable[Read]) -> ImportedDomains:
    """As `import_domains`, from records."""
    done = ImportedDomains()
    before = set(session.execute(select(InstitutionDomain.domain, InstitutionDomain.ror)))
    stated: dict[tuple[str, str], Organisation] = {}
    cut = False
    seen: set[str] = set()
    for record in records:
        if isinstance(record, Skipped):
            done.skipped[record.why] = done.skipped.get(record.why, 0) + 1
        elif isinstance(record, Bad):
            cut = cut or record.cut
            done.refuse(f"line {record.line}: {record.why} {record.excerpt[:80]}".strip())
        elif record.ror in seen:
            done.refuse(f"ror:{record.ror} stands in the file twice; the first went in.")
        else:
            seen.add(record.ror)
            _take(record, stated, done)
    if not stated:
        raise CommunityError("This file states no domain of an institution; nothing was changed.")
    done.domains = len({domain for domain, _ in stated})
    # What stands behind the break of a file is not known to be gone.
    gone = set() if cut else before - stated.keys()
    done.added, done.removed = len(stated.keys() - before), len(gone)
    if cut:
        for domain, ror in sorted(before & stated.keys()):
            session.execute(
                delete(InstitutionDomain).where(
                    InstitutionDomain.domain == domain, InstitutionDomain.ror == ror
                )
            )
    else:
        session.execute(delete(InstitutionDomain))
    rows = [
        {"domain": domain, "ror": ror, "name": one.name, "name_keys": "\n".join(one.name_keys)}
        for (domain, ror), one in sorted(stated.items())
    ]
    for start in range(0, len(rows), BATCH):
        session.execute(InstitutionDomain.__table__.insert(), rows[start : start + BATCH])  # type: ignore[attr-defined]
    audit.record(
        session, audit.OPERATOR, "domains.import", "site", domains=done.domains, bad=done.bad
    )
    return done


def _take(
    record: Organisation, stated: dict[tuple[str, str], Organisation], done: ImportedDomains
) -> None:
    for domain, why in record.refused:
        done.refuse(f"ror:{record.ror}, {domain}: {why}")
    for domain in record.domains:
        if domain in PUBLIC_MAILBOXES:
            done.refuse(f"ror:{record.ror}, {domain}: Anybody gets a mailbox there.")
        else:
            stated[(domain, record.ror)] = record
    done.institutions += bool(record.domains)


def known_domains(session: Session) -> int:
    """How many domains of institutions the site knows. One statement."""
    return session.scalar(select(func.count(InstitutionDomain.domain.distinct()))) or 0


def place_of(session: Session, domain: str) -> Place | None:
    """The longest registered domain that a domain is, or lies under. One statement.

    Args:
        session: Of the community's database.
        domain: In normal form (`normal_domain`).
    """
    labels = domain.split(".")
    found = places_of(session, (".".join(labels[at:]) for at in range(len(labels) - 1)))
    return max(found.values(), key=lambda place: len(place.domain), default=None)


def places_of(session: Session, domains: Iterable[str]) -> dict[str, Place]:
    """Registered domains with their institutions; unknown ones are left out. One statement."""
    rows = session.scalars(
        select(InstitutionDomain)
        .where(InstitutionDomain.domain.in_(sorted(set(domains))))
        .order_by(InstitutionDomain.domain, InstitutionDomain.name, InstitutionDomain.ror)
    )
    return {
        domain: _place(domain, list(group))
        for domain, group in groupby(rows, lambda row: row.domain)
    }


def _place(domain: str, rows: list[InstitutionDomain]) -> Place:
    keys = frozenset(key for row in rows for key in row.name_keys.split("\n") if key)
    return Place(domain, tuple((row.ror, row.name) for row in rows), keys)


def ask_domain(session: Session, account_id: int, address: str) -> tuple[str, Place, str]:
    """Begin a proof: the address to write to in normal form, its institution, the secret of the link.

    Raises:
        CommunityError: It is no address, or shows no affiliation.
    """
    given = address.strip()
    local, at, domain = given.rpartition("@")
    if not at or len(given) > LONGEST_ADDRESS or not _LOCAL.fullmatch(local):
        raise CommunityError(
            "This is not an e-mail address that this site can write to: it should look like "
            "name@example.edu."
        )
    try:
        domain = normal_domain(domain)
    except DomainError as error:
        raise CommunityError(f"The part after @ is not a domain. {error}") from error
    if any(domain == one or domain.endswith(f".{one}") for one in PUBLIC_MAILBOXES):
        raise CommunityError(
            f"Anybody gets a mailbox at {domain}, so it shows no affiliation. Take the address that "
            "your institution gave you."
        )
    place = place_of(session, domain)
    if place is None:
        if not known_domains(session):
            raise CommunityError(
                "This site knows no domains of institutions yet: its operator loads them with "
                "`peerscope domains import`. Another proof is open to you meanwhile."
            )
        raise CommunityError(
            f"No institution in ROR states the domain {domain}. Ask your institution to add it at "
            "ror.org, or take another proof."
        )
    normal = f"{local}@{domain}"
    secret = issue(session, "domain", account_id, f"{place.domain} {_hash(session, normal)}")
    return normal, place, secret


def look_domain(session: Session, account_id: int, secret: str) -> Place:
    """What a link would prove.

    Raises:
        NotThereError: It was used, is too old, or is another account's.
    """
    held = look(session, "domain", secret)
    return _place_held(session, account_id, held)[0]


def confirm_domain(session: Session, account_id: int, secret: str) -> int:
    """Complete a proof by the link that was mailed; its number.

    Raises:
        NotThereError: The link was used, is too old, or is another account's.
        CommunityError: The address proves another account.
    """
    place, value_hash = _place_held(session, account_id, look(session, "domain", secret))
    use(session, "domain", secret)
    other = session.scalar(
        select(Proof.account_id)
        .where(
            Proof.kind == "domain", Proof.value_hash == value_hash, Proof.account_id != account_id,
            in_force(times.now()),
        )
        .limit(1)
    )  # fmt: skip
    if other is not None:
        raise CommunityError(
            "This address proves another account of this site. Revoke the proof there first."
        )
    return add_proof(
        session, account_id, "domain", value=place.domain, value_hash=value_hash,
        issuer=place.label, method="a link that was mailed to an address there",
        evidence_url=f"https://ror.org/{place.institutions[0][0]}",
    )  # fmt: skip


def _place_held(session: Session, account_id: int, held: Held) -> tuple[Place, str]:
    if held.account_id != account_id:
        raise NotThereError(GONE)
    domain, _, value_hash = held.value.partition(" ")
    place = places_of(session, [domain]).get(domain)
    if place is None:
        raise NotThereError("The domain is no longer known as an institution's.")
    return place, value_hash


def _hash(session: Session, address: str) -> str:
    salt = session.get(SiteSecret, "address")
    if salt is None:
        salt = SiteSecret(name="address", value=new_secret())
        session.add(salt)
        session.flush()
    # Slow on purpose: addresses can be guessed, and the salt lies in the same database.
    made = hashlib.scrypt(
        address.casefold().encode(), salt=salt.value.encode(), n=2**14, r=8, p=1, dklen=32
    )
    return made.hex()
