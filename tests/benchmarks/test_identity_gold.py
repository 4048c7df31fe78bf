"""Automatic identity against gold: an invented world in which everybody is known, and the Anthology's ids."""

from __future__ import annotations

import random
import sys
from collections import defaultdict
from hashlib import blake2b
from pathlib import Path

import numpy as np
import orjson
import pytest
import zstandard
from sqlalchemy import select

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import identity_data as data
import identity_measure as measure

from peerscope.record import Database, resolve_people
from peerscope.record.models import Authorship
from peerscope.record.names import parse_name

START = [*"bcdfghjklmnprstvz", "br", "dr", "gr", "kl", "pr", "st", "tr"]
END = [*"aeiou", "an", "en", "in", "on", "un", "ar", "er", "or", "al", "el", "il"]
COMMON_GIVEN, COMMON_FAMILY, SHARED_NAMES = 60, 40, 12


def word(draw: random.Random, syllables: int) -> str:
    return "".join(draw.choice(START) + draw.choice(END) for _ in range(syllables)).capitalize()


def invented(path: Path, works: int = 3_600, circles: int = 90) -> data.Gold:
    """Works of people in circles: common and rare names, twelve names borne by three people each."""
    draw = random.Random(7)
    given = [word(draw, 2) for _ in range(COMMON_GIVEN)]
    family = [word(draw, 1) + "ng" for _ in range(COMMON_FAMILY)]
    people: list[tuple[str, str, str]] = []
    circle: list[list[int]] = [[] for _ in range(circles)]
    for number in range(3_400):
        first = draw.choice(given) if number % 3 else word(draw, 3)
        last = draw.choice(family) if number % 2 else word(draw, 3)
        people.append((first, draw.choice(START)[0].upper() if number % 5 == 0 else "", last))
        circle[number % circles].append(number)
    for number in range(SHARED_NAMES * 3):
        # The same name in three circles that are not neighbours.
        people.append((given[number // 3], "", family[number // 3]))
        circle[(number // 3 + 31 * (number % 3)) % circles].insert(3, len(people) - 1)
    gold: data.Gold = {}
    own: dict[int, list[str]] = defaultdict(list)
    with path.open("wb") as out:
        for number in range(works):
            members = circle[number % circles]
            few = min(len(members), 8) if draw.random() < 0.5 else len(members)
            chosen = draw.sample(members[:few], draw.randint(2, 4))
            key, authors = f"w{number}", []
            for position, person in enumerate(chosen):
                first, middle, last = people[person]
                shown = f"{first[0]}." if draw.random() < 0.05 else first
                middle = f"{middle}. " if middle and draw.random() < 0.7 else ""
                authors.append({"name": f"{shown} {middle}{last}"})
                gold[key, position] = str(person)
            earlier = [one for person in chosen for one in own[person][-3:]]
            cited = draw.sample(earlier, min(len(earlier), 2)) if draw.random() < 0.4 else []
            for person in chosen:
                own[person].append(key)
            work = {"id": key, "title": f"The invented work with the number {number}", "authors": authors,
                    "year": 1995 + number * 25 // works, "references": sorted(set(cited))}  # fmt: skip
            out.write(orjson.dumps(work) + b"\n")
    return gold


def resolved(path: Path) -> tuple[np.ndarray, list[str | None]]:
    """Person of each authorship (one of its own where undecided), and the evidence of each."""
    database = Database(f"sqlite:///{path}")
    resolve_people(database)
    query = select(Authorship.person_id, Authorship.evidence).order_by(Authorship.id)
    with database.session() as session:
        rows = session.execute(query).all()
    database.close()
    people = [-1 - n if row[0] is None else row[0] for n, row in enumerate(rows)]
    return np.asarray(people), [row[1] for row in rows]


def test_people_of_an_invented_world_are_found(tmp_path: Path) -> None:
    gold = invented(tmp_path / "works.jsonl")
    data.make_record(tmp_path / "works.jsonl", tmp_path / "record.sqlite")
    names = data.read_names(tmp_path / "record.sqlite", gold)
    found, evidence = resolved(tmp_path / "record.sqlite")
    figures = measure.b_cubed(names.gold, found)
    assert figures.precision >= 0.99, figures
    assert figures.recall >= 0.77, figures
    shared = names.told_apart
    assert shared.sum() > 150
    ours, alone = (
        measure.b_cubed(names.gold, labels, shared) for labels in (found, data.labels(names.key))
    )
    assert ours.precision >= 0.97, ours
    assert alone.precision < 0.6, "names alone must fail here, or the part shows nothing"
    assert all(text and text.endswith(".") for text in evidence)
    assert any("rare" in (text or "") for text in evidence)


@pytest.mark.shared
def test_blocks_of_the_anthology_keep_their_precision(tmp_path: Path) -> None:
    """One held-out block in 32, with all works in which they occur; ids set aside."""
    if not data.ANTHOLOGY.exists():
        pytest.skip(f"no shared data at {data.ANTHOLOGY}")

    def sampled(block: str) -> bool:
        return data.held_out(block) and blake2b(block.encode(), digest_size=4).digest()[1] % 32 == 0

    with (
        zstandard.open(data.ANTHOLOGY, "rt", encoding="utf-8") as lines,
        zstandard.open(tmp_path / "some.zst", "wt", encoding="utf-8") as out,
    ):
        for line in lines:
            people = orjson.loads(line).get("authors", [])
            if any(sampled(parse_name(one["name"]).block) for one in people):
                out.write(line)
    gold = data.strip(tmp_path / "some.zst", tmp_path / "works.jsonl", lambda: None)
    assert b'"id":' not in b"".join(
        orjson.dumps(orjson.loads(line)["authors"])
        for line in (tmp_path / "works.jsonl").read_bytes().splitlines()
    )
    data.make_record(tmp_path / "works.jsonl", tmp_path / "record.sqlite")
    data.checked(tmp_path / "record.sqlite")
    names = data.read_names(tmp_path / "record.sqlite", gold)
    part = np.asarray([sampled(block) for block in names.block])
    found, _ = resolved(tmp_path / "record.sqlite")
    figures = measure.b_cubed(names.gold, found, part)
    assert part.sum() > 3_000
    assert figures.precision >= 0.99, figures
    assert figures.recall >= 0.85, figures
