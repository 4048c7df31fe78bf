"""What a work shows, from everything that its sources state: a pure function of the statements.

Statements are put in order once: published before preprint, then the source of higher rank, then the
more complete, then importer, location and key (never the order of import: ids differ between two
sites that read the same files, the page must not). The first statement supplies the page; what it
leaves empty comes from the next one that has it, and `Joined.field_sources` says from where. Fields
that only mean something together (volume, issue and pages of a venue) are taken from one statement.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from peerscope.record.names import compatible, parse_name
from peerscope.record.parsed import (
    ParsedArtifact,
    ParsedAuthor,
    ParsedNotice,
    ParsedTopic,
    ParsedVersion,
    ParsedWork,
)
from peerscope.record.text import name_key

ARXIV_DOI = "10.48550/arxiv."
GROUPS: tuple[tuple[str, ...], ...] = (
    ("title", "title_markup"),
    ("abstract", "abstract_markup"),
    ("year", "date"),
    ("venue", "volume", "issue", "pages"),
    ("publisher",),
    ("summary",),
    ("language",),
    ("url",),
    ("pdf_url",),
    ("licence",),
    ("is_oa",),
)
"""Fields of a work that are taken together; the first of a group decides whether it is there."""
_SINGLE = tuple(name for group in GROUPS for name in group)


@dataclass(slots=True)
class Statement:
    """One source's statement of one work. ``origin`` is (importer, location) of the source."""

    source_id: int
    rank: int
    origin: tuple[str, str]
    covers: frozenset[str]
    work: ParsedWork


@dataclass(slots=True)
class Joined:
    """A work as it is shown; each child stands beside the id of the source that states it."""

    source_id: int
    fields: dict[str, Any]
    field_sources: dict[str, int]
    covered: str
    venue_ids: dict[str, str]
    venue_id_sources: dict[str, int]
    ids: list[tuple[str, str, int]]
    authors: list[tuple[ParsedAuthor, int]]
    topics: list[tuple[ParsedTopic, int]]
    references: dict[str, tuple[str | None, str | None, str | None, int]]
    versions: list[tuple[ParsedVersion, int]]
    artifacts: list[tuple[ParsedArtifact, int]]
    notices: list[tuple[ParsedNotice, int]]
    displayed_ids: dict[str, str] = field(default_factory=dict)


def own_ids(work: ParsedWork) -> list[tuple[str, str]]:
    """The identifiers of a record's work: its own and those of its versions, without repetition.

    An arXiv DOI also gives the arXiv id. An ISBN counts for a whole book only: chapters share it.
    """
    ids = list(work.ids.items())
    for version in work.versions:
        ids.extend(version.ids.items())
    found: dict[tuple[str, str], None] = {}
    for scheme, value in ids:
        if not scheme or not value or len(scheme) > 16 or len(value) > 500:
            continue
        if scheme == "isbn" and work.type != "book":
            continue
        found[(scheme, value)] = None
        if scheme == "doi" and value.startswith(ARXIV_DOI):
            found[("arxiv", value[len(ARXIV_DOI) :])] = None
    return list(found)


def reference_key(scheme: str | None, value: str | None, raw: str | None) -> str | None:
    """``scheme:value``, or a hash of the printed reference; ``None`` for an empty one."""
    if scheme and value and len(scheme) <= 16 and len(value) <= 500:
        return f"{scheme}:{value}"
    printed = raw or value
    if not printed:
        return None
    key = " ".join(printed.casefold().split())
    return "raw:" + hashlib.blake2b(key.encode(), digest_size=16).hexdigest()


