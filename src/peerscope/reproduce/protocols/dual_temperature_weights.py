"""How anchors are weighted: W in closed form over dictionary sizes and temperatures, and in a trained net.

In the closed form an anchor's positive is at cosine 0.8 and its negatives are random directions in 128
dimensions. In training, InfoNCE runs at 0.1 with the batch as its dictionary; at four steps the weights of
the same anchors are taken from the batch, from a dictionary of keys by the present net, and from the batch at
the second temperature.
"""

from __future__ import annotations

import torch
from torch import Tensor

from peerscope.methods import presets
from peerscope.methods.augment import GREY_28, View
from peerscope.methods.batches import generator_of
from peerscope.methods.contrastive import contrast, negative_share
from peerscope.methods.contrastive.pairs import unit
from peerscope.methods.datasets import ImageSet
from peerscope.methods.frameworks import Framework
from peerscope.reproduce.harness import main
from peerscope.reproduce.papers.dual_temperature import PAPER
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.common import images, prepared
from peerscope.reproduce.protocols.self_supervised import encoder, trained

SIZES, TEMPERATURES = (63, 255, 1023, 65_536), (0.07, 0.1, 0.2, 0.5, 1.0, 10.0)
COSINE, DIMENSIONS = 0.8, 128
WITHIN, BETWEEN = 0.1, 1.0


def run(trial: Trial) -> None:
    """The table of W, then the weights during training."""
    device = prepared(trial)
    _closed(trial, device)
    pool = images(trial, "fashion-mnist", "train", int(trial["images"]))
    method = presets.symmetric_info_nce(encoder(trial), width=64, temperature=WITHIN).to(device)
    size = int(trial["batch"])
    steps = int(trial["seen"]) // size
    seen: dict[str, list[tuple[int, float]]] = {}

    def watch(step: int, parts: object) -> None:
        trial.progress("training", step, steps)
        if step % max(steps // 4, 1) == 0:
            for name, share in _weights(trial, method, pool).items():
                seen.setdefault(name, []).append((step, float(share.std() / share.mean())))

    trained(trial, method, pool, size, watch=watch)
    shares = _weights(trial, method, pool)
    for name, course in seen.items():
        share = shares[name]
        trial.figure(f"variation/{name}", course[-1][1])
        trial.figure(f"mean/{name}", float(share.mean()))
        trial.curve("deviation over mean of W, over steps", name, *zip(*course, strict=True))
        trial.log(f"{name}: mean W {float(share.mean()):.4f}, deviation/mean {course[-1][1]:.4f}")


def _closed(trial: Trial, device: torch.device) -> None:
    """Mean W over anchors for every size and temperature, and the smallest step up in either direction."""
    number = int(trial["anchors"])
    queries = unit(torch.randn(number, DIMENSIONS, dtype=torch.float64, device=device))
    table = torch.empty(len(SIZES), len(TEMPERATURES), dtype=torch.float64)
    own = torch.full((number, 1), COSINE, dtype=torch.float64, device=device)
    first = torch.zeros(number, dtype=torch.int64, device=device)
    drawn = unit(torch.randn(max(SIZES), DIMENSIONS, dtype=torch.float64, device=device))
    cosines = queries @ drawn.T
    for row, size in enumerate(SIZES):
        scores = torch.cat([own, cosines[:, :size]], dim=1)
        for column, temperature in enumerate(TEMPERATURES):
            mean = negative_share(scores, first, temperature).mean()
            table[row, column] = mean
            trial.figure(f"closed/{size}/{temperature:g}", float(mean))
        name = f"{size} negatives"
        trial.curve("W over temperature, closed form", name, TEMPERATURES, table[row].tolist())
    trial.figure("rise/size", float(table.diff(dim=0).min()))
    trial.figure("rise/temperature", float(table.diff(dim=1).min()))


@torch.no_grad()
def _weights(trial: Trial, method: Framework, pool: ImageSet) -> dict[str, Tensor]:
    """W of the same anchors by three dictionaries or temperatures, by the net in evaluation mode."""
    method.eval()
    view, source = View(GREY_28), generator_of(pool.images.device, trial.seed, 11)
    size, number = int(trial["batch"]), int(trial["dictionary"])
    # the dictionary's images are others than the anchors': those from the middle on, in turn
    half = len(pool) // 2
    places = half + torch.arange(number, device=pool.images.device) % (len(pool) - half)
    parts = torch.split(places, 512)
    queue = torch.cat([method.keys(view(pool.images[part], source)) for part in parts])
    found: dict[str, list[Tensor]] = {"batch": [], "dictionary": [], "outer": []}
    for start in range(0, int(trial["measured"]), size):
        anchors = pool.images[start : start + size]
        asked, given = (method.keys(view(anchors, source)) for _ in range(2))
        near = contrast(asked, given)
        far = contrast(asked, given, queue=queue, in_batch=False)
        for name, scored, temperature in (
            ("batch", near, WITHIN), ("dictionary", far, WITHIN), ("outer", near, BETWEEN),
        ):  # fmt: skip
            found[name].append(negative_share(scored.scores, scored.positives, temperature))
    method.train()
    return {name: torch.cat(shares) for name, shares in found.items()}


if __name__ == "__main__":
    main(PAPER, "dual_temperature_weights")
