"""Formatted references: works in the citation styles that reference managers share (CSL).

`Styles` says which there are, `cite` writes. The processor is citeproc-py; what it leaves out of the rules
stands in `processor`.
"""

from __future__ import annotations

from peerscope.record.citing.references import MOST_NAMES, Cited, cite
from peerscope.record.citing.styles import DEFAULT, LOCALES, Styles, UnknownStyleError

__all__ = ["DEFAULT", "LOCALES", "MOST_NAMES", "Cited", "Styles", "UnknownStyleError", "cite"]
