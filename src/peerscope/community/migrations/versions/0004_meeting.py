"""Follows, saves, collections, votes, reactions and reviews."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TABLES = (
    "review_reply", "review_version", "review", "reaction", "vote", "collection_change",
    "collection_note", "collection_work", "collection_member", "collection", "saved_work", "follow",
)  # fmt: skip


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "collection",
        sa.Column("id", BigInt, nullable=False),
        sa.Column("owner_id", BigInt, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("visibility", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=43), nullable=False),
        sa.Column("forked_from_id", BigInt, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["forked_from_id"], ["collection.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["owner_id"], ["account.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_collection_changed_at", "collection", ["changed_at"], unique=False)
    op.create_index("ix_collection_forked_from_id", "collection", ["forked_from_id"], unique=False)
    op.create_index("ix_collection_owner_id", "collection", ["owner_id"], unique=False)
    op.create_index("ix_collection_visibility", "collection", ["visibility"], unique=False)
    op.create_table(
        "follow",
        sa.Column("id", BigInt, nullable=False),
        sa.Column("account_id", BigInt, nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("visible", sa.Boolean(), nullable=False),
        sa.Column("seen_seq", BigInt, nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("account_id", "target"),
    )
    op.create_index("ix_follow_account_id", "follow", ["account_id"], unique=False)
    op.create_index("ix_follow_target", "follow", ["target"], unique=False)
    op.create_table(
        "reaction",
        sa.Column("id", BigInt, nullable=False),
        sa.Column("account_id", BigInt, nullable=False),
        sa.Column("work_id", BigInt, nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("account_id", "work_id", "kind"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_reaction_account_id", "reaction", ["account_id"], unique=False)
    op.create_index("ix_reaction_work_id", "reaction", ["work_id"], unique=False)
    op.create_table(
        "review",
        sa.Column("id", BigInt, nullable=False),
        sa.Column("account_id", BigInt, nullable=True),
        sa.Column("work_id", BigInt, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_review_account_id", "review", ["account_id"], unique=False)
    op.create_index("ix_review_work_id", "review", ["work_id"], unique=False)
    op.create_index(
        "review_one_standing",
        "review",
        ["account_id", "work_id"],
        unique=True,
        sqlite_where=sa.text("withdrawn_at IS NULL"),
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )
    op.create_table(
        "saved_work",
        sa.Column("id", BigInt, nullable=False),
        sa.Column("account_id", BigInt, nullable=False),
        sa.Column("work_id", BigInt, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("account_id", "work_id"),
    )
    op.create_index("ix_saved_work_account_id", "saved_work", ["account_id"], unique=False)
    op.create_index("ix_saved_work_work_id", "saved_work", ["work_id"], unique=False)
    op.create_table(
        "vote",
        sa.Column("account_id", BigInt, nullable=False),
        sa.Column("work_id", BigInt, autoincrement=False, nullable=False),
        sa.Column("value", sa.SmallInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account_id", "work_id"),
    )
    op.create_index("ix_vote_work_id", "vote", ["work_id"], unique=False)
    op.create_table(
        "collection_change",
        sa.Column("id", BigInt, nullable=False),
        sa.Column("collection_id", BigInt, nullable=False),
        sa.Column("account_id", BigInt, nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("work_id", BigInt, nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["collection_id"], ["collection.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_collection_change_account_id", "collection_change", ["account_id"], unique=False
    )
    op.create_index(
        "ix_collection_change_collection_id", "collection_change", ["collection_id"], unique=False
    )
    op.create_table(
        "collection_member",
        sa.Column("collection_id", BigInt, nullable=False),
        sa.Column("account_id", BigInt, nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("invited_by", BigInt, nullable=True),
        sa.Column("invited_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["collection_id"], ["collection.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["invited_by"], ["account.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("collection_id", "account_id"),
    )
    op.create_index(
        "ix_collection_member_account_id", "collection_member", ["account_id"], unique=False
    )
    op.create_index(
        "ix_collection_member_invited_by", "collection_member", ["invited_by"], unique=False
    )
    op.create_table(
        "collection_work",
        sa.Column("collection_id", BigInt, nullable=False),
        sa.Column("work_id", BigInt, autoincrement=False, nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("added_by", BigInt, nullable=True),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["added_by"], ["account.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["collection_id"], ["collection.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("collection_id", "work_id"),
    )
    op.create_index("ix_collection_work_added_by", "collection_work", ["added_by"], unique=False)
    op.create_index("ix_collection_work_work_id", "collection_work", ["work_id"], unique=False)
    op.create_table(
        "collection_note",
        sa.Column("collection_id", BigInt, autoincrement=False, nullable=False),
        sa.Column("work_id", BigInt, autoincrement=False, nullable=False),
        sa.Column("account_id", BigInt, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["collection_id", "work_id"],
            ["collection_work.collection_id", "collection_work.work_id"],
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("collection_id", "work_id", "account_id"),
    )
    op.create_index("ix_collection_note_account_id", "collection_note", ["account_id"])
    op.create_table(
        "review_reply",
        sa.Column("id", BigInt, nullable=False),
        sa.Column("review_id", BigInt, nullable=False),
        sa.Column("account_id", BigInt, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["review_id"], ["review.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_review_reply_account_id", "review_reply", ["account_id"], unique=False)
    op.create_index("ix_review_reply_review_id", "review_reply", ["review_id"], unique=False)
    op.create_table(
        "review_version",
        sa.Column("id", BigInt, nullable=False),
        sa.Column("review_id", BigInt, nullable=False),
        sa.Column("account_id", BigInt, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("strengths", sa.Text(), nullable=False),
        sa.Column("weaknesses", sa.Text(), nullable=False),
        sa.Column("questions", sa.Text(), nullable=False),
        sa.Column("reproducibility", sa.Text(), nullable=False),
        sa.Column("confidence", sa.SmallInteger(), nullable=False),
        sa.Column("relation", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["review_id"], ["review.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("review_id", "number"),
    )
    op.create_index("ix_review_version_account_id", "review_version", ["account_id"], unique=False)


def downgrade() -> None:
    """Drop the tables."""
    for table in TABLES:
        op.drop_table(table)
