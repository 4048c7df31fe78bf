"""What a protocol says, kept as a log that cannot fill the disk and tells no folders of this machine."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from collections import deque
from pathlib import Path
from typing import BinaryIO

HEAD = 2**18
TAIL = 2**16
LONGEST_LINE = 2**14
UNSEEN = re.compile(r"[^\t\n\x20-\x7e\xa0-\U0010ffff]")
COLOURS = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Log:
    """A file with the first 256 KiB of what is said, and the last lines if there was more.

    Args:
        path: The file; what was there is replaced.
        hidden: Folder to the word that stands for it.
    """

    def __init__(self, path: Path, hidden: dict[str, str]) -> None:
        self._stream: BinaryIO = path.open("wb")
        self._hidden = sorted(hidden.items(), key=lambda pair: -len(pair[0]))
        self._rest = b""
        self._written = 0
        self._left_out = 0
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0

    def take(self, data: bytes) -> None:
        """Take in what was said, as it came."""
        pieces = (self._rest + data).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = pieces.pop()
        for piece in pieces:
            self._line(piece)
        while len(self._rest) > LONGEST_LINE:
            piece, self._rest = self._rest[:LONGEST_LINE], self._rest[LONGEST_LINE:]
            self._line(piece)

    def say(self, line: str) -> None:
        """Add a line of the supervisor's own."""
        self._line(line.encode("utf-8", errors="replace"))

    def close(self) -> None:
        """Write what is left."""
        if self._rest:
            self._line(self._rest)
            self._rest = b""
        gone = self._left_out - self._tail_bytes
        if gone > 0:
            self._stream.write(f"[{gone:,} bytes of this log are left out here]\n".encode())
        self._stream.writelines(self._tail)
        self._stream.close()

    def hidden(self, text: str) -> str:
        """A text without the folders of this machine."""
        for folder, word in self._hidden:
            text = text.replace(folder, word)
        return text

    def _line(self, raw: bytes) -> None:
        line = self._cleaned(raw)
        if self._written < HEAD:
            self._stream.write(line)
            self._stream.flush()
            self._written += len(line)
            return
        self._left_out += len(line)
        self._tail.append(line)
        self._tail_bytes += len(line)
        while self._tail_bytes > TAIL:
            self._tail_bytes -= len(self._tail.popleft())

    def _cleaned(self, raw: bytes) -> bytes:
        text = UNSEEN.sub("", COLOURS.sub("", raw.decode("utf-8", errors="replace")))
        return self.hidden(text).encode("utf-8", errors="replace") + b"\n"


def folders_of_this_machine(scratch: Path) -> dict[str, str]:
    """Folders that paths in a log begin with, and what stands for them."""
    found = dict.fromkeys(sys.path, "PACKAGES")
    found |= {
        str(scratch): "SCRATCH",
        str(scratch.resolve()): "SCRATCH",
        str(Path(__file__).resolve().parents[1]): "peerscope",
        sys.prefix: "PYTHON",
        sys.base_prefix: "PYTHON",
        sysconfig.get_paths()["purelib"]: "site-packages",
        sysconfig.get_paths()["stdlib"]: "python",
        _home(): "HOME",
    }
    return {folder: word for folder, word in found.items() if len(folder) > 1}


def _home() -> str:
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_dir
    except (ImportError, KeyError):
        return ""
