"""A BibTeX file cut into its blocks, in bounded memory, whatever is broken in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from peerscope.record.files import decoded
from peerscope.record.importers.bibliography import MAX_RECORD

_START = re.compile(rb"(?<![\w@])@[ \t]*([A-Za-z]+)\s{0,100}([{(])")
_NEXT = (
    rb"\n[ \t]*@[ \t]*(?:(?i:string|preamble|comment)\s*[{(]"
    rb"|[A-Za-z]+\s{0,20}[{(]\s{0,20}[^\s,{}=\"]{0,200}\s{0,20},)"
)
_MARK = re.compile(rb"\\.|[{})\"]|" + _NEXT, re.DOTALL)
_STRICT_MARK = re.compile(rb"[{}]")
_RESUME = re.compile(_NEXT)
_LOST_FIELD = re.compile(rb"[\s,})]*[A-Za-z][\w-]*\s*=\s*[{\"\d]")
_REACH = 400  # bytes that a mark may need to be recognised


@dataclass(slots=True)
class Block:
    """One ``@type{...}`` with the line on which it starts; ``problem`` says why it is broken."""

    type: str
    source: bytes
    line: int
    problem: str | None = None
    mend: str = ""

    @property
    def text(self) -> str:
        """The source as text: UTF-8, or Windows-1252 where its bytes are not UTF-8."""
        return decoded(self.source)


def blocks(chunks: Iterable[bytes]) -> Iterator[Block]:
    """Cut a stream of bytes into blocks.

    A block that never closes ends where the next line starts with ``@type{key,``; the blocks after it
    are read as if nothing had happened. Text between blocks is a comment, unless it shows that the
    block before it closed too early.
    """
    held: Block | None = None
    for block, before in _Cutter(chunks).blocks():
        if held:
            yield _check_rest(held, before)
        held = block
        if block is None:
            return
    if held:  # pragma: no cover - the cutter always ends with None
        yield held


def _check_rest(block: Block, rest: bytes) -> Block:
    if (
        block.problem is None
        and block.type not in ("comment", "preamble")
        and _LOST_FIELD.match(rest)
    ):
        block.problem = "The entry closes too early: fields stand behind its closing brace."
        block.mend = (
            "Remove the brace that closes too much, so that all fields stand inside the entry."
        )
    return block


class _Cutter:
    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.chunks = iter(chunks)
        self.data = b""
        self.at = 0
        self.line = 1
        self.ended = False

    def more(self) -> bool:
        """Read on; what lies before the current position is let go."""
        chunk = next(self.chunks, None)
        if chunk is None:
            self.ended = True
            return False
        self.data = self.data[self.at :] + chunk
        self.at = 0
        return True

    def advance(self, end: int) -> bytes:
        taken = self.data[self.at : end]
        self.line += taken.count(b"\n")
        self.at = end
        return taken

    def blocks(self) -> Iterator[tuple[Block | None, bytes]]:
        before = b""
        while True:
            start = _START.search(self.data, self.at)
            if start is None or (start.end() + _REACH > len(self.data) and not self.ended):
                if not self.ended:
                    # Only the last bytes can belong to a start that is not complete yet.
                    keep = max(self.at, len(self.data) - _REACH) if start is None else start.start()
                    before = (before + self.advance(keep))[:_REACH]
                    self.more()
                    continue
                if start is None:
                    yield None, (before + self.advance(len(self.data)))[:_REACH]
                    return
            before = (before + self.advance(start.start()))[:_REACH]
            yield self.block(start), before
            before = b""

    def block(self, start: re.Match[bytes]) -> Block:
        kind = start[1].decode("ascii").lower()
        paren = start[2] == b"("
        opened = start.end() - start.start()
        block = Block(kind, b"", self.line)
        scan, depth, quoted = opened, 0, False
        while True:
            end, scan, depth, quoted = self.scan(scan, depth, quoted, paren, kind == "comment")
            if end is not None and end > 0:
                block.source = self.advance(self.at + end)
                return block
            if end is None and not self.ended and len(self.data) - self.at <= MAX_RECORD:
                self.more()
                continue
            if end is None and not self.ended:
                return self.too_large(block)
            return self.unclosed(block, -end if end else len(self.data) - self.at, opened, paren)

    def scan(
        self, scan: int, depth: int, quoted: bool, paren: bool, comment: bool
    ) -> tuple[int | None, int, int, bool]:
        """Go on from ``scan``; the end is positive where the block closes, negative where the next starts."""
        base = self.at
        limit = len(self.data) if self.ended else len(self.data) - _REACH
        while True:
            mark = _MARK.search(self.data, base + scan)
            if mark is None or mark.start() >= limit:
                return None, max(scan, min(limit, len(self.data)) - base), depth, quoted
            sign, scan = mark[0], mark.end() - base
            if sign == b"{":
                depth += 1
            elif sign == b"}":
                if depth == 0:
                    if not paren:
                        return scan, scan, depth, quoted
                else:
                    depth -= 1
            elif sign == b'"':
                quoted = quoted != (depth == 0)
            elif sign == b")":
                if paren and depth == 0 and not quoted:
                    return scan, scan, depth, quoted
            elif sign[:1] == b"\n":
                if not comment:
                    return -(mark.start() - base), scan, depth, quoted
                scan = mark.start() - base + 1

    def unclosed(self, block: Block, length: int, opened: int, paren: bool) -> Block:
        r"""A block without end: perhaps a path like ``{C:\dir\}`` hides it, else it is broken."""
        source = self.data[self.at : self.at + length]
        if block.type == "comment":
            # Nothing of a comment is needed; entries may stand right behind its first line.
            line_end = source.find(b"\n")
            block.source = self.advance(self.at + (line_end + 1 if line_end >= 0 else length))
            return block
        end = None if paren else _strict_end(source, opened)
        if end is not None:
            self.advance(self.at + end)
            block.source = re.sub(rb"\\([{}])", rb"\\ \1", source[:end])
            return block
        self.advance(self.at + length)
        block.source = source
        block.problem = (
            "The entry is never closed: a brace or quotation mark is missing, "
            "or the file was cut off."
        )
        block.mend = "Add the missing closing brace or quotation mark and import the file again."
        return block

    def too_large(self, block: Block) -> Block:
        block.source = self.data[self.at : self.at + 2000]
        block.problem = f"The entry is larger than {MAX_RECORD // 1024 // 1024} MB."
        block.mend = (
            "Close the brace that is missing in it, or move the large field out of the entry."
        )
        while True:
            found = _RESUME.search(self.data, self.at)
            if found and (found.end() < len(self.data) or self.ended):
                self.advance(found.start())
                return block
            self.advance(max(self.at, len(self.data) - _REACH))
            if not self.more():
                found = _RESUME.search(self.data, self.at)
                self.advance(found.start() if found else len(self.data))
                return block


def _strict_end(source: bytes, opened: int) -> int | None:
    """The end of the block as BibTeX itself counts, where a backslash hides no brace."""
    depth = 1
    for mark in _STRICT_MARK.finditer(source, opened):
        depth += 1 if mark[0] == b"{" else -1
        if depth == 0:
            return mark.end()
    return None
