from __future__ import annotations

import gzip
import json
import re
from itertools import pairwise

import pytest
from fastapi.testclient import TestClient
from lxml import html

from peerscope.discover import SiteDiscovery
from peerscope.record import count_statements
from peerscope.web import create_app
from peerscope.web.app import HEADERS

PAGES = [
    "/", "/search?q=contrastive+learning", "/works", "/people", "/topics", "/institutions", "/venues",
    "/about", "/dumps", "/search?q=nothingofthekind", "/missing", "/privacy", "/people/A1/claim", "/people/A1/correct",
]  # fmt: skip


def entity_pages(numbers) -> dict[str, str]:
    return {
        "work": f"/works/W{numbers['work:Dual Temperature Helps Contras']}",
        "crowd": f"/works/W{numbers['work:A work of three thousand']}",
        "person": f"/people/A{numbers['person:Kang Zhang']}",
        "prolific": f"/people/A{numbers['person:Quentin Xavier Prolific']}",
        "topic": f"/topics/T{numbers['topic:Contrastive learning']}",
        "institution": f"/institutions/I{numbers['place:Facebook AI Research']}",
        "venue": f"/venues/S{numbers['venue:CVPR']}",
        "reference": f"/works/W{numbers['work:Dual Temperature Helps Contras']}/cite",
        "references": f"/people/A{numbers['person:Quentin Xavier Prolific']}/cite",
        "badges": f"/embed/A{numbers['person:Kang Zhang']}",
    }


@pytest.fixture
def addresses(numbers) -> list[str]:
    return PAGES + list(entity_pages(numbers).values())


def tree(response):
    return html.fromstring(response.text)


def test_every_page_is_accessible_html(client, addresses) -> None:
    for address in addresses:
        page = tree(client.get(address))
        where = f"at {address}"
        assert page.get("lang") == "en", where
        assert page.findtext(".//title"), where
        assert len(page.xpath("//main")) == 1, where
        assert len(page.xpath("//h1")) == 1, where
        levels = [int(h.tag[1]) for h in page.xpath("//h1|//h2|//h3|//h4")]
        assert all(b - a <= 1 for a, b in pairwise(levels)), (where, levels)
        ids = page.xpath("//@id")
        assert len(ids) == len(set(ids)), where
        for field in page.xpath("//input[not(@type='hidden')]"):
            named = field.xpath("ancestor::label") or page.xpath(
                f"//label[@for='{field.get('id')}']"
            )
            assert named, (where, html.tostring(field))
        for image in page.xpath("//*[local-name()='svg'][not(@aria-hidden)]"):
            assert image.get("aria-label") or image.get("aria-labelledby"), where
        for link in page.xpath("//a[@href]"):
            assert link.text_content().strip() or link.get("aria-label"), (
                where,
                html.tostring(link),
            )
        assert page.xpath("//a[@class='skip'][@href='#main']"), where


def test_no_page_has_script_or_style_of_its_own(client, addresses) -> None:
    for address in addresses:
        response = client.get(address)
        page = tree(response)
        assert not page.xpath("//script[not(@type='application/ld+json')]"), address
        assert not page.xpath("//@style|//style|//@onclick|//@onerror|//@onload"), address
        for name, value in HEADERS.items():
            assert response.headers[name] == value, address
        assert "unsafe" not in response.headers["content-security-policy"]


def test_no_page_asks_another_site_for_anything(client, addresses) -> None:
    for address in addresses:
        page = tree(client.get(address))
        asked = page.xpath(
            "//link[@rel='stylesheet' or @rel='icon']/@href|//script/@src|//img/@src|//iframe/@src"
        )
        assert all(re.match(r"/(?!/)", one) for one in asked), (address, asked)


def test_links_of_a_page_lead_somewhere(client, addresses) -> None:
    seen = set()
    for address in addresses:
        for link in tree(client.get(address)).xpath("//a/@href"):
            if link.startswith("/") and link not in seen and len(seen) < 250:
                seen.add(link)
                assert client.get(link).status_code == 200, (address, link)


