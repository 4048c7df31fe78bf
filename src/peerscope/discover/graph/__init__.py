"""The research graph: slices, their expansion, paths, and why an edge stands.

What may be asked and what is answered is in `peerscope.discover.graph_shapes`. Everything is read from
the record when it is asked for; only places are kept (`layout`). Reviews and attempts belong to rooms above
and come in through the question (`Stated`).
"""

from peerscope.discover.graph.formats import WRITERS, Writer, graphology
from peerscope.discover.graph.meaning import Meaning
from peerscope.discover.graph.paths import path_between
from peerscope.discover.graph.slices import expansion, slice_of
from peerscope.discover.graph.why import why

__all__ = [
    "WRITERS",
    "Meaning",
    "Writer",
    "expansion",
    "graphology",
    "path_between",
    "slice_of",
    "why",
]
