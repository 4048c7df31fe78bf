"""Draws what a masked autoencoder makes of hidden patches of Fashion-MNIST, after a short training.

    python benchmarks/methods_masked_strip.py docs/images/methods/masked-strip.svg

The first image of each class of the test set; the target is plain pixels, so that nothing of a hidden patch
is known. Fashion-MNIST is under the MIT licence (Xiao et al. 2017).
"""

from __future__ import annotations

import argparse
import base64
import struct
import zlib
from pathlib import Path

import numpy as np
import torch
from methods_masked import fashion, trained
from numpy.typing import NDArray
from torch import Tensor

from peerscope.methods.masked import mae
from peerscope.methods.masked.targets import Target
from peerscope.methods.masked.units import Patches
from peerscope.methods.transformer import patchify

SCALE, GAP, LEFT, TOP = 2, 6, 112, 34
STYLE = (
    ".bg{fill:#fbfaf7}.t{fill:#1f1d1a}.m{fill:#5d594f;font-size:12px}"
    "@media (prefers-color-scheme:dark){.bg{fill:#171613}.t{fill:#ece8de}.m{fill:#b3ad9e}}"
)
NAMES = (
    "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot",
)  # fmt: skip
HIDDEN = 0.45
"""Brightness that stands for hidden patches: black is the background of these images."""


def png(grey: NDArray[np.uint8]) -> str:
    """A greyscale image as a data address."""
    height, width = grey.shape
    rows = b"".join(b"\0" + row.tobytes() for row in grey)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    whole = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 9))
    return "data:image/png;base64," + base64.b64encode(whole + chunk(b"IEND", b"")).decode()


def draw(rows: dict[str, Tensor], described: str) -> str:
    """Rows of images, shape ``[10, 1, 28, 28]`` each, as SVG."""
    side = 28 * SCALE
    width = LEFT + 10 * (side + GAP) + GAP
    height = TOP + len(rows) * (side + GAP) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'aria-labelledby="t d" font-family="ui-sans-serif, system-ui, sans-serif" font-size="13">',
        '<title id="t">Reconstructions of Fashion-MNIST by a masked autoencoder</title>',
        f'<desc id="d">{described}</desc>',
        f"<style>{STYLE}image{{image-rendering:pixelated}}</style>",
        f'<rect class="bg" width="{width}" height="{height}" rx="8"/>',
    ]
    for column, name in enumerate(NAMES):
        x = LEFT + column * (side + GAP) + side / 2
        parts.append(f'<text class="m" x="{x}" y="{TOP - 12}" text-anchor="middle">{name}</text>')
    for number, (label, images) in enumerate(rows.items()):
        y = TOP + number * (side + GAP)
        parts.append(f'<text class="t" x="12" y="{y + side / 2 + 4}">{label}</text>')
        for column, image in enumerate(images):
            grey = (image[0].clamp(0, 1) * 255).round().to(torch.uint8).numpy()
            x = LEFT + column * (side + GAP)
            parts.append(
                f'<image x="{x}" y="{y}" width="{side}" height="{side}" href="{png(grey)}"/>'
            )
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    train, _ = fashion("train", given.images)
    test, classes = fashion("t10k", 2000)
    torch.manual_seed(0)
    method = mae(4, 1, decoder_depth=2, target=Target())
    spent = trained(method, train, given.epochs, seed=0)
    found = method.reconstruct(test, generator=torch.Generator().manual_seed(0))
    truth, mean = patchify(test, 4), patchify(train, 4).mean(dim=0)
    own = float((patchify(found.predicted, 4) - truth).square().mean(dim=-1)[found.mask].mean())
    base = float((mean - truth).square().mean(dim=-1)[found.mask].mean())
    chosen = [int((classes == kind).nonzero()[0, 0]) for kind in range(10)]
    picked = test[chosen]
    form = Patches(4)
    units = form.split(picked)
    hidden = form.join(units.values.masked_fill(found.mask[chosen][:, :, None], HIDDEN), units)
    told = (
        f"Squared error of hidden patches {own:.4f}; of the training images' mean patch at each place "
        f"{base:.4f}. {given.images} images, {given.epochs} epochs, {spent:.0f} processor seconds."
    )
    print(told)
    rows = {"original": picked, "75% hidden": hidden, "reconstructed": found.filled[chosen]}
    given.path.parent.mkdir(parents=True, exist_ok=True)
    given.path.write_text(draw(rows, f"Original, 75% hidden, reconstructed. {told}"))


if __name__ == "__main__":
    main()
