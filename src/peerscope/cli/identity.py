"""Who is who: look at a person's record, and split, merge, detach, assign, undo."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from peerscope.cli.context import Home, Json, err, open_record, out, print_json, settings_for
from peerscope.cli.errors import CommandError, Exit, explained
from peerscope.record import Database, WriterBusyError
from peerscope.record.identity_events import (
    Consequences,
    PastEvent,
    Proposal,
    assign,
    decide,
    detach,
    history,
    merge,
    preview,
    preview_undo,
    split,
    undo,
)
from peerscope.record.models import Person
from peerscope.record.oeuvre import oeuvre_of_person
from peerscope.record.partition import suggested_partition
from peerscope.record.same_person import SAYS, lookalikes

Who = Annotated[str, typer.Argument(help="A person, as A12.", show_default=False)]
Works = Annotated[list[str], typer.Argument(help="Works, as W3.", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without this it is only shown.")]
Preview = Annotated[bool, typer.Option("--preview", help="Only show what would change.")]
By = Annotated[str, typer.Option("--by", help="Who decides, for the history.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the history.")]

identity = typer.Typer(no_args_is_help=True, help="Who is who: split, merge, detach, assign, undo.")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(identity, name="identity")


@identity.command("show")
def show(person: Who, home: Home = None, as_json: Json = False) -> None:
    """A person's works as they may fall apart, who else they could be, and what was decided."""
    with explained(err):
        number = _number(person, "A")
        with open_record(settings_for(home), create=False).session() as session:
            found = session.get(Person, number)
            if found is None:
                raise CommandError(f"There is no person A{number}.")
            if found.merged_into_id is not None:
                raise CommandError(f"A{number} is A{found.merged_into_id} now: name that one.")
            suggested = suggested_partition(oeuvre_of_person(session, number))
            alike = lookalikes(session, number)
            past = history(session, number)
        if as_json:
            print_json(
                {"person": f"A{number}", "name": found.display_name, "partition": asdict(suggested),
                 "lookalikes": asdict(alike), "history": [asdict(one) for one in past]}
            )  # fmt: skip
            return
        out.print(f"A{number} {found.display_name}, {found.works_count} works", markup=False)
        out.print(suggested.statement, markup=False)
        for place, part in enumerate(suggested.parts, start=1):
            works = ", ".join(f"W{work}" for work in part.works)
            out.print(f"  part {place}: {works}", markup=False)
            for sentence in part.together:
                out.print(f"    {sentence}", markup=False)
        for apart in suggested.apart:
            out.print(f"  parts {apart.one + 1} and {apart.other + 1}:", markup=False)
            for sentence in apart.weighed.against + apart.weighed.common:
                out.print(f"    {sentence}", markup=False)
        for one in alike.people:
            told = " ".join(one.weighed.common + one.weighed.against)
            out.print(f"A{one.person} {one.name}: {SAYS[one.says]}. {told}", markup=False)
        for row in alike.undecided:
            told = " ".join(row.weighed.common + row.weighed.against)
            out.print(
                f"undecided {row.authorship}: {row.name} in W{row.work} “{row.title}”. "
                f"{SAYS[row.says]}. {told}", markup=False,
            )  # fmt: skip
        _tell_history(past)


