"""Records of Crossref, arXiv, ORCID and Zotero: what is read, what is refused and why, and that no input breaks them."""

from __future__ import annotations

import gzip
import json
import sqlite3

import pytest
import source_samples as samples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from peerscope.record import ingest, parsed_works
from peerscope.record.importers import UnknownFormatError, importer_for
from peerscope.record.importers.arxiv import ArxivImporter
from peerscope.record.importers.bibtex import BibtexImporter
from peerscope.record.importers.crossref import CrossrefImporter
from peerscope.record.importers.csl import CslImporter
from peerscope.record.importers.json_elements import elements
from peerscope.record.importers.orcid import OrcidImporter
from peerscope.record.importers.zotero import ZoteroImporter
from peerscope.record.importers.zotero_rdf import ZoteroRdfImporter
from peerscope.record.importers.zotero_sqlite import ZoteroSqliteImporter
from peerscope.record.models import Authorship, Identifier, Notice, Source, Work
from peerscope.record.parsed import Good, Quarantined


def read(importer, path) -> tuple[list, list]:
    records = list(importer.read(str(path)))
    assert [record.position for record in records] == list(range(len(records)))
    good = [record.work for record in records if isinstance(record, Good)]
    bad = [record for record in records if isinstance(record, Quarantined)]
    assert all(one.reason.endswith(".") and one.mend.endswith(".") for one in bad)
    return good, bad


@pytest.fixture
def put(tmp_path):
    def write(content: object, name: str = "some"):
        path = tmp_path / name
        if not isinstance(content, (str, bytes)):
            content = json.dumps(content)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


# Crossref


def test_a_crossref_work_in_full(put) -> None:
    path = put(samples.answer(samples.CROSSREF))
    importer = importer_for(str(path))
    assert importer.name == "crossref"
    assert importer.covers == {"abstract", "affiliations", "references", "notices", "ids"}
    (work,), bad = read(importer, path)
    assert bad == []
    assert work.key == "10.5555/abc.1"
    assert work.title == "Few Negatives & Many Positives: A Study of Both"
    assert work.title_markup is not None and r"\emph{Negatives}" in work.title_markup
    assert work.abstract == "We look at few negatives."
    assert (work.type, work.year, work.date) == ("proceedings-article", 2021, "2021-06-05")
    assert (work.venue, work.volume, work.pages, work.publisher) == (
        "Proceedings of an Example Conference", "3", "10-20", "Example Press",
    )  # fmt: skip
    assert work.ids == {"doi": "10.5555/abc.1"}
    assert work.venue_ids == {"issn": "1234-567X", "isbn": "9781450380164"}
    assert [(a.name, a.family, a.given) for a in work.authors] == [
        ("Ada Example", "Example", "Ada"),
        ("The Example Collaboration", "The Example Collaboration", None),
        ("Ben Sample Jr.", "Sample", "Ben"),
    ]
    assert work.authors[0].ids == {"orcid": samples.ADA_ORCID}
    assert work.authors[0].institutions[0].ids == {"ror": "05apxxy63"}
    assert [editor.name for editor in work.editors] == ["Eve Editor"]
    assert [(r.scheme, r.value, r.raw) for r in work.references] == [
        ("doi", "10.5555/cited", "Sample"),
        (None, None, "Other, 1999, An older one"),
        (None, None, "Someone, Somewhere, 2001."),
    ]
    assert [(v.kind, v.ids) for v in work.versions] == [("preprint", {"arxiv": "2103.00001"})]
    assert [(n.kind, n.date, n.url) for n in work.notices] == [
        ("correction", "2022-01", "https://doi.org/10.5555/corr"),
        ("retraction", "2023-04-22", "https://doi.org/10.5555/notice"),
    ]
    # counts and dates of indexing change with every answer and are no statements about the work
    assert work.extra == {}


