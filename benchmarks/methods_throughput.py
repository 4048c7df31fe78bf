"""Images a second and memory of a contrastive training step on small images, against lightly and others.

    python benchmarks/methods_throughput.py --peers PYTHON    # of an environment with the peers
    python benchmarks/methods_throughput.py --peers ... --model resnet18 --width 0.25 --steps 6

Every system runs in a process of its own, one thread each, in turns within one run; a figure is the median
over rounds. Same encoder, projector, loss (NT-Xent), optimiser, batch and CIFAR-10 images; each system has
its own views, loader and loop. Images a second are per second of one core (process time), memory is the rise
of the process's resident peak over what it held when all was loaded. ``--peers`` names a Python that has
torch, lightly, torchvision, kornia and Pillow; without it only Peerscope is measured. With ``--device cuda``
times are wall clock and the peers' loaders have ``--workers`` processes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from peerscope.methods.augment import COLOUR_32, GREY_28, Recipe, TwoViews, View
from peerscope.methods.backbones import backbone
from peerscope.methods.batches import Batches
from peerscope.methods.datasets import cifar10
from peerscope.methods.mlp import mlp
from peerscope.methods.presets import simclr
from peerscope.methods.training import train

TEMPERATURE = 0.2
SYSTEMS = {
    "peerscope": "Peerscope",
    "peerscope-last": "Peerscope, channels last",
    "peerscope-half": "Peerscope, channels last, bfloat16",
    "peerscope-compiled": "Peerscope, channels last, bfloat16, compiled",
    "lightly": "lightly: its transform, loss, loop",
    "solo": "solo-learn's loop: torchvision's transforms, a list of crops",
    "solo-half": "the same with bfloat16",
    "kornia": "kornia's views, lightly's loss",
}
PEERS = ("lightly", "solo", "solo-half", "kornia")
LEFT_OUT = ("peerscope-compiled",)


def with_torchvision() -> None:
    """Import torchvision, whose operators on CUDA are missing beside a torch for the CPU."""
    from torch import library

    register = library.register_fake

    def without(name: Any, *given: Any, **more: Any) -> Any:
        if isinstance(name, str) and name.startswith("torchvision::"):
            return lambda function: function
        return register(name, *given, **more)

    library.register_fake = without
    try:
        import torchvision  # noqa: F401
    finally:
        library.register_fake = register


def parts(arguments: argparse.Namespace) -> tuple[nn.Module, nn.Module]:
    """Encoder and projector, the same for all."""
    torch.manual_seed(0)
    width = {} if arguments.width is None else {"width": arguments.width}
    encoder = backbone(arguments.model, **width)
    return encoder, mlp([encoder.dim, 128, 128], norm=None)


class Pictures(torch.utils.data.Dataset[Any]):
    """Decoded Pillow images behind a transform, as a user of lightly has them."""

    def __init__(self, images: Tensor, transform: Callable[[Any], Any]) -> None:
        from PIL import Image

        self.transform = transform
        self.images = [Image.fromarray(one) for one in images.permute(0, 2, 3, 1).numpy()]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, place: int) -> Any:
        return self.transform(self.images[place])


class Crops:
    """Several views of an image in a list."""

    def __init__(self, transform: Callable[[Any], Any]) -> None:
        self.transform = transform

    def __call__(self, image: Any) -> list[Any]:
        return [self.transform(image), self.transform(image)]


def loader(images: Tensor, transform: Any, arguments: argparse.Namespace) -> Iterator[Any]:
    made = torch.utils.data.DataLoader(
        Pictures(images, transform),
        arguments.batch,
        shuffle=True,
        drop_last=True,
        num_workers=arguments.workers,
        persistent_workers=arguments.workers > 0,
        pin_memory=arguments.device != "cpu",
    )
    while True:
        yield from made


def lightly_views() -> Any:
    with_torchvision()
    from lightly.transforms import SimCLRTransform

    # Strength 0.5 makes lightly's jitter that of the recipe: 0.4, 0.4, 0.4, 0.1.
    return SimCLRTransform(
        input_size=32, cj_strength=0.5, gaussian_blur=0.0,
        normalize={"mean": list(COLOUR_32.mean), "std": list(COLOUR_32.std)},
    )  # fmt: skip


def solo_views() -> Any:
    with_torchvision()
    from torchvision import transforms

    return Crops(
        transforms.Compose(
            [
                transforms.RandomResizedCrop(
                    32, scale=(0.08, 1.0), interpolation=transforms.InterpolationMode.BICUBIC
                ),
                transforms.RandomApply([transforms.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
                transforms.RandomGrayscale(p=0.2),
                transforms.RandomHorizontalFlip(p=0.5),
                transforms.ToTensor(),
                transforms.Normalize(COLOUR_32.mean, COLOUR_32.std),
            ]
        )
    )


def kornia_views() -> Any:
    from kornia import augmentation

    return augmentation.AugmentationSequential(
        augmentation.RandomResizedCrop((32, 32), scale=(0.08, 1.0), resample="bilinear"),
        augmentation.RandomHorizontalFlip(p=0.5),
        augmentation.ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8),
        augmentation.RandomGrayscale(p=0.2),
        augmentation.Normalize(torch.tensor(COLOUR_32.mean), torch.tensor(COLOUR_32.std)),
    )


def stepper(name: str, images: Tensor, arguments: argparse.Namespace) -> Callable[[int], None]:
    """A function that runs a number of steps, everything loaded beforehand."""
    encoder, projector = parts(arguments)
    if name.startswith("peerscope"):
        return ours(
            name, simclr(encoder, projector=projector, temperature=TEMPERATURE), images, arguments
        )
    with_torchvision()
    from lightly.loss import NTXentLoss

    model = nn.Sequential(encoder, projector).to(arguments.device)
    criterion = NTXentLoss(temperature=TEMPERATURE)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.06, momentum=0.9, weight_decay=5e-4)
    if name == "kornia":
        views, order = kornia_views(), torch.Generator().manual_seed(0)

        def pairs() -> Iterator[Any]:
            while True:
                chosen = torch.randint(len(images), (arguments.batch,), generator=order)
                batch = images[chosen.to(images.device)].float() / 255
                yield views(batch), views(batch)

        batches = pairs()
    else:
        batches = loader(
            images.cpu(), lightly_views() if name == "lightly" else solo_views(), arguments
        )
    half = partial(
        torch.autocast, arguments.device, dtype=torch.bfloat16, enabled=name.endswith("half")
    )

    def steps(number: int) -> None:
        for _, crops in zip(range(number), batches, strict=False):
            with half():
                first, second = (
                    model(crop.to(arguments.device, non_blocking=True)) for crop in crops[:2]
                )
                loss = criterion(first.float(), second.float())
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            float(loss.detach())

    return steps


def ours(
    name: str, method: nn.Module, images: Tensor, arguments: argparse.Namespace
) -> Callable[[int], None]:
    last = name != "peerscope"
    recipe = COLOUR_32 if arguments.bicubic else replace(COLOUR_32, interpolation="bilinear")
    batches = Batches(images, arguments.batch, TwoViews(recipe, channels_last=last))
    optimizer = torch.optim.SGD(method.parameters(), lr=0.06, momentum=0.9, weight_decay=5e-4)

    def steps(number: int) -> None:
        train(
            method, batches, optimizer, number, channels_last=last, device=arguments.device,
            precision="bfloat16" if name.endswith(("half", "compiled")) else "float32",
            compiled=name.endswith("compiled"),
        )  # fmt: skip

    return steps


def views_alone(name: str, images: Tensor, arguments: argparse.Namespace) -> Callable[[], object]:
    """Two views of one batch, without a step."""
    batch = images[: arguments.batch]
    if name.startswith("peerscope"):
        recipe = COLOUR_32 if arguments.bicubic else replace(COLOUR_32, interpolation="bilinear")
        two = TwoViews(recipe, channels_last=name != "peerscope")
        return lambda: two(batch)
    if name == "kornia":
        views = kornia_views()
        return lambda: (views(batch.float() / 255), views(batch.float() / 255))
    pictures = Pictures(batch.cpu(), lightly_views() if name == "lightly" else solo_views())
    return lambda: [pictures[place] for place in range(len(pictures))]


def status(field: str) -> float:
    """A field of this process's status, in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise ValueError(f"There is no field {field}.")


