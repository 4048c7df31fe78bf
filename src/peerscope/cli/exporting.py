"""Export: the record as a bibliography, the readers' log as training files."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from peerscope.atomic import written
from peerscope.cli.context import Home, Json, err, open_record, out, print_json, settings_for
from peerscope.cli.errors import CommandError, Exit, explained
from peerscope.community.reading import copy_for_training
from peerscope.discover.events import export_events
from peerscope.discover.readers import Readers
from peerscope.record import parsed_works
from peerscope.record.export import EXPORTERS


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("export")(export)
    app.command("export-events")(events)


def export(
    output: Annotated[
        Path | None, typer.Argument(help="File to write; standard output without one.")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format", help=f"One of {', '.join(EXPORTERS)}; else the file's suffix says."
        ),
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Write every work of the record as BibTeX, RIS, CSL-JSON, JSON-LD or OpenAlex-shaped JSON."""
    with explained(err):
        exporter = EXPORTERS[_format(form, output)]
        database = open_record(settings_for(home), create=False)
        with database.session() as session:
            pieces = exporter.write(parsed_works(session))
            if output is None:
                for piece in pieces:
                    sys.stdout.write(piece)
                return
            size = _write_whole(output, pieces)
        if as_json:
            print_json({"file": str(output), "bytes": size})


def events(
    folder: Annotated[Path, typer.Argument(help="Folder to write the three files into.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Write items, users and interactions of the readers' log as JSON lines, for training elsewhere.

    Only readers whose history is on, under names drawn for this export. What they searched stands in it as
    they typed it: keep it as carefully as the site's folder.
    """
    with explained(err):
        settings = settings_for(home)
        database = open_record(settings, create=False)
        copy_for_training(settings)
        counts = export_events(database, Readers(settings.readers), folder)
        if as_json:
            print_json({"folder": str(folder), "rows": counts})
        else:
            out.print(", ".join(f"{name}: {rows:,} rows" for name, rows in counts.items()))


def _format(form: str | None, output: Path | None) -> str:
    if form is not None:
        if form not in EXPORTERS:
            raise CommandError(
                f"There is no format {form!r}; there are {', '.join(EXPORTERS)}.", Exit.USAGE
            )
        return form
    if output is not None:
        for name, exporter in EXPORTERS.items():
            if output.name.endswith(exporter.suffix):
                return name
    return "bibtex"


def _write_whole(output: Path, pieces: Iterable[str]) -> int:
    place = output.resolve()
    # a folder that is not there is a slip of the keyboard, not a wish
    if not place.parent.is_dir():
        raise CommandError(f"There is no folder {place.parent} to write into.")
    with written(place) as stream:
        for piece in pieces:
            stream.write(piece.encode())
        return stream.tell()
