"""VGG-11 with a norm, and its training as in the notebooks behind arXiv 2207.01972; what its protocols share.

Those notebooks write VGG16 and train VGG-11. Here it pools four times and takes a mean at the end (the
original pools five times), so that images of 16 pixels are enough on a CPU. GN+ keeps running statistics
while it trains, and is evaluated twice: by those, and by the test batch, as its authors do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from peerscope.methods.backbones import Norm, Vgg
from peerscope.methods.batches import Batches
from peerscope.methods.norm import GroupNormPlus
from peerscope.methods.norm_analysis import SMALL_NOISE, GradientDistances, GroupNoise
from peerscope.methods.schedule import constant
from peerscope.methods.training import NonFiniteLoss, train
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.common import images
from peerscope.reproduce.protocols.vision_nets import Classifier, Supervised

TEST_BATCH = 100
"""Test images that share statistics; the authors' scripts have 100, their notebooks 128."""
STATISTICS = ("test-batch", "running")
"""By what GN+ is evaluated."""


@dataclass(frozen=True, slots=True)
class Task:
    """Images normalised to [-1, 1], shape ``[n, C, H, W]``, and their labels, on the trial's device."""

    images: Tensor
    labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    classes: int


@dataclass(frozen=True, slots=True)
class Arm:
    """One training.

    Attributes:
        norm: One of `norms`.
        batch: Images a step.
        steps: Of the optimiser.
        rate: Learning rate.
        noise: Whether the notebooks' small noise follows every norm.
        dropout: Share dropped after every pooling.
        sgd: SGD with momentum 0.9 and decay 1e-4, the rate a tenth after half and three quarters of the
            steps; else Adam at a constant rate.
    """

    norm: str
    batch: int
    steps: int
    rate: float
    noise: bool = False
    dropout: float = 0.0
    sgd: bool = False


@dataclass(slots=True)
class Trained:
    """What a training left.

    Attributes:
        right: Kind of statistics to the test images read rightly at the best look, bool, shape ``[n]``; nets
            without GN+ have one kind, ``own``.
        looks: Kind to accuracy in percent at each look.
        losses: Of every step.
        distances: Of successive gradients of the last layer's weight, from the second step on.
    """

    right: dict[str, Tensor] = field(default_factory=dict)
    looks: dict[str, list[float]] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)
    distances: list[float] = field(default_factory=list)

    def points(self, kind: str = "own") -> list[float]:
        """100 for a test image read rightly and 0 for another, so that their mean is in percent."""
        return [100.0 * one for one in self.right[kind].tolist()]


def norms(groups: int) -> Mapping[str, Norm | None]:
    """The norms by name; ``plus`` is the authors' GN+, ``channel`` has the batch step of batch norm."""

    def plus(order: str = "gn_first", batch_stats: str = "position") -> Norm:
        return lambda channels: GroupNormPlus(
            channels, groups, order=order, batch_stats=batch_stats, track_running_stats=True
        )

    return {
        "none": None,
        "gn": lambda channels: nn.GroupNorm(groups, channels),
        "bn": nn.BatchNorm2d,
        "plus": plus(),
        "channel": plus(batch_stats="channel"),
        "bn-first": plus("bn_first"),
        "parallel": plus("parallel"),
    }


def kinds(norm: str) -> tuple[str, ...]:
    """By what statistics nets with a norm are evaluated."""
    return ("own",) if norm in ("none", "gn", "bn") else STATISTICS


def task(trial: Trial, name: str) -> Task:
    """The first images of a set at the trial's ``side``: padded to 32 pixels and averaged, or as they are.

    Args:
        trial: Its settings ``images``, ``test_images`` and ``side`` hold.
        name: Of the set.
    """
    train_set = images(trial, name, "train", trial["images"])
    test_set = images(trial, name, "test", trial["test_images"])
    pixels = [_sized(part.images, trial["side"]) for part in (train_set, test_set)]
    return Task(pixels[0], train_set.labels, pixels[1], test_set.labels, len(train_set.classes))


