"""What is kept of snapshots, replies to them; and what goes with an account."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select, update

from peerscope.community import CommunityError, NotAllowedError
from peerscope.community.claiming_models import ClaimOnRecord, WorkConfirmation
from peerscope.community.models import Account, Proof
from peerscope.community.proofs import add_proof, revoke_proof
from peerscope.community.reviews import write
from peerscope.community.times import now
from peerscope.community.trust import Evidence, snapshot
from peerscope.community.trust.evidence import UNCLAIMED, WorkFacts
from peerscope.community.trust.history import PER_PAGE, history, keep
from peerscope.community.trust.models import TrustRecord, TrustReply
from peerscope.community.trust.replies import LONGEST_REPLY, exported, replies, reply
from peerscope.community.trust.reviews import CIRCLE, LEVEL
from peerscope.community.trust.standing import Heard, hear

ADA = 7


def of(*works: str, person: int = ADA):
    return snapshot(
        Evidence(
            person,
            "Ada Example",
            works=tuple(WorkFacts(n, f"W{n}", b) for n, b in enumerate(works)),
        )
    )


@pytest.fixture
def owner(community, make_account) -> int:
    number = make_account()
    with community.writing() as session:
        session.get(Account, number).person_id = ADA
    return number


def rows(community, table) -> int:
    with community.reading() as session:
        return session.scalar(select(func.count()).select_from(table))


def test_a_snapshot_is_kept_when_it_changes_and_only_then(community) -> None:
    assert keep(community, of("name"), None)
    assert not keep(community, of("name"), None)
    assert keep(community, of("name", "orcid"), None)
    assert keep(community, of("name"), None), "going back is a change"
    assert keep(community, of("name", person=8), None)
    with community.reading() as session:
        kept = history(session, ADA)
    assert kept.total == 3
    assert [p.figures["dimensions"][1]["value_exact"] for p in kept.rows] == ["0/2", "1/3", "0/2"]
    assert not any(p.other_formula for p in kept.rows)
    assert "evidence" not in kept.rows[0].figures["dimensions"][1]
    assert (
        kept.rows[0].figures["computed_at"].startswith(kept.rows[0].computed_at.date().isoformat())
    )


def test_another_formula_makes_a_row_of_its_own_and_leaves_the_others_as_they_were(
    community,
) -> None:
    keep(community, of("orcid"), None)
    with community.reading() as session:
        before = history(session, ADA).rows
    assert keep(community, replace(of("orcid"), formula="trust-snapshot/2.0"), None)
    with community.reading() as session:
        after = history(session, ADA).rows
    assert [(p.formula, p.other_formula) for p in after] == [
        ("trust-snapshot/2.0", True), ("trust-snapshot/1.0", False),
    ]  # fmt: skip
    assert after[1:] == before


def test_history_has_pages(community) -> None:
    for n in range(PER_PAGE + 3):
        keep(community, of(*["name"] * (n + 1)), None)
    with community.reading() as session:
        first, second = history(session, ADA), history(session, ADA, 2)
    assert (len(first.rows), len(second.rows), first.total, first.pages) == (
        PER_PAGE,
        3,
        PER_PAGE + 3,
        2,
    )


def test_what_proofs_gave_goes_with_the_account(community, owner) -> None:
    keep(community, of("name"), None)
    with community.writing() as session:
        add_proof(session, owner, "orcid", value="0000-0002-1825-0097", issuer="orcid.org")
    with community.reading() as session:
        heard = hear(session, ADA)
    assert heard.owner == owner
    standing = heard.standing
    claimed = snapshot(Evidence(ADA, "Ada Example", standing=standing))
    assert "orcid.org" in claimed.of("identity").statement
    assert keep(community, claimed, owner)
    with community.writing() as session:
        reply(session, owner, ADA, "identity", "It is me.")
        session.execute(delete(Account).where(Account.id == owner))
    assert rows(community, TrustRecord) == 1
    assert rows(community, TrustReply) == 0
    with community.reading() as session:
        assert "orcid.org" not in json.dumps([p.figures for p in history(session, ADA).rows])


def test_standing_follows_claims_proofs_and_their_end(community, owner) -> None:
    with community.writing() as session:
        assert hear(session, 8) == Heard(8, None, UNCLAIMED, ())
        add_proof(session, owner, "email", value_hash="x", issuer="test")
        orcid = add_proof(session, owner, "orcid", value="0000-0002-1825-0097", issuer="orcid.org")
        domain = add_proof(session, owner, "domain", value="uni.example")
        all_of_them = hear(session, ADA).standing
        assert (all_of_them.claimed, all_of_them.level) == (True, "L3")
        value = snapshot(Evidence(ADA, "A", standing=all_of_them)).of("identity").to_dict()
        assert value["value_exact"] == "6/11"
        assert "e-mail address at an institution's domain (uni.example" in value["statement"]
        session.execute(
            update(Proof).where(Proof.id == domain).values(expires_at=now() - timedelta(days=1))
        )
        session.expire_all()
        revoke_proof(session, orcid, "operator", "wrong")
        after = hear(session, ADA).standing
        one = snapshot(Evidence(ADA, "A", standing=after)).of("identity")
        assert after.level == "L1"
        assert one.to_dict()["value_exact"] == "1/6"
        assert [(t.count, t.warn) for t in one.terms if t.warn] == [(2, True)]
        session.get(Account, owner).state = "suspended"
        session.flush()
        assert hear(session, ADA).standing == UNCLAIMED


def test_vouchers_count_each_and_one_of_them_once(community, owner, make_account) -> None:
    first, second = make_account("Bo Other"), make_account("Cy Third")
    with community.writing() as session:
        for voucher in (first, second, first):
            add_proof(session, owner, "vouch", verifier_id=voucher)
        standing = hear(session, ADA).standing
    assert (
        snapshot(Evidence(ADA, "A", standing=standing)).of("identity").to_dict()["value_exact"]
        == "8/13"
    )


def test_only_the_owner_replies_and_can_take_it_back(community, owner, make_account) -> None:
    other = make_account("Bo Other")
    with community.writing() as session:
        with pytest.raises(NotAllowedError, match="claim it first"):
            reply(session, other, ADA, "identity", "Not mine to say.")
        with pytest.raises(NotAllowedError):
            reply(session, owner, 8, "identity", "Of another record.")
        with pytest.raises(CommunityError, match="seven statements"):
            reply(session, owner, ADA, "worth", "No such thing.")
        with pytest.raises(CommunityError, match="2,000"):
            reply(session, owner, ADA, "identity", "x" * (LONGEST_REPLY + 1))
        reply(session, owner, ADA, "authorship", "Two of these are my namesake's.\r\n\u202eturned")
        reply(session, owner, ADA, "integrity", "We asked for this retraction ourselves.")
        assert replies(session, ADA)["authorship"].text == "Two of these are my namesake's.\nturned"
        reply(session, owner, ADA, "authorship", "Now they are gone.")
        assert replies(session, ADA)["authorship"].text == "Now they are gone."
        reply(session, owner, ADA, "authorship", "  ")
        assert set(replies(session, ADA)) == {"integrity"}
        (kept,) = exported(session, owner)["trust_replies"]
        assert (kept["person"], kept["statement"]) == ("A7", "integrity")
        assert kept["text"] == "We asked for this retraction ourselves."
        session.get(Account, owner).person_id = None
        session.flush()
        assert replies(session, ADA) == {}, "a reply stands while the record is theirs"


def test_works_that_the_owner_confirmed_count_while_the_record_is_theirs(community, owner) -> None:
    with community.writing() as session:
        session.add_all(
            WorkConfirmation(account_id=owner, work_id=work, verdict=verdict, at=now())
            for work, verdict in ((1, "mine"), (2, "not_mine"))
        )
        session.flush()
        assert hear(session, ADA).standing.confirmed == frozenset()
        claim = ClaimOnRecord(
            account_id=owner, claimed_id=ADA, person_id=ADA, state="accepted", created_at=now()
        )
        session.add(claim)
        session.flush()
        assert hear(session, ADA).standing.confirmed == {(1, now().date().isoformat())}


REVIEW = {
    "summary": "It shows what it says, in a way that can be followed.", "confidence": "3", "relation": "none",
}  # fmt: skip


def test_reviews_of_accounts_count_by_the_rules(community, owner, make_account) -> None:
    """Two review the owner's work, one of them below L2; the owner reviews one of theirs."""
    high, low = make_account("Bo Other"), make_account("Cy Third")
    authors = {70: {ADA}, 80: {8}}
    with community.writing() as session:
        assert hear(session, ADA).weighed({}).reviews == ()
        for number in (owner, high, low):
            add_proof(session, number, "email", issuer="test")
        for number in (owner, high):
            add_proof(session, number, "orcid", issuer="orcid.org")
        session.get(Account, high).person_id = 8
        for number in (high, low):
            write(session, number, 70, REVIEW)
        heard = hear(session, ADA)
        assert heard.reviewed == {70}
        facts = heard.weighed(authors).reviews
        assert sorted(f.left_out for f in facts) == ["", LEVEL]
        assert {f.url for f in facts} == {"/works/W70/reviews"}
        one = snapshot(Evidence(ADA, "A", standing=heard.weighed(authors))).of("review")
        assert (one.state, one.to_dict()["value_exact"]) == ("evidence", "1/4")
        assert heard.weighed({}).reviews == (), "of works whose authors nobody knows"
        write(session, owner, 80, REVIEW)
        ring = hear(session, ADA).weighed(authors).reviews
        assert sorted(f.left_out for f in ring) == sorted([LEVEL, CIRCLE, CIRCLE])
