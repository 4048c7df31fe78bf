"""The first page's two people, parted and joined again in Debian's chromium, by forms alone."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from peerscope.record.models import Person

pytestmark = pytest.mark.browser


def test_two_people_are_parted_from_the_page_in_five_steps_and_joined_again(
    browser, society, own_address, site
) -> None:
    """Steps are counted rather than seconds: what a person does between opening the page and the end."""
    member = society.member("Browsing Example")
    with site[1].session() as session:
        kang = session.scalar(
            select(Person.id).where(
                Person.display_name == "Kang Zhang", Person.merged_into_id.is_(None)
            )
        )
    for script in (True, False):
        context = browser.new_context(java_script_enabled=script)
        secret = member.cookies["peerscope-session"]
        context.add_cookies([{"name": "peerscope-session", "value": secret, "url": own_address}])
        page = context.new_page()
        steps = 0
        page.goto(f"{own_address}/people/A{kang}")
        before = page.locator("main").inner_text()
        page.get_by_role("link", name="Is this more than one person?").click()
        steps += 1
        chosen = page.locator("select").evaluate_all("all => all.map(e => e.value)")
        assert sorted(chosen) == ["1"] * 6 + ["2"], "the suggestion is selected"
        page.get_by_role("button", name="Show what the split changes").click()
        steps += 1
        assert page.get_by_role("row", name=re.compile(f"A{kang} .*7 works.*6 works")).count() == 1
        page.get_by_label("Why").fill("Search at a shop, not vision.")
        steps += 1
        page.get_by_role("button", name="Do it").click()
        steps += 1
        page.get_by_role("link", name="Kang Zhang").first.click()
        steps += 1
        assert steps == 5
        assert page.locator(".tally dd").first.inner_text() == "6"
        page.get_by_role("link", name="Is this more than one person?").click()
        page.get_by_role("button", name=re.compile("^Undo")).first.click()
        page.get_by_role("button", name="Undo it").click()
        page.goto(f"{own_address}/people/A{kang}")
        assert page.locator("main").inner_text() == before
        context.close()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark", "phone"])
def test_no_page_of_the_workbench_breaks_a_rule_of_accessibility(
    browser, society, own_address, site, scheme
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    member = society.member("Axe Example")
    with site[1].session() as session:
        kang = session.scalar(
            select(Person.id).where(
                Person.display_name == "Kang Zhang", Person.merged_into_id.is_(None)
            )
        )
    context = browser.new_context(
        viewport={"width": 390 if scheme == "phone" else 1280, "height": 844},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    secret = member.cookies["peerscope-session"]
    context.add_cookies([{"name": "peerscope-session", "value": secret, "url": own_address}])
    page = context.new_page()

    def broken() -> list[tuple[str, str]]:
        assert page.locator("main").evaluate("e => e.scrollWidth - e.clientWidth") <= 1
        found = axe.Axe().run(page).response["violations"]
        return [(rule["id"], node["failureSummary"]) for rule in found for node in rule["nodes"]]

    page.goto(f"{own_address}/people/A{kang}/identity")
    assert broken() == []
    page.get_by_role("button", name="Show what the split changes").click()
    assert broken() == []
    page.get_by_role("button", name="Do it").click()
    assert broken() == []
    page.get_by_role("button", name=re.compile("^Undo")).first.click()
    assert broken() == []
    page.get_by_role("button", name="Undo it").click()
    page.goto(f"{own_address}/identity/requests")
    assert broken() == []
    context.close()
