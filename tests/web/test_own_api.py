"""The API's own answers: what stands near, claims, trust, identity, collections; addresses that moved."""

from __future__ import annotations

import json
from contextlib import contextmanager
from email.utils import parsedate_to_datetime

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from peerscope.community import collection_works, collections
from peerscope.community.person_settings import set_person
from peerscope.record import count_statements
from peerscope.record.identity_events import decide, split, undo
from peerscope.record.models import Authorship

V1 = "/api/v1"


@contextmanager
def hiding(society, person):
    """A person's page is hidden inside the block."""
    moderator = society.member("Mo Moderator", role="moderator")

    def change(hidden: bool) -> None:
        with society.community.writing() as session:
            set_person(session, person, moderator.account_id, hidden=hidden)
        society.community.kept.forget()

    change(True)
    try:
        yield
    finally:
        change(False)


@pytest.mark.parametrize(
    ("old", "new"),
    [("/api/search?q=a&page=2", f"{V1}/search?q=a&page=2"), ("/api/claims?verdict=partly", f"{V1}/claims?verdict=partly"),
     ("/api/claims/x-y", f"{V1}/claims/x-y"), ("/api/attempts/0123456789ab", f"{V1}/attempts/0123456789ab"),
     ("/api/works/W1", f"{V1}/works/W1/page"), ("/api/people/A1?page=2", f"{V1}/people/A1/page?page=2"),
     ("/api/venues/S1", f"{V1}/venues/S1/page"), ("/api/works/a%2F%2Fb", None)],
)  # fmt: skip
def test_old_addresses_lead_on(client, old, new) -> None:
    answer = client.get(old, follow_redirects=False)
    if new is None:
        assert answer.status_code == 404
    else:
        assert (answer.status_code, answer.headers["location"]) == (308, new)
    assert client.get("/api/nothing", follow_redirects=False).status_code == 404
    assert client.get("/api/works", follow_redirects=False).status_code == 404


def test_neighbours_have_reasons_and_a_bound(client, numbers) -> None:
    for place, letter, name in (
        ("works", "W", "work:Dual Temperature Helps Contras"), ("people", "A", "person:Kang Zhang"),
        ("topics", "T", "topic:Contrastive learning"),
    ):  # fmt: skip
        own = f"{letter}{numbers[name]}"
        found = client.get(f"{V1}/{place}/{own}/neighbours?limit=5").json()
        assert found["id"] == own and 0 < len(found["neighbours"]) <= 5
        assert all(one["reasons"] for one in found["neighbours"])
        assert client.get(f"{V1}/{place}/{own}/neighbours?limit=51").status_code == 422
        page = client.get(f"{V1}/{place}/{own}/page").json()
        many = client.get(f"{V1}/{place}/{own}/neighbours?limit={len(page['near'])}").json()
        assert many["neighbours"] == page["near"] != []


def test_a_list_says_where_it_goes_on(client) -> None:
    address, seen = f"{V1}/search?q=learning&per_page=7", []
    for _ in range(3):
        answer = client.get(address)
        seen += [one["id"] for one in answer.json()["results"]]
        address = answer.headers["link"].split(">")[0][1:]
    assert len(seen) == len(set(seen)) == 21
    last = client.get(f"{V1}/search?q=learning&per_page=100&page=400")
    assert "link" not in last.headers


def test_every_answer_may_be_kept_and_asked_again(client, numbers) -> None:
    work, person = numbers["work:Dual Temperature Helps Contras"], numbers["person:Kang Zhang"]
    for path in (f"/works/W{work}", f"/works/W{work}/page", f"/works/W{work}/neighbours", f"/works/W{work}/claims",
                 f"/people/A{person}/trust", f"/people/A{person}/identity", "/identity", "/collections", "/claims",
                 "/search?q=contrast", "/works?per-page=2", "/autocomplete?q=con"):  # fmt: skip
        first = client.get(V1 + path)
        assert first.status_code == 200, path
        again = client.get(V1 + path, headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b""), path
        assert again.headers["access-control-allow-origin"] == "*"
    changed = client.get(f"{V1}/works/W{work}")
    moment = parsedate_to_datetime(changed.headers["last-modified"])
    assert changed.json()["updated_date"][:16] == moment.isoformat()[:16]


def test_the_trust_snapshot_is_the_pages_with_all_that_was_counted(client, numbers) -> None:
    number = numbers["person:Kang Zhang"]
    api = client.get(f"{V1}/people/A{number}/trust")
    page = client.get(f"/people/A{number}/trust.json").json()
    said = api.json()
    assert {**said, "computed_at": ""} == {**page, "computed_at": ""}
    assert api.headers["x-robots-tag"] == "noindex"
    assert said["formula"] and said["evidence"]["works"] and said["composite"] is None


def test_claims_of_a_work(client, numbers) -> None:
    work = numbers["work:Dual Temperature Helps Contras"]
    found = client.get(f"{V1}/works/W{work}/claims").json()
    every = client.get(f"{V1}/claims").json()["claims"]
    paper = found["claims"][0]["paper"]
    assert found["claims"] == [one for one in every if one["paper"] == paper]
    one = found["claims"][0]
    assert client.get(f"{V1}/claims/{one['id']}").json() == one
    assert client.get(f"{V1}/works/W{numbers['work:عنوان العمل']}/claims").json() == {
        "total": 0,
        "claims": [],
    }


