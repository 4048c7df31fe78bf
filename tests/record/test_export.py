"""Import -> export -> import is the identity; every exporter writes what its format's readers accept."""

from __future__ import annotations

import json
import re
from pathlib import Path

import orjson
import pytest
import rispy
from bibtexparser import parse_string
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from peerscope.record.export import EXPORTERS, to_bibtex, to_csl_json, to_openalex, to_ris
from peerscope.record.importers.bibtex import BibtexImporter
from peerscope.record.importers.csl import CslImporter
from peerscope.record.importers.ris import RisImporter
from peerscope.record.parsed import (
    Good,
    ParsedArtifact,
    ParsedAuthor,
    ParsedInstitution,
    ParsedReference,
    ParsedTopic,
    ParsedWork,
    Quarantined,
)

DATA = Path(__file__).parent / "data"
SETTINGS = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

FRAGMENTS = st.sampled_from(
    [
        "{", "}", "\\", "$", "%", '"', "'", "#", "&", "~", "^", "_", "--", "---", "``", "''", "@", ",", "=",
        " and ", "and", "\n", " ", "$x^2$", "\\emph{a}", "\\textbf{", '{\\"o}', "\\cite{k}", "BERT", "of",
        "\\alpha", "<i>", "</i>", "&amp;", "&lt;", "\\{", "\\}", "\\\\", "von", "שלום", "العربية", "漢字",
        "é", "e\u0301", "\u202e", "\u200b", "ß", "\x00", "5", "$5", "@article{x,", "(", ")", "[1]", "\\url{http://a.b}",
        "\\(x\\)", "$$", "\\ss", "{\\it a}", "\\input{x}", "<tex-math>", "<script>", ";", ":", "-", "http://x.y/~a",
    ]
)  # fmt: skip
TEXT = st.lists(st.one_of(FRAGMENTS, st.text(max_size=6)), min_size=1, max_size=9).map("".join)


def balanced(text: str) -> str:
    """The text with its braces evened out, as a BibTeX value must be."""
    text = text.replace("\r", " ").replace("\\", "\\ ") if text.endswith("\\") else text
    depth, kept = 0, []
    for char in text:
        if char == "}" and depth == 0:
            continue
        depth += {"{": 1, "}": -1}.get(char, 0)
        kept.append(char)
    return "".join(kept) + "}" * depth


def works(records):
    return [r.work for r in records if isinstance(r, Good)]


def through(importer, export, path: Path, source: bytes):
    path.write_bytes(source)
    first = works(importer.read(str(path)))
    path.write_text("".join(export(first)), encoding="utf-8", newline="")
    again = list(importer.read(str(path)))
    assert [r for r in again if isinstance(r, Quarantined)] == []
    return first, works(again)


FIELD = st.sampled_from(
    [
        "title", "author", "editor", "journal", "booktitle", "year", "date", "month", "day", "volume",
        "number", "pages", "publisher", "school", "doi", "eprint", "archiveprefix", "url", "pdf",
        "abstract", "keywords", "issn", "isbn", "pmid", "langid", "language", "note", "annote", "file",
        "code", "license", "entrysubtype", "crossref", "howpublished", "x_note", "extra",
    ]
)  # fmt: skip
LIKELY = st.sampled_from(
    [
        "2020", "in press", "c. 1999", "jun", "2020-06-05", "2020-06/2020-07", "10.1000/ABC_d", "2203.17248v2",
        "arXiv", "https://x.y/a_b%20c", "1--10", "1234-567X", "978-3-16-148410-0", "12345", "english", "ngerman",
        "en", "Zhang, Kang and Ludwig van Beethoven and {Google Research} and others", "Hinton, Jr., Geoffrey",
        "arXiv preprint arXiv:2203.17248", "CoRR", "abs/1706.03762", "a, {b, c}; d", "preprint", "hep-th/9201001",
        "de la Cruz, María and {Simon and Schuster} and {\\'E}. Borel", "Aristotle and et al.", "and, and and",
    ]
)  # fmt: skip
ENTRY_TYPE = st.sampled_from(
    [
        "article",
        "inproceedings",
        "misc",
        "book",
        "incollection",
        "phdthesis",
        "techreport",
        "online",
        "unpublished",
        "proceedings",
        "dataset",
        "thesis",
        "foo",
    ]
)


