"""OpenAlex's grammar: what it means, what is refused, and that nothing else comes out of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerscope.record import Database
from peerscope.record.openalex import (
    ENTITIES,
    Asked,
    QueryError,
    Term,
    grouped,
    listed,
    objects,
    parse_filter,
    parse_sort,
    sampled,
)
from peerscope.record.openalex.conditions import outside_id, own_number
from peerscope.record.openalex.grammar import bounds


def test_a_filter_reads_as_openalex_has_it() -> None:
    text = 'publication_year:2020-2022,type:article|review,is_oa:!true,display_name.search:"a, b"'
    assert parse_filter(text) == [
        Term("publication_year", ("2020-2022",)),
        Term("type", ("article", "review")),
        Term("is_oa", ("true",), negated=True),
        Term("display_name.search", ("a, b",)),
    ]
    assert parse_filter("") == []
    assert parse_filter("doi:https://doi.org/10.1/a|https://doi.org/10.1/b")[0].values == (
        "https://doi.org/10.1/a", "https://doi.org/10.1/b",
    )  # fmt: skip
    assert parse_sort("cited_by_count:desc,publication_year") == [
        ("cited_by_count", True), ("publication_year", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("publication_year", "look like attribute:value"),
        ("type:", "no value"),
        ("doi:" + "|".join(f"10.1/{n}" for n in range(101)), "100 values"),
        (",".join("type:a" for _ in range(61)), "60 filters"),
        ("type:article|publication_year:2020", "OR between different filters"),
        ("type:" + "a" * 1001, "longer than"),
    ],
)
def test_what_is_not_in_the_grammar_is_refused_with_a_sentence(text: str, words: str) -> None:
    with pytest.raises(QueryError, match=words):
        parse_filter(text)


def test_bounds() -> None:
    assert bounds("5") == ("5", "5", False)
    assert bounds(">5") == ("5", None, True)
    assert bounds("<5") == (None, "5", True)
    assert bounds("5-9") == ("5", "9", False)
    assert bounds("5-") == ("5", None, False)
    assert bounds("-9") == (None, "9", False)


def test_ids_of_here_and_of_elsewhere() -> None:
    assert own_number("W", "W12") == own_number("W", "https://x.org/api/v1/works/W12") == 12
    assert own_number("W", "https://openalex.org/W12") is None
    assert outside_id("https://openalex.org/w12") == ("openalex", "W12")
    assert outside_id("10.1145/3397271.3401446") == ("doi", "10.1145/3397271.3401446")
    assert (
        outside_id("https://ror.org/05apxxy63") == outside_id("05apxxy63") == ("ror", "05apxxy63")
    )
    assert outside_id("0000-0002-1825-009x") == ("orcid", "0000-0002-1825-009X")
    assert outside_id("2203.17248") == ("arxiv", "2203.17248")
    assert outside_id("what") is None


ATTRIBUTES = sorted({name for kind in ENTITIES.values() for name in kind.attributes} | {"nothing"})
VALUES = st.one_of(
    st.sampled_from(
        ["true", "W1", "A1|A2", "!I1", ">3", "2-9", "null", "2020-01-01", "10.1/x", '"', "%"]
    ),
    st.text(max_size=20),
)


@given(
    name=st.sampled_from(sorted(ENTITIES)),
    parts=st.lists(st.tuples(st.sampled_from(ATTRIBUTES), VALUES), max_size=3),
    sort=st.text(max_size=12)
    | st.sampled_from(["works_count:desc", "display_name", "cited_by_count"]),
    cursor=st.sampled_from(["", "*", "WzFd", "WyJhIiwxXQ", "%%%"]) | st.text(max_size=12),
    group=st.sampled_from(["type", "works_count", "author.id", "topics.id", "no:thing"]),
)
def test_any_query_is_answered_or_refused(
    empty: Database, name, parts, sort, cursor, group
) -> None:
    kind = ENTITIES[name]
    text = ",".join(f"{attribute}:{value}" for attribute, value in parts)
    with empty.session() as session:
        for ask in (
            lambda asked: listed(session, kind, asked).numbers,
            lambda asked: sampled(session, kind, asked, 5, "1").numbers,
            lambda asked: grouped(session, kind, asked, group),
        ):
            try:
                ask(Asked(parse_filter(text), parse_sort(sort), cursor=cursor))
            except QueryError as error:
                assert str(error)
        assert objects(session, kind, [1], "https://x.org") == []


@pytest.fixture(scope="module")
def empty(tmp_path_factory) -> Database:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('openalex') / 'one.sqlite'}")
    database.migrate()
    return database
