"""Formatted references, held against what the styles' own guides print for a kind of work.

Where a guide's example is quoted, only the names and titles are ours: the guides are APA 7 (section 10), the IEEE
Reference Guide, the Chicago Manual's quick guide (author and date), the MLA Handbook's template, the AMA manual
and Springer's instructions for LNCS.
"""

from __future__ import annotations

import html
import re
import threading
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from peerscope.record.citing import DEFAULT, Styles, UnknownStyleError, cite
from peerscope.record.citing.processor import last_page
from peerscope.record.citing.styles import PACKAGE
from peerscope.record.parsed import ParsedAuthor, ParsedWork


def person(name: str) -> ParsedAuthor:
    """Somebody whose source parts the name: "Family, Given"."""
    family, _, given = name.partition(", ")
    return ParsedAuthor(f"{given} {family}", family, given)


ADA, BEN, CARL = person("Example, Ada Maria"), person("Sample, Ben"), person("Specimen, Carl")
ARTICLE = ParsedWork(
    "a", "Learning from few negatives", type="journal-article", year=2021, date="2021-03-09",
    venue="Journal of Examples", volume="30", issue="2", pages="598-608", language="en",
    ids={"doi": "10.5555/few"}, authors=[ADA, BEN, CARL],
)  # fmt: skip
PAPER = ParsedWork(
    "p", "Masks that help", type="proceedings-article", year=2019, venue="Proceedings of Samples",
    pages="41-48", publisher="Sample Press", authors=[ADA, BEN],
)  # fmt: skip
CHAPTER = ParsedWork(
    "c", "On temperature", type="book-chapter", year=2020, venue="A book of parts", pages="1-20",
    publisher="Sample Press", authors=[ADA], editors=[BEN],
)  # fmt: skip
PREPRINT = ParsedWork(
    "x", "A first look", type="preprint", year=2022, ids={"arxiv": "2203.17248"}, authors=[BEN]
)  # fmt: skip
UNDATED = replace(ARTICLE, year=None, date=None, volume=None, issue=None, pages=None)


