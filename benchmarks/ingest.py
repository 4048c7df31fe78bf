"""How fast a collection goes into the record, end to end: read, match, join, write, commit.

    python benchmarks/ingest.py ../shared/data/scholarly/acl.jsonl.zst [--url URL] [--people] [--limit N]

Prints works a second (wall and CPU), the peak memory, and, with ``--people``, the time of identity
resolution.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import resource
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import orjson
import zstandard

from peerscope.record import Database, ingest, refresh_counts
from peerscope.record.parsed import (
    Good,
    ParsedAuthor,
    ParsedInstitution,
    ParsedReference,
    ParsedTopic,
    ParsedWork,
    Record,
)


class LinesImporter:
    """The least that a reader of the shared JSON lines can do; the product's importers do more."""

    name = "bench"
    covers = frozenset({"abstract", "references", "topics", "ids"})

    def __init__(self, limit: int | None = None, ids: bool = True) -> None:
        self.limit = limit
        self.ids = ids

    def read(self, path: str) -> Iterator[Record]:
        with zstandard.open(path, "rt", encoding="utf-8") as lines:
            for position, line in enumerate(islice(lines, self.limit)):
                yield Good(position, self._work(orjson.loads(line)))

    def _work(self, d: dict) -> ParsedWork:  # type: ignore[type-arg]
        scheme = "acl"
        key = d["id"]
        if key.startswith("arXiv:"):
            scheme, value = "arxiv", key[6:]
        elif key.startswith("hep-th/"):
            scheme, value = "arxiv", key
        elif key[0] == "W" and key[1:].isdigit():
            scheme, value = "openalex", key
        else:
            value = key
        ids = {scheme: value}
        if d.get("doi"):
            ids["doi"] = d["doi"].removeprefix("https://doi.org/").lower()
        authors = []
        for a in d.get("authors", []):
            author = ParsedAuthor(a["name"], raw_affiliation=a.get("affiliation"))
            if self.ids and "id" in a:
                author.ids[{"acl": "acl", "openalex": "openalex", "arxiv": "hepth"}[scheme]] = a[
                    "id"
                ]
            if self.ids and a.get("orcid"):
                author.ids["orcid"] = a["orcid"]
            for i in a.get("institutions", []):
                named = {k: i[k] for k in ("ror",) if i.get(k)}
                author.institutions.append(ParsedInstitution(i["name"], named, i.get("country")))
            authors.append(author)
        venue = d.get("venue")
        return ParsedWork(
            key=key,
            title=d.get("title") or "",
            abstract=d.get("abstract"),
            type=d.get("type", "other"),
            year=d.get("year"),
            date=d.get("date"),
            venue=venue[0] if venue else (d.get("source") or {}).get("name"),
            ids=ids,
            authors=authors,
            topics=[ParsedTopic(c) for c in d.get("categories", [])],
            references=[ParsedReference(scheme, r) for r in d.get("references", [])],
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path")
    parser.add_argument("--url")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--people", action="store_true")
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = Database(args.url or f"sqlite:///{Path(folder) / 'record.sqlite'}")
        database.migrate()
        profile = cProfile.Profile()
        if args.profile:
            profile.enable()
        cpu = time.process_time()
        report = ingest(database, LinesImporter(args.limit), args.path)
        cpu = time.process_time() - cpu
        profile.disable()
        figures = {
            "works": report.added,
            "quarantined": report.quarantined,
            "wall_s": round(report.seconds, 2),
            "cpu_s": round(cpu, 2),
            "works_per_wall_s": round(report.added / report.seconds),
            "works_per_cpu_s": round(report.added / cpu),
        }
        start = time.perf_counter()
        refresh_counts(database)
        figures["counts_s"] = round(time.perf_counter() - start, 2)
        if args.people:
            from peerscope.record import resolve_people

            start = time.perf_counter()
            people = resolve_people(database)
            figures["people_s"] = round(time.perf_counter() - start, 2)
            figures["people"] = people.people
            figures["undecided"] = people.undecided
        usage = resource.getrusage(resource.RUSAGE_SELF)
        figures["peak_mb"] = usage.ru_maxrss // 1024
        print(json.dumps(figures))
        if args.profile:
            pstats.Stats(profile).sort_stats("tottime").print_stats(25)
        database.close()


if __name__ == "__main__":
    main()
