"""A joined work as rows of the tables: columns and plain values, in one place for insert and update."""

from __future__ import annotations

from typing import Any

import orjson

from peerscope.record.join import Joined
from peerscope.record.names import parse_name
from peerscope.record.parsed import ParsedAuthor
from peerscope.record.text import fingerprint

WORK_FIELDS = (
    "title", "title_markup", "abstract", "abstract_markup", "summary", "type", "language",
    "publisher", "volume", "issue", "pages", "url", "pdf_url", "licence", "is_oa",
)  # fmt: skip
"""Columns of a work that are called the same in `ParsedWork`."""
WORK_SHOWN = (
    *WORK_FIELDS, "publication_year", "publication_date", "venue_id", "doi", "arxiv_id",
    "fingerprint", "covered", "source_id", "field_sources", "change_seq", "updated_at",
)  # fmt: skip
"""Columns that a join decides."""
WORK_COLUMNS = (
    "id", *WORK_SHOWN, "authors_count", "references_count", "cited_by_count", "created_at"
)  # fmt: skip
AUTHOR_COLUMNS = (
    "id", "work_id", "position", "raw_name", "name_key", "block_key", "author_ids",
    "raw_affiliation", "is_corresponding", "source_id",
)  # fmt: skip
RECORD_COLUMNS = (
    "id", "source_id", "key", "work_id", "content_hash", "payload", "run_id", "note", "retrieved_at",
)  # fmt: skip
CITATION_COLUMNS = (
    "id", "citing_id", "cited_id", "ref_key", "scheme", "value", "raw", "source_id"
)  # fmt: skip


def shown(joined: Joined, venue_id: int | None, seq: int, now: Any) -> tuple[Any, ...]:
    """Values of `WORK_SHOWN`."""
    fields, ids = joined.fields, joined.displayed_ids
    authored = bool(joined.authors)
    sources = orjson.dumps(joined.field_sources).decode() if joined.field_sources else None
    return (
        *(fields[name] for name in WORK_FIELDS),
        fields["year"],
        fields["date"],
        venue_id,
        ids.get("doi"),
        ids.get("arxiv"),
        fingerprint(fields["title"]) if authored else None,
        joined.covered,
        joined.source_id,
        sources,
        seq,
        now,
    )


def author_values(author: ParsedAuthor, source_id: int) -> tuple[Any, ...]:
    """Values of `AUTHOR_COLUMNS` from ``raw_name`` on."""
    name = parse_name(author.name, author.family, author.given)
    ids = None
    if author.ids:
        ids = "\n".join(f"{scheme}:{author.ids[scheme]}" for scheme in sorted(author.ids))
    return (
        author.name,
        name.key,
        name.block,
        ids,
        author.raw_affiliation,
        author.is_corresponding,
        source_id,
    )


def version_values(joined: Joined) -> list[tuple[Any, ...]]:
    """Kind, venue, year, scheme, value, url and source of each version."""
    rows = []
    for version, source_id in joined.versions:
        scheme, value = next(iter(version.ids.items()), (None, None))
        year = version.year if version.year and 1000 <= version.year <= 9999 else None
        named = scheme is not None and len(scheme) <= 16
        rows.append(
            (
                version.kind[:16],
                version.venue,
                year,
                scheme if named else None,
                value if named else None,
                version.url,
                source_id,
            )
        )
    return rows


def notice_values(joined: Joined) -> list[tuple[Any, ...]]:
    """Kind, date, url and source of each notice."""
    return [
        (n.kind[:16], n.date[:10] if n.date else None, n.url, source)
        for n, source in joined.notices
    ]


def artifact_values(joined: Joined) -> list[tuple[Any, ...]]:
    """Kind, url and source of each artifact."""
    return [(a.kind[:16], a.url, source) for a, source in joined.artifacts if a.url]
