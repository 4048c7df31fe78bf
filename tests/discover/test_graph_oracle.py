"""Slices, paths and evidence against brute force over small records that hypothesis draws."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import combinations, pairwise

import networkx as nx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from peerscope.discover.graph import Meaning, expansion, path_between, slice_of, why
from peerscope.discover.graph.edges import LEAST_COCITED, STRONGEST
from peerscope.discover.graph_shapes import (
    KINDS,
    ON_PATHS,
    GraphQuestion,
    GraphSlice,
    Proof,
    Stated,
    ordered,
)
from peerscope.record import models as m

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WORKS, PEOPLE, TOPICS, PLACES, VENUES = 9, 6, 3, 2, 2
works, people = st.integers(1, WORKS), st.integers(1, PEOPLE)


@dataclass(frozen=True)
class Drawn:
    """What a record states."""

    authors: frozenset[tuple[int, int]] = frozenset()
    cites: frozenset[tuple[int, int]] = frozenset()
    topics: frozenset[tuple[int, int]] = frozenset()
    venues: dict[int, int] = field(default_factory=dict)
    places: frozenset[tuple[int, int, int]] = frozenset()
    deleted: frozenset[int] = frozenset()

    def pairs(self) -> dict[str, set[tuple[str, str]]]:
        """Every stated edge of the record, from its definition."""
        there = set(range(1, WORKS + 1)) - self.deleted
        wrote = {(a, w) for a, w in self.authors if w in there}
        return {
            "authored": {(f"A{a}", f"W{w}") for a, w in wrote},
            "cites": {(f"W{a}", f"W{b}") for a, b in self.cites if a != b and {a, b} <= there},
            "topic": {(f"W{w}", f"T{t}") for w, t in self.topics if w in there},
            "published": {(f"W{w}", f"S{s}") for w, s in self.venues.items() if w in there},
            "affiliated": {(f"A{a}", f"I{i}") for a, w, i in self.places if w in there},
            "coauthor": {
                (f"A{a}", f"A{b}")
                for (a, w), (b, v) in combinations(sorted(wrote), 2)
                if w == v and a != b
            },
        }

    def cocited(self) -> Counter[tuple[str, str]]:
        """How many works that are there cite both."""
        found: Counter[tuple[str, str]] = Counter()
        for citing in range(1, WORKS + 1):
            if citing not in self.deleted:
                cited = sorted(b for a, b in self.cites if a == citing)
                found.update((f"W{a}", f"W{b}") for a, b in combinations(cited, 2))
        return found


@st.composite
def records(draw: st.DrawFn) -> Drawn:
    authors = draw(st.frozensets(st.tuples(people, works), max_size=16))
    where = st.integers(1, PLACES)
    at = draw(st.lists(st.tuples(st.sampled_from(sorted(authors) or [(0, 0)]), where), max_size=6))
    return Drawn(
        authors,
        draw(st.frozensets(st.tuples(works, works), max_size=22)),
        draw(st.frozensets(st.tuples(works, st.integers(1, TOPICS)), max_size=12)),
        draw(st.dictionaries(works, st.integers(1, VENUES), max_size=6)),
        frozenset((a, w, i) for (a, w), i in at if a),
        draw(st.frozensets(works, max_size=2)),
    )


def opened(drawn: Drawn) -> Session:
    engine = create_engine("sqlite://")
    m.Base.metadata.create_all(engine)
    session = Session(engine)
    session.add(m.Source(id=1, importer="t", name="file.bib", location="t", created_at=NOW))
    session.flush()
    session.add_all(
        m.Person(id=n, display_name=f"P{n}", name_key=f"{n}", rule="t", works_count=1, source_id=1,
                 change_seq=n, created_at=NOW)
        for n in range(1, PEOPLE + 1)
    )  # fmt: skip
    for table, many in ((m.Venue, VENUES), (m.Institution, PLACES)):
        session.add_all(
            table(id=n, display_name=f"N{n}", name_key=f"{n}", works_count=1, source_id=1)
            for n in range(1, many + 1)
        )
    session.add_all(
        m.Topic(id=n, display_name=f"T{n}", name_key=f"{n}", origin="given", works_count=3,
                source_id=1)
        for n in range(1, TOPICS + 1)
    )  # fmt: skip
    session.flush()
    cited = Counter(b for a, b in drawn.cites)
    session.add_all(
        m.Work(id=n, title=f"W{n}", type="article", publication_year=2000 + n, source_id=1,
               change_seq=n, created_at=NOW, updated_at=NOW, venue_id=drawn.venues.get(n),
               cited_by_count=cited[n], deleted_at=NOW if n in drawn.deleted else None)
        for n in range(1, WORKS + 1)
    )  # fmt: skip
    session.flush()
    numbers = {}
    position: Counter[int] = Counter()
    for place, (a, w) in enumerate(sorted(drawn.authors), 1):
        session.add(
            m.Authorship(id=place, work_id=w, position=position[w], person_id=a, raw_name=f"P{a}",
                         name_key="k", block_key="k", source_id=1)
        )  # fmt: skip
        position[w] += 1
        numbers[a, w] = place
    session.flush()
    session.add_all(
        m.AuthorshipInstitution(authorship_id=numbers[a, w], institution_id=i, source_id=1)
        for a, w, i in drawn.places
    )
    session.add_all(
        m.Citation(id=n, citing_id=a, cited_id=b, ref_key=f"t:{b}", raw=f"as printed {b}",
                   source_id=1)
        for n, (a, b) in enumerate(sorted(drawn.cites), 1)
    )  # fmt: skip
    session.add_all(m.WorkTopic(work_id=w, topic_id=t, source_id=1) for w, t in drawn.topics)
    session.commit()
    return session


NOTHING = Meaning(lambda ids, k: [])
CENTRES = [f"W{n}" for n in range(1, WORKS + 1)] + ["A1", "A2", "T1", "I1", "S1"]
QUIET = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def asked(key: str, **given: object) -> GraphQuestion:
    return GraphQuestion(key[0], int(key[1:]), **given)  # type: ignore[arg-type]


def kinds_of(found: GraphSlice) -> dict[str, set[tuple[str, str]]]:
    edges: dict[str, set[tuple[str, str]]] = {name: set() for name in KINDS}
    for edge in found.edges:
        edges[edge.kind].add((edge.source, edge.target))
    return edges


def among(pairs: Iterable[tuple[str, str]], keys: set[str]) -> set[tuple[str, str]]:
    return {pair for pair in pairs if set(pair) <= keys}


@QUIET
@given(records(), st.sampled_from(CENTRES), st.integers(2, 30))
def test_the_edges_are_exactly_those_that_the_record_states_among_the_nodes(
    drawn: Drawn, centre: str, limit: int
) -> None:
    with opened(drawn) as session:
        found = slice_of(session, asked(centre, limit=limit), NOTHING)
    if centre[0] == "W" and int(centre[1:]) in drawn.deleted:
        assert found.nodes == ()
        return
    keys = {node.key for node in found.nodes}
    assert found.nodes[0].key == centre
    assert len(found.nodes) <= limit
    edges = kinds_of(found)
    for name, pairs in drawn.pairs().items():
        assert edges[name] == among(pairs, keys), name
    shared = {p: n for p, n in drawn.cocited().items() if n >= LEAST_COCITED}
    strongest = {p for p in among(shared, keys) if centre in p}
    for key in keys:
        ranked = sorted((-shared[p], p) for p in among(shared, keys) if key in p)
        strongest |= {p for _, p in ranked[:STRONGEST]}
    assert edges["cocited"] == strongest


@QUIET
@given(records(), st.sampled_from(CENTRES), st.sampled_from(CENTRES))
def test_a_path_is_as_short_as_networkx_finds_it(drawn: Drawn, start: str, end: str) -> None:
    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(CENTRES)
    for pairs in drawn.pairs().values():
        graph.add_edges_from(pairs)
    gone = {f"W{n}" for n in drawn.deleted}
    graph.remove_nodes_from(gone)
    with opened(drawn) as session:
        found = path_between(session, asked(start, kinds=ON_PATHS), end)
    if {start, end} & gone or not nx.has_path(graph, start, end):
        assert found.steps is None
        assert not found.gave_up
        return
    assert found.steps == nx.shortest_path_length(graph, start, end)
    keys = [node.key for node in found.found.nodes]
    assert (keys[0], keys[-1]) == (start, end)
    joined = {frozenset((edge.source, edge.target)) for edge in found.found.edges}
    for one, other in pairwise(keys):
        assert graph.has_edge(one, other)
        assert frozenset((one, other)) in joined


@QUIET
@given(records(), st.sampled_from(CENTRES), st.frozensets(st.sampled_from(CENTRES), max_size=8))
def test_an_expansion_joins_what_is_new_to_what_is_known(
    drawn: Drawn, centre: str, known: frozenset[str]
) -> None:
    with opened(drawn) as session:
        found = expansion(session, asked(centre, limit=6), sorted(known), NOTHING)
    if not found.nodes:
        return
    new = {node.key for node in found.nodes[1:]}
    gone = {f"W{n}" for n in drawn.deleted}
    everyone = (new | set(known) | {centre}) - gone
    assert not new & (known | gone | {centre})
    edges = kinds_of(found)
    for name, pairs in drawn.pairs().items():
        assert edges[name] == {p for p in among(pairs, everyone) if set(p) & new}, name


@QUIET
@given(records(), st.sampled_from(CENTRES))
def test_every_edge_has_its_evidence_and_no_other_pair_has(drawn: Drawn, centre: str) -> None:
    with opened(drawn) as session:
        found = slice_of(session, asked(centre, limit=30), NOTHING)
        for edge in found.edges[:12]:
            told = why(session, asked(edge.source), edge.target, edge.kind, NOTHING)
            assert told is not None
            assert told.proofs
            assert told.total >= len(told.proofs)
            if edge.kind != "same_topic":
                assert (told.edge.reason, told.edge.weight) == (edge.reason, edge.weight)
        stated = drawn.pairs()
        for one, other in combinations(["A1", "A2", "W1", "W2", "T1", "I1", "S1"], 2):
            for kind in stated:
                expected = (one, other) in stated[kind] or (
                    not KINDS[kind].directed and ordered(one, other) in stated[kind]
                )
                answer = why(session, asked(one), other, kind, NOTHING)
                assert (answer is not None) == expected, (one, other, kind)


FULL = Drawn(
    frozenset({(1, 1), (2, 1), (2, 2), (3, 3), (1, 4), (2, 4)}),
    frozenset({(2, 1), (3, 1), (3, 2), (4, 1), (4, 2)}),
    frozenset({(1, 1), (2, 1), (3, 2)}),
    {1: 1, 2: 1},
    frozenset({(1, 1, 1), (2, 4, 1)}),
)


def test_evidence_names_what_was_printed_and_the_source() -> None:
    with opened(FULL) as session:
        cited = why(session, asked("W2"), "W1", "cites", NOTHING)
        together = why(session, asked("A1"), "A2", "coauthor", NOTHING)
        both = why(session, asked("W1"), "W2", "cocited", NOTHING)
    assert cited is not None and together is not None and both is not None
    assert cited.proofs == (
        Proof("The reference as printed: as printed 1", "/works/W2", "file.bib"),
    )
    assert together.edge.reason == "2 works together"
    assert {proof.url for proof in together.proofs} == {"/works/W1", "/works/W4"}
    assert {proof.url for proof in both.proofs} == {"/works/W3", "/works/W4"}


def test_hidden_people_are_in_no_answer() -> None:
    hidden = asked("W1", limit=30, without=frozenset({2}))
    with opened(FULL) as session:
        found = slice_of(session, hidden, NOTHING)
        more = expansion(session, hidden, ["A2", "A1"], NOTHING)
        around = path_between(
            session, asked("W2", kinds=frozenset({"authored"}), without=frozenset({2})), "W1"
        )
        told = why(session, asked("A1", without=frozenset({2})), "A2", "coauthor", NOTHING)
    for answer in (found, more):
        assert answer.nodes
        assert "A2" not in {node.key for node in answer.nodes}
        assert not any("A2" in (edge.source, edge.target) for edge in answer.edges)
    assert around.steps is None
    assert told is None


def test_what_other_rooms_state_becomes_edges_and_attributes() -> None:
    statements = (
        Stated("reviewed", 1, 3, "reviewed it on 2026-01-01", Proof("Review 1", "/reviews/1", "x")),
        Stated("reproduced", 1, None, "2 reproduced", Proof("p", "", "x")),
        Stated("reproduced", 1, 4, "ran its claims", Proof("Attempt a", "/attempts/a", "x")),
    )

    def elsewhere(works: Iterable[int], people: Iterable[int]) -> list[Stated]:
        return [s for s in statements if s.work in works or s.person in people]

    question = asked("W1", limit=30, elsewhere=elsewhere)
    with opened(FULL) as session:
        found = slice_of(session, question, NOTHING)
        told = why(session, asked("A3", elsewhere=elsewhere), "W1", "reviewed", NOTHING)
        way = path_between(
            session, asked("A4", elsewhere=elsewhere, kinds=frozenset({"reproduced"})), "W1"
        )
        none = slice_of(
            session, asked("W1", limit=30, elsewhere=elsewhere, without=frozenset({3, 4})), NOTHING
        )
    edges = kinds_of(found)
    assert edges["reviewed"] == {("A3", "W1")}
    assert edges["reproduced"] == {("A4", "W1")}
    assert {node.key: node.reproduced for node in found.nodes}["W1"] == "2 reproduced"
    assert told is not None
    assert told.proofs == (statements[0].proof,)
    assert way.steps == 1
    assert not kinds_of(none)["reviewed"] | kinds_of(none)["reproduced"]


def test_a_topic_joins_two_works_only_where_it_is_not_drawn_and_nothing_else_does() -> None:
    drawn = Drawn(
        authors=frozenset({(1, 1), (1, 2), (1, 3)}),
        topics=frozenset({(1, 1), (2, 1), (3, 1)}),
        cites=frozenset({(1, 2)}),
    )
    with opened(drawn) as session:
        with_topic = slice_of(session, asked("A1", limit=30), NOTHING)
        without = slice_of(session, asked("A1", limit=30, types=frozenset("WA")), NOTHING)
    assert kinds_of(with_topic)["same_topic"] == set()
    assert kinds_of(without)["same_topic"] == {("W1", "W3"), ("W2", "W3")}


def test_a_search_that_reads_too_much_gives_up_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from peerscope.discover.graph import paths

    monkeypatch.setattr(paths, "MOST_TOUCHED", 1)
    with opened(FULL) as session:
        found = path_between(session, asked("A1", kinds=ON_PATHS), "A3")
    assert found.gave_up
    assert found.steps is None
    with opened(FULL) as session, pytest.raises(ValueError, match="near is computed"):
        path_between(session, asked("A1", kinds=frozenset({"near"})), "A3")


def test_a_long_path_stops_at_eight_steps() -> None:
    chain = Drawn(
        authors=frozenset({(n, n) for n in range(1, 6)} | {(n, n + 1) for n in range(1, 6)}),
        cites=frozenset({(6, 7), (7, 8)}),
    )
    with opened(chain) as session:
        eight = path_between(session, asked("A1", kinds=frozenset({"authored"})), "A5")
        nine = path_between(session, asked("W1", kinds=frozenset({"authored"})), "A5")
        ten = path_between(session, asked("W1", kinds=frozenset({"authored"})), "W6")
    assert eight.steps == 8
    assert (nine.steps, nine.gave_up) == (None, True)
    assert (ten.steps, ten.gave_up) == (None, True)
