"""Commands that look and change nothing: search, status, quarantine."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.table import Table
from sqlalchemy import func, select

from peerscope.cli.context import Home, Json, err, open_record, out, print_json, settings_for
from peerscope.cli.errors import explained
from peerscope.discover import SearchFilters, SearchPage, SiteDiscovery
from peerscope.discover.improving import read_improvement
from peerscope.discover.maps import read_note
from peerscope.discover.news import last_seen, news_since
from peerscope.discover.pipeline import figures_file
from peerscope.discover.readers import Readers
from peerscope.discover.retrain import read_state
from peerscope.record import Database, quarantined
from peerscope.record.models import (
    Authorship,
    Citation,
    ImportRun,
    Institution,
    Person,
    Quarantine,
    Source,
    Topic,
    Venue,
    Work,
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("search")(search)
    app.command("status")(status)
    app.command("quarantine")(quarantine)


def search(
    query: Annotated[str, typer.Argument(help="What to look for, in any words.")],
    home: Home = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Results to show.")] = 10,
    year_from: Annotated[int | None, typer.Option(help="Earliest year.")] = None,
    year_to: Annotated[int | None, typer.Option(help="Latest year.")] = None,
    as_json: Json = False,
) -> None:
    """Search the site from the terminal, with the same order and reasons as its pages."""
    with explained(err):
        settings = settings_for(home)
        database = open_record(settings, create=False)
        discovery = SiteDiscovery(database, settings.bundles, settings.index)
        filters = SearchFilters(year_from=year_from, year_to=year_to)
        page = discovery.search(query, filters, per_page=limit)
        rows = _rows(database, page)
        if as_json:
            print_json({"query": query, "total": page.total, "mode": page.mode,
                        "corrected": page.corrected, "results": rows})  # fmt: skip
            return
        if page.note:
            err.print(page.note)
        if page.corrected:
            err.print(f"Searched for: {page.corrected}", highlight=False)
        for place, row in enumerate(rows, start=1):
            about = ", ".join(str(part) for part in (row["venue"], row["year"]) if part)
            out.print(f"{place:>3}. [bold]{_plain(row['title'])}[/]  [dim]{about}  {row['id']}[/]")
            if row["reasons"]:
                out.print(f"     [dim]{_plain('; '.join(row['reasons']))}[/]")
        if not rows:
            out.print("Nothing found.")


def _plain(text: str) -> str:
    return text.replace("[", r"\[")


def _rows(database: Database, page: SearchPage) -> list[dict[str, Any]]:
    wanted = [hit.work_id for hit in page.hits]
    statement = (
        select(Work.id, Work.title, Work.publication_year, Venue.display_name)
        .outerjoin(Venue, Venue.id == Work.venue_id)
        .where(Work.id.in_(wanted))
    )
    with database.session() as session:
        facts = {row[0]: row for row in session.execute(statement)}
    return [
        {
            "id": f"W{hit.work_id}",
            "title": facts[hit.work_id][1],
            "year": facts[hit.work_id][2],
            "venue": facts[hit.work_id][3],
            "score": round(hit.score, 4),
            "reasons": [reason.text for reason in hit.reasons],
        }
        for hit in page.hits
        if hit.work_id in facts
    ]


COUNTED = {
    "works": select(func.count()).select_from(Work).where(Work.deleted_at.is_(None)),
    "people": select(func.count()).select_from(Person).where(Person.merged_into_id.is_(None)),
    "authorships": select(func.count()).select_from(Authorship),
    "authorships undecided": select(func.count())
    .select_from(Authorship)
    .where(Authorship.person_id.is_(None)),
    "topics": select(func.count()).select_from(Topic),
    "institutions": select(func.count()).select_from(Institution),
    "venues": select(func.count()).select_from(Venue),
    "references": select(func.count()).select_from(Citation),
    "references resolved": select(func.count())
    .select_from(Citation)
    .where(Citation.cited_id.is_not(None)),
    "in quarantine": select(func.count()).select_from(Quarantine),
}


def status(home: Home = None, as_json: Json = False) -> None:
    """Say what the site holds, where it came from and what is in service."""
    with explained(err):
        settings = settings_for(home)
        database = open_record(settings, create=False)
        with database.session() as session:
            counts = {name: session.scalar(statement) for name, statement in COUNTED.items()}
            latest = (
                select(Source.name, Source.importer, ImportRun.state, ImportRun.position,
                       ImportRun.finished_at)
                .join(ImportRun, ImportRun.source_id == Source.id)
                .order_by(ImportRun.id)
            )  # fmt: skip
            runs = [row._asdict() for row in session.execute(latest)]
        search_status = SiteDiscovery(database, settings.bundles, settings.index).status()
        readers = Readers(settings.readers).state()
        news = news_since(last_seen(figures_file(settings)), database, readers)
        last = read_state(settings)
        background = read_improvement(settings)
        mapped = read_note(settings)
        if as_json:
            print_json({"home": str(settings.home), "counts": counts, "imports": runs,
                        "search": search_status, "readers": asdict(readers),
                        "new_since_training": asdict(news),
                        "retraining": {"hours": settings.retrain_hours, "last": last},
                        "background": background.as_dict() if background else None,
                        "map": mapped.as_dict() if mapped else None})  # fmt: skip
            return
        table = Table(box=None, show_header=False)
        for name, number in counts.items():
            table.add_row(name, f"{number:,}")
        out.print(table)
        for run in runs:
            done = run["finished_at"] or "not finished"
            out.print(f"{run['name']} ({run['importer']}): {run['position']:,} records, {done}")
        if search_status["bundle"] is None:
            out.print("Nothing is published yet; run `peerscope train` and `peerscope publish`.")
        else:
            out.print(f"In service: bundle {search_status['bundle']}")
        out.print(f"Readers with a history: {readers.readers:,}, entries {readers.entries:,}")
        out.print(f"New since the last training: {news.sentence()}")
        out.print(f"Retraining: {_schedule(settings.retrain_hours, last)}", highlight=False)
        if background is not None:
            out.print(f"In the background: {background.sentence()}")
        if mapped is not None:
            out.print(f"Map: {mapped.sentence()}", highlight=False)


def _schedule(hours: float, last: dict[str, Any] | None) -> str:
    often = f"every {hours:g} hours while served" if hours else "never (PEERSCOPE_RETRAIN_HOURS)"
    if last is None:
        return often
    at = datetime.fromtimestamp(last.get("ended", last.get("began", 0.0)), UTC)
    return f"{often}; {at:%Y-%m-%d %H:%M} UTC: {last.get('outcome', 'unknown')}"


def quarantine(
    home: Home = None,
    limit: Annotated[int, typer.Option(min=1, help="Records to show.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Records to pass over.")] = 0,
    as_json: Json = False,
) -> None:
    """List the records that did not go in, with file, position, reason and mend."""
    with explained(err):
        database = open_record(settings_for(home), create=False)
        with database.session() as session:
            rows = quarantined(session, limit=limit, offset=offset)
        if as_json:
            print_json(rows)
            return
        for row in rows:
            out.print(f"[bold]{_plain(row.source)}[/], {_plain(row.locator)}"
                      f"{' (' + _plain(row.key) + ')' if row.key else ''}")  # fmt: skip
            out.print(f"  {_plain(row.reason)} {_plain(row.mend)}")
        if not rows:
            out.print("Nothing is in quarantine.")
