"""The attempts of a site: sealed folders that come in by one rename, and the verdicts of their figures.

::

    attempts/<id>/       sealed; never written again
    verdicts/<id>.json   follows from them, kept because it takes a while; may be removed
    notes/<id>/          what people said beside them
    running/             attempts in the making
    scratch/             where protocols write while they run
"""

from __future__ import annotations

import contextlib
import fcntl
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from peerscope.reproduce.attempts import (
    SUMS,
    Attempt,
    DamagedAttempt,
    attempt_id,
    read_attempt,
    read_known,
)
from peerscope.reproduce.claims import Claim
from peerscope.reproduce.kept import Kept, Summary, read_summary, summarised, write_summary
from peerscope.reproduce.notes import Kind, Note, add_note, read_notes
from peerscope.reproduce.verdict import FEWEST_SEEDS, Verdict

ID = re.compile(r"[0-9a-f]{12}")
RANKS = {"cpu": 1, "gpu": 2}
"""Profiles that decide, the larger the later."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of taking an attempt in.

    Attributes:
        id: Its id.
        new: Whether it was not there before.
    """

    id: str
    new: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """The verdict that is shown for a claim.

    Attributes:
        attempt: Whose it is.
        verdict: By the checks that the claim has now.
        changed: Whether the claim had other checks when the attempt was made.
    """

    attempt: Kept
    verdict: Verdict
    changed: bool


class Store:
    """The attempts that a site keeps.

    Args:
        folder: ``HOME/reproductions``; made when something comes in.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, Kept] = {}
        self._damaged: dict[str, str] = {}
        self._sorted: tuple[Kept, ...] = ()
        self._lock = threading.Lock()  # pages are made by several threads

    @property
    def running(self) -> Path:
        """Folder of attempts in the making."""
        return self.folder / "running"

    @property
    def scratch(self) -> Path:
        """Folder of what protocols write while they run."""
        return self.folder / "scratch"

    @cached_property
    def _sealed(self) -> Path:
        return self.folder / "attempts"

    def take(self, folder: Path) -> Taken:
        """Take in a sealed folder; the same one twice changes nothing.

        Args:
            folder: Anywhere; it is copied.

        Raises:
            DamagedAttempt: It is no attempt, or not as it was sealed, or its figures decide nothing.
        """
        found = read_attempt(folder)
        place = self._sealed / found.id
        if place.exists():
            return Taken(found.id, False)
        summary = _summarised(found)
        with self._writing():
            copy = Path(tempfile.mkdtemp(dir=self._sealed, prefix=".taking-"))
            try:
                _copy(folder, copy)
                if read_attempt(copy).id != found.id:
                    raise DamagedAttempt(f"{folder.name} changed while it was taken in.")
                copy.chmod(0o755)
                write_summary(self._summary(found.id), summary)
                if place.exists():  # another process was faster
                    return Taken(found.id, False)
                copy.rename(place)
            finally:
                shutil.rmtree(copy, ignore_errors=True)
        return Taken(found.id, True)

    def take_shipped(self) -> tuple[list[str], list[str]]:
        """Take in the evidence that comes with the package.

        Returns:
            Ids of the attempts that were not there before, and sentences on those that were refused.
        """
        new, refused = [], []
        for folder in shipped():
            # an id follows from the sums, so that what is here already need not be read again
            if attempt_id(folder) in self._ids():
                continue
            try:
                taken = self.take(folder)
            except DamagedAttempt as error:
                refused.append(str(error))
                continue
            if taken.new:
                new.append(taken.id)
        return new, refused

    def attempts(self) -> tuple[Kept, ...]:
        """All attempts, newest first; the same tuple as long as there are the same."""
        with self._lock:
            ids = self._ids()
            if ids != self._known.keys() | self._damaged.keys():
                self._known = {id: one for id, one in self._known.items() if id in ids}
                self._damaged = {id: why for id, why in self._damaged.items() if id in ids}
                for id in ids - self._known.keys() - self._damaged.keys():
                    try:
                        self._known[id] = self._read(id)
                    except (DamagedAttempt, OSError) as error:
                        self._damaged[id] = str(error)
                self._sorted = tuple(sorted(self._known.values(), key=_age, reverse=True))
            return self._sorted

    def problems(self) -> list[str]:
        """Sentences on folders in the store that cannot be read."""
        self.attempts()
        return [self._damaged[id] for id in sorted(self._damaged)]

    def attempt(self, id: str) -> Kept | None:
        """An attempt by its id."""
        if ID.fullmatch(id) is None:
            return None
        return next((one for one in self.attempts() if one.id == id), None)

    def of_claim(self, claim: str) -> list[Kept]:
        """Attempts at a claim, newest first, failed ones included."""
        return [one for one in self.attempts() if one.claim(claim) is not None]

    def of_paper(self, slug: str) -> list[Kept]:
        """Attempts at a paper's claims, newest first, failed ones included."""
        return [one for one in self.attempts() if one.paper == slug]

    def standing(
        self, claim: Claim, version: int | None = None, tried: Sequence[Kept] | None = None
    ) -> Standing | None:
        """The verdict that is shown for a claim as it is stated now.

        It is that of the newest finished attempt under the largest profile (``gpu`` before ``cpu``) whose
        protocol and figures fit the claim; of two that ended in the same second, the one with the greater id.
        An attempt with too few seeds for a verdict stands only where there is no other.

        Args:
            claim: As it is stated now.
            version: Of its protocol now; figures of other versions do not fit. Any, if ``None``.
            tried: What `of_claim` says of it, where that is known already.
        """
        tried = self.of_claim(claim.id) if tried is None else tried
        fitting = (one for one in tried if _fits(one, claim, version))
        for attempt in sorted(fitting, key=_weight, reverse=True):
            if (found := self.standing_of(attempt, claim, version)) is not None:
                return found
        return None

    def standing_of(
        self, attempt: Kept, claim: Claim, version: int | None = None
    ) -> Standing | None:
        """What one attempt says of a claim as it is stated now; ``None`` where it does not speak to it."""
        if not _fits(attempt, claim, version):
            return None
        # a ratio of the claim may have no sense for old figures
        with contextlib.suppress(ValueError):
            verdict = attempt.verdict(claim)
            if verdict is not None:
                then = attempt.claim(claim.id)
                return Standing(attempt, verdict, then is None or then.checks != claim.checks)
        return None

    def note(self, attempt: str, note: Note) -> Note:
        """Put a note beside an attempt.

        Raises:
            ValueError: There is no such attempt, or it is not about the claim that the note names.
        """
        found = self.attempt(attempt)
        if found is None:
            raise ValueError(f"There is no attempt {attempt!r:.80} here.")
        if note.claim and found.claim(note.claim) is None:
            known = ", ".join(claim.id for claim in found.claims) or "none"
            raise ValueError(
                f"The attempt {attempt} is not about {note.claim!r:.80}; its claims: {known}."
            )
        return add_note(self._notes(attempt), note)

    def notes(self, attempt: str) -> list[Note]:
        """The notes beside an attempt, oldest first."""
        return read_notes(self._notes(attempt)) if ID.fullmatch(attempt) else []

    def _notes(self, id: str) -> Path:
        return self.folder / "notes" / id

    def _summary(self, id: str) -> Path:
        return self.folder / "verdicts" / f"{id}.json"

    def _ids(self) -> set[str]:
        try:
            return {path.name for path in self._sealed.iterdir() if ID.fullmatch(path.name)}
        except FileNotFoundError:
            return set()

    def _read(self, id: str) -> Kept:
        attempt = read_known(self._sealed / id, id)
        summary = read_summary(self._summary(id))
        if summary is None:
            summary = _summarised(attempt)
            # a folder that cannot be written is served all the same
            with contextlib.suppress(OSError):
                write_summary(self._summary(id), summary)
        return Kept(id, attempt.folder, attempt.about, attempt.claims, summary)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        self._sealed.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for left in self._sealed.glob(".taking-*"):
                shutil.rmtree(left, ignore_errors=True)
            yield


