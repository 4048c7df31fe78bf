"""Everything of an account is in its export, and after deleting it stands in no file of the site."""

from __future__ import annotations

import io
import json
import zipfile
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import Table, event, insert, select, update

from peerscope.community import CommunityError, NotAllowedError, NotThereError, audit, reading
from peerscope.community.accounts import create_account
from peerscope.community.leaving import (
    confirmed,
    delete_account,
    exported,
    owned,
    preview,
    write_export,
)
from peerscope.community.models import Account, AuditEntry, Base, Report
from peerscope.community.moderation import report
from peerscope.community.notices import TOPICS
from peerscope.community.tickets import issue
from peerscope.discover.readers import Readers
from peerscope.discover.wishes import want_less
from peerscope.record import Database

STAYS = {"report.account_id"}
"""Rows that stay for others. Of a report what it is about and the moderator's decision do, which are not the
account's words; that its text is taken out is shown by `site_of_ada`."""

FIRST = 880_000
"""The number of the first planted row of each table, by which rows of others name it."""

ALLOWED: dict[tuple[str, str], object] = {
    ("collection_work", "work_id"): FIRST,
    ("proof", "kind"): "email",
    ("profile", "highlights"): "5 words",
    ("digest", "every"): "weekly",
    ("notice_switch", "topic"): next(iter(TOPICS)),
}
"""Values of columns that may hold certain ones only."""

SHOWN = {
    "reading.account_id": '"reading": {"uses_saves": false',
    "block.account_id": '"blocked": [{"name": "Bo Other"',
    "digest.account_id": '"digest": {"every": "weekly"',
    "feed_address.account_id": '"secret feed since": "2026-01-02',
    "notice_switch.account_id": '{"here": false, "by_mail": false}',
    "conversation_member.account_id": '"with": "Bo Other"',
}
"""How rows show that hold no words and no number of their own."""

NOT_OF_THE_ACCOUNT = {
    ("proof", "verifier_id"), ("notice", "actor_id"), ("report", "decided_by"),
    ("collection_member", "invited_by"), ("collection_work", "added_by"),
    ("claim_on_record", "decided_by"), ("measure", "made_by"), ("person_setting", "changed_by"),
    ("block", "blocked_id"),
}  # fmt: skip
"""Columns by which a row names an account that it does not belong to; what such a row says is another's."""


@pytest.fixture
def readers(tmp_path):
    found = Readers(tmp_path / "site" / "readers.sqlite")
    yield found
    found.close()


def planted(session, account_id: int, other_id: int) -> dict[str, set[str]]:
    """A row for every column that names the account: table and column to the marks, one of which must show."""
    marks: dict[str, set[str]] = {}
    rows: Counter[str] = Counter()
    of_accounts = {table.name for table, _, _ in owned()}
    for table in Base.metadata.sorted_tables:
        if table.name not in {*of_accounts, "account", "audit_entry"} and "id" in table.columns:
            row = _row(table, "", account_id, other_id, "nobody's", 1)
            session.execute(insert(table).values(row | {"id": FIRST}))
    for number, (table, column, _) in enumerate(owned()):
        if table.name == "account":
            continue
        word, figure = f"planted-{number}-{table.name}", 970_000 + number
        row = _row(table, column.name, account_id, other_id, word, figure)
        if "id" in row:
            row["id"] = FIRST + rows[table.name]
        rows[table.name] += 1
        session.execute(insert(table).values(row))
        if table.name == "conversation_member":
            session.execute(insert(table).values(row | {"account_id": other_id}))
        if (table.name, column.name) in NOT_OF_THE_ACCOUNT:
            continue
        shown = {str(row[name]) for name in row if row[name] in (word, word[:16], word[:32])}
        marks[f"{table.name}.{column.name}"] = shown | {str(figure)}
    return marks


