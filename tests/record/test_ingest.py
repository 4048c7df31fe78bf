from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from copy import deepcopy
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from peerscope.record import (
    Database,
    WriterBusyError,
    change_seq,
    delete_works,
    ingest,
    parsed_works,
    quarantined,
    refresh_counts,
    works_changed_since,
)
from peerscope.record.join import Statement, join
from peerscope.record.models import (
    Artifact,
    Authorship,
    AuthorshipInstitution,
    Base,
    Citation,
    Identifier,
    ImportRun,
    Institution,
    Notice,
    Source,
    SourceRecord,
    Topic,
    Venue,
    Version,
    Work,
    WorkTopic,
)
from peerscope.record.parsed import (
    Good,
    ParsedArtifact,
    ParsedAuthor,
    ParsedInstitution,
    ParsedNotice,
    ParsedReference,
    ParsedTopic,
    ParsedVersion,
    ParsedWork,
    Quarantined,
)


def works(database: Database) -> list[Work]:
    with database.session() as session:
        return list(session.scalars(select(Work).order_by(Work.id)))


def rows(database: Database, *columns: Any) -> list[tuple[Any, ...]]:
    with database.session() as session:
        return [tuple(r) for r in session.execute(select(*columns).order_by(*columns))]


def report(r: Any) -> tuple[int, int, int, int, int]:
    return (r.added, r.updated, r.unchanged, r.quarantined, r.positions)


def bad(key: str | None = None, reason: str = "No title.") -> Quarantined:
    return Quarantined(0, "line 1", reason, "Add a title.", key)


def full_work(key: str = "k1") -> ParsedWork:
    kaist = ParsedInstitution("KAIST", {"ror": "05apxxy63"}, "KR", "education")
    return ParsedWork(
        key=key,
        title="Dual Temperature Helps Contrastive Learning",
        abstract="About $x^2$.",
        type="proceedings-article",
        year=2022,
        date="2022-06",
        venue="CVPR",
        venue_ids={"issn": "1063-6919"},
        pages="14441-14450",
        ids={"doi": "10.1/dual", "arxiv": "2203.17248"},
        authors=[
            ParsedAuthor("Chaoning Zhang", institutions=[kaist], is_corresponding=True),
            ParsedAuthor(
                "Kang Zhang", ids={"starter": "kang-zhang"}, raw_affiliation="KAIST, Korea"
            ),
        ],
        topics=[ParsedTopic("Contrastive learning", {"openalex": "T1"}, 0.9)],
        references=[
            ParsedReference("doi", "10.1/moco"),
            ParsedReference(raw="He et al., somewhere"),
        ],
        versions=[ParsedVersion("preprint", "arXiv", 2022, {"arxiv": "2203.17248"})],
        artifacts=[ParsedArtifact("code", "https://example.org/code")],
        notices=[ParsedNotice("correction", "2023-01-02", "https://example.org/n")],
    )


def test_every_part_of_a_record_arrives(database: Database, put: Any) -> None:
    assert report(put(database, [full_work()])) == (1, 0, 0, 0, 1)
    (work,) = works(database)
    assert (work.title, work.publication_year, work.pages) == (
        "Dual Temperature Helps Contrastive Learning", 2022, "14441-14450",
    )  # fmt: skip
    assert (work.doi, work.arxiv_id, work.covered) == ("10.1/dual", "2203.17248", "ids references")
    assert work.created_at is not None
    assert rows(database, Venue.display_name, Venue.type) == [("CVPR", "conference")]
    assert rows(database, Authorship.position, Authorship.raw_name, Authorship.name_key) == [
        (0, "Chaoning Zhang", "zhang, chaoning"),
        (1, "Kang Zhang", "zhang, kang"),
    ]
    assert rows(database, Authorship.author_ids, Authorship.raw_affiliation)[0] == (
        "starter:kang-zhang", "KAIST, Korea",
    ) or (None, None) in rows(database, Authorship.author_ids, Authorship.raw_affiliation)  # fmt: skip
    assert rows(database, Institution.display_name, Institution.ror, Institution.country_code) == [
        ("KAIST", "05apxxy63", "KR")
    ]
    assert len(rows(database, AuthorshipInstitution.authorship_id)) == 1
    assert rows(database, Topic.display_name, Topic.origin, WorkTopic.score) == [
        ("Contrastive learning", "given", 0.9)
    ]
    assert sorted(r[0] or "raw" for r in rows(database, Citation.value)) == ["10.1/moco", "raw"]
    assert rows(database, Version.kind, Version.value) == [("preprint", "2203.17248")]
    assert rows(database, Artifact.kind, Artifact.url) == [("code", "https://example.org/code")]
    assert rows(database, Notice.kind, Notice.date) == [("correction", "2023-01-02")]
    entities = {(e, s) for e, s in rows(database, Identifier.entity, Identifier.scheme)}
    assert entities == {
        ("W", "doi"),
        ("W", "arxiv"),
        ("S", "issn"),
        ("I", "ror"),
        ("T", "openalex"),
    }
    with database.session() as session:
        (back,) = parsed_works(session)
    assert back == full_work()