def clock(device: str) -> float:
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def work(name: str, arguments: argparse.Namespace) -> dict[str, float]:
    """Measure one system in this process."""
    torch.set_num_threads(1)
    images = cifar10("test").images[: arguments.images].to(arguments.device)
    steps, alone = stepper(name, images, arguments), views_alone(name, images, arguments)
    held = status("VmRSS")
    if arguments.device == "cpu":
        Path("/proc/self/clear_refs").write_text("5")
    steps(2)
    began = clock(arguments.device)
    steps(arguments.steps)
    each = (clock(arguments.device) - began) / arguments.steps
    peak = status("VmHWM") - held
    if arguments.device != "cpu":
        peak = torch.cuda.max_memory_allocated() / 2**20
    alone()
    began = clock(arguments.device)
    for _ in range(3):
        alone()
    views = (clock(arguments.device) - began) / 3
    return {
        "rate": arguments.batch / each,
        "peak": peak,
        "views": views / arguments.batch * 1e6,
        "share": views / each,
    }


def costs(arguments: argparse.Namespace) -> None:
    """What a view costs, step by step, and what sampling at the same points would."""
    torch.set_num_threads(1)
    images = cifar10("test").images[: arguments.batch]
    nothing = Recipe(flip=0, jitter=0, grey=0)
    only: dict[str, Recipe] = {
        "crop and flip, bilinear": replace(nothing, flip=0.5),
        "crop and flip, bicubic": replace(nothing, flip=0.5, interpolation="bicubic"),
        "brightness, contrast, saturation": replace(nothing, jitter=0.8, hue=0),
        "hue": replace(nothing, jitter=0.8, brightness=0, contrast=0, saturation=0),
        "greyscale": replace(nothing, grey=0.2),
        "blur": replace(nothing, blur=0.5),
        "solarisation": replace(nothing, solarise=0.2),
        "preset of 32 pixels": COLOUR_32,
    }
    base = least(partial(View(nothing), images))
    print("| step | µs an image and view |\n| --- | --- |")
    for name, recipe in only.items():
        taken = least(partial(View(recipe), images))
        whole = name.startswith(("crop", "preset"))
        print(f"| {name} | {(taken if whole else taken - base) / len(images) * 1e6:.1f} |")
    grid = torch.rand(len(images), 32, 32, 2) * 2 - 1
    sample = partial(nn.functional.grid_sample, images / 255, grid, align_corners=False)
    print(
        f"| `grid_sample` alone, grid given, bilinear | {least(sample) / len(images) * 1e6:.1f} |"
    )
    grey = images[:, :1, 2:30, 2:30].contiguous()
    small = least(partial(View(GREY_28), grey))
    print(f"| preset of 28 pixels, one channel | {small / len(images) * 1e6:.1f} |")


