"""Who is who through the pages: parted, joined, assigned, undone; by whom, and what others try."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from sqlalchemy import select

from peerscope.community import curation
from peerscope.community.curation_models import IdentityRequest
from peerscope.community.models import Account, Notice
from peerscope.record import count_statements, delete_works, restore_works
from peerscope.record.models import Authorship, Identifier, IdentityEvent, Person

SEARCH = "2006.02282"


@pytest.fixture
def kang(site) -> int:
    _, database, _ = site
    with database.session() as session:
        return session.scalar(
            select(Person.id).where(
                Person.display_name == "Kang Zhang", Person.merged_into_id.is_(None)
            )
        )


@pytest.fixture
def jd(site) -> int:
    _, database, _ = site
    with database.session() as session:
        return session.scalar(
            select(Identifier.entity_id).where(
                Identifier.entity == "W", Identifier.scheme == "arxiv", Identifier.value == SEARCH
            )
        )


@pytest.fixture(autouse=True)
def _as_before(site) -> Any:
    """Undo what a test leaves in force, so that the next one finds the record as it was."""
    yield
    from peerscope.record.identity_events import undo

    _, database, _ = site
    with database.session() as session:
        left = session.scalars(
            select(IdentityEvent.id).where(IdentityEvent.undone_at.is_(None))
        ).all()
    for event in reversed(left):
        undo(database, event, "Test")


def fields_of(text: str, action: str) -> dict[str, str]:
    """The fields of the form with an action, as a browser would send them without a button."""
    form = re.search(rf'<form[^>]*action="{re.escape(action)}".*?</form>', text, re.S)[0]
    found = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
    for name, options in re.findall(r'<select [^>]*name="([^"]+)">(.*?)</select>', form, re.S):
        found[name] = re.search(r'value="([^"]+)" selected', options)[1]
    return {name: html.unescape(value) for name, value in found.items()}


def plain(text: str) -> str:
    """A page without what differs at each load (tokens) and without the history of decisions."""
    text = re.sub(r'name="token" value="[^"]+"', "", text)
    return re.sub(r'<section aria-labelledby="past">.*?</section>', "", text, flags=re.S)


def works_on(text: str) -> set[str]:
    section = re.search(r'<section aria-labelledby="works">.*?</section>', text, re.S)[0]
    return set(re.findall(r'<h3[^>]*><a href="/works/(W\d+)"', section))


def parted(client, kang: int, **changes: str) -> Any:
    """Take the suggestion of the workbench, look at it, and decide: three requests."""
    place = f"/people/A{kang}/identity"
    page = client.get(place)
    seen = client.post(f"{place}/preview", data=fields_of(page.text, f"{place}/preview") | changes)
    assert seen.status_code == 200, seen.text
    sent = fields_of(seen.text, f"{place}/decide") | {"reason": "Search at a shop, not vision."}
    return client.post(f"{place}/decide", data=sent, follow_redirects=False)


def test_the_first_page_is_parted_and_everything_follows_at_once(society, kang, jd, site) -> None:
    member = society.member("Curating Example")
    places = [
        f"/people/A{kang}", f"/people/A{kang}/identity", f"/works/W{jd}", "/people?q=kang+zhang",
        "/names/zhang%2C%20kang", "/search?q=personalized+semantic+retrieval",
        f"/works?person=A{kang}", f"/api/people/A{kang}",
    ]  # fmt: skip
    # A work that changed since publishing is read anew beside the bundle, and its distances differ in their
    # last digits: so it has to have changed before as well.
    with site[1].begin() as session:
        delete_works(session, [jd])
        restore_works(session, [jd])
    before = {place: plain(member.get(place).text) for place in places}
    bench = member.get(f"/people/A{kang}/identity").text
    chosen = fields_of(bench, f"/people/A{kang}/identity/preview")
    assert [name for name, value in chosen.items() if value == "2" and name[0] == "w"] == [f"w{jd}"]
    assert sum(1 for name in chosen if re.fullmatch(r"w\d+", name)) == 7
    assert "Suggested: 2 people" in bench and "KAIST; JD.com" in bench
    done = parted(member, kang)
    assert done.status_code == 303
    event = int(
        re.fullmatch(rf"/people/A{kang}/identity\?event=(\d+)", done.headers["location"])[1]
    )
    with site[1].session() as session:
        new = session.scalar(select(Authorship.person_id).where(
            Authorship.work_id == jd, Authorship.raw_name == "Kang Zhang"))  # fmt: skip
    assert new != kang
    # Person pages: works, counts, graph.
    one, other = member.get(f"/people/A{kang}").text, member.get(f"/people/A{new}").text
    assert len(works_on(one)) == 6 and works_on(other) == {f"W{jd}"}
    assert re.search(r"<dt>works</dt><dd class=\"num\">6</dd>", one)
    assert re.search(r"<dt>work</dt><dd class=\"num\">1</dd>", other)
    assert f"/works/W{jd}" not in re.search(r'class="graph".*?</section>', one, re.S)[0]
    assert f'href="/works/W{jd}"' in re.search(r'class="graph".*?</section>', other, re.S)[0]
    # Search, by person, and the work's own page.
    assert f'/works/W{jd}"' in member.get(f"/works?person=A{new}").text
    assert f'/works/W{jd}"' not in member.get(f"/works?person=A{kang}").text
    found = member.get(
        "/api/search", params={"q": "personalized semantic retrieval", "person": f"A{new}"}
    )
    assert [hit["id"] for hit in found.json()["results"]] == [f"W{jd}"]
    assert f'href="/people/A{new}"' in member.get(f"/works/W{jd}").text
    assert f'href="/people/A{kang}"' not in member.get(f"/works/W{jd}").text
    # The history names the account.
    past = member.get("/identity").text
    assert "Curating Example" in past and "Search at a shop, not vision." in past
    # Undo, with its own preview.
    address = f"/identity/events/{event}/undo"
    seen = member.post(
        address, data=fields_of(member.get(f"/people/A{kang}/identity").text, address)
    )
    assert f"leads to A{kang}" in seen.text and "Undo it" in seen.text
    undone = member.post(address, data=fields_of(seen.text, address), follow_redirects=False)
    assert undone.status_code == 303
    assert {place: plain(member.get(place).text) for place in places} == before
    moved = member.get(f"/people/A{new}", follow_redirects=False)
    assert (moved.status_code, moved.headers["location"]) == (302, f"/people/A{kang}")


def test_without_an_account_everything_can_be_read_and_nothing_changed(society, kang, jd) -> None:
    browser = society.browser()
    page = browser.get(f"/people/A{kang}/identity")
    assert "Suggested: 2 people" in page.text and "Sign in to change it" in page.text
    assert "<form method" not in page.text and "<select" not in page.text
    assert "Is this more than one person?" in browser.get(f"/people/A{kang}").text
    assert f'href="/people/A{kang}/identity"' in browser.get(f"/people/A{kang}").text
    for address in (f"/people/A{kang}/identity/preview", f"/people/A{kang}/identity/decide",
                    "/identity/events/1/undo", "/identity/requests/1"):  # fmt: skip
        sent = browser.post(address, data={"token": "x", f"w{jd}": "2"}, follow_redirects=False)
        assert (sent.status_code, sent.headers["location"][:8]) == (303, "/sign-in")
    assert browser.get("/identity/requests", follow_redirects=False).status_code == 303


def send(client, kang: int, **fields: str) -> Any:
    """Look at something on the workbench by its button's name."""
    place = f"/people/A{kang}/identity"
    token = fields_of(client.get(place).text, f"{place}/preview")["token"]
    return client.post(f"{place}/preview", data={"token": token, **fields})


