"""The bridge between the record and retrieval: what readers search, and why it was found.

Here the record becomes a catalogue, a query becomes a page of results with reasons, and a work, person
or topic gets its neighbours and its graph slice. No table and no model is defined here; pages and
commands above hold no rule of their own.
"""

from peerscope.discover.graph_shapes import GraphEdge, GraphNode, GraphQuestion, GraphSlice
from peerscope.discover.shapes import (
    Discovery,
    FacetValue,
    Neighbour,
    Reason,
    SearchFilters,
    SearchPage,
    WorkHit,
)
from peerscope.discover.site import SiteDiscovery

__all__ = [
    "Discovery",
    "FacetValue",
    "GraphEdge",
    "GraphNode",
    "GraphQuestion",
    "GraphSlice",
    "Neighbour",
    "Reason",
    "SearchFilters",
    "SearchPage",
    "SiteDiscovery",
    "WorkHit",
]
