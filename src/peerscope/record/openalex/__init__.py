"""The record as OpenAlex's clients ask for it: filters, lists, groups, and objects in its shape.

Here a query in OpenAlex's grammar becomes a few SQL statements, and rows become objects with OpenAlex's
field names. The web puts addresses in front of them.
"""

from peerscope.record.openalex.entities import ENTITIES, Kind
from peerscope.record.openalex.grammar import QueryError, Term, parse_filter, parse_sort
from peerscope.record.openalex.lists import MOST_PAGED, Asked, Listed, grouped, listed, sampled
from peerscope.record.openalex.objects import objects

__all__ = [
    "ENTITIES",
    "MOST_PAGED",
    "Asked",
    "Kind",
    "Listed",
    "QueryError",
    "Term",
    "grouped",
    "listed",
    "objects",
    "parse_filter",
    "parse_sort",
    "sampled",
]
