"""Dumps: the public part of a record as files that other programs read, with a manifest.

`rows` says what stands in them, `folder` writes them, whole or not at all. What other rooms add (claims,
trust) is handed in as further parts. Nobody hidden stands in a dump, and nothing of accounts.
"""

from peerscope.record.dumps.folder import (
    MANIFEST,
    Dump,
    dump_named,
    dumps_in,
    write_dump,
)
from peerscope.record.dumps.rows import Part, json_lines, record_parts, sources_of

__all__ = [
    "MANIFEST",
    "Dump",
    "Part",
    "dump_named",
    "dumps_in",
    "json_lines",
    "record_parts",
    "sources_of",
    "write_dump",
]
