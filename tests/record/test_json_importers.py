from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from peerscope.record import ingest
from peerscope.record.importers import IMPORTERS, UnknownFormatError, importer_for
from peerscope.record.importers.acl_xml import AclXmlImporter, paper_id
from peerscope.record.importers.jsonl import JsonLinesImporter, parse_work, scheme_of
from peerscope.record.importers.openalex import OpenAlexImporter
from peerscope.record.importers.openalex import parse_work as parse_openalex
from peerscope.record.importers.starter import StarterImporter
from peerscope.record.models import Citation, Work
from peerscope.record.parsed import Good, Quarantined
from peerscope.record.starter import FOLDER, STARTER

SHARED = Path(os.environ.get("PEERSCOPE_SHARED", Path(__file__).resolve().parents[3] / "shared"))
SCHOLARLY = SHARED / "data" / "scholarly"
needs_shared = pytest.mark.skipif(not SCHOLARLY.is_dir(), reason=f"no shared data in {SHARED}")

OPENALEX = {
    "id": "https://openalex.org/W4312933868",
    "doi": "https://doi.org/10.1109/CVPR52688.2022.01404",
    "title": "Dual Temperature Helps Contrastive Learning Without Many Negative Samples: Towards Understanding and Simplifying <i>MoCo</i>",
    "publication_year": 2022,
    "publication_date": "2022-06-01",
    "type": "article",
    "type_crossref": "proceedings-article",
    "language": "en",
    "ids": {"openalex": "https://openalex.org/W4312933868", "pmid": "https://pubmed.ncbi.nlm.nih.gov/123"},
    "primary_location": {
        "landing_page_url": "https://doi.org/10.1109/cvpr52688.2022.01404",
        "pdf_url": None,
        "license": None,
        "source": {"id": "https://openalex.org/S4363607701", "display_name": "CVPR", "issn_l": None},
    },
    "locations": [
        {"landing_page_url": "https://arxiv.org/abs/2203.17248", "version": "submittedVersion",
         "source": {"display_name": "arXiv"}},
    ],
    "open_access": {"is_oa": True, "oa_status": "green"},
    "authorships": [
        {"author_position": "first", "raw_author_name": "Chaoning Zhang", "is_corresponding": True,
         "author": {"id": "https://openalex.org/A5", "display_name": "Chaoning Zhang",
                    "orcid": "https://orcid.org/0000-0001-6007-6099"},
         "institutions": [{"id": "https://openalex.org/I157485424", "display_name": "KAIST",
                           "ror": "https://ror.org/05apxxy63", "country_code": "KR", "type": "education"}],
         "raw_affiliation_strings": ["KAIST, Daejeon"]},
        {"author": {"id": "https://openalex.org/A6", "display_name": "Kang Zhang", "orcid": None},
         "institutions": []},
    ],
    "biblio": {"volume": None, "issue": None, "first_page": "14421", "last_page": "14430"},
    "is_retracted": True,
    "topics": [{"id": "https://openalex.org/T1", "display_name": "Domain Adaptation", "score": 0.99}],
    "referenced_works": ["https://openalex.org/W1", "nonsense", None],
    "abstract_inverted_index": {"learning": [1, 3], "Contrastive": [0], "helps": [2], "x": [-1, "a", 10**9]},
}  # fmt: skip


def read(importer, path) -> tuple[list, list]:
    records = list(importer.read(str(path)))
    assert [record.position for record in records] == list(range(len(records)))
    good = [record.work for record in records if isinstance(record, Good)]
    return good, [record for record in records if isinstance(record, Quarantined)]


def test_an_openalex_work_in_full() -> None:
    work = parse_openalex(OPENALEX)
    assert work.title.endswith("Simplifying MoCo")
    assert work.title_markup is not None and r"\emph{MoCo}" in work.title_markup
    assert work.abstract == "Contrastive learning helps learning"
    assert work.ids == {
        "openalex": "W4312933868", "doi": "10.1109/cvpr52688.2022.01404", "pmid": "123", "arxiv": "2203.17248",
    }  # fmt: skip
    assert (work.type, work.year, work.venue, work.is_oa) == (
        "proceedings-article",
        2022,
        "CVPR",
        True,
    )
    assert work.pages == "14421-14430"
    first, second = work.authors
    assert first.ids == {"openalex": "A5", "orcid": "0000-0001-6007-6099"}
    assert first.institutions[0].ids == {"openalex": "I157485424", "ror": "05apxxy63"}
    assert first.is_corresponding
    assert second.name == "Kang Zhang"
    assert [reference.value for reference in work.references] == ["W1"]
    assert [notice.kind for notice in work.notices] == ["retraction"]
    assert work.versions[0].kind == "preprint"


