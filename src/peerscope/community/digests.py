"""The mail that tells an account what is new: opt-in, daily or weekly, written from what is on the site.

An account gets at most one mail a period. Before a mail is sent, the account is taken (`sending_at`), so
that two processes never write to it at once; after it, the moment up to which it was told is kept. Only a
process that is killed between the two leaves a mail that is sent a second time, once `LEASE` is over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session

from peerscope.community.errors import CommunityError, NotThereError
from peerscope.community.mail import Mail
from peerscope.community.models import Account
from peerscope.community.notices import news_for_mail
from peerscope.community.sentences import tell
from peerscope.community.service import Community
from peerscope.community.talk_models import Digest
from peerscope.community.times import now, utc
from peerscope.community.tokens import mac, new_secret, same
from peerscope.record import Database

PERIODS = {"daily": timedelta(days=1), "weekly": timedelta(days=7)}
EVERY = ("never", *PERIODS)
LEASE = timedelta(minutes=10)
SLACK = timedelta(minutes=30)
"""A mail goes out this much before its period is over, so that a daily job does not slip by a day."""

MOST_NOTICES, MOST_WORKS = 30, 10
NO_ADDRESS = (
    "Mails need the public address of the site for their links: set PEERSCOPE_BASE_URL, as "
    "https://research.example.org."
)
_TOKEN = re.compile(r"(\d{1,18})\.([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of something that an account follows: its name, its path here, and titles with paths."""

    label: str
    address: str
    works: tuple[tuple[str, str], ...]


FollowNews = Callable[[Session, Session, int, datetime, datetime], Sequence[Heard]]
"""From the community, the record, an account and a span of time to what is new in what it follows."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one account in a round: ``sent``, ``nothing new``, ``failed`` or ``would send``."""

    account_id: int
    outcome: str
    notices: int = 0
    works: int = 0


def set_digest(session: Session, account_id: int, every: str) -> None:
    """Set how often an account wants a mail; what happened before it switched it on is not told.

    Raises:
        CommunityError: It is none of `EVERY`, or the account has no e-mail address.
    """
    if every not in EVERY:
        raise CommunityError(f"A digest comes {', '.join(EVERY)}.")
    row = session.get(Digest, account_id)
    if every != "never":
        account = session.get(Account, account_id)
        if account is None or not account.email:
            raise CommunityError("This account has no e-mail address to send anything to.")
    if row is None:
        session.add(
            Digest(account_id=account_id, every=every, secret=new_secret(), told_to=now())
        )  # fmt: skip
        return
    if row.every == "never":
        row.told_to = now()
    row.every = every


def digest_of(session: Session, account_id: int) -> str:
    """How often an account wants a mail. One statement."""
    return session.scalar(select(Digest.every).where(Digest.account_id == account_id)) or "never"


def unsubscribe_token(account_id: int, secret: str) -> str:
    """What the link of a mail carries: it ends the digest of one account and does nothing else."""
    return f"{account_id}.{mac(secret, 'end the digest', str(account_id))}"


def held_by(session: Session, token: str) -> int:
    """The account whose digest a token ends.

    Raises:
        NotThereError: It is none that this site made, or the account is gone.
    """
    match = _TOKEN.fullmatch(token)
    number = int(match[1]) if match else 0
    secret = session.scalar(select(Digest.secret).where(Digest.account_id == number))
    # Compared also where there is nothing to compare with, so that both take as long.
    right = same(token, unsubscribe_token(number, secret or new_secret()))
    if secret is None or not right:
        raise NotThereError("This link ends no mails of this site; it may have been cut off.")
    return number


def unsubscribe(session: Session, token: str) -> int:
    """End the digest that a token is of; the account. Doing it again changes nothing.

    Raises:
        NotThereError: It is none that this site made, or the account is gone.
    """
    number = held_by(session, token)
    set_digest(session, number, "never")
    return number


def due(session: Session, moment: datetime) -> list[int]:
    """Accounts that are to get a mail now, by number."""
    wanted = [
        (Digest.every == every) & (Digest.told_to <= moment - (period - SLACK))
        for every, period in PERIODS.items()
    ]
    rows = session.scalars(
        select(Digest.account_id)
        .join(Account, Account.id == Digest.account_id)
        .where(Account.state == "active", Account.email.is_not(None), or_(*wanted), _free(moment))
        .order_by(Digest.account_id)
    )
    return list(rows)