@pytest.fixture(scope="module")
def styles(tmp_path_factory) -> Styles:
    pytest.importorskip(PACKAGE)
    return Styles(tmp_path_factory.mktemp("styles"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> Styles:
    return Styles(tmp_path_factory.mktemp("none"))


EXPECTED = [
    ("apa", ARTICLE, "Example, A. M., Sample, B., & Specimen, C. (2021). Learning from few negatives. Journal of Examples, 30(2), 598–608. https://doi.org/10.5555/few"),
    ("apa", PAPER, "Example, A. M., & Sample, B. (2019). Masks that help. Proceedings of Samples, 41–48."),
    ("apa", CHAPTER, "Example, A. M. (2020). On temperature. In B. Sample (Ed.), A book of parts (pp. 1–20). Sample Press."),
    ("apa", PREPRINT, "Sample, B. (2022). A first look (arXiv:2203.17248). https://arxiv.org/abs/2203.17248"),
    ("apa", replace(PREPRINT, venue="arXiv"), "Sample, B. (2022). A first look (arXiv:2203.17248). arXiv. https://arxiv.org/abs/2203.17248"),
    ("apa", UNDATED, "Example, A. M., Sample, B., & Specimen, C. (n.d.). Learning from few negatives. Journal of Examples. https://doi.org/10.5555/few"),
    ("ieee", ARTICLE, "A. M. Example, B. Sample, and C. Specimen, “Learning from few negatives,” Journal of Examples, vol. 30, no. 2, pp. 598–608, Mar. 2021, doi: 10.5555/few."),
    ("ieee", PAPER, "A. M. Example and B. Sample, “Masks that help,” in Proceedings of Samples, Sample Press, 2019, pp. 41–48."),
    ("ieee", CHAPTER, "A. M. Example, “On temperature,” in A book of parts, B. Sample, Ed., Sample Press, 2020, pp. 1–20."),
    ("chicago-author-date", ARTICLE, "Example, Ada Maria, Ben Sample, and Carl Specimen. 2021. “Learning from Few Negatives.” Journal of Examples 30 (2): 598–608. https://doi.org/10.5555/few."),
    ("chicago-author-date", CHAPTER, "Example, Ada Maria. 2020. “On Temperature.” In A Book of Parts, edited by Ben Sample. Sample Press."),
    ("modern-language-association", ARTICLE, "Example, Ada Maria, et al. “Learning from Few Negatives.” Journal of Examples, vol. 30, no. 2, Mar. 2021, pp. 598–608, https://doi.org/10.5555/few."),
    ("modern-language-association", CHAPTER, "Example, Ada Maria. “On Temperature.” A Book of Parts, edited by Ben Sample, Sample Press, 2020, pp. 1–20."),
    ("american-medical-association", ARTICLE, "Example AM, Sample B, Specimen C. Learning from few negatives. Journal of Examples. 2021;30(2):598-608. doi:10.5555/few"),
    ("nlm-citation-sequence", replace(ARTICLE, ids={}), "Example AM, Sample B, Specimen C. Learning from few negatives. Journal of Examples. 2021 Mar 9;30(2):598–608."),
    ("springer-lecture-notes-in-computer-science", PAPER, "Example, A.M., Sample, B.: Masks that help. In: Proceedings of Samples. pp. 41–48. Sample Press (2019)."),
    ("nature", ARTICLE, "Example, A. M., Sample, B. & Specimen, C. Learning from few negatives. Journal of Examples 30, 598–608 (2021)."),
    ("association-for-computational-linguistics", PAPER, "Ada Maria Example and Ben Sample. 2019. Masks that help. In Proceedings of Samples, pages 41–48. Sample Press."),
    (DEFAULT, ARTICLE, "Example, A.M., Sample, B. and Specimen, C. (2021) “Learning from few negatives,” Journal of Examples, 30(2), pp. 598–608. Available at: https://doi.org/10.5555/few."),
]  # fmt: skip


@pytest.mark.parametrize(("style", "work", "expected"), EXPECTED)
def test_a_reference_is_what_the_guide_prints(styles, style, work, expected) -> None:
    assert cite([(1, work)], styles, style)[0].text == expected


MANY = [person(f"Family{n:02}, Given") for n in range(1, 26)]


@pytest.mark.parametrize(
    ("style", "begins"),
    [  # APA prints 19, an ellipsis and the last of more than 20; IEEE one of more than six; AMA three of more than six.
        ("apa", ", ".join(f"Family{n:02}, G." for n in range(1, 20)) + ", … Family25, G. (2021)."),
        ("ieee", "G. Family01 et al., “"),
        ("american-medical-association", "Family01 G, Family02 G, Family03 G, et al. Learning"),
        ("nature", "Family01, G. et al. Learning"),
    ],
)
def test_many_authors_are_cut_as_the_guide_says(styles, style, begins) -> None:
    text = cite([(1, replace(ARTICLE, authors=MANY))], styles, style)[0].text
    assert text.startswith(begins), text


@pytest.mark.parametrize(
    ("name", "apa"),
    [
        (ParsedAuthor("Ada Maria Example"), "Example, A. M."),
        (ParsedAuthor("Laurens van der Maaten"), "van der Maaten, L."),
        (ParsedAuthor("Maaten van der, Laurens", "van der Maaten", "Laurens"), "van der Maaten, L."),
        (ParsedAuthor("Jean-Pierre Example"), "Example, J.-P."),
        (ParsedAuthor("Ada Example Jr."), "Example, A., Jr."),
        (ParsedAuthor("The Example Collaboration"), "The Example Collaboration"),
        (ParsedAuthor("Plato"), "Plato"),
        (ParsedAuthor("张康", "张", "康"), "张康"),
        (ParsedAuthor("علي محمد", "محمد", "علي"), "علي محمد"),
        (ParsedAuthor("Łukasz Żółć"), "Żółć, Ł."),
        (ParsedAuthor("Мария Пример"), "Пример, М."),
    ],
)  # fmt: skip
def test_names_are_parted_by_position_or_stay_whole(styles, name, apa) -> None:
    text = cite([(1, replace(ARTICLE, authors=[name]))], styles, "apa")[0].text
    assert text.startswith(apa.removesuffix(".") + ". (2021)"), text


def test_no_author_no_venue_no_year(bare, styles) -> None:
    nothing = ParsedWork("n", "Only a title", type="other")
    for name, _ in styles.offered():
        assert "Only a title".lower() in cite([(1, nothing)], styles, name)[0].text.lower()
    assert "Only a title" in cite([(1, nothing)], bare, DEFAULT)[0].text


@pytest.mark.parametrize(
    ("first", "last", "minimal", "two", "chicago"),
    [  # the table of the CSL specification, appendix V, and its worked cases
        ("3", "10", "10", "10", "10"), ("71", "72", "2", "72", "72"), ("100", "104", "4", "04", "104"),
        ("600", "613", "13", "13", "613"), ("1100", "1123", "23", "23", "1123"),
        ("107", "108", "8", "08", "8"), ("505", "517", "17", "17", "17"), ("1002", "1006", "6", "06", "6"),
        ("321", "325", "5", "25", "25"), ("415", "532", "532", "532", "532"),
        ("11564", "11568", "8", "68", "68"), ("13792", "13803", "803", "803", "803"),
        ("1496", "1504", "504", "504", "1504"), ("2787", "2816", "816", "816", "2816"),
        ("1", "20", "20", "20", "20"), ("e1", "e9", "e9", "e9", "e9"), ("7", "7", "7", "7", "7"),
    ],
)  # fmt: skip
def test_page_ranges_are_those_of_the_specification(first, last, minimal, two, chicago) -> None:
    assert last_page(first, last, "minimal") == minimal
    assert last_page(first, last, "minimal-two") == two
    assert last_page(first, last, "chicago-15") == chicago
    assert last_page(first, last, "expanded") == last_page(first, last, None) == last


@given(
    st.integers(1, 10**6),
    st.integers(0, 10**4),
    st.sampled_from(["minimal", "minimal-two", "chicago-16"]),
)
def test_a_shortened_page_can_be_read_back(first: int, more: int, form: str) -> None:
    last = str(first + more)
    short = last_page(str(first), last, form)
    assert last.endswith(short) and short
    kept = str(first)[: len(last) - len(short)] if len(str(first)) == len(last) else ""
    assert kept + short == last


def test_markup_is_escaped_and_titles_keep_theirs(styles) -> None:
    work = replace(
        ARTICLE, title="Bounds of O(n²) in E. coli & <b>more</b>",
        title_markup=r"Bounds of $O(n^2)$ in \emph{E. coli} & <b>more</b>",
        venue="<script>alert(1)</script>",
    )  # fmt: skip
    found = cite([(1, work)], styles, "apa")[0]
    assert "<i>E. coli</i> &amp; &lt;b&gt;more&lt;/b&gt;. <i>&lt;script&gt;" in found.html
    assert "O(n²) in E. coli & <b>more</b>. <script>" in found.text


TEXT = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from("<>&\"'.,?!$\\{}\ue100\ue101\ue10e\ue10f")),
    min_size=1, max_size=40,
)  # fmt: skip


