"""Claims that run: list, show, run, import, export, note."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from peerscope.cli.claimed import authors_of, find_paper
from peerscope.cli.context import Home, Json, err, out, print_json, settings_for
from peerscope.cli.errors import CommandError, Exit, explained
from peerscope.cli.progress import Report, reporting
from peerscope.cli.reproduced import (
    attempt_row,
    claim_row,
    claims_table,
    print_claim,
    print_table,
    say,
    verdict_line,
    warn,
)
from peerscope.reproduce import Claim, DamagedAttempt, Paper, Protocol, Registry, load_registry
from peerscope.reproduce.notes import Kind, Note
from peerscope.reproduce.overview import Overview
from peerscope.reproduce.store import Store, sealed_below
from peerscope.reproduce.verdict import DECIDING
from peerscope.settings import Settings

app = typer.Typer(
    name="reproduce",
    help="Claims of works that can be run: what was printed, what was measured, and the verdict.",
    no_args_is_help=True,
)

PaperName = Annotated[
    str,
    typer.Argument(
        metavar="PAPER", help="Short name, DOI, arXiv id, or W-number of the site's record."
    ),
]
OneClaim = Annotated[str | None, typer.Option("--claim", metavar="CLAIM", help="This claim only.")]
By = Annotated[str, typer.Option("--by", help="Your name, as it is to stand there.")]
LOG_LINES = 12


def register(parent: typer.Typer) -> None:
    """Add the group of commands of this module."""
    app.command("list")(list_claims)
    app.command("show")(show)
    app.command("run")(run)
    app.command("import")(import_attempts)
    app.command("export")(export)
    app.command("note")(note)
    parent.add_typer(app)


def list_claims(
    paper: Annotated[str | None, typer.Argument(metavar="[PAPER]", help="Its claims only.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """List the claims with what was printed, what was measured, and the verdict."""
    with explained(err):
        settings, registry = settings_for(home), _registry()
        store = store_of(settings)
        overview = Overview(registry, store)
        found = (
            overview.of_paper(find_paper(registry, paper, settings)) if paper else overview.rows()
        )
        rows = [claim_row(one) for one in found]
        _tell_problems(store)
        if as_json:
            print_json(rows)
        elif rows:
            print_table(claims_table(rows))
        else:
            out.print("No installed package offers claims.")


def show(
    paper: PaperName, claim: OneClaim = None, home: Home = None, as_json: Json = False
) -> None:
    """Show a paper's claims with every check, every attempt and every note."""
    with explained(err):
        settings, registry = settings_for(home), _registry()
        store = store_of(settings)
        found = find_paper(registry, paper, settings)
        wanted = _claims(found, claim)
        standing = Overview(registry, store).of_paper(found)
        rows = [claim_row(one) for one in standing if one.claim in wanted]
        ids = dict.fromkeys(attempt["attempt"] for row in rows for attempt in row["attempts"])
        notes = {id: store.notes(id) for id in ids}
        _tell_problems(store)
        if as_json:
            told = {id: [_note(one) for one in kept] for id, kept in notes.items()}
            print_json({"paper": found.slug, "title": found.title, "version": found.version,
                        "known": found.known, "learned": found.learned, "claims": rows,
                        "notes": told})  # fmt: skip
            return
        say(f"{found.title} ({found.version})", style="bold underline")
        for text in (found.known, found.learned):
            if text:
                say(text)
        for row in rows:
            print_claim(row)
        for id, kept in notes.items():
            for one in kept:
                about = f" on {one.claim}" if one.claim else ""
                say(f"{one.kind.capitalize()} of {one.by}{about}, attempt {id}: {one.text}")