def test_lists_lines_arrays_and_dumps_of_crossref_are_read_alike(put) -> None:
    first, second = samples.message(), samples.message(DOI="10.5555/other", title=["Another"])
    for content in (
        json.dumps(samples.listing(first, second)),
        json.dumps(samples.listing(first, second), indent=1),
        f"{json.dumps(samples.answer(first))}\n{json.dumps(samples.answer(second))}\n",
        f"{json.dumps(first)}\n{json.dumps(second)}\n",
        json.dumps([first, second]),
        json.dumps({"items": [first, second]}),
    ):
        path = put(content)
        importer = importer_for(str(path))
        assert importer.name == "crossref"
        good, bad = read(importer, path)
        assert [work.key for work in good] == ["10.5555/abc.1", "10.5555/other"]
        assert bad == []
        path.write_bytes(gzip.compress(content.encode()))
        assert len(read(importer_for(str(path)), path)[0]) == 2


def test_what_no_record_of_a_file_carries_counts_as_not_looked_for(put) -> None:
    bare = samples.message(abstract=None, reference=None, author=[{"family": "Example"}])
    assert importer_for(str(put(samples.answer(bare)))).covers == {"notices", "ids"}


def test_a_message_longer_than_what_is_looked_at_is_recognised(put) -> None:
    long = samples.message(
        reference=[{"unstructured": f"Reference {n} " + "x" * 90} for n in range(2000)]
    )
    path = put(samples.message() | long)
    assert importer_for(str(path)).name == "crossref"
    path = put(samples.answer(long))
    assert len(read(importer_for(str(path)), path)[0][0].references) == 2000


def test_csl_of_crossref_is_still_csl(put) -> None:
    csl = samples.message(title="A text, not a list", **{"container-title": "Somewhere"})
    assert importer_for(str(put(csl))).name == "csl"
    assert importer_for(str(put([csl]))).name == "csl"


NOTICES = [
    ({"type": "withdrawal"}, ["retraction"]),
    ({"type": "expression-of-concern"}, ["concern"]),
    ({"type": "Expression of Concern"}, ["concern"]),
    ({"type": "partial_retraction"}, ["correction"]),
    ({"type": "new_version"}, []),
    ({"type": 7}, []),
    ({}, []),
]


@pytest.mark.parametrize(("update", "kinds"), NOTICES)
def test_kinds_of_notices(put, update, kinds) -> None:
    (work,), _ = read(CrossrefImporter(), put(samples.message(**{"updated-by": [update]})))
    assert [notice.kind for notice in work.notices] == kinds


def updated(kind: str, *date: int) -> dict:
    return {"DOI": f"10.5555/{kind}", "type": kind, "updated": {"date-parts": [list(date)]}}


@pytest.mark.parametrize(
    ("updates", "kinds"),
    [
        ([updated("retraction", 2020, 1, 1), updated("reinstatement", 2021, 1, 1)], []),
        ([updated("reinstatement", 2020, 1, 1), updated("retraction", 2021, 1, 1)], ["retraction"]),
        ([updated("erratum", 2020), updated("reinstatement", 2021)], ["correction"]),
    ],
)
def test_a_work_that_was_put_back_is_not_retracted(put, updates, kinds) -> None:
    (work,), _ = read(CrossrefImporter(), put(samples.message(**{"updated-by": updates})))
    assert [notice.kind for notice in work.notices] == kinds


def test_a_notice_in_the_same_file_reaches_its_work_wherever_it_stands(put) -> None:
    work = samples.message(**{"updated-by": None})
    notice = samples.message(
        DOI="10.5555/n", title=["Retraction of a work"], relation=None,
        **{"updated-by": None, "update-to": [{"DOI": "10.5555/ABC.1", "type": "retraction",
                                              "updated": {"date-parts": [[2023, 4, 22]]}}]},
    )  # fmt: skip
    for order in ([work, notice], [notice, work]):
        good, _ = read(CrossrefImporter(), put(order))
        told = {one.key: [(n.kind, n.date, n.url) for n in one.notices] for one in good}
        assert told == {
            "10.5555/abc.1": [("retraction", "2023-04-22", "https://doi.org/10.5555/n")],
            "10.5555/n": [],
        }
    itself = samples.message(
        **{"updated-by": None, "update-to": [updated("erratum", 2022) | {"DOI": "10.5555/abc.1"}]}
    )
    assert [n.kind for n in read(CrossrefImporter(), put(itself))[0][0].notices] == ["correction"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"title": []}, "no title"),
        ({"title": None}, "no title"),
        ({"DOI": "nonsense"}, "no DOI"),
        ({"DOI": None}, "no DOI"),
        ({"issued": {"date-parts": [[20222]]}}, "year is 20222"),
        ({"title": ["x" * 5000]}, "characters"),
    ],
)
def test_bad_messages_say_why_and_the_good_go_in(put, changes, reason) -> None:
    path = put(samples.listing(samples.message(**changes), samples.message(DOI="10.5555/good")))
    good, bad = read(CrossrefImporter(), path)
    assert [work.key for work in good] == ["10.5555/good"]
    assert reason in bad[0].reason


