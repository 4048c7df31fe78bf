"""The objects of a JSON array or of JSON lines, one after another, however large the file is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from peerscope.record.importers.bibliography import MAX_RECORD

_OUTSIDE = re.compile(rb'["{}\[\]\n]')
_INSIDE = re.compile(rb'["\\\n]')
_RESUME = re.compile(rb"\n[ \t]*[\[,]?[ \t]*(?=\{)")
_WRAPPER = re.compile(rb'\s*\{\s*"(?:items|references|data)"\s*:\s*\[')


@dataclass(slots=True)
class Element:
    """The bytes of one object and the line and byte on which it starts; ``problem`` if it is broken."""

    source: bytes
    line: int
    offset: int
    problem: str | None = None


def elements(chunks: Iterable[bytes]) -> Iterator[Element]:
    """Cut a stream into its top-level objects.

    What stands between objects (brackets, commas, white space) is not looked at. An object that breaks
    off, or holds a line end within a string, is reported and reading goes on with the next line that
    starts with a brace. An object beyond `MAX_RECORD` is reported and skipped.
    """
    return _Cutter(chunks).elements()


class _Cutter:
    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.chunks = iter(chunks)
        self.data = b""
        self.at = 0  # everything before is done with
        self.line = 1
        self.offset = 0

    def more(self) -> bool:
        chunk = next(self.chunks, None)
        if chunk is None:
            return False
        self.data = self.data[self.at :] + chunk
        self.at = 0
        return True

    def advance(self, end: int) -> bytes:
        taken = self.data[self.at : end]
        self.line += taken.count(b"\n")
        self.offset += len(taken)
        self.at = end
        return taken

    def elements(self) -> Iterator[Element]:
        self.more()
        wrapper = _WRAPPER.match(self.data)
        if wrapper:
            self.advance(wrapper.end())
        while True:
            start = self.data.find(b"{", self.at)
            end = start if start >= 0 else len(self.data)
            line, offset = self.line, self.offset
            stray = self.advance(end).strip(b" \t\r\n,[]}\x1e\x00")
            if stray:
                yield Element(
                    stray[:2000], line, offset, "Here stands something that is not an object."
                )
            if start >= 0:
                yield self.element()
            elif not self.more():
                return

    def element(self) -> Element:
        """The object at the current position; a new chunk is scanned from where the last one ended."""
        found = Element(b"", self.line, self.offset)
        scanned = depth = 0
        inside = False
        head = b""  # of an object that is too large
        while True:
            mark = (_INSIDE if inside else _OUTSIDE).search(self.data, self.at + scanned)
            if mark is None or (mark[0] == b"\\" and mark.end() >= len(self.data)):
                scanned = (mark.start() if mark else len(self.data)) - self.at
                if scanned > MAX_RECORD:
                    head = head or self.data[self.at : self.at + 2000]
                    self.advance(self.at + scanned)
                    scanned = 0
                if not self.more():
                    found.problem = "The object is never closed; the file seems to be cut off."
                    found.source = head or self.give_up(self.at + 1)
                    if head:
                        self.advance(len(self.data))
                    return found
                continue
            scanned = mark.end() - self.at
            sign = mark[0]
            if sign == b'"':
                inside = not inside
            elif sign == b"\\":
                scanned += 1
            elif sign == b"\n":
                if inside:
                    found.problem = "A string breaks off at the end of its line."
                    found.source = head or self.give_up(mark.start())
                    return found
            elif sign in b"{[":
                depth += 1
            else:
                depth -= 1
                if depth == 0:
                    found.source = head or self.advance(mark.end())
                    if head or len(found.source) > MAX_RECORD:
                        self.advance(mark.end())
                        found.source = found.source[:2000]
                        found.problem = (
                            f"The object is larger than {MAX_RECORD // 1024 // 1024} MB."
                        )
                    return found

    def give_up(self, search_from: int) -> bytes:
        """Leave this object and go to the next line that starts with a brace; returns its head."""
        head = self.data[self.at : min(self.at + 2000, max(search_from, self.at + 1))]
        while True:
            found = _RESUME.search(self.data, search_from)
            if found:
                self.advance(found.start() + 1)
                return head
            self.advance(max(self.at, search_from, len(self.data) - 200))
            if not self.more():
                self.advance(len(self.data))
                return head
            search_from = 0
