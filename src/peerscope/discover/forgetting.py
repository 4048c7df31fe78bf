"""An encoder that keeps the vectors of works, and none of what readers asked.

Encodings are kept on disk under a hash of their text, so that works are encoded once. A reader's query does
not belong there: its vector would stay when the query was erased.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from pathlib import Path

import numpy as np

from peerscope.retrieval.encoder import Encoder
from peerscope.retrieval.encodings import EncodingCache
from peerscope.retrieval.schema import FloatArray

Progress = Callable[[str, int, int | None], None]


class ForgetfulEncoder:
    """`EncodingCache` for all texts but those of readers, which are encoded each time.

    Args:
        folder: Where encodings are kept.
        encoder: Encodes.
        unkept: Texts that are not kept.
    """

    def __init__(self, folder: Path, encoder: Encoder, unkept: Set[str]) -> None:
        self.dim, self.fingerprint = encoder.dim, encoder.fingerprint
        self._encoder, self._unkept = encoder, unkept
        self._cache = EncodingCache(folder, encoder)

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> FloatArray:
        """Unit vectors, shape ``[len(texts), dim]``; zeros for a text without a known token."""
        own = np.asarray([text in self._unkept for text in texts], dtype=bool)
        found = np.zeros((len(texts), self.dim), np.float32)
        for mask, encoder in ((own, self._encoder), (~own, self._cache)):
            places = np.flatnonzero(mask).tolist()
            if places:
                found[places] = encoder.encode([texts[place] for place in places], progress)
        return found

    def save(self, folder: Path) -> None:
        """Write the encoder into a folder."""
        self._encoder.save(folder)
