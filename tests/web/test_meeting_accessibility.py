"""Pages of accounts against the rules of axe-core, in Debian's chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from peerscope.community.models import Account

pytestmark = [pytest.mark.browser, pytest.mark.slow]
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

PLACES = [
    "work", "person", "topic", "search", "saves", "following", "changes", "collections", "collection",
    "history", "manage", "reactions", "reviews", "review", "version", "report", "me",
]  # fmt: skip
PUBLIC = ["work", "collections", "collection", "reactions", "reviews", "review", "changes"]
REVIEW = {
    "summary": "It shows where the two temperatures enter the gradient.",
    "confidence": "4",
    "relation": "none",
}


@pytest.fixture(scope="module")
def scene(society, numbers) -> Iterator[dict[str, str]]:
    """Somebody who did all there is to do, and where it stands."""
    ada, bo = society.member("Ada Example"), society.member("Bo Other")
    with society.community.writing() as session:
        session.get(Account, bo.account_id).person_id = numbers["person:Agus Gunawan"]
    work = f"W{numbers['work:Understanding and Improving Gr']}"
    person = f"A{numbers['person:Kang Zhang']}"
    topic = f"T{numbers['topic:Contrastive learning']}"
    society.post(ada, "/saves", work=work)
    society.post(ada, "/saves/change", work=work, note="A note", tags="one, two")
    for target in (person, topic, "/search?q=group+normalization"):
        society.post(ada, "/following", target=target, visible="yes")
    for who in (ada, bo):
        society.post(who, f"/works/{work}/vote", vote="like")
        society.post(who, f"/works/{work}/reactions", kind="clear", evidence="The section on it.")
    review = society.post(ada, f"/works/{work}/reviews", **REVIEW).headers["location"]
    society.post(ada, f"/works/{work}/reviews", **REVIEW, questions="Why two?")
    society.post(bo, f"{review}/replies", text="Because one did not do.")
    made = society.post(ada, "/collections", title="A list", visibility="public", work=work)
    collection = made.headers["location"]
    society.post(ada, f"{collection}/note", work=work, note="Start here", tags="start")
    society.post(ada, f"{collection}/invite", who=f"U{bo.account_id}", role="editor")
    other = society.post(bo, "/collections", title="Another", visibility="public", work=work)
    society.post(bo, f"{other.headers['location']}/invite", who=f"U{ada.account_id}", role="viewer")
    yield {
        "secret": ada.cookies["peerscope-session"],
        "work": f"/works/{work}",
        "person": f"/people/{person}",
        "topic": f"/topics/{topic}",
        "search": "/search?q=contrastive+learning",
        "saves": "/saves",
        "following": "/following",
        "changes": f"/changes/{topic}?since=0",
        "collections": "/collections",
        "collection": collection,
        "history": f"{collection}/history",
        "manage": f"{collection}/manage",
        "reactions": f"/works/{work}/reactions",
        "reviews": f"/works/{work}/reviews",
        "review": review,
        "version": f"{review}?version=1",
        "report": f"/report?target=review:{re.sub(r'[^0-9]', '', review)}",
        "me": "/me",
    }
    with society.community.writing() as session:
        session.get(Account, bo.account_id).person_id = None


@pytest.fixture(scope="module", params=["light", "dark", "phone"])
def context(request, browser):
    phone = request.param == "phone"
    opened = browser.new_context(
        viewport={"width": 390 if phone else 1280, "height": 844 if phone else 900},
        color_scheme="dark" if request.param == "dark" else "light",
    )
    yield opened
    opened.close()


def broken_rules(page) -> list[tuple]:
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    found = axe.Axe().run(page)
    return [
        (rule["id"], node["target"], node["failureSummary"])
        for rule in found.response["violations"]
        for node in rule["nodes"]
    ]


def test_no_page_of_an_account_breaks_a_rule_of_accessibility(context, address, scene) -> None:
    context.add_cookies([{"name": "peerscope-session", "value": scene["secret"], "url": address}])
    page = context.new_page()
    for name in PLACES:
        assert page.goto(address + scene[name]).status == 200, name
        assert broken_rules(page) == [], name
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= page.viewport_size["width"], name
    page.close()
    context.clear_cookies()


def test_nor_does_what_anybody_sees(context, address, scene) -> None:
    page = context.new_page()
    for name in PUBLIC:
        assert page.goto(address + scene[name]).status == 200, name
        assert broken_rules(page) == [], name
    page.close()


def test_a_person_does_it_all_without_script(browser, address, scene, numbers) -> None:
    """By buttons and fields alone: save, like, react, review, collect, follow."""
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies([{"name": "peerscope-session", "value": scene["secret"], "url": address}])
    page = context.new_page()
    work = f"{address}/works/W{numbers['work:Group Normalization']}"
    page.goto(work)
    page.get_by_role("button", name="Save “Group Normalization”").click()
    assert page.url == work
    page.get_by_role("button", name="Like 0", exact=True).click()
    assert page.get_by_role("button", name="Like 1", exact=True).is_visible()
    page.get_by_role("link", name="Add one").click()
    page.get_by_label("Evidence").fill("The figure on batch sizes is clear.")
    page.get_by_label("Kind").select_option("clear")
    page.get_by_role("button", name="Add it").click()
    assert page.get_by_text("The figure on batch sizes is clear.").is_visible()
    page.goto(work)
    page.get_by_role("link", name="Write one").click()
    page.get_by_label("Summary").fill(REVIEW["summary"])
    page.get_by_label("How sure you are").select_option("4")
    page.get_by_label("How you stand").select_option("none")
    page.get_by_role("button", name="Publish the review").click()
    assert page.get_by_text(REVIEW["summary"]).is_visible()
    page.goto(work)
    page.locator("summary", has_text="Add to a collection").click()
    page.get_by_label("New, private").fill("From the keyboard")
    page.get_by_role("button", name="Make and add").click()
    assert page.get_by_role("link", name="From the keyboard").is_visible()
    page.goto(f"{address}/venues/S{numbers['venue:CVPR']}")
    page.get_by_role("button", name="Follow this venue").click()
    assert page.get_by_text("you follow it, which nobody sees").is_visible()
    context.close()
