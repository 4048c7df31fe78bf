"""The reader's history on the pages: opt-in, forms of this site only, exported, erased, nothing for the others."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from lxml import html

from peerscope.discover.readers import LONGEST_KEPT, Readers
from peerscope.record import count_statements
from peerscope.web import create_app
from peerscope.web.forms import MOST_BYTES, is_local
from peerscope.web.history import router
from peerscope.web.reader import COOKIE, SECURE_COOKIE

OWN = {"origin": "http://testserver"}
PAGES = ["/", "/search?q=contrastive+learning", "/works", "/people", "/topics", "/about"]


@pytest.fixture
def readers(tmp_path):
    found = Readers(tmp_path / "readers.sqlite")
    yield found
    found.close()


@pytest.fixture
def app(site, readers):
    return create_app(*site, readers)


@pytest.fixture
def anyone(app) -> TestClient:
    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture
def reader(app) -> TestClient:
    """A browser whose reader has the history on."""
    opened = TestClient(app, raise_server_exceptions=False, headers=OWN)
    assert post(opened, "on").status_code == 200
    return opened


def tree(response):
    return html.fromstring(response.text)


def token(client, place: str = "/history") -> str:
    return tree(client.get(place)).xpath("//input[@name='token']/@value")[0]


def post(client, action: str, follow: bool = True, headers=None, **fields):
    fields = fields or {"nothing": ""}
    return client.post(
        f"/history/{action}", data=fields, follow_redirects=follow, headers=headers or {}
    )


def result_links(client, query: str) -> list[str]:
    page = tree(client.get(f"/search?q={quote(query)}"))
    return page.xpath("//article[@class='work']/h2/a/@href")


def kept(readers: Readers) -> list[tuple[str, int, str]]:
    return [(entry.kind, entry.work_id, entry.query) for _, entry in readers.of_everyone()]


def number_of(link: str) -> int:
    return int(re.search(r"/works/W(\d+)", link)[1])


# opt-in


def test_without_opt_in_nothing_is_written_and_no_cookie_is_set(anyone, readers, numbers) -> None:
    work = numbers["work:Dual Temperature Helps Contras"]
    for place in [*PAGES, f"/works/W{work}", f"/works/W{work}?from=query&seal=00", "/history"]:
        response = anyone.get(place)
        assert response.status_code == 200
        assert "set-cookie" not in response.headers, place
    assert not anyone.cookies
    assert list(readers.path.parent.iterdir()) == []


def test_without_opt_in_nothing_changes(site, anyone, reader, readers, numbers) -> None:
    """Same bytes and statements for others, whether or not somebody else has a history, cookie or not."""
    _, database, _ = site
    work = f"/works/W{numbers['work:Dual Temperature Helps Contras']}"
    places = [*PAGES, work, "/search?q=contrastive&personal=off"]

    def answers(client) -> list[tuple[bytes, list[str], str | None]]:
        found = []
        for place in places:
            client.get(place)
            with count_statements(database.engine) as seen:
                response = client.get(place)
            # Whether the record changed is asked again only after a while.
            asked = [one for one in seen.statements if "FROM counter" not in one]
            found.append((response.content, asked, response.headers.get("cache-control")))
        return found

    first = answers(anyone)
    post(reader, "save", token=token(reader), work="W1")
    reader.get(result_links(reader, "contrastive")[0])
    assert len(kept(readers)) == 2
    assert answers(anyone) == first
    with_nonsense = TestClient(anyone.app, cookies={COOKIE: "nobody"})
    assert answers(with_nonsense) == first
    switched_off = TestClient(anyone.app, cookies=dict(reader.cookies), headers=OWN)
    post(switched_off, "off", token=token(switched_off))
    assert answers(switched_off) == first
    assert all(control is None for _, _, control in first), "caches may keep them"
    for bare in tree(anyone.get("/search?q=contrastive")).xpath("//article/h2/a/@href"):
        assert re.fullmatch(r"/works/W\d+", bare)
    assert "form method" not in anyone.get(work).text


def test_pages_of_a_reader_are_kept_by_no_cache(anyone, reader, numbers) -> None:
    work = f"/works/W{numbers['work:Dual Temperature Helps Contras']}"
    for place in ("/search?q=contrastive", work, "/history", "/history/export.json"):
        response = reader.get(place)
        assert response.headers["cache-control"] == "private, no-store", place
        assert "Cookie" in response.headers["vary"], place
    for place in ("/search?q=contrastive", work):
        assert "Cookie" in anyone.get(place).headers["vary"]


def test_the_cookie_is_for_this_site_alone(site, readers, app) -> None:
    plain = TestClient(app, headers=OWN)
    stated = post(plain, "on", follow=False).headers["set-cookie"]
    assert stated.startswith(f"{COOKIE}=")
    assert "HttpOnly" in stated
    assert "SameSite=lax" in stated
    assert "Path=/" in stated
    assert "Secure" not in stated
    assert "Domain" not in stated
    encrypted = TestClient(
        app, base_url="https://testserver", headers={"origin": "https://testserver"}
    )
    stated = post(encrypted, "on", follow=False).headers["set-cookie"]
    assert stated.startswith(f"{SECURE_COOKIE}=")
    assert "Secure" in stated
    settings, database, discovery = site
    behind = settings.model_copy(update={"base_url": "https://library.example"})
    proxied = TestClient(create_app(behind, database, discovery, readers))
    stated = post(proxied, "on", False, {"origin": "https://library.example"}).headers["set-cookie"]
    assert stated.startswith(f"{SECURE_COOKIE}=")


# what is kept


def test_an_opened_result_and_a_saved_work_are_kept(reader, readers, numbers) -> None:
    links = result_links(reader, "contrastive learning")
    assert readers.state().entries == 0, "a search alone is not kept"
    page = reader.get(links[0])
    assert "this is kept in" in page.text
    assert kept(readers) == [("opened", number_of(links[0]), "contrastive learning")]
    reader.get(links[0])
    reader.get(f"/works/W{number_of(links[1])}")
    assert readers.state().entries == 1, "again, and opening without a search, add nothing"
    saved = numbers["work:Group Normalization"]
    back = post(
        reader, "save", False, token=token(reader), work=f"W{saved}", query="norms",
        back="/search?q=norms",
    )  # fmt: skip
    assert (back.status_code, back.headers["location"]) == (303, f"/search?q=norms#W{saved}")
    assert ("saved", saved, "norms") in kept(readers)
    shown = tree(reader.get("/history")).text_content()
    assert "Group Normalization" in shown
    assert "contrastive learning" in shown


def test_the_save_button_of_a_result_works_and_turns(reader, readers) -> None:
    page = tree(reader.get("/search?q=group+normalization"))
    form = {one.get("name"): one.get("value") for one in page.xpath("//form[@id='own']/input")}
    button = page.xpath("//article[1]//button")[0]
    assert button.get("form") == "own"
    fields = form | {button.get("name"): button.get("value")}
    after = tree(post(reader, "save", **fields))
    assert kept(readers)[0][0] == "saved"
    turned = after.xpath("//article[1]//button")[0]
    assert turned.get("formaction") == "/history/erase"
    assert "Saved" in after.xpath("//article[1]")[0].text_content()
    post(reader, "erase", **form, **{turned.get("name"): turned.get("value")})
    assert kept(readers) == []


def test_everything_is_exported(reader, readers, numbers) -> None:
    link = result_links(reader, "contrastive learning")[0]
    reader.get(link)
    post(reader, "save", token=token(reader), work=f"W{number_of(link)}", query="why")
    response = reader.get("/history/export.json")
    assert "attachment" in response.headers["content-disposition"]
    found = response.json()
    (opened,), (saved,) = found["opened"], found["saved"]
    assert (opened["work"], opened["query"]) == (f"W{number_of(link)}", "contrastive learning")
    assert opened["title"]
    assert saved["query"] == "why"
    assert found["on"] is True


def test_export_of_nobody_is_not_found(anyone) -> None:
    assert anyone.get("/history/export.json").status_code == 404


def test_one_entry_and_everything_can_be_erased(reader, readers) -> None:
    for link in result_links(reader, "contrastive learning")[:2]:
        reader.get(link)
    buttons = tree(reader.get("/history")).xpath("//button[@name='entry']/@value")
    assert len(buttons) == 2
    post(reader, "erase", token=token(reader), entry=buttons[0])
    assert len(kept(readers)) == 1
    after = post(reader, "erase", token=token(reader), everything="yes")
    assert "has been erased" in after.text
    assert not reader.cookies
    assert kept(readers) == []
    whole = b"".join(path.read_bytes() for path in readers.path.parent.iterdir())
    assert b"contrastive learning" not in whole
    assert "Switch it on" in reader.get("/history").text


def test_off_and_on_again(reader, readers) -> None:
    reader.get(result_links(reader, "contrastive")[0])
    off = post(reader, "off", token=token(reader))
    assert "still here until you erase it" in off.text
    assert re.fullmatch(r"/works/W\d+", result_links(reader, "contrastive")[0])
    assert post(reader, "save", token=token(reader), work="W1").status_code == 409
    assert readers.state().entries == 0
    post(reader, "on", token=token(reader))
    assert "seal=" in result_links(reader, "contrastive")[0]
    assert len(kept(readers)) == 1


def test_pages_with_a_history_keep_their_budget(site, reader, readers, numbers) -> None:
    """At most 12 statements, those to the readers' file counted."""
    _, database, _ = site
    for link in result_links(reader, "contrastive learning")[:5]:
        reader.get(link)
        post(reader, "save", token=token(reader), work=f"W{number_of(link)}")
    own = readers._database(create=False)
    for place in (
        "/search?q=momentum+contrast",
        "/search?q=momentum+contrast&personal=off",
        result_links(reader, "siamese")[0],
        "/history",
        "/history/export.json",
    ):
        reader.get(place)
        with count_statements(database.engine) as record, count_statements(own.engine) as log:
            response = reader.get(place)
        assert response.status_code == 200
        assert record.count + log.count <= 12, (place, record.count, log.count)
        assert len(response.content) < 60_000, place


