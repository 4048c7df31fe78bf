"""What GN+ costs against group norm, batch norm and the authors' formula: time and memory, in one run.

    python benchmarks/methods_norm.py --out FILE.json

Forward and backward of one layer, one thread, layers in turn; a figure is the median of process time. "Kept"
is what a layer holds for its gradient, parameters apart, in inputs' sizes, counted by autograd's hooks for
saved tensors (an input that is saved counts); "peak" the highest resident size of one step less that before,
in inputs' sizes, from a process of its own. The net is VGG-11 at a quarter of its width. Needs Pillow.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from methods_noise import vgg11
from torch import Tensor, nn

from peerscope.methods.norm import ORDERS, GroupNormPlus

SHAPES = ((128, 64, 32, 32), (128, 256, 8, 8), (8, 256, 8, 8), (128, 512, 4, 4))


class Written(nn.Module):
    """The authors' formula in differentiable operations (GN first, statistics over the images)."""

    def __init__(self, channels: int, groups: int = 32) -> None:
        super().__init__()
        self.groups = groups
        self.weight, self.bias = (
            nn.Parameter(f(channels, 1, 1)) for f in (torch.ones, torch.zeros)
        )
        self.blend = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        def standard(values: Tensor, dims: tuple[int, ...]) -> Tensor:
            return (values - values.mean(dims, keepdim=True)) / (
                values.std(dims, keepdim=True) + 1e-5
            )

        grouped = standard(x.unflatten(1, (self.groups, -1)), (2, 3, 4)).reshape(x.shape)
        share = self.blend.sigmoid()
        mixed = share * grouped + (1 - share) * standard(grouped, (0,))
        return mixed * self.weight + self.bias


LAYERS: dict[str, Callable[[int], nn.Module]] = {
    "nn.GroupNorm": lambda c: nn.GroupNorm(min(32, c), c),
    "nn.BatchNorm2d": nn.BatchNorm2d,
    "the authors' formula": lambda c: Written(c, min(32, c)),
    "GN+": lambda c: GroupNormPlus(c, "auto"),
    "GN+, channel": lambda c: GroupNormPlus(c, "auto", batch_stats="channel"),
    "GN+, running": lambda c: GroupNormPlus(c, "auto", track_running_stats=True),
    **{
        f"GN+, {order}": lambda c, order=order: GroupNormPlus(c, "auto", order=order)
        for order in ORDERS[1:]
    },
}


def step(layer: nn.Module, x: Tensor, slope: Tensor) -> None:
    """Forward and backward."""
    layer(x).backward(slope)


def kept(layer: nn.Module, x: Tensor) -> int:
    """Bytes of distinct tensors saved for the gradient, less parameters; the input counts once if saved."""
    held: dict[int, int] = {}

    def pack(value: Tensor) -> Tensor:
        if not isinstance(value, nn.Parameter):
            storage = value.untyped_storage()
            held[storage.data_ptr()] = storage.nbytes()
        return value

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        output = layer(x)
    del output
    return sum(held.values())


def timed(runs: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """Median process seconds of each, in turn."""
    spent: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(repeats):
        for name, run in runs.items():
            began = time.process_time()
            run()
            spent[name].append(time.process_time() - began)
    return {name: float(np.median(values)) for name, values in spent.items()}


def drawn(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """An input that asks for its gradient, and the gradient of the output."""
    return torch.randn(shape).requires_grad_(), torch.randn(shape)


def resident(name: str) -> int:
    """A line of /proc/self/status in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise KeyError(name)


def peak(name: str) -> None:
    """In a process of its own: print the peak of one step at the first shape."""
    x, slope = drawn(SHAPES[0])
    layer = LAYERS[name](SHAPES[0][1])
    step(LAYERS[name](32), *drawn((2, 32, 4, 4)))
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    step(layer, x, slope)
    print(resident("VmHWM") - before)


def layers(shape: tuple[int, ...], repeats: int) -> dict[str, dict[str, float]]:
    """Every layer at one shape."""
    x, slope = drawn(shape)
    made = {name: build(shape[1]) for name, build in LAYERS.items()}
    runs = {name: lambda layer=layer: step(layer, x, slope) for name, layer in made.items()}
    seconds = timed(runs, repeats)
    size = x.numel() * 4
    return {
        name: {"seconds": seconds[name], "kept": kept(layer, x) / size}
        for name, layer in made.items()
    }


def nets(repeats: int) -> dict[str, float]:
    """Seconds of a training step of the small VGG-11 with each norm, batch 128 of 32 x 32."""
    images, labels = torch.rand(128, 3, 32, 32), torch.randint(10, (128,))

    def runner(net: nn.Module) -> Callable[[], None]:
        def run() -> None:
            nn.functional.cross_entropy(net(images), labels).backward()

        return run

    return timed({name: runner(vgg11(build)) for name, build in LAYERS.items()}, repeats)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.peak:
        peak(given.peak)
        return
    results: dict[str, Any] = {"torch": torch.__version__, "shapes": {}, "peak": {}}
    for shape in SHAPES:
        results["shapes"]["x".join(map(str, shape))] = layers(shape, given.repeats)
    results["net"] = nets(max(3, given.repeats // 3))
    for name in LAYERS:
        command = [sys.executable, __file__, "--peak", name]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        results["peak"][name] = int(told) / (4 * int(np.prod(SHAPES[0])))
    heads = [*results["shapes"], "kept", "peak", "net, ms"]
    print("| layer | " + " | ".join(heads) + " |\n|" + " --- |" * (1 + len(heads)))
    for name in LAYERS:
        cells = []
        for found in results["shapes"].values():
            mine, base = found[name]["seconds"], found["nn.GroupNorm"]["seconds"]
            cells.append(f"{mine * 1e3:.2f} ms ({mine / base:.1f})")
        cells.append(f"{next(iter(results['shapes'].values()))[name]['kept']:.1f}")
        cells += [f"{results['peak'][name]:.1f}", f"{results['net'][name] * 1e3:.0f}"]
        print(f"| {name} | " + " | ".join(cells) + " |")
    if given.out:
        given.out.write_text(json.dumps(results))


if __name__ == "__main__":
    main()
