"""Zotero RDF: a library as Zotero exports it (``.rdf``).

The export is RDF in XML of one regular form, and that form is what is read: an item is a child of the root
with a ``z:itemType``; its journal, book or series lies within it, or stands beside the items under an address
that it names. The file is read twice: for those beside the items, then for the items.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from peerscope.record.importers.bibliography import Located, Refused, numbered
from peerscope.record.importers.xml_records import children, excerpt, text_at
from peerscope.record.importers.zotero_items import is_work, work_of
from peerscope.record.markup import clean
from peerscope.record.parsed import Record

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
Z = "{http://www.zotero.org/namespaces/export#}"
BIB = "{http://purl.org/net/biblio#}"
DC = "{http://purl.org/dc/elements/1.1/}"
TERMS = "{http://purl.org/dc/terms/}"
PRISM = "{http://prismstandard.org/namespaces/1.2/basic/}"
FOAF = "{http://xmlns.com/foaf/0.1/}"

MOST_SHARED = 200_000
"""Journals, books and series beside the items that are remembered."""
NESTED = 4
"""How far containers are followed: part, book, series."""

_NUMBERED = re.compile(r"(DOI|ISBN|ISSN)\s+(\S.*)")

Facts = dict[str, str]
"""Fields of an item that its container supplies."""


class ZoteroRdfImporter:
    """Reads Zotero RDF; see `peerscope.record.parsed.Importer`."""

    name = "zotero-rdf"
    covers = frozenset({"abstract", "topics", "ids"})

    def read(self, path: str) -> Iterator[Record]:
        """Stream the items of a file, plain or compressed."""
        return numbered(_located(path))


def looks_like(start: bytes) -> bool:
    """Whether a file that begins so is an export of Zotero's."""
    return b"<rdf:RDF" in start and b"http://www.zotero.org/namespaces/export#" in start


def _located(path: str) -> Iterator[Located]:
    shared = _shared(path)
    for found in children(path):
        if isinstance(found, Located):
            yield found
        elif text_at(found, Z + "itemType"):
            item = _item(found, shared)
            if not is_work(item):
                continue
            line, key = found.sourceline or 0, item["key"] or None
            try:
                yield Located(line, "", work_of(item), key)
            except Refused as refusal:
                yield Located(line, excerpt(found), refusal, key)


def _shared(path: str) -> dict[str, Facts]:
    """What the containers beside the items supply, by their address."""
    shared: dict[str, Facts] = {}
    for found in children(path):
        if isinstance(found, Located):
            break
        address = found.get(RDF + "about")
        if address and found.find(Z + "itemType") is None and found.find(DC + "title") is not None:
            shared[address] = _facts(found)
            if len(shared) >= MOST_SHARED:
                break
    return shared


def _item(found: etree._Element, shared: dict[str, Facts]) -> dict[str, Any]:
    item: dict[str, Any] = {
        "key": found.get(RDF + "about") or "",
        "title": text_at(found, DC + "title"),
        "abstractNote": text_at(found, TERMS + "abstract"),
        "date": text_at(found, DC + "date") or text_at(found, TERMS + "issued"),
        "pages": text_at(found, BIB + "pages"),
        "extra": _lines(found, DC + "description"),
        "rights": text_at(found, DC + "rights"),
        "edition": text_at(found, PRISM + "edition"),
        "publisher": text_at(found, f"{DC}publisher/{FOAF}Organization/{FOAF}name"),
        "conferenceName": text_at(found, f"{BIB}presentedAt/{BIB}Conference/{DC}title"),
        "creators": _creators(found),
        "tags": _tags(found),
        "number": text_at(found, PRISM + "number"),
    }
    for child in found:
        if str(child.tag).startswith(Z) and not len(child) and child.text:
            item.setdefault(child.tag.removeprefix(Z), clean(child.text))
    own = _facts(found)
    own.pop("publicationTitle", None)
    for facts in (own, *_containers(found, shared)):
        for name, value in facts.items():
            if not item.get(name):
                item[name] = value
    return item


def _facts(found: etree._Element) -> Facts:
    """Title, volume, issue and identifiers that an element states of itself."""
    facts = {
        "series" if found.tag == BIB + "Series" else "publicationTitle": text_at(
            found, DC + "title"
        ),
        "volume": text_at(found, PRISM + "volume"),
        "issue": text_at(found, PRISM + "number"),
    }
    for one in found.findall(DC + "identifier"):
        address = text_at(one, f"{TERMS}URI/{RDF}value")
        match = _NUMBERED.fullmatch(clean(one.text or ""))
        if address:
            facts.setdefault("url", address)
        elif match:
            facts.setdefault(match[1], match[2])
    return {name: value for name, value in facts.items() if value}


def _containers(found: etree._Element, shared: dict[str, Facts]) -> Iterator[Facts]:
    """What the element lies in, from the inside out."""
    for _ in range(NESTED):
        place = found.find(TERMS + "isPartOf")
        if place is None:
            return
        address = place.get(RDF + "resource")
        if address is not None:
            if address in shared:
                yield shared[address]
            return
        if not len(place):
            return
        found = place[0]
        # a section of a newspaper has a title, too, and is no container of its own
        if found.tag != BIB + "Part":
            yield _facts(found)


def _creators(found: etree._Element) -> list[dict[str, str]]:
    creators: list[dict[str, str]] = []
    for child in found:
        space, _, name = str(child.tag).rpartition("}")
        if space + "}" in (BIB, Z) and name.endswith("s"):
            people = child.iterfind(f"{RDF}Seq/{RDF}li/{FOAF}Person")
            creators += [_creator(one, name[:-1]) for one in people]
    return creators


def _creator(one: etree._Element, role: str) -> dict[str, str]:
    return {
        "creatorType": role,
        "lastName": text_at(one, FOAF + "surname") or text_at(one, FOAF + "name"),
        "firstName": text_at(one, FOAF + "givenName") or text_at(one, FOAF + "givenname"),
    }


def _tags(found: etree._Element) -> list[str]:
    tags = []
    for one in found.findall(DC + "subject"):
        tag = clean(one.text or "") or text_at(one, f"{Z}AutomaticTag/{RDF}value")
        if tag:
            tags.append(tag)
    return tags


def _lines(found: etree._Element, path: str) -> str:
    """The text at ``path`` with its lines."""
    element = found.find(path)
    return (element.text or "")[:20_000] if element is not None else ""
