"""The suggested partition and the evidence beside lookalikes: on the starter, and on works made up for it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from peerscope.record import Database, count_statements, ingest, refresh_counts, resolve_people
from peerscope.record.identity_events import IdentityError, assign, decide, preview, split, undo
from peerscope.record.importers import importer_for
from peerscope.record.models import Authorship, Identifier, Person
from peerscope.record.names import parse_name
from peerscope.record.oeuvre import Oeuvre, Own, oeuvre_of_person
from peerscope.record.parsed import ParsedAuthor
from peerscope.record.partition import suggested_partition
from peerscope.record.same_person import lookalikes
from peerscope.record.starter import FOLDER, STARTER
from peerscope.record.weighing import agree, heap_of, weigh


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Any:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('starter') / 'one.sqlite'}")
    database.migrate()
    ingest(database, importer_for(STARTER), str(FOLDER), location=STARTER, name="Starter")
    resolve_people(database)
    refresh_counts(database)
    yield database
    database.close()


def person_named(database: Database, name: str) -> int:
    with database.session() as session:
        return session.scalars(
            select(Person.id)
            .where(Person.display_name == name, Person.merged_into_id.is_(None))
            .order_by(Person.works_count.desc())
        ).first()


def test_the_person_of_the_first_page_falls_into_six_and_one(starter: Database) -> None:
    with starter.session() as session:
        shop = session.scalar(
            select(Identifier.entity_id).where(
                Identifier.entity == "W", Identifier.value == "2006.02282"
            )
        )
        suggested = suggested_partition(
            oeuvre_of_person(session, person_named(starter, "Kang Zhang"))
        )
    assert [len(part.works) for part in suggested.parts] == [6, 1]
    assert suggested.parts[1].works == (shop,)
    assert suggested.confidence == "likely"
    (apart,) = suggested.apart
    assert "Different institutions: KAIST; JD.com." in apart.weighed.against
    assert apart.weighed.common == ()
    assert any("Chaoning Zhang (5 works)" in one for one in suggested.parts[0].together)


def test_nobody_else_of_the_starter_with_three_works_is_parted(starter: Database) -> None:
    with starter.session() as session:
        people = session.execute(
            select(Person.id, Person.display_name).where(
                Person.works_count >= 3, Person.merged_into_id.is_(None)
            )
        ).all()
        assert len(people) > 100
        parted = [
            name
            for number, name in people
            if len(suggested_partition(oeuvre_of_person(session, number)).parts) > 1
        ]
    assert parted == ["Kang Zhang"]


def test_reading_takes_as_many_statements_for_many_works_as_for_few(starter: Database) -> None:
    counted = []
    for name in ("Kaiming He", "Kang Zhang"):
        number = person_named(starter, name)
        with count_statements(starter.engine) as seen, starter.session() as session:
            oeuvre_of_person(session, number)
        counted.append(seen.count)
    assert counted == [9, 9]


def own(number: int, year: int = 2020, name: str = "Kang Zhang", **given: Any) -> Own:
    parsed = parse_name(name)
    made = Own(number, number, f"Work {number}", None, year, parsed, name, parsed.key, 1,
               given.pop("orcid", None), None, None, False)  # fmt: skip
    made.coauthors = {f"A{one}": f"Person {one}" for one in given.pop("coauthors", ())}
    made.names = [f"{one}, someone" for one in made.coauthors]
    made.institutions = {one: f"Place {one}" for one in given.pop("places", ())}
    made.topics = {one: f"Topic {one}" for one in given.pop("topics", ())}
    made.cites = set(given.pop("cites", ()))
    assert not given
    return made


def of(*works: Own) -> Oeuvre:
    return Oeuvre(list(works), 1000, {name: 1 for one in works for name in one.names})


def sizes(*works: Own) -> list[int]:
    return [len(part.works) for part in suggested_partition(of(*works)).parts]


def test_where_nothing_is_known_nothing_is_parted() -> None:
    assert sizes(own(1), own(2), own(3)) == [3]
    assert suggested_partition(of()).parts == ()


def test_what_differs_parts_and_what_links_joins() -> None:
    one, two = own(1, places=[1], topics=[1]), own(2, places=[2], topics=[2])
    assert sizes(one, two) == [1, 1]
    assert sizes(one, own(2, places=[2], topics=[2], cites=[1])) == [2]
    assert sizes(own(1, coauthors=[7], places=[1], topics=[1]),
                 own(2, coauthors=[7], places=[2], topics=[2])) == [2]  # fmt: skip
    assert sizes(own(1, topics=[1]), own(2, topics=[2])) == [2], "topics alone are not enough"
    assert sizes(own(1, orcid="0000-0001"), own(2, orcid="0000-0002")) == [1, 1]
    assert sizes(own(1, orcid="0000-0001", coauthors=[7]),
                 own(2, orcid="0000-0002", coauthors=[7])) == [1, 1]  # fmt: skip


def test_short_forms_agree_and_other_names_do_not() -> None:
    names = [parse_name(name) for name in ("Jeff Dean", "Jeffrey Dean", "J. Dean", "Jane Dean")]
    assert agree(names[0], names[1]) and agree(names[2], names[3])
    assert not agree(names[1], names[3])


works = st.lists(
    st.builds(
        lambda year, coauthors, places, topics, cites, orcid: {
            "year": year, "coauthors": coauthors, "places": places, "topics": topics,
            "cites": cites, "orcid": orcid,
        },
        st.integers(1980, 2024), st.sets(st.integers(1, 5), max_size=2), st.sets(st.integers(1, 3), max_size=1),
        st.sets(st.integers(1, 5), max_size=2), st.sets(st.integers(1, 9), max_size=1),
        st.sampled_from([None, None, "0000-0001", "0000-0002"]),
    ),
    max_size=9,
)  # fmt: skip


@settings(max_examples=150)
@given(given_works=works)
def test_every_work_is_in_one_part_and_two_orcids_never_share_a_group(
    given_works: list[dict[str, Any]],
) -> None:
    made = [own(number, **one) for number, one in enumerate(given_works, start=1)]
    found = suggested_partition(of(*made))
    listed = sorted(work for part in found.parts for work in part.works)
    assert listed == [one.work for one in made]
    for part in found.parts:
        assert sorted(work for group in part.groups for work in group) == list(part.works)
    assert suggested_partition(of(*made)) == found
    for a in made:
        for b in made:
            if a.orcid and b.orcid and a.orcid != b.orcid:
                linked = [g for part in found.parts for g in part.groups if a.work in g]
                assert b.work not in linked[0]


def test_weighing_is_the_same_from_both_sides() -> None:
    one, two = own(1, places=[1], topics=[1, 2]), own(2, 1990, places=[2], topics=[2])
    oeuvre = of(one, two)
    there, back = (weigh(heap_of([a]), heap_of([b]), oeuvre) for a, b in ((one, two), (two, one)))
    assert there.points == back.points == -1 + 1 + 1
    assert "30 years lie between them." in there.against


def authorships(database: Database, name: str) -> dict[int, tuple[int, int | None]]:
    with database.session() as session:
        rows = session.execute(
            select(Authorship.work_id, Authorship.id, Authorship.person_id).where(
                Authorship.raw_name == name
            )
        )
        return {row.work_id: (row.id, row.person_id) for row in rows}


@pytest.fixture
def undecided(database: Database, put: Any, make_work: Any) -> Database:
    """Kang Zhang of three works, one of the same name by nobody, and Ke Zhang's."""
    kang = ParsedAuthor("Kang Zhang", ids={"starter": "kang"})
    put(database, [
        *(make_work(str(i), f"The work with the number {i}", kang, "Ada Example", ids={"n": str(i)})
          for i in (1, 2, 3)),
        make_work("4", "The fourth work", "K. Zhang", "Bo Other", ids={"n": "4"}),
        make_work("5", "The fifth work", "K. Zhang", "Cy Third", ids={"n": "5"}),
        make_work("6", "The sixth work", ParsedAuthor("Ke Zhang", ids={"starter": "ke"}), ids={"n": "6"}),
    ])  # fmt: skip
    resolve_people(database)
    refresh_counts(database)
    return database