def test_an_unknown_date_is_unknown(put) -> None:
    (work,), _ = read(CrossrefImporter(), put(samples.message(issued={"date-parts": [[None]]})))
    assert (work.year, work.date) == (None, None)


def test_a_broken_list_ends_where_it_breaks(put) -> None:
    whole = json.dumps(samples.listing(samples.message(), samples.message(DOI="10.5555/second")))
    good, bad = read(CrossrefImporter(), put(whole[: whole.index("second") + 40]))
    assert [work.key for work in good] == ["10.5555/abc.1"]
    assert "never closed" in bad[0].reason
    good, bad = read(CrossrefImporter(), put('{"message-type":"work-list","message":{"items":{}}}'))
    assert good == [] and 'no list "items"' in bad[0].reason


# arXiv


def test_an_answer_of_arxiv(put) -> None:
    path = put(samples.atom(samples.ENTRY, samples.WRONG_ID))
    importer = importer_for(str(path))
    assert (importer.name, importer.licence) == ("arxiv", "CC0-1.0")
    (work,), (bad,) = read(importer, path)
    assert work.key == "2103.00001"
    assert work.title.startswith("Few Negatives and") and work.title.endswith("Gödel")
    assert work.title_markup is not None and "$k$" in work.title_markup
    assert work.abstract == "We look at few < 10 negatives."
    assert (work.type, work.year, work.date, work.venue) == (
        "preprint",
        2021,
        "2021-03-01",
        "arXiv",
    )
    assert work.ids == {"arxiv": "2103.00001"}
    assert [a.name for a in work.authors] == ["Ada Example", "Ben Sample"]
    assert work.authors[0].raw_affiliation == "Example University"
    assert [t.ids for t in work.topics] == [{"arxiv": "cs.LG"}, {"arxiv": "cs.CV"}]
    assert [(v.kind, v.ids) for v in work.versions] == [("published", {"doi": "10.5555/abc.1"})]
    assert work.extra == {"comment": "12 pages", "journal_ref": "Proc. Example 3 (2021)"}
    assert "incorrect id format for 1" in bad.reason


def test_what_arxiv_gives_to_harvesters(put) -> None:
    path = put(
        samples.harvest(
            samples.oai("2103.00001", samples.PLAIN),
            samples.oai("math/0309136", samples.RAW),
            samples.oai("2103.00009", "", deleted=True),
            samples.oai("2103.00010", "<dc/>"),
        )
    )
    importer = importer_for(str(path))
    assert importer.name == "arxiv"
    (plain, raw), (gone, other) = read(importer, path)
    assert (plain.key, plain.date) == ("2103.00001", "2021-03-01")
    assert [(a.name, a.family, a.given) for a in plain.authors] == [
        ("Ada Example", "Example", "Ada"), ("Ben Sample Jr", "Sample", "Ben"),
    ]  # fmt: skip
    assert plain.extra == {"license": "http://creativecommons.org/licenses/by/4.0/"}
    assert (raw.key, raw.date) == ("math/0309136", "2003-09-08")
    assert [a.name for a in raw.authors] == ["Ada Example", "Ben Sample Jr.", "Eve de la Other"]
    assert "deleted" in gone.reason and gone.key == "2103.00009"
    assert "neither of the formats" in other.reason


