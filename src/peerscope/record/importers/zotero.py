"""Zotero's JSON: items of its web API, Better BibTeX's export of a library, or plain items.

An item of the web API holds its fields under ``data``; an export of Better BibTeX holds the items under
``items``, behind its collections.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from peerscope.record.files import BrokenFileError, decoded, head
from peerscope.record.importers.bibliography import Located, Refused, chunks, numbered
from peerscope.record.importers.csl import json_object
from peerscope.record.importers.json_elements import elements
from peerscope.record.importers.jsonlines import text_of
from peerscope.record.importers.zotero_items import is_work, work_of
from peerscope.record.parsed import Record

_EXPORT = re.compile(rb'\s*\{\s*(?:"(?:config|collections|version)"\s*:\s*\{|"items"\s*:\s*\[)')
"""How an export begins: its keys come in any order. An item has a number or an array under them."""


class ZoteroImporter:
    """Reads Zotero's JSON; see `peerscope.record.parsed.Importer`."""

    name = "zotero"
    covers = frozenset({"abstract", "topics", "ids"})

    def read(self, path: str) -> Iterator[Record]:
        """Stream the items of a file, plain or compressed; notes and attachments are passed over."""
        breaks: list[BrokenFileError] = []
        return numbered(_located(path, breaks), breaks)


def looks_like(start: bytes) -> bool:
    """Whether a JSON file that begins so holds items of Zotero."""
    # with thousands of collections in front, the first item lies beyond what is looked at
    begins = re.match(rb'\s*\{\s*"collections"\s*:\s*\{', start) is not None
    return begins or b'"itemType"' in start or b"BetterBibTeX JSON" in start


def _located(path: str, breaks: list[BrokenFileError]) -> Iterator[Located]:
    export = _EXPORT.match(head(path).removeprefix(b"\xef\xbb\xbf"))
    for element in elements(chunks(path, breaks), ("items", 1) if export else None):
        source = decoded(element.source[:2000])
        key: str | None = None
        try:
            item = _item(json_object(element))
            if is_work(item):
                key = text_of(item.get("key")) or text_of(item.get("itemKey"))
                yield Located(element.line, source, work_of(item), key)
        except Refused as refusal:
            yield Located(element.line, source, refusal, key)


def _item(found: dict[str, Any]) -> dict[str, Any]:
    data = found.get("data")
    return data if isinstance(data, dict) and "itemType" in data else found
