"""The trust snapshot of a person in the terminal, with the same words and sums as its page."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from peerscope.cli.context import Home, Json, err, open_record, out, print_json, settings_for
from peerscope.cli.errors import CommandError, explained
from peerscope.community import Community
from peerscope.community.times import now
from peerscope.community.trust import as_text
from peerscope.community.trust.document import document
from peerscope.community.trust.history import history
from peerscope.record.models import Person
from peerscope.reproduce import load_registry
from peerscope.reproduce.overview import Overview
from peerscope.reproduce.store import Store
from peerscope.settings import Settings
from peerscope.web.trust import Examined, examine, remember


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("trust")(trust)


def trust(
    person: Annotated[str, typer.Argument(help="Number of the person, as A123.")],
    explain: Annotated[
        bool, typer.Option("--explain", help="With every term, sum and source.")
    ] = False,
    past: Annotated[
        bool, typer.Option("--history", help="The snapshots that were kept, newest first.")
    ] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """What has been shown of a person's record, and by whom, in seven dimensions."""
    with explained(err):
        settings = settings_for(home)
        number = _number(person)
        found = _examined(settings, number)
        if past:
            _history(settings, number, as_json)
        elif as_json:
            print_json(document(found.evidence, found.snapshot, now()))
        else:
            typer.echo(as_text(found.snapshot, explain=explain), nl=False)


def _number(person: str) -> int:
    match = re.fullmatch(r"[Aa]?(\d{1,15})", person.strip(), re.ASCII)
    if match is None:
        raise CommandError(f"{person!r:.100} is no number of a person: give one such as A12.")
    return int(match[1])


def _examined(settings: Settings, number: int) -> Examined:
    record = open_record(settings, create=False)
    overview = Overview(load_registry(), Store(settings.reproductions))
    community = Community(settings)
    with record.session() as session, community.reading() as people:
        who = session.get(Person, number)
        if who is None:
            raise CommandError(f"The record has no person A{number}.")
        if who.merged_into_id is not None:
            raise CommandError(f"A{number} is A{who.merged_into_id} now: ask for that one.")
        found = examine(session, people, overview, who)
    remember(community, found)
    return found


def _history(settings: Settings, number: int, as_json: bool) -> None:
    with Community(settings).reading() as session:
        kept = history(session, number).rows
    if as_json:
        print_json([one.figures for one in kept])
        return
    for one in kept:
        told = one.figures
        out.print(
            f"{one.computed_at:%Y-%m-%d %H:%M} UTC  {one.formula}  {told['verification']['level']}  "
            f"checked in {told['coverage']['checked']} of {told['coverage']['of']}"
        )
        for value in told["dimensions"]:
            out.print(
                f"    {value['id']}: {value['value_exact'] or value['state'].replace('_', ' ')}"
            )
        if one.other_formula:
            out.print(
                "  The one before it was made by another formula: their values do not compare."
            )