def least(call: Callable[[], object]) -> float:
    """Shortest process time of a call, in seconds."""
    call()
    taken = []
    for _ in range(15):
        began = time.process_time()
        call()
        taken.append(time.process_time() - began)
    return min(taken)


def agreement() -> None:
    """Ours and kornia's views of the same crops and factors, against Pillow or against each other."""
    import numpy as np
    from kornia import enhance
    from kornia.geometry.transform import crop_by_boxes
    from PIL import Image

    images = cifar10("test").images[:256]
    plain = replace(
        COLOUR_32, interpolation="bilinear", mean=(0.0,), std=(1.0,), grey=0.0, flip=0.0
    )
    view = View(plain)
    drawn = view.draw(256, 32, 32, generator=torch.Generator().manual_seed(0))
    still = replace(drawn, brightness=None, contrast=None, saturation=None, hue=None)
    own = view.apply(images, still)
    top, left, tall, wide = drawn.boxes.unbind(1)
    corners = [
        (left, top),
        (left + wide - 1, top),
        (left + wide - 1, top + tall - 1),
        (left, top + tall - 1),
    ]
    source = torch.stack([torch.stack(corner, dim=1) for corner in corners], dim=1)
    target = torch.tensor([[0.0, 0.0], [31.0, 0.0], [31.0, 31.0], [0.0, 31.0]]).expand(256, 4, 2)
    shown("crop, kornia and ours", crop_by_boxes(images.float() / 255, source, target), own)
    gold = []
    for image, (y, x, height, width) in zip(images, drawn.boxes.int().tolist(), strict=True):
        picture = Image.fromarray(image.permute(1, 2, 0).numpy())
        box = (x, y, x + width, y + height)
        gold.append(np.asarray(picture.crop(box).resize((32, 32), Image.Resampling.BILINEAR)))
    pillow = torch.from_numpy(np.stack(gold)).permute(0, 3, 1, 2) / 255
    shown("crop, Pillow and ours", pillow, own)
    shown("crop, Pillow and kornia", pillow, crop_by_boxes(images.float() / 255, source, target))
    turned = view.apply(images, replace(still, hue=drawn.hue))
    shown("hue, kornia and ours", enhance.adjust_hue(own, 2 * torch.pi * drawn.hue), turned)
    theirs = (own * drawn.brightness[:, None, None, None]).clamp(0, 1)
    theirs = enhance.adjust_contrast_with_mean_subtraction(theirs, drawn.contrast)
    theirs = enhance.adjust_saturation_with_gray_subtraction(theirs, drawn.saturation)
    linear = view.apply(images, replace(drawn, hue=None))
    shown("brightness, contrast, saturation, kornia and ours", theirs, linear)