@identity.command("split")
def split_person(
    person: Who,
    part: Annotated[
        list[str] | None, typer.Option("--part", help="Works of one other person: W3,W5.")
    ] = None,
    suggested: Annotated[bool, typer.Option("--suggested", help="As `show` suggests.")] = False,
    yes: Yes = False,
    only_preview: Preview = False,
    by: By = "Operator",
    reason: Reason = "",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """A person is several; works in no part stay."""

    def propose(session: Session) -> Proposal:
        number = _number(person, "A")
        parts = [[_number(work, "W") for work in one.split(",")] for one in part or ()]
        if suggested:
            found = suggested_partition(oeuvre_of_person(session, number))
            parts += [list(one.works) for one in found.parts[1:]]
        return split(session, number, parts)

    _propose(propose, home, yes and not only_preview, by, reason, as_json)


@identity.command("merge")
def merge_people(
    people: Annotated[list[str], typer.Argument(help="Persons, as A12 A13.", show_default=False)],
    yes: Yes = False,
    only_preview: Preview = False,
    by: By = "Operator",
    reason: Reason = "",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Several persons are one."""
    _propose(
        lambda session: merge(session, [_number(one, "A") for one in people]),
        home, yes and not only_preview, by, reason, as_json,
    )  # fmt: skip


@identity.command("detach")
def detach_works(
    person: Who,
    works: Works,
    yes: Yes = False,
    only_preview: Preview = False,
    by: By = "Operator",
    reason: Reason = "",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Works that are not the person's; whose they are stays open."""
    _propose(
        lambda session: detach(
            session, _number(person, "A"), [_number(work, "W") for work in works]
        ),
        home, yes and not only_preview, by, reason, as_json,
    )  # fmt: skip


@identity.command("assign")
def assign_works(
    person: Annotated[str, typer.Argument(help="A person, as A12, or `new`.", show_default=False)],
    authorships: Annotated[
        list[int], typer.Argument(help="Numbers after “undecided” in `show`.", show_default=False)
    ],
    yes: Yes = False,
    only_preview: Preview = False,
    by: By = "Operator",
    reason: Reason = "",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Undecided works are a person's, or those of a person of their own."""
    _propose(
        lambda session: assign(
            session, authorships, None if person == "new" else _number(person, "A")
        ),
        home, yes and not only_preview, by, reason, as_json,
    )  # fmt: skip


@identity.command("history")
def show_history(
    person: Annotated[
        str | None, typer.Argument(help="A person, as A12.", show_default=False)
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """What was decided, the newest first; of one person, what concerned them."""
    with explained(err):
        with open_record(settings_for(home), create=False).session() as session:
            past = history(session, _number(person, "A") if person else None)
        if as_json:
            print_json([asdict(one) for one in past])
        else:
            _tell_history(past)


@identity.command("undo")
def undo_event(
    event: Annotated[int, typer.Argument(help="Its number in the history.", show_default=False)],
    yes: Yes = False,
    only_preview: Preview = False,
    by: By = "Operator",
    reason: Reason = "",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Undo a decision, at any later time and also after others."""
    with explained(err):
        database = open_record(settings_for(home), create=False)
        done = yes and not only_preview
        _report(
            _carefully(
                lambda: undo(database, event, by, reason) if done else preview_undo(database, event)
            ),
            done, as_json,
        )  # fmt: skip


def _propose(
    propose: Callable[[Session], Proposal],
    home: Home,
    done: bool,
    by: str,
    reason: str,
    as_json: bool,
) -> None:
    with explained(err):
        database = open_record(settings_for(home), create=False)
        with database.session() as session:
            proposal = propose(session)
        _report(_carefully(lambda: _decided(database, proposal, done, by, reason)), done, as_json)


def _decided(
    database: Database, proposal: Proposal, done: bool, by: str, reason: str
) -> Consequences:
    return decide(database, proposal, by, reason) if done else preview(database, proposal)


def _carefully(change: Callable[[], Consequences]) -> Consequences:
    try:
        return change()
    except WriterBusyError as error:
        raise CommandError(str(error), Exit.BUSY) from error


def _report(found: Consequences, done: bool, as_json: bool) -> None:
    if as_json:
        print_json({"done": done, **asdict(found)})
        return
    for one in found.people:
        before = _standing(one.name_before, one.works_before)
        after = _standing(one.name_after, one.works_after)
        leads = f"; the address leads to A{one.leads_to}" if one.leads_to is not None else ""
        out.print(f"A{one.person}: {before} → {after}{leads}", markup=False)
    for row in found.moved:
        out.print(
            f"  W{row.work} “{row.title}”: {_whose(row.before)} → {_whose(row.after)}", markup=False
        )
    if done:
        err.print(f"Done, as event {found.event}.", highlight=False)
    else:
        err.print("Nothing was changed; with --yes it is done.", highlight=False)


def _standing(name: str | None, works: int | None) -> str:
    return "nobody" if name is None else f"{name}, {works} works"


def _whose(person: int | None) -> str:
    return "undecided" if person is None else f"A{person}"


def _tell_history(past: Sequence[PastEvent]) -> None:
    for one in past:
        people = ", ".join(f"A{person}" for person in one.people)
        undone = f" Undone by {one.undone_by}." if one.undone_at is not None else ""
        out.print(
            f"{one.id} {one.made_at:%Y-%m-%d} {one.kind} of {people} by {one.made_by}. "
            f"{one.reason}{undone}", markup=False,
        )  # fmt: skip


def _number(given: str, letter: str) -> int:
    match = re.fullmatch(rf"\s*{letter}(\d{{1,15}})\s*", given, re.ASCII | re.IGNORECASE)
    if match is None:
        what = {"A": "a person", "W": "a work"}[letter]
        raise CommandError(f"{given!r:.60} is not {what}: write {letter} and a number.", Exit.USAGE)
    return int(match[1])
