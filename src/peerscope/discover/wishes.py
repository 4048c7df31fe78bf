"""What a reader's history says of their taste, what they want less of, and readers that become an account's.

An account's reader is known by a secret that the account holds instead of a cookie. What an account saved is
copied in only where it asked for that (`mirror`), so that training reads it like everything else here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from peerscope.discover.readers import ENOUGH_HISTORY, Readers, count_erasures, new_secret
from peerscope.discover.taste import Less, Taste

ACCOUNT = "account"
"""Where a save of `mirror` comes from."""

MOST_LESS = 1_000
"""Works, topics and people together that a reader can want less of."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Something that a reader wants less of: entity letter (W, A, T), number, since when."""

    entity: str
    number: int
    at: float


def taste_of(readers: Readers, reader_id: int, up_to: int | None = None) -> tuple[Taste, int]:
    """A reader's taste, as their history and their "less of this" have it, and their last entry that counts.

    Two statements.

    Works are in order of their entries' numbers, so that opening a work again moves nothing.

    Args:
        readers: The file.
        reader_id: Whose.
        up_to: Highest entry that counts, for the later pages of a list begun then.
    """
    rows = readers.rows(
        "SELECT work_id, kind, id FROM entry WHERE reader_id = :r AND id <= :u ORDER BY id DESC LIMIT :n",
        r=reader_id, u=2**62 if up_to is None else up_to, n=4 * ENOUGH_HISTORY,
    )  # fmt: skip
    met = tuple(dict.fromkeys(work for work, _, _ in rows))[:ENOUGH_HISTORY]
    saved = {work for work, kind, _ in rows if kind == "saved"}
    less = _less(wishes_of(readers, reader_id))
    taste = Taste(met, frozenset(saved.intersection(met)), less=less)
    return taste, rows[0][2] if rows else 0


def wishes_of(readers: Readers, reader_id: int) -> list[Wish]:
    """What a reader wants less of, newest first. One statement."""
    statement = """
        SELECT entity, number, at FROM less WHERE reader_id = :r ORDER BY at DESC, entity, number
    """
    return [Wish(*row) for row in readers.rows(statement, r=reader_id)]


def _less(wishes: Sequence[Wish]) -> Less:
    def numbers(entity: str) -> frozenset[int]:
        return frozenset(wish.number for wish in wishes if wish.entity == entity)

    return Less(numbers("W"), numbers("T"), numbers("A"))


def want_less(readers: Readers, reader_id: int, entity: str, number: int, at: float) -> bool:
    """Remember that a reader wants less of something; False where they have `MOST_LESS` already."""
    statement = """
        INSERT INTO less (reader_id, entity, number, at) SELECT id, :e, :n, :t FROM reader
        WHERE id = :r AND (SELECT count(*) FROM less WHERE reader_id = :r) < :most
        ON CONFLICT DO UPDATE SET at = at
    """
    values = {"r": reader_id, "e": entity, "n": number, "t": at, "most": MOST_LESS}
    with readers.writing() as session:
        done: Any = session.execute(text(statement), values)
        return bool(done.rowcount)


def want_again(readers: Readers, reader_id: int, entity: str, number: int) -> None:
    """Forget for good that a reader wants less of something."""
    statement = "DELETE FROM less WHERE reader_id = :r AND entity = :e AND number = :n"
    with readers.writing() as session:
        session.execute(text(statement), {"r": reader_id, "e": entity, "n": number})
    readers.cut_log()


def renew(readers: Readers, reader_id: int) -> str:
    """Give a reader another secret, which is returned; the old one is nobody's any more."""
    secret, kept = new_secret()
    with readers.writing() as session:
        session.execute(
            text("UPDATE reader SET secret = :s WHERE id = :r"), {"s": kept, "r": reader_id}
        )
    return secret


def join(readers: Readers, reader_id: int, into: int) -> None:
    """Move everything of a reader to another one and erase the first.

    What both have is kept once; nothing is lost, so that this is no erasure for training.
    """
    with readers.writing() as session:
        for table in ("entry", "less"):
            session.execute(
                text(f"UPDATE OR IGNORE {table} SET reader_id = :i WHERE reader_id = :r"),  # noqa: S608
                {"r": reader_id, "i": into},
            )
        session.execute(text("DELETE FROM reader WHERE id = :r"), {"r": reader_id})
    readers.cut_log()


def mirror(readers: Readers, reader_id: int, saves: Mapping[int, float]) -> None:
    """Make the copied saves of a reader those of their account: what is new comes, what is gone is erased.

    What the reader saved by themselves stays as it is.

    Args:
        readers: The file.
        reader_id: The account's reader.
        saves: Works that the account saved, with the time (seconds since 1970); empty takes all copies out.
    """
    copied = "SELECT work_id FROM entry WHERE reader_id = :r AND kind = 'saved' AND source = :s"
    there = {work for (work,) in readers.rows(copied, r=reader_id, s=ACCOUNT)}
    gone = sorted(there - saves.keys())
    fresh = sorted(saves.keys() - there, key=lambda work: (saves[work], work))
    if not gone and not fresh:
        return
    insert = """
        INSERT INTO entry (reader_id, kind, work_id, query, at, source)
        SELECT id, 'saved', :w, '', :t, :s FROM reader WHERE id = :r
        ON CONFLICT (reader_id, work_id) WHERE kind = 'saved' DO NOTHING
    """
    erase = """
        DELETE FROM entry WHERE reader_id = :r AND kind = 'saved' AND source = :s AND work_id = :w
    """
    with readers.writing() as session:
        for work in gone:
            session.execute(text(erase), {"r": reader_id, "s": ACCOUNT, "w": work})
        for work in fresh:
            values = {"r": reader_id, "s": ACCOUNT, "w": work, "t": saves[work]}
            session.execute(text(insert), values)
        count_erasures(session, len(gone))
    if gone:
        readers.cut_log()
