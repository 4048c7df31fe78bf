"""The explorer in Debian's chromium: walk, expand, filter, path, pins, undo, shared addresses, files, fallbacks.

What is on the canvas is read back from the JSON that the explorer saves, which holds exactly what is shown.
"""

from __future__ import annotations

import io
import json
import re
from contextlib import contextmanager
from pathlib import Path

import networkx as nx
import pytest
from lxml import etree

pytestmark = pytest.mark.browser

NO_WEBGL = """
const get = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
  return kind.startsWith('webgl') ? null : get.call(this, kind, ...more);
};
"""


@contextmanager
def opened(browser, place: str, script: str = "", **context):
    """The explorer at an address, ready, with what the console said."""
    made = browser.new_context(
        **{"viewport": {"width": 1280, "height": 900}, "reduced_motion": "no-preference"} | context
    )
    page = made.new_page()
    page.messages = []
    page.on("pageerror", lambda error: page.messages.append(str(error)))
    page.on("dialog", lambda dialog: page.messages.append("a dialog: " + dialog.message))
    page.on(
        "console",
        lambda message: page.messages.append(message.text) if message.type == "error" else None,
    )
    if script:
        page.add_init_script(script)
    page.goto(place)
    page.wait_for_selector("#explorer[data-ready]")
    yield page
    made.close()


@pytest.fixture(scope="module")
def keys(numbers) -> dict[str, str]:
    return {
        "person": f"A{numbers['person:Kang Zhang']}",
        "work": f"W{numbers['work:Dual Temperature Helps Contras']}",
        "hostile": f"W{numbers['work:<script>alert(1)</script> A ti']}",
        "crowd": f"W{numbers['work:A work of three thousand']}",
        "topic": f"T{numbers['topic:Contrastive learning']}",
    }


@pytest.fixture
def explorer(browser, address, keys):
    with opened(browser, f"{address}/explore?centre={keys['person']}") as page:
        yield page
        assert page.messages == []


def settled(page) -> None:
    page.wait_for_selector("#explorer:not([aria-busy])")


def said(page) -> str:
    settled(page)
    return page.locator("#said").inner_text()


def saved(page, form: str) -> bytes:
    if not page.locator("details.save").get_attribute("open"):
        page.locator("details.save").evaluate("e => e.open = true")
    with page.expect_download() as download:
        page.locator(f"[data-do=save-{form}]").click()
    page.locator("details.save").evaluate("e => e.open = false")
    return Path(download.value.path()).read_bytes()


def on_canvas(page) -> dict:
    settled(page)
    found = json.loads(saved(page, "json"))
    return {
        "nodes": {one["key"]: one["attributes"] for one in found["nodes"]},
        "edges": {one["key"]: one for one in found["edges"]},
    }


def places(canvas: dict) -> dict[str, tuple[float, float]]:
    return {key: (node["x"], node["y"]) for key, node in canvas["nodes"].items()}


def focus(page) -> None:
    page.locator("#cursor").focus()


def press(page, *keys: str) -> str:
    for key in keys:
        page.keyboard.press(key)
    return said(page)


def test_a_walk_by_keyboard_alone(explorer, keys) -> None:
    canvas = on_canvas(explorer)
    focus(explorer)
    first = press(explorer, "ArrowRight")
    assert re.search(r"^\w+ “.+”.*\. \d+ links?: .+\. 1 of \d+ around Kang Zhang\.$", first)
    label = re.search(r"“(.+?)”", first)[1]
    at = [key for key, node in canvas["nodes"].items() if node["label"] == label]
    joined = {
        edge["source"] if edge["target"] == keys["person"] else edge["target"]
        for edge in canvas["edges"].values()
        if keys["person"] in (edge["source"], edge["target"])
    }
    assert set(at) & joined
    count = int(re.search(r"1 of (\d+)", first)[1])
    assert count == len(joined)
    assert f"2 of {count}" in press(explorer, "ArrowRight")
    assert f"{count} of {count}" in press(explorer, "ArrowLeft", "ArrowLeft")
    assert press(explorer, "ArrowRight") == first, "after the last comes the first again"
    deeper = press(explorer, "ArrowDown")
    assert f"around {label}" in deeper
    assert press(explorer, "Backspace").startswith(first.split(". ")[0])
    assert "Kang Zhang" in press(explorer, "Backspace")
    assert press(explorer, "Backspace") == "This is where the walk began."
    assert explorer.locator(":focus").get_attribute("id") == "cursor"
    name = explorer.locator("#cursor").get_attribute("aria-label")
    assert name.startswith("Person “Kang Zhang”")
    press(explorer, "ArrowRight")
    target = explorer.locator("#cursor").get_attribute("href")
    explorer.keyboard.press("Enter")
    explorer.wait_for_selector("article.entity")
    assert explorer.url.endswith(target.split("/", 3)[-1]) or target in explorer.url