def confirm(client, kang: int, seen: Any, **fields: str) -> Any:
    place = f"/people/A{kang}/identity/decide"
    sent = fields_of(seen.text, place) | fields
    return client.post(place, data=sent, follow_redirects=False)


def test_not_theirs_and_an_assignment_go_through_the_pages(society, kang, jd, site) -> None:
    member = society.member("Detaching Example")
    seen = send(member, kang, detach=f"W{jd}")
    assert "undecided" in seen.text and "7 works" in seen.text
    assert confirm(member, kang, seen).status_code == 303
    bench = member.get(f"/people/A{kang}/identity").text
    (number,) = re.findall(r'name="u(\d+)"', bench)
    assert 'author is not decided <span class="count num">1</span>' in bench
    seen = send(member, kang, **{f"u{number}": "1", "assign": "own"})
    assert "new" in seen.text and confirm(member, kang, seen).status_code == 303
    with site[1].session() as session:
        new = session.get(Authorship, int(number)).person_id
    assert new not in (None, kang)
    alike = member.get(f"/people/A{kang}/identity").text
    assert f"One person with A{new}" in alike and "More speaks for two people" in alike
    seen = send(member, kang, merge=f"A{new}")
    assert f"leads to A{kang}" in seen.text and confirm(member, kang, seen).status_code == 303
    assert member.get(f"/people/A{new}/identity", follow_redirects=False).headers["location"] == (
        f"/people/A{kang}/identity"
    )


