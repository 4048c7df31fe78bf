"""Claims of "Dual Temperature Helps Contrastive Learning Without Many Negative Samples" (CVPR 2022)."""

from __future__ import annotations

from peerscope.reproduce.claims import Check, Claim, Paper
from peerscope.reproduce.protocol import Profile, Protocol

IDENTITIES = Protocol(
    name="dual_temperature_identities",
    version=1,
    entry="peerscope.reproduce.protocols.dual_temperature_identities:run",
    summary="Gradients of the dual-temperature loss against its factors, in float64 on random unit vectors.",
    figures={"error/*": "largest relative error of a gradient against its closed form"},
    profiles={
        "cpu": Profile({"anchors": 64, "width": 128}, seeds=5, seconds=60),
        "tiny": Profile({"anchors": 8, "width": 16}, seeds=1, seconds=60),
    },
)

PAPER = Paper(
    slug="dual-temperature",
    title="Dual Temperature Helps Contrastive Learning Without Many Negative Samples: Towards Understanding "
    "and Simplifying MoCo",
    identifiers=("arxiv:2203.17248",),
    version="CVPR 2022, arXiv 2203.17248",
    claims=(
        Claim(
            id="dual-temperature-1",
            statement="InfoNCE's gradient is a scalar part times a vector part, and the dual-temperature "
            "loss changes only the scalar.",
            metric="largest relative error of the gradient against the product of its parts",
            better="lower",
            location="Section 3 and figure 1",
            protocol="dual_temperature_identities",
            checks=(
                Check("InfoNCE is W times the vector part", "error/info_nce", relation="below", bound=1e-9),
                Check("dual temperature is W at the second temperature times the vector part",
                      "error/dual_temperature", relation="below", bound=1e-9),
                Check("equal temperatures give InfoNCE", "error/equal", relation="below", bound=1e-9),
            ),
            profiles={"cpu": ""},
        ),
    ),
    protocols=(IDENTITIES,),
)  # fmt: skip
