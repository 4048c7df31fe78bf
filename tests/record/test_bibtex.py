"""BibTeX: what is read, what is refused and why, and that nothing raises or grows."""

from __future__ import annotations

import random
import time
import tracemalloc
from pathlib import Path

import bibtexparser
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from peerscope.record.importers.bibtex import BibtexImporter
from peerscope.record.importers.bibtex_fields import evaluate, month_and_day, names, raw_safe
from peerscope.record.parsed import Good, Quarantined

DATA = Path(__file__).parent / "data"


@pytest.fixture
def read(tmp_path):
    def read(source: str | bytes):
        path = tmp_path / "a.bib"
        path.write_bytes(source.encode() if isinstance(source, str) else source)
        return list(BibtexImporter().read(str(path)))

    return read


@pytest.fixture(scope="module")
def library():
    records = list(BibtexImporter().read(str(DATA / "library.bib")))
    assert [r.position for r in records] == list(range(len(records)))
    return records


@pytest.fixture(scope="module")
def by_key(library):
    return {r.work.key: r.work for r in library if isinstance(r, Good)}


def test_library_counts(library):
    assert sum(isinstance(r, Good) for r in library) == 24
    refused = {r.key: r for r in library if isinstance(r, Quarantined)}
    assert set(refused) == {
        "nocomma", "future", "untitled", "knuth1984", "early", "unclosed", "cutoff",
    }  # fmt: skip
    assert "comma" in refused["nocomma"].mend
    assert "20222" in refused["future"].reason
    assert "no title" in refused["untitled"].reason
    assert refused["knuth1984"].reason.count("line") == 2
    assert "too early" in refused["early"].reason
    assert "never closed" in refused["unclosed"].reason
    lines = (DATA / "library.bib").read_text().splitlines()
    for record in refused.values():
        at = int(record.locator.removeprefix("line "))
        assert lines[at - 1].startswith("@")
        assert record.reason.endswith(".")
        assert record.mend.endswith(".")
        assert len(record.excerpt) <= 500


def test_seven_works(by_key):
    arxiv = {w.ids.get("arxiv"): w for w in by_key.values()}
    for number in (
        "2208.00173",
        "2203.17248",
        "2203.16262",
        "2208.05744",
        "2207.01972",
        "2006.02282",
    ):
        assert "Kang Zhang" in [a.name for a in arxiv[number].authors]
    assert arxiv["2208.00173"].type == "preprint"
    assert arxiv["2208.05744"].type == "preprint"
    assert arxiv["2208.05744"].venue == "arXiv"
    assert arxiv["2203.17248"].type == "proceedings-article"
    assert arxiv["2203.17248"].date == "2022-06"
    assert [t.name for t in arxiv["2203.17248"].topics] == [
        "contrastive learning", "negative samples", "temperature",
    ]  # fmt: skip
    shop = arxiv["2006.02282"]
    assert shop.ids["doi"] == "10.1145/3397271.3401446"
    assert shop.pages == "2407-2416"
    assert "isbn" not in shop.ids  # it names the proceedings, not the paper
    assert shop.venue_ids["isbn"] == "9781450380164"


def test_macros_names_and_inheritance(by_key):
    assert (
        by_key["vaswani2017attention"].venue == "Advances in Neural Information Processing Systems"
    )
    assert by_key["vaswani2017attention"].authors[6].name == "Łukasz Kaiser"
    maaten = by_key["vandermaaten2008visualizing"]
    assert (maaten.authors[0].family, maaten.authors[0].given) == ("van der Maaten", "Laurens")
    assert (maaten.title, maaten.title_markup) == (
        "Visualizing data using t-SNE", "Visualizing data using $t$-SNE",
    )  # fmt: skip
    goedel = by_key["godel1931"]
    assert goedel.authors[0].name == "Kurt Gödel"
    assert goedel.venue == "Monatshefte für Mathematik und Physik"
    assert goedel.language == "de"
    chapter = by_key["rumelhart1986"]
    assert chapter.venue.startswith("Parallel Distributed Processing")
    assert (chapter.year, chapter.publisher, chapter.type) == (1986, "MIT Press", "book-chapter")
    assert chapter.editors[2].name == "the PDP Research Group"
    ligo = by_key["LIGO2016"]
    assert [a.name for a in ligo.authors] == [
        "B. P. Abbott",
        "R. Abbott",
        "LIGO Scientific Collaboration",
    ]
    assert ligo.extra["more_authors"] == "yes"
    assert ligo.date == "2016-02-11"