def test_lookalikes_stand_beside_their_evidence(undecided: Database) -> None:
    person = person_named(undecided, "Kang Zhang")
    with count_statements(undecided.engine) as seen, undecided.session() as session:
        found = lookalikes(session, person)
    assert seen.count == 12
    assert [one.name for one in found.people] == [], "Ke is not Kang"
    assert [(one.work, one.says) for one in found.undecided] == [(4, "open"), (5, "open")]
    assert found.undecided_count == 2
    with undecided.session() as session:
        assert lookalikes(session, 10**6).undecided == ()


def test_undecided_works_are_assigned_and_given_back(undecided: Database) -> None:
    person = person_named(undecided, "Kang Zhang")
    before = authorships(undecided, "K. Zhang")
    assert {owner for _, owner in before.values()} == {None}
    with undecided.session() as session:
        proposal = assign(session, [before[4][0]], person)
    seen = preview(undecided, proposal)
    done = decide(undecided, proposal, "Operator", expected=seen.digest())
    assert done.digest() == seen.digest()
    assert authorships(undecided, "K. Zhang")[4][1] == person
    with undecided.session() as session:
        own_person = decide(undecided, assign(session, [before[5][0]], None), "Operator")
    new = authorships(undecided, "K. Zhang")[5][1]
    assert new not in (None, person)
    assert resolve_people(undecided, everything=True).changed == 0
    back = undo(undecided, own_person.event, "Operator")
    assert [(one.name_before, one.works_before, one.name_after, one.leads_to) for one in back.people
            if one.person == new] == [("K. Zhang", 1, None, None)]  # fmt: skip
    undo(undecided, done.event, "Operator")
    assert authorships(undecided, "K. Zhang") == before
    with undecided.session() as session:
        assert session.get(Person, new) is None, "made of nobody's works, and gone with the event"


def test_what_cannot_be_assigned_is_refused(undecided: Database) -> None:
    person = person_named(undecided, "Kang Zhang")
    open_ones = authorships(undecided, "K. Zhang")
    held = authorships(undecided, "Kang Zhang")
    with undecided.session() as session:
        for numbers, words in (
            ([], "Choose the works"), ([10**9], "not in the record"), ([held[1][0]], "by now"),
        ):  # fmt: skip
            with pytest.raises(IdentityError, match=words):
                assign(session, numbers, person)
        with pytest.raises(IdentityError, match="no person"):
            assign(session, [open_ones[4][0]], 10**6)
        proposal = assign(session, [open_ones[4][0]], person)
        other = split(session, person, [[1]])
    decide(undecided, other, "Operator")
    with pytest.raises(IdentityError, match="look at it again"):
        decide(undecided, proposal, "Operator")


def test_nothing_but_what_was_shown_is_done(undecided: Database) -> None:
    person = person_named(undecided, "Kang Zhang")
    with undecided.session() as session:
        proposal = split(session, person, [[1]])
        other = split(session, person, [[2]])
    seen = preview(undecided, proposal)
    with pytest.raises(IdentityError, match="look at it again"):
        decide(undecided, other, "Operator", expected=seen.digest())
    assert {owner for _, owner in authorships(undecided, "Kang Zhang").values()} == {person}
