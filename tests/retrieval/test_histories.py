from __future__ import annotations

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
    pairs = training_pairs(
        items, [item.title for item in items], events, histories=histories, most_history=30
    )
    assert max(len(met) for met in pairs.histories) == 30
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
