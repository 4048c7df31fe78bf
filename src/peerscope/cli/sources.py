"""Where the record comes from: its sources, taking one back, and what members bring from the page."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from peerscope.cli.context import Home, Json, err, open_record, out, print_json, settings_for
from peerscope.cli.errors import CommandError, Exit, explained
from peerscope.cli.progress import reporting
from peerscope.community.bringing import work_on
from peerscope.record import WriterBusyError
from peerscope.record.read.sources import page_of_sources, runs_of
from peerscope.record.withdraw import withdraw as withdraw_source
from peerscope.record.withdraw import withdrawal_of


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("sources")(sources)
    app.command("withdraw")(withdraw)
    app.command("bring")(bring)


def sources(
    home: Home = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Sources to show.")] = 100,
    as_json: Json = False,
) -> None:
    """List the sources of the record with their numbers, the latest first, and what was done with each."""
    with explained(err):
        database = open_record(settings_for(home), create=False)
        with database.session() as session:
            found = page_of_sources(session, 1, limit).rows
            runs = {one.id: runs_of(session, one.id) for one in found}
        if as_json:
            print_json(
                [{**asdict(one), "runs": [asdict(run) for run in runs[one.id]]} for one in found]
            )
            return
        for one in found:
            out.print(
                f"{one.id} {one.name} ({one.importer}): {one.records:,} records", markup=False
            )
            for run in runs[one.id]:
                out.print(
                    f"  {run.started_at:%Y-%m-%d %H:%M} {run.state} by {run.made_by or 'operator'}, "
                    f"{run.position:,} records", markup=False,
                )  # fmt: skip
        if not found:
            out.print("Nothing has been imported yet.")


def withdraw(
    source: Annotated[
        int, typer.Argument(min=1, help="Its number in `sources`.", show_default=False)
    ],
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without this it is only shown.")
    ] = False,
    by: Annotated[str, typer.Option("--by", help="Who has it done, for the history.")] = "",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Take back everything that one source states; a run that was stopped goes on where it was."""
    with explained(err):
        database = open_record(settings_for(home), create=False)
        with database.session() as session:
            found = withdrawal_of(session, source)
        if yes:
            try:
                with reporting(err) as progress:
                    withdraw_source(database, source, made_by=by or None, progress=progress)
            except WriterBusyError as error:
                raise CommandError(str(error), Exit.BUSY) from error
        if as_json:
            print_json({"done": yes, **found.as_dict()})
            return
        out.print(found.sentence(), markup=False)
        if found.events:
            told = ", ".join(map(str, found.events))
            out.print(f"Decisions about who is who that say nothing more then: {told}.")
        if not yes:
            err.print("Nothing was changed; with --yes it is done.", highlight=False)


def bring(
    key: Annotated[
        str, typer.Argument(help="Name of its folder in `waiting`.", show_default=False)
    ],
    home: Home = None,
) -> None:
    """Look at or import what a member brought from the page; the served site runs this for large ones."""
    with explained(err):
        settings = settings_for(home)
        try:
            job = work_on(settings, open_record(settings, create=False), key)
        except WriterBusyError as error:
            raise CommandError(str(error), Exit.BUSY) from error
        err.print(f"{job.name}: {job.state}. {job.note}", highlight=False, markup=False)
