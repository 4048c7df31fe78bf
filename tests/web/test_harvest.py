"""OAI-PMH, harvested by a public client; the site map; what is refused and how."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from sqlalchemy import select

from peerscope.record import count_statements, delete_works, restore_works
from peerscope.record.models import Work
from peerscope.record.oai import ARGUMENTS, DC, ELEMENTS, OAI, answer

scythe = pytest.importorskip("oaipmh_scythe")


@pytest.fixture(scope="module")
def harvester(address):
    with scythe.Scythe(f"{address}/oai") as client:
        yield client


def test_the_site_says_what_it_is(harvester) -> None:
    said = harvester.identify()
    assert said.protocolVersion == "2.0" and said.deletedRecord == "persistent"
    assert said.granularity == "YYYY-MM-DDThh:mm:ssZ"
    assert [one.metadataPrefix for one in harvester.list_metadata_formats()] == ["oai_dc"]
    assert {"type:preprint"} <= {one.setSpec for one in harvester.list_sets()}


def test_a_harvest_meets_every_work_once(harvester, site) -> None:
    with site[1].session() as session:
        titles = dict(session.execute(select(Work.id, Work.title)).all())
    found = {}
    for record in harvester.list_records():
        number = int(record.header.identifier.rpartition("W")[2])
        assert number not in found
        found[number] = record.metadata["title"][0]
    assert set(found) == set(titles) and len(found) > 200
    assert all(" ".join(found[n].split()) == " ".join(titles[n].split()) for n in titles)
    headers = [one.identifier for one in harvester.list_identifiers(set_="type:preprint")]
    with site[1].session() as session:
        preprints = session.scalars(select(Work.id).where(Work.type == "preprint")).all()
    assert len(headers) == len(preprints)


def test_one_record(harvester, site, numbers) -> None:
    first = next(iter(harvester.list_identifiers()))
    record = harvester.get_record(identifier=first.identifier)
    assert record.metadata["identifier"][0].endswith(
        "/works/" + first.identifier.rpartition(":")[2]
    )
    with pytest.raises(scythe.exceptions.IdDoesNotExist):
        harvester.get_record(identifier="oai:elsewhere:W1")
    with pytest.raises(scythe.exceptions.NoRecordsMatch):
        list(harvester.list_records(from_="2999-01-01"))
    with pytest.raises(scythe.exceptions.CannotDisseminateFormat):
        list(harvester.list_records(metadata_prefix="marc21"))


def test_what_is_removed_is_told_and_what_comes_back_too(harvester, site, numbers) -> None:
    number = (
        numbers["work:Bounds of $O(n^2)$ and more"]
        if ("work:Bounds of $O(n^2)$ and more" in numbers)
        else max(n for key, n in numbers.items() if key.startswith("work:Study"))
    )
    identifier = next(
        one.identifier
        for one in harvester.list_identifiers()
        if one.identifier.endswith(f":W{number}")
    )
    with site[1].begin() as session:
        delete_works(session, [number])
    try:
        record = harvester.get_record(identifier=identifier)
        assert record.header.deleted
    finally:
        with site[1].begin() as session:
            restore_works(session, [number])
    record = harvester.get_record(identifier=identifier)
    assert not record.header.deleted
    day = record.header.datestamp
    assert identifier in [one.identifier for one in harvester.list_identifiers(from_=day)]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "badVerb"), ("verb=Guess", "badVerb"), ("verb=Identify&x=1", "badArgument"),
        ("verb=ListRecords", "badArgument"), ("verb=Identify&verb=Identify", "badArgument"),
        ("verb=ListRecords&metadataPrefix=oai_dc&from=2020", "badArgument"),
        ("verb=ListRecords&metadataPrefix=oai_dc&from=2021-01-01&until=2020-01-01", "badArgument"),
        ("verb=ListRecords&metadataPrefix=oai_dc&from=2021-01-01&until=2022-01-01T00:00:00Z", "badArgument"),
        ("verb=ListRecords&resumptionToken=x", "badResumptionToken"),
        ("verb=ListRecords&resumptionToken=WyIiLCIiLCIiLDAsMF0", "badResumptionToken"),
        ("verb=ListRecords&resumptionToken=x&set=y", "badArgument"),
        ("verb=ListSets&resumptionToken=x", "badResumptionToken"),
        ("verb=ListRecords&metadataPrefix=oai_dc&set=nothing", "noRecordsMatch"),
        ("verb=GetRecord&metadataPrefix=oai_dc&identifier=%00", "badArgument"),
    ],
)  # fmt: skip
def test_errors_are_the_protocols_own(client, query, code) -> None:
    for found in (
        client.get(f"/oai?{query}"),
        client.post(
            "/oai", content=query, headers={"content-type": "application/x-www-form-urlencoded"}
        ),
    ):
        assert found.status_code == 200
        error = etree.fromstring(found.content).find(f"{{{OAI}}}error")
        assert error.get("code") == code and error.text


@settings(max_examples=60, deadline=None)
@given(
    given=st.lists(
        st.tuples(
            st.sampled_from(["verb", "identifier", "metadataPrefix", "from", "until", "set", "resumptionToken"]),
            st.sampled_from([*ARGUMENTS, "oai_dc", "2020-01-01", "type:preprint"]) | st.text(max_size=20),
        ),
        max_size=5,
    )
)  # fmt: skip
def test_any_request_is_answered_in_xml(site, given) -> None:
    with site[1].session() as session:
        root = etree.fromstring(answer(session, given, "https://x.org", "Site"))
    assert root.tag == f"{{{OAI}}}OAI-PMH"
    assert len(root) == 3


def test_hostile_titles_stay_text(site) -> None:
    with site[1].session() as session:
        content = answer(
            session,
            [("verb", "ListRecords"), ("metadataPrefix", "oai_dc")],
            "https://x.org",
            "S",
        )
        titles = etree.fromstring(content).findall(f".//{{{ELEMENTS}}}title")
        assert titles and not any(len(one) for one in titles)
        assert f"{{{DC}}}dc".encode() not in content


def test_a_page_of_records_takes_few_statements(site, client) -> None:
    with count_statements(site[1].engine) as seen:
        assert client.get("/oai?verb=ListRecords&metadataPrefix=oai_dc").status_code == 200
    assert seen.count <= 8


def test_the_site_map_leads_to_everything(client, site) -> None:
    index = client.get("/sitemap.xml")
    maps = re.findall(r"<loc>http://testserver(/sitemap/[^<]+)</loc>", index.text)
    assert len(maps) == 5
    places = [
        p
        for one in maps
        for p in re.findall(r"<loc>http://testserver(/[^<]+)</loc>", client.get(one).text)
    ]
    assert len(places) == len(set(places)) > 1000
    for place in places[:: len(places) // 12]:
        assert client.get(place, follow_redirects=False).status_code == 200
    assert client.get("/sitemap/works-x.xml").status_code == 404
    assert "Sitemap: http://testserver/sitemap.xml" in client.get("/robots.txt").text


def test_assistants_are_told_addresses_that_answer(client) -> None:
    for place in re.findall(r"\(http://testserver(/[^)]*)\)", client.get("/llms.txt").text):
        assert client.get(place).status_code == 200, place
