"""Shapes of the API's own answers, in this site's terms, and how rows become them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pydantic import BaseModel, Field

from peerscope.discover.shapes import Neighbour, Reason
from peerscope.record.read import WorkCard
from peerscope.record.read.shapes import Link, PageOf


class Ref(BaseModel):
    """An entity; ``id`` is null where it is not decided which it is."""

    id: str | None
    label: str
    count: int | None = None
    note: str | None = None


class WorkSummary(BaseModel):
    """A work in a list."""

    id: str
    title: str
    publication_year: int | None
    type: str
    venue: Ref | None
    authors: list[Ref]
    authors_count: int
    cited_by_count: int = Field(description="Citations within this record.")
    is_oa: bool | None = Field(description="Null where no source says.")


class Result(WorkSummary):
    """A work found, with what put it there."""

    score: float
    reasons: list[str]


class Facet(BaseModel):
    """A value of a facet."""

    value: str
    label: str
    count: int


class SearchAnswer(BaseModel):
    """A page of results."""

    query: str
    corrected: str | None
    mode: str
    note: str | None
    total: int
    capped: bool
    page: int
    per_page: int
    results: list[Result]
    facets: dict[str, list[Facet]]


class Near(BaseModel):
    """Something near, with the reasons."""

    id: str
    label: str
    detail: str
    reasons: list[str]


class Author(BaseModel):
    """An author position; ``person`` is null while it is undecided."""

    position: int
    name: str
    person: str | None
    institutions: list[Ref]
    raw_affiliation: str | None


class WorkAnswer(WorkSummary):
    """The page of a work."""

    doi: str | None
    arxiv_id: str | None
    abstract: str | None
    summary: str | None
    authorships: list[Author]
    topics: list[Ref]
    references: list[WorkSummary]
    references_count: int
    cited_by: list[WorkSummary]
    sources: list[str]
    missing: dict[str, str] = Field(description="Kind to 'not imported' or 'none stated'.")
    near: list[Near]


class PersonAnswer(BaseModel):
    """The page of a person."""

    id: str
    display_name: str
    works_count: int
    cited_by_count: int
    affiliations: list[Ref]
    affiliations_state: str | None
    topics: list[Ref]
    collaborators: list[Ref]
    collaborators_count: int
    name_variants: list[str]
    decisions: dict[str, int]
    works: list[WorkSummary]
    near: list[Near]


class EntityAnswer(BaseModel):
    """The page of a topic, institution or venue."""

    id: str
    display_name: str
    works_count: int
    people: list[Ref]
    topics: list[Ref]
    works_by_year: dict[int, int]
    works: list[WorkSummary]
    near: list[Near] = Field(description="Of topics; other places have none.")


class Shown:
    """Rows as shapes; hidden people keep the name that is printed and lose the id that leads to them.

    Args:
        hidden: Numbers of the people that are hidden.
    """

    def __init__(self, hidden: Collection[int]) -> None:
        self.hidden = hidden

    def ref(self, link: Link) -> Ref:
        """An entity with its id."""
        gone = link.id is None or (link.entity == "A" and link.id in self.hidden)
        own = None if gone else f"{link.entity}{link.id}"
        return Ref(id=own, label=link.label, count=link.count, note=link.note)

    def refs(self, links: Iterable[Link]) -> list[Ref]:
        """Entities with their ids."""
        return [self.ref(link) for link in links]

    def person(self, number: int | None) -> str | None:
        """The id of a person; ``None`` where it is undecided or hidden."""
        return None if number is None or number in self.hidden else f"A{number}"

    def fields(self, card: WorkCard) -> dict[str, object]:
        """What `WorkSummary` holds."""
        return {
            "id": f"W{card.id}",
            "title": card.title,
            "publication_year": card.year,
            "type": card.type,
            "venue": self.ref(card.venue) if card.venue else None,
            "authors": self.refs(card.authors),
            "authors_count": card.authors_count,
            "cited_by_count": card.cited_by_count,
            "is_oa": card.is_oa,
        }

    def works(self, page: PageOf[WorkCard]) -> list[WorkSummary]:
        """A page of works."""
        return [WorkSummary.model_validate(self.fields(card)) for card in page.rows]


def texts(reasons: Iterable[Reason]) -> list[str]:
    """Reasons in words."""
    return [reason.text for reason in reasons]


def near(found: Iterable[Neighbour]) -> list[Near]:
    """What stands near, with the reasons."""
    return [
        Near(id=f"{n.entity}{n.id}", label=n.label, detail=n.detail, reasons=texts(n.reasons))
        for n in found
    ]