@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60
)
@given(TEXT, TEXT, TEXT, st.sampled_from(["apa", "ieee", "chicago-author-date", DEFAULT]))
def test_whatever_a_source_says_the_html_is_well_formed(styles, title, name, venue, style) -> None:
    work = ParsedWork("h", title, type="journal-article", venue=venue, volume=venue, pages=title,
                      authors=[ParsedAuthor(name), ParsedAuthor(name, name, name)], year=2020)  # fmt: skip
    found = cite([(1, work)], styles, style)[0]
    bare = re.sub(r"</?(?:i|b|sup|sub|code|span)(?: class=\"small-caps\")?>", "", found.html)
    assert "<" not in bare and ">" not in bare
    assert html.unescape(bare) == found.text
    assert not set(found.text) & {chr(one) for one in range(0xE100, 0xE110)}
    controls = re.sub(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]", "", found.html)
    etree.fromstring(f"<p>{controls}</p>")


def test_lists_are_sorted_and_numbered_as_the_style_says(styles) -> None:
    works = [(1, ARTICLE), (2, replace(PAPER, authors=[CARL])), (3, PREPRINT)]
    assert [one.work for one in cite(works, styles, "apa")] == [1, 3, 2]
    marked = [
        (n, replace(PAPER, authors=[person(f"{name}, Ada")]))
        for n, name in enumerate(["Zulu", "Żaba", "abel", "Ábel", "Zabel"])
    ]
    assert [one.text.split(",")[0] for one in cite(marked, styles, "apa")] == [
        "abel",
        "Ábel",
        "Żaba",
        "Zabel",
        "Zulu",
    ]
    undated = [(n, replace(PAPER, year=year)) for n, year in enumerate([2020, None, 2018, 2019])]
    assert [one.work for one in cite(undated, styles, "apa")] == [1, 2, 3, 0]
    numbered = cite(works, styles, "ieee", first=26)
    assert [one.text[:5] for one in numbered] == ["[26] ", "[27] ", "[28] "]
    assert [one.work for one in numbered] == [1, 2, 3]
    assert cite(works[:1], styles, "ieee")[0].text.startswith("A. M. Example")