def test_a_group_that_nothing_links_is_parted_with_one_button(society, numbers) -> None:
    number = numbers["person:Jonathon Shlens"]
    member = society.member("Grouping Example")
    bench = member.get(f"/people/A{number}/identity").text
    (group,) = re.findall(r'name="group" value="(\d+)">These 2 are another', bench)
    seen = send(member, number, group=group)
    assert "2 works change hands" in seen.text
    assert seen.text.count('Jonathon Shlens</bdi>, <span class="num">2 works') == 2


def claimed(society, kang: int, name: str = "Owning Example") -> Any:
    owner = society.member(name, level=2)
    with society.community.writing() as session:
        session.query(Account).filter(Account.person_id == kang).update({"person_id": None})
        session.get(Account, owner.account_id).person_id = kang
    return owner


def test_a_claimed_record_waits_for_its_owner(society, kang, jd, site) -> None:
    owner, member = claimed(society, kang), society.member("Asking Example")
    other = society.member("Other Example")
    place = f"/people/A{kang}/identity"
    seen = member.post(
        f"{place}/preview", data=fields_of(member.get(place).text, f"{place}/preview")
    )
    assert "waits for their word" in seen.text and "Ask for it" in seen.text
    asked = confirm(member, kang, seen, reason="<b>Two</b> people")
    number = int(asked.headers["location"].partition("request=")[2])
    assert len(works_on(member.get(f"/people/A{kang}").text)) == 7, "nothing has changed"
    assert "waits for the person’s word" in member.get(asked.headers["location"]).text
    with society.community.reading() as session:
        told = session.scalars(select(Notice.kind).where(Notice.account_id == owner.account_id))
        assert "identity.proposed" in list(told)
    # Neither read nor answered by others; not accepted by who asked.
    address = f"/identity/requests/{number}"
    assert other.get(address).status_code == 404
    assert f"Request {number}" not in other.get("/identity/requests").text
    for client, verdict, status in (
        (other, "accept", 404), (other, "withdraw", 404), (member, "accept", 403),
        (owner, "withdraw", 403), (owner, "nonsense", 400), (owner, "", 400),
    ):  # fmt: skip
        assert society.post(client, address, verdict=verdict).status_code == status
    page = owner.get(address).text
    assert "&lt;b&gt;Two&lt;/b&gt; people" in page and "Accept: do it" in page
    assert f"/identity/requests/{number}" in owner.get("/identity/requests").text
    fields = fields_of(page, address) | {"verdict": "accept"}
    done = owner.post(address, data=fields, follow_redirects=False)
    assert done.status_code == 303 and "event=" in done.headers["location"]
    assert len(works_on(member.get(f"/people/A{kang}").text)) == 6
    assert "Asking Example" in member.get("/identity").text
    assert society.post(owner, address, verdict="decline").status_code == 404, "answered before"
    with society.community.reading() as session:
        row = session.get(IdentityRequest, number)
        assert (row.state, row.decided_by) == ("accepted", owner.account_id)
    # Undoing it, too, waits where it is the owner's record.
    event = row.event_id
    seen = society.post(member, f"/identity/events/{event}/undo", back=place)
    assert "Ask for it" in seen.text


