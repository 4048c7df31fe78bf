"""The main job and its stages: import, train, publish, serve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from peerscope.cli.context import Home, Json, err, open_record, out, print_json, settings_for
from peerscope.cli.errors import CommandError, Exit, explained
from peerscope.cli.progress import reporting
from peerscope.cli.reproducing import take_shipped
from peerscope.community.reading import copy_for_training
from peerscope.discover import maps
from peerscope.discover.improving import (
    encoder_in_service,
    improve_site,
    note_waiting,
    to_improve_later,
)
from peerscope.discover.maps.background import AT_ONCE
from peerscope.discover.pipeline import PublishOutcome, publish_site, train_site
from peerscope.record import (
    Database,
    ImportReport,
    WriterBusyError,
    ingest,
    refresh_counts,
    resolve_people,
)
from peerscope.record.fetching import Access, Asked, fetch, ids_in, ingest_fetched
from peerscope.record.importers import importer_for
from peerscope.record.starter import FOLDER, STARTER
from peerscope.settings import Settings

Files = Annotated[
    list[str] | None,
    typer.Argument(
        help="Files (BibTeX, RIS, CSL-JSON, Zotero, OpenAlex, Crossref, arXiv, ORCID, JSON lines, ACL XML; "
        "plain, .gz or .zst), or a DOI, arXiv id, ORCID or OpenAlex work to fetch.",
        show_default=False,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Read a file again although it is unchanged.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("up")(up)
    app.command("import")(import_files)
    app.command("train")(train)
    app.command("publish")(publish)
    app.command("improve")(improve)
    app.command("map")(make_map)
    app.command("rollback")(rollback)
    app.command("serve")(serve)
    app.command("mcp")(mcp)


def up(
    files: Files = None,
    home: Home = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (0: any free one).")] = None,
    no_serve: Annotated[
        bool, typer.Option("--no-serve", help="Stop when it is published.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Import, train, publish and serve: from a bibliography to a site. No file: the starter collection."""
    with explained(err):
        settings = settings_for(home, host=host, port=port)
        database = open_record(settings, create=True)
        chosen = files or [STARTER]
        reports = _import_all(settings, database, chosen, force=False)
        told: dict[str, Any] = {"import": [report.as_dict() for report in reports]}
        if STARTER in chosen:
            told["reproductions"] = {"new": take_shipped(settings)}
        published = None
        if _anything(reports):
            published = _learn(settings, database, told, serving=not no_serve)
        if published is not None and no_serve:
            told |= _map_at_once(settings, database, published)
        if as_json:
            print_json(told)
        _demand_something(reports)
        if not no_serve:
            # Pages and lists need no bundle, and an older one may be in service.
            _serve(settings, database)
        if published is not None:
            _demand_published(published)


def import_files(
    files: Files = None, home: Home = None, force: Force = False, as_json: Json = False
) -> None:
    """Read files, or fetch records by id, into the record; bad ones go to quarantine, good ones go in."""
    with explained(err):
        if not files:
            raise CommandError(
                f"Name a file or an identifier to import, or {STARTER} for the starter collection.",
                Exit.USAGE,
            )
        settings = settings_for(home)
        database = open_record(settings, create=True)
        reports = _import_all(settings, database, files, force=force)
        if as_json:
            print_json([report.as_dict() for report in reports])
        _demand_something(reports)


def train(home: Home = None, as_json: Json = False) -> None:
    """Train the towers from the record; a run that was stopped goes on where it was."""
    with explained(err):
        settings = settings_for(home)
        learned = _train(settings, open_record(settings, create=False))
        if as_json:
            print_json(learned)


def publish(home: Home = None, as_json: Json = False) -> None:
    """Build a bundle from the record and the trained towers; it goes into service if it passes its gates."""
    with explained(err):
        settings = settings_for(home)
        database = open_record(settings, create=False)
        published = _publish(settings, database)
        mapped = _map_at_once(settings, database, published)
        if as_json:
            print_json(published.as_dict() | mapped)
        _demand_published(published)


