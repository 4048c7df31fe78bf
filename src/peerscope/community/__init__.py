"""The people of a site: accounts, what they proved, what they say to works, people and each other.

Here live accounts and sessions, proofs and claims, trust, follows, saves, reviews, invitations and
moderation, in a database of their own. What is known of works and people of the record lives in `record`;
what readers let the site keep without an account in `discover.readers`.
"""

from peerscope.community.database import CommunityDatabase, open_community
from peerscope.community.errors import (
    CommunityError,
    ElsewhereError,
    NotAllowedError,
    NotThereError,
    TooOftenError,
)
from peerscope.community.service import Community

__all__ = [
    "Community",
    "CommunityDatabase",
    "CommunityError",
    "ElsewhereError",
    "NotAllowedError",
    "NotThereError",
    "TooOftenError",
    "open_community",
]
