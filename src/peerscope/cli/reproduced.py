"""Claims and what came of them, as rows for a terminal and as plain data for programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from peerscope.cli.context import err, out
from peerscope.reproduce import Verdict
from peerscope.reproduce.kept import Kept
from peerscope.reproduce.overview import ClaimRow
from peerscope.reproduce.store import Standing
from peerscope.reproduce.verdict import CheckResult

WIDE = 170
"""Columns of a table that goes to a file or a pipe."""
DIRECTION = "direction only"
ONLY_FAILED = "failed"


def claim_row(found: ClaimRow) -> dict[str, Any]:
    """What stands on a claim, as plain data."""
    claim = found.claim
    row: dict[str, Any] = {
        "claim": claim.id,
        "paper": found.paper.slug,
        "statement": claim.statement,
        "metric": claim.metric,
        "location": claim.location,
        "printed": claim.reported or None,
        "reduced": dict(claim.profiles),
        "not_run": dict(claim.not_run),
        "controls": claim.controls,
        "learned": claim.learned,
        "protocol": claim.protocol,
        "state": None,
        "words": ONLY_FAILED if found.tried else found.words,
        "profile": None,
        "seeds": None,
        "sentence": None,
        "rule": None,
        "checks": [],
        "attempt": None,
        "by": None,
        "ended": None,
        "checks_changed_since": None,
        "attempts": [attempt_row(one) for one in found.tried],
    }
    return row | (_with_verdict(found.standing) if found.standing else {})


def attempt_row(attempt: Kept) -> dict[str, Any]:
    """What an attempt says of itself, as plain data."""
    about = attempt.about
    return {
        "attempt": attempt.id,
        "paper": attempt.paper,
        "protocol": attempt.protocol,
        "profile": attempt.profile,
        "state": about["state"],
        "failure": about.get("failure") or None,
        "seeds": len(about["seeds"]),
        "by": about.get("by") or None,
        "guarded": about.get("guarded") or None,
        "started": about["started"],
        "ended": about["ended"],
        "folder": str(attempt.folder),
        "verdicts": {id: verdict.state for id, verdict in attempt.verdicts.items()},
    }


def claims_table(rows: Iterable[dict[str, Any]]) -> Table:
    """One line a claim: printed, measured with interval, verdict, seeds, profile."""
    table = Table(box=None, pad_edge=False)
    for name in ("claim", "printed", "measured, 95 % interval", "verdict"):
        table.add_column(name)
    table.add_column("seeds", justify="right")
    table.add_column("profile")
    for row in rows:
        cells = (
            row["claim"], row["printed"] or DIRECTION, _measured(row["checks"]), row["words"],
            "" if row["seeds"] is None else str(row["seeds"]), row["profile"] or "",
        )  # fmt: skip
        # Text never reads markup, which a claim of another package may hold
        table.add_row(*(Text(cell) for cell in cells))
    return table


def print_table(table: Table) -> None:
    """On standard output, wide enough to be read where no terminal says how wide it is."""
    Console(width=None if out.is_terminal else WIDE).print(table)


def print_claim(row: dict[str, Any]) -> None:
    """Everything on one claim."""
    say(f"{row['claim']}: {row['statement']}", style="bold")
    say(f"  {row['location']}; printed: {row['printed'] or DIRECTION}; metric: {row['metric']}")
    if row["controls"]:
        say(f"  Controls: {row['controls']}")
    for profile, reduced in row["reduced"].items():
        say(f"  {profile}: {reduced or 'as in the work'}")
    for profile, reason in row["not_run"].items():
        say(f"  {profile}: cannot test it. {reason}")
    if row["state"] is None:
        say(f"  {row['words'].capitalize()}.")
    else:
        say(
            f"  {row['words'].capitalize()} (rule {row['rule']}, profile {row['profile']}, "
            f"{row['seeds']} seeds, attempt {row['attempt']}). {row['sentence']}"
        )
        for check in row["checks"]:
            say(f"    {check['label']}: {_figures(check)}; {check['condition']}: {check['state']}")
        if row["checks_changed_since"]:
            say(
                "  The claim had other checks when the attempt was made; the verdict is by those of now."
            )
    if row["learned"]:
        say(f"  Learned: {row['learned']}")
    for attempt in row["attempts"]:
        by = f" by {attempt['by']}" if attempt["by"] else ""
        failure = f": {attempt['failure']}" if attempt["failure"] else ""
        say(f"  Attempt {attempt['attempt']}, {attempt['profile']}, {attempt['ended']}{by}, "
            f"{attempt['state']}{failure}")  # fmt: skip


def verdict_line(claim: str, verdict: Verdict) -> str:
    """A claim's verdict with the figures of its first check."""
    first = verdict.to_dict()["checks"][0]
    return f"{claim}: {verdict.words}. {first['label']}: {_figures(first)}. {verdict.sentence}"


def say(text: str, style: str = "") -> None:
    """A line of plain text, whatever it holds."""
    out.print(Text(text, style=style))


def warn(text: str) -> None:
    """A line of plain text beside the results, whatever it holds."""
    err.print(Text(text), soft_wrap=True)


def _with_verdict(standing: Standing) -> dict[str, Any]:
    verdict, attempt = standing.verdict, standing.attempt
    return {
        "state": verdict.state,
        "words": verdict.words,
        "profile": verdict.profile,
        "seeds": verdict.seeds,
        "sentence": verdict.sentence,
        "rule": verdict.rule,
        "checks": [_check(check) for check in verdict.checks],
        "attempt": attempt.id,
        "by": attempt.about.get("by") or None,
        "ended": attempt.about["ended"],
        "checks_changed_since": standing.changed,
    }


def _check(check: CheckResult) -> dict[str, Any]:
    return {
        "label": check.label, "condition": check.condition, "measured": check.measured,
        "low": check.low, "high": check.high, "per_seed": list(check.per_seed), "state": check.state,
    }  # fmt: skip


def _measured(checks: list[dict[str, Any]]) -> str:
    if not checks:
        return ""
    more = f" (first of {len(checks)} checks)" if len(checks) > 1 else ""
    return f"{_figures(checks[0])}{more}"


def _figures(check: dict[str, Any]) -> str:
    return f"{check['measured']:.3g} [{check['low']:.3g}, {check['high']:.3g}]"