@st.composite
def bibtex_entry(draw) -> str:
    fields = draw(st.dictionaries(FIELD, st.one_of(LIKELY, TEXT), max_size=8))
    fields.setdefault("title", draw(TEXT))
    lines = [f"  {name} = {{{balanced(value)}}}," for name, value in fields.items()]
    key = draw(st.sampled_from(["k", "a:b/c", "Müller2020", "o'neil", "x+y"]))
    return f"@{draw(ENTRY_TYPE)}{{{key},\n" + "\n".join(lines) + "\n}\n"


@given(entry=bibtex_entry())
@SETTINGS
def test_bibtex_import_export_import_is_the_identity(entry, tmp_path):
    source = entry.encode("utf-8", "ignore")
    first, again = through(BibtexImporter(), to_bibtex, tmp_path / "a.bib", source)
    assert again == first


def csl_values():
    text = st.one_of(TEXT, LIKELY)
    name = st.fixed_dictionaries(
        {},
        optional={
            "family": text, "given": text, "suffix": text, "literal": text,
            "non-dropping-particle": st.sampled_from(["van", "de la", ""]),
            "dropping-particle": st.sampled_from(["d'", ""]),
            "ORCID": st.just("https://orcid.org/0000-0002-1825-0097"),
        },
    )  # fmt: skip
    part = st.one_of(st.integers(0, 3000), st.sampled_from(["2020", "5", 2020, 12, 31]))
    date = st.fixed_dictionaries(
        {},
        optional={
            "date-parts": st.lists(st.lists(part, max_size=3), max_size=2),
            "raw": text,
            "circa": st.booleans(),
        },
    )
    anything = st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**40), 2**40)
        | st.floats(allow_nan=False, width=32)
        | text,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        ),
        max_leaves=6,
    )
    known = {
        "type": st.sampled_from(["article-journal", "article", "book", "chapter", "webpage", "review-book", ""]),
        "abstract": text, "container-title": text, "publisher": text, "volume": text | st.integers(0, 9),
        "issue": text, "page": text, "DOI": text, "PMID": text, "ISBN": text, "ISSN": text, "URL": text,
        "language": text, "number": text | st.just("arXiv:2203.17248"), "keyword": text,
        "categories": st.lists(text, max_size=3), "author": st.lists(name, max_size=3),
        "editor": st.lists(name, max_size=2), "issued": date | text, "note": anything, "custom": anything,
        "license": text, "PDF": text,
    }  # fmt: skip
    return st.fixed_dictionaries({"id": st.just("k"), "title": TEXT}, optional=known)


@given(item=csl_values())
@example(item={"id": "k", "title": "$5 to $6 <i>a</i> &amp; 5 < 6"})
@SETTINGS
def test_csl_import_export_import_is_the_identity(item, tmp_path):
    source = json.dumps([item]).encode()
    first, again = through(CslImporter(), to_csl_json, tmp_path / "a.json", source)
    assert again == first


@st.composite
def ris_record(draw) -> str:
    tags = st.sampled_from(
        [
            "AU",
            "A2",
            "PY",
            "DA",
            "T2",
            "JO",
            "SP",
            "EP",
            "VL",
            "IS",
            "PB",
            "SN",
            "DO",
            "AN",
            "UR",
            "L1",
            "LA",
            "KW",
            "AB",
            "N1",
            "C1",
            "M3",
            "ED",
            "Y1",
        ]
    )
    value = st.one_of(
        TEXT, LIKELY, st.sampled_from(["2020/06/05/", "1234-5678", "Zhang, Kang", "S1", "PMID:12"])
    )
    lines = draw(st.lists(st.tuples(tags, value), max_size=8))
    kind = draw(
        st.sampled_from(["JOUR", "CONF", "CPAPER", "BOOK", "CHAP", "THES", "UNPB", "GEN", "ELEC"])
    )
    tagged = [("TI", draw(TEXT)), *lines]
    body = [f"{tag}  - " + re.sub(r"[\r\n]", " ", value) for tag, value in tagged]
    return "\n".join([f"TY  - {kind}", "ID  - k", *body, "ER  - ", ""])