def test_the_language_of_terms_can_be_chosen(styles) -> None:
    text = cite([(1, ARTICLE)], styles, "apa", "de-DE")[0].text
    assert "Sample, B., & Specimen, C. (2021)" in text
    assert "und" in cite([(1, ARTICLE)], styles, "chicago-author-date", "de-DE")[0].text
    assert styles.locale("EN_us") == "en-US" and styles.locale("") == ""
    with pytest.raises(UnknownStyleError, match="look like en-US"):
        styles.locale("tlh-KX")


def test_styles_by_name_short_name_and_address(styles, bare) -> None:
    assert styles.named("http://www.zotero.org/styles/apa") == "apa"
    assert styles.named("MLA") == "modern-language-association"
    assert styles.named("") == styles.default() == "apa"
    for wrong in ("nothing-of-the-kind", "../../../etc/passwd", "apa\x00", "a" * 500, "..", "/"):
        with pytest.raises(UnknownStyleError, match=r"There is no style|look like") as caught:
            styles.named(wrong) if wrong != "/" else styles.locale("/")
        assert len(str(caught.value)) < 700
    # A dependent style has the rules of its parent; one for notes only has no list.
    assert cite([(1, PAPER)], styles, "nature-physics") == cite([(1, PAPER)], styles, "nature")


