"""Frozen features and fine-tuning of one encoder, trained by masks, by contrast or not at all."""

from __future__ import annotations

from torch import Tensor

from peerscope.methods.augment import Recipe, TwoViews
from peerscope.methods.batches import Batches
from peerscope.methods.evaluate import neighbour_votes
from peerscope.methods.masked.autoencoder import Backbone, MaskedAutoencoder
from peerscope.methods.masked.towers import TransformerDecoder
from peerscope.methods.presets import simclr
from peerscope.reproduce.harness import main
from peerscope.reproduce.papers.masked_autoencoders import PAPER
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.common import images, prepared
from peerscope.reproduce.protocols.masked_training import (
    Probes,
    batches,
    correct,
    fine_tuned,
    net,
    trained,
)

VIEWS = Recipe(size=32, scale=(0.2, 1.0))
"""SimCLR's colours; crops of a fifth of the image or more, as is usual at 32 pixels."""


def run(trial: Trial) -> None:
    """Train the arms of the profile, then read each by neighbours, by a linear map, and by fine-tuning."""
    prepared(trial)
    train = images(trial, "cifar-10", "train", int(trial["images"]))
    probes = Probes(
        train.part(slice(0, int(trial["probe_images"]))),
        images(trial, "cifar-10", "test", int(trial["test_images"])),
    )
    few = int(trial["labels"])
    means: dict[str, float] = {}
    for arm in trial["arms"]:
        encoder = _encoder(trial, str(arm), train.images)
        codes = probes.codes(encoder)
        found = {
            "knn": _neighbours(probes, codes),
            "probe": probes.linear(codes),
            "few_labels": probes.linear(codes, few),
            "fine_tuned": fine_tuned(trial, encoder, encoder.dim, probes),
        }
        for name, blocks in found.items():
            trial.figure(f"{name}/{arm}", blocks)
            means[f"{name}/{arm}"] = sum(blocks) / len(blocks)
        trial.log(f"{arm}:", {name: round(means[f"{name}/{arm}"], 4) for name in found})
    for name in ("probe", "fine_tuned"):
        trial.figure(f"gain/{name}", means[f"{name}/deep"] - means[f"{name}/mae"])


def _encoder(trial: Trial, arm: str, given: Tensor) -> Backbone:
    """The trained encoder of an arm: ``random``, ``mae``, ``deep``, ``simmim``, ``heavy``, ``contrast``."""
    kept = {"deep": f"mae/0.75/{trial['deep']}", "simmim": "simmim"}.get(arm, "mae/0.75")
    method = _heavy(trial) if arm == "heavy" else net(trial, kept)
    size = int(trial["batch"])
    if arm == "contrast":
        pairs = Batches(given, int(trial["pairs"]), TwoViews(VIEWS), seed=trial.seed)
        trained(trial, arm, simclr(method.backbone()), pairs, int(trial["contrast_steps"]))
    elif arm != "random":
        trained(trial, arm, method, batches(given, size, trial.seed), int(trial["steps"]))
    return method.backbone()


def _heavy(trial: Trial) -> MaskedAutoencoder:
    """SimMIM with MAE's decoder in place of the linear head."""
    method, values = net(trial, "simmim"), 3 * int(trial["patch"]) ** 2
    width, deep = int(trial["decoder_dim"]), int(trial["deep"])
    prefix = method.encoder.prefix
    method.decoder = TransformerDecoder(method.dim, width, deep, 4, values, prefix)
    return method


def _neighbours(probes: Probes, codes: tuple[Tensor, Tensor]) -> list[float]:
    votes = neighbour_votes(codes[0], probes.train.labels, codes[1], classes=10)
    return correct(votes.argmax(dim=1), probes.test.labels)


if __name__ == "__main__":
    main(PAPER, "masked_probe")
