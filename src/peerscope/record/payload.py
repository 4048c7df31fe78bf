"""Source records as they are kept: a `ParsedWork` as canonical JSON, and back."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from peerscope.record.parsed import (
    ParsedArtifact,
    ParsedAuthor,
    ParsedInstitution,
    ParsedNotice,
    ParsedReference,
    ParsedTopic,
    ParsedVersion,
    ParsedWork,
)


def content_hash(payload: bytes) -> str:
    """BLAKE2b-128 of a payload, in hexadecimal."""
    return hashlib.blake2b(payload, digest_size=16).hexdigest()


def load_payload(payload: str | bytes) -> ParsedWork:
    """The record that a payload holds."""
    data: dict[str, Any] = orjson.loads(payload)
    data["authors"] = [_author(a) for a in data["authors"]]
    data["editors"] = [_author(a) for a in data["editors"]]
    data["topics"] = [ParsedTopic(**t) for t in data["topics"]]
    data["references"] = [ParsedReference(**r) for r in data["references"]]
    data["versions"] = [ParsedVersion(**v) for v in data["versions"]]
    data["artifacts"] = [ParsedArtifact(**a) for a in data["artifacts"]]
    data["notices"] = [ParsedNotice(**n) for n in data["notices"]]
    return ParsedWork(**data)


def _author(data: dict[str, Any]) -> ParsedAuthor:
    data["institutions"] = [ParsedInstitution(**i) for i in data["institutions"]]
    return ParsedAuthor(**data)