@pytest.mark.parametrize(
    ("name", "most"),
    [("work", 12), ("crowd", 12), ("person", 12), ("prolific", 12), ("topic", 12),
     ("institution", 12), ("venue", 12)],
)  # fmt: skip
def test_a_page_reads_the_record_in_few_statements(site, client, numbers, name, most) -> None:
    from peerscope.record.read import entity_page, person_page, work_page

    _, database, _ = site
    letter, number = re.search(r"([WATIS])(\d+)$", entity_pages(numbers)[name]).groups()
    with database.session() as session, count_statements(database.engine) as seen:
        if letter == "W":
            assert work_page(session, int(number))
        elif letter == "A":
            assert person_page(session, int(number))
        else:
            assert entity_page(session, letter, int(number))
    assert 0 < seen.count <= most


def test_whole_pages_keep_their_budgets(site, client, addresses) -> None:
    """Statements at first sight and of a page seen before (its graph slice is kept); bytes of HTML."""
    settings, database, _ = site
    fresh = TestClient(create_app(settings, database, SiteDiscovery(database, settings.bundles)))
    for address in addresses:
        with count_statements(database.engine) as first:
            cold = fresh.get(address)
        assert first.count <= 22, (address, first.count)
        client.get(address)
        assert len(cold.content) < 60_000, (address, len(cold.content))
        with count_statements(database.engine) as seen:
            client.get(address)
        assert seen.count <= 12, (address, seen.count)


def test_styles_and_scripts_keep_their_budgets(client, static_folder) -> None:
    css = sum(len(gzip.compress(path.read_bytes())) for path in static_folder.glob("*.css"))
    scripts = sum(len(gzip.compress(path.read_bytes())) for path in static_folder.glob("*.js"))
    assert css < 20_000
    assert scripts < 20_000
    address = re.search(r"/static/site\.css\?v=\w+", client.get("/").text)[0]
    assert "immutable" in client.get(address).headers["cache-control"]


def test_the_person_of_the_first_page(client, numbers) -> None:
    page = tree(client.get(entity_pages(numbers)["person"]))
    text = page.text_content()
    assert "Made from public metadata by this site; this person has not joined." in text
    assert "JD.com" in text
    works = [" ".join(h.text_content().split()) for h in page.xpath("//article[@class='work']/h3")]
    assert len(works) == 7
    assert any("Personalized and Semantic Retrieval" in title for title in works)
    people = page.xpath("//section[@aria-labelledby='with']//a/bdi/text()")
    assert {"Chaoning Zhang", "In So Kweon"} <= set(people)
    assert page.xpath("//*[local-name()='svg']//*[local-name()='a']")
    assert page.xpath("//section[@aria-labelledby='graph']//table//td")
    assert "not checked" in text
    assert "Open to collaborate" not in text


def test_three_values_stay_apart(client, numbers) -> None:
    page = tree(client.get(entity_pages(numbers)["work"]))
    side = page.xpath("//aside")[0].text_content()
    assert "Not looked for." in side, "the starter collection does not look for code"
    assert "Open access: not imported" in side
    bare = tree(client.get(f"/works/W{numbers['work:Bounds of O(n²) and more']}")).text_content()
    assert "References: not imported." in bare
    assert "Abstract: none stated." in bare


def test_a_work_carries_what_reference_managers_read(client, numbers) -> None:
    address = entity_pages(numbers)["work"]
    page = tree(client.get(address))
    meta = {m.get("name"): m.get("content") for m in page.xpath("//meta[@name]")}
    assert meta["citation_title"].startswith("Dual Temperature Helps")
    assert meta["citation_arxiv_id"] == "2203.17248"
    assert meta["citation_conference_title"] == "CVPR"
    linked = json.loads(page.xpath("//script[@type='application/ld+json']/text()")[0])
    assert "ScholarlyArticle" in json.dumps(linked)
    for suffix, sign in (
        (".bib", "@inproceedings"),
        (".ris", "TY  -"),
        (".csl.json", '"title"'),
        (".jsonld", "schema.org"),
    ):
        exported = client.get(address + suffix)
        assert exported.status_code == 200
        assert sign in exported.text
    assert client.get(address + ".pdf").status_code == 404


