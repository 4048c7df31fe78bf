"""Attempts: what one run of a protocol left, as a folder that cannot be changed unnoticed.

::

    attempt.json    protocol, profile, environment, claims as they were then, times, by whom, state
    seeds/0.json    figures, curves, data and code hashes, time and memory of a seed
    log.txt         what the protocol said
    SHA256SUMS      a SHA-256 of every other file; its own SHA-256 is the attempt's id

A folder is sealed once and never written again; another rule makes another verdict from the same figures.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from peerscope.atomic import written
from peerscope.reproduce.claims import Claim
from peerscope.reproduce.environment import file_hash
from peerscope.reproduce.verdict import Verdict, judge

FORMAT = 1
SUMS = "SHA256SUMS"
ALLOWED = re.compile(r"attempt\.json|log\.txt|seeds/[0-9]{1,4}\.json")
LINE = re.compile(r"([0-9a-f]{64})  (\S+)")
LARGEST = 32 * 2**20
"""No file of an attempt is larger, in bytes."""
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)


class DamagedAttempt(ValueError):
    """A folder is no attempt, or is not as it was sealed."""


@dataclass(frozen=True)
class Seed:
    """What one seed measured.

    Attributes:
        seed: Its number.
        figures: Name to value, or to one value a unit.
        curves: Name of the plot to label to positions and values.
        details: The rest as written: times in seconds, memory in MiB, hashes.
    """

    seed: int
    figures: Mapping[str, float | list[float]]
    curves: Mapping[str, Mapping[str, list[list[float]]]]
    details: Mapping[str, Any]


class Account:
    """What an attempt answers from ``attempt.json`` and its log alone."""

    folder: Path
    about: Mapping[str, Any]

    @property
    def finished(self) -> bool:
        """Whether every seed finished; only then there is a verdict."""
        return bool(self.about["state"] == "finished")

    @property
    def profile(self) -> str:
        """Name of the profile."""
        return str(self.about["profile"])

    @property
    def ended(self) -> datetime:
        """When it ended."""
        return datetime.fromisoformat(self.about["ended"])

    def log(self) -> str:
        """The log's text."""
        return (self.folder / "log.txt").read_text("utf-8", errors="replace")


@dataclass(frozen=True)
class Attempt(Account):
    """A sealed folder, read.

    Attributes:
        id: First twelve digits of the SHA-256 of its ``SHA256SUMS``.
        folder: Where it is.
        about: ``attempt.json``.
        claims: As they were when it was made.
        seeds: In order; those that finished.
    """

    id: str
    folder: Path
    about: Mapping[str, Any]
    claims: tuple[Claim, ...]
    seeds: tuple[Seed, ...]

    @property
    def files(self) -> list[str]:
        """Names of its files, the sums last."""
        seeds = [f"seeds/{one.seed}.json" for one in self.seeds]
        return ["attempt.json", *seeds, "log.txt", SUMS]

    def verdict(self, claim: Claim) -> Verdict | None:
        """What it says of a claim; ``None`` for a failed attempt or a profile that decides nothing."""
        if not self.finished:
            return None
        return judge(claim, self.profile, [seed.figures for seed in self.seeds])


def write_json(path: Path, value: Any) -> None:
    """Write plain data as a whole file, with sorted keys so that equal data are equal bytes."""
    with written(path) as stream:
        text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
        stream.write(text.encode() + b"\n")
    path.chmod(0o644)


def seal(folder: Path) -> str:
    """Hash every file of an attempt; the last step of making one.

    Args:
        folder: With ``attempt.json``, ``log.txt`` and ``seeds``.

    Returns:
        The attempt's id.

    Raises:
        DamagedAttempt: The folder lacks a file, holds another one, or was sealed before.
    """
    if (folder / SUMS).exists():
        raise DamagedAttempt(f"{folder} is sealed already.")
    names = _files(folder)
    for needed in ("attempt.json", "log.txt"):
        if needed not in names:
            raise DamagedAttempt(f"{folder} has no {needed}.")
    sums = "".join(f"{file_hash(folder / name)}  {name}\n" for name in names).encode()
    with written(folder / SUMS) as stream:
        stream.write(sums)
    (folder / SUMS).chmod(0o644)
    return attempt_id(folder)


def attempt_id(folder: Path) -> str:
    """The id of a sealed folder: the first twelve digits of the SHA-256 of its sums."""
    return file_hash(folder / SUMS)[:12]


def read_attempt(folder: Path) -> Attempt:
    """Read and check a sealed folder.

    Raises:
        DamagedAttempt: A file is missing, added, changed, a link, or says nothing that an attempt says.
    """
    sums = _sums(folder)
    names = _files(folder)
    for name in sorted(set(names) | set(sums)):
        if name not in sums:
            raise DamagedAttempt(f"{folder.name}: {name} was added after the attempt was sealed.")
        if name not in names:
            raise DamagedAttempt(f"{folder.name}: {name} is missing.")
        if file_hash(folder / name) != sums[name]:
            raise DamagedAttempt(f"{folder.name}: {name} was changed after the attempt was sealed.")
    return _read(folder, attempt_id(folder), names)


def read_known(folder: Path, id: str) -> Attempt:
    """Read a folder that was checked when it came in, without hashing it again."""
    return _read(folder, id, _files(folder))


