"""Image sets: the real ones where they are, and what is said where they are not or are damaged."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from peerscope.methods.augment import COLOUR_32, GREY_28
from peerscope.methods.datasets import (
    DamagedData,
    ImageSet,
    MissingData,
    cifar10,
    fashion_mnist,
    grocery,
    omniglot,
)
from peerscope.methods.datasets.images import DEBIAN

SHARED = Path(os.environ.get("PEERSCOPE_SHARED") or "absent") / "data" / "images"
packed = pytest.mark.skipif(
    not SHARED.is_dir() or importlib.util.find_spec("PIL") is None,
    reason="PEERSCOPE_SHARED names no folder with data/images, or Pillow is not installed",
)
garments = pytest.mark.skipif(
    not DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed"
)


def write_idx(path: Path, values: np.ndarray) -> None:
    head = (
        b"\0\0\x08"
        + bytes([values.ndim])
        + b"".join(size.to_bytes(4, "big") for size in values.shape)
    )
    path.write_bytes(gzip.compress(head + values.astype(np.uint8).tobytes()))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    write_idx(tmp_path / "t10k-images-idx3-ubyte.gz", random.integers(0, 256, (5, 4, 4)))
    write_idx(tmp_path / "t10k-labels-idx1-ubyte.gz", np.array([3, 1, 4, 1, 5]))
    return tmp_path


def test_an_edition_of_ones_own_is_read_where_it_is_not_verified(small: Path) -> None:
    found = fashion_mnist("test", small, verify=False)
    expected = np.random.default_rng(0).integers(0, 256, (5, 4, 4))
    np.testing.assert_array_equal(found.images[:, 0].numpy(), expected)
    assert found.images.dtype == torch.uint8
    assert found.labels.tolist() == [3, 1, 4, 1, 5]
    assert len(found) == 5
    assert found.part(torch.tensor([4, 0])).labels.tolist() == [5, 3]
    assert found.to("cpu").classes[5] == "Sandal"


def test_another_content_is_told_by_its_hash(small: Path) -> None:
    with pytest.raises(DamagedData, match=r"t10k-images.*SHA-256"):
        fashion_mnist("test", small)


@pytest.mark.parametrize("keep", [0, 12, 60])
def test_a_file_that_was_cut_is_damaged(small: Path, keep: int) -> None:
    path = small / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DamagedData, match=r"t10k-images.*(cannot be unpacked|no IDX)"):
        fashion_mnist("test", small, verify=False)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\0\0\x08\x03" + bytes(12) + b"1", "values, not those"),
        (b"\0\0\x0d\x01\0\0\0\0", "no IDX"),
        (b"\0\0\x08\x03\0", "no IDX"),
    ],
)
def test_what_is_no_array_of_bytes_is_damaged(small: Path, content: bytes, message: str) -> None:
    (small / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(content))
    with pytest.raises(DamagedData, match=message):
        fashion_mnist("test", small, verify=False)


def test_images_and_labels_of_different_number_are_damaged(small: Path) -> None:
    write_idx(small / "t10k-labels-idx1-ubyte.gz", np.array([3, 1]))
    with pytest.raises(DamagedData, match=r"\(5, 4, 4\).*\(2,\)"):
        fashion_mnist("test", small, verify=False)


def test_what_is_missing_is_named_with_the_way_to_obtain_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        MissingData,
        match=r"train-images-idx3-ubyte.gz is not there.*apt-get install dataset-fashion",
    ):
        fashion_mnist("train", tmp_path)
    monkeypatch.setenv("PEERSCOPE_SHARED", str(tmp_path))
    for read, name in (
        (cifar10, "cifar10_test.npz"),
        (grocery, "grocery_112.npz"),
        (omniglot, "omniglot_small1.zip"),
    ):
        with pytest.raises(MissingData, match=rf"{name} is not there.*PEERSCOPE_SHARED"):
            read("test")


def test_an_archive_that_is_none_or_lacks_an_array_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "cifar10_test.npz"
    path.write_bytes(b"PK\x03\x04 but no archive")
    with pytest.raises(DamagedData, match="SHA-256"):
        cifar10("test", tmp_path)
    with pytest.raises(DamagedData, match="no archive of arrays"):
        cifar10("test", tmp_path, verify=False)
    np.savez(path, labels=np.zeros(3))
    with pytest.raises(DamagedData, match="no array 'meta'"):
        cifar10("test", tmp_path, verify=False)
    (tmp_path / "omniglot_small1.zip").write_bytes(b"PK")
    with pytest.raises(DamagedData, match="cannot be read"):
        omniglot("test", folder=tmp_path, verify=False)


@pytest.mark.parametrize(
    ("read", "given", "message"),
    [(fashion_mnist, ("valid",), "train, test"), (cifar10, ("all",), "train, test"), (grocery, ("dev",), "validation"),
     (omniglot, ("dev",), "train, test"), (grocery, ("test", 113), "1 to 112"), (omniglot, ("test", 0), "1 to 105")],
)  # fmt: skip
def test_splits_and_sizes_that_are_not_there_are_refused(
    read: object, given: tuple[object, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read(*given)  # type: ignore[operator]


@garments
def test_fashion_mnist_is_whole_and_the_preset_has_its_mean_and_deviation() -> None:
    train, test = fashion_mnist("train"), fashion_mnist("test")
    assert train.images.shape == (60_000, 1, 28, 28)
    assert test.images.shape == (10_000, 1, 28, 28)
    assert torch.equal(train.labels.bincount(), torch.full((10,), 6000))
    pixels = train.images.double() / 255
    assert (float(pixels.mean()), float(pixels.std())) == pytest.approx(
        (GREY_28.mean[0], GREY_28.std[0]), abs=1e-4
    )
    # Trousers are tall, sneakers flat: the images are not transposed.
    ink = (train.images[:, 0] > 100).float()
    tall = ink.amax(2).sum(1) - ink.amax(1).sum(1)
    assert float(tall[train.labels == 1].mean()) > 5
    assert float(tall[train.labels == 7].mean()) < -5


@garments
@pytest.mark.parametrize("cut", [1, 1000])
def test_a_damaged_copy_of_fashion_mnist_is_told(tmp_path: Path, cut: int) -> None:
    for path in DEBIAN.glob("t10k-*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert len(fashion_mnist("test", tmp_path)) == 10_000
    path = tmp_path / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(DamagedData, match=r"t10k-labels.*cannot be unpacked"):
        fashion_mnist("test", tmp_path)


@packed
def test_cifar_pixels_have_the_hash_that_their_source_states() -> None:
    found = cifar10("test", SHARED)
    assert found.images.shape == (10_000, 3, 32, 32)
    stated = json.loads(np.load(SHARED / "cifar10_test.npz")["meta"].tobytes())["sha256_pixels"]
    pixels = found.images.permute(0, 2, 3, 1).contiguous().numpy()
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == stated
    assert torch.equal(found.labels.bincount(), torch.full((10,), 1000))
    mean = (found.images.double() / 255).mean((0, 2, 3))
    assert mean.tolist() == pytest.approx(list(COLOUR_32.mean), abs=0.005)


@packed
def test_groceries_and_characters_are_read_in_their_splits() -> None:
    photos = grocery("validation", 24, SHARED)
    assert photos.images.shape == (296, 3, 24, 24)
    assert len(photos.classes) == 81
    drawn: list[ImageSet] = [omniglot(split, 28, SHARED) for split in ("train", "test")]  # type: ignore[arg-type]
    assert [len(one) for one in drawn] == [3630, 1210]
    assert drawn[0].classes == drawn[1].classes
    assert torch.equal(drawn[1].labels.bincount(), torch.full((242,), 5))
    assert 10 < float(drawn[0].images.float().mean()) < 40
