"""Split, merge, "not mine": preview, consequences, undo at any later time, and what later imports do."""

from __future__ import annotations

import itertools
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from peerscope.record import Database, ingest, refresh_counts, resolve_people
from peerscope.record.identity_events import (
    IdentityError,
    assign,
    decide,
    detach,
    history,
    merge,
    preview,
    preview_undo,
    split,
    undo,
)
from peerscope.record.importers import importer_for
from peerscope.record.models import Authorship, Identifier, Person, Work
from peerscope.record.parsed import ParsedAuthor
from peerscope.record.starter import FOLDER, STARTER

SEARCH = "arxiv:2006.02282"


def author(name: str, **ids: str) -> ParsedAuthor:
    return ParsedAuthor(name, ids=ids)


def number(make_work: Any, i: int, *authors: Any) -> Any:
    return make_work(str(i), f"The work with the number {i}", *authors, ids={"n": str(i)})


def dump(database: Database) -> tuple[list[Any], list[Any], list[Any]]:
    """Everything a reader can see of people: living persons, whose each authorship is, identifiers."""
    with database.session() as session:
        people = session.execute(
            select(Person.id, Person.display_name, Person.name_key, Person.orcid, Person.works_count,
                   Person.cited_by_count, Person.rule, Person.source_id)
            .where(Person.merged_into_id.is_(None)).order_by(Person.id)
        ).all()  # fmt: skip
        marks = session.execute(
            select(Authorship.id, Authorship.person_id, Authorship.decided_by, Authorship.evidence)
            .order_by(Authorship.id)
        ).all()  # fmt: skip
        ids = session.execute(
            select(Identifier.scheme, Identifier.value, Identifier.entity_id)
            .where(Identifier.entity == "A").order_by(Identifier.scheme, Identifier.value)
        ).all()  # fmt: skip
        return [tuple(r) for r in people], [tuple(r) for r in marks], [tuple(r) for r in ids]


def persons(database: Database, name: str) -> dict[int, int | None]:
    with database.session() as session:
        rows = session.execute(
            select(Authorship.work_id, Authorship.person_id).where(Authorship.raw_name == name)
        )
        return {row.work_id: row.person_id for row in rows}


@pytest.fixture
def merged(database: Database, put: Any, make_work: Any) -> Database:
    """Seven works whose source says that one Kang Zhang wrote them all."""
    kang = author("Kang Zhang", starter="kang-zhang")
    vision = [number(make_work, i, kang, "Chaoning Zhang") for i in range(1, 7)]
    put(database, [*vision, number(make_work, 7, kang, "Han Zhang", "Wen-Yun Yang")])
    resolve_people(database)
    refresh_counts(database)
    return database


def test_a_split_parts_the_works_and_undo_restores_everything(merged: Database) -> None:
    before = dump(merged)
    person = persons(merged, "Kang Zhang")[1]
    with merged.session() as session:
        proposal = split(session, person, [[7]])
    seen = preview(merged, proposal)
    assert dump(merged) == before
    done = decide(merged, proposal, "Operator", "Search at a shop, not vision.")
    assert done == seen
    after = persons(merged, "Kang Zhang")
    assert {after[i] for i in range(1, 7)} == {person}
    assert after[7] not in (person, None)
    counts = {one.person: (one.works_before, one.works_after) for one in done.people}
    assert counts == {person: (7, 6), after[7]: (None, 1)}
    assert [(one.work, one.before, one.after) for one in done.moved] == [(7, person, after[7])]
    resolve_people(merged, everything=True)
    assert persons(merged, "Kang Zhang") == after
    back = undo(merged, done.event, "Operator", "It was one after all.")
    assert dump(merged) == before
    assert [one.leads_to for one in back.people if one.person == after[7]] == [person]
    with merged.session() as session:
        (past,) = history(session, person)
        assert (past.kind, past.made_by, past.undone_by, past.people) == (
            "split", "Operator", "Operator", (person, after[7]),
        )  # fmt: skip
        assert session.get(Person, after[7]).merged_into_id == person


def test_the_works_of_an_event_count_as_changed(merged: Database) -> None:
    with merged.session() as session:
        old = {r.id: r.change_seq for r in session.execute(select(Work.id, Work.change_seq))}
        proposal = split(session, persons(merged, "Kang Zhang")[1], [[7]])
    decide(merged, proposal, "Operator")
    with merged.session() as session:
        new = {r.id: r.change_seq for r in session.execute(select(Work.id, Work.change_seq))}
    assert [work for work in new if new[work] != old[work]] == [7]


