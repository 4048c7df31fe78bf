"""Badges and cards: what they say, in both themes, to everybody alike; the page that hands them out."""

from __future__ import annotations

import re
from contextlib import contextmanager
from html import unescape

import pytest
from lxml import etree, html
from sqlalchemy import delete

from peerscope.community.claiming_models import PersonSetting
from peerscope.community.times import now
from peerscope.web.pictures import MARKS, STYLE


@pytest.fixture
def dual(numbers) -> int:
    return numbers["work:Dual Temperature Helps Contras"]


@pytest.fixture
def kang(numbers) -> int:
    return numbers["person:Kang Zhang"]


@contextmanager
def hidden(community, number: int):
    with community.writing() as session:
        session.add(PersonSetting(person_id=number, hidden=True, noindex=False, changed_at=now()))
    community.kept.forget()
    try:
        yield
    finally:
        with community.writing() as session:
            session.execute(delete(PersonSetting).where(PersonSetting.person_id == number))
        community.kept.forget()


def every_picture(client, dual, kang, claim) -> list[str]:
    return [
        f"{page}/{kind}.svg"
        for page in (f"/claims/{claim}", f"/works/W{dual}", f"/people/A{kang}")
        for kind in ("badge", "card")
    ]


def test_a_claims_verdict_is_said_in_words_and_shape(client) -> None:
    states = {}
    for row in client.app.state.site.overview.rows():
        states.setdefault(row.state, row)
    assert len(states) >= 3
    for state, row in states.items():
        for kind in ("badge", "card"):
            root = etree.fromstring(client.get(f"/claims/{row.claim.id}/{kind}.svg").content)
            assert row.words in " ".join(root.itertext())
            marks = root.xpath("//*[contains(@class, 'mark')]")
            assert [one.get("class") for one in marks] == [f"mark {state}"]
            assert marks[0].get("d") == MARKS.get(state)


def test_a_works_claims_are_counted_as_on_its_page(client, dual, numbers) -> None:
    counts = re.findall(r'class="verdict (\w+)"', client.get(f"/works/W{dual}").text)
    for kind in ("badge", "card"):
        root = etree.fromstring(client.get(f"/works/W{dual}/{kind}.svg").content)
        told = {one.get("class").split()[1] for one in root.xpath("//*[contains(@class, 'mark')]")}
        assert told == set(counts)
        for state in told:
            assert f"{counts.count(state)} " in " ".join(root.itertext())
    other = next(n for key, n in numbers.items() if key.startswith("work:Study"))
    assert "none listed here" in client.get(f"/works/W{other}/badge.svg").text


def test_a_persons_record(client, kang) -> None:
    for kind in ("badge", "card"):
        text = " ".join(
            etree.fromstring(client.get(f"/people/A{kang}/{kind}.svg").content).itertext()
        )
        assert "Kang Zhang" in text and "7 works on Test site" in text
    assert "2022" in text


def test_nothing_is_fetched_kept_or_told(client, dual, kang) -> None:
    claim = client.app.state.site.overview.rows()[0].claim.id
    for address in every_picture(client, dual, kang, claim):
        answer = client.get(address)
        assert answer.status_code == 200 and answer.headers["content-type"].startswith(
            "image/svg+xml"
        )
        assert answer.headers["cache-control"] == "public, max-age=3600"
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        policy = answer.headers["content-security-policy"]
        assert (
            policy.startswith("default-src 'none'; style-src 'sha256-") and "unsafe" not in policy
        )
        assert (
            "set-cookie" not in answer.headers
            and "cookie" not in answer.headers.get("vary", "").lower()
        )
        content = answer.text.replace("http://www.w3.org/2000/svg", "")
        assert not re.search(
            r"https?:|//|url\(|@import|href|<script|<image|<foreignObject|\son\w+=", content
        )
        again = client.get(address, headers={"if-none-match": answer.headers["etag"]})
        assert again.status_code == 304 and not again.content


def test_everybody_gets_the_same(society, dual, kang) -> None:
    claim = society.application.state.site.overview.rows()[0].claim.id
    ada, moderator, stranger = (
        society.member("Ada Example"),
        society.member("Mo Moderator", role="moderator"),
        society.browser(),
    )
    for address in every_picture(stranger, dual, kang, claim):
        answers = [one.get(address) for one in (stranger, ada, moderator)]
        answers.append(
            stranger.get(
                address,
                headers={
                    "referer": "https://elsewhere.example/",
                    "user-agent": "x",
                    "accept-language": "de",
                },
            )
        )
        first = answers[0]
        for one in answers[1:]:
            assert one.content == first.content and one.status_code == 200
            assert dict(one.headers) == dict(first.headers)


