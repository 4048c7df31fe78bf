"""The explorer's page as the server makes it, and the files that it ships."""

from __future__ import annotations

import gzip
import hashlib
import json
import re

import pytest
from lxml import html

from peerscope.discover.graph_shapes import KINDS, TYPES
from peerscope.record import count_statements
from peerscope.web import explore

KNOWN_LICENCES = {"MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Apache-2.0", "0BSD"}


@pytest.fixture
def modules(static_folder):
    found = sorted((static_folder / "explore").glob("*.js"))
    assert len(found) > 8
    return found


def tree(response):
    assert response.status_code == 200, response.text[:300]
    return html.fromstring(response.text)


def test_vendored_files_are_those_of_the_manifest(static_folder) -> None:
    folder = static_folder / "vendor"
    packages = json.loads((folder / "manifest.json").read_text())["packages"]
    told = {name: entry["sha256"] for one in packages for name, entry in one["files"].items()}
    present = {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in folder.iterdir()}
    present.pop("manifest.json")
    assert present == told
    for one in packages:
        assert re.fullmatch(r"\d+\.\d+\.\d+", one["version"])
        assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", one["integrity"])
        assert one["licence"] in KNOWN_LICENCES
        text = (folder / f"{one['name']}.LICENSE.txt").read_text()
        assert "Permission is hereby granted" in text


def test_scripts_are_small_modules_within_their_budget(static_folder, modules) -> None:
    own = [gzip.compress(path.read_bytes()) for path in modules]
    assert sum(map(len, own)) < 60_000
    vendored = [
        gzip.compress(path.read_bytes()) for path in (static_folder / "vendor").glob("*.js")
    ]
    assert sum(map(len, own)) + sum(map(len, vendored)) < 120_000
    assert len(gzip.compress((static_folder / "explore" / "explore.css").read_bytes())) < 4_000
    for path in modules:
        assert len(path.read_text().splitlines()) <= 400, path.name


def test_no_script_makes_html_of_text_or_code_of_strings(modules) -> None:
    for path in modules:
        text = path.read_text()
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text
        ), path.name
        assert not re.search(
            r"https?://(?!graphml\.graphdrawing\.org|gexf\.net|www\.w3\.org)", text
        ), path.name
    vendored = "".join(path.read_text() for path in (modules[0].parents[1] / "vendor").glob("*.js"))
    assert not re.search(r"new Function\(|\beval\(|innerHTML", vendored)


def test_script_and_server_know_the_same_names(static_folder) -> None:
    text = (static_folder / "explore" / "state.js").read_text()

    def listed(name: str) -> list[str]:
        return re.findall(r"[\w]+", re.search(rf"const {name} = \[([^\]]*)\]", text)[1])

    assert set(listed("TYPES")) == set(TYPES.values())
    assert set(listed("KINDS")) == set(KINDS)
    assert [int(one) for one in listed("SIZES")] == list(explore.FIRST_SIZES)
    assert [int(one) for one in listed("CEILINGS")] == list(explore.CEILINGS)


def test_the_page_is_whole_without_a_script(client, numbers) -> None:
    key = f"A{numbers['person:Kang Zhang']}"
    response = client.get(f"/explore?centre={key}")
    page = tree(response)
    assert page.xpath("string(//h1)") == "Kang Zhang"
    assert len(page.xpath("//div[@id='plain']//svg//g[contains(@class,'node')]/a[@href]")) > 5
    assert len(page.xpath("//div[@id='plain']//table/tbody/tr")) > 5
    (shell,) = page.xpath("//section[@id='explorer']")
    assert "hidden" in shell.attrib
    assert page.xpath("//script[@type='module']/@src")[0].startswith("/static/explore/main.js?v=")
    assert not page.xpath("//@style|//@onclick|//script[not(@src)]")
    policy = response.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


def test_its_scripts_are_loaded_nowhere_else(client, numbers) -> None:
    for address in (
        "/",
        "/search?q=learning",
        f"/people/A{numbers['person:Kang Zhang']}",
        "/explore",
    ):
        assert not tree(client.get(address)).xpath("//script[@src]"), address


