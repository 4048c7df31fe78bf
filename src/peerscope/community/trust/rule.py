"""The text of the formula, for people: what ``/trust/formula`` answers."""

from __future__ import annotations

from peerscope.community.trust.evidence import KINDS
from peerscope.community.trust.formula import (
    FORMULA,
    OPEN_IDENTITY,
    OPEN_REVIEW,
    VERDICT_POINTS,
)
from peerscope.community.trust.reviews import LEAST_LEVEL, RING

TEXT = """\
Formula {formula}

A snapshot says how much of what a page states about a person has been shown, and by whom. It says
nothing of how good the person or the work is. It uses no journal rank, no h-index and no citation
count, it is not made into one number, and nothing on this site is ordered by it.

Every value is

    (sum of count x points) / (what could be found + what is left open)

a fraction that is at least 0 and never reaches 1. It is printed with every term, as a fraction, and
as a decimal that is cut after three places.

identity
    above: each proof in force, with the points of its level (L1 to L5: 1 to 5); an issuer counts
    once, and e-mail addresses that anyone can have (level 1) once in all
    below: the points above + {identity} left open
authorship
    above: works confirmed by the person, 1 each; other works that carry the person's ORCID, 1 each
    below: listed works + 1 left open
openness
    above: works that a source states as open access, works with code linked, works with data
    linked, 1 each
    below: listed works + works with code linked + works with data linked + 1 left open
reproduction
    above: claims of these works by their verdict: reproduced or exceeded {full}, partly
    reproduced {part}, every other verdict 0
    below: {full} for each claim that can be run + {full} left open
review
    above: accounts that reviewed the works, 1 each; works of others that the person reviewed, 1 each
    below: the points above + {review} left open
integrity
    above: works looked at that carry no retraction and no expression of concern, 1 each
    below: listed works + 1 left open
data
    above: for each of {kinds} kinds of statement, the works for which a source looks for it, 1 each
    below: {kinds} for each listed work + 1 left open

A dimension in which nobody looked is "not checked" and has no value; that is not 0. One in which
somebody looked and found nothing is "none found". Without works, the dimensions of works do not
apply. Beside the values stands in how many of the seven somebody looked.

What raises and lowers a value

- One more thing shown of what is listed (a work confirmed, a source that looks at a work, a claim
  run, a proof, a review with weight) never lowers any value, whatever comes of looking. A
  retraction and an expression of concern are the exception.
- One more listed work or claim of which the thing is shown raises the value. One more of which it
  is not shown lowers a value that is not 0: the list has grown by something unverified. Proofs and
  reviews have no such list.
- A value falls when a proof expires or is revoked, when a verdict is replaced by a lesser one, when
  a review closes a ring, when a work that counted goes to another person, and when a retraction or
  an expression of concern arrives. A correction lowers nothing.
- No value comes to an end: 6, 48 and 1,000 works, all shown, are 6/7, 48/49 and 1000/1001.

Reviews without weight: of one's own work; by accounts below level L{level}; between people who
reviewed each other, directly or in a ring of up to {ring}; a second one by an account for the same
person; a second one by a person of the same work.

Nothing loses points with age: the same evidence has the same snapshot on any day. Every source
stands with the day on which it was read.
"""


def rule_text() -> str:
    """The formula in words and numbers; the numbers are those of the code."""
    return TEXT.format(
        formula=FORMULA,
        identity=OPEN_IDENTITY,
        full=VERDICT_POINTS["reproduced"],
        part=VERDICT_POINTS["partly"],
        review=OPEN_REVIEW,
        kinds=len(KINDS),
        level=LEAST_LEVEL,
        ring=RING,
    )
