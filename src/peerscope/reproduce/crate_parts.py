"""Parts that every description of an export as RO-Crate is made of: the graph, files, people, ids."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from peerscope.reproduce.attempts import SUMS
from peerscope.reproduce.bundle import Bundle, addresses
from peerscope.reproduce.people import Person

FILES = {
    "attempt.json": ("What was run, with which settings, versions and machine", "application/json"),
    "log.txt": ("What the protocol said", "text/plain"),
    SUMS: ("SHA-256 of every other file of the attempt; its own is the attempt's id", "text/plain"),
    "verdicts.json": ("Every verdict with the checks that it rests on", "application/json"),
    "codecheck.yml": ("CODECHECK configuration 2.0", "application/yaml"),
    "README.md": ("What this folder holds, in words", "text/markdown"),
}
"""File name to description and media type."""

Entity = dict[str, Any]


class Graph:
    """Entities by their ``@id``, in the order in which they came.

    What is empty is left out, and a list of one stands as that one, as RO-Crate asks.
    """

    def __init__(self) -> None:
        self.entities: dict[str, Entity] = {}

    def add(self, entity: Mapping[str, Any]) -> Entity:
        """Keep an entity, once, and hand back a reference to it."""
        plain = {k: v[0] if isinstance(v, list) and len(v) == 1 else v for k, v in entity.items()}
        kept = {k: v for k, v in plain.items() if v not in ("", None, [])}
        self.entities.setdefault(entity["@id"], kept)
        return {"@id": entity["@id"]}


def file_entity(path: Path, folder: Path) -> Entity:
    """A file of an export with its size and hash."""
    content = path.read_bytes()
    if path.parent.name == "seeds":
        name, what, media = f"Seed {path.stem}", "Figures and curves of a seed", "application/json"
    else:
        what, media = FILES[path.name]
        name = path.name
    return {
        "@id": path.relative_to(folder).as_posix(),
        "@type": "File",
        "name": name,
        "description": what,
        "encodingFormat": media,
        "contentSize": str(len(content)),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def work_id(about: Bundle) -> str:
    """The ``@id`` of the work whose claims were tested."""
    return next(iter(addresses(about.paper)), "#work")


def person_id(person: Person) -> str:
    """The ORCID record, or a name within the crate."""
    return person.url or f"#person-{slug(person.name)}"


def person_entity(person: Person) -> Entity:
    """A person with what is known of them."""
    return {"@id": person_id(person), "@type": "Person", "name": person.name}


def slug(text: str) -> str:
    """Text as part of an ``@id``; different texts stay different."""
    plain = text.lower().replace(" ", "-")
    found = re.sub(r"[^a-z0-9._]+", "-", plain).strip("-")
    return found if found == plain else f"{found}-{short(text)}".strip("-")


def short(text: str) -> str:
    """Eight hexadecimal digits that stand for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]