def test_modules_are_asked_for_again_and_libraries_are_kept(client) -> None:
    """A module names another without a version, so that a kept one could be older than its neighbour."""
    plain = client.get("/static/explore/state.js")
    assert plain.headers["cache-control"] == "no-cache"
    assert (
        client.get(
            "/static/explore/state.js", headers={"if-none-match": plain.headers["etag"]}
        ).status_code
        == 304
    )
    page = client.get("/explore?centre=W1").text
    for name in ("sigma.min.js", "graphology.umd.min.js"):
        address = re.search(rf"/static/vendor/{re.escape(name)}\?v=\w+", page)[0]
        assert "immutable" in client.get(address).headers["cache-control"]


def test_the_finder_finds_every_type_and_offers_where_to_begin(client, numbers) -> None:
    first = tree(client.get("/explore"))
    assert {"people", "topics", "institutions", "venues"} <= set(
        first.xpath("//section/@aria-labelledby")
    )
    assert len(first.xpath("//main//a[starts-with(@href, '/explore?centre=')]")) > 12
    found = tree(client.get("/explore?q=Kang+Zhang"))
    assert f"/explore?centre=A{numbers['person:Kang Zhang']}" in found.xpath("//main//a/@href")
    found = tree(client.get("/explore?q=dual+temperature"))
    work = numbers["work:Dual Temperature Helps Contras"]
    assert f"/explore?centre=W{work}" in found.xpath("//section[@aria-labelledby='works']//a/@href")
    hostile = client.get("/explore", params={"q": "<script>alert(1)</script>\x00%_"})
    assert hostile.status_code == 200
    assert "<script>alert" not in hostile.text


@pytest.mark.parametrize(
    ("centre", "status"),
    [
        ("W", 400),
        ("X1", 400),
        ("W1 OR 1", 400),
        ("W٣", 400),
        ("../W1", 400),
        ("W" + "9" * 15, 404),
        ("A999999999", 404),
    ],
)
def test_a_wrong_centre_is_refused_with_a_sentence(client, centre, status) -> None:
    response = client.get("/explore", params={"centre": centre})
    assert response.status_code == status
    sentence = html.fromstring(response.text).xpath("string(//main)")
    assert "key" in sentence or "There is no" in sentence


def test_a_hidden_person_is_no_centre_and_on_no_picture(client, numbers, site, monkeypatch) -> None:
    person = numbers["person:Kang Zhang"]
    held = client.app.state.site
    monkeypatch.setattr(type(held), "is_hidden", lambda self, one: one == person)
    assert client.get(f"/explore?centre=A{person}").status_code == 410


def test_the_page_keeps_its_budgets(site, client, numbers) -> None:
    _, database, _ = site
    for centre in (
        f"W{numbers['work:A work of three thousand']}",
        f"A{numbers['person:Quentin Xavier Prolific']}",
        f"T{numbers['topic:Contrastive learning']}",
    ):
        with count_statements(database.engine) as seen:
            content = client.get(f"/explore?centre={centre}").content
        assert len(content) < 60_000, centre
        assert seen.count <= 15, (centre, seen.count)
    for address in ("/explore", "/explore?q=learning"):
        with count_statements(database.engine) as seen:
            client.get(address)
        assert seen.count <= 15, (address, seen.count)


def test_empty_record_says_so(tmp_path) -> None:
    from fastapi.testclient import TestClient

    from peerscope.discover import SiteDiscovery
    from peerscope.record import Database
    from peerscope.settings import Settings
    from peerscope.web import create_app

    settings = Settings(home=tmp_path)
    database = Database(settings.record_url)
    database.migrate()
    empty = TestClient(create_app(settings, database, SiteDiscovery(database, settings.bundles)))
    assert "There is nothing in this record yet." in empty.get("/explore").text
    assert "Nothing was found for “siamese”." in empty.get("/explore?q=siamese").text
    assert empty.get("/explore?centre=W1").status_code == 404