def said_in_ris(work: ParsedWork) -> ParsedWork:
    """What RIS can say of a work: plain text, one spelling of a name, a page span, one date."""
    return ParsedWork(
        key=work.key, title=work.title, type=work.type, year=work.year, date=work.date, ids=work.ids,
        url=work.url, pdf_url=work.pdf_url, authors=[ParsedAuthor(a.name) for a in work.authors],
    )  # fmt: skip


PLAIN = st.text(
    st.characters(codec="utf-8", categories=("L", "N"), include_characters=" .:()-"),
    min_size=1,
    max_size=20,
).filter(lambda s: any(c.isalnum() for c in s))


@given(
    title=PLAIN,
    people=st.lists(st.tuples(PLAIN, PLAIN), max_size=4),
    topics=st.lists(PLAIN, max_size=3),
    year=st.integers(1000, 2026),
)
@SETTINGS
def test_ris_import_export_import_is_the_identity_on_plain_text(
    title, people, topics, year, tmp_path
):
    lines = ["TY  - JOUR", "ID  - k", f"TI  - {title}", f"PY  - {year}"]
    lines += [f"AU  - {family}, {given_}" for family, given_ in people]
    lines += [f"KW  - {topic}" for topic in topics]
    source = "\n".join([*lines, "ER  - ", ""]).encode()
    first, again = through(RisImporter(), to_ris, tmp_path / "a.ris", source)
    assert again == first
    assert len(first) == 1


@given(record=ris_record())
@SETTINGS
def test_ris_keeps_what_it_can_say(record, tmp_path):
    first, again = through(
        RisImporter(), to_ris, tmp_path / "a.ris", record.encode("utf-8", "ignore")
    )
    for before, after in zip(first, again, strict=True):
        kept, back = said_in_ris(before), said_in_ris(after)
        # A title may itself spell markup, which RIS cannot mark as literal.
        if before.title_markup is None and not re.search(r"[\\$<&{`]", before.title):
            assert (back.title, back.year, back.ids, back.url) == (
                kept.title,
                kept.year,
                kept.ids,
                kept.url,
            )
        assert len(back.authors) <= len(kept.authors)


def full_work() -> ParsedWork:
    return ParsedWork(
        key="zhang2020",
        title="Towards Personalized & Semantic Retrieval: 100% {braces}",
        title_markup="Towards \\emph{Personalized} & Semantic Retrieval: 100% \\{braces\\}",
        abstract="We measure recall at 100 on two data sets and recall again.",
        type="proceedings-article",
        year=2020,
        date="2020-07-25",
        venue="SIGIR",
        pages="2407-2416",
        url="https://arxiv.org/abs/2006.02282",
        pdf_url="https://arxiv.org/pdf/2006.02282",
        licence="CC-BY-4.0",
        is_oa=True,
        ids={"doi": "10.1145/3397271.3401446", "arxiv": "2006.02282", "openalex": "W1"},
        authors=[
            ParsedAuthor(
                "Han Zhang",
                "Zhang",
                "Han",
                {"orcid": "0000-0002-1825-0097", "openalex": "A1"},
                [ParsedInstitution("JD.com", {"ror": "https://ror.org/01dkjkq64"}, "CN", "company")],
                "JD.com, Beijing",
            ),
            ParsedAuthor("Kang Zhang"),
            ParsedAuthor("Search Team", "Search Team"),
        ],
        topics=[ParsedTopic("Retrieval, dense", {"openalex": "T1"}, 0.9), ParsedTopic("Search")],
        references=[ParsedReference("openalex", "W2"), ParsedReference(raw="Some book"), ParsedReference("doi", "10.1/x")],
        artifacts=[ParsedArtifact("code", "https://github.com/x/y")],
    )  # fmt: skip


@pytest.mark.parametrize("name", sorted(EXPORTERS))
def test_every_exporter_streams_and_takes_nothing(name):
    written = EXPORTERS[name].write(iter([]))
    empty = "".join(written)
    if name in ("csl", "jsonld"):
        assert json.loads(empty) in ([], {"@context": "https://schema.org", "@graph": []})
    else:
        assert empty == ""

    def endless():
        while True:
            yield full_work()

    pieces = EXPORTERS[name].write(endless())
    assert "Towards" in next(pieces)


