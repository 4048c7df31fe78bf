"""Run by the validators' own Python: what `roc-validator` and `rocrate` say of folders, as JSON.

    python crate_validators.py PROFILE=FOLDER...

RO-Crate's context is fetched from the web as a rule. Here the copy that `rocrate` ships (that of version 1.3,
which holds every term of 1.2) is laid into the validator's cache, and the validator kept offline.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from pathlib import Path

import requests
import rocrate
from requests_cache import CachedSession
from rocrate.rocrate import ROCrate
from rocrate_validator.models import Severity, ValidationSettings
from rocrate_validator.services import validate
from urllib3 import HTTPResponse

CONTEXT = "https://w3id.org/ro/crate/1.2/context"


def main(asked: list[str]) -> None:
    found = {}
    with tempfile.TemporaryDirectory() as cache:
        offline = str(Path(cache) / "http")
        fill(offline)
        for one in asked:
            profile, _, folder = one.partition("=")
            found[folder] = {"issues": issues(folder, profile, offline), "read": read(folder)}
    print(json.dumps(found))


def fill(cache: str) -> None:
    """Put the context where the validator looks before it asks the web."""
    body = (Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld").read_bytes()
    answer = requests.Response()
    answer.status_code, answer.url, answer._content = 200, CONTEXT, body
    answer.headers["Content-Type"] = "application/ld+json"
    answer.request = requests.Request("GET", CONTEXT).prepare()
    answer.raw = HTTPResponse(io.BytesIO(body), dict(answer.headers), 200, preload_content=False)
    with CachedSession(cache, backend="sqlite", expire_after=-1) as session:
        session.cache.save_response(answer)


def issues(folder: str, profile: str, cache: str) -> list[list[str]]:
    """Severity, check and message of everything that a profile finds fault with."""
    alone = profile.startswith("process-run-crate")  # it builds on RO-Crate 1.1
    result = validate(
        ValidationSettings(
            rocrate_uri=folder, profile_identifier=profile, offline=True, cache_path=cache,
            requirement_severity=Severity.RECOMMENDED, enable_profile_inheritance=not alone,
        )
    )  # fmt: skip
    return [
        [one.severity.name, one.check.identifier, str(one.message)] for one in result.get_issues()
    ]


def read(folder: str) -> dict:
    """What a client finds when it opens the crate."""
    crate = ROCrate(folder)
    return {
        "name": crate.name,
        "published": crate.root_dataset["datePublished"],
        "files": sorted(one.id for one in crate.get_entities() if one.type == "File"),
        "actions": sorted(one["actionStatus"] for one in crate.get_by_type("CreateAction")),
        "verdicts": {
            one["itemReviewed"]["name"]: one["reviewRating"]["alternateName"]
            for one in crate.get_by_type(["ClaimReview", "CreativeWork"])
        },
        "agents": sorted(
            one["agent"]["name"] for one in crate.get_by_type("CreateAction") if one.get("agent")
        ),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
