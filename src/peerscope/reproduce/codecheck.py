"""``codecheck.yml`` in the configuration format 2.0 of CODECHECK.

What the format asks for and nobody gave (a codechecker, an author's ORCID, the report, the certificate)
stays out of the file; `missing` names it with the identifier of the published rule, and the file says it in a
comment.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import yaml

from peerscope.reproduce.bundle import Bundle, addresses, ended, folder_of
from peerscope.reproduce.people import Person
from peerscope.reproduce.verdict import RULE, STATES

VERSION = "https://codecheck.org.uk/spec/config/2.0/"
CERTIFICATE = re.compile(r"\d{4}-\d{3}")
REFERENCE = re.compile(r"https?://\S+")


def check_given(about: Bundle) -> None:
    """Refuse a certificate or report that cannot be one.

    Raises:
        ValueError: Says which, and what form it has.
    """
    if about.certificate and not CERTIFICATE.fullmatch(about.certificate):
        raise ValueError(f"The certificate {about.certificate!r} is not of the form YYYY-NNN.")
    if about.report and not REFERENCE.fullmatch(about.report):
        raise ValueError(f"The report {about.report!r} is no web address.")


def configuration(about: Bundle) -> dict[str, Any]:
    """The file's content as plain data, without what is not known."""
    references = addresses(about.paper)
    paper = {
        "title": about.paper.title,
        "authors": [_person(person) for person in about.authors],
        "reference": references[0] if references else next(iter(about.paper.identifiers), ""),
        "reference-other": references[1:],
    }
    found = {
        "version": VERSION,
        "manifest": _manifest(about),
        "paper": {name: value for name, value in paper.items() if value},
        "codechecker": [_person(person) for person in about.codecheckers],
        "report": about.report,
        "summary": summary(about),
        "check_time": f"{max(ended(attempt) for attempt in about.attempts):%Y-%m-%d %H:%M:%S}",
        "certificate": about.certificate,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value}


def missing(content: Mapping[str, Any]) -> list[str]:
    """What version 2.0 asks for and a configuration lacks, each as a sentence with its rule.

    Args:
        content: Of a ``codecheck.yml``.
    """
    paper = content.get("paper", {})
    authors = paper.get("authors", [])
    found = []
    if not authors:
        found.append("the authors of the work with their ORCIDs (CC-CFG-018)")
    nameless = [str(one["name"]) for one in authors if not one.get("ORCID")]
    if nameless:
        found.append(f"the ORCID of {', '.join(nameless)} (CC-CFG-020)")
    if not paper.get("reference"):
        found.append("a reference to the work (CC-CFG-021)")
    if not content.get("codechecker"):
        found.append("the name of a codechecker (CC-CFG-008)")
    if not content.get("report"):
        found.append("the address of the published report (CC-CFG-011)")
    if not content.get("certificate"):
        found.append("the identifier in the CODECHECK register (CC-CFG-025)")
    return found


def codecheck_text(about: Bundle) -> str:
    """The file: an explicit YAML document, with what it lacks as comments."""
    content = configuration(about)
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    lacks = "".join(f"# Not known to the export: {one}.\n" for one in missing(content))
    return f"---\n{lacks}{text}"


def summary(about: Bundle) -> str:
    """The verdicts in a few sentences."""
    given = [one for attempt in about.attempts for one in about.judged[attempt.id]]
    states = Counter(one.verdict.state for one in given if one.verdict)
    decided = sum(states.values())
    told = ", ".join(f"{states[state]} {STATES[state]}" for state in STATES if states[state])
    failed = sum(not attempt.finished for attempt in about.attempts)
    sentences = [
        f"{decided} {'verdict' if decided == 1 else 'verdicts'} by Peerscope's rule {RULE}"
        + (f": {told}." if told else "."),
        "A reduced run tests the direction of a claim, never the printed number; "
        "verdicts.json says what was reduced.",
    ]
    if failed:
        sentences.append(f"{failed} of {len(about.attempts)} attempts failed; their logs are kept.")
    return " ".join(sentences)


def _manifest(about: Bundle) -> list[dict[str, str]]:
    found = [
        {
            "file": f"{folder_of(attempt)}/seeds/{seed.seed}.json",
            "comment": f"Figures of seed {seed.seed}, protocol {attempt.about['protocol']['name']}, "
            f"profile {attempt.profile}",
        }
        for attempt in about.attempts
        for seed in attempt.seeds
    ]
    return [
        *found,
        {"file": "verdicts.json", "comment": "Verdicts with the checks that they rest on"},
    ]


def _person(person: Person) -> dict[str, str]:
    return {"name": person.name} | ({"ORCID": person.orcid} if person.orcid else {})
