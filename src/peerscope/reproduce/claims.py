"""Claims: what a work states, where, and which inequalities between measured figures it rests on."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from peerscope.reproduce.protocol import Protocol

Relation = Literal["above", "below", "within"]
Compare = Literal["difference", "ratio"]
Better = Literal["higher", "lower", "neither"]

TEXTS = ("statement", "metric", "location", "protocol", "reported", "controls", "curve", "learned")
IDENTIFIER = re.compile(r"[a-z][a-z0-9+.-]*:\S+")
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Check:
    """One statement about figures that a claim rests on.

    What is measured is ``figure``, or ``figure`` compared with ``against``: their difference or ratio, taken
    seed by seed (and unit by unit where a figure has one value a unit), so that both arms share their chance.

    Attributes:
        label: What holds if it holds, as a short sentence.
        figure: Name of a figure of the protocol.
        against: Name of the figure that it is compared with, if any.
        relation: ``above`` and ``below`` compare with ``bound``; ``within`` asks for a value no farther than
            ``tolerance`` from it.
        bound: What is measured is compared with it; for a ratio the neutral bound is 1.
        tolerance: For ``within``.
        compare: ``difference`` (``figure - against``) or ``ratio`` (``figure / against``).
        profiles: Profiles under which it is asked.
    """

    label: str
    figure: str
    against: str | None = None
    relation: Relation = "above"
    bound: float = 0.0
    tolerance: float | None = None
    compare: Compare = "difference"
    profiles: tuple[str, ...] = ("cpu", "gpu")

    def __post_init__(self) -> None:
        if self.relation not in get_args(Relation) or self.compare not in get_args(Compare):
            raise ValueError(
                f"Check {self.label!r}: {self.relation!r} or {self.compare!r} is not known."
            )
        if not math.isfinite(self.bound):
            raise ValueError(f"Check {self.label!r}: the bound is not a finite number.")
        if (self.relation == "within") != (self.tolerance is not None):
            raise ValueError(f"Check {self.label!r}: tolerance goes with the relation 'within'.")
        if self.tolerance is not None and not 0 <= self.tolerance < math.inf:
            raise ValueError(f"Check {self.label!r}: tolerance is 0 or more, not {self.tolerance}.")
        if self.compare == "ratio" and self.against is None:
            raise ValueError(f"Check {self.label!r}: a ratio needs a figure to compare with.")

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the figures it needs."""
        return (self.figure,) if self.against is None else (self.figure, self.against)

    def condition(self) -> str:
        """The inequality in words, as it stands on a page."""
        if self.against is None:
            what = self.figure
        else:
            what = f"{self.figure} {'−' if self.compare == 'difference' else '÷'} {self.against}"
        if self.relation == "within":
            return f"{what} is {self.bound:g} ± {self.tolerance:g}"
        return f"{what} {'>' if self.relation == 'above' else '<'} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement of a work that a protocol can test.

    Attributes:
        id: Slug, unique among all claims: ``dual-temperature-6``.
        statement: What the work says, restated; one sentence.
        metric: What is measured, with its unit.
        better: Which way the metric improves.
        reported: As printed ("+3.9 to +6.4 points"); empty for "direction only".
        location: Where the work says so ("Table 3"), or who says that it does.
        protocol: Name of the protocol, among the paper's.
        checks: What has to hold.
        profiles: Profile to what is reduced there against the work's own setting; empty text for nothing.
        not_run: Profile to the reason why it cannot test this claim.
        controls: The control arms, as a sentence.
        reported_value: The printed number where it is one number, in the metric's unit.
        curve: Name of the protocol's curve that shows it best.
        learned: What the attempts taught, in a sentence or two; a person's note beside the verdict.
    """

    id: str
    statement: str
    metric: str
    location: str
    protocol: str
    checks: tuple[Check, ...]
    profiles: Mapping[str, str]
    better: Better = "higher"
    reported: str = ""
    reported_value: float | None = None
    not_run: Mapping[str, str] = field(default_factory=dict)
    controls: str = ""
    curve: str = ""
    learned: str = ""

    def __post_init__(self) -> None:
        if not SLUG.fullmatch(self.id):
            raise ValueError(f"Claim {self.id!r}: an id is lower-case words joined by hyphens.")
        if self.better not in get_args(Better):
            raise ValueError(f"Claim {self.id}: a metric is never better {self.better!r}.")
        if not self.checks:
            raise ValueError(f"Claim {self.id}: it has no check, so nothing could decide it.")
        for profile in self.profiles:
            if not self.checks_for(profile):
                raise ValueError(
                    f"Claim {self.id}: no check is asked under the profile {profile!r}."
                )

    def checks_for(self, profile: str) -> tuple[Check, ...]:
        """The checks asked under a profile."""
        return tuple(check for check in self.checks if profile in check.profiles)

    def needs(self, profile: str) -> tuple[str, ...]:
        """Names of the figures that its checks under a profile compare, each once."""
        names = (name for check in self.checks_for(profile) for name in check.figures)
        return tuple(dict.fromkeys(names))

    @property
    def printed(self) -> str:
        """What stands in print, in words."""
        return self.reported.strip() or "direction only"

    def to_dict(self) -> dict[str, Any]:
        """As plain data; an attempt keeps this copy."""
        return asdict(self)

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Claim:
        """From plain data.

        Raises:
            ValueError: Something is missing, unknown or contradicts itself.
        """
        try:
            for name in ("profiles", "not_run"):
                given.get(name, {}).items()
            for name in TEXTS:
                if not isinstance(given.get(name, ""), str):
                    raise TypeError(f"its {name} is no text")
            checks = tuple(
                Check(**{**check, "profiles": tuple(check["profiles"])})
                for check in given["checks"]
            )
            return cls(**{**given, "checks": checks})
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"This is no claim: {error}.") from error


@dataclass(frozen=True)
class Paper:
    """The claims of one work and the protocols that test them; what a package offers under the entry point.

    Attributes:
        slug: Short name, used in commands: ``dual-temperature``.
        title: The work's title.
        identifiers: ``scheme:value`` by any of which the record may know the work ("arxiv:2203.17248").
        version: Which version of the work ("CVPR 2022").
        claims: In order.
        protocols: Those that the claims name.
        known: What of the work was read, and what could not be, so that a reader knows whose numbers stand
            as printed.
        learned: What the attempts taught, a paragraph of plain text.
    """

    slug: str
    title: str
    identifiers: tuple[str, ...]
    version: str
    claims: tuple[Claim, ...]
    protocols: tuple[Protocol, ...]
    known: str = ""
    learned: str = ""

    def __post_init__(self) -> None:
        if not SLUG.fullmatch(self.slug):
            raise ValueError(f"Paper {self.slug!r}: a slug is lower-case words joined by hyphens.")
        for identifier in self.identifiers:
            if not IDENTIFIER.fullmatch(identifier):
                raise ValueError(
                    f"Paper {self.slug}: {identifier!r} is not of the form scheme:value."
                )
        names = [protocol.name for protocol in self.protocols]
        if len(set(names)) < len(names):
            raise ValueError(f"Paper {self.slug}: two protocols have one name.")
        ids = [claim.id for claim in self.claims]
        if len(set(ids)) < len(ids):
            raise ValueError(f"Paper {self.slug}: two claims have one id.")
        for claim in self.claims:
            if claim.protocol not in names:
                raise ValueError(f"Claim {claim.id}: there is no protocol {claim.protocol!r}.")
            protocol = self.protocol(claim.protocol)
            for profile in claim.profiles:
                if profile not in protocol.profiles:
                    raise ValueError(
                        f"Claim {claim.id}: the protocol {claim.protocol} has no profile {profile!r}."
                    )
            for figure in (name for check in claim.checks for name in check.figures):
                if protocol.described(figure) is None:
                    raise ValueError(
                        f"Claim {claim.id}: the protocol {claim.protocol} declares no figure {figure!r}."
                    )

    def protocol(self, name: str) -> Protocol:
        """A protocol by its name.

        Raises:
            KeyError: There is none.
        """
        for protocol in self.protocols:
            if protocol.name == name:
                return protocol
        raise KeyError(name)

    def tested_by(self, protocol: str, profile: str) -> tuple[Claim, ...]:
        """The claims that a protocol tests under a profile."""
        return tuple(c for c in self.claims if c.protocol == protocol and profile in c.profiles)
