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
_TOKEN = re.compile(rb'["{}\[\]]')
_STRING = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ARRAY = re.compile(rb"\s*:\s*\[")
_LOOK_AHEAD = 64


@dataclass(slots=True)
class Element:
    """The bytes of one object and the line and byte on which it starts; ``problem`` if it is broken."""

    source: bytes
    line: int
    offset: int
    problem: str | None = None


def elements(
    chunks: Iterable[bytes],
    within: tuple[str, int] | None = None,
    largest: int = MAX_RECORD,
) -> Iterator[Element]:
    """Cut a stream into its top-level objects.

    What stands between objects (brackets, commas, white space) is not looked at. An object that breaks
    off, or holds a line end within a string, is reported and reading goes on with the next line that
    starts with a brace.

    Args:
        chunks: The bytes, cut anywhere.
        within: A key and the number of brackets that are open where it stands: the objects of the array
            under it are given out, and nothing before or behind it.
        largest: Bytes of an object; a larger one is reported and skipped.
    """
    return _Cutter(chunks, largest).elements(within)


class _Cutter:
    def __init__(self, chunks: Iterable[bytes], largest: int = MAX_RECORD) -> None:
        self.chunks = iter(chunks)
        self.largest = largest
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

    def enter(self, key: bytes, depth: int) -> bool:
        """Go behind the bracket that opens the array under ``key``; whether there is one."""
        open_ = 0
        while True:
            mark = _TOKEN.search(self.data, self.at)
            if mark is None:
                self.advance(len(self.data))
                if not self.more():
                    return False
                continue
            self.advance(mark.start())
            if mark[0] != b'"':
                open_ += 1 if mark[0] in b"{[" else -1
                self.advance(self.at + 1)
                continue
            string = _STRING.match(self.data, self.at)
            # what follows the string must be in sight before it is judged
            short = string is None or string.end() + _LOOK_AHEAD > len(self.data)
            if short and len(self.data) - self.at <= self.largest and self.more():
                continue
            if string is None:
                return False
            array = _ARRAY.match(self.data, string.end())
            if open_ == depth and string[1] == key and array:
                self.advance(array.end())
                return True
            self.advance(string.end())

    def elements(self, within: tuple[str, int] | None = None) -> Iterator[Element]:
        self.more()
        wrapper = _WRAPPER.match(self.data) if within is None else None
        if wrapper:
            self.advance(wrapper.end())
        if within is not None and not self.enter(within[0].encode(), within[1]):
            yield Element(b"", self.line, self.offset, f'The file has no list "{within[0]}".')
            return
        while True:
            start = self.data.find(b"{", self.at)
            end = start if start >= 0 else len(self.data)
            line, offset = self.line, self.offset
            between = self.advance(end)
            if within is not None and b"]" in between:
                return
            stray = between.strip(b" \t\r\n,[]}\x1e\x00")
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
                if scanned > self.largest:
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
                    if head or len(found.source) > self.largest:
                        self.advance(mark.end())
                        found.source = found.source[:2000]
                        found.problem = (
                            f"The object is larger than {self.largest // 1024 // 1024} MB."
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
