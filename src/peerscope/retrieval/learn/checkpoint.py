"""The checkpoint of a training run: one file, replaced by one rename, read without running code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

NAME = "checkpoint.pt"


def save_checkpoint(folder: Path, identity: str, state: dict[str, Any]) -> None:
    """Put a state in the place of the last one; a kill leaves either."""
    folder.mkdir(parents=True, exist_ok=True)
    best = [[torch.from_numpy(np.asarray(part)) for part in parts] for parts in state["best"]]
    partial = folder / f"{NAME}.partial"
    with partial.open("wb") as stream:
        torch.save({**state, "best": best, "identity": identity}, stream)
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
    if state.get("identity") != identity:
        return None
    state["best"] = [[part.numpy() for part in parts] for parts in state["best"]]
    return state
