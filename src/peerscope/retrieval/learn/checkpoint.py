"""The checkpoint of a training run: one file, replaced by one rename, read without running code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

NAME = "checkpoint.pt"


def save_checkpoint(folder: Path, identity: str, state: dict[str, Any]) -> None:
    """Put a state in the place of the last one; a kill leaves either."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{NAME}.partial"
    with partial.open("wb") as stream:
        torch.save({**state, "identity": identity}, stream)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(folder / NAME)


def load_checkpoint(folder: Path, identity: str) -> dict[str, Any] | None:
    """The last state of a run with this identity; ``None`` where there is none or it cannot be read."""
    path = folder / NAME
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError):
        return None
    return state if state.get("identity") == identity else None
