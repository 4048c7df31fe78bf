"""Everything that an account owns leaves with it: one file to take along, and an account that is gone.

What an account owns is collected from each feature's ``exported`` (`PARTS`); a test plants a row in every
table that names an account and fails where it is in no export. Deleting removes the account's rows, its
reader with the history, and cuts the databases' logs, so that its words stand in no file of the site.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import IO

from sqlalchemy import Column, Table, delete, func, literal, or_, select, union_all, update
from sqlalchemy.orm import Session

from peerscope.community import (
    audit,
    blocks,
    changes,
    collection_works,
    conversations,
    curation,
    digests,
    follows,
    invitations,
    moderation,
    notices,
    private_feed,
    profiles,
    reactions,
    reading,
    reviews,
    saves,
    vouching,
)
from peerscope.community.accounts import admins
from peerscope.community.database import CommunityDatabase
from peerscope.community.errors import CommunityError, NotAllowedError, NotThereError
from peerscope.community.models import (
    Account,
    AuditEntry,
    Base,
    Login,
    Proof,
    Report,
    Ticket,
)
from peerscope.community.models import Session as SignIn
from peerscope.community.service import Community
from peerscope.community.times import now, utc
from peerscope.community.trust import replies
from peerscope.community.waiting import Waiting
from peerscope.discover.readers import Readers
from peerscope.discover.readers_file import cut_log
from peerscope.record import Database, parsed_of
from peerscope.record.export import EXPORTERS
from peerscope.record.read.sources import brought_by

FORMATS = ("bibtex", "csl")
"""Forms in which lists of works are added to the export."""

AT_ONCE = 500
LABELS = {
    "session": ("browser signed in", "browsers signed in"),
    "ticket": ("one-time link", "one-time links"),
    "login": ("sign-in from elsewhere", "sign-ins from elsewhere"),
    "proof": ("proof", "proofs"),
    "notice": ("notice", "notices"),
    "report": ("report", "reports"),
    "trust_record": ("trust snapshot of your record", "trust snapshots of your record"),
    "trust_reply": ("reply to a trust snapshot", "replies to a trust snapshot"),
    "reading": ("link to a history", "links to a history"),
}
"""What rows of a table are called, one and many; a table that is not here is called by its name."""


def exported_account(session: Session, account_id: int) -> dict[str, object]:
    """The account itself: proofs, sessions, sign-ins, passkeys, links, lines of the audit log.

    Secrets are kept as hashes only, and are no use to anybody: they are left out.
    """
    account = _account(session, account_id)

    def rows(table: type[Base]) -> list[dict[str, object]]:
        columns = table.__table__.c
        statement = (
            select(table.__table__).where(columns.account_id == account_id).order_by(columns.id)
        )
        return [_plain(dict(row)) for row in session.execute(statement).mappings()]

    lines = session.execute(
        select(
            AuditEntry.at, AuditEntry.actor, AuditEntry.action, AuditEntry.target, AuditEntry.detail
        )
        .where(
            or_(
                AuditEntry.actor == audit.actor_of(account_id),
                AuditEntry.target == audit.actor_of(account_id),
            )
        )
        .order_by(AuditEntry.id)
    ).mappings()
    return {
        "account": {
            "id": account.id,
            "name": account.name,
            "email": account.email,
            "has_password": account.password is not None,
            "role": account.role,
            "state": account.state,
            "person": f"A{account.person_id}" if account.person_id is not None else None,
            "created_at": utc(account.created_at).isoformat(),
        },
        "proofs": rows(Proof),
        "sessions": rows(SignIn),
        "sign_ins": rows(Login),
        "links": rows(Ticket),
        "passkeys": changes.exported(session, account_id)["passkeys"],
        "audit_log": [dict(line) for line in lines],
    }


PARTS: tuple[Callable[[Session, int], Mapping[str, object]], ...] = (
    exported_account,
    reading.exported,
    profiles.exported,
    vouching.exported,
    follows.exported,
    saves.exported,
    collection_works.exported,
    reactions.exported,
    reviews.exported,
    invitations.exported,
    conversations.exported,
    blocks.exported,
    notices.exported,
    digests.exported,
    private_feed.exported,
    moderation.exported,
    curation.exported,
    replies.exported,
)
"""Where the parts of an export come from: the ``exported`` of every feature that keeps something."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What deleting an account takes, and what stays without it: (how many, what), the most first."""

    goes: tuple[tuple[int, str], ...]
    stays: tuple[tuple[int, str], ...]
    history: int
    claimed: int | None


def exported(session: Session, account_id: int) -> dict[str, object]:
    """Everything that the community's database keeps of an account, as plain values."""
    found: dict[str, object] = {}
    for part in PARTS:
        for name, kept in part(session, account_id).items():
            assert name not in found, name
            found[name] = kept
    return found


def write_export(
    stream: IO[bytes], community: Community, readers: Readers, record: Database, account_id: int
) -> None:
    """Write everything that an account owns as one ZIP: JSON, and its lists of works as BibTeX and CSL-JSON.

    Nothing of others is in it: of a conversation the account's own words, of a notice whose doing it was as
    a number.

    Args:
        stream: To be written to; it must be able to seek.
        community: The site's.
        readers: The readers' file.
        record: For the works of lists.
        account_id: Whose.

    Raises:
        NotThereError: There is no such account.
    """
    with community.reading() as session:
        own = exported(session, account_id)
        history = reading.exported_history(session, readers, account_id)
    waiting = Waiting(community.settings.home)
    with record.session() as session:
        brought = brought_by(session, audit.actor_of(account_id))
    own["imports_waiting"] = waiting.exported(account_id)
    own["sources_brought"] = [
        {"source": number, "name": name, "state": state, "at": utc(at).isoformat()}
        for number, name, state, at in brought
    ]
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as folder:
        about = {"site": community.settings.site_name, "written_at": now().isoformat()}
        _write(folder, "account.json", _json(about | own))
        if history is not None:
            _write(folder, "history.json", _json(history))
        for name, works in _lists(own, history).items():
            for form in FORMATS:
                exporter = EXPORTERS[form]
                _write(folder, f"{name}{exporter.suffix}", _works(record, works, exporter.write))
        for name, path in waiting.files(account_id):
            folder.write(path, name)


