"""What assistants may ask and what they are told: arguments and answers of the tools.

Ids are those of the site (``W12``, ``A3``, ``T4``, ``I5``, ``S6``), links are absolute. Null means that no
source of the record says; ``missing`` says of an empty list whether anybody looked.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from peerscope.record.parsed import WORK_TYPES

LONGEST_QUERY = 2000
LONGEST_ID = 300
MOST_RESULTS = 25
MOST_CITED = 50
MOST_CLAIMS = 50
DEEPEST = 100
MOST_NODES = 100
TOLD = 25
"""Edges that are said in words; the typed answer has all."""


Kind = Literal[
    "journal-article", "proceedings-article", "preprint", "book", "book-chapter", "dissertation",
    "report", "dataset", "software", "review", "other",
]  # fmt: skip
assert set(Kind.__args__) == set(WORK_TYPES)  # type: ignore[attr-defined]

Id = Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]
Ids = Annotated[list[Id], Field(max_length=20)]
Year = Annotated[int | None, Field(ge=0, le=9999)]


class Arguments(BaseModel):
    """Arguments of a tool; what a tool does not know is refused."""

    model_config = ConfigDict(extra="forbid")


class SearchArguments(Arguments):
    """Of `search`."""

    query: str = Field(
        "", max_length=LONGEST_QUERY,
        description="Words, a title or a question; empty lists works by the filters alone.",
    )  # fmt: skip
    year_from: Year = Field(None, description="First year of publication.")
    year_to: Year = Field(None, description="Last year of publication.")
    types: list[Kind] = Field([], max_length=11, description="Kinds of work; none means all.")
    open_access: bool | None = Field(None, description="Only what sources call open, or closed.")
    people: Ids = Field([], description="Works of any of these people: ids such as A3.")
    topics: Ids = Field([], description="Works of any of these topics: ids such as T4.")
    institutions: Ids = Field([], description="Works of any of these institutions: I5.")
    venues: Ids = Field([], description="Works in any of these venues: S6.")
    sort: Literal["relevance", "newest", "oldest", "cited"] = "relevance"
    limit: int = Field(10, ge=1, le=MOST_RESULTS, description="Results in one answer.")
    page: int = Field(1, ge=1, le=DEEPEST)


class WorkArguments(Arguments):
    """Of `work`."""

    id: Id = Field(
        description="W12, its address, or an identifier: a DOI, arXiv, PubMed or OpenAlex id."
    )


class PersonArguments(Arguments):
    """Of `person`."""

    id: Id = Field(description="A3, its address, an ORCID iD or an OpenAlex id.")
    page: int = Field(1, ge=1, le=DEEPEST, description="Page of the works, 25 on each.")


class NeighboursArguments(Arguments):
    """Of `neighbours`."""

    id: Id = Field(description="A work (W12), person (A3) or topic (T4).")
    limit: int = Field(10, ge=1, le=MOST_RESULTS)


class GraphArguments(Arguments):
    """Of `graph`."""

    id: Id = Field(description="W12, A3, T4, I5 or S6.")
    limit: int = Field(40, ge=2, le=MOST_NODES, description="Nodes at most.")


class ClaimsArguments(Arguments):
    """Of `claims`."""

    work: Id | None = Field(None, description="Claims of this work; without one, of all works.")
    claim: Annotated[str | None, Field(max_length=100)] = Field(
        None, description="One claim by its id."
    )
    verdict: Literal[
        "reproduced", "exceeded", "partly", "not_reproduced", "not_resolved", "not_run", None
    ] = Field(None, description="Only claims in this state.")
    limit: int = Field(20, ge=1, le=MOST_CLAIMS)
    page: int = Field(1, ge=1, le=DEEPEST)


class CiteArguments(Arguments):
    """Of `cite`."""

    ids: Annotated[list[Id], Field(min_length=1, max_length=MOST_CITED)] = Field(
        description="Works: W12, or identifiers as in `work`."
    )
    style: str = Field(
        "", max_length=200,
        description="A citation style by its CSL name (apa, ieee, chicago-author-date, ...), or "
        "bibtex, ris or csl-json for records. Empty: the site's first style.",
    )  # fmt: skip
    locale: str = Field("", max_length=20, description="Language of terms, as en-US.")


class Thing(BaseModel):
    """Something of the record: ``id`` and ``url`` are null where it is not decided which it is."""

    id: str | None
    name: str
    url: str | None
    note: str | None = None


class Work(BaseModel):
    """A work in a list; at most six authors."""

    id: str
    url: str
    title: str
    authors: list[Thing]
    authors_count: int
    year: int | None
    type: str
    venue: Thing | None
    cited_by_count: int = Field(description="Citations within this record.")
    is_open_access: bool | None = Field(description="Null where no source says.")
    snippet: str | None = None


class Answer(BaseModel):
    """An answer that can also be said in a few lines."""

    def text(self) -> str:
        """The lines."""
        raise NotImplementedError


class Hit(Work):
    """A work found, with what put it there."""

    reasons: list[str]


class SearchAnswer(Answer):
    """A page of results."""

    query: str
    corrected: str | None = Field(
        description="The query as it was understood, if spelling was mended."
    )
    note: str | None
    total: int
    capped: bool = Field(description="Whether more may match than were considered.")
    page: int
    url: str = Field(description="The same search on the site.")
    results: list[Hit]

    def text(self) -> str:
        """The results, a line for each."""
        head = f"{self.total:,} works" + (f", page {self.page}" if self.page > 1 else "")
        if self.corrected:
            head += f" for “{self.corrected}”"
        if self.note:
            head += f". {self.note}"
        return "\n".join([head, *map(line, self.results)])


class AuthorOf(Thing):
    """An author position; ``id`` is null while it is undecided whose it is."""

    institutions: list[Thing]


class Attached(BaseModel):
    """Code, data, another version or a notice, with the source that states it."""

    kind: str
    label: str | None
    date: str | None
    url: str | None
    source: str


class WorkAnswer(Answer):
    """A work."""

    work: Work
    abstract: str | None = Field(description="Cut at 4,000 characters.")
    summary: str | None = Field(description="By the collection, not by the authors.")
    authors: list[AuthorOf] = Field(description="The first 30.")
    identifiers: dict[str, str]
    topics: list[Thing]
    versions: list[Attached]
    code_and_data: list[Attached]
    notices: list[Attached] = Field(description="Retractions, corrections, concerns.")
    references_count: int
    references: list[Work] = Field(description="Those in this record, the most cited first; 10.")
    cited_by: list[Work] = Field(description="Within this record, the most cited first; 10.")
    claims_count: int
    missing: dict[str, str] = Field(
        description="Kind of statement to 'not imported' or 'none stated'."
    )
    sources: list[str]
    exports: dict[str, str] = Field(description="Form to address.")

    def text(self) -> str:
        """What the work is."""
        told = self.abstract or (
            f"Summary by this collection: {self.summary}" if self.summary else ""
        )
        notices = "".join(f"\nNotice: {one.kind}, stated by {one.source}." for one in self.notices)
        claims = f"\n{self.claims_count} claims; ask `claims`." if self.claims_count else ""
        return f"{line(self.work)}{notices}\n{told}{claims}".rstrip()


class PersonAnswer(Answer):
    """A person as the record can tell them apart."""

    id: str
    url: str
    name: str
    works_count: int
    cited_by_count: int = Field(description="Citations within this record.")
    identifiers: dict[str, str]
    names_as_printed: list[str]
    affiliations: list[Thing]
    topics: list[Thing]
    collaborators: list[Thing]
    collaborators_count: int
    how_works_were_decided: dict[str, int] = Field(description="Rule to number of works.")
    page: int
    works: list[Work]

    def text(self) -> str:
        """Who it is, and the works of the page."""
        head = f"{self.name}, {self.works_count:,} works in this record ({self.id}, {self.url})"
        return "\n".join([head, *map(line, self.works)])


class Near(Thing):
    """Something near, with what makes it so."""

    detail: str
    reasons: list[str]


class NeighboursAnswer(Answer):
    """What stands near."""

    of: Thing
    near: list[Near]

    def text(self) -> str:
        """A line for each."""
        if not self.near:
            return f"Nothing is known to stand near {self.of.name}."
        lines = [f"- {one.name} ({one.id}): {'; '.join(one.reasons)}" for one in self.near]
        return "\n".join([f"Near {self.of.name}:", *lines])


class Node(Thing):
    """A node of a graph."""

    kind: str


class Edge(BaseModel):
    """An edge between ids, with why it is there."""

    source: str
    target: str
    kind: str
    reason: str


class GraphAnswer(Answer):
    """The graph around something; its first node."""

    truncated: bool
    nodes: list[Node]
    edges: list[Edge]

    def text(self) -> str:
        """The edges in words."""
        names = {one.id: one.name for one in self.nodes}
        lines = [
            f"- {names.get(one.source, one.source)} / {names.get(one.target, one.target)}: {one.reason}"
            for one in self.edges[:TOLD]
        ]
        if len(self.edges) > TOLD:
            lines.append(f"- and {len(self.edges) - TOLD} more")
        return "\n".join([f"{len(self.nodes)} nodes, {len(self.edges)} edges", *lines])


class Check(BaseModel):
    """One check of a claim: the mean over seeds with its 95 % interval."""

    label: str
    condition: str
    measured: float
    low: float
    high: float
    state: str = Field(description="holds, fails, open or exceeded.")


class Claim(BaseModel):
    """A claim of a work: what it prints, what was measured here, and the verdict."""

    id: str
    url: str
    work: Thing
    statement: str
    printed: str | None = Field(description="As printed; null for a direction only.")
    measured_is: str
    location: str
    verdict: str
    verdict_in_words: str
    why: str | None
    rule: str | None
    profile: str | None
    reduced: str | None = Field(description="What is smaller here than in the work.")
    seeds: int | None
    checks: list[Check]
    evidence: str | None = Field(description="The attempt whose verdict stands.")


class ClaimsAnswer(Answer):
    """Claims with verdicts."""

    total: int
    page: int
    claims: list[Claim]
    note: str | None = None

    def text(self) -> str:
        """A line for each."""
        lines = []
        for one in self.claims:
            measured = "; ".join(
                f"{c.label}: {c.measured:.4g} [{c.low:.4g}, {c.high:.4g}]" for c in one.checks
            )
            lines.append(
                f"- {one.statement} ({one.id}). Printed: {one.printed or 'a direction only'}. "
                f"Measured here: {measured or 'not run'}. Verdict: {one.verdict_in_words}. {one.url}"
            )
        return "\n".join([self.note or f"{self.total:,} claims", *lines])


class Reference(BaseModel):
    """A formatted reference."""

    id: str
    text: str


class CiteAnswer(Answer):
    """References in a style, or records in a bibliographic form."""

    style: str
    locale: str | None
    references: list[Reference] = Field(description="Empty for bibtex, ris and csl-json.")
    records: str | None = Field(description="The file, for bibtex, ris and csl-json.")

    def text(self) -> str:
        """The references or the file."""
        return self.records or "\n".join(one.text for one in self.references)


def line(work: Work) -> str:
    """A work in one line."""
    names = ", ".join(one.name for one in work.authors[:3])
    more = f" and {work.authors_count - 3} more" if work.authors_count > 3 else ""
    facts = ", ".join(
        str(one) for one in (work.venue.name if work.venue else "", work.year or "") if one
    )
    return f"- {work.title}. {names}{more}. {facts}. {work.id} {work.url}".replace(". . ", ". ")
