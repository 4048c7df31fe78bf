"""Read models: what a page shows of a work, a person, a topic, an institution or a venue.

Each function reads one page's worth in a fixed number of statements, whatever the size of the record; the
numbers are tested. "Not looked for", "none stated" and a value stay three things (`Known`).
"""

from peerscope.record.read.entities import EntityPage, entity_page
from peerscope.record.read.labels import labels_of, topics_of
from peerscope.record.read.lists import Listed, Listing, cards, listing, recent_works, totals
from peerscope.record.read.people import NamePage, PersonPage, name_page, person_page
from peerscope.record.read.resolve import (
    authors_among,
    current_people,
    entity_of_identifier,
    identifiers_of,
    works_of_identifiers,
)
from peerscope.record.read.shapes import Known, Link, PageOf, WorkCard
from peerscope.record.read.since import ChangedWork, changed_among, changed_of, moment_of
from peerscope.record.read.works import WorkPage, work_page

__all__ = [
    "ChangedWork",
    "EntityPage",
    "Known",
    "Link",
    "Listed",
    "Listing",
    "NamePage",
    "PageOf",
    "PersonPage",
    "WorkCard",
    "WorkPage",
    "authors_among",
    "cards",
    "changed_among",
    "changed_of",
    "current_people",
    "entity_of_identifier",
    "entity_page",
    "identifiers_of",
    "labels_of",
    "listing",
    "moment_of",
    "name_page",
    "person_page",
    "recent_works",
    "topics_of",
    "totals",
    "work_page",
    "works_of_identifiers",
]
