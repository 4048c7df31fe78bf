"""For all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

# How long an example takes says something about the machine, not about the code.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


@pytest.fixture(scope="module")
def quick_hashes() -> Iterator[tuple[object, str]]:
    """Cheap hashes of passwords, for tests that are not about their cost; the proper ones are handed on."""
    from argon2 import PasswordHasher

    from peerscope.community import accounts

    proper = accounts._hasher, accounts._NOBODY
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    accounts._hasher, accounts._NOBODY = quick, quick.hash("the password of nobody")
    yield proper
    accounts._hasher, accounts._NOBODY = proper
