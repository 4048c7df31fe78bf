"""The ``README.md`` of an export: what it holds and what may be said of it, in words."""

from __future__ import annotations

import re

from peerscope.reproduce.attempts import Attempt
from peerscope.reproduce.bundle import Bundle, Judged, addresses, command_of, folder_of
from peerscope.reproduce.codecheck import configuration, missing
from peerscope.reproduce.verdict import RULE, CheckResult, rule_text

MARKS = re.compile(r"([\\`*_{}\[\]<>#|~&])")


def readme_text(about: Bundle) -> str:
    """The page; text from papers and protocols stays text."""
    paper = about.paper
    parts = [
        f"# Attempts at the claims of “{_plain(paper.title)}”",
        f"{_plain(paper.version)}. {' · '.join(f'<{one}>' for one in addresses(paper))}".strip(),
        "A verdict is about one claim as it was tested here, with the data, model and budget named beside "
        "it. It is not about the work as a whole, nor about its authors. Where a run is reduced against the "
        "work's own setting, only the direction of a claim is tested, never the printed number.",
        _plain(paper.known),
        "## Verdicts",
        _table(about),
        _plain(paper.learned),
        "## Attempts",
        *(_attempt(about, attempt) for attempt in about.attempts),
        "## Rule",
        f"Verdict rule {RULE}; `verdicts.json` holds every check with its interval and seeds.",
        "\n".join(f"> {line}".rstrip() for line in rule_text().splitlines()),
        "## Files",
        "- `codecheck/`: the sealed attempts. `sha256sum --check SHA256SUMS` inside one checks its files; "
        "the first twelve digits of the SHA-256 of `SHA256SUMS` itself are its id.\n"
        "- `verdicts.json`: verdicts, checks, the rule.\n"
        "- `ro-crate-metadata.json`: the same for machines, [RO-Crate 1.2](https://w3id.org/ro/crate/1.2).\n"
        "- `codecheck.yml`: configuration 2.0 of [CODECHECK](https://codecheck.org.uk/).",
        _lacks(about),
        "## Licence",
        _plain(about.license) or "None is stated for these files; ask those who ran the attempts.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(about: Bundle) -> str:
    rows = [
        "| claim | printed | measured, with 95 % interval | verdict | profile, seeds | reduced |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    rows += [
        _row(attempt, judged) for attempt in about.attempts for judged in about.judged[attempt.id]
    ]
    return "\n".join(rows) if len(rows) > 2 else "No claim was tested."


def _row(attempt: Attempt, judged: Judged) -> str:
    claim, verdict = judged.claim, judged.verdict
    told = (
        f"**{verdict.words}**: {verdict.sentence}" if verdict else f"none: {_plain(judged.reason)}"
    )
    if judged.changed:
        told += " The claim is stated otherwise today."
    cells = [
        f"{claim.id}: {_plain(claim.statement)}",
        _plain(claim.printed),
        "; ".join(_measured(check) for check in verdict.checks) if verdict else "",
        told,
        f"{_plain(attempt.profile)}, {len(attempt.seeds)}",
        _plain(claim.profiles.get(attempt.profile, "")),
    ]
    return f"| {' | '.join(cells)} |"


def _measured(check: CheckResult) -> str:
    return (
        f"{_plain(check.label)}: {check.measured:.4g} [{check.low:.4g}, {check.high:.4g}] "
        f"({_plain(check.condition)}: {check.state})"
    )


def _attempt(whole: Bundle, attempt: Attempt) -> str:
    about = attempt.about
    lines = [
        f"### {_plain(str(about['protocol']['name']))}, {_plain(attempt.profile)}",
        f"`{folder_of(attempt)}`",
        _plain(str(about["protocol"].get("summary", ""))),
        f"Run again with `{command_of(attempt).replace('`', '')}`.",
        f"{'Finished' if attempt.finished else 'Failed'}; from {_plain(str(about['started']))} "
        f"to {_plain(str(about['ended']))}"
        + (f", by {_plain(str(about['by']))}" if about.get("by") else "")
        + ".",
    ]
    if not attempt.finished:
        lines.append(f"Failure: {_plain(str(about.get('failure', '')))}")
    for said in whole.notes.get(attempt.id, ()):
        where = f" on {_plain(said.claim)}" if said.claim else ""
        lines.append(
            f"{_plain(said.kind).capitalize()} of {_plain(said.by)}{where}, {_plain(said.at)}: "
            f"{_plain(said.text)}"
        )
    return "\n\n".join(line for line in lines if line)


def _lacks(about: Bundle) -> str:
    lacks = missing(configuration(about))
    if not lacks:
        return ""
    return "`codecheck.yml` is not complete. Not known to the export:\n\n" + "\n".join(
        f"- {_plain(one)}" for one in lacks
    )


def _plain(text: str) -> str:
    """Text on one line in which no character is a mark of Markdown or HTML."""
    return MARKS.sub(r"\\\1", " ".join(text.split()))
