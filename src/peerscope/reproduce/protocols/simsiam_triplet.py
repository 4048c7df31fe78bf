"""A triplet loss with parts of its extra gradient left out: what keeps it from collapse (table 3)."""

from __future__ import annotations

from peerscope.methods.gradient_parts import Triplet
from peerscope.reproduce.harness import main
from peerscope.reproduce.papers.simsiam import PAPER
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.common import images, prepared
from peerscope.reproduce.protocols.siamese_common import Course, neighbours, pieces, trained

ARMS = {
    "full": {"centre": True, "residual": True},
    "centre_only": {"centre": True, "residual": False},
    "residual_only": {"centre": False, "residual": True},
}


def run(trial: Trial) -> None:
    """Train the three arms from the same start on the same batches."""
    prepared(trial)
    name = str(trial["data"])
    known = images(trial, name, "train", int(trial["images"]))
    held = images(trial, name, "test", int(trial["held"]))
    bank = known.part(slice(0, int(trial["bank"])))
    steps = int(trial["steps"])
    for arm, wanted in ARMS.items():
        encoder, projector, _ = pieces(trial)
        method = Triplet(encoder, projector, **wanted)
        course = Course(steps, every=max(steps // 50, 1))
        trained(trial, arm, method, known.images, steps=steps, views=3, watch=course)
        course.put_down(trial, arm)
        trial.figure(f"correct/{arm}", neighbours(encoder, bank, held))


if __name__ == "__main__":
    main(PAPER, "simsiam_triplet")
