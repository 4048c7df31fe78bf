"""One site's community: its database, its counts of how often, its mails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from peerscope.community.accounts import admins
from peerscope.community.consenting import CONSENTS
from peerscope.community.database import CommunityDatabase, open_community
from peerscope.community.mail import Mailer
from peerscope.community.openid import SignInElsewhere
from peerscope.community.person_settings import KeptPeople
from peerscope.community.rates import Rates
from peerscope.community.tickets import issue
from peerscope.settings import Settings


class Community:
    """What routes and commands need of the community.

    Args:
        settings: Of the site.
        database: Migrated; the settings' one if not given.
    """

    def __init__(self, settings: Settings, database: CommunityDatabase | None = None) -> None:
        self.settings = settings
        self.database = database or open_community(settings)
        self.rates = Rates()
        self.mailer = Mailer(settings)
        self.elsewhere = SignInElsewhere(settings)
        self.kept = KeptPeople(self.reading)
        self.consents = CONSENTS

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session of the community's database for reading."""
        with self.database.session() as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session for writing: committed as a whole, or not at all."""
        with self.database.begin() as session:
            yield session

    def first_admin(self) -> str | None:
        """The secret of the link that makes the first admin; ``None`` where there is an admin."""
        with self.writing() as session:
            return None if admins(session) else issue(session, "admin")

    def close(self) -> None:
        """Give the connections back."""
        self.database.close()
