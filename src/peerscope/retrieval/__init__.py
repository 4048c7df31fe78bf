"""DPSR: a catalogue and its interactions in, a searchable bundle out; any domain, nothing scholarly.

The natural way of the data is items, users and interactions -> pairs -> towers -> bundle -> query.
`learn` is the training half and the only part that imports torch; everything that serves a query is NumPy and
SciPy. Works, people and pages live elsewhere.
"""

from peerscope.retrieval.build import BuildReport, build, item_vectors
from peerscope.retrieval.bundle import BundleError, BundleStore, Manifest, open_bundle
from peerscope.retrieval.encoder import Encoder, EncoderError, installed_encoder
from peerscope.retrieval.encodings import EncodingCache
from peerscope.retrieval.keeping import load_towers, save_towers
from peerscope.retrieval.query import SearchEngine
from peerscope.retrieval.results import ResultHit, Results
from peerscope.retrieval.schema import Filter, Interaction, Item, User
from peerscope.retrieval.text import Tokenizer
from peerscope.retrieval.towers import TwoTowers, item_text
from peerscope.retrieval.training import Trained, train
from peerscope.retrieval.wanting import WantedHit

__all__ = [
    "BuildReport",
    "BundleError",
    "BundleStore",
    "Encoder",
    "EncoderError",
    "EncodingCache",
    "Filter",
    "Interaction",
    "Item",
    "Manifest",
    "ResultHit",
    "Results",
    "SearchEngine",
    "Tokenizer",
    "Trained",
    "TwoTowers",
    "User",
    "WantedHit",
    "build",
    "installed_encoder",
    "item_text",
    "item_vectors",
    "load_towers",
    "open_bundle",
    "save_towers",
    "train",
]
