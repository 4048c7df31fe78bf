"""Slices, pages, paths and evidence of the research graph on a large record: time, statements, bytes.

    PEERSCOPE_SHARED=../shared python benchmarks/graph.py FOLDER

Imports the ACL Anthology collection (97,494 works) into FOLDER unless it is there. That collection states no
topic and no institution. Every affiliation as printed is made an institution, for the measurement alone.
Topics are those that the site suggested when it published; without them every word of at least `LEAST`
titles is made one. A bundle that is published in FOLDER is used.

Every centre is asked for the first time, with no layout kept: the largest of its kind, and others drawn with
one seed. One process and one thread, no network in between; writes docs/benchmarks/graph.md.
"""

from __future__ import annotations

import argparse
import platform
import random
import re
import resource
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
from api import site
from fastapi.testclient import TestClient
from rich.progress import track
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from peerscope.discover.graph import layout
from peerscope.record import Database, count_statements
from peerscope.record.models import (
    Authorship,
    AuthorshipInstitution,
    Institution,
    Person,
    Topic,
    Venue,
    Work,
    WorkTopic,
)
from peerscope.web import create_app

LARGEST, DRAWN = 10, 20
LEAST = 200
TABLES = {"W": Work, "A": Person, "T": Topic, "I": Institution, "S": Venue}
NAMES = {"W": "a work", "A": "a person", "T": "a topic", "I": "an institution", "S": "a venue"}
PLACES = {"W": "works", "A": "people", "T": "topics", "I": "institutions", "S": "venues"}
WORD = re.compile(r"[a-z]{4,}")
BAR = 150.0


def stand_ins(database: Database) -> bool:
    """Topics of title words, where the record has none, and institutions of printed affiliations.

    Returns:
        Whether the topics are stand-ins; else they are those that the site suggested when it published.
    """
    with database.session() as session:
        if not session.scalar(select(func.count()).select_from(Institution)):
            _institutions(session)
        if not session.scalar(select(func.count()).select_from(Topic)):
            _topics(session)
        session.commit()
        given = select(func.count()).select_from(Topic).where(Topic.origin == "given")
        return bool(session.scalar(given))


def _topics(session: Session) -> None:
    carried: defaultdict[str, set[int]] = defaultdict(set)
    for number, title in session.execute(select(Work.id, Work.title)):
        for word in WORD.findall(title.lower()):
            carried[word].add(number)
    words = sorted(word for word, works in carried.items() if len(works) >= LEAST)
    session.execute(
        insert(Topic),
        [
            {"id": n, "display_name": word, "name_key": word, "origin": "given",
             "works_count": len(carried[word]), "source_id": 1}
            for n, word in enumerate(words, 1)
        ],
    )  # fmt: skip
    rows = [
        {"work_id": work, "topic_id": n, "source_id": 1}
        for n, word in enumerate(words, 1)
        for work in sorted(carried[word])
    ]
    session.execute(insert(WorkTopic), rows)


def _institutions(session: Session) -> None:
    printed: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for number, work, text in session.execute(
        select(Authorship.id, Authorship.work_id, Authorship.raw_affiliation).where(
            Authorship.raw_affiliation.is_not(None)
        )
    ):
        printed[text].append((number, work))
    session.execute(
        insert(Institution),
        [
            {"id": n, "display_name": text, "name_key": text[:300],
             "works_count": len({work for _, work in printed[text]}), "source_id": 1}
            for n, text in enumerate(sorted(printed), 1)
        ],
    )  # fmt: skip
    rows = [
        {"authorship_id": number, "institution_id": n, "source_id": 1}
        for n, text in enumerate(sorted(printed), 1)
        for number, _ in printed[text]
    ]
    session.execute(insert(AuthorshipInstitution), rows)


def centres(database: Database) -> dict[str, list[str]]:
    """Keys by letter: the largest, then others drawn with one seed."""
    found = {}
    with database.session() as session:
        for letter, table in TABLES.items():
            size = table.cited_by_count if table is Work else table.works_count
            rows = list(
                session.execute(
                    select(table.id, size).where(size > 0).order_by(size.desc(), table.id)
                )
            )
            rest = random.Random(7).sample(rows[LARGEST:], min(DRAWN, len(rows[LARGEST:])))
            found[letter] = [f"{letter}{row[0]}" for row in [*rows[:LARGEST], *rest]]
    return found


@dataclass(frozen=True, slots=True)
class Measured:
    """One question over many centres; times in ms."""

    name: str
    asked: int
    clock: Sequence[float]
    busy: Sequence[float]
    statements: int
    kilobytes: float

    def row(self) -> str:
        """As a row of the table."""
        points = [*np.percentile(self.clock, [50, 95]), *np.percentile(self.busy, [50, 95])]
        numbers = " | ".join(f"{one:.0f}" for one in points)
        return (
            f"| {self.name} | {self.asked} | {numbers} | {self.statements} | {self.kilobytes:.0f} |"
        )


def measured(client: TestClient, database: Database, name: str, asked: Iterable[str]) -> Measured:
    """Ask each address once, with no layout kept."""
    clock, busy, most, largest, number = [], [], 0, 0, 0
    for address in asked:
        layout.forget()
        with count_statements(database.engine) as seen:
            start, used = time.perf_counter(), time.process_time()
            answer = client.get(address)
            clock.append(1000 * (time.perf_counter() - start))
            busy.append(1000 * (time.process_time() - used))
        assert answer.status_code == 200, (address, answer.text[:300])
        most, largest, number = max(most, seen.count), max(largest, len(answer.content)), number + 1
    return Measured(name, number, clock, busy, most, largest / 1000)


