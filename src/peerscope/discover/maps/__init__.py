"""The map of the field: every work of a bundle at a place in a plane, in named regions, read level by level.

Made after a bundle is in service, kept beside it, and read without any model. How vectors come to places is
`peerscope.retrieval`'s; pages and pictures are the web's.
"""

from peerscope.discover.maps.keeping import MapError, MapStore
from peerscope.discover.maps.making import MapOutcome, make_map
from peerscope.discover.maps.notes import MapNote, read_note
from peerscope.discover.maps.serving import SiteMaps
from peerscope.discover.maps.shapes import MapAbout, Region
from peerscope.discover.maps.view import OpenMap, Window

__all__ = [
    "MapAbout",
    "MapError",
    "MapNote",
    "MapOutcome",
    "MapStore",
    "OpenMap",
    "Region",
    "SiteMaps",
    "Window",
    "make_map",
    "read_note",
]
