"""Search indexes: one small interface (`peerscope.retrieval.schema.SearchIndex`), two implementations.

`exact` keeps vectors in NumPy and words in SQLite FTS5: always there, the oracle of the tests, good to
some hundred thousand items. `edge` keeps vectors in qdrant-edge (extra ``edge``) and words in the same
FTS5 file. Both open the same engine-neutral snapshot.
"""

from peerscope.retrieval.index.exact import ExactIndex
from peerscope.retrieval.index.opening import ENGINES, new_index, open_index

__all__ = ["ENGINES", "ExactIndex", "new_index", "open_index"]
