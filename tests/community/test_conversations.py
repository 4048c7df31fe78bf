"""Conversations: two read them, nobody else; what is deleted, hidden or held back is not there."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, select, update

from peerscope.community import (
    CommunityError,
    NotAllowedError,
    NotThereError,
    blocks,
    moderation,
    targets,
)
from peerscope.community import conversations as talks
from peerscope.community.models import Account, Notice, Report
from peerscope.community.talk_models import Conversation, Message


@pytest.fixture
def two(community, make_account):
    ada, bo = make_account("Ada Example"), make_account("Bo Other")
    with community.writing() as session:
        talk = talks.begin(session, ada, bo, "paper", "Shall we?")
    return ada, bo, talk


def say(community, who, talk, text) -> int:
    with community.writing() as session:
        return talks.write(session, who, talk, text)


def texts(community, who, talk) -> list[str]:
    with community.reading() as session:
        return [one.text for one in talks.read(session, who, talk).said]


def test_what_one_writes_the_other_reads_once_as_new(community, two) -> None:
    ada, bo, talk = two
    last = say(community, ada, talk, "One.\n\n\n\nTwo <b>bold</b>\u202e")
    say(community, ada, talk, "Three.")
    with community.reading() as session:
        assert talks.talk_of(session, bo, talk).unread == 2
        assert talks.talk_of(session, ada, talk).unread == 0
        told = session.scalars(select(Notice).where(Notice.account_id == bo)).all()
        assert [(one.kind, one.target) for one in told] == [
            ("message.new", f"conversation:{talk}")
        ], "one notice is enough"
    with community.writing() as session:
        talks.seen(session, bo, talk, last)
        assert talks.talk_of(session, bo, talk).unread == 1
        talks.seen(session, bo, talk, last - 1)
        assert talks.talk_of(session, bo, talk).unread == 1, "it never goes back"
    assert texts(community, bo, talk)[1] == "One.\n\nTwo <b>bold</b>"


def test_nobody_else_comes_near_it(community, two, make_account) -> None:
    ada, _, talk = two
    eve = make_account("Eve Example")
    mine = say(community, ada, talk, "secret")
    with community.writing() as session:
        for act in (
            lambda: talks.read(session, eve, talk),
            lambda: talks.write(session, eve, talk, "x"),
            lambda: talks.mute(session, eve, talk, on=True),
            lambda: talks.leave(session, eve, talk),
            lambda: talks.delete_message(session, eve, mine),
            lambda: talks.message_to(session, eve, mine),
            lambda: talks.read(session, ada, talk + 1),
        ):
            with pytest.raises(NotThereError):
                act()
        assert talks.talks_of(session, eve) == []


def test_long_conversations_are_paged(community, two) -> None:
    ada, bo, talk = two
    with community.writing() as session:
        for n in range(talks.PER_PAGE + 5):
            talks.write(session, ada, talk, f"Message {n}")
    with community.reading() as session:
        last = talks.read(session, bo, talk)
        assert last.earlier
        assert len(last.said) == talks.PER_PAGE
        first = talks.read(session, bo, talk, before=last.said[0].id)
        assert not first.earlier
        assert [one.text for one in first.said][:2] == ["Shall we?", "Message 0"]


def test_a_muted_conversation_tells_nothing(community, two) -> None:
    ada, bo, talk = two
    with community.writing() as session:
        talks.mute(session, bo, talk, on=True)
    say(community, ada, talk, "psst")
    with community.reading() as session:
        assert session.scalars(select(Notice).where(Notice.account_id == bo)).all() == []
        assert talks.talk_of(session, bo, talk).unread == 1


def test_a_block_is_silence_for_who_is_blocked(community, two) -> None:
    ada, bo, talk = two
    with community.writing() as session:
        blocks.block(session, bo, ada)
    say(community, ada, talk, "hello?")
    assert texts(community, ada, talk) == ["Shall we?", "hello?"]
    assert texts(community, bo, talk) == ["Shall we?"]
    with community.reading() as session:
        assert talks.talk_of(session, bo, talk).unread == 0
        assert not talks.talk_of(session, ada, talk).blocked
        assert talks.talk_of(session, bo, talk).blocked
        assert session.scalars(select(Notice).where(Notice.account_id == bo)).all() == []
    with pytest.raises(NotAllowedError):
        say(community, bo, talk, "I do not hear you")
    with community.writing() as session:
        blocks.unblock(session, bo, ada)
    assert texts(community, bo, talk) == ["Shall we?"], "held back for good"
    say(community, ada, talk, "again")
    assert texts(community, bo, talk) == ["Shall we?", "again"]


def test_leaving_is_seen_and_the_last_one_takes_it_along(community, two) -> None:
    ada, bo, talk = two
    say(community, bo, talk, "No, thanks.")
    with community.writing() as session:
        talks.leave(session, ada, talk)
        with pytest.raises(NotThereError):
            talks.read(session, ada, talk)
        assert talks.talk_of(session, bo, talk).left
        with pytest.raises(CommunityError, match="other one left"):
            talks.write(session, bo, talk, "Wait")
        talks.leave(session, bo, talk)
        assert session.scalars(select(Conversation)).all() == []
        assert session.scalars(select(Message)).all() == []


def test_the_words_of_an_erased_account_are_gone(community, two) -> None:
    ada, bo, talk = two
    say(community, bo, talk, "mine stay")
    with community.writing() as session:
        session.execute(delete(Account).where(Account.id == ada))
    assert texts(community, bo, talk) == ["mine stay"]
    with community.reading() as session:
        shown = talks.talk_of(session, bo, talk)
        assert (shown.with_id, shown.name) == (None, talks.GONE)
    with pytest.raises(CommunityError):
        say(community, bo, talk, "anybody?")


def test_a_deleted_message_leaves_no_words(community, two) -> None:
    ada, bo, talk = two
    number = say(community, ada, talk, "I take this back")
    with community.writing() as session:
        with pytest.raises(NotThereError):
            talks.delete_message(session, bo, number)
        talks.delete_message(session, ada, number)
    assert texts(community, bo, talk)[-1] == ""
    with community.reading() as session:
        assert session.scalar(select(Message.text).where(Message.id == number)) == ""


def test_a_reported_message_stays_for_the_moderator_until_decided(community, two) -> None:
    ada, bo, talk = two
    say(community, bo, talk, "before that, unrelated")
    say(community, bo, talk, "just before")
    bad = say(community, ada, talk, "an insult")
    say(community, bo, talk, "just after")
    say(community, bo, talk, "long after")
    with community.writing() as session:
        number = moderation.report(session, bo, "abuse", f"message:{bad}", "It is one.")
        talks.delete_message(session, ada, bad)
        talks.leave(session, ada, talk)
        talks.leave(session, bo, talk)
        seen = targets.see(session, f"message:{bad}")
    assert [one.text for one in seen.passages] == ["just before", "an insult", "just after"]
    assert [one.meant for one in seen.passages] == [False, True, False]
    with community.writing() as session:
        moderation.decide(session, moderation.OPERATOR, number, "done", "It is.", "none")
        assert session.get(Report, number).state == "done"
        assert session.scalars(select(Message)).all() == []
        assert session.scalars(select(Conversation)).all() == []


def test_a_hidden_message_is_hidden_from_both(community, two) -> None:
    ada, bo, talk = two
    bad = say(community, ada, talk, "an insult")
    with community.writing() as session:
        session.execute(update(Message).where(Message.id == bad).values(hidden_at=None))
        moderation.hide(session, moderation.OPERATOR, f"message:{bad}", "An insult.", hidden=True)
    assert texts(community, bo, talk) == ["Shall we?", ""]
    with community.writing() as session:
        moderation.hide(session, moderation.OPERATOR, f"message:{bad}", "A mistake.", hidden=False)
    assert texts(community, bo, talk) == ["Shall we?", "an insult"]


def test_export_holds_ones_own_words_only(community, two) -> None:
    _, bo, talk = two
    say(community, bo, talk, "my words")
    with community.reading() as session:
        kept = talks.exported(session, bo)
    assert [one["text"] for one in kept["messages written"]] == ["my words"]
    assert kept["conversations"] == [{"id": f"T{talk}", "with": "Ada Example", "muted": False}]