def run(
    paper: PaperName,
    claim: OneClaim = None,
    profile: Annotated[
        str, typer.Option("--profile", help="cpu, gpu, or tiny, which decides nothing.")
    ] = "cpu",
    seeds: Annotated[
        int | None, typer.Option(min=1, max=9999, help="How many; else as the protocol says.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Seeds that run at once.")] = 1,
    by: By = "",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Run the protocols of a paper's claims, each seed in a process of its own, without network.

    Ctrl-C keeps finished seeds; the same command goes on from there.
    """
    with explained(err):
        settings, registry = settings_for(home), _registry()
        found = find_paper(registry, paper, settings)
        protocols = _protocols(found, claim, profile)
        store = store_of(settings)
        told = []
        with reporting(err, quiet=as_json) as progress:
            for protocol in protocols:
                number = seeds or protocol.profiles[profile].seeds
                told.append(
                    _run(store, registry, found, protocol, profile, number, jobs, by, progress)
                )
        if as_json:
            print_json(told)
        failed = sum(row["state"] == "failed" for row in told)
        if failed:
            raise CommandError(
                f"{failed} of {len(told)} protocols failed; each is kept as a failed attempt with its log."
            )


def import_attempts(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Sealed folders, or folders of them.")
    ],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Take in attempts that were made elsewhere; one that was changed after it was sealed is refused."""
    with explained(err):
        store = store_of(settings_for(home))
        taken: list[dict[str, Any]] = []
        refused: list[dict[str, str]] = []
        for folder in folders:
            for sealed in sealed_below(folder) or [folder]:
                try:
                    came = store.take(sealed)
                except DamagedAttempt as error:
                    refused.append({"folder": str(sealed), "reason": str(error)})
                    continue
                taken.append({"attempt": came.id, "new": came.new, "folder": str(sealed)})
        if as_json:
            print_json({"taken": taken, "refused": refused})
        for row in taken if not as_json else ():
            state = "taken in" if row["new"] else "is here already"
            say(f"Attempt {row['attempt']} {state}.")
        for row in refused:
            warn(f"Refused: {row['reason']}")
        if refused:
            raise CommandError(
                f"{len(refused)} of {len(refused) + len(taken)} folders were refused; an attempt is the "
                f"folder that a protocol wrote, whole and as it was sealed."
            )


def export(
    paper: PaperName,
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="New folder.")],
    codechecker: Annotated[
        list[str] | None,
        typer.Option(help='Who answers for the check: "Name 0000-0002-1825-0097"; again for more.'),
    ] = None,
    author: Annotated[
        list[str] | None,
        typer.Option(help="Author of the work, likewise; else the record's, if it has the work."),
    ] = None,
    license: Annotated[
        str, typer.Option("--license", help="SPDX identifier, address or sentence.")
    ] = "",
    certificate: Annotated[str, typer.Option(help="Of the CODECHECK register: YYYY-NNN.")] = "",
    report: Annotated[str, typer.Option(help="Address of the published certificate.")] = "",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Write a paper's attempts as a folder of its own, with RO-Crate 1.2 and codecheck.yml."""
    from peerscope.reproduce.export import export_paper
    from peerscope.reproduce.people import read_person

    with explained(err):
        settings, registry = settings_for(home), _registry()
        found = find_paper(registry, paper, settings)
        authors = [read_person(one) for one in author or authors_of(settings, found)]
        store = store_of(settings)
        attempts = [one.whole() for one in store.of_paper(found.slug)]
        done = export_paper(
            found, attempts, folder, authors=authors,
            codecheckers=[read_person(one) for one in codechecker or ()],
            license=license, certificate=certificate, report=report,
            notes={one.id: store.notes(one.id) for one in attempts},
        )  # fmt: skip
        if as_json:
            print_json({"folder": str(done.folder), "attempts": done.attempts,
                        "missing": list(done.missing)})  # fmt: skip
            return
        say(f"{done.attempts} attempts written to {done.folder}.")
        if done.missing:
            say(f"For the CODECHECK register it lacks: {'; '.join(done.missing)}.")