def shown(name: str, one: Tensor, other: Tensor) -> None:
    gap = (one - other).abs()
    print(f"{name}: mean difference {float(gap.mean()):.5f}, largest {float(gap.max()):.4f}")


def tell(found: dict[str, list[dict[str, float]]], arguments: argparse.Namespace) -> None:
    base = statistics.median(one["rate"] for one in found.get("lightly", found["peerscope"]))
    print(
        "| system | images a core-second | against lightly | peak MiB | views, µs an image | views' share |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for name, runs in found.items():
        middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        low, high = (pick(run["rate"] for run in runs) for pick in (min, max))
        print(
            f"| {SYSTEMS[name]} | {middle['rate']:,.0f} ({low:,.0f} to {high:,.0f}) "
            f"| {middle['rate'] / base:.2f} | {middle['peak']:,.0f} | {middle['views']:,.0f} "
            f"| {middle['share']:.0%} |"
        )


def main() -> None:
    reader = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    reader.add_argument(
        "--peers", help="Python with torch, lightly, torchvision, kornia and Pillow"
    )
    reader.add_argument("--model", default="conv4")
    reader.add_argument("--width", type=float, help="factor of the encoder's widths")
    reader.add_argument("--batch", type=int, default=256)
    reader.add_argument("--images", type=int, default=5000)
    reader.add_argument("--steps", type=int, default=12)
    reader.add_argument("--rounds", type=int, default=3)
    reader.add_argument("--workers", type=int, default=0)
    reader.add_argument("--device", default="cpu")
    reader.add_argument(
        "--bicubic", action="store_true", help="bicubic crops in ours, as in the preset"
    )
    reader.add_argument("--systems", nargs="+", choices=SYSTEMS, help="all but the compiled one")
    reader.add_argument("--agreement", action="store_true", help="compare the views with kornia's")
    reader.add_argument("--costs", action="store_true", help="what a view costs, step by step")
    reader.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = reader.parse_args()
    if arguments.worker:
        print(json.dumps(work(arguments.worker, arguments)))
        return
    if arguments.agreement:
        agreement()
    if arguments.costs:
        costs(arguments)
    if arguments.agreement or arguments.costs:
        return
    wanted = arguments.systems or [name for name in SYSTEMS if name not in LEFT_OUT]
    chosen = [name for name in wanted if arguments.peers or name not in PEERS]
    print(f"{arguments.model}, batch {arguments.batch}, {arguments.device}, torch {torch.__version__}, "
          f"Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}", flush=True)  # fmt: skip
    found: dict[str, list[dict[str, float]]] = {name: [] for name in chosen}
    passed = [word for word in sys.argv[1:] if word not in ("--peers", arguments.peers)]
    for _ in range(arguments.rounds):
        for name in chosen:
            command = [arguments.peers or sys.executable, __file__, *passed, "--worker", name]
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            done = subprocess.run(
                command, capture_output=True, text=True, env=environment, check=False
            )
            if done.returncode:
                raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
            found[name].append(json.loads(done.stdout.splitlines()[-1]))
    tell(found, arguments)


if __name__ == "__main__":
    main()