def test_the_history_is_paged_and_shows_what_is_gone(reader, readers) -> None:
    secret = reader.cookies[COOKIE]
    number = readers.find(secret).id
    for work in range(900_000, 900_060):
        readers.opened(number, work, f"query {work}")
        readers.save(number, work)
    first = reader.get("/history").text
    assert "query 900059" in first
    assert "query 900001" not in first
    assert "is not in this record any more" in first
    assert "query 900001" in reader.get("/history?opened=3").text
    assert reader.get("/history?opened=99999&saved=-1").status_code == 200


# hostile


def save_fields(client, **changes):
    return {"token": token(client), "work": "W1", "back": "/history"} | changes


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://testserver.evil.example"},
        {"origin": "http://testserver:8080"},
        {"origin": "null"},
        {"origin": "http://[broken"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example", "sec-fetch-site": "same-origin"},
        {},
    ],
)
def test_forms_of_other_sites_change_nothing(app, reader, readers, headers) -> None:
    fields = save_fields(reader)
    foreign = TestClient(app, cookies=dict(reader.cookies))
    for action, extra in (
        ("save", {}), ("erase", {"everything": "yes"}), ("off", {}), ("on", {}),
    ):  # fmt: skip
        response = post(foreign, action, False, headers, **fields, **extra)
        assert response.status_code == 403, action
        assert "set-cookie" not in response.headers
    assert kept(readers) == []
    assert readers.state().readers == 1