def test_the_same_file_changes_nothing(database: Database, put: Any) -> None:
    put(database, [full_work(), bad()])
    with database.session() as session:
        before = change_seq(session)
    again = put(database, [full_work(), bad()])
    assert again.skipped
    assert report(again) == (0, 0, 1, 1, 2)
    forced = put(database, [full_work(), bad()], force=True)
    assert not forced.skipped
    assert report(forced) == (0, 0, 1, 1, 2)
    with database.session() as session:
        assert change_seq(session) == before
    assert len(works(database)) == 1
    assert "not changed" in again.sentence()


def test_a_changed_file_updates_what_differs(database: Database, put: Any, make_work: Any) -> None:
    other = make_work("k2", "Momentum Contrast for Visual Representations", "Kaiming He", year=2020)
    put(database, [full_work(), other])
    with database.session() as session:
        before = change_seq(session)
    changed = full_work()
    changed.title = "Dual Temperature Helps Contrastive Learning Without Many Negatives"
    changed.authors.insert(0, ParsedAuthor("Ada Example"))
    changed.authors.pop()
    changed.references = [ParsedReference("doi", "10.1/simclr")]
    changed.topics = []
    changed.artifacts = []
    assert report(put(database, [changed, other])) == (0, 1, 1, 0, 2)
    with database.session() as session:
        assert works_changed_since(session, before) == [1]
    assert works(database)[0].title == changed.title
    names = rows(database, Authorship.work_id, Authorship.position, Authorship.raw_name)
    assert names[:2] == [(1, 0, "Ada Example"), (1, 1, "Chaoning Zhang")]
    assert [v for (v,) in rows(database, Citation.value)] == ["10.1/simclr"]
    assert rows(database, WorkTopic.work_id) == []
    assert rows(database, Artifact.id) == []
    assert len(rows(database, AuthorshipInstitution.authorship_id)) == 1


def test_authors_keep_their_rows_when_they_change_places(database: Database, put: Any) -> None:
    put(database, [full_work()])
    ids = dict(rows(database, Authorship.raw_name, Authorship.id))
    changed = full_work()
    changed.authors.reverse()
    put(database, [changed])
    assert dict(rows(database, Authorship.raw_name, Authorship.id)) == ids
    assert rows(database, Authorship.position, Authorship.raw_name)[0] == (0, "Kang Zhang")


def test_two_sources_of_one_work(database: Database, put: Any) -> None:
    short = ParsedWork(
        key="x", title="Dual temperature helps contrastive learning", ids={"doi": "10.1/dual"},
        publisher="IEEE", url="https://example.org/w", type="proceedings-article",
        authors=[
            ParsedAuthor("C. Zhang", ids={"orcid": "0000-0001-0000-0009"}), ParsedAuthor("K. Zhang")
        ],
    )  # fmt: skip
    put(database, [full_work()], "a.list")
    assert report(put(database, [short], "b.list", importer="other")) == (1, 0, 0, 0, 1)
    (work,) = works(database)
    assert (work.publisher, work.source_id) == ("IEEE", 1)
    assert work.field_sources is not None
    assert '"publisher":2' in work.field_sources
    assert rows(database, Authorship.raw_name, Authorship.author_ids) == [
        ("Chaoning Zhang", "orcid:0000-0001-0000-0009"),
        ("Kang Zhang", "starter:kang-zhang"),
    ]
    assert len(rows(database, SourceRecord.id)) == 2


