"""The community's database, on SQLite and, where it can be started, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
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
