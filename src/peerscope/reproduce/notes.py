"""Notes and replies of people beside an attempt: added, never changed, and never a verdict."""

from __future__ import annotations

import itertools
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

Kind = Literal["note", "reply"]
LONGEST_TEXT = 10_000
LONGEST_NAME = 200
MOST_NOTES = 1_000


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody said of an attempt.

    Attributes:
        by: Who, as they want to be named.
        text: Plain text.
        kind: ``note``, or ``reply`` of somebody whose work it is about.
        claim: Id of the claim that it is about; empty for the whole attempt.
        at: When, in ISO 8601.
    """

    by: str
    text: str
    kind: Kind = "note"
    claim: str = ""
    at: str = ""

    def __post_init__(self) -> None:
        for value, name, most in (
            (self.by, "name", LONGEST_NAME),
            (self.text, "text", LONGEST_TEXT),
        ):
            if not value.strip():
                raise ValueError(f"A note has a {name}; this one's is empty.")
            if len(value) > most:
                raise ValueError(
                    f"The {name} of a note has at most {most:,} characters, not {len(value):,}."
                )
            try:
                value.encode()
            except UnicodeEncodeError:
                raise ValueError(f"The {name} of this note is no text.") from None
        if self.kind not in get_args(Kind):
            raise ValueError(f"A note is of the kind note or reply, not {self.kind!r}.")


def add_note(folder: Path, note: Note) -> Note:
    """Put a note beside the others; no file that is there is touched.

    Args:
        folder: The notes of one attempt; made if missing.
        note: Its time is set now.

    Raises:
        ValueError: There are too many notes already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if len(list(folder.glob("*.json"))) >= MOST_NOTES:
        raise ValueError(f"This attempt has {MOST_NOTES:,} notes; it takes no more.")
    now = datetime.now(UTC)
    written = Note(note.by.strip(), note.text.strip(), note.kind, note.claim, now.isoformat())
    handle, name = tempfile.mkstemp(dir=folder, prefix=".note.")
    whole = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(json.dumps(asdict(written), ensure_ascii=False, indent=1).encode())
            stream.flush()
            os.fsync(stream.fileno())
        whole.chmod(0o644)
        for number in itertools.count():
            try:
                # unlike a rename, a link never takes the place of another file
                os.link(whole, folder / f"{now:%Y%m%dT%H%M%S}-{number:03}.json")
                return written
            except FileExistsError:
                continue
    finally:
        whole.unlink(missing_ok=True)
    raise RuntimeError("unreachable")


def read_notes(folder: Path) -> list[Note]:
    """The notes of an attempt, oldest first; files that are none are passed over."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            given: dict[str, Any] = json.loads(path.read_text("utf-8"))
            note = Note(**given)
        except (OSError, ValueError, TypeError, AttributeError):
            continue
        found.append((note.at, path.name, note))
    return [note for *_, note in sorted(found, key=lambda one: one[:2])]
