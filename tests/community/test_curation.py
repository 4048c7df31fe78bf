"""Who may decide about who is who, without pages."""

from __future__ import annotations

from typing import Any

import pytest

from peerscope.community import CommunityError, NotAllowedError, NotThereError, curation
from peerscope.community.models import Account
from peerscope.community.proofs import add_proof
from peerscope.community.sessions import find_session, open_session
from peerscope.record import Database, ingest, refresh_counts, resolve_people
from peerscope.record.identity_asked import Asked, look_at
from peerscope.record.identity_events import history
from peerscope.record.importers import importer_for
from peerscope.record.models import Person

LINES = """
@article{a, title={The first work of hers}, author={Ada Example and Cy Third}, year={2020}}
@article{b, title={The second work of hers}, author={Ada Example and Cy Third}, year={2021}}
@article{c, title={A work of another}, author={Bo Other}, year={2021}}
"""


@pytest.fixture
def record(tmp_path: Any) -> Any:
    database = Database(f"sqlite:///{tmp_path / 'record.sqlite'}")
    database.migrate()
    path = tmp_path / "works.bib"
    path.write_text(LINES)
    ingest(database, importer_for(str(path)), str(path))
    resolve_people(database)
    refresh_counts(database)
    yield database
    database.close()


@pytest.fixture
def signed_in(community: Any, make_account: Any) -> Any:
    def make(name: str, role: str = "member", level: int = 1, person: int | None = None) -> Any:
        number = make_account(name, role)
        with community.writing() as session:
            if level:
                add_proof(session, number, "email")
            session.get(Account, number).person_id = person
            secret = open_session(session, number, "password")
        with community.reading() as session:
            return find_session(session, secret)

    return make


def people(record: Database) -> dict[str, int]:
    with record.session() as session:
        rows = session.query(Person).filter(Person.merged_into_id.is_(None))
        return {one.display_name: one.id for one in rows}


MERGE = "merge"


def ask(record: Database) -> Asked:
    found = people(record)
    return Asked(MERGE, people=(found["Ada Example"], found["Bo Other"]))


def test_rights_follow_role_level_and_claims(community, signed_in, record) -> None:
    asked = ask(record)
    ada, bo = asked.people
    cases = [
        (signed_in("Moderator", "moderator", 0), "decide"), (signed_in("Member"), "decide"),
        (signed_in("Ada", person=ada), "decide"), (signed_in("Bo", person=bo), "request"),
    ]  # fmt: skip
    # With Ada's and Bo's records claimed, only moderators decide about both.
    expected = {"Moderator": "decide", "Member": "request", "Ada": "request", "Bo": "request"}
    found = look_at(record, asked)
    with community.reading() as session, record.session() as reading:
        for who, _ in cases:
            assert curation.right(session, reading, who, found).may == expected[who.name]
        with pytest.raises(NotAllowedError, match="Confirm"):
            curation.right(session, reading, signed_in("Fresh", level=0), found)


def test_a_request_is_bounded_answered_once_and_may_become_impossible(
    community, signed_in, record, monkeypatch
) -> None:
    asked = ask(record)
    owner = signed_in("Owner", person=asked.people[0])
    member, moderator = signed_in("Member"), signed_in("Moderator", "moderator")
    monkeypatch.setattr(curation, "MOST_OPEN", 1)
    with community.writing() as session:
        _, number = curation.decide(session, record, member, asked, "The same.")
    assert number is not None
    with community.writing() as session, pytest.raises(CommunityError, match="wait already"):
        curation.decide(session, record, member, asked)
    with community.writing() as session:
        event = curation.answer(session, record, moderator, number, "accept")
    assert event is not None
    with record.session() as reading:
        (past,) = history(reading)
        assert past.made_by == f"account:{member.account_id}" and past.reason == "The same."
    with community.writing() as session, pytest.raises(NotThereError):
        curation.answer(session, record, owner, number, "decline")


def test_the_owner_of_a_record_that_was_merged_away_is_still_its_owner(
    community, signed_in, record
) -> None:
    asked = ask(record)
    moderator = signed_in("Moderator", "moderator")
    found = people(record)
    owner = signed_in("Bo", person=found["Bo Other"])
    with community.writing() as session:
        done, _ = curation.decide(session, record, moderator, asked)
    with record.session() as reading, community.reading() as session:
        assert reading.get(Person, found["Bo Other"]).merged_into_id == found["Ada Example"]
        owners = curation.owners_of(session, reading, [found["Ada Example"]])
        assert owners == {found["Ada Example"]: owner.account_id}
        assert curation.own_addresses(reading, owner) >= {found["Bo Other"]}
    with community.writing() as session:
        back, waits = curation.decide(session, record, owner, Asked("undo", event=done.event))
    assert waits is None and back.kind == "undo"


def test_what_follows_elsewhere_is_told_and_called(
    community, signed_in, record, monkeypatch
) -> None:
    called: list[int] = []
    monkeypatch.setattr(curation, "AFTER", [lambda session, reading: called.append(1)])
    monkeypatch.setattr(
        curation, "TOLD", [lambda session, touched: [f"{len(touched)} are followed."]]
    )
    asked, who = ask(record), signed_in("Member")
    with community.reading() as session, record.session() as reading:
        told = curation.sentences(session, reading, who, look_at(record, asked))
    assert told == ["2 are followed."] and called == []
    with community.writing() as session:
        curation.decide(session, record, who, asked)
    assert called == [1]
