"""The table of all claims as Markdown: printed, measured, interval, seeds, profile, verdict, command.

``python -m peerscope.reproduce.report DOCUMENT`` rewrites what stands between the document's two markers from
the evidence that comes with the package; a test fails when the two differ.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from peerscope.atomic import written
from peerscope.reproduce.overview import ClaimRow, Overview, tally
from peerscope.reproduce.registry import load_registry
from peerscope.reproduce.store import Store

BEGIN = "<!-- the table begins: `python -m peerscope.reproduce.report docs/reproductions.md` writes it -->"
END = "<!-- the table ends -->"


def report(overview: Overview) -> str:
    """The counts, then one table a work with a paragraph of what was learned."""
    rows = overview.rows()
    counts = ", ".join(f"{number} {words}" for _, words, number in tally(rows))
    parts = [f"{len(rows)} claims of {len(overview.registry.papers)} works: {counts}."]
    for paper in overview.registry.papers.values():
        parts.append(
            f"### {paper.title}\n\n{_plain(paper.version)}. {_plain(paper.known)}".rstrip()
        )
        parts.append(_table(overview.of_paper(paper)))
        if paper.learned:
            parts.append(_plain(paper.learned))
        parts.append(_commands(overview.of_paper(paper)))
    return "\n\n".join(part for part in parts if part)


def _table(rows: Sequence[ClaimRow]) -> str:
    lines = [
        "| claim | printed | measured | 95 % interval | checks | seeds | profile | verdict |",
        "| --- | --- | ---: | --- | --- | ---: | --- | --- |",
    ]
    for row in rows:
        said = f"`{row.claim.id}` {_cell(row.claim.statement)}"
        printed = _cell(row.claim.printed)
        if row.verdict is None:
            told = f"not run: {_cell(row.why_not_run)}" if row.why_not_run else "not run yet"
            lines.append(f"| {said} | {printed} | | | | | | {told} |")
            continue
        first = row.verdict.checks[0]
        held = sum(one.state in ("holds", "exceeded") for one in row.verdict.checks)
        reduced = _cell(row.claim.profiles[row.verdict.profile])
        profile = f"{row.verdict.profile}; {reduced}" if reduced else row.verdict.profile
        lines.append(
            f"| {said} | {printed} | {first.measured:.3g} | {first.low:.3g} to {first.high:.3g} | "
            f"{held} of {len(row.verdict.checks)} hold | {row.verdict.seeds} | {profile} | **{row.words}** |"
        )
    return "\n".join(lines)


def _commands(rows: Sequence[ClaimRow]) -> str:
    names = dict.fromkeys(
        f"peerscope reproduce run {row.paper.slug} --claim {row.claim.id} --profile {row.verdict.profile}"
        for row in rows
        if row.verdict
    )
    if not names:
        return ""
    first = next(iter(names))
    return f"Run again: `peerscope reproduce run {rows[0].paper.slug}` for all, `{first}` for one."


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def _plain(text: str) -> str:
    return " ".join(text.split())


def rewritten(document: str, overview: Overview) -> str:
    """A document with the table between its markers made anew.

    Raises:
        ValueError: It has no markers.
    """
    if BEGIN not in document or END not in document:
        raise ValueError("The document has no markers for the table.")
    before, rest = document.split(BEGIN, 1)
    return f"{before}{BEGIN}\n\n{report(overview)}\n\n{END}{rest.split(END, 1)[1]}"


def main() -> None:
    """Rewrite the document named on the command line."""
    path = Path(sys.argv[1])
    with TemporaryDirectory() as folder:
        store = Store(Path(folder))
        _, refused = store.take_shipped()
        if refused:
            raise SystemExit("\n".join(refused))
        text = rewritten(path.read_text("utf-8"), Overview(load_registry(()), store))
    with written(path) as stream:
        stream.write(text.encode())
    path.chmod(0o644)


if __name__ == "__main__":
    main()
