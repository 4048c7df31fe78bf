"""RO-Crate 1.2: an export described in schema.org's terms, as flat JSON-LD.

The root is the export; each attempt is a ``CreateAction`` as the profile Process Run Crate 0.5 shapes it,
with claims and data as objects, and files, measured checks and verdicts as results. That profile extends
RO-Crate 1.1, so the crate does not declare it. What is not known (an agent, a licence) is left out or said,
and equal attempts make equal bytes. docs/decisions/exports.md says why this is written here.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from peerscope.reproduce.bundle import Bundle, folder_of
from peerscope.reproduce.crate_actions import add_attempt
from peerscope.reproduce.crate_parts import (
    Entity,
    Graph,
    file_entity,
    person_entity,
    person_id,
    slug,
    work_id,
)
from peerscope.reproduce.verdict import RULE, rule_text

METADATA = "ro-crate-metadata.json"
CONFORMS = "https://w3id.org/ro/crate/1.2"
CONTEXT = "https://w3id.org/ro/crate/1.2/context"
SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
UNLICENSED = (
    "No licence is stated for these files; ask those who ran the attempts before reusing them."
)


def crate_text(about: Bundle, folder: Path) -> str:
    """The metadata file of an export.

    Args:
        about: What the export is about.
        folder: Of the export, with every other file in it.

    Returns:
        JSON, entities in a fixed order.
    """
    graph = Graph()
    graph.add(_descriptor())
    graph.add(_root(about, folder))
    graph.add(_work(graph, about))
    graph.add(_rule())
    for path in sorted(one for one in folder.iterdir() if one.is_file() and one.name != METADATA):
        graph.add(file_entity(path, folder))
    for attempt in about.attempts:
        add_attempt(graph, about, attempt, folder)
    for person in about.codecheckers:
        graph.add(person_entity(person))
    document = {"@context": CONTEXT, "@graph": list(graph.entities.values())}
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _descriptor() -> Entity:
    return {
        "@id": METADATA,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": CONFORMS},
    }


def _root(about: Bundle, folder: Path) -> Entity:
    names = sorted(one.name for one in folder.iterdir() if one.is_file() and one.name != METADATA)
    number = len(about.attempts)
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Attempts at the claims of “{about.paper.title}”",
        "description": f"{number} sealed {'attempt' if number == 1 else 'attempts'} at claims of this work "
        f"({about.paper.version}), with figures, logs and verdicts by rule {RULE}. A verdict is about a "
        "claim as it was tested here, not about the work or its authors.",
        "datePublished": about.published.isoformat(),
        "license": _licence_reference(about.license),
        "about": {"@id": work_id(about)},
        "citation": {"@id": work_id(about)},
        "contributor": [{"@id": person_id(person)} for person in about.codecheckers],
        "hasPart": [
            *({"@id": name} for name in names),
            *({"@id": f"{folder_of(attempt)}/"} for attempt in about.attempts),
        ],
        "mentions": [{"@id": f"#attempt-{attempt.id}"} for attempt in about.attempts],
    }


def _licence_reference(given: str) -> Any:
    if not given:
        return UNLICENSED
    address = _licence_address(given)
    return {"@id": address} if address else given


def _licence_address(given: str) -> str:
    if given.startswith(("https://", "http://")):
        return given
    return f"https://spdx.org/licenses/{given}" if SPDX.fullmatch(given) else ""


def _work(graph: Graph, about: Bundle) -> Entity:
    if address := _licence_address(about.license):
        graph.add({
            "@id": address,
            "@type": "CreativeWork",
            "name": about.license,
            "description": "The licence under which this export may be used.",
        })  # fmt: skip
    paper = about.paper
    ids = []
    for one in paper.identifiers:
        scheme, _, value = one.partition(":")
        ids.append(
            graph.add({
                "@id": f"#identifier-{slug(one)}",
                "@type": "PropertyValue",
                "name": f"{scheme} identifier",
                "propertyID": scheme,
                "value": value,
            })
        )  # fmt: skip
    return {
        "@id": work_id(about),
        "@type": "ScholarlyArticle",
        "name": paper.title,
        "headline": paper.title,
        "version": paper.version,
        "description": paper.known or "The work whose claims were tested.",
        "author": [graph.add(person_entity(person)) for person in about.authors],
        "identifier": ids,
    }


def _rule() -> Entity:
    return {
        "@id": f"#rule-{RULE}",
        "@type": "CreativeWork",
        "name": f"Verdict rule {RULE}",
        "version": RULE,
        "description": "How a verdict follows from the figures.",
        "text": rule_text(),
    }