def test_counts_that_are_said_are_those_of_the_edges(explorer, keys) -> None:
    canvas = on_canvas(explorer)
    own = [e for e in canvas["edges"].values() if keys["person"] in (e["source"], e["target"])]
    name = explorer.locator("#cursor").get_attribute("aria-label")
    assert f"{len(own)} links:" in name
    works = sum(one["attributes"]["kind"] == "authored" for one in own)
    assert f"{works} works" in name or f"{works} work," in name


def test_expand_collapse_undo_and_redo(explorer) -> None:
    before = on_canvas(explorer)
    focus(explorer)
    press(explorer, "ArrowRight")
    assert re.match(r"\d+ neighbours? came\.|There is nothing more", press(explorer, "e"))
    more = on_canvas(explorer)
    assert len(more["nodes"]) > len(before["nodes"])
    assert places(more) | places(before) == places(more), "what was there stays where it was"
    assert len(set(places(more).values())) == len(more["nodes"])
    assert "expanded=" in explorer.url
    focus(explorer)
    press(explorer, "c")
    assert on_canvas(explorer) == before
    focus(explorer)
    press(explorer, "u")
    assert on_canvas(explorer) == more
    explorer.locator("[data-do=undo]").click()
    assert on_canvas(explorer) == before
    assert explorer.locator("[data-do=undo]").get_attribute("aria-disabled") == "true"
    assert "#" not in explorer.url
    explorer.locator("[data-do=redo]").click()
    assert on_canvas(explorer) == more


def test_filters_by_type_kind_and_year(explorer, keys) -> None:
    whole = on_canvas(explorer)
    explorer.get_by_role("checkbox", name=re.compile("^Person")).uncheck()
    assert said(explorer).startswith("Person nodes hidden.")
    left = on_canvas(explorer)
    assert [k for k, n in left["nodes"].items() if n["type"] == "person"] == [keys["person"]]
    explorer.get_by_role("checkbox", name=re.compile("^Person")).check()
    assert on_canvas(explorer) == whole
    explorer.get_by_role("checkbox", name=re.compile("^wrote together")).uncheck()
    kinds = {e["attributes"]["kind"] for e in on_canvas(explorer)["edges"].values()}
    assert "coauthor" not in kinds
    assert kinds
    explorer.get_by_label("from").fill("2021")
    explorer.get_by_label("from").press("Enter")
    explorer.get_by_label("from").blur()
    settled(explorer)
    years = [n["year"] for n in on_canvas(explorer)["nodes"].values() if n["type"] == "work"]
    assert years
    assert min(years) >= 2021
    assert "links-off=coauthor&years=2021-" in explorer.url
    for _ in range(4):
        explorer.locator("[data-do=undo]").click()
        settled(explorer)
    assert on_canvas(explorer) == whole
    assert explorer.get_by_role("checkbox", name=re.compile("^wrote together")).is_checked()
    assert explorer.get_by_label("from").input_value() == ""


def test_a_shared_address_shows_the_same_picture(explorer, browser) -> None:
    focus(explorer)
    press(explorer, "ArrowRight", "e")
    focus(explorer)
    press(explorer, "Shift+ArrowRight", "Shift+ArrowDown")
    press(explorer, "ArrowRight", "ArrowRight", "p")
    explorer.get_by_role("checkbox", name=re.compile("^Topic")).uncheck()
    shown = on_canvas(explorer)
    assert explorer.url.count(":") >= 5
    with opened(browser, explorer.url, viewport={"width": 900, "height": 700}) as again:
        assert on_canvas(again) == shown
        assert again.url == explorer.url