def test_later_works_join_the_part_that_the_evidence_leads_to(
    merged: Database, put: Any, make_work: Any
) -> None:
    with merged.session() as session:
        proposal = split(session, persons(merged, "Kang Zhang")[1], [[7]])
    decide(merged, proposal, "Operator")
    put(merged, [
        number(make_work, 8, author("Kang Zhang", starter="kang-zhang"), "Wen-Yun Yang"),
        number(make_work, 9, "Kang Zhang", "Chaoning Zhang"),
    ])  # fmt: skip
    resolve_people(merged)
    now = persons(merged, "Kang Zhang")
    assert now[8] == now[7] != now[1] == now[9]


def test_a_merge_of_two_orcids_is_a_persons_word_and_can_be_taken_back(
    database: Database, put: Any, make_work: Any
) -> None:
    put(database, [
        number(make_work, 1, author("Ada Example", orcid="0000-0001-0000-0009")),
        number(make_work, 2, author("Ada Example-Married", orcid="0000-0002-0000-0017")),
        number(make_work, 3, author("Ada Example-Married", orcid="0000-0002-0000-0017")),
    ])  # fmt: skip
    resolve_people(database)
    refresh_counts(database)
    before = dump(database)
    first = persons(database, "Ada Example")[1]
    second = persons(database, "Ada Example-Married")[2]
    with database.session() as session:
        proposal = merge(session, [first, second])
    done = decide(database, proposal, "Operator")
    assert set(persons(database, "Ada Example").values()) == {second}
    assert [one.leads_to for one in done.people if one.person == first] == [second]
    resolve_people(database, everything=True)
    assert set(persons(database, "Ada Example").values()) == {second}
    undo(database, done.event, "Operator")
    assert dump(database) == before


def test_not_mine_leaves_the_work_open(merged: Database) -> None:
    before = dump(merged)
    person = persons(merged, "Kang Zhang")[1]
    with merged.session() as session:
        proposal = detach(session, person, [7])
    done = decide(merged, proposal, "Kang Zhang")
    assert persons(merged, "Kang Zhang")[7] is None
    assert [(one.before, one.after) for one in done.moved] == [(person, None)]
    resolve_people(merged, everything=True)
    assert persons(merged, "Kang Zhang")[7] is None
    undo(merged, done.event, "Kang Zhang")
    assert dump(merged) == before


def test_an_earlier_event_can_be_undone_under_a_later_one(merged: Database) -> None:
    person = persons(merged, "Kang Zhang")[1]
    with merged.session() as session:
        first = decide_in(merged, split(session, person, [[7]]))
    with merged.session() as session:
        second = decide_in(merged, split(session, person, [[1, 2]]))
    parted = persons(merged, "Kang Zhang")
    assert len(set(parted.values())) == 3
    undo(merged, first.event, "Operator")
    now = persons(merged, "Kang Zhang")
    assert now[1] == now[2] != now[3]
    assert now[7] == now[3] == person, "the later split said nothing of the seventh work"
    undo(merged, second.event, "Operator")
    assert set(persons(merged, "Kang Zhang").values()) == {person}


def decide_in(database: Database, proposal: Any) -> Any:
    return decide(database, proposal, "Operator")


def test_what_cannot_be_is_refused_with_a_sentence(merged: Database) -> None:
    person = persons(merged, "Kang Zhang")[1]
    coauthor = persons(merged, "Chaoning Zhang")[1]
    with merged.session() as session:
        for parts, words in (
            ([[99]], "no work of"), ([[1], [1]], "in two parts"), ([], "some, but not all"),
            ([range(1, 8)], "some, but not all"),
        ):  # fmt: skip
            with pytest.raises(IdentityError, match=words):
                split(session, person, parts)
        with pytest.raises(IdentityError, match="both authors of"):
            merge(session, [person, coauthor])
        with pytest.raises(IdentityError, match="at least two"):
            merge(session, [person, person])
        with pytest.raises(IdentityError, match="no person"):
            split(session, 12345, [[1]])
        with pytest.raises(IdentityError, match="Name the works"):
            detach(session, person, [])
        proposal = split(session, person, [[7]])
    with pytest.raises(IdentityError, match="names who decided"):
        decide(merged, proposal, " ")
    with pytest.raises(IdentityError, match="no event"):
        preview_undo(merged, 1)
    done = decide(merged, proposal, "Operator")
    with pytest.raises(IdentityError, match="look at it again"):
        decide(merged, proposal, "Operator")
    undo(merged, done.event, "Operator")
    with pytest.raises(IdentityError, match="undone before"):
        undo(merged, done.event, "Operator")
    with merged.session() as session, pytest.raises(IdentityError, match=f"is A{person} now"):
        gone = next(one.person for one in done.people if one.person != person)
        split(session, gone, [[7]])


