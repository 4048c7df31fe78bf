"""What protocols of masked autoencoders share: nets of a profile's sizes, training, probes, fine-tuning."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from peerscope.methods.batches import Batches, generator_of
from peerscope.methods.datasets import ImageSet
from peerscope.methods.evaluate import features, logistic_probe
from peerscope.methods.masked import MaskedAutoencoder, denoising, mae, simmim
from peerscope.methods.masked.maskers import RandomMasker
from peerscope.methods.masked.targets import NormalizedPixels, Target
from peerscope.methods.schedule import Cosine, decayed
from peerscope.methods.training import train
from peerscope.reproduce.protocol import Trial

DECAY = 1e-3
"""Of the linear probe's weights."""

BLOCK = 10
"""Test images that make one unit of a figure."""


def net(trial: Trial, arm: str) -> MaskedAutoencoder:
    """A new autoencoder of an arm; weights follow from the trial's seed alone.

    Args:
        trial: Its settings ``dim``, ``depth``, ``heads``, ``patch``, ``decoder_dim`` give the sizes.
        arm: ``mae/RATIO``, ``mae/RATIO/DEPTH`` (of the decoder), ``raw`` (MAE on plain pixels), ``noise``
            (denoising autoencoder), ``simmim``.
    """
    torch.manual_seed(trial.seed)
    patch, (kind, *rest) = int(trial["patch"]), arm.split("/")
    dim, depth, heads = int(trial["dim"]), int(trial["depth"]), int(trial["heads"])
    if kind == "simmim":
        return simmim(patch, 3, dim=dim, depth=depth, heads=heads)
    if kind == "noise":
        target = NormalizedPixels()
        return denoising(patch, 3, dim=dim, depth=depth, heads=heads, target=target)
    return mae(
        patch,
        3,
        dim=dim,
        depth=depth,
        heads=heads,
        decoder_dim=int(trial["decoder_dim"]),
        decoder_depth=int(rest[1]) if len(rest) > 1 else 1,
        masker=RandomMasker(float(rest[0]) if rest else 0.75, rounding="keep"),
        target=Target() if kind == "raw" else None,
    )


def as_floats(images: Tensor) -> Tensor:
    """``uint8`` images in [0, 1]."""
    return images.float() / 255


def batches(images: Tensor, size: int, seed: int) -> Batches:
    """Shuffled batches of images in [0, 1], as they are."""
    return Batches(images, size, lambda part, generator: as_floats(part), seed=seed)


def trained(
    trial: Trial, arm: str, method: nn.Module, given: Callable[[int], Any], steps: int
) -> None:
    """Train by AdamW as MAE is: betas 0.9 and 0.95, decay 0.05, a tenth of the steps warm-up, cosine."""
    optimizer = torch.optim.AdamW(decayed(method, 0.05), float(trial["rate"]), betas=(0.9, 0.95))
    method.to(trial.device)
    run = train(
        method,
        given,
        optimizer,
        steps,
        schedule=Cosine(warmup=max(steps // 10, 1)),
        precision="float32" if trial.device == "cpu" else "bfloat16",
        seed=trial.seed,
        progress=lambda step, of, parts: trial.progress(arm, step, of),
    )
    trial.log(f"{arm}: loss {run.losses[-1]:.4f} after {steps} steps, {run.seconds:.0f} s")


def correct(guesses: Tensor, truth: Tensor) -> list[float]:
    """Share of right answers in each block of ten test images: the units of a figure."""
    right = (guesses == truth).double()
    whole = len(right) // BLOCK * BLOCK
    return right[:whole].reshape(-1, BLOCK).mean(dim=1).tolist() or [float(right.mean())]


class Probes:
    """Linear probes of frozen encoders on the same images.

    Args:
        train: Labelled images.
        test: Images to classify.
    """

    def __init__(self, train: ImageSet, test: ImageSet) -> None:
        self.train, self.test = train, test

    def codes(self, encoder: nn.Module) -> tuple[Tensor, Tensor]:
        """Features of both sets, shape ``[n, dim]`` each."""
        encoder.to(self.train.images.device)
        return (
            features(encoder, self.train.images, as_floats, batch=256),
            features(encoder, self.test.images, as_floats, batch=256),
        )

    def linear(self, codes: tuple[Tensor, Tensor], number: int | None = None) -> list[float]:
        """Accuracy of a linear map learned from the first ``number`` labels, block by block."""
        given, labels = codes[0][:number], self.train.labels[:number]
        probe = logistic_probe(given, labels, decay=DECAY)
        return correct(probe.logits(codes[1]).argmax(dim=1), self.test.labels)


class Classifier(nn.Module):
    """An encoder with a linear head, for `train`: the cross-entropy of a batch of images and labels."""

    def __init__(self, encoder: nn.Module, width: int, classes: int) -> None:
        super().__init__()
        self.encoder, self.head = encoder, nn.Linear(width, classes)

    def logits(self, images: Tensor) -> Tensor:
        """Scores of the classes, shape ``[N, classes]``."""
        found: Tensor = self.head(self.encoder(images))
        return found

    def forward(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, and nothing besides."""
        loss = functional.cross_entropy(self.logits(batch[0]), batch[1])
        return loss, {"loss": loss.detach()}


def fine_tuned(trial: Trial, encoder: nn.Module, width: int, probes: Probes) -> list[float]:
    """Accuracy after training all weights on few labels, block by block; the encoder is changed.

    The profile's ``labels`` says how many, ``tuning_passes`` how often each is seen.
    """
    number = int(trial["labels"])
    torch.manual_seed(trial.seed)
    classifier = Classifier(encoder, width, 10).to(trial.device)
    size = min(32, number)
    given = Batches(
        probes.train.images[:number],
        size,
        lambda part, generator: as_floats(part),
        labels=probes.train.labels[:number],
        seed=trial.seed,
    )
    steps = max(int(trial["tuning_passes"]) * number // size, 1)
    optimizer = torch.optim.AdamW(decayed(classifier, 0.05), float(trial["tuning_rate"]))
    schedule = Cosine(warmup=max(steps // 10, 1))
    train(classifier, given, optimizer, steps, schedule=schedule, seed=trial.seed)
    logits = features(classifier.logits, probes.test.images, as_floats, batch=256)
    return correct(logits.argmax(dim=1), probes.test.labels)


def step_costs(trial: Trial, arms: tuple[str, ...], images: Tensor) -> dict[str, float]:
    """Seconds that a thousand images take in training, the arms by turns; medians over rounds.

    Seconds are the processor's on a CPU and the clock's, after the device has finished, on an accelerator.
    """
    rounds, steps, size = int(trial["rounds"]), int(trial["round_steps"]), int(trial["batch"])
    methods = {arm: net(trial, arm).to(trial.device) for arm in arms}
    optimizers = {arm: torch.optim.AdamW(one.parameters(), 1e-4) for arm, one in methods.items()}
    spent: dict[str, list[float]] = {arm: [] for arm in arms}
    batch = as_floats(images[:size])
    for turn in range(rounds + 1):
        for arm, method in methods.items():
            began = _moment(trial)
            for step in range(steps):
                chance = generator_of(batch.device, trial.seed, turn, step)
                loss, _ = method(batch, generator=chance)
                optimizers[arm].zero_grad()
                loss.backward()
                optimizers[arm].step()
            if turn:  # the first round warms up
                spent[arm].append((_moment(trial) - began) / (steps * len(batch)) * 1000)
        trial.progress("time of a step", turn, rounds)
    return {arm: sorted(times)[len(times) // 2] for arm, times in spent.items()}


def _moment(trial: Trial) -> float:
    if trial.device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()