def test_pins_move_by_buttons_and_keys_and_outlast_a_collapse(explorer) -> None:
    focus(explorer)
    press(explorer, "ArrowRight", "e", "ArrowDown")
    before = on_canvas(explorer)
    key = explorer.locator("#cursor").get_attribute("href").rsplit("/", 1)[1]
    explorer.get_by_role("button", name="Move right").click()
    settled(explorer)
    assert explorer.locator(":focus").get_attribute("aria-label") == "Move right"
    explorer.get_by_role("button", name="Move down").click()
    settled(explorer)
    moved = on_canvas(explorer)
    (x, y), (x0, y0) = places(moved)[key], places(before)[key]
    assert (round(x - x0, 3), round(y - y0, 3)) == (0.02, 0.02)
    assert explorer.get_by_role("button", name="Pin").get_attribute("aria-pressed") == "true"
    explorer.get_by_role(
        "checkbox",
        name=re.compile(
            "^"
            + {"A": "Person", "W": "Work", "T": "Topic", "I": "Institution", "S": "Venue"}[key[0]]
        ),
    ).uncheck()
    assert key in on_canvas(explorer)["nodes"]
    explorer.locator("[data-do=undo]").click()
    focus(explorer)
    press(explorer, "Backspace", "c")
    left = on_canvas(explorer)
    assert key in left["nodes"]
    assert len(left["nodes"]) < len(moved["nodes"])
    with opened(explorer.context.browser, explorer.url) as again:
        assert on_canvas(again) == left
    explorer.locator("[data-do=undo]").click()
    for _ in range(2):
        explorer.locator("[data-do=undo]").click()
    assert on_canvas(explorer) == before


def test_a_node_is_dragged_and_pinned_where_it_is_dropped(explorer, keys) -> None:
    before = places(on_canvas(explorer))
    focus(explorer)
    box = explorer.locator("#cursor").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    explorer.mouse.move(x, y)
    explorer.mouse.down()
    explorer.mouse.move(x + 60, y + 40, steps=4)
    explorer.mouse.up()
    explorer.wait_for_url(re.compile("pins="))
    after = places(on_canvas(explorer))
    assert after[keys["person"]][0] > before[keys["person"]][0]
    assert after[keys["person"]][1] > before[keys["person"]][1]
    assert {k: v for k, v in after.items() if k != keys["person"]} == {
        k: v for k, v in before.items() if k != keys["person"]
    }


def test_a_click_selects_and_a_double_click_expands(explorer, keys) -> None:
    focus(explorer)
    box = explorer.locator("#cursor").bounding_box()
    press(explorer, "ArrowRight")
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    explorer.mouse.click(x, y)
    explorer.locator("#details h3", has_text="Kang Zhang").wait_for()
    assert explorer.locator(":focus").get_attribute("id") == "cursor"
    explorer.mouse.dblclick(x, y)
    explorer.wait_for_url(re.compile("expanded="))
    settled(explorer)
    assert f"expanded={keys['person']}" in explorer.url


def test_a_path_is_found_drawn_and_told(explorer, keys) -> None:
    canvas = on_canvas(explorer)
    focus(explorer)
    explorer.keyboard.press("f")
    explorer.keyboard.press("/")
    explorer.keyboard.type("Batch Normalization")
    explorer.wait_for_selector("#found button:has-text('Path to it'), #found .to")
    explorer.locator("#found li", has_text="Batch Normalization").locator("button").last.click()
    settled(explorer)
    if "path=" not in explorer.url:  # it was on the canvas: selected, so the path goes there
        explorer.keyboard.press("t")
        settled(explorer)
    explorer.wait_for_url(re.compile("path="))
    settled(explorer)
    ends = re.search(r"path=(\w+)~(\w+)", explorer.url)
    steps = explorer.locator("#path ol li")
    assert steps.count() >= 2
    words = " ".join(explorer.locator("#path ol").inner_text().split())
    assert "Kang Zhang is an author of" in words
    assert said(explorer).startswith(f"Path of {steps.count()} links: ")
    # Each step is an edge of the canvas, and they lead from one end to the other.
    after = on_canvas(explorer)
    drawn = nx.Graph((e["source"], e["target"]) for e in after["edges"].values())
    assert nx.shortest_path_length(drawn, ends[1], ends[2]) <= steps.count()
    assert places(after) | places(canvas) == places(after)
    explorer.get_by_role("button", name="Remove the path").click()
    assert on_canvas(explorer) == canvas


