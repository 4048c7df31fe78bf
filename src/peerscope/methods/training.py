"""One plain training loop: resume, mixed precision, schedules, and a clear stop when a loss is not finite.

A method is a module with ``forward(batch) -> (loss, parts)`` and perhaps ``after_step(step, steps)``, called
after each step of the optimiser with the number of steps done. Batches come from a function of the step's
number, so that what a step sees depends on the seed and its number only: a run that was stopped goes on to
the same result, bit for bit on a CPU. Everything here can be written by hand in twenty lines
(docs/methods/README.md); the loop is for those who need not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from peerscope.methods.checkpoint import load, random_states, restore_random_states, save
from peerscope.methods.schedule import constant

Precision = Literal["float32", "bfloat16", "float16"]
Schedule = Callable[[int, int], float]
Progress = Callable[[int, int, Mapping[str, float]], None]
Watch = Callable[[int, Mapping[str, Tensor]], None]

REPORTED = 50
"""Steps between looks at the loss on an accelerator, where every look waits for it; 1 on a CPU."""


@dataclass(slots=True)
class Run:
    """What a run did.

    Attributes:
        steps: Steps done, those before a resume included.
        losses: The loss of every step since this call began.
        seconds: Of this call, checkpoints included.
    """

    steps: int = 0
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0


class NonFiniteLoss(ArithmeticError):
    """A loss or a part of it was infinite or not a number.

    Attributes:
        step: The step, from 1.
        part: Name of the part; ``loss`` for the whole.
    """

    def __init__(self, step: int, part: str, value: float) -> None:
        super().__init__(
            f"At step {step} the part {part!r} of the loss is {value}: lower the learning rate, clip "
            "gradients, or train in float32 or bfloat16. The last checkpoint is from before it."
        )
        self.step, self.part = step, part


def train(
    method: nn.Module,
    batches: Callable[[int], Any],
    optimizer: torch.optim.Optimizer,
    steps: int,
    *,
    schedule: Schedule = constant,
    precision: Precision = "float32",
    clip: float | None = None,
    device: torch.device | str | None = None,
    channels_last: bool = False,
    compiled: bool | str = False,
    seed: int = 0,
    checkpoint: Path | str | None = None,
    checkpoint_every: int = 500,
    identity: str = "",
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Run:
    """Train a method for a number of steps.

    Args:
        method: Gives ``(loss, parts)`` of a batch; its parameters are changed in place.
        batches: The batch of a step, numbered from 0: `Batches`, or any function; tensors in it (in tuples,
            lists or mappings) are moved to the device.
        optimizer: Over the method's parameters; its learning rates are the base of the schedule.
        steps: Of the whole run.
        schedule: Factor of the learning rates at a step, from the step and ``steps``.
        precision: ``bfloat16`` and ``float16`` run the method under autocast, the latter with scaled
            gradients; weights stay in float32.
        clip: Largest norm of all gradients together; ``None`` for none.
        device: Where to train; where the method is if ``None``.
        channels_last: Lay out kernels and batches of images with channels last.
        compiled: Compile the method's ``forward`` by ``torch.compile``; a string names its backend.
        seed: Of the global source of chance (dropout, masks); not set again on resume.
        checkpoint: Folder of the checkpoint; a run found there with the same identity goes on.
        checkpoint_every: Steps between checkpoints; there is one at the end too.
        identity: Names data and settings, so that a checkpoint of another run is not taken for this one's.
        progress: Told the step, the steps and the parts that are single numbers.
        watch: Called after every step with its number, from 1, and the method's parts as they are.

    Returns:
        What was done.

    Raises:
        ValueError: Arguments contradict each other, or the checkpoint is unreadable or another run's.
        NonFiniteLoss: A loss was not finite; no checkpoint is written after it.
    """
    loop = _Loop(method, optimizer, precision, clip, device, channels_last)
    if steps < 0 or checkpoint_every < 1:
        raise ValueError("steps is 0 or more, checkpoint_every 1 or more.")
    folder = None if checkpoint is None else Path(checkpoint)
    began, run = time.perf_counter(), Run()
    found = None if folder is None else load(folder, identity)
    if found is None:
        torch.manual_seed(seed)
    else:
        run.steps = loop.restore(found)
    if compiled:
        method.compile(backend=compiled if isinstance(compiled, str) else "inductor")
    meter = _Meter(steps, 1 if loop.device.type == "cpu" else REPORTED, progress)
    method.train()
    for step in range(run.steps, steps):
        parts, numbers = loop.step(batches(step), step, steps, schedule)
        run.steps = step + 1
        meter.add(run.steps, numbers)
        if watch is not None:
            watch(run.steps, parts)
        due = run.steps % checkpoint_every == 0 or run.steps == steps
        if due:
            meter.look()
        if due and folder is not None:
            save(folder, loop.state(run.steps, identity))
    run.losses, run.seconds = meter.losses, time.perf_counter() - began
    return run


class _Loop:
    """The method with its optimiser, and one step of both."""

    def __init__(
        self,
        method: nn.Module,
        optimizer: torch.optim.Optimizer,
        precision: Precision,
        clip: float | None,
        device: torch.device | str | None,
        channels_last: bool,
    ) -> None:
        if precision not in ("float32", "bfloat16", "float16"):
            raise ValueError(f"precision is float32, bfloat16 or float16, not {precision!r}.")
        if clip is not None and clip <= 0:
            raise ValueError(f"clip is a norm above 0, not {clip}.")
        first = next(method.parameters(), None)
        if first is None:
            raise ValueError("The method has no parameters to train.")
        self.device = torch.device(device) if device is not None else first.device
        self.layout = torch.channels_last if channels_last else None
        method.to(self.device)
        if channels_last:
            _laid_out(method)
        self.method, self.optimizer, self.clip = method, optimizer, clip
        self.dtype = getattr(torch, precision)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "float16")
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])

    def step(
        self, batch: Any, step: int, steps: int, schedule: Schedule
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """One step; the parts with the loss among them, and those that are single numbers as they were."""
        factor = schedule(step, steps)
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor
        with self._autocast():
            loss, parts = self.method(moved(batch, self.device, self.layout))
        parts = {**parts, "loss": loss.detach()}
        # Cloned before the step: a part may be a view of a weight.
        numbers = {
            name: part.detach().clone()
            for name, part in parts.items()
            if isinstance(part, Tensor) and part.numel() == 1
        }
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        if self.clip is not None:
            self.scaler.unscale_(self.optimizer)
            trained = [part for group in self.optimizer.param_groups for part in group["params"]]
            nn.utils.clip_grad_norm_(trained, self.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        after = getattr(self.method, "after_step", None)
        if after is not None:
            after(step + 1, steps)
        return parts, numbers

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.dtype is torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def state(self, steps: int, identity: str) -> dict[str, Any]:
        """All that the rest of the run depends on."""
        return {
            "identity": identity,
            "steps": steps,
            "method": self.method.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": random_states(),
        }

    def restore(self, state: dict[str, Any]) -> int:
        """Take a state; how many steps were done."""
        self.method.load_state_dict(state["method"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        restore_random_states(state["random"])
        steps: int = state["steps"]
        return steps


class _Meter:
    """Looks at losses every few steps, so that an accelerator need not wait at each."""

    def __init__(self, steps: int, every: int, progress: Progress | None) -> None:
        self.losses: list[float] = []
        self._steps, self._every, self._progress = steps, every, progress
        self._kept: list[tuple[int, dict[str, Tensor]]] = []

    def add(self, step: int, numbers: dict[str, Tensor]) -> None:
        """Keep the numbers of a step, and look at them when it is time."""
        self._kept.append((step, numbers))
        if len(self._kept) >= self._every:
            self.look()

    def look(self) -> None:
        """Fetch what was kept.

        Raises:
            NonFiniteLoss: One of the numbers is not finite.
        """
        if not self._kept:
            return
        flat = [part.reshape(()).double() for _, parts in self._kept for part in parts.values()]
        values = iter(torch.stack(flat).tolist())
        told: dict[str, float] = {}
        for step, parts in self._kept:
            told = {name: next(values) for name in parts}
            for name in sorted(told, key=lambda name: name == "loss"):
                if not torch.isfinite(torch.tensor(told[name])):
                    raise NonFiniteLoss(step, name, told[name])
            self.losses.append(told["loss"])
        if self._progress is not None:
            self._progress(self._kept[-1][0], self._steps, told)
        self._kept.clear()


def moved(batch: Any, device: torch.device, layout: torch.memory_format | None = None) -> Any:
    """A batch with its tensors on a device, inside tuples, lists and mappings too.

    Args:
        batch: Whatever a method takes; what is none of these and has a ``to`` is asked to move itself.
        device: Where to.
        layout: Memory format of tensors of four axes that are not there yet; ``None`` leaves them.
    """
    if isinstance(batch, Tensor):
        if layout is not None and batch.dim() == 4:
            return batch.to(device, non_blocking=True, memory_format=layout)
        return batch.to(device, non_blocking=True)
    if isinstance(batch, Mapping):
        return {name: moved(part, device, layout) for name, part in batch.items()}
    if isinstance(batch, tuple | list):
        parts = [moved(part, device, layout) for part in batch]
        return parts if isinstance(batch, list) else tuple(parts)
    return batch.to(device) if hasattr(batch, "to") else batch


def _laid_out(method: nn.Module) -> None:
    """Kernels with channels last, in place."""
    for part in [*method.parameters(), *method.buffers()]:
        if part.dim() == 4:
            part.data = part.data.contiguous(memory_format=torch.channels_last)
