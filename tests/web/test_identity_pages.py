"""Who is who through the pages: parted, joined, assigned, undone; by whom, and what others try."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from sqlalchemy import select

from peerscope.community import curation
from peerscope.community.accounts import names_of
from peerscope.community.curation_models import IdentityRequest
from peerscope.community.models import Account, Notice
from peerscope.record import count_statements
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
