"""Masked autoencoders against transformers' ViTMAE, and what the choices do on Fashion-MNIST.

    python benchmarks/methods_masked.py peer      # same weights and mask: how far apart; speed; memory
    python benchmarks/methods_masked.py probe     # short trainings on Fashion-MNIST, then a linear probe
    python benchmarks/methods_masked.py cost      # time of a training step of each run, on random images

The peer needs `pip install --no-deps transformers regex tokenizers` in an environment that has torch. Both
print their figures; `--json FILE` keeps them.
"""

from __future__ import annotations

import argparse
import gzip
import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from peerscope.methods.masked import MaskedAutoencoder, data2vec, denoising, mae, mask_feat, simmim
from peerscope.methods.masked.maskers import BlockMasker, RandomMasker
from peerscope.methods.masked.targets import NormalizedPixels, Target

SETTINGS: dict[str, dict[str, int]] = {
    "32 px, patch 4, 96 x 4, decoder 64 x 1, batch 128": {
        "side": 32, "patch": 4, "dim": 96, "depth": 4, "heads": 4,
        "decoder_dim": 64, "decoder_depth": 1, "decoder_heads": 4, "batch": 128,
    },
    "224 px, patch 16, 192 x 12, decoder 96 x 2, batch 16": {
        "side": 224, "patch": 16, "dim": 192, "depth": 12, "heads": 3,
        "decoder_dim": 96, "decoder_depth": 2, "decoder_heads": 3, "batch": 16,
    },
}  # fmt: skip
FASHION = Path("/usr/share/datasets/fashion-mnist")


def ours(setting: dict[str, int]) -> MaskedAutoencoder:
    sizes = {key: value for key, value in setting.items() if key not in ("side", "patch", "batch")}
    return mae(setting["patch"], 3, **sizes)  # type: ignore[arg-type]