def test_matching_order_and_its_notes(database: Database, put: Any, make_work: Any) -> None:
    one = make_work("1", "A first work of its own", "A One", ids={"doi": "10.1/a"})
    two = make_work("2", "A second work of its own", "B Two", ids={"arxiv": "2001.00001"})
    put(database, [one, two])
    both = make_work(
        "b", "A first work of its own", "A One", ids={"doi": "10.1/a", "arxiv": "2001.00001"}
    )
    put(database, [both], "b.list", importer="other")
    with database.session() as session:
        record = session.scalars(select(SourceRecord).where(SourceRecord.key == "b")).one()
    assert record.work_id == 1
    assert record.note == "arxiv 2001.00001 belongs to W2"
    assert len(works(database)) == 2
    owner = rows(database, Identifier.scheme, Identifier.entity_id)
    assert owner == [("arxiv", 2), ("doi", 1)]


def test_two_records_of_one_source_never_join(database: Database, put: Any, make_work: Any) -> None:
    a = make_work("1", "The very same title here", "A One", year=2020, ids={"doi": "10.1/a"})
    b = make_work("2", "The very same title here", "A One", year=2020, ids={"doi": "10.1/a"})
    assert report(put(database, [a, b], batch_size=1)) == (2, 0, 0, 0, 2)
    assert len(works(database)) == 2
    with database.session() as session:
        notes = session.scalars(select(SourceRecord.note).order_by(SourceRecord.id)).all()
    assert notes == [None, "doi 10.1/a belongs to W1, which this source states too"]


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ({"year": 2020}, {"year": 2020}, True),
        ({"year": 2020}, {"year": 2021}, False),
        ({"year": 2020, "type": "preprint"}, {"year": 2022}, True),
        ({"year": 2020, "type": "preprint"}, {"year": 2023}, False),
        ({"year": 2020}, {"year": None}, True),
        ({"year": 2020, "ids": {"doi": "10.1/a"}}, {"year": 2020, "ids": {"doi": "10.1/b"}}, False),
        (
            {"year": 2020, "ids": {"doi": "10.48550/arxiv.2001.00001"}, "type": "preprint"},
            {"year": 2021, "ids": {"doi": "10.1/b"}},
            True,
        ),
        (
            {"year": 2020, "ids": {"arxiv": "2001.1"}},
            {"year": 2020, "ids": {"arxiv": "2001.2"}},
            False,
        ),
        ({"year": 2020, "title": "Introduction"}, {"year": 2020, "title": "Introduction"}, False),
        ({"year": 2020, "title": "On Sets"}, {"year": 2020, "title": "On Sets"}, False),
        ({"year": 2020, "names": ["Ada Example"]}, {"year": 2020, "names": ["Bo Other"]}, False),
        ({"year": 2020, "names": []}, {"year": 2020, "names": []}, False),
    ],
)
def test_joining_by_title(
    sqlite: Database, put: Any, make_work: Any, first: Any, second: Any, joined: bool
) -> None:
    for name, given_fields in (("a", first), ("b", second)):
        fields = dict(given_fields)
        title = fields.pop("title", "Masked Autoencoders: A Survey of Vision")
        names = fields.pop("names", ["Chaoning Zhang", "Kang Zhang"])
        work = make_work(name, title, *names, **{"type": "journal-article", **fields})
        put(sqlite, [work], f"{name}.list", importer=name)
    assert len(works(sqlite)) == (1 if joined else 2)


def test_preprint_and_published_become_versions(
    database: Database, put: Any, make_work: Any
) -> None:
    title = "Decoupled Adversarial Contrastive Learning"
    pre = make_work(
        "p", title, "Chaoning Zhang", "Kang Zhang", type="preprint", year=2022, venue="arXiv",
        ids={"arxiv": "2207.10899"}, abstract="Long abstract",
    )  # fmt: skip
    pub = make_work(
        "q", title.upper(), "C. Zhang", "K. Zhang", type="proceedings-article", year=2022,
        venue="ECCV", ids={"doi": "10.1007/x"},
    )  # fmt: skip
    put(database, [pre], "a.list")
    put(database, [pub], "b.list", importer="other")
    (work,) = works(database)
    assert (work.type, work.doi, work.arxiv_id) == (
        "proceedings-article",
        "10.1007/x",
        "2207.10899",
    )
    assert work.abstract == "Long abstract"
    assert rows(database, Version.kind, Version.scheme, Version.venue) == [
        ("preprint", "arxiv", "arXiv"),
        ("published", "doi", "ECCV"),
    ]


