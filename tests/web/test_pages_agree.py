"""Pages and API say the same: a walk over the record, the page read as a person reads it."""

from __future__ import annotations

import re

import pytest
from lxml import html
from sqlalchemy import select

from peerscope.community.person_settings import set_person
from peerscope.record.models import Institution, Person, Topic, Venue, Work

V1 = "/api/v1"


def page_of(client, address):
    answer = client.get(address)
    assert answer.status_code == 200, address
    return html.fromstring(answer.text)


def words(element) -> str:
    return " ".join(element.text_content().split())


def number(text: str) -> int:
    return int(re.sub(r"\D", "", text))


def section(page, name):
    found = page.xpath(f"//section[@aria-labelledby='{name}']")
    return found[0] if found else None


def counted(page, name) -> int:
    return number(words(section(page, name).xpath(".//h2//*[contains(@class,'count')]")[0]))


def links(element, *path) -> list[tuple[str | None, str]]:
    """Id and label of what stands in a list of links; without a link there is no id."""
    found = []
    for item in element.xpath(path[0] if path else ".//ul[contains(@class,'links')]/li"):
        own = item.xpath("./a[not(contains(@href,'/names/'))]")
        label = words((item.xpath(".//bdi") or [item])[0])
        found.append((own[0].get("href").rpartition("/")[2] if own else None, label))
    return found


def refs(rows) -> list[tuple[str | None, str]]:
    return [(one["id"], " ".join(one["label"].split())) for one in rows]


def listed_works(element) -> list[str]:
    return [
        a.get("href").rpartition("/")[2] for a in element.xpath(".//article[@class='work']/*[1]/a")
    ]


def near(page) -> list[tuple[str, str]]:
    box = section(page, "near")
    rows = box.xpath(".//ul[@class='near']/li") if box is not None else []
    return [
        (one.xpath("./a")[0].get("href").rpartition("/")[2],
         " / ".join(words(r) for r in one.xpath(".//span[contains(@class,'reason')]")))
        for one in rows
    ]  # fmt: skip


def said_near(rows) -> list[tuple[str, str]]:
    return [(one["id"], " / ".join(" ".join(r.split()) for r in one["reasons"])) for one in rows]


def authors_shown(page) -> list[tuple[str | None, str]]:
    found = []
    for name in page.xpath("//p[@class='authors']//bdi"):
        link = name.getparent()
        href = link.get("href", "") if link.tag == "a" else ""
        found.append(
            (href.rpartition("/")[2] if href.startswith("/people/") else None, words(name))
        )
    return found


@pytest.fixture(scope="module")
def some(site):
    """Numbers of what is walked over: every ninth work, the most connected people, the largest places."""
    with site[1].session() as session:

        def most(table, limit):
            order = select(table.id).order_by(table.works_count.desc(), table.id)
            if table is Person:
                order = order.where(Person.merged_into_id.is_(None))
            return list(session.scalars(order.where(table.works_count > 0).limit(limit)))

        works = session.scalars(
            select(Work.id).where(Work.deleted_at.is_(None), Work.id < 330).order_by(Work.id)
        ).all()
        return {
            "works": works[::9], "people": most(Person, 25), "topics": most(Topic, 12),
            "institutions": most(Institution, 10), "venues": most(Venue, 10),
        }  # fmt: skip