def test_outside_identifiers_lead_to_their_page(client, numbers) -> None:
    address = entity_pages(numbers)["work"]
    for way in ("arxiv:2203.17248",):
        response = client.get(f"/works/{way}", follow_redirects=False)
        assert (response.status_code, response.headers["location"]) == (302, address)
    assert client.get("/works/doi:10.1145/3397271.3401446").status_code == 200
    assert client.get("/works/doi:10.9999/none").status_code == 404
    wrong = client.get(address.replace("works", "people"), follow_redirects=False)
    assert wrong.status_code == 301


def test_hostile_text_stays_text(client, numbers) -> None:
    for name in ("A title", "<script>"):
        found = [n for title, n in numbers.items() if title.startswith("work:") and name in title]
        for number in found:
            response = client.get(f"/works/W{number}")
            assert "<script>alert" not in response.text
            assert (
                "onerror=alert" not in re.sub(r"&[a-z#0-9]+;", "", response.text)
                or "&lt;img" in response.text
            )
            page = tree(response)
            assert not page.xpath("//img|//script[not(@type='application/ld+json')]")
    listed = client.get("/search?q=script+alert")
    assert "<script>alert" not in listed.text


def test_maths_is_rendered(client, numbers) -> None:
    response = client.get(f"/works/W{numbers['work:Bounds of O(n²) and more']}")
    assert "<math" in response.text
    assert "$O(n^2)$" not in tree(response).xpath("//h1")[0].text_content()


def test_three_thousand_authors_are_paged(client, numbers) -> None:
    address = entity_pages(numbers)["crowd"]
    page = tree(client.get(address))
    assert len(page.xpath("//p[@class='authors']/a")) == 30
    assert "3,000 authors" in page.text_content()
    second = tree(client.get(f"{address}?authors=2"))
    assert second.xpath("//p[@class='authors']/a/bdi/text()")[0] == "Ada30 Author30"


def test_filters_live_in_the_address(client, numbers) -> None:
    topic = f"T{numbers['topic:Adversarial attacks']}"
    page = tree(client.get(f"/search?q=&topic={topic}&year_from=2017&year_to=2018"))
    years = [
        int(y)
        for y in page.xpath("//article[@class='work']//p[@class='facts']/span[@class='num']/text()")
    ]
    assert years
    assert all(2017 <= year <= 2018 for year in years)
    assert page.xpath("//ul[@class='active']/li")
    same = tree(client.get(f"/search?q=attacks&topic={topic}"))
    assert same.xpath("//aside[@class='facets']//a[@class='on']")


def test_the_api_says_what_the_page_says(client, numbers) -> None:
    for name in ("work", "person", "topic", "institution", "venue"):
        address = entity_pages(numbers)[name]
        twin = client.get(f"/api{address}").json()
        heading = " ".join(tree(client.get(address)).xpath("//h1")[0].text_content().split())
        assert heading == twin.get("title", twin.get("display_name"))
    found = client.get("/api/search?q=group+normalization").json()
    assert "Group Normalization" in [one["title"] for one in found["results"][:3]]
    assert client.get("/api/works/W999999").headers["content-type"] == "application/problem+json"
    assert client.get("/healthz").json()["ok"] is True
    assert client.get("/api/openapi.json").json()["openapi"].startswith("3.1")


def test_an_empty_site_says_what_to_do(tmp_path) -> None:
    from fastapi.testclient import TestClient

    from peerscope.discover import SiteDiscovery
    from peerscope.record import Database
    from peerscope.settings import Settings
    from peerscope.web import create_app

    settings = Settings(home=tmp_path)
    database = Database(settings.record_url)
    database.migrate()
    client = TestClient(create_app(settings, database, SiteDiscovery(database, settings.bundles)))
    assert "peerscope up" in client.get("/").text
    assert client.get("/search?q=anything").status_code == 200
    assert client.get("/works").status_code == 200
