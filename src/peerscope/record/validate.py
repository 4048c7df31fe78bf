"""The last gate before the tables: what a record must have, and how far its fields may go.

Importers know their formats and quarantine what is broken there; this module defends the tables against
whatever still comes through, in one place.
"""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from peerscope.record.parsed import WORK_TYPES, ParsedAuthor, ParsedWork

MAX_KEY = 500
MAX_TITLE = 2_000
MAX_NAME = 500
MAX_TEXT = 200_000
MAX_AUTHORS = 20_000
_SCHEME = 16
_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
# A control character, or a line break, as it looks inside JSON; a miss means that nothing needs cleaning.
_SUSPECT = re.compile(rb"\\[ubfnrt]|\x7f|\xc2[\x80-\x9f]|\xef\xbf[\xbe\xbf]")
_LONG_TEXT = frozenset(["abstract", "abstract_markup", "summary", "raw"])


def validate_work(work: ParsedWork) -> tuple[str, str] | None:
    """Why a record cannot go in and what would mend it, or ``None``.

    Call it on a record that `clean_work` has seen.
    """
    if not work.key:
        return "The record has no key.", "Give it a key that is unique in its file."
    if len(work.key) > MAX_KEY:
        return f"The key has {len(work.key)} characters.", f"Use at most {MAX_KEY}."
    if not work.title:
        return "The title is empty.", "Give the work a title."
    latest = datetime.now(UTC).year + 2
    if work.year is not None and not 1000 <= work.year <= latest:
        return (
            f"The year {work.year} lies outside 1000 to {latest}.",
            "Correct the year, or leave it out.",
        )
    if len(work.authors) > MAX_AUTHORS:
        return f"The work lists {len(work.authors)} authors.", f"At most {MAX_AUTHORS} are taken."
    return None


def clean_work(work: ParsedWork) -> tuple[ParsedWork, bytes]:
    """The record with clean, bounded fields, and its payload (canonical JSON).

    Control characters and lone surrogates go, line breaks outside long texts become blanks, over-long
    texts are cut, unusable identifiers and nameless authors are left out. The record is changed in
    place.
    """
    try:
        payload = orjson.dumps(work, option=orjson.OPT_SORT_KEYS)
        suspect = _SUSPECT.search(payload) is not None
    except (orjson.JSONEncodeError, TypeError):
        payload, suspect = b"", True
    if suspect:
        _scrub(work)
    if _bound(work) or suspect:
        payload = orjson.dumps(work, option=orjson.OPT_SORT_KEYS)
    return work, payload


def _scrub(value: Any, long: bool = False) -> Any:
    if isinstance(value, str):
        text = _CONTROL.sub("", value)
        return text.strip() if long else " ".join(text.split())
    if is_dataclass(value):
        for f in fields(value):
            setattr(value, f.name, _scrub(getattr(value, f.name), f.name in _LONG_TEXT))
        return value
    if isinstance(value, list):
        return [_scrub(item) for item in value]
    if isinstance(value, dict):
        return {_scrub(k): _scrub(v) for k, v in value.items()}
    return value


def _bound(work: ParsedWork) -> bool:
    """Cut what is too long; whether anything changed."""
    changed = False
    title = work.title.strip()[:MAX_TITLE]
    if title != work.title:
        work.title, changed = title, True
    for name in ("abstract", "abstract_markup", "summary", "title_markup"):
        value = getattr(work, name)
        if value is not None and (len(value) > MAX_TEXT or not value):
            setattr(work, name, value[:MAX_TEXT] or None)
            changed = True
    if work.type not in WORK_TYPES:
        work.type, changed = "other", True
    if work.date is not None and not _DATE.fullmatch(work.date):
        work.date, changed = None, True
    if work.language is not None and len(work.language) > _SCHEME:
        work.language, changed = None, True
    changed |= _bound_ids(work.ids)
    if any(_bad_author(author) for author in work.authors):
        work.authors = [_cut_author(a) for a in work.authors if a.name.strip()]
        changed = True
    for author in work.authors:
        if author.ids:
            changed |= _bound_ids(author.ids)
    return changed


def _bad_author(author: ParsedAuthor) -> bool:
    return not author.name.strip() or len(author.name) > MAX_NAME


def _cut_author(author: ParsedAuthor) -> ParsedAuthor:
    author.name = author.name.strip()[:MAX_NAME]
    return author


def _bound_ids(ids: dict[str, str]) -> bool:
    bad = [s for s, v in ids.items() if not v or not s or len(s) > _SCHEME or len(v) > MAX_KEY]
    for scheme in bad:
        del ids[scheme]
    return bool(bad)
