"""What importers of JSON lines share: lines to objects, objects to numbered records, breaks to quarantine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from peerscope.record.files import GET_AGAIN, LONGEST_LINE, BrokenFileError, Line, decoded, lines
from peerscope.record.importers.bibliography import Refused
from peerscope.record.markup import clean
from peerscope.record.parsed import Good, ParsedWork, Quarantined, Record

Parse = Callable[[dict[str, Any]], ParsedWork]
"""One object to a work; raises `Refused` with reason and mend."""


def read_json_lines(
    path: str, parse: Parse, position: int = 0, seen: set[bytes] | None = None
) -> Iterator[Record]:
    """Every line of a file as a record, from ``position`` on; a repeated key is refused.

    Args:
        path: The file.
        parse: Turns an object into a work.
        position: Number of the first record.
        seen: Keys met before, for sources of several files.
    """
    known = set() if seen is None else seen
    stream = lines(path)
    while True:
        try:
            line = next(stream, None)
        except BrokenFileError as error:
            yield Quarantined(
                position, "end of the readable part", str(error),
                GET_AGAIN,
            )  # fmt: skip
            return
        if line is None:
            return
        if not line.too_long and not line.content.strip():
            continue
        record = _record(line, position, parse, known)
        yield record
        position += 1


def _record(line: Line, position: int, parse: Parse, known: set[bytes]) -> Record:
    try:
        work = parse(_object(line))
        key = work.key.encode("utf-8", "replace")
        if key in known:
            raise Refused(
                f"The key '{work.key[:200]}' stands in this source twice; the first went in.",
                "Give it a key of its own, or remove it if both are the same work.",
            )
        known.add(key)
        return Good(position, work)
    except Refused as refusal:
        return Quarantined(
            position,
            f"line {line.number}, byte {line.offset}",
            refusal.reason,
            refusal.mend,
            excerpt=clean(decoded(line.content[:2000]))[:500],
        )


def _object(line: Line) -> dict[str, Any]:
    if line.too_long:
        raise Refused(
            f"The line is longer than {LONGEST_LINE:,} bytes.",
            "Put one record on each line; a JSON array must be split into lines.",
        )
    try:
        found = orjson.loads(line.content)
    except orjson.JSONDecodeError as error:
        try:
            found = orjson.loads(decoded(line.content))
        except (orjson.JSONDecodeError, ValueError):
            raise Refused(f"The line is not JSON: {error}.", "Mend the line.") from None
    if not isinstance(found, dict):
        raise Refused("The line holds no JSON object.", "Put one object on each line.")
    return found


def text_of(value: Any) -> str | None:
    """A string that says something, else ``None``; numbers become text."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool) or value is None:
        return None
    return str(value) if isinstance(value, int | float) else None


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; anything else in it, or in its place, is passed over."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def strings(value: Any) -> list[str]:
    """The strings of a list, or of a single string."""
    if isinstance(value, str):
        return [value] if value.strip() else []
    if not isinstance(value, list):
        return []
    return [one.strip() for one in value if isinstance(one, str) and one.strip()]


def year_in(value: Any) -> int | None:
    """A year given as a number or text.

    Raises:
        Refused: It is no possible year.
    """
    from peerscope.record.importers.bibliography import check_year, year_of

    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return check_year(value)
    if isinstance(value, float):
        return check_year(int(value)) if abs(value) < 1e6 else None
    return year_of(value) if isinstance(value, str) else None
