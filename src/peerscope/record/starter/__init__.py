"""The starter collection: some three hundred works as bibliographic facts, with summaries of our own.

Data files in ``data``: ``*.jsonl`` (works), ``people_*.jsonl`` (names that the curator states to be
one person throughout) and ``institutions_*.jsonl``. On purpose, one statement is wrong: two people named
Kang Zhang stand as one, as on the page that started this project; the site can part them.
"""

from __future__ import annotations

from pathlib import Path

STARTER = "peerscope:starter"
"""What to import in the place of a file name."""

FOLDER = Path(__file__).parent / "data"
