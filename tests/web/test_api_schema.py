"""The API and its description agree: schemathesis asks every operation, with good and with bad values."""

from __future__ import annotations

import time

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.generation import GenerationMode

EXAMPLES = 12
EXPECTED = {
    "checks": {
        # A string may be one and not in the grammar of filters: the sentence says so with 400.
        "positive_data_acceptance": {"expected-statuses": ["2xx", 400, 404, 410]},
        "negative_data_rejection": {"expected-statuses": ["4xx"]},
    }
}


@pytest.fixture(scope="module")
def schema(client):
    config = schemathesis.Config.from_dict(EXPECTED)
    return schemathesis.openapi.from_asgi("/api/openapi.json", client.app, config=config)


def operations(schema):
    return [found.ok() for found in schema.get_all_operations()]


def test_every_operation_answers_as_it_says(schema) -> None:
    """All of schemathesis's checks: statuses, content types, headers, shapes, what is taken and what refused."""
    asked, start = 0, time.monotonic()
    for operation in operations(schema):
        for mode in GenerationMode:
            strategy = operation.as_strategy(generation_mode=mode)

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
            assert ("404" in answers) == ("{" in path), name
            assert "schema" in answers["200"]["content"]["application/json"], name
            for status, answer in answers.items():
                if status >= "400":
                    assert list(answer["content"]) == ["application/problem+json"], (name, status)
    assert described["openapi"].startswith("3.1")
