"""RO-Crate 1.2: an export described in schema.org's terms, as flat JSON-LD.

The root is the export; each attempt is a ``CreateAction`` as the profile Process Run Crate 0.5 shapes it,
with claims and data as objects, and files, measured checks and verdicts as results. That profile extends
RO-Crate 1.1, so the crate does not declare it. What is not known (an agent, a licence) is left out or said,
and equal attempts make equal bytes. docs/decisions/exports.md says why this is written here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from peerscope.reproduce.attempts import SUMS, Attempt
from peerscope.reproduce.bundle import Bundle, Judged, addresses, command_of, folder_of
from peerscope.reproduce.claims import Claim
from peerscope.reproduce.people import ORCID, Person, read_person
from peerscope.reproduce.verdict import RULE, CheckResult, rule_text

METADATA = "ro-crate-metadata.json"
CONFORMS = "https://w3id.org/ro/crate/1.2"
CONTEXT = "https://w3id.org/ro/crate/1.2/context"
SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
UNLICENSED = (
    "No licence is stated for these files; ask those who ran the attempts before reusing them."
)

SOFTWARE = {
    "peerscope": "README.md",
    "numpy": "https://numpy.org/",
    "torch": "https://pytorch.org/",
}
"""Packages that every attempt's figures rest on, and where they are described."""

FILES = {
    "attempt.json": ("What was run, with which settings, versions and machine", "application/json"),
    "log.txt": ("What the protocol said", "text/plain"),
    SUMS: ("SHA-256 of every other file of the attempt; its own is the attempt's id", "text/plain"),
    "verdicts.json": ("Every verdict with the checks that it rests on", "application/json"),
    "codecheck.yml": ("CODECHECK configuration 2.0", "application/yaml"),
    "README.md": ("What this folder holds, in words", "text/markdown"),
}
"""File name to description and media type."""

Entity = dict[str, Any]


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
        graph.add(_file(path, folder))
    for attempt in about.attempts:
        _attempt(graph, about, attempt, folder)
    for person in about.codecheckers:
        graph.add(_person(person))
    document = {"@context": CONTEXT, "@graph": list(graph.entities.values())}
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


class Graph:
    """Entities by their ``@id``, in the order in which they came.

    What is empty is left out, and a list of one stands as that one, as RO-Crate asks.
    """

    def __init__(self) -> None:
        self.entities: dict[str, Entity] = {}

    def add(self, entity: Mapping[str, Any]) -> Entity:
        """Keep an entity, once, and hand back a reference to it."""
        plain = {k: v[0] if isinstance(v, list) and len(v) == 1 else v for k, v in entity.items()}
        kept = {k: v for k, v in plain.items() if v not in ("", None, [])}
        self.entities.setdefault(entity["@id"], kept)
        return {"@id": entity["@id"]}


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
        "about": {"@id": _work_id(about)},
        "citation": {"@id": _work_id(about)},
        "contributor": [{"@id": _person_id(person)} for person in about.codecheckers],
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


