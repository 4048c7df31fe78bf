"""The formula ``trust-snapshot/1.0``: from evidence to seven dimensions, by sums that can be done by hand.

Every value is points found over points that could be found, with one place left open below the line::

    value = (sum of count x weight) / (what could be found + what is left open)

So it is exact, it lies in [0, 1) and never reaches 1, and it rises with each thing that is shown. It falls
only when the list below the line grows by something of which nothing is shown yet, when a proof ends or a
verdict is replaced, or when a retraction or an expression of concern arrives. Nothing here knows a journal's
rank or counts citations. The text of the formula is `rule_text`; docs/trust.md has it for readers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby

from peerscope.community.trust.evidence import (
    BONDS,
    HERE,
    KINDS,
    ClaimFacts,
    Evidence,
    Looked,
    Origin,
    ProofFacts,
    WorkFacts,
)
from peerscope.community.trust.shapes import (
    ABOVE,
    Dimension,
    Snapshot,
    State,
    Term,
    Trace,
    points,
)
from peerscope.community.trust.words import (
    KIND_WORDS,
    counted,
    days,
    listed,
)

FORMULA = "trust-snapshot/1.0"

OPEN_IDENTITY = 5
"""Left open below the line of identity: the points of the highest proof."""
OPEN_REVIEW = 3
"""Left open below the line of reviews: as many as a work is usually given."""
VERDICT_POINTS = {"reproduced": 2, "exceeded": 2, "partly": 1}
"""Points of a claim by its verdict; every other verdict has none."""
VERDICT_WORDS = {
    "reproduced": "reproduced", "exceeded": "exceeded", "partly": "partly reproduced",
    "not_resolved": "not resolved", "not_reproduced": "not reproduced", "not_run": "not run here",
}  # fmt: skip
LOWERING = ("retraction", "concern")
"""Notices after which a work does not count as free of them; a correction lowers nothing."""
NOTICE_WORDS = {"retraction": "retraction", "concern": "expression of concern"}
NO_WORKS = "The record lists no work of this person."


def snapshot(evidence: Evidence) -> Snapshot:
    """What the evidence amounts to; a pure function, in which no order of the evidence matters."""
    works = sorted(evidence.works, key=lambda one: one.work)
    proofs = _in_force(evidence)
    return Snapshot(
        person=evidence.person,
        name=evidence.name,
        orcid=evidence.orcid,
        formula=FORMULA,
        level=evidence.standing.level,
        proofs=tuple((p.kind, p.issuer, p.verified_at, p.expires_at) for p in proofs),
        dimensions=(
            _identity(evidence, proofs),
            _of_works("authorship", works, _authorship),
            _of_works("openness", works, _openness),
            _of_works("reproduction", works, lambda _: _reproduction(evidence.claims)),
            _review(evidence),
            _of_works("integrity", works, _integrity),
            _of_works("data", works, _data),
        ),
    )


def _of_works(
    id: str, works: Sequence[WorkFacts], found: Callable[[Sequence[WorkFacts]], Dimension]
) -> Dimension:
    """A dimension of the listed works; not applicable where there are none."""
    return found(works) if works else Dimension(id, "not_applicable", NO_WORKS)


def _in_force(evidence: Evidence) -> list[ProofFacts]:
    """Proofs that count: each issuer once, and an e-mail address that anyone can have once in all."""
    kept: dict[tuple[str, str], ProofFacts] = {}
    held = (proof for proof in evidence.standing.proofs if proof.in_force)
    for proof in sorted(held, key=lambda p: (-p.rung, p.issuer, p.verified_at, p.expires_at)):
        kept.setdefault((proof.kind, proof.issuer if proof.rung > 1 else ""), proof)
    return sorted(kept.values(), key=lambda p: (p.rung, p.kind, p.issuer))


def _identity(evidence: Evidence, proofs: Sequence[ProofFacts]) -> Dimension:
    terms = [
        Term(f"{label}, level L{rung}", len(list(group)), rung)
        for (rung, _, label), group in groupby(proofs, key=lambda p: (p.rung, p.kind, p.label))
    ]
    ended = sum(not proof.in_force for proof in evidence.standing.proofs)
    if ended:
        terms.append(Term("proofs that expired or were revoked", ended, 0, warn=True))
    proved = {"orcid"} if any(proof.kind.startswith("orcid") for proof in proofs) else set()
    stated = [f"{s} {value}" for s, value in sorted(evidence.identifiers) if s not in proved]
    if stated:
        terms.append(Term("identifiers that sources state and nobody has proved", len(stated), 0))
    if proofs:
        said = [f"{p.label} ({p.issuer}, {p.verified_at})" for p in proofs]
        statement = f"{counted(len(proofs), 'proof', 'proofs')} in force: {listed(said)}."
    elif evidence.standing.claimed:
        statement = "The record is claimed; no proof of who claimed it is in force."
    else:
        statement = "Nobody has claimed this record, so nobody has proved who it is."
    if stated:
        statement += f" Sources state {listed(stated, most=3)}."
    found = tuple(terms) or (Term("proofs in force", 0),)
    return Dimension(
        "identity",
        "evidence" if proofs else "none_found",
        statement,
        found,
        (Term(ABOVE, points(found)), Term("left open", 1, OPEN_IDENTITY)),
        "another proof, such as signing in with ORCID or an address at an institution"
        if evidence.standing.claimed
        else "the person claims the record and proves who they are, by signing in with ORCID, "
        "with an address at an institution, or through somebody who vouches for them",
        tuple(Trace(p.label, p.url, p.issuer, p.verified_at, f"proof.{p.kind}") for p in proofs),
    )


def _authorship(works: Sequence[WorkFacts]) -> Dimension:
    found = Counter(work.bond for work in works)
    terms = tuple(
        Term(words, found[bond], int(bond in ("confirmed", "orcid")), warn=bond == "name")
        for bond, words in BONDS.items()
        if found[bond] or bond in ("confirmed", "orcid")
    )
    shown, rest = points(terms), len(works) - points(terms)
    statement = (
        f"{shown} of {counted(len(works), 'listed work', 'listed works')} "
        f"{'carries' if shown == 1 else 'carry'} the person's ORCID or "
        f"{'was' if shown == 1 else 'were'} confirmed by the person."
    )
    others = [f"{term.label} ({term.count})" for term in terms if term.count and not term.weight]
    return Dimension(
        "authorship",
        "evidence" if shown else "none_found",
        statement + (f" The rest are listed through {listed(others)}." if others else ""),
        terms,
        (Term("listed works", len(works)), Term("left open", 1)),
        f"the person confirms or rejects {counted(rest, 'work', 'works')}, or a source states an ORCID there"
        if rest
        else "a work that is added to the list",
        tuple(_trace(work, work.bond_origin, f"authorship.{work.bond}") for work in works),
    )


def _openness(works: Sequence[WorkFacts]) -> Dimension:
    parts = {
        "open_access": [(work, work.open_access, work.open_origin) for work in works],
        "code": [(work, work.code, work.code_origin) for work in works],
        "data": [(work, work.data, work.data_origin) for work in works],
    }
    found = {name: _count(rows, Looked.FOUND) for name, rows in parts.items()}
    none = {name: _count(rows, Looked.NOT_FOUND) for name, rows in parts.items()}
    if not any(found.values()) and not any(none.values()):
        return Dimension(
            "openness", "not_checked",
            "No source of these works states open access, or looks for code and data.",
            would_change="importing a source that states open access, code or data",
        )  # fmt: skip
    words = {"open_access": "open access", "code": "code linked", "data": "data linked"}
    terms = [Term(f"works with {words[name]}", found[name]) for name in parts]
    for name in parts:
        terms += [
            Term(f"{words[name]}: looked for, not found", none[name], 0),
            Term(f"{words[name]}: not looked for", len(works) - found[name] - none[name], 0),
        ]
    said = [
        f"{found[n]} with {words[n]} ({len(works) - found[n] - none[n]} not looked at)"
        for n in parts
    ]
    return Dimension(
        "openness",
        "evidence" if any(found.values()) else "none_found",
        f"Of {counted(len(works), 'work', 'works')}, at least {listed(said)}.",
        tuple(term for term in terms if term.weight or term.count),
        (
            Term("listed works", len(works)),
            Term("works with code linked", found["code"]),
            Term("works with data linked", found["data"]),
            Term("left open", 1),
        ),
        "a source that states open access, code or data of a work where none is known; "
        "a work without code or data loses nothing",
        tuple(
            _trace(work, origin, f"work.{name}")
            for name, rows in parts.items()
            for work, looked, origin in rows
            if looked is Looked.FOUND
        ),
    )


def _count(rows: Sequence[tuple[WorkFacts, Looked, Origin | None]], wanted: Looked) -> int:
    return sum(looked is wanted for _, looked, _ in rows)


def _reproduction(given: Sequence[ClaimFacts]) -> Dimension:
    claims = sorted(given, key=lambda one: (one.work, one.claim))
    tested = [one for one in claims if one.state != "not_run"]
    if not tested:
        return Dimension(
            "reproduction", "not_checked",
            f"{counted(len(claims), 'claim', 'claims')} of these works can be run; none was run here yet."
            if claims
            else "No installed package offers a claim of these works: nobody looked for reproductions.",
            would_change="an attempt on one of the claims"
            if claims
            else "somebody writes the claims of a work down and runs them",
        )  # fmt: skip
    found = Counter(one.state for one in claims)
    said = [
        f"{found[s]} {words}" for s, words in VERDICT_WORDS.items() if found[s] and s != "not_run"
    ]
    works = len({one.work for one in claims})
    return Dimension(
        "reproduction", "evidence",
        f"{len(tested)} of {counted(len(claims), 'claim', 'claims')} of {counted(works, 'work', 'works')} "
        f"tested here: {listed(said)}. A verdict belongs to a claim of a work, not to a person.",
        tuple(
            Term(f"claims {words}", found[state], VERDICT_POINTS.get(state, 0), state == "not_reproduced")
            for state, words in VERDICT_WORDS.items()
            if found[state]
        ),
        (Term("claims that can be run", len(claims), 2), Term("left open", 1, 2)),
        "an attempt on a claim that was not run, or with more seeds on one that is not resolved",
        tuple(
            Trace(one.statement, one.url, HERE, one.date, f"attempt.{one.state}") for one in tested
        ),
    )  # fmt: skip


def _review(evidence: Evidence) -> Dimension:
    given = evidence.standing.reviews
    if given is None:
        return Dimension(
            "review", "not_checked", "This site has no reviews to look at.",
            would_change="reviews on this site",
        )  # fmt: skip
    reviews = sorted(given, key=lambda one: (one.date, one.work, one.given, one.left_out, one.url))
    counting = [one for one in reviews if not one.left_out]
    received = sum(not one.given for one in counting)
    gave = len(counting) - received
    out = Counter(one.left_out for one in reviews if one.left_out)
    terms = (
        Term("reviews received, one for each account", received),
        Term("works reviewed by the person", gave),
        *(Term(f"left out: {reason}", out[reason], 0) for reason in sorted(out)),
    )
    statement = (
        f"{counted(received, 'account has', 'accounts have')} reviewed works of this person; "
        f"the person has reviewed {counted(gave, 'work', 'works')} of others."
    )
    if out:
        statement += f" {counted(sum(out.values()), 'review has', 'reviews have')} no weight."
    return Dimension(
        "review",
        "evidence" if reviews else "none_found",
        statement,
        terms,
        (Term(ABOVE, points(terms)), Term("left open", 1, OPEN_REVIEW)),
        "a review of one of the works by somebody at level L2 or above, or by this person of another's work",
        tuple(
            Trace(
                f"Review of W{one.work}" + (f", {one.left_out}" if one.left_out else ""), one.url, HERE,
                one.date, "review.given" if one.given else "review.received",
            )
            for one in reviews
        ),
    )  # fmt: skip


def _integrity(works: Sequence[WorkFacts]) -> Dimension:
    looked = [work for work in works if "notices" in work.looked_for or work.notices]
    if not looked:
        return Dimension(
            "integrity", "not_checked",
            "No source of these works carries retractions, expressions of concern or corrections.",
            would_change="importing a source that carries such notices",
        )  # fmt: skip
    lowered = [w for w in looked if any(notice.kind in LOWERING for notice in w.notices)]
    notices = [(work, notice) for work in works for notice in work.notices]
    found = Counter(notice.kind for _, notice in notices)
    terms = [
        Term("works looked at, no retraction or concern", len(looked) - len(lowered)),
        *(
            Term(f"{NOTICE_WORDS.get(kind, kind)} notices", found[kind], 0, warn=kind in LOWERING)
            for kind in sorted(found)
        ),
    ]
    unseen = len(works) - len(looked)
    if unseen:
        terms.append(Term("works not looked at", unseen, 0))
    said = [
        f"{NOTICE_WORDS.get(n.kind, n.kind)} of W{w.work} ({n.date or 'no date stated'}, {n.origin.source})"
        for w, n in notices
    ]
    statement = (
        f"{listed(said, most=5)}."
        if said
        else f"No notice at {counted(len(looked), 'work', 'works')}."
    )
    return Dimension(
        "integrity",
        "evidence" if notices else "none_found",
        statement + (f" {counted(unseen, 'work was', 'works were')} not looked at." if unseen else ""),
        tuple(terms),
        (Term("listed works", len(works)), Term("left open", 1)),
        "a notice, or its withdrawal, at its publisher"
        + (", or a source that carries notices of the other works" if unseen else ""),
        tuple(
            Trace(
                f"{NOTICE_WORDS.get(n.kind, n.kind)}: {w.title}", n.url or f"/works/W{w.work}",
                n.origin.source, n.date or n.origin.retrieved_at, f"notice.{n.kind}",
            )
            for w, n in notices
        ),
    )  # fmt: skip


def _data(works: Sequence[WorkFacts]) -> Dimension:
    found = {kind: sum(kind in work.looked_for for work in works) for kind in KINDS}
    never = [KIND_WORDS[kind] for kind in KINDS if not found[kind]]
    some = [KIND_WORDS[kind] for kind in KINDS if 0 < found[kind] < len(works)]
    total = sum(found.values())
    origins: Counter[str] = Counter(origin.source for work in works for origin in work.read)
    last: dict[str, str] = {}
    for origin in (origin for work in works for origin in work.read):
        last[origin.source] = max(origin.retrieved_at, last.get(origin.source, ""))
    statement = (
        f"{total} of {len(KINDS) * len(works)} things were looked for: {len(KINDS)} kinds of statement at "
        f"{counted(len(works), 'work', 'works')}. {days(o.retrieved_at for w in works for o in w.read)}"
    )
    state: State = "evidence" if total else "not_checked"
    return Dimension(
        "data",
        state,
        statement.strip() + (f" Never looked for: {listed(never)}." if never else ""),
        tuple(
            Term(f"works whose {KIND_WORDS[kind]} were looked for", found[kind]) for kind in KINDS
        ),
        (Term("listed works", len(works), len(KINDS)), Term("left open", 1)),
        f"importing a source that looks for {listed(never or some)}"
        if never or some
        else "a work that is added from a source that looks for less, or a new reading of the sources",
        tuple(
            Trace(counted(n, "work", "works"), "/about", name, last[name], "source.read", n)
            for name, n in sorted(origins.items())
        ),
    )


def _trace(work: WorkFacts, origin: Origin | None, method: str) -> Trace:
    return Trace(
        work.title,
        f"/works/W{work.work}",
        origin.source if origin else HERE,
        origin.retrieved_at if origin else "",
        method,
    )
