"""Fashion-MNIST, CIFAR-10, grocery photos and Omniglot as ``uint8`` tensors that stay in memory.

Fashion-MNIST (Xiao et al. 2017) comes from Debian's package; the others from archives named in the shared
data's README. CIFAR-10 and the photos are WebP inside, Omniglot PNG, which Pillow reads.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from peerscope.methods.datasets.files import (
    DamagedData,
    archive,
    content,
    decoded,
    folder_of,
    idx,
    pillow,
)

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
GARMENTS = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
FASHION = {
    "train": (
        "train",
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
    "test": (
        "t10k",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
}
"""Split to the files' first word and the hashes of the unpacked images and labels."""

SHARED = {
    "cifar10_train_a.npz": "b36c2ada2df548ffdb67a48c1dbf0d88f79700ccd49546e80ba2c000cbc4095b",
    "cifar10_test.npz": "7aa65398362a173980941b11b1709d49c5aefc39b7bb5f103cc026d771634d79",
    "grocery_112.npz": "a76c60dd5dc87fdbcdcffa26dba83a63a71e5296573bc1b8b99acb6212df9485",
    "omniglot_small1.zip": "f38eb80f801274ac2b4dff5b24289016bfaba4a7d5bb50deebf27104ad6cb8a4",
    "omniglot_small2.zip": "3ccaa407515a8778e5d0861875af38b17e418f301ad5bb3b5a6b65d901a41c7f",
}

_FROM_DEBIAN = (
    "Install Debian's package dataset-fashion-mnist (apt-get install dataset-fashion-mnist), or give the "
    "folder that holds the four .gz files of github.com/zalandoresearch/fashion-mnist."
)
_FROM_SHARED = (
    "Set PEERSCOPE_SHARED to the shared data, whose data/images has it, or give the folder of"
)


@dataclass(frozen=True, slots=True)
class ImageSet:
    """Images with labels.

    Attributes:
        images: ``uint8``, shape ``[n, C, H, W]``.
        labels: int64, shape ``[n]``.
        classes: Names of the labels.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device | str) -> ImageSet:
        """The set on a device, to stay there."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))

    def part(self, which: Tensor | slice) -> ImageSet:
        """Some of the images: by a slice, their places or a mask."""
        return replace(self, images=self.images[which], labels=self.labels[which])


def fashion_mnist(
    split: Literal["train", "test"], folder: Path | str | None = None, *, verify: bool = True
) -> ImageSet:
    """Fashion-MNIST: 60,000 and 10,000 grey images of 28 pixels, 10 classes.

    Args:
        split: Which part.
        folder: Holds the four ``.gz`` files; where Debian's package puts them if ``None``.
        verify: Whether hashes are checked; they are of the unpacked files.

    Raises:
        MissingData: A file is not there.
        DamagedData: A file is not what it should be.
        ValueError: There is no such split.
    """
    word, of_images, of_labels = FASHION[_known(split, FASHION)]
    place = folder_of(folder, DEBIAN)
    arrays = []
    for kind, sha256 in (("images-idx3", of_images), ("labels-idx1", of_labels)):
        path = place / f"{word}-{kind}-ubyte.gz"
        arrays.append(idx(content(path, sha256 if verify else None, _FROM_DEBIAN), path))
    images, labels = arrays
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        raise DamagedData(
            f"{place}: there are images of {images.shape} and labels of {labels.shape}."
        )
    return ImageSet(_tensor(images[:, None]), _labels(labels), GARMENTS)


def cifar10(
    split: Literal["train", "test"], folder: Path | str | None = None, *, verify: bool = True
) -> ImageSet:
    """CIFAR-10 as far as it is shared: the first 25,000 training and all 10,000 test images of 32 pixels.

    Args:
        split: Which part.
        folder: Holds ``cifar10_train_a.npz`` and ``cifar10_test.npz``.
        verify: Whether hashes are checked.

    Raises:
        MissingData: A file, or Pillow, is not there.
        DamagedData: A file is not what it should be.
        ValueError: There is no such split.
    """
    _known(split, ("train", "test"))
    name = "cifar10_train_a.npz" if split == "train" else "cifar10_test.npz"
    path, data = _shared(name, folder, verify)
    arrays = archive(data, path, "labels", "meta")
    meta = _meta(arrays["meta"], path)
    side, columns = int(meta["tile"]), int(meta["cols"])
    found = []
    for mosaic in sorted(word for word in arrays if word.startswith("mosaic")):
        pixels = np.asarray(decoded(arrays[mosaic].tobytes(), path, "RGB"))
        tiles = pixels.reshape(-1, side, columns, side, 3)
        found.append(tiles.transpose(0, 2, 4, 1, 3).reshape(-1, 3, side, side))
    images = np.concatenate(found) if found else np.empty((0, 3, side, side), np.uint8)
    if len(images) != len(arrays["labels"]):
        raise DamagedData(f"{path} has {len(images)} images and {len(arrays['labels'])} labels.")
    return ImageSet(_tensor(images), _labels(arrays["labels"]), tuple(meta["classes"]))


