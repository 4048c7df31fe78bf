"""The map's pages and what its viewer reads: within their budgets, as the record is now, with any address."""

from __future__ import annotations

import re
import shutil
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
from fastapi.testclient import TestClient
from lxml import html

from peerscope.discover import SiteDiscovery
from peerscope.discover.maps import MapStore
from peerscope.discover.maps.shapes import WORK
from peerscope.record import Database, count_statements, delete_works, ingest
from peerscope.record.importers import importer_for
from peerscope.settings import Settings
from peerscope.web import create_app

VIEWS = [
    "/map", "/map?colour=year", "/map?colour=type", "/map?colour=topic", "/map?z=1&x=0.3&y=0.4", "/map?z=4",
    "/map?z=10&x=1&y=0", "/map?q=contrastive+learning", "/map?year_from=2015&year_to=2018",
]  # fmt: skip
ODD = [
    "/map?x=nan&y=inf&z=-1", "/map?x=1e9&z=99", "/map?z=1.5", "/map?colour=%3Cscript%3E", "/map?year_from=x",
    "/map?year_from=99999", "/map?work=W0", "/map?work=A1", "/map?work=W999999999999999", "/map?q=%00%ff",
    "/map?q=" + "x" * 5000, "/map?x=&y=&z=&work=&q=", "/map?year_from=2020&year_to=1990", "/map?x=0.5&x=0.6",
    "/map/view", "/map/view?z=3.25&x=0.1&y=0.9", "/map/view?z=abc", "/map/titles", "/map/titles?w=",
    "/map/titles?w=" + ",".join(map(str, range(500))), "/map/titles?w=999999999999999,-1,x",
]  # fmt: skip


@pytest.fixture(scope="module")
def places(site):
    """The map as it lies on the disk."""
    store = MapStore(site[0].maps)
    about, works, tiles, regions = store.opened(store.bundles()[-1])
    return about, np.asarray(works), tiles, regions


@pytest.fixture
def own(site, tmp_path):
    """A copy of the site to change, and a client of it."""
    shutil.copytree(site[0].home, tmp_path / "site", symlinks=True)
    settings = Settings(home=tmp_path / "site")
    database = Database(settings.record_url)
    discovery = SiteDiscovery(database, settings.bundles)
    yield settings, database, TestClient(create_app(settings, database, discovery))
    database.close()


def tree(client, address: str):
    answer = client.get(address)
    assert answer.status_code == 200, address
    return html.fromstring(answer.text)


@pytest.mark.parametrize("address", VIEWS)
def test_every_view_keeps_the_budgets_of_a_page(site, client, address) -> None:
    with count_statements(site[1].engine) as seen:
        answer = client.get(address)
    assert answer.status_code == 200
    assert seen.count <= 15
    assert len(answer.content) < 60_000
    page = html.fromstring(answer.text)
    assert not page.xpath("//@style|//style|//@onclick")
    assert [one.get("src") for one in page.xpath("//script")] == page.xpath("//script/@src")
    ids = page.xpath("//@id")
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("address", ODD)
def test_whatever_an_address_says_it_is_answered(client, address) -> None:
    assert client.get(address).status_code == 200


def test_the_lists_say_what_the_picture_shows(client, places) -> None:
    page = tree(client, "/map")
    about, works, _, regions = places
    linked = {int(href[8:]) for href in page.xpath("//figure//a[@class='point']/@href")}
    assert linked
    listed = [int(href[8:]) for href in page.xpath("//ol[@id='lines']//a/@href")]
    cited = dict(zip(works["id"].astype(int).tolist(), works["cited"].tolist(), strict=True))
    assert [cited[one] for one in listed] == sorted(cited.values(), reverse=True)[: len(listed)]
    named = {
        one.text_content().strip()
        for one in page.xpath("//g[@class='wide']/a[starts-with(@class, 'name')]")
    }
    told = {"".join(one.itertext()) for one in page.xpath("//section[@class='regions']//a/bdi")}
    assert {"".join(one.split()) for one in named} <= {"".join(one.split()) for one in told}
    assert told == {one.label for one in regions}
    top = [one for one in regions if one.level == 1]
    assert sum(one.works for one in top) == about.works
    dots = "".join(page.xpath("//g[@class='dots']/path/@d")).count("M")
    assert dots > 100


