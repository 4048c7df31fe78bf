"""The command line: one folder, one main job (`up`), and its steps as commands of their own."""

from __future__ import annotations

import os
import sys

import typer

from peerscope.cli import (
    accounts,
    domains,
    dumping,
    exporting,
    identity,
    moderating,
    reports,
    reproducing,
    retrieval,
    sources,
    stages,
    trust,
)
from peerscope.cli.context import err
from peerscope.cli.errors import Exit

app = typer.Typer(
    name="peerscope",
    help="Research discovery that you host yourself.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
)
stages.register(app)
reports.register(app)
sources.register(app)
exporting.register(app)
dumping.register(app)
identity.register(app)
retrieval.register(app)
reproducing.register(app)
trust.register(app)
accounts.register(app)
domains.register(app)
moderating.register(app)


def main() -> None:
    """Entry point of ``peerscope``; an interrupt at any moment ends with one sentence and code 130."""
    try:
        app()
    except KeyboardInterrupt:
        err.print("Interrupted. What was committed stays; run the command again to go on.")
        sys.exit(Exit.INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.FAILED)