def test_citations_resolve_before_and_after(database: Database, put: Any, make_work: Any) -> None:
    def cite(*keys: str) -> list[ParsedReference]:
        return [ParsedReference("acl", key) for key in keys]

    a = make_work(
        "a", "First title of all", "A One", ids={"acl": "A1"}, references=cite("B1", "A1")
    )
    b = make_work(
        "b", "Second title of all", "B Two", ids={"acl": "B1"}, references=cite("A1", "C1")
    )
    put(database, [a, b], batch_size=1)
    assert rows(database, Citation.citing_id, Citation.cited_id, Citation.value)[:2] in (
        [(1, 2, "B1"), (2, 1, "A1")],
        [(1, 2, "B1"), (2, None, "C1")],
    )
    c = make_work("c", "Third title of all", "C Three", ids={"acl": "C1"})
    put(database, [c], "c.list", importer="other")
    edges = set(rows(database, Citation.citing_id, Citation.cited_id))
    assert edges == {(1, 2), (2, 1), (2, 3)}
    refresh_counts(database)
    got = [(w.references_count, w.cited_by_count, w.authors_count) for w in works(database)]
    assert got == [(1, 1, 1), (2, 1, 1), (0, 1, 1)]


def test_a_self_citation_that_shows_later_is_dropped(
    database: Database, put: Any, make_work: Any
) -> None:
    ref = [ParsedReference("openalex", "W77"), ParsedReference("openalex", "W78")]
    first = make_work("a", "A title to be shared", "A One", ids={"doi": "10.1/a"}, references=ref)
    put(database, [first])
    second = make_work(
        "b", "A title to be shared", "A One", ids={"doi": "10.1/a", "openalex": "W77"}
    )
    put(database, [second], "b.list", importer="other")
    assert rows(database, Citation.value) == [("W78",)]
    # Stated again with a change elsewhere, it stays out.
    first.publisher = "Someone"
    put(database, [first])
    assert rows(database, Citation.value) == [("W78",)]


def test_lost_identifier_lets_citations_go(database: Database, put: Any, make_work: Any) -> None:
    cited = make_work("a", "A cited work here", "A One", ids={"doi": "10.1/a"})
    citing = make_work(
        "b", "A citing work here", "B Two", references=[ParsedReference("doi", "10.1/a")]
    )
    put(database, [cited, citing])
    assert rows(database, Citation.cited_id) == [(1,)]
    cited.ids = {"doi": "10.1/other"}
    put(database, [cited, citing])
    assert rows(database, Citation.cited_id) == [(None,)]
    assert rows(database, Identifier.value) == [("10.1/other",)]


def test_venues_institutions_and_topics_are_one_each(
    database: Database, put: Any, make_work: Any
) -> None:
    def at(name: str, **ids: str) -> ParsedAuthor:
        return ParsedAuthor("Ada Example", institutions=[ParsedInstitution(name, ids)])

    put(
        database,
        [
            make_work("1", "One of the works", at("KAIST"), venue="CVPR", topics=[ParsedTopic("ML")]),
            make_work("2", "Two of the works", at("Kaist", ror="05apxxy63"), venue="cvpr",
                      topics=[ParsedTopic("ml")]),
            make_work("3", "Three of the works", at("Korea Advanced Institute", ror="05apxxy63")),
            make_work("4", "Four of the works", at("KAIST", ror="000000000")),
        ],
    )  # fmt: skip
    assert rows(database, Venue.name_key) == [("cvpr",)]
    assert rows(database, Topic.name_key) == [("ml",)]
    assert rows(database, Institution.id, Institution.display_name) == [(1, "KAIST"), (2, "KAIST")]
    refresh_counts(database)
    assert rows(database, Institution.id, Institution.works_count) == [(1, 3), (2, 1)]
    assert rows(database, Venue.works_count) == [(2,)]
    assert rows(database, Topic.works_count) == [(2,)]


def test_suggested_topics_survive_an_update(database: Database, put: Any) -> None:
    put(database, [full_work()])
    with database.begin() as session:
        session.add(Topic(id=99, display_name="x", name_key="x", origin="suggested", source_id=1))
        session.flush()
        session.add(WorkTopic(work_id=1, topic_id=99, score=1.0, source_id=1))
    changed = full_work()
    changed.topics = []
    put(database, [changed])
    assert rows(database, WorkTopic.topic_id) == [(99,)]