def test_both_answers_of_arxiv_state_the_same(put) -> None:
    (one,), _ = read(ArxivImporter(), put(samples.atom(samples.ENTRY)))
    (other,), _ = read(
        ArxivImporter(), put(samples.harvest(samples.oai("2103.00001", samples.PLAIN)))
    )
    assert (one.ids, one.date, one.versions[0].ids) == (
        other.ids,
        other.date,
        other.versions[0].ids,
    )
    assert {t.name for t in one.topics} == {t.name for t in other.topics}


# ORCID

DOI = samples.external("doi", "https://doi.org/10.5555/ABC.1", normal="10.5555/abc.1")


def test_a_record_of_orcid(put) -> None:
    path = put(
        samples.record(
            [samples.summary(20, "Few negatives", DOI, **{"display-index": "0"}),
             samples.summary(10, "Few Negatives and Many Positives", DOI,
                             samples.external("issn", "1234567X", "part-of"),
                             samples.external("arxiv", "arXiv:2103.00001v2", "version-of"),
                             **{"display-index": "1"})],
            [samples.summary(30, "A Chapter of Examples", samples.external("isbn", "978-1-4503-8016-4", "part-of"),
                             samples.external("eid", "2-s2.0-1"), type="book-chapter")],
            [samples.summary(40, "")],
        )
    )  # fmt: skip
    importer = importer_for(str(path))
    assert (importer.name, importer.covers) == ("orcid", {"authors_in_part", "ids"})
    (first, second), (bad,) = read(importer, path)
    assert first.key == f"{samples.ADA_ORCID}/10"
    assert first.title == "Few Negatives and Many Positives"
    assert first.ids == {"doi": "10.5555/abc.1"}
    assert (first.year, first.date, first.venue) == (2021, "2021-06", "Journal of Examples")
    assert first.venue_ids == {"issn": "1234-567X"}
    assert [(v.kind, v.ids) for v in first.versions] == [("preprint", {"arxiv": "2103.00001"})]
    (author,) = first.authors
    assert (author.name, author.family, author.ids) == (
        "Ada Example",
        "Example",
        {"orcid": samples.ADA_ORCID},
    )
    assert second.ids == {} and second.venue_ids == {"isbn": "9781450380164"}
    assert bad.key == f"{samples.ADA_ORCID}/40"


def test_works_alone_and_a_hidden_name(put) -> None:
    path = put(samples.works([samples.summary(1, "A Work of Examples", DOI)]))
    assert importer_for(str(path)).name == "orcid"
    (work,), _ = read(OrcidImporter(), path)
    assert [(a.name, a.ids) for a in work.authors] == [("Ada E.", {"orcid": samples.ADA_ORCID})]
    added = samples.summary(
        1, "A Work of Examples", DOI, source={"source-name": {"value": "Crossref"}}
    )
    (work,), _ = read(OrcidImporter(), put(samples.record([added], name=None)))
    assert work.authors == []
    good, bad = read(OrcidImporter(), put({"group": [], "orcid-identifier": None}))
    assert good == [] and "no ORCID" in bad[0].reason


# Zotero


def check(work) -> None:
    assert work.title == "Few Negatives and Many Positives: A Study of Both"
    assert (work.year, work.date, work.language) == (2021, "2021-06-05", "en")
    assert work.abstract == "We look at few negatives."
    assert (work.volume, work.pages) == ("3", "10-20")
    assert work.ids == {"doi": "10.5555/abc.1", "arxiv": "2103.00001", "pmid": "123"}
    assert [(a.name, a.family) for a in work.authors] == [
        ("Ada Example", "Example"), ("The Example Collaboration", "The Example Collaboration"),
        ("Ben Sample", "Sample"),
    ]  # fmt: skip
    assert {t.name for t in work.topics} == {"contrastive learning", "negatives"}
    assert "Zed" not in repr(work) and "somewhere" not in repr(work)


API = [
    {"key": "ABCD2345", "version": 7, "library": {"id": 1}, "data": samples.ITEM},
    {"key": "NOTE2345", "data": samples.NOTE},
    {"key": "ATTA2345", "data": samples.ATTACHMENT},
]


