"""Pages of claims: every verdict, hostile text, evidence byte for byte, counts of statements and bytes."""

from __future__ import annotations

import json
from pathlib import Path

import claims_paper
import pytest
from fastapi.testclient import TestClient
from lxml import html

from peerscope.record import count_statements
from peerscope.reproduce import harness
from peerscope.reproduce.attempts import Attempt, read_attempt
from peerscope.reproduce.notes import Note
from peerscope.reproduce.overview import Overview
from peerscope.reproduce.registry import Registry, load_registry
from peerscope.reproduce.store import Store
from peerscope.web import create_app
from peerscope.web.plots import told

PAPER = claims_paper.PAPER
STATES = {
    1: "reproduced",
    2: "not_reproduced",
    3: "not_resolved",
    4: "partly",
    5: "exceeded",
    6: "not_run",
}


@pytest.fixture(scope="module")
def attempts(tmp_path_factory) -> dict[str, Attempt]:
    made = {}
    for name in ("run", "crash"):
        out = tmp_path_factory.mktemp("attempt") / name
        harness._all(PAPER, PAPER.protocol(name), "cpu", range(4), out, claims_paper.EVIL)
        made[name] = read_attempt(out)
    return made


@pytest.fixture(scope="module")
def store(attempts, tmp_path_factory) -> Store:
    kept = Store(tmp_path_factory.mktemp("store"))
    for one in attempts.values():
        kept.take(one.folder)
    kept.note(attempts["run"].id, Note(claims_paper.EVIL, claims_paper.EVIL, "reply", "hostile-1"))
    return kept


@pytest.fixture(scope="module")
def overview(store) -> Overview:
    own = load_registry(())
    papers = {"hostile": PAPER} | own.papers
    return Overview(Registry(papers, own.origins), store)


@pytest.fixture(scope="module")
def visitor(site, overview) -> TestClient:
    settings, database, discovery = site
    app = create_app(settings, database, discovery, overview=overview)
    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture(scope="module")
def pages(attempts) -> list[str]:
    return [
        "/claims", "/claims?verdict=partly", "/claims?verdict=nonsense",
        *(f"/claims/hostile-{number}" for number in STATES), "/claims/dual-temperature-1",
        *(f"/attempts/{one.id}" for one in attempts.values()),
    ]  # fmt: skip


def test_every_state_stands_on_its_page_and_in_the_api(visitor) -> None:
    for number, state in STATES.items():
        page = html.fromstring(visitor.get(f"/claims/hostile-{number}").text)
        shown = page.xpath("//p[@class='standing']//*[contains(@class,'verdict')]")
        assert state in shown[0].get("class").split()
        assert shown[0].text_content().strip(), "a verdict is a word, not a colour alone"
        told = visitor.get(f"/api/claims/hostile-{number}").json()
        assert told["state"] == state
        strips = page.xpath("//*[local-name()='svg'][@class='strip']")
        assert len(strips) == len(told["checks"])


def test_the_overview_counts_and_filters(visitor) -> None:
    counted = visitor.get("/api/claims").json()
    assert counted["total"] == len(counted["claims"])
    page = html.fromstring(visitor.get("/claims?verdict=partly").text)
    rows = page.xpath("//table[@class='claims']/tbody/tr/@id")
    assert (
        rows
        == [one["id"] for one in counted["claims"] if one["state"] == "partly"]
        == ["hostile-4"]
    )
    one = visitor.get("/api/claims?verdict=partly&paper=hostile").json()
    assert [claim["id"] for claim in one["claims"]] == ["hostile-4"]


def test_hostile_text_stays_text(visitor, pages) -> None:
    for address in pages:
        answer = visitor.get(address)
        assert answer.status_code == 200, address
        page = html.fromstring(answer.text)
        assert not page.xpath("//script|//img|//*[@onerror]"), address
        assert "<script>alert" not in answer.text


def test_pages_keep_the_structure_of_all_pages(visitor, pages) -> None:
    for address in pages:
        page = html.fromstring(visitor.get(address).text)
        ids = page.xpath("//@id")
        assert len(ids) == len(set(ids)), address
        assert len(page.xpath("//h1")) == 1
        for image in page.xpath("//*[local-name()='svg'][not(@aria-hidden)]"):
            assert image.get("aria-label"), address
        for link in page.xpath("//main//a/@href"):
            if link.startswith("/"):
                assert visitor.get(link).status_code == 200, (address, link)
        assert not page.xpath("//@style"), address


