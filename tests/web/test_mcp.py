"""The endpoint for assistants, asked by the protocol's own client over HTTP and over standard input."""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import anyio
import httpx2
import pytest
from fastapi.testclient import TestClient
from mcp import Client, MCPError, StdioServerParameters, stdio_client
from sqlalchemy import delete, event, select

from peerscope.community import Community
from peerscope.community.claiming_models import PersonSetting
from peerscope.community.times import now
from peerscope.record.models import Work
from peerscope.web import create_app
from peerscope.web.mcp.endpoint import MOST_BYTES
from peerscope.web.mcp.tools import TOOLS

NAMES = ("search", "work", "person", "neighbours", "graph", "claims", "cite")
HELLO = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}  # fmt: skip
ACCEPT = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


def alone(run):
    """What a coroutine gives, in a thread of its own: browser tests leave a loop in the thread of the tests."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(anyio.run, run).result()


def ask(address: str, *calls: tuple[str, dict], mode: str = "auto") -> list:
    """The answers of tools, asked one after the other in one connection."""

    async def run() -> list:
        async with Client(f"{address}/mcp", mode=mode) as client:
            return [await client.call_tool(name, given) for name, given in calls]

    return alone(run)


def told(result) -> dict:
    assert not result.is_error, result.content[0].text
    assert result.content[0].text.strip()
    return result.structured_content


def wrong(result) -> str:
    assert result.is_error and result.structured_content is None
    text = result.content[0].text
    assert text.endswith(".") and "Traceback" not in text and "pydantic" not in text, text
    return text


@pytest.fixture(scope="module")
def address(site, serve):
    """The test site for one client that asks more often than assistants do."""
    settings = site[0].model_copy(update={"api_rate": ""})
    with (
        closing(Community(settings)) as community,
        serve(create_app(settings, *site[1:], community=community)) as found,
    ):
        yield found


@pytest.fixture
def dual(numbers) -> str:
    return f"W{numbers['work:Dual Temperature Helps Contras']}"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_tools_are_listed_with_what_they_take_and_tell(address, mode) -> None:
    async def run():
        async with Client(f"{address}/mcp", mode=mode) as client:
            found = await client.list_tools()
            return client.server_info, client.server_capabilities, client.instructions, found.tools

    info, able, instructions, tools = alone(run)
    assert info.title == "Test site" and "not run" in instructions
    assert [one.name for one in tools] == list(NAMES) == [one.name for one in TOOLS]
    assert able.resources is None and able.prompts is None
    for one in tools:
        assert one.annotations.read_only_hint and not one.annotations.destructive_hint
        assert one.input_schema["type"] == one.output_schema["type"] == "object"
        assert one.input_schema["additionalProperties"] is False
        assert one.description and one.title


def test_search(address, dual) -> None:
    found = told(ask(address, ("search", {"query": "dual temperature contrastive", "limit": 3}))[0])
    first = found["results"][0]
    assert first["id"] == dual and first["url"] == f"{address}/works/{dual}" and first["reasons"]
    assert len(found["results"]) == 3 and found["url"].startswith(f"{address}/search?q=dual")
    assert first["authors"][0]["url"].startswith(f"{address}/people/A")


def test_search_filters_as_the_page_does(address, client, numbers) -> None:
    topic = f"T{numbers['topic:Contrastive learning']}"
    given = {
        "query": "",
        "topics": [topic],
        "year_from": 2020,
        "year_to": 2021,
        "sort": "newest",
        "limit": 25,
    }
    found = told(ask(address, ("search", given))[0])
    twin = client.get(
        "/api/v1/search",
        params={
            "topic": topic,
            "year_from": 2020,
            "year_to": 2021,
            "sort": "newest",
            "per_page": 25,
        },
    ).json()
    assert [one["id"] for one in found["results"]] == [one["id"] for one in twin["results"]]
    assert found["total"] == twin["total"] > 0


def test_a_work_by_id_address_and_identifier(address, site, dual) -> None:
    with site[1].session() as session:
        number, doi, arxiv = session.execute(
            select(Work.id, Work.doi, Work.arxiv_id).where(
                Work.doi.is_not(None), Work.arxiv_id.is_not(None)
            )
        ).first()
    ways = [
        f"W{number}",
        f"{address}/works/W{number}",
        doi,
        f"https://doi.org/{doi}",
        f"arxiv:{arxiv}",
        f" W{number} ",
    ]
    answers = [told(one) for one in ask(address, *(("work", {"id": way}) for way in ways))]
    assert all(one == answers[0] for one in answers) and answers[0]["work"]["id"] == f"W{number}"
    found = told(ask(address, ("work", {"id": dual}))[0])
    assert found["claims_count"] > 0 and found["missing"]["notices"] == "not imported"
    assert found["exports"]["bibtex"] == f"{address}/works/{dual}.bib"
    assert found["summary"] and found["abstract"] is None


def test_a_crowd_is_bounded(address, numbers) -> None:
    found = told(ask(address, ("work", {"id": f"W{numbers['work:A work of three thousand']}"}))[0])
    assert found["work"]["authors_count"] == 3000 and len(found["authors"]) == 30
    for one in ask(
        address,
        ("person", {"id": f"A{numbers['person:Quentin Xavier Prolific']}"}),
        ("search", {"query": "study", "limit": 25}),
        ("graph", {"id": f"A{numbers['person:Quentin Xavier Prolific']}", "limit": 100}),
        ("cite", {"ids": [f"W{n}" for n in range(1, 51)]}),
    ):
        assert len(json.dumps(told(one))) < 60_000


def test_a_person(address, client, numbers) -> None:
    own = f"A{numbers['person:Kang Zhang']}"
    found, beyond = (
        told(one)
        for one in ask(address, ("person", {"id": own}), ("person", {"id": own, "page": 9}))
    )
    twin = client.get(f"/api/v1/people/{own}/page").json()
    assert found["works_count"] == twin["works_count"] == len(found["works"])
    assert [one["id"] for one in found["works"]] == [one["id"] for one in twin["works"]]
    assert found["how_works_were_decided"] == twin["decisions"] and beyond["works"] == []


def test_neighbours_and_graph(address, dual, numbers) -> None:
    topic = f"T{numbers['topic:Contrastive learning']}"
    near, topics, graph = (
        told(one)
        for one in ask(
            address, ("neighbours", {"id": dual, "limit": 4}), ("neighbours", {"id": topic}),
            ("graph", {"id": dual, "limit": 20}),
        )
    )  # fmt: skip
    assert (
        near["of"]["id"] == dual
        and len(near["near"]) == 4
        and all(one["reasons"] for one in near["near"])
    )
    assert topics["near"]
    keys = {one["id"] for one in graph["nodes"]}
    assert graph["nodes"][0]["id"] == dual and len(keys) == len(graph["nodes"]) <= 20
    assert graph["edges"] and all(
        {e["source"], e["target"]} <= keys and e["reason"] for e in graph["edges"]
    )


def test_claims_stand_as_on_the_pages(address, client, dual) -> None:
    rows = client.app.state.site.overview.rows()
    everything, of_work = (
        told(one) for one in ask(address, ("claims", {"limit": 50}), ("claims", {"work": dual}))
    )
    assert everything["total"] == len(rows)
    for one in [*everything["claims"], *of_work["claims"]]:
        twin = client.get(f"/api/v1/claims/{one['id']}").json()
        assert (one["verdict"], one["printed"], one["rule"]) == (
            twin["state"],
            twin["reported"],
            twin["rule"],
        )
        assert [c["measured"] for c in one["checks"]] == [c["measured"] for c in twin["checks"]]
        assert (one["evidence"] is None) == (twin["attempt"] is None)
    assert of_work["claims"] and all(one["work"]["id"] == dual for one in of_work["claims"])
    run = next(one for one in of_work["claims"] if one["checks"])
    alone = ask(address, ("claims", {"claim": run["id"]}))[0]
    assert "Printed:" in alone.content[0].text and "Measured here:" in alone.content[0].text


def test_no_claims_is_not_no_verdict(address, numbers) -> None:
    other = f"W{next(n for key, n in numbers.items() if key.startswith('work:Study'))}"
    found = told(ask(address, ("claims", {"work": other}))[0])
    assert found["total"] == 0 and "No installed package" in found["note"]


def test_cite(address, client, dual) -> None:
    plain, bib, ris, csl = ask(
        address, ("cite", {"ids": [dual]}), ("cite", {"ids": [dual], "style": "bibtex"}),
        ("cite", {"ids": [dual], "style": "ris"}), ("cite", {"ids": [dual], "style": "csl-json"}),
    )  # fmt: skip
    reference = told(plain)["references"][0]
    assert (
        reference["id"] == dual
        and "(2022)" in reference["text"]
        and plain.content[0].text == reference["text"]
    )
    for one, suffix in ((bib, ".bib"), (ris, ".ris"), (csl, ".csl.json")):
        assert told(one)["records"] == client.get(f"/works/{dual}{suffix}").content.decode()
    harvard = told(
        ask(address, ("cite", {"ids": [dual], "style": "harvard", "locale": "en-GB"}))[0]
    )
    assert harvard["style"] == "harvard-cite-them-right" and harvard["locale"] == "en-GB"


@pytest.mark.parametrize(
    ("tool", "given", "says"),
    [
        ("search", {"query": "x" * 2001}, "“query”"),
        ("search", {"limit": 26}, "“limit”"),
        ("search", {"limit": "many"}, "“limit”"),
        ("search", {"limit": 0}, "“limit”"),
        ("search", {"people": ["W3"]}, "looks like A12"),
        ("search", {"people": ["A1"] * 21}, "“people”"),
        ("search", {"types": ["poem"]}, "“types.0”"),
        ("search", {"colour": "red"}, "“colour”"),
        ("search", {"year_from": -1}, "“year_from”"),
        ("work", {}, "“id”"),
        ("work", {"id": ""}, "“id”"),
        ("work", {"id": "W999999999"}, "no work"),
        ("work", {"id": "W99999999999999999999"}, "no work"),
        ("work", {"id": "10.1/\x00"}, "no work"),
        ("work", {"id": "'; DROP TABLE work; --"}, "no work"),
        ("work", {"id": ["W1"]}, "“id”"),
        ("person", {"id": "A999999999"}, "no person"),
        ("person", {"id": "W1"}, "no person"),
        ("neighbours", {"id": "S1"}, "nothing of this record"),
        ("graph", {"id": "X1"}, "nothing of this record"),
        ("graph", {"id": "W1", "limit": 101}, "“limit”"),
        ("claims", {"work": "W999999999"}, "no work"),
        ("claims", {"claim": "nothing"}, "no claim"),
        ("claims", {"verdict": "true"}, "“verdict”"),
        ("cite", {"ids": []}, "“ids”"),
        ("cite", {"ids": ["W1"] * 51}, "“ids”"),
        ("cite", {"ids": ["W1", "W999999999"]}, "no work W999999999"),
        ("cite", {"ids": ["W1"], "style": "../../etc/passwd"}, "no style"),
        ("cite", {"ids": ["W1"], "locale": "tlh"}, "no locale"),
    ],
)
def test_what_cannot_be_answered_is_said_in_a_sentence(address, tool, given, says) -> None:
    assert says in wrong(ask(address, (tool, given))[0])


def test_an_unknown_tool_is_an_error_of_the_protocol(address) -> None:
    async def run() -> str:
        async with Client(f"{address}/mcp") as client:
            with pytest.raises(MCPError) as caught:
                await client.call_tool("erase", {})
            return str(caught.value)

    assert "There is no tool “erase”; there are search, work" in alone(run)


def test_concurrent_calls_do_not_mix(address, numbers) -> None:
    own = [f"W{n}" for key, n in sorted(numbers.items()) if key.startswith("work:")][:24]
    got: dict[str, str] = {}

    async def one(client: Client, id: str) -> None:
        got[id] = told(await client.call_tool("work", {"id": id}))["work"]["id"]

    async def run() -> None:
        async with Client(f"{address}/mcp") as client, anyio.create_task_group() as group:
            for id in own:
                group.start_soon(one, client, id)

    alone(run)
    assert got == {id: id for id in own}


ALL = [
    ("search", {"query": "contrastive learning"}), ("work", {"id": "W1"}), ("person", {"id": "A1"}),
    ("neighbours", {"id": "W1"}), ("graph", {"id": "W1"}), ("claims", {}),
    ("cite", {"ids": ["W1", "W2"]}), ("cite", {"ids": ["W1"], "style": "bibtex"}), ("work", {"id": "W99999999"}),
]  # fmt: skip


def test_only_select_is_ever_sent(society) -> None:
    """All tools, on record and community: no statement but reading ones."""
    said: list[str] = []
    made = society.application.state.site
    client = TestClient(society.application, base_url="http://localhost")

    def hear(connection, cursor, statement, parameters, context, executemany) -> None:
        said.append(statement.lstrip().split(None, 1)[0].upper())

    engines = [made.database.engine, made.community.database.engine]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", hear)
    try:
        for name, given in ALL:
            body = {
                "jsonrpc": "2.0",
                "id": 1,
                "method": "tools/call",
                "params": {"name": name, "arguments": given},
            }
            answer = client.post("/mcp", json=body, headers=ACCEPT)
            assert answer.status_code == 200 and "result" in answer.json(), answer.text
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", hear)
    assert len(said) > 20 and set(said) <= {"SELECT", "WITH", "PRAGMA", "BEGIN"}, set(said)


def test_a_hidden_person_is_in_no_answer(society, numbers) -> None:
    number = numbers["person:Kang Zhang"]
    site, client = (
        society.application.state.site,
        TestClient(society.application, base_url="http://localhost"),
    )
    dual = f"W{numbers['work:Dual Temperature Helps Contras']}"
    chaoning = f"A{numbers['person:Chaoning Zhang']}"
    calls = [
        ("person", {"id": f"A{number}"}), ("neighbours", {"id": f"A{number}"}), ("graph", {"id": f"A{number}"}),
        ("work", {"id": dual}), ("search", {"query": "dual temperature"}), ("search", {"people": [f"A{number}"]}),
        ("graph", {"id": dual, "limit": 100}), ("person", {"id": chaoning}), ("neighbours", {"id": chaoning, "limit": 25}),
    ]  # fmt: skip

    def answers() -> list[dict]:
        found = []
        for name, given in calls:
            body = {
                "jsonrpc": "2.0",
                "id": 1,
                "method": "tools/call",
                "params": {"name": name, "arguments": given},
            }
            found.append(client.post("/mcp", json=body, headers=ACCEPT).json()["result"])
        return found

    before = answers()
    assert not any(one.get("isError") for one in before) and f"/people/A{number}" in json.dumps(
        before
    )
    try:
        with site.community.writing() as session:
            session.add(
                PersonSetting(person_id=number, hidden=True, noindex=False, changed_at=now())
            )
        site.community.kept.forget()
        after = answers()
    finally:
        with site.community.writing() as session:
            session.execute(delete(PersonSetting).where(PersonSetting.person_id == number))
        site.community.kept.forget()
    assert [bool(one.get("isError")) for one in after[:3]] == [True] * 3
    asked_for = after.pop(5)["structuredContent"]
    assert asked_for["results"] == [] and asked_for["total"] == 0
    assert f'A{number}"' not in json.dumps(after[3:]) and f"/A{number}" not in json.dumps(after[3:])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "localhost:8321"}, 200), ({"host": "127.0.0.1"}, 200), ({"host": "[::1]:9"}, 200),
        ({"host": "10.2.3.4:80"}, 200), ({"host": "site.example"}, 200),
        ({"host": "evil.example"}, 421), ({"host": "site.example.evil.example"}, 421),
        ({"host": "localhost.evil.example"}, 421), ({"host": "127.0.0.1.evil.example"}, 421),
        ({"host": "["}, 421), ({"host": "evil.example@site.example"}, 200),
        ({"origin": "https://site.example"}, 200), ({"origin": "http://localhost:6274"}, 200),
        ({"origin": "https://evil.example"}, 403), ({"origin": "null"}, 403), ({"origin": "file://"}, 403),
        ({"origin": "https://site.example.evil.example"}, 403), ({"origin": "http://["}, 403),
        ({"content-type": "text/plain"}, 400), ({"accept": "text/html"}, 406),
    ],
)  # fmt: skip
def test_who_may_ask_under_which_name(site, headers, status) -> None:
    settings = site[0].model_copy(update={"base_url": "https://site.example/"})
    with closing(Community(settings)) as community:
        client = TestClient(
            create_app(settings, *site[1:], community=community), base_url="http://localhost"
        )
        answer = client.post("/mcp", json=HELLO, headers=ACCEPT | headers)
        assert answer.status_code == status, answer.text
        assert "mcp-session-id" not in answer.headers and "set-cookie" not in answer.headers


def test_links_are_those_of_the_stated_address(site, dual) -> None:
    settings = site[0].model_copy(update={"base_url": "https://site.example/research"})
    with closing(Community(settings)) as community:
        client = TestClient(
            create_app(settings, *site[1:], community=community), base_url="http://localhost"
        )
        body = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "work", "arguments": {"id": dual}},
        }
        answer = client.post("/mcp", json=body, headers=ACCEPT).json()["result"][
            "structuredContent"
        ]
    assert answer["work"]["url"] == f"https://site.example/research/works/{dual}"


def test_no_stream_is_kept_open_and_bodies_are_bounded(address) -> None:
    with httpx2.Client(base_url=address) as real:
        for method in ("GET", "DELETE", "PUT"):
            answer = real.request(
                method, "/mcp", headers={"accept": "text/event-stream"}, timeout=5
            )
            assert answer.status_code == 405
        large = HELLO | {"padding": "x" * MOST_BYTES}
        assert real.post("/mcp", json=large, headers=ACCEPT).status_code == 413
        drops = (b"x" * 1024 for _ in range(MOST_BYTES // 1024 + 2))
        assert real.post("/mcp", content=drops, headers=ACCEPT).status_code == 413
        for body in (b"", b"{", b"[]", b"null", b'{"jsonrpc":"1.0"}', b"\xff\xfe", b"[" * 50_000):
            answer = real.post("/mcp", content=body, headers=ACCEPT)
            assert 400 <= answer.status_code < 500, (body[:20], answer.status_code, answer.text)
        batch = [HELLO | {"id": n} for n in range(20)]
        assert real.post("/mcp", json=batch, headers=ACCEPT).status_code == 400


def test_requests_are_counted(site) -> None:
    """With the API's, as one number for an address."""
    settings = site[0].model_copy(update={"api_rate": "4 per hour"})
    with closing(Community(settings)) as community:
        application = create_app(settings, *site[1:], community=community)
        client = TestClient(application, base_url="http://localhost")
        assert client.get("/api/v1/works?per-page=1").status_code == 200
        codes = [client.post("/mcp", json=HELLO, headers=ACCEPT) for _ in range(4)]
        assert client.get("/api/v1/works?per-page=1").status_code == 429
    assert [one.status_code for one in codes] == [200, 200, 200, 429]
    last = codes[-1]
    assert int(last.headers["retry-after"]) >= 1 and last.headers["x-ratelimit-remaining"] == "0"
    assert last.json()["error"]["message"].startswith("4 questions in")


def test_over_standard_input(site, dual) -> None:
    program = StdioServerParameters(
        command=sys.executable, args=["-m", "peerscope", "mcp", "--home", str(site[0].home)],
        env=dict(os.environ) | {"PEERSCOPE_SITE_NAME": "Test site", "PEERSCOPE_BASE_URL": "https://site.example"},
    )  # fmt: skip

    async def run() -> tuple:
        async with Client(stdio_client(program)) as client:
            return client.server_info, await client.call_tool("work", {"id": dual})

    info, answer = alone(run)
    assert info.title == "Test site"
    assert told(answer)["work"]["url"] == f"https://site.example/works/{dual}"
