"""What an export is about: a paper, its sealed attempts, and the verdicts that follow from them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Protocol

from peerscope.reproduce.attempts import Attempt
from peerscope.reproduce.claims import Claim, Paper
from peerscope.reproduce.people import Person
from peerscope.reproduce.verdict import DECIDING, Verdict

FOLDER = "codecheck"
"""Where attempts lie in an export; CODECHECK's own name for what was made during a check."""

ADDRESSES = {
    "doi": "https://doi.org/{}",
    "arxiv": "https://arxiv.org/abs/{}",
    "acl": "https://aclanthology.org/{}/",
    "pmid": "https://pubmed.ncbi.nlm.nih.gov/{}/",
    "openalex": "https://openalex.org/{}",
}
"""Identifier scheme to the address that it leads to, the most lasting first."""


class Said(Protocol):
    """What somebody said beside an attempt: a note, or the reply of somebody whose work it is about."""

    @property
    def by(self) -> str:
        """Who, as they want to be named."""

    @property
    def text(self) -> str:
        """Plain text."""

    @property
    def kind(self) -> str:
        """``note`` or ``reply``."""

    @property
    def claim(self) -> str:
        """Id of the claim that it is about; empty for the whole attempt."""

    @property
    def at(self) -> str:
        """When, in ISO 8601."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One claim of one attempt.

    Attributes:
        claim: As it was when the attempt was made.
        verdict: By today's rule, or ``None``.
        reason: Why there is none; empty where there is one.
        changed: Whether the paper states the claim otherwise today, or no longer.
    """

    claim: Claim
    verdict: Verdict | None
    reason: str
    changed: bool


@dataclass(frozen=True)
class Bundle:
    """The content of an export.

    Attributes:
        paper: Whose claims were tested.
        attempts: In order of protocol, profile and end.
        authors: Of the work, the corresponding one first; empty if they are not known.
        codecheckers: Who answers for the check; empty if nobody is named.
        license: An SPDX identifier, an address or a sentence; empty if none is stated.
        published: The day that stands on the export.
        certificate: Of the CODECHECK register, ``YYYY-NNN``; empty without one.
        report: Address of the published certificate; empty without one.
        notes: Attempt id to what people said beside it.
    """

    paper: Paper
    attempts: tuple[Attempt, ...]
    authors: tuple[Person, ...] = ()
    codecheckers: tuple[Person, ...] = ()
    license: str = ""
    published: date = date.min
    certificate: str = ""
    report: str = ""
    notes: Mapping[str, Sequence[Said]] = field(default_factory=dict)

    @cached_property
    def judged(self) -> dict[str, tuple[Judged, ...]]:
        """Attempt id to what it says of each of its claims."""
        return {
            one.id: tuple(self._judge(one, claim) for claim in one.claims) for one in self.attempts
        }

    def _judge(self, attempt: Attempt, claim: Claim) -> Judged:
        verdict, reason = None, ""
        try:
            verdict = attempt.verdict(claim)
        except ValueError as error:
            reason = str(error)
        if verdict is None and not reason:
            if not attempt.finished:
                reason = "The attempt failed."
            elif attempt.profile not in DECIDING:
                reason = f"The profile {attempt.profile} decides nothing."
            else:
                reason = f"No check is asked under the profile {attempt.profile}."
        today = next((one for one in self.paper.claims if one.id == claim.id), None)
        changed = today is None or replace(today, learned="") != replace(claim, learned="")
        return Judged(claim, verdict, reason, changed)


def bundle(
    paper: Paper,
    attempts: Sequence[Attempt],
    *,
    authors: Sequence[Person] = (),
    codecheckers: Sequence[Person] = (),
    license: str = "",
    published: date | None = None,
    certificate: str = "",
    report: str = "",
    notes: Mapping[str, Sequence[Said]] | None = None,
) -> Bundle:
    """Put an export's content in order.

    Args:
        paper: Whose claims were tested.
        attempts: Sealed ones of this paper, in any order.
        authors: Of the work.
        codecheckers: Who answers for the check.
        license: An SPDX identifier, an address or a sentence.
        published: The day of the newest attempt's end if ``None``, so that equal attempts make equal exports.
        certificate: Of the CODECHECK register.
        report: Address of the published certificate.
        notes: Attempt id to what people said beside it, in order.

    Raises:
        ValueError: There is no attempt, one is of another paper, or two are one.
    """
    if not attempts:
        raise ValueError(f"There is no attempt at a claim of {paper.slug} to export.")
    for attempt in attempts:
        if (slug := attempt.about["paper"]["slug"]) != paper.slug:
            raise ValueError(f"The attempt {attempt.id} is at {slug}, not at {paper.slug}.")
    if len({attempt.id for attempt in attempts}) < len(attempts):
        raise ValueError("One attempt is given twice.")
    ordered = tuple(sorted(attempts, key=lambda a: (folder_of(a)[: -len(a.id)], ended(a), a.id)))
    newest = max(ended(attempt) for attempt in attempts).date()
    return Bundle(
        paper, ordered, tuple(authors), tuple(codecheckers), license.strip(),
        published or newest, certificate.strip(), report.strip(), notes or {},
    )  # fmt: skip


def folder_of(attempt: Attempt) -> str:
    """Where an attempt lies in an export; a safe path whatever the attempt calls itself."""
    named = f"{attempt.about['protocol']['name']}-{attempt.profile}".lower()
    return f"{FOLDER}/{re.sub(r'[^a-z0-9_-]+', '-', named)[:100]}-{attempt.id}"


def ended(attempt: Attempt) -> datetime:
    """When an attempt ended, in UTC."""
    return attempt.ended.astimezone(UTC)


def command_of(attempt: Attempt) -> str:
    """The command that runs an attempt's protocol again."""
    module = str(attempt.about["protocol"]["entry"]).partition(":")[0]
    number = len(attempt.about["seeds"])
    return f"python -m {module} --profile {attempt.profile} --seeds {number} --out FOLDER"


def addresses(paper: Paper) -> list[str]:
    """Web addresses of a work, the most lasting first."""
    found = []
    for scheme, address in ADDRESSES.items():
        for one in paper.identifiers:
            name, _, value = one.partition(":")
            if name.lower() == scheme:
                found.append(address.format(value))
    return found + [one for one in paper.identifiers if one.startswith(("https://", "http://"))]
