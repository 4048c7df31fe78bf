"""Pages of the graph: a slice that is sorted and filtered without script, evidence, exports, hidden people."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient
from lxml import html

from peerscope.community import Community
from peerscope.community.models import Account
from peerscope.community.reviews import withdraw, write
from peerscope.discover import SiteDiscovery
from peerscope.record import Database, count_statements
from peerscope.record.models import Person
from peerscope.reproduce.attempts import seal
from peerscope.reproduce.overview import Overview
from peerscope.reproduce.registry import load_registry
from peerscope.reproduce.store import Store
from peerscope.web import create_app
from peerscope.web.graph_stated import StatedHere

ORCID = "0000-0002-1825-0097"


@pytest.fixture(scope="session")
def homes(numbers) -> dict[str, str]:
    return {
        "work": f"/works/W{numbers['work:Dual Temperature Helps Contras']}",
        "crowd": f"/works/W{numbers['work:A work of three thousand']}",
        "script": f"/works/W{numbers['work:<script>alert(1)</script> A ti']}",
        "person": f"/people/A{numbers['person:Kang Zhang']}",
        "prolific": f"/people/A{numbers['person:Quentin Xavier Prolific']}",
        "topic": f"/topics/T{numbers['topic:Contrastive learning']}",
        "institution": f"/institutions/I{numbers['place:Facebook AI Research']}",
        "venue": f"/venues/S{numbers['venue:CVPR']}",
    }


def rows_of(page) -> list[list[str]]:
    return [
        [" ".join(cell.text_content().split()) for cell in row.xpath("td")]
        for row in html.fromstring(page.text).xpath("//table[@class='sortable']/tbody/tr")
    ]


def everything(client, address: str) -> list[list[str]]:
    """The rows of every page of the table."""
    found, number = [], 1
    while rows := rows_of(client.get(f"{address}&page={number}")):
        if rows == found[-len(rows) :] or number > 60:
            break
        found, number = found + rows, number + 1
    return found


@pytest.mark.parametrize(
    "name", ["work", "crowd", "script", "person", "prolific", "topic", "institution", "venue"]
)
def test_a_page_keeps_its_budgets(site, client, homes, name) -> None:
    database = site[1]
    for query in ("", "?limit=150", "?limit=150&sort=strength&order=desc&page=3"):
        with count_statements(database.engine) as seen:
            page = client.get(f"{homes[name]}/graph{query}")
        assert page.status_code == 200
        assert 0 < seen.count <= 15
        assert len(page.content) < 60_000, len(page.content)
        tree = html.fromstring(page.text)
        assert len(tree.xpath("//h1")) == 1
        assert not tree.xpath("//script|//@style|//style|//@onclick")
        ids = tree.xpath("//@id")
        assert len(ids) == len(set(ids))


def test_the_picture_and_the_table_show_the_same(client, homes) -> None:
    page = client.get(f"{homes['topic']}/graph?limit=40")
    tree = html.fromstring(page.text)
    drawn = {a.get("href") for a in tree.xpath("//*[local-name()='svg']//a[@href]")}
    told = client.get(f"/api/v1/graph/{homes['topic'].split('/')[-1]}?limit=40").json()
    assert drawn == {node["attributes"]["url"] for node in told["nodes"]}
    rows = everything(client, f"{homes['topic']}/graph?limit=40")
    assert len(rows) == len(told["edges"])
    assert sorted(row[2] for row in rows) == sorted(
        edge["attributes"]["reason"] for edge in told["edges"]
    )


@pytest.mark.parametrize(("column", "place"), [("from", 0), ("to", 3), ("strength", 4)])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_every_column_sorts_both_ways(client, homes, column, place, order) -> None:
    address = f"{homes['venue']}/graph?limit=60&sort={column}&order={order}"
    values = [row[place].casefold() for row in everything(client, address)]
    if column != "strength":  # long labels are cut where they are shown
        values = [value.removesuffix("...")[:20] for value in values]
    assert len(set(values)) > 3
    assert values == sorted(values, reverse=order == "desc")
    heading = html.fromstring(client.get(address).text).xpath("//th[@aria-sort]")
    assert [one.get("aria-sort") for one in heading] == [f"{order}ending"]


def test_a_heading_turns_the_order_around_and_keeps_the_filters(client, homes) -> None:
    address = f"{homes['work']}/graph?kinds=cites&kinds=authored&types=work,person&year_from=2015"
    tree = html.fromstring(client.get(address).text)
    ways = dict(
        zip(
            [a.text_content() for a in tree.xpath("//table[@class='sortable']//th/a")],
            tree.xpath("//table[@class='sortable']//th/a/@href"),
            strict=True,
        )
    )
    assert "kinds=authored%2Ccites" in ways["From"]
    assert "year_from=2015" in ways["From"]
    first = client.get(f"{homes['work']}/graph{ways['From']}")
    again = html.fromstring(first.text).xpath("//th[@aria-sort='ascending']/a/@href")[0]
    assert "order=desc" in again
    shown = {row[1] for row in rows_of(first)}
    assert shown <= {"wrote", "cites"}
    checked = set(html.fromstring(first.text).xpath("//input[@name='kinds'][@checked]/@value"))
    assert checked == {"cites", "authored"}


def test_what_a_page_cannot_read_is_left_out(client, homes) -> None:
    plain = rows_of(client.get(f"{homes['work']}/graph"))
    odd = client.get(
        f"{homes['work']}/graph?kinds=nonsense&types=%00&limit=9999&year_from=x&sort=<b>&page=-1"
    )
    assert odd.status_code == 200
    assert rows_of(odd) == plain
    turned = client.get(f"{homes['topic']}/graph?year_from=2021&year_to=2018&limit=100")
    assert rows_of(turned)
    assert rows_of(client.get(f"{homes['topic']}/graph?page=9999"))


def test_every_reason_leads_to_its_evidence(client, homes) -> None:
    tree = html.fromstring(client.get(f"{homes['person']}/graph?limit=40").text)
    ways = tree.xpath("//table[@class='sortable']//td[3]/a/@href")
    assert ways
    for way in ways[:12]:
        page = client.get(way)
        assert page.status_code == 200
        assert html.fromstring(page.text).xpath("//ol[@class='proofs']/li")
        assert page.headers["x-robots-tag"] == "noindex"


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/works/W999999999/graph", 404),
        ("/works/A1/graph", 404),
        ("/nothing/W1/graph", 404),
        ("/works/W1x/graph", 404),
        ("/works/W1/graph.exe", 404),
        ("/graph/why", 200),
        ("/graph/why?source=W1", 422),
        ("/graph/why?source=W1&target=W2&kind=likes", 422),
        ("/graph/why?source=W1&target=W2&kind=authored", 404),
        ("/graph/why?source=%3Cscript%3E&target=W2&kind=cites", 422),
    ],
)
def test_addresses_that_lead_nowhere_say_so(client, address, status) -> None:
    page = client.get(address)
    assert page.status_code == status
    assert "<script>" not in page.text


@pytest.mark.parametrize("name", ["work", "script", "person", "topic", "institution", "venue"])
def test_every_form_has_the_nodes_of_the_page(client, homes, name) -> None:
    told = client.get(f"{homes[name]}/graph.json?limit=40")
    assert told.headers["content-type"] == "application/json"
    keys = {node["key"] for node in told.json()["nodes"]}
    for suffix in ("graphml", "gexf", "nt", "svg"):
        answer = client.get(f"{homes[name]}/graph.{suffix}?limit=40")
        assert answer.status_code == 200
        assert all(re.search(rf"\b{key}\b", answer.text) for key in keys)
        assert suffix == "nt" or "<script>alert" not in answer.text
        again = client.get(
            f"{homes[name]}/graph.{suffix}?limit=40",
            headers={"if-none-match": answer.headers["etag"]},
        )
        assert again.status_code == 304


@pytest.fixture
def peopled(site, tmp_path, numbers):
    """The site with accounts of its own: its client, community, and the numbers of a work and a person."""
    settings, database, discovery = site
    settings = settings.model_copy(
        update={"community_url": f"sqlite:///{tmp_path}/community.sqlite"}
    )
    community = Community(settings)
    application = create_app(settings, database, discovery, community=community)
    client = TestClient(application, raise_server_exceptions=False)
    yield (
        client, community, numbers["work:Dual Temperature Helps Contras"],
        numbers["person:Kaiming He"],
    )  # fmt: skip
    community.close()


def owner(community, person: int, **given) -> int:
    from peerscope.community.accounts import create_account
    from peerscope.community.proofs import add_proof

    with community.writing() as session:
        number = create_account(
            session, "Ada Example", email="ada@example.org", password="a horse and a battery"
        )
        add_proof(session, number, "email", issuer="test")
        session.get(Account, number).person_id = person
    return number


def test_a_review_is_an_edge_as_long_as_it_stands(peopled) -> None:
    client, community, work, person = peopled
    account = owner(community, person)
    asked = {"source": f"A{person}", "target": f"W{work}", "kind": "reviewed"}
    assert client.get("/api/v1/graph/edge", params=asked).status_code == 404
    with community.writing() as session:
        review = write(
            session, account, work,
            {"summary": "A review of some length for this test.", "confidence": "3", "relation": "none"},
        )  # fmt: skip
    for centre in (f"W{work}", f"A{person}"):
        edges = client.get(f"/api/v1/graph/{centre}?limit=60").json()["edges"]
        assert f"reviewed:A{person}:W{work}" in {edge["key"] for edge in edges}
    told = client.get("/api/v1/graph/edge", params=asked).json()
    assert told["evidence"][0]["url"] == f"/reviews/{review}"
    assert "reviewed" in client.get(f"/works/W{work}/graph?kinds=reviewed").text
    with community.writing() as session:
        withdraw(session, account, review)
    assert client.get("/api/v1/graph/edge", params=asked).status_code == 404
    edges = client.get(f"/api/v1/graph/W{work}?limit=60").json()["edges"]
    assert "reviewed" not in {edge["attributes"]["kind"] for edge in edges}


def test_a_suspended_account_reviews_nothing(peopled) -> None:
    client, community, work, person = peopled
    account = owner(community, person)
    with community.writing() as session:
        write(
            session, account, work,
            {"summary": "A review of some length for this test.", "confidence": "3", "relation": "none"},
        )  # fmt: skip
        session.get(Account, account).state = "suspended"
    edges = client.get(f"/api/v1/graph/W{work}?limit=60").json()["edges"]
    assert "reviewed" not in {edge["attributes"]["kind"] for edge in edges}


def test_claims_that_were_run_are_said_of_the_work(client, homes) -> None:
    told = client.get(f"/api/v1/graph/{homes['work'].split('/')[-1]}").json()
    assert "reproduced" in told["nodes"][0]["attributes"]["reproduced"]
    assert "Claims were run of" in client.get(f"{homes['work']}/graph").text
    assert "reproduced" not in {edge["attributes"]["kind"] for edge in told["edges"]}


def test_an_attempt_counts_for_whom_its_orcid_names_and_for_nobody_by_name(
    site, tmp_path, numbers
) -> None:
    settings, database, discovery = site
    work, person = numbers["work:Dual Temperature Helps Contras"], numbers["person:Kaiming He"]
    shipped = next(
        one for one in Store(settings.reproductions).attempts() if one.paper == "dual-temperature"
    )
    store = Store(tmp_path / "attempts")
    for name in (f"Ada Example {ORCID}", "Kaiming He"):
        folder = tmp_path / name.split()[0]
        shutil.copytree(shipped.folder, folder)
        (folder / "SHA256SUMS").unlink()
        about = json.loads((folder / "attempt.json").read_text()) | {"by": name}
        (folder / "attempt.json").write_text(json.dumps(about))
        seal(folder)
        store.take(folder)
    application = create_app(
        settings, database, discovery, overview=Overview(load_registry(), store)
    )
    with database.session() as session:
        session.get(Person, person).orcid = ORCID
        session.commit()
    try:
        found = StatedHere(application.state.site)([work], [])
        edges = [one for one in found if one.kind == "reproduced" and one.person is not None]
        assert [(one.person, one.work) for one in edges] == [(person, work)]
        assert "Ada Example" in edges[0].proof.text
        answer = TestClient(application).get(f"/api/v1/graph/W{work}?limit=60").json()
        assert f"reproduced:A{person}:W{work}" in {edge["key"] for edge in answer["edges"]}
    finally:
        with database.session() as session:
            session.get(Person, person).orcid = None
            session.commit()


def test_nobody_hidden_is_anywhere_in_the_graph(peopled, numbers) -> None:
    from peerscope.community.person_settings import set_person

    client, community, work, _ = peopled
    person = numbers["person:Kang Zhang"]
    key, home = f"A{person}", f"/works/W{work}"
    assert key in client.get(f"{home}/graph.json").text
    account = owner(community, numbers["person:Kaiming He"])
    with community.writing() as session:
        set_person(session, person, account, hidden=True, why="They asked.")
    community.kept.forget()
    for address in (
        f"{home}/graph?limit=150", f"{home}/graph.json", f"{home}/graph.svg", f"{home}/graph.nt",
        f"/api/v1/graph/W{work}?limit=150", f"/api/v1/graph/W{work}/expand?known={key}",
    ):  # fmt: skip
        answer = client.get(address)
        assert answer.status_code == 200
        assert not re.search(rf"\b{key}\b", answer.text), address
    for address in (
        f"/people/{key}/graph", f"/people/{key}/graph.json", f"/api/v1/graph/{key}",
        f"/api/v1/graph/{key}/expand", f"/api/v1/graph/path?from={key}&to=A1",
        f"/api/v1/graph/path?from=A1&to={key}",
        f"/api/v1/graph/edge?source={key}&target=W{work}&kind=authored",
        f"/graph/why?source={key}&target=W{work}&kind=authored",
    ):  # fmt: skip
        assert client.get(address).status_code == 410, address
    names = [one["key"] for one in client.get("/api/v1/graph/find?q=kang zhang").json()["results"]]
    assert key not in names


def test_a_merged_person_leads_to_who_they_are_now(tmp_path) -> None:
    from peerscope.record.models import Source
    from peerscope.settings import Settings

    settings = Settings(home=tmp_path)
    database = Database(settings.record_url)
    database.migrate()
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    with database.session() as session:
        session.add(Source(id=1, importer="t", name="t", location="t", created_at=moment))
        session.flush()
        for number, into in ((2, None), (1, 2)):
            session.add(
                Person(id=number, display_name=f"Ada {number}", name_key="a", rule="t", source_id=1,
                       change_seq=number, created_at=moment, merged_into_id=into)
            )  # fmt: skip
            session.flush()
        session.commit()
    client = TestClient(create_app(settings, database, SiteDiscovery(database, settings.bundles)))
    answer = client.get("/people/A1/graph", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (302, "/people/A2/graph")
    alone = client.get("/people/A2/graph")
    assert "No edge here" in alone.text
    database.close()