def _row(
    table: Table, whose: str, account_id: int, other_id: int, word: str, figure: int
) -> dict[str, object]:
    """Plain values for every column; ``word`` and ``figure`` wherever something of the kind fits."""
    found: dict[str, object] = {}
    for column in table.columns:
        kind = column.type.python_type
        if column.name == whose:
            found[column.name] = account_id
        elif any(key.column.table.name == "account" for key in column.foreign_keys):
            if not column.nullable:
                found[column.name] = other_id
        elif column.foreign_keys:
            found[column.name] = FIRST
        elif (table.name, column.name) in ALLOWED:
            found[column.name] = ALLOWED[table.name, column.name]
        elif kind is str:
            found[column.name] = word[: getattr(column.type, "length", None) or 999]
        elif column.nullable and kind is not str:
            continue
        elif kind is bytes:
            found[column.name] = b"bytes"
        elif kind is bool:
            found[column.name] = False
        elif kind is int:
            found[column.name] = figure
        else:
            found[column.name] = datetime(2026, 1, 2, tzinfo=UTC)
    return found


@contextmanager
def loose(community):
    """Rows may name rows of other tables that are not there: only accounts matter here."""

    def off(connection, _) -> None:
        connection.execute("PRAGMA foreign_keys = OFF")

    event.listen(community.database.engine, "connect", off)
    community.database.engine.dispose()
    with community.writing() as session:
        yield session
    event.remove(community.database.engine, "connect", off)
    community.database.engine.dispose()


def test_a_row_in_every_table_is_in_the_export(community, make_account) -> None:
    one, other = make_account(), make_account("Bo Other")
    with loose(community) as session:
        marks = planted(session, one, other)
    assert len(marks) >= 6
    with community.reading() as session:
        whole = json.dumps(exported(session, one))
    missing = {
        place for place, shown in marks.items()
        if not any(mark in whole for mark in shown | {SHOWN.get(place, "nothing")})
    }  # fmt: skip
    assert not missing, "rows of an account that are in no export: add the feature to leaving.PARTS"


def site_of_ada(community, readers, make_account):
    """An account with something of everything that can be written without another feature."""
    with community.writing() as session:
        one = create_account(
            session, "Ada Unmistakable", email="ada.unmistakable@example.org",
            password="a horse and a battery", confirmed="a mailed link",
        )  # fmt: skip
        issue(session, "join", value="ada.unmistakable@example.org")
        report(session, one, "error", "work:1", "A report in unmistakable-words.")
        secret = reading.give_reader(session, readers, one, keeping=True)
        session.execute(update(Account).where(Account.id == one).values(person_id=12))
    reader = readers.find(secret)
    readers.opened(reader.id, 5, "an unmistakable-query")
    readers.save(reader.id, 6, "another unmistakable-query")
    want_less(readers, reader.id, "T", 4, 0.0)
    return one


def test_the_file_holds_everything_and_nothing_of_others(
    community, readers, make_account, tmp_path
) -> None:
    one = site_of_ada(community, readers, make_account)
    other = make_account("Bo Other")
    with community.writing() as session:
        report(session, other, "error", "work:2", "Words of Bo.")
    record = Database(f"sqlite:///{tmp_path / 'record.sqlite'}")
    record.migrate()
    whole = io.BytesIO()
    write_export(whole, community, readers, record, one)
    with zipfile.ZipFile(whole) as folder:
        assert folder.testzip() is None
        assert set(folder.namelist()) == {
            "account.json", "history.json", "saved.bib", "saved.csl.json",
        }  # fmt: skip
        account = json.loads(folder.read("account.json"))
        history = json.loads(folder.read("history.json"))
        assert json.loads(folder.read("saved.csl.json")) == [], "the record has no such work"
    record.close()
    assert account["account"]["email"] == "ada.unmistakable@example.org"
    assert account["account"]["person"] == "A12"
    assert account["reports"][0]["text"] == "A report in unmistakable-words."
    assert {entry["query"] for entry in history["entries"]} == {
        "an unmistakable-query", "another unmistakable-query",
    }  # fmt: skip
    assert history["less_of"][0]["what"] == "T4"
    text = json.dumps(account)
    assert "argon2" not in text
    assert "secret_hash" not in text
    with community.reading() as session:
        assert reading.held(session, one).secret not in text
    assert "Bo" not in text


