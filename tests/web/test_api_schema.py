"""The API and its description agree: schemathesis asks every operation, with good and with bad values."""

from __future__ import annotations

import time

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.generation import GenerationMode

EXAMPLES = 12
GRAPH = "/api/v1/graph"


def expected(*statuses):
    return {
        "checks": {
            "positive_data_acceptance": {"expected-statuses": ["2xx", 404, 410, *statuses]},
            "negative_data_rejection": {"expected-statuses": ["4xx"]},
        }
    }


def operations(application):
    """All operations. A string may be one and not in the grammar: the sentence says so with 400.

    The graph has names in lists and years that must fit one another, and says so with 422.
    """
    found = []
    for statuses, graph in (((400,), False), ((400, 422), True)):
        config = schemathesis.Config.from_dict(expected(*statuses))
        schema = schemathesis.openapi.from_asgi("/api/openapi.json", application, config=config)
        every = [one.ok() for one in schema.get_all_operations()]
        found += [one for one in every if one.path.startswith(GRAPH) == graph]
    return found


def ways(operation, real):
    """Any values that fit, values of things that are there, and values that do not fit."""
    if not list(operation.iter_parameters()):
        return [(GenerationMode.POSITIVE, None)]
    found = [(GenerationMode.POSITIVE, None), (GenerationMode.NEGATIVE, None)]
    return found + [(GenerationMode.POSITIVE, values) for values in real.get(operation.path, ())]


@pytest.fixture(scope="module")
def real(client, numbers):
    """Path to the names of things that are there."""
    own = {letter: f"{letter}{numbers[name]}" for letter, name in (
        ("W", "work:Dual Temperature Helps Contras"), ("A", "person:Kang Zhang"), ("T", "topic:Contrastive learning"),
    )}  # fmt: skip
    claim = client.get("/api/v1/claims").json()["claims"][0]["id"]
    attempt = next(
        one["attempt"] for one in client.get("/api/v1/claims").json()["claims"] if one["attempt"]
    )
    first = {
        name: client.get(f"/api/v1/{name}?per-page=1").json()["results"][0]["id"].rpartition("/")[2]
        for name in ("sources", "institutions")
    }
    places = {"works": own["W"], "people": own["A"], "topics": own["T"]}
    found = {
        "/api/v1/{place}/{id}/neighbours": [{"place": p, "id": i} for p, i in places.items()],
        "/api/v1/works/{id}/page": [{"id": own["W"]}],
        "/api/v1/works/{id}/claims": [{"id": own["W"]}],
        "/api/v1/{place}/{id}/page": [
            {"place": "topics", "id": own["T"]}, {"place": "venues", "id": first["sources"]},
            {"place": "institutions", "id": first["institutions"]},
        ],
        "/api/v1/claims/{id}": [{"id": claim}],
        "/api/v1/attempts/{id}": [{"id": attempt}],
        "/api/v1/{name}": [{"name": name} for name in ("works", "authors")],
        "/api/v1/{name}/{id}": [{"name": "works", "id": own["W"]}, {"name": "authors", "id": "random"}],
    }  # fmt: skip
    for part in ("page", "trust", "identity"):
        found[f"/api/v1/people/{{id}}/{part}"] = [{"id": own["A"]}]
    return found


def test_every_operation_answers_as_it_says(client, real) -> None:
    """All of schemathesis's checks: statuses, content types, headers, shapes, what is taken and what refused."""
    asked, start = 0, time.monotonic()
    for operation in operations(client.app):
        for mode, values in ways(operation, real):
            strategy = operation.as_strategy(generation_mode=mode, path_parameters=values)

            @seed(20)
            @settings(
                max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck),
                database=None, phases=(Phase.explicit, Phase.generate),
            )  # fmt: skip
            @given(case=strategy)
            def fuzzed(case) -> None:
                nonlocal asked
                asked += 1
                case.call_and_validate()

            fuzzed()
    assert asked > 200, (asked, time.monotonic() - start)


def test_every_route_of_the_api_is_described_with_its_errors(client) -> None:
    from test_access_matrix import routes

    described = client.get("/api/openapi.json").json()
    paths = described["paths"]
    left_out = {"GET /api/{place}", "GET /api/{place}/{id}", "GET /api/v1/works/{id:path}/ngrams"}
    for name in routes(client.app):
        method, _, path = name.partition(" ")
        if path.startswith("/api/") and name not in left_out:
            operation = paths[path.replace(":path", "")][method.lower()]
            answers = operation["responses"]
            assert {"200", "304", "400", "414", "429"} <= set(answers), name
            assert "404" in answers or "{" not in path, name
            assert "schema" in answers["200"]["content"]["application/json"], name
            for status, answer in answers.items():
                if status >= "400":
                    assert list(answer["content"]) == ["application/problem+json"], (name, status)
    assert described["openapi"].startswith("3.1")
