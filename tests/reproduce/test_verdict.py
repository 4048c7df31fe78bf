"""Rule 1 against derivations that share no code with it: scipy, exact enumeration, and its own words."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from peerscope.reproduce.claims import Check, Claim
from peerscope.reproduce.verdict import (
    RULE,
    STATES,
    CheckState,
    State,
    Verdict,
    _decided,
    _state,
    _t95,
    interval,
    judge,
    rule_text,
)

FIGURES = st.lists(
    st.floats(-100, 100, allow_nan=False).map(lambda x: round(x, 6)), min_size=3, max_size=8
)
SHORT = st.sampled_from(["holds", "fails", "open", "exceeded"])


def claim(*checks: Check, better="higher") -> Claim:
    return Claim(
        id="a-1", statement="It is so.", metric="accuracy", location="table 1", protocol="p",
        checks=checks, profiles={"cpu": ""}, better=better,
    )  # fmt: skip


def seeds(**figures) -> list[dict]:
    """Figure name to its values by seed, as the figures of each seed."""
    return [
        dict(zip(figures, values, strict=True)) for values in zip(*figures.values(), strict=True)
    ]


def judged(check: Check, better="higher", **figures) -> Verdict:
    found = judge(claim(check, better=better), "cpu", seeds(**figures))
    assert found is not None
    return found


def one_a_seed(values) -> list[np.ndarray]:
    return [np.array([value]) for value in values]


# The interval


@pytest.mark.parametrize("freedom", [*range(1, 61), 100, 999])
def test_students_factor_is_scipys(freedom):
    # three decimals in the table, 0.0001 beyond it
    assert _t95(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), abs=5.1e-4)
    assert freedom <= 30 or _t95(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), abs=1e-4)


@given(FIGURES)
def test_interval_holds_scipys_t_interval(values):
    middle, low, high = interval(one_a_seed(values))
    spread = float(np.std(values, ddof=1))
    assert middle == pytest.approx(np.mean(values), abs=1e-9)
    if spread > 1e-9:
        least, most = stats.t.interval(
            0.95, len(values) - 1, np.mean(values), spread / len(values) ** 0.5
        )
        slack = 1e-4 * (most - least)
        assert low <= least + slack
        assert high >= most - slack


@given(FIGURES)
def test_interval_of_few_seeds_is_students(values):
    """Up to eight seeds a bootstrap over seeds alone never reaches farther: the hull is Student's t."""
    middle, low, high = interval(one_a_seed(values))
    half = _t95(len(values) - 1) * float(np.std(values, ddof=1)) / len(values) ** 0.5
    assert low == pytest.approx(middle - half, abs=1e-9)
    assert high == pytest.approx(middle + half, abs=1e-9)


def test_bootstrap_over_three_seeds_reaches_from_smallest_to_largest():
    """Why the rule has Student's t: enumerating all 27 draws, the 2.5 % point is the smallest itself."""
    values = [1.0, 2.0, 4.0]
    means = sorted(sum(map(Fraction, draw)) / 3 for draw in itertools.product(values, repeat=3))
    assert float(means[0]) == 1.0
    assert Fraction(sum(mean == 1 for mean in means), 27) > Fraction(25, 1000)
    _, low, high = interval(one_a_seed(values))
    assert low < 1.0
    assert high > 4.0


def test_interval_over_units_is_scipys_percentile_bootstrap():
    """Seeds that agree exactly leave the chance of the units alone, which scipy resamples in its own way."""
    chance = np.random.default_rng(5)
    units = chance.normal(0.3, 1.0, size=200)
    _, low, high = interval([units, units, units])
    # three seeds of the same units: a drawn mean is that of three independent resamples
    means = stats.bootstrap(
        (units,), np.mean, n_resamples=30_000, method="percentile", rng=np.random.default_rng(6)
    ).bootstrap_distribution.reshape(-1, 3).mean(axis=1)  # fmt: skip
    expected = np.quantile(means, [0.025, 0.975])
    assert [low, high] == pytest.approx(expected, abs=0.006)