def test_bad_records_stay_out_and_good_ones_go_in(
    database: Database, put: Any, make_work: Any
) -> None:
    records = [
        make_work("1", "Good work number one", "A One"),
        bad("broken"),
        make_work("2", "  ", "A One"),
        make_work("3", "A year too late", "A One", year=20222),
        make_work("", "No key at all"),
        make_work("1", "Good work number one, again", "A One"),
        make_work("4", "Control \x00 characters\x1b here", "A\x00da Exa\x07mple\ud800", year=2020),
    ]
    got = put(database, records, batch_size=3)
    assert report(got) == (2, 0, 0, 5, 7)
    with database.session() as session:
        held = quarantined(session)
    assert [(q.position, q.reason.split()[0]) for q in held] == [
        (1, "No"), (2, "The"), (3, "The"), (4, "The"), (5, "An"),
    ]  # fmt: skip
    assert "20222" in held[2].reason
    assert all(q.mend and q.source == "a.list" for q in held)
    assert [w.title for w in works(database)] == ["Good work number one", "Control characters here"]
    assert rows(database, Authorship.raw_name)[1] == ("Ada Example",)


def test_mended_records_leave_the_quarantine(database: Database, put: Any, make_work: Any) -> None:
    good = make_work("1", "Good work number one", "A One")
    put(database, [bad(), good, bad(reason="Other."), bad()])
    mended = make_work("0", "Mended work number zero", "B Two")
    got = put(database, [mended, good, bad(reason="Still.")])
    assert report(got) == (1, 0, 1, 1, 3)
    with database.session() as session:
        assert [(q.position, q.reason) for q in quarantined(session)] == [(2, "Still.")]
        assert quarantined(session, limit=5, offset=1) == []


def test_a_repeated_key_in_a_later_batch(database: Database, put: Any, make_work: Any) -> None:
    records = [make_work("k", f"Work of the number {i}", "A One") for i in range(3)]
    assert report(put(database, records, batch_size=1)) == (1, 0, 0, 2, 3)
    assert report(put(database, records, batch_size=1, force=True)) == (0, 0, 1, 2, 3)


def test_three_thousand_authors(database: Database, put: Any, make_work: Any) -> None:
    names = [f"Author{i} Number{i}" for i in range(3000)]
    put(database, [make_work("big", "Observation of a new particle", *names, year=2012)])
    refresh_counts(database)
    assert works(database)[0].authors_count == 3000


def test_out_of_range_fields_are_bounded(database: Database, put: Any) -> None:
    work = full_work()
    work.language = "x" * 99
    work.date = "sometime in spring"
    work.type = "poem"
    work.title = "word " * 5000
    work.ids = {"doi": "10.1/x", "averyveryverylongscheme": "1", "arxiv": "9" * 5000}
    work.authors[0].institutions[0].country = "Korea"
    work.versions = [ParsedVersion("a kind with a long name", "v", 99999, {"s" * 40: "v"})]
    work.notices = [ParsedNotice("retraction" * 3, "January the first")]
    work.authors.append(ParsedAuthor("x" * 9000, ids={"orcid": "o" * 100}))
    put(database, [work])
    (row,) = works(database)
    assert (row.language, row.publication_date, row.type, len(row.title)) == (
        None, None, "other", 2000,
    )  # fmt: skip


def test_an_importer_that_fails_keeps_what_was_read(
    database: Database, files: Any, make_work: Any
) -> None:
    class Failing:
        name = "failing"
        covers = frozenset({"ids"})
        broken = True

        def read(self, path: str) -> Any:
            for position in range(5):
                if position == 3 and self.broken:
                    raise ValueError("byte 77: not UTF-8")
                yield Good(
                    position, make_work(str(position), f"Work of number {position}", "A One")
                )

    path = files.write("f.list", [])
    importer = Failing()
    with pytest.raises(ValueError, match="byte 77"):
        ingest(database, importer, path, batch_size=2)
    assert len(works(database)) == 3
    importer.broken = False
    assert report(ingest(database, importer, path, batch_size=2)) == (5, 0, 0, 0, 5)


def test_only_one_import_at_a_time(database: Database, put: Any) -> None:
    with database.writer(), pytest.raises(WriterBusyError):
        put(database, [full_work()])


def test_deleted_works_stay_deleted(database: Database, put: Any) -> None:
    put(database, [full_work()])
    with database.begin() as session:
        before = change_seq(session)
        assert delete_works(session, [1, 2]) == 1
    with database.session() as session:
        assert works_changed_since(session, before) == [1]
        assert list(parsed_works(session)) == []
    changed = full_work()
    changed.publisher = "IEEE"
    put(database, [changed])
    assert works(database)[0].deleted_at is not None