def test_nothing_is_lost(by_key):
    knuth = by_key["knuth1984"]
    assert knuth.extra["annote"] == r"Compare \cite{other} & the 100\% rule"
    assert knuth.extra["annote_2"] == "second note"
    assert by_key["Zhang_2022_CVPR"].extra["note"] == "arXiv:2204.00089"
    assert by_key["devlin2019bert"].extra["file"].startswith("C:\\papers\\bert")
    assert by_key["inpress"].extra["year"] == "in press"
    assert by_key["inpress"].year is None
    assert by_key["circa"].year == 1650
    assert by_key["paperwithcode"].artifacts[0].url == "https://github.com/facebookresearch/moco"
    assert by_key["pdp1"].type == "book"
    assert by_key["script"].title == "<script>alert(1)</script> in titles"
    assert by_key["rtl"].year == 1025


def test_abstract_is_clean(by_key):
    work = by_key["mathsy"]
    assert work.title == "On O(n²) bounds: the 5% case & more bold text"
    assert work.abstract == "We prove xᵢ ≤ 5. See https://example.org/a_b."


def test_mixed_encodings():
    records = list(BibtexImporter().read(str(DATA / "mixed-encodings.bib")))
    assert [r.work.title for r in records] == ["Über Bytes", "Über Zeichen"]
    assert {r.work.authors[0].name for r in records} == {"Jörg Müller"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks(read, encoding):
    records = read("@article{k, title={Ähnlich}}".encode(encoding))
    assert records[0].work.title == "Ähnlich"


def test_agrees_with_bibtexparser_on_clean_entries(by_key):
    text = (DATA / "library.bib").read_text()
    start = text.index("@book{goodfellow2016")
    entry = bibtexparser.parse_string(text[start : text.index("@phdthesis")]).entries[0]
    work = by_key["goodfellow2016"]
    assert entry["title"] == work.title
    assert entry["publisher"] == work.publisher
    assert entry["isbn"] == work.ids["isbn"]


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("{a {b} c}", "a {b} c"),
        ('"x" # y # {z}', "xYz"),
        ('"G{\\"o}del"', 'G{\\"o}del'),
        ("2020", "2020"),
        ("unknownmacro", "unknownmacro"),
        ("http://x.y/z?a=b", "http://x.y/z?a=b"),
        ("{two\n   lines}", "two lines"),
    ],
)
def test_values(raw, value):
    assert evaluate(raw, {"y": "Y"}) == value


def test_a_macro_cannot_grow_without_end(read):
    doubling = "".join(f"@string{{m{i} = m{i - 1} # m{i - 1}}}\n" for i in range(1, 60))
    records = read(
        '@string{m0 = "ha"}\n' + doubling + "@article{k, title = m59}\n@article{l, title={L}}"
    )
    assert isinstance(records[-1], Good)
    assert len(records) == 2


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("jun", (6, None)),
        ("6", (6, None)),
        ("June~5", (6, 5)),
        ("5 June", (6, 5)),
        ("Spring", None),
        ("13", None),
        ("", None),
    ],
)
def test_months(printed, expected):
    assert month_and_day(printed) == expected


