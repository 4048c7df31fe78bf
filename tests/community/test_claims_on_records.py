"""Claims on records: every way to acceptance, conflicts, revocation, merges, and what strangers try."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from peerscope.community import CommunityError, NotAllowedError, NotThereError, audit
from peerscope.community.claim_block import claim_block
from peerscope.community.claim_evidence import At, Facts, current_person, facts_of, heirs_of
from peerscope.community.claim_merges import claims_touched, follow_merges
from peerscope.community.claim_routes import met, routes_for
from peerscope.community.claim_vouches import ask_coauthor, unvouch_claim, vouch_for_claim
from peerscope.community.claiming import (
    AGAIN_AFTER,
    claim_of,
    decide,
    level_without,
    look_again,
    open_claim,
    owner_of,
    recheck,
    rests_on,
    revoke,
    withdraw,
)
from peerscope.community.claiming_models import ClaimOnRecord
from peerscope.community.domains import Place, store_domains
from peerscope.community.models import Account, Notice, Proof, Report
from peerscope.community.person_settings import kept_people, set_person
from peerscope.community.proofs import YEAR, add_proof, level_of, revoke_proof
from peerscope.community.ror import Organisation
from peerscope.record import Database, ingest, refresh_counts, resolve_people
from peerscope.record.identity_events import decide as decide_identity
from peerscope.record.identity_events import merge, undo
from peerscope.record.importers import importer_for
from peerscope.record.models import Person

ORCID, OTHER_ORCID = "0000-0002-1825-0097", "0000-0001-5109-3700"
NORTH = {"name": "North Example University", "ror": "https://ror.org/012345600"}
WORKS = [
    {"id": "w1", "title": "On examples of the first kind", "year": 2020, "authors": [
        {"id": "ada", "name": "Ada Example", "orcid": ORCID, "institutions": [NORTH]},
        {"id": "bo", "name": "Bo Other", "institutions": [{"name": "South Sample College"}]}]},
    {"id": "w2", "title": "On examples of the second kind", "year": 2021, "authors": [
        {"id": "ada", "name": "Ada Example"}, {"id": "cy", "name": "Cy Third"}]},
    {"id": "w3", "title": "A work alone in the field", "year": 2021, "authors": [
        {"id": "cy", "name": "Cy Third", "institutions": [NORTH]}]},
    {"id": "w4", "title": "Another of that name writes", "year": 2022, "authors": [
        {"id": "cy2", "name": "C. Third", "institutions": [NORTH]}]},
    {"id": "w5", "title": "Initials only are printed here", "year": 2022, "authors": [
        {"id": "dee", "name": "D. Fourth", "institutions": [NORTH]}]},
]  # fmt: skip


@pytest.fixture(scope="module")
def record(tmp_path_factory) -> Iterator[Database]:
    folder = tmp_path_factory.mktemp("record")
    lines = folder / "works.jsonl"
    lines.write_text("\n".join(json.dumps(work) for work in WORKS), encoding="utf-8")
    database = Database(f"sqlite:///{folder / 'record.sqlite'}")
    database.migrate()
    ingest(database, importer_for(str(lines)), str(lines))
    resolve_people(database)
    refresh_counts(database)
    yield database
    database.close()


@pytest.fixture(scope="module")
def people(record) -> dict[str, int]:
    with record.session() as session:
        return dict(session.execute(select(Person.display_name, Person.id)).all())


@pytest.fixture
def said(community):
    """Institutions of the test: one domain each, and one that four share."""
    with community.writing() as session:
        store_domains(
            session,
            [
                Organisation("012345600", "North Example University",
                             ("north example university",), ("north.example",), ()),
                Organisation("012345601", "South Sample College",
                             ("south sample college",), ("south.example",), ()),
            ],
        )  # fmt: skip


@pytest.fixture
def act(community, record):
    """Both sessions, committed."""
    from contextlib import contextmanager

    @contextmanager
    def both():
        with community.writing() as session, record.session() as reading:
            yield session, reading

    return both


def state(session, account: int) -> tuple[str, str]:
    claim = session.scalar(
        select(ClaimOnRecord)
        .where(ClaimOnRecord.account_id == account)
        .order_by(ClaimOnRecord.id.desc())
    )
    return claim.state, claim.route


def told(session, account: int) -> list[str]:
    return list(session.scalars(
        select(Notice.kind).where(Notice.account_id == account).order_by(Notice.id)))  # fmt: skip


def test_the_same_orcid_is_accepted_at_once(act, make_account, people) -> None:
    ada = make_account("Somebody Else By Name")
    with act() as (session, record):
        add_proof(session, ada, "orcid", value=ORCID, issuer="orcid.org")
        open_claim(session, record, ada, people["Ada Example"])
        assert state(session, ada) == ("accepted", "orcid")
        assert session.get(Account, ada).person_id == people["Ada Example"]
        assert owner_of(session, people["Ada Example"]) == ada
        assert told(session, ada) == ["claim.accepted"]
        block = claim_block(session, people["Ada Example"], ada)
        assert (block.owner.level, block.mine) == (2, "accepted")
        assert ORCID in block.owner.evidence
        assert audit.broken_at(session) is None


def test_an_orcid_that_was_typed_or_is_expired_or_another_accepts_nothing(
    act, make_account, people, monkeypatch
) -> None:
    one = make_account("Ada Example")
    with act() as (session, record):
        add_proof(session, one, "orcid", value=OTHER_ORCID, issuer="orcid.org")
        add_proof(session, one, "vouch", value=ORCID, note="typed by hand")
        open_claim(session, record, one, people["Ada Example"])
        assert state(session, one) == ("open", "")
        assert session.get(Account, one).person_id is None
        reports = session.scalars(select(Report).where(Report.kind == "claim")).all()
        assert [(row.target, row.state) for row in reports] == [
            (f"person:{people['Ada Example']}", "open")
        ]


def test_an_address_and_a_compatible_name_are_accepted_at_once(
    act, make_account, people, said
) -> None:
    ada = make_account("Ada Example")
    with act() as (session, record):
        add_proof(session, ada, "domain", value="north.example", value_hash="x")
        open_claim(session, record, ada, people["Ada Example"])
        assert state(session, ada) == ("accepted", "domain")
        assert "north.example" in claim_of(session, ada).evidence


@pytest.mark.parametrize(
    ("name", "person", "domain", "says"),
    [
        ("Bo Somebody", "Ada Example", "north.example", "not compatible"),
        ("A. Example", "Ada Example", "north.example", "not compatible in full"),
        ("Ada Example", "Ada Example", "south.example", "of no institution that the works state"),
        ("Cy Third", "Cy Third", "north.example", "1 more in this record bear such a name"),
        ("Dee Fourth", "D. Fourth", "north.example", "not compatible in full"),
    ],
)
def test_an_address_alone_is_not_enough(
    act, make_account, people, said, name, person, domain, says
) -> None:
    one = make_account(name)
    with act() as (session, record):
        add_proof(session, one, "domain", value=domain, value_hash="x")
        open_claim(session, record, one, people[person])
        assert state(session, one) == ("open", "")
        facts = facts_of(record, current_person(record, people[person]))
        ways = {way.kind: way for way in routes_for(session, record, facts, one)}
        assert says in ways["domain"].says
        assert met(list(ways.values())) is None


def test_an_institution_is_matched_by_ror_id_and_by_name_only_without_one(
    act, make_account, people, said
) -> None:
    place = Place("x.example", (("0zzzzzz00", "North"),), frozenset({"north example university"}))
    assert not At(1, "North Example University", "012345600").is_at(place)
    assert At(1, "North Example University", None).is_at(place)
    bo = make_account("Bo Other")
    with act() as (session, record):
        add_proof(session, bo, "domain", value="south.example", value_hash="x")
        open_claim(session, record, bo, people["Bo Other"])
        assert state(session, bo) == ("accepted", "domain"), "the record names it without a ROR id"


def test_another_orcid_outweighs_an_address(act, make_account, people, said) -> None:
    ada = make_account("Ada Example")
    with act() as (session, record):
        add_proof(session, ada, "domain", value="north.example", value_hash="x")
        add_proof(session, ada, "orcid", value=OTHER_ORCID)
        open_claim(session, record, ada, people["Ada Example"])
        assert state(session, ada) == ("open", "")


def test_a_record_with_several_orcids_may_be_several_people(community, make_account) -> None:
    facts = Facts(1, "Ada Example", ("Ada Example",), (ORCID, OTHER_ORCID), (), ())
    ada = make_account("Ada Example")
    with community.writing() as session:
        add_proof(session, ada, "orcid", value=ORCID)
        from peerscope.community.claim_routes import _by_orcid
        from peerscope.community.proofs import proofs_of

        assert _by_orcid(facts, proofs_of(session, ada)).state == "moderator"


@pytest.fixture
def ada_owns(act, make_account, people):
    ada = make_account("Ada Example")
    with act() as (session, record):
        add_proof(session, ada, "orcid", value=ORCID)
        open_claim(session, record, ada, people["Ada Example"])
    return ada


def test_a_coauthor_who_owns_their_record_vouches(act, make_account, people, ada_owns) -> None:
    bo, cy = make_account("Bo Other"), make_account("Cy Third")
    with act() as (session, record):
        claim = open_claim(session, record, bo, people["Bo Other"])
        ask_coauthor(session, record, bo, people["Bo Other"], ada_owns)
        assert told(session, ada_owns)[-1] == "claim.vouch_asked"
        with pytest.raises(NotThereError):
            ask_coauthor(session, record, bo, people["Bo Other"], cy)
        with pytest.raises(NotThereError):
            vouch_for_claim(session, record, cy, claim.id, "We sat in one office for years.")
        with pytest.raises(NotThereError):
            vouch_for_claim(session, record, bo, claim.id, "I know myself very well.")
        with pytest.raises(CommunityError, match="10 to 300"):
            vouch_for_claim(session, record, ada_owns, claim.id, "yes")
        vouch_for_claim(session, record, ada_owns, claim.id, "We sat in one office for years.")
        assert state(session, bo) == ("accepted", "vouch")
        assert claim.evidence.endswith("We sat in one office for years.")
        with pytest.raises(NotThereError):
            unvouch_claim(session, record, cy, claim.id)
        unvouch_claim(session, record, ada_owns, claim.id)
        assert state(session, bo) == ("open", "")
        assert session.get(Account, bo).person_id is None


def test_who_was_vouched_for_cannot_vouch_on_without_a_proof(
    act, make_account, people, ada_owns
) -> None:
    cy, bo = make_account("Cy Third"), make_account("Bo Other")
    with act() as (session, record):
        claim = open_claim(session, record, cy, people["Cy Third"])
        vouch_for_claim(session, record, ada_owns, claim.id, "We wrote it together in spring.")
        assert level_of(session, cy) == 0
        withdraw(session, record, ada_owns)
        again = open_claim(session, record, bo, people["Ada Example"])
        with pytest.raises(NotAllowedError, match="L2"):
            vouch_for_claim(session, record, cy, again.id, "We wrote it together in spring.")


def test_two_cannot_vouch_for_each_others_claims(act, make_account, people, ada_owns) -> None:
    cy = make_account("Cy Third")
    with act() as (session, record):
        add_proof(session, cy, "orcid", value=OTHER_ORCID)
        claim = open_claim(session, record, cy, people["Cy Third"])
        vouch_for_claim(session, record, ada_owns, claim.id, "We wrote it together in spring.")
        withdraw(session, record, ada_owns)
        orcid = session.scalar(select(Proof.id).where(Proof.account_id == ada_owns))
        revoke(session, record, ada_owns, orcid, "gone")
        again = open_claim(session, record, ada_owns, people["Ada Example"])
        assert again.state == "open"
        with pytest.raises(NotAllowedError, match="each other"):
            vouch_for_claim(session, record, cy, again.id, "We wrote it together in spring.")


def test_two_claims_are_disputed_until_a_moderator_decides(act, make_account, people) -> None:
    one, two = make_account("Bo Other"), make_account("Bo Other")
    moderator, member = make_account("Mo", "moderator"), make_account("Me")
    with act() as (session, record):
        first = open_claim(session, record, one, people["Bo Other"])
        second = open_claim(session, record, two, people["Bo Other"])
        assert (first.state, second.state) == ("disputed", "disputed")
        assert owner_of(session, people["Bo Other"]) is None
        assert told(session, one) == ["claim.disputed"]
        with pytest.raises(NotAllowedError):
            decide(session, record, member, second.id, True, "Because I say so.")
        decide(session, record, moderator, second.id, True, "They showed the signed copy.")
        assert (first.state, second.state, second.route) == ("declined", "accepted", "moderator")
        assert first.reason == "They showed the signed copy."
        assert owner_of(session, people["Bo Other"]) == two
        assert told(session, one)[-1] == "claim.declined"
        assert [row.state for row in session.scalars(select(Report))] == ["done"]
        with pytest.raises(CommunityError, match="can be claimed again from"):
            open_claim(session, record, one, people["Bo Other"])
        first.decided_at -= AGAIN_AFTER + timedelta(days=1)
        session.flush()
        assert open_claim(session, record, one, people["Bo Other"]).state == "disputed"


def test_an_owner_keeps_the_record_until_it_is_decided(
    act, make_account, people, ada_owns, said
) -> None:
    two, moderator = make_account("Ada Example"), make_account("Mo", "moderator")
    with act() as (session, record):
        add_proof(session, two, "domain", value="north.example", value_hash="y")
        second = open_claim(session, record, two, people["Ada Example"])
        assert second.state == "disputed"
        assert owner_of(session, people["Ada Example"]) == ada_owns
        assert told(session, ada_owns)[-1] == "claim.contested"
        assert claim_block(session, people["Ada Example"], ada_owns).contested
        assert not claim_block(session, people["Ada Example"], None).contested
        decide(session, record, moderator, second.id, True, "The other account was a mistake.")
        assert session.get(Account, ada_owns).person_id is None
        assert session.get(Account, two).person_id == people["Ada Example"]


def test_a_declined_rival_leaves_the_other_claim_to_the_rules(
    act, make_account, people, said
) -> None:
    one, two, moderator = (
        make_account("Bo Other"), make_account("Bo Other"), make_account("Mo", "moderator"),
    )  # fmt: skip
    with act() as (session, record):
        add_proof(session, one, "domain", value="south.example", value_hash="y")
        second = open_claim(session, record, two, people["Bo Other"])
        first = open_claim(session, record, one, people["Bo Other"])
        assert (first.state, second.state) == ("disputed", "disputed")
        decide(session, record, moderator, second.id, False, "Nothing was shown for it.")
        assert (first.state, first.route) == ("accepted", "domain")


def test_a_claim_that_shows_nothing_does_not_keep_the_records_orcid_waiting(
    act, make_account, people
) -> None:
    squatter, ada = make_account("Ada Example"), make_account("Ada Example")
    with act() as (session, record):
        held = open_claim(session, record, squatter, people["Ada Example"])
        add_proof(session, ada, "orcid", value=ORCID)
        assert open_claim(session, record, ada, people["Ada Example"]).state == "accepted"
        assert held.state == "disputed", "a moderator may still look at it"


def test_a_moderator_does_not_decide_on_a_record_that_they_claim(act, make_account, people) -> None:
    one, moderator = make_account("Bo Other"), make_account("Bo Other", "moderator")
    with act() as (session, record):
        claim = open_claim(session, record, one, people["Bo Other"])
        mine = open_claim(session, record, moderator, people["Bo Other"])
        for number in (claim.id, mine.id):
            with pytest.raises(NotAllowedError, match="another moderator"):
                decide(session, record, moderator, number, number == mine.id, "It is mine, really.")


def test_an_account_has_one_record(act, make_account, people, ada_owns) -> None:
    with act() as (session, record):
        with pytest.raises(CommunityError, match=rf"A{people['Ada Example']} already"):
            open_claim(session, record, ada_owns, people["Bo Other"])
        assert withdraw(session, record, ada_owns) == people["Ada Example"]
        assert session.get(Account, ada_owns).person_id is None
        assert open_claim(session, record, ada_owns, people["Bo Other"]).state == "open"
        with pytest.raises(NotThereError):
            open_claim(session, record, ada_owns, 10**14)


def test_revoking_a_proof_drops_the_level_and_the_record_that_rested_on_it(
    act, make_account, people, ada_owns, said
) -> None:
    other = make_account("Bo Other")
    with act() as (session, record):
        add_proof(session, ada_owns, "email")
        orcid = claim_of(session, ada_owns).proof_id
        assert rests_on(session, ada_owns, orcid) == people["Ada Example"]
        assert level_without(session, ada_owns, orcid) == 1
        with pytest.raises(NotThereError):
            revoke(session, record, other, orcid, "not mine to revoke")
        revoke(session, record, ada_owns, orcid, "I left ORCID")
        assert level_of(session, ada_owns) == 1
        assert state(session, ada_owns) == ("open", "")
        assert owner_of(session, people["Ada Example"]) is None
        assert told(session, ada_owns)[-1] == "claim.reopened"


def test_a_proof_shown_after_the_claim_is_looked_at(act, make_account, people, said) -> None:
    ada = make_account("Ada Example")
    with act() as (session, record):
        look_again(session, record, ada)
        open_claim(session, record, ada, people["Ada Example"])
        assert state(session, ada) == ("open", "")
        number = add_proof(session, ada, "domain", value="north.example", value_hash="x")
        look_again(session, record, ada)
        assert state(session, ada) == ("accepted", "domain")
        revoke_proof(session, number, audit.OPERATOR, "a mistake")
        look_again(session, record, ada)
        assert state(session, ada) == ("open", "")


def test_another_way_holds_a_claim_whose_proof_was_revoked_by_somebody_else(
    act, make_account, people, ada_owns, said
) -> None:
    with act() as (session, record):
        add_proof(session, ada_owns, "domain", value="north.example", value_hash="x")
        revoke_proof(session, claim_of(session, ada_owns).proof_id, audit.OPERATOR, "shared iD")
        recheck(session, record, ada_owns)
        assert state(session, ada_owns) == ("accepted", "domain")
        assert session.get(Account, ada_owns).person_id == people["Ada Example"]
        recheck(session, record, ada_owns)
        assert state(session, ada_owns) == ("accepted", "domain")


def test_an_expired_proof_lowers_the_level_and_leaves_the_record(
    act, make_account, people, said, clock
) -> None:
    ada = make_account("Ada Example")
    with act() as (session, record):
        add_proof(session, ada, "domain", value="north.example", value_hash="x")
        open_claim(session, record, ada, people["Ada Example"])
        assert level_of(session, ada) == 3
        clock.move(YEAR + timedelta(days=1))
        assert level_of(session, ada) == 0
        recheck(session, record, ada)
        assert state(session, ada) == ("accepted", "domain")
        assert claim_block(session, people["Ada Example"]).owner.level == 0
        withdraw(session, record, ada)
        assert open_claim(session, record, ada, people["Ada Example"]).state == "open"


def test_claims_follow_a_merge_and_its_undoing(
    community, record, make_account, people, act
) -> None:
    cy, cy2 = people["Cy Third"], people["C. Third"]
    one, two = make_account("Cy Third"), make_account("Cy Third")
    moderator = make_account("Mo", "moderator")
    with act() as (session, reading):
        for account, person in ((one, cy), (two, cy2)):
            claim = open_claim(session, reading, account, person)
            decide(session, reading, moderator, claim.id, True, "They showed documents.")
        set_person(session, cy2, moderator, noindex=True)
        assert [(row.person_id, row.state) for row in claims_touched(session, [cy, cy2])] == [
            (min(cy, cy2), "accepted"), (max(cy, cy2), "accepted"),
        ]  # fmt: skip
    with record.session() as session:
        proposal = merge(session, [cy, cy2])
    event = decide_identity(record, proposal, "a test").event
    with act() as (session, reading):
        kept = current_person(reading, cy2).id
        assert kept == current_person(reading, cy).id
        gone = ({cy, cy2} - {kept}).pop()
        assert heirs_of(reading, [cy, cy2]) == {gone: kept}
        assert follow_merges(session, reading) == 1
        states = {state(session, one)[0], state(session, two)[0]}
        assert states == {"accepted", "disputed"}
        owner = owner_of(session, kept)
        assert owner == (one if kept == cy else two)
        assert session.get(Account, owner).person_id == kept
        assert kept in kept_people(session).noindex
        assert follow_merges(session, reading) == 0
    undo(record, event, "a test")
    with act() as (session, reading):
        assert follow_merges(session, reading) == 1
        moved = two if kept == cy else one
        assert claim_of(session, moved).person_id == gone
        assert state(session, moved)[0] == "open", "a moderator decides anew"
        assert state(session, owner)[0] == "accepted"


def test_a_dispute_ends_when_the_other_account_is_gone(act, make_account, people, said) -> None:
    one, two = make_account("Bo Other"), make_account("Bo Other")
    with act() as (session, record):
        add_proof(session, one, "domain", value="south.example", value_hash="y")
        open_claim(session, record, two, people["Bo Other"])
        open_claim(session, record, one, people["Bo Other"])
        assert state(session, one) == ("disputed", "")
        session.delete(session.get(Account, two))
        session.flush()
        follow_merges(session, record)
        assert state(session, one) == ("accepted", "domain")


def test_a_suspended_owner_is_not_shown(act, make_account, people, ada_owns) -> None:
    with act() as (session, _):
        session.get(Account, ada_owns).state = "suspended"
        session.flush()
        assert claim_block(session, people["Ada Example"]).owner is None
        assert owner_of(session, people["Ada Example"]) is None


def test_moments_are_kept_in_utc(act, people, ada_owns) -> None:
    with act() as (session, _):
        since = claim_block(session, people["Ada Example"]).owner.since
        assert since.tzinfo is not None
        assert abs(datetime.now(UTC) - since) < timedelta(minutes=1)