def test_interval_over_units_holds_the_spread_of_seeds():
    chance = np.random.default_rng(7)
    units = [chance.normal(centre, 1.0, size=100) for centre in (0.0, 0.5, 1.0)]
    means = [array.mean() for array in units]
    _, low, high = interval(units)
    half = stats.t.ppf(0.975, 2) * np.std(means, ddof=1) / 3**0.5
    assert low == pytest.approx(np.mean(means) - half, abs=2e-4)
    assert high == pytest.approx(np.mean(means) + half, abs=2e-4)


def test_interval_covers_the_truth_as_often_as_it_says():
    """Three seeds from a normal distribution: 95 of 100 intervals hold its mean, a plain bootstrap far fewer."""
    chance = np.random.default_rng(8)
    drawn = chance.normal(1.0, 2.0, size=(2_000, 3))
    held = sum(low <= 1.0 <= high for _, low, high in (interval(one_a_seed(row)) for row in drawn))
    bare = sum(row.min() <= 1.0 <= row.max() for row in drawn)
    assert 0.935 <= held / 2_000 <= 0.965
    assert bare / 2_000 < 0.8


@given(FIGURES, st.randoms(use_true_random=False))
def test_order_of_seeds_changes_nothing(values, chance):
    mixed = list(values)
    chance.shuffle(mixed)
    assert interval(one_a_seed(mixed)) == pytest.approx(interval(one_a_seed(values)), abs=1e-9)


def test_order_of_seeds_changes_an_interval_over_units_within_its_chance_only():
    drawn = [np.random.default_rng(seed).normal(size=300) for seed in range(4)]
    wide = interval(drawn)[2] - interval(drawn)[1]
    for order in itertools.permutations(range(4)):
        assert interval([drawn[i] for i in order]) == pytest.approx(
            interval(drawn), abs=0.03 * wide
        )


@given(FIGURES, st.floats(-50, 50), st.floats(0.1, 10))
def test_interval_moves_and_stretches_with_its_figures(values, shift, scale):
    moved = interval(one_a_seed([value * scale + shift for value in values]))
    assert moved == pytest.approx(
        [end * scale + shift for end in interval(one_a_seed(values))], abs=1e-6
    )


def test_interval_is_the_same_every_time():
    units = [np.random.default_rng(seed).normal(size=50) for seed in range(3)]
    assert interval(units) == interval(units)


def test_interval_of_a_seed_alone_and_of_none():
    assert interval([np.array([2.5])]) == (2.5, 2.5, 2.5)
    with pytest.raises(ValueError, match="no seed"):
        interval([])


def test_many_units_take_little_memory():
    """A figure may hold 100,000 units; drawing 4,000 times that at once would take 3 GB."""
    import tracemalloc

    units = [np.random.default_rng(seed).normal(size=100_000) for seed in range(3)]
    tracemalloc.start()
    middle, low, high = interval(units)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert low < middle < high
    assert most < 200 * 2**20


# What is measured


def test_arms_are_compared_seed_by_seed():
    """Every seed gains a point, however far the seeds lie apart: paired, that is certain."""
    a, b = [10.0, 50.0, 90.0], [11.0, 51.0, 91.0]
    found = judged(Check("b is better", "b", "a"), a=a, b=b)
    assert found.state == "reproduced"
    assert found.checks[0].per_seed == (1.0, 1.0, 1.0)
    assert (found.checks[0].low, found.checks[0].high) == (1.0, 1.0)
    assert interval(one_a_seed(b))[1] < interval(one_a_seed(a))[2], (
        "unpaired, their intervals overlap"
    )


def test_units_are_compared_one_by_one():
    a = [list(np.random.default_rng(seed).normal(size=400)) for seed in range(3)]
    b = [[value + 0.01 for value in values] for values in a]
    found = judged(Check("b is better", "b", "a"), a=a, b=b)
    assert found.checks[0].low == pytest.approx(0.01)
    assert found.checks[0].high == pytest.approx(0.01)


def test_a_ratio_is_one_of_means():
    found = judged(Check("b is twice a", "b", "a", compare="ratio", bound=1.0),
                   a=[[1.0, 3.0]] * 3, b=[[3.0, 5.0]] * 3)  # fmt: skip
    assert found.checks[0].per_seed == (2.0, 2.0, 2.0)
    assert found.checks[0].condition == "b ÷ a > 1"


