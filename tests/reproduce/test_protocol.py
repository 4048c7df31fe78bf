"""What a protocol may hand back, and what counts as a wrong figure."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerscope.reproduce.claims import Check, Claim
from peerscope.reproduce.harness import demand_figures
from peerscope.reproduce.protocol import (
    MOST_POINTS,
    MOST_UNITS,
    Profile,
    Protocol,
    Trial,
    WrongFigure,
)

PROTOCOL = Protocol(
    name="train", version=1, entry="peerscope.reproduce.protocol:WrongFigure", summary="Trains.",
    figures={"acc/*": "accuracy in %", "loss": "mean loss"}, profiles={"cpu": Profile({"steps": 3})},
)  # fmt: skip


@pytest.fixture
def trial() -> Trial:
    return Trial(PROTOCOL, 0, PROTOCOL.profiles["cpu"].settings)


# Figures


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_keeps_nine_digits(value):
    trial = Trial(PROTOCOL, 0, {})
    trial.figure("loss", value)
    kept = trial.figures["loss"]
    assert isinstance(kept, float)
    assert math.isfinite(kept)
    assert kept == pytest.approx(value, rel=5.1e-9, abs=0)


def test_units_keep_their_order(trial):
    trial.figure("acc/a", np.array([3, 1, 2]))
    trial.figure("acc/b", (True, False))
    trial.figure("loss", np.float32(0.5))
    assert trial.figures == {"acc/a": [3.0, 1.0, 2.0], "acc/b": [1.0, 0.0], "loss": 0.5}


@pytest.mark.parametrize(
    "value",
    [
        math.nan, math.inf, -math.inf, [1.0, math.nan], None, "0.5.1", "high", [], [[1.0]], [1.0, None],
        [[1.0], [1.0, 2.0]], {"a": 1}, object(), 1j,
    ],
)  # fmt: skip
def test_what_is_no_figure_is_refused(trial, value):
    with pytest.raises(WrongFigure, match="'loss'"):
        trial.figure("loss", value)
    assert not trial.figures


def test_too_many_units_are_refused(trial):
    trial.figure("acc/a", np.zeros(MOST_UNITS))
    with pytest.raises(WrongFigure, match="shape"):
        trial.figure("acc/b", np.zeros(MOST_UNITS + 1))


@pytest.mark.parametrize("name", ["accuracy", "acc", "Loss", "loss/a", "", "xacc/a"])
def test_a_name_that_nobody_declared_is_refused(trial, name):
    with pytest.raises(WrongFigure, match="declares no figure"):
        trial.figure(name, 1.0)


def test_a_figure_is_put_down_once(trial):
    trial.figure("loss", 1.0)
    with pytest.raises(WrongFigure, match="twice"):
        trial.figure("loss", 1.0)
    assert trial.figures == {"loss": 1.0}


def test_patterns_say_what_a_figure_is():
    assert PROTOCOL.described("acc/a/64") == "accuracy in %"
    assert PROTOCOL.described("loss") == "mean loss"
    assert PROTOCOL.described("other") is None


# Figures that claims need


def claim(**changes) -> Claim:
    return Claim(**({
        "id": "a-1", "statement": "", "metric": "", "location": "", "protocol": "train", "profiles": {"cpu": ""},
        "checks": (Check("", "acc/a", "acc/b"), Check("", "loss", profiles=("gpu",))),
    } | changes))  # fmt: skip


def test_a_trial_without_what_a_claim_needs_is_refused(trial):
    with pytest.raises(WrongFigure, match="no figure"):
        demand_figures([], "cpu", trial)
    trial.figure("acc/a", 1.0)
    with pytest.raises(WrongFigure, match="'acc/b', which a-1 needs"):
        demand_figures([claim()], "cpu", trial)
    trial.figure("acc/b", 1.0)
    demand_figures([claim()], "cpu", trial)
    with pytest.raises(WrongFigure, match="'loss'"):
        demand_figures([claim()], "gpu", trial)


# Curves, data, settings


def test_a_curve_leaves_out_what_cannot_be_drawn(trial):
    trial.curve("loss over steps", "a", [0, 1, 2, math.inf], [1.0, math.nan, 0.123456789123, 4.0])
    trial.curve("loss over steps", "b", np.arange(2), np.ones(2))
    assert trial.curves == {
        "loss over steps": {"a": [[0.0, 2.0], [1.0, 0.123456789]], "b": [[0, 1], [1, 1]]}
    }


def test_a_curve_of_two_lengths_or_too_long_is_refused(trial):
    with pytest.raises(WrongFigure, match="1 and 2"):
        trial.curve("c", "a", [1], [1, 2])
    with pytest.raises(WrongFigure):
        trial.curve("c", "a", range(MOST_POINTS + 1), range(MOST_POINTS + 1))


def test_equal_data_have_equal_hashes(trial):
    values = np.arange(12, dtype=np.float32)
    trial.data("a", values, values)
    trial.data("b", values.copy(), np.arange(24, dtype=np.float32)[::2] / 2)
    trial.data("shape", values.reshape(3, 4), values)
    trial.data("type", values.astype(np.float64), values)
    trial.data("order", values[::-1], values)
    assert trial.hashes["a"] == trial.hashes["b"]
    assert len(set(trial.hashes.values())) == 4


def test_settings_are_read_by_name(trial):
    assert trial["steps"] == 3
    with pytest.raises(KeyError):
        trial["epochs"]


def test_words_of_the_log_are_joined():
    told: list[str] = []
    moved: list[tuple] = []
    trial = Trial(PROTOCOL, 0, {}, told=told.append, moved=lambda *given: moved.append(given))
    trial.log("loss", 0.5)
    trial.progress("training", 1, 3)
    assert told == ["loss 0.5"]
    assert moved == [("training", 1, 3)]


# Protocols


@pytest.mark.parametrize("name", ["", "Train", "1st", "a-b", "a/b", "../a", "a.b"])
def test_a_name_is_an_identifier(name):
    with pytest.raises(ValueError, match="identifier"):
        Protocol(name, 1, "a:run", "", {}, {})


def test_code_is_imported_only_when_it_is_asked_for():
    assert PROTOCOL.function() is WrongFigure
    broken = Protocol("broken", 1, "no_such_module:run", "", {}, {})
    with pytest.raises(ImportError):
        broken.function()
    with pytest.raises(AttributeError):
        Protocol("broken", 1, "peerscope.reproduce.protocol:no_such", "", {}, {}).function()
