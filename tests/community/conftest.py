"""The community's database, on SQLite and, where it can be started, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from peerscope.community import Community
from peerscope.settings import Settings


@pytest.fixture
def community(tmp_path: Path) -> Iterator[Community]:
    found = Community(Settings(home=tmp_path / "site"))
    yield found
    found.close()


@pytest.fixture
def make_account(community: Community):
    from peerscope.community.accounts import create_account

    def make(name: str = "Ada Example", role: str = "member") -> int:
        with community.writing() as session:
            return create_account(session, name, role=role)

    return make


class Clock:
    """The community's clock, to be moved."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def move(self, by: timedelta) -> None:
        self.ahead += by

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def clock(monkeypatch) -> Clock:
    """Every module of the community that tells the time tells that of the clock."""
    import sys

    found = Clock()
    for name, module in list(sys.modules.items()):
        if name.startswith("peerscope.community") and callable(getattr(module, "now", None)):
            monkeypatch.setattr(module, "now", found.now)
    return found
