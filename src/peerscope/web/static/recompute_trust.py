"""Recompute a trust snapshot from its evidence alone: python recompute_trust.py trust.json."""

import json
import sys
from pathlib import Path

evidence = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["evidence"]
works, claims, proofs = evidence["works"], evidence["claims"], evidence["proofs"]
found = {
    kind: sum(work[kind] == "found" for work in works) for kind in ("open_access", "code", "data")
}
looked = any(work[kind] != "not looked for" for work in works for kind in found)
proved: dict[tuple[str, str], int] = {}
for proof in (one for one in proofs if one["in_force"]):
    key = (proof["kind"], proof["issuer"] if proof["rung"] > 1 else "")
    proved[key] = max(proof["rung"], proved.get(key, 0))
verdicts = sum({"reproduced": 2, "exceeded": 2, "partly": 1}.get(one["state"], 0) for one in claims)
reviews = sum(not one["left_out"] for one in evidence["reviews"] or [])
seen = [work for work in works if "notices" in work["looked_for"] or work["notices"]]
bad = [w for w in seen if any(n["kind"] in ("retraction", "concern") for n in w["notices"])]
kinds = sum(len(work["looked_for"]) for work in works)
n = len(works)
sums = {
    "identity": (sum(proved.values()), sum(proved.values()) + 5),
    "authorship": n and (sum(w["bond"] in ("confirmed", "orcid") for w in works), n + 1),
    "openness": n and looked and (sum(found.values()), n + found["code"] + found["data"] + 1),
    "reproduction": n
    and any(one["state"] != "not_run" for one in claims)
    and (verdicts, 2 * len(claims) + 2),
    "review": evidence["reviews"] is not None and (reviews, reviews + 3),
    "integrity": seen and (len(seen) - len(bad), n + 1),
    "data": kinds and (kinds, 8 * n + 1),
}
for name, value in sums.items():
    print(name, f"{value[0]}/{value[1]}" if value else "-")
