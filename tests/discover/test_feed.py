"""The feed: every reason can be checked against the record, what is muted never shows, nobody crowds it."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from peerscope.discover import feed as feeding
from peerscope.discover.feed import asker_of, feed, spread
from peerscope.discover.shapes import FeedEntry
from peerscope.discover.shelf import MOST_ENTRIES, Shelf
from peerscope.discover.taste import MOST_WISHES, Less, Taste, merged
from peerscope.record import count_statements
from peerscope.record import models as m
from peerscope.retrieval import WantedHit

DAY = date(2018, 7, 1)


def near_all(titles, works, k) -> list[WantedHit]:
    """A stand-in for the towers: every work is near, the nearer the smaller its number."""
    return [WantedHit(n, 1 / n, works[0], 1 / n) for n in range(1, 7) if n not in works]


def taste(*met: int, **more) -> Taste:
    return Taste(met, frozenset(met), **more)


def works_of(entries) -> list[int]:
    return [entry.work_id for entry in entries]


def by_kind(entries, work: int) -> dict[str, str]:
    (found,) = [entry for entry in entries if entry.work_id == work]
    return {reason.kind: reason.text for reason in found.reasons}


def test_it_works_from_the_first_saved_work_on_and_says_why(session) -> None:
    found = feed(session, near_all, taste(1), today=DAY)
    assert set(works_of(found)) == {2, 3, 4, 5}, "neither the saved work nor the deleted one"
    title = "Momentum contrast for visual representations"
    assert by_kind(found, 2) == {
        "meaning": f"because you saved “{title}”",
        "citing": f"cites “{title}”, which you saved",
    }


def test_nothing_is_fed_from_nothing(session) -> None:
    assert feed(session, near_all, Taste()) == ()
    assert feed(session, near_all, Taste(less=Less(frozenset([1])))) == ()


def test_without_towers_the_record_s_links_remain(session) -> None:
    found = feed(session, lambda *_: [], taste(1), today=DAY)
    assert set(works_of(found)) == {2, 3}


def test_two_saved_works_count_twice(session) -> None:
    found = feed(session, lambda *_: [], taste(1, 2), today=DAY)
    assert by_kind(found, 3)["citing"] == "cites 2 works you saved"
    backwards = feed(session, lambda *_: [], taste(3), today=DAY)
    assert by_kind(backwards, 1)["cited"].startswith("cited by “Exploring simple siamese")


def test_an_opened_work_counts_a_third_and_is_called_so(session) -> None:
    saved = feed(session, lambda *_: [], taste(1), today=date(1990, 1, 1))
    opened = feed(session, lambda *_: [], Taste((1,)), today=date(1990, 1, 1))
    scores = [{one.work_id: one.score for one in found} for found in (saved, opened)]
    fresh = feeding.WEIGHTS["fresh"]
    assert scores[1][2] - fresh == pytest.approx((scores[0][2] - fresh) / 3)
    assert by_kind(opened, 2)["citing"].endswith("which you opened")


def test_followed_people_and_topics_bring_works_in(session) -> None:
    found = feed(session, near_all, Taste(people=(1,), topics=(3,)), today=DAY)
    assert by_kind(found, 3) == {"person": "by Ada A, whom you follow", "fresh": "published 2018"}
    assert by_kind(found, 4)["topic"] == "on the topic products, which you follow"
    assert set(works_of(found)) == {1, 3, 4}


def test_a_merged_person_is_followed_and_muted_as_who_they_are_now(session) -> None:
    session.get(m.Person, 5).merged_into_id = 4
    session.flush()
    found = feed(session, near_all, Taste(people=(5,)), today=DAY)
    assert by_kind(found, 4)["person"] == "by Ada D, whom you follow"
    muted = Taste((1,), frozenset([1]), less=Less(people=frozenset([5])))
    assert 4 not in works_of(feed(session, near_all, muted, today=DAY))


def test_what_is_new_stands_in_order_of_time(session) -> None:
    session.get(m.Work, 2).publication_date = "2018-01-15"
    session.flush()
    found = feed(session, near_all, taste(1), order="new", today=DAY)
    assert works_of(found) == [5, 4, 2, 3], "a stated day before a mere year"


def test_newness_fades_within_a_year(session) -> None:
    fact = feeding._Fact
    assert fact("2018-07-01").freshness(DAY) == 1
    assert fact("2017-12-31").freshness(DAY) == pytest.approx(1 - 182 / 365)
    assert fact("2017-07-01").freshness(DAY) == 0
    assert fact("2019-01-01").freshness(DAY) == 1, "announced for later"
    for unclear in ("", "n.d.", "2018-13-01", "99999", "2018-02-30"):
        assert fact(unclear).freshness(DAY) == 0


def test_a_feed_costs_few_statements(session) -> None:
    full = Taste(
        (1, 2), frozenset([1]), (1, 2), (1, 4), Less(frozenset([5]), frozenset([3]), frozenset([2]))
    )
    engine = session.get_bind()
    with count_statements(engine) as seen:
        feed(session, near_all, full)
    assert seen.count <= 7
    with count_statements(engine) as seen:
        asker_of(session, full)
    assert seen.count <= 3
    with count_statements(engine) as seen:
        assert asker_of(session, taste(1)).history == (1,)
    assert seen.count == 0


def test_follows_take_part_in_the_order_behind_what_was_met(session) -> None:
    asker = asker_of(session, taste(4, people=(1,), topics=(2,)))
    assert asker.history[0] == 4
    assert set(asker.history[1:]) == {1, 3}
    assert asker.saved == {4}
    assert asker.followed[3] == "by Ada A, whom you follow"


numbers = st.integers(1, 6)
tastes = st.builds(
    lambda met, saved, topics, people, less: Taste(
        tuple(dict.fromkeys(met)), frozenset(met[:saved]), tuple(topics), tuple(people), Less(*less)
    ),
    st.lists(numbers, max_size=4), st.integers(0, 4), st.lists(numbers, max_size=2, unique=True),
    st.lists(numbers, max_size=2, unique=True),
    st.tuples(*[st.frozensets(numbers, max_size=2)] * 3),
)  # fmt: skip
quick = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@quick
@given(tastes, st.sampled_from(["best", "new"]))
def test_every_reason_is_true_and_nothing_muted_is_shown(session, wanted, order) -> None:
    wanted = merged([wanted])
    cites = set(session.execute(select(m.Citation.citing_id, m.Citation.cited_id)).all())
    wrote = set(session.execute(select(m.Authorship.work_id, m.Authorship.person_id)).all())
    carries = set(session.execute(select(m.WorkTopic.work_id, m.WorkTopic.topic_id)).all())
    found = feed(session, near_all, wanted, order=order, today=DAY)
    assert found == feed(session, near_all, wanted, order=order, today=DAY), "deterministic"
    assert len({entry.work_id for entry in found}) == len(found)
    for entry in found:
        work = entry.work_id
        assert work not in wanted.met
        assert work not in wanted.less.works
        assert not any((work, one) in wrote for one in wanted.less.people)
        assert not any((work, one) in carries for one in wanted.less.topics)
        assert entry.reasons
        for reason in entry.reasons:
            letter, number = reason.about[0][0], int(reason.about[0][1:])
            if reason.kind in ("meaning", "citing", "cited"):
                assert letter == "W"
                assert (
                    "saved" in reason.text.split("”")[-1].split() or "saved “" in reason.text
                ) == (number in wanted.saved)
            if reason.kind in ("citing", "cited"):
                did = wanted.saved if "saved" in reason.text else set(wanted.met) - wanted.saved
                linked = {
                    one for one in did
                    if ((work, one) if reason.kind == "citing" else (one, work)) in cites
                }  # fmt: skip
                count = re.search(r"(\d+) works you", reason.text)
                assert number in linked
                assert len(linked) == (int(count[1]) if count else 1)
            elif reason.kind == "person":
                assert number in wanted.people
                assert (work, number) in wrote
            elif reason.kind == "topic":
                assert number in wanted.topics
                assert (work, number) in carries


entries = st.lists(st.integers(0, 4), max_size=40)


@given(entries)
def test_spreading_loses_nothing_and_lets_nobody_crowd(owners) -> None:
    given_entries = [FeedEntry(n, -float(n), ()) for n in range(len(owners))]
    people = {n: {owner} for n, owner in enumerate(owners)}
    placed = spread(given_entries, people)
    assert sorted(works_of(placed)) == list(range(len(owners)))
    for at, entry in enumerate(placed):
        window = [owners[one.work_id] for one in placed[max(0, at - feeding.WINDOW + 1) : at]]
        if window.count(owners[entry.work_id]) >= feeding.MOST_OF_ONE:
            left = {owners[one.work_id] for one in placed[at:]}
            assert all(window.count(owner) >= feeding.MOST_OF_ONE for owner in left)


@given(st.lists(tastes, max_size=4))
def test_merging_is_deterministic_and_keeps_what_each_part_says(parts) -> None:
    whole = merged(parts)
    assert merged([whole]) == whole
    assert merged([*parts, *parts]) == whole
    assert merged([merged(parts[:2]), *parts[2:]]) == whole
    assert set(whole.met) == {work for part in parts for work in part.met}
    assert set(whole.people).isdisjoint(whole.less.people)
    assert len(set(whole.met)) == len(whole.met) <= MOST_WISHES


shelves = st.lists(
    st.tuples(
        st.sampled_from(["save", "follow", "less"]), st.sampled_from("WAT"), st.integers(1, 99)
    ),
    max_size=90,
)


@given(shelves)
def test_a_shelf_comes_back_from_its_cookie(changes) -> None:
    shelf = Shelf()
    for do, letter, number in changes:
        if letter == "W" if do == "save" else do == "less" or letter != "W":
            shelf = shelf.with_entry(do, f"{letter}{number}")
            assert (f"-{letter}{number}" if do == "less" else f"{letter}{number}") in shelf
        else:
            with pytest.raises(ValueError, match="cannot be kept"):
                shelf.with_entry(do, f"{letter}{number}")
    assert Shelf.read(shelf.written()) == shelf
    assert len(shelf.entries) <= MOST_ENTRIES
    found = shelf.taste()
    assert set(found.met).isdisjoint(found.less.works)
    assert not shelf.taste(0)


@given(st.text(max_size=400))
def test_any_cookie_is_read_without_a_complaint(text) -> None:
    for cookie in (text, f"1.{text}", "1." + ".".join(text)):
        found = Shelf.read(cookie)
        assert found is None or Shelf.read(found.written()) == found


@pytest.mark.parametrize(
    "cookie",
    ["", "2.W1", "W1", "1.W1" + "." * 2000, "1;W1", "1" + ".W1" * 1000],
)
def test_a_cookie_that_is_no_shelf_is_none(cookie) -> None:
    assert Shelf.read(cookie) is None


def test_parts_of_a_cookie_that_cannot_be_read_are_left_out() -> None:
    assert Shelf.read("1.W12.W0.W-1.X5.W12.Wa.--W3.-W3.A" + "9" * 16).entries == ("W12", "-W3")
    longest = Shelf(tuple(f"-W{10**14 + n}" for n in range(MOST_ENTRIES)))
    assert Shelf.read(longest.written()) == longest
