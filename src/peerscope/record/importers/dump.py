"""``works.jsonl.gz`` of a dump: works as another Peerscope site states them, each as a whole.

Numbers of the other site are not taken over: who wrote a work is decided here again, by the same statements.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

import orjson
from pydantic import TypeAdapter, ValidationError

from peerscope.record.files import BrokenFileError, lines
from peerscope.record.importers.bibliography import Refused
from peerscope.record.importers.jsonlines import read_json_lines
from peerscope.record.parsed import Covered, ParsedWork, Record

COVERED = frozenset(get_args(Covered))
PROBED = 2_000
_WORK: TypeAdapter[ParsedWork] = TypeAdapter(ParsedWork)
_START = re.compile(rb'\{"cited_by_count":\d+,"covered":\[')


class DumpImporter:
    """Importer of a dump's works.

    Args:
        path: The file; its first lines say what its sources look for. Without it: everything.
    """

    name = "peerscope"

    def __init__(self, path: str | None = None) -> None:
        self.covers = _covered(path) if path is not None else COVERED

    def read(self, path: str) -> Iterator[Record]:
        """Stream the records of a local file, plain or compressed."""
        return read_json_lines(path, parse_work)


def is_dumped(start: bytes) -> bool:
    """Whether a file that starts so is a dump of works: its keys stand in their order."""
    return bool(_START.match(start))


def parse_work(found: dict[str, Any]) -> ParsedWork:
    """One line as a work.

    Raises:
        Refused: It does not hold a work of the form that dumps have.
    """
    try:
        work = _WORK.validate_python(found.get("work"))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in ("work", *first["loc"]))
        raise Refused(
            f"“{place[:100]}” is not as dumps have it: {first['msg'].lower()}.",
            "Take the line as the dump has it, or import the work in another form.",
        ) from error
    # Sources may have used one key twice; the number is the work's own in its dump.
    number = found.get("id")
    return replace(work, key=number) if isinstance(number, str) else work


def _covered(path: str) -> frozenset[str]:
    found: set[str] = set()
    try:
        for line in lines(path):
            if line.number > PROBED:
                break
            found |= _stated(line.content)
    except BrokenFileError:
        pass
    return frozenset(found) & COVERED


def _stated(content: bytes) -> set[str]:
    try:
        line = orjson.loads(content)
    except orjson.JSONDecodeError:
        return set()
    stated = line.get("covered") if isinstance(line, dict) else None
    return {one for one in stated if isinstance(one, str)} if isinstance(stated, list) else set()
