"""What is new in what an account follows, for its mail and its own feed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from peerscope.community.digests import FollowNews, Heard
from peerscope.discover import SiteDiscovery


def follow_news(discovery: SiteDiscovery) -> FollowNews:
    """How the digest learns what is new in what an account follows."""

    def heard(
        session: Session, record: Session, account_id: int, since: datetime, until: datetime
    ) -> Sequence[Heard]:
        return []

    return heard