def test_a_snapshot_folder_is_one_source(tmp_path) -> None:
    for part, number in (("updated_date=2024-01-01", 1), ("updated_date=2024-02-01", 2)):
        folder = tmp_path / part
        folder.mkdir()
        works = [{**OPENALEX, "id": f"https://openalex.org/W{number}{n}"} for n in range(3)]
        works.append({**OPENALEX, "id": "https://openalex.org/W10"})
        (folder / "part_000.gz").write_bytes(
            gzip.compress("\n".join(json.dumps(work) for work in works).encode())
        )
    (tmp_path / "manifest").write_text("{}")
    good, bad = read(importer_for(str(tmp_path)), tmp_path)
    assert len(good) == 6
    assert all("twice" in one.reason for one in bad)


BAD_LINES = {
    "not json": (b"{broken", "not JSON"),
    "no object": (b"[1, 2]", "no JSON object"),
    "no title": (b'{"id": "x"}', "no title"),
    "far year": (b'{"id": "y", "title": "T", "year": 20222}', "year is 20222"),
    "twice": (b'{"id": "a", "title": "Again"}', "twice"),
}


def test_bad_lines_are_kept_apart_and_the_good_go_in(tmp_path) -> None:
    path = tmp_path / "some.jsonl"
    good_line = (
        b'{"id": "a", "title": "A good one", "year": 2020, "authors": [{"name": "Ada Example"}]}'
    )
    last = b'{"id": "z", "title": "caf\xe9 and \\u0007 bell"}'
    path.write_bytes(b"\n".join([good_line, *(line for line, _ in BAD_LINES.values()), b"", last]))
    good, bad = read(JsonLinesImporter(), path)
    assert [work.key for work in good] == ["a", "z"]
    assert good[1].title.startswith("café and")
    for record, (_, reason) in zip(bad, BAD_LINES.values(), strict=True):
        assert reason in record.reason
        assert record.mend
        assert record.locator.startswith("line ")


def test_a_truncated_file_ends_in_one_quarantine_record(tmp_path) -> None:
    whole = gzip.compress(
        b"\n".join(b'{"id": "%d", "title": "Work %d"}' % (n, n) for n in range(5000))
    )
    path = tmp_path / "cut.gz"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    good, bad = read(importer_for(str(path)), path)
    assert 0 < len(good) < 5000
    assert len(bad) == 1
    assert "breaks off" in bad[0].reason


@pytest.mark.parametrize(
    ("key", "expected"),
    [("W07-1431", ("acl", "W07-1431")), ("2020.acl-main.5", ("acl", "2020.acl-main.5")),
     ("hep-th/9201001", ("arxiv", "hep-th/9201001")), ("arXiv:2006.02282", ("arxiv", "2006.02282")),
     ("W2125158795", ("openalex", "W2125158795")), ("smith2020", ("local", "smith2020"))],
)  # fmt: skip
def test_the_form_of_an_id_says_its_scheme(key, expected) -> None:
    assert scheme_of(key) == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = ["id", "title", "year", "date", "authors", "venue", "references", "doi", "type", "abstract",
        "concepts", "categories", "source", "open_access", "authorships", "primary_location",
        "abstract_inverted_index", "biblio", "ids", "topics", "locations", "publication_year"]  # fmt: skip


@settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    st.lists(st.dictionaries(st.sampled_from(KEYS), json_values, max_size=8), max_size=4),
    st.binary(max_size=30),
)
def test_no_json_breaks_an_importer(tmp_path_factory, objects, tail) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "f.jsonl"
    path.write_bytes("\n".join(json.dumps(o) for o in objects).encode() + b"\n" + tail)
    for importer in (JsonLinesImporter(), OpenAlexImporter()):
        read(importer, path)


XML = """<?xml version='1.0' encoding='UTF-8'?>
<collection id="W07">
 <volume id="14"><meta><booktitle>Proceedings of the Workshop on Textual Entailment</booktitle>
  <publisher>ACL</publisher><year>2007</year><venue>ws</venue></meta>
  <paper id="31"><title>Natural Logic for <fixed-case>T</fixed-case>extual Inference of <tex-math>x^2</tex-math> &amp; 50% <i>more</i></title>
   <author id="bill-maccartney"><first>Bill</first><last>MacCartney</last><affiliation>Stanford</affiliation></author>
   <author orcid="0000-0001-6155-649X"><first>Christopher D.</first><last>Manning</last></author>
   <pages>193–200</pages><doi>10.3115/1654536.1654575</doi><bibkey>maccartney-manning-2007-natural</bibkey>
   <retracted date="2010-01-01"/></paper>
  <paper id="32"><title></title></paper>
 </volume>
</collection>"""


