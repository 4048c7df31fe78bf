"""What members bring to a site and have not decided on yet: files, what an import would do, how far it is.

One folder each under ``home/waiting``, readable by the site alone, erased when it is decided, when its
account goes, and in any case after `LIFE`. Nothing of it is in the record before its owner says so.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from peerscope.atomic import written
from peerscope.community.errors import CommunityError, NotThereError
from peerscope.record import file_lock
from peerscope.record.preview import Foreseen
from peerscope.retrieval.bundle import alive

FOLDER = "waiting"
LIFE = 7 * 86_400.0
"""Seconds after which what was not decided is erased."""

MOST_WAITING = 10
"""Imports of one account that may wait at a time."""

MOST_BYTES = 64 << 20
"""Bytes of one upload."""

MOST_RECORDS = 5_000
"""Records of one preview."""

READING, READY, IMPORTING, STOPPED, DONE, FAILED = (
    "reading", "ready", "importing", "stopped", "done", "failed"
)  # fmt: skip
RUNNING = (READING, IMPORTING)
BEGINS = 60.0
"""Seconds that a process may take to begin."""

_KEY = re.compile(r"[0-9a-f]{32}", re.ASCII)
_JOB, _ROWS, _STOP, _LOCK = "job.json", "rows.jsonl", "stop", "lock"


@dataclass(frozen=True, slots=True)
class Part:
    """One file of an import: where it lies in the folder, and what it is called."""

    file: str
    label: str


@dataclass(frozen=True, slots=True)
class Job:
    """An import that somebody prepares.

    Attributes:
        key: Names its folder; nobody can guess it.
        owner: The account.
        name: What the source is to be called.
        licence: Licence of the metadata, as the owner says; empty where they do not.
        created: Seconds since 1970, and so ``changed``.
        state: ``reading``, ``ready`` (to be decided), ``importing``, ``stopped``, ``done`` or ``failed``.
        parts: Its files; fetched ones are added when they have come.
        asked: Identifiers to be fetched, as they were pasted.
        missing: What could not be fetched, with the reason.
        counts: Records by what would become of them.
        more: Whether the file has more records than are looked at.
        seen: The record's change number when it was looked at.
        left: Numbers of the records that are not to go in.
        stage: What it is at, with how much is ``done`` of ``total``.
        process: Number of the process that works on it; 0 for none.
        note: What went wrong, or what is to be known.
        sources: Numbers of the sources that were made.
        added: Records that went in.
    """

    key: str
    owner: int
    name: str
    licence: str = ""
    created: float = 0.0
    changed: float = 0.0
    state: str = READING
    parts: tuple[Part, ...] = ()
    asked: str = ""
    missing: tuple[tuple[str, str], ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    more: bool = False
    seen: int = 0
    left: tuple[int, ...] = ()
    stage: str = ""
    done: int = 0
    total: int | None = None
    process: int = 0
    note: str = ""
    sources: tuple[int, ...] = ()
    added: int = 0

    @property
    def records(self) -> int:
        """Records that were looked at."""
        return sum(self.counts.values())

    @property
    def running(self) -> bool:
        """Whether somebody works on it now."""
        return self.state in RUNNING

    def taken(self) -> int:
        """Records that are to go in."""
        return self.records - self.counts.get("refused", 0) - len(self.left)


class Waiting:
    """The folders of one site.

    Args:
        home: The site's folder.
    """

    def __init__(self, home: Path) -> None:
        self._home = home / FOLDER

    def begin(self, owner: int, name: str, licence: str = "", asked: str = "") -> Job:
        """A new import with an empty folder.

        Raises:
            CommunityError: Too many of the account wait already.
        """
        self.expire()
        if sum(one.state != DONE for one in self.of(owner)) >= MOST_WAITING:
            raise CommunityError(
                f"{MOST_WAITING} imports of yours wait already: decide on one of them, or discard it."
            )
        key = secrets.token_hex(16)
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder(key).mkdir(mode=0o700)
        moment = time.time()
        return self.save(Job(key, owner, name, licence, moment, moment, asked=asked))

    def folder(self, key: str) -> Path:
        """Where an import lies.

        Raises:
            NotThereError: This is no key.
        """
        if not _KEY.fullmatch(key):
            raise NotThereError("There is no such import, or it is not yours.")
        return self._home / key

    def save(self, job: Job) -> Job:
        """Write down how far an import is; as it then stands."""
        noted = replace(job, changed=time.time())
        with written(self.folder(job.key) / _JOB) as stream:
            stream.write(json.dumps(asdict(noted)).encode())
        return noted

    def read(self, key: str) -> Job:
        """How far an import is; one whose process ended before its work was stopped.

        Raises:
            NotThereError: There is none, or it was erased.
        """
        try:
            plain = json.loads((self.folder(key) / _JOB).read_bytes())
        except (FileNotFoundError, ValueError):
            raise NotThereError("There is no such import, or it is not yours.") from None
        plain["parts"] = tuple(Part(**one) for one in plain["parts"])
        for name in ("missing", "left", "sources"):
            plain[name] = tuple(tuple(x) if isinstance(x, list) else x for x in plain[name])
        job = Job(**plain)
        if job.running and not self._works(job):
            return replace(job, state=STOPPED if job.state == IMPORTING else FAILED, process=0,
                           note=job.note or "It was interrupted.")  # fmt: skip
        return job

    def find(self, key: str, owner: int) -> Job:
        """An import of an account.

        Raises:
            NotThereError: There is none, or it is somebody else's.
        """
        job = self.read(key)
        if job.owner != owner:
            raise NotThereError("There is no such import, or it is not yours.")
        return job

    def of(self, owner: int) -> list[Job]:
        """The imports of an account, the newest first."""
        found = [job for job in self._all() if job.owner == owner]
        return sorted(found, key=lambda job: -job.created)

    def erase(self, key: str) -> None:
        """Erase an import with everything in its folder."""
        shutil.rmtree(self.folder(key), ignore_errors=True)

    def empty(self, job: Job) -> None:
        """Erase what was uploaded and what was foreseen of it; only how it ended stays."""
        for one in self.folder(job.key).iterdir():
            if one.name == _JOB:
                continue
            if one.is_dir():
                shutil.rmtree(one, ignore_errors=True)
            else:
                one.unlink(missing_ok=True)

    def expire(self) -> None:
        """Erase what has waited too long."""
        for job in self._all():
            if not job.running and time.time() - job.created > LIFE:
                self.erase(job.key)

    def forget(self, owner: int) -> None:
        """Erase everything of an account; what is being read or imported stops by itself then."""
        for job in self.of(owner):
            self.erase(job.key)

    def write_rows(self, job: Job, rows: Iterable[tuple[int, Foreseen]]) -> None:
        """Keep what would become of each record; each with the number of its part."""
        with written(self.folder(job.key) / _ROWS) as stream:
            for part, row in rows:
                stream.write(json.dumps({"part": part, **row.as_dict()}).encode() + b"\n")

    def rows(
        self, job: Job, start: int = 0, most: int | None = None
    ) -> Iterator[tuple[int, int, Foreseen]]:
        """Number, part and what is foreseen of records, from ``start`` on."""
        try:
            with (self.folder(job.key) / _ROWS).open("rb") as stream:
                stop = None if most is None else start + most
                for number, line in enumerate(islice(stream, start, stop), start=start):
                    plain: dict[str, Any] = json.loads(line)
                    part = plain.pop("part")
                    yield number, part, Foreseen.of(plain)
        except FileNotFoundError:
            return

    def ask_to_stop(self, key: str) -> None:
        """Let whoever works on it stop behind what is whole."""
        (self.folder(key) / _STOP).touch()

    def stop_asked(self, key: str) -> bool:
        """Whether it is to stop, or is gone."""
        folder = self.folder(key)
        return not folder.exists() or (folder / _STOP).exists()

    def clear_stop(self, key: str) -> None:
        """Forget that it was to stop."""
        (self.folder(key) / _STOP).unlink(missing_ok=True)

    @contextmanager
    def held(self, key: str) -> Iterator[None]:
        """While the block runs, nobody else works on it.

        Raises:
            WriterBusyError: Somebody does.
        """
        folder = self.folder(key)
        if not folder.exists():
            raise NotThereError("There is no such import, or it is not yours.")
        with file_lock(folder / _LOCK, "an import"):
            yield

    def exported(self, owner: int) -> list[dict[str, object]]:
        """What waits of an account, as plain values."""
        return [
            {
                "name": job.name, "licence": job.licence, "state": job.state, "asked": job.asked,
                "created": job.created, "records": job.records, "added": job.added,
                "sources": list(job.sources), "files": [part.label for part in job.parts],
            }
            for job in self.of(owner)
        ]  # fmt: skip

    def files(self, owner: int) -> Iterator[tuple[str, Path]]:
        """The files that wait of an account, each with a name that is safe in an archive."""
        for place, job in enumerate(self.of(owner), start=1):
            for number, part in enumerate(job.parts, start=1):
                path = self.folder(job.key) / part.file
                if path.is_file():
                    yield f"waiting/{place}-{number}{path.suffix}", path

    def _all(self) -> list[Job]:
        found = []
        for folder in self._home.iterdir() if self._home.is_dir() else ():
            try:
                found.append(self.read(folder.name))
            except NotThereError:
                continue
        return found

    @staticmethod
    def _works(job: Job) -> bool:
        if job.process:
            return alive(job.process)
        return time.time() - job.changed < BEGINS