def test_a_missing_figure_is_named():
    with pytest.raises(ValueError, match="no figure 'b'"):
        judged(Check("b is better", "b", "a"), a=[1.0] * 3)


def test_arms_with_different_units_are_refused():
    with pytest.raises(ValueError, match="2 units, a 1"):
        judged(Check("b is better", "b", "a"), a=[1.0] * 3, b=[[1.0, 2.0]] * 3)


def test_a_ratio_to_nothing_is_refused():
    with pytest.raises(ValueError, match="a is 0"):
        judged(Check("b is more", "b", "a", compare="ratio"), a=[0.0] * 3, b=[1.0] * 3)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 2])
def test_what_is_not_a_number_gives_no_verdict(wrong, place):
    values = [1.0, 2.0, 3.0]
    values[place] = wrong
    with pytest.raises(ValueError, match="not a finite number"):
        judged(Check("a is more", "a"), a=values)


# States of checks


@given(st.floats(-5, 5), st.floats(0, 5), st.floats(-5, 5))
def test_above_and_below_mirror_each_other(low, width, bound):
    mirror: dict[CheckState, CheckState] = {"holds": "holds", "fails": "fails", "open": "open"}
    above = _state(Check("c", "a", bound=bound), "higher", low, low + width)
    below = _state(Check("c", "a", relation="below", bound=-bound), "lower", -low - width, -low)
    assert below == mirror[above]


@given(st.floats(-5, 5), st.floats(0, 5), st.floats(0, 5), st.floats(-5, 5))
def test_moving_up_never_makes_above_worse(low, width, up, bound):
    worth = {"fails": 0, "open": 1, "holds": 2}
    check = Check("c", "a", bound=bound)
    before, after = (_state(check, "higher", low + by, low + by + width) for by in (0.0, up))
    assert worth[after] >= worth[before]


@given(
    st.floats(-5, 5),
    st.floats(0, 5),
    st.floats(0, 1),
    st.floats(0, 1),
    st.sampled_from(["above", "below"]),
)
def test_a_narrower_interval_never_takes_a_decision_back(low, width, cut, rest, relation):
    check = Check("c", "a", relation=relation, bound=0.0)
    wide = _state(check, "higher", low, low + width)
    inner = low + width * cut * rest
    narrow = _state(check, "higher", inner, low + width * max(cut, cut * rest))
    assert wide in ("open", narrow)


@pytest.mark.parametrize(
    ("relation", "low", "high", "state"),
    [
        ("above", 0.0, 1.0, "open"),  # the bound itself is not above the bound
        ("above", 1e-12, 1.0, "holds"),
        ("above", -1.0, 0.0, "fails"),
        ("above", 0.0, 0.0, "fails"),
        ("below", -1.0, 0.0, "open"),
        ("below", -1.0, -1e-12, "holds"),
        ("below", 0.0, 1.0, "fails"),
        ("above", -1.0, 1.0, "open"),
    ],
)
def test_ends_at_the_bound(relation, low, high, state):
    assert _state(Check("c", "a", relation=relation), "higher", low, high) == state


@pytest.mark.parametrize(
    ("better", "low", "high", "state"),
    [
        ("higher", 9.0, 11.0, "holds"),
        ("higher", 8.9, 11.0, "open"),
        ("higher", 11.1, 12.0, "exceeded"),
        ("higher", 7.0, 8.9, "fails"),
        ("lower", 11.1, 12.0, "fails"),
        ("lower", 7.0, 8.9, "exceeded"),
        ("neither", 11.1, 12.0, "fails"),
        ("neither", 7.0, 8.9, "fails"),
        ("higher", 10.5, 11.5, "open"),
        ("higher", 0.0, 99.0, "open"),
    ],
)
def test_within_a_tolerance(better, low, high, state):
    assert (
        _state(Check("c", "a", relation="within", bound=10.0, tolerance=1.0), better, low, high)
        == state
    )


# States of claims