def edges_of(client: TestClient, keys: Iterable[str]) -> list[str]:
    """Addresses of the evidence for one edge of each kind around some centres."""
    found: dict[tuple[str, str], str] = {}
    for key in keys:
        answer = client.get(f"/api/v1/graph/{key}", params={"limit": 150}).json()
        for edge in answer["edges"]:
            kind = edge["attributes"]["kind"]
            found[key, kind] = (
                f"/api/v1/graph/edge?source={edge['source']}&target={edge['target']}&kind={kind}"
            )
    return list(found.values())


def questions(client: TestClient, around: dict[str, list[str]]) -> dict[str, list[str]]:
    """What is asked, by the name of its row."""
    found = {}
    for letter, keys in around.items():
        place = f"/{PLACES[letter]}"
        found[f"page of {NAMES[letter]}, 80 nodes"] = [f"{place}/{key}/graph" for key in keys]
        found[f"page of {NAMES[letter]}, 150 nodes"] = [
            f"{place}/{key}/graph?limit=150" for key in keys
        ]
        found[f"slice of {NAMES[letter]}, 150 nodes"] = [
            f"/api/v1/graph/{key}?limit=150" for key in keys
        ]
    mixed = [key for keys in around.values() for key in keys[:LARGEST]]
    found["slice of the largest of each kind, 2,000 nodes"] = [
        f"/api/v1/graph/{key}?limit=2000" for key in mixed
    ]
    known = client.get(f"/api/v1/graph/{around['S'][0]}?limit=2000").json()["nodes"]
    keys = ",".join(node["key"] for node in known)
    found["expansion, nothing known"] = [f"/api/v1/graph/{key}/expand" for key in mixed]
    found[f"expansion, {len(known):,} known"] = [
        f"/api/v1/graph/{key}/expand?known={keys}" for key in mixed
    ]
    for letter in "AW":
        pairs = zip(around[letter], around[letter][::-1], strict=True)
        found[f"path between two {PLACES[letter]}"] = [
            f"/api/v1/graph/path?from={one}&to={other}" for one, other in pairs if one != other
        ]
    found["evidence for an edge"] = edges_of(client, (keys[0] for keys in around.values()))
    return found


def report(
    found: list[Measured], works: int, bundle: str | None, paths: Counter[str], standing: bool
) -> str:
    """The document."""
    missed = [
        one.name
        for one in found
        if np.percentile(one.clock, 95) > BAR and ("page" in one.name or ", 150" in one.name)
    ]
    verdict = (
        "Every page and every slice of 150 nodes meets it."
        if not missed
        else "Not met by: " + "; ".join(missed) + "."
    )
    vectors = (
        "A bundle is published, so that edges of nearness are among them."
        if bundle
        else "Nothing was published, so that edges of nearness are not among them."
    )
    topics = (
        f"and every word of at least {LEAST} titles a topic: stand-ins for hubs, nothing more"
        if standing
        else "a stand-in for hubs, nothing more; topics are those that the site suggests"
    )
    rows = "\n".join(one.row() for one in found)
    told = ", ".join(f"{number} {name}" for name, number in sorted(paths.items()))
    return f"""# The research graph on the ACL Anthology

{works:,} works; one process, one thread, no network in between. Every centre is asked for the first time and
no layout is kept: the {LARGEST} largest of its kind and {DRAWN} drawn with one seed (fewer where there are
fewer). {datetime.now(UTC):%Y-%m-%d}, {platform.system()} {platform.release()}, Python
{platform.python_version()}, SQLAlchemy {version("sqlalchemy")}, NumPy {version("numpy")}, SciPy
{version("scipy")}, 2 cores of a shared virtual machine; peak memory of the
process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:.0f} MB. {vectors}

The collection states no topic and no institution. For this measurement every affiliation as printed is an
institution, {topics}.

    PEERSCOPE_SHARED=../shared python benchmarks/graph.py FOLDER

The bar is 150 ms at the 95th percentile and 15 statements, for a page and for a slice of 150 nodes.
{verdict} Statements and kB are the most that any centre took.

| question | asked | median, ms | 95 of 100, ms | median, CPU ms | 95 of 100, CPU ms | statements | kB |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
{rows}

Paths: {told}.
"""


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks/graph.md"))
    given = parser.parse_args()
    settings, database, discovery = site(given.folder)
    standing = stand_ins(database)
    client = TestClient(create_app(settings, database, discovery))
    around = centres(database)
    client.get(f"/api/v1/graph/{around['W'][-1]}")
    asked = questions(client, around)
    found = [
        measured(client, database, name, addresses) for name, addresses in track(asked.items())
    ]
    paths: Counter[str] = Counter()
    for name in ("people", "works"):
        for address in asked[f"path between two {name}"]:
            told = client.get(address).json()["attributes"]
            steps = "gave up" if told["gave_up"] else f"of {told['steps']} steps"
            paths[steps if told["steps"] is not None or told["gave_up"] else "without a path"] += 1
    with database.session() as session:
        works = session.scalar(select(func.count()).select_from(Work)) or 0
    bundle = discovery.status()["bundle"]
    given.out.write_text(report(found, works, bundle, paths, standing), encoding="utf-8")


if __name__ == "__main__":
    main()
