"""Dumps: the public part of a site as files that other programs read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import typer
from sqlalchemy.orm import Session

from peerscope import __version__
from peerscope.cli.context import Home, Json, err, open_record, out, print_json, settings_for
from peerscope.cli.errors import explained
from peerscope.community import Community
from peerscope.community.trust.document import public_figures
from peerscope.community.trust.standing import owned_people
from peerscope.discover.dumping import write_state
from peerscope.record import Database
from peerscope.record.dumps import Dump, json_lines, record_parts, sources_of, write_dump
from peerscope.record.dumps.rows import last_change
from peerscope.record.models import Person
from peerscope.reproduce import load_registry
from peerscope.reproduce.overview import Overview
from peerscope.reproduce.store import Store
from peerscope.settings import Settings
from peerscope.web.claims_api import claim_answer
from peerscope.web.trust import examine

NOTE = (
    "The public part of the record. People who asked not to be shown are left out; the works stay, with "
    "the names that are printed on them. trust.jsonl.gz has people who claimed their record, no others. "
    "Nothing of accounts, readers and reviews stands in a dump. Licences are those that sources state; "
    "null: none stated."
)


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("dump")(dump)


def dump(home: Home = None, as_json: Json = False) -> None:
    """Write the public part of the site into a new folder of dumps, unless nothing changed since the last."""
    with explained(err):
        settings = settings_for(home)
        database = open_record(settings, create=False)
        found, new = dump_site(settings, database, datetime.now(UTC))
        write_state(settings, found.name if new else "nothing changed")
        if as_json:
            print_json({"folder": str(found.folder), "new": new, "files": found.files})
            return
        for one in found.files:
            size = one["bytes"] / 1000
            out.print(f"{one['name']}: {one['rows']:,} rows, {size:,.1f} kB")
        said = "Written to" if new else "Nothing changed since"
        out.print(f"{said} {found.folder}")


def dump_site(settings: Settings, database: Database, at: datetime) -> tuple[Dump, bool]:
    """Write a dump of a site, from one state of its record; whether it is new.

    Args:
        settings: Of the site.
        database: The record.
        at: When, with a time zone.

    Raises:
        WriterBusyError: Another process writes one.
    """
    community = Community(settings)
    overview = Overview(load_registry(), Store(settings.reproductions))
    try:
        with database.reading_one_state() as record, community.reading() as people:
            kept = community.kept.now()
            parts = [
                *record_parts(record, kept.hidden),
                json_lines(
                    "trust.jsonl.gz",
                    "trust snapshots of people who claimed their record, with the version of the formula",
                    lambda: _trust(record, people, overview, kept.noindex),
                ),
                json_lines(
                    "claims.jsonl.gz",
                    "claims of works with verdicts and intervals, as installed packages offer them",
                    lambda: (claim_answer(row).model_dump() for row in overview.rows()),
                ),
            ]
            about = {
                "site": settings.base_url or None,
                "software": f"peerscope {__version__}",
                "record_change": last_change(record),
                "note": NOTE,
                "sources": sources_of(record),
            }
            return write_dump(settings.dumps, parts, about, settings.dumps_kept, at)
    finally:
        community.close()


def _trust(
    record: Session, people: Session, overview: Overview, left_out: frozenset[int]
) -> Iterator[dict[str, Any]]:
    for number in owned_people(people):
        person = None if number in left_out else record.get(Person, number)
        if person is not None and person.merged_into_id is None:
            yield public_figures(examine(record, people, overview, person).snapshot)
            record.expunge_all()