@pytest.mark.parametrize(
    "content",
    [API, [samples.ITEM, samples.NOTE], samples.BETTER_BIBTEX, dict(sorted(samples.BETTER_BIBTEX.items())),
     {"items": [samples.ITEM, samples.NOTE]}, samples.ITEM,
     "\n".join(json.dumps(one) for one in API)],
)  # fmt: skip
def test_items_of_zotero(put, content) -> None:
    path = put(content)
    importer = importer_for(str(path))
    assert importer.name == "zotero"
    (work,), bad = read(importer, path)
    assert bad == []
    check(work)
    assert (work.key, work.type) == ("ABCD2345", "proceedings-article")
    assert work.venue == "Proceedings of an Example Conference"
    assert work.venue_ids == {"isbn": "9781450380164"}
    assert [editor.name for editor in work.editors] == ["Eve Editor"]
    assert work.extra == {"citationKey": "example2021few"}


def test_a_library_as_rdf(put) -> None:
    path = put(samples.RDF)
    importer = importer_for(str(path))
    assert importer.name == "zotero-rdf"
    (article, chapter, preprint), (bad,) = read(importer, path)
    check(article)
    assert (article.type, article.venue, article.issue) == (
        "journal-article",
        "Journal of Examples",
        "2",
    )
    assert article.venue_ids == {"issn": "1234-567X"}
    assert (chapter.type, chapter.venue, chapter.publisher) == (
        "book-chapter", "A Book of Examples", "Example Press",
    )  # fmt: skip
    assert chapter.venue_ids == {"isbn": "9781450380164"} and chapter.extra == {
        "series": "A Series"
    }
    assert [e.name for e in chapter.editors] == ["Eve Editor"] and chapter.year == 1999
    assert (preprint.type, preprint.venue, preprint.year) == ("preprint", "arXiv", 2021)
    assert preprint.ids == {"arxiv": "2103.00001"}
    assert "no title" in bad.reason and bad.key == "#item_9"


def test_a_library_as_it_lies_on_the_disk(tmp_path) -> None:
    stored = samples.ITEM | {"date": "2021-06-05 June 5, 2021"}
    other = samples.ITEM | {
        "key": "OTHER234",
        "title": "Another Work",
        "DOI": "10.5555/o",
        "extra": "",
        "date": "2020-00-00 2020",
    }
    path = samples.library(
        tmp_path / "zotero.sqlite", stored, samples.ATTACHMENT, other,
        samples.ITEM | {"key": "GONE2345"}, samples.ITEM | {"key": "BAD23456", "title": " "},
        libraries=(1, 1, 7, 1, 1), bin_=("GONE2345",),
    )  # fmt: skip
    before = path.read_bytes(), sorted(tmp_path.iterdir())
    importer = importer_for(str(path))
    assert importer.name == "zotero-sqlite"
    (first, second), (bad,) = read(importer, path)
    check(first)
    assert first.key == "ABCD2345"
    assert (second.key, second.year, second.date) == ("7/OTHER234", 2020, None)
    assert "no title" in bad.reason and bad.key == "BAD23456"
    assert before == (path.read_bytes(), sorted(tmp_path.iterdir()))


def test_a_library_at_work_is_not_read(tmp_path) -> None:
    path = samples.library(tmp_path / "zotero.sqlite", samples.ITEM)
    (tmp_path / "zotero.sqlite-wal").write_bytes(b"x")
    with pytest.raises(ValueError, match="Close Zotero"):
        ZoteroSqliteImporter().read(str(path))


