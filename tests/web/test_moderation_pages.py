"""Reports, accounts and the audit log through the pages: who may, who must not, and what is written down."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest
from lxml import html
from sqlalchemy import select, text

from peerscope.community import audit, conversations
from peerscope.community.models import Account, AuditEntry, Report
from peerscope.community.talk_models import Measure, Message

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def team(society):
    return society.member("Mo Derator", role="moderator"), society.member("Ad Min", role="admin")


@pytest.fixture
def reported(society):
    """A conversation with a message that one of the two reported; (author, reporter, report, message)."""
    ada, bo = society.member("Ada Example"), society.member("Bo Other")
    with society.community.writing() as session:
        talk = conversations.begin(session, ada.account_id, bo.account_id, "paper", "far before")
        conversations.write(session, bo.account_id, talk, "just before")
        bad = conversations.write(session, ada.account_id, talk, f"an insult {HOSTILE}")
        conversations.write(session, bo.account_id, talk, "just after")
        conversations.write(session, bo.account_id, talk, "far after")
    place = f"/talk/report?message={bad}"
    answer = society.post(bo, "/talk/report", place, message=str(bad), reason="abuse", why=HOSTILE)
    assert answer.status_code == 200
    with society.community.reading() as session:
        number = session.scalar(select(Report.id).where(Report.target == f"message:{bad}"))
    return ada, bo, number, bad


def lines(society, action: str) -> int:
    with society.community.reading() as session:
        return len(session.scalars(select(AuditEntry.id).where(AuditEntry.action == action)).all())


def test_a_report_is_seen_decided_and_told(society, team, reported) -> None:
    moderator, _ = team
    ada, bo, number, bad = reported
    queue = moderator.get("/moderation").text
    assert f'href="/moderation/reports/{number}"' in queue
    assert "an insult" not in queue, "private words are not in the list"
    looked = lines(society, "report.look")
    page = moderator.get(f"/moderation/reports/{number}").text
    assert lines(society, "report.look") == looked + 1
    for words, there in (("an insult", True), ("just before", True), ("just after", True),
                         ("far before", False), ("far after", False)):  # fmt: skip
        assert (words in page) is there, words
    assert not html.fromstring(page).xpath("//script")
    answer = society.post(
        moderator, "/moderation/decide", f"/moderation/reports/{number}", report=str(number),
        state="done", action="hide", decision="Insults are not for here.",
    )  # fmt: skip
    assert answer.status_code == 303
    assert "A report of yours was decided." in bo.get("/notices").text
    assert "Insults are not for here." in bo.get("/notices").text
    assert "A moderator hid a text of yours." in ada.get("/notices").text
    with society.community.reading() as session:
        assert session.get(Message, bad).hidden_at is not None
    again = society.post(
        moderator,
        "/moderation/decide",
        "/notices",
        report=str(number),
        state="declined",
        decision="x",
    )
    assert again.status_code == 400
    shown = society.post(
        moderator, "/moderation/hide", f"/moderation/reports/{number}", report=str(number),
        hidden="no", reason="It was a quotation.",
    )  # fmt: skip
    assert shown.status_code == 303
    with society.community.reading() as session:
        assert session.get(Message, bad).hidden_at is None


def test_nobody_decides_about_themselves(society, team, reported) -> None:
    ada, bo, number, _ = reported
    with society.community.writing() as session:
        for one in (ada, bo):
            session.get(Account, one.account_id).role = "admin"
    for one in (ada, bo):
        page = one.get(f"/moderation/reports/{number}").text
        assert "somebody else decides it" in page
        assert "just after" not in page
        answer = society.post(
            one,
            "/moderation/decide",
            "/notices",
            report=str(number),
            state="declined",
            decision="No.",
        )
        assert answer.status_code == 403
        hidden = society.post(one, "/moderation/hide", "/notices", report=str(number), reason="No.")
        assert hidden.status_code == 403
    with society.community.reading() as session:
        assert session.get(Report, number).state == "open"


def test_members_see_and_do_nothing_of_it(society, team, reported) -> None:
    moderator, _ = team
    eve = society.member("Eve Example")
    number = reported[2]
    places = ["/moderation", f"/moderation/reports/{number}", "/moderation/accounts",
              "/moderation/audit", "/moderation/audit.jsonl"]  # fmt: skip
    for place in places:
        assert eve.get(place).status_code == 403, place
        anonymous = society.browser().get(place, follow_redirects=False)
        assert (anonymous.status_code, anonymous.headers["location"][:8]) == (303, "/sign-in"), (
            place
        )
    for place in places[2:]:
        assert moderator.get(place).status_code == 403, place
    for act in ("decide", "hide", "role", "suspend", "restore"):
        fields = {"report": str(number), "account": str(eve.account_id), "role": "admin",
                  "state": "done", "decision": "x", "reason": "x"}  # fmt: skip
        assert society.post(eve, f"/moderation/{act}", "/notices", **fields).status_code == 403, act
        forged = moderator.post(f"/moderation/{act}", data={"token": "a.b", **fields})
        assert forged.status_code == 403, act
    for act in ("role", "suspend", "restore"):
        fields = {"account": str(eve.account_id), "role": "admin", "reason": "x"}
        assert (
            society.post(moderator, f"/moderation/{act}", "/notices", **fields).status_code == 403
        )
    with society.community.reading() as session:
        assert session.get(Account, eve.account_id).role == "member"


def test_roles_and_suspension(society, team) -> None:
    _, admin = team
    eve = society.member("Eve Example")
    found = admin.get(f"/moderation/accounts?q={eve.account_id}").text
    assert "Eve Example" in found
    assert eve.email not in found
    assert "Eve Example" in admin.get(f"/moderation/accounts?q={eve.email.upper()}").text
    assert "Eve Example" not in admin.get(f"/moderation/accounts?q={eve.email[5:]}").text
    place = "/moderation/accounts"
    account = {"account": str(eve.account_id)}
    assert (
        society.post(admin, "/moderation/role", place, **account, role="moderator").status_code
        == 303
    )
    assert eve.get("/moderation").status_code == 200
    assert society.post(admin, "/moderation/role", place, **account, role="king").status_code == 400
    assert (
        society.post(admin, "/moderation/suspend", place, **account, reason="").status_code == 400
    )
    done = society.post(admin, "/moderation/suspend", place, **account, reason=f"Spam {HOSTILE}")
    assert done.status_code == 303
    assert eve.get("/talk", follow_redirects=False).status_code == 303, "out at once"
    page = admin.get(f"/moderation/accounts?q={eve.account_id}").text
    assert "Suspended" in page
    assert not html.fromstring(page).xpath("//script")
    assert (
        society.post(
            admin, "/moderation/restore", place, **account, reason="A mistake."
        ).status_code
        == 303
    )
    own = {"account": str(admin.account_id)}
    assert society.post(admin, "/moderation/suspend", place, **own, reason="x").status_code == 403
    with society.community.reading() as session:
        kinds = [one.kind for one in session.scalars(
            select(Measure).where(Measure.account_id == eve.account_id).order_by(Measure.id))]  # fmt: skip
        assert kinds == ["suspend", "restore"]


def test_a_role_asks_for_a_recent_sign_in(society, team) -> None:
    _, admin = team
    eve = society.member("Eve Example")
    token = society.token(admin, "/moderation/accounts")
    with society.community.writing() as session:
        session.execute(text("UPDATE session SET proved_at = '2020-01-01 00:00:00' WHERE account_id = :a"),
                        {"a": admin.account_id})  # fmt: skip
    fields = {"token": token, "account": str(eve.account_id), "role": "admin"}
    answer = admin.post("/moderation/role", data=fields, follow_redirects=False)
    assert answer.status_code == 303
    assert "/sign-in" in answer.headers["location"]
    with society.community.reading() as session:
        assert session.get(Account, eve.account_id).role == "member"


def test_the_audit_log_is_filtered_exported_and_checked(society, team) -> None:
    _, admin = team
    eve = society.member("Eve Example")
    page = admin.get(f"/moderation/audit?target=account:{eve.account_id}").text
    actions = html.fromstring(page).xpath("//tbody/tr/td[4]/text()")
    assert {"account.create", "session.open"} <= set(actions)
    assert "Not checked on this page." in page
    assert "The chain holds up to line" in admin.get("/moderation/audit?check=yes").text
    exported = [json.loads(line) for line in admin.get("/moderation/audit.jsonl").text.splitlines()]
    with society.community.reading() as session:
        assert (exported[-1]["id"], exported[-1]["digest"]) == audit.head(session)
    assert [one["id"] for one in exported] == list(range(1, len(exported) + 1))
    assert all(b["previous"] == a["digest"] for a, b in pairwise(exported))
    older = re.search(
        r'href="(/moderation/audit\?[^"]*before=\d+)"', admin.get("/moderation/audit").text
    )
    if older:
        assert admin.get(older[1].replace("&amp;", "&")).status_code == 200
    for bad in ("actor=%00", "before=99999999999999999999", "action=%25", "target=" + "x" * 3000):
        assert admin.get(f"/moderation/audit?{bad}").status_code == 200, bad


def test_hostile_addresses_get_a_sentence(society, team) -> None:
    moderator, admin = team
    for bad in ("0", "x", "9" * 40, "-1", "1e3"):
        assert moderator.get(f"/moderation/reports/{bad}").status_code == 404, bad
    assert moderator.get("/moderation?state=nonsense&kind=nonsense&page=-4").status_code == 200
    assert admin.get("/moderation/accounts?q=%00&kind=x&page=9999").status_code == 200
    for fields in ({}, {"report": "x"}, {"report": "99999", "state": "done", "decision": "x"}):
        answer = society.post(moderator, "/moderation/decide", "/notices", **fields)
        assert answer.status_code in (400, 404)
