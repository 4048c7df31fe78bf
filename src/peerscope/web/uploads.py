"""Forms with a file: read as they come, the file straight to the disk, never more of it than is allowed.

The token comes first in the form, so that somebody whose form it is not is refused before a byte of the file
is kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from fastapi import HTTPException, Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from peerscope.web.forms import STALE, refuse_foreign
from peerscope.web.visitor import Visitor

MOST_FIELD = 1 << 20
"""Bytes of a field that is no file: what somebody pastes."""

MOST_FIELDS = 20
LONGEST_NAME = 200


@dataclass(slots=True)
class Upload:
    """A form as it was sent: its fields, the name of its file, and the file's first bytes and size."""

    fields: dict[str, str] = field(default_factory=dict)
    file_name: str = ""
    beginning: bytes = b""
    size: int = 0


def boundary_of(request: Request) -> bytes:
    """What parts the fields of a form with a file.

    Raises:
        HTTPException: 403 where it comes from another site, 415 where it is no such form.
    """
    refuse_foreign(request)
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind.lower() != b"multipart/form-data" or not 1 <= len(boundary) <= 200:
        raise HTTPException(415, "This address takes forms with a file only.")
    return boundary


async def read_upload(
    request: Request, who: Visitor, boundary: bytes, place: Path, most: int
) -> Upload:
    """Read a form, its one file into ``place``.

    Args:
        request: The form, not read yet.
        who: Whose session it must be of.
        boundary: From `boundary_of`.
        place: Where the file is to lie; there is none where the form has none, or an empty one.
        most: Bytes that it may have.

    Raises:
        HTTPException: 400 for a form that breaks off, 403 for somebody else's, 413 for one that is too large.
    """
    length = request.headers.get("content-length", "0")
    whole = most + MOST_FIELDS * MOST_FIELD
    if length.isascii() and length.isdigit() and int(length[:20]) > whole:
        raise HTTPException(413, too_large(most))
    with place.open("wb") as stream:
        reading = _Reading(who, stream, most)
        parser = MultipartParser(boundary, reading.callbacks())
        try:
            async for piece in request.stream():
                parser.write(piece)
            parser.finalize()
        except FormParserError as error:
            raise HTTPException(
                400, "The form did not arrive as a whole: send it again."
            ) from error
    if not reading.ended:
        raise HTTPException(400, "The form did not arrive as a whole: send it again.")
    reading.demand_token()
    if not reading.found.size:
        place.unlink(missing_ok=True)
    return reading.found


def too_large(most: int) -> str:
    """The sentence for a file with too many bytes."""
    return (
        f"The file is larger than {most >> 20} MB, so it was not taken. Split it, or let the operator "
        f"import it with `peerscope import`."
    )


class _Reading:
    """Takes the parts of a form from the parser."""

    def __init__(self, who: Visitor, stream: BinaryIO, most: int) -> None:
        self.found = Upload()
        self.ended = False
        self._who, self._stream, self._most = who, stream, most
        self._header = self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._name = ""
        self._is_file = False
        self._text = bytearray()

    def callbacks(self) -> Any:
        """What the parser calls."""
        return {
            "on_part_begin": self._begin, "on_header_field": self._on_field,
            "on_header_value": self._on_value, "on_header_end": self._on_header,
            "on_headers_finished": self._on_headers, "on_part_data": self._on_data,
            "on_part_end": self._on_part, "on_end": self._on_end,
        }  # fmt: skip

    def demand_token(self) -> None:
        """Refuse a form of another session."""
        if not self._who.accepts(self.found.fields.get("token", "")):
            raise HTTPException(403, STALE)

    def _begin(self) -> None:
        self._headers = {}
        self._header = self._value = b""
        self._text = bytearray()

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header = self._value = b""

    def _on_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._is_file = b"filename" in options
        if self._is_file:
            self.demand_token()
            if self.found.size:
                raise HTTPException(400, "Send one file at a time.")
            self.found.file_name = plain_name(options[b"filename"].decode("utf-8", "replace"))
        elif len(self.found.fields) >= MOST_FIELDS:
            raise HTTPException(413, "The form has more fields than this site asks for.")

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        if not self._is_file:
            self._text += piece
            if len(self._text) > MOST_FIELD:
                raise HTTPException(
                    413, "What was pasted is longer than 1 MB: upload it as a file instead."
                )
            return
        self.found.size += len(piece)
        if self.found.size > self._most:
            raise HTTPException(413, too_large(self._most))
        if len(self.found.beginning) < 16:
            self.found.beginning = (self.found.beginning + piece)[:16]
        self._stream.write(piece)

    def _on_part(self) -> None:
        if not self._is_file:
            self.found.fields[self._name] = self._text.decode("utf-8", "replace")

    def _on_end(self) -> None:
        self.ended = True


def plain_name(given: str) -> str:
    """The last part of a file's name, whatever the system that it comes from; never used as a path."""
    last = re.split(r"[\\/]", given)[-1]
    seen = "".join(c for c in last if c.isprintable())
    return " ".join(seen.split()).strip(". ")[:LONGEST_NAME]
