"""Migrations, levels, one-time links, and the audit log that cannot be bent unseen."""

from __future__ import annotations

import stat
from datetime import timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text, update
from sqlalchemy.exc import DBAPIError

from peerscope.community import NotAllowedError, NotThereError, audit
from peerscope.community.accounts import admins, set_role
from peerscope.community.models import Base, Proof, Ticket
from peerscope.community.proofs import add_proof, level_of, levels_of, proofs_of, revoke_proof
from peerscope.community.tickets import issue, look, use
from peerscope.community.times import now


def test_the_migrations_make_the_tables_of_the_models(community) -> None:
    with community.database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": "community_version"}
        )
        assert compare_metadata(context, Base.metadata) == []


def test_only_the_owner_reads_the_file(community) -> None:
    mode = community.database.path.stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_a_level_is_the_highest_proof_in_force(community, make_account) -> None:
    one, other = make_account(), make_account("Bo Other")
    with community.writing() as session:
        assert level_of(session, one) == 0
        add_proof(session, one, "email")
        orcid = add_proof(session, one, "orcid", value="0000-0002-1825-0097", issuer="orcid.org")
        assert add_proof(session, one, "orcid", value="0000-0002-1825-0097") == orcid
        domain = add_proof(session, one, "domain", value="example.org")
        assert levels_of(session, [one, other]) == {one: 3}
        session.execute(
            update(Proof).where(Proof.id == domain).values(expires_at=now() - timedelta(seconds=1))
        )
        assert level_of(session, one) == 2
        revoke_proof(session, orcid, audit.OPERATOR, "It was somebody else's.")
        assert level_of(session, one) == 1
        assert [p.kind for p in proofs_of(session, one) if p.in_force()] == ["email"]
        with pytest.raises(NotThereError):
            revoke_proof(session, orcid, audit.OPERATOR, "again")


def test_a_link_works_once_and_not_for_long(community) -> None:
    with community.writing() as session:
        secret = issue(session, "reset", None, "x@example.org")
        again = issue(session, "reset", None, "x@example.org")
        with pytest.raises(NotThereError):
            look(session, "reset", secret)
        with pytest.raises(NotThereError):
            look(session, "join", again)
        assert use(session, "reset", again).value == "x@example.org"
        with pytest.raises(NotThereError):
            use(session, "reset", again)
        late = issue(session, "join", None, "y@example.org")
        session.execute(update(Ticket).values(expires_at=now() - timedelta(seconds=1)))
        with pytest.raises(NotThereError):
            look(session, "join", late)


def test_the_last_admin_stays(community, make_account) -> None:
    one, other = make_account(role="admin"), make_account("Bo Other")
    with community.writing() as session:
        with pytest.raises(NotAllowedError):
            set_role(session, one, "member", audit.OPERATOR)
        set_role(session, other, "admin", audit.OPERATOR)
        set_role(session, one, "member", audit.actor_of(other))
        assert admins(session) == 1


def test_the_log_refuses_changes_and_shows_those_made_around_it(community, make_account) -> None:
    for name in ("Ada Example", "Bo Other", "Cy Third"):
        make_account(name)
    with community.reading() as session:
        assert audit.broken_at(session) is None
        assert audit.head(session)[0] == 3
    for statement in ("UPDATE audit_entry SET actor = 'x'", "DELETE FROM audit_entry"):
        with pytest.raises(DBAPIError, match="append-only"), community.writing() as session:
            session.execute(text(statement))
    with community.writing() as session:
        session.execute(text("DROP TRIGGER audit_entry_no_update"))
        session.execute(text("UPDATE audit_entry SET action = 'role.change' WHERE id = 2"))
    with community.reading() as session:
        assert audit.broken_at(session) == 2
