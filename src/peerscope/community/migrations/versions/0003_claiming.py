"""Domains of institutions, claims on records, what owners say, and who stays hidden."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Moment = sa.DateTime(timezone=True)
TABLES = (
    "report_contact", "person_setting", "profile",
    "work_confirmation", "claim_on_record", "site_secret", "institution_domain",
)  # fmt: skip
LIVE = sa.text("state IN ('open', 'accepted', 'disputed')")
ACCEPTED = sa.text("state = 'accepted'")


def upgrade() -> None:
    """Create the tables, and let the database forget how to reach a reporter once it is decided."""
    op.create_table(
        "institution_domain",
        sa.Column("domain", sa.String(length=253), nullable=False),
        sa.Column("ror", sa.String(length=16), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_keys", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("domain", "ror"),
    )
    op.create_table(
        "site_secret",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    _claims()
    _profiles()
    op.create_table(
        "person_setting",
        sa.Column("person_id", BigInt, autoincrement=False, nullable=False),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.Column("noindex", sa.Boolean(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("changed_by", BigInt, nullable=True),
        sa.Column("changed_at", Moment, nullable=False),
        sa.ForeignKeyConstraint(["changed_by"], ["account.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("person_id"),
    )
    op.create_table(
        "report_contact",
        sa.Column("report_id", BigInt, nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("report_id"),
    )
    _forget_contacts()


def _claims() -> None:
    op.create_table(
        "claim_on_record",
        sa.Column("id", BigInt, nullable=False),
        sa.Column("account_id", BigInt, nullable=False),
        sa.Column("claimed_id", BigInt, nullable=False),
        sa.Column("person_id", BigInt, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("route", sa.String(length=16), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("proof_id", BigInt, nullable=True),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("decided_at", Moment, nullable=True),
        sa.Column("decided_by", BigInt, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["decided_by"], ["account.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["proof_id"], ["proof.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_claim_on_record_account_id", "claim_on_record", ["account_id"])
    op.create_index("ix_claim_on_record_person_id", "claim_on_record", ["person_id"])
    for name, column, where in (("live", "account_id", LIVE), ("owner", "person_id", ACCEPTED)):
        op.create_index(
            f"uq_claim_on_record_{name}", "claim_on_record", [column], unique=True,
            sqlite_where=where, postgresql_where=where,
        )  # fmt: skip
    op.create_table(
        "work_confirmation",
        sa.Column("account_id", BigInt, nullable=False),
        sa.Column("work_id", BigInt, nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account_id", "work_id"),
    )


def _profiles() -> None:
    op.create_table(
        "profile",
        sa.Column("account_id", BigInt, nullable=False),
        sa.Column("bio", sa.Text(), nullable=False),
        sa.Column("preferred_name", sa.Text(), nullable=False),
        sa.Column("links", sa.Text(), nullable=False),
        sa.Column("highlights", sa.Text(), nullable=False),
        sa.Column("available_for", sa.Text(), nullable=False),
        sa.Column("available_since", Moment, nullable=True),
        sa.Column("updated_at", Moment, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account_id"),
    )


def _forget_contacts() -> None:
    forget = "DELETE FROM report_contact WHERE report_id = NEW.id"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER report_contact_forget AFTER UPDATE OF state ON report "
            f"WHEN NEW.state <> 'open' BEGIN {forget}; END"
        )
    else:
        op.execute(
            "CREATE FUNCTION report_contact_forget() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {forget}; RETURN NEW; END $$"
        )
        op.execute(
            "CREATE TRIGGER report_contact_forget AFTER UPDATE OF state ON report FOR EACH ROW "
            "WHEN (NEW.state <> 'open') EXECUTE FUNCTION report_contact_forget()"
        )


def downgrade() -> None:
    """Drop them: claims and profiles are lost."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER report_contact_forget")
    else:
        op.execute("DROP TRIGGER report_contact_forget ON report")
        op.execute("DROP FUNCTION report_contact_forget()")
    for table in TABLES:
        op.drop_table(table)