def check_work(client, work: int, claims: dict) -> None:
    page = page_of(client, f"/works/W{work}")
    twin = client.get(f"{V1}/works/W{work}/page").json()
    shape = client.get(f"{V1}/works/W{work}").json()
    shown = authors_shown(page)
    assert shown == [(a["person"], " ".join(a["name"].split())) for a in twin["authorships"]]
    ids = [(a["author"]["id"] or "").rpartition("/")[2] or None for a in shape["authorships"]]
    assert [own for own, _ in shown] == ids[: len(shown)]
    assert [n for _, n in shown] == [
        " ".join(a["raw_author_name"].split()) for a in shape["authorships"]
    ][: len(shown)]
    facts = words(page.xpath("//header/p[@class='facts']")[0])
    assert str(twin["publication_year"] or "") in facts
    assert twin["publication_year"] == shape["publication_year"]
    titles = (words(page.xpath("//h1")[0]), twin["title"], shape["title"])
    assert titles[1] == titles[2]
    venue = (shape["primary_location"]["source"] or {}).get("id")
    assert (twin["venue"] or {}).get("id") == (venue.rpartition("/")[2] if venue else None)
    assert counted(page, "cited") == twin["cited_by_count"] == shape["cited_by_count"]
    assert listed_works(section(page, "cited")) == [one["id"] for one in twin["cited_by"]]
    assert (
        counted(page, "references") == twin["references_count"] == shape["referenced_works_count"]
    )
    in_record = [one["id"] for one in twin["references"]]
    assert listed_works(section(page, "references")) == in_record
    assert set(in_record) <= {one.rpartition("/")[2] for one in shape["referenced_works"]}
    topics = links(section(page, "topics"))
    assert topics == refs(twin["topics"])
    assert topics == [
        (t["id"].rpartition("/")[2], " ".join(t["display_name"].split())) for t in shape["topics"]
    ]
    assert near(page) == said_near(twin["near"])
    related = [one.rpartition("/")[2] for one in shape["related_works"]]
    assert [own for own, _ in near(page)] == related[: len(near(page))]
    rows = page.xpath("//table[@class='claims']/tbody/tr")
    told = client.get(f"{V1}/works/W{work}/claims").json()["claims"]
    verdicts = [
        (row.get("id"), row.xpath(".//span[contains(@class,'verdict')]")[0].get("class").split()[1])
        for row in rows
    ]
    assert verdicts == [(one["id"], one["state"]) for one in told]
    claims.update(verdicts)


def test_works_agree(client, some, numbers) -> None:
    claims: dict[str, str] = {}
    claimed = {numbers[name] for name in numbers if name.startswith("work:Dual Temperature")}
    for work in sorted({*some["works"], *claimed}):
        check_work(client, work, claims)
    assert len(some["works"]) > 25 and claims
    listed = client.get(f"{V1}/claims").json()["claims"]
    page = page_of(client, "/claims")
    for one in listed:
        row = page.xpath(f"//tr[@id='{one['id']}']")[0]
        assert row.xpath(
            f".//span[contains(@class,'verdict') and contains(@class,' {one['state']}')]"
        ), one["id"]


def check_person(client, person: int) -> None:
    page = page_of(client, f"/people/A{person}")
    twin = client.get(f"{V1}/people/A{person}/page").json()
    shape = client.get(f"{V1}/authors/A{person}").json()
    tally = [number(words(one)) for one in page.xpath("//dl[@class='tally']//dd")]
    assert tally == [twin["works_count"], twin["collaborators_count"], twin["cited_by_count"]]
    assert (shape["works_count"], shape["cited_by_count"]) == (tally[0], tally[2])
    assert (
        words(page.xpath("//h1")[0]).startswith(twin["display_name"])
        and shape["display_name"] == twin["display_name"]
    )
    assert counted(page, "works") == twin["works_count"]
    works = listed_works(section(page, "works"))
    assert works == [one["id"] for one in twin["works"]]
    found = client.get(f"{V1}/works?filter=author.id:A{person}&per-page=200&select=id").json()
    assert found["meta"]["count"] == twin["works_count"]
    assert set(works) <= {one["id"].rpartition("/")[2] for one in found["results"]}
    for name, own in (("topics", "topics"), ("with", "collaborators"), ("where", "affiliations")):
        box = section(page, name)
        assert (links(box) if box is not None else []) == refs(twin[own]), name
    assert near(page) == said_near(twin["near"])
    # The figures of the trust snapshot: where there is a value, it is cut to three places on the page.
    trust = client.get(f"{V1}/people/A{person}/trust").json()
    shown = page.xpath("//section[@aria-labelledby='trust']//dt")
    assert len(shown) == len(trust["dimensions"]) == 7
    for term, one in zip(shown, trust["dimensions"], strict=True):
        figure = [words(f) for f in term.xpath(".//span[contains(@class,'value')]")]
        assert bool(figure) == (one["value"] is not None)
        if figure:
            assert abs(float(figure[0].rstrip("…")) - one["value"]) < 0.001
    level = re.search(r"Verification (L\d)", words(section(page, "trust")))[1]
    assert level == trust["verification"]["level"]


