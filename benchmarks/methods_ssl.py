"""What siamese and contrastive learning does inside, in a few hundred steps on Fashion-MNIST.

    python benchmarks/methods_ssl.py collapse weights alignment stability --out FOLDER
    python benchmarks/methods_ssl.py draw --out FOLDER      # docs/images/methods/*.svg from what was measured

The net is `ConvNet` (32, 64, 128, 128 channels), images are the first 10,000 of training, views `GREY_28`,
SGD with momentum 0.9 and learning rate 0.06 after 30 steps of warm-up. `collapse` trains SimSiam and its
variants and follows the mean of the vectors that the loss acts on; `weights` measures how InfoNCE weighs
anchors for two dictionaries and two temperatures; `alignment` compares the parts of its gradient with the
descent of correlation; `stability` watches gradients block by block under momentum masks, and the time of a
step.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from methods_ssl_plot import curves, surface
from torch import Tensor, nn

from peerscope.methods import presets
from peerscope.methods.augment import GREY_28, View
from peerscope.methods.backbones import ConvNet
from peerscope.methods.batches import Batches, generator_of
from peerscope.methods.collapse import collapse_report
from peerscope.methods.contrastive import contrast, negative_share
from peerscope.methods.contrastive.pairs import unit
from peerscope.methods.gradient_parts import (
    SimSiamParts,
    Triplet,
    alignment,
    gradient_parts,
    info_nce_parts,
    share_of,
)
from peerscope.methods.mlp import mlp
from peerscope.methods.momentum import Ema
from peerscope.methods.schedule import Cosine
from peerscope.methods.siamese import LinearPredictor, Mirror, Naive, SimSiam, SymmetricPredictor
from peerscope.methods.stability import GradientMeter
from peerscope.methods.training import train

FASHION = Path("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz")
WIDTH = 256
Make = Callable[[nn.Module, nn.Module, nn.Module], nn.Module]

ARMS: dict[str, tuple[Make, int]] = {
    "SimSiam": (SimSiam, 2),
    "naive": (lambda f, g, h: Naive(f, g), 2),
    "mirror": (Mirror, 2),
    "symmetric predictor": (SymmetricPredictor, 2),
    "SimSiam, o_e only": (lambda f, g, h: SimSiamParts(f, g, h, residual=False), 2),
    "SimSiam, r_e only": (lambda f, g, h: SimSiamParts(f, g, h, centre=False), 2),
    "SimSiam, one bias": (lambda f, g, h: SimSiam(f, g, LinearPredictor(WIDTH)), 2),
    "triplet": (lambda f, g, h: Triplet(f, g), 3),
    "triplet, o_e only": (lambda f, g, h: Triplet(f, g, residual=False), 3),
    "triplet, r_e only": (lambda f, g, h: Triplet(f, g, centre=False), 3),
}


def images(number: int = 10_000) -> Tensor:
    with gzip.open(FASHION) as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16)
    return torch.from_numpy(pixels[: number * 784].reshape(-1, 1, 28, 28).copy())


class Views:
    """As many independent views as are asked for."""

    def __init__(self, number: int) -> None:
        self._view, self._number = View(GREY_28), number

    def __call__(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
        return tuple(self._view(batch, generator) for _ in range(self._number))


def trained(
    method: nn.Module, steps: int, size: int, *, views: int = 2, seed: int = 0, watch=None
) -> nn.Module:
    batches = Batches(images(), size, Views(views), seed=seed)
    optimizer = torch.optim.SGD(method.parameters(), lr=0.06, momentum=0.9, weight_decay=5e-4)
    train(method, batches, optimizer, steps, schedule=Cosine(warmup=30), seed=seed, watch=watch)
    return method


def collapse(steps: int, seeds: int, arms: list[str]) -> list[dict]:
    """m_o and its kin over the steps, of the vectors that each loss acts on."""
    rows = []
    for seed in range(seeds):
        for name in arms:
            make, views = ARMS[name]
            torch.manual_seed(seed)
            method = make(ConvNet(1), mlp((128, 256, 256, WIDTH)), mlp((WIDTH, WIDTH // 4, WIDTH)))
            course: list[dict] = []

            def watch(step: int, parts, course: list[dict] = course) -> None:
                if step == 1 or step % 10 == 0:
                    report = collapse_report(parts["acted"])
                    course.append({"step": step, "loss": float(parts["loss"])} | report.to_dict())

            trained(method, steps, 128, views=views, seed=seed, watch=watch)
            row = {"arm": name, "seed": seed, "course": course}
            if name == "SimSiam":
                row |= simsiam_parts(method)
            rows.append(row)
            end = course[-1]
            print(
                name, seed, f"m_o {end['centre']:.3f} m_r {end['residual']:.3f} spread "
                f"{end['spread']:.2f} rank {end['effective_rank']:.1f} {end['kind']}", flush=True,
            )  # fmt: skip
    return rows


@torch.no_grad()
def simsiam_parts(method: nn.Module) -> dict[str, float]:
    """How much of o_p the de-centering part of SimSiam's gradient contains (figure 5a)."""
    first, second = Views(2)(images(1024), generator_of("cpu", 7))
    method.train()
    projected = unit(method.branch(second))
    predicted = unit(method.predictor(method.branch(second)))
    other = unit(method.predictor(method.branch(first)))
    parts = gradient_parts(projected, predicted)
    return {"share of o_p in o_e": share_of(parts.centre, other.mean(dim=0))}


