"""Adding works from the page: who may, what is shown first, what goes in, and how it is taken back."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from peerscope.community import Community
from peerscope.community.bringing import work_on
from peerscope.community.models import AuditEntry
from peerscope.community.waiting import (
    DONE,
    IMPORTING,
    LIFE,
    MOST_BYTES,
    READY,
    STOPPED,
    Waiting,
)
from peerscope.discover import SiteDiscovery
from peerscope.record import Database
from peerscope.record.models import SourceRecord, Work
from peerscope.settings import Settings
from peerscope.web import bring, create_app

BIB = """
@article{one, title={Learning to rank bright things}, author={Example, Ada and Sample, Ben}, year={2020},
  doi={10.5555/one}}
@article{two, title={A second study of ranks}, author={Example, Ada}, year={2021}}
@article{three, author={Sample, Ben}, year={2019}}
"""
MORE = """
@article{uno, title={Learning to rank bright things}, author={Example, Ada and Sample, Ben}, year={2020},
  doi={10.5555/ONE}, abstract={What the first file did not say.}}
@article{dos, title={A second study of ranks}, author={Example, Ada}, year={2021}}
@article{tres, title={A third one that is new}, author={Example, Ada}, year={2022}}
"""


class Place:
    """A site of its own, with accounts made as in `Society`."""

    def __init__(self, home: Path, society: type, **changed: Any) -> None:
        self.settings = Settings(home=home, site_name="Test site", **changed)
        self.database = Database(self.settings.record_url)
        self.database.migrate()
        self.community = Community(self.settings)
        discovery = SiteDiscovery(self.database, self.settings.bundles)
        self.application = create_app(
            self.settings,
            self.database,
            discovery,
            community=self.community,
            address="http://testserver",
        )
        made = society(self.application, self.community)
        self.browser, self.member, self.token, self.post = (
            made.browser,
            made.member,
            made.token,
            made.post,
        )


@pytest.fixture
def make_place(tmp_path, small_society, quick_hashes):
    """Makes sites with settings of their own."""
    society, opened = type(small_society()), []

    def make(**changed: Any) -> Place:
        opened.append(Place(tmp_path / str(len(opened)), society, **changed))
        return opened[-1]

    yield make
    for one in opened:
        one.community.close()
        one.database.close()


@pytest.fixture
def place(make_place) -> Place:
    return make_place()


def waiting_of(place) -> Waiting:
    return Waiting(place.community.settings.home)


def send(place, client, text: str = "", file: Any = None, **fields: str):
    sent = {
        "token": place.token(client),
        "name": "",
        "licence": "",
        "ids": "",
        "text": text,
    } | fields
    files = {"file": file if file is not None else ("", b"")}
    return client.post("/add", data=sent, files=files, follow_redirects=False)


def brought(place, client, text: str = BIB, **fields: str) -> str:
    done = send(place, client, text, **fields)
    assert done.status_code == 303, done.text
    return done.headers["location"]


def act(place, client, address: str, do: str, **fields: str):
    sent = {"token": place.token(client), "do": do, "page": "1"} | fields
    return client.post(address, data=sent, follow_redirects=False)


def ticks(text: str) -> dict[str, str]:
    """The records of a page that are ticked, as a browser would send them."""
    found = re.findall(
        r'<input type="checkbox" id="r\d+" name="(r\d+)" value="yes"( checked)?>', text
    )
    return {name: "yes" for name, checked in found if checked}


def works(place) -> list[str]:
    database = place.application.state.site.database
    with database.session() as session:
        return list(
            session.scalars(select(Work.title).where(Work.deleted_at.is_(None)).order_by(Work.id))
        )


def imported(place, client, text: str = BIB, **fields: str) -> int:
    """Import a paste whole; the number of its source."""
    address = brought(place, client, text, **fields)
    done = act(place, client, address, "import", **ticks(client.get(address).text))
    assert done.status_code == 303, done.text
    (number,) = waiting_of(place).read(address[5:]).sources
    return number


def test_a_paste_is_shown_before_anything_is_written_then_goes_in_and_is_found(place) -> None:
    admin = place.member("Ada Moderator", "moderator")
    address = brought(place, admin, name="A few ranks", licence="CC0-1.0")
    page = admin.get(address).text
    assert works(place) == []
    assert "Learning to rank bright things" in page and "new here" in page
    assert ("cannot go in" in page and "Give the work a title" in page) or "title" in page
    assert len(ticks(page)) == 2
    done = act(place, admin, address, "import", **ticks(page))
    assert done.status_code == 303
    assert works(place) == ["Learning to rank bright things", "A second study of ranks"]
    page = admin.get(address).text
    assert "2 records went in" in page
    source = re.search(r'/sources/(\d+)"', page)[1]
    shown = place.browser().get(f"/sources/{source}").text
    assert "A few ranks" in shown and "Ada Moderator" in shown and "CC0-1.0" in shown
    assert "A few ranks" in place.browser().get("/sources").text
    with place.application.state.site.database.session() as session:
        work = session.scalar(select(Work.id))
    assert f'href="/sources/{source}">A few ranks' in place.browser().get(f"/works/W{work}").text
    with place.community.reading() as session:
        assert "import.add" in session.scalars(select(AuditEntry.action)).all()


def test_what_is_here_already_is_named_with_the_reason_and_every_field_that_would_change(
    place,
) -> None:
    admin = place.member("Ada Moderator", "moderator")
    imported(place, admin)
    page = admin.get(brought(place, admin, MORE)).text
    assert "has the same DOI, 10.5555/one." in page
    assert "has the same title, authors and year." in page
    assert "What the first file did not say." in page
    assert ticks(page) == {"r0": "yes", "r2": "yes"}, (
        "what would change nothing is left unless chosen"
    )


def test_the_choice_is_kept_over_pages_and_only_what_is_chosen_goes_in(place) -> None:
    admin = place.member("Ada Moderator", "moderator")
    text = "".join(
        f"@article{{k{n}, title={{Study number {n} of many}}, author={{Example, Ada}}, year={{2020}}}}\n"
        for n in range(120)
    )
    address = brought(place, admin, text)
    page = admin.get(address).text
    assert len(ticks(page)) == bring.PER_PAGE and "Page" in page
    chosen = ticks(page)
    del chosen["r0"], chosen["r7"]
    done = act(place, admin, address, "next", **chosen)
    assert done.headers["location"].endswith("page=2")
    second = ticks(admin.get(done.headers["location"]).text)
    assert set(second) == {f"r{n}" for n in range(50, 100)}
    act(place, admin, address, "keep", **(second | {"page": "2"}))
    first = ticks(admin.get(address).text)
    assert "r0" not in first and "r7" not in first and len(first) == 48
    act(place, admin, address, "import", **first)
    assert len(works(place)) == 118 and "Study number 7 of many" not in works(place)
    again = brought(place, admin, text)
    assert (
        sum(
            1
            for one in waiting_of(place).rows(waiting_of(place).read(again[5:]))
            if one[2].state == "known"
        )
        == 118
    )


def test_all_none_and_only_new_ones(place) -> None:
    admin = place.member("Ada Moderator", "moderator")
    imported(place, admin)
    address = brought(place, admin, MORE)
    taken = lambda: waiting_of(place).read(address[5:]).taken()  # noqa: E731
    for do, number in (("none", 0), ("all", 3), ("new", 1)):
        act(place, admin, address, do)
        assert taken() == number, do
    act(place, admin, address, "none")
    refused = act(place, admin, address, "import")
    assert refused.status_code == 400 and "No record is chosen" in refused.text


def test_who_may_is_a_setting_and_everybody_else_reads_what_it_is(place, make_place) -> None:
    for client in (place.browser(), place.member("Mia Member")):
        page = client.get("/add")
        assert page.status_code == 200 and "works are added by its moderators" in page.text
        assert "multipart" not in page.text
    member = place.member("Mia Member")
    assert send(place, member, BIB).status_code == 403
    assert (
        place.browser()
        .post("/add", files={"file": ("a.bib", b"x")}, follow_redirects=False)
        .status_code
        == 303
    )
    open_to_all = make_place(adding="members")
    member = open_to_all.member("Mia Member")
    assert imported(open_to_all, member) > 0
    nobody = open_to_all.member("No Address", level=0)
    assert send(open_to_all, nobody, BIB).status_code == 403


def test_a_form_of_another_session_or_site_leaves_nothing_behind(place) -> None:
    admin, other = (
        place.member("Ada Moderator", "moderator"),
        place.member("Eve Moderator", "moderator"),
    )
    files = {"file": ("a.bib", BIB.encode())}
    for token in ("", "x", place.token(other)):
        done = admin.post("/add", data={"token": token}, files=files, follow_redirects=False)
        assert done.status_code == 403
    done = admin.post("/add", data={"token": place.token(admin)}, files=files,
                      headers={"sec-fetch-site": "cross-site"}, follow_redirects=False)  # fmt: skip
    assert done.status_code == 403
    assert not list((place.community.settings.home / "waiting").glob("*"))
    assert admin.post("/add", data={"token": place.token(admin)}).status_code == 415


def test_an_upload_without_end_is_cut_off_and_leaves_nothing(place, monkeypatch) -> None:
    admin = place.member("Ada Moderator", "moderator")
    monkeypatch.setattr(bring, "MOST_BYTES", 100_000)
    done = send(place, admin, file=("a.bib", b"@" * 200_000))
    assert done.status_code == 413 and "Split it" in done.text
    declared = admin.post(
        "/add", content=b"--x\r\n", follow_redirects=False,
        headers={"content-type": "multipart/form-data; boundary=x", "content-length": str(10 << 30)},
    )  # fmt: skip
    assert declared.status_code == 413
    assert send(place, admin, "x" * (1 << 20 | 1)).status_code == 413
    assert not list((place.community.settings.home / "waiting").glob("*"))
    assert MOST_BYTES == 64 << 20


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x1f\x8b\x08" + b"\0" * 50, "packed"), (b"PK\x03\x04" + b"\0" * 50, "packed"),
        (b"\x28\xb5\x2f\xfd" + b"\0" * 50, "packed"),
        (b"nothing that anybody knows", "none of BibTeX"),
        (b'<!DOCTYPE c [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
         b'<collection id="x"><volume id="1"><paper id="1"><title>&b;</title></paper></volume></collection>', ""),
        (b'<!DOCTYPE c [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
         b'<collection id="x"><volume id="1"><paper id="1"><title>&x;</title></paper></volume></collection>', ""),
        (b"\xff\xfe\x00\x00", "none of"), (b"{" * 100_000, ""), (b"@article{" * 20_000, ""),
    ],
)  # fmt: skip
def test_hostile_files_get_a_sentence(place, content, words) -> None:
    admin = place.member("Ada Moderator", "moderator")
    done = send(place, admin, file=("../../etc/evil.bib", content))
    page = done if done.status_code != 303 else admin.get(done.headers["location"])
    assert page.status_code in (200, 400) and words in page.text
    assert "root:" not in page.text and "aaaaaaaaaa" not in page.text
    assert "../" not in page.text
    assert not (place.community.settings.home.parent / "etc").exists()


def test_a_name_of_a_file_is_never_a_path(place) -> None:
    admin = place.member("Ada Moderator", "moderator")
    done = send(place, admin, file=("..\\..\\c:/windows/evil\x00name.bib", BIB.encode()))
    job = waiting_of(place).read(done.headers["location"][5:])
    assert "/" not in job.name and "\\" not in job.name
    folder = waiting_of(place).folder(job.key)
    assert {one.name for one in folder.iterdir()} >= {"upload", "job.json"}


def test_somebody_elses_import_is_not_there(place) -> None:
    owner, other = place.member("Ada Moderator", "moderator"), place.member("Eve Admin", "admin")
    address = brought(place, owner)
    assert other.get(address).status_code == 404
    for do in ("import", "discard", "stop", "keep"):
        assert act(place, other, address, do).status_code == 404
    for odd in ("x", "0" * 32, "%2e%2e%2f", "job.json"):
        assert owner.get(f"/add/{odd}").status_code == 404
    assert owner.get(address).status_code == 200
    assert place.browser().get(address, follow_redirects=False).status_code == 303


def test_a_second_submit_imports_nothing_twice(place) -> None:
    admin = place.member("Ada Moderator", "moderator")
    address = brought(place, admin)
    chosen = ticks(admin.get(address).text)
    for _ in range(2):
        assert act(place, admin, address, "import", **chosen).status_code == 303
    assert len(works(place)) == 2
    with place.application.state.site.database.session() as session:
        assert session.scalar(select(func.count()).select_from(SourceRecord)) == 2


def test_two_imports_at_once_get_the_sentence_and_what_was_brought_stays(place) -> None:
    admin = place.member("Ada Moderator", "moderator")
    address = brought(place, admin)
    with place.application.state.site.database.writer("a long import"):
        busy = act(place, admin, address, "import", **ticks(admin.get(address).text))
    assert busy.status_code == 409 and "Another process is writing to this site" in busy.text
    assert works(place) == []
    assert act(place, admin, address, "import", **ticks(admin.get(address).text)).status_code == 303
    assert len(works(place)) == 2


def test_a_preview_that_another_import_made_stale_is_shown_anew(place) -> None:
    admin = place.member("Ada Moderator", "moderator")
    address = brought(place, admin)
    chosen = ticks(admin.get(address).text)
    imported(place, admin, MORE)
    stale = act(place, admin, address, "import", **chosen)
    assert stale.status_code == 409 and "The record has changed since" in stale.text
    assert "has the same DOI" in stale.text and len(works(place)) == 3
    assert act(place, admin, address, "import", **ticks(stale.text)).status_code == 303


def test_taking_a_source_back_takes_what_only_it_said(place) -> None:
    admin = place.member("Ada Moderator", "moderator")
    first = imported(place, admin)
    second = imported(place, admin, MORE)
    page = admin.get(f"/sources/{first}").text
    assert "1 work that only it states goes" in page and "1 work stays" in page
    expected = re.search(r'name="expected" value="([^"]+)"', page)[1]
    stale = place.post(admin, f"/sources/{first}/withdraw", expected="9.9")
    assert stale.status_code == 409 and "nothing was withdrawn" in stale.text
    assert place.post(admin, f"/sources/{first}/withdraw", expected=expected).status_code == 303
    assert sorted(works(place)) == ["A third one that is new", "Learning to rank bright things"]
    page = place.browser().get(f"/sources/{first}").text
    assert "It was withdrawn" in page and "Ada Moderator" in page
    with place.community.reading() as session:
        assert "source.withdraw" in session.scalars(select(AuditEntry.action)).all()
    assert imported(place, admin) == first, (
        "the same file is the same source, and its works come back"
    )
    assert len(works(place)) == 3
    assert second != first


def test_members_take_back_their_own_sources_only(make_place) -> None:
    place = make_place(adding="members")
    owner, other = place.member("Mia Member"), place.member("Max Member")
    number = imported(place, owner)
    assert "Withdraw it" not in other.get(f"/sources/{number}").text
    assert "Withdraw it" not in place.browser().get(f"/sources/{number}").text
    assert place.post(other, f"/sources/{number}/withdraw", expected="2.2").status_code == 403
    assert "Withdraw it" in owner.get(f"/sources/{number}").text
    assert place.post(owner, f"/sources/{number}/withdraw", expected="2.2").status_code == 303
    assert works(place) == []
    for odd in ("0", "99999", str(2**70)):
        assert owner.get(f"/sources/{odd}").status_code == 404
        assert place.post(owner, f"/sources/{odd}/withdraw").status_code == 404


def test_a_large_import_runs_by_itself_stops_when_asked_and_goes_on(place, monkeypatch) -> None:
    """The steps of the process of its own, called here one after the other."""
    admin = place.member("Ada Moderator", "moderator")
    site = place.application.state.site
    begun: list[tuple[str, ...]] = []
    monkeypatch.setattr(bring, "left_alone", lambda settings, *command: begun.append(command))
    monkeypatch.setattr(bring, "AT_ONCE_BYTES", 1_000)
    text = "".join(
        f"@article{{k{n}, title={{Study number {n} of very many}}, author={{Example, Ada}}, year={{2020}}}}\n"
        for n in range(450)
    )
    address = brought(place, admin, text)
    assert (
        "Looking at it" in admin.get(address).text
        and 'http-equiv="refresh"' in admin.get(address).text
    )
    key = address[5:]
    assert begun == [("bring", key)]
    assert work_on(site.settings, site.database, key).state == READY
    act(place, admin, address, "import", **ticks(admin.get(address).text))
    assert begun == [("bring", key)] * 2 and waiting_of(place).read(key).state == IMPORTING
    act(place, admin, address, "stop")
    assert work_on(site.settings, site.database, key).state == STOPPED
    assert 0 < len(works(place)) < 450
    page = admin.get(address).text
    assert "Go on" in page and "take it back on the page of the source" in page
    act(place, admin, address, "import")
    assert work_on(site.settings, site.database, key).state == DONE
    assert len(works(place)) == 450


def test_a_real_process_of_its_own_does_it(place, monkeypatch) -> None:
    admin = place.member("Ada Moderator", "moderator")
    monkeypatch.setattr(bring, "AT_ONCE_BYTES", 10)
    address = brought(place, admin)
    for _ in range(600):
        if not waiting_of(place).read(address[5:]).running:
            break
        time.sleep(0.1)
    assert waiting_of(place).read(address[5:]).state == READY
    assert len(ticks(admin.get(address).text)) == 2


def test_identifiers_without_a_network_are_kept_with_the_reason(place, monkeypatch) -> None:
    admin = place.member("Ada Moderator", "moderator")
    site = place.application.state.site
    monkeypatch.setattr(bring, "left_alone", lambda *_: None)
    nowhere = {f"{name}_api": "" for name in ("crossref", "datacite", "arxiv", "orcid", "openalex")}
    settings = site.settings.model_copy(update=nowhere)
    done = send(place, admin, ids="10.1145/3397271.3401446\nnot an identifier")
    key = done.headers["location"][5:]
    job = work_on(settings, site.database, key)
    assert job.state == "failed" and job.missing
    page = admin.get(f"/add/{key}").text
    assert (
        "10.1145/3397271.3401446" in page and "Try again" in page and "Nothing was fetched" in page
    )
    assert act(place, admin, f"/add/{key}", "again").status_code == 303
    assert waiting_of(place).read(key).state == "reading"


def test_what_waits_is_erased_in_time_with_the_account_and_on_demand(place) -> None:
    admin = place.member("Ada Moderator", "moderator")
    waiting = waiting_of(place)
    first, second = brought(place, admin), brought(place, admin)
    act(place, admin, first, "discard")
    assert admin.get(first).status_code == 404
    job = waiting.read(second[5:])
    waiting.save(replace(job, created=time.time() - LIFE - 1))
    admin.get("/add")
    waiting.expire()
    assert not waiting.folder(job.key).exists()
    third = brought(place, admin)
    answer = admin.get("/me/export")
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        assert any(name.startswith("waiting/") for name in packed.namelist())
        assert b"imports_waiting" in packed.read("account.json")
    place.member("Another Admin", "admin")
    from peerscope.community.leaving import delete_account

    delete_account(place.community, place.application.state.site.readers, admin.account_id)
    assert not waiting.folder(third[5:]).exists()


def test_so_many_wait_and_no_more(place) -> None:
    admin = place.member("Ada Moderator", "moderator")
    for _ in range(10):
        brought(place, admin)
    full = send(place, admin, BIB)
    assert full.status_code == 400 and "wait already" in full.text


def test_nothing_or_several_things_at_once_are_refused(place) -> None:
    admin = place.member("Ada Moderator", "moderator")
    for text, ids in (("", ""), (BIB, "10.1/x")):
        done = send(place, admin, text, ids=ids)
        assert done.status_code == 400 and "one of the three" in done.text
    assert (Path(place.community.settings.home) / "waiting").exists()
