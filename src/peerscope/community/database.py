"""Where accounts and what they write live: a file of its own, or a PostgreSQL database.

Apart from the record, so that an import never keeps anybody from signing in, and so that a copy of the
record can be given away without anybody's account in it.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from sqlalchemy import event

# Each names tables of its own; only together the metadata is whole.
import peerscope.community.claiming_models
import peerscope.community.meeting_models
import peerscope.community.passkey_models
import peerscope.community.reading_models
import peerscope.community.talk_models
import peerscope.community.trust.models  # noqa: F401
from peerscope.record import Database
from peerscope.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"


class CommunityDatabase(Database):
    """The community's database: SQLite readable by its owner only, or PostgreSQL through pg8000.

    What is deleted is overwritten on the disk (SQLite's ``secure_delete``).

    Args:
        url: SQLAlchemy address, as for `Database`.

    Raises:
        ValueError: The address names another kind of database.
    """

    migrations = MIGRATIONS
    version_table = "community_version"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        if self.path is not None:
            self.path.touch(mode=stat.S_IRUSR | stat.S_IWUSR)
        if self.is_sqlite:
            event.listen(self.engine, "connect", _overwrite_deleted)


def _overwrite_deleted(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA secure_delete = ON")


def open_community(settings: Settings) -> CommunityDatabase:
    """The community of a site, migrated to this version's tables."""
    if not settings.community_url:
        settings.home.mkdir(parents=True, exist_ok=True)
    database = CommunityDatabase(settings.people_url)
    database.migrate()
    return database
