"""Invitations: who may ask whom, how often, and that a refusal cannot be told from silence."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, update

from peerscope.community import (
    CommunityError,
    NotAllowedError,
    NotThereError,
    TooOftenError,
    blocks,
)
from peerscope.community import conversations as talks
from peerscope.community import invitations as inviting
from peerscope.community.models import Account, AuditEntry, Notice
from peerscope.community.proofs import add_proof
from peerscope.community.talk_models import Block, Conversation, Invitation, Message
from peerscope.community.times import now, utc

OPEN = inviting.Consents(lambda *_: "joint papers", lambda *_: False)
SHUT = inviting.Consents(lambda *_: None, lambda *_: False)
LONG_AGO = timedelta(days=40)


@pytest.fixture
def people(community, make_account):
    """Three accounts that joined a while ago, each with an identifier."""
    numbers = [make_account(f"{name} Example") for name in ("Ada", "Bo", "Cy")]
    with community.writing() as session:
        for number in numbers:
            add_proof(session, number, "orcid")
        session.execute(update(Account).values(created_at=now() - LONG_AGO))
    return numbers


def invite(community, sender, receiver, consents=OPEN, text="Shall we?") -> int:
    with community.writing() as session:
        return inviting.invite(session, sender, receiver, "paper", text, consents)


def later(community, days: float) -> None:
    """Let time pass: everything that was done moves into the past."""
    with community.writing() as session:
        for row in session.scalars(select(Invitation)):
            row.created_at = utc(row.created_at) - timedelta(days=days)
            row.expires_at = utc(row.expires_at) - timedelta(days=days)


def test_nobody_is_asked_who_did_not_agree(community, people) -> None:
    ada, bo, _ = people
    with pytest.raises(NotAllowedError, match="did not say"):
        invite(community, ada, bo, SHUT)
    with community.writing() as session:
        session.get(Account, ada).person_id = 7
    by_following = inviting.Consents(
        lambda *_: None, lambda _, account, person: (account, person) == (bo, 7)
    )
    with pytest.raises(NotAllowedError):
        invite(community, bo, ada, by_following)
    assert invite(community, ada, bo, by_following)


def test_level_text_purpose_and_oneself_are_checked(community, people, make_account) -> None:
    ada, bo, _ = people
    low = make_account("Low Level")
    with community.writing() as session:
        add_proof(session, low, "email")
    with pytest.raises(NotAllowedError, match="level L2"):
        invite(community, low, bo)
    with pytest.raises(CommunityError, match="own account"):
        invite(community, ada, ada)
    for text in ("", "  \n ", "x" * (inviting.LONGEST + 1)):
        with pytest.raises(CommunityError, match="An invitation has"):
            invite(community, ada, bo, text=text)
    with community.writing() as session, pytest.raises(CommunityError, match="what"):
        inviting.invite(session, ada, bo, "spam", "x", OPEN)
    with pytest.raises(NotThereError):
        invite(community, ada, 10**12)
    with community.writing() as session:
        add_proof(session, low, "vouch")
    assert invite(community, low, bo), "whoever is vouched for is above L2"


def test_an_accepted_invitation_begins_a_conversation(community, people) -> None:
    ada, bo, cy = people
    number = invite(community, ada, bo, text="Shall we write it?")
    with community.writing() as session:
        for other in (ada, cy):
            with pytest.raises(NotThereError):
                inviting.accept(session, other, number)
        talk = inviting.accept(session, bo, number)
        with pytest.raises(NotThereError):
            inviting.accept(session, bo, number)
    with community.reading() as session:
        assert [one.text for one in talks.read(session, bo, talk).said] == ["Shall we write it?"]
        assert inviting.sent(session, ada)[0].state == "accepted"
        kinds = session.scalars(select(Notice.kind).where(Notice.account_id == ada)).all()
        assert kinds == ["invitation.accepted"]
    with pytest.raises(CommunityError, match="conversation with this account already"):
        invite(community, bo, ada)


def test_limits_hold_whatever_became_of_earlier_ones(community, people, make_account) -> None:
    ada = people[0]
    others = [make_account(f"Other {n}") for n in range(12)]
    sent = [invite(community, ada, one) for one in others[: inviting.MOST_OPEN]]
    with community.writing() as session:
        inviting.decline(session, others[0], sent[0])
    with pytest.raises(TooOftenError, match="5 invitations open"):
        invite(community, ada, others[6])
    with community.writing() as session:
        inviting.withdraw(session, ada, sent[0])
        inviting.accept(session, others[1], sent[1])
    invite(community, ada, others[5])
    invite(community, ada, others[6])
    with pytest.raises(TooOftenError, match="before"):
        invite(community, ada, others[0])
    with community.writing() as session:
        session.execute(
            update(Invitation).where(Invitation.state == "open").values(state="accepted")
        )
    for one in others[7:10]:
        invite(community, ada, one)
    with pytest.raises(TooOftenError, match="within a week"):
        invite(community, ada, others[10])
    later(community, 8)
    invite(community, ada, others[10])


def test_a_fresh_account_sends_fewer(community, people, make_account) -> None:
    fresh = make_account("Fresh Account")
    with community.writing() as session:
        add_proof(session, fresh, "orcid")
    for other in people[: inviting.MOST_OPEN_YOUNG]:
        invite(community, fresh, other)
    with pytest.raises(TooOftenError):
        invite(community, fresh, people[2])


def test_an_invitation_expires_and_may_then_be_repeated(community, people) -> None:
    ada, bo, _ = people
    number = invite(community, ada, bo)
    later(community, 30.01)
    with community.writing() as session:
        with pytest.raises(NotThereError):
            inviting.accept(session, bo, number)
        assert inviting.received(session, bo) == []
        assert inviting.sent(session, ada)[0].state == "expired"
    assert invite(community, ada, bo)
    later(community, 100)
    invite(community, ada, bo)
    with community.reading() as session:
        assert session.scalar(select(func.count()).select_from(Invitation)) == 1


def seen_by_sender(community, sender: int) -> str:
    """All that the sender can learn from its own data, as text."""
    with community.reading() as session:
        told = session.scalars(select(Notice.kind).where(Notice.account_id == sender)).all()
        parts = [
            repr(inviting.sent(session, sender)),
            json.dumps(inviting.exported(session, sender)),
            repr(talks.talks_of(session, sender)),
            repr(told),
        ]
    return "\n".join(parts)


def test_declined_blocked_and_unread_look_the_same_to_the_sender(community, people) -> None:
    ada, bo, _ = people
    number = invite(community, ada, bo)
    unread = seen_by_sender(community, ada)
    with community.writing() as session:
        inviting.decline(session, bo, number)
    assert seen_by_sender(community, ada) == unread
    with pytest.raises(TooOftenError) as first:
        invite(community, ada, bo)
    with community.writing() as session:
        session.execute(update(Invitation).values(state="open", decided_at=None))
        blocks.block(session, bo, ada)
    assert seen_by_sender(community, ada) == unread
    with pytest.raises(TooOftenError) as second:
        invite(community, ada, bo)
    assert str(first.value) == str(second.value)
    with community.writing() as session:
        session.execute(update(Invitation).values(state="open", decided_at=None))
        inviting.withdraw(session, ada, number)


def test_what_a_blocked_account_sends_looks_sent_and_never_arrives(community, people) -> None:
    ada, bo, _ = people
    number = invite(community, bo, ada)
    with community.writing() as session:
        inviting.withdraw(session, bo, number)
        blocks.block(session, bo, ada)
    held = invite(community, ada, bo)
    with community.reading() as session:
        assert inviting.received(session, bo) == []
        assert inviting.sent(session, ada)[0].state == "open"
        assert not session.scalar(
            select(func.count()).where(Notice.account_id == bo, Notice.kind == "invitation.new",
                                       Notice.target == f"invitation:{held}")
        )  # fmt: skip
        assert "invitations received" in inviting.exported(session, bo)
        assert inviting.exported(session, bo)["invitations received"] == []
        with pytest.raises(NotThereError):
            inviting.arrived(session, bo, held)
    with community.writing() as session:
        with pytest.raises(NotThereError):
            inviting.accept(session, bo, held)
        blocks.unblock(session, bo, ada)
    with community.reading() as session:
        assert inviting.received(session, bo) == [], "also not after the block"


def test_only_whom_one_met_can_be_blocked(community, people) -> None:
    ada, _, cy = people
    with community.writing() as session:
        with pytest.raises(NotThereError):
            blocks.block(session, ada, cy)
        with pytest.raises(CommunityError):
            blocks.block(session, ada, ada)
    invite(community, cy, ada)
    with community.writing() as session:
        blocks.block(session, ada, cy)
        blocks.block(session, ada, cy)
        assert [one.account_id for one in blocks.blocked_by(session, ada)] == [cy]
        assert blocks.blocked_by(session, cy) == []


def test_erasing_an_account_takes_its_invitations(community, people) -> None:
    ada, bo, _ = people
    invite(community, ada, bo)
    with community.writing() as session:
        session.execute(delete(Account).where(Account.id == ada))
    with community.reading() as session:
        assert session.scalars(select(Invitation)).all() == []


PAIRS = [(0, 1), (1, 0), (0, 1), (1, 0), (0, 2), (2, 1)]
DOINGS = [
    "invite", "invite", "accept", "accept", "decline", "withdraw", "block", "block", "unblock",
    "write", "write", "write", "leave", "expire",
]  # fmt: skip
TALKING = [("invite", (0, 1)), ("accept", (1, 0))]


def sequence(seed: int) -> list[tuple[str, tuple[int, int]]]:
    """Steps of a seed; half of the sequences begin where two talk already.

    Drawn evenly: a list that hypothesis draws is mostly short and of one kind, and what takes three steps in
    a row hardly comes up.
    """
    chance = random.Random(seed)
    drawn = [(chance.choice(DOINGS), chance.choice(PAIRS)) for _ in range(18)]
    return (TALKING if chance.random() < 0.5 else []) + drawn


@settings(
    max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.integers(0, 10**9))
def test_any_sequence_keeps_the_rules(community, people, seed) -> None:
    with community.writing() as session:
        for table in (Message, Conversation, Invitation, Block, Notice):
            session.execute(delete(table))
    accepted: set[frozenset[int]] = set()
    refused: set[int] = set()
    for what, (first, second) in sequence(seed):
        one, other = people[first], people[second]
        with suppress(CommunityError):
            step(community, what, one, other, accepted, refused)
        check(community, people, accepted, refused)


def step(community, what, one, other, accepted, refused) -> None:
    if what == "expire":
        later(community, 31)
        return
    with community.writing() as session:
        blocked = blocks.blocks(session, other, one)
        if what == "invite":
            number = inviting.invite(session, one, other, "paper", "text", OPEN)
            if blocked:
                refused.add(number)
        elif what in ("accept", "decline"):
            for invitation in inviting.received(session, one):
                if invitation.sender_id == other:
                    getattr(inviting, what)(session, one, invitation.id)
                    if what == "accept":
                        accepted.add(frozenset((one, other)))
        elif what == "withdraw":
            for invitation in inviting.sent(session, one):
                if invitation.receiver_id == other and invitation.state == "open":
                    inviting.withdraw(session, one, invitation.id)
        elif what in ("block", "unblock"):
            getattr(blocks, what)(session, one, other)
        else:
            for talk in talks.talks_of(session, one):
                if talk.with_id == other and what == "write":
                    number = talks.write(session, one, talk.id, "words")
                    if blocked:
                        refused.add(-number)
                elif talk.with_id == other:
                    talks.leave(session, one, talk.id)


def check(community, people, accepted, refused) -> None:
    """At most one open for each pair; no message without acceptance; nothing of the blocked arrives."""
    with community.reading() as session:
        moment = now()
        pairs = [
            (row.sender_id, row.receiver_id)
            for row in session.scalars(select(Invitation))
            if row.state in ("open", "declined") and utc(row.expires_at) > moment
        ]
        assert len(pairs) == len(set(pairs))
        for one in people:
            for talk in talks.talks_of(session, one):
                said = talks.read(session, one, talk.id).said
                assert frozenset((one, talk.with_id)) in accepted
                assert all(message.mine or -message.id not in refused for message in said)
            arrived = inviting.received(session, one)
            assert not {invitation.id for invitation in arrived} & refused
            blocked = {other.account_id for other in blocks.blocked_by(session, one)}
            assert not blocked & {invitation.sender_id for invitation in arrived}
        actions = session.scalars(select(AuditEntry.action)).all()
        assert actions.count("invitation.send") >= len(pairs)
