"""What anybody may send to the API: the right status, a sentence, and no work done for nonsense.

Load is counted in statements and in rows that the database hands over, never in time.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from urllib.parse import quote

import anyio
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from peerscope.community.rates import Allowance
from peerscope.discover import SiteDiscovery
from peerscope.record import Database, count_statements
from peerscope.settings import Settings
from peerscope.web import create_app
from peerscope.web.api_bounds import LONGEST_ADDRESS, asking

V1 = "/api/v1"


@contextmanager
def load(database):
    """Statements sent, and steps of SQLite's machine in thousands: what an answer costs the database."""
    steps = [0]
    with count_statements(database.engine) as seen:

        def note(connection, record, proxy) -> None:
            def step() -> int:
                steps[0] += 1
                return 0

            connection.set_progress_handler(step, 1000)

        event.listen(database.engine, "checkout", note)
        try:
            yield lambda: (seen.count, steps[0])
        finally:
            event.remove(database.engine, "checkout", note)


def is_problem(answer, *statuses) -> bool:
    said = answer.json()
    return (
        answer.status_code in statuses
        and answer.headers["content-type"] == "application/problem+json"
        and said["status"] == answer.status_code
        and len(said["detail"]) > 20
        and "Traceback" not in said["detail"]
    )


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("filter=cites:" + "|".join(f"W{n}" for n in range(5000)), (400, 422)),
        ("filter=" + ",".join(["type:article"] * 61), (400,)),
        ("filter=title.search:" + "a" * 1001, (400,)),
        ("filter=type:article|publication_year:2020", (400,)),
        ("filter=publication_year:٢٠٢٠", (400,)),
        ("filter=cited_by_count:>" + "9" * 40, (400,)),
        ("filter=authorships.author.id:A" + "9" * 40, (400,)),
        ("filter=" + "(" * 8000, (400,)),
        ("filter[publication_year]=2020", (400,)),
        ("filter=type:article&filter=type:book", (400,)),
        ("page=1&page=2", (400,)), ("page=٢", (422, 400, 200)), ("page=1e3", (422,)), ("page=%00", (422,)),
        ("per-page=201", (422,)), ("per-page=100000000", (422,)), ("per_page=-1", (422,)),
        ("page=101&per-page=100", (400,)), ("page=10001", (422,)),
        ("cursor=%00", (400,)), ("cursor=" + "A" * 1999, (400,)), ("cursor=" + "A" * 2001, (422,)),
        ("cursor=WzFlOTk5XQ", (400,)), ("cursor=W251bGwsbnVsbF0", (400,)), ("cursor=eyJhIjoxfQ", (400,)),
        ("cursor=WyJ4IiwgMV0&sort=display_name:desc,cited_by_count", (400,)),
        ("sample=-5", (400,)), ("sample=10001", (400,)), ("sample=" + "9" * 60, (400,)),
        ("select=" + ",".join(["id"] * 600), (422,)), ("select=id,password", (400,)),
        ("group_by=title", (400,)), ("sort=title:sideways", (400,)),
        ("colour=red", (400,)), ("pper-page=5", (400,)), ("search=" + "x" * 2001, (422,)),
    ],
)  # fmt: skip
def test_nonsense_gets_a_sentence_before_anything_is_read(site, client, query, status) -> None:
    with load(site[1]) as cost:
        answer = client.get(f"{V1}/works?{query}")
        statements, steps = cost()
    if answer.status_code == 200:
        assert 200 in status
        return
    assert is_problem(answer, *status), (answer.status_code, answer.text[:300])
    assert (statements, steps) == (0, 0)


def test_sentences_name_what_is_meant(client) -> None:
    said = client.get(f"{V1}/works?pper-page=5").json()
    assert "Did you mean per-page?" in said["detail"] and said["message"] == said["detail"]
    assert "give it once" in client.get(f"{V1}/search?q=a&q=b").json()["detail"]
    assert client.get(f"{V1}/works?mailto=ada@example.org&api_key=x&per-page=1").status_code == 200
    assert client.get(f"{V1}/search?topic=T1&topic=T2").status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "filter=cites:" + "|".join(f"W{n}" for n in range(100)),
        "filter=title.search:" + "+".join("abcdefghijklmnopqrst"),
        "filter=" + ",".join(f"title.search:!x{n}" for n in range(60)),
        "filter=authorships.author.orcid:" + "|".join(f"0000-0001-0000-{n:04}" for n in range(100)),
        "page=400&per-page=25", "sample=10000&per-page=200&page=3&seed=%00", "cursor=*&per-page=200",
        "filter=title.search:%25_%25|" + "|".join(["%25"] * 98),
    ],
)  # fmt: skip
def test_the_most_that_is_allowed_stays_within_bounds(site, client, query) -> None:
    """At most 15 statements; and no more steps of the database than some looks at every row of 800 works."""
    with load(site[1]) as cost:
        answer = client.get(f"{V1}/works?{query}")
        statements, steps = cost()
    assert answer.status_code == 200, answer.text[:300]
    assert statements <= 15 and steps < 5_000, (statements, steps)


