from __future__ import annotations

import math
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerscope.retrieval.files import values
from peerscope.retrieval.files.problems import Unfit

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.dates(),
    st.datetimes(),
    st.binary(max_size=8),
)
ANY = st.one_of(
    SCALARS, st.lists(SCALARS, max_size=5), st.dictionaries(st.text(), SCALARS, max_size=3)
)
FUNCTIONS = (
    values.own_id,
    values.text,
    values.category,
    values.categories,
    values.ids,
    values.weight,
    values.moment,
)


@given(ANY)
def test_any_value_is_understood_or_refused_with_a_mend(value) -> None:
    for function in FUNCTIONS:
        try:
            function(value)
        except Unfit as wrong:
            assert wrong.reason
            assert wrong.mend


@given(st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1))
def test_an_id_is_the_same_whatever_type_a_file_gives_it(number) -> None:
    assert values.own_id(number) == values.own_id(str(number)) == values.own_id(float(number))


@given(st.integers(min_value=2**53))
def test_an_id_that_a_float_cannot_hold_is_refused_as_a_float_only(number) -> None:
    assert values.own_id(number) == str(number)
    if number < 10**300:
        with pytest.raises(Unfit):
            values.own_id(float(number))


@given(ANY)
def test_an_id_read_again_is_the_same(value) -> None:
    try:
        found = values.own_id(value)
    except Unfit:
        return
    assert values.own_id(found) == found
    assert found == found.strip() != ""


@given(ANY)
def test_texts_can_be_written_anywhere_and_cleaning_is_done_once(value) -> None:
    try:
        found, _ = values.text(value)
    except Unfit:
        return
    found.encode("utf-8")
    assert values.text(found) == (found, False)


@given(st.lists(st.one_of(st.none(), st.text(max_size=20), st.integers(), st.booleans())))
def test_values_of_a_field_stand_once_and_are_never_empty(given_values) -> None:
    found = values.categories(given_values)
    assert len(set(found)) == len(found) <= values.MOST_VALUES
    assert all(found)


@given(st.datetimes(timezones=st.one_of(st.none(), st.just(UTC))))
def test_a_time_is_the_same_as_object_and_as_text(moment) -> None:
    assert values.moment(moment) == values.moment(moment.isoformat())


def test_times_against_the_calendar() -> None:
    assert values.moment(date(1970, 1, 2)) == ("date", 86400.0)
    assert values.moment("2000-01-01T00:00:00+01:00") == ("date", 946681200.0)
    assert (
        values.moment("2000-01-01") == values.moment(datetime(2000, 1, 1)) == ("date", 946684800.0)
    )
    assert values.moment("17") == values.moment(17.0) == ("number", 17.0)
    assert values.moment(math.nan) is None
    for odd in ("yesterday", True, math.inf, [1], {"a": 1}):
        with pytest.raises(Unfit):
            values.moment(odd)


@pytest.mark.parametrize("odd", [0, -1, math.inf, "much", True, [1], 1e-300])
def test_weights_are_positive(odd) -> None:
    with pytest.raises(Unfit):
        values.weight(odd)
    assert values.weight("0.5") == 0.5
    assert values.weight(math.nan) == 1.0


@pytest.mark.parametrize(
    ("given_value", "found"),
    [(True, "yes"), (3.0, "3"), (" a\n b ", "a b"), (math.nan, None), ("", None), (-7, "-7")],
)
def test_categories_as_text(given_value, found) -> None:
    assert values.category(given_value) == found


def test_a_fraction_is_no_category() -> None:
    for odd in (4.6, math.inf, {"a": 1}, "x" * 201):
        with pytest.raises(Unfit):
            values.category(odd)


@pytest.mark.parametrize("written", ["[1, 2, 3]", "1|2|3", [1, "2", 3.0], ("1", 2, 3)])
def test_histories_in_every_form(written) -> None:
    assert values.ids(written) == (["1", "2", "3"], 0)
    assert values.ids([1, None, True, {}]) == (["1"], 3)
    with pytest.raises(Unfit):
        values.ids("[1, 2")
