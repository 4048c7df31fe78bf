"""Claims, checks and papers: what they refuse, and that plain data stand for them exactly."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerscope.reproduce import load_registry
from peerscope.reproduce.claims import Check, Claim, Paper
from peerscope.reproduce.protocol import Profile, Protocol

TEXT = st.text(max_size=30)
NUMBER = st.floats(-1e6, 1e6)


@st.composite
def checks(draw) -> Check:
    relation = draw(st.sampled_from(["above", "below", "within"]))
    against = draw(st.none() | TEXT)
    return Check(
        label=draw(TEXT), figure=draw(TEXT), against=against, relation=relation, bound=draw(NUMBER),
        tolerance=draw(st.floats(0, 10)) if relation == "within" else None,
        compare=draw(st.sampled_from(["difference", "ratio"])) if against is not None else "difference",
        profiles=("cpu", *draw(st.lists(TEXT, max_size=2))),
    )  # fmt: skip


@st.composite
def claims(draw) -> Claim:
    words = st.from_regex(r"[a-z0-9]{1,5}(-[a-z0-9]{1,5}){0,2}", fullmatch=True)
    return Claim(
        id=draw(words), statement=draw(TEXT), metric=draw(TEXT), location=draw(TEXT), protocol=draw(TEXT),
        checks=tuple(draw(st.lists(checks(), min_size=1, max_size=3))), profiles={"cpu": draw(TEXT)},
        better=draw(st.sampled_from(["higher", "lower", "neither"])), reported=draw(TEXT),
        reported_value=draw(st.none() | NUMBER), not_run=draw(st.dictionaries(TEXT, TEXT, max_size=2)),
        controls=draw(TEXT), curve=draw(TEXT), learned=draw(TEXT),
    )  # fmt: skip


def one_claim(**changes) -> Claim:
    given = {
        "id": "a-1", "statement": "It is so.", "metric": "accuracy in %", "location": "table 1",
        "protocol": "train", "checks": (Check("a is more", "acc/a", "acc/b"),), "profiles": {"cpu": "less data"},
    }  # fmt: skip
    return Claim(**(given | changes))


def protocol(**changes) -> Protocol:
    given = {
        "name": "train", "version": 1, "entry": "nowhere:run", "summary": "Trains.",
        "figures": {"acc/*": "accuracy in %"}, "profiles": {"cpu": Profile({})},
    }  # fmt: skip
    return Protocol(**(given | changes))


def paper(*given: Claim) -> Paper:
    return Paper("a", "A title", ("doi:10.1/a",), "v1", given or (one_claim(),), (protocol(),))


# Plain data


@given(claims())
def test_plain_data_stand_for_a_claim(claim):
    assert Claim.from_dict(claim.to_dict()) == claim


@given(claims())
def test_json_stands_for_a_claim(claim):
    assert Claim.from_dict(json.loads(json.dumps(claim.to_dict()))) == claim


def test_every_claim_of_this_package_survives_json():
    found = load_registry([]).claims()
    assert found
    for _, claim in found:
        assert Claim.from_dict(json.loads(json.dumps(claim.to_dict(), allow_nan=False))) == claim


def test_what_an_older_attempt_left_out_has_its_default():
    given = one_claim().to_dict()
    for name in ("learned", "curve", "controls", "not_run", "reported"):
        del given[name]
    assert Claim.from_dict(given) == one_claim()


def without(name: str) -> dict:
    return {key: value for key, value in one_claim().to_dict().items() if key != name}


def check_with(**changes) -> dict:
    given = one_claim().to_dict()
    return given | {"checks": [given["checks"][0] | changes]}


@pytest.mark.parametrize(
    "given",
    [
        [], None, "a claim", {}, 3,
        without("id"), without("checks"), without("statement"), without("profiles"),
        one_claim().to_dict() | {"colour": "red"},
        one_claim().to_dict() | {"id": 7},
        one_claim().to_dict() | {"id": "../a"},
        one_claim().to_dict() | {"checks": []},
        one_claim().to_dict() | {"checks": [None]},
        one_claim().to_dict() | {"checks": {"a": 1}},
        one_claim().to_dict() | {"better": "larger"},
        one_claim().to_dict() | {"profiles": ["cpu"]},
        one_claim().to_dict() | {"not_run": "cpu"},
        one_claim().to_dict() | {"statement": {"html": "<b>"}},
        check_with(relation="equals"),
        check_with(relation="within"),
        check_with(tolerance=1.0),
        check_with(relation="within", tolerance=-1.0),
        check_with(relation="within", tolerance=math.nan),
        check_with(bound=math.nan),
        check_with(bound="0"),
        check_with(compare="quotient"),
        check_with(compare="ratio", against=None),
        check_with(profiles=None),
        check_with(weight=2),
    ],
)  # fmt: skip
def test_what_is_no_claim_is_refused(given):
    with pytest.raises(ValueError):
        Claim.from_dict(given)


# Checks


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (Check("", "a"), "a > 0"),
        (Check("", "a", relation="below", bound=0.95), "a < 0.95"),
        (Check("", "a", "b"), "a − b > 0"),
        (Check("", "a", "b", compare="ratio", bound=1.0), "a ÷ b > 1"),
        (Check("", "a", relation="within", bound=70.5, tolerance=0.5), "a is 70.5 ± 0.5"),
        (Check("", "a", "b", bound=1e-9, relation="below"), "a − b < 1e-09"),
    ],
)
def test_a_condition_in_words(check, words):
    assert check.condition() == words
    assert check.figures == ("a", "b")[: 1 + (check.against is not None)]


def test_checks_by_profile():
    both, gpu = Check("both", "acc/a"), Check("gpu", "acc/b", profiles=("gpu",))
    claim = one_claim(checks=(both, gpu))
    assert claim.checks_for("cpu") == (both,)
    assert claim.checks_for("gpu") == (both, gpu)
    assert claim.checks_for("tiny") == ()


def test_a_profile_without_a_check_is_refused():
    with pytest.raises(ValueError, match="'mine'"):
        one_claim(profiles={"mine": ""})


# Papers


def test_a_paper_finds_what_it_holds():
    whole = paper(one_claim(), one_claim(id="a-2", profiles={"cpu": ""}))
    assert whole.protocol("train").name == "train"
    assert [claim.id for claim in whole.tested_by("train", "cpu")] == ["a-1", "a-2"]
    assert whole.tested_by("train", "gpu") == ()
    with pytest.raises(KeyError):
        whole.protocol("test")


@pytest.mark.parametrize("slug", ["", "A", "a b", "a/b", "..", "a--b", "-a", "ä"])
def test_a_slug_is_plain(slug):
    with pytest.raises(ValueError, match="slug"):
        replace(paper(), slug=slug)
    with pytest.raises(ValueError, match="id is lower-case"):
        one_claim(id=slug)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"claims": (one_claim(), one_claim())}, "two claims have one id"),
        ({"identifiers": ("10.1/a",)}, "'10.1/a' is not of the form scheme:value"),
        ({"identifiers": ("",)}, "scheme:value"),
        ({"protocols": (protocol(), protocol())}, "two protocols have one name"),
        ({"claims": (one_claim(protocol="test"),)}, "no protocol 'test'"),
        ({"claims": (one_claim(profiles={"gpu": ""}),)}, "no profile 'gpu'"),
        ({"claims": (one_claim(checks=(Check("", "loss/a"),)),)}, "declares no figure 'loss/a'"),
        ({"claims": (one_claim(checks=(Check("", "acc/a", "b"),)),)}, "declares no figure 'b'"),
    ],
)
def test_a_paper_that_contradicts_itself_is_refused(parts, words):
    with pytest.raises(ValueError, match=words):
        replace(paper(), **parts)
