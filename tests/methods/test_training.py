"""The training loop: against one written out by hand, stopped and resumed, killed, and with bad losses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from peerscope.methods import checkpoint
from peerscope.methods.batches import Batches
from peerscope.methods.schedule import Cosine
from peerscope.methods.training import NonFiniteLoss, moved, train

SIDE = 8


class Spread(nn.Module):
    """Two noisy views brought together and their mean pushed to zero; with batch norm, dropout and a hook."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 6, 3),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.LazyLinear(4),
        )
        self.net(torch.zeros(2, 1, SIDE, SIDE))
        self.register_buffer("average", torch.zeros(4))
        self.told: list[tuple[int, int]] = []

    def forward(self, views: tuple[Tensor, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        first, second = (self.net(view) for view in views)
        near = functional.mse_loss(first, second)
        centre = first.mean(0).square().sum() + (first.var(0) - 1).square().sum()
        loss = near + centre
        return loss, {"near": near.detach(), "centre": centre.detach(), "rows": first.detach()}

    def after_step(self, step: int, steps: int) -> None:
        self.told.append((step, steps))
        weight = self.net[5].bias.detach()
        self.average.lerp_(weight, 0.1)  # type: ignore[operator]


def noisy(images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    def one() -> Tensor:
        return images + 0.1 * torch.randn(images.shape, generator=generator)

    return one(), one()


def parts() -> tuple[Spread, Batches, torch.optim.Optimizer]:
    torch.manual_seed(3)
    method = Spread()
    images = torch.rand(40, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    optimizer = torch.optim.SGD(method.parameters(), lr=0.002, momentum=0.9, weight_decay=1e-3)
    return method, Batches(images, 12, noisy, seed=5), optimizer


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_loop_is_the_one_written_out_by_hand() -> None:
    method, batches, optimizer = parts()
    run = train(method, batches, optimizer, 7, schedule=Cosine(warmup=2), clip=0.5, seed=11)
    expected, batches, optimizer = parts()
    torch.manual_seed(11)
    schedule = Cosine(warmup=2)
    losses = []
    expected.train()
    for step in range(7):
        for group in optimizer.param_groups:
            group["lr"] = 0.002 * schedule(step, 7)
        loss, _ = expected(batches(step))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(expected.parameters(), 0.5)
        optimizer.step()
        expected.after_step(step + 1, 7)
        losses.append(float(loss.detach()))
    assert same(method.state_dict(), expected.state_dict())
    assert run.losses == pytest.approx(losses, rel=1e-6)
    assert method.told == [(step, 7) for step in range(1, 8)]
    assert run.steps == 7


class Stop(Exception):
    pass


def stopping(at: int) -> Callable[[int, Mapping[str, Tensor]], None]:
    def watch(step: int, parts: Mapping[str, Tensor]) -> None:
        if step == at:
            raise Stop

    return watch


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("stopped", [3, 5, 6])
def test_a_stopped_run_goes_on_to_the_same_result_bit_for_bit(
    tmp_path: Path, precision: str, stopped: int
) -> None:
    settings = {"schedule": Cosine(warmup=3), "precision": precision, "seed": 2}
    whole, batches, optimizer = parts()
    train(whole, batches, optimizer, 9, **settings)  # type: ignore[arg-type]
    method, batches, optimizer = parts()
    kept = {"checkpoint": tmp_path, "checkpoint_every": 3}
    with pytest.raises(Stop):
        train(method, batches, optimizer, 9, watch=stopping(stopped), **kept, **settings)  # type: ignore[arg-type]
    torch.manual_seed(999)
    method, batches, optimizer = parts()
    run = train(method, batches, optimizer, 9, **kept, **settings)  # type: ignore[arg-type]
    assert same(method.state_dict(), whole.state_dict())
    assert len(run.losses) == 9 - 3 * ((stopped - 1) // 3)
    again = train(method, batches, optimizer, 9, **kept, **settings)  # type: ignore[arg-type]
    assert again.steps == 9
    assert again.losses == []


KILLED = """
import os, shutil, signal, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import torch
torch.set_num_threads(1)
from test_training import parts
from peerscope.methods.training import train
folder = Path(sys.argv[2])
for number, wait in enumerate((0.0, 0.007, 0.02)):
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        method, batches, optimizer = parts()
        train(method, batches, optimizer, 100000, checkpoint=folder, checkpoint_every=1, seed=2,
              progress=lambda step, steps, numbers: os.write(tell, b"."))
    os.read(told, 1)
    os.read(told, 1)
    time.sleep(wait)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    shutil.copytree(folder, folder.with_name(f"killed-{number}"))
"""


def test_a_run_that_is_killed_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(tmp_path / "run")]
    subprocess.run(arguments, check=True)
    done = 0
    for number in range(3):
        state = checkpoint.load(tmp_path / f"killed-{number}", "")
        assert state is not None
        assert state["steps"] > done
        done = state["steps"]
        expected, batches, optimizer = parts()
        train(expected, batches, optimizer, done, seed=2)
        assert same(state["method"], expected.state_dict())


class Failing(nn.Module):
    def __init__(self, at: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.at, self.seen = at, 0

    def forward(self, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        self.seen += 1
        bad = self.weight * (float("nan") if self.seen == self.at else 1.0)
        return bad + self.weight, {"good": self.weight.detach(), "bad": bad.detach()}


def test_a_loss_that_is_not_finite_stops_the_run_and_names_step_and_part(tmp_path: Path) -> None:
    method = Failing(4)
    optimizer = torch.optim.SGD(method.parameters(), lr=0.1)
    with pytest.raises(NonFiniteLoss, match=r"step 4 the part 'bad' .*nan") as caught:
        train(
            method,
            lambda step: torch.zeros(()),
            optimizer,
            9,
            checkpoint=tmp_path,
            checkpoint_every=2,
        )
    assert (caught.value.step, caught.value.part) == (4, "bad")
    state = checkpoint.load(tmp_path, "")
    assert state is not None
    assert state["steps"] == 2
    assert bool(state["method"]["weight"].isfinite())


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_learns_what_single_precision_learns(precision: str) -> None:
    def run(which: str) -> tuple[float, float]:
        method, batches, optimizer = parts()
        done = train(method, batches, optimizer, 80, precision=which)  # type: ignore[arg-type]
        assert all(weight.dtype == torch.float32 for weight in method.parameters())
        return done.losses[0], sum(done.losses[-20:]) / 20

    single, half = run("float32"), run(precision)
    assert half != single
    assert half[1] < 0.6 * half[0]
    assert half[1] == pytest.approx(single[1], rel=0.3)


def test_progress_is_told_single_numbers_and_watch_all_parts() -> None:
    method, batches, optimizer = parts()
    told: list[tuple[int, int, set[str]]] = []
    seen: list[tuple[int, torch.Size]] = []
    train(
        method, batches, optimizer, 2,
        progress=lambda step, steps, numbers: told.append((step, steps, set(numbers))),
        watch=lambda step, parts: seen.append((step, parts["rows"].shape)),
    )  # fmt: skip
    assert told == [(1, 2, {"near", "centre", "loss"}), (2, 2, {"near", "centre", "loss"})]
    assert seen == [(1, torch.Size([12, 4])), (2, torch.Size([12, 4]))]


def test_channels_last_reaches_kernels_and_batches() -> None:
    method, batches, optimizer = parts()
    train(method, batches, optimizer, 2, channels_last=True)
    assert method.net[0].weight.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last
    batch = moved(
        {"views": (torch.rand(2, 3, 4, 4), [torch.rand(3)], "name")}, torch.device("cpu"), layout
    )
    assert batch["views"][0].is_contiguous(memory_format=torch.channels_last)
    assert batch["views"][2] == "name"


def test_a_compiled_run_reaches_what_a_plain_one_reaches() -> None:
    losses = []
    for compiled in (False, "aot_eager"):
        method, batches, optimizer = parts()
        method.net[4].p = 0.0
        losses.append(train(method, batches, optimizer, 4, compiled=compiled).losses)
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


def test_a_checkpoint_of_another_run_or_a_broken_one_is_refused(tmp_path: Path) -> None:
    method, batches, optimizer = parts()
    train(method, batches, optimizer, 1, checkpoint=tmp_path, identity="one")
    with pytest.raises(ValueError, match=r"'one', not 'two'"):
        train(method, batches, optimizer, 1, checkpoint=tmp_path, identity="two")
    path = tmp_path / checkpoint.NAME
    whole = path.read_bytes()
    for broken in (b"", b"not a checkpoint", whole[: len(whole) // 2]):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match="remove it to start anew"):
            train(method, batches, optimizer, 1, checkpoint=tmp_path, identity="one")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"precision": "float64"}, "precision"),
        ({"clip": 0.0}, "clip"),
        ({"steps": -1}, "steps"),
        ({"checkpoint_every": 0}, "checkpoint_every"),
    ],
)
def test_settings_that_make_no_run_are_refused(settings: dict[str, object], message: str) -> None:
    method, batches, optimizer = parts()
    with pytest.raises(ValueError, match=message):
        train(method, batches, optimizer, **{"steps": 1, **settings})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no parameters"):
        train(nn.ReLU(), batches, optimizer, 1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_run_on_a_gpu_reaches_what_one_on_the_cpu_reaches(precision: str) -> None:
    reached = []
    for device in ("cpu", "cuda"):
        method, batches, optimizer = parts()
        method.net[4].p = 0.0
        run = train(
            method, batches, optimizer, 60, device=device, channels_last=True,
            precision=precision if device == "cuda" else "float32",
        )  # fmt: skip
        reached.append(sum(run.losses[-20:]) / 20)
    assert reached[1] == pytest.approx(reached[0], rel=0.1)
