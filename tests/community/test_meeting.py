"""Follows, libraries, collections, reactions and reviews, below the pages."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select, text, update

from peerscope.community import (
    CommunityError,
    NotAllowedError,
    NotThereError,
    collection_members,
    collection_works,
    collections,
    follows,
    reactions,
    review_pages,
    reviews,
    saves,
)
from peerscope.community.collection_works import changes, works_of
from peerscope.community.meeting_models import Review, ReviewVersion
from peerscope.community.models import Account, AuditEntry, Base, Notice
from peerscope.community.proofs import add_proof
from peerscope.community.standing import standing_of
from peerscope.community.talk_models import Block
from peerscope.community.times import now
from peerscope.record import count_statements

WORDS = {
    "summary": "It shows where the two temperatures enter the gradient.",
    "confidence": "4",
    "relation": "none",
}


@pytest.fixture
def people(community, make_account) -> list[int]:
    """Four accounts with a confirmed address."""
    found = [make_account(name) for name in ("Ada Example", "Bo Other", "Cy Third", "Dee Fourth")]
    with community.writing() as session:
        for number in found:
            add_proof(session, number, "email")
    return found


def nobody(_) -> set[int]:
    return set()


def test_a_follow_is_counted_and_named_only_by_choice(community, people) -> None:
    ada, bo, cy, _ = people
    with community.writing() as session:
        follows.follow(session, ada, "A7", 5)
        follows.follow(session, bo, "A7", 5, visible=True)
        follows.follow(session, ada, "A7", 9)
    with community.reading() as session:
        with count_statements(community.database.engine) as seen:
            to_ada = follows.following(session, "A7", ada)
        assert seen.count == 1
        assert (to_ada.count, to_ada.mine, to_ada.visible) == (2, True, False)
        assert to_ada.names == ("Bo Other",)
        anybody = follows.following(session, "A7")
        assert (anybody.count, anybody.mine, anybody.names) == (2, False, ("Bo Other",))
        (mine,) = follows.follows_of(session, ada)
        assert (mine.seen_seq, mine.letter, mine.number) == (5, "A", 7)
        with pytest.raises(NotThereError):
            follows.show(session, cy, mine.id, True)
    with community.writing() as session:
        session.execute(update(Account).where(Account.id == bo).values(state="suspended"))
        assert follows.following(session, "A7").count == 1
        assert follows.unfollow(session, ada, "A7")
        assert not follows.unfollow(session, ada, "A7")


@pytest.mark.parametrize(
    "target",
    ["", "A", "A0", "W1", "A1x", "A" + "9" * 16, "/works", "https://example.org", "//search?q=1",
     "/search?" + "x" * 5_000, "/search?q=é", "A١"],
)  # fmt: skip
def test_what_is_no_target_is_not_followed(community, people, target) -> None:
    with pytest.raises(CommunityError, match="cannot be followed"), community.writing() as session:
        follows.follow(session, people[0], target, 1)


def test_what_was_seen_never_goes_back(community, people) -> None:
    ada, bo, *_ = people
    with community.writing() as session:
        follows.follow(session, ada, "A7", 10)
        follows.follow(session, bo, "A7", 10)
        follows.mark_seen(session, ada, 20, now() + timedelta(days=400))
        follows.mark_seen(session, ada, 15, now() - timedelta(days=3))
        (mine,), (other,) = follows.follows_of(session, ada), follows.follows_of(session, bo)
        assert (mine.seen_seq, other.seen_seq) == (20, 10)
        assert mine.seen_at <= now()
        # Another's follow is out of reach, whatever number the form says.
        follows.mark_seen(session, bo, 30, now(), mine.id)
        assert follows.follows_of(session, ada)[0].seen_seq == 20


def test_a_library_is_its_owners_alone(community, people) -> None:
    ada, bo, *_ = people
    with community.writing() as session:
        for work in (3, 1, 2):
            saves.save(session, ada, work)
        saves.save(session, ada, 3, "read")
        saves.change(session, ada, 1, state="reading", note="a\r\nb", tags="Deep, deep,  two words")
        with pytest.raises(NotThereError):
            saves.change(session, bo, 1, note="x")
        assert not saves.remove(session, bo, 1)
        with pytest.raises(CommunityError):
            saves.change(session, ada, 1, state="burned")
        with pytest.raises(CommunityError):
            saves.change(session, ada, 1, tags="x" * 41)
        with pytest.raises(CommunityError):
            saves.change(session, ada, 1, tags=",".join(map(str, range(21))))
    with community.reading() as session:
        assert [work for work, _ in saves.saved_works(session, ada)] == [2, 1, 3]
        assert saves.saved_among(session, ada, [1, 3, 9]) == {1: "reading", 3: "to_read"}
        kept = {one.work_id: one for one in saves.library(session, ada)}
        assert (kept[1].note, kept[1].tags) == ("a\nb", ("deep", "two words"))
        assert saves.library(session, bo) == []


def test_who_may_do_what_with_a_collection(community, people) -> None:
    owner, editor, viewer, stranger = people
    with community.writing() as session:
        number = collections.make(session, owner, "A list", "What it is", "private")
        collection_works.add(session, owner, number, 11)
        for guest, role in ((editor, "editor"), (viewer, "viewer")):
            collection_members.invite(session, owner, number, guest, role)
        for guest in (editor, viewer, stranger):
            with pytest.raises(NotThereError):
                collections.look(session, number, guest)
        collection_members.answer(session, editor, number, accept=True)
        collection_members.answer(session, viewer, number, accept=True)
        with pytest.raises(NotThereError):
            collection_members.answer(session, stranger, number, accept=True)
        roles = [collections.look(session, number, one).role for one in (owner, editor, viewer)]
        assert roles == ["owner", "editor", "viewer"]
        collection_works.add(session, editor, number, 12)
        for may_not, error in ((viewer, NotAllowedError), (stranger, NotThereError)):
            with pytest.raises(error):
                collection_works.add(session, may_not, number, 13)
            with pytest.raises(error):
                collection_works.remove(session, may_not, number, 11)
            with pytest.raises(error):
                collection_works.move(session, may_not, number, 11, 1)
            with pytest.raises(error):
                collection_works.say(session, may_not, number, 11, "x", "")
        for may_not, error in ((editor, NotAllowedError), (stranger, NotThereError)):
            with pytest.raises(error):
                collections.describe(session, may_not, number, "x", "", "public")
            with pytest.raises(error):
                collections.erase(session, may_not, number)
            with pytest.raises(error):
                collection_members.invite(session, may_not, number, stranger, "editor")
            with pytest.raises(error):
                collection_members.dismiss(session, may_not, number, viewer)
        collections.describe(session, owner, number, "A list", "What it is", "unlisted")
        key = collections.look(session, number, owner).key
        assert len(key) >= 20
        for wrong in ("", "x", key[:-1], key + "x", "é"):
            with pytest.raises(NotThereError):
                collections.look(session, number, stranger, wrong)
        assert collections.look(session, number, stranger, key).role == ""
        assert collections.look(session, number, None, key).works == 2
        with pytest.raises(NotThereError):
            collection_works.add(session, stranger, number, 13)
        collections.describe(session, owner, number, "A list", "What it is", "public")
        assert collections.look(session, number).title == "A list"
        assert [one.id for one in collections.public(session).rows] == [number]
        session.execute(update(Account).where(Account.id == owner).values(state="suspended"))
        assert collections.public(session).total == 0
        with pytest.raises(NotThereError):
            collections.look(session, number, stranger)
        assert collections.look(session, number, editor).can_edit


def test_declining_is_told_to_nobody(community, people) -> None:
    owner, guest, *_ = people
    with community.writing() as session:
        number = collections.make(session, owner, "A list")
        collection_members.invite(session, owner, number, guest, "viewer")
        waiting = collection_members.members_of(session, number)
        collection_members.answer(session, guest, number, accept=False)
        assert collection_members.members_of(session, number) == waiting
        assert collection_members.invitations(session, guest) == []
        told = session.scalar(select(func.count()).where(Notice.account_id == owner))
        assert told == 0
        asked = session.scalar(select(func.count()).where(Notice.account_id == guest))
        collection_members.dismiss(session, owner, number, guest)
        assert collection_members.members_of(session, number) == []
        collection_members.invite(session, owner, number, guest, "viewer")
        assert collection_members.members_of(session, number) == waiting
        assert collection_members.invitations(session, guest) == []
        assert session.scalar(select(func.count()).where(Notice.account_id == guest)) == asked
        with pytest.raises(NotThereError, match="no account U99"):
            collection_members.invite(session, owner, number, 99, "viewer")
        with pytest.raises(CommunityError):
            collection_members.invite(session, owner, number, owner, "viewer")
        with pytest.raises(CommunityError):
            collection_members.invite(session, owner, number, people[2], "owner")


def test_who_is_blocked_invites_nobody(community, people) -> None:
    owner, guest, *_ = people
    with community.writing() as session:
        session.add(Block(account_id=guest, blocked_id=owner, created_at=now()))
        number = collections.make(session, owner, "A list")
        collection_members.invite(session, owner, number, guest, "viewer")
        assert [one.accepted for one in collection_members.members_of(session, number)] == [False]
        assert collection_members.invitations(session, guest) == []
        assert session.scalar(select(func.count()).where(Notice.account_id == guest)) == 0
        with pytest.raises(NotThereError):
            collection_members.answer(session, guest, number, accept=True)


def test_a_fork_copies_works_and_no_words(community, people) -> None:
    ada, bo, cy, _ = people
    with community.writing() as session:
        number = collections.make(session, ada, "A list", "My words", "public")
        for work in (5, 3, 4):
            collection_works.add(session, ada, number, work)
        collection_works.say(session, ada, number, 3, "A note of mine", "my tag")
        copy = collection_works.fork(session, bo, number, "Mine now")
        held = works_of(session, copy)
        assert [one.work_id for one in held] == [5, 3, 4]
        assert all(not one.notes and not one.tags for one in held)
        seen = collections.look(session, copy, bo)
        assert (seen.visibility, seen.description, seen.forked_from_id) == ("private", "", number)
        with pytest.raises(NotThereError):
            collection_works.fork(session, cy, copy, "Not mine")
        kinds = [line.kind for line in changes(session, number)]
        assert kinds == ["tagged", "noted", "added", "added", "added", "made"] or kinds == [
            "noted", "tagged", "added", "added", "added", "made",
        ]  # fmt: skip
        lines = changes(session, number)
        assert [line.id for line in changes(session, number, lines[2].id)] == [
            line.id for line in lines[:2]
        ]


def test_one_account_has_one_vote_and_authors_none(community, people) -> None:
    ada, bo, cy, dee = people
    with community.writing() as session:
        session.execute(update(Account).where(Account.id == dee).values(person_id=70))
        session.execute(update(Account).where(Account.id == cy).values(person_id=71))
        for account, value in ((ada, 1), (ada, -1), (ada, 1), (bo, -1), (cy, 1), (dee, 1)):
            reactions.vote(session, account, 9, value)
        with pytest.raises(CommunityError):
            reactions.vote(session, ada, 9, 100)
        reactions.react(session, dee, 9, "clear", "The section on gradients is clear.")
        reactions.react(session, ada, 9, "clear", "The section on gradients is clear.")
        reviews.write(session, dee, 9, WORDS)
        saves.save(session, bo, 9)
    with community.reading() as session:
        with count_statements(community.database.engine) as seen:
            found = standing_of(session, 9, lambda people: {70} & set(people), ada)
        assert seen.count == 1
        assert (found.likes, found.dislikes, found.by_authors) == (2, 1, 1)
        assert (found.reactions["clear"], found.reactions_by_authors) == (1, 1)
        assert (found.reviews, found.reviews_by_authors, found.saves) == (1, 1, 1)
        assert (found.my_vote, found.my_kinds, found.my_state) == (1, ("clear",), "")
        assert standing_of(session, 9, nobody, bo).my_state == "to_read"
        assert standing_of(session, 9, nobody).my_vote == 0
        assert standing_of(session, 8, nobody, ada) == standing_of(session, 8, nobody)
    with community.writing() as session:
        session.execute(update(Account).where(Account.id == ada).values(state="suspended"))
        assert standing_of(session, 9, nobody).likes == 2


@pytest.mark.parametrize(
    ("evidence", "link"),
    [("short", ""), ("x" * 301, ""), ("ten or more characters", "javascript:alert(1)"),
     ("ten or more characters", "data:text/html,x"), ("ten or more characters", "//example.org"),
     ("ten or more characters", "https:///nohost"), ("ten or more characters", "ftp://example.org"),
     ("ten or more characters", "https://user@example.org/"), ("ten or more characters", "http://[x"),
     ("ten or more characters", "https://example.org/" + "x" * 500)],
)  # fmt: skip
def test_a_reaction_needs_a_line_and_a_plain_link(community, people, evidence, link) -> None:
    with pytest.raises(CommunityError), community.writing() as session:
        reactions.react(session, people[0], 9, "clear", evidence, link)


def test_reactions_are_ones_own(community, people, make_account) -> None:
    ada, bo, *_ = people
    newcomer = make_account("New Comer")
    with community.writing() as session:
        first = reactions.react(
            session, ada, 9, "clear", "It is well explained.", "https://example.org"
        )
        again = reactions.react(session, ada, 9, "clear", "It is very well\n explained.")
        assert first == again
        (shown,) = reactions.reactions_of(session, 9).rows
        assert (shown.evidence, shown.link) == ("It is very well explained.", "")
        assert reactions.reactions_of(session, 9, "reproduced").total == 0
        with pytest.raises(NotThereError):
            reactions.take_back(session, bo, first)
        with pytest.raises(CommunityError):
            reactions.react(session, ada, 9, "wonderful", "It is very well explained.")
        with pytest.raises(NotAllowedError):
            reactions.react(session, newcomer, 9, "clear", "It is well explained.")
        assert reactions.take_back(session, bo, first, moderates=True) == 9
        with pytest.raises(NotThereError):
            reactions.take_back(session, ada, first)


def test_a_review_keeps_its_versions(community, people, make_account) -> None:
    ada, bo, *_ = people
    newcomer = make_account("New Comer")
    with community.writing() as session:
        number = reviews.write(session, ada, 9, WORDS)
        with pytest.raises(CommunityError, match="Nothing was changed"):
            reviews.write(session, ada, 9, WORDS)
        again = reviews.write(
            session, ada, 9, {**WORDS, "questions": "Why two?", "confidence": "5"}
        )
        assert again == number
        shown = review_pages.review(session, number)
        assert (shown.versions, shown.version.questions, shown.level) == (2, "Why two?", 1)
        first = review_pages.review(session, number, 1)
        assert (first.version.questions, first.version.confidence) == ("", 4)
        with pytest.raises(NotThereError):
            review_pages.review(session, number, 3)
        for wrong in ({"summary": "short"}, {"confidence": "6"}, {"confidence": ""}, {"relation": "x"},
                      {"weaknesses": "x" * 4_001}):  # fmt: skip
            with pytest.raises(CommunityError):
                reviews.write(session, bo, 9, {**WORDS, **wrong})
        with pytest.raises(NotAllowedError):
            reviews.write(session, newcomer, 9, WORDS)
        session.execute(update(Account).where(Account.id == ada).values(state="suspended"))
        assert review_pages.reviews_of(session, 9).total == 0
        for version in (None, 1):
            with pytest.raises(NotThereError):
                review_pages.review(session, number, version)


def test_withdrawing_leaves_a_place_only_for_replies(community, people) -> None:
    ada, bo, cy, _ = people
    with community.writing() as session:
        alone = reviews.write(session, bo, 9, WORDS)
        number = reviews.write(session, ada, 9, WORDS)
        answer = reviews.reply(session, cy, number, "I see it otherwise.")
        for other in (bo, cy):
            with pytest.raises(NotThereError):
                reviews.withdraw(session, other, number)
        with pytest.raises(NotThereError):
            reviews.remove_reply(session, ada, answer)
        reviews.withdraw(session, bo, alone)
        assert session.get(Review, alone) is None
        reviews.withdraw(session, ada, number)
        place = review_pages.review(session, number)
        assert (place.version, place.name, place.account_id, place.replies) == (None, "", None, 1)
        assert session.scalar(select(func.count()).select_from(ReviewVersion)) == 0
        with pytest.raises(NotThereError):
            review_pages.review(session, number, 1)
        with pytest.raises(NotThereError):
            reviews.withdraw(session, ada, number)
        with pytest.raises(NotThereError):
            reviews.reply(session, bo, number, "Too late.")
        another = reviews.write(session, ada, 9, WORDS)
        assert another != number
        assert [one.id for one in review_pages.reviews_of(session, 9).rows] == [another, number]
        reviews.remove_reply(session, cy, answer)
        assert [one.id for one in review_pages.reviews_of(session, 9).rows] == [another]


def test_signals_name_who_reviewed_at_what_level(community, people) -> None:
    ada, bo, cy, _ = people
    with community.writing() as session:
        add_proof(session, ada, "orcid", value="0000-0002-1825-0097")
        session.execute(update(Account).where(Account.id == ada).values(person_id=70))
        for account, work in ((ada, 9), (bo, 9), (ada, 4), (cy, 5)):
            reviews.write(session, account, work, WORDS)
        gone = reviews.write(session, cy, 9, WORDS)
        reviews.reply(session, ada, gone, "A reply.")
        reviews.withdraw(session, cy, gone)
        with count_statements(community.database.engine) as seen:
            found = reviews.review_signals(session, [9, 4])
        assert seen.count == 1
        assert [(one.work_id, one.account_id, one.person_id, one.level) for one in found] == [
            (4, ada, 70, 2), (9, ada, 70, 2), (9, bo, None, 1),
        ]  # fmt: skip


def everything(session, account: int) -> None:
    """An account that did all there is to do, beside others."""
    follows.follow(session, account, "A7", 1, visible=True)
    follows.follow(session, account, "/search?q=leaving", 1)
    saves.save(session, account, 9)
    saves.change(session, account, 9, note="leaving note", tags="leaving tag")
    own = collections.make(session, account, "leaving title", "leaving description", "public")
    collection_works.add(session, account, own, 9)
    collection_works.say(session, account, own, 9, "leaving words", "leaving")
    reactions.vote(session, account, 9, 1)
    reactions.react(session, account, 9, "clear", "leaving evidence", "https://example.org/leaving")
    reviews.write(session, account, 9, {**WORDS, "strengths": "leaving strengths"})


def test_what_an_account_did_is_exported_and_erased_with_it(community, people) -> None:
    ada, bo, cy, _ = people
    with community.writing() as session:
        session.execute(update(Account).where(Account.id == ada).values(name="leaving name"))
        everything(session, ada)
        shared = collections.make(session, bo, "Bo's list", "", "public")
        collection_members.invite(session, bo, shared, ada, "editor")
        collection_members.answer(session, ada, shared, accept=True)
        collection_works.add(session, ada, shared, 4)
        collection_works.say(session, ada, shared, 4, "leaving note elsewhere", "")
        theirs = reviews.write(session, bo, 9, WORDS)
        reviews.reply(session, ada, theirs, "leaving reply")
        mine = reviews.write(
            session, ada, 5, {**WORDS, "summary": "leaving: a summary of thirty characters"}
        )
        reviews.reply(session, cy, mine, "It stays to be read.")
    parts = (follows, saves, collection_works, reactions, reviews)
    with community.reading() as session:
        told = {key: value for one in parts for key, value in one.exported(session, ada).items()}
    whole = json.dumps(told)
    for words in ("leaving note", "leaving tag", "leaving title", "leaving words", "leaving evidence",
                  "leaving strengths", "leaving reply", "leaving note elsewhere", "/search?q=leaving",
                  "leaving: a summary"):  # fmt: skip
        assert words in whole
    assert "It stays" not in whole
    with community.writing() as session:
        session.execute(delete(Account).where(Account.id == ada))
    with community.reading() as session:
        place = review_pages.review(session, mine)
        assert (place.version, place.name, place.replies) == (None, "", 1)
        assert [one.work_id for one in works_of(session, shared)] == [4]
        assert works_of(session, shared)[0].notes == ()
        assert changes(session, shared)[0].name == ""
        kept = {key: value for one in parts for key, value in one.exported(session, ada).items()}
        assert not any(kept.values())
        for table in Base.metadata.sorted_tables:
            rows = json.dumps([list(map(str, row)) for row in session.execute(select(table))])
            assert "leaving" not in rows, table.name
    if community.database.path is not None:
        with community.database.engine.connect() as connection:
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        assert b"leaving evidence" not in community.database.path.read_bytes()


def test_the_log_of_what_was_done_holds_no_words(community, people) -> None:
    with community.writing() as session:
        everything(session, people[0])
        lines = session.scalars(select(AuditEntry)).all()
        actions = {line.action for line in lines}
        assert {"review.write", "reaction.add", "collection.make"} <= actions
        assert "leaving" not in json.dumps([[line.target, line.detail] for line in lines])
