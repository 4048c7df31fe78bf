"""The packaged starter collection as a source like any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from peerscope.record.parsed import (
    Good,
    ParsedAuthor,
    ParsedInstitution,
    ParsedReference,
    ParsedTopic,
    ParsedVersion,
    ParsedWork,
    Record,
)


class StarterImporter:
    """Importer of the packaged collection."""

    name = "starter"
    covers = frozenset({"affiliations", "topics", "references", "ids"})

    def read(self, path: str) -> Iterator[Record]:
        """The works of a collection folder, in order of file name and line."""
        folder = Path(path)
        people = _named(folder, "people_*.jsonl")
        places = _named(folder, "institutions_*.jsonl")
        position = 0
        for file in sorted(folder.glob("*.jsonl")):
            if file.name.startswith(("people_", "institutions_")):
                continue
            for line in file.read_bytes().splitlines():
                if line.strip():
                    yield Good(position, _work(orjson.loads(line), people, places))
                    position += 1


def _named(folder: Path, pattern: str) -> dict[str, dict[str, Any]]:
    """Entries of the matching files by name and alias."""
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(folder.glob(pattern)):
        for line in file.read_bytes().splitlines():
            if line.strip():
                entry = orjson.loads(line)
                for name in (entry["name"], *entry.get("aliases", ())):
                    found.setdefault(name, entry)
    return found


def _work(
    entry: dict[str, Any], people: dict[str, dict[str, Any]], places: dict[str, dict[str, Any]]
) -> ParsedWork:
    ids = {"starter": entry["id"]}
    ids |= {scheme: entry[scheme] for scheme in ("doi", "arxiv") if scheme in entry}
    if "doi" in ids:
        ids["doi"] = ids["doi"].lower()
    stated = entry.get("affiliations", {})
    versions = []
    if "arxiv" in ids and entry["type"] != "preprint":
        address = f"https://arxiv.org/abs/{ids['arxiv']}"
        versions.append(
            ParsedVersion("preprint", venue="arXiv", ids={"arxiv": ids["arxiv"]}, url=address)
        )
        versions.append(ParsedVersion("published", venue=entry["venue"], year=entry["year"]))
    return ParsedWork(
        key=entry["id"],
        title=entry["title"],
        summary=entry["summary"],
        type=entry["type"],
        year=entry["year"],
        venue=entry.get("venue"),
        ids=ids,
        authors=[_author(name, stated.get(name, ()), people, places) for name in entry["authors"]],
        topics=[ParsedTopic(name) for name in entry["topics"]],
        references=[_reference(cited) for cited in entry.get("references", ())],
        versions=versions,
    )


def _author(
    name: str,
    affiliations: list[str],
    people: dict[str, dict[str, Any]],
    places: dict[str, dict[str, Any]],
) -> ParsedAuthor:
    known = people.get(name)
    return ParsedAuthor(
        name=name,
        ids={"starter": known["id"]} if known else {},
        institutions=[_institution(place, places.get(place, {})) for place in affiliations],
        raw_affiliation="; ".join(affiliations) or None,
    )


def _institution(name: str, known: dict[str, Any]) -> ParsedInstitution:
    ror = known.get("ror")
    ids = {"ror": ror.rstrip("/").rsplit("/", 1)[-1]} if ror else {}
    return ParsedInstitution(name, ids, known.get("country"))


def _reference(cited: str) -> ParsedReference:
    scheme, _, value = cited.partition(":")
    if scheme in ("arxiv", "doi"):
        return ParsedReference(scheme, value)
    return ParsedReference("starter", cited)
