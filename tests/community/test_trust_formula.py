"""The formula of the trust snapshot: monotone, without an end, the same for the same evidence, checkable by hand."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import fields, replace
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peerscope.community.trust import FORMULA, as_text, coverage, rule_text, said, snapshot
from peerscope.community.trust.document import digest, document
from peerscope.community.trust.evidence import (
    BONDS,
    KINDS,
    ClaimFacts,
    Evidence,
    Looked,
    Notice,
    Origin,
    ProofFacts,
    ReviewFacts,
    Standing,
    WorkFacts,
)
from peerscope.community.trust.explain import arithmetic, value
from peerscope.community.trust.formula import OPEN_IDENTITY, OPEN_REVIEW
from peerscope.community.trust.shapes import DIMENSIONS, STATES

SCRIPT = Path(__file__).parents[2] / "docs" / "examples" / "recompute_trust.py"
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
OF_WORKS = ("authorship", "openness", "reproduction", "integrity", "data")
few = settings(max_examples=60)
VERDICTS = ("reproduced", "exceeded", "partly", "not_reproduced", "not_resolved", "not_run")

days = st.sampled_from(["", "2024-02-29", "2026-11-02", "2026-11-30"])
origins = st.builds(Origin, st.sampled_from(["Ada's list", "OpenAlex", "Crossref"]), days)
notices = st.builds(
    Notice, st.sampled_from(["retraction", "concern", "correction", "note"]), days,
    st.sampled_from(["", "https://example.org/notice"]), origins,
)  # fmt: skip
bonds = st.sampled_from(list(BONDS))
looks = st.sampled_from(list(Looked))
covered = st.frozensets(st.sampled_from(KINDS))


@st.composite
def works(draw, number: int, notice=notices) -> WorkFacts:
    origin = st.none() | origins
    return WorkFacts(
        number, f"Work {number}", draw(bonds), draw(origin), draw(looks), draw(origin), draw(looks),
        draw(origin), draw(looks), draw(origin), tuple(draw(st.lists(notice, max_size=2))),
        draw(covered), tuple(draw(st.lists(origins, max_size=2))),
    )  # fmt: skip


@st.composite
def claims(draw, number: int) -> ClaimFacts:
    return ClaimFacts(
        f"c-{number}", draw(st.integers(1, 9)), f"Claim {number}", draw(st.sampled_from(VERDICTS)),
        draw(days), f"/claims/c-{number}",
    )  # fmt: skip


KINDS_OF_PROOF = {"email": 1, "orcid": 2, "institution": 3, "vouch": 4, "admin": 5}
proofs = st.builds(
    lambda kind, issuer, at, held: ProofFacts(kind, kind, KINDS_OF_PROOF[kind], issuer, at, "", held),
    st.sampled_from(list(KINDS_OF_PROOF)), st.sampled_from(["a.example", "b.example", "c.example"]),
    days, st.booleans(),
)  # fmt: skip
reviews = st.builds(
    ReviewFacts, st.integers(1, 9), st.booleans(), days, st.sampled_from(["", "a review of one's own work"])
)  # fmt: skip
standings = st.builds(
    Standing, st.booleans(), st.sampled_from(["L0", "L1", "L2", "L3"]), st.lists(proofs, max_size=4).map(tuple),
    st.just(frozenset()), st.none() | st.lists(reviews, max_size=4).map(tuple),
)  # fmt: skip


@st.composite
def evidence(draw, least: int = 0) -> Evidence:
    return Evidence(
        7, "Ada Example", draw(st.sampled_from(["", "0000-0002-1825-0097"])),
        draw(st.sampled_from([(), (("orcid", "0000-0002-1825-0097"), ("openalex", "A5"))])),
        tuple(draw(works(n)) for n in range(1, draw(st.integers(least, 6)) + 1)),
        tuple(draw(claims(n)) for n in range(draw(st.integers(0, 5)))),
        draw(standings),
    )  # fmt: skip


def values(given: Evidence) -> dict[str, Fraction]:
    """Dimension to value; where nobody looked there is less than nothing found."""
    return {d.id: Fraction(-1) if d.value is None else d.value for d in snapshot(given).dimensions}


def never_lower(before: Evidence, after: Evidence) -> None:
    old, new = values(before), values(after)
    assert all(new[id] >= old[id] for id in DIMENSIONS), {
        id: (old[id], new[id]) for id in DIMENSIONS
    }


def shown(n: int) -> WorkFacts:
    """A work of which everything is shown."""
    return WorkFacts(
        n, f"Work {n}", "confirmed", None, Looked.FOUND, None, Looked.FOUND, None, Looked.FOUND, None, (),
        frozenset(KINDS),
    )  # fmt: skip


# one more verified thing about what is listed


@few
@given(evidence(1), st.data())
def test_one_more_thing_shown_of_a_listed_work_lowers_no_dimension(before, data) -> None:
    place = data.draw(st.integers(0, len(before.works) - 1))
    old = before.works[place]
    better = {
        "bond": list(BONDS)[: list(BONDS).index(old.bond) + 1],
        "open_access": _from(old.open_access),
        "code": _from(old.code),
        "data": _from(old.data),
    }
    change = {name: data.draw(st.sampled_from(options)) for name, options in better.items()}
    change["looked_for"] = old.looked_for | data.draw(covered)
    change["read"] = old.read + tuple(data.draw(st.lists(origins, max_size=1)))
    new = replace(old, **change)
    after = replace(before, works=(*before.works[:place], new, *before.works[place + 1 :]))
    never_lower(before, after)


def _from(looked: Looked) -> list[Looked]:
    """What looking can make of a state: it may find something, or not; it never unsees."""
    ways = {
        Looked.NOT_LOOKED_FOR: list(Looked),
        Looked.NOT_FOUND: [Looked.NOT_FOUND, Looked.FOUND],
        Looked.FOUND: [Looked.FOUND],
    }
    return ways[looked]


@few
@given(evidence(1), proofs)
def test_one_more_proof_lowers_no_dimension_and_a_new_issuer_raises_identity(before, proof) -> None:
    proof = replace(proof, in_force=True)
    standing = before.standing
    after = replace(before, standing=replace(standing, proofs=(*standing.proofs, proof)))
    never_lower(before, after)
    known = {(p.kind, p.issuer if p.rung > 1 else "") for p in standing.proofs if p.in_force}
    if (proof.kind, proof.issuer if proof.rung > 1 else "") not in known:
        assert values(after)["identity"] > values(before)["identity"]
    else:
        assert values(after)["identity"] == values(before)["identity"]


@few
@given(evidence(1), st.integers(1, 9), st.booleans())
def test_one_more_review_with_weight_raises_review_and_nothing_else_moves(
    before, work, gave
) -> None:
    more = (*(before.standing.reviews or ()), ReviewFacts(work, gave, "2026-11-30"))
    after = replace(before, standing=replace(before.standing, reviews=more))
    old, new = values(before), values(after)
    assert new.pop("review") > old.pop("review")
    assert new == old


@few
@given(evidence(1), st.sampled_from(VERDICTS[:-1]))
def test_running_a_claim_never_lowers_whatever_comes_of_it(before, verdict) -> None:
    before = replace(before, claims=(*before.claims, ClaimFacts("new", 1, "New", "not_run")))
    run = (*before.claims[:-1], ClaimFacts("new", 1, "New", verdict, "2026-11-30"))
    never_lower(before, replace(before, claims=run))


@few
@given(evidence(1), st.sampled_from(["retraction", "concern"]), st.data())
def test_a_retraction_lowers_integrity_and_nothing_else(before, kind, data) -> None:
    place = data.draw(st.integers(0, len(before.works) - 1))
    free = replace(
        before.works[place], notices=(), looked_for=before.works[place].looked_for | {"notices"}
    )
    before = replace(before, works=(*before.works[:place], free, *before.works[place + 1 :]))
    notice = Notice(kind, "2026-11-30", "", Origin("Crossref"))
    after = replace(
        before,
        works=(*before.works[:place], replace(free, notices=(notice,)), *before.works[place + 1 :]),
    )
    old, new = values(before), values(after)
    assert new.pop("integrity") < old.pop("integrity")
    assert new == old
    assert snapshot(after).of("integrity").state == "evidence"


@few
@given(evidence(1))
def test_a_correction_lowers_nothing(before) -> None:
    noticed = replace(
        before.works[0],
        notices=(*before.works[0].notices, Notice("correction", "", "", Origin("Crossref"))),
    )
    never_lower(before, replace(before, works=(noticed, *before.works[1:])))


# one more item: verified, or not


@few
@given(evidence(1))
def test_one_more_work_with_everything_shown_raises_every_dimension_of_works(before) -> None:
    after = replace(before, works=(*before.works, shown(99)))
    old, new = values(before), values(after)
    for id in ("authorship", "openness", "integrity", "data"):
        assert new[id] > old[id], id
    assert {id: new[id] for id in ("identity", "review", "reproduction")} == {
        id: old[id] for id in ("identity", "review", "reproduction")
    }


@few
@given(evidence(1))
def test_one_more_work_of_which_nothing_is_shown_lowers_what_is_not_nothing(before) -> None:
    """The rule that is written in the formula: the list grew by something unverified."""
    after = replace(before, works=(*before.works, WorkFacts(99, "Work 99")))
    old, new = values(before), values(after)
    for id in ("authorship", "openness", "integrity", "data"):
        assert new[id] < old[id] if old[id] > 0 else new[id] == old[id], id
    for id in ("identity", "review", "reproduction"):
        assert new[id] == old[id]


@few
@given(evidence(1))
def test_one_more_claim_raises_when_reproduced_and_lowers_a_little_when_not_run(before) -> None:
    old = values(before)["reproduction"]
    good = replace(before, claims=(*before.claims, ClaimFacts("x", 1, "X", "reproduced")))
    bare = replace(before, claims=(*before.claims, ClaimFacts("x", 1, "X", "not_run")))
    assert values(good)["reproduction"] > old
    new = values(bare)["reproduction"]
    assert new < old if old > 0 else new == old


# no end


@pytest.mark.parametrize("id", ["authorship", "openness", "integrity", "data"])
def test_no_dimension_of_works_saturates(id) -> None:
    seen = []
    for n in (1, 2, 5, 6, 7, 48, 49, 1000, 1001, 5000):
        found = snapshot(Evidence(7, "Ada Example", works=tuple(shown(k) for k in range(1, n + 1))))
        seen.append(found.of(id).value)
    assert all(a < b for a, b in pairwise(seen))
    assert all(0 < one < 1 for one in seen)
    assert len({float(one) for one in seen}) == len(seen), "nor do the numbers of the JSON"
    assert value(found.of(id)) != "1.000"


def test_authorship_at_6_48_and_1000_works_is_as_documented() -> None:
    told = [
        arithmetic(
            snapshot(Evidence(7, "A", works=tuple(shown(k) for k in range(n)))).of("authorship")
        )
        for n in (6, 48, 1000)
    ]
    assert [one.split(" = ", 1)[1] for one in told] == [
        "6/7 = 0.857…", "48/49 = 0.979…", "1000/1001 = 0.999…",
    ]  # fmt: skip
    assert "6/7, 48/49 and 1000/1001" in rule_text()


def test_neither_proofs_nor_reviews_nor_claims_saturate() -> None:
    seen = {"identity": [], "review": [], "reproduction": []}
    for n in (0, 1, 6, 48, 1000):
        found = snapshot(
            Evidence(
                7, "A", works=(WorkFacts(1, "W"),),
                claims=tuple(ClaimFacts(f"c{k}", 1, "C", "reproduced") for k in range(n + 1)),
                standing=Standing(
                    True,
                    "L4",
                    tuple(ProofFacts("vouch", "vouched for", 4, f"person {k}", "2026-01-01") for k in range(n)),
                    reviews=tuple(ReviewFacts(k, False, "2026-01-01") for k in range(n)),
                ),
            )
        )  # fmt: skip
        for id, held in seen.items():
            held.append(found.of(id).value)
    for held in seen.values():
        assert all(a < b < 1 for a, b in pairwise(held))


# the same for the same, in any order, and by hand


@few
@given(evidence(), st.randoms(use_true_random=False))
def test_the_order_of_the_evidence_does_not_matter(one, random) -> None:
    def shuffled(items):
        return tuple(random.sample(list(items), len(items)))

    standing = one.standing
    other = replace(
        one,
        works=shuffled(one.works),
        claims=shuffled(one.claims),
        identifiers=shuffled(one.identifiers),
        standing=replace(
            standing,
            proofs=shuffled(standing.proofs),
            reviews=None if standing.reviews is None else shuffled(standing.reviews),
        ),
    )
    assert snapshot(other) == snapshot(one)
    assert digest(snapshot(other)) == digest(snapshot(one))
    assert as_text(snapshot(other), explain=True) == as_text(snapshot(one), explain=True)


@few
@given(evidence())
def test_two_people_with_the_same_evidence_have_the_same_dimensions(one) -> None:
    other = replace(one, person=8, name="Bo Example")
    assert snapshot(other).dimensions == snapshot(one).dimensions


@few
@given(evidence())
def test_the_printed_sum_gives_the_printed_value(one) -> None:
    for found in snapshot(one).dimensions:
        told = arithmetic(found)
        assert bool(told) == (found.value is not None)
        if not told:
            continue
        sums, fraction, decimal = told.rsplit(" = ", 2)
        above, below = (part.strip("()") for part in sums.split(") / ("))
        by_hand = Fraction(_added(above), _added(below))
        assert by_hand == Fraction(fraction) == found.value
        cut = decimal.removesuffix("…")
        assert re.fullmatch(r"0\.\d{3}", cut)
        assert Fraction(cut) <= by_hand < Fraction(cut) + Fraction(1, 1000)
        assert decimal.endswith("…") == (Fraction(cut) != by_hand)
        assert 0 <= by_hand < 1
        assert str(found.to_dict()["value_exact"]) == fraction


def _added(text: str) -> int:
    total = 0
    for part in text.split(" + "):
        count, _, weight = part.partition(" × ")
        total += int(count) * int(weight or 1)
    return total


@few
@given(evidence())
def test_the_terms_of_works_add_up_to_the_works(one) -> None:
    n = len(one.works)
    found = snapshot(one)
    if n:
        assert sum(t.count for t in found.of("authorship").terms) == n
        integrity = found.of("integrity")
        if integrity.value is not None:
            clear = integrity.terms[0].count
            rest = sum(t.count for t in integrity.terms if t.label == "works not looked at")
            held = sum(
                any(x.kind in ("retraction", "concern") for x in w.notices) for w in one.works
            )
            assert clear + rest + held == n
    openness = found.of("openness")
    for words in ("open access", "code linked", "data linked"):
        if openness.value is not None:
            counts = {t.label: t.count for t in openness.terms}
            assert (
                counts[f"works with {words}"]
                + sum(c for label, c in counts.items() if label.startswith(words + ":"))
                == n
            )


@few
@given(evidence())
def test_states_and_coverage(one) -> None:
    found = snapshot(one)
    assert [d.id for d in found.dimensions] == list(DIMENSIONS)
    looked = [d for d in found.dimensions if d.state in ("evidence", "none_found")]
    assert found.checked == len(looked)
    assert coverage(found) == f"Checked in {len(looked)} of 7 dimensions."
    assert all(d.state in STATES and d.statement.endswith(".") for d in found.dimensions)
    for d in found.dimensions:
        assert (d.value is None) == (d.state in ("not_checked", "not_applicable"))
        assert (d.state == "not_applicable") == (not one.works and d.id in OF_WORKS)
        if d.state == "none_found" and d.id != "integrity":
            assert d.value == 0
    n = {d.id: d.n for d in found.dimensions if d.value is not None}
    assert all(
        n.get(id, len(one.works)) == len(one.works) for id in ("authorship", "openness", "data")
    )
    assert n.get("reproduction", len(one.claims)) == len(one.claims)
    assert n.get("review", 0) == sum(not r.left_out for r in one.standing.reviews or ())
    told = found.to_dict()
    assert told["coverage"] == {"checked": found.checked, "of": 7}
    assert told["composite"] is None
    assert told["formula"] == FORMULA


def test_nothing_looked_for_is_not_nothing_found() -> None:
    bare = WorkFacts(1, "W")
    looked = replace(
        bare, open_access=Looked.NOT_FOUND, code=Looked.NOT_FOUND, looked_for=frozenset({"notices"})
    )
    unseen = snapshot(Evidence(7, "A", works=(bare,)))
    seen = snapshot(Evidence(7, "A", works=(looked,)))
    for id in ("openness", "integrity"):
        assert (unseen.of(id).state, unseen.of(id).value) == ("not_checked", None)
        assert seen.of(id).state == "none_found"
    assert seen.of("openness").value == 0
    assert seen.of("integrity").value == Fraction(1, 2)
    assert snapshot(Evidence(7, "A")).of("authorship").state == "not_applicable"


def test_the_example_of_the_design() -> None:
    """Three works with the ORCID, two confirmed, two by name only."""
    kinds = ["orcid"] * 3 + ["confirmed"] * 2 + ["name"] * 2
    found = snapshot(
        Evidence(
            7, "Ada Example", "0000-0002-1825-0097",
            works=tuple(WorkFacts(n, f"W{n}", bond) for n, bond in enumerate(kinds, 1)),
        )
    )  # fmt: skip
    told = found.of("authorship").to_dict()
    assert told["state"] == "evidence"
    assert told["n"] == 7
    assert told["value_exact"] == "5/8"
    assert told["value"] == 0.625
    assert told["statement"].startswith(
        "5 of 7 listed works carry the person's ORCID or were confirmed"
    )
    assert told["terms"][-1] == {"label": "the name only", "count": 2, "weight": 0, "warn": True}
    assert [t["count"] for t in told["terms"]] == [2, 3, 2]
    assert len(told["evidence"]) == 7
    assert found.to_dict()["subject"] == "person:0000-0002-1825-0097"


@few
@given(evidence())
def test_text_says_every_term_and_sum(one) -> None:
    text = as_text(snapshot(one), explain=True)
    for found in said(snapshot(one)):
        assert f"{found.heading}: {found.state_words}" in text
        assert found.statement in text
        assert found.arithmetic in text
        assert all(f"{label}: {product}" in text for label, product, _ in found.rows)
        assert all(line.text in text for line in found.sources)


@settings(max_examples=12)
@given(evidence())
def test_a_script_of_the_standard_library_finds_the_same_figures(tmp_path_factory, one) -> None:
    path = tmp_path_factory.mktemp("trust") / "trust.json"
    whole = document(one, snapshot(one), NOW)
    path.write_text(json.dumps(whole), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", str(SCRIPT), str(path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert dict(line.split() for line in done.stdout.splitlines()) == {
        d["id"]: d["value_exact"] or "-" for d in whole["dimensions"]
    }
    assert whole["computed_at"] == "2026-11-30T12:00:00Z"


def test_the_script_is_short_and_imports_the_standard_library_only() -> None:
    lines = SCRIPT.read_text().splitlines()
    assert len(lines) <= 40
    assert {line.split()[1] for line in lines if line.startswith(("import", "from"))} == {
        "json",
        "pathlib",
        "sys",
    }


@few
@given(evidence())
def test_no_word_praises_or_blames_and_no_rank_is_read(one) -> None:
    text = as_text(snapshot(one), explain=True).lower()
    for word in (
        "h-index",
        "journal",
        "cited",
        "rank",
        "excellent",
        "poor",
        "emerging",
        "trustworthy",
    ):
        assert word not in text
    assert {f.name for f in fields(WorkFacts)}.isdisjoint({"venue", "cited_by_count"})


def test_the_text_of_the_formula_has_the_numbers_of_the_code() -> None:
    text = rule_text()
    assert FORMULA in text
    assert f"the points above + {OPEN_IDENTITY} left open" in text
    assert f"the points above + {OPEN_REVIEW} left open" in text
    for id in DIMENSIONS:
        assert re.search(rf"^{id}$", text, re.MULTILINE), id


def test_of_one_issuer_the_highest_proof_counts() -> None:
    low = ProofFacts("federation", "signed in", 2, "uni.example", "2026-01-01")
    high = ProofFacts("federation", "signed in", 3, "uni.example", "2026-02-01")
    for proofs in ((low, high), (high, low)):
        found = snapshot(Evidence(7, "A", standing=Standing(True, "L3", proofs))).of("identity")
        assert found.to_dict()["value_exact"] == "3/8"


def test_a_proof_without_a_level_is_refused() -> None:
    with pytest.raises(ValueError, match="level from 1 to 5"):
        ProofFacts("email", "e-mail", 0, "a.example", "2026-01-01")