def test_only_public_collections_are_there(site, society, numbers) -> None:
    ada = society.member("Ada Example")
    work = numbers["work:Dual Temperature Helps Contras"]
    made = {}
    with society.community.writing() as session:
        for visibility in collections.VISIBILITIES:
            made[visibility] = collections.make(
                session, ada.account_id, f"A {visibility} one", "", visibility
            )
            collection_works.add(session, ada.account_id, made[visibility], work)
    # Also for the owner's own browser: the API knows no accounts.
    for client in (society.browser(), ada):
        listed = client.get(f"{V1}/collections").json()["collections"]
        assert f"C{made['public']}" in [one["id"] for one in listed]
        assert not {f"C{made['private']}", f"C{made['unlisted']}"} & {one["id"] for one in listed}
        found = client.get(f"{V1}/collections/C{made['public']}").json()
        assert [one["id"] for one in found["works"]] == [f"W{work}"] and found[
            "owner"
        ] == "Ada Example"
        for kind in ("private", "unlisted"):
            assert client.get(f"{V1}/collections/C{made[kind]}").status_code == 404
        assert ada.email not in json.dumps([listed, found])


def test_identity_history_is_the_pages_and_names_nobody_hidden(society, site, numbers) -> None:
    person = numbers["person:Quentin Xavier Prolific"]
    with site[1].session() as session:
        works = session.scalars(
            select(Authorship.work_id).where(Authorship.person_id == person).limit(2)
        ).all()
        proposal = split(session, person, [works])
    event = decide(site[1], proposal, "Ada Example", "They are two.")
    client = society.browser()
    try:
        for path in (f"/people/A{person}/identity", "/identity"):
            first = client.get(V1 + path).json()["events"][0]
            assert (first["id"], first["kind"], first["by"]) == (
                event.event,
                "split",
                "Ada Example",
            )
            assert f"A{person}" in first["people"] and first["authorships"] >= 2
            assert first["reason"] == "They are two." and first["undone_at"] is None
            page = client.get("/identity").text
            assert f"event-{first['id']}" in page and all(one in page for one in first["people"])
        other = next(one for one in first["people"] if one != f"A{person}")
        with hiding(society, person):
            told = client.get(f"{V1}/identity").json()["events"][0]
            assert told["people"] == [other]
            for path in ("identity", "trust", "page", "neighbours"):
                assert client.get(f"{V1}/people/A{person}/{path}").status_code == 410
    finally:
        undo(site[1], event.event, "Ada Example", "Test")
    done = client.get(f"{V1}/identity").json()["events"][0]
    assert done["undone_by"] == "Ada Example" and done["undone_at"]
    # Who was parted off is nobody now, and what was decided of them can still be read.
    assert client.get(f"{V1}/people/{other}/identity").status_code in (200, 404)


def test_nothing_leads_to_somebody_hidden(society, numbers) -> None:
    """Not filters, groups, lists, completions, search, pages of others, nor works."""
    person = numbers["person:Kang Zhang"]
    client, own = society.browser(), f"A{numbers['person:Kang Zhang']}"
    work = numbers["work:Dual Temperature Helps Contras"]
    paths = [
        f"/works?filter=author.id:{own}", "/works?group_by=author.id&filter=type:preprint", f"/authors?filter=id:{own}",
        "/authors?search=kang+zhang", "/autocomplete/authors?q=kang+zhang", f"/works/W{work}", f"/works/W{work}/page",
        f"/works/W{work}/neighbours", "/search?q=dual+temperature", f"/search?person={own}", "/works?per-page=200",
    ]  # fmt: skip
    before = {path: client.get(V1 + path).text for path in paths}
    named = [path for path, text in before.items() if f'{own}"' in text]
    assert len(named) >= 7
    with hiding(society, person):
        for path in paths:
            answer = client.get(V1 + path)
            assert answer.status_code == 200 and f'{own}"' not in answer.text, path
        assert client.get(f"{V1}/works?filter=author.id:{own}").json()["meta"]["count"] == 0
        assert client.get(f"{V1}/search?person={own}").json()["total"] == 0
        assert client.get(f"{V1}/authors/{own}").status_code == 404
        assert "Kang Zhang" in client.get(f"{V1}/works/W{work}").text, "the printed name stays"
    assert {path: client.get(V1 + path).text.count(own) for path in paths} == {
        path: text.count(own) for path, text in before.items()
    }


@pytest.mark.parametrize("path", ["/collections", "/identity", "/claims", "/search?q=contrastive", "/works?per-page=200",
                                  "/authors?per-page=200", "/autocomplete?q=con"])  # fmt: skip
def test_lists_take_few_statements(site, client, path) -> None:
    client.get(V1 + path)
    with count_statements(site[1].engine) as seen:
        assert client.get(V1 + path).status_code == 200
    assert seen.count <= 15


def test_every_origin_may_read_and_nobody_may_write(client: TestClient) -> None:
    asked = client.options(
        f"{V1}/works",
        headers={"origin": "https://elsewhere.example", "access-control-request-method": "GET"},
    )
    assert asked.status_code == 204 and asked.headers["access-control-allow-origin"] == "*"
    assert asked.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
    assert "access-control-allow-credentials" not in asked.headers
    assert "access-control-allow-origin" not in client.get("/works").headers