def preview(session: Session, readers: Readers, account_id: int) -> Preview:
    """What deleting the account would take and leave. Three statements.

    Raises:
        NotThereError: There is no such account.
    """
    account = _account(session, account_id)
    counts = [
        select(literal(table.name), literal(goes), func.count())
        .select_from(table)
        .where(column == account_id)
        for table, column, goes in owned()
    ]
    goes: dict[str, int] = {}
    stays: dict[str, int] = {}
    for name, away, number in session.execute(union_all(*counts)):
        if number:
            kept = goes if away else stays
            kept[name] = kept.get(name, 0) + number
    found = reading.held(session, account_id)
    reader = readers.find(found.secret) if found is not None else None
    return Preview(
        _told(goes), _told(stays),
        sum(readers.counts(reader.id).values()) if reader is not None else 0, account.person_id,
    )  # fmt: skip


def delete_account(community: Community, readers: Readers, account_id: int) -> None:
    """Delete an account with everything that is its own; what must stay for others stays without it.

    The history goes first: stopped in between, the account is still there to be deleted again.

    Raises:
        NotThereError: There is no such account.
        NotAllowedError: It is the last admin.
    """
    with community.writing() as session:
        account = _account(session, account_id)
        if account.role == "admin" and account.state == "active" and admins(session) < 2:
            raise NotAllowedError("This is the last admin: make another one first.")
        reading.let_go(session, readers, account_id)
    Waiting(community.settings.home).forget(account_id)
    with community.writing() as session:
        account = _account(session, account_id)
        # What stays for others must not go on saying what this account wrote.
        session.execute(update(Report).where(Report.account_id == account_id).values(text=""))
        session.execute(update(Proof).where(Proof.verifier_id == account_id).values(note=""))
        if account.email is not None:
            session.execute(delete(Ticket).where(Ticket.value == account.email))
        session.execute(delete(Account).where(Account.id == account_id))
        audit.record(
            session, audit.actor_of(account_id), "account.delete", audit.actor_of(account_id)
        )
    forget_log(community.database)


def forget_log(database: CommunityDatabase) -> None:
    """Cut the write-ahead log of a SQLite file, which still holds what was deleted."""
    if database.path is not None:
        cut_log(database, database.path)


def owned() -> Iterator[tuple[Table, Column[int], bool]]:
    """Every column that names an account, and whether its row goes with the account."""
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            for key in column.foreign_keys:
                if key.column.table is Account.__table__:
                    yield table, column, key.ondelete == "CASCADE"


def _account(session: Session, account_id: int) -> Account:
    account = session.get(Account, account_id)
    if account is None:
        raise NotThereError("There is no such account any more.")
    return account


def confirmed(account_name: str, typed: str) -> None:
    """Ask that somebody typed the name of what they delete.

    Raises:
        CommunityError: It is another one.
    """
    if " ".join(typed.split()) != account_name:
        raise CommunityError("This is not the name of your account, so nothing was deleted.")


def _told(counts: Mapping[str, int]) -> tuple[tuple[int, str], ...]:
    rows = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    words = {name: (name.replace("_", " "), f"{name.replace('_', ' ')}s") for name in counts}
    words |= {name: LABELS[name] for name in counts if name in LABELS}
    return tuple((number, words[name][number != 1]) for name, number in rows)


def _plain(row: Mapping[str, object]) -> dict[str, object]:
    """A row as plain values, without its secrets and the account it is of."""
    return {
        name: value.isoformat() if hasattr(value, "isoformat") else value
        for name, value in row.items()
        if name not in ("account_id", "secret_hash", "value_hash")
    }


def _lists(own: Mapping[str, object], history: Mapping[str, object] | None) -> dict[str, list[int]]:
    """The lists of works in an export by the name of their file."""
    found: dict[str, list[int]] = {}
    entries = history["entries"] if history is not None else []
    assert isinstance(entries, list)
    saved = [*_numbers(own.get("saved_works", [])), *_numbers(
        one for one in entries if one["kind"] == "saved"
    )]  # fmt: skip
    if saved:
        found["saved"] = sorted(set(saved))
    collections = own.get("collections", [])
    assert isinstance(collections, list)
    for one in collections:
        found[f"collections/{one['collection']}"] = sorted(set(_numbers(one.get("works", []))))
    return found


def _numbers(rows: object) -> list[int]:
    assert isinstance(rows, Iterable)
    return [int(str(row["work"])[1:]) for row in rows]


def _works(
    record: Database, works: Iterable[int], write: Callable[..., Iterator[str]]
) -> Iterator[str]:
    """A list of works in one form, read in parts."""
    waiting = iter(works)

    def read() -> Iterator[object]:
        while part := list(islice(waiting, AT_ONCE)):
            with record.session() as session:
                yield from parsed_of(session, part)

    yield from write(read())


def _json(content: Mapping[str, object]) -> Iterator[str]:
    yield from json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(content)


def _write(folder: zipfile.ZipFile, name: str, pieces: Iterable[str]) -> None:
    with folder.open(name, "w") as stream:
        for piece in pieces:
            stream.write(piece.encode("utf-8"))