def test_moving_about_comes_back_to_the_same_place(client) -> None:
    first = tree(client, "/map?z=3&x=0.5&y=0.5&colour=year&year_from=1990")
    to_right = first.xpath("//nav[@class='moves']//a[@data-move='right']/@href")[0]
    back = tree(client, to_right).xpath("//nav[@class='moves']//a[@data-move='left']/@href")[0]
    assert dict(parse_qsl(urlsplit(back).query)) == {
        "x": "0.5", "y": "0.5", "z": "3", "colour": "year", "year_from": "1990",
    }  # fmt: skip
    whole = tree(client, "/map")
    assert not whole.xpath("//nav[@class='moves']//a[@data-move='out']")
    closest = tree(client, "/map?z=10")
    assert not closest.xpath("//nav[@class='moves']//a[@data-move='in']")


def test_years_leave_out_what_lies_outside_and_what_states_none(client, places) -> None:
    _, works, _, _ = places
    shown = client.get("/map/view?year_from=2015&year_to=2018").json()
    between = (works["year"] >= 2015) & (works["year"] <= 2018)
    assert shown["total"] == int(between.sum()) > 0
    assert all(2015 <= one["year"] <= 2018 for one in shown["works"])
    assert client.get("/map/view").json()["total"] == len(works)


def test_windows_of_a_level_share_out_all_works(client, places) -> None:
    _, works, _, _ = places
    totals = [
        client.get(f"/map/view?z=2&x={(2 * i + 1) / 8}&y={(2 * j + 1) / 8}").json()["total"]
        for i in range(4)
        for j in range(4)
    ]
    assert sum(totals) == len(works)


def test_tiles_hold_every_work_once_and_are_small(client, places) -> None:
    works = places[1]
    page = tree(client, "/map")
    base, described = page.xpath("//figure/@data-tiles")[0], page.xpath("//figure/@data-parts")[0]
    said = client.get(described)
    assert "immutable" in said.headers["cache-control"]
    assert len(said.json()["regions"]) == len(places[3])
    met = []
    for z, x, y in said.json()["tiles"]:
        answer = client.get(f"{base}/{z}/{x}/{y}")
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert len(answer.content) <= 100_000
        met.append(np.frombuffer(answer.content, WORK))
    assert np.array_equal(np.sort(np.concatenate(met)), np.sort(works))
    assert WORK.itemsize == int(re.search(r"ROW = (\d+)", viewer(client))[1])
    assert client.get(f"{base}/3/1/1").content == b"" or any(
        z == 3 for z, _, _ in said.json()["tiles"]
    )


def viewer(client) -> str:
    return client.get(re.search(r"/static/map\.js\?v=\w+", client.get("/map").text)[0]).text


@pytest.mark.parametrize(
    "rest", ["17/0/0", "0/1/0", "2/4/0", "3/0/8", "-1/0/0", "x/0/0", "2/0/0/0", "40/0/0"]
)
def test_a_tile_that_cannot_be_is_not_there(client, places, rest) -> None:
    answer = client.get(f"/map/tiles/{places[0].id}/{rest}")
    assert answer.status_code in (404, 422)
    assert client.get(f"/map/tiles/000000000000/{rest}").status_code in (404, 422)


def test_what_belongs_to_another_map_says_so(client, places) -> None:
    for address in (
        "/map/tiles/0123456789ab/0/0/0",
        "/map/parts/0123456789ab",
        "/map/regions/0123456789ab/1",
    ):
        answer = client.get(address)
        assert answer.status_code == 404
        assert "not shown any more" in answer.text
    for number in ("0", "9999", "x", "1.5", "99999999999"):
        assert client.get(f"/map/regions/{places[0].id}/{number}").status_code == 404


