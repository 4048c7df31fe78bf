"""The tables of the scholarly record."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create all tables."""
    op.create_table(
        "counter",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "source",
        sa.Column("id", BigInt, autoincrement=False, nullable=False),
        sa.Column("importer", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("licence", sa.Text(), nullable=True),
        sa.Column("covers", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("importer", "location"),
    )
    op.create_table(
        "identifier",
        sa.Column("entity", sa.String(length=1), nullable=False),
        sa.Column("scheme", sa.String(length=16), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("entity_id", BigInt, nullable=False),
        sa.Column("source_id", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["source.id"],
        ),
        sa.PrimaryKeyConstraint("entity", "scheme", "value"),
    )
    op.create_index("identifier_entity", "identifier", ["entity", "entity_id"], unique=False)
    op.create_table(
        "import_run",
        sa.Column("id", BigInt, autoincrement=False, nullable=False),
        sa.Column("source_id", BigInt, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("position", BigInt, nullable=False),
        sa.Column("added", BigInt, nullable=False),
        sa.Column("updated", BigInt, nullable=False),
        sa.Column("unchanged", BigInt, nullable=False),
        sa.Column("quarantined", BigInt, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["source.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_import_run_source_id"), "import_run", ["source_id"], unique=False)
    op.create_table(
        "institution",
        sa.Column("id", BigInt, autoincrement=False, nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("ror", sa.String(length=16), nullable=True),
        sa.Column("country_code", sa.String(length=2), nullable=True),
        sa.Column("type", sa.String(length=32), nullable=True),
        sa.Column("works_count", sa.Integer(), nullable=False),
        sa.Column("source_id", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["source.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_institution_name_key"), "institution", ["name_key"], unique=False)
    op.create_index(
        op.f("ix_institution_works_count"), "institution", ["works_count"], unique=False
    )
    op.create_table(
        "person",
        sa.Column("id", BigInt, autoincrement=False, nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("orcid", sa.String(length=19), nullable=True),
        sa.Column("works_count", sa.Integer(), nullable=False),
        sa.Column("cited_by_count", sa.Integer(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("source_id", BigInt, nullable=False),
        sa.Column("change_seq", BigInt, nullable=False),
        sa.Column("merged_into_id", BigInt, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["merged_into_id"],
            ["person.id"],
        ),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["source.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_person_name_key"), "person", ["name_key"], unique=False)
    op.create_index(op.f("ix_person_works_count"), "person", ["works_count"], unique=False)
    op.create_table(
        "quarantine",
        sa.Column("id", BigInt, autoincrement=False, nullable=False),
        sa.Column("source_id", BigInt, nullable=False),
        sa.Column("position", BigInt, nullable=False),
        sa.Column("locator", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("mend", sa.Text(), nullable=False),
        sa.Column("excerpt", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["source.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source_id", "position"),
    )
    op.create_table(
        "topic",
        sa.Column("id", BigInt, autoincrement=False, nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("keywords", sa.Text(), nullable=True),
        sa.Column("works_count", sa.Integer(), nullable=False),
        sa.Column("source_id", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["source.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("origin", "name_key"),
    )
    op.create_index(op.f("ix_topic_works_count"), "topic", ["works_count"], unique=False)
    op.create_table(
        "venue",
        sa.Column("id", BigInt, autoincrement=False, nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=True),
        sa.Column("works_count", sa.Integer(), nullable=False),
        sa.Column("source_id", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["source.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name_key"),
    )
    op.create_index(op.f("ix_venue_works_count"), "venue", ["works_count"], unique=False)
    op.create_table(
        "work",
        sa.Column("id", BigInt, autoincrement=False, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("title_markup", sa.Text(), nullable=True),
        sa.Column("abstract", sa.Text(), nullable=True),
        sa.Column("abstract_markup", sa.Text(), nullable=True),
        sa.Column("summary", sa.Text(), nullable=True),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("publication_year", sa.Integer(), nullable=True),
        sa.Column("publication_date", sa.String(length=10), nullable=True),
        sa.Column("language", sa.String(length=16), nullable=True),
        sa.Column("venue_id", BigInt, nullable=True),
        sa.Column("publisher", sa.Text(), nullable=True),
        sa.Column("volume", sa.Text(), nullable=True),
        sa.Column("issue", sa.Text(), nullable=True),
        sa.Column("pages", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("pdf_url", sa.Text(), nullable=True),
        sa.Column("licence", sa.Text(), nullable=True),
        sa.Column("is_oa", sa.Boolean(), nullable=True),
        sa.Column("doi", sa.Text(), nullable=True),
        sa.Column("arxiv_id", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.String(length=32), nullable=True),
        sa.Column("covered", sa.Text(), nullable=False),
        sa.Column("authors_count", sa.Integer(), nullable=False),
        sa.Column("references_count", sa.Integer(), nullable=False),
        sa.Column("cited_by_count", sa.Integer(), nullable=False),
        sa.Column("source_id", BigInt, nullable=False),
        sa.Column("field_sources", sa.Text(), nullable=True),
        sa.Column("change_seq", BigInt, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["source.id"],
        ),
        sa.ForeignKeyConstraint(
            ["venue_id"],
            ["venue.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_work_change_seq"), "work", ["change_seq"], unique=False)
    op.create_index(op.f("ix_work_fingerprint"), "work", ["fingerprint"], unique=False)
    op.create_index(op.f("ix_work_publication_year"), "work", ["publication_year"], unique=False)
    op.create_index(op.f("ix_work_venue_id"), "work", ["venue_id"], unique=False)
    op.create_table(
        "artifact",
        sa.Column("id", BigInt, autoincrement=False, nullable=False),
        sa.Column("work_id", BigInt, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("source_id", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["source.id"],
        ),
        sa.ForeignKeyConstraint(
            ["work_id"],
            ["work.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_artifact_work_id"), "artifact", ["work_id"], unique=False)
    op.create_table(
        "authorship",
        sa.Column("id", BigInt, autoincrement=False, nullable=False),
        sa.Column("work_id", BigInt, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("person_id", BigInt, nullable=True),
        sa.Column("raw_name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("block_key", sa.Text(), nullable=False),
        sa.Column("author_ids", sa.Text(), nullable=True),
        sa.Column("raw_affiliation", sa.Text(), nullable=True),
        sa.Column("is_corresponding", sa.Boolean(), nullable=False),
        sa.Column("decided_by", sa.String(length=32), nullable=True),
        sa.Column("evidence", sa.Text(), nullable=True),
        sa.Column("source_id", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["person.id"],
        ),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["source.id"],
        ),
        sa.ForeignKeyConstraint(
            ["work_id"],
            ["work.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("work_id", "position"),
    )
    op.create_index(op.f("ix_authorship_block_key"), "authorship", ["block_key"], unique=False)
    op.create_index(op.f("ix_authorship_name_key"), "authorship", ["name_key"], unique=False)
    op.create_index(op.f("ix_authorship_person_id"), "authorship", ["person_id"], unique=False)
    op.create_table(
        "citation",
        sa.Column("id", BigInt, autoincrement=False, nullable=False),
        sa.Column("citing_id", BigInt, nullable=False),
        sa.Column("cited_id", BigInt, nullable=True),
        sa.Column("ref_key", sa.Text(), nullable=False),
        sa.Column("scheme", sa.String(length=16), nullable=True),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("raw", sa.Text(), nullable=True),
        sa.Column("source_id", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["cited_id"],
            ["work.id"],
        ),
        sa.ForeignKeyConstraint(
            ["citing_id"],
            ["work.id"],
        ),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["source.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("citing_id", "ref_key"),
    )
    op.create_index("citation_ref", "citation", ["scheme", "value"], unique=False)
    op.create_index(op.f("ix_citation_cited_id"), "citation", ["cited_id"], unique=False)
    op.create_table(
        "notice",
        sa.Column("id", BigInt, autoincrement=False, nullable=False),
        sa.Column("work_id", BigInt, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("date", sa.String(length=10), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("source_id", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["source.id"],
        ),
        sa.ForeignKeyConstraint(
            ["work_id"],
            ["work.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_notice_work_id"), "notice", ["work_id"], unique=False)
    op.create_table(
        "source_record",
        sa.Column("id", BigInt, autoincrement=False, nullable=False),
        sa.Column("source_id", BigInt, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("work_id", BigInt, nullable=False),
        sa.Column("content_hash", sa.String(length=32), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("run_id", BigInt, nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("retrieved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["source.id"],
        ),
        sa.ForeignKeyConstraint(
            ["work_id"],
            ["work.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source_id", "key"),
    )
    op.create_index(op.f("ix_source_record_work_id"), "source_record", ["work_id"], unique=False)
    op.create_table(
        "version",
        sa.Column("id", BigInt, autoincrement=False, nullable=False),
        sa.Column("work_id", BigInt, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("venue", sa.Text(), nullable=True),
        sa.Column("year", sa.Integer(), nullable=True),
        sa.Column("scheme", sa.String(length=16), nullable=True),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("source_id", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["source.id"],
        ),
        sa.ForeignKeyConstraint(
            ["work_id"],
            ["work.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_version_work_id"), "version", ["work_id"], unique=False)
    op.create_table(
        "work_topic",
        sa.Column("work_id", BigInt, nullable=False),
        sa.Column("topic_id", BigInt, nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("source_id", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["source.id"],
        ),
        sa.ForeignKeyConstraint(
            ["topic_id"],
            ["topic.id"],
        ),
        sa.ForeignKeyConstraint(
            ["work_id"],
            ["work.id"],
        ),
        sa.PrimaryKeyConstraint("work_id", "topic_id"),
    )
    op.create_index(op.f("ix_work_topic_topic_id"), "work_topic", ["topic_id"], unique=False)
    op.create_table(
        "authorship_institution",
        sa.Column("authorship_id", BigInt, nullable=False),
        sa.Column("institution_id", BigInt, nullable=False),
        sa.Column("source_id", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["authorship_id"],
            ["authorship.id"],
        ),
        sa.ForeignKeyConstraint(
            ["institution_id"],
            ["institution.id"],
        ),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["source.id"],
        ),
        sa.PrimaryKeyConstraint("authorship_id", "institution_id"),
    )
    op.create_index(
        op.f("ix_authorship_institution_institution_id"),
        "authorship_institution",
        ["institution_id"],
        unique=False,
    )


def downgrade() -> None:
    """Drop all tables."""
    op.drop_index(
        op.f("ix_authorship_institution_institution_id"), table_name="authorship_institution"
    )
    op.drop_table("authorship_institution")
    op.drop_index(op.f("ix_work_topic_topic_id"), table_name="work_topic")
    op.drop_table("work_topic")
    op.drop_index(op.f("ix_version_work_id"), table_name="version")
    op.drop_table("version")
    op.drop_index(op.f("ix_source_record_work_id"), table_name="source_record")
    op.drop_table("source_record")
    op.drop_index(op.f("ix_notice_work_id"), table_name="notice")
    op.drop_table("notice")
    op.drop_index(op.f("ix_citation_cited_id"), table_name="citation")
    op.drop_index("citation_ref", table_name="citation")
    op.drop_table("citation")
    op.drop_index(op.f("ix_authorship_person_id"), table_name="authorship")
    op.drop_index(op.f("ix_authorship_name_key"), table_name="authorship")
    op.drop_index(op.f("ix_authorship_block_key"), table_name="authorship")
    op.drop_table("authorship")
    op.drop_index(op.f("ix_artifact_work_id"), table_name="artifact")
    op.drop_table("artifact")
    op.drop_index(op.f("ix_work_venue_id"), table_name="work")
    op.drop_index(op.f("ix_work_publication_year"), table_name="work")
    op.drop_index(op.f("ix_work_fingerprint"), table_name="work")
    op.drop_index(op.f("ix_work_change_seq"), table_name="work")
    op.drop_table("work")
    op.drop_index(op.f("ix_venue_works_count"), table_name="venue")
    op.drop_table("venue")
    op.drop_index(op.f("ix_topic_works_count"), table_name="topic")
    op.drop_table("topic")
    op.drop_table("quarantine")
    op.drop_index(op.f("ix_person_works_count"), table_name="person")
    op.drop_index(op.f("ix_person_name_key"), table_name="person")
    op.drop_table("person")
    op.drop_index(op.f("ix_institution_works_count"), table_name="institution")
    op.drop_index(op.f("ix_institution_name_key"), table_name="institution")
    op.drop_table("institution")
    op.drop_index(op.f("ix_import_run_source_id"), table_name="import_run")
    op.drop_table("import_run")
    op.drop_index("identifier_entity", table_name="identifier")
    op.drop_table("identifier")
    op.drop_table("source")
    op.drop_table("counter")
