from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from peerscope.retrieval import Interaction, User
from peerscope.retrieval.examples import judged_queries, training_pairs
from peerscope.retrieval.histories import Histories

EVENTS = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(1, 9), st.integers(0, 20)), max_size=40
)


@given(EVENTS, st.integers(0, 20), st.integers(0, 8))
def test_a_history_is_what_was_met_before_newest_first_each_once(events, time, most) -> None:
    interactions = [Interaction("", item, user, time=float(when)) for user, item, when in events]
    histories = Histories([User("a", {}, (7, 100, 8))], interactions, range(1, 9))
    found = histories.of("a", float(time), most)
    earlier = sorted(
        ((when, item) for user, item, when in events if user == "a" and when < time and item < 9),
        reverse=True,
    )
    expected = list(dict.fromkeys([item for _, item in earlier] + [7, 8]))[:most]
    assert list(found) == expected


def test_nothing_is_told_from_the_future_or_without_a_time() -> None:
    events = [Interaction("q", 1, "a", time=1.0), Interaction("q", 2, "a", time=2.0)]
    histories = Histories([], events, (1, 2))
    assert histories.of("a", 2.0, 9) == (1,)
    assert histories.of("a", None, 9) == ()
    assert histories.of(None, 2.0, 9) == ()
    assert histories.of("stranger", 2.0, 9) == ()


def test_ten_thousand_events_of_one_user_are_joined_once_for_each(items) -> None:
    events = [Interaction(f"query {n}", 1 + n % 240, "u", time=float(n)) for n in range(10_000)]
    histories = Histories([], events, (item.id for item in items))
    pairs = training_pairs(items, [item.title for item in items], events, histories=histories)
    _, sizes = pairs.histories.padded(np.arange(len(pairs.asked)), 30)
    assert sizes.max() == 30
    judged = judged_queries(items, events, 50, histories)
    links = [one for one in judged if one.user is not None]
    assert links
    for one in links:
        asked = int(one.query.split()[1])
        assert one.user.history[0] == 1 + (asked - 1) % 240


def test_items_that_are_gone_are_no_history(items) -> None:
    events = [Interaction("q", 5_000, "u", time=1.0), Interaction("q", 3, "u", time=2.0)]
    histories = Histories([], events, (item.id for item in items))
    assert histories.of("u", 3.0, 9) == (3,)


@given(EVENTS, st.lists(st.integers(1, 9), max_size=5), st.integers(1, 3))
def test_histories_of_many_askings_are_those_of_each(events, before, most) -> None:
    interactions = [Interaction("q", item, user, time=float(when)) for user, item, when in events]
    histories = Histories([User("b", {}, tuple(before))], interactions, range(9, 0, -1))
    users = ["a", "b", None, "c", *(user for user, _, _ in events)]
    times = [5.0, float("nan"), 1.0, 1.0, *(float(when) for *_, when in events)]
    found, sizes = histories.asked(users, times).padded(np.arange(len(users)), most)
    for row, (user, time) in enumerate(zip(users, times, strict=True)):
        alone = histories.of(user, None if np.isnan(time) else time, most)
        assert tuple(9 - found[row, : sizes[row]]) == alone


def test_joined_data_is_as_small_as_the_log_however_long_the_histories(items) -> None:
    number = 20_000
    events = [
        Interaction(f"query {n % 50}", 1 + n * 7 % 240, f"user {n % 3}", time=float(n))
        for n in range(number)
    ]
    histories = Histories([], events, (item.id for item in items))
    pairs = training_pairs(items, [item.title for item in items], events, histories=histories)
    asked = len(pairs.asked) - len([item for item in items if item.text])
    assert asked > 0.8 * number - 240
    assert len(pairs.queries) < 50 + 2 * 240
    assert histories.nbytes <= 20 * number + 100
    met = pairs.histories
    assert met.begins.nbytes + met.cuts.nbytes == 16 * len(pairs.asked)
    # Stored for each asking, thirty items would be ten times as much.
    assert met.padded(np.arange(len(pairs.asked)), 30)[0].nbytes > 10 * met.begins.nbytes
