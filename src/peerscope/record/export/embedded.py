"""A work as the ``citation_`` names in a page's head, as reference managers and Google Scholar read them.

The names are Highwire Press's; their readers differ, and Zotero's Embedded Metadata translator is the one
that these are held to: kinds of work that the names cannot tell apart are told by its ``z:itemType``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from peerscope.record.importers.bibliography import suffix_of
from peerscope.record.parsed import ParsedAuthor, ParsedWork

MOST_AUTHORS = 100
MOST_TOPICS = 10
LONGEST_ABSTRACT = 3_000

_ZOTERO = {
    "preprint": "preprint", "book": "book", "dataset": "dataset", "software": "computerProgram",
    "report": "report", "dissertation": "thesis", "other": "document",
}  # fmt: skip
_CONTAINERS = {
    "journal-article": "citation_journal_title", "review": "citation_journal_title",
    "proceedings-article": "citation_conference_title", "book-chapter": "citation_inbook_title",
}  # fmt: skip
_PUBLISHERS = {
    "dissertation": "citation_dissertation_institution", "report": "citation_technical_report_institution",
}  # fmt: skip


def citation_tags(work: ParsedWork, address: str) -> list[tuple[str, str]]:
    """Names and contents of the ``meta`` elements, in their order.

    Args:
        work: As shown.
        address: Of its page.
    """
    return [(name, " ".join(text.split())) for name, text in _tags(work, address) if text]


def _tags(work: ParsedWork, address: str) -> Iterator[tuple[str, str | None]]:
    yield "citation_title", work.title
    alone = len(work.authors) == 1
    for author in work.authors[:MOST_AUTHORS]:
        yield "citation_author", _name(author, alone=alone)
        if "orcid" in author.ids:
            yield "citation_author_orcid", f"https://orcid.org/{author.ids['orcid']}"
    for editor in work.editors[:MOST_AUTHORS]:
        yield "citation_editor", _name(editor, alone=len(work.editors) == 1)
    yield "citation_publication_date", (work.date or str(work.year or "")).replace("-", "/")
    container = _CONTAINERS.get(work.type)
    if container is not None:
        yield container, work.venue
    else:
        yield "z:itemType", _ZOTERO[work.type]
    # A repository publishes a preprint: no journal of that name exists.
    if work.type == "preprint" and "arxiv" in work.ids:
        yield "z:archiveID", f"arXiv:{work.ids['arxiv']}"
    if work.type == "report":
        yield "citation_technical_report_number", work.extra.get("number")
    yield _PUBLISHERS.get(work.type, "citation_publisher"), _publisher(work)
    yield "citation_volume", work.volume
    yield "citation_issue", work.issue
    first, _, last = (work.pages or "").partition("-")
    yield "citation_firstpage", first
    yield "citation_lastpage", last
    yield "citation_issn", work.venue_ids.get("issn")
    yield "citation_isbn", work.ids.get("isbn") or work.venue_ids.get("isbn")
    yield "citation_doi", work.ids.get("doi")
    yield "citation_arxiv_id", work.ids.get("arxiv")
    yield "citation_pmid", work.ids.get("pmid")
    yield "citation_language", work.language
    for topic in work.topics[:MOST_TOPICS]:
        yield "citation_keywords", topic.name.replace(";", ",")
    yield "citation_abstract", (work.abstract or "")[:LONGEST_ABSTRACT]
    yield "citation_pdf_url", work.pdf_url
    yield "citation_abstract_html_url", address


def _publisher(work: ParsedWork) -> str | None:
    return (work.publisher or work.venue) if work.type not in _CONTAINERS else work.publisher


def _name(author: ParsedAuthor, *, alone: bool) -> str:
    """A name; readers part names at semicolons, and a lone one at its comma where blanks stand around."""
    name = author.name
    if author.family and author.given:
        family = " ".join(one for one in (author.family, suffix_of(author)) if one)
        name = f"{family.replace(',', ' ')}, {author.given.replace(',', ' ')}"
    name = re.sub(r"\s*;\s*", " ", name)
    # Several names, one of them empty: not two names at the comma.
    return f"{name};" if alone and "," in name and " " in name.partition(", ")[0] else name
