"""What the community refuses, each with a sentence that says what would help."""

from __future__ import annotations


class CommunityError(ValueError):
    """Something asked for cannot be done as things stand."""


class NotAllowedError(CommunityError):
    """The account has no right to it."""


class NotThereError(CommunityError):
    """What it is about does not exist, or not for this account."""


class ElsewhereError(CommunityError):
    """Another server that is needed for it does not answer, or not as it should."""


class TooOftenError(CommunityError):
    """Asked more often than the site answers.

    Attributes:
        seconds: After which it may be asked again.
    """

    def __init__(self, sentence: str, seconds: int) -> None:
        super().__init__(sentence)
        self.seconds = seconds