@pytest.mark.parametrize(
    "path",
    ["/works/%00", "/works/W" + "9" * 30, "/works/W٣", "/people/A1%0a/trust", "/people/A%00/identity", "/claims/..",
     "/works/" + "x" * 600, "/collections/C0", "/attempts/ffffffffffff", "/topics/W1/neighbours", "/nothing",
     "/works/W1/nothing", "/search/nothing", "/people/A999999999999999/trust", "/works/W999999999999999/neighbours",
     "/works/W999999999999999/claims", "/venues/T1/page", "/authors/https://orcid.org/0000-0000-0000-0000"],
)  # fmt: skip
def test_what_is_not_there_is_a_problem_of_its_own(site, client, path) -> None:
    with load(site[1]) as cost:
        assert is_problem(client.get(V1 + path), 404), path
        assert cost()[0] <= 6


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
@pytest.mark.parametrize("path", ["/works", "/search", "/people/A1/trust", "/claims", "/works/W1"])
def test_other_methods_are_refused_and_say_what_is_allowed(client, method, path) -> None:
    answer = getattr(client, method)(V1 + path)
    assert is_problem(answer, 405) and "GET" in answer.headers["allow"]


@pytest.mark.parametrize(
    "headers",
    [{"accept": "*" * 5000}, {"accept": "text/html;q=x, ;;;,,application/"}, {"accept": ""},
     {"accept": "application/xml"}, {"accept-encoding": "gzip;q=9, br;;"}, {"if-none-match": '"' * 9000},
     {"if-none-match": "W/"}, {"if-modified-since": "yesterday"}, {"range": "bytes=5-1"},
     {"x-forwarded-for": "1.2.3.4, \x7f"}, {"cookie": "peerscope-session=" + "x" * 4000}],
)  # fmt: skip
def test_malformed_headers_change_nothing(client, headers) -> None:
    answer = client.get(f"{V1}/works?per-page=1", headers=headers)
    assert answer.status_code == 200 and answer.json()["results"]


def raw(application, path, query):
    """Ask below what a client would refuse to send."""
    sent = []

    async def asked() -> None:
        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message) -> None:
            sent.append(message)

        await application(
            {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
             "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": query.encode(),
             "root_path": "", "headers": [(b"host", b"testserver")], "client": ("192.0.2.1", 1),
             "server": ("testserver", 80)},
            receive, send,
        )  # fmt: skip

    anyio.run(asked)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(one.get("body", b"") for one in sent[1:])


def test_an_address_of_a_megabyte_is_refused_first(site, client) -> None:
    with load(site[1]) as cost:
        long = "x" * 1_000_000
        for path, query in (("works", f"filter={long}"), ("works", "a=1&" * 250_000), (long, "")):
            status, headers, content = raw(client.app, f"{V1}/{path}", query)
            assert (status, headers["content-type"]) == (414, "application/problem+json")
            assert "longer than" in json.loads(content)["detail"] and len(content) < 1000
        status, headers, content = raw(client.app, "/search", f"q={long}")
        assert status == 414 and headers["content-type"].startswith("text/html")
        assert cost() == (0, 0)
    assert len(content) < 20_000 and "default-src" in headers["content-security-policy"]
    within = "a" * (LONGEST_ADDRESS - 100)
    assert client.get(f"{V1}/works?filter={within}").status_code == 422