def test_why_opens_with_evidence_that_leads_somewhere(explorer) -> None:
    focus(explorer)
    press(explorer, "ArrowRight")
    explorer.locator("#details .reason-of summary").first.click()
    explorer.wait_for_selector("#details .evidence-of li")
    assert explorer.locator("#said").inner_text().startswith("Why: ")
    for link in explorer.locator("#details .evidence-of a").all():
        assert re.match(r"/|https?://", link.get_attribute("href"))
    focus(explorer)
    press(explorer, "w")
    explorer.wait_for_selector("#details .evidence-of li")
    assert explorer.locator("#details .eyebrow").inner_text().startswith("Link: ")


def test_find_on_the_canvas_and_beyond(explorer) -> None:
    focus(explorer)
    explorer.keyboard.press("/")
    assert explorer.locator(":focus").get_attribute("id") == "find"
    explorer.keyboard.type("dual temperature")
    explorer.keyboard.press("Enter")
    assert said(explorer).startswith("Work “Dual Temperature Helps")
    explorer.locator("#find").fill("Group Normalization")
    explorer.wait_for_selector("#found a, #found .to")
    explorer.keyboard.press("Escape")
    assert explorer.locator("#finding").is_hidden()


def test_saved_files_are_read_by_others(explorer) -> None:
    canvas = on_canvas(explorer)
    whole = json.loads(saved(explorer, "json"))
    again = explorer.evaluate(
        "data => { const graph = graphology.Graph.from(data); return [graph.order, graph.size]; }",
        whole,
    )
    assert again == [len(canvas["nodes"]), len(canvas["edges"])]
    read = nx.read_graphml(io.BytesIO(saved(explorer, "graphml")), force_multigraph=True)
    assert {k: v["label"] for k, v in read.nodes.items()} == {
        k: v["label"] for k, v in canvas["nodes"].items()
    }
    assert read.number_of_edges() == len(canvas["edges"])
    gexf = etree.fromstring(saved(explorer, "gexf"))
    space = {"g": "http://gexf.net/1.3"}
    assert {n.get("id") for n in gexf.iterfind(".//g:node", space)} == set(canvas["nodes"])
    assert {e.get("id") for e in gexf.iterfind(".//g:edge", space)} == set(canvas["edges"])
    drawn = etree.fromstring(saved(explorer, "svg"))
    assert len(drawn.findall("{*}g")) == len(canvas["nodes"])
    assert len(drawn.findall("{*}path")) == len(canvas["edges"])
    assert saved(explorer, "png")[:8] == b"\x89PNG\r\n\x1a\n"


def test_hostile_names_stay_text(browser, address, keys) -> None:
    with opened(browser, f"{address}/explore?centre={keys['hostile']}") as page:
        assert "<script>alert(1)</script>" in page.locator("#details h3").inner_text()
        focus(page)
        press(page, "ArrowRight", "e")
        page.locator("[data-do=table]").click()
        for form in ("graphml", "gexf", "svg"):
            text = saved(page, form)
            etree.fromstring(text)
            assert b"<script" not in text
        assert page.locator("#explorer script, #explorer img").count() == 0
        assert page.messages == []


def test_a_hostile_address_is_read_leniently(browser, address, keys) -> None:
    hostile = (
        "size=1e9&most=-1&expanded=<img>,W1%00,__proto__,W999999999&links-off=nonsense,constructor&nodes-off=__proto__&years=99999-x"
        f"&pins=W1:NaN:1,__proto__:1:1,{keys['person']}:1e9:0,{keys['person']}:0.5:0.5&path=W1~W1&%E0%A4%A"
    )
    with opened(browser, f"{address}/explore?centre={keys['person']}#{hostile}") as page:
        assert places(on_canvas(page))[keys["person"]] == (0.5, 0.5)
        assert re.fullmatch(r".*#expanded=W999999999&pins=\w+:0\.5:0\.5", page.url)
        assert page.evaluate("({}).x === undefined")
        assert page.messages == []