def grocery(
    split: Literal["train", "validation", "test"],
    size: int = 32,
    folder: Path | str | None = None,
    *,
    verify: bool = True,
) -> ImageSet:
    """Photographs of 81 kinds of groceries, the middle square brought to ``size`` pixels, at most 112.

    2,640, 296 and 2,485 images (Klasson et al. 2019, at a shorter side of 112 pixels and lossy).

    Args:
        split: Which part.
        size: Side of the images in pixels.
        folder: Holds ``grocery_112.npz``.
        verify: Whether the hash is checked.

    Raises:
        MissingData: The file, or Pillow, is not there.
        DamagedData: The file is not what it should be.
        ValueError: There is no such split or size.
    """
    part = ("train", "validation", "test").index(_known(split, ("train", "validation", "test")))
    if not 1 <= size <= 112:
        raise ValueError(f"size is 1 to 112 pixels, not {size}.")
    path, data = _shared("grocery_112.npz", folder, verify)
    arrays = archive(data, path, "data", "offsets", "labels", "split", "meta")
    offsets, chosen = arrays["offsets"], np.flatnonzero(arrays["split"] == part)
    images = np.empty((len(chosen), 3, size, size), np.uint8)
    for row, number in enumerate(chosen):
        blob = arrays["data"][offsets[number] : offsets[number + 1]].tobytes()
        images[row] = _squared(decoded(blob, path, "RGB"), size).transpose(2, 0, 1)
    classes = tuple(_meta(arrays["meta"], path)["classes"])
    return ImageSet(_tensor(images), _labels(arrays["labels"][chosen]), classes)


def omniglot(
    split: Literal["train", "test"],
    size: int = 28,
    folder: Path | str | None = None,
    *,
    verify: bool = True,
) -> ImageSet:
    """Omniglot's two small background sets: 242 characters by 20 drawers, ink bright on black.

    The split is by drawer: the first 15 train, the other 5 test, so that every character is in both.

    Args:
        split: Which part: 3,630 or 1,210 images.
        size: Side of the images in pixels, at most 105; each is the mean of what it covers.
        folder: Holds ``omniglot_small1.zip`` and ``omniglot_small2.zip``.
        verify: Whether hashes are checked.

    Raises:
        MissingData: A file, or Pillow, is not there.
        DamagedData: A file is not what it should be.
        ValueError: There is no such split or size.
    """
    _known(split, ("train", "test"))
    if not 1 <= size <= 105:
        raise ValueError(f"size is 1 to 105 pixels, not {size}.")
    found: dict[tuple[str, int], NDArray[np.uint8]] = {}
    for name in ("omniglot_small1.zip", "omniglot_small2.zip"):
        path, data = _shared(name, folder, verify)
        try:
            with zipfile.ZipFile(BytesIO(data)) as packed:
                for member in packed.namelist():
                    if member.endswith(".png"):
                        _, alphabet, character, file = member.split("/")
                        drawer = int(file.removesuffix(".png").split("_")[1])
                        if (drawer <= 15) == (split == "train"):
                            drawn = _squared(decoded(packed.read(member), path, "L"), size)
                            found[f"{alphabet}/{character}", drawer] = 255 - drawn
        except (zipfile.BadZipFile, ValueError, IndexError) as error:
            raise DamagedData(f"{path} cannot be read ({error}): obtain it anew.") from error
    order = sorted(found)
    classes = sorted({character for character, _ in order})
    places = {character: place for place, character in enumerate(classes)}
    labels = np.array([places[character] for character, _ in order], np.int64)
    images = np.stack([found[key] for key in order])[:, None]
    return ImageSet(_tensor(images), torch.from_numpy(labels), tuple(classes))


def _shared(name: str, folder: Path | str | None, verify: bool) -> tuple[Path, bytes]:
    path = folder_of(folder) / name
    return path, content(path, SHARED[name] if verify else None, f"{_FROM_SHARED} {name}.")


def _squared(image: Any, size: int) -> NDArray[np.uint8]:
    """The middle square of a Pillow image at a size; every pixel is the mean of what it covers."""
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    box = (left, top, left + side, top + side)
    return np.asarray(image.resize((size, size), pillow().Resampling.BOX, box))


def _meta(array: NDArray[np.uint8], path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(array.tobytes())
    except ValueError as error:
        raise DamagedData(f"The description in {path} cannot be read ({error}).") from error
    return found


def _known(split: str, splits: Sequence[str] | dict[str, Any]) -> str:
    if split not in splits:
        raise ValueError(f"split is one of {', '.join(splits)}, not {split!r}.")
    return split


def _tensor(images: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.array(images, np.uint8, order="C"))


def _labels(labels: NDArray[Any]) -> Tensor:
    return torch.from_numpy(labels.astype(np.int64))