def join(statements: Sequence[Statement]) -> Joined:
    """The shown work; the same for every order of ``statements``.

    Args:
        statements: At least one.
    """
    ordered = list(statements)
    if len(ordered) > 1:
        ordered.sort(key=_order)
    first = ordered[0]
    fields, sources = _fields(ordered)
    ids: dict[tuple[str, str], int] = {}
    references: dict[str, tuple[str | None, str | None, str | None, int]] = {}
    owned = [own_ids(s.work) for s in ordered]
    for s, pairs in zip(ordered, owned, strict=True):
        for pair in pairs:
            ids.setdefault(pair, s.source_id)
        for ref in s.work.references:
            key = reference_key(ref.scheme, ref.value, ref.raw)
            if key is not None and key not in references:
                identified = not key.startswith("raw:")
                references[key] = (
                    ref.scheme if identified else None,
                    ref.value if identified else None,
                    ref.raw if identified else ref.raw or ref.value,
                    s.source_id,
                )
    covered: set[str] = set()
    for s in ordered:
        covered |= s.covers
    venue_ids, venue_id_sources = _venue_ids(ordered, fields["venue"])
    if any(s.work.authors and not _in_part(s) for s in ordered):
        covered.discard("authors_in_part")
    return Joined(
        source_id=first.source_id,
        fields=fields,
        field_sources=sources,
        covered=" ".join(sorted(covered)),
        venue_ids=venue_ids,
        venue_id_sources=venue_id_sources,
        ids=[(scheme, value, source) for (scheme, value), source in ids.items()],
        authors=_authors(ordered),
        topics=_distinct(ordered, "topics", lambda t: name_key(t.name)),
        references=references,
        versions=_versions(ordered),
        artifacts=_distinct(ordered, "artifacts", lambda a: (a.kind, a.url)),
        notices=_distinct(ordered, "notices", lambda n: (n.kind, n.date, n.url)),
        displayed_ids=_displayed_ids(ordered, owned),
    )


def _order(s: Statement) -> tuple[Any, ...]:
    work = s.work
    stated = sum(getattr(work, name) is not None for name in _SINGLE)
    size = stated + bool(work.authors) + bool(work.topics) + bool(work.references) + len(work.ids)
    return (is_preprint(work), -s.rank, -size, s.origin, work.key)


def is_preprint(work: ParsedWork) -> bool:
    """Whether the record states the preprint of its work."""
    return work.type == "preprint"


def _fields(ordered: list[Statement]) -> tuple[dict[str, Any], dict[str, int]]:
    first = ordered[0]
    values: dict[str, Any] = {"type": first.work.type}
    sources: dict[str, int] = {}
    for group in GROUPS:
        head = group[0]
        giver = first
        if getattr(first.work, head) is None:
            giver = next((s for s in ordered if getattr(s.work, head) is not None), first)
        for name in group:
            value = getattr(giver.work, name)
            values[name] = value
            if giver.source_id != first.source_id and value is not None:
                sources[name] = giver.source_id
        if len(ordered) > 1 and len(group) > 1:
            _complete(group, giver, ordered, values, sources, first.source_id)
    return values, sources


def _complete(
    group: tuple[str, ...],
    giver: Statement,
    ordered: list[Statement],
    values: dict[str, Any],
    sources: dict[str, int],
    first_id: int,
) -> None:
    """Fill the rest of a group from statements that agree on its head."""
    head = values[group[0]]
    if head is None:
        return
    agreed = name_key(head) if isinstance(head, str) else head
    for name in group[1:]:
        if values[name] is not None:
            continue
        for s in ordered:
            other = getattr(s.work, group[0])
            same = other is not None and (
                (name_key(other) if isinstance(other, str) else other) == agreed
            )
            value = getattr(s.work, name)
            if same and value is not None and (s is not giver):
                values[name] = value
                if s.source_id != first_id:
                    sources[name] = s.source_id
                break


def _venue_ids(
    ordered: list[Statement], venue: str | None
) -> tuple[dict[str, str], dict[str, int]]:
    """Identifiers of the venue, and the source of each."""
    if venue is None:
        return {}, {}
    key = name_key(venue)
    found: dict[str, str] = {}
    sources: dict[str, int] = {}
    for s in ordered:
        if s.work.venue_ids and s.work.venue and name_key(s.work.venue) == key:
            for scheme, value in s.work.venue_ids.items():
                found.setdefault(scheme, value)
                sources.setdefault(scheme, s.source_id)
    return found, sources