def test_addresses_keep_every_state(explorer) -> None:
    """A thousand states at random: written to an address and read again they are what they were."""
    wrong = explorer.evaluate(
        """async () => {
          const s = await import('/static/explore/state.js');
          let seed = 7;
          const random = (n) => { seed = (seed * 1103515245 + 12345) % 2147483648; return seed % n; };
          const some = (all) => all.filter(() => random(2));
          const key = () => 'WATIS'[random(5)] + random(1e6);
          const wrong = [];
          for (let turn = 0; turn < 1000; turn += 1) {
            const state = s.initial();
            state.size = s.SIZES[random(5)]; state.most = s.CEILINGS[random(3)];
            const used = new Set();
            for (let n = random(6); n; n -= 1) { const k = key(); if (!used.has(k)) state.expanded.push({ key: k, keep: Boolean(random(2)) }); used.add(k); }
            state.offTypes = some(s.TYPES);
            state.offKinds = some(s.KINDS);
            state.years = [random(2) ? random(2100) : null, random(2) ? random(2100) : null];
            for (let n = random(4); n; n -= 1) state.pins[key()] = [s.rounded(random(1e6) / 1e6), s.rounded(-random(1e6) / 1e5)];
            const [a, b] = [key(), key()];
            if (random(2) && a !== b) state.path = [a, b];
            const read = s.fromFragment('#' + s.toFragment(state));
            if (JSON.stringify(read) !== JSON.stringify(state)) wrong.push([s.toFragment(state), read]);
          }
          return wrong;
        }"""
    )
    assert wrong == []


def test_without_webgl_the_table_comes_first_and_the_server_picture_stays(
    browser, address, keys
) -> None:
    with opened(browser, f"{address}/explore?centre={keys['person']}", NO_WEBGL) as page:
        assert page.locator("#no-canvas").is_visible()
        assert page.locator("#table tbody tr").count() > 20
        assert page.locator("#plain svg").first.is_visible()
        assert page.locator("#stage").is_hidden()
        rows = page.locator("#table tbody tr").count()
        page.get_by_role("button", name="Select Dual Temperature", exact=False).first.click()
        assert "Dual Temperature" in page.locator("#details h3").inner_text()
        page.get_by_role("button", name="Expand").click()
        settled(page)
        assert (
            page.locator("#table tbody tr").count() > rows
            or page.locator("#table > button").count()
        )
        page.get_by_role("button", name="Name", exact=True).click()
        names = page.locator("#table tbody th").all_inner_texts()
        assert names == page.evaluate("all => [...all].sort((a, b) => a.localeCompare(b))", names)
        assert page.evaluate(
            "performance.getEntriesByType('resource').every(one => !one.name.includes('vendor'))"
        )
        assert page.messages == []


def test_reduced_motion_begins_with_the_table(browser, address, keys) -> None:
    place = f"{address}/explore?centre={keys['person']}"
    with opened(browser, place, reduced_motion="reduce") as page:
        assert page.locator("#table").is_visible()
        assert page.locator("#plain").is_hidden()
        page.locator("[data-do=picture]").click()
        page.wait_for_selector("#canvas canvas")
        assert page.locator("#table").is_hidden()
        assert page.messages == []


def test_a_site_that_does_not_answer_leaves_the_server_picture(browser, address, keys) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.route("**/api/v1/graph/**", lambda route: route.abort())
    page.goto(f"{address}/explore?centre={keys['person']}")
    page.wait_for_selector("#failed:not([hidden])")
    assert "could not be reached" in page.locator("#failed").inner_text()
    assert page.locator("#plain svg").first.is_visible()
    assert page.locator("#explorer").is_hidden()
    context.close()


def answer(numbers: range, joined_to: str) -> dict:
    """What the API answers: people in a row, each joined to one node."""
    return {
        "attributes": {"truncated": True},
        "nodes": [
            {"key": f"A{n}", "attributes": {"label": f"Person {n}", "type": "person", "x": n % 50 / 50, "y": n / 2500, "size": 0.2, "url": f"/people/A{n}"}}
            for n in numbers
        ],
        "edges": [
            {"key": f"coauthor:A{n}:{joined_to}", "source": f"A{n}", "target": joined_to, "undirected": True, "attributes": {"kind": "coauthor", "weight": 0.4, "reason": "1 work together"}}
            for n in numbers if f"A{n}" != joined_to
        ],
    }  # fmt: skip


def test_the_canvas_is_full_at_its_bound(browser, address) -> None:
    with opened(browser, f"{address}/explore?centre=A1") as page:
        page.route(
            "**/api/v1/graph/A1?*", lambda route: route.fulfill(json=answer(range(1, 1981), "A1"))
        )
        page.route("**/expand?*", lambda route: route.fulfill(json=answer(range(5000, 5040), "A7")))
        page.goto(f"{address}/explore?centre=A1#size=2000&expanded=A7")
        page.reload()
        page.wait_for_selector("#explorer[data-ready]")
        assert len(on_canvas(page)["nodes"]) == 2000
        assert "holds 2,000 nodes at most" in page.locator("#notes").inner_text()
        page.get_by_label("at most").select_option("5000")
        assert len(on_canvas(page)["nodes"]) == 2020
        assert page.locator("#notes").inner_text() == ""
        assert page.messages == []


