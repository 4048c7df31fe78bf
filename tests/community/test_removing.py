"""Reviews, replies and reactions that a moderator removes by deciding a report."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from peerscope.community import (
    CommunityError,
    NotAllowedError,
    moderation,
    reactions,
    reviews,
    targets,
)
from peerscope.community.models import Notice
from peerscope.community.proofs import add_proof
from peerscope.community.talk_models import Measure

WORDS = {
    "summary": "A summary that is long enough to be one.",
    "confidence": "3",
    "relation": "none",
}


@pytest.fixture
def written(community, make_account):
    """A review with a reply, and a reaction; (author, replier, targets)."""
    ada, bo = make_account("Ada Example"), make_account("Bo Other")
    with community.writing() as session:
        for one in (ada, bo):
            add_proof(session, one, "email")
            add_proof(session, one, "orcid")
        review = reviews.write(session, ada, 3, WORDS)
        reply = reviews.reply(session, bo, review, "A reply with an insult.")
        reaction = reactions.react(session, ada, 3, "clear", "The second section says all of it.")
    return ada, bo, [f"reply:{reply}", f"review:{review}", f"reaction:{reaction}"]


def test_nobody_removes_what_is_theirs(community, written) -> None:
    ada, _, about = written
    own = moderation.Judge(ada, "moderator")
    for target in about:
        with community.writing() as session:
            assert targets.see(session, target).passages[0].text
            assert targets.can_remove(target)
            assert not targets.can_hide(target)
            number = moderation.report(session, None, "abuse", target, "Look.")
            # Ada wrote the review and the reaction, and the reply was written to her.
            with pytest.raises(NotAllowedError):
                moderation.decide(session, own, number, "done", "No.", "remove")
        with (
            pytest.raises(CommunityError, match="cannot be hidden"),
            community.writing() as session,
        ):
            moderation.decide(session, moderation.OPERATOR, number, "done", "No.", "hide")
        with community.reading() as session:
            assert moderation.find_report(session, number).state == "open", "refused as a whole"


def test_a_message_is_hidden_and_not_removed() -> None:
    assert not targets.can_remove("message:1")
    assert targets.can_hide("message:1")


def test_what_is_removed_is_gone_and_told(community, written, make_account) -> None:
    ada, _, about = written
    judge = moderation.Judge(make_account("Mo Derator", role="moderator"), "moderator")
    for target in about:
        with community.writing() as session:
            number = moderation.report(session, None, "abuse", target, "Look.")
            moderation.decide(session, judge, number, "done", "An insult.", "remove")
    with community.reading() as session:
        assert targets.see(session, about[0]) is None
        assert targets.see(session, about[2]) is None
        left = targets.see(session, about[1])
        assert left is None or left.passages[0].text == ""
        assert session.scalars(select(Measure.kind)).all() == ["remove"] * 3
        kinds = session.scalars(select(Notice.kind).where(Notice.account_id == ada)).all()
        assert "review.removed" in kinds
