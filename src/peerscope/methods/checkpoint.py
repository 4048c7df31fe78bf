"""The checkpoint of a run: one file, replaced by one rename, read without running code."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from peerscope.atomic import written

NAME = "run.pt"


def save(folder: Path, state: dict[str, Any]) -> None:
    """Put a state in the place of the last one; a process killed at any moment leaves either."""
    with written(folder / NAME) as stream:
        torch.save(state, stream)


def load(folder: Path, identity: str) -> dict[str, Any] | None:
    """The state of a run; ``None`` where the folder holds none.

    Raises:
        ValueError: The file cannot be read, or is of a run with another identity.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    except (OSError, RuntimeError, ValueError, EOFError, UnpicklingError) as error:
        raise ValueError(
            f"The checkpoint {path} cannot be read ({error}): remove it to start anew."
        ) from error
    if state.get("identity") != identity:
        raise ValueError(
            f"The checkpoint {path} is of the run {state.get('identity')!r}, not {identity!r}: "
            "give another folder, or remove it to start anew."
        )
    return state


def random_states() -> dict[str, Any]:
    """States of the global sources of chance: the CPU's, and every CUDA device's."""
    return {
        "cpu": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_random_states(states: dict[str, Any]) -> None:
    """Set the global sources of chance as they were; devices that are gone are left out."""
    torch.set_rng_state(states["cpu"])
    for number, state in enumerate(states["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(state, number)