ORCIDS = {
    0: "0000-0001-0000-0009", 3: "0000-0001-0000-0009", 6: "0000-0001-0000-0009",
    9: "0000-0001-0000-0009", 5: "0000-0002-1825-0097",
}  # fmt: skip


def fill_with_circles(
    database: Database, folder: Path, orcids: dict[int, str] | None = None
) -> None:
    """Put in sixteen works by four names that could be few or many people."""
    stated = orcids or {}
    names = ["Kang Zhang", "K. Zhang", "Ke Zhang", "Kang Li"]
    friends = ["Ada Example", "Bo Other", "Cy Third"]
    lines = [
        {"id": f"m{i}", "title": f"The work with the number {i}", "year": 2000 + i,
         "authors": [
             {"name": names[i % 4], "orcid": stated.get(i)}, {"name": friends[(i // 4) % 3]},
         ]}
        for i in range(16)
    ]  # fmt: skip
    path = folder / "works.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    database.migrate()
    ingest(database, importer_for(str(path)), str(path))
    resolve_people(database)
    refresh_counts(database)


@pytest.fixture(scope="module")
def circles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("circles")
    database = Database(f"sqlite:///{folder / 'one.sqlite'}")
    fill_with_circles(database, folder)
    database.close()
    return folder / "one.sqlite"


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_events_undone_in_any_order_leave_nothing(circles: Path, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.sqlite"
        shutil.copy(circles, path)
        database = Database(f"sqlite:///{path}")
        before = dump(database)
        steps, made = data.draw(st.integers(1, 5)), []
        while steps or made:
            if steps and (not made or data.draw(st.booleans())):
                steps -= 1
                made += [event for event in [any_event(database, data)] if event is not None]
            else:
                event = made.pop(data.draw(st.integers(0, len(made) - 1)))
                seen = preview_undo(database, event)
                assert undo(database, event, "Somebody") == seen
            assert resolve_people(database, everything=True).changed == 0
        assert dump(database) == before
        assert resolve_people(database, everything=True).changed == 0
        database.close()


STRAYED: list[tuple[list[tuple[str, int, Any]], list[int]]] = [
    # Undoing a merge under later splits gave the rest to the other person's id, and the ids stayed swapped.
    (
        [("merge", 1, 2), ("split", 1, [1]), ("split", 1, [13]), ("split", 1, [3])],
        [1, 2, 3, 4],
    ),
    # A later event took up what another had detached before it, and the person made for it stayed.
    (
        [("split", 4, [4]), ("detach", 8, [4]), ("detach", 3, [16]), ("detach", 4, [16])],
        [1, 4, 3, 2],
    ),
    # Works that no event named lost their person to a cluster that a merge still held together.
    ([("merge", 4, 5), ("split", 1, [13]), ("merge", 2, 1), ("merge", 8, 3)], [2, 3, 1, 4]),
    ([("merge", 2, 6), ("merge", 4, 5), ("merge", 4, 7), ("split", 1, [1])], [2, 1, 3, 4]),
    ([("merge", 6, 1), ("merge", 5, 7), ("merge", 1, 4)], [3, 1, 2]),
    # A decision in one block left a work of another without the names that had joined it there.
    (
        [("merge", 7, 6), ("split", 2, [3]), ("merge", 6, 3), ("detach", 6, [2, 14, 15]),
         ("detach", 1, [1, 13])],
        [1, 3, 5, 2, 4],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "order"), STRAYED)
def test_events_that_once_left_something_leave_nothing(
    database: Database, tmp_path: Path, steps: list[Any], order: list[int]
) -> None:
    fill_with_circles(database, tmp_path)
    before = dump(database)
    for kind, person, other in steps:
        with database.session() as session:
            if kind == "merge":
                proposal = merge(session, [person, other])
            elif kind == "split":
                proposal = split(session, person, [other])
            else:
                proposal = detach(session, person, other)
        decide_in(database, proposal)
        assert resolve_people(database, everything=True).changed == 0
    for event in order:
        assert preview_undo(database, event) == undo(database, event, "Somebody")
        assert resolve_people(database, everything=True).changed == 0
    assert dump(database) == before


def test_a_person_made_of_what_was_nobodys_leads_somewhere_after_the_undo(
    database: Database, tmp_path: Path
) -> None:
    fill_with_circles(database, tmp_path, ORCIDS)
    before = dump(database)
    person = persons(database, "Kang Li")[4]
    assert persons(database, "Kang Zhang")[13] is None
    made = []
    for works in ([4, 7], [13]):
        with database.session() as session:
            made.append(decide_in(database, split(session, person, [works])))
    new = persons(database, "Kang Zhang")[13]
    for one in made:
        undo(database, one.event, "Operator")
    assert dump(database) == before
    with database.session() as session:
        assert session.get(Person, new).merged_into_id == person


def any_event(database: Database, data: st.DataObject) -> int | None:
    """Decide something that can be proposed, and see that it holds."""
    with database.session() as session:
        living = Person.merged_into_id.is_(None), Person.works_count > 0
        people = list(session.scalars(select(Person.id).where(*living).order_by(Person.id)))
        kind = data.draw(st.sampled_from(["split", "merge", "detach", "assign"]))
        person, other = (data.draw(st.sampled_from(people)) for _ in range(2))
        own = select(Authorship.work_id).where(Authorship.person_id == person)
        works = list(session.scalars(own.order_by(Authorship.work_id)))
        some = data.draw(st.sets(st.sampled_from(works), min_size=1))
        try:
            if kind == "merge":
                proposal = merge(session, [person, other])
            elif kind == "split":
                proposal = split(session, person, [some])
            elif kind == "assign":
                nobodys = select(Authorship.id).where(Authorship.person_id.is_(None))
                free = list(session.scalars(nobodys.order_by(Authorship.id)))
                taken = data.draw(st.sets(st.sampled_from(free), min_size=1, max_size=3))
                proposal = assign(session, taken, data.draw(st.sampled_from([person, None])))
            else:
                proposal = detach(session, person, some)
        except IdentityError:
            return None
    expected = preview(database, proposal)
    done = decide(database, proposal, "Somebody")
    assert done == expected
    owners = {row[0]: row[1] for row in dump(database)[1]}
    for (a, one), (b, two) in itertools.combinations(proposal.labels.items(), 2):
        if kind != "detach":
            assert (owners[a] == owners[b]) == (one == two)
        elif one != two:
            assert owners[a] is None or owners[a] != owners[b]
    return done.event


def test_the_person_of_the_first_page_is_parted(database: Database) -> None:
    """The starter's Kang Zhang: six works on vision at KAIST, one on search at JD.com."""
    ingest(database, importer_for(STARTER), str(FOLDER), location=STARTER, name="Starter")
    resolve_people(database)
    refresh_counts(database)
    before = dump(database)
    with database.session() as session:
        (person,) = set(persons(database, "Kang Zhang").values())
        scheme, _, value = SEARCH.partition(":")
        work = session.scalar(
            select(Identifier.entity_id).where(
                Identifier.entity == "W", Identifier.scheme == scheme, Identifier.value == value
            )
        )
        proposal = split(session, person, [[work]])
    done = decide(database, proposal, "Operator")
    assert sorted(
        (one.works_before, one.works_after) for one in done.people if one.works_before
    ) == [(7, 6)]
    assert [one.works_after for one in done.people if one.works_before is None] == [1]
    undo(database, done.event, "Operator")
    assert dump(database) == before


def test_an_event_whose_authorships_are_all_gone_can_be_undone(
    merged: Database, put: Any, make_work: Any
) -> None:
    """A source withdraws the author that a split was about; its undoing then decides nothing."""
    with merged.session() as session:
        proposal = detach(session, persons(merged, "Kang Zhang")[1], [7])
    done = decide(merged, proposal, "Operator")
    put(merged, [number(make_work, i, "Chaoning Zhang") for i in range(1, 8)])
    resolve_people(merged)
    assert persons(merged, "Kang Zhang") == {}
    assert undo(merged, done.event, "Operator").moved == ()
