"""Single values: what a cell of any format may hold, and what it becomes.

Every function takes what Arrow, JSON or CSV hands over (text, numbers, booleans, dates, lists, ``None``),
returns the value in our form, and raises `Unfit` for anything else. Missing values and NaN are ``None``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any

import orjson

from peerscope.retrieval.files.problems import Unfit
from peerscope.retrieval.text import MOST_CHARACTERS

LONGEST_ID = 512
LONGEST_VALUE = 200
"""Characters of a categorical value: longer ones are texts."""

MOST_VALUES = 100
"""Values of one field of one item."""

LEAST_WEIGHT = 1e-9

_EXACT = 2.0**53
"""From here on a float no longer holds every integer."""

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_SPACES = re.compile(r"\s+")

EMPTY = Unfit("empty", "Give it a value.")
CONTROL = Unfit("control characters, replaced by blanks", "Take them out of the text.")


def missing(value: Any) -> bool:
    """Whether a cell holds nothing: no value, NaN, or blanks."""
    if value is None:
        return True
    if isinstance(value, float):
        return math.isnan(value)
    return isinstance(value, str) and not value.strip()


def own_id(value: Any) -> str:
    """An id as text: 5, "5" and 5.0 (integers beside missing values, in a data frame) are the same id."""
    if missing(value):
        raise Unfit("no id", "Give every row an id.")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Unfit("no id of this type", "Ids are strings or integers.")
    if isinstance(value, float):
        if not value.is_integer() or abs(value) >= _EXACT:
            raise Unfit("an id that is no whole number", "Write ids as strings or integers.")
        value = int(value)
    found = str(value).strip()
    if len(found) > LONGEST_ID:
        raise Unfit("an id that is too long", f"Ids have at most {LONGEST_ID} characters.")
    if _CONTROL.search(found):
        raise Unfit("control characters in an id", "Take them out, in all three files.")
    return found


def text(value: Any, *, spaces: bool = True) -> tuple[str, bool]:
    """A text, and whether control characters had to be replaced.

    Args:
        value: Text, a number, or a list of both, which is joined.
        spaces: Whether line breaks and repeated blanks become one blank.
    """
    if missing(value):
        return "", False
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = " ; ".join(str(part) for part in value if not missing(part))
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Unfit("no text", "Write it as a string.")
    found = str(value)[:MOST_CHARACTERS]
    bare = _CONTROL.sub(" ", found)
    return (_SPACES.sub(" ", bare) if spaces else bare).strip(), bare != found


def category(value: Any) -> str | None:
    """One categorical value as text: ``yes`` and ``no`` for booleans, whole numbers in digits."""
    if missing(value):
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if not value.is_integer():
            raise Unfit(
                "a fraction or infinity in a categorical field",
                "Round it to whole numbers, or to steps given as strings.",
            )
        value = int(value)
    if not isinstance(value, str | int):
        raise Unfit(
            "no categorical value", "Fields are strings, integers, booleans, or lists of them."
        )
    found = _SPACES.sub(" ", _CONTROL.sub(" ", str(value))).strip()
    if len(found) > LONGEST_VALUE:
        raise Unfit(
            f"a categorical value of more than {LONGEST_VALUE} characters",
            "Give long texts in the column `text` or `names`.",
        )
    return found or None


def categories(value: Any) -> tuple[str, ...]:
    """The values of one field of one item, each once."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        found = (category(part) for part in value)
        return tuple(dict.fromkeys(part for part in found if part is not None))[:MOST_VALUES]
    one = category(value)
    return () if one is None else (one,)


def ids(value: Any) -> tuple[list[str], int]:
    """A list of ids, and how many entries of it are none; in CSV ``[1, 2]`` or ``1|2``."""
    if missing(value):
        return [], 0
    if isinstance(value, str):
        value = _listed(value)
    if not isinstance(value, Sequence):
        raise Unfit("no list of ids", "Give a list of item ids, the newest first.")
    found, bad = [], 0
    for part in value:
        try:
            found.append(own_id(part))
        except Unfit:
            bad += 1
    return found, bad


def _listed(value: str) -> Any:
    if not value.lstrip().startswith("["):
        return value.split("|")
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        raise Unfit("no list of ids", "Write it as [1, 2] or as 1|2.") from None


def weight(value: Any) -> float:
    """Relative frequency of sampling; 1 where there is none."""
    if missing(value):
        return 1.0
    found = _number(value)
    if found is None or not LEAST_WEIGHT <= found <= 1 / LEAST_WEIGHT:
        raise Unfit(
            f"a weight that is no number from {LEAST_WEIGHT:g} to {1 / LEAST_WEIGHT:g}",
            "Leave it empty (1), or give how much more often than others the row is to count.",
        )
    return found


def moment(value: Any) -> tuple[str, float] | None:
    """A time as ``number`` (in any unit that grows) or ``date`` (seconds since 1970), with its value."""
    if missing(value):
        return None
    if isinstance(value, date):
        return "date", _seconds(value)
    found = _number(value)
    if found is not None and math.isfinite(found):
        return "number", found
    if isinstance(value, str):
        try:
            return "date", _seconds(datetime.fromisoformat(value.strip()))
        except ValueError:
            pass
    raise Unfit("no time", "Give a number, or a date such as 2024-05-31T09:30:00.")


def _seconds(value: date) -> float:
    moment = value if isinstance(value, datetime) else datetime.combine(value, time.min)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
