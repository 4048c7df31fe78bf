"""Processor time of a reference in each style that is offered, and whether long lists cost more for each.

python benchmarks/citing.py
"""

from __future__ import annotations

import time
from pathlib import Path

from peerscope.record.citing import Styles, cite
from peerscope.record.importers import importer_for
from peerscope.record.parsed import Good, ParsedWork
from peerscope.record.starter import FOLDER, STARTER

FEW, MANY = 25, 200


def main() -> None:
    """Print milliseconds per reference: style, first use with loading, 25 works, 200 works."""
    records = importer_for(STARTER).read(str(FOLDER))
    works = [(n, one.work) for n, one in enumerate(records) if isinstance(one, Good)][:MANY]
    styles = Styles(Path("no-folder"))
    print(f"{'style':48}{'first':>8}{FEW:>8}{MANY:>8}   ms")
    for name, _ in styles.offered():
        first = timed(works[:1], styles, name)
        few, many = (timed(works[:size], styles, name) / size for size in (FEW, MANY))
        print(f"{name:48}{first:8.1f}{few:8.2f}{many:8.2f}")


def timed(works: list[tuple[int, ParsedWork]], styles: Styles, style: str) -> float:
    """Milliseconds of one list."""
    start = time.process_time()
    cite(works, styles, style)
    return (time.process_time() - start) * 1000


if __name__ == "__main__":
    main()