def run(
    community: Community,
    record: Database,
    follow_news: FollowNews,
    *,
    dry_run: bool = False,
) -> Iterable[Outcome]:
    """Send every mail that is due, one account after the other.

    Args:
        community: Of the site.
        record: The record, for titles and names.
        follow_news: What is new in what an account follows.
        dry_run: Whether nothing is sent nor written down.

    Raises:
        CommunityError: The settings name no public address for the links.
    """
    if not community.settings.base_url:
        raise CommunityError(NO_ADDRESS)
    moment = now()
    with community.reading() as session:
        waiting = due(session, moment)
    for number in waiting:
        yield _one(community, record, number, moment, follow_news, dry_run)


def compose(
    session: Session,
    record: Session,
    account_id: int,
    until: datetime,
    follow_news: FollowNews,
    site: tuple[str, str],
) -> tuple[Mail | None, int, int]:
    """The mail of an account up to a moment, with its numbers of notices and works; none if nothing is new.

    Args:
        session: Of the community's database.
        record: Of the record.
        account_id: Whose.
        until: Up to when.
        follow_news: What is new in what it follows.
        site: Name of the site, and its public address.
    """
    row = session.get_one(Digest, account_id)
    account = session.get_one(Account, account_id)
    name, base = site[0], site[1].rstrip("/")
    notices = news_for_mail(session, account_id, row.told_to, until, MOST_NOTICES)
    told = tell(session, record, notices)
    heard = list(follow_news(session, record, account_id, utc(row.told_to), until))
    if not told and not heard:
        return None, 0, 0
    lines = [f"What is new for you at {name}."]
    if told:
        lines += ["", "Notices", ""]
        for one in told:
            detail = f" {one.detail}" if one.detail else ""
            lines += [f"- {one.text}{detail}", f"  {base}{one.address}"]
    for each in heard:
        lines += ["", f"New in what you follow: {each.label}", f"  {base}{each.address}", ""]
        for title, address in each.works[:MOST_WORKS]:
            lines += [f"- {title}", f"  {base}{address}"]
        if len(each.works) > MOST_WORKS:
            lines.append(f"- and {len(each.works) - MOST_WORKS} more")
    end = f"{base}/unsubscribe/{unsubscribe_token(account_id, row.secret)}"
    lines += [
        "", "--", f"You get this {row.every} because you asked for it. End it: {end}",
        f"Change it: {base}/notices#settings", "",
    ]  # fmt: skip
    found = sum(len(each.works) for each in heard)
    mail = Mail(
        account.email or "",
        f"{name}: {_counted(len(told), found)}",
        "\n".join(lines),
        {
            "List-Unsubscribe": f"<{end}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Precedence": "bulk",
        },
    )
    return mail, len(told), found


def exported(session: Session, account_id: int) -> dict[str, object]:
    """Everything that is kept of an account here."""
    row = session.get(Digest, account_id)
    if row is None:
        return {"digest": {"every": "never"}}
    return {"digest": {"every": row.every, "told up to": utc(row.told_to).isoformat()}}


def _one(
    community: Community,
    record: Database,
    number: int,
    moment: datetime,
    follow_news: FollowNews,
    dry_run: bool,
) -> Outcome:
    site = (community.settings.site_name, community.settings.base_url)
    if not dry_run and not _take(community, number, moment):
        return Outcome(number, "taken by another process")
    with community.reading() as session, record.session() as known:
        mail, notices, works = compose(session, known, number, moment, follow_news, site)
    if dry_run:
        return Outcome(number, "would send" if mail else "nothing new", notices, works)
    if mail is not None and not community.mailer.send(mail):
        _let_go(community, number, {"sending_at": None})
        return Outcome(number, "failed", notices, works)
    _let_go(community, number, {"sending_at": None, "told_to": moment})
    return Outcome(number, "sent" if mail else "nothing new", notices, works)


def _take(community: Community, number: int, moment: datetime) -> bool:
    with community.writing() as session:
        if number not in due(session, moment):
            return False
        done = session.execute(
            update(Digest)
            .where(Digest.account_id == number, _free(moment))
            .values(sending_at=now())
        )
        return bool(done.rowcount)  # type: ignore[attr-defined]


def _let_go(community: Community, number: int, values: dict[str, datetime | None]) -> None:
    with community.writing() as session:
        session.execute(update(Digest).where(Digest.account_id == number).values(**values))


def _free(moment: datetime) -> ColumnElement[bool]:
    return or_(Digest.sending_at.is_(None), Digest.sending_at < moment - LEASE)


def _counted(notices: int, works: int) -> str:
    parts = []
    if notices:
        parts.append("1 notice" if notices == 1 else f"{notices} notices")
    if works:
        parts.append("1 new work" if works == 1 else f"{works} new works")
    return " and ".join(parts)
