"""Works as bibliographies: BibTeX, RIS, CSL-JSON, JSON-LD and OpenAlex-shaped JSON.

Every exporter takes `ParsedWork`s and yields pieces of text, so that any number of works can be
streamed into a file or a response. `EXPORTERS` names them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from peerscope.record.export.bibtex import to_bibtex
from peerscope.record.export.csl import to_csl_json
from peerscope.record.export.jsonld import to_jsonld
from peerscope.record.export.openalex import to_openalex
from peerscope.record.export.ris import to_ris
from peerscope.record.parsed import ParsedWork

__all__ = [
    "EXPORTERS",
    "Exporter",
    "to_bibtex",
    "to_csl_json",
    "to_jsonld",
    "to_openalex",
    "to_ris",
]


class Exporter(NamedTuple):
    """A format: the function that writes it, its media type, and the suffix of its files."""

    write: Callable[[Iterable[ParsedWork]], Iterator[str]]
    media_type: str
    suffix: str


EXPORTERS: dict[str, Exporter] = {
    "bibtex": Exporter(to_bibtex, "application/x-bibtex", ".bib"),
    "ris": Exporter(to_ris, "application/x-research-info-systems", ".ris"),
    "csl": Exporter(to_csl_json, "application/vnd.citationstyles.csl+json", ".csl.json"),
    "jsonld": Exporter(to_jsonld, "application/ld+json", ".jsonld"),
    "openalex": Exporter(to_openalex, "application/x-ndjson", ".openalex.jsonl"),
}
"""Every format by its short name."""