def test_a_click_on_a_line_tells_why_it_is_there(explorer) -> None:
    focus(explorer)
    start = explorer.locator("#cursor").bounding_box()
    press(explorer, "ArrowRight")
    end = explorer.locator("#cursor").bounding_box()
    hit = False
    for part in (0.5, 0.4, 0.6, 0.3, 0.7):  # another node may lie on the line
        place = [
            (1 - part) * (start[at] + start[size] / 2) + part * (end[at] + end[size] / 2)
            for at, size in (("x", "width"), ("y", "height"))
        ]
        explorer.mouse.click(*place)
        explorer.wait_for_timeout(50)
        if hit := explorer.locator("#details .eyebrow").inner_text().startswith("Link: "):
            break
    assert hit
    explorer.wait_for_selector("#details .evidence-of li")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_canvas_draws_every_type_in_colours_of_contrast(browser, address, keys, scheme) -> None:
    """WCAG 1.4.11: three to one between what is drawn and its ground, read from the pixels of the canvas."""
    place = f"{address}/explore?centre={keys['work']}"
    with opened(browser, place, color_scheme=scheme) as page:
        present = {node["type"] for node in on_canvas(page)["nodes"].values()}
        assert {"work", "person", "topic"} <= present
        colours = page.evaluate("import('/static/explore/draw.js').then(m => m.theme())")
        from PIL import Image

        picture = Image.open(io.BytesIO(page.locator("#stage").screenshot())).convert("RGB")
        pixels = {colour: count for count, colour in picture.getcolors(1 << 24)}

        def rgb(text: str) -> tuple[int, ...]:
            digits = text.lstrip("#")
            digits = "".join(2 * one for one in digits) if len(digits) == 3 else digits
            return tuple(int(digits[at : at + 2], 16) for at in (0, 2, 4))

        def luminance(colour: tuple[int, ...]) -> float:
            linear = [
                v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4
                for v in (c / 255 for c in colour)
            ]
            return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

        ground = luminance(rgb(colours["sheet"]))
        letters = {"work": "w", "person": "a", "topic": "t", "institution": "i", "venue": "s"}
        for name in [*(letters[one] for one in present), "edge", "ink"]:
            high, low = sorted((luminance(rgb(colours[name])), ground), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 3, name
            if name in letters.values():
                assert any(
                    max(abs(a - b) for a, b in zip(colour, rgb(colours[name]), strict=True)) <= 3
                    and count > 15
                    for colour, count in pixels.items()
                ), name


def test_a_phone_shows_it_without_scrolling_sideways(browser, address, keys) -> None:
    place = f"{address}/explore?centre={keys['person']}"
    with opened(browser, place, viewport={"width": 390, "height": 844}, has_touch=True) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        for control in page.locator("#explorer button:visible, #explorer summary:visible").all():
            box = control.bounding_box()
            assert min(box["width"], box["height"]) >= 24, control.inner_text()
        page.locator("[data-do=table]").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_no_rule_of_accessibility_is_broken(browser, address, keys, look) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    phone = look == "phone"
    with opened(
        browser, f"{address}/explore?centre={keys['person']}",
        viewport={"width": 390 if phone else 1280, "height": 844 if phone else 900},
        color_scheme="dark" if look == "dark" else "light",
    ) as page:  # fmt: skip
        focus(page)
        press(page, "ArrowRight", "e", "f", "Home", "t")
        page.locator("details.save").evaluate("e => e.open = true")
        page.locator("[data-do=find]").click()
        if look == "dark":
            page.locator("[data-do=table]").click()
        assert broken(axe, page) == []
        if look == "light":
            page.locator("details.save").evaluate("e => e.open = false")
            page.locator("[data-do=keys]").click()
            assert broken(axe, page) == []
        if look == "phone":
            page.goto(f"{address}/explore?q=learning")
            assert broken(axe, page) == []


def broken(axe, page) -> list:
    return [
        (rule["id"], [node["target"] for node in rule["nodes"]][:3])
        for rule in axe.Axe().run(page).response["violations"]
    ]
