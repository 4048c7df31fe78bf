"""Verdicts: computed from figures by a published rule (docs/reproduce.md), never typed in.

Rule 1:

1. What a check measures is taken seed by seed. Its interval is the wider, on either side, of a paired
   bootstrap over seeds (and over units inside a seed) and of Student's t over the seeds, both at 95 %. With
   three seeds a bootstrap alone reaches from the smallest to the largest and is too sure of itself.
2. A check *holds* if its whole interval does, *fails* if none of its interval does, and is *open* otherwise.
   For ``within`` the range beyond the tolerance on the better side of the metric is *exceeded*.
3. A claim is ``reproduced`` if every check holds; ``exceeded`` if every check holds or is exceeded, and one
   is; ``partly`` if some hold and others do not; ``not reproduced`` if none holds and one fails; else
   ``not resolved``. Fewer than three seeds, or a profile that decides nothing, never give a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from peerscope.reproduce.claims import Check, Claim

RULE = "1"
FEWEST_SEEDS = 3
RESAMPLES = 4_000
LEVEL = 0.95
DRAWN_AT_ONCE = 2_000_000
"""Units drawn at a time, so that memory stays small however many units a figure has."""
DECIDING = ("cpu", "gpu")

State = Literal["reproduced", "exceeded", "partly", "not_reproduced", "not_resolved"]
CheckState = Literal["holds", "fails", "open", "exceeded"]
Figure = float | Sequence[float]

STATES: Mapping[State, str] = {
    "reproduced": "reproduced",
    "exceeded": "exceeded",
    "partly": "partly reproduced",
    "not_reproduced": "not reproduced",
    "not_resolved": "not resolved",
}
"""State to its words."""

# Two-sided 95 % points of Student's t by degrees of freedom, from 1; the table ends where seeds do.
_T95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What came of one check.

    Attributes:
        label: The check's.
        condition: Its inequality in words.
        measured: Mean over seeds.
        low: Lower end of the interval.
        high: Upper end.
        per_seed: What each seed measured.
        state: Whether it holds.
    """

    label: str
    condition: str
    measured: float
    low: float
    high: float
    per_seed: tuple[float, ...]
    state: CheckState


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the figures of one attempt say of a claim.

    Attributes:
        claim: The claim's id.
        state: One of five.
        rule: Version of the rule.
        profile: Under which profile.
        seeds: How many.
        checks: In the claim's order.
        sentence: Why it is so.
    """

    claim: str
    state: State
    rule: str
    profile: str
    seeds: int
    checks: tuple[CheckResult, ...]
    sentence: str

    @property
    def words(self) -> str:
        """The state in words."""
        return STATES[self.state]

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def interval(values: Sequence[NDArray[np.float64]]) -> tuple[float, float, float]:
    """Mean and 95 % interval of what several seeds measured, the wider of bootstrap and Student's t.

    Args:
        values: One array a seed, of one value a unit (or a single one).

    Returns:
        Mean over seeds, lower and upper end; the ends are the mean for one seed of one unit.

    Raises:
        ValueError: There is no seed.
    """
    if not values:
        raise ValueError("There is no seed to measure by.")
    means = np.array([array.mean() for array in values])
    middle = float(means.mean())
    ends = [middle, middle]
    for low, high in (_bootstrapped(values, means), _student(means)):
        ends = [min(ends[0], low), max(ends[1], high)]
    return middle, ends[0], ends[1]


def _bootstrapped(
    values: Sequence[NDArray[np.float64]], means: NDArray[np.float64]
) -> tuple[float, float]:
    chance = np.random.default_rng(20260101)
    number = len(values)
    if all(len(array) == 1 for array in values):
        drawn = means[chance.integers(number, size=(RESAMPLES, number))].mean(axis=1)
    else:
        # the means of one seed's resampled units serve every time that this seed is drawn anew
        resampled = np.stack([_resampled(array, chance) for array in values])
        chosen = chance.integers(number, size=(RESAMPLES, number))
        columns = chance.integers(RESAMPLES, size=(RESAMPLES, number))
        drawn = resampled[chosen, columns].mean(axis=1)
    outside = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [outside, 1 - outside])
    return float(low), float(high)


def _resampled(array: NDArray[np.float64], chance: np.random.Generator) -> NDArray[np.float64]:
    size = len(array)
    if size == 1:
        return np.full(RESAMPLES, array[0])
    found = np.empty(RESAMPLES)
    step = max(1, DRAWN_AT_ONCE // size)
    for start in range(0, RESAMPLES, step):
        part = found[start : start + step]
        part[:] = array[chance.integers(size, size=(len(part), size))].mean(axis=1)
    return found


def _student(means: NDArray[np.float64]) -> tuple[float, float]:
    number = len(means)
    middle = float(means.mean())
    if number < 2:
        return middle, middle
    half = _t95(number - 1) * float(means.std(ddof=1)) / number**0.5
    return middle - half, middle + half


def _t95(freedom: int) -> float:
    """Two-sided 95 % point of Student's t; beyond the table by Fisher's expansion, right to 0.0001 there."""
    if freedom <= len(_T95):
        return _T95[freedom - 1]
    z = 1.959964
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def judge(claim: Claim, profile: str, figures: Sequence[Mapping[str, Figure]]) -> Verdict | None:
    """The verdict of an attempt on a claim.

    Args:
        claim: What is claimed.
        profile: Under which profile it was tried.
        figures: Of each seed, figure name to value or values of units.

    Returns:
        The verdict, or ``None`` where the profile decides nothing or no check is asked under it.

    Raises:
        ValueError: A figure that a check needs is missing or is not a finite number, two arms have different
            numbers of units, or what a ratio is taken to is 0.
    """
    checks = claim.checks_for(profile)
    if profile not in DECIDING or not checks:
        return None
    results = tuple(_checked(claim, check, figures) for check in checks)
    state, sentence = _decided([result.state for result in results], len(figures))
    return Verdict(claim.id, state, RULE, profile, len(figures), results, sentence)


def _checked(claim: Claim, check: Check, figures: Sequence[Mapping[str, Figure]]) -> CheckResult:
    measured = [_measured(claim, check, found) for found in figures]
    middle, low, high = interval(measured)
    per_seed = tuple(float(array.mean()) for array in measured)
    state = _state(check, claim.better, low, high)
    return CheckResult(check.label, check.condition(), middle, low, high, per_seed, state)


def _measured(claim: Claim, check: Check, found: Mapping[str, Figure]) -> NDArray[np.float64]:
    for name in check.figures:
        if name not in found:
            raise ValueError(f"Claim {claim.id}: there is no figure {name!r}.")
        if not np.isfinite(np.asarray(found[name], dtype=np.float64)).all():
            raise ValueError(f"Claim {claim.id}: the figure {name!r} is not a finite number.")
    first = np.atleast_1d(np.asarray(found[check.figure], dtype=np.float64))
    if check.against is None:
        return first
    second = np.atleast_1d(np.asarray(found[check.against], dtype=np.float64))
    if len(first) != len(second):
        raise ValueError(
            f"Claim {claim.id}: {check.figure} has {len(first)} units, {check.against} {len(second)}."
        )
    if check.compare == "difference":
        return first - second
    below = second.mean()
    if below == 0:
        raise ValueError(f"Claim {claim.id}: {check.against} is 0, so there is no ratio to it.")
    return np.array([first.mean() / below])


def _state(check: Check, better: str, low: float, high: float) -> CheckState:
    if check.relation == "above":
        return "holds" if low > check.bound else "fails" if high <= check.bound else "open"
    if check.relation == "below":
        return "holds" if high < check.bound else "fails" if low >= check.bound else "open"
    tolerance = check.tolerance or 0.0
    least, most = check.bound - tolerance, check.bound + tolerance
    if least <= low and high <= most:
        return "holds"
    if low > most:
        return "exceeded" if better == "higher" else "fails"
    if high < least:
        return "exceeded" if better == "lower" else "fails"
    return "open"


def _decided(states: Sequence[CheckState], seeds: int) -> tuple[State, str]:
    number = len(states)
    if seeds < FEWEST_SEEDS:
        return "not_resolved", f"Only {seeds} of the {FEWEST_SEEDS} seeds that a verdict takes."
    held = sum(state in ("holds", "exceeded") for state in states)
    failed = states.count("fails")
    told = f"{held} of {number} checks hold" if number > 1 else _single(states[0])
    if held == number:
        return ("exceeded" if "exceeded" in states else "reproduced"), f"{told}."
    rest = f", {failed} fail" if number > 1 and failed else ""
    unclear = states.count("open")
    rest += f", {unclear} cannot be told from chance" if number > 1 and unclear else ""
    if held:
        return "partly", f"{told}{rest}."
    return ("not_reproduced" if failed else "not_resolved"), f"{told}{rest}."


def _single(state: CheckState) -> str:
    return {
        "holds": "The whole interval is on the claimed side",
        "exceeded": "The whole interval is beyond the printed number, on the better side",
        "fails": "The whole interval is on the other side",
        "open": "The interval holds the bound",
    }[state]


@lru_cache(maxsize=1)
def rule_text() -> str:
    """The rule as stated in this module, for a page."""
    return (__doc__ or "").split("\n\n", 1)[1].strip()
