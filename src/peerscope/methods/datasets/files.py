"""Files of a data set: found, checked against a hash, or named with the way to obtain them."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class MissingData(FileNotFoundError):
    """A file is not there; the message says how to obtain it."""


class DamagedData(ValueError):
    """A file is there but is not what it should be."""


def folder_of(given: Path | str | None, usual: Path | None = None) -> Path:
    """Where files are looked for: the folder given, else the usual place, else the shared one.

    The shared folder is ``$PEERSCOPE_SHARED/data/images``.
    """
    if given is not None:
        return Path(given)
    if usual is not None and usual.is_dir():
        return usual
    shared = os.environ.get("PEERSCOPE_SHARED")
    if shared:
        return Path(shared) / "data" / "images"
    return usual or Path()


def content(path: Path, sha256: str | None, obtain: str) -> bytes:
    """The content of a file, unpacked if its name ends in ``.gz``.

    Args:
        path: The file.
        sha256: Of the content; ``None`` does not check.
        obtain: How one obtains it, as a sentence.

    Raises:
        MissingData: It is not there.
        DamagedData: It cannot be unpacked, or has another hash.
    """
    if not path.is_file():
        raise MissingData(f"{path} is not there. {obtain}")
    found = path.read_bytes()
    if path.suffix == ".gz":
        try:
            found = gzip.decompress(found)
        except (EOFError, OSError, zlib.error) as error:
            raise DamagedData(f"{path} cannot be unpacked ({error}): obtain it anew.") from error
    if sha256 is not None:
        own = hashlib.sha256(found).hexdigest()
        if own != sha256:
            raise DamagedData(
                f"The content of {path} has the SHA-256 {own}, not {sha256}: obtain it anew, or pass "
                "verify=False if it is another edition on purpose."
            )
    return found


def idx(data: bytes, path: Path) -> NDArray[np.uint8]:
    """An array in the IDX format of MNIST: two zero bytes, type 8, the number of axes, sizes, values.

    Raises:
        DamagedData: The bytes are no such array.
    """
    axes = data[3] if len(data) >= 4 else 0
    start = 4 + 4 * axes
    if data[:3] != b"\0\0\x08" or not axes or len(data) < start:
        raise DamagedData(f"{path} is no IDX file of bytes.")
    shape = [int.from_bytes(data[at : at + 4], "big") for at in range(4, start, 4)]
    if len(data) - start != int(np.prod(shape)):
        raise DamagedData(
            f"{path} has {len(data) - start} values, not those of an array of {shape}: obtain it anew."
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def archive(data: bytes, path: Path, *names: str) -> dict[str, NDArray[Any]]:
    """The arrays of an ``.npz`` file.

    Raises:
        DamagedData: It is no such file, or one of the names is not in it.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, KeyError, zlib.error) as error:
        raise DamagedData(f"{path} is no archive of arrays ({error}): obtain it anew.") from error
    for name in names:
        if name not in arrays:
            raise DamagedData(f"{path} has no array {name!r}: obtain it anew.")
    return arrays


def pillow() -> Any:
    """Pillow's module ``Image``.

    Raises:
        MissingData: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingData(
            "These images are packed as WebP or PNG, which Pillow reads: pip install 'peerscope[images]', or "
            "pip install pillow."
        ) from error
    return Image


def decoded(data: bytes, path: Path, mode: str) -> Any:
    """A Pillow image from WebP or PNG bytes.

    Args:
        data: The bytes.
        path: Where they come from, for messages.
        mode: Pillow's, ``RGB`` or ``L``.

    Raises:
        MissingData: Pillow is not installed.
        DamagedData: They are no image.
    """
    image = pillow()
    try:
        return image.open(io.BytesIO(data)).convert(mode)
    except (OSError, SyntaxError) as error:
        raise DamagedData(
            f"An image in {path} cannot be read ({error}): obtain it anew."
        ) from error