def _by_the_words(states: list[CheckState]) -> State:
    """Rule 1.3 read aloud, clause by clause."""
    if all(state == "holds" for state in states):
        return "reproduced"
    if all(state in ("holds", "exceeded") for state in states):
        return "exceeded"
    if any(state in ("holds", "exceeded") for state in states):
        return "partly"
    return "not_reproduced" if "fails" in states else "not_resolved"


def test_every_mix_of_up_to_four_checks_is_decided_as_the_rule_says():
    for number in range(1, 5):
        for states in itertools.product(["holds", "fails", "open", "exceeded"], repeat=number):
            assert _decided(states, 3)[0] == _by_the_words(list(states)), states


@given(st.lists(SHORT, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_order_of_checks_changes_no_state(states, chance):
    mixed = list(states)
    chance.shuffle(mixed)
    assert _decided(mixed, 3)[0] == _decided(states, 3)[0]


@given(st.lists(SHORT, min_size=1, max_size=6), st.integers(1, 2))
def test_fewer_than_three_seeds_resolve_nothing(states, number):
    state, sentence = _decided(states, number)
    assert state == "not_resolved"
    assert str(number) in sentence


@given(st.lists(SHORT, min_size=2, max_size=6))
def test_the_sentence_counts_what_there_is(states):
    held = sum(state in ("holds", "exceeded") for state in states)
    sentence = _decided(states, 3)[1]
    assert sentence.startswith(f"{held} of {len(states)} checks hold")
    assert (f"{states.count('fails')} fail" in sentence) == ("fails" in states)
    assert (f"{states.count('open')} cannot" in sentence) == ("open" in states)


@pytest.mark.parametrize("profile", ["tiny", "mine", ""])
def test_only_deciding_profiles_decide(profile):
    check = Check("a is more", "a", profiles=("cpu", profile))
    assert judge(claim(check), profile, seeds(a=[1.0, 1.0, 1.0])) is None


def test_a_check_of_another_profile_is_not_asked():
    both = claim(Check("a", "a"), Check("b", "b", profiles=("gpu",)))
    found = judge(both, "cpu", seeds(a=[1.0, 1.1, 0.9]))
    assert found is not None
    assert [check.label for check in found.checks] == ["a"]
    assert found.state == "reproduced"


def test_closed_cases():
    """Figures without any spread leave no doubt on either side."""
    check = Check("accuracy is above a half", "a", bound=0.5)
    assert judged(check, a=[1.0] * 3).state == "reproduced"
    assert judged(check, a=[0.0] * 3).state == "not_reproduced"
    assert judged(check, a=[0.5] * 3).state == "not_reproduced"
    assert judged(check, a=[1.0, 1.0, 0.0]).state == "not_resolved"
    printed = Check("as printed", "a", relation="within", bound=70.0, tolerance=0.5)
    assert judged(printed, a=[80.0] * 3).state == "exceeded"
    assert judged(printed, better="lower", a=[80.0] * 3).state == "not_reproduced"


def test_the_example_of_the_documentation():
    """docs/reproduce.md works these five seeds by hand."""
    found = judged(Check("b is more accurate than a", "b", "a"),
                   a=[61.2, 60.4, 62.0, 61.1, 60.8], b=[63.0, 61.9, 62.9, 63.4, 62.1])  # fmt: skip
    assert found.checks[0].per_seed == pytest.approx([1.8, 1.5, 0.9, 2.3, 1.3])
    assert found.checks[0].measured == pytest.approx(1.56)
    assert (found.checks[0].low, found.checks[0].high) == pytest.approx(
        (1.56 - 0.655, 1.56 + 0.655), abs=0.001
    )
    assert found.state == "reproduced"


def test_a_verdict_as_plain_data_keeps_everything():
    found = judged(Check("a is more", "a"), a=[1.0, 1.1, 0.9])
    plain = found.to_dict()
    assert plain["rule"] == RULE == "1"
    assert plain["state"] in STATES
    assert plain["checks"][0]["per_seed"] == (1.0, 1.1, 0.9)
    assert found.words == "reproduced"


def test_the_rule_is_told_in_three_points():
    assert all(f"{number}. " in rule_text() for number in (1, 2, 3))
