"""The scholarly record: works, people, topics, institutions, citations, and who says so.

Here live the tables, the importers and exporters, the matching of records to works, and the identity of
people. Search, readers and pages live elsewhere.
"""

from peerscope.record.changes import change_seq, delete_works, restore_works, works_changed_since
from peerscope.record.counts import refresh_counts
from peerscope.record.database import Database, WriterBusyError, count_statements, file_lock
from peerscope.record.identity import IdentityReport, resolve_people
from peerscope.record.ingest import ingest
from peerscope.record.quarantine import QuarantineRow, quarantined
from peerscope.record.runs import ImportReport
from peerscope.record.statements import parsed_of, parsed_work, parsed_works

__all__ = [
    "Database",
    "IdentityReport",
    "ImportReport",
    "QuarantineRow",
    "WriterBusyError",
    "change_seq",
    "count_statements",
    "delete_works",
    "file_lock",
    "ingest",
    "parsed_of",
    "parsed_work",
    "parsed_works",
    "quarantined",
    "refresh_counts",
    "resolve_people",
    "restore_works",
    "works_changed_since",
]
