"""Lists and objects of the OpenAlex-shaped API on a large record: time of an answer, statements, bytes.

    PEERSCOPE_SHARED=../shared python benchmarks/api.py FOLDER

Imports the ACL Anthology collection (97,494 works) into FOLDER unless it is there, then asks each question
`TIMES` times in one process and one thread, without a network in between, and writes docs/benchmarks/api.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
from fastapi.testclient import TestClient
from rich.progress import track

from peerscope.discover import SiteDiscovery
from peerscope.record import Database, count_statements, ingest, refresh_counts, resolve_people
from peerscope.record.importers import importer_for
from peerscope.settings import Settings
from peerscope.web import create_app

TIMES = 40
QUESTIONS = {
    "newest works": "works?per-page=25",
    "200 works": "works?per-page=200",
    "works, three fields": "works?per-page=200&select=id,title,doi",
    "a year, most cited": "works?filter=publication_year:2019&sort=cited_by_count:desc",
    "a country, grouped by year": "works?filter=institutions.country_code:de&group_by=publication_year",
    "words in the title": "works?filter=title.search:machine translation",
    "cited by one work": "works?filter=cited_by:W5000",
    "works of an author": "works?filter=author.id:A100",
    "grouped by author": "works?group_by=author.id",
    "grouped by type": "works?group_by=type",
    "cursor, second page": "works?cursor=CURSOR&per-page=100",
    "page 400": "works?page=400&per-page=25",
    "sample": "works?sample=25&seed=1",
    "authors, most works": "authors?sort=works_count:desc",
    "authors by name": "authors?search=zhang",
    "autocomplete": "autocomplete/authors?q=schu",
    "one work": "works/W5000",
}


def site(folder: Path) -> tuple[Settings, Database, SiteDiscovery]:
    """The collection in a folder."""
    settings = Settings(home=folder)
    new = not (folder / "record.sqlite").exists()
    database = Database(settings.record_url)
    database.migrate()
    if new:
        path = Path(os.environ["PEERSCOPE_SHARED"]) / "data" / "scholarly" / "acl.jsonl.zst"
        ingest(database, importer_for(str(path)), str(path))
        resolve_people(database)
        refresh_counts(database)
    return settings, database, SiteDiscovery(database, settings.bundles)


def measured(client: TestClient, database: Database, question: str) -> tuple[float, ...]:
    """Median and 95th percentile by the clock and in processor time (ms), statements, bytes."""
    address = f"/api/v1/{question}"
    with count_statements(database.engine) as seen:
        answer = client.get(address)
    assert answer.status_code == 200, (address, answer.text[:300])
    clock, busy = [], []
    for _ in range(TIMES):
        start, used = time.perf_counter(), time.process_time()
        client.get(address)
        clock.append(1000 * (time.perf_counter() - start))
        busy.append(1000 * (time.process_time() - used))
    points = [*np.percentile(clock, [50, 95]), *np.percentile(busy, [50, 95])]
    return (*points, seen.count, len(answer.content))


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    settings, database, discovery = site(folder)
    client = TestClient(create_app(settings, database, discovery))
    first = client.get("/api/v1/works?cursor=*&per-page=100").json()
    rows = []
    for name, question in track(list(QUESTIONS.items()), description="Asking"):
        question = question.replace("CURSOR", first["meta"]["next_cursor"])
        median, late, busy, busiest, statements, size = measured(client, database, question)
        shown = f"`{question}`" if len(question) < 80 else "…"
        rows.append(
            f"| {name} | {shown.replace('|', '&#124;')} | {median:.0f} | {late:.0f} | {busy:.0f} | "
            f"{busiest:.0f} | {statements} | {size / 1000:.0f} |"
        )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    system = f"{platform.system()} {platform.release().split('-')[0]}"
    text = f"""# The OpenAlex-shaped API on the ACL Anthology

{first["meta"]["count"]:,} works; one process, one thread, no network in between; each question {TIMES}
times after one that is not counted. {datetime.now(UTC):%Y-%m-%d}, {system},
Python {platform.python_version()}, SQLAlchemy {version("sqlalchemy")}, FastAPI {version("fastapi")},
{os.cpu_count()} cores of a shared virtual machine; peak memory of the process {memory:.0f} MB. The bar of the
API is 50 ms at the 95th percentile and 15 statements.

    PEERSCOPE_SHARED=../shared python benchmarks/api.py FOLDER

| question | address | median, ms | 95 of 100, ms | median, CPU ms | 95 of 100, CPU ms | statements | kB |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |
""" + "\n".join(rows)
    report = Path(__file__).parents[1] / "docs" / "benchmarks" / "api.md"
    said = report.read_text().partition("\n\nWhat meets")[2] if report.exists() else ""
    report.write_text(text + "\n" + ("\nWhat meets" + said if said else ""))
    print(text)


if __name__ == "__main__":
    main()
