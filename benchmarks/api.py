"""The API on a large record: time of an answer, statements, bytes; and how long a dump takes.

    PEERSCOPE_SHARED=../shared python benchmarks/api.py FOLDER

Imports the ACL Anthology collection (97,494 works) into FOLDER unless it is there, then asks each question
`TIMES` times in one process and one thread, without a network in between, and writes docs/benchmarks/api.md.
As in the served site, what the start left in memory is kept out of garbage collection.
"""

from __future__ import annotations

import argparse
import gc
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

from peerscope.cli.dumping import dump_site
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
    "autocomplete, all kinds": "autocomplete?q=schu",
    "one work": "works/W5000",
    "one author": "authors/A100",
    "what the page of a work says": "works/W5000/page",
    "what the page of a person says": "people/A100/page",
    "near a work": "works/W5000/neighbours",
    "trust of a person": "people/A100/trust",
    "all claims": "claims",
    "search": "search?q=machine translation of low resource languages",
}


def site(folder: Path) -> tuple[Settings, Database, SiteDiscovery]:
    """The collection in a folder."""
    settings = Settings(home=folder, api_rate="")
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
    bundle = discovery.status()["bundle"]
    gc.collect()
    gc.freeze()
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
    busiest_machine = os.getloadavg()[0]
    start, used = time.perf_counter(), time.process_time()
    dump, _ = dump_site(settings, database, datetime.now(UTC))
    whole, busy = time.perf_counter() - start, time.process_time() - used
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    system = f"{platform.system()} {platform.release().split('-')[0]}"
    state = "with" if bundle else "without"
    text = f"""# The API on the ACL Anthology

{first["meta"]["count"]:,} works, {state} a published bundle; one process, one thread, no network
in between; each question {TIMES} times after one that is not counted. {datetime.now(UTC):%Y-%m-%d}, {system},
Python {platform.python_version()}, SQLAlchemy {version("sqlalchemy")}, FastAPI {version("fastapi")},
{os.cpu_count()} cores of a shared virtual machine (load {busiest_machine:.1f} at the end); peak memory
of the process {memory:.0f} MB, 256 MB of it the mapped database. The bar of a list is 50 ms at the
95th percentile and 15 statements.

    PEERSCOPE_SHARED=../shared python benchmarks/api.py FOLDER

| question | address | median, ms | 95 of 100, ms | median, CPU ms | 95 of 100, CPU ms | statements | kB |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |
""" + "\n".join(rows)
    sizes = "\n".join(
        f"| `{one['name']}` | {one['rows']:,} | {one['bytes'] / 1e6:.1f} |" for one in dump.files
    )
    text += f"""

## Dumps

`peerscope dump` of this record: {whole:.0f} s, of them {busy:.0f} s of the processor.

| file | rows | MB |
| --- | ---: | ---: |
{sizes}
"""
    report = Path(__file__).parents[1] / "docs" / "benchmarks" / "api.md"
    said = report.read_text().partition("\n## What meets")[2] if report.exists() else ""
    report.write_text(text + ("\n## What meets" + said if said else ""))
    print(text)


if __name__ == "__main__":
    main()
