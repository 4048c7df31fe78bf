"""What a step costs under momentum masks: passes of the encoder, time by turns, memory of the copies.

Arms take turns, two steps each, on the same views, so that what else the machine does falls on all of them; a
seed's time is the median of its rounds. On a CPU it is processor time. Making the views is left out.
"""

from __future__ import annotations

import time
from statistics import median

import torch
from torch import Tensor, nn

from peerscope.methods.frameworks import Framework
from peerscope.methods.training import train
from peerscope.reproduce.harness import main
from peerscope.reproduce.papers.momentum import PAPER
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.common import images, prepared
from peerscope.reproduce.protocols.momentum_accuracy import arm
from peerscope.reproduce.protocols.self_supervised import batches, encoder, online

STEPS = 2


def run(trial: Trial) -> None:
    """Count passes, then time the arms by turns."""
    device = prepared(trial)
    pool = images(trial, "fashion-mnist", "train", int(trial["images"]))
    made = batches(trial, pool, int(trial["batch"]))
    views = [made(step) for step in range(STEPS)]
    arms = {
        name: arm(name, encoder(trial), float(trial["momentum"])).to(device)
        for name in trial["arms"]
    }
    for name, method in arms.items():
        trial.figure(f"passes/{name}", _passes(method, views[0]))
        copies = sum(part.numel() * part.element_size() for part in method.targets.buffers())
        trial.figure(f"copied/{name}", copies / 2**20)
    spent: dict[str, list[float]] = {name: [] for name in arms}
    peaks = dict.fromkeys(arms, 0.0)
    rounds = int(trial["rounds"])
    for number in range(rounds + 1):
        trial.progress("rounds", number, rounds + 1)
        for name, method in arms.items():
            milliseconds, peak = _timed(method, views, device)
            # the first round warms caches and allocators up
            if number:
                spent[name].append(milliseconds)
                peaks[name] = max(peaks[name], peak)
    for name, times in spent.items():
        trial.figure(f"time/{name}", median(times))
        trial.log(f"{name}: {median(times):.1f} ms a step")
        if device.type == "cuda":
            trial.figure(f"memory/{name}", peaks[name])


def _passes(method: Framework, views: tuple[Tensor, Tensor]) -> float:
    """Passes of the encoder in one step: calls of its blocks, over their number."""
    calls = 0
    branch = online(method)
    blocks = [module for name, module in branch.named_parts() if name != "projector"]

    def called(module: nn.Module, given: object, found: object) -> None:
        nonlocal calls
        calls += 1

    handles = [block.register_forward_hook(called) for block in blocks]
    with torch.no_grad():
        method(views)
    for handle in handles:
        handle.remove()
    return calls / len(blocks)


def _timed(
    method: Framework, views: list[tuple[Tensor, Tensor]], device: torch.device
) -> tuple[float, float]:
    """Milliseconds a step, and on a GPU the peak of memory above what was held before, in MiB."""
    on_gpu = device.type == "cuda"
    clock = time.perf_counter if on_gpu else time.process_time
    optimizer = torch.optim.SGD(method.parameters(), lr=0.01, momentum=0.9)
    resident = 0
    if on_gpu:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        resident = torch.cuda.memory_allocated()
    began = clock()
    train(
        method, views.__getitem__, optimizer, STEPS, precision="bfloat16" if on_gpu else "float32",
        channels_last=on_gpu,
    )  # fmt: skip
    if on_gpu:
        torch.cuda.synchronize()
    spent = 1000 * (clock() - began) / STEPS
    peak = torch.cuda.max_memory_allocated() - resident if on_gpu else 0
    return spent, peak / 2**20


if __name__ == "__main__":
    main(PAPER, "momentum_cost")