@pytest.mark.parametrize(
    "query",
    ["verb=ListRecords&resumptionToken=" + "A" * 5000, "verb=ListRecords&resumptionToken=%00",
     "verb=ListRecords&resumptionToken=W10", "verb=ListRecords&resumptionToken=%D9%A3", "verb=Identify&verb=Identify",
     "verb=ListRecords&metadataPrefix=oai_dc&from=9999-99-99", "verb=%00", "verb=GetRecord&identifier=oai:x:W" + "9" * 40],
)  # fmt: skip
def test_harvesters_tokens_are_refused_as_their_protocol_says(site, client, query) -> None:
    with load(site[1]) as cost:
        answer = client.get(f"/oai?{query}")
        assert answer.status_code == 200 and "<error code=" in answer.text
        assert cost()[0] <= 3


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(
        ["filter", "search", "sort", "select", "group_by", "cursor", "page", "seed"]
    ),
    value=st.text(max_size=60),
    kind=st.sampled_from(["works", "authors", "topics"]),
)
def test_no_value_breaks_a_list(site, client, name, value, kind) -> None:
    with count_statements(site[1].engine) as seen:
        answer = client.get(f"{V1}/{kind}?per-page=2&{name}={quote(value)}")
    assert answer.status_code in (200, 400, 422) and seen.count <= 15


# How often one may ask


@pytest.fixture
def empty_site(tmp_path):
    """Makes applications on an empty record, with an allowance each."""
    database = Database(f"sqlite:///{tmp_path / 'record.sqlite'}")
    database.migrate()

    def make(rate: str):
        settings = Settings(home=tmp_path, api_rate=rate)
        return create_app(settings, database, SiteDiscovery(database, settings.bundles)), database

    yield make
    database.close()


def test_what_is_left_is_told_and_then_refused(empty_site) -> None:
    application, database = empty_site("5 per hour")
    client = TestClient(application)
    for left in (4, 3, 2, 1, 0):
        answer = client.get(f"{V1}/works")
        assert answer.headers["x-ratelimit-limit"] == "5"
        assert answer.headers["x-ratelimit-remaining"] == str(left)
        assert 0 < int(answer.headers["x-ratelimit-reset"]) <= 3600
        assert answer.headers["ratelimit-policy"] == '"address";q=5;w=3600'
    with count_statements(database.engine) as seen:
        refused = client.get(f"{V1}/works")
    assert seen.count == 0 and is_problem(refused, 429)
    assert refused.headers["retry-after"] == refused.headers["x-ratelimit-reset"]
    assert refused.headers["access-control-allow-origin"] == "*"
    assert "retry-after" in refused.headers["access-control-expose-headers"].lower()
    # Pages, files and questions about what is allowed are not counted.
    assert client.get("/works").status_code == 200
    assert client.options(f"{V1}/works").status_code == 204
    other = TestClient(application, client=("198.51.100.7", 1))
    assert other.get(f"{V1}/works").headers["x-ratelimit-remaining"] == "4"


def test_a_header_that_anybody_may_send_makes_nobody_somebody_else(empty_site) -> None:
    """The address is the connection's; a proxy that the operator trusts is read by the server before."""
    client = TestClient(empty_site("2 per hour")[0])
    for number in range(2):
        assert (
            client.get(f"{V1}/works", headers={"x-forwarded-for": f"10.0.0.{number}"}).status_code
            == 200
        )
    assert client.get(f"{V1}/works", headers={"x-forwarded-for": "10.0.0.9"}).status_code == 429


def test_it_can_be_switched_off(empty_site) -> None:
    client = TestClient(empty_site("")[0])
    assert "x-ratelimit-limit" not in client.get(f"{V1}/works").headers


@pytest.mark.parametrize(
    "rate", ["often", "5 per fortnight", "0 per minute", "5 per 0 minute", "-1 per minute", "5"]
)
def test_an_allowance_that_does_not_read_is_refused_at_the_start(tmp_path, rate) -> None:
    with pytest.raises(ValueError, match="api_rate"):
        Settings(home=tmp_path, api_rate=rate)


def test_an_allowance_counts_against_a_clock(monkeypatch) -> None:
    """Against a model: fixed windows of ten seconds that begin with the first use in each."""
    now = [1000.0]
    monkeypatch.setattr("time.time", lambda: now[0])
    allowance, uses, ends = Allowance("3 per 10 second"), 0, 0.0
    for pause in (0, 1, 1, 1, 3, 5, 0, 0, 0, 11, 2, 20, 0):
        now[0] += pause
        if now[0] >= ends:
            uses, ends = 0, now[0] + 10
        uses += 1
        left = allowance.take("somebody")
        assert left.refused == (uses > 3) and left.remaining == max(0, 3 - uses)
        assert left.seconds == max(1, -(-(ends - now[0]) // 1))


@pytest.mark.parametrize(
    ("address", "as_"),
    [("192.0.2.1", "192.0.2.1"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"), ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
     ("unknown", "unknown"), ("", "")],
)  # fmt: skip
def test_an_address_stands_for_a_network_of_version_six(address, as_) -> None:
    assert asking(address) == as_