def test_acl_xml(tmp_path) -> None:
    path = tmp_path / "W07.xml"
    path.write_text(XML, encoding="utf-8")
    good, bad = read(importer_for(str(path)), path)
    (work,) = good
    assert work.key == "W07-1431"
    assert work.title.startswith("Natural Logic for Textual Inference of x")
    assert "50% more" in work.title
    assert work.venue == "Proceedings of the Workshop on Textual Entailment"
    assert work.authors[0].ids == {"acl": "bill-maccartney"}
    assert work.authors[1].ids == {"orcid": "0000-0001-6155-649X"}
    assert work.pages == "193-200"
    assert [notice.kind for notice in work.notices] == ["retraction"]
    assert bad[0].key == "W07-1432"


@pytest.mark.parametrize(
    ("collection", "volume", "paper", "expected"),
    [
        ("P02", "1", "40", "P02-1040"),
        ("W07", "14", "31", "W07-1431"),
        ("2020.acl", "main", "5", "2020.acl-main.5"),
    ],
)
def test_ids_of_the_anthology(collection, volume, paper, expected) -> None:
    assert paper_id(collection, volume, paper) == expected


def test_broken_and_hostile_xml(tmp_path) -> None:
    cut = tmp_path / "cut.xml"
    cut.write_text(XML[: XML.index('<paper id="32"')], encoding="utf-8")
    good, bad = read(AclXmlImporter(), cut)
    assert len(good) == 1
    assert "breaks off" in bad[0].reason
    secret = tmp_path / "secret"
    secret.write_text("hidden words")
    bomb = tmp_path / "bomb.xml"
    bomb.write_text(
        '<?xml version="1.0"?><!DOCTYPE c [<!ENTITY x SYSTEM "' + secret.as_uri() + '">'
        '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
        '<collection id="W07"><volume id="1"><meta><year>2007</year></meta>'
        '<paper id="1"><title>Title &x; &b;</title></paper></volume></collection>'
    )
    good, _ = read(AclXmlImporter(), bomb)
    assert all("hidden words" not in work.title and len(work.title) < 500 for work in good)


def test_formats_are_recognised_by_content(tmp_path) -> None:
    samples = {
        "bibtex": "% a comment\n@article{a, title={T}}",
        "ris": "TY  - JOUR\nTI  - T\nER  - ",
        "csl": '[{"type": "article-journal", "title": "T"}]',
        "openalex": json.dumps(OPENALEX),
        "jsonl": '{"id": "a", "title": "T", "authors": []}',
        "acl-xml": XML,
    }
    for name, content in samples.items():
        path = tmp_path / f"{name}.any"
        path.write_text(content, encoding="utf-8")
        assert importer_for(str(path)).name == name
        path.write_bytes(gzip.compress(content.encode()))
        assert importer_for(str(path)).name == name
    assert importer_for(STARTER).name == "starter"
    elsewhere = {
        "arxiv", "crossref", "orcid", "peerscope", "zotero", "zotero-rdf", "zotero-sqlite",
    }  # fmt: skip
    assert set(samples) | {"starter"} | elsewhere == set(IMPORTERS)
    (tmp_path / "odd").write_text("nothing known")
    with pytest.raises(UnknownFormatError, match="none of BibTeX"):
        importer_for(str(tmp_path / "odd"))
    with pytest.raises(FileNotFoundError):
        importer_for(str(tmp_path / "missing"))


