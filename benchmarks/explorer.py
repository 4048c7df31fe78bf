"""Measures the explorer in chromium: frames while a large graph is loaded, panned, zoomed and expanded.

    python benchmarks/explorer.py [--nodes 2000] [--edges 4]

A small site answers the page and the scripts as they are; slices and expansions come from a preferential
attachment graph of the given size, so that the figures are of the browser and not of a record. Frame
intervals are those between calls of ``requestAnimationFrame``; long tasks are chromium's own (50 ms and
more). What the machine draws with is told: without a GPU it is software.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import random
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Page, sync_playwright

from peerscope.discover import SiteDiscovery
from peerscope.record import Database, ingest, refresh_counts, resolve_people
from peerscope.record.importers import importer_for
from peerscope.settings import Settings
from peerscope.web import create_app

ONE_WORK = """@article{one, title={A work to begin with}, author={Example, Ada}, year={2020}}"""
TYPES = ["work"] * 5 + ["person"] * 4 + ["topic", "institution", "venue"]
LETTERS = {"work": "W", "person": "A", "topic": "T", "institution": "I", "venue": "S"}
KINDS = ["cites", "authored", "coauthor", "near", "topic", "published", "affiliated"]

FRAMES = """
() => {
  const seen = { frames: [], tasks: [], last: performance.now(), on: true };
  window.measured = seen;
  new PerformanceObserver((list) => list.getEntries().forEach((one) => seen.tasks.push(one.duration)))
    .observe({ entryTypes: ['longtask'] });
  const frame = (now) => {
    seen.frames.push(now - seen.last);
    seen.last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame((now) => { seen.last = now; requestAnimationFrame(frame); });
}
"""


def graph(nodes: int, per_node: int, seed: int = 7) -> dict[str, Any]:
    """A graph in the form of the API, grown by preferential attachment; the first node is the centre."""
    chance = random.Random(seed)
    types = ["work", *(chance.choice(TYPES) for _ in range(nodes - 1))]
    keys = [f"{LETTERS[kind]}{number + 1}" for number, kind in enumerate(types)]
    ends: list[int] = [0]
    edges = []
    for new in range(1, nodes):
        for old in {chance.choice(ends) for _ in range(per_node)}:
            edges.append((old, new))
            ends += [old, new]
    degree = [0] * nodes
    for one, two in edges:
        degree[one] += 1
        degree[two] += 1
    most = max(degree)
    golden = math.pi * (3 - math.sqrt(5))

    def place(number: int) -> tuple[float, float]:
        radius = 0.5 * math.sqrt(number / nodes)
        return 0.5 + radius * math.cos(number * golden), 0.5 + radius * math.sin(number * golden)

    return {
        "attributes": {"truncated": False},
        "options": {"type": "mixed", "multi": True},
        "nodes": [
            {"key": key, "attributes": {
                "label": f"{kind.capitalize()} {number} of a benchmark, named at some length", "type": kind,
                "x": round(place(number)[0], 4), "y": round(place(number)[1], 4),
                "size": round(0.15 + 0.85 * math.sqrt(degree[number] / most), 3),
                "year": 1990 + number % 36 if kind == "work" else None, "url": f"/works/{key}"}}
            for number, (key, kind) in enumerate(zip(keys, types, strict=True))
        ],
        "edges": [
            {"key": f"e{number}", "source": keys[one], "target": keys[two], "undirected": False,
             "attributes": {"kind": chance.choice(KINDS), "weight": 0.5, "reason": "for the benchmark"}}
            for number, (one, two) in enumerate(edges)
        ],
    }  # fmt: skip


def expansion(whole: dict[str, Any], key: str, count: int) -> dict[str, Any]:
    """New nodes around one, each joined to it and to another node that is there."""
    chance = random.Random(key)
    there = [one["key"] for one in whole["nodes"]]
    fresh = [
        {"key": f"A{10_000_000 + number}", "attributes": {
            "label": f"Person {number} who came", "type": "person", "x": 0.5, "y": 0.5, "size": 0.3,
            "url": "/"}}
        for number in range(count)
    ]  # fmt: skip
    pairs = [(one["key"], end) for one in fresh for end in (key, chance.choice(there))]
    return {"attributes": {"truncated": False}, "options": {}, "nodes": fresh, "edges": [
        {"key": f"x{at}", "source": one, "target": end, "undirected": True,
         "attributes": {"kind": "coauthor", "weight": 0.5, "reason": "for the benchmark"}}
        for at, (one, end) in enumerate(pairs)
    ]}  # fmt: skip


@contextmanager
def served(application: FastAPI) -> Iterator[str]:
    """The address of an application that listens on a free port."""
    server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=10)


def site(home: Path) -> FastAPI:
    """The application on a record of one work."""
    settings = Settings(home=home)
    database = Database(settings.record_url)
    database.migrate()
    path = home / "one.bib"
    path.write_text(ONE_WORK)
    ingest(database, importer_for(str(path)), str(path))
    resolve_people(database)
    refresh_counts(database)
    return create_app(settings, database, SiteDiscovery(database, settings.bundles))


class Meter:
    """Frame intervals, long tasks and processor seconds of one step after another.

    Processor time says the same on a busy machine, which the intervals do not.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.rows: list[dict[str, Any]] = []
        self.whole = page.context.browser.new_browser_cdp_session()
        self.own = page.context.new_cdp_session(page)
        self.own.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent(self) -> tuple[float, float]:
        """Processor seconds so far: of the process that draws, and of the page's own thread."""
        processes = self.whole.send("SystemInfo.getProcessInfo")["processInfo"]
        metrics = self.own.send("Performance.getMetrics")["metrics"]
        return (
            sum(one["cpuTime"] for one in processes if one["type"] == "GPU"),
            next(one["value"] for one in metrics if one["name"] == "TaskDuration"),
        )

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure what is done inside; the page must have been opened."""
        self.page.evaluate("() => { measured.frames.length = 0; measured.tasks.length = 0; }")
        before, start = self.spent(), time.perf_counter()
        yield
        self.note(name, before, start)

    def note(self, name: str, before: tuple[float, float], start: float) -> None:
        """Write down a step that began at ``start``."""
        wall, after = time.perf_counter() - start, self.spent()
        self.page.wait_for_timeout(120)  # long tasks are told a little later
        found = self.page.evaluate("() => ({ frames: measured.frames, tasks: measured.tasks })")
        self.rows.append(
            {"step": name, "wall_s": round(wall, 2), **told(found),
             "drawing_cpu_s": round(after[0] - before[0], 2),
             "page_cpu_s": round(after[1] - before[1], 2)}
        )  # fmt: skip


def told(found: dict[str, list[float]]) -> dict[str, Any]:
    """Figures of one step, in milliseconds."""
    frames, tasks = sorted(found["frames"]), found["tasks"]
    return {
        "frames": len(frames),
        "median_ms": round(statistics.median(frames), 1) if frames else None,
        "p95_ms": round(frames[int(0.95 * (len(frames) - 1))], 1) if frames else None,
        "longest_ms": round(frames[-1], 1) if frames else None,
        "long_tasks": len(tasks),
        "longest_task_ms": round(max(tasks), 1) if tasks else 0,
    }


def measure(page: Page, address: str, nodes: int) -> list[dict[str, Any]]:
    """Load, pan, zoom, walk, filter, expand and undo, each with its frames."""
    meter = Meter(page)
    page.add_init_script(f"({FRAMES})()")
    before, start = meter.spent(), time.perf_counter()
    most = 2000 if nodes <= 2000 else 10000
    page.goto(f"{address}/explore?centre=W1#size={min(nodes, 2000)}&most={most}")
    page.wait_for_selector("#explorer[data-ready]", timeout=120_000)
    meter.note("load", before, start)
    box = page.locator("#stage").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    # A corner is empty, so that the picture is dragged; the cursor lies over a node.
    cursor = page.locator("#cursor").bounding_box()
    assert cursor is not None
    middle = cursor["x"] + cursor["width"] / 2, cursor["y"] + cursor["height"] / 2
    for name, (left, top) in {"pan": (box["x"] + 12, box["y"] + 12), "drag a node": middle}.items():
        with meter.step(name):
            page.mouse.move(left, top)
            page.mouse.down()
            for step in range(40):
                page.mouse.move(left + 4 * step, top + 2 * step)
                page.wait_for_timeout(16)
            page.mouse.up()
            page.wait_for_timeout(400)
    page.locator("[data-do=undo]").click()
    page.wait_for_selector("#explorer:not([aria-busy])")
    page.locator("[data-do=fit]").click()
    page.wait_for_timeout(300)
    with meter.step("zoom in and out"):
        for step in range(12):
            page.mouse.wheel(0, -120 if step < 6 else 120)
            page.wait_for_timeout(120)
    page.locator("[data-do=fit]").click()
    page.wait_for_timeout(300)
    with meter.step("hover"):
        for step in range(30):
            page.mouse.move(x - 150 + 10 * step, y - 60 + 4 * step)
            page.wait_for_timeout(16)
    page.locator("#cursor").focus()
    with meter.step("walk 12 links"):
        for _ in range(12):
            page.keyboard.press("ArrowRight")
            page.wait_for_timeout(80)
    with meter.step("hide a type"):
        page.locator("input[name=type][value=topic]").uncheck()
        page.wait_for_selector("#explorer:not([aria-busy])")
        page.wait_for_timeout(200)
    page.locator("#cursor").focus()
    with meter.step("expand by 40"):
        page.keyboard.press("e")
        page.wait_for_url("**expanded=**")
        page.wait_for_selector("#explorer:not([aria-busy])")
        page.wait_for_timeout(200)
    page.locator("#cursor").focus()
    with meter.step("undo"):
        page.keyboard.press("u")
        page.wait_for_selector("#explorer:not([aria-busy])")
        page.wait_for_timeout(200)
    return meter.rows


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nodes", type=int, default=2000)
    parser.add_argument("--edges", type=int, default=4, help="edges that each node brings")
    parser.add_argument("--json", type=Path, help="where to write the rows too")
    given = parser.parse_args()
    whole = graph(given.nodes, given.edges)
    chromium = shutil.which("chromium")
    with (
        tempfile.TemporaryDirectory() as home,
        served(site(Path(home))) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.route(
            "**/api/v1/graph/*/expand?*",
            lambda route: route.fulfill(
                json=expansion(whole, route.request.url.split("/")[-2], 40)
            ),
        )
        page.route("**/api/v1/graph/W1?*", lambda route: route.fulfill(json=whole))
        rows = measure(page, address, given.nodes)
        drawn_by = page.evaluate(
            """() => { const gl = document.createElement('canvas').getContext('webgl2');
            const info = gl.getExtension('WEBGL_debug_renderer_info');
            return gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER); }"""
        )
        version = browser.version
        browser.close()
    print(
        f"{len(whole['nodes']):,} nodes, {len(whole['edges']):,} edges; chromium {version}; {drawn_by}"
    )
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    names = list(rows[0])
    print("| " + " | ".join(names) + " |\n|" + " --- |" * len(names))
    for row in rows:
        print("| " + " | ".join(str(row[name]) for name in names) + " |")
    if given.json:
        given.json.write_text(json.dumps({"drawn_by": drawn_by, "chromium": version, "rows": rows}))


if __name__ == "__main__":
    main()
