"""What the record gives to a trust snapshot, on both databases: sources, three values, splits and undo."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from sqlalchemy import select

from peerscope.community import Community
from peerscope.community.trust import ClaimFacts, Standing, snapshot
from peerscope.community.trust.evidence import Evidence, Looked, WorkFacts
from peerscope.community.trust.gather import gather, works_of_person
from peerscope.community.trust.history import history, keep
from peerscope.record import (
    Database,
    count_statements,
    delete_works,
    ingest,
    refresh_counts,
    resolve_people,
)
from peerscope.record.identity_events import decide, split, undo
from peerscope.record.importers import importer_for
from peerscope.record.models import Person, Work
from peerscope.record.parsed import ParsedArtifact, ParsedAuthor, ParsedNotice
from peerscope.record.starter import FOLDER, STARTER
from peerscope.settings import Settings

ORCID = "0000-0002-1825-0097"
TODAY = date.today().isoformat()


def person(database: Database, name: str) -> Person:
    with database.session() as session:
        return session.scalars(
            select(Person).where(Person.display_name == name, Person.merged_into_id.is_(None))
        ).one()


def found(database: Database, who: Person, **options):
    with database.session() as session:
        return gather(session, who, [("orcid", ORCID), ("starter", "x")], **options)


@pytest.fixture
def ada(database, make_work, make_importer, files) -> Person:
    """Four works of one person: one source looks for much, the other for identifiers only."""
    with_orcid = ParsedAuthor("Ada Example", ids={"orcid": ORCID})
    rich = [
        make_work("a", "A first work on many things", with_orcid, "Bo Other", is_oa=True, ids={"n": "1"},
                  artifacts=[ParsedArtifact("code", "https://example.org/c"),
                             ParsedArtifact("code", "https://example.org/d")]),
        make_work("b", "A second work on other things", with_orcid, is_oa=False, ids={"n": "2"},
                  notices=[ParsedNotice("retraction", "2024-05-01", "https://example.org/n")]),
        make_work("c", "A third work on yet others", "Ada Example", "Bo Other", ids={"n": "3"}),
    ]  # fmt: skip
    poor = [
        make_work("d", "A fourth work that is bare", "Ada Example", "Bo Other", ids={"n": "4"}),
        make_work("a", "A first work on many things", with_orcid, "Bo Other", ids={"n": "1"},
                  artifacts=[ParsedArtifact("data", "https://example.org/e")]),
    ]  # fmt: skip
    everything = frozenset({"open_access", "artifacts", "notices", "ids"})
    for name, works, covers in (("rich", rich, everything), ("poor", poor, frozenset({"ids"}))):
        ingest(database, make_importer(works, name, covers), files.write(name, works), name=name)
    resolve_people(database)
    refresh_counts(database)
    return person(database, "Ada Example")


def test_three_values_and_who_says_so(database, ada) -> None:
    evidence = found(database, ada)
    assert evidence.identifiers == (("orcid", ORCID),), (
        "this site's own numbers lead nowhere outside"
    )
    assert evidence.orcid == ORCID
    first, second, third, fourth = evidence.works
    assert [w.bond for w in evidence.works] == ["orcid", "orcid", "evidence", "evidence"]
    assert [w.open_access for w in evidence.works] == [
        Looked.FOUND, Looked.NOT_FOUND, Looked.NOT_FOUND, Looked.NOT_LOOKED_FOR,
    ]  # fmt: skip
    assert (first.code, first.data) == (Looked.FOUND, Looked.FOUND)
    assert (first.code_origin.source, first.data_origin.source) == ("rich", "poor")
    assert first.open_origin.source == "rich"
    assert (second.code, fourth.code) == (Looked.NOT_FOUND, Looked.NOT_LOOKED_FOR)
    (notice,) = second.notices
    assert (notice.kind, notice.date, notice.url) == (
        "retraction",
        "2024-05-01",
        "https://example.org/n",
    )
    assert (notice.origin.source, notice.origin.retrieved_at) == ("rich", TODAY)
    assert {o.source for o in first.read} == {"rich", "poor"}
    assert {o.source for o in fourth.read} == {"poor"}
    assert third.looked_for == {"open_access", "artifacts", "notices", "ids"}
    assert fourth.looked_for == {"ids"}


def test_what_it_amounts_to(database, ada) -> None:
    claims = (ClaimFacts("x", found(database, ada).works[0].work, "X", "partly"),
              ClaimFacts("y", 999_999, "Of somebody else's work", "reproduced"))  # fmt: skip
    whole = snapshot(found(database, ada, claims=claims))
    told = {d.id: d.to_dict()["value_exact"] for d in whole.dimensions}
    assert told == {
        "identity": "0/5", "authorship": "2/5", "openness": "3/7", "reproduction": "1/4",
        "review": None, "integrity": "2/5", "data": "13/33",
    }  # fmt: skip
    assert whole.checked == 6
    assert whole.of("integrity").statement.startswith("retraction of W")
    assert "2024-05-01, rich" in whole.of("integrity").statement
    assert whole.of("integrity").traces[0].url == "https://example.org/n"


def test_confirmed_works_count_and_deleted_ones_are_not_listed(database, ada) -> None:
    works = [one.work for one in found(database, ada).works]
    standing = Standing(True, "L2", confirmed=frozenset({(works[3], "2026-01-02"), (999_999, "")}))
    evidence = found(database, ada, standing=standing)
    assert evidence.works[3].bond == "confirmed"
    assert evidence.works[3].bond_origin.retrieved_at == "2026-01-02"
    assert snapshot(evidence).of("authorship").to_dict()["value_exact"] == "3/5"
    with database.session() as session, count_statements(database.engine) as seen:
        gather(session, ada, [])
    assert seen.count == 2
    with database.session() as session:
        assert works_of_person(session, ada.id) == [w.work for w in found(database, ada).works]
    gone = found(database, ada).works[1].work
    with database.begin() as session:
        delete_works(session, [gone])
    assert gone not in [w.work for w in found(database, ada).works]
    assert snapshot(found(database, ada)).of("integrity").state == "none_found"


def test_several_who_look_at_once_keep_one_row(empty_url, tmp_path) -> None:
    community = Community(Settings(home=tmp_path, community_url=empty_url))
    one = snapshot(Evidence(7, "Ada Example", works=(WorkFacts(1, "W"),)))
    with ThreadPoolExecutor(4) as pool:
        kept = list(pool.map(lambda _: keep(community, one, None), range(8)))
    assert sum(kept) == 1
    assert keep(community, snapshot(Evidence(7, "Ada Example")), None)
    with community.reading() as session:
        past = history(session, 7)
    assert [p.figures["dimensions"][1]["state"] for p in past.rows] == [
        "not_applicable",
        "none_found",
    ]
    assert past.total == 2
    community.close()


@pytest.fixture(scope="module")
def starter(tmp_path_factory):
    path = tmp_path_factory.mktemp("starter") / "record.sqlite"
    record = Database(f"sqlite:///{path}")
    record.migrate()
    ingest(record, importer_for(STARTER), str(FOLDER), location=STARTER, name="Starter")
    resolve_people(record)
    refresh_counts(record)
    record.close()
    return path


def test_after_a_split_both_have_a_snapshot_of_their_own_works_and_undo_restores(
    starter, tmp_path
) -> None:
    """The merged person of the starter collection: six works of one Kang Zhang, one of another."""
    shutil.copy(starter, tmp_path / "record.sqlite")
    record = Database(f"sqlite:///{tmp_path / 'record.sqlite'}")
    community = Community(Settings(home=tmp_path))
    kang = person(record, "Kang Zhang")
    before = snapshot(found(record, kang))
    assert keep(community, before, None)
    with record.session() as session:
        shop = session.scalars(
            select(Work.id).where(Work.title.like("Towards Personalized and Semantic%"))
        ).one()
        proposal = split(session, kang.id, [[shop]])
    event = decide(record, proposal, "a test").event
    with record.session() as session:
        both = session.scalars(
            select(Person).where(
                Person.display_name == "Kang Zhang", Person.merged_into_id.is_(None)
            )
        ).all()
    after = {who.id: snapshot(found(record, who)) for who in both}
    sizes = {number: one.of("authorship").below[0].count for number, one in after.items()}
    assert sorted(sizes.values()) == [1, 6]
    assert sizes[kang.id] == 6
    assert "a decision by hand on this site (6)" in after[kang.id].of("authorship").statement
    assert all(keep(community, one, None) for one in after.values())
    undo(record, event, "a test")
    again = snapshot(found(record, person(record, "Kang Zhang")))
    assert again == before
    assert keep(community, again, None)
    with community.reading() as session:
        kept = history(session, kang.id)
    assert [one.figures["dimensions"][1]["value_exact"] for one in kept.rows] == [
        "0/8",
        "0/7",
        "0/8",
    ]
    community.close()
    record.close()
