r"""Peerscope markup: Unicode text, TeX maths in ``$...$``, and six commands.

``\emph{} \textbf{} \textsuperscript{} \textsubscript{} \texttt{} \url{}`` and nothing else. Importers
read TeX, HTML or a mixture into it; pages, exports and the search index read it out. Nothing here
raises on any text, and no text read here can execute or break a layout.
"""

from __future__ import annotations

from peerscope.record.markup.clean import MAX_CHARS, clean
from peerscope.record.markup.hypertext import from_html
from peerscope.record.markup.nodes import Marked
from peerscope.record.markup.render import escape_tex, to_html, to_tex, to_text
from peerscope.record.markup.tex import from_mixed, from_tex

__all__ = [
    "MAX_CHARS",
    "Marked",
    "clean",
    "escape_tex",
    "from_html",
    "from_mixed",
    "from_tex",
    "to_html",
    "to_tex",
    "to_text",
]