def test_other_and_hostile_databases(tmp_path) -> None:
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE a (b)")
    good, (bad,) = read(ZoteroSqliteImporter(), path)
    assert good == [] and "no table items" in bad.reason
    path = samples.library(tmp_path / "zotero.sqlite", samples.ITEM)
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE tags")
        connection.execute(
            "CREATE VIEW tags AS WITH RECURSIVE n(tagID) AS (SELECT 1 UNION ALL SELECT tagID + 1 FROM n) "
            "SELECT tagID, '' AS name FROM n"
        )
    good, (bad,) = read(ZoteroSqliteImporter(), path)
    assert good == [] and "no table tags" in bad.reason
    with sqlite3.connect(path) as connection:
        connection.execute("DROP VIEW tags")
        connection.execute("CREATE VIRTUAL TABLE tags USING fts5(tagID, name)")
    good, (bad,) = read(ZoteroSqliteImporter(), path)
    assert good == [] and "no table tags" in bad.reason
    whole = samples.library(
        tmp_path / "cut.sqlite",
        *(samples.ITEM | {"key": f"K{n}", "extra": "x" * 5000 + str(n)} for n in range(50)),
    )
    whole.write_bytes(whole.read_bytes()[:60_000])
    _, bad = read(ZoteroSqliteImporter(), whole)
    assert "breaks off" in bad[-1].reason


# All of them

XML = {
    "arxiv": samples.atom(samples.ENTRY),
    "arxiv-oai": samples.harvest(samples.oai("2103.00001", samples.PLAIN)),
    "zotero-rdf": samples.RDF,
}


@pytest.mark.parametrize("name", XML)
def test_hostile_xml_reads_no_file_and_unfolds_nothing(name, put, tmp_path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hidden words")
    body = XML[name].partition("?>")[2] or XML[name]
    root = body[1 : body.index(" ")]
    entities = (
        f'<!DOCTYPE x [<!ENTITY x SYSTEM "{secret.as_uri()}"><!ENTITY a "{"a" * 100}">'
        + "".join(
            f'<!ENTITY {n} "{f"&{p};" * 10}">' for n, p in zip("bcdefgh", "abcdefg", strict=True)
        )
        + "]>"
    )
    hostile = entities + body.replace("Few Negatives", "Few &x; &h; Negatives")
    assert root in hostile
    path = put('<?xml version="1.0"?>' + hostile)
    good, _ = read(importer_for(str(path)), path)
    assert all("hidden words" not in repr(work) and len(work.title) < 500 for work in good)
    cut = XML[name][: int(len(XML[name]) * 0.9)]
    _, bad = read(importer_for(str(put(cut))), put(cut))
    assert "breaks off" in bad[-1].reason


def test_other_xml_and_html_are_no_format_of_ours(put) -> None:
    for content in (
        "<html><body>Sign in</body></html>",
        "<rdf:RDF/>",
        '<feed xmlns="http://www.w3.org/2005/Atom"/>',
    ):
        with pytest.raises(UnknownFormatError):
            importer_for(str(put(content)))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["value", "date-parts", "DOI", "id", "name", "type", "title"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
CROSSREF_KEYS = [*samples.CROSSREF, "message", "update-to", "subtype", "message-type"]
ORCID_KEYS = [
    "orcid-identifier",
    "person",
    "activities-summary",
    "group",
    "path",
    *samples.summary(1, "x"),
]
FUZZED = {
    CrossrefImporter: (samples.CROSSREF, CROSSREF_KEYS),
    OrcidImporter: (samples.works([samples.summary(1, "x", DOI)]), ORCID_KEYS),
    ZoteroImporter: (samples.ITEM, [*samples.ITEM, "data", "issueDate", "ISSN", "archiveID", "itemKey"]),
}  # fmt: skip


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("importer", FUZZED)
@given(data=st.data())
def test_no_json_breaks_an_importer(importer, data, tmp_path) -> None:
    base, keys = FUZZED[importer]
    changes = data.draw(st.dictionaries(st.sampled_from(keys), values, max_size=5))
    tail = data.draw(st.binary(max_size=20))
    path = tmp_path / "fuzz"
    path.write_bytes(
        json.dumps(base | changes).encode() + b"\n" + json.dumps(changes).encode() + tail
    )
    read(importer(), path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=values)
def test_no_summary_of_orcid_breaks_it(changes, tmp_path) -> None:
    for key in samples.summary(1, "x"):
        path = tmp_path / "fuzz"
        path.write_bytes(
            samples.dumped(samples.record([samples.summary(1, "A title", DOI, **{key: changes})]))
        )
        read(OrcidImporter(), path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("name", XML)
@given(data=st.data())
def test_no_xml_breaks_an_importer(name, data, tmp_path) -> None:
    importer = ZoteroRdfImporter if name == "zotero-rdf" else ArxivImporter
    source = XML[name]
    start = data.draw(st.integers(0, len(source)))
    end = data.draw(st.integers(start, min(len(source), start + 200)))
    middle = data.draw(
        st.text(max_size=20) | st.sampled_from(["<a/>", "</entry>", "&x;", "<![CDATA[", "<!--"])
    )
    path = tmp_path / "fuzz"
    path.write_bytes((source[:start] + middle + source[end:]).encode("utf-8", "replace"))
    read(importer(), path)


@pytest.fixture(scope="module")
def whole_library(tmp_path_factory) -> bytes:
    folder = tmp_path_factory.mktemp("library")
    return samples.library(folder / "zotero.sqlite", samples.ITEM, samples.ATTACHMENT).read_bytes()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(100, 40_000), st.binary(min_size=1, max_size=40)), max_size=6)
)
def test_no_damaged_library_breaks_the_importer(whole_library, tmp_path, damage) -> None:
    path, content = tmp_path / "zotero.sqlite", bytearray(whole_library)
    for at, junk in damage:
        content[at : at + len(junk)] = junk
    path.write_bytes(content)
    read(ZoteroSqliteImporter(), path)