def theirs(setting: dict[str, int]) -> nn.Module:
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    config = ViTMAEConfig(
        hidden_size=setting["dim"],
        num_hidden_layers=setting["depth"],
        num_attention_heads=setting["heads"],
        intermediate_size=4 * setting["dim"],
        image_size=setting["side"],
        patch_size=setting["patch"],
        decoder_hidden_size=setting["decoder_dim"],
        decoder_num_hidden_layers=setting["decoder_depth"],
        decoder_num_attention_heads=setting["decoder_heads"],
        decoder_intermediate_size=4 * setting["decoder_dim"],
        norm_pix_loss=True,
        layer_norm_eps=1e-6,
    )
    config._attn_implementation = "sdpa"
    model = ViTMAEForPreTraining(config)
    # Version 5.24.0 builds the model with zeros for positions, class token and mask token: its own method to
    # fill them is skipped because the projection beside them is marked as done.
    model.vit.embeddings.patch_embeddings.projection._is_hf_initialized = False
    model.vit.embeddings.initialize_weights()
    model.decoder.initialize_weights((setting["side"] // setting["patch"]) ** 2)
    return model  # type: ignore[no-any-return]


def their_weights(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Their weights under our names."""
    kernel = state["vit.embeddings.patch_embeddings.projection.weight"]
    found = {
        "encoder.summary": state["vit.embeddings.cls_token"].flatten(),
        # theirs is a convolution, whose kernel has channels first
        "encoder.embedding.weight": kernel.permute(0, 2, 3, 1).flatten(1),
        "encoder.embedding.bias": state["vit.embeddings.patch_embeddings.projection.bias"],
        "decoder.token": state["decoder.mask_token"].flatten(),
    }
    for kind in ("weight", "bias"):
        found[f"encoder.norm.{kind}"] = state[f"vit.layernorm.{kind}"]
        found[f"decoder.enter.{kind}"] = state[f"decoder.decoder_embed.{kind}"]
        found[f"decoder.norm.{kind}"] = state[f"decoder.decoder_norm.{kind}"]
        found[f"decoder.leave.{kind}"] = state[f"decoder.decoder_pred.{kind}"]
        for side, name in (("encoder", "vit.layers"), ("decoder", "decoder.decoder_layers")):
            number = 0
            while f"{name}.{number}.mlp.fc1.{kind}" in state:
                theirs, mine = f"{name}.{number}", f"{side}.blocks.{number}"
                found[f"{mine}.attn.qkv.{kind}"] = torch.cat(
                    [state[f"{theirs}.attention.{part}_proj.{kind}"] for part in "qkv"]
                )
                found[f"{mine}.attn.proj.{kind}"] = state[f"{theirs}.attention.o_proj.{kind}"]
                found[f"{mine}.norm1.{kind}"] = state[f"{theirs}.layernorm_before.{kind}"]
                found[f"{mine}.norm2.{kind}"] = state[f"{theirs}.layernorm_after.{kind}"]
                found[f"{mine}.mlp.0.{kind}"] = state[f"{theirs}.mlp.fc1.{kind}"]
                found[f"{mine}.mlp.2.{kind}"] = state[f"{theirs}.mlp.fc2.{kind}"]
                number += 1
    return found


def agreement(setting: dict[str, int]) -> dict[str, float]:
    """Greatest differences with their weights and their mask."""
    torch.manual_seed(0)
    peer, method = theirs(setting), ours(setting)
    method.load_state_dict(their_weights(peer.state_dict()))
    images = torch.rand(8, 3, setting["side"], setting["side"])
    noise = torch.rand(8, (setting["side"] // setting["patch"]) ** 2)
    out = peer(images, noise=noise)
    loss, _ = method(images, mask=out.mask.bool())
    with torch.no_grad():
        _, _, predicted = method._predicted(method.form.split(images), out.mask.bool(), None)
    out.loss.backward()
    loss.backward()
    gradients = {name: part.grad for name, part in peer.named_parameters() if part.grad is not None}
    named = their_weights(gradients)
    apart = max(
        float((part.grad - named[name]).abs().max()) for name, part in method.named_parameters()
    )
    greatest = max(float(part.grad.abs().max()) for part in method.parameters())
    return {
        "loss": float(loss.detach()),
        "loss apart": abs(float(loss.detach() - out.loss.detach())),
        "prediction apart": float((predicted - out.logits.detach()).abs().max()),
        "gradient apart": apart,
        "greatest gradient": greatest,
        "parameters": sum(p.numel() for p in method.parameters()),
    }


class Stepper:
    """Training steps of one of the two, on the same images."""

    def __init__(self, which: str, setting: dict[str, int]) -> None:
        torch.manual_seed(0)
        self.model = ours(setting) if which == "ours" else theirs(setting)
        self.images = torch.rand(setting["batch"], 3, setting["side"], setting["side"])
        parts = [part for part in self.model.parameters() if part.requires_grad]
        self.optimizer = torch.optim.AdamW(parts, 1e-4, betas=(0.9, 0.95), weight_decay=0.05)

    def __call__(self) -> None:
        found = self.model(self.images)
        loss = found[0] if isinstance(found, tuple) else found.loss
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


def speed(setting: dict[str, int], rounds: int, steps: int) -> dict[str, Any]:
    """Seconds of processor time a step, the two by turns."""
    steppers = {which: Stepper(which, setting) for which in ("ours", "theirs")}
    times: dict[str, list[float]] = {which: [] for which in steppers}
    for number in range(rounds + 1):
        for which, stepper in steppers.items():
            start = time.process_time()
            for _ in range(steps):
                stepper()
            if number:  # the first round warms up
                times[which].append((time.process_time() - start) / steps)
    median = {which: statistics.median(found) for which, found in times.items()}
    ratios = [b / a for a, b in zip(times["ours"], times["theirs"], strict=True)]
    return {
        "images/s ours": setting["batch"] / median["ours"],
        "images/s theirs": setting["batch"] / median["theirs"],
        "ratio": statistics.median(ratios),
        "ratio from": min(ratios),
        "ratio to": max(ratios),
    }


def memory(which: str, name: str) -> float:
    """MiB that five steps add at most to a fresh process that has model, optimiser and images."""
    stepper = Stepper(which, SETTINGS[name])
    before = resident("VmRSS")
    for _ in range(5):
        stepper()
    return (resident("VmHWM") - before) / 1024


def resident(what: str) -> int:
    """KiB now (``VmRSS``) or at most so far (``VmHWM``) of this process, without what its parent had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what))


def peer(rounds: int, steps: int) -> dict[str, Any]:
    import transformers

    found: dict[str, Any] = {"transformers": transformers.__version__}
    for name, setting in SETTINGS.items():
        row: dict[str, Any] = agreement(setting) | speed(setting, rounds, steps)
        for which in ("ours", "theirs"):
            command = [sys.executable, __file__, "memory", "--which", which, "--setting", name]
            row[f"MiB {which}"] = float(subprocess.check_output(command, text=True))
        found[name] = row
        print(name)
        for key, value in row.items():
            print(f"  {key}: {value:.4g}")
    return found


def fashion(kind: str, number: int) -> tuple[Tensor, Tensor]:
    """Images in [0, 1], shape ``[number, 1, 28, 28]``, and classes."""
    with gzip.open(FASHION / f"{kind}-images-idx3-ubyte.gz") as file:
        raw = np.frombuffer(file.read(16 + number * 784), np.uint8, offset=16)
    with gzip.open(FASHION / f"{kind}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(8 + number), np.uint8, offset=8)
    images = torch.tensor(raw.reshape(-1, 1, 28, 28) / 255, dtype=torch.float32)
    return images, torch.tensor(labels.astype(np.int64))


RUNS = {
    "random weights": lambda: mae(4, 1),
    "MAE 0.25": lambda: mae(4, 1, masker=RandomMasker(0.25)),
    "MAE 0.5": lambda: mae(4, 1, masker=RandomMasker(0.5)),
    "MAE 0.75": lambda: mae(4, 1),
    "MAE 0.9": lambda: mae(4, 1, masker=RandomMasker(0.9)),
    "MAE 0.75, blocks": lambda: mae(4, 1, masker=BlockMasker(0.75, exact=True)),
    "MAE 0.75, plain pixels": lambda: mae(4, 1, target=Target()),
    "SimMIM 0.6": lambda: simmim(4, 1, masker=RandomMasker(0.6, rounding="up")),
    "denoising, sigma 0.5": lambda: denoising(4, 1, target=NormalizedPixels()),
    "MaskFeat, blocks of 40%": lambda: mask_feat(4, 1),
    "data2vec, blocks of 60%": lambda: data2vec(4, 1, top=3, decay=(0.99, 0.999)),
}


def trained(
    method: MaskedAutoencoder, images: Tensor, epochs: int, seed: int, batch: int = 64
) -> float:
    """Train; processor seconds. AdamW 1.5e-3, warm-up over a tenth, then a cosine."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    parts = [part for part in method.parameters() if part.requires_grad]
    optimizer = torch.optim.AdamW(parts, 1.5e-3, betas=(0.9, 0.95), weight_decay=0.05)
    each = len(images) // batch
    steps, start = epochs * each, time.process_time()
    for step in range(steps):
        if step % each == 0:
            order = torch.randperm(len(images), generator=generator)
        share = min((step + 1) / (0.1 * steps), 0.5 + 0.5 * np.cos(np.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = 1.5e-3 * share
        chosen = order[step % each * batch :][:batch]
        loss, _ = method(images[chosen], generator=generator)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        method.after_step(step + 1, steps)
    return time.process_time() - start


@torch.no_grad()
def codes(method: MaskedAutoencoder, images: Tensor) -> Tensor:
    method.eval()
    return torch.cat([method.encode(part, pool="mean") for part in images.split(500)])


def probed(train: Tensor, classes: Tensor, test: Tensor, truth: Tensor) -> float:
    """Accuracy of a linear map on standardised mean codes, fitted by L-BFGS with a weight penalty of 1e-4."""
    deviation, mean = torch.std_mean(train, dim=0)
    train, test = (train - mean) / (deviation + 1e-6), (test - mean) / (deviation + 1e-6)
    weight = torch.zeros(train.shape[1], 10, requires_grad=True)
    bias = torch.zeros(10, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(train @ weight + bias, classes)
        loss = loss + 1e-4 * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return float((((test @ weight + bias).argmax(dim=1)) == truth).float().mean())


def probe(
    names: list[str], seeds: int, number: int, epochs: int, path: Path | None
) -> dict[str, Any]:
    train, classes = fashion("train", number)
    test, truth = fashion("t10k", 2000)
    found: dict[str, Any] = {name: [] for name in names}
    for seed in range(seeds):
        for name in names:
            torch.manual_seed(seed)
            method = RUNS[name]()
            spent = 0.0 if name == "random weights" else trained(method, train, epochs, seed)
            accuracy = probed(codes(method, train), classes, codes(method, test), truth)
            found[name].append({"accuracy": accuracy, "seconds": spent})
            print(f"{name}, seed {seed}: {accuracy:.4f} in {spent:.0f} s", flush=True)
            if path is not None:
                path.write_text(json.dumps(found, indent=1))
    return found


def cost(rounds: int, steps: int) -> dict[str, Any]:
    """Images per second of processor time of the runs' training steps, all by turns; median over rounds."""
    images = torch.rand(64, 1, 28, 28)
    methods = {name: make() for name, make in RUNS.items() if name != "random weights"}
    optimizers = {
        name: torch.optim.AdamW([p for p in method.parameters() if p.requires_grad], 1e-4)
        for name, method in methods.items()
    }
    times: dict[str, list[float]] = {name: [] for name in methods}
    for number in range(rounds + 1):
        for name, method in methods.items():
            start = time.process_time()
            for step in range(steps):
                loss, _ = method(images)
                optimizers[name].zero_grad()
                loss.backward()
                optimizers[name].step()
                method.after_step(step + 1, steps)
            if number:  # the first round warms up
                times[name].append(steps * len(images) / (time.process_time() - start))
    found = {name: statistics.median(each) for name, each in times.items()}
    for name, speed in found.items():
        print(f"{name}: {speed:.0f} images/s")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["peer", "probe", "cost", "memory"])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--runs", nargs="*", default=list(RUNS))
    parser.add_argument("--which", default="ours")
    parser.add_argument("--setting", default=next(iter(SETTINGS)))
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.part == "memory":
        print(memory(given.which, given.setting))
        return
    print(f"Python {platform.python_version()}, PyTorch {torch.__version__}, one thread")
    if given.part == "peer":
        found = peer(given.rounds, given.steps)
    elif given.part == "cost":
        found = cost(given.rounds, given.steps)
    else:
        found = probe(given.runs, given.seeds, given.images, given.epochs, given.json)
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
