"""An average over augmentations as target instead of a predictor: of one batch, or moving (table 1).

SimSiam's authors took the predictor for such an expectation; with the current weights it collapses.
"""

from __future__ import annotations

from peerscope.methods.siamese import MovingAverage, SameBatch
from peerscope.reproduce.harness import main
from peerscope.reproduce.papers.simsiam import PAPER
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.common import images, prepared
from peerscope.reproduce.protocols.siamese_common import Course, neighbours, pieces, trained


def run(trial: Trial) -> None:
    """Train on the mean of n fresh views, for each n, and on a moving average an image."""
    prepared(trial)
    name = str(trial["data"])
    known = images(trial, name, "train", int(trial["images"]))
    held = images(trial, name, "test", int(trial["held"]))
    bank = known.part(slice(0, int(trial["bank"])))
    for number in trial["views"]:
        encoder, projector, _ = pieces(trial)
        arm, steps = f"same_batch_{number}", int(trial["steps"])
        course = Course(steps, every=max(steps // 50, 1))
        method = SameBatch(encoder, projector)
        trained(trial, arm, method, known.images, steps=steps, views=number + 1, watch=course)
        course.put_down(trial, arm)
        trial.figure(f"correct/{arm}", neighbours(encoder, bank, held))
    encoder, projector, _ = pieces(trial)
    steps = int(trial["moving_steps"])
    course = Course(steps, every=max(steps // 50, 1))
    moving = MovingAverage(
        encoder, projector, len(known), int(trial["width"]), keep=float(trial["keep"])
    )
    trained(trial, "moving_average", moving, known.images, steps=steps, places=True, watch=course)
    course.put_down(trial, "moving_average")
    trial.figure("correct/moving_average", neighbours(encoder, bank, held))


if __name__ == "__main__":
    main(PAPER, "simsiam_average")