@given(
    st.lists(st.dictionaries(st.text(max_size=4), values, max_size=3), max_size=5),
    values,
    st.integers(1, 9),
)
def test_the_list_of_a_document_is_cut_like_an_array(objects, around, size) -> None:
    """Whatever stands before and behind the list, and however the bytes come."""
    whole = json.dumps(
        {"a": around, "m": {"b": around, "items": objects, "c": around}, "d": around}
    ).encode()
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    found = list(elements(pieces, ("items", 2)))
    assert [json.loads(one.source) for one in found if one.problem is None] == objects
    assert len(found) == len(objects)


# In the record


def files(put) -> dict:
    """One work as five sources state it."""
    return {
        "bibtex": (BibtexImporter(), put(samples.BIBTEX, "a.bib")),
        "crossref": (CrossrefImporter(), put(samples.answer(samples.CROSSREF), "c.json")),
        "arxiv": (ArxivImporter(), put(samples.atom(samples.ENTRY), "x.xml")),
        "orcid": (OrcidImporter(), put(samples.record([samples.summary(1, "Few negatives", DOI)]), "o.json")),
        "zotero": (ZoteroImporter(), put([samples.ITEM], "z.json")),
    }  # fmt: skip


@pytest.mark.parametrize(
    "order",
    [["bibtex", "crossref", "arxiv", "orcid", "zotero"], ["orcid", "zotero", "arxiv", "crossref", "bibtex"],
     ["arxiv", "orcid", "bibtex", "zotero", "crossref"]],
)  # fmt: skip
def test_the_same_work_from_every_source_is_one_work(database, put, order) -> None:
    sources = files(put)
    for name in order:
        report = ingest(database, *_of(sources, name))
        assert (report.added, report.quarantined) == (1, 0)
    for name in order:
        again = ingest(database, *_of(sources, name), force=True)
        assert (again.added, again.updated, again.unchanged) == (0, 0, 1)
    with database.session() as session:
        (work,) = session.scalars(select(Work)).all()
        held = {
            (one.scheme, one.value)
            for one in session.scalars(select(Identifier).where(Identifier.entity == "W"))
        }
        authors = session.scalars(select(Authorship).order_by(Authorship.position)).all()
        notices = session.execute(
            select(Notice.kind, Notice.date, Source.importer).join(Source)
        ).all()
        licences = dict(session.execute(select(Source.importer, Source.licence)).all())
        (shown,) = parsed_works(session)
    assert {("doi", "10.5555/abc.1"), ("arxiv", "2103.00001"), ("pmid", "123")} <= held
    assert [a.raw_name for a in authors] == [
        "Ada Example",
        "The Example Collaboration",
        "Ben Sample",
    ]
    assert ("retraction", "2023-04-22", "crossref") in notices
    assert (licences["arxiv"], licences["orcid"], licences["zotero"]) == (
        "CC0-1.0",
        "CC0-1.0",
        None,
    )
    assert shown.authors[0].ids == {"orcid": samples.ADA_ORCID}
    assert "authors_in_part" not in work.covered.split()


