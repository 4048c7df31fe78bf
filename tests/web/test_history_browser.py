"""The reader's history in Debian's chromium, by forms and links alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser


def test_a_history_from_opt_in_to_a_moved_result_to_nothing(page, address) -> None:
    """Switched on, opened, saved, a result moved with its reason, the switch, exported, erased; by forms alone."""
    page.goto(address)
    page.get_by_role("link", name="switch it on").click()
    page.get_by_role("button", name="Switch it on").click()
    page.wait_for_selector("text=It is on")
    for place in range(2):
        page.goto(f"{address}/search?q=product+search")
        page.locator("article.work h2 a").nth(place).click()
        page.wait_for_selector("text=kept in your history")
    page.get_by_role("button", name="Save").first.click()
    page.wait_for_selector("text=Saved")
    saved = page.locator("h1").inner_text()

    def titles() -> list[str]:
        return [one.split("\n")[0] for one in page.locator("article.work h2").all_inner_texts()]

    moved = False
    for query in ("embedding", "retrieval", "semantic matching", "learning representations"):
        page.goto(f"{address}/search?q={query}")
        own = titles()
        told = page.locator("article.work:has(.reason.history:has-text('because'))")
        lifted = [one.split("\n")[0] for one in told.locator("h2").all_inner_texts()]
        reasons = told.locator(".reason.history").all_inner_texts()
        assert all(
            one.startswith(("because you saved “", "because you opened “")) for one in reasons
        )
        page.get_by_role("link", name="Show the order that everyone gets").click()
        page.wait_for_selector("text=the order that everyone gets.")
        assert "personal=off" in page.url
        assert page.locator(".reason.history").count() == 0
        plain = titles()
        moved |= any(one not in plain or own.index(one) < plain.index(one) for one in lifted)
        page.get_by_role("link", name="Let my history take part").click()
        page.wait_for_selector("text=This order is yours")
        assert titles() == own
    assert moved, "no result rose because of the history"

    page.goto(f"{address}/history")
    assert saved in page.locator("main").inner_text()
    assert page.locator("main").evaluate("e => e.scrollWidth - e.clientWidth") <= 1
    with page.expect_download() as download:
        page.get_by_role("link", name="Export everything").click()
    exported = json.loads(Path(download.value.path()).read_text())
    assert [len(exported[kind]) for kind in ("opened", "saved")] == [2, 1]
    page.locator(".log button").first.click()
    page.wait_for_selector("h2:has-text('opened after them') >> text=1")
    page.get_by_role("button", name="Erase everything").click()
    page.wait_for_selector("text=has been erased")
    assert page.context.cookies() == []
    page.goto(f"{address}/search?q=embedding")
    assert page.locator(".personal, .own").count() == 0
    assert page.messages == []
