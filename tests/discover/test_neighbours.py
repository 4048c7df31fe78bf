from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from peerscope.discover import neighbours as n


def nothing_near(ids: Sequence[int], k: int) -> list[tuple[int, float]]:
    return []


def near_four(ids: Sequence[int], k: int) -> list[tuple[int, float]]:
    return [(4, 0.9)] if 4 not in ids else [(1, 0.5)]


def reasons(found: Sequence[n.Neighbour]) -> dict[int, list[str]]:
    return {one.id: [reason.text for reason in one.reasons] for one in found}


def test_citations_say_which_way_they_go(session: Session) -> None:
    found = reasons(n.near_works(session, 2, nothing_near, 10))
    assert found[1] == ["cited by this work"]
    assert found[3] == ["cites this work"]


def test_a_deleted_work_is_nobodys_neighbour(session: Session) -> None:
    assert 6 not in reasons(n.near_works(session, 1, nothing_near, 10))


def test_meaning_outranks_a_single_citation_and_says_so(session: Session) -> None:
    found = n.near_works(session, 2, near_four, 10)
    assert found[0].id == 4
    assert found[0].reasons[0].text == "near in meaning"
    assert found[0].detail == "2019"


def test_the_limit_holds(session: Session) -> None:
    assert len(n.near_works(session, 1, near_four, 1)) == 1


def test_coauthors_and_authors_of_near_works(session: Session) -> None:
    found = n.near_people(session, 1, near_four, 10)
    assert reasons(found)[2] == ["2 works together"]
    assert reasons(found)[4] == ["wrote “Product search with two towers”, near in meaning"]
    assert n.near_people(session, 999, near_four, 10) == ()


def test_topics_on_the_same_works(session: Session) -> None:
    found = n.near_topics(session, 1, near_four, 10)
    assert reasons(found)[2] == ["1 work carries both"]
    assert reasons(found)[3] == ["1 work near in meaning"]
