"""The graph's API: graphology's shape, evidence for every edge, bounds, and sentences for bad parameters."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from fastapi.testclient import TestClient

from peerscope.discover import SiteDiscovery
from peerscope.discover.graph_shapes import KINDS
from peerscope.record import count_statements
from peerscope.web import create_app
from peerscope.web.graph_api import EdgeAnswer, FoundNodes, GraphAnswer

BASE = "/api/v1/graph"


@pytest.fixture(scope="session")
def centres(numbers) -> dict[str, str]:
    return {
        "work": f"W{numbers['work:Dual Temperature Helps Contras']}",
        "crowd": f"W{numbers['work:A work of three thousand']}",
        "person": f"A{numbers['person:Kang Zhang']}",
        "prolific": f"A{numbers['person:Quentin Xavier Prolific']}",
        "topic": f"T{numbers['topic:Contrastive learning']}",
        "institution": f"I{numbers['place:Facebook AI Research']}",
        "venue": f"S{numbers['venue:CVPR']}",
    }


CENTRES = ["work", "crowd", "person", "prolific", "topic", "institution", "venue"]


@pytest.mark.parametrize("name", CENTRES)
@pytest.mark.parametrize("limit", [2, 60, 2000])
def test_a_slice_is_a_graph_of_known_kinds_within_its_limit(client, centres, name, limit) -> None:
    answer = client.get(f"{BASE}/{centres[name]}", params={"limit": limit})
    assert answer.status_code == 200
    found = GraphAnswer.model_validate_json(answer.content)
    keys = [node.key for node in found.nodes]
    assert keys[0] == found.attributes.centre == centres[name]
    assert len(set(keys)) == len(keys) <= limit
    assert len({edge.key for edge in found.edges}) == len(found.edges)
    for edge in found.edges:
        assert {edge.source, edge.target} <= set(keys)
        kind = KINDS[edge.attributes.kind]
        assert (edge.source[0], edge.target[0]) in kind.ends
        assert edge.undirected is not kind.directed
        assert 0 < edge.attributes.weight <= 1
        assert edge.attributes.reason
    assert all(0 <= n.attributes.x <= 1 and 0 <= n.attributes.y <= 1 for n in found.nodes)


@pytest.mark.parametrize("name", CENTRES)
def test_a_first_sight_takes_few_statements(site, centres, name) -> None:
    settings, database, _ = site
    discovery = SiteDiscovery(database, settings.bundles)
    # What other tests changed in the record is taken in before, once; it is no part of a sight.
    while discovery.status()["pending"]:
        pass
    fresh = TestClient(create_app(settings, database, discovery))
    with count_statements(database.engine) as seen:
        assert fresh.get(f"{BASE}/{centres[name]}?limit=150").status_code == 200
    assert 0 < seen.count <= 15
    with count_statements(database.engine) as seen:
        assert fresh.get(f"{BASE}/{centres[name]}/expand?known=W1,W2,A1").status_code == 200
    assert 0 < seen.count <= 15


@pytest.mark.parametrize("name", CENTRES)
def test_every_edge_opens_its_evidence(client, centres, name) -> None:
    """The reason of the edge and that of the evidence are worked out apart; they say the same."""
    edges = client.get(f"{BASE}/{centres[name]}?limit=40").json()["edges"]
    assert edges
    chosen = {}
    for edge in edges:
        chosen.setdefault(edge["attributes"]["kind"], []).append(edge)
    for some in chosen.values():
        for edge in some[:6]:
            kind = edge["attributes"]["kind"]
            asked = {"source": edge["source"], "target": edge["target"], "kind": kind}
            answer = client.get(f"{BASE}/edge", params=asked)
            assert answer.status_code == 200, edge
            found = EdgeAnswer.model_validate_json(answer.content)
            assert found.evidence
            assert found.total >= len(found.evidence)
            assert all(one.text and one.source for one in found.evidence)
            if kind != "same_topic":  # drawn topics are not counted in a slice
                assert found.reason == edge["attributes"]["reason"]
                assert found.weight == pytest.approx(edge["attributes"]["weight"], abs=1e-3)


def test_an_edge_that_does_not_stand_has_no_evidence(client, centres) -> None:
    asked = {"source": centres["person"], "target": centres["crowd"], "kind": "authored"}
    answer = client.get(f"{BASE}/edge", params=asked)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    wrong = client.get(f"{BASE}/edge", params=asked | {"kind": "cites"})
    assert wrong.status_code == 404


def test_filters_hold(client, centres) -> None:
    asked = {"kinds": "authored,cites", "types": "work,person", "year_from": 2018, "year_to": 2020}
    found = client.get(f"{BASE}/{centres['topic']}", params=asked | {"limit": 150}).json()
    assert {edge["attributes"]["kind"] for edge in found["edges"]} == {"authored", "cites"}
    assert {node["key"][0] for node in found["nodes"][1:]} == {"W", "A"}
    years = {n["attributes"]["year"] for n in found["nodes"] if n["key"][0] == "W"}
    assert years <= {2018, 2019, 2020}
    repeated = client.get(
        f"{BASE}/{centres['topic']}?kinds=authored&kinds=cites&types=work&types=person"
        "&year_from=2018&year_to=2020&limit=150"
    )
    assert repeated.json() == found


def test_expanding_brings_new_neighbours_and_their_edges(client, centres) -> None:
    centre = centres["venue"]
    first = client.get(f"{BASE}/{centre}?limit=20").json()
    known = [node["key"] for node in first["nodes"]]
    opened = next(key for key in known if key[0] == "A")
    more = client.get(f"{BASE}/{opened}/expand", params={"known": ",".join(known)}).json()
    keys = [node["key"] for node in more["nodes"]]
    assert keys[0] == opened
    assert len(keys) > 1
    assert not set(keys[1:]) & set(known)
    for edge in more["edges"]:
        assert {edge["source"], edge["target"]} & set(keys[1:])
        assert {edge["source"], edge["target"]} <= set(keys) | set(known)
    assert (more["nodes"][0]["attributes"]["x"], more["nodes"][0]["attributes"]["y"]) == (0.5, 0.5)
    again = client.get(f"{BASE}/{opened}/expand", params={"known": ",".join(known + keys)}).json()
    assert not {node["key"] for node in again["nodes"][1:]} & set(keys)


def test_a_path_is_a_walk_from_one_end_to_the_other(client, centres, numbers) -> None:
    target = f"A{numbers['person:Kaiming He']}"
    asked = {"from": centres["person"], "to": target}
    answer = client.get(f"{BASE}/path", params=asked)
    assert answer.status_code == 200
    found = GraphAnswer.model_validate_json(answer.content)
    keys = [node.key for node in found.nodes]
    assert (keys[0], keys[-1]) == (centres["person"], target)
    assert found.attributes.steps == len(keys) - 1
    assert found.attributes.gave_up is False
    pairs = {frozenset((edge.source, edge.target)) for edge in found.edges}
    assert pairs == {frozenset(pair) for pair in pairwise(keys)}
    nowhere = client.get(f"{BASE}/path", params={"from": centres["person"], "to": centres["crowd"]})
    assert nowhere.json()["attributes"]["steps"] is None
    assert "path" in nowhere.json()["attributes"]["note"]


def test_finding_names_nodes_of_every_type(client) -> None:
    answer = client.get(f"{BASE}/find", params={"q": "contrastive"})
    found = FoundNodes.model_validate_json(answer.content)
    assert {"work", "topic"} <= {one.type for one in found.results}
    assert client.get(f"{BASE}/find").json() == {"results": []}
    assert client.get(f"{BASE}/find", params={"q": "\x00%_"}).status_code == 200


@pytest.mark.parametrize(
    ("address", "status", "sentence"),
    [
        ("W999999999", 404, "There is no work W999999999"),
        ("X1", 404, "X1"),
        ("W1?limit=1", 422, "limit"),
        ("W1?limit=2001", 422, "limit"),
        ("W1?kinds=loves", 422, "“loves” is no kind of edge here; there are authored, coauthor"),
        ("W1?types=dog", 422, "“dog” is no type of node here; there are work, person"),
        ("W1?year_from=2021&year_to=2020", 422, "No year is from 2021 and to 2020."),
        ("W1/expand?known=W1,nonsense", 422, "“nonsense” is no key of a node"),
        ("W1/expand?limit=0", 422, "limit"),
        ("path?from=A1", 422, "to"),
        ("path?from=A1&to=A1%00", 422, "no key"),
        ("path?from=A1&to=A2&kinds=near", 422, "“near” is no kind of edge here"),
        ("edge?source=W1&target=W2&kind=likes", 422, "kind"),
        ("edge?source=W1&target=W9999999&kind=cites", 404, "No edge"),
        ("W1?kinds=" + "a" * 9000, 422, "is no kind"),
    ],
)
def test_bad_parameters_get_a_sentence(client, address, status, sentence) -> None:
    answer = client.get(f"{BASE}/{address}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert sentence in answer.json()["detail"]
    assert len(answer.content) < 2000


def test_two_thousand_known_nodes_are_taken_and_more_are_not(client, centres) -> None:
    known = ",".join(f"W{number}" for number in range(1, 2001))
    address = f"{BASE}/{centres['prolific']}/expand"
    assert client.get(address, params={"known": known}).status_code == 200
    assert client.get(address, params={"known": known + ",A1"}).status_code == 422


def test_what_has_not_changed_is_not_sent_again(client, centres) -> None:
    for address in (f"{BASE}/{centres['work']}", f"{BASE}/find?q=contrastive"):
        first = client.get(address)
        again = client.get(address, headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert first.headers["access-control-allow-origin"] == "*"


def test_the_description_for_programs_names_what_is_answered(client) -> None:
    described = client.get("/api/openapi.json").json()
    for path in ("{key}", "{key}/expand", "path", "edge", "find"):
        schema = described["paths"][f"{BASE}/{path}"]["get"]["responses"]["200"]["content"]
        assert re.search(r"(Graph|Edge)Answer|FoundNodes", str(schema["application/json"]))
