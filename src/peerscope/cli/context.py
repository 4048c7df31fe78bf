"""What every command needs: settings, the open record, consoles for people and for programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from peerscope.record import Database
from peerscope.settings import Settings

err = Console(stderr=True)
"""Progress, notes and errors; standard output carries results only."""

out = Console(highlight=False, soft_wrap=True)

Home = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of the site (PEERSCOPE_HOME).", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


def settings_for(home: Path | None, **changes: object) -> Settings:
    """Settings from the environment, with what the command line says instead."""
    given = {name: value for name, value in changes.items() if value is not None}
    if home is not None:
        given["home"] = home
    return Settings(**given)  # type: ignore[arg-type]


def open_record(settings: Settings, *, create: bool) -> Database:
    """The site's record, migrated to this version's tables.

    Raises:
        FileNotFoundError: There is no site in this folder and ``create`` is false.
    """
    if not settings.database_url:
        exists = (settings.home / "record.sqlite").exists()
        if not exists and not create:
            raise FileNotFoundError(
                f"There is no site in {settings.home}. Make one with `peerscope up` or "
                f"`peerscope import FILE`, or name another folder with --home."
            )
        settings.home.mkdir(parents=True, exist_ok=True)
    database = Database(settings.record_url)
    database.migrate()
    return database


def print_json(value: Any) -> None:
    """One JSON object on standard output."""
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode())