def test_batches_bound_the_work_of_a_transaction(
    sqlite: Database, make_importer: Any, make_work: Any, files: Any
) -> None:
    """Memory is bounded when never more than a batch has been read beyond what is committed."""
    ahead: list[int] = []

    class Watching(make_importer):  # type: ignore[misc]
        def read(self, path: str) -> Any:
            for record in super().read(path):
                with sqlite.session() as session:
                    done = session.scalar(select(ImportRun.position)) or 0
                ahead.append(record.position - done)
                yield record

    importer = Watching([make_work(str(i), f"Work of number {i}", "A One") for i in range(100)])
    seen: list[int] = []
    ingest(
        sqlite, importer, files.write("w", []), batch_size=10,
        progress=lambda stage, done, total: seen.append(done),
    )  # fmt: skip
    assert max(ahead) == 9
    assert seen == list(range(10, 101, 10))


CHILD = """
import sys
from peerscope.record import Database, ingest
from peerscope.record.parsed import Good, ParsedAuthor, ParsedReference, ParsedWork, Quarantined

class Numbers:
    name, covers = "numbers", frozenset({"references"})
    def read(self, path):
        for i in range(3000):
            if i % 50 == 7:
                yield Quarantined(i, f"line {i}", "Bad.", "Mend it.")
                continue
            yield Good(i, ParsedWork(
                key=str(i), title=f"The work with the number {i}", ids={"n": str(i)}, year=2000,
                authors=[ParsedAuthor(f"Person {chr(65 + i % 26)}{i % 91}")],
                references=[ParsedReference("n", str((i * 37 + 1) % 3000))]))

database = Database(sys.argv[1])
database.migrate()
print("ready", flush=True)
ingest(database, Numbers(), sys.argv[2], batch_size=100)
database.close()
"""


def content(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Everything but times and run bookkeeping, in order."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    with database.session() as session:
        for name, table in Base.metadata.tables.items():
            columns = [c for c in table.columns if not c.name.endswith("_at")]
            got = session.execute(select(*columns)).all()
            found[name] = sorted((tuple(r) for r in got), key=repr)
    return found


def test_killed_at_any_moment_and_resumed(tmp_path: Path) -> None:
    file = tmp_path / "numbers.txt"
    file.write_text("0..2999")
    whole = f"sqlite:///{tmp_path / 'whole.sqlite'}"
    subprocess.run([sys.executable, "-c", CHILD, whole, str(file)], check=True, stdout=-3)
    broken = f"sqlite:///{tmp_path / 'broken.sqlite'}"
    moments = random.Random(7)
    kills = 0
    for _ in range(40):
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, broken, str(file)], stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(moments.uniform(0.0, 0.15))
            if child.poll() is not None:
                assert child.returncode == 0
                break
            child.kill()
        if child.returncode == 0:
            break
        kills += 1
        database = Database(broken)
        with database.session() as session:
            position = session.scalar(select(ImportRun.position)) or 0
            there = session.scalar(select(func.count()).select_from(SourceRecord)) or 0
            held = len(quarantined(session, limit=9999))
        database.close()
        assert position % 100 == 0
        assert there + held == position
    assert kills >= 2
    subprocess.run([sys.executable, "-c", CHILD, broken, str(file)], check=True, stdout=-3)
    one, two = Database(whole), Database(broken)
    assert content(one) == content(two)
    one.close()
    two.close()


VALUES = {
    "title": st.sampled_from(["A common title of it", "A COMMON title of it"]),
    "abstract": st.sampled_from([None, "x", "longer"]),
    "type": st.sampled_from(["preprint", "journal-article"]),
    "year": st.sampled_from([2020, 2021]),
    "date": st.sampled_from([None, "2020-01", "2021"]),
    "venue": st.sampled_from([None, "CVPR", "cvpr", "arXiv"]),
    "volume": st.sampled_from([None, "1", "2"]),
    "pages": st.sampled_from([None, "1-2"]),
    "is_oa": st.sampled_from([None, True, False]),
    "publisher": st.sampled_from([None, "P", "Q"]),
}
PEOPLE = st.lists(
    st.builds(
        ParsedAuthor,
        st.sampled_from(["Ada Example", "A. Example", "Bo Other"]),
        ids=st.sampled_from([{}, {"orcid": "1"}, {"openalex": "A1"}]),
    ),
    max_size=3,
)
STATED = st.builds(
    ParsedWork,
    key=st.just("k"),
    authors=PEOPLE,
    topics=st.lists(st.builds(ParsedTopic, st.sampled_from(["ML", "ml", "CV"])), max_size=2),
    references=st.lists(
        st.builds(ParsedReference, st.just("doi"), st.sampled_from(["1", "2"])), max_size=2
    ),
    ids=st.just({"doi": "10.1/same"}),
    **VALUES,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STATED, min_size=1, max_size=4), st.data())