def test_after_deleting_no_file_holds_a_word_of_it(
    community, readers, make_account, tmp_path
) -> None:
    one = site_of_ada(community, readers, make_account)
    make_account("Somebody Else")
    with community.writing() as session:
        # Rows that were changed before leave older copies of their pages.
        session.execute(update(Account).where(Account.id == one).values(name="Ada Unmistakable B."))
    files = [path for path in (tmp_path / "site").rglob("*") if path.is_file()]
    assert any(b"nmistakable" in path.read_bytes() for path in files), "it was there before"
    before = readers.state()
    delete_account(community, readers, one)
    files = [path for path in (tmp_path / "site").rglob("*") if path.is_file()]
    assert len(files) >= 2
    for path in files:
        assert b"nmistakable" not in path.read_bytes(), path
    after = readers.state()
    assert (after.readers, after.entries) == (0, 0)
    assert after.erasures > before.erasures, "the next training is without it"
    with community.reading() as session:
        assert session.get(Account, one) is None
        for table, column, _ in owned():
            rows = session.execute(select(column).where(column == one)).all()
            assert rows == [], table.name
        left = session.scalars(select(Report)).all()
        assert [(row.account_id, row.text, row.target) for row in left] == [(None, "", "work:1")]
        assert audit.broken_at(session) is None
        lines = session.scalars(select(AuditEntry)).all()
        assert lines[-1].action == "account.delete"
        assert not any("nmistakable" in f"{line.target}{line.detail}" for line in lines)


def test_after_deleting_no_row_of_any_table_is_left_in_the_files(
    community, readers, make_account, tmp_path
) -> None:
    one, other = make_account(), make_account("Bo Other")
    with loose(community) as session:
        marks = planted(session, one, other)
    words = {mark for shown in marks.values() for mark in shown if mark.startswith("planted-")}
    before = b"".join(path.read_bytes() for path in (tmp_path / "site").iterdir())
    assert sum(word.encode() in before for word in words) >= 6
    delete_account(community, readers, one)
    after = b"".join(path.read_bytes() for path in (tmp_path / "site").iterdir())
    left = {
        place for place, shown in marks.items()
        if place not in STAYS and any(mark.encode() in after for mark in shown & words)
    }  # fmt: skip
    assert not left


def test_the_number_of_a_deleted_account_is_never_given_again(
    community, readers, make_account
) -> None:
    one = make_account()
    delete_account(community, readers, one)
    assert make_account("Next One") > one


def test_what_goes_and_what_stays_is_told_before(community, readers, make_account) -> None:
    one, other = site_of_ada(community, readers, make_account), make_account("Bo Other")
    with community.reading() as session:
        found, nothing = (preview(session, readers, number) for number in (one, other))
    goes = {what: number for number, what in found.goes}
    assert goes == {"proof": 1, "link to a history": 1}
    assert found.stays == ((1, "report"),)
    assert (found.history, found.claimed) == (2, 12)
    assert (nothing.goes, nothing.stays, nothing.history) == ((), (), 0)


def test_the_last_admin_stays(community, readers, make_account) -> None:
    one = make_account("Ada Admin", role="admin")
    with pytest.raises(NotAllowedError, match="last admin"):
        delete_account(community, readers, one)
    make_account("Bo Admin", role="admin")
    delete_account(community, readers, one)
    with pytest.raises(NotThereError):
        delete_account(community, readers, one)


def test_the_name_must_be_typed() -> None:
    confirmed("Ada Example", " Ada  Example ")
    for typed in ("", "ada example", "Ada", "Bo Other"):
        with pytest.raises(CommunityError, match="nothing was deleted"):
            confirmed("Ada Example", typed)


def test_every_table_says_what_becomes_of_its_rows() -> None:
    """A column that names an account either goes with it or is emptied; nothing else."""
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            for key in column.foreign_keys:
                if key.column.table.name == "account":
                    assert key.ondelete in ("CASCADE", "SET NULL"), f"{table.name}.{column.name}"
                    assert key.ondelete == "CASCADE" or column.nullable
