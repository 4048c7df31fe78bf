"""The pages in Debian's chromium, as a reader meets them."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser


def test_search_by_keyboard_alone(page, address) -> None:
    page.goto(address)
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to the content"
    page.locator("#q").focus()
    page.keyboard.type("how does siamese learning avoid collapse")
    page.keyboard.press("Enter")
    page.wait_for_selector("article.work")
    first = page.locator("article.work h2 a").first
    first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("h1")
    assert "/works/W" in page.url
    assert page.messages == []


@pytest.mark.parametrize(
    "name", ["/", "/search?q=dense+retrieval", "work", "person", "hostile", "/topics", "/about"]
)
def test_pages_fit_the_window_and_break_no_rule(page, address, numbers, name) -> None:
    place = {
        "work": f"/works/W{numbers['work:Dual Temperature Helps Contras']}",
        "person": f"/people/A{numbers['person:Kang Zhang']}",
        "hostile": f"/works/W{numbers['work:<script>alert(1)</script> A ti']}",
    }.get(name, name)
    page.goto(address + place)
    wide = page.locator("html").bounding_box()["width"]
    for element in ("main", "header.top", "footer"):
        box = page.locator(element).first.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= wide + 1
    # evaluate() works from outside also where the page itself may run no script
    assert page.locator("main").evaluate("e => e.scrollWidth - e.clientWidth") <= 1
    assert page.messages == [], page.messages


def test_text_has_contrast_in_both_themes(page, address) -> None:
    """WCAG 1.4.3: at least 4.5 to 1 for the small texts of a results page."""
    page.goto(f"{address}/search?q=contrastive")

    def luminance(colour: str) -> float:
        parts = [int(v) / 255 for v in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    paper = luminance(page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor"))
    for selector in (".by", ".facts", ".why", ".count", ".status p", ".facet a", ".work h2 a"):
        ink = luminance(page.locator(selector).first.evaluate("e => getComputedStyle(e).color"))
        high, low = max(ink, paper), min(ink, paper)
        assert (high + 0.05) / (low + 0.05) >= 4.5, selector