def test_a_region_has_a_page_with_its_works_by_citations(site, client, places) -> None:
    about, works, _, regions = places
    one = regions[0]
    with count_statements(site[1].engine) as seen:
        page = tree(client, f"/map/regions/{about.id}/{one.number}")
    assert seen.count <= 15
    assert page.findtext(".//h1/bdi") == one.label
    shown = [int(href[8:]) for href in page.xpath("//article[@class='work']/h3/a/@href")]
    cited = dict(zip(works["id"].astype(int).tolist(), works["cited"].tolist(), strict=True))
    assert [cited[w] for w in shown] == sorted((cited[w] for w in shown), reverse=True)
    met = set(shown)
    pages = -(-one.works // 20)
    for number in range(2, pages + 1):
        more = tree(client, f"/map/regions/{about.id}/{one.number}?page={number}")
        met |= {int(href[8:]) for href in more.xpath("//article[@class='work']/h3/a/@href")}
    assert len(met) == one.works
    parts = page.xpath("//section[@aria-labelledby='parts']//a/@href")
    assert len(parts) == len([r for r in regions if r.parent == one.number])


def test_a_work_leads_to_its_place_and_back(client, places, numbers) -> None:
    number = numbers["work:Dual Temperature Helps Contras"]
    assert tree(client, f"/works/W{number}").xpath(f"//a[@href='/map?work=W{number}']")
    page = tree(client, f"/map?work=W{number}")
    assert page.xpath(f"//p[@id='here']/a[@href='/works/W{number}']")
    assert page.xpath("//g[@class='here']")
    _, works, _, _ = places
    own = works[works["id"] == number][0]
    x, y = map(float, page.xpath("//figure/@data-here")[0].split())
    assert (x, y) == pytest.approx(((own["x"] + 0.5) / 2**16, (own["y"] + 0.5) / 2**16), abs=1e-4)
    assert "There is no work W999" in tree(client, "/map?work=W999999").text_content()


def test_results_of_a_search_are_ringed(client) -> None:
    search = tree(client, "/search?q=masked+autoencoders")
    assert search.xpath("//a[@href='/map?q=masked%20autoencoders']")
    page = tree(client, "/map?q=masked+autoencoders")
    assert page.xpath("//circle[@class='hit']")
    first = search.xpath("//article[@class='work']/h2/a/@href")[0]
    assert page.xpath("//ol[@id='lines']//a/@href")[0] == first
    nothing = tree(client, "/map?q=masked&year_from=1700&year_to=1701")
    assert "Nothing on the map answers" in nothing.text_content()
    assert not nothing.xpath("//circle[@class='hit']")


def test_a_deleted_work_is_gone_at_once_everywhere(own, places) -> None:
    _, database, client = own
    about, works, _, regions = places
    gone = int(works["id"][0])  # the most cited one, in the first tile
    region = next(one for one in regions if one.number == works["region"][0])
    old = tree(client, "/map").xpath("//figure/@data-tiles")[0]
    assert client.get(f"/map/titles?w={gone}").json()
    with database.writer("deleting"), database.begin() as session:
        delete_works(session, [gone])
    page = tree(client, "/map")
    assert not page.xpath(f"//a[@href='/works/W{gone}']")
    new = page.xpath("//figure/@data-tiles")[0]
    assert new != old
    for base in (old, new):
        answer = client.get(f"{base}/0/0/0")
        assert gone not in np.frombuffer(answer.content, WORK)["id"]
        assert ("immutable" in answer.headers["cache-control"]) == (base == new)
    assert client.get(f"/map/titles?w={gone}").json() == {}
    assert client.get("/map/view").json()["total"] == about.works - 1
    shown = tree(client, f"/map/regions/{about.id}/{region.number}")
    assert not shown.xpath(f"//a[@href='/works/W{gone}']")
    marked = tree(client, f"/map?work=W{gone}")
    assert not marked.xpath("//g[@class='here']")


def test_a_work_newer_than_the_map_is_marked_amid_what_is_near(own, tmp_path) -> None:
    settings, database, client = own
    path = tmp_path / "new.bib"
    path.write_text(
        "@article{new, title={Masked autoencoders for visual learners, masked image modelling again}, "
        "author={Example, Ada}, year={2026}}"
    )
    ingest(database, importer_for(str(path)), str(path))
    page = tree(client, "/map")
    assert "1 work came after the map was made and has no place" in page.text_content()
    with database.session() as session:
        from peerscope.record.models import Work

        number = (
            session.query(Work.id)
            .filter(Work.title.startswith("Masked autoencoders for visual learners"))
            .scalar()
        )
    assert not tree(client, f"/works/W{number}").xpath("//a[starts-with(@href, '/map?work')]")
    marked = tree(client, f"/map?work=W{number}")
    assert "not on this map" in marked.xpath("//p[@id='here']")[0].text_content()
    assert marked.xpath("//g[@class='here']")
    x, y = map(float, marked.xpath("//figure/@data-here")[0].split())
    near = client.get(f"/map/view?z=4&x={x}&y={y}").json()["works"]
    assert any("mask" in one["title"].casefold() for one in near)
    (settings.bundles / "current").unlink()


def test_without_a_map_the_page_says_why(own) -> None:
    settings, _, client = own
    shutil.rmtree(settings.maps)
    page = tree(client, "/map")
    assert "not made yet" in page.text_content()
    assert not page.xpath("//svg[@role='group']")
    assert client.get("/map/view").status_code == 404
    assert client.get("/map/parts/0123456789ab").status_code == 404
    assert not tree(client, "/search?q=learning").xpath("//a[starts-with(@href, '/map?q')]")
    (settings.bundles / "current").unlink()
    assert "No bundle is in service" in tree(client, "/map").text_content()
