"""How common a name is, and what a rare one may decide alone."""

from __future__ import annotations

from fractions import Fraction
from math import exp, factorial, inf
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import select

from peerscope.record import Database, resolve_people
from peerscope.record.blocks import STRANGERS_LINKED, links_needed
from peerscope.record.evidence import CHANCE
from peerscope.record.models import Authorship
from peerscope.record.names import Name, parse_name
from peerscope.record.parsed import ParsedAuthor, ParsedWork
from peerscope.record.rarity import UNSEEN, NameCounts

ENOUGH = 2_600
"""Names of a record that can know rare ones."""


def people(database: Database, name: str) -> list[tuple[int | None, str | None, str | None]]:
    query = select(Authorship.person_id, Authorship.decided_by, Authorship.evidence)
    with database.session() as session:
        rows = session.execute(query.where(Authorship.raw_name == name).order_by(Authorship.id))
        return [tuple(row) for row in rows]


def work(number: int, *authors: str | ParsedAuthor, **fields: Any) -> ParsedWork:
    found = [a if isinstance(a, ParsedAuthor) else ParsedAuthor(a) for a in authors]
    key, title = f"w{number}", f"The work with the number {number}"
    return ParsedWork(key=key, title=title, ids={"n": key}, authors=found, **fields)


def crowd(names: int = ENOUGH) -> list[ParsedWork]:
    """Works of people whose names are all different: the record to which the cases belong."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    called = [
        f"X{letters[n // 676]}{letters[n // 26 % 26]}{letters[n % 26]} Y{letters[n % 26]}{letters[n // 676]}o{letters[n // 26 % 26]}"
        for n in range(names)
    ]
    return [
        work(100_000 + n, *called[n : n + 20], year=1900 + n // 20) for n in range(0, names, 20)
    ]


def test_namesakes_are_what_independence_expects() -> None:
    keys = ["zhang, wei", "zhang, li", "zhang, jian wei", "smith, jianwei", "smith, j", "张伟"]
    counts = NameCounts(keys)
    assert counts.names == 4
    assert counts.namesakes(parse_name("Wei Zhang")) == (3 + UNSEEN) * (1 + UNSEEN) / 4
    # Both spellings of one given name count as one.
    assert counts.namesakes(parse_name("Jian-Wei Zhang")) == (3 + UNSEEN) * (2 + UNSEEN) / 4
    assert counts.namesakes(parse_name("Jianwei Smith")) == (1 + UNSEEN) * (2 + UNSEEN) / 4
    assert counts.namesakes(parse_name("Never Seen")) == UNSEEN * UNSEEN / 4
    for unknown in ("W. Zhang", "张伟", "Madonna"):
        assert counts.namesakes(parse_name(unknown)) == inf
    assert NameCounts([]).namesakes(parse_name("Wei Zhang")) == inf


def test_a_small_record_knows_no_rare_name() -> None:
    rare = Name("example", "", ("ada",))

    def namesakes(names: int) -> float:
        return NameCounts([rare.key, *(f"f{n}, g{n}" for n in range(names - 1))]).namesakes(rare)

    assert namesakes(2_400) > CHANCE >= namesakes(2_420)


def tail(expected: float, links: int) -> float:
    """Chance of so many links or more, by the law itself."""
    return 1 - sum(exp(-expected) * expected**n / factorial(n) for n in range(links))


@given(st.integers(1, 500), st.integers(1, 500), st.floats(0, 20))
@example(20_000, 20_000, inf)
def test_links_needed_is_what_chance_does_not_give(one: int, two: int, namesakes: float) -> None:
    links = links_needed(one, two, namesakes)
    expected = STRANGERS_LINKED * one * two * min(namesakes, 1)
    assert links == links_needed(two, one, namesakes) >= 1
    if expected < 60:
        chance = [float(Fraction(expected) ** n / factorial(n)) for n in (links, links - 1)]
        assert chance[0] <= CHANCE * (1 + 1e-9)
        assert links == 1 or chance[1] > CHANCE * (1 - 1e-9), "one less must be too few"
    if expected <= 1:
        assert tail(expected, links) <= CHANCE * 1.01
    assert links_needed(one + 1, two, namesakes) >= links


def test_a_rare_name_is_one_person_and_says_so(database: Database, put: Any) -> None:
    cases = [work(n, "Zoltan Unique", f"Other{n} Friend{n}", year=2000 + n) for n in range(3)]
    put(database, [*crowd(), *cases])
    resolve_people(database)
    found = people(database, "Zoltan Unique")
    assert len({person for person, _, _ in found}) == 1
    assert found[0][0] is not None
    assert {rule for _, rule, _ in found} == {"name"}
    sentence = found[0][2] or ""
    assert sentence.startswith("The written-out name is rare: 0.0")
    assert sentence.endswith("would be expected in the record.")


def test_a_common_name_is_not(database: Database, put: Any) -> None:
    """Many bear the family name, many the given name: both words alone decide nothing."""
    many = [work(5_000 + n, f"Kang{'abcdefghij'[n % 10]}{'klmnopqrst'[n // 10]} Zhang",
                 f"Kang Zhen{'abcdefghij'[n % 10]}{'klmnopqrst'[n // 10]}") for n in range(100)]  # fmt: skip
    cases = [work(n, "Kang Zhang", f"Other{n} Friend{n}") for n in range(3)]
    put(database, [*crowd(), *many, *cases])
    resolve_people(database)
    assert [person for person, _, _ in people(database, "Kang Zhang")] == [None, None, None]


@pytest.mark.parametrize(
    ("why", "cases"),
    [
        ("two in one work", [work(0, "Zoltan Unique", "Zoltan Unique"), work(1, "Zoltan Unique")]),
        (
            "two identifiers",
            [
                work(0, ParsedAuthor("Zoltan Unique", ids={"orcid": "0000-0001-0000-0009"})),
                work(1, ParsedAuthor("Zoltan Unique", ids={"orcid": "0000-0002-0000-0017"})),
                work(2, "Zoltan Unique"),
            ],
        ),
        (
            "two middle names",
            [
                work(0, "Zoltan Unique", "Ada Friend"), work(1, "Zoltan B. Unique", "Ada Friend"),
                work(2, "Zoltan Unique", "Bo Friend"), work(3, "Zoltan C. Unique", "Bo Friend"),
            ],
        ),
        ("a placeholder", [work(n, "Zoltan Unique", year=2000) for n in range(101)]),
        ("generations", [work(0, "Zoltan Unique", year=1950), work(1, "Zoltan Unique", year=1980)]),
    ],
)  # fmt: skip
def test_one_contradiction_ends_what_a_name_says(
    sqlite: Database, put: Any, why: str, cases: list[ParsedWork]
) -> None:
    put(sqlite, [*crowd(), *cases])
    resolve_people(sqlite)
    rules = [rule for _, rule, _ in people(sqlite, "Zoltan Unique")]
    decided = [person for person, _, _ in people(sqlite, "Zoltan Unique") if person is not None]
    assert len(decided) == len(set(decided)), why
    assert "name" not in rules, why


def test_one_printed_affiliation_speaks_for_a_name_that_is_not_common(
    sqlite: Database, put: Any
) -> None:
    def at(name: str, place: str) -> ParsedAuthor:
        return ParsedAuthor(name, raw_affiliation=place)

    family = [f"Given{'abcdefghij'[n % 10]}{'klmnopqrst'[n // 10]} Zhang" for n in range(100)]
    records = [
        *crowd(),
        *(work(5_000 + n, name) for n, name in enumerate(family)),
        work(0, at("Zoltan Zhang", "KAIST")), work(1, at("Zoltan Zhang", "kaist.")),
        work(2, at("Zoltan Zhang", "N/A")), work(3, at("Zoltan Zhang", "n/a")),
        work(4, at("Zoltan Zhang", "JD.com")),
    ]  # fmt: skip
    put(sqlite, records)
    resolve_people(sqlite)
    found = people(sqlite, "Zoltan Zhang")
    assert found[0][0] == found[1][0] is not None
    assert [rule for _, rule, _ in found] == ["name+affiliation", "name+affiliation", *[None] * 3]
    assert "(kaist)" in (found[0][2] or "")


@pytest.mark.parametrize(("bridges", "persons"), [(1, 2), (2, 1)])
def test_large_groups_of_a_common_name_need_more_than_one_link(
    sqlite: Database, put: Any, bridges: int, persons: int
) -> None:
    """Two circles of nine works under one name, and coauthors of many works who wrote once with both."""
    met = [f"Bridge{'abcdefg'[k]} Both" for k in range(bridges)]
    records = [
        work(100 * side + n, "Kang Zhang", f"Circle{'ab'[side]} Friend",
             *[name for k, name in enumerate(met) if k == n])
        for side in range(2) for n in range(9)
    ]  # fmt: skip
    busy = [work(900 + n, *met) for n in range(9)]
    put(sqlite, [*records, *busy])
    resolve_people(sqlite)
    assert links_needed(9, 9, inf) == 2
    assert len({person for person, _, _ in people(sqlite, "Kang Zhang")}) == persons
