"""The tables of the scholarly record, in OpenAlex's terms.

Every row that states something about the world carries ``source_id``. Ids are handed out by the
`Counter` table in blocks, so that a batch can write parents and children without asking back; the
public form of an id is its entity letter and the number (``W12``, ``A7``, ``T3``, ``I4``, ``S9``).
Counts kept in columns (``works_count``, ``cited_by_count``) are derived and refreshed after an import.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

BigInt = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    """Metadata of the record room."""


class Counter(Base):
    """The last number handed out under a name ("work", "person", "change", ...)."""

    __tablename__ = "counter"
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[int] = mapped_column(BigInt, default=0)


class Source(Base):
    """Who says so: an importer reading one file or address.

    ``covers`` lists, separated by blanks, the kinds of statement this source can carry
    (`peerscope.record.parsed.Covered`).
    """

    __tablename__ = "source"
    __table_args__ = (UniqueConstraint("importer", "location"),)
    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    importer: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(Text)
    location: Mapped[str] = mapped_column(Text)
    licence: Mapped[str | None] = mapped_column(Text)
    covers: Mapped[str] = mapped_column(Text, default="")
    rank: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class ImportRun(Base):
    """One reading or withdrawal of a source; ``position`` counts the records of committed batches.

    ``state`` is ``running``, ``done`` or ``abandoned`` for a reading (``position`` is where it goes on), and
    ``withdrawing`` or ``withdrawn`` for a withdrawal (``position`` counts the records that went).
    ``made_by`` says who had it done: ``account:3``, or ``None`` for the operator.
    """

    __tablename__ = "import_run"
    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"), index=True)
    sha256: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    position: Mapped[int] = mapped_column(BigInt, default=0)
    added: Mapped[int] = mapped_column(BigInt, default=0)
    updated: Mapped[int] = mapped_column(BigInt, default=0)
    unchanged: Mapped[int] = mapped_column(BigInt, default=0)
    quarantined: Mapped[int] = mapped_column(BigInt, default=0)
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    made_by: Mapped[str | None] = mapped_column(Text)


class Quarantine(Base):
    """A record that did not go in: where it stands, why, and what would mend it."""

    __tablename__ = "quarantine"
    __table_args__ = (UniqueConstraint("source_id", "position"),)
    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))
    position: Mapped[int] = mapped_column(BigInt)
    locator: Mapped[str] = mapped_column(Text)
    key: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    mend: Mapped[str] = mapped_column(Text)
    excerpt: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Venue(Base):
    """A journal, conference series or repository."""

    __tablename__ = "venue"
    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    display_name: Mapped[str] = mapped_column(Text)
    name_key: Mapped[str] = mapped_column(Text, unique=True)
    type: Mapped[str | None] = mapped_column(String(32))
    works_count: Mapped[int] = mapped_column(Integer, default=0, index=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))


class Work(Base):
    """One work, joined from every source that states it (see `SourceRecord`).

    ``source_id`` names the source of the displayed fields; ``field_sources`` is a JSON object from
    field to source id for those that another source supplied. ``covered`` is the union of what the
    contributing sources look for. ``change_seq`` grows with every change, so that a search index can ask
    what it has not seen; ``deleted_at`` leaves a tombstone.
    """

    __tablename__ = "work"
    # Rows are wide (abstracts): works in sight are counted and listed by these alone, words in titles are
    # looked for in the last. PostgreSQL bounds what an index may hold below what a title may.
    __table_args__ = (
        *(
            Index(f"work_in_sight_{column}", "deleted_at", column)
            for column in ("publication_year", "type", "cited_by_count", "venue_id")
        ),
        Index(
            "work_in_sight_title", "deleted_at", "publication_year", "cited_by_count", "title"
        ).ddl_if(dialect="sqlite"),
    )
    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    title: Mapped[str] = mapped_column(Text)
    title_markup: Mapped[str | None] = mapped_column(Text)
    abstract: Mapped[str | None] = mapped_column(Text)
    abstract_markup: Mapped[str | None] = mapped_column(Text)
    summary: Mapped[str | None] = mapped_column(Text)
    type: Mapped[str] = mapped_column(String(32))
    publication_year: Mapped[int | None] = mapped_column(Integer, index=True)
    publication_date: Mapped[str | None] = mapped_column(String(10))
    language: Mapped[str | None] = mapped_column(String(16))
    venue_id: Mapped[int | None] = mapped_column(ForeignKey("venue.id"), index=True)
    publisher: Mapped[str | None] = mapped_column(Text)
    volume: Mapped[str | None] = mapped_column(Text)
    issue: Mapped[str | None] = mapped_column(Text)
    pages: Mapped[str | None] = mapped_column(Text)
    url: Mapped[str | None] = mapped_column(Text)
    pdf_url: Mapped[str | None] = mapped_column(Text)
    licence: Mapped[str | None] = mapped_column(Text)
    is_oa: Mapped[bool | None] = mapped_column(Boolean)
    doi: Mapped[str | None] = mapped_column(Text)
    arxiv_id: Mapped[str | None] = mapped_column(Text)
    fingerprint: Mapped[str | None] = mapped_column(String(32), index=True)
    covered: Mapped[str] = mapped_column(Text, default="")
    authors_count: Mapped[int] = mapped_column(Integer, default=0)
    references_count: Mapped[int] = mapped_column(Integer, default=0)
    cited_by_count: Mapped[int] = mapped_column(Integer, default=0)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))
    field_sources: Mapped[str | None] = mapped_column(Text)
    change_seq: Mapped[int] = mapped_column(BigInt, index=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class SourceRecord(Base):
    """A work exactly as one source states it (`ParsedWork` as JSON): nothing is lost in a join.

    ``content_hash`` is a BLAKE2b-128 of the payload; an unchanged record is recognised by it.
    ``run_id`` is the last reading that met the record; ``note`` says in words what the matching of this
    record to a work had to leave aside (an identifier that belongs to another work).
    """

    __tablename__ = "source_record"
    __table_args__ = (UniqueConstraint("source_id", "key"),)
    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))
    key: Mapped[str] = mapped_column(Text)
    work_id: Mapped[int] = mapped_column(ForeignKey("work.id"), index=True)
    content_hash: Mapped[str] = mapped_column(String(32))
    payload: Mapped[str] = mapped_column(Text)
    run_id: Mapped[int | None] = mapped_column(BigInt)
    note: Mapped[str | None] = mapped_column(Text)
    retrieved_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Withdrawn(Base):
    """Where a record of a withdrawn source was, so that the same record finds its work again.

    ``people`` is there where the work went with it: a JSON list of (authorship, position, person, hash of
    the name key), numbers only. ``was_deleted`` marks works that somebody had deleted before: these stay
    deleted when their source comes back.
    """

    __tablename__ = "withdrawn"
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"), primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    work_id: Mapped[int] = mapped_column(ForeignKey("work.id"), index=True)
    was_deleted: Mapped[bool] = mapped_column(Boolean, default=False)
    people: Mapped[str | None] = mapped_column(Text)


class Identifier(Base):
    """An outside identifier of an entity (letter W, A, I, T or S): DOI, arXiv id, ORCID, ROR, ..."""

    __tablename__ = "identifier"
    __table_args__ = (Index("identifier_entity", "entity", "entity_id"),)
    entity: Mapped[str] = mapped_column(String(1), primary_key=True)
    scheme: Mapped[str] = mapped_column(String(16), primary_key=True)
    value: Mapped[str] = mapped_column(Text, primary_key=True)
    entity_id: Mapped[int] = mapped_column(BigInt)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))


class Person(Base):
    """A person as far as the record can tell them apart; ``rule`` says how the record was made."""

    __tablename__ = "person"
    __table_args__ = (
        Index("person_in_sight", "merged_into_id", "works_count"),
        Index("person_in_sight_name", "merged_into_id", "works_count", "display_name").ddl_if(
            dialect="sqlite"
        ),
    )
    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    display_name: Mapped[str] = mapped_column(Text)
    name_key: Mapped[str] = mapped_column(Text, index=True)
    orcid: Mapped[str | None] = mapped_column(String(19))
    works_count: Mapped[int] = mapped_column(Integer, default=0, index=True)
    cited_by_count: Mapped[int] = mapped_column(Integer, default=0)
    rule: Mapped[str] = mapped_column(Text)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))
    change_seq: Mapped[int] = mapped_column(BigInt)
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class IdentityEvent(Base):
    """What somebody decided about who is who: a split, a merge, "not mine", or whose an authorship is.

    An event that was undone stays in the history and no longer counts. ``kind`` is ``split``, ``merge``,
    ``detach`` or ``assign``; ``made_by`` says who decided: ``account:3``, or a name as the operator gave it.
    """

    __tablename__ = "identity_event"
    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(16))
    made_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    made_by: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    undone_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    undone_by: Mapped[str | None] = mapped_column(Text)
    undone_reason: Mapped[str | None] = mapped_column(Text)


class IdentityMark(Base):
    """What an event says of one authorship: those with one label are one person, two labels are two.

    An empty label says nothing of the authorship: it changed hands because others did, and is noted so that
    an undo can give it back to the same person.
    ``authorship_id`` may outlive its authorship (a source can withdraw an author), so it is no foreign key.
    ``person_before`` and ``person_after`` are whose it was and became.
    """

    __tablename__ = "identity_mark"
    event_id: Mapped[int] = mapped_column(ForeignKey("identity_event.id"), primary_key=True)
    authorship_id: Mapped[int] = mapped_column(BigInt, primary_key=True, index=True)
    label: Mapped[str] = mapped_column(String(32))
    person_before: Mapped[int | None] = mapped_column(BigInt, index=True)
    person_after: Mapped[int | None] = mapped_column(BigInt, index=True)


class Authorship(Base):
    """One author position of one work.

    ``person_id`` is ``None`` while it is undecided whose it is; ``decided_by`` names the rule
    ("orcid", "id:acl", "name+coauthor", ...) and ``evidence`` says in words what it saw. ``name_key`` is
    the normalised "family, given"; ``block_key`` (family core and first initial) bounds who could be
    the same person; ``author_ids`` holds the identifiers stated with the name, ``scheme:value``
    separated by line breaks.
    """

    __tablename__ = "authorship"
    __table_args__ = (
        UniqueConstraint("work_id", "position"),
        Index("authorship_of_person", "person_id", "work_id"),
    )
    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    work_id: Mapped[int] = mapped_column(ForeignKey("work.id"))
    position: Mapped[int] = mapped_column(Integer)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    raw_name: Mapped[str] = mapped_column(Text)
    name_key: Mapped[str] = mapped_column(Text, index=True)
    block_key: Mapped[str] = mapped_column(Text, index=True)
    author_ids: Mapped[str | None] = mapped_column(Text)
    raw_affiliation: Mapped[str | None] = mapped_column(Text)
    is_corresponding: Mapped[bool] = mapped_column(Boolean, default=False)
    decided_by: Mapped[str | None] = mapped_column(String(32))
    evidence: Mapped[str | None] = mapped_column(Text)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))


class Institution(Base):
    """An organisation to which authorships are affiliated."""

    __tablename__ = "institution"
    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    display_name: Mapped[str] = mapped_column(Text)
    name_key: Mapped[str] = mapped_column(Text, index=True)
    ror: Mapped[str | None] = mapped_column(String(16))
    country_code: Mapped[str | None] = mapped_column(String(2))
    type: Mapped[str | None] = mapped_column(String(32))
    works_count: Mapped[int] = mapped_column(Integer, default=0, index=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))


class AuthorshipInstitution(Base):
    """An affiliation stated for one authorship."""

    __tablename__ = "authorship_institution"
    authorship_id: Mapped[int] = mapped_column(ForeignKey("authorship.id"), primary_key=True)
    institution_id: Mapped[int] = mapped_column(
        ForeignKey("institution.id"), primary_key=True, index=True
    )
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))


class Topic(Base):
    """A subject; ``origin`` is ``given`` (a source says so) or ``suggested`` (this site's grouping)."""

    __tablename__ = "topic"
    __table_args__ = (UniqueConstraint("origin", "name_key"),)
    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    display_name: Mapped[str] = mapped_column(Text)
    name_key: Mapped[str] = mapped_column(Text)
    origin: Mapped[str] = mapped_column(String(16))
    keywords: Mapped[str | None] = mapped_column(Text)
    works_count: Mapped[int] = mapped_column(Integer, default=0, index=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))


