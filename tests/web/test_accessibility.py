"""Every kind of page against the rules of axe-core, in Debian's chromium, and on paper."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from peerscope.discover.maps import MapStore
from peerscope.reproduce.store import Store

pytestmark = [pytest.mark.browser, pytest.mark.slow]
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

PLACES = [
    "home", "search", "filtered", "nothing", "works", "work", "crowd", "hostile", "person", "prolific", "trust", "past",
    "topic", "institution", "venue", "name", "people", "nobody", "topics", "about", "error", "claims", "claim", "attempt",
    "workbench", "decisions",
    "for you", "history", "gone",
    "sign in", "join", "reset",
    "claim on a record", "correct", "privacy", "finder", "add works", "sources", "source",
    "graph", "wide graph", "edge", "edges",
    "map", "map closer", "map region",
    "reference", "references", "no such style", "badges", "dumps",
]  # fmt: skip


@pytest.fixture(scope="module")
def places(numbers, site) -> dict[str, str]:
    person = f"/people/A{numbers['person:Kang Zhang']}"
    return {
        "home": "/",
        "search": "/search?q=contrastive+learning+with+few+negatives",
        "filtered": "/search?q=learning&year_from=2020&year_to=2021&type=proceedings-article",
        "nothing": "/search?q=zzqqxx&type=book",
        "works": "/works?page=2",
        "work": f"/works/W{numbers['work:Dual Temperature Helps Contras']}",
        "crowd": f"/works/W{numbers['work:A work of three thousand']}",
        "hostile": f"/works/W{numbers['work:<script>alert(1)</script> A ti']}",
        "person": person,
        "prolific": f"/people/A{numbers['person:Quentin Xavier Prolific']}?page=2",
        "trust": person + "/trust",
        "past": person + "/trust/history",
        "topic": f"/topics/T{numbers['topic:Contrastive learning']}",
        "institution": f"/institutions/I{numbers['place:KAIST']}",
        "venue": f"/venues/S{numbers['venue:CVPR']}",
        "name": "/names/zhang%2C%20kang",
        "workbench": f"{person}/identity",
        "decisions": "/identity",
        "people": "/people?sort=name",
        "nobody": "/people?q=zzzz",
        "topics": "/topics",
        "about": "/about",
        "dumps": "/dumps",
        "error": "/nowhere",
        "graph": f"{person}/graph?sort=strength&order=desc&page=2",
        "wide graph": f"/topics/T{numbers['topic:Contrastive learning']}/graph?limit=150",
        "edge": f"/graph/why?source=A{numbers['person:Kang Zhang']}"
        f"&target=W{numbers['work:Dual Temperature Helps Contras']}&kind=authored",
        "edges": "/graph/kinds",
        "for you": "/for-you",
        "history": "/history",
        "gone": "/gone",
        "add works": "/add",
        "sources": "/sources",
        "source": "/sources/1",
        "sign in": "/sign-in?next=/works",
        "join": "/join",
        "reset": "/reset",
        "claims": "/claims",
        "claim on a record": f"{person}/claim",
        "correct": f"{person}/correct",
        "privacy": "/privacy",
        "finder": "/explore",
        "reference": f"/works/W{numbers['work:Dual Temperature Helps Contras']}/cite",
        "references": f"/people/A{numbers['person:Quentin Xavier Prolific']}/cite?page=2",
        "no such style": f"/works/W{numbers['work:<script>alert(1)</script> A ti']}/cite?style=none",
        "badges": f"/embed/W{numbers['work:Dual Temperature Helps Contras']}",
        "map": "/map?q=contrastive&colour=type",
        "map closer": f"/map?work=W{numbers['work:Dual Temperature Helps Contras']}",
        "map region": f"/map/regions/{MapStore(site[0].maps).about(MapStore(site[0].maps).bundles()[-1]).id}/1",
        "claim": "/claims/simsiam-9",
        "attempt": f"/attempts/{Store(site[0].reproductions).attempts()[0].id}",
    }


@pytest.fixture(scope="module", params=["light", "dark", "phone"])
def window(request, browser):
    phone = request.param == "phone"
    context = browser.new_context(
        viewport={"width": 390 if phone else 1280, "height": 844 if phone else 900},
        color_scheme="dark" if request.param == "dark" else "light",
    )
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("name", PLACES)
def test_no_page_breaks_a_rule_of_accessibility(window, address, places, name) -> None:
    answer = window.goto(address + places[name])
    assert answer.status == {"error": 404, "no such style": 400}.get(name, 200)
    window.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    found = axe.Axe().run(window)
    assert [
        (rule["id"], node["target"], node["failureSummary"])
        for rule in found.response["violations"]
        for node in rule["nodes"]
    ] == []


@pytest.mark.parametrize("place", ["/for-you", "/for-you?order=new", "/search?q=learning"])
def test_no_page_of_a_shelf_breaks_a_rule(window, address, numbers, place) -> None:
    saved, muted = (
        numbers[f"work:{name}"]
        for name in ("Dual Temperature Helps Contras", "Group Normalization")
    )
    shelf = f"1.W{saved}.T{numbers['topic:Contrastive learning']}.-W{muted}"
    window.context.add_cookies([{"name": "peerscope-shelf", "value": shelf, "url": address}])
    try:
        _without_violations(window, address + place)
    finally:
        window.context.clear_cookies()


@pytest.mark.parametrize("place", ["/me/privacy", "/me/delete", "/history", "/for-you"])
def test_no_page_of_an_account_breaks_a_rule(window, address, society, place) -> None:
    secret = society.member("Ada Example").cookies["peerscope-session"]
    window.context.add_cookies([{"name": "peerscope-session", "value": secret, "url": address}])
    try:
        _without_violations(window, address + place)
    finally:
        window.context.clear_cookies()


def _without_violations(window, place: str) -> None:
    assert window.goto(place).status == 200
    window.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    found = axe.Axe().run(window)
    assert [(rule["id"], rule["nodes"][0]["target"]) for rule in found.response["violations"]] == []


def test_a_phone_letters_its_graph_large_enough_to_read(browser, address, places) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(address + places["person"])
    heights = page.locator(".graph .node text:visible").evaluate_all(
        "all => all.map(e => e.getScreenCTM().a * parseFloat(getComputedStyle(e).fontSize))"
    )
    context.close()
    assert len(heights) >= 4
    assert min(heights) >= 9


@pytest.mark.parametrize("name", ["work", "person"])
def test_a_page_on_paper_is_black_on_white_without_controls(
    browser, address, places, name, tmp_path
) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("there is no pdftotext (poppler-utils) on this machine")
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(address + places[name])
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.pdf(path=str(tmp_path / "page.pdf"), format="A4")
    context.close()
    text = subprocess.run(
        ["pdftotext", "-layout", str(tmp_path / "page.pdf"), "-"], capture_output=True, text=True
    ).stdout
    for control in (
        "Search works",
        "Skip to the content",
        "About this site",
        "BibTeX",
        "as a table",
    ):
        assert control not in text
    assert re.search({"work": r"Dual Temperature Helps", "person": r"Kang Zhang"}[name], text)
    assert "Around this" in text
    assert re.search({"work": "Who says so", "person": "What is known, and how"}[name], text)
