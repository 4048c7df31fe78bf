"""Search over a set of items: vectors, words, categorical fields (`peerscope.retrieval.schema.SearchIndex`).

Everything is NumPy arrays, mapped from an immutable folder: `cells` finds near vectors, `postings` words,
`fields` filters and counts. `ItemIndex` puts them behind one interface.
"""

from peerscope.retrieval.index.items import ENGINES, ItemIndex

__all__ = ["ENGINES", "ItemIndex"]