def test_a_hidden_person_has_no_picture(society, kang) -> None:
    moderator, stranger = society.member("Mo Moderator", role="moderator"), society.browser()
    with hidden(society.community, kang):
        for address in (
            f"/people/A{kang}/badge.svg",
            f"/people/A{kang}/card.svg",
            f"/embed/A{kang}",
        ):
            for who in (stranger, moderator):
                answer = who.get(address)
                assert answer.status_code == 410 and "Kang" not in answer.text
        for address in (f"/people/A{kang}/cite", f"/people/A{kang}/cite.bib"):
            assert stranger.get(address).status_code == 410
    assert stranger.get(f"/people/A{kang}/card.svg").status_code == 200


@pytest.mark.parametrize("address", [
    "/claims/nothing/badge.svg", "/people/A999999999/badge.svg", "/people/A99999999999999999999/card.svg",
    "/works/W999999999/badge.svg", "/works/W99999999999999999999/card.svg", "/embed/W999999999", "/embed/x", "/embed/A0", "/embed/S1",
])  # fmt: skip
def test_nothing_to_show_is_not_found(client, address) -> None:
    assert client.get(address).status_code == 404


def test_hostile_names_stay_text(client, numbers) -> None:
    hostile = {
        f"/people/A{n}" for key, n in numbers.items() if key.startswith("person:") and "<" in key
    }
    hostile |= {f"/works/W{n}" for key, n in numbers.items() if key.startswith("work:<")}
    assert hostile
    for place in hostile:
        for kind in ("badge", "card"):
            root = etree.fromstring(client.get(f"{place}/{kind}.svg").content)
            assert not root.xpath(
                "//*[local-name()='img' or local-name()='script' or local-name()='svg'][position()>1]"
            )
        page = client.get(f"/embed/{place.rpartition('/')[2]}")
        assert "<img src=x" not in page.text and "<script>alert" not in page.text


def test_the_snippets_show_the_pictures(client, dual, kang) -> None:
    claim = client.app.state.site.overview.rows()[0].claim.id
    for key, page in (
        (f"W{dual}", f"/works/W{dual}"),
        (f"A{kang}", f"/people/A{kang}"),
        (claim, f"/claims/{claim}"),
    ):
        answer = client.get(f"/embed/{key}")
        assert answer.status_code == 200
        texts = [one.text for one in html.fromstring(answer.text).xpath("//textarea")]
        assert len(texts) == 6
        for kind, (markdown, as_html, rest) in (("badge", texts[:3]), ("card", texts[3:])):
            picture, alt = f"http://testserver{page}/{kind}.svg", None
            found = re.fullmatch(r"\[!\[(.*)\]\((.*)\)\]\((.*)\)", markdown)
            assert (found[2], found[3]) == (picture, f"http://testserver{page}")
            (link,) = html.fragments_fromstring(as_html)
            alt = link.find("img").get("alt")
            assert (
                link.get("href") == f"http://testserver{page}"
                and link.find("img").get("src") == picture
            )
            assert (
                rest == f".. image:: {picture}\n   :target: http://testserver{page}\n   :alt: {alt}"
            )
            assert alt and re.sub(r"\\(.)", r"\1", found[1]) == alt
        assert f'href="/embed/{key}"' in unescape(client.get(page).text)


def test_colours_stand_out_in_both_themes() -> None:
    """WCAG: at least 4.5 to 1 against the paper of the theme."""

    def light(colour: str) -> float:
        parts = [int(colour[1 + i : 3 + i], 16) / 255 for i in (0, 2, 4)]
        red, green, blue = (
            p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    day, night = STYLE.split("@media(prefers-color-scheme:dark)")
    for theme, paper in ((day, "#ffffff"), (night, "#1e1d19")):
        colours = re.findall(r"\{color:(#\w{6})\}", theme)
        assert len(colours) == 5
        for colour in colours:
            a, b = sorted((light(colour), light(paper)))
            assert (b + 0.05) / (a + 0.05) >= 4.5, colour