def test_without_the_package_there_is_one_style(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("peerscope.record.citing.styles.find_spec", lambda name: None)
    alone = Styles(tmp_path / "missing")
    assert [name for name, _ in alone.offered()] == [DEFAULT]
    with pytest.raises(UnknownStyleError, match="There is no style “apa” here"):
        alone.named("apa")
    assert cite([(1, ARTICLE)], alone, "")[0].text.startswith("Example, A.M.")


def test_an_operators_style_comes_first_and_a_broken_one_says_so(tmp_path) -> None:
    (tmp_path / "broken.csl").write_text("<style")
    (tmp_path / "evil.csl").write_text(
        '<!DOCTYPE style [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
        '<style xmlns="http://purl.org/net/xbiblio/csl" class="in-text" version="1.0"><info><title>&x;</title></info>'
        '<bibliography><layout suffix="."><text variable="title"/><text value="&x;"/></layout></bibliography></style>'
    )
    (tmp_path / "notes.csl").write_text(
        '<style xmlns="http://purl.org/net/xbiblio/csl" class="note" version="1.0"><info/>'
        '<citation><layout><text variable="title"/></layout></citation></style>'
    )
    (tmp_path / "our-own.csl").write_text(
        '<style xmlns="http://purl.org/net/xbiblio/csl" class="in-text" version="1.0"><info/>'
        '<citation><layout><text variable="title"/></layout></citation>'
        '<bibliography><layout suffix="."><names variable="author"/><text variable="title" font-style="italic" prefix=": "/>'
        "</layout></bibliography></style>"
    )
    (tmp_path / "leaning.csl").write_text(
        '<style xmlns="http://purl.org/net/xbiblio/csl" class="in-text" version="1.0"><info>'
        '<link rel="independent-parent" href="http://www.zotero.org/styles/not-here"/></info></style>'
    )
    own = Styles(tmp_path)
    assert [name for name, _ in own.offered()[:5]] == [
        "broken",
        "evil",
        "leaning",
        "notes",
        "our-own",
    ]
    assert (
        cite([(1, CHAPTER)], own, "our-own")[0].html == "Ada Maria Example: <i>On temperature</i>."
    )
    with pytest.raises(UnknownStyleError, match="cannot be used"):
        cite([(1, CHAPTER)], own, "broken")
    with pytest.raises(UnknownStyleError, match="no list of references"):
        cite([(1, CHAPTER)], own, "notes")
    with pytest.raises(UnknownStyleError, match=r"cannot be used: .*entity 'x'"):
        cite([(1, CHAPTER)], own, "evil")
    with pytest.raises(UnknownStyleError, match="rules of “not-here”"):
        cite([(1, CHAPTER)], own, "leaning")


def test_one_work_that_a_style_trips_over_costs_nobody_else(styles, monkeypatch) -> None:
    from peerscope.record.citing.processor import Style

    write = Style.write

    def trips(self, item, *, numbered):
        if item.work == 2:
            raise ZeroDivisionError
        return write(self, item, numbered=numbered)

    monkeypatch.setattr(Style, "write", trips)
    found = cite([(1, ARTICLE), (2, PAPER), (3, CHAPTER)], styles, "nature")
    assert [one.work for one in found] == [1, 2, 3] and found[1].text == "Masks that help (2019)"


def test_a_style_is_one_callers_at_a_time(styles) -> None:
    want = {
        n: [one.text for one in cite([(1, ARTICLE), (2, PAPER)], styles, n)]
        for n in ("apa", "ieee")
    }
    wrong: list[object] = []

    def run(name: str) -> None:
        for _ in range(15):
            got = [one.text for one in cite([(1, ARTICLE), (2, PAPER)], styles, name)]
            if got != want[name]:
                wrong.append(got)

    threads = [threading.Thread(target=run, args=(name,)) for name in ("apa", "ieee") * 3]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not wrong


def test_using_a_style_does_not_make_it_grow(styles) -> None:
    """The package adds elements to the style while it writes; here none are left behind."""
    for name in ("apa", "ieee", "american-chemical-society"):
        cite([(1, CHAPTER)], styles, name)
        with styles.opened(name) as opened:
            before = sum(1 for _ in opened.root.iter())
        for _ in range(5):
            cite([(1, CHAPTER), (2, ARTICLE)], styles, name)
        with styles.opened(name) as opened:
            assert sum(1 for _ in opened.root.iter()) == before


def test_an_author_list_of_thousands_is_bounded(styles) -> None:
    crowd = replace(ARTICLE, authors=[person(f"Family{n}, Given") for n in range(5000)])
    text = cite([(1, crowd)], styles, "springer-lecture-notes-in-computer-science")[0].text
    assert len(text) < 6000
