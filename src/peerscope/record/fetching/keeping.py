"""From identifiers to files of the site: what came is kept whole, under a name that says what it is.

A file's name follows from what is in it, so that asking for the same again brings the same source up to date.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from peerscope.atomic import written
from peerscope.record.database import Database
from peerscope.record.fetching.asked import Asked, Refusal
from peerscope.record.fetching.client import FOLDER, Access, Client
from peerscope.record.fetching.services import (
    Answers,
    from_arxiv,
    from_crossref,
    from_datacite,
    from_openalex,
    from_orcid,
)
from peerscope.record.importers import importer_for
from peerscope.record.ingest import ingest
from peerscope.record.runs import ImportReport, Progress

LABELS = {
    "crossref": "Crossref",
    "datacite": "DataCite",
    "arxiv": "arXiv",
    "orcid": "ORCID",
    "openalex": "OpenAlex",
}


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file of records as a service gave them.

    Attributes:
        path: The file.
        location: What identifies it as a source, wherever the site's folder lies.
        name: What the source is called on pages.
        ids: The identifiers that were asked for and are in it.
    """

    path: Path
    location: str
    name: str
    ids: tuple[str, ...]


@dataclass(slots=True)
class Fetching:
    """Files that came, and identifiers that did not, each with the reason as a sentence."""

    files: list[Fetched] = field(default_factory=list)
    missing: list[Refusal] = field(default_factory=list)


def fetch(
    asked: Sequence[Asked],
    access: Access,
    home: Path,
    *,
    progress: Progress | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Fetching:
    """Ask the services for records and keep what comes under ``home``.

    Nothing is written to the record (see `ingest_fetched`), and no file where nothing came. It takes as long
    as the services take: not for a page that somebody waits for, unless few are asked for and
    ``access.patience`` is short.

    Args:
        asked: From `peerscope.record.fetching.asked.ids_in`.
        access: Where to ask, and who asks.
        home: The site's folder, or another in which ``fetched/`` is made.
        progress: Called with "fetch", how many are done with, and how many there are.
        sleep: Waits; tests put something quicker here.
    """
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress("fetch", min(done, len(asked)), len(asked))

    def of(scheme: str) -> list[Asked]:
        return [one for one in asked if one.scheme == scheme]

    folder = home / FOLDER
    answers: list[Answers] = []
    with Client(access, sleep) as client:
        if dois := of("doi"):
            found, unknown = from_crossref(client, dois, step)
            answers.append(found)
            if unknown:
                answers.append(from_datacite(client, unknown, lambda: None))
        if ids := of("arxiv"):
            answers += from_arxiv(client, ids, step, access.turns or folder)
        if people := of("orcid"):
            answers += from_orcid(client, people, step)
        if works := of("openalex"):
            answers.append(from_openalex(client, works, step))
    fetching = Fetching()
    for one in answers:
        fetching.missing += one.missing
        if one.content:
            fetching.files.append(_kept(one, folder))
    return fetching


def ingest_fetched(
    database: Database,
    fetched: Fetched,
    *,
    progress: Progress | None = None,
    force: bool = False,
) -> ImportReport:
    """Read a fetched file into the record, as a source of its own.

    Raises:
        WriterBusyError: Another process is importing.
    """
    return ingest(
        database,
        importer_for(str(fetched.path)),
        str(fetched.path),
        progress=progress,
        force=force,
        location=fetched.location,
        name=fetched.name,
    )


def _kept(found: Answers, folder: Path) -> Fetched:
    name = _name(found.came) + found.suffix
    path = folder / found.service / name
    with written(path) as stream:
        stream.write(found.content)
    label = LABELS[found.service]
    few = found.came[0] if len(found.came) == 1 else f"{len(found.came)} works"
    location = f"{FOLDER}/{found.service}/{name}"
    return Fetched(path, location, f"{label}, {few[:120]}", tuple(found.came))


def _name(ids: Sequence[str]) -> str:
    """A file name for a set of identifiers: readable, and no two alike."""
    digest = hashlib.blake2b("\n".join(sorted(ids)).encode(), digest_size=6).hexdigest()
    readable = re.sub(r"[^A-Za-z0-9-]+", "-", ids[0]).strip("-")[:60]
    return f"{readable}-{digest}" if len(ids) == 1 else f"{len(ids)}-works-{digest}"