def test_join_does_not_depend_on_order(stated: list[ParsedWork], data: st.DataObject) -> None:
    statements = [
        Statement(i, i % 2, ("x", f"/file{i}"), frozenset(), work) for i, work in enumerate(stated)
    ]
    shuffled = data.draw(st.permutations(statements))
    assert join(statements) == join(shuffled)


SHOWN = [
    c for c in Work.__table__.columns
    if c.name not in ("change_seq", "source_id", "field_sources", "venue_id")
    and not c.name.endswith("_at")
]  # fmt: skip


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],  # shrinking would take minutes: six databases an example
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(STATED, min_size=3, max_size=3))
def test_order_of_imports_does_not_show(
    tmp_path_factory: Any, make_importer: Any, stated: list[ParsedWork]
) -> None:
    folder = tmp_path_factory.mktemp("orders")
    for i, work in enumerate(stated):
        (folder / f"{i}.list").write_text(repr(work))
    seen = set()
    for number, order in enumerate(permutations(range(3))):
        database = Database(f"sqlite:///{folder / f'{number}.sqlite'}")
        database.migrate()
        for i in order:
            importer = make_importer([deepcopy(stated[i])], name=f"importer{i}")
            ingest(database, importer, str(folder / f"{i}.list"))
        shown = tuple(rows(database, *SHOWN))
        venue = tuple(
            r[0]
            for r in rows(database, Venue.name_key, Venue.id)
            if (r[1],) in rows(database, Work.venue_id)
        )
        authors = tuple(
            rows(database, Authorship.position, Authorship.raw_name, Authorship.author_ids)
        )
        cited = tuple(rows(database, Citation.ref_key))
        names = dict(rows(database, Source.id, Source.importer))
        primary = tuple(names[s] for (s,) in rows(database, Work.source_id))
        seen.add((shown, venue, authors, cited, primary))
        database.close()
    assert len(seen) == 1, "\n".join(map(str, seen))


@pytest.mark.shared
def test_a_real_collection_twice(database: Database, tmp_path: Path) -> None:
    import orjson
    import zstandard

    shared = Path(os.environ.get("PEERSCOPE_SHARED", Path(__file__).parents[3] / "shared"))
    file = shared / "data/scholarly/acl.jsonl.zst"
    if not file.exists():
        pytest.skip(f"no shared data at {file}")

    class Lines:
        name = "acl-lines"
        covers = frozenset({"references", "ids"})

        def read(self, path: str) -> Any:
            with zstandard.open(path, "rt", encoding="utf-8") as lines:
                for i, line in zip(range(5000), lines, strict=False):
                    d = orjson.loads(line)
                    people = [ParsedAuthor(a["name"]) for a in d.get("authors", [])]
                    yield Good(i, ParsedWork(
                        key=d["id"], title=d["title"], year=d.get("year"), ids={"acl": d["id"]},
                        authors=people,
                        references=[ParsedReference("acl", r) for r in d.get("references", [])],
                    ))  # fmt: skip

    first = ingest(database, Lines(), str(file))
    assert first.added == 5000
    inside = {k for (k,) in rows(database, SourceRecord.key)}
    wanted = 0
    with zstandard.open(file, "rt", encoding="utf-8") as lines:
        for _, line in zip(range(5000), lines, strict=False):
            d = orjson.loads(line)
            refs = {r for r in d.get("references", []) if r in inside and r != d["id"]}
            wanted += len(refs)
    resolved = [r for r in rows(database, Citation.cited_id) if r[0] is not None]
    assert len(resolved) == wanted > 100
    again = ingest(database, Lines(), str(file), force=True)
    assert (again.added, again.updated, again.unchanged) == (0, 0, 5000)
