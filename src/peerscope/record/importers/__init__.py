"""Importers, one file each: a file's content decides which one reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from peerscope.record.files import head
from peerscope.record.importers import arxiv, crossref, orcid, zotero, zotero_rdf
from peerscope.record.importers.acl_xml import AclXmlImporter
from peerscope.record.importers.arxiv import ArxivImporter
from peerscope.record.importers.bibtex import BibtexImporter
from peerscope.record.importers.crossref import CrossrefImporter
from peerscope.record.importers.csl import CslImporter
from peerscope.record.importers.dump import DumpImporter, is_dumped
from peerscope.record.importers.json_elements import elements
from peerscope.record.importers.jsonl import JsonLinesImporter
from peerscope.record.importers.openalex import OpenAlexImporter, is_part, looks_like
from peerscope.record.importers.orcid import OrcidImporter
from peerscope.record.importers.ris import RisImporter
from peerscope.record.importers.starter import StarterImporter
from peerscope.record.importers.zotero import ZoteroImporter
from peerscope.record.importers.zotero_rdf import ZoteroRdfImporter
from peerscope.record.importers.zotero_sqlite import MAGIC, ZoteroSqliteImporter
from peerscope.record.parsed import Importer
from peerscope.record.starter import STARTER

__all__ = ["IMPORTERS", "UnknownFormatError", "importer_for"]

IMPORTERS: dict[str, type[Any]] = {
    one.name: one
    for one in (
        AclXmlImporter,
        ArxivImporter,
        BibtexImporter,
        CrossrefImporter,
        CslImporter,
        DumpImporter,
        JsonLinesImporter,
        OpenAlexImporter,
        OrcidImporter,
        RisImporter,
        StarterImporter,
        ZoteroImporter,
        ZoteroRdfImporter,
        ZoteroSqliteImporter,
    )
}
"""Every importer by the name that is stored with its statements."""


class UnknownFormatError(ValueError):
    """Nothing in the file says what it is."""


def importer_for(path: str) -> Importer:
    """The importer for a file or folder, recognised by content; `STARTER` names the packaged collection.

    Raises:
        UnknownFormatError: No format was recognised.
        FileNotFoundError: Nothing is there.
    """
    if path == STARTER:
        return StarterImporter()
    place = Path(path)
    if place.is_dir():
        if any(place.rglob("*.xml")):
            return AclXmlImporter()
        part = next((one for one in sorted(place.rglob("*")) if is_part(one)), None)
        if part is None:
            raise UnknownFormatError(f"The folder {path} holds neither *.xml nor JSON-lines files.")
        return importer_for(str(part)) if not _openalex(head(part)) else OpenAlexImporter()
    found = _sniffed(path)
    if found is None:
        raise UnknownFormatError(
            f"{place.name} is none of BibTeX, RIS, CSL-JSON, OpenAlex, Crossref, arXiv or ORCID records, "
            f"a Zotero library (JSON, RDF or zotero.sqlite), JSON lines with OpenAlex-like fields, or ACL "
            f"Anthology XML (plain, gzip or zstd)."
        )
    return found


def _sniffed(path: str) -> Importer | None:
    start = head(path)
    if start.startswith(MAGIC):
        return ZoteroSqliteImporter()
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        start = start.decode("utf-16", "replace").encode()
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        return _xml(text)
    if text.startswith((b"[", b"{")):
        return _json(path, text)
    if text.startswith(b"TY  -") or b"\nTY  -" in text:
        return RisImporter()
    return BibtexImporter() if b"@" in text else None


def _xml(text: bytes) -> Importer | None:
    if arxiv.looks_like(text):
        return ArxivImporter()
    if zotero_rdf.looks_like(text):
        return ZoteroRdfImporter()
    return AclXmlImporter() if b"<collection" in text else None


def _json(path: str, text: bytes) -> Importer:
    # what a dump keeps of a source may hold the marks by which that source's own files are known
    if is_dumped(text):
        return DumpImporter(path)
    if zotero.looks_like(text):
        return ZoteroImporter()
    if orcid.looks_like(text):
        return OrcidImporter()
    if crossref.looks_like(text) or any(crossref.is_message(one) for one in _first_element(text)):
        return CrossrefImporter(path)
    return CslImporter() if text.startswith(b"[") else _json_lines(path, text)


def _first_element(text: bytes) -> list[dict[str, Any]]:
    """The first object of an array, of an object with ``items``, or of lines; none if it is not whole."""
    first = next((one for one in elements([text]) if one.problem is None), None)
    try:
        found = orjson.loads(first.source) if first is not None else None
    except orjson.JSONDecodeError:
        return []
    return [found] if isinstance(found, dict) else []


def _openalex(start: bytes) -> bool:
    first = _first_object(start)
    return first is not None and looks_like(first)


def _json_lines(path: str, text: bytes) -> Importer:
    first = _first_object(text)
    if first is None or looks_like(first):
        # a first line longer than what was read can only be a large work object
        return OpenAlexImporter() if b'"authorships"' in text else JsonLinesImporter(path)
    csl = "issued" in first or "container-title" in first
    named = isinstance(first.get("author"), list)
    return CslImporter() if csl or named else JsonLinesImporter(path)


def _first_object(text: bytes) -> dict[str, Any] | None:
    for line in text.splitlines():
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(found, dict):
            return found
    return None
