from __future__ import annotations

import re
from urllib.parse import quote

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

QUERIES = [
    "", " ", "a" * 10_000, "😀🎉", "'; DROP TABLE work; --", "the of and", "* * * *", '"', "NEAR(",
    "\x00", "\u202e\u2066", "<script>alert(1)</script>", "%", "日本語", "a OR b AND NOT (c",
]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("place", ["/search", "/people", "/api/search"])
def test_any_query_gets_a_page(client, query, place) -> None:
    response = client.get(f"{place}?q={quote(query)}")
    limit = place == "/api/search" and len(query) > 2000
    assert response.status_code == (422 if limit else 200)
    assert place == "/api/search" or "<script>alert" not in response.text


@pytest.mark.parametrize(
    "tail",
    ["page=-1", "page=0", "page=99999999999999999999", "page=x", "year_from=20222&year_to=-3",
     "year_from=abc", "type=nothing", "topic=T", "topic=T99999999999999999999", "person=W1",
     "sort=evil", "oa=maybe", "topic=T1&" * 60 + "x=1", "year_from=9999&year_to=0"],
)  # fmt: skip
def test_filters_are_read_leniently(client, tail) -> None:
    assert client.get(f"/search?q=learning&{tail}").status_code == 200


@pytest.mark.parametrize(
    "address",
    ["/works/W0", "/works/W999999999999999", "/works/Wx", "/works/W1.exe", "/people/A-1", "/topics/T1e9",
     "/names/nobody%00", "/names/" + "x" * 3000, "/works/doi:", "/works/doi:%00", "/nothing/at/all",
     "/static/../settings.py", "/static/nothing.css", "/works/W99999999999999999999999", "/../etc/passwd"],
)  # fmt: skip
def test_addresses_of_nothing_are_not_found(client, address) -> None:
    response = client.get(address)
    assert response.status_code == 404
    assert "Traceback" not in response.text


def test_other_methods_are_refused(client) -> None:
    for method in ("post", "put", "delete", "patch"):
        assert getattr(client, method)("/search").status_code == 405


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    place=st.sampled_from(
        ["works", "people", "topics", "institutions", "venues", "names", "search", "static"]
    ),
    name=st.text(max_size=40),
    query=st.text(max_size=60),
)
def test_no_address_breaks_the_site(client, place, name, query) -> None:
    address = f"/{place}/{quote(name, safe='')}?q={quote(query)}&page={quote(query)}"
    assert client.get(address).status_code < 500


def test_a_deleted_work_is_gone(site, client, numbers) -> None:
    from peerscope.record import delete_works, restore_works

    _, database, _ = site
    number = numbers["work:عنوان العمل"]
    with database.begin() as session:
        delete_works(session, [number])
    try:
        assert client.get(f"/works/W{number}").status_code == 410
        assert client.get(f"/works/W{number}.bib").status_code == 404
        assert f"/works/W{number}" not in client.get("/search?q=" + quote("عنوان")).text
    finally:
        with database.begin() as session:
            restore_works(session, [number])
    assert client.get(f"/works/W{number}").status_code == 200


def test_the_api_answers_as_it_says(client) -> None:
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", client.app)
    asked = 0
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None
        )
        @given(case=operation.as_strategy())
        def fuzzed(case) -> None:
            nonlocal asked
            asked += 1
            response = case.call()
            assert response.status_code < 500
            case.validate_response(
                response, checks=[schemathesis.checks.response_schema_conformance]
            )

        fuzzed()
    assert asked > 50


def test_a_number_that_no_table_holds_is_one_that_nobody_has(client) -> None:
    included = [getattr(one, "original_router", None) for one in client.app.routes]
    routes = [route for router in included if router is not None for route in router.routes]
    numbered = [route for route in routes if ":int}" in route.path and "GET" in route.methods]
    assert len(numbered) > 5
    for route in numbered:
        for digits in (15, 16, 26, 5000):
            address = re.sub(r"\{\w+:int\}", "9" * digits, route.path)
            address = re.sub(r"\{[^}]*\}", "x", address)
            assert 300 <= client.get(address, follow_redirects=False).status_code < 500, address