def test_owners_and_moderators_decide_and_who_asked_takes_back(society, kang, site) -> None:
    owner = claimed(society, kang, "Owner Example")
    assert "event=" in parted(owner, kang).headers["location"]
    event = int(parted_event(owner))
    address = f"/identity/events/{event}/undo"
    moderator = society.member("Moderating Example", role="moderator", level=1)
    seen = society.post(moderator, address, back=f"/people/A{kang}/identity")
    assert "is claimed by the person, who is told" in seen.text
    done = moderator.post(address, data=fields_of(seen.text, address), follow_redirects=False)
    assert done.status_code == 303
    with society.community.reading() as session:
        told = session.scalars(select(Notice.kind).where(Notice.account_id == owner.account_id))
        assert "identity.decided" in list(told)
    member = society.member("Withdrawing Example")
    waits = parted(member, kang).headers["location"].partition("request=")[2]
    assert (
        society.post(member, f"/identity/requests/{waits}", verdict="withdraw").status_code == 303
    )
    waits = parted(member, kang).headers["location"].partition("request=")[2]
    assert society.post(owner, f"/identity/requests/{waits}", verdict="decline").status_code == 303
    assert len(works_on(member.get(f"/people/A{kang}").text)) == 7
    with society.community.writing() as session:
        session.get(Account, owner.account_id).person_id = None


def parted_event(client) -> str:
    return re.search(r'id="event-(\d+)"', client.get("/identity").text)[1]


def test_without_a_confirmed_address_and_beyond_a_day_nothing_is_decided(
    society, kang, site, monkeypatch
) -> None:
    fresh = society.member("Unconfirmed Example", level=0)
    seen = send(fresh, kang, detach="W1")
    assert seen.status_code in (403, 409)
    with site[1].session() as session:
        work = session.scalar(select(Authorship.work_id).where(Authorship.person_id == kang))
    assert "Confirm your e-mail address" in send(fresh, kang, detach=f"W{work}").text
    monkeypatch.setattr(curation, "A_DAY", 1)
    member = society.member("Busy Example")
    assert parted(member, kang).status_code == 303
    address = f"/identity/events/{parted_event(member)}/undo"
    refused = society.post(member, address, back="/identity")
    assert refused.status_code == 429 and "times a day" in refused.text


def test_a_deleted_account_stays_in_the_history_without_its_name(society, kang) -> None:
    member = society.member("Leaving Example")
    assert parted(member, kang).status_code == 303
    other = society.browser()
    assert "Leaving Example" in other.get("/identity").text
    with society.community.writing() as session:
        session.delete(session.get(Account, member.account_id))
    page = other.get("/identity").text
    assert "Leaving Example" not in page and "a deleted account" in page


def test_what_was_shown_and_no_more_is_done(society, kang, jd, site) -> None:
    """Two look at the same; the second is shown what it has become."""
    one, two = society.member("First Example"), society.member("Second Example")
    place = f"/people/A{kang}/identity"
    seen = two.post(f"{place}/preview", data=fields_of(two.get(place).text, f"{place}/preview"))
    assert parted(one, kang).status_code == 303
    late = confirm(two, kang, seen)
    assert late.status_code == 409 and f"W{jd} is no work of A{kang}" in late.text
    seen = send(two, kang, detach=f"W{works_in(site, kang)[0]}")
    forged = confirm(two, kang, seen, expected="0" * 32)
    assert forged.status_code == 409 and "look at it again" in forged.text
    assert "This is what it would change now" in forged.text


def works_in(site, person: int) -> list[int]:
    with site[1].session() as session:
        return list(
            session.scalars(select(Authorship.work_id).where(Authorship.person_id == person))
        )


HOSTILE = [
    {"detach": "W999999999"}, {"detach": "W1"}, {"detach": "'; drop"}, {"detach": ""},
    {"merge": "A999999999"}, {"merge": "W1"}, {"merge": "A" + "9" * 40}, {"merge": ""},
    {"assign": "here"}, {"assign": "own", "u1": "1"}, {"assign": "own", "u999999999999999": "1"},
    {"group": "99"}, {"group": "-1"}, {"group": "x"}, {"w1": "2"}, {"w999999999999999": "2"}, {},
    {"elsewhere": "2:" + ",".join(map(str, range(1, 9000)))}, {"elsewhere": "2:;;:,", "wx": "3"},
    {"elsewhere": "\x00", "w\x00": "2"},
]  # fmt: skip


