"""The ``citation_`` names of a page's head, by the rules of Zotero's Embedded Metadata translator.

docs/citing.md says how the translator itself was run; what it reads from these names is written down here.
"""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerscope.record.export.embedded import LONGEST_ABSTRACT, MOST_AUTHORS, citation_tags
from peerscope.record.parsed import WORK_TYPES, ParsedAuthor, ParsedTopic, ParsedWork

ADDRESS = "https://site.example/works/W1"
ARTICLE = ParsedWork(
    "a", "On bounds", type="journal-article", year=2021, date="2021-03-09", venue="Journal of Examples",
    venue_ids={"issn": "1234-5679"}, publisher="Press", volume="30", issue="2", pages="598-608", language="en",
    ids={"doi": "10.5555/few", "arxiv": "2203.17248", "pmid": "7"}, abstract="We study\nbounds.", pdf_url="https://a.example/p.pdf",
    authors=[ParsedAuthor("Noam Maria van der Berg", "van der Berg", "Noam Maria", {"orcid": "0000-0002-1825-0097"}), ParsedAuthor("Team of Samples")],
    editors=[ParsedAuthor("Ed Sample", "Sample", "Ed")], topics=[ParsedTopic("bounds; tight")],
)  # fmt: skip


def read(content: str, of: int) -> list[str]:
    """The authors that the translator makes of one element (`processHighwireCreators`)."""
    creators = re.split(r"\s*;\s*", content)
    if len(creators) == 1 and of == 1:
        parts = re.split(r"\s*,\s*", creators[0])
        if len(parts) > 1 and " " in parts[0] and " " in parts[1]:
            creators = parts
    return [one for one in creators if one.strip()]


def test_an_article_as_the_translator_reads_it() -> None:
    assert citation_tags(ARTICLE, ADDRESS) == [
        ("citation_title", "On bounds"),
        ("citation_author", "van der Berg, Noam Maria"),
        ("citation_author_orcid", "https://orcid.org/0000-0002-1825-0097"),
        ("citation_author", "Team of Samples"),
        ("citation_editor", "Sample, Ed"),
        ("citation_publication_date", "2021/03/09"),
        ("citation_journal_title", "Journal of Examples"),
        ("citation_publisher", "Press"),
        ("citation_volume", "30"), ("citation_issue", "2"),
        ("citation_firstpage", "598"), ("citation_lastpage", "608"),
        ("citation_issn", "1234-5679"), ("citation_doi", "10.5555/few"), ("citation_arxiv_id", "2203.17248"),
        ("citation_pmid", "7"), ("citation_language", "en"), ("citation_keywords", "bounds, tight"),
        ("citation_abstract", "We study bounds."), ("citation_pdf_url", "https://a.example/p.pdf"),
        ("citation_abstract_html_url", ADDRESS),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", WORK_TYPES)
def test_the_kind_of_work_is_told(kind) -> None:
    tags = dict(citation_tags(replace(ARTICLE, type=kind), ADDRESS))
    container = {
        "journal-article": "citation_journal_title", "review": "citation_journal_title",
        "proceedings-article": "citation_conference_title", "book-chapter": "citation_inbook_title",
    }.get(kind)  # fmt: skip
    assert (container in tags) if container else ("z:itemType" in tags)
    assert (
        sum(
            name in tags
            for name in (
                "citation_journal_title",
                "citation_conference_title",
                "citation_inbook_title",
                "z:itemType",
            )
        )
        == 1
    )
    if kind == "preprint":
        assert tags["z:itemType"] == "preprint" and tags["z:archiveID"] == "arXiv:2203.17248"


def test_nothing_is_said_of_what_nobody_states() -> None:
    assert citation_tags(ParsedWork("n", "Only a title"), ADDRESS) == [
        ("citation_title", "Only a title"), ("z:itemType", "document"), ("citation_abstract_html_url", ADDRESS),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("author", "content"),
    [
        (ParsedAuthor("Juan Carlos de la Cruz", "de la Cruz", "Juan Carlos"), "de la Cruz, Juan Carlos;"),
        (ParsedAuthor("Ada Example", "Example", "Ada"), "Example, Ada"),
        (ParsedAuthor("Ada Example Jr.", "Example", "Ada"), "Example Jr., Ada;"),
        (ParsedAuthor("张康", "张", "康"), "张, 康"),
        (ParsedAuthor("Ada; DROP"), "Ada DROP"),
    ],
)  # fmt: skip
def test_a_lone_author_stays_one(author, content) -> None:
    found = dict(citation_tags(replace(ARTICLE, authors=[author]), ADDRESS))["citation_author"]
    assert found == content and len(read(found, 1)) == 1


NAME = st.text(st.sampled_from("Ab ,;.-é"), min_size=1, max_size=14).filter(
    lambda text: bool(re.search(r"\w", text))
)


@given(st.lists(st.tuples(NAME, NAME), min_size=1, max_size=4))
def test_as_many_authors_are_read_as_there_are(names) -> None:
    authors = [ParsedAuthor(f"{given} {family}", family, given) for family, given in names]
    contents = [
        text
        for name, text in citation_tags(replace(ARTICLE, authors=authors), ADDRESS)
        if name == "citation_author"
    ]
    assert sum(len(read(one, len(contents))) for one in contents) == len(authors)


def test_long_lists_and_texts_are_bounded() -> None:
    crowd = replace(
        ARTICLE, authors=[ParsedAuthor(f"A B{n}") for n in range(3000)], abstract="x" * 10**6
    )
    tags = citation_tags(crowd, ADDRESS)
    assert sum(name == "citation_author" for name, _ in tags) == MOST_AUTHORS
    assert len(dict(tags)["citation_abstract"]) == LONGEST_ABSTRACT