def test_bibtex_keys_are_unique_and_valid():
    bad = [
        ParsedWork(key=k, title="T")
        for k in ("a", "a", "https://openalex.org/W1", "x y{z}", "", "a-2", "a")
    ]
    text = "".join(to_bibtex(bad))
    keys = re.findall(r"@misc\{([^,]+),", text)
    assert len(keys) == len(set(keys)) == 7
    assert keys[0] == "a"
    library = parse_string(text)
    assert not library.failed_blocks
    assert len(library.entries) == 7


def test_bibtex_agrees_with_another_parser():
    library = parse_string("".join(to_bibtex([full_work()])))
    entry = library.entries[0]
    assert entry.entry_type == "inproceedings"
    assert entry["author"] == "Zhang, Han and Kang Zhang and {Search Team}"
    assert entry["title"].startswith(
        r"Towards \emph{{Personalized}} \& {Semantic} {Retrieval}: 100\%"
    )
    assert entry["month"] in ("jul", "7", "July")
    assert entry["pages"] == "2407--2416"


def test_ris_agrees_with_another_parser():
    record = rispy.loads("".join(to_ris([full_work()])).replace("\r\n", "\n"))[0]
    assert record["type_of_reference"] == "CPAPER"
    assert record["title"] == full_work().title
    assert record["authors"] == ["Zhang, Han", "Kang Zhang", "Search Team,"]
    assert record["doi"] == "10.1145/3397271.3401446"
    assert (record["start_page"], record["end_page"]) == ("2407", "2416")
    assert record["keywords"] == ["Retrieval, dense", "Search"]


def test_openalex_shape():
    work = orjson.loads(next(iter(to_openalex([full_work()]))))
    words = {at: word for word, places in work["abstract_inverted_index"].items() for at in places}
    assert " ".join(words[i] for i in range(len(words))) == full_work().abstract
    assert work["abstract_inverted_index"]["recall"] == [2, 10]
    assert work["authorships"][0]["author_position"] == "first"
    assert work["authorships"][1]["author_position"] == "middle"
    assert work["authorships"][0]["institutions"][0]["ror"] == "https://ror.org/01dkjkq64"
    assert work["referenced_works"] == ["https://openalex.org/W2"]
    assert work["open_access"] == {
        "is_oa": True,
        "oa_status": None,
        "oa_url": "https://arxiv.org/pdf/2006.02282",
    }
    silent = orjson.loads(next(iter(to_openalex([ParsedWork(key="k", title="T")]))))
    assert silent["open_access"]["is_oa"] is None
    assert silent["is_retracted"] is None
    assert silent["abstract_inverted_index"] is None


def test_jsonld_names_what_is_known_and_nothing_else():
    node = json.loads("".join(EXPORTERS["jsonld"].write([full_work()])))["@graph"][0]
    assert node["@id"] == "https://doi.org/10.1145/3397271.3401446"
    assert node["@type"] == "ScholarlyArticle"
    assert node["author"][0]["@id"] == "https://orcid.org/0000-0002-1825-0097"
    assert (
        node["citation"] == ["openalex:W2", "Some book", {"@id": "https://doi.org/10.1/x"}]
        or node["citation"][1] == "Some book"
    )
    bare = json.loads("".join(EXPORTERS["jsonld"].write([ParsedWork(key="k", title="T")])))[
        "@graph"
    ][0]
    assert set(bare) == {"@type", "headline", "name"}


@pytest.mark.parametrize("name", sorted(EXPORTERS))
def test_hostile_text_leaves_no_format_broken(name):
    hostile = full_work()
    hostile.title = 'x"}]\n\\end{document}</script><script>alert(1)</script>\u2028ER  - '
    hostile.title_markup = None
    hostile.extra = {"note": "{{{", "bad key {": "}}}", "title": "again", "more": "a\nER  - \nb"}
    text = "".join(EXPORTERS[name].write([hostile, full_work()]))
    if name == "bibtex":
        library = parse_string(text)
        assert not library.failed_blocks
        assert len(library.entries) == 2
    elif name == "ris":
        assert len(rispy.loads(text.replace("\r\n", "\n"))) == 2
    elif name == "openalex":
        assert len([json.loads(line) for line in text.splitlines() if line]) == 2
    else:
        assert json.loads(text)
