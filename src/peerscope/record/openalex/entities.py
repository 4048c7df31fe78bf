"""What each kind of entity can be filtered, ordered and grouped by: OpenAlex's attribute to our columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Boolean, ColumnElement, and_, func, literal, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.visitors import InternalTraversal

from peerscope.record.models import (
    Authorship,
    AuthorshipInstitution,
    Citation,
    Identifier,
    Institution,
    Notice,
    Person,
    Topic,
    Venue,
    Work,
    WorkTopic,
)

Condition = ColumnElement[bool]
Make = Callable[[Any], Condition]


@dataclass(frozen=True, slots=True)
class Attribute:
    """One filter: how its values read, and the condition that they make.

    Attributes:
        kind: ``number``, ``year``, ``date``, ``bool``, ``id``, ``word`` (a value of a list) or ``text``.
        make: From values to a condition: of numbers and dates a column; of ids the numbers that the values
            name.
        letter: Entity whose ids the values are.
    """

    kind: str
    make: Any
    letter: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Something to group by: the rows to count, their key, and what kind of label it has."""

    key: Any
    join: tuple[Any, ...] = ()
    letter: str = ""
    only: Condition | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of entity under its OpenAlex name."""

    name: str
    letter: str
    table: Any
    there: Condition
    attributes: Mapping[str, Attribute]
    orders: Mapping[str, Any]
    groups: Mapping[str, Group]
    schemes: tuple[str, ...]
    default_order: tuple[Any, ...] = field(default=())


def _authored(*conditions: Condition) -> Condition:
    # From the few to their works, not from every work to its few.
    return Work.id.in_(select(Authorship.work_id).where(*conditions))


def _affiliated(*conditions: Condition) -> Condition:
    return Work.id.in_(
        select(Authorship.work_id)
        .join(AuthorshipInstitution, AuthorshipInstitution.authorship_id == Authorship.id)
        .join(Institution, Institution.id == AuthorshipInstitution.institution_id)
        .where(*conditions)
    )


def _has_id(letter: str, number: Any, scheme: str) -> Condition:
    bearers = select(Identifier.entity_id)
    found: Condition = number.in_(
        bearers.where(Identifier.entity == letter, Identifier.scheme == scheme)
    )
    return found


class Holds(ColumnElement[bool]):
    """Whether a text holds a pattern, whatever the case.

    SQLite's LIKE compares so by itself; asked with ``lower()`` on both sides it takes three times as long.
    """

    inherit_cache = True
    type = Boolean()
    _traverse_internals = [  # noqa: RUF012
        ("column", InternalTraversal.dp_clauseelement),
        ("pattern", InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, column: Any, pattern: str) -> None:
        self.column = (
            column.__clause_element__() if hasattr(column, "__clause_element__") else column
        )
        self.pattern = literal(pattern)


@compiles(Holds)
def _holds(element: Holds, compiler: Any, **more: Any) -> str:
    word = "LIKE" if compiler.dialect.name == "sqlite" else "ILIKE"
    column, pattern = (compiler.process(one, **more) for one in (element.column, element.pattern))
    return f"{column} {word} {pattern} ESCAPE '\\'"


def _words(column: Any) -> Make:
    def make(value: str) -> Condition:
        parts = []
        for word in value.split()[:20]:
            escaped = word.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
            parts.append(Holds(column, f"%{escaped}%"))
        return and_(*parts)

    return make


def _either(*makes: Make) -> Make:
    return lambda value: and_(
        *(or_(*(make(word) for make in makes)) for word in value.split()[:20])
    )


def _in_country(values: list[str]) -> Condition:
    return func.upper(Institution.country_code).in_([value.upper() for value in values])


def _about(ids: list[int]) -> Condition:
    return Work.id.in_(select(WorkTopic.work_id).where(WorkTopic.topic_id.in_(ids)))


def _cites(own: Any, other: Any, ids: list[int]) -> Condition:
    return Work.id.in_(select(own).where(other.in_(ids), own.is_not(None)))


def _signed_by_orcid() -> Condition:
    return _authored(Person.id == Authorship.person_id, Person.orcid.is_not(None))


def _signed(value: str) -> Condition:
    return _authored(_words(Authorship.raw_name)(value))


_SAYS_YES = Work.is_oa.is_(True)
_RETRACTED = Work.id.in_(select(Notice.work_id).where(Notice.kind == "retraction"))
_TYPES = {"article": ("journal-article", "proceedings-article"), "review": ("review",)}


def _typed(values: list[str]) -> Condition:
    wanted = [one for value in values for one in (*_TYPES.get(value, ()), value)]
    return Work.type.in_(wanted)


_AUTHOR = Attribute("id", lambda ids: _authored(Authorship.person_id.in_(ids)), "A")
_PLACE = Attribute("id", lambda ids: _affiliated(Institution.id.in_(ids)), "I")
_COUNTRY = Attribute("word", lambda values: _affiliated(_in_country(values)))
_PLACE_TYPE = Attribute("word", lambda values: _affiliated(Institution.type.in_(values)))
_SOURCE = Attribute("id", lambda ids: Work.venue_id.in_(ids), "S")
_TOPIC = Attribute("id", lambda ids: _about(ids), "T")
_OPEN = Attribute("bool", _SAYS_YES)
_REFERS = Attribute("id", lambda ids: _cites(Citation.citing_id, Citation.cited_id, ids), "W")
_REFERRED = Attribute("id", lambda ids: _cites(Citation.cited_id, Citation.citing_id, ids), "W")
_WORK = Attribute("id", lambda ids: Work.id.in_(ids), "W")

WORKS = Kind(
    "works", "W", Work, Work.deleted_at.is_(None),
    {
        "id": _WORK, "ids.openalex": _WORK, "openalex": _WORK, "openalex_id": _WORK, "doi": _WORK,
        "ids.doi": _WORK, "ids.pmid": _WORK, "pmid": _WORK, "x_ids.arxiv": _WORK,
        "publication_year": Attribute("number", Work.publication_year),
        "publication_date": Attribute("date", Work.publication_date),
        "from_publication_date": Attribute("from", Work.publication_date),
        "to_publication_date": Attribute("to", Work.publication_date),
        "from_created_date": Attribute("from", Work.created_at),
        "to_created_date": Attribute("to", Work.created_at),
        "from_updated_date": Attribute("from", Work.updated_at),
        "to_updated_date": Attribute("to", Work.updated_at),
        "type": Attribute("word", _typed),
        "type_crossref": Attribute("word", lambda values: Work.type.in_(values)),
        "language": Attribute("word", lambda values: Work.language.in_(values)),
        "is_oa": _OPEN, "open_access.is_oa": _OPEN, "is_retracted": Attribute("bool", _RETRACTED),
        "has_doi": Attribute("bool", Work.doi.is_not(None)),
        "has_pmid": Attribute("bool", _has_id("W", Work.id, "pmid")),
        "has_abstract": Attribute("bool", Work.abstract.is_not(None)),
        "has_references": Attribute("bool", Work.references_count > 0),
        "has_pdf_url": Attribute("bool", Work.pdf_url.is_not(None)),
        "has_orcid": Attribute("bool", _signed_by_orcid()),
        "cited_by_count": Attribute("number", Work.cited_by_count),
        "referenced_works_count": Attribute("number", Work.references_count),
        "authors_count": Attribute("number", Work.authors_count),
        "authorships.author.id": _AUTHOR, "author.id": _AUTHOR,
        "authorships.author.orcid": _AUTHOR, "author.orcid": _AUTHOR,
        "authorships.institutions.id": _PLACE, "institutions.id": _PLACE,
        "authorships.institutions.lineage": _PLACE, "institutions.ror": _PLACE,
        "authorships.institutions.ror": _PLACE,
        "authorships.institutions.country_code": _COUNTRY, "institutions.country_code": _COUNTRY,
        "authorships.countries": _COUNTRY,
        "authorships.institutions.type": _PLACE_TYPE, "institutions.type": _PLACE_TYPE,
        "primary_location.source.id": _SOURCE, "locations.source.id": _SOURCE, "journal": _SOURCE,
        "topics.id": _TOPIC, "primary_topic.id": _TOPIC, "topic": _TOPIC,
        "cites": _REFERS, "referenced_works": _REFERS, "cited_by": _REFERRED,
        "title.search": Attribute("text", _words(Work.title)),
        "display_name.search": Attribute("text", _words(Work.title)),
        "abstract.search": Attribute("text", _words(Work.abstract)),
        "title_and_abstract.search": Attribute("text", _either(_words(Work.title), _words(Work.abstract))),
        "raw_author_name.search": Attribute("text", _signed),
    },
    {
        "publication_date": Work.publication_date, "publication_year": Work.publication_year,
        "cited_by_count": Work.cited_by_count, "display_name": Work.title, "title": Work.title,
        "referenced_works_count": Work.references_count, "authors_count": Work.authors_count,
    },
    {
        "publication_year": Group(Work.publication_year), "type": Group(Work.type),
        "language": Group(Work.language), "is_oa": Group(Work.is_oa),
        "open_access.is_oa": Group(Work.is_oa), "has_doi": Group(Work.doi.is_not(None)),
        "has_abstract": Group(Work.abstract.is_not(None)), "is_retracted": Group(_RETRACTED),
        "cited_by_count": Group(Work.cited_by_count),
        **dict.fromkeys(
            ("authorships.author.id", "author.id"),
            Group(Authorship.person_id, ((Authorship, Authorship.work_id == Work.id),), "A"),
        ),
        **dict.fromkeys(
            ("authorships.institutions.id", "institutions.id", "authorships.institutions.lineage"),
            Group(
                AuthorshipInstitution.institution_id,
                (
                    (Authorship, Authorship.work_id == Work.id),
                    (AuthorshipInstitution, AuthorshipInstitution.authorship_id == Authorship.id),
                ),
                "I",
            ),
        ),
        **dict.fromkeys(
            ("authorships.institutions.country_code", "institutions.country_code", "authorships.countries"),
            Group(
                Institution.country_code,
                (
                    (Authorship, Authorship.work_id == Work.id),
                    (AuthorshipInstitution, AuthorshipInstitution.authorship_id == Authorship.id),
                    (Institution, Institution.id == AuthorshipInstitution.institution_id),
                ),
            ),
        ),
        **dict.fromkeys(("primary_location.source.id", "journal"), Group(Work.venue_id, (), "S")),
        **dict.fromkeys(
            ("topics.id", "primary_topic.id", "topic"),
            Group(WorkTopic.topic_id, ((WorkTopic, WorkTopic.work_id == Work.id),), "T"),
        ),
    },
    ("openalex", "doi", "arxiv", "pmid", "acl"),
    (Work.publication_year,),
)  # fmt: skip


def _counted(table: Any, letter: str) -> dict[str, Attribute]:
    named = Attribute("id", lambda ids: table.id.in_(ids), letter)
    return {
        "id": named, "ids.openalex": named, "openalex": named, "openalex_id": named,
        "works_count": Attribute("number", table.works_count),
        "display_name": Attribute("word", lambda values: table.display_name.in_(values)),
        "display_name.search": Attribute("text", _words(table.display_name)),
        "default.search": Attribute("text", _words(table.display_name)),
    }  # fmt: skip


def _orders(table: Any) -> dict[str, Any]:
    return {"works_count": table.works_count, "display_name": table.display_name}


_WITH = and_(Person.merged_into_id.is_(None), Person.works_count > 0)
_AT = Attribute(
    "id",
    lambda ids: Person.id.in_(
        select(Authorship.person_id)
        .join(AuthorshipInstitution, AuthorshipInstitution.authorship_id == Authorship.id)
        .where(AuthorshipInstitution.institution_id.in_(ids), Authorship.person_id.is_not(None))
    ),
    "I",
)  # fmt: skip

AUTHORS = Kind(
    "authors", "A", Person, _WITH,
    _counted(Person, "A") | {
        "orcid": Attribute("id", lambda ids: Person.id.in_(ids), "A"),
        "has_orcid": Attribute("bool", Person.orcid.is_not(None)),
        "cited_by_count": Attribute("number", Person.cited_by_count),
        "affiliations.institution.id": _AT, "last_known_institutions.id": _AT,
        "last_known_institution.id": _AT,
    },
    _orders(Person) | {"cited_by_count": Person.cited_by_count},
    {"works_count": Group(Person.works_count), "cited_by_count": Group(Person.cited_by_count),
     "has_orcid": Group(Person.orcid.is_not(None))},
    ("openalex", "orcid"),
    (Person.works_count,),
)  # fmt: skip

SOURCES = Kind(
    "sources", "S", Venue, Venue.works_count > 0,
    _counted(Venue, "S") | {"type": Attribute("word", lambda values: Venue.type.in_(values))},
    _orders(Venue), {"type": Group(Venue.type), "works_count": Group(Venue.works_count)},
    ("openalex", "issn"), (Venue.works_count,),
)  # fmt: skip

INSTITUTIONS = Kind(
    "institutions", "I", Institution, Institution.works_count > 0,
    _counted(Institution, "I") | {
        "ror": Attribute("id", lambda ids: Institution.id.in_(ids), "I"),
        "has_ror": Attribute("bool", Institution.ror.is_not(None)),
        "country_code": Attribute("word", _in_country),
        "type": Attribute("word", lambda values: Institution.type.in_(values)),
    },
    _orders(Institution),
    {"country_code": Group(Institution.country_code), "type": Group(Institution.type),
     "works_count": Group(Institution.works_count)},
    ("openalex", "ror"), (Institution.works_count,),
)  # fmt: skip

TOPICS = Kind(
    "topics", "T", Topic, Topic.works_count > 0,
    _counted(Topic, "T") | {"x_origin": Attribute("word", lambda values: Topic.origin.in_(values))},
    _orders(Topic), {"x_origin": Group(Topic.origin), "works_count": Group(Topic.works_count)},
    ("openalex",), (Topic.works_count,),
)  # fmt: skip

ENTITIES: dict[str, Kind] = {
    kind.name: kind for kind in (WORKS, AUTHORS, SOURCES, INSTITUTIONS, TOPICS)
}
"""OpenAlex's name of a kind to what it is here."""

__all__ = ["ENTITIES", "Attribute", "Group", "Kind"]