def _work_id(about: Bundle) -> str:
    return next(iter(addresses(about.paper)), "#work")


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
                "@id": f"#identifier-{_slug(one)}",
                "@type": "PropertyValue",
                "name": f"{scheme} identifier",
                "propertyID": scheme,
                "value": value,
            })
        )  # fmt: skip
    return {
        "@id": _work_id(about),
        "@type": "ScholarlyArticle",
        "name": paper.title,
        "headline": paper.title,
        "version": paper.version,
        "description": paper.known or "The work whose claims were tested.",
        "author": [graph.add(_person(person)) for person in about.authors],
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


def _person_id(person: Person) -> str:
    return person.url or f"#person-{_slug(person.name)}"


def _person(person: Person) -> Entity:
    return {"@id": _person_id(person), "@type": "Person", "name": person.name}


def _agent(about: Bundle, by: str) -> Entity | None:
    """Whoever is named as the one who ran it; a person where that is known, else nothing more than a name."""
    if not by.strip():
        return None
    for person in about.codecheckers:
        if by.strip() in (person.name, person.orcid):
            return _person(person)
    if ORCID.search(by.upper()):
        try:
            return _person(read_person(by))
        except ValueError:
            pass
    return {
        "@id": f"#agent-{_slug(by)}",
        "@type": "Thing",
        "name": by.strip(),
        "description": "Named by whoever ran it; whether a person or an organization is not stated.",
    }


def _attempt(graph: Graph, about: Bundle, attempt: Attempt, folder: Path) -> None:
    place = folder / folder_of(attempt)
    parts = [graph.add(_file(path, folder)) for path in sorted(place.rglob("*")) if path.is_file()]
    graph.add({
        "@id": f"{folder_of(attempt)}/",
        "@type": "Dataset",
        "name": f"Attempt {attempt.id}",
        "description": f"Sealed folder; the first twelve digits of the SHA-256 of its {SUMS} are its id.",
        "hasPart": parts,
    })  # fmt: skip
    results = list(parts)
    for judged in about.judged[attempt.id]:
        results += _judged(graph, about, attempt, judged)
    agent = _agent(about, str(attempt.about.get("by", "")))
    protocol, seeds = attempt.about["protocol"], len(attempt.seeds)
    graph.add({
        "@id": f"#attempt-{attempt.id}",
        "@type": "CreateAction",
        "name": f"{protocol['name']}, profile {attempt.profile}, {seeds} seeds",
        "description": f"{command_of(attempt)}. {protocol.get('summary', '')}".strip(),
        "agent": graph.add(agent) if agent else None,
        "instrument": graph.add(_instrument(graph, attempt)),
        "object": [graph.add(one) for one in _objects(about, attempt)],
        "result": results,
        "startTime": attempt.about["started"],
        "endTime": attempt.about["ended"],
        "actionStatus": f"http://schema.org/{'Completed' if attempt.finished else 'Failed'}ActionStatus",
        "error": "" if attempt.finished else attempt.about.get("failure") or "It did not finish.",
    })  # fmt: skip


def _instrument(graph: Graph, attempt: Attempt) -> Entity:
    """The protocol in the version, code and environment that ran."""
    protocol, environment = attempt.about["protocol"], attempt.about["environment"]
    packages = environment.get("packages", {})
    runtime = [_software("Python", environment.get("python"), "https://www.python.org/")]
    runtime += [_software(name, packages.get(name), url) for name, url in SOFTWARE.items()]
    code = next((str(seed.details["code"]) for seed in attempt.seeds if "code" in seed.details), "")
    needs = [graph.add(one) for one in runtime if one]
    mark = hashlib.sha256(f"{code} {needs}".encode()).hexdigest()[:12]
    identifier = None
    if code:
        identifier = graph.add({
            "@id": f"#code-{code[:12]}",
            "@type": "PropertyValue",
            "name": "Code that ran",
            "description": "SHA-256 over the hashes of the protocol's source files, by module name.",
            "propertyID": "sha256",
            "value": code,
        })  # fmt: skip
    return {
        "@id": f"#protocol-{_slug(protocol['name'])}-{mark}",
        "@type": "SoftwareApplication",
        "name": protocol["name"],
        "version": str(protocol["version"]),
        "url": {"@id": "README.md"},
        "description": protocol.get("summary", ""),
        "identifier": identifier,
        "softwareRequirements": needs,
    }


def _software(name: str, version: str | None, url: str) -> Entity | None:
    if not version:
        return None
    return {
        "@id": f"#software-{_slug(name)}-{_slug(version)}",
        "@type": "SoftwareApplication",
        "name": name,
        "version": version,
        "url": url if url.startswith("https://") else {"@id": url},
        "description": f"{name} {version}, as installed where it ran.",
    }


def _objects(about: Bundle, attempt: Attempt) -> list[Entity]:
    found = [_claim(about, claim) for claim in attempt.claims]
    hashes: dict[str, str] = {}
    for seed in attempt.seeds:
        hashes |= seed.details.get("data", {})
    for name, digest in sorted(hashes.items()):
        found.append({
            "@id": f"#data-{digest[:12]}",
            "@type": "CreativeWork",
            "name": name,
            "description": f"Data that were read; SHA-256 over shape, type and content: {digest}",
        })  # fmt: skip
    if not hashes:
        found += [
            {
                "@id": f"#data-{_slug(name)}",
                "@type": "CreativeWork",
                "name": name,
                "description": "Data that the protocol reads.",
            }
            for name in attempt.about["protocol"].get("data", [])
        ]
    return found


def _claim_id(about: Bundle, claim: Claim) -> str:
    """One id a wording: an older attempt keeps the claim that it was made for."""
    if any(replace(one, learned="") == replace(claim, learned="") for one in about.paper.claims):
        return f"#claim-{claim.id}"
    text = json.dumps(claim.to_dict() | {"learned": ""}, sort_keys=True, default=str)
    return f"#claim-{claim.id}-{_short(text)}"


def _claim(about: Bundle, claim: Claim) -> Entity:
    return {
        "@id": _claim_id(about, claim),
        "@type": ["Claim", "CreativeWork"],
        "name": claim.id,
        "text": claim.statement,
        "description": f"{claim.location}. Metric: {claim.metric}. "
        f"Printed: {claim.reported or 'direction only'}.",
        "appearance": {"@id": _work_id(about)},
    }


def _judged(graph: Graph, about: Bundle, attempt: Attempt, judged: Judged) -> list[Entity]:
    claim, verdict = judged.claim, judged.verdict
    if verdict is None:
        return []
    name = f"{attempt.id}-{claim.id}"
    checks = [
        graph.add(_check(f"#check-{name}-{number}", result))
        for number, result in enumerate(verdict.checks, 1)
    ]
    reduced = claim.profiles.get(attempt.profile, "")
    rating = graph.add({
        "@id": f"#rating-{name}",
        "@type": "Rating",
        "name": verdict.words,
        "alternateName": verdict.state,
        "ratingExplanation": verdict.sentence,
        "description": f"One of five states, without an order; computed by rule {verdict.rule}.",
    })  # fmt: skip
    review = graph.add({
        "@id": f"#verdict-{name}",
        "@type": ["ClaimReview", "CreativeWork"],
        "name": f"{claim.id}: {verdict.words}",
        "description": f"{verdict.sentence} Profile {verdict.profile}, {verdict.seeds} seeds."
        + (f" Reduced against the work: {reduced}." if reduced else ""),
        "version": verdict.rule,
        "isBasedOn": {"@id": f"#rule-{verdict.rule}"},
        "itemReviewed": {"@id": _claim_id(about, claim)},
        "claimReviewed": claim.statement,
        "reviewRating": rating,
        "mentions": checks,
    })  # fmt: skip
    return [*checks, review]


def _check(id: str, result: CheckResult) -> Entity:
    return {
        "@id": id,
        "@type": "PropertyValue",
        "name": result.label,
        "description": f"{result.condition}: {result.state}",
        "value": result.measured,
        "minValue": result.low,
        "maxValue": result.high,
        "measurementMethod": "Mean over seeds with its 95 % interval: the wider of a paired bootstrap and "
        "Student's t.",
    }


def _file(path: Path, folder: Path) -> Entity:
    content = path.read_bytes()
    if path.parent.name == "seeds":
        name, what, media = f"Seed {path.stem}", "Figures and curves of a seed", "application/json"
    else:
        what, media = FILES[path.name]
        name = path.name
    return {
        "@id": path.relative_to(folder).as_posix(),
        "@type": "File",
        "name": name,
        "description": what,
        "encodingFormat": media,
        "contentSize": str(len(content)),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _slug(text: str) -> str:
    """Text as part of an ``@id``; different texts stay different."""
    plain = text.lower().replace(" ", "-")
    found = re.sub(r"[^a-z0-9._]+", "-", plain).strip("-")
    return found if found == plain else f"{found}-{_short(text)}".strip("-")


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