def _read(folder: Path, id: str, names: list[str]) -> Attempt:
    try:
        about = _json(folder / "attempt.json")
        if about["format"] != FORMAT:
            raise DamagedAttempt(f"{folder.name} has the format {about['format']}, not {FORMAT}.")
        _demand(about)
        if about["state"] not in ("finished", "failed"):
            raise DamagedAttempt(f"{folder.name} is in no known state: {about['state']!r}.")
        claims = tuple(Claim.from_dict(claim) for claim in about["claims"])
        paths = sorted(
            (folder / name for name in names if name.startswith("seeds/")),
            key=lambda path: int(path.stem),
        )
        seeds = tuple(read_seed(path) for path in paths)
        if about["state"] == "finished":
            _demand_whole(folder.name, about, claims, seeds)
    except UNREADABLE as error:
        if isinstance(error, DamagedAttempt):
            raise
        raise DamagedAttempt(f"{folder.name} is no attempt: {error!r:.200}.") from error
    return Attempt(id, folder, about, claims, seeds)


def _demand(about: Mapping[str, Any]) -> None:
    """Refuse an account that lacks what every reader of an attempt counts on."""
    texts = [about[name] for name in ("profile", "started", "ended")]
    texts += [about["paper"]["slug"], about["protocol"]["name"], about["protocol"]["entry"]]
    texts += [about.get(name, "") for name in ("by", "failure", "guarded")]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("what should be text is none")
    for name in ("started", "ended"):
        if datetime.fromisoformat(about[name]).tzinfo is None:
            raise ValueError(f"{name} is in no time zone")
    for name in ("python", "packages"):
        about["environment"].get(name)
    if not all(type(seed) is int for seed in about["seeds"]):
        raise ValueError("its seeds are no numbers")


def _demand_whole(
    name: str, about: Mapping[str, Any], claims: tuple[Claim, ...], seeds: tuple[Seed, ...]
) -> None:
    """Refuse a finished attempt without a seed, or without a figure that one of its claims needs."""
    if not seeds or [seed.seed for seed in seeds] != sorted(about["seeds"]):
        raise DamagedAttempt(f"{name} says that it finished, and does not have every seed.")
    for claim in claims:
        for figure in claim.needs(about["profile"]):
            if any(figure not in seed.figures for seed in seeds):
                raise DamagedAttempt(f"{name} has no figure {figure!r}, which {claim.id} needs.")


def read_seed(path: Path) -> Seed:
    """Read what one seed handed back.

    Raises:
        DamagedAttempt: It is no plain file of figures that are finite numbers.
    """
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST:
            raise ValueError("it is no file of at most 32 MiB")
        found = _json(path)
        if type(found["seed"]) is not int or str(found["seed"]) != path.stem:
            raise ValueError(f"it is the seed {found['seed']!r:.20}")
        return _seed(found)
    except UNREADABLE as error:
        raise DamagedAttempt(f"The seed {path.stem} cannot be read: {error!s:.200}.") from error


def _seed(found: Mapping[str, Any]) -> Seed:
    rest = {k: v for k, v in found.items() if k not in ("seed", "figures", "curves")}
    figures, curves = dict(found["figures"]), dict(found["curves"])
    for value in figures.values():
        _finite(value if isinstance(value, list) else [value])
    for lines in curves.values():
        for x, y in lines.values():
            if x or y:
                _finite(x)
                _finite(y)
    for name in ("data", "environment"):
        found[name].items()
    return Seed(found["seed"], figures, curves, rest)


def _finite(values: list[Any]) -> None:
    """Refuse what JSON can hold and no figure is: nothing, text, truth, 1e999."""
    if not values or not all(type(one) in (int, float) and math.isfinite(one) for one in values):
        raise ValueError("a figure or curve holds something that is no finite number")


def _json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"), parse_constant=_no_constant)


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is no figure")


def _sums(folder: Path) -> dict[str, str]:
    path = folder / SUMS
    if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST:
        raise DamagedAttempt(f"{folder} is no sealed attempt: it has no file {SUMS}.")
    found: dict[str, str] = {}
    *lines, rest = path.read_bytes().decode("utf-8", errors="replace").split("\n")
    if rest:
        raise DamagedAttempt(f"{folder.name}: {SUMS} is cut off.")
    for line in lines:
        match = LINE.fullmatch(line)
        if match is None or not ALLOWED.fullmatch(match[2]) or match[2] in found:
            raise DamagedAttempt(f"{folder.name}: {SUMS} has a line that is none of ours.")
        found[match[2]] = match[1]
    return found


def _files(folder: Path) -> list[str]:
    """Names of all files but the sums; refuses links, other kinds, strange names and large files."""
    found = []
    for place, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(place) / name
            short = path.relative_to(folder).as_posix()
            if path.is_symlink():
                raise DamagedAttempt(f"{folder.name}: {short} is a link.")
            if name in files and short != SUMS:
                if not ALLOWED.fullmatch(short) or not path.is_file():
                    raise DamagedAttempt(f"{folder.name}: {short} is no file of an attempt.")
                if path.stat().st_size > LARGEST:
                    raise DamagedAttempt(f"{folder.name}: {short} is larger than 32 MiB.")
                found.append(short)
    return sorted(found)
