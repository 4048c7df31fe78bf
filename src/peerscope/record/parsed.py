"""What every importer yields: one work as its source states it, or the reason why it cannot go in.

Importers know file formats and nothing of tables; the tables know these shapes and nothing of formats.
Text is kept twice where it carries markup: ``title`` is clean Unicode text for searching and listing,
``title_markup`` the same in Peerscope markup (see `peerscope.record.markup`), ``None`` where both agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

WORK_TYPES = (
    "journal-article",
    "proceedings-article",
    "preprint",
    "book",
    "book-chapter",
    "dissertation",
    "report",
    "dataset",
    "software",
    "review",
    "other",
)
"""Crossref's names for the kinds of work; what a format cannot say becomes ``other``."""

Covered = Literal[
    "abstract",
    "affiliations",
    "topics",
    "references",
    "open_access",
    "artifacts",
    "notices",
    "ids",
    "authors_in_part",
]
"""Kinds of statement that a source may carry at all.

A source that covers ``references`` and lists none has looked and found none; one that does not cover
them has not looked. The page says which. ``authors_in_part`` says that a work has other authors than those
listed, as in one person's own record.
"""


@dataclass(slots=True)
class ParsedInstitution:
    """An institution as printed, with its identifiers (``ror``, ``openalex``) where the source has them."""

    name: str
    ids: dict[str, str] = field(default_factory=dict)
    country: str | None = None
    type: str | None = None


@dataclass(slots=True)
class ParsedAuthor:
    """One author in the order of the work.

    ``name`` is the display form ("Given Family"); ``family`` and ``given`` stand only where the source
    separates them. ``ids`` maps a scheme (``orcid``, ``openalex``, ``acl``, ``hepth``, ``starter``) to
    the identifier within it.
    """

    name: str
    family: str | None = None
    given: str | None = None
    ids: dict[str, str] = field(default_factory=dict)
    institutions: list[ParsedInstitution] = field(default_factory=list)
    raw_affiliation: str | None = None
    is_corresponding: bool = False


@dataclass(slots=True)
class ParsedTopic:
    """A topic as the source names it; ``score`` in [0, 1] where the source gives one."""

    name: str
    ids: dict[str, str] = field(default_factory=dict)
    score: float | None = None


@dataclass(slots=True)
class ParsedReference:
    """A cited work: ``scheme`` and ``value`` where it is identified, ``raw`` as printed otherwise."""

    scheme: str | None = None
    value: str | None = None
    raw: str | None = None


@dataclass(slots=True)
class ParsedVersion:
    """Another manifestation of the same work (``preprint``, ``accepted``, ``published``)."""

    kind: str
    venue: str | None = None
    year: int | None = None
    ids: dict[str, str] = field(default_factory=dict)
    url: str | None = None


@dataclass(slots=True)
class ParsedArtifact:
    """Code or data that the source links to the work (``kind`` is ``code`` or ``data``)."""

    kind: str
    url: str


@dataclass(slots=True)
class ParsedNotice:
    """A ``retraction``, ``correction`` or ``concern`` with its own source."""

    kind: str
    date: str | None = None
    url: str | None = None


@dataclass(slots=True)
class ParsedWork:
    """One work as one source states it.

    Attributes:
        key: The record's own key in its source, unique there (BibTeX key, OpenAlex id, ACL id).
        title: Clean text; never empty.
        ids: Scheme to normalised value: ``doi`` (lower case, no resolver), ``arxiv`` (no version),
            ``openalex``, ``acl``, ``pmid``, ``isbn``, ``starter``.
        year: Publication year, 1000 to two years from now.
        date: ISO 8601 date, as precise as the source is ("2020", "2020-06", "2020-06-05").
        is_oa: ``None`` where the source does not say.
        extra: Fields of the source that have no place here, kept so that nothing is lost on export.
    """

    key: str
    title: str
    title_markup: str | None = None
    abstract: str | None = None
    abstract_markup: str | None = None
    summary: str | None = None
    type: str = "other"
    year: int | None = None
    date: str | None = None
    language: str | None = None
    venue: str | None = None
    venue_ids: dict[str, str] = field(default_factory=dict)
    publisher: str | None = None
    volume: str | None = None
    issue: str | None = None
    pages: str | None = None
    url: str | None = None
    pdf_url: str | None = None
    licence: str | None = None
    is_oa: bool | None = None
    ids: dict[str, str] = field(default_factory=dict)
    authors: list[ParsedAuthor] = field(default_factory=list)
    editors: list[ParsedAuthor] = field(default_factory=list)
    topics: list[ParsedTopic] = field(default_factory=list)
    references: list[ParsedReference] = field(default_factory=list)
    versions: list[ParsedVersion] = field(default_factory=list)
    artifacts: list[ParsedArtifact] = field(default_factory=list)
    notices: list[ParsedNotice] = field(default_factory=list)
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Good:
    """A record that goes in. ``position`` is its ordinal in the source, from 0, without gaps."""

    position: int
    work: ParsedWork


@dataclass(slots=True)
class Quarantined:
    """A record that cannot go in, with the reason and what would mend it, as sentences.

    ``locator`` says where it stands in the file ("line 12", "line 3, byte 20480"); ``excerpt`` holds
    at most 500 characters of it.
    """

    position: int
    locator: str
    reason: str
    mend: str
    key: str | None = None
    excerpt: str = ""


Record = Good | Quarantined


class Importer(Protocol):
    """The common shape of every importer (one file each in `peerscope.record.importers`).

    Two more attributes may say what holds of all its files unless `ingest` is told otherwise: ``licence``
    of the metadata, and ``rank`` of the source.
    """

    name: str
    """Short stable name, stored with every statement ("bibtex", "openalex")."""
    covers: frozenset[str]
    """The `Covered` kinds that this format can carry."""

    def read(self, path: str) -> Iterator[Record]:
        """Stream the records of a local file in bounded memory; positions count up from 0."""
        ...
