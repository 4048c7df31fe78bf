"""Records fetched by their identifiers, from the few services that give them out, when somebody asks.

``ids_in`` reads identifiers out of what was typed, ``fetch`` asks the services and keeps what comes as files
of the site, ``ingest_fetched`` reads such a file with the ordinary importer: the source of a statement is a
file that can be read again. Nothing here runs by itself.
"""

from peerscope.record.fetching.asked import Asked, Refusal, ids_in
from peerscope.record.fetching.client import Access
from peerscope.record.fetching.keeping import Fetched, Fetching, fetch, ingest_fetched

__all__ = [
    "Access",
    "Asked",
    "Fetched",
    "Fetching",
    "Refusal",
    "fetch",
    "ids_in",
    "ingest_fetched",
]
