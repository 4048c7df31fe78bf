"""What of accounts' words and lists can be reported, and where it is to be seen."""

from __future__ import annotations

import re

from sqlalchemy.orm import Session

from peerscope.community.collections import look
from peerscope.community.errors import NotThereError
from peerscope.community.meeting_models import Reaction, ReviewReply
from peerscope.community.review_pages import review

_TARGET = re.compile(r"(review|reply|reaction|collection):([1-9]\d{0,14})", re.ASCII)


def place_of(session: Session, target: str, account_id: int, key: str = "") -> str:
    """The address of something that an account reports.

    Args:
        session: Of the community's database.
        target: As ``review:12``, ``reply:3``, ``reaction:4`` or ``collection:5``.
        account_id: Who reports; what they cannot see they cannot report.
        key: Of an unlisted collection.

    Raises:
        NotThereError: There is nothing like it that the account may see.
    """
    match = _TARGET.fullmatch(target)
    if match is None:
        raise NotThereError("This does not name anything that can be reported.")
    kind, number = match[1], int(match[2])
    if kind == "collection":
        return look(session, number, account_id, key).address
    if kind == "review":
        return f"/reviews/{review(session, number).id}"
    if kind == "reply" and (answer := session.get(ReviewReply, number)) is not None:
        return f"/reviews/{answer.review_id}"
    if kind == "reaction" and (said := session.get(Reaction, number)) is not None:
        return f"/works/W{said.work_id}/reactions"
    raise NotThereError("There is nothing of this number any more.")