def _sized(pixels: Tensor, side: int) -> Tensor:
    missing = 32 - pixels.shape[-1]
    padded = functional.pad(pixels, (missing // 2,) * 4).float() / 255
    return (functional.avg_pool2d(padded, 32 // side) - 0.5) / 0.5


def vgg(trial: Trial, arm: Arm, data: Task) -> Classifier:
    """VGG-11 of the trial's ``width`` and ``groups`` with an arm's norm, noise and dropout."""
    groups = trial["groups"]
    backbone = Vgg(data.images.shape[1], width=trial["width"], norm=norms(groups)[arm.norm])
    for place, stage in enumerate(backbone.blocks):
        assert isinstance(stage, nn.Sequential)
        layers: list[nn.Module] = []
        for layer in stage:
            if arm.noise and isinstance(layer, nn.ReLU):
                layers.append(GroupNoise(groups, *SMALL_NOISE))
            layers.append(layer)
            if arm.dropout and isinstance(layer, nn.MaxPool2d):
                layers.append(nn.Dropout(arm.dropout))
        backbone.blocks[place] = nn.Sequential(*layers)
    return Classifier(backbone, data.classes)


def trained(trial: Trial, arm: Arm, data: Task) -> Trained:
    """Train an arm from the trial's seed and look at the test images now and then.

    All norms of a seed begin with the same convolutions and see the same batches in the same order (a net
    without a norm has biases, so its convolutions are others). A loss that is not finite ends the training;
    what was seen before it stays.

    Args:
        trial: Its settings ``looks`` and ``precision`` hold.
        arm: What is trained.
        data: On what.
    """
    torch.manual_seed(trial.seed)
    net = vgg(trial, arm, data).to(trial.device)
    found, method = Trained(), Supervised(net)
    weight = net.head.weight
    assert isinstance(weight, nn.Parameter)
    distances = GradientDistances(weight)
    due = {round(arm.steps * (look + 1) / trial["looks"]) for look in range(trial["looks"])}

    def watch(step: int, parts: Mapping[str, Tensor]) -> None:
        distances.observe()
        found.losses.append(float(parts["loss"]))
        if step in due:
            _look(net, arm.norm, data, found)

    try:
        train(
            method,
            Batches(data.images, arm.batch, labels=data.labels, seed=trial.seed),
            _optimizer(method, arm),
            arm.steps,
            schedule=stairs if arm.sgd else constant,
            precision=trial["precision"],
            channels_last=trial.device == "cuda",
            seed=trial.seed,
            watch=watch,
        )
    except NonFiniteLoss as error:
        trial.log(f"{arm}: {error}")
        _look(net, arm.norm, data, found)
    found.distances = distances.values
    told = ", ".join(f"{kind} {max(values):.1f} %" for kind, values in found.looks.items())
    trial.log(f"{_words(arm)}: {told}; last loss {found.losses[-1]:.3f}")
    return found


def _look(net: Classifier, norm: str, data: Task, found: Trained) -> None:
    for kind in kinds(norm):
        right = guesses(net, data.test_images, running=kind == "running") == data.test_labels
        accuracy = 100 * right.double().mean().item()
        before = found.looks.setdefault(kind, [])
        if accuracy > max(before, default=-1.0):
            found.right[kind] = right.cpu()
        before.append(accuracy)


@torch.no_grad()
def guesses(net: nn.Module, pixels: Tensor, *, running: bool) -> Tensor:
    """The classes that a net reads, int64, shape ``[n]``; in batches of `TEST_BATCH`, in order.

    Args:
        net: Left as it was.
        pixels: Shape ``[n, C, H, W]``.
        running: Whether GN+ takes its running statistics, not those of the batch.
    """
    layers = [layer for layer in net.modules() if isinstance(layer, GroupNormPlus)]
    training = net.training
    net.eval()
    for layer in layers:
        layer.track_running_stats = running
    found = torch.cat([net(part).argmax(dim=1) for part in torch.split(pixels, TEST_BATCH)])
    for layer in layers:
        layer.track_running_stats = True
    net.train(training)
    return found


def _optimizer(method: nn.Module, arm: Arm) -> torch.optim.Optimizer:
    if arm.sgd:
        return torch.optim.SGD(method.parameters(), lr=arm.rate, momentum=0.9, weight_decay=1e-4)
    return torch.optim.Adam(method.parameters(), lr=arm.rate)


def stairs(step: int, steps: int) -> float:
    """A tenth from half of the steps on, a hundredth from three quarters (81 and 122 of 164 epochs there)."""
    return 0.1 ** ((step >= steps / 2) + (step >= 3 * steps / 4))


def _words(arm: Arm) -> str:
    extra = [f"batch {arm.batch}", f"{arm.steps} steps", f"rate {arm.rate:g}"]
    extra += ["noise"] * arm.noise + [f"dropout {arm.dropout:g}"] * (arm.dropout > 0)
    return f"{arm.norm} ({', '.join(extra)})"


def put_accuracies(trial: Trial, prefix: str, arm: Arm, result: Trained) -> None:
    """Put down the accuracy of a training, image by image, under each kind of statistics."""
    for kind in kinds(arm.norm):
        name = arm.norm if kind == "own" else f"{arm.norm}/{kind}"
        trial.figure(f"{prefix}/{name}", result.points(kind))