def test_a_foreign_form_does_not_switch_it_on(app, readers) -> None:
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {}):
        response = post(TestClient(app), "on", False, headers)
        assert response.status_code == 403
        assert "set-cookie" not in response.headers
    assert not readers.path.exists()


@pytest.mark.parametrize("given", ["", "x", "0123456789abcdef.", "other", "ü.ü", "a" * 5000])
def test_a_wrong_token_changes_nothing(app, reader, readers, given) -> None:
    other = TestClient(app, headers=OWN)
    post(other, "on")
    wrong = token(other) if given == "other" else given
    for action in ("save", "erase", "off", "on"):
        response = post(reader, action, token=wrong, work="W1", everything="yes")
        assert response.status_code == 403, action
    assert readers.state().readers == 2
    assert kept(readers) == []


def test_tokens_differ_each_time_and_all_fit(reader) -> None:
    first, second = token(reader), token(reader)
    assert first != second
    for one in (first, second):
        assert post(reader, "save", token=one, work="W1").status_code == 200


def test_reading_addresses_change_nothing(reader, readers) -> None:
    for action in ("on", "off", "save", "erase"):
        assert reader.get(f"/history/{action}?everything=yes&work=W1").status_code == 404
        assert reader.put(f"/history/{action}").status_code == 405
    assert readers.state().readers == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda link: re.sub("from=[^&]+", "from=something+else", link),
        lambda link: re.sub(r"W\d+", "W1", link),
        lambda link: link[:-1] + ("0" if link[-1] != "0" else "1"),
        lambda link: re.sub("&seal=.*", "", link),
        lambda link: re.sub("&seal=.*", "&seal=%00%ff", link),
    ],
)
def test_an_address_made_elsewhere_keeps_nothing(reader, readers, change) -> None:
    link = next(one for one in result_links(reader, "contrastive") if number_of(one) != 1)
    response = reader.get(change(link))
    assert response.status_code == 200
    assert "something else" not in response.text
    assert kept(readers) == []


