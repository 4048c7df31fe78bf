"""Attempts, what they ran, what they read and what came of them, as entities of an RO-Crate."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from peerscope.reproduce.attempts import SUMS, Attempt
from peerscope.reproduce.bundle import Bundle, Judged, Said, command_of, folder_of
from peerscope.reproduce.claims import Claim
from peerscope.reproduce.crate_parts import (
    Entity,
    Graph,
    file_entity,
    person_entity,
    short,
    slug,
    work_id,
)
from peerscope.reproduce.people import ORCID, read_person
from peerscope.reproduce.verdict import CheckResult

SOFTWARE = {
    "peerscope": "README.md",
    "numpy": "https://numpy.org/",
    "torch": "https://pytorch.org/",
}
"""Packages that every attempt's figures rest on, and where they are described."""


def add_attempt(graph: Graph, about: Bundle, attempt: Attempt, folder: Path) -> None:
    """Put an attempt into the graph: its files, its action, its verdicts.

    Args:
        graph: Where to.
        about: What the export is about.
        attempt: One of its attempts.
        folder: Of the export.
    """
    place = folder / folder_of(attempt)
    parts = [
        graph.add(file_entity(path, folder)) for path in sorted(place.rglob("*")) if path.is_file()
    ]
    graph.add({
        "@id": f"{folder_of(attempt)}/",
        "@type": "Dataset",
        "name": f"Attempt {attempt.id}",
        "description": f"Sealed folder; the first twelve digits of the SHA-256 of its {SUMS} are its id.",
        "hasPart": parts,
        "comment": [
            graph.add(_comment(attempt, said, number))
            for number, said in enumerate(about.notes.get(attempt.id, ()), 1)
        ],
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


def _comment(attempt: Attempt, said: Said, number: int) -> Entity:
    return {
        "@id": f"#comment-{attempt.id}-{number}",
        "@type": "Comment",
        "name": f"{said.kind.capitalize()} of {said.by}"
        + (f" on {said.claim}" if said.claim else ""),
        "creditText": said.by,
        "dateCreated": said.at,
        "text": said.text,
    }


def _agent(about: Bundle, by: str) -> Entity | None:
    """Whoever is named as the one who ran it; a person where that is known, else nothing more than a name."""
    if not by.strip():
        return None
    for person in about.codecheckers:
        if by.strip() in (person.name, person.orcid):
            return person_entity(person)
    if ORCID.search(by.upper()):
        try:
            return person_entity(read_person(by))
        except ValueError:
            pass
    return {
        "@id": f"#agent-{slug(by)}",
        "@type": "Thing",
        "name": by.strip(),
        "description": "Named by whoever ran it; whether a person or an organization is not stated.",
    }


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
        "@id": f"#protocol-{slug(protocol['name'])}-{mark}",
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
        "@id": f"#software-{slug(name)}-{slug(version)}",
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
                "@id": f"#data-{slug(name)}",
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
    return f"#claim-{claim.id}-{short(text)}"


def _claim(about: Bundle, claim: Claim) -> Entity:
    return {
        "@id": _claim_id(about, claim),
        "@type": ["Claim", "CreativeWork"],
        "name": claim.id,
        "text": claim.statement,
        "description": f"{claim.location}. Metric: {claim.metric}. Printed: {claim.printed}.",
        "appearance": {"@id": work_id(about)},
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
