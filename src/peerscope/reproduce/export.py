"""Exports: a paper's attempts as one folder that stands on its own.

::

    README.md               what is in it, in words
    verdicts.json           every verdict with its checks, and the rule
    codecheck.yml           CODECHECK configuration 2.0
    ro-crate-metadata.json  RO-Crate 1.2
    codecheck/NAME/         the sealed attempts, byte for byte
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from peerscope.reproduce.attempts import Attempt, DamagedAttempt, read_attempt, write_json
from peerscope.reproduce.bundle import Bundle, Judged, Said, bundle, folder_of
from peerscope.reproduce.claims import Paper
from peerscope.reproduce.codecheck import check_given, codecheck_text, configuration, missing
from peerscope.reproduce.crate import METADATA, crate_text
from peerscope.reproduce.people import Person
from peerscope.reproduce.readme import readme_text
from peerscope.reproduce.verdict import RULE, rule_text


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        folder: Where.
        attempts: How many.
        missing: What ``codecheck.yml`` lacks to be complete, as phrases.
    """

    folder: Path
    attempts: int
    missing: tuple[str, ...]


def export_paper(
    paper: Paper,
    attempts: Sequence[Attempt],
    folder: Path,
    *,
    authors: Sequence[Person] = (),
    codecheckers: Sequence[Person] = (),
    license: str = "",
    published: date | None = None,
    certificate: str = "",
    report: str = "",
    notes: Mapping[str, Sequence[Said]] | None = None,
) -> Exported:
    """Write an export into a new folder; it is there as a whole or not at all.

    Args:
        paper: Whose claims were tested.
        attempts: Sealed ones of this paper, finished or failed.
        folder: Made; its parent has to be there.
        authors: Of the work, the corresponding one first.
        codecheckers: Who answers for the check.
        license: An SPDX identifier, an address or a sentence.
        published: The day that stands on the export; that of the newest attempt's end if ``None``.
        certificate: Of the CODECHECK register, ``YYYY-NNN``, if one was given.
        report: Address of the published certificate, if there is one.
        notes: Attempt id to the notes and replies of people beside it; they stand with its verdicts.

    Returns:
        Where it is, and what a complete ``codecheck.yml`` would need.

    Raises:
        FileExistsError: There is something at ``folder``.
        FileNotFoundError: There is no folder to put it into.
        ValueError: No attempt, one of another paper, or a certificate or report that cannot be one.
        DamagedAttempt: An attempt is not as it was sealed.
    """
    about = bundle(
        paper, attempts, authors=authors, codecheckers=codecheckers, license=license,
        published=published, certificate=certificate, report=report, notes=notes,
    )  # fmt: skip
    check_given(about)
    if folder.exists() or folder.is_symlink():
        raise FileExistsError(f"{folder} is there already; an export never writes over anything.")
    if not folder.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {folder.parent} to put the export into.")
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        _fill(about, part)
        part.chmod(0o755)
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return Exported(folder, len(about.attempts), tuple(missing(configuration(about))))


def verdicts(about: Bundle) -> dict[str, Any]:
    """Every verdict of an export as plain data."""
    return {
        "rule": RULE,
        "rule_text": rule_text(),
        "paper": {
            "slug": about.paper.slug, "title": about.paper.title, "version": about.paper.version,
            "identifiers": list(about.paper.identifiers), "known": about.paper.known,
            "learned": about.paper.learned,
        },
        "attempts": [
            {
                "id": attempt.id,
                "folder": folder_of(attempt),
                "protocol": attempt.about["protocol"]["name"],
                "profile": attempt.profile,
                "state": attempt.about["state"],
                "failure": attempt.about.get("failure", ""),
                "by": attempt.about.get("by", ""),
                "started": attempt.about["started"],
                "ended": attempt.about["ended"],
                "seeds": [seed.seed for seed in attempt.seeds],
                "claims": [_told(attempt, judged) for judged in about.judged[attempt.id]],
                "notes": [
                    {"by": said.by, "kind": said.kind, "claim": said.claim, "at": said.at, "text": said.text}
                    for said in about.notes.get(attempt.id, ())
                ],
            }
            for attempt in about.attempts
        ],
    }  # fmt: skip


def _told(attempt: Attempt, judged: Judged) -> dict[str, Any]:
    claim, verdict = judged.claim, judged.verdict
    return {
        "claim": claim.id,
        "statement": claim.statement,
        "location": claim.location,
        "printed": claim.reported,
        "reduced": claim.profiles.get(attempt.profile, ""),
        "stated_otherwise_today": judged.changed,
        "state": verdict.state if verdict else None,
        "words": verdict.words if verdict else "no verdict",
        "sentence": verdict.sentence if verdict else judged.reason,
        "checks": verdict.to_dict()["checks"] if verdict else [],
    }


def _fill(about: Bundle, folder: Path) -> None:
    for attempt in about.attempts:
        _copied(attempt, folder / folder_of(attempt))
    write_json(folder / "verdicts.json", verdicts(about))
    (folder / "codecheck.yml").write_text(codecheck_text(about), "utf-8")
    (folder / "README.md").write_text(readme_text(about), "utf-8")
    (folder / METADATA).write_text(crate_text(about, folder), "utf-8")


def _copied(attempt: Attempt, place: Path) -> None:
    """Copy a sealed folder and check both: either may have changed since it was read."""
    place.parent.mkdir(exist_ok=True)
    if read_attempt(attempt.folder).id != attempt.id:
        raise DamagedAttempt(f"{attempt.folder.name} is no longer the attempt {attempt.id}.")
    shutil.copytree(attempt.folder, place)
    read_attempt(place)