def test_an_address_of_one_reader_keeps_nothing_for_another(app, reader, readers) -> None:
    other = TestClient(app, headers=OWN)
    post(other, "on")
    link = result_links(reader, "contrastive")[0]
    other.get(link)
    TestClient(app).get(link)
    reader.get(link, headers={"sec-fetch-site": "cross-site"})
    reader.get(link, headers={"sec-purpose": "prefetch"})
    assert kept(readers) == []


OUTSIDE = [
    "https://evil.example/", "//evil.example/", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
    "javascript:alert(1)", "data:text/html,x", "/%0d%0aSet-Cookie: x=1\r\nSet-Cookie: x=1", "///evil.example",
    "http:evil.example", "evil", " /works", "/wörks", "", "/a\x00b", "https:/evil.example", "/..//\\evil",
]  # fmt: skip


@pytest.mark.parametrize("back", OUTSIDE)
def test_forms_lead_back_to_this_site_only(reader, back) -> None:
    response = post(reader, "save", False, **save_fields(reader, back=back))
    assert response.status_code == 303
    assert response.headers["location"] == "/history"
    assert "x=1" not in response.headers.get("set-cookie", "")
    assert not is_local(back)


@pytest.mark.parametrize(
    "back", ["/works/W1", "/search?q=a%20b&page=2", "/history?opened=2#opened"]
)
def test_forms_lead_back_to_where_they_stood(reader, back) -> None:
    response = post(reader, "save", False, **save_fields(reader, back=back))
    assert response.headers["location"].split("#W")[0] == back