def test_name_forms():
    people, others = names(
        r"First von Last and von Last, Jr, First and {Group and Co.} and Aristotle and {\'E}mile Borel and others"
    )
    assert [(p.family, p.given, p.name) for p in people] == [
        ("von Last", "First", "First von Last"),
        ("von Last", "First", "First von Last Jr"),
        ("Group and Co.", None, "Group and Co."),
        ("Aristotle", None, "Aristotle"),
        ("Borel", "Émile", "Émile Borel"),
    ]
    assert others


@pytest.mark.parametrize("value", ["{", "}", "a\\", "\\{", "\\}", "}{", "{\\}", "\\\\{", "C:\\x\\"])
def test_raw_values_become_safe_once(value):
    safe = raw_safe(value)
    assert raw_safe(safe) == safe
    assert evaluate(f"{{{safe}}}", {}) == safe


def test_comments_may_hold_anything(read):
    records = read(
        "@comment{ unclosed {\n@article{a, title={A}}\nfoo@bar.com {\n@article{b, title={B}}\n"
    )
    assert [r.work.key for r in records if isinstance(r, Good)] == ["a", "b"]


def test_an_entry_that_is_too_large_costs_one_entry(read):
    big = "@article{big, title={x}, note={" + "y " * (5 << 20) + "}}\n"
    records = read("@article{a, title={A}}\n" + big + "@article{b, title={B}}\n")
    assert [type(r) for r in records] == [Good, Quarantined, Good]
    assert "larger than 8 MB" in records[1].reason


def test_memory_is_bounded_and_reading_fast(tmp_path):
    path = tmp_path / "large.bib"
    entry = (
        "@article{%s, title={On the {Title} of Work %s}, author={Doe, Jane and Roe, Richard}, year=2001,\n abstract={"
        + "words and words " * 40
        + "}}\n"
    )
    with path.open("w") as file:
        for i in range(6_000):
            file.write(entry % (i, i))
    tracemalloc.start()
    start = time.perf_counter()
    count = sum(isinstance(r, Good) for r in BibtexImporter().read(str(path)))
    spent = time.perf_counter() - start
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 6_000
    assert peak < 12 << 20, f"{peak / 1e6:.1f} MB"
    assert spent < 60


@given(source=st.binary(max_size=300))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_random_bytes_never_raise(source, tmp_path):
    path = tmp_path / "a.bib"
    path.write_bytes(source)
    records = list(BibtexImporter().read(str(path)))
    assert [r.position for r in records] == list(range(len(records)))


def test_mutated_libraries_never_raise(tmp_path):
    original = (DATA / "library.bib").read_bytes()
    path = tmp_path / "a.bib"
    rng = random.Random(20)
    for _ in range(60):
        data = bytearray(original)
        for _ in range(rng.randint(1, 30)):
            at = rng.randrange(len(data))
            kind = rng.randrange(4)
            if kind == 0:
                data[at] = rng.choice(b'{}"\\@,=#%$\n\x00\xff()')
            elif kind == 1:
                del data[at : at + rng.randint(1, 40)]
            elif kind == 2:
                data[at:at] = bytes(rng.choices(b'{}"@\\', k=rng.randint(1, 5)))
            else:
                data = data[: max(at, 2000)]
        path.write_bytes(bytes(data))
        records = list(BibtexImporter().read(str(path)))
        assert [r.position for r in records] == list(range(len(records)))


def test_missing_brace_costs_only_its_entry(tmp_path):
    """Taking away any one closing brace at a line's end loses at most that entry."""
    entries = [
        f"@article{{k{i},\n  title = {{Title {i}}},\n  year = {{2001}}\n}}\n" for i in range(20)
    ]
    path = tmp_path / "a.bib"
    for broken in (0, 7, 19):
        changed = list(entries)
        changed[broken] = changed[broken].replace(f"Title {broken}}}", f"Title {broken}")
        path.write_text("".join(changed))
        keys = [r.work.key for r in BibtexImporter().read(str(path)) if isinstance(r, Good)]
        assert keys == [f"k{i}" for i in range(20) if i != broken]
