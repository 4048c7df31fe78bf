"""A source that is withdrawn: the record is then what it would be had the source never been read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from peerscope.record import (
    Database,
    WriterBusyError,
    change_seq,
    delete_works,
    ingest,
    refresh_counts,
    resolve_people,
    restore_works,
)
from peerscope.record.export import EXPORTERS
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
    Person,
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
    Record,
)
from peerscope.record.statements import parsed_works
from peerscope.record.withdraw import NoSuchSourceError, withdraw, withdrawal_of

ENTITIES = {"S": Venue, "I": Institution, "T": Topic}
NUMBERS = {"id", "change_seq", "created_at", "updated_at", "deleted_at", "source_id", "venue_id",
           "field_sources", "works_count"}  # fmt: skip


def state(database: Database) -> dict[str, Any]:
    """Everything of the record that does not hang on numbers and times; works by their records."""
    with database.session() as session:
        places = dict(map(tuple, session.execute(select(Source.id, Source.location))))
        records: dict[int, set[tuple[str, str]]] = defaultdict(set)
        notes = set()
        for source, key, work, note in session.execute(
            select(
                SourceRecord.source_id, SourceRecord.key, SourceRecord.work_id, SourceRecord.note
            )
        ):
            records[work].add((places[source], key))
            notes.add((places[source], key, note is not None))
        works = session.scalars(select(Work).where(Work.deleted_at.is_(None))).all()
        name = {work.id: tuple(sorted(records[work.id])) for work in works}
        assert all(name.values()), "a work in sight that nobody states"
        authors: dict[int, Any] = defaultdict(dict)
        people: dict[int, set[Any]] = defaultdict(set)
        for row in session.scalars(select(Authorship)):
            if row.work_id not in name:
                continue
            at = session.execute(
                select(Institution.name_key)
                .join(AuthorshipInstitution, AuthorshipInstitution.institution_id == Institution.id)
                .where(AuthorshipInstitution.authorship_id == row.id)
            ).scalars()
            authors[row.work_id][row.position] = (
                row.raw_name, row.name_key, row.block_key, row.author_ids, row.raw_affiliation,
                row.is_corresponding, places[row.source_id], tuple(sorted(at)), row.decided_by,
            )  # fmt: skip
            if row.person_id is not None:
                people[row.person_id].add((name[row.work_id], row.position))
        # How a name was first spelled and of which kind its first work was stays as it once came.
        entities = {
            (kind, row.name_key): (
                row.works_count,
                sorted((s, v) for s, v in session.execute(
                    select(Identifier.scheme, Identifier.value)
                    .where(Identifier.entity == kind, Identifier.entity_id == row.id)
                )),
            )
            for kind, table in ENTITIES.items()
            for row in session.scalars(select(table).where(table.works_count > 0))
        }  # fmt: skip
        shown = {}
        for work in works:
            one = {c.name: getattr(work, c.name) for c in Work.__table__.columns
                   if c.name not in NUMBERS}  # fmt: skip
            venue = session.get(Venue, work.venue_id) if work.venue_id else None
            shown[name[work.id]] = one | {
                "venue": venue and venue.name_key,
                "source": places[work.source_id],
                "authors": authors[work.id],
                "ids": sorted(
                    (s, v, places[n]) for s, v, n in session.execute(
                        select(Identifier.scheme, Identifier.value, Identifier.source_id)
                        .where(Identifier.entity == "W", Identifier.entity_id == work.id)
                    )
                ),
                "topics": sorted(session.execute(
                    select(Topic.name_key, WorkTopic.score)
                    .join(WorkTopic, WorkTopic.topic_id == Topic.id)
                    .where(WorkTopic.work_id == work.id)
                )),
                "references": sorted(
                    (key, raw or "", name.get(cited, ()) if cited else None, places[n])
                    for key, raw, cited, n in session.execute(
                        select(Citation.ref_key, Citation.raw, Citation.cited_id, Citation.source_id)
                        .where(Citation.citing_id == work.id)
                    )
                ),
                "lists": sorted(
                    repr(tuple(getattr(row, c.name) for c in table.__table__.columns
                               if c.name not in NUMBERS and c.name != "work_id"))
                    for table in (Version, Artifact, Notice)
                    for row in session.scalars(select(table).where(table.work_id == work.id))
                ),
            }  # fmt: skip
        found = {
            tuple(sorted(people[row.id])): (
                row.display_name, row.name_key, row.orcid, row.works_count, row.cited_by_count,
                row.rule,
            )
            for row in session.scalars(select(Person).where(Person.merged_into_id.is_(None)))
            if people[row.id]
        }  # fmt: skip
        export = sorted(
            "".join(EXPORTERS["csl"].write(iter([one]))) for one in parsed_works(session)
        )
    return {"works": shown, "people": found, "entities": entities, "export": export, "notes": notes}


def read(database: Database, put: Any, name: str, works: list[ParsedWork]) -> int:
    done = put(database, works, name)
    resolve_people(database)
    refresh_counts(database)
    return done.source_id


def same(plain: Any, real: Any) -> None:
    """Whether a record is what an import without the source makes.

    Identifiers of venues and institutions that a work showed for a while, until another source took its
    place, stay in a plain import; a withdrawal leaves none that no work shows.
    """
    for part in ("works", "people", "export", "notes"):
        assert plain[part] == real[part], part
    assert {k: v[0] for k, v in plain["entities"].items()} == {
        k: v[0] for k, v in real["entities"].items()
    }
    for key, (_, ids) in real["entities"].items():
        assert set(ids) <= set(plain["entities"][key][1]), key


TITLES = ["Learning to rank papers", "Graphs of citations", "On the norm of layers", "Introduction"]
PEOPLE = ["Ada Example", "A. Example", "Ben Sample", "Kim Lee", "Kim J. Lee", "Kim K. Lee"]
ORCIDS = {"Ada Example": "0000-0001-0000-0009", "Kim Lee": "0000-0002-1825-0097",
          "Kim J. Lee": "0000-0002-1825-0097"}  # fmt: skip
# Names that an identifier alone joins hang on the order also without a withdrawal; they have a test below.
VENUES = [(None, {}), ("Journal of Ranks", {}), ("journal of ranks", {"issn": "1"}), ("J. Ranks", {}),
          ("Proceedings of Graphs", {"issn": "2"})]  # fmt: skip
PLACES = [ParsedInstitution("KAIST"), ParsedInstitution("KAIST", {"ror": "05apxxy63"}, "KR"),
          ParsedInstitution("Korea Institute")]  # fmt: skip
TOPICS = [ParsedTopic("Ranking"), ParsedTopic("ranking", {"openalex": "T1"}), ParsedTopic("Graphs")]
DOIS = [f"10.1/{n}" for n in range(4)]
ARXIV = [f"2001.0000{n}" for n in range(3)]


@st.composite
def author(draw: Any) -> ParsedAuthor:
    name = draw(st.sampled_from(PEOPLE))
    orcid = draw(st.sampled_from([None, ORCIDS.get(name)]))
    return ParsedAuthor(
        name, ids={"orcid": orcid} if orcid else {},
        institutions=draw(st.lists(st.sampled_from(PLACES), max_size=1)),
        raw_affiliation=draw(st.sampled_from([None, None, "KAIST, Daejeon"])),
    )  # fmt: skip


@st.composite
def work(draw: Any) -> dict[str, Any]:
    ids = {}
    if doi := draw(st.sampled_from([None, *DOIS])):
        ids["doi"] = doi
    if arxiv := draw(st.sampled_from([None, None, *ARXIV])):
        ids["arxiv"] = arxiv
    venue, venue_ids = draw(st.sampled_from(VENUES))
    refs = draw(st.lists(st.sampled_from([*DOIS, "as printed"]), max_size=2, unique=True))
    return {
        "title": draw(st.sampled_from(TITLES)), "ids": ids, "venue": venue,
        "venue_ids": dict(venue_ids), "year": draw(st.sampled_from([None, 2019, 2020, 2021])),
        "type": draw(st.sampled_from(["preprint", "journal-article", "proceedings-article"])),
        "abstract": draw(st.sampled_from([None, "One.", "Another."])),
        "authors": draw(st.lists(author(), max_size=2)),
        "topics": draw(st.lists(st.sampled_from(TOPICS), max_size=1)),
        "references": [
            ParsedReference("doi", one) if one in DOIS else ParsedReference(raw=one) for one in refs
        ],
        "versions": draw(st.sampled_from([[], [ParsedVersion("preprint", ids={"arxiv": ARXIV[0]})]])),
        "artifacts": draw(st.sampled_from([[], [ParsedArtifact("code", "https://example.org/c")]])),
        "notices": draw(st.sampled_from([[], [ParsedNotice("correction", "2021-01-01")]])),
    }  # fmt: skip


bibliography = st.lists(work(), min_size=1, max_size=4)


def keyed(name: str, fields: list[dict[str, Any]]) -> list[ParsedWork]:
    return [ParsedWork(key=f"{name}{i}", **one) for i, one in enumerate(fields)]


@dataclass
class Listed:
    """Gives the works that it holds."""

    records: list[ParsedWork]
    name: str = "list"
    covers: frozenset[str] = frozenset({"references", "ids"})

    def read(self, path: str) -> Iterator[Record]:
        return (Good(place, one) for place, one in enumerate(self.records))


class Shelf:
    """A fresh record in memory, for one example."""

    def __init__(self) -> None:
        self.database = Database("sqlite://")
        with self.database.begin() as session:
            Base.metadata.create_all(session.connection())
        self.sources: dict[str, int] = {}

    def read(self, name: str, works: list[ParsedWork], *, resolve: bool = True) -> None:
        # An import may change what it is given.
        fresh = [replace(one, authors=[replace(a, ids=dict(a.ids)) for a in one.authors],
                         ids=dict(one.ids)) for one in works]  # fmt: skip
        digest = sha256(repr(works).encode()).hexdigest()
        done = ingest(
            self.database, Listed(fresh), name, location=name, name=name, digest=digest
        )  # fmt: skip
        self.sources[name] = done.source_id
        if resolve:
            resolve_people(self.database)
            refresh_counts(self.database)


@settings(max_examples=25)
@given(
    a=bibliography, b=bibliography, c=bibliography,
    order=st.permutations("abc"), batch=st.sampled_from([1, 2, 100]),
)  # fmt: skip
def test_what_is_left_is_what_an_import_without_the_source_makes(a, b, c, order, batch) -> None:
    given_works = {"a": keyed("a", a), "b": keyed("b", b), "c": keyed("c", c)}
    real, plain = Shelf(), Shelf()
    for name in order:
        real.read(name, given_works[name])
        if name != "b":
            plain.read(name, given_works[name])
    withdraw(real.database, real.sources["b"], batch_size=batch)
    for shelf in (real, plain):
        resolve_people(shelf.database, everything=True)
        refresh_counts(shelf.database)
    same(state(plain.database), state(real.database))
    real.database.close()
    plain.database.close()


def a_work(key: str, title: str, *names: str, **fields: Any) -> ParsedWork:
    return ParsedWork(key=key, title=title, authors=[ParsedAuthor(n) for n in names], **fields)


FIRST = [
    a_work("a1", "Learning to rank papers", "Ada Example", "Ben Sample", year=2020, ids={"doi": "10.1/1"},
           references=[ParsedReference("doi", "10.1/9")]),
    a_work("a2", "Graphs of citations", "Ada Example", "Ben Sample", year=2021, ids={"doi": "10.1/2"}),
]  # fmt: skip
SECOND = [
    a_work("b1", "Learning to rank papers", "Ada Example", "Ben Sample", year=2020, ids={"doi": "10.1/1"},
           abstract="Only here.", topics=[ParsedTopic("Ranking")]),
    a_work("b2", "A work that only the second states", "Ada Example", "Ben Sample", year=2022,
           ids={"doi": "10.1/9"}, venue="Journal of Ranks", abstract="Secret words."),
]  # fmt: skip


@pytest.fixture
def two(database: Database) -> tuple[Database, int, int]:
    """A record of two sources, and their numbers."""
    shelf = Shelf()
    shelf.database.close()
    shelf.database = database
    shelf.read("a", FIRST)
    shelf.read("b", SECOND)
    return database, shelf.sources["a"], shelf.sources["b"]


def work_of(database: Database, key: str) -> int:
    with database.session() as session:
        return session.scalar(select(SourceRecord.work_id).where(SourceRecord.key == key))


def test_works_that_only_it_stated_are_deleted_and_nothing_that_it_said_is_kept(two: Any) -> None:
    database, _, second = two
    alone, shared = work_of(database, "b2"), work_of(database, "a1")
    with database.session() as session:
        seen = change_seq(session)
        found = withdrawal_of(session, second)
    assert (found.records, found.gone, found.kept) == (2, 1, 1)
    assert withdraw(database, second) == found
    with database.session() as session:
        gone, kept = session.get(Work, alone), session.get(Work, shared)
        assert gone.deleted_at is not None and gone.change_seq > seen
        assert (gone.title, gone.abstract, gone.doi, gone.venue_id) == ("", None, None, None)
        assert kept.deleted_at is None and kept.abstract is None and kept.change_seq > seen
        assert kept.references_count == 1
        assert session.scalar(select(Citation.cited_id).where(Citation.citing_id == shared)) is None
        assert session.scalar(select(func.count()).select_from(Topic)) == 0
        assert session.scalar(select(func.count()).select_from(Venue)) == 0
        assert session.scalar(select(func.count()).where(Identifier.value == "10.1/9")) == 0
        ada = session.scalars(select(Person).where(Person.display_name == "Ada Example")).one()
        assert ada.works_count == 2
        states = session.scalars(
            select(ImportRun.state).where(ImportRun.source_id == second).order_by(ImportRun.id)
        ).all()
        assert states == ["done", "withdrawn"]
        assert restore_works(session, [alone]) == 0, "there is nothing to show of it"
    with pytest.raises(NoSuchSourceError, match="nothing to withdraw"):
        withdraw(database, second)
    with pytest.raises(NoSuchSourceError, match="no source 99"):
        withdraw(database, 99)


def test_reading_it_again_brings_works_and_people_back_at_their_addresses(two: Any) -> None:
    database, _, second = two

    def places() -> Any:
        with database.session() as session:
            rows = session.execute(
                select(SourceRecord.key, SourceRecord.work_id, Authorship.id, Authorship.person_id)
                .join(Authorship, Authorship.work_id == SourceRecord.work_id)
                .order_by(SourceRecord.key, Authorship.position)
            )
            return [tuple(row) for row in rows]

    before, whole = places(), state(database)
    withdraw(database, second)
    assert places() != before
    shelf = Shelf()
    shelf.database.close()
    shelf.database = database
    shelf.read("b", SECOND)
    assert places() == before
    same(whole, state(database))
    with database.session() as session:
        assert session.get(Work, work_of(database, "b2")).deleted_at is None


def test_what_somebody_deleted_by_hand_stays_deleted_when_its_source_comes_back(two: Any) -> None:
    database, _, second = two
    alone = work_of(database, "b2")
    with database.begin() as session:
        delete_works(session, [alone])
    withdraw(database, second)
    shelf = Shelf()
    shelf.database.close()
    shelf.database = database
    shelf.read("b", SECOND)
    with database.session() as session:
        assert session.get(Work, alone).deleted_at is not None


def test_a_decision_about_a_work_that_goes_is_named_stays_and_counts_again_when_it_is_back(
    two: Any,
) -> None:
    from peerscope.record.identity_events import decide, detach

    database, _, second = two
    alone = work_of(database, "b2")
    with database.session() as session:
        person = session.scalars(
            select(Person.id).where(Person.display_name == "Ada Example")
        ).one()
        proposal = detach(session, person, [alone])
    event = decide(database, proposal, "Operator").event
    with database.session() as session:
        assert withdrawal_of(session, second).events == (event,)
    withdraw(database, second)
    shelf = Shelf()
    shelf.database.close()
    shelf.database = database
    shelf.read("b", SECOND)
    with database.session() as session:
        owner = session.scalars(
            select(Authorship.person_id).where(
                Authorship.work_id == alone, Authorship.raw_name == "Ada Example"
            )
        ).one()
    assert owner is None, "not theirs, as it was decided"


def test_a_name_that_only_an_identifier_of_the_source_joined_stands_alone_again(
    sqlite: Database,
) -> None:
    shelf = Shelf()
    shelf.database.close()
    shelf.database = sqlite
    shelf.read("a", [a_work("a1", "One work", "Ada Example", venue="J. Ranks")])
    shelf.read(
        "b", [a_work("b1", "Another work", "Ben Sample", venue="J. Ranks", venue_ids={"issn": "1"})]
    )
    shelf.read(
        "c", [a_work("c1", "A third work", "Kim Lee", venue="Ranking", venue_ids={"issn": "1"})]
    )
    with sqlite.session() as session:
        assert session.scalar(select(func.count()).select_from(Venue)) == 1
    withdraw(sqlite, shelf.sources["b"])
    with sqlite.session() as session:
        names = {v.display_name: v.works_count for v in session.scalars(select(Venue))}
        assert names == {"J. Ranks": 1, "Ranking": 1}


def test_a_withdrawal_killed_between_batches_goes_on_where_it_was(sqlite: Database) -> None:
    shelf, plain = Shelf(), Shelf()
    shelf.database.close()
    shelf.database = sqlite
    shelf.read("a", FIRST)
    plain.read("a", FIRST)
    many = [
        a_work(f"m{n}", f"Study number {n} of many", "Ada Example", year=2020) for n in range(30)
    ]
    shelf.read("b", many)

    class Killed(BaseException):
        pass

    def kill(stage: str, done: int, total: int | None) -> None:
        if done >= 10:
            raise Killed

    with pytest.raises(Killed):
        withdraw(sqlite, shelf.sources["b"], batch_size=5, progress=kill)
    with sqlite.session() as session:
        left = session.scalar(
            select(func.count()).where(SourceRecord.source_id == shelf.sources["b"])
        )
    assert 0 < left < 30
    withdraw(sqlite, shelf.sources["b"], batch_size=5)
    same(state(plain.database), state(sqlite))
    with sqlite.session() as session:
        last = session.scalars(select(ImportRun).order_by(ImportRun.id.desc())).first()
        assert (last.state, last.position) == ("withdrawn", 30)


def test_only_one_process_writes(sqlite: Database) -> None:
    shelf = Shelf()
    shelf.database.close()
    shelf.database = sqlite
    shelf.read("a", FIRST)
    with sqlite.writer("an import"), pytest.raises(WriterBusyError):
        withdraw(sqlite, shelf.sources["a"])
