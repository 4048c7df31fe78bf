"""The document of pages and API names every address, parameter and form that there is."""

from __future__ import annotations

import re
from pathlib import Path

from peerscope.record.export import EXPORTERS
from peerscope.web.asked import DEEPEST, LONGEST
from peerscope.web.pages import SCHEMES
from peerscope.web.site import PLACES

TEXT = (Path(__file__).parents[2] / "docs" / "web.md").read_text()


def test_every_route_and_parameter_of_the_api_is_documented(client) -> None:
    rows = dict(re.findall(r"^\| `(/(?:api/)?[^`]*)` \| ([^|]*) \|", TEXT, re.MULTILINE))
    paths = client.get("/api/openapi.json").json()["paths"]
    assert len(paths) >= 5
    for path, methods in paths.items():
        for operation in methods.values():
            named = [one["name"] for one in operation.get("parameters", [])]
            assert path in rows, path
            assert not named or re.findall(r"`([\w.-]+)`", rows[path]) == named, path


def test_every_page_is_documented_and_every_documented_page_answers(client) -> None:
    for letter, place in PLACES.items():
        assert f"`/{place}/{letter}1`" in TEXT
        assert f"`/{place}`" in TEXT
    described = client.get("/api/openapi.json").json()["paths"]
    asking = {
        path
        for path, methods in described.items()
        for one in methods.get("get", {}).get("parameters", ())
        if one["in"] == "query" and one.get("required")
    }
    for address in set(re.findall(r"`(/[\w/]*)(?:\?[^`]*)?`", TEXT)) - asking:
        if not any(part.isupper() and part.isalpha() for part in address.split("/")):
            assert client.get(address).status_code == 200, address


def test_every_address_of_the_application_is_documented(client) -> None:
    named = set(re.findall(r"`(?:POST )?(/[\w/.-]*)(?:\?[^`]*)?`", TEXT))
    included = [getattr(one, "original_router", None) for one in client.app.routes]
    paths = {route.path for router in included if router is not None for route in router.routes}
    assert len(paths) > 20
    for path in paths:
        pattern = re.sub(r"\{[^}]*\}", "[^/]+", path)
        if not path.startswith("/api"):
            assert any(re.fullmatch(pattern, one) for one in named), path


def test_every_form_and_outside_identifier_is_documented() -> None:
    for exporter in EXPORTERS.values():
        assert f"`{exporter.suffix}`" in TEXT or f"W1{exporter.suffix}`" in TEXT, exporter.suffix
    for place, (_, schemes) in SCHEMES.items():
        assert any(f"/{place}/{scheme}:" in TEXT for scheme in schemes)


def test_bounds_are_those_of_the_code() -> None:
    assert f"{LONGEST:,}\ncharacters" in TEXT or f"{LONGEST:,} characters" in TEXT
    assert f"end at {DEEPEST}" in TEXT