SEVEN = {
    "2208.00173": ("A Survey on Masked Autoencoder for Self-supervised Learning in Vision and Beyond",
                   "Chaoning Zhang, Chenshuang Zhang, Junha Song, John Seon Keun Yi, Kang Zhang, In So Kweon"),
    "2203.17248": ("Dual Temperature Helps Contrastive Learning Without Many Negative Samples: Towards Understanding and Simplifying MoCo",
                   "Chaoning Zhang, Kang Zhang, Trung X. Pham, Axi Niu, Zhinan Qiao, Chang D. Yoo, In So Kweon"),
    "2203.16262": ("How Does SimSiam Avoid Collapse Without Negative Samples? A Unified Understanding with Self-supervised Contrastive Learning",
                   "Chaoning Zhang, Kang Zhang, Chenshuang Zhang, Trung X. Pham, Chang D. Yoo, In So Kweon"),
    "2204.00089": ("Investigating Top-k White-Box and Transferable Black-box Attack",
                   "Chaoning Zhang, Philipp Benz, Adil Karjauv, Jae Won Cho, Kang Zhang, In So Kweon"),
    "2208.05744": ("On the Pros and Cons of Momentum Encoder in Self-Supervised Visual Representation Learning",
                   "Trung Pham, Chaoning Zhang, Axi Niu, Kang Zhang, Chang D. Yoo"),
    "2207.01972": ("Understanding and Improving Group Normalization", "Agus Gunawan, Xu Yin, Kang Zhang"),
    "2006.02282": ("Towards Personalized and Semantic Retrieval: An End-to-End Solution for E-commerce Search via Embedding Learning",
                   "Han Zhang, Songlin Wang, Kang Zhang, Zhiling Tang, Yunjiang Jiang, Yun Xiao, Weipeng Yan, Wen-Yun Yang"),
}  # fmt: skip


def test_the_starter_collection_keeps_its_rules() -> None:
    works = [record.work for record in StarterImporter().read(str(FOLDER))]
    assert len(works) >= 300
    keys = [work.key for work in works]
    assert len(set(keys)) == len(keys)
    titles = [work.title.casefold() for work in works]
    assert len(set(titles)) == len(titles)
    by_arxiv = {work.ids.get("arxiv"): work for work in works}
    for number, (title, authors) in SEVEN.items():
        work = by_arxiv[number]
        assert work.title == title
        assert ", ".join(author.name for author in work.authors) == authors
        assert [a.ids for a in work.authors if a.name == "Kang Zhang"] == [
            {"starter": "kang-zhang"}
        ]
    years = {work.ids.get("arxiv"): work.year for work in works}
    for work in works:
        assert work.authors and work.topics and work.year and work.venue
        assert work.abstract is None, "summaries of our own, never abstracts"
        assert work.summary and 9 <= len(work.summary.split()) <= 40 and work.summary.endswith(".")
        for reference in work.references:
            assert reference.value != work.ids.get("arxiv")
            if reference.value in years:
                assert years[reference.value] <= work.year + 1, (work.key, reference.value)
    cited = {reference.value for work in works for reference in work.references}
    assert len(cited & years.keys()) / len(cited) > 0.9


@needs_shared
@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "number", "bad"),
    [("acl", 97_494, 0), ("hepth", 29_555, 0), ("openalex_synergy9", 7_233, 14)],
)
def test_real_collections_are_read_whole(name, number, bad) -> None:
    path = SCHOLARLY / f"{name}.jsonl.zst"
    importer = importer_for(str(path))
    assert {"abstract", "references", "affiliations"} <= set(importer.covers)
    count = refused = 0
    for record in importer.read(str(path)):
        count += 1
        refused += isinstance(record, Quarantined)
    assert (count, refused) == (number, bad)


def test_control_characters_and_markup_do_not_reach_a_title() -> None:
    work = parse_work(
        {"id": "a", "title": "A\u202e title\x00 with \\textbf{bold} words", "year": "2020"}
    )
    assert "\u202e" not in work.title
    assert "\\textbf" not in work.title


def test_references_by_ids_of_the_file_resolve_within_it(database, tmp_path) -> None:
    """Two files may use the same ids for different works."""
    lines = [
        {"id": "one", "title": "The first of some works", "references": ["two", "missing"]},
        {"id": "two", "title": "The second of some works", "references": ["one", "two"]},
    ]
    for name in ("a.jsonl", "b.jsonl"):
        path = tmp_path / name
        path.write_text(
            "\n".join(json.dumps(one | {"title": f"{one['title']} in {name[0]}"}) for one in lines)
        )
        report = ingest(database, JsonLinesImporter(), str(path))
        assert report.added == 2
    with database.session() as session:
        titles = dict(session.execute(select(Work.id, Work.title)).all())
        found = session.execute(select(Citation.citing_id, Citation.cited_id, Citation.raw)).all()
    told = sorted((titles[one][-1], titles[other][-1]) for one, other, _ in found if other)
    assert told == [("a", "a"), ("a", "a"), ("b", "b"), ("b", "b")]
    assert [raw for _, other, raw in found if other is None] == ["missing", "missing"]