def _displayed_ids(ordered: list[Statement], owned: list[list[tuple[str, str]]]) -> dict[str, str]:
    shown: dict[str, str] = {}
    for s, pairs in zip(ordered, owned, strict=True):
        for scheme, value in pairs:
            # A version's DOI is the work's only where no record states its own.
            if s.work.ids.get(scheme) == value or scheme == "arxiv":
                shown.setdefault(scheme, value)
    for pairs in owned:
        for scheme, value in pairs:
            shown.setdefault(scheme, value)
    return shown


def _in_part(s: Statement) -> bool:
    return "authors_in_part" in s.covers


def _authors(ordered: list[Statement]) -> list[tuple[ParsedAuthor, int]]:
    partial = [s for s in ordered if s.work.authors and _in_part(s)]
    base = next((s for s in ordered if s.work.authors and not _in_part(s)), None)
    if base is None:
        return _listed_in_part(partial)
    authors = base.work.authors
    others = [
        s.work.authors
        for s in ordered
        if s is not base and len(s.work.authors) == len(authors) and not _in_part(s)
    ]
    if others:
        authors = [_supplemented(a, [o[i] for o in others]) for i, a in enumerate(authors)]
    for one in (author for s in partial for author in s.work.authors):
        name = parse_name(one.name, one.family, one.given)
        fitting = [
            place
            for place, a in enumerate(authors)
            if compatible(parse_name(a.name, a.family, a.given), name)
        ]
        # of two authors who may bear the name, nothing says which one is meant
        if len(fitting) == 1:
            authors = list(authors)
            authors[fitting[0]] = _supplemented(authors[fitting[0]], [one])
    return [(a, base.source_id) for a in authors]


def _listed_in_part(partial: list[Statement]) -> list[tuple[ParsedAuthor, int]]:
    """Everybody of whom some source says that they are among the authors, each once."""
    found: dict[tuple[tuple[str, str], ...] | str, tuple[ParsedAuthor, int]] = {}
    for s in partial:
        for author in s.work.authors:
            key = tuple(sorted(author.ids.items())) or author.name
            found.setdefault(key, (author, s.source_id))
    return list(found.values())


def _supplemented(author: ParsedAuthor, others: list[ParsedAuthor]) -> ParsedAuthor:
    """The author with the identifiers and affiliations that other sources state for this place."""
    name = parse_name(author.name, author.family, author.given)
    full = replace(author, ids=dict(author.ids))
    for other in others:
        if not compatible(name, parse_name(other.name, other.family, other.given)):
            continue
        for scheme, value in other.ids.items():
            full.ids.setdefault(scheme, value)
        if not full.institutions:
            full.institutions = other.institutions
        full.raw_affiliation = full.raw_affiliation or other.raw_affiliation
        full.is_corresponding = full.is_corresponding or other.is_corresponding
    return full


def _distinct(ordered: list[Statement], name: str, key: Any) -> list[Any]:
    found: dict[Any, tuple[Any, int]] = {}
    for s in ordered:
        for item in getattr(s.work, name):
            found.setdefault(key(item), (item, s.source_id))
    return list(found.values())


def _versions(ordered: list[Statement]) -> list[tuple[ParsedVersion, int]]:
    found = _distinct(ordered, "versions", lambda v: (v.kind, tuple(sorted(v.ids.items())), v.url))
    kinds = {is_preprint(s.work) for s in ordered}
    if len(kinds) < 2:
        return found
    stated = {(version.kind, pair) for version, _ in found for pair in version.ids.items()}
    for s in ordered:
        work = s.work
        kind = "preprint" if is_preprint(work) else "published"
        scheme = next((x for x in ("doi", "arxiv", *work.ids) if x in work.ids), None)
        ids = {scheme: work.ids[scheme]} if scheme else {}
        if any((kind, pair) in stated for pair in ids.items()):
            continue
        stated |= {(kind, pair) for pair in ids.items()}
        found.append((ParsedVersion(kind, work.venue, work.year, ids, work.url), s.source_id))
    return found