@pytest.mark.parametrize(
    "query",
    [
        "<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "' onmouseover='alert(3)",
        "</title><svg/onload=alert(4)>", "{{ 7 * 7 }}", "\u202eabc", "&lt;b&gt;", "]]>", "a\x00b",
    ],
)  # fmt: skip
def test_a_hostile_query_stays_text(reader, readers, query) -> None:
    wanted = f"contrastive {query}"
    link = result_links(reader, wanted)[0]
    pages = [
        reader.get(link),
        post(reader, "save", **save_fields(reader, query=wanted, back="/history")),
        reader.get("/history"),
        reader.get(f"/search?q={quote(wanted)}"),
    ]
    assert len(kept(readers)) == 2
    for page in pages:
        assert page.status_code == 200
        found = tree(page)
        assert not found.xpath("//img|//script[not(@type='application/ld+json')]|//svg[@onload]")
        assert not found.xpath("//@onerror|//@onload|//@onmouseover")
        assert "49" not in found.xpath("string(//ul[@class='log'])")
    stated = reader.get("/history/export.json").json()["opened"][0]["query"]
    assert stated == " ".join(wanted.replace("\x00", " ").split())
    for entry in tree(pages[2]).xpath("//ul[@class='log']//a[starts-with(@href, '/search')]/@href"):
        assert reader.get(entry).status_code == 200


@pytest.mark.parametrize("query", ["contrastive " * 900, "😀 contrastive " * 700])
def test_a_very_long_query_is_cut(reader, readers, query) -> None:
    page = reader.get(f"/search?q={quote(query)}")
    assert page.status_code == 200
    link = tree(page).xpath("//article/h2/a/@href")[0]
    assert reader.get(link).status_code == 200
    fields = {
        one.get("name"): one.get("value") for one in tree(page).xpath("//form[@id='own']/input")
    }
    assert post(reader, "save", False, **fields, work="W1").status_code == 303
    assert all(len(text) <= LONGEST_KEPT for _, _, text in kept(readers))
    assert len(kept(readers)) == 2


def test_forms_are_read_within_bounds(reader, readers) -> None:
    large = post(reader, "save", **save_fields(reader, query="x" * (MOST_BYTES + 1)))
    assert large.status_code == 413
    many = post(reader, "save", **save_fields(reader), **{f"f{n}": "" for n in range(50)})
    assert many.status_code == 413
    other = reader.post("/history/save", json={"work": "W1"})
    assert other.status_code == 415
    for work in ("", "W0", "A1", "W99999999999", "W1 OR 1=1", "W" + "9" * 400):
        assert post(reader, "save", **save_fields(reader, work=work)).status_code == 404
    for entry in ("", "-1", "x", "9" * 40):
        assert post(reader, "erase", token=token(reader), entry=entry).status_code == 400
    assert post(reader, "erase", token=token(reader), entry="999").status_code == 200
    assert kept(readers) == []


def test_a_broken_file_costs_the_history_and_not_the_site(reader, readers) -> None:
    link = result_links(reader, "contrastive")[0]
    readers.close()
    for path in readers.path.parent.iterdir():
        path.write_bytes(b"this is no database" * 400)
    assert reader.get("/search?q=contrastive").status_code == 200
    assert reader.get(link).status_code == 200
    told = reader.get("/history")
    assert told.status_code == 503
    assert "cannot be read at the moment" in told.text


def test_a_cookie_of_nobody_is_nobody(anyone, app) -> None:
    for value in ("x" * 5000, "nobody", "a b", "%00", "'; DROP TABLE reader; --"):
        client = TestClient(app, cookies={COOKIE: value}, headers=OWN)
        assert client.get("/search?q=contrastive").status_code == 200
        shown = client.get("/history")
        assert "It is off" in shown.text
        assert "Max-Age=0" in shown.headers["set-cookie"], "it says that there is none"
        assert post(client, "save", token="x", work="W1").status_code == 403


def test_every_form_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "web.md").read_text()
    paths = {(method, route.path) for route in router.routes for method in route.methods}
    assert len(paths) == 8
    for method, path in paths:
        assert f"`{'POST ' if method == 'POST' else ''}{path}`" in text, (method, path)