def test_a_failed_attempt_is_shown_and_decides_nothing(visitor, attempts) -> None:
    failed = attempts["crash"]
    assert not failed.finished
    page = html.fromstring(visitor.get(f"/attempts/{failed.id}").text)
    assert "never gives a verdict" in page.text_content()
    assert "RuntimeError" in page.xpath("//pre")[0].text
    row = html.fromstring(visitor.get("/claims/hostile-6").text)
    assert "failed" in row.xpath("//section[@aria-labelledby='tried']")[0].text_content()


def test_the_evidence_is_served_byte_for_byte(visitor, attempts) -> None:
    found = attempts["run"]
    for name in found.files:
        answer = visitor.get(f"/attempts/{found.id}/{name}")
        assert answer.content == (found.folder / name).read_bytes()
        assert "html" not in answer.headers["content-type"]
    told = visitor.get(f"/api/attempts/{found.id}").json()
    assert told["about"] == json.loads((found.folder / "attempt.json").read_text())
    assert [Path(one).name for one in told["files"]][-1] == "SHA256SUMS"


@pytest.mark.parametrize(
    "name", ["../attempt.json", "..%2f..%2frecord.sqlite", "seeds/9.json", "seeds/%2e%2e/%2e%2e/run/log.txt", "SHA256SUMS/", "%00"]
)  # fmt: skip
def test_no_other_file_is_served(visitor, attempts, name) -> None:
    assert visitor.get(f"/attempts/{attempts['run'].id}/{name}").status_code in (404, 422)


def test_unknown_claims_and_attempts_are_not_found(visitor) -> None:
    for address in ("/claims/nobody", "/attempts/000000000000", "/attempts/000000000000/log.txt", "/claims/a%00b",
                    "/api/claims/nobody", "/api/attempts/000000000000"):  # fmt: skip
        assert visitor.get(address).status_code == 404, address


def test_a_work_and_its_people_carry_its_claims(visitor, numbers, site) -> None:
    number = numbers["work:Dual Temperature Helps Contras"]
    page = html.fromstring(visitor.get(f"/works/W{number}").text)
    shown = page.xpath("//section[@aria-labelledby='claims']//tbody/tr/@id")
    assert "hostile-1" in shown and "dual-temperature-1" in shown
    person = html.fromstring(visitor.get(f"/people/A{numbers['person:Kang Zhang']}").text)
    links = person.xpath("//section[@aria-labelledby='run']//a/@href")
    assert f"/works/W{number}#claims" in links
    assert len(links) == len(set(links))
    nobody = html.fromstring(
        visitor.get(f"/people/A{numbers['person:Quentin Xavier Prolific']}").text
    )
    assert not nobody.xpath("//section[@aria-labelledby='run']")


def test_pages_of_claims_keep_their_budgets(visitor, site, pages) -> None:
    """One statement a page, whatever the number of claims; bytes of HTML."""
    _, database, _ = site
    for address in pages:
        with count_statements(database.engine) as seen:
            answer = visitor.get(address)
        assert seen.count <= 2, (address, seen.statements)
        assert len(answer.content) < 120_000, address


def test_an_attempt_of_a_package_that_is_gone_is_still_shown(site, attempts, store) -> None:
    settings, database, discovery = site
    overview = Overview(load_registry(()), store)
    client = TestClient(create_app(settings, database, discovery, overview=overview))
    page = html.fromstring(client.get(f"/attempts/{attempts['run'].id}").text)
    said = page.xpath("//section[@aria-labelledby='says']//*[contains(@class,'verdict')]/@class")
    assert [one.split()[1] for one in said] == [
        "reproduced",
        "not_reproduced",
        "not_resolved",
        "partly",
        "exceeded",
    ]


def test_a_changed_claim_is_not_decided_by_what_it_was(store) -> None:
    from dataclasses import replace

    from peerscope.reproduce.claims import Check

    changed = replace(PAPER.claims[0], checks=(Check("another", "score/c", "score/b"),))
    paper = replace(PAPER, claims=(changed, *PAPER.claims[1:]))
    overview = Overview(Registry({"hostile": paper}), store)
    assert overview.claim("hostile-1").state == "not_run"
    assert len(overview.claim("hostile-1").tried) == 1
    assert overview.claim("hostile-2").state == "not_reproduced"


def test_printed_and_shown_numbers_agree(visitor, overview) -> None:
    row = overview.claim("hostile-1")
    check = row.verdict.checks[0]
    text = html.fromstring(visitor.get("/claims/hostile-1").text).text_content()
    assert told(check.measured) in text and told(check.high) in text
    assert check.measured == pytest.approx(
        (0.5 + 0.7 - 0.4 - 0.5) / 2 + 0.01 * (0 + 1 + 2 + 3) / 4 / 2
    )
