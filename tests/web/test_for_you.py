"""The feed on the pages: in the history, in the account, or in a cookie of the browser alone; attacks on it."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient
from lxml import html

from peerscope.community.follows import follows_of
from peerscope.community.saves import save, saved_works
from peerscope.discover.readers import Readers
from peerscope.discover.shelf import LONGEST_SHELF, MOST_ENTRIES
from peerscope.record import count_statements
from peerscope.web import create_app
from peerscope.web.for_you import PER_PAGE
from peerscope.web.shelf import COOKIE, SECURE_COOKIE
from peerscope.web.taste import AsOf

OWN = {"origin": "http://testserver"}


@pytest.fixture
def readers(tmp_path):
    found = Readers(tmp_path / "readers.sqlite")
    yield found
    found.close()


@pytest.fixture
def app(site, readers, society):
    return create_app(*site, readers, community=society.community)


@pytest.fixture
def browser_of(app):
    """Browsers of the application: of an account, or of nobody."""

    def opened(member=None, headers=OWN) -> TestClient:
        client = TestClient(app, raise_server_exceptions=False, headers=headers)
        if member is not None:
            client.cookies.update(member.cookies)
        return client

    return opened


@pytest.fixture
def shelved(browser_of) -> TestClient:
    """A browser that keeps a list by itself."""
    client = browser_of()
    assert client.post("/for-you/keep", data={"x": ""}).status_code == 200
    assert client.cookies[COOKIE] == "1"
    return client


def tree(response):
    return html.fromstring(response.text)


def change(client, headers=None, **fields):
    return client.post(
        "/for-you/change", data=fields, follow_redirects=False, headers=headers or {}
    )


def works_on(response) -> list[str]:
    links = tree(response).xpath("//article[@class='work']/h2/a/@href")
    return [re.search(r"W\d+", link)[0] for link in links]


def token(client, place="/for-you") -> str:
    return tree(client.get(place)).xpath("//form[@id='change']/input[@name='token']/@value")[0]


@pytest.fixture
def some(numbers) -> dict[str, str]:
    return {
        "dual": f"W{numbers['work:Dual Temperature Helps Contras']}",
        "norm": f"W{numbers['work:Group Normalization']}",
        "topic": f"T{numbers['topic:Contrastive learning']}",
        "person": f"A{numbers['person:Kang Zhang']}",
    }


# in the browser alone


def test_it_begins_without_anything_kept(browser_of, readers, some) -> None:
    client = browser_of()
    first = client.get("/for-you")
    assert "Keep a list in this browser" in first.text
    assert not client.cookies
    client.post("/for-you/keep", data={"x": ""})
    page = tree(client.get(f"/works/{some['dual']}"))
    form = page.xpath("//form[@id='shelf']")[0]
    button = page.xpath("//button[@form='shelf'][@name='save']")[0]
    assert form.get("action") == "/for-you/change"
    assert button.get("value") == some["dual"]
    back = change(client, save=some["dual"], back=f"/works/{some['dual']}")
    assert back.headers["location"] == f"/works/{some['dual']}#{some['dual']}"
    assert client.cookies[COOKIE] == f"1.{some['dual']}"
    feed = client.get("/for-you")
    assert len(works_on(feed)) == PER_PAGE
    assert some["dual"] not in works_on(feed)
    assert "because you saved “Dual Temperature" in feed.text
    assert not readers.path.exists(), "the site keeps nothing"
    assert "Saved in this browser" in client.get(f"/works/{some['dual']}").text


def test_people_and_topics_are_followed_in_the_browser(shelved, some) -> None:
    for place, what in (("people", some["person"]), ("topics", some["topic"])):
        page = tree(shelved.get(f"/{place}/{what}"))
        button = page.xpath("//button[@form='shelf'][@name='follow']")[0]
        assert button.get("value") == what
        change(shelved, follow=what)
        assert "Unfollow" in shelved.get(f"/{place}/{what}").text
    feed = shelved.get("/for-you?order=new")
    assert "by Kang Zhang, whom you follow" in feed.text
    assert "on the topic Contrastive learning, which you follow" in feed.text
    assert "Kang Zhang" in feed.text.split('id="shelf-list"')[1]


def test_less_of_something_hides_it_and_can_be_undone(shelved, numbers, some) -> None:
    change(shelved, save=some["dual"])
    first = works_on(shelved.get("/for-you"))
    change(shelved, less=first[0])
    after = shelved.get("/for-you")
    assert first[0] not in works_on(after)
    assert works_on(after)[: len(first) - 1] == first[1:]
    listed = tree(after).xpath("//section[@aria-labelledby='less']//button[@name='again']/@value")
    assert listed == [first[0]]
    change(shelved, again=first[0])
    assert works_on(shelved.get("/for-you")) == first
    change(shelved, less=some["topic"])
    carried = tree(shelved.get(f"/topics/{some['topic']}")).xpath(
        "//article[@class='work']/h3/a/@href"
    )
    pages = [works_on(shelved.get(f"/for-you?page={n}")) for n in (1, 2, 10)]
    shown = {work for page in pages for work in page}
    assert shown
    assert shown.isdisjoint({link.rsplit("/", 1)[1] for link in carried})


def test_a_page_begun_earlier_goes_on_with_the_same_list(shelved, some) -> None:
    change(shelved, save=some["dual"])
    first = shelved.get("/for-you")
    onward = tree(first).xpath("//a[@rel='next']/@href")[0]
    before = works_on(shelved.get(onward))
    saved = works_on(first)[0]
    change(shelved, save=saved)
    assert works_on(shelved.get(onward)) == before
    assert set(before).isdisjoint(works_on(first))
    assert saved not in works_on(shelved.get("/for-you"))


def test_the_shelf_moves_the_order_of_results_and_says_so(shelved, browser_of, some) -> None:
    plain = browser_of().get("/search?q=learning")
    assert works_on(shelved.get("/search?q=learning")) == works_on(plain)
    change(shelved, save=some["norm"])
    mine = shelved.get("/search?q=learning")
    assert "This order is yours" in mine.text
    off = shelved.get("/search?q=learning&personal=off")
    assert works_on(off) == works_on(plain)
    assert works_on(mine) != works_on(plain)


def test_clearing_takes_the_cookie_away(shelved, some) -> None:
    change(shelved, save=some["dual"])
    gone = shelved.post("/for-you/clear", data={"x": ""})
    assert "is gone" in gone.text
    assert not shelved.cookies


def test_without_a_shelf_pages_are_as_they_were(browser_of, numbers, some) -> None:
    anyone = browser_of()
    for place in ("/", "/works", f"/works/{some['dual']}", f"/people/{some['person']}",
                  f"/topics/{some['topic']}", "/search?q=contrastive"):  # fmt: skip
        response = anyone.get(place)
        assert "set-cookie" not in response.headers, place
        assert response.headers.get("cache-control") is None, place
        assert "for-you/change" not in response.text, place
        with_nonsense = TestClient(anyone.app, cookies={COOKIE: "nonsense"})
        assert with_nonsense.get(place).content == response.content, place


def test_pages_of_a_shelf_are_kept_by_no_cache(shelved, some) -> None:
    for place in ("/for-you", f"/works/{some['dual']}", f"/people/{some['person']}",
                  f"/topics/{some['topic']}", "/search?q=contrastive"):  # fmt: skip
        response = shelved.get(place)
        assert response.headers["cache-control"] == "private, no-store", place
        assert "Cookie" in response.headers["vary"], place


def test_the_cookie_is_for_this_site_alone(browser_of) -> None:
    stated = browser_of().post(
        "/for-you/keep", data={"x": ""}, follow_redirects=False
    ).headers["set-cookie"]  # fmt: skip
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(stated.split("; "))
    encrypted = browser_of(headers={"origin": "https://testserver"})
    encrypted.base_url = "https://testserver"
    stated = encrypted.post(
        "/for-you/keep", data={"x": ""}, follow_redirects=False
    ).headers["set-cookie"]  # fmt: skip
    assert stated.startswith(f"{SECURE_COOKIE}=")
    assert "Secure" in stated.split("; ")


# hostile


@pytest.mark.parametrize(
    "cookie",
    ["x" * 5000, "1." + "W1." * 4000, "1.W0.A0.T0", "1.W999999999999999.A999999999999999",
     "1.W1.-W1.W1", "1.<script>", "1.W1%00", "'; DROP TABLE work; --", "2.W1", "1" + ".W7" * 390],
)  # fmt: skip
def test_any_cookie_is_answered(browser_of, cookie, some) -> None:
    client, sent = browser_of(), {"cookie": f"{COOKIE}={cookie}"}
    for place in ("/for-you", f"/works/{some['dual']}"):
        response = client.get(place, headers=sent)
        assert response.status_code == 200, place
        assert "<script>" not in response.text
    written = change(client, sent, save=some["dual"])
    assert written.status_code in (303, 409)
    stated = written.headers.get("set-cookie", "").split(";")[0]
    assert len(stated) <= len(COOKIE) + 1 + LONGEST_SHELF
    assert re.fullmatch(rf"({COOKIE}=1[.WAT\d-]*)?", stated)


def test_an_unreadable_cookie_is_taken_away(browser_of) -> None:
    client = browser_of()
    client.cookies.set(COOKIE, "nonsense")
    assert "Max-Age=0" in client.get("/for-you").headers["set-cookie"]


def test_a_shelf_has_a_bound_and_the_oldest_make_room(browser_of, some) -> None:
    full = ".".join(["1", *(f"T{n}" for n in range(900, 900 + MOST_ENTRIES))])
    written = change(browser_of(), {"cookie": f"{COOKIE}={full}"}, save=some["dual"])
    entries = written.headers["set-cookie"].split(";")[0].split(".")[1:]
    assert len(entries) == MOST_ENTRIES
    assert entries[-1] == some["dual"]
    assert "T900" not in entries


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}, {}],
)
def test_forms_of_other_sites_change_nothing(shelved, browser_of, some, headers) -> None:
    foreign = browser_of(headers=headers)
    foreign.cookies.update(shelved.cookies)
    for action, fields in (
        ("change", {"save": some["dual"]}), ("clear", {"x": ""}), ("keep", {"x": ""}),
        ("take", {"x": ""}),
    ):  # fmt: skip
        response = foreign.post(f"/for-you/{action}", data=fields, follow_redirects=False)
        assert response.status_code == 403, action
        assert "set-cookie" not in response.headers


@pytest.mark.parametrize(
    "fields",
    [{}, {"save": ""}, {"save": "W0"}, {"save": "A1"}, {"follow": "W1"}, {"less": "X1"},
     {"save": "W1 OR 1=1"}, {"save": "W" + "9" * 40}, {"drop": "W1"}],
)  # fmt: skip
def test_forms_that_make_no_sense_are_refused(shelved, fields) -> None:
    response = change(shelved, **(fields or {"x": ""}))
    assert response.status_code == 400
    assert "set-cookie" not in response.headers


def test_what_is_not_in_the_record_is_not_kept(shelved) -> None:
    for fields in ({"save": "W999999999"}, {"follow": "A999999999"}, {"less": "T999999999"}):
        assert change(shelved, **fields).status_code == 404


def test_nothing_is_kept_where_there_is_no_list(browser_of, some, readers) -> None:
    for fields in ({"save": some["dual"]}, {"less": some["dual"]}, {"again": some["dual"]}):
        response = change(browser_of(), **fields)
        assert response.status_code == 409
        assert "set-cookie" not in response.headers
    assert not readers.path.exists()


def test_it_leads_back_within_the_site_only(shelved, some) -> None:
    for back in (
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
    ):
        response = change(shelved, save=some["dual"], back=back)
        assert response.headers["location"] == "/for-you"


@pytest.mark.parametrize("query", ["as_of=x", "as_of=1-2", "as_of=9-9-9", "page=0", "page=-1",
                                   "page=99999", "order=best%00", "as_of=" + "1" * 400])  # fmt: skip
def test_any_address_is_answered(shelved, some, query) -> None:
    change(shelved, save=some["dual"])
    assert shelved.get(f"/for-you?{query}").status_code == 200


def test_a_point_in_time_comes_back_from_its_address() -> None:
    point = AsOf(12, 3, 1_780_000_000)
    assert AsOf.read(point.written()) == point
    assert AsOf.read("1-2-3-4") is None


# with a history


@pytest.fixture
def reader(browser_of, some) -> TestClient:
    client = browser_of()
    client.post("/history/on", data={"x": ""})
    page = tree(client.get("/history"))
    form = {one.get("name"): one.get("value") for one in page.xpath("//form[@id='own']/input")}
    client.post("/history/save", data=form | {"work": some["dual"]})
    return client


def test_a_history_feeds_too_and_keeps_what_is_muted(reader, readers, some) -> None:
    first = works_on(reader.get("/for-you"))
    assert len(first) == PER_PAGE
    change(reader, less=first[0], token=token(reader))
    assert first[0] not in works_on(reader.get("/for-you"))
    assert first[0] in reader.get("/history/export.json").text
    reader.post("/history/off", data={"token": token_of_history(reader)})
    off = reader.get("/for-you")
    assert works_on(off) == []
    assert "You see less of these" in off.text
    change(reader, again=first[0], token=token(reader))
    assert "You see less of these" not in reader.get("/for-you").text


def token_of_history(client) -> str:
    return tree(client.get("/history")).xpath("//input[@name='token']/@value")[0]


@pytest.mark.parametrize("given", ["", "x", "0123456789abcdef.", "ü"])
def test_a_wrong_token_mutes_nothing(reader, given) -> None:
    first = works_on(reader.get("/for-you"))
    assert change(reader, less=first[0], token=given).status_code == 403
    assert works_on(reader.get("/for-you")) == first


def test_opening_moves_the_feed_and_saving_leaves_later_pages(reader) -> None:
    onward = tree(reader.get("/for-you")).xpath("//a[@rel='next']/@href")[0]
    before = works_on(reader.get(onward))
    links = tree(reader.get("/search?q=normalization")).xpath("//article/h2/a/@href")
    reader.get(links[0])
    assert works_on(reader.get(onward)) == before
    assert re.search(r"W\d+", links[0])[0] not in works_on(reader.get("/for-you"))


def test_a_feed_page_keeps_its_budget(site, reader, readers, society) -> None:
    _, database, _ = site
    reader.get("/for-you")
    own = readers._database(create=False)
    with (
        count_statements(database.engine) as record, count_statements(own.engine) as log,
        count_statements(society.community.database.engine) as community,
    ):  # fmt: skip
        response = reader.get("/for-you")
    assert record.count <= 12
    assert log.count <= 3
    assert community.count == 0
    assert len(response.content) < 60_000


# in an account


def test_an_account_has_its_history_in_every_browser(society, browser_of, readers, some) -> None:
    member = society.member("Ada Example")
    here, there = browser_of(member), browser_of(member)
    assert "Switch it on for your account" in here.get("/history").text
    refused = here.post("/history/on", data={"x": ""})
    assert refused.status_code == 403, "a form of an account carries its token"
    here.post("/history/on", data={"token": token_of_history(here)})
    assert "peerscope-reader" not in here.cookies
    page = tree(here.get("/history"))
    form = {one.get("name"): one.get("value") for one in page.xpath("//form[@id='own']/input")}
    here.post("/history/save", data=form | {"work": some["dual"]})
    assert "peerscope-reader" not in here.cookies
    assert "Dual Temperature" in there.get("/history").text
    assert works_on(there.get("/for-you"))
    stranger = browser_of(society.member("Bo Other"))
    assert "Dual Temperature" not in stranger.get("/history").text
    assert "Dual Temperature" not in browser_of().get("/history").text
    there.post("/history/erase", data={"token": token_of_history(there), "everything": "yes"})
    assert "It is off" in here.get("/history").text
    assert readers.state().readers == 0


def test_a_browsers_history_becomes_the_accounts(society, reader, browser_of, readers) -> None:
    old = dict(reader.cookies)
    member = society.member("Ada Example")
    reader.cookies.update(member.cookies)
    page = reader.get("/history")
    assert "This browser has a history of its own" in page.text
    field = tree(page).xpath("//form[@action='/history/take']/input/@value")[0]
    taken = reader.post("/history/take", data={"token": field})
    assert "It belongs to your account" in taken.text
    assert "peerscope-reader" not in reader.cookies
    assert "Dual Temperature" in browser_of(member).get("/history").text
    stale = browser_of()
    stale.cookies.update(old)
    assert "It is off" in stale.get("/history").text, "the old cookie is nobody's"
    assert readers.state().readers == 1


def test_a_second_history_joins_the_accounts(society, reader, browser_of, readers, some) -> None:
    member = society.member("Ada Example")
    other = browser_of(member)
    other.post("/history/on", data={"token": token_of_history(other)})
    page = tree(other.get("/history"))
    form = {one.get("name"): one.get("value") for one in page.xpath("//form[@id='own']/input")}
    for work in (some["dual"], some["norm"]):
        other.post("/history/save", data=form | {"work": work})
    before = readers.state()
    reader.cookies.update(member.cookies)
    page = reader.get("/history")
    field = tree(page).xpath("//form[@action='/history/take']/input/@value")[0]
    reader.post("/history/take", data={"token": field})
    after = readers.state()
    assert (after.readers, after.entries) == (1, 2)
    assert after.erasures == before.erasures, "nothing was lost"


def test_the_shelf_moves_into_the_account_on_request(shelved, society, browser_of, some) -> None:
    for do, what in (("save", "dual"), ("less", "norm"), ("follow", "person"), ("follow", "topic")):
        change(shelved, **{do: some[what]})
    member = society.member("Ada Example")
    shelved.cookies.update(member.cookies)
    page = shelved.get("/for-you")
    field = tree(page).xpath("//form[@action='/for-you/take']/input/@value")[0]
    assert shelved.post("/for-you/take", data={"token": "x"}).status_code == 403
    shelved.post("/for-you/take", data={"token": field})
    assert COOKIE not in shelved.cookies
    with society.community.reading() as session:
        assert [work for work, _ in saved_works(session, member.account_id)] == [
            int(some["dual"][1:])
        ]
        targets = {one.target for one in follows_of(session, member.account_id)}
    assert targets == {some["person"], some["topic"]}
    elsewhere = browser_of(member)
    first = elsewhere.get("/for-you")
    assert works_on(first) == [], "moving is not yet letting it take part"
    assert "Group Normalization" in first.text.split('id="less"')[1]
    use_saves(elsewhere, "yes")
    assert "by Kang Zhang, whom you follow" in elsewhere.get("/for-you?order=new").text
    assert works_on(elsewhere.get("/for-you"))


def use_saves(client, use: str) -> None:
    token = tree(client.get("/me/privacy")).xpath(
        "//form[@action='/history/saves']/input[@name='token']/@value"
    )[0]
    client.post("/history/saves", data={"token": token, "use": use})


def test_saves_of_an_account_move_the_order_only_where_it_asked(
    society, browser_of, some, readers
) -> None:
    member = society.member("Ada Example")
    with society.community.writing() as session:
        save(session, member.account_id, int(some["norm"][1:]))
    client, plain = browser_of(member), works_on(browser_of().get("/search?q=learning"))
    assert works_on(client.get("/search?q=learning")) == plain
    assert works_on(client.get("/for-you")) == []
    assert readers.state().readers == 0
    use_saves(client, "yes")
    assert works_on(client.get("/search?q=learning")) != plain
    assert works_on(client.get("/search?q=learning&personal=off")) == plain
    assert works_on(client.get("/for-you"))
    assert readers.state().entries == 0, "the history is off: nothing teaches the search"
    use_saves(client, "no")
    assert works_on(client.get("/search?q=learning")) == plain
    assert works_on(client.get("/for-you")) == []


def test_the_feed_is_accessible_html(shelved, some) -> None:
    change(shelved, save=some["dual"])
    change(shelved, less=some["norm"])
    for place in ("/for-you", "/for-you?order=new", "/history"):
        page = tree(shelved.get(place))
        assert len(page.xpath("//h1")) == 1
        ids = page.xpath("//@id")
        assert len(ids) == len(set(ids)), place
        named = page.xpath("//section/@aria-labelledby | //nav/@aria-label | //section/@aria-label")
        assert len(named) == len(set(named)), place
        for form in page.xpath("//button/@form"):
            assert form in ids
        labels = [button.text_content().strip() for button in page.xpath("//main//button")]
        assert all(labels)
        assert not page.xpath("//@style | //@onclick")
