"""The map's viewer in a browser: by keyboard, by pointer, in words, and the page without scripts."""

from __future__ import annotations

import re
import time

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def page(browser, address):
    context = browser.new_context(viewport={"width": 1280, "height": 1500})
    shown = context.new_page()
    shown.problems = []
    shown.on("pageerror", lambda error: shown.problems.append(str(error)))
    shown.on(
        "console",
        lambda said: (
            shown.problems.append(said.text) if said.type in ("error", "warning") else None
        ),
    )
    shown.goto(f"{address}/map")
    shown.wait_for_selector("#map canvas")
    shown.wait_for_selector("#map .sheet button")
    yield shown
    assert shown.problems == []
    context.close()


def until(page, expression: str) -> None:
    """Wait until something holds in the page; its policy forbids what `wait_for_function` does."""
    end = time.monotonic() + 20
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(50)


def counted(page) -> int:
    return int(re.match(r"[\d,]+", page.inner_text("#in-view"))[0].replace(",", ""))


def dark_pixels(page) -> int:
    """Pixels of the canvas that are not its ground."""
    return page.evaluate(
        """() => { const c = document.querySelector("#map canvas"), p = c.getContext("2d");
        const d = p.getImageData(0, 0, c.width, c.height).data; let n = 0;
        for (let i = 0; i < d.length; i += 4)
          if (Math.abs(d[i] - d[0]) + Math.abs(d[i + 1] - d[1]) + Math.abs(d[i + 2] - d[2]) > 60) n++;
        return n; }"""
    )


def test_the_keyboard_moves_zooms_and_says_what_is_in_sight(page) -> None:
    before = counted(page)
    assert dark_pixels(page) > 500
    page.focus("#map canvas")
    page.keyboard.press("+")
    page.keyboard.press("+")
    until(
        page,
        f"parseInt(document.querySelector('#in-view').textContent.replace(',', '')) < {before}",
    )
    closer = counted(page)
    assert "z=2" in page.url
    page.keyboard.press("ArrowRight")
    until(page, "location.search.includes('x=0.56')")
    page.keyboard.press("0")
    until(page, f"document.querySelector('#in-view').textContent.startsWith('{before}')")
    assert closer < before
    assert page.get_attribute("#in-view", "aria-live") == "polite"


def test_tab_goes_through_regions_and_a_region_leads_closer(page) -> None:
    page.focus("#map canvas")
    met = []
    for _ in range(3):
        page.keyboard.press("Tab")
        met.append(page.evaluate("document.activeElement.dataset.region"))
    assert all(met) and len(set(met)) == 3
    page.keyboard.press("Enter")
    until(page, "new URL(location).searchParams.get('z') >= 1")


def test_hovering_tells_a_work_and_a_click_opens_it(page, address) -> None:
    page.focus("#lines a")
    spot = page.evaluate(
        """async () => {
          const link = document.querySelector("#lines a");
          const bytes = await (await fetch(document.querySelector("#map").dataset.tiles + "/0/0/0")).arrayBuffer();
          const view = new DataView(bytes), id = Number(link.href.split("W").pop());
          for (let at = 0; at < bytes.byteLength; at += 22)
            if (view.getFloat64(at, true) === id) return [view.getUint16(at + 8, true), view.getUint16(at + 10, true)];
        }"""
    )
    title = page.inner_text("#lines a")
    box = page.locator("#map canvas").bounding_box()
    x, y = (
        box["x"] + box["width"] * (spot[0] + 0.5) / 65536,
        box["y"] + box["height"] * (spot[1] + 0.5) / 65536,
    )
    page.evaluate("for (const one of document.querySelectorAll('.sheet button')) one.remove()")
    page.mouse.move(x, y)
    until(page, "document.querySelector('.tip').textContent.length > 3")
    assert title[:40] in page.inner_text(".tip")
    page.mouse.click(x, y)
    page.wait_for_url(re.compile(r"/works/W\d+$"))
    assert page.inner_text("h1")[:40] == title[:40]


def test_dragging_moves_and_opens_nothing(page) -> None:
    page.click("[data-move=in]")
    page.click("[data-move=in]")
    until(page, "location.search.includes('z=2')")
    box = page.locator("#map canvas").bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 300)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 300, steps=4)
    page.mouse.up()
    until(page, "new URL(location).searchParams.get('x') > 0.5")
    assert "/map" in page.url


def test_the_lists_beside_follow_the_view(page) -> None:
    page.click("#region-list .go")
    until(page, "new URL(location).searchParams.get('z') >= 1")
    until(page, "document.querySelectorAll('#lines a').length > 0")
    assert page.locator("#region-list > li").count() >= 1
    page.click("#lines a")
    page.wait_for_url(re.compile(r"/works/W\d+$"))


def test_without_scripts_the_picture_zooms_by_links(browser, address) -> None:
    context = browser.new_context(java_script_enabled=False)
    shown = context.new_page()
    shown.goto(f"{address}/map")
    assert shown.locator("#map > svg .dots path").count() > 3
    shown.click("text=Closer")
    assert "z=1" in shown.url
    shown.locator("section.regions .go").first.click()
    assert shown.locator("#lines li").count() > 0
    context.close()
