"""The pages of members, moderators and admins against the rules of axe-core, in Debian's chromium."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from peerscope.community import blocks, conversations, moderation
from peerscope.community import invitations as inviting
from peerscope.community.accounts import create_account
from peerscope.community.models import Account, Report
from peerscope.community.notices import notify
from peerscope.community.proofs import add_proof

pytestmark = [pytest.mark.browser, pytest.mark.slow]
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

PLACES = [
    "talk",
    "conversation",
    "report a message",
    "notices",
    "reports",
    "report",
    "accounts",
    "audit",
]


@pytest.fixture(scope="module")
def staged(society):
    """An admin with something on every page; (client, addresses by name)."""
    admin = society.member("Ada Example", role="admin", level=3)
    asks = inviting.Consents(lambda *_: "joint papers", lambda *_: False)
    with society.community.writing() as session:
        bo, cy, di = (create_account(session, f"{name} Other") for name in ("Bo", "Cy", "Di"))
        for one in (bo, cy, di):
            add_proof(session, one, "orcid")
        talk = conversations.begin(session, bo, admin.account_id, "paper", "Shall we?")
        said = conversations.write(session, bo, talk, "A second message.")
        conversations.write(session, admin.account_id, talk, "An answer.")
        inviting.invite(session, cy, admin.account_id, "data", "May I?", asks)
        inviting.invite(session, admin.account_id, di, "data", "May I?", asks)
        other = conversations.begin(session, cy, di, "data", "Hello.")
        bad = conversations.write(session, cy, other, "Words that are reported.")
        moderation.report(session, di, "spam", f"message:{bad}", "Advertising.")
        moderation.suspend(session, moderation.OPERATOR, bo, "For the page.")
        talked = conversations.begin(session, di, admin.account_id, "data", "Hello.")
        conversations.leave(session, di, talked)
        blocks.block(session, admin.account_id, bo)
        blocks.unblock(session, admin.account_id, bo)
        notify(session, admin.account_id, "claim.accepted", "person:1", detail="By ORCID.")
        report = session.scalar(select(Report.id).where(Report.target == f"message:{bad}"))
        assert session.get(Account, bo).state == "suspended"
    return admin, {
        "talk": "/talk", "conversation": f"/talk/T{talk}", "report a message": f"/talk/report?message={said}",
        "notices": "/notices", "reports": "/moderation", "report": f"/moderation/reports/{report}",
        "accounts": "/moderation/accounts", "audit": "/moderation/audit?check=yes",
    }  # fmt: skip


@pytest.fixture(scope="module", params=["light", "dark", "phone"])
def window(request, browser, staged, address):
    phone = request.param == "phone"
    context = browser.new_context(
        viewport={"width": 390 if phone else 1280, "height": 844 if phone else 900},
        color_scheme="dark" if request.param == "dark" else "light",
    )
    secret = staged[0].cookies.get("peerscope-session")
    context.add_cookies([{"name": "peerscope-session", "value": secret, "url": address}])
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("name", PLACES)
def test_no_page_of_members_breaks_a_rule(window, address, staged, name) -> None:
    answer = window.goto(address + staged[1][name])
    assert answer.status == 200
    assert "/sign-in" not in window.url
    assert window.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
    window.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    found = axe.Axe().run(window)
    assert [
        (rule["id"], node["target"], node["failureSummary"])
        for rule in found.response["violations"]
        for node in rule["nodes"]
    ] == []