@pytest.mark.parametrize("fields", HOSTILE)
def test_nonsense_is_refused_with_a_sentence(society, kang, fields) -> None:
    member = society.member("Hostile Example")
    refused = send(member, kang, **fields)
    assert refused.status_code == 409
    sentence = re.search(r"<h1>Conflict</h1><p>(.+?)</p>", refused.text)
    assert sentence is not None and sentence[1].endswith(".")


@pytest.mark.parametrize(
    "asked",
    [
        "", "[]", "{}", "null", '{"kind":"drop"}', '{"kind":"split"}', "[" * 20_000,
        '{"kind":"split","person":"1"}', '{"kind":"split","person":1,"parts":{"a":1}}',
        '{"kind":"split","person":1,"parts":[[1,true]]}', '{"kind":"merge","people":[1e400]}',
        '{"kind":"merge","people":[-1,99999999999999999999]}', '{"kind":"undo"}',
        '{"kind":"undo","event":999999}', '{"kind":"detach","person":1,"works":"W1"}',
        '{"kind":"merge","people":[' + ",".join(["1"] * 6000) + "]}",
    ],
)  # fmt: skip
def test_a_forged_proposal_is_refused(society, kang, asked) -> None:
    member = society.member("Forging Example")
    place = f"/people/A{kang}/identity"
    sent = society.post(member, f"{place}/decide", place, asked=asked, reason="x" * 400)
    assert sent.status_code == 409, sent.text
    assert society.post(
        member, f"{place}/decide", place, asked="{}", reason="x" * 60_000
    ).status_code in (409, 413)


@pytest.mark.parametrize(
    "address",
    ["/people/A0/identity", "/people/A99999999/identity", "/people/A" + "9" * 30 + "/identity",
     "/identity/requests/99999999999999999999"],
)  # fmt: skip
def test_what_is_not_there_is_not_found(society, address) -> None:
    member = society.member("Looking Example")
    assert member.get(address).status_code == 404


def test_forms_of_others_and_of_other_sites_change_nothing(society, kang, jd) -> None:
    member, other = society.member("Form Example"), society.member("Foreign Example")
    place = f"/people/A{kang}/identity"
    fields = fields_of(member.get(place).text, f"{place}/preview") | {"detach": f"W{jd}"}
    assert other.post(f"{place}/preview", data=fields).status_code == 403
    assert member.post(f"{place}/preview", data=fields,
                       headers={"sec-fetch-site": "cross-site"}).status_code == 403  # fmt: skip
    many = {f"w{n}": "2" for n in range(400)}
    assert member.post(f"{place}/preview", data=fields | many).status_code == 413
    seen = society.post(member, "/identity/events/1/undo", back="//evil.example")
    assert 'action="//evil' not in seen.text and "evil.example" not in seen.text


def test_a_crowded_person_stays_within_the_budget(society, numbers, site) -> None:
    """Four hundred works: pages of sixty, each below 60 kB, the number of statements bounded."""
    number = numbers["person:Quentin Xavier Prolific"]
    member = society.member("Counting Example")
    place = f"/people/A{number}/identity"
    with count_statements(site[1].engine) as seen:
        page = member.get(place)
    assert page.status_code == 200 and len(page.content) < 60_000
    assert len(re.findall(r"<select", page.text)) == 60
    assert seen.count <= 26
    with count_statements(site[1].engine) as seen:
        assert member.get("/identity").status_code == 200
    assert seen.count <= 4
    last = member.get(f"{place}?page=99")
    assert len(re.findall(r"<select", last.text)) == 40
    fields = fields_of(last.text, f"{place}/preview")
    chosen = next(name for name in fields if re.fullmatch(r"w\d+", name))
    looked = member.post(f"{place}/preview", data=fields | {chosen: "2"})
    assert looked.status_code == 200 and "399 works" in looked.text


def test_an_import_under_way_is_said_so(society, kang, jd, site, monkeypatch) -> None:
    monkeypatch.setattr("peerscope.web.identity.PATIENCE", 0.2)
    member = society.member("Waiting Example")
    place = f"/people/A{kang}/identity"
    fields = fields_of(member.get(place).text, f"{place}/preview")
    with site[1].writer("a test"):
        busy = member.post(f"{place}/preview", data=fields)
    assert busy.status_code == 503 and busy.headers["retry-after"] == "60"