def test_people_agree(client, some) -> None:
    for person in some["people"]:
        check_person(client, person)


@pytest.mark.parametrize(
    ("place", "kind"),
    [("topics", "topics"), ("institutions", "institutions"), ("venues", "sources")],
)
def test_topics_institutions_and_venues_agree(client, some, place, kind) -> None:
    letter = {"topics": "T", "institutions": "I", "venues": "S"}[place]
    attribute = {"T": "topics.id", "I": "institutions.id", "S": "journal"}[letter]
    for one in some[place]:
        own = f"{letter}{one}"
        page = page_of(client, f"/{place}/{own}")
        twin = client.get(f"{V1}/{place}/{own}/page").json()
        shape = client.get(f"{V1}/{kind}/{own}").json()
        found = client.get(f"{V1}/works?filter={attribute}:{own}&per-page=200").json()
        assert (
            counted(page, "works")
            == twin["works_count"]
            == shape["works_count"]
            == found["meta"]["count"]
        ), own
        assert words(page.xpath("//h1")[0]) == " ".join(twin["display_name"].split())
        assert shape["display_name"] == twin["display_name"]
        works = listed_works(section(page, "works"))
        assert works == [w["id"] for w in twin["works"]]
        if found["meta"]["count"] <= 200:
            assert set(works) <= {w["id"].rpartition("/")[2] for w in found["results"]}
        assert links(section(page, "people")) == refs(twin["people"])
        box = section(page, "topics")
        assert (links(box) if box is not None else []) == refs(twin["topics"])
        assert near(page) == said_near(twin["near"])
        table = section(page, "years").xpath(".//tbody/tr")
        years = {number(words(r[0])): number(words(r[1])) for r in table}
        if years:
            assert years == {int(y): n for y, n in twin["works_by_year"].items() if n}
        groups = client.get(
            f"{V1}/works?filter={attribute}:{own}&group_by=publication_year"
        ).json()["group_by"]
        assert {int(g["key"]): g["count"] for g in groups} == {
            int(y): n for y, n in twin["works_by_year"].items() if n
        }


def test_they_agree_on_somebody_hidden(society, some) -> None:
    """The same walk past a person whose page is hidden, with and among their works and collaborators."""
    client, person = society.browser(), some["people"][1]
    moderator = society.member("Mo Moderator", role="moderator").account_id
    works = [one["id"] for one in client.get(f"{V1}/people/A{person}/page").json()["works"]][:8]
    others = [
        one["id"] for one in client.get(f"{V1}/people/A{person}/page").json()["collaborators"]
    ][:3]
    with society.community.writing() as session:
        set_person(session, person, moderator, hidden=True)
    society.community.kept.forget()
    try:
        for work in works:
            check_work(client, int(work[1:]), {})
            shown = authors_shown(page_of(client, f"/works/{work}"))
            assert None in [own for own, _ in shown] and f"A{person}" not in [
                own for own, _ in shown
            ]
        for other in others:
            check_person(client, int(other[1:]))
        assert (
            client.get(f"/people/A{person}").status_code
            == client.get(f"{V1}/people/A{person}/page").status_code
            == 410
        )
    finally:
        with society.community.writing() as session:
            set_person(session, person, moderator, hidden=False)
        society.community.kept.forget()
