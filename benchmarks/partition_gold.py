"""Does the suggested partition find two people back who stood under one record, and leave others whole?

Gold: person ids of the ACL Anthology (names, coauthors, venues, years, some citations; no topics), and ORCID
iDs of OpenAlex works (topics and institutions as well). Every ORCID and person id is hidden from what is
measured. Pairs are people of one name block, given one name; B-cubed over the works of each pair.

    python benchmarks/partition_gold.py ../shared/data/scholarly --json out.json
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from peerscope.record import Database, ingest, refresh_counts, resolve_people
from peerscope.record.importers import importer_for
from peerscope.record.models import Authorship
from peerscope.record.names import parse_name
from peerscope.record.oeuvre import Oeuvre, oeuvre_of
from peerscope.record.partition import suggested_partition

SOURCES = {
    "acl": ("acl.jsonl.zst", "acl", 5),
    "openalex": ("openalex_synergy9.jsonl.zst", "orcid", 3),
}
"""Name to file, scheme of the gold ids, and works from which a single person is looked at."""

LEAST = 2
"""Works of each person of a pair."""

SEED, MOST = 20260101, 300


def bcubed(found: Mapping[int, int], gold: Mapping[int, str]) -> tuple[float, float]:
    """B-cubed precision and recall of parts against persons, over works."""
    precision = recall = 0.0
    for one in gold:
        mates = [other for other in gold if found[other] == found[one]]
        right = [other for other in gold if gold[other] == gold[one]]
        both = sum(gold[other] == gold[one] for other in mates)
        precision += both / len(mates)
        recall += both / len(right)
    return precision / len(gold), recall / len(gold)


def gold_of(session: Session, scheme: str) -> tuple[dict[str, list[int]], dict[str, str]]:
    """Authorships of each gold id, and the name that it bears most often."""
    owned: dict[str, list[int]] = defaultdict(list)
    names: dict[str, Counter[str]] = defaultdict(Counter)
    for number, key, ids in session.execute(
        select(Authorship.id, Authorship.name_key, Authorship.author_ids).order_by(Authorship.id)
    ):
        stated = dict(line.partition(":")[::2] for line in (ids or "").split("\n"))
        if scheme in stated:
            owned[stated[scheme]].append(number)
            names[stated[scheme]][key] += 1
    return dict(owned), {one: counts.most_common(1)[0][0] for one, counts in names.items()}


def hidden(session: Session, authorships: Sequence[int], name: str) -> Oeuvre:
    """Authorships as one record would hold them: one name, no ORCID."""
    oeuvre = oeuvre_of(session, authorships)
    for own in oeuvre.works:
        own.name, own.name_key, own.orcid, own.raw_name = parse_name(name), name, None, name
    return oeuvre


def measure(session: Session, scheme: str, least: int) -> dict[str, Any]:
    """Singles that are parted, and what becomes of pairs."""
    owned, names = gold_of(session, scheme)
    rng = random.Random(SEED)
    many = sorted(one for one, works in owned.items() if len(works) >= least)
    singles = rng.sample(many, min(MOST, len(many)))
    parted = 0
    for one in singles:
        parted += len(suggested_partition(hidden(session, owned[one], names[one])).parts) > 1
    told: dict[str, Any] = {"singles": len(singles), "singles parted": parted}
    blocks: dict[str, list[str]] = defaultdict(list)
    for one in sorted(owned):
        if len(owned[one]) >= LEAST:
            blocks[parse_name(names[one]).block].append(one)
    chosen = sorted(key for key, people in blocks.items() if len(people) > 1)
    pairs = [rng.sample(blocks[key], 2) for key in rng.sample(chosen, min(MOST, len(chosen)))]
    told["of one block"] = measure_pairs(session, pairs, owned, names)
    all_of_them = sorted(one for people in blocks.values() for one in people)
    pairs = [rng.sample(all_of_them, 2) for _ in range(MOST)]
    told["of any name"] = measure_pairs(session, pairs, owned, names)
    return told


def measure_pairs(
    session: Session,
    pairs: Sequence[Sequence[str]],
    owned: Mapping[str, Sequence[int]],
    names: Mapping[str, str],
) -> dict[str, Any]:
    """What becomes of pairs of people who are put under one name."""
    sums: dict[str, list[tuple[float, float]]] = defaultdict(list)
    found_back = suggested = skipped = 0
    confident: Counter[str] = Counter()
    for one, other in pairs:
        oeuvre = hidden(session, [*owned[one], *owned[other]], names[one])
        first = set(owned[one])
        gold = {own.work: one if own.authorship in first else other for own in oeuvre.works}
        if len({own.work for own in oeuvre.works}) < len(oeuvre.works):
            skipped += 1  # they wrote together: one record cannot hold both
            continue
        partition = suggested_partition(oeuvre)
        parts = {work: i for i, part in enumerate(partition.parts) for work in part.works}
        groups = [group for part in partition.parts for group in part.groups]
        linked = {work: i for i, group in enumerate(groups) for work in group}
        sums["as it is (one person)"].append(bcubed(dict.fromkeys(gold, 0), gold))
        sums["suggested partition"].append(bcubed(parts, gold))
        sums["groups of direct links"].append(bcubed(linked, gold))
        suggested += len(partition.parts) > 1
        whole = {frozenset(part.works) for part in partition.parts}
        right = {frozenset(w for w in gold if gold[w] == p) for p in (one, other)}
        found_back += whole == right
        confident[partition.confidence] += 1
    used = len(pairs) - skipped
    table = {}
    for name, rows in sums.items():
        precision, recall = (sum(row[i] for row in rows) / len(rows) for i in (0, 1))
        table[name] = {
            "precision": precision, "recall": recall,
            "f1": 2 * precision * recall / (precision + recall),
        }  # fmt: skip
    return {
        "pairs": used, "pairs in one work": skipped, "pairs parted": suggested,
        "pairs found back": found_back,
        "confidence": dict(confident), "b-cubed": table,
    }  # fmt: skip


def main() -> None:
    """Import both sources, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    told = {}
    for name, (file, scheme, least) in SOURCES.items():
        with tempfile.TemporaryDirectory() as folder:
            database = Database(f"sqlite:///{folder}/record.sqlite")
            database.migrate()
            path = str(given.folder / file)
            ingest(database, importer_for(path), path)
            resolve_people(database)
            refresh_counts(database)
            with database.session() as session:
                told[name] = measure(session, scheme, least)
            database.close()
        print(name, json.dumps(told[name], indent=2))
    if given.json:
        given.json.write_text(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
