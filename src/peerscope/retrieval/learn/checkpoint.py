"""The checkpoint of a training run: one file, replaced by one rename, read without running code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from peerscope.atomic import written

NAME = "checkpoint.pt"


def save_checkpoint(folder: Path, identity: str, state: dict[str, Any]) -> None:
    """Put a state in the place of the last one; a kill leaves either."""
    with written(folder / NAME) as stream:
        torch.save({**state, "identity": identity}, stream)


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
