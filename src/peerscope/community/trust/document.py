"""The snapshot as one JSON document: the figures, and beside them every single thing that was counted."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from hashlib import sha256
from typing import Any

from peerscope.community.trust.evidence import Evidence, WorkFacts
from peerscope.community.trust.shapes import Snapshot


def document(evidence: Evidence, snapshot: Snapshot, computed_at: datetime) -> dict[str, Any]:
    """Figures and evidence together: whoever has it can recompute the figures without this site.

    Args:
        evidence: What was counted.
        snapshot: What it amounts to.
        computed_at: When, with a time zone.
    """
    standing = evidence.standing
    return figures(snapshot, computed_at) | {
        "evidence": {
            "works": [_work(one) for one in sorted(evidence.works, key=lambda w: w.work)],
            "claims": [asdict(one) for one in sorted(evidence.claims, key=lambda c: c.claim)],
            "proofs": [asdict(one) for one in standing.proofs],
            "reviews": None
            if standing.reviews is None
            else [asdict(one) for one in standing.reviews],
        }
    }


def figures(snapshot: Snapshot, computed_at: datetime, *, traces: bool = True) -> dict[str, Any]:
    """The snapshot with the time of computing, in seconds.

    Args:
        snapshot: What to tell.
        computed_at: When, with a time zone.
        traces: With the list of where each thing that was counted can be seen.
    """
    told = _told(snapshot, traces=traces)
    at = computed_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "subject": told.pop("subject"),
        "formula": told.pop("formula"),
        "computed_at": at,
    } | told


def public_figures(snapshot: Snapshot) -> dict[str, Any]:
    """The snapshot for a dump: without the time of computing, traces, and who vouches for the account."""
    told = _told(snapshot, traces=False)
    told["verification"] = {"level": snapshot.level}
    return told


def digest(snapshot: Snapshot) -> str:
    """SHA-256 of a snapshot's figures and statements, without the time of computing."""
    told = json.dumps(_told(snapshot, traces=False), sort_keys=True, ensure_ascii=True)
    return sha256(told.encode()).hexdigest()


def _told(snapshot: Snapshot, *, traces: bool) -> dict[str, Any]:
    told = snapshot.to_dict()
    if not traces:
        for one in told["dimensions"]:
            del one["evidence"]
    return told


def _work(one: WorkFacts) -> dict[str, Any]:
    return {
        "id": f"W{one.work}",
        "title": one.title,
        "bond": one.bond,
        "open_access": one.open_access.value,
        "code": one.code.value,
        "data": one.data.value,
        "looked_for": sorted(one.looked_for),
        "notices": [
            {
                "kind": n.kind,
                "date": n.date or None,
                "url": n.url or None,
                "source": n.origin.source,
            }
            for n in one.notices
        ],
        "read": [{"source": o.source, "retrieved_at": o.retrieved_at or None} for o in one.read],
    }
