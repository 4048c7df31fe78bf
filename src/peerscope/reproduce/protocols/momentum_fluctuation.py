"""How much gradients fluctuate at each block's output, with and without a momentum target.

The learning rate stays constant after the warm-up, and nothing is measured before its end, so that the
schedule does not count as fluctuation. The measures are this project's (`peerscope.methods.stability`): the
paper's own was not at hand.
"""

from __future__ import annotations

from torch import Tensor

from peerscope.methods.augment import GREY_28, normalised
from peerscope.methods.frameworks import Framework
from peerscope.methods.stability import DriftMeter, GradientMeter
from peerscope.reproduce.harness import main
from peerscope.reproduce.papers.momentum import PAPER
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.common import images, prepared
from peerscope.reproduce.protocols.momentum_accuracy import arm
from peerscope.reproduce.protocols.self_supervised import encoder, online, trained


def run(trial: Trial) -> None:
    """Train every arm under a meter on each part of its online branch."""
    prepared(trial)
    pool = images(trial, "fashion-mnist", "train", int(trial["images"]))
    size = int(trial["batch"])
    warmup = int(trial["warmup"]) // size
    probe = normalised(pool.images[: int(trial["probed"])], GREY_28)
    for done, name in enumerate(trial["arms"]):
        trial.progress(name, done, len(trial["arms"]))
        method = arm(name, encoder(trial), float(trial["momentum"]))
        branch = online(method)
        meter, drift = GradientMeter(dict(branch.named_parts())), DriftMeter()

        def watch(
            step: int,
            parts: object,
            method: Framework = method,
            meter: GradientMeter = meter,
            drift: DriftMeter = drift,
        ) -> None:
            if step <= warmup:
                meter.clear()
                return
            meter.step()
            drift.step(_keys(method, probe))

        def warmed(step: int, steps: int) -> float:
            return min((step + 1) / max(warmup, 1), 1.0)

        with meter:
            trained(trial, method, pool, size, watch=watch, schedule=warmed)
        _report(trial, name, branch.parts, meter, drift)


def _keys(method: Framework, probe: Tensor) -> Tensor:
    """Keys of the probe in evaluation mode, so that no running statistic moves."""
    method.eval()
    found = method.keys(probe)
    method.train()
    return found


def _report(
    trial: Trial, name: str, parts: tuple[str, ...], meter: GradientMeter, drift: DriftMeter
) -> None:
    report = meter.report()
    places = list(range(1, len(parts) + 1))
    labels = {parts[0]: "first", parts[-2]: "last"}
    for part in parts:
        seen = report[part]
        label = labels.get(part, part)
        trial.figure(f"variation/{name}/{label}", seen.variation)
        trial.figure(f"cosine/{name}/{label}", seen.cosine)
        trial.figure(f"change/{name}/{label}", seen.change)
    moves = drift.moves()
    trial.figure(f"drift/{name}", sum(moves) / len(moves))
    variations = [report[part].variation for part in parts]
    cosines = [report[part].cosine for part in parts]
    trial.curve("deviation over mean of gradient norms, by part", name, places, variations)
    trial.curve("cosine of successive gradients, by part", name, places, cosines)
    thinned = moves[:: max(len(moves) // 500, 1)]
    trial.curve("drift of the keys over steps measured", name, range(len(thinned)), thinned)
    trial.log(name, " ".join(f"{part} {seen.variation:.3f}" for part, seen in report.items()))


if __name__ == "__main__":
    main(PAPER, "momentum_fluctuation")
