"""Protocols: the code that measures, its profiles, and what one seed of it hands back.

A protocol is one function of a `Trial`; it names figures as it measures them. One protocol may serve several
claims, since arms that share their training share its cost. This module needs NumPy only, and describing a
protocol never imports the code that it runs.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib import import_module
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

Setting = int | float | str | bool | tuple[int | float | str, ...]
Device = Literal["cpu", "cuda"]

NAME = re.compile(r"[a-z][a-z0-9_]*")
MOST_UNITS = 100_000
MOST_POINTS = 2_000


class WrongFigure(ValueError):
    """A protocol handed back something that is no figure of it."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How far a protocol goes on one kind of machine.

    Attributes:
        settings: Handed to the protocol.
        seeds: How many seeds, numbered from 0.
        seconds: Limit of one seed, in seconds of wall clock.
        memory_mb: Limit of one seed's resident memory, its children's included, in MiB.
        disk_mb: Limit of what one seed writes, in MiB.
        device: ``cpu`` or ``cuda``.
    """

    settings: Mapping[str, Setting]
    seeds: int = 3
    seconds: float = 600.0
    memory_mb: int = 4096
    disk_mb: int = 256
    device: Device = "cpu"


@dataclass(frozen=True)
class Protocol:
    """A way to measure.

    Attributes:
        name: Identifier; also the module's name for those of this package.
        version: Grows when figures of different versions must not be compared.
        entry: ``module:function``; the function takes a `Trial`. It is imported only where it runs.
        summary: What is trained or computed, on which data, in a sentence or two.
        figures: Pattern (as in file names) to meaning and unit of the figures whose names match it.
        profiles: By name: ``cpu``, ``gpu``, and ``tiny``, which shows that the code runs and decides nothing.
        data: Names of the data sets that it reads.
    """

    name: str
    version: int
    entry: str
    summary: str
    figures: Mapping[str, str]
    profiles: Mapping[str, Profile]
    data: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(f"Protocol {self.name!r}: a name is a lower-case Python identifier.")

    def described(self, figure: str) -> str | None:
        """Meaning and unit of a figure, or ``None`` if it is none of this protocol's."""
        for pattern, meaning in self.figures.items():
            if fnmatchcase(figure, pattern):
                return meaning
        return None

    def function(self) -> Callable[[Trial], None]:
        """The code, imported now.

        Raises:
            ImportError: It cannot be imported.
            AttributeError: The module has no such function.
        """
        module, _, name = self.entry.partition(":")
        found: Callable[[Trial], None] = getattr(import_module(module), name)
        return found


@dataclass
class Trial:
    """One seed of a protocol under a profile: what it may know, and where it puts what it measured.

    Attributes:
        protocol: What is run.
        seed: From 0.
        settings: The profile's.
        device: ``cpu`` or ``cuda``.
        told: Called with each line of the log.
        moved: Called with what is being done, how much is done and how much there is.
    """

    protocol: Protocol
    seed: int
    settings: Mapping[str, Setting]
    device: Device = "cpu"
    told: Callable[[str], None] = print
    moved: Callable[[str, int, int], None] = lambda what, done, total: None
    figures: dict[str, float | list[float]] = field(default_factory=dict)
    curves: dict[str, dict[str, list[list[float]]]] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, setting: str) -> Any:
        """A setting of the profile.

        Raises:
            KeyError: The profile has none of that name.
        """
        return self.settings[setting]

    def figure(self, name: str, value: ArrayLike) -> None:
        """Put down a figure: one number, or one a unit (image, query) in an order shared by all arms.

        Raises:
            WrongFigure: The protocol declares no such figure, it was put down before, or it holds a value
                that is not a finite number.
        """
        if self.protocol.described(name) is None:
            raise WrongFigure(f"{self.protocol.name} declares no figure {name!r}.")
        if name in self.figures:
            raise WrongFigure(f"The figure {name!r} was put down twice.")
        try:
            values = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise WrongFigure(f"The figure {name!r} is no number: {error}.") from error
        if values.ndim > 1 or values.size == 0 or values.size > MOST_UNITS:
            raise WrongFigure(f"The figure {name!r} has the shape {values.shape}.")
        if not np.isfinite(values).all():
            raise WrongFigure(f"The figure {name!r} is not a finite number: {value!r:.80}.")
        found = [_short(float(one)) for one in np.atleast_1d(values)]
        self.figures[name] = found if values.ndim else found[0]

    def curve(self, name: str, label: str, x: Sequence[float], y: Sequence[float]) -> None:
        """Put down one line of a plot; points that are not finite are left out.

        Args:
            name: Of the plot, with what its axes are: ``m_o over steps``.
            label: Of the line.
            x: Positions.
            y: Values, as many.

        Raises:
            WrongFigure: The lengths differ, or there are too many points.
        """
        if len(x) != len(y) or len(x) > MOST_POINTS:
            raise WrongFigure(f"The curve {name!r} has {len(x)} and {len(y)} values.")
        points = [(float(a), float(b)) for a, b in zip(x, y, strict=True)]
        kept = [(a, b) for a, b in points if math.isfinite(a) and math.isfinite(b)]
        lines = self.curves.setdefault(name, {})
        lines[label] = [[_short(a) for a, _ in kept], [_short(b) for _, b in kept]]

    def data(self, name: str, *arrays: Any) -> None:
        """Note which data were read, by a SHA-256 over shapes, types and contents of NumPy arrays."""
        digest = hashlib.sha256()
        for array in arrays:
            values = np.ascontiguousarray(array)
            digest.update(f"{values.shape} {values.dtype}".encode())
            digest.update(values.tobytes())
        self.hashes[name] = digest.hexdigest()

    def log(self, *words: object) -> None:
        """A line of the log."""
        self.told(" ".join(str(word) for word in words))

    def progress(self, what: str, done: int, total: int) -> None:
        """How far this seed is."""
        self.moved(what, done, total)


def _short(value: float) -> float:
    """Nine significant digits: more than any figure here is good for, and half the bytes."""
    return float(f"{value:.9g}")
