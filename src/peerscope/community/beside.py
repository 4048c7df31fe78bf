"""Modules of this room that may not be there yet: what they would say is then left out.

It goes when follows, collections and profiles are part of every version: import them by name then.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def module(name: str) -> Any:
    """A module of this room; ``None`` where this version has none of that name."""
    whole = f"peerscope.community.{name}"
    try:
        return import_module(whole)
    except ModuleNotFoundError as error:
        if error.name != whole:
            raise
        return None