def shipped() -> list[Path]:
    """Sealed folders that come with the package: inside it, or beside its source at the repository's root."""
    here = Path(__file__).resolve()
    for folder in (here.parent / "evidence", here.parents[3] / "reproductions"):
        found = sorted(path.parent for path in folder.glob(f"*/*/{SUMS}"))
        if found:
            return found
    return []


def sealed_below(folder: Path) -> list[Path]:
    """Sealed folders at a place: itself, or what is in it, two levels deep."""
    for pattern in (SUMS, f"*/{SUMS}", f"*/*/{SUMS}"):
        found = sorted(path.parent for path in folder.glob(pattern))
        if found:
            return found
    return []


def _fits(one: Kept, claim: Claim, version: int | None) -> bool:
    if not one.finished or one.profile not in RANKS or one.profile not in claim.profiles:
        return False
    if one.protocol != claim.protocol or version not in (None, one.about["protocol"]["version"]):
        return False
    return one.figures.issuperset(claim.needs(one.profile))


def _weight(one: Kept) -> tuple[bool, int]:
    return len(one.summary.numbers) >= FEWEST_SEEDS, RANKS[one.profile]


def _age(one: Kept) -> tuple[float, str]:
    return one.ended.timestamp(), one.id


def _summarised(attempt: Attempt) -> Summary:
    try:
        return summarised(attempt)
    except ValueError as error:
        raise DamagedAttempt(f"{attempt.folder.name}: {error}") from error


def _copy(folder: Path, copy: Path) -> None:
    (copy / "seeds").mkdir()
    for name in ("attempt.json", "log.txt", SUMS):
        shutil.copyfile(folder / name, copy / name)
    for path in (folder / "seeds").glob("*.json"):
        shutil.copyfile(path, copy / "seeds" / path.name)


__all__ = ["Kept", "Kind", "Note", "Standing", "Store", "Taken", "sealed_below", "shipped"]