def note(
    attempt: Annotated[str, typer.Argument(help="Id of the attempt.")],
    text: Annotated[str, typer.Argument(help="Plain text.")],
    by: By,
    claim: Annotated[
        str, typer.Option("--claim", metavar="CLAIM", help="Claim that it is about.")
    ] = "",
    reply: Annotated[
        bool, typer.Option("--reply", help="You answer for the work that it is about.")
    ] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Put a note beside an attempt. It stays; no note changes a verdict."""
    with explained(err):
        kind: Kind = "reply" if reply else "note"
        written = store_of(settings_for(home)).note(attempt, Note(by, text, kind, claim))
        if as_json:
            print_json({"attempt": attempt, **_note(written)})
        else:
            say(f"The {kind} stands beside attempt {attempt}.")


def store_of(settings: Settings) -> Store:
    """The attempts of a site."""
    return Store(settings.reproductions)


def take_shipped(settings: Settings) -> int:
    """Take in the evidence that comes with the package, and say how much of it is new."""
    new, refused = store_of(settings).take_shipped()
    for sentence in refused:
        warn(f"Shipped evidence refused: {sentence}")
    if new:
        warn(
            f"{len(new)} attempts at claims of the starter collection came with the package; "
            f"`peerscope reproduce list` shows them."
        )
    return len(new)


def _registry() -> Registry:
    registry = load_registry()
    for problem in registry.problems:
        warn(problem)
    return registry


def _tell_problems(store: Store) -> None:
    for problem in store.problems():
        warn(problem)


def _claims(paper: Paper, wanted: str | None) -> tuple[Claim, ...]:
    if wanted is None:
        return paper.claims
    found = tuple(claim for claim in paper.claims if claim.id == wanted)
    if not found:
        known = ", ".join(claim.id for claim in paper.claims)
        raise CommandError(f"{paper.slug} has no claim {wanted!r:.200}; it has: {known}.")
    return found


def _protocols(paper: Paper, claim: str | None, profile: str) -> list[Protocol]:
    """The protocols that are to be run, each once, in the order of the claims."""
    chosen = _claims(paper, claim)
    if profile in DECIDING:
        tested = [one for one in chosen if profile in one.profiles]
    else:
        tested = [one for one in chosen if profile in paper.protocol(one.protocol).profiles]
    if not tested:
        reasons = {one.not_run[profile] for one in chosen if profile in one.not_run}
        known = sorted({name for one in chosen for name in paper.protocol(one.protocol).profiles})
        raise CommandError(
            f"{claim or paper.slug} is not tested under the profile {profile!r:.80}. "
            + (" ".join(sorted(reasons)) or f"Its profiles: {', '.join(known)}.")
        )
    names = dict.fromkeys(one.protocol for one in tested)
    protocols = [paper.protocol(name) for name in names]
    _demand_machine(protocols, profile)
    return protocols


def _demand_machine(protocols: list[Protocol], profile: str) -> None:
    """Refuse what this machine cannot run at all, before it becomes a failed attempt."""
    if any(one.entry.startswith("peerscope.") for one in protocols) and not find_spec("torch"):
        raise CommandError("Protocols need PyTorch: pip install 'peerscope[learn]'.")
    device = any(one.profiles[profile].device == "cuda" for one in protocols)
    if device and not any(
        Path(place).exists() for place in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
    ):
        raise CommandError(
            f"The profile {profile} needs a GPU, and this machine has none. Use --profile cpu, or run "
            f"`python -m peerscope.reproduce.protocols.{protocols[0].name} --profile {profile} --out DIR` "
            f"on a machine that has one and take the folder in with `peerscope reproduce import DIR`."
        )


def _run(
    store: Store,
    registry: Registry,
    paper: Paper,
    protocol: Protocol,
    profile: str,
    seeds: int,
    jobs: int,
    by: str,
    progress: Report,
) -> dict[str, Any]:
    from peerscope.reproduce.runner import run_protocol
    from peerscope.reproduce.working import BusyRun, Plan

    def moved(what: str, done: int, total: int | None) -> None:
        progress(what.replace("[", r"\["), done, total or None)

    def told(sentence: str) -> None:
        warn(f"{protocol.name}: {sentence}")

    plan = Plan(paper, registry.origins[paper.slug], protocol, profile, seeds, by)
    try:
        ran = run_protocol(store, plan, jobs=jobs, moved=moved, told=told)
    except BusyRun as error:
        raise CommandError(str(error), Exit.BUSY) from error
    attempt = store.attempt(ran.attempt)
    if attempt is None:
        raise CommandError(f"The attempt {ran.attempt} cannot be read back from {store.folder}.")
    if ran.failure:
        told(f"failed. {ran.failure}")
        for line in attempt.log().splitlines()[-LOG_LINES:]:
            warn(f"  {line}")
        told(f"the whole log is in {attempt.folder / 'log.txt'}")
    else:
        told(f"attempt {attempt.id}, {len(attempt.about['seeds'])} seeds")
        for id, verdict in attempt.verdicts.items():
            told(verdict_line(id, verdict))
    return attempt_row(attempt)


def _note(written: Note) -> dict[str, str]:
    return {"by": written.by, "text": written.text, "kind": written.kind, "claim": written.claim,
            "at": written.at}  # fmt: skip
