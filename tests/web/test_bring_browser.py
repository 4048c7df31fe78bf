"""A bibliography becomes works and is taken back, in Debian's chromium, with and without script."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from peerscope.community import Community
from peerscope.discover import SiteDiscovery
from peerscope.record import Database
from peerscope.settings import Settings
from peerscope.web import create_app

pytestmark = pytest.mark.browser

FIRST = """@article{one, title={Learning to rank bright things}, author={Example, Ada and Sample, Ben},
  year={2020}, doi={10.5555/one}}
"""
SECOND = """@article{uno, title={Learning to rank bright things}, author={Example, Ada and Sample, Ben},
  year={2020}, doi={10.5555/one}, abstract={What the first file did not say.}}
@article{dos, title={A second study of ranks}, author={Example, Ada}, year={2021}}
@article{tres, author={Sample, Ben}, year={2019}}
"""
SHOTS = os.environ.get("PEERSCOPE_SHOTS", "")
"""A folder for pictures of the pages, to look at."""


@pytest.fixture
def small(tmp_path, small_society):
    """A site with an empty record: its address-to-be and an account that moderates."""
    settings = Settings(home=tmp_path / "site", site_name="Test site")
    database = Database(settings.record_url)
    database.migrate()
    community = Community(settings)
    application = create_app(
        settings, database, SiteDiscovery(database, settings.bundles), community=community
    )
    yield application, type(small_society())(application, community)
    community.close()
    database.close()


@pytest.mark.parametrize("scheme", ["light", "dark", "phone", "no script"])
def test_the_whole_way_from_a_file_to_works_and_back(
    browser, small, tmp_path, serve, scheme
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    application, society = small
    member = society.member("Ada Moderator", "moderator")
    with serve(application) as address:
        context = browser.new_context(
            viewport={"width": 390 if scheme == "phone" else 1280, "height": 844},
            color_scheme="dark" if scheme == "dark" else "light",
            java_script_enabled=scheme != "no script",
        )
        secret = member.cookies["peerscope-session"]
        context.add_cookies([{"name": "peerscope-session", "value": secret, "url": address}])
        page = context.new_page()

        def seen(name: str) -> None:
            if SHOTS:
                page.screenshot(
                    path=f"{SHOTS}/{name}-{scheme}.png".replace(" ", "-"), full_page=True
                )
            if scheme == "no script":
                return
            assert page.locator("main").evaluate("e => e.scrollWidth - e.clientWidth") <= 1
            found = axe.Axe().run(page).response["violations"]
            assert [
                (rule["id"], node["failureSummary"]) for rule in found for node in rule["nodes"]
            ] == []

        def bring(text: str, name: str) -> None:
            path = tmp_path / name
            path.write_text(text)
            page.goto(f"{address}/add")
            page.get_by_label("A file").set_input_files(Path(path))
            page.get_by_role("button", name="Look at it").click()

        page.goto(f"{address}/add")
        seen("add")
        bring(FIRST, "first.bib")
        page.get_by_role("button", name="Import", exact=True).click()
        page.get_by_text("1 record went in").wait_for()
        bring(SECOND, "second.bib")
        page.get_by_text("has the same DOI, 10.5555/one").wait_for()
        page.locator("details summary").first.click()
        seen("preview")
        page.get_by_role("button", name="Import", exact=True).click()
        page.get_by_text("2 records went in").wait_for()
        seen("done")
        page.goto(f"{address}/works")
        assert page.locator("main").get_by_role("article").count() == 2
        page.goto(f"{address}/sources")
        seen("sources")
        page.get_by_role("link", name="second.bib").click()
        page.get_by_text("1 work that only it states goes").wait_for()
        seen("source")
        page.get_by_role("button", name="Withdraw 2 records").click()
        page.get_by_text("It was withdrawn").wait_for()
        seen("withdrawn")
        page.goto(f"{address}/works")
        assert page.locator("main").get_by_role("article").count() == 1
        context.close()