def weights(steps: int, seeds: int) -> list[dict]:
    """Coefficient of variation over anchors of W, small and large dictionary, small and large temperature."""
    rows = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        method = presets.symmetric_info_nce(ConvNet(1), width=64)
        trained(method, steps, 64, seed=seed)
        method.eval()
        source = generator_of("cpu", 11, seed)
        pool = images()
        view = View(GREY_28)
        with torch.no_grad():
            queue = torch.cat(
                [method.keys(view(pool[n : n + 512], source)) for n in range(4096, 8192, 512)]
            )
            found: dict[str, list[Tensor]] = {}
            for start in range(0, 1024, 64):
                part = pool[start : start + 64]
                q, k = (method.keys(view(part, source)) for _ in range(2))
                for name, negatives, t in (
                    ("W(0.1), 63 negatives", None, 0.1), ("W(0.1), 63 + 4096", queue, 0.1),
                    ("W(1.0), 63 negatives", None, 1.0),
                ):  # fmt: skip
                    scored = contrast(q, k, queue=negatives)
                    share = negative_share(scored.scores, scored.positives, t)
                    found.setdefault(name, []).append(share)
        for name, shares in found.items():
            share = torch.cat(shares)
            row = {"seed": seed, "weight": name, "mean": float(share.mean()),
                   "variation": float(share.std() / share.mean())}  # fmt: skip
            rows.append(row)
            print(row, flush=True)
    return rows


def aligned(steps: int, seeds: int) -> list[dict]:
    """Cosines of o_e and r_e of InfoNCE with the descent of correlation, over the temperature (figure 5c)."""
    rows = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        method = presets.symmetric_info_nce(
            ConvNet(1), projector=mlp((128, 256, 256, WIDTH)), width=WIDTH, temperature=0.2
        )
        trained(method, steps, 128, seed=seed)
        source, view = generator_of("cpu", 13, seed), View(GREY_28)
        with torch.no_grad():
            first, second = (unit(method.keys(view(images(2048), source))) for _ in range(2))
        for t in (0.02, 0.05, 0.1, 0.2, 0.4, 1.0, 3.0):
            centre, residual = alignment(info_nce_parts(first, second, t), first)
            row = {"seed": seed, "temperature": t, "o_e": centre, "r_e": residual}
            rows.append(row)
            print(row, flush=True)
    return rows


def stability(steps: int, seeds: int) -> list[dict]:
    """Fluctuation of gradients by block, and processor time of a step, under momentum masks."""
    rows = []
    for seed in range(seeds):
        made: dict[str, Callable[[], nn.Module]] = {
            "none (gradient through both)": lambda: presets.symmetric_info_nce(
                ConvNet(1), width=64, temperature=0.2
            ),
            "stop-gradient": lambda: presets.stop_gradient(ConvNet(1), width=64),
        }
        for mask in ("projector", "suffix-2", "full"):
            made[mask] = lambda mask=mask: presets.simclr_momentum(
                ConvNet(1), width=64, ema=Ema(mask, 0.95)
            )
        for name, make in made.items():
            torch.manual_seed(seed)
            method = make()
            meter = GradientMeter(dict(method.branches[0].named_parts()))

            def watch(step: int, parts, meter: GradientMeter = meter) -> None:
                # the warm-up would count as fluctuation
                if step > 50:
                    meter.step()
                else:
                    meter.clear()

            began = time.process_time()
            with meter:
                trained(method, steps, 128, seed=seed, watch=watch)
            spent = 1000 * (time.process_time() - began) / steps
            for part, seen in meter.report().items():
                rows.append({"seed": seed, "mask": name, "part": part, "ms": spent,
                             "variation": seen.variation, "cosine": seen.cosine,
                             "change": seen.change})  # fmt: skip
            told = " ".join(f"{p} {s.variation:.3f}" for p, s in meter.report().items())
            print(f"{name}, seed {seed}: {spent:.0f} ms a step; variation {told}", flush=True)
    return rows


def shares() -> list[dict]:
    """W over dictionary size and temperature: a positive of cosine 0.8, random directions in 128-d."""
    generator = torch.Generator().manual_seed(0)
    rows = []
    for number in (15, 63, 255, 1023, 4095, 16_383, 65_535):
        drawn = torch.randn(number, 128, generator=generator, dtype=torch.float64)
        negatives = unit(drawn)
        scores = torch.cat([torch.tensor([0.8], dtype=torch.float64), negatives[:, 0]])[None]
        for t in (0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 2.0):
            share = float(negative_share(scores, torch.tensor([0]), t))
            rows.append({"negatives": number, "temperature": t, "share": share})
    return rows


def draw(out: Path) -> None:
    pictures = Path(__file__).parents[1] / "docs/images/methods"
    pictures.mkdir(parents=True, exist_ok=True)
    (pictures / "dual-temperature-w.svg").write_text(surface(shares()))
    rows = json.loads((out / "collapse.json").read_text())
    wanted = ("SimSiam", "naive", "mirror", "symmetric predictor")
    lines = {
        name: [
            ([point["step"] for point in row["course"]], [p["centre"] for p in row["course"]])
            for row in rows
            if row["arm"] == name
        ]
        for name in wanted
    }
    (pictures / "siamese-centre.svg").write_text(
        curves("Length of the mean vector, m_o, over steps", lines)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="+",
                        choices=["collapse", "weights", "alignment", "stability", "draw"])  # fmt: skip
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    jobs = {"weights": weights, "alignment": aligned, "stability": stability}
    for name in given.what:
        if name == "draw":
            draw(given.out)
            continue
        file = given.out / f"{name}.json"
        if name == "collapse":
            rows = collapse(given.steps, given.seeds, given.arms)
            # arms may be measured one after the other; the newest of an arm counts
            done = {(row["arm"], row["seed"]) for row in rows}
            before = json.loads(file.read_text()) if file.exists() else []
            rows = [row for row in before if (row["arm"], row["seed"]) not in done] + rows
        else:
            rows = jobs[name](given.steps, given.seeds)
        file.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