class WorkTopic(Base):
    """A work's topic, with the score in [0, 1] that the source gives, if any."""

    __tablename__ = "work_topic"
    work_id: Mapped[int] = mapped_column(ForeignKey("work.id"), primary_key=True)
    topic_id: Mapped[int] = mapped_column(ForeignKey("topic.id"), primary_key=True, index=True)
    score: Mapped[float | None] = mapped_column(Float)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))


class Citation(Base):
    """A reference: resolved (``cited_id``), identified only (``scheme``, ``value``) or ``raw``.

    ``ref_key`` is ``scheme:value``, or a hash of ``raw``; it makes a repeated import find the row.
    """

    __tablename__ = "citation"
    __table_args__ = (
        UniqueConstraint("citing_id", "ref_key"),
        Index("citation_ref", "scheme", "value"),
    )
    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    citing_id: Mapped[int] = mapped_column(ForeignKey("work.id"))
    cited_id: Mapped[int | None] = mapped_column(ForeignKey("work.id"), index=True)
    ref_key: Mapped[str] = mapped_column(Text)
    scheme: Mapped[str | None] = mapped_column(String(16))
    value: Mapped[str | None] = mapped_column(Text)
    raw: Mapped[str | None] = mapped_column(Text)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))


class Version(Base):
    """A manifestation of a work: preprint, accepted or published."""

    __tablename__ = "version"
    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    work_id: Mapped[int] = mapped_column(ForeignKey("work.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    venue: Mapped[str | None] = mapped_column(Text)
    year: Mapped[int | None] = mapped_column(Integer)
    scheme: Mapped[str | None] = mapped_column(String(16))
    value: Mapped[str | None] = mapped_column(Text)
    url: Mapped[str | None] = mapped_column(Text)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))


class Artifact(Base):
    """Code or data that a source links to a work."""

    __tablename__ = "artifact"
    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    work_id: Mapped[int] = mapped_column(ForeignKey("work.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    url: Mapped[str] = mapped_column(Text)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))


class Notice(Base):
    """A retraction, correction or expression of concern."""

    __tablename__ = "notice"
    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    work_id: Mapped[int] = mapped_column(ForeignKey("work.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    date: Mapped[str | None] = mapped_column(String(10))
    url: Mapped[str | None] = mapped_column(Text)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))
