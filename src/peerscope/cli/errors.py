"""Exit codes, and errors as sentences.

=====  ==============================================================
code   meaning
=====  ==============================================================
0      done
1      the command could not do it; the sentence says why and what helps
2      the command line was wrong
3      the files were read, but not one record could go in
4      the new bundle did not pass its gates; the old one stays in service
5      another process is writing to this site
130    interrupted (Ctrl-C); what was committed stays, and the command can be run again
=====  ==============================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import typer
from rich.console import Console
from rich.text import Text


class Exit(IntEnum):
    """What the exit status of a command says."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOTHING_IMPORTED = 3
    GATES = 4
    BUSY = 5
    INTERRUPTED = 130


class CommandError(Exception):
    """A failure that is explained to the operator in a sentence, with its exit code."""

    def __init__(self, sentence: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(sentence)
        self.code = code


@contextmanager
def explained(console: Console) -> Iterator[None]:
    """Turn expected failures into a sentence on standard error and an exit code."""
    try:
        yield
    except CommandError as error:
        _tell(console, error)
        raise typer.Exit(error.code) from None
    except KeyboardInterrupt:
        console.print("Interrupted. What was committed stays; run the command again to go on.")
        raise typer.Exit(Exit.INTERRUPTED) from None
    except (OSError, ValueError) as error:
        _tell(console, error)
        raise typer.Exit(Exit.FAILED) from None


def _tell(console: Console, error: Exception) -> None:
    # a sentence may quote what somebody typed or a file says: it is never read as markup
    console.print(Text.assemble(("Error:", "bold red"), f" {error}"))
