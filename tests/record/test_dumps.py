"""Dumps of a record: what stands in them, that they are whole, equal for equal records, and read back."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from peerscope.record import (
    Database,
    delete_works,
    ingest,
    parsed_works,
    refresh_counts,
    resolve_people,
)
from peerscope.record.database import WriterBusyError, file_lock
from peerscope.record.dumps import Part, dump_named, dumps_in, record_parts, sources_of, write_dump
from peerscope.record.importers import importer_for
from peerscope.record.importers.dump import DumpImporter
from peerscope.record.models import Authorship, Citation, Person, Work
from peerscope.record.parsed import Good, Quarantined
from peerscope.record.starter import FOLDER, STARTER

DAY = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)


@pytest.fixture(scope="module")
def starter(tmp_path_factory):
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('dumped') / 'record.sqlite'}")
    database.migrate()
    ingest(
        database,
        importer_for(STARTER),
        str(FOLDER),
        location=STARTER,
        name="Starter",
        licence="CC0",
    )
    resolve_people(database)
    refresh_counts(database)
    with database.begin() as session:
        delete_works(session, [session.scalar(select(func.max(Work.id)))])
    refresh_counts(database)
    yield database
    database.close()


def dumped(database, folder, hidden=frozenset(), keep=3, at=DAY):
    with database.reading_one_state() as session:
        about = {"sources": sources_of(session)}
        return write_dump(folder, record_parts(session, hidden), about, keep, at)


def objects(dump, name):
    with gzip.open(dump.path(name), "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


@pytest.fixture(scope="module")
def dump(starter, tmp_path_factory):
    return dumped(starter, tmp_path_factory.mktemp("dumps"))[0]


def test_the_manifest_counts_and_sums_what_is_there(dump) -> None:
    said = json.loads((dump.folder / "manifest.json").read_text())
    assert said["format"] == "peerscope-dump" and said["written_at"] == "2026-03-04T05:06:00Z"
    assert said["sources"] == [{"name": "Starter", "importer": "starter", "licence": "CC0"}]
    assert {one["name"] for one in said["files"]} | {"manifest.json"} == {
        one.name for one in dump.folder.iterdir()
    }
    for one in said["files"]:
        content = (dump.folder / one["name"]).read_bytes()
        assert sha256(content).hexdigest() == one["sha256"] and len(content) == one["bytes"]
        lines = gzip.decompress(content).decode().splitlines()
        assert len(lines) - (one["name"] == "edges.csv.gz") == one["rows"] > 0


def test_edges_and_entities_are_those_of_the_record(starter, dump) -> None:
    """Counted anew from the tables, and from the other files of the dump."""
    with gzip.open(dump.path("edges.csv.gz"), "rt", newline="") as stream:
        rows = list(csv.DictReader(stream))
    kinds = Counter(row["kind"] for row in rows)
    with starter.session() as session:
        gone = set(session.scalars(select(Work.id).where(Work.deleted_at.is_not(None))))
        signed = session.execute(
            select(Authorship.person_id, Authorship.work_id, Authorship.position)
            .where(Authorship.person_id.is_not(None))
        ).all()  # fmt: skip
        cited = session.execute(
            select(Citation.citing_id, Citation.cited_id).where(Citation.cited_id.is_not(None))
        ).all()
    assert {(r["source"], r["target"], r["value"]) for r in rows if r["kind"] == "authored"} == {
        (f"A{p}", f"W{w}", str(at + 1)) for p, w, at in signed if w not in gone
    }
    assert {(r["source"], r["target"]) for r in rows if r["kind"] == "cites"} == {
        (f"W{a}", f"W{b}") for a, b in cited if not {a, b} & gone
    }
    assert set(kinds) == {"authored", "cites", "topic", "affiliated", "published"}
    known = {one["id"] for name in ("works", "people", "topics", "institutions", "venues")
             for one in objects(dump, f"{name}.jsonl.gz")}  # fmt: skip
    assert {end for row in rows for end in (row["source"], row["target"])} <= known
    for letter, name, kind in (("T", "topics", "topic"), ("S", "venues", "published")):
        counted = Counter(row["target"] for row in rows if row["kind"] == kind)
        assert counted == {
            one["id"]: one["works_count"] for one in objects(dump, f"{name}.jsonl.gz")
        }, letter
    people = objects(dump, "people.jsonl.gz")
    wrote = Counter(row["source"] for row in rows if row["kind"] == "authored")
    assert {one["id"]: one["works_count"] for one in people} == wrote
    assert f"W{next(iter(gone))}" not in known


def test_a_record_read_back_from_its_dump_is_the_same(starter, dump, tmp_path) -> None:
    again = Database(f"sqlite:///{tmp_path / 'record.sqlite'}")
    again.migrate()
    path = dump.path("works.jsonl.gz")
    importer = importer_for(str(path))
    assert isinstance(importer, DumpImporter)
    report = ingest(again, importer, str(path))
    assert report.quarantined == 0
    resolve_people(again)
    refresh_counts(again)
    with starter.session() as one, again.session() as other:
        first = [asdict(work) | {"key": ""} for work in parsed_works(one)]
        second = [asdict(work) | {"key": ""} for work in parsed_works(other)]
        assert len(first) == report.added > 250
        assert first == second
        counts = []
        for session in (one, other):
            living = (Person.merged_into_id.is_(None), Person.works_count > 0)
            people = session.execute(
                select(Person.display_name, Person.works_count, Person.cited_by_count).where(
                    *living
                )
            )
            works = session.execute(
                select(Work.title, Work.cited_by_count, Work.authors_count, Work.references_count)
                .where(Work.deleted_at.is_(None))
            )  # fmt: skip
            counts.append((sorted(map(tuple, people)), sorted(map(tuple, works))))
        assert counts[0] == counts[1]
    assert dumped(again, tmp_path / "dumps")[0].files[0]["rows"] == report.added
    again.close()


def test_equal_records_make_equal_bytes_and_no_second_folder(starter, dump, tmp_path) -> None:
    folder = tmp_path / "dumps"
    first, new = dumped(starter, folder)
    assert new and [one["sha256"] for one in first.files] == [one["sha256"] for one in dump.files]
    later = datetime(2026, 3, 5, tzinfo=UTC)
    again, new = dumped(starter, folder, at=later)
    assert not new and again.name == first.name == "2026-03-04"
    assert [one.name for one in dumps_in(folder)] == ["2026-03-04"]


def test_a_hidden_person_stands_nowhere(starter, tmp_path) -> None:
    with starter.session() as session:
        wanted = select(Person).where(Person.display_name == "Kaiming He")
        who = session.scalars(wanted).one()
        theirs = set(
            session.scalars(select(Authorship.work_id).where(Authorship.person_id == who.id))
        )
    dump = dumped(starter, tmp_path, frozenset({who.id}))[0]
    own = f"A{who.id}"
    for one in dump.files:
        text = gzip.decompress(dump.path(one["name"]).read_bytes()).decode()
        assert f'"{own}"' not in text and f",{own}," not in text, one["name"]
        if who.orcid:
            assert who.orcid not in text
    seen = 0
    for row in objects(dump, "works.jsonl.gz"):
        for person, author in zip(row["people"], row["work"]["authors"], strict=True):
            if int(row["id"][1:]) in theirs and author["name"] == who.display_name:
                seen += 1
                assert person is None and author["ids"] == {}
    assert seen == len(theirs)


def lines(text: bytes):
    return [Part("a.jsonl.gz", "a file", lambda: [text])]


def test_old_ones_go_and_a_day_may_have_several(tmp_path) -> None:
    for number in range(12):
        write_dump(tmp_path, lines(b"%d\n" % number), {}, 3, DAY)
    assert [one.name for one in dumps_in(tmp_path)] == [
        "2026-03-04-12",
        "2026-03-04-11",
        "2026-03-04-10",
    ]
    assert not list(tmp_path.glob(".writing-*"))


def test_what_breaks_off_leaves_nothing(tmp_path) -> None:
    write_dump(tmp_path, lines(b"1\n"), {}, 3, DAY)

    def broken():
        yield b"2\n"
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_dump(tmp_path, [Part("a.jsonl.gz", "a file", broken)], {}, 3, DAY)
    assert [one.name for one in tmp_path.iterdir() if one.is_dir()] == ["2026-03-04"]
    # A process that was killed could not clean up: the next one does.
    left = tmp_path / ".writing-killed"
    left.mkdir()
    (left / "a.jsonl.gz").write_bytes(b"half")
    write_dump(tmp_path, lines(b"3\n"), {}, 3, DAY)
    assert not left.exists() and len(dumps_in(tmp_path)) == 2
    with file_lock(tmp_path / ".writer", "another"), pytest.raises(WriterBusyError):
        write_dump(tmp_path, lines(b"4\n"), {}, 3, DAY)


@pytest.mark.parametrize(
    "name", ["..", "2026-03-04/..", "2026-03-4", "٢٠٢٦-03-04", "2026-03-04-x", "", "2026-03-04\n"]
)
def test_other_names_are_no_dumps(tmp_path, name) -> None:
    write_dump(tmp_path, lines(b"1\n"), {}, 3, DAY)
    assert dump_named(tmp_path, name) is None
    found = dump_named(tmp_path, "2026-03-04")
    assert found.path("../secret") is None and found.path("a.jsonl.gz") is not None
    (tmp_path / "2026-03-04" / "manifest.json").write_text("[1]")
    assert dumps_in(tmp_path) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(field=st.sampled_from(["title", "authors", "ids", "year", "references", "topics", "venue_ids", "extra", ""]),
       value=JSON)  # fmt: skip
def test_broken_lines_are_set_aside_and_nothing_else(dump, tmp_path, field, value) -> None:
    good = objects(dump, "works.jsonl.gz")[:1][0]
    bad = (
        {**good, "id": "W9", "work": {**good["work"], field: value}}
        if field
        else {**good, "work": value}
    )
    path = tmp_path / "works.jsonl"
    path.write_text("\n".join(json.dumps(one, sort_keys=True) for one in (good, bad)))
    first, second = DumpImporter(str(path)).read(str(path))
    assert isinstance(first, Good) and first.work.key == good["id"]
    assert isinstance(second, Good | Quarantined)
    if isinstance(second, Quarantined):
        assert "not as dumps have it" in second.reason and second.mend


def test_a_dump_of_either_database_is_the_same_to_the_byte(database, tmp_path) -> None:
    """On PostgreSQL in one transaction that sees one state; the sums are those of SQLite."""
    path = tmp_path / "a.bib"
    path.write_text(
        "@article{a, title={One}, author={Example, Ada and Other, Ben}, year={2020}, keywords={x, y}}\n"
        "@article{b, title={Two ü}, author={Example, Ada}, year={2021}, journal={A Journal}}\n"
    )
    found = []
    beside = Database(f"sqlite:///{tmp_path / 'beside.sqlite'}")
    beside.migrate()
    for one in (database, beside):
        ingest(one, importer_for(str(path)), str(path))
        resolve_people(one)
        refresh_counts(one)
        dump, _ = dumped(one, tmp_path / f"dumps{len(found)}")
        found.append(
            {
                f["name"]: (f["rows"], f["sha256"])
                for f in dump.files
                if f["name"] != "works.jsonl.gz"
            }
        )
        works = [{**row, "updated_at": ""} for row in objects(dump, "works.jsonl.gz")]
        found[-1]["works"] = works
    beside.close()
    assert (
        found[0] == found[1]
        and min(found[0][n][0] for n in ("people.jsonl.gz", "edges.csv.gz")) > 0
    )
