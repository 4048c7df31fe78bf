"""Which engine: by name, from the settings."""

from __future__ import annotations

from peerscope.retrieval.index.exact import ExactIndex
from peerscope.retrieval.text import Tokenizer

ENGINES = ("exact", "edge")


def new_index(engine: str, dim: int, tokenizer: Tokenizer) -> ExactIndex:
    """An empty index of an engine.

    Raises:
        ValueError: There is no such engine.
        ModuleNotFoundError: The engine's library is not installed; the message says how to get it.
    """
    if engine == "exact":
        return ExactIndex(dim, tokenizer)
    if engine == "edge":
        from peerscope.retrieval.index.edge import EdgeIndex

        return EdgeIndex(dim, tokenizer)
    raise ValueError(f"There is no index engine {engine!r}; there are {', '.join(ENGINES)}.")


def open_index(engine: str, folder: str, tokenizer: Tokenizer) -> ExactIndex:
    """A snapshot opened by an engine; every engine reads every snapshot.

    Raises:
        ValueError: There is no such engine.
        ModuleNotFoundError: The engine's library is not installed.
    """
    if engine == "exact":
        return ExactIndex.open(folder, tokenizer)
    if engine == "edge":
        from peerscope.retrieval.index.edge import EdgeIndex

        return EdgeIndex.open(folder, tokenizer)
    raise ValueError(f"There is no index engine {engine!r}; there are {', '.join(ENGINES)}.")