def improve(home: Home = None, as_json: Json = False) -> None:
    """Encode the works, train and publish: what `up` leaves to the background on a large site."""
    with explained(err):
        settings = settings_for(home)
        database = open_record(settings, create=False)
        published = _improve(settings, database)
        mapped = _map_at_once(settings, database, published)
        if as_json:
            print_json(published.as_dict() | mapped)
        _demand_published(published)


def make_map(
    home: Home = None,
    again: Annotated[
        bool, typer.Option("--again", help="Make it anew, and not from the map before.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make the map of the bundle in service; one that was stopped is gone on with."""
    with explained(err):
        settings = settings_for(home)
        made = _map(settings, open_record(settings, create=False), again=again)
        if as_json:
            print_json(made.as_dict())


def rollback(home: Home = None, as_json: Json = False) -> None:
    """Put the previous bundle back into service."""
    from peerscope.retrieval import BundleStore

    with explained(err):
        name = BundleStore(settings_for(home).bundles).rollback()
        if as_json:
            print_json({"bundle": name})
        else:
            out.print(f"Bundle {name} is in service again.")


def serve(
    home: Home = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (0: any free one).")] = None,
) -> None:
    """Serve the site."""
    with explained(err):
        settings = settings_for(home, host=host, port=port)
        _serve(settings, open_record(settings, create=False))


def mcp(home: Home = None) -> None:
    """Answer an assistant on standard input and output (Model Context Protocol)."""
    from peerscope.cli.serving import (
        answer_assistant,  # the web stack is loaded by what serves only
    )

    with explained(err):
        settings = settings_for(home)
        answer_assistant(settings, open_record(settings, create=False))


def _serve(settings: Settings, database: Database) -> None:
    from peerscope.cli.serving import serve_site  # the web stack is loaded by what serves only

    serve_site(settings, database)


def _import_all(
    settings: Settings, database: Database, named: list[str], *, force: bool
) -> list[ImportReport]:
    files, asked = _apart(named)
    reports = [_import_one(database, file, force=force) for file in files]
    reports += _import_asked(settings, database, asked, force=force)
    if any(not report.skipped for report in reports):
        with reporting(err) as progress:
            resolve_people(database, progress=progress)
            refresh_counts(database)
    return reports


def _anything(reports: list[ImportReport]) -> bool:
    return any(report.positions > report.quarantined for report in reports)


def _demand_something(reports: list[ImportReport]) -> None:
    if not _anything(reports):
        raise CommandError(
            "Not one record could go in; `peerscope quarantine` says why.", Exit.NOTHING_IMPORTED
        )


def _apart(named: list[str]) -> tuple[list[str], list[Asked]]:
    """Files, and identifiers; what is a file is never taken for an identifier.

    Raises:
        CommandError: A name is neither.
    """
    files: list[str] = []
    asked: list[Asked] = []
    for name in named:
        if name == STARTER or Path(name).exists():
            files.append(name)
            continue
        found, refused = ids_in(name)
        if refused or not found:
            why = f" {refused[0].reason}" if refused else ""
            raise CommandError(f"There is no file {name}, and it is no identifier.{why}")
        asked += found
    return files, list(dict.fromkeys(asked))


def _import_asked(
    settings: Settings, database: Database, asked: list[Asked], *, force: bool
) -> list[ImportReport]:
    if not asked:
        return []
    with reporting(err) as progress:
        fetching = fetch(asked, Access.of(settings), settings.home, progress=progress)
    for one in fetching.missing:
        err.print(f"{one.written}: {one.reason}", highlight=False, markup=False)
    if not fetching.files:
        raise CommandError("Nothing was fetched, so nothing was imported.")
    reports = []
    for file in fetching.files:
        try:
            with reporting(err) as progress:
                report = ingest_fetched(database, file, progress=progress, force=force)
        except WriterBusyError as error:
            raise CommandError(str(error), Exit.BUSY) from error
        err.print(f"{file.name}: {report.sentence()}", highlight=False, markup=False)
        reports.append(report)
    return reports


def _import_one(database: Database, file: str, *, force: bool) -> ImportReport:
    importer = importer_for(file)
    try:
        with reporting(err) as progress:
            if file == STARTER:
                report = ingest(
                    database, importer, str(FOLDER), progress=progress, force=force,
                    location=STARTER, name="Peerscope starter collection", licence="CC0-1.0",
                )  # fmt: skip
            else:
                report = ingest(database, importer, file, progress=progress, force=force)
    except WriterBusyError as error:
        raise CommandError(str(error), Exit.BUSY) from error
    err.print(f"{file} ({importer.name}): {report.sentence()}", highlight=False)
    return report


def _train(settings: Settings, database: Database, *, encoded: bool = True) -> dict[str, Any]:
    copy_for_training(settings)
    try:
        with reporting(err) as progress:
            learned = train_site(settings, database, progress, encoded=encoded)
    except WriterBusyError as error:
        raise CommandError(str(error), Exit.BUSY) from error
    err.print(learned.sentence(), highlight=False)
    return learned.as_dict()


def _publish(settings: Settings, database: Database) -> PublishOutcome:
    with reporting(err) as progress:
        published = publish_site(settings, database, progress)
    err.print(published.sentence(), highlight=False)
    return published


def _map(settings: Settings, database: Database, *, again: bool = False) -> maps.MapOutcome:
    try:
        with reporting(err) as progress:
            made = maps.make_map(settings, database, progress, again=again)
    except WriterBusyError as error:
        raise CommandError(str(error), Exit.BUSY) from error
    err.print(f"Map: {made.sentence()}", highlight=False)
    return made


def _map_at_once(
    settings: Settings, database: Database, published: PublishOutcome
) -> dict[str, Any]:
    """The map of a bundle that has just come into service, where it takes seconds.

    The bundle serves already; whatever happens here changes nothing about that.
    """
    if not published.published:
        return {}
    works = published.report.items
    if works > AT_ONCE:
        err.print(
            f"The map of {works:,} works is made while the site is served, or by `peerscope map`.",
            highlight=False,
        )
        return {}
    try:
        return {"map": _map(settings, database).as_dict()}
    except CommandError as error:  # a served site makes it itself
        err.print(str(error), highlight=False)
        return {}


def _demand_published(published: PublishOutcome) -> None:
    if not published.published:
        raise CommandError(f"The new bundle was not published: {published.refusal}", Exit.GATES)


def _learn(
    settings: Settings, database: Database, told: dict[str, Any], *, serving: bool
) -> PublishOutcome | None:
    """Train and publish; a large site first without its encoder, whose work is left to the server.

    Adds to ``told`` what was done, and returns the last publication, if there was one.
    """
    later = to_improve_later(settings, database)
    published = None
    if not (later and encoder_in_service(settings)):
        told["train"] = _train(settings, database, encoded=not later)
        published = _publish(settings, database)
        told["publish"] = published.as_dict()
    if later:
        note_waiting(settings, later)
        told["improve"] = {"waiting": later}
    if later and not serving:
        published = _improve(settings, database)
        told["improve"] = published.as_dict()
    elif later:
        err.print(
            f"{later:,} works are encoded in the background while the site is served; "
            f"`peerscope status` says how far it is.",
            highlight=False,
        )
    return published


def _improve(settings: Settings, database: Database) -> PublishOutcome:
    copy_for_training(settings)
    try:
        with reporting(err) as progress:
            published = improve_site(settings, database, progress)
    except WriterBusyError as error:
        raise CommandError(str(error), Exit.BUSY) from error
    err.print(published.sentence(), highlight=False)
    return published