def _of(sources, name):
    importer, path = sources[name]
    return importer, str(path)


def test_an_orcid_goes_to_the_author_whom_it_fits(database, put) -> None:
    """In a record with all authors; a name that two of them may bear goes to neither."""
    bib = "@article{{k{0}, title={{A Work of Several Examples {0}}}, author={{{1}}}, year=2021, doi={{10.5555/{0}}}}}\n"
    path = put(
        bib.format(1, "Ben Sample and Ada Example") + bib.format(2, "Ben Sample and A. Example and Ada Example")
        + bib.format(3, "Ben Sample and Cy Other"),
        "a.bib",
    )  # fmt: skip
    ingest(database, BibtexImporter(), str(path))
    groups = [
        [
            samples.summary(
                n, f"A Work of Several Examples {n}", samples.external("doi", f"10.5555/{n}")
            )
        ]
        for n in (1, 2, 3)
    ]
    ingest(database, OrcidImporter(), str(put(samples.record(*groups), "o.json")))
    with database.session() as session:
        shown = sorted(parsed_works(session), key=lambda work: work.ids["doi"])
    assert [[(a.name, a.ids) for a in work.authors] for work in shown] == [
        [("Ben Sample", {}), ("Ada Example", {"orcid": samples.ADA_ORCID})],
        [("Ben Sample", {}), ("A. Example", {}), ("Ada Example", {})],
        [("Ben Sample", {}), ("Cy Other", {})],
    ]


@pytest.mark.parametrize("first", ["orcid", "bibtex"])
@pytest.mark.parametrize(("year", "joined"), [(2021, True), (2020, False)])
def test_a_listed_work_without_identifiers_joins_by_title_year_and_name(
    sqlite, put, first, year, joined
) -> None:
    bib = f"@article{{k, title={{A Work of Several Examples}}, author={{Ben Sample and Ada Example}}, year={year}}}"
    sources = {
        "bibtex": (BibtexImporter(), put(bib, "a.bib")),
        "orcid": (OrcidImporter(), put(samples.record([samples.summary(1, "A work of several examples")]), "o.json")),
    }  # fmt: skip
    for name in sorted(sources, key=lambda name: name != first):
        ingest(sqlite, *_of(sources, name))
    with sqlite.session() as session:
        shown = list(parsed_works(session))
    assert len(shown) == (1 if joined else 2)
    if joined:
        assert [a.name for a in shown[0].authors] == ["Ben Sample", "Ada Example"]
        assert shown[0].authors[1].ids == {"orcid": samples.ADA_ORCID}


def test_a_work_known_from_two_records_alone_lists_both_and_says_that_others_may_be(
    sqlite, put
) -> None:
    other = json.loads(
        json.dumps(samples.record([samples.summary(9, "Few negatives", DOI)])).replace(
            samples.ADA_ORCID, "0000-0002-1694-233X"
        )
    )
    other["person"]["name"] = {"given-names": {"value": "Ben"}, "family-name": {"value": "Sample"}}
    ingest(
        sqlite,
        OrcidImporter(),
        str(put(samples.record([samples.summary(1, "Few negatives", DOI)]), "a.json")),
    )
    ingest(sqlite, OrcidImporter(), str(put(other, "b.json")))
    with sqlite.session() as session:
        (work,) = session.scalars(select(Work)).all()
        names = set(session.scalars(select(Authorship.raw_name)))
    assert names == {"Ada Example", "Ben Sample"}
    assert "authors_in_part" in work.covered.split()


def test_csl_stays_as_it_was(put) -> None:
    good, bad = read(CslImporter(), put('{"items": [{"id": "a", "title": "T"}]}'))
    assert (len(good), bad) == (1, [])
