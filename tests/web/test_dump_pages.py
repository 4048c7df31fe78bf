"""Dumps on the site: the page, the files, ranges of them, and what is no file of a dump."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from peerscope.cli.dumping import dump_site
from peerscope.community.models import Account
from peerscope.community.person_settings import set_person
from peerscope.discover import SiteDiscovery
from peerscope.discover.dumping import Dumping, last_ended
from peerscope.record import Database, ingest, refresh_counts, resolve_people
from peerscope.record.dumps import dumps_in
from peerscope.record.importers import importer_for
from peerscope.record.models import Person
from peerscope.settings import Settings
from peerscope.web import create_app

BIB = "@article{a, title={A work of two}, author={Example, Ada and Other, Ben}, year={2020}, doi={10.1234/a}}\n"


@pytest.fixture
def small(tmp_path):
    settings = Settings(home=tmp_path / "site", site_name="Small")
    settings.home.mkdir()
    database = Database(settings.record_url)
    database.migrate()
    path = tmp_path / "a.bib"
    path.write_text(BIB)
    ingest(database, importer_for(str(path)), str(path))
    resolve_people(database)
    refresh_counts(database)
    application = create_app(settings, database, SiteDiscovery(database, settings.bundles))
    yield settings, database, TestClient(application), application.state.site.community
    database.close()


def rows(folder, name):
    return [json.loads(line) for line in gzip.decompress((folder / name).read_bytes()).splitlines()]


def test_without_a_dump_the_page_says_what_to_do(small) -> None:
    client = small[2]
    page = client.get("/dumps").text
    assert "There is no dump yet" in page and "peerscope dump" in page
    assert client.get("/dumps/latest/manifest.json").status_code == 404


def test_files_are_served_whole_and_in_parts(small) -> None:
    settings, database, client, _ = small
    dump, new = dump_site(settings, database, datetime(2026, 3, 4, tzinfo=UTC))
    assert new
    page = client.get("/dumps").text
    assert len(page) < 20_000 and page.count("<h1") == 1
    manifest = client.get("/dumps/latest/manifest.json").json()
    assert [one["name"] for one in manifest["files"]] == [one["name"] for one in dump.files]
    for one in manifest["files"]:
        address = f"/dumps/2026-03-04/{one['name']}"
        assert f'href="{address}"' in page
        whole = client.get(address)
        assert whole.headers["content-type"] == "application/gzip"
        assert "content-encoding" not in whole.headers and whole.headers["accept-ranges"] == "bytes"
        assert hashlib.sha256(whole.content).hexdigest() == one["sha256"]
        middle = client.get(address, headers={"range": "bytes=5-14"})
        assert (middle.status_code, middle.content) == (206, whole.content[5:15])
        assert middle.headers["content-range"] == f"bytes 5-14/{one['bytes']}"
        beyond = client.get(address, headers={"range": f"bytes={one['bytes']}-"})
        assert beyond.status_code == 416
    assert client.head("/dumps/2026-03-04/works.jsonl.gz").status_code == 200


@pytest.mark.parametrize(
    "path",
    ["2026-03-04/../../record.sqlite", "2026-03-04/..%2F..%2Frecord.sqlite", "..%2F/record.sqlite", "2026-03-04/.writer",
     "2026-03-04/", ".writer/x", "2026-03-04/works.jsonl.gz%00", "latest/record.sqlite", "2026-03-05/manifest.json",
     "%2e%2e/record.sqlite", "2026-03-04/manifest.json/x"],
)  # fmt: skip
def test_nothing_else_can_be_had(small, path) -> None:
    settings, database, client, _ = small
    dump_site(settings, database, datetime(2026, 3, 4, tzinfo=UTC))
    answer = client.get(f"/dumps/{path}", follow_redirects=False)
    assert answer.status_code in (404, 307) and b"SQLite" not in answer.content


def test_only_people_who_claimed_stand_in_trust_and_nobody_hidden_anywhere(small) -> None:
    settings, database, _, community = small
    with database.session() as session:
        ada, ben = session.scalars(select(Person.id).order_by(Person.id))
    from peerscope.community.accounts import create_account

    with community.writing() as session:
        number = create_account(
            session, "Ada Example", email="ada@example.org", password="a horse and a battery"
        )
        session.get(Account, number).person_id = ada
        set_person(session, ben, number, hidden=True)
    community.kept.forget()
    dump, _ = dump_site(settings, database, datetime.now(UTC))
    trust = rows(dump.folder, "trust.jsonl.gz")
    assert [one["person"] for one in trust] == [f"A{ada}"]
    assert (
        trust[0]["formula"]
        and set(trust[0]["verification"]) == {"level"}
        and "computed_at" not in trust[0]
    )
    assert [one["id"] for one in rows(dump.folder, "people.jsonl.gz")] == [f"A{ada}"]
    assert rows(dump.folder, "works.jsonl.gz")[0]["people"] == [f"A{ada}", None]
    everything = b"".join(
        (dump.folder / one["name"]).read_bytes() if one["name"].endswith("json") else
        gzip.decompress((dump.folder / one["name"]).read_bytes()) for one in dump.files
    ) + (dump.folder / "manifest.json").read_bytes()  # fmt: skip
    assert b"ada@example.org" not in everything and f'"A{ben}"'.encode() not in everything
    assert str(settings.home).encode() not in everything, (
        "paths of the machine are nobody's business"
    )
    with community.writing() as session:
        set_person(session, ada, number, noindex=True)
    community.kept.forget()
    again, new = dump_site(settings, database, datetime.now(UTC))
    assert new and rows(again.folder, "trust.jsonl.gz") == []


def test_the_command_writes_and_then_finds_nothing_changed(small) -> None:
    settings = small[0]
    asked = [sys.executable, "-m", "peerscope", "dump", "--home", str(settings.home)]
    first = subprocess.run(asked, capture_output=True, text=True, timeout=120)
    assert first.returncode == 0 and "works.jsonl.gz: 1 rows" in first.stdout, first.stderr
    second = subprocess.run([*asked, "--json"], capture_output=True, text=True, timeout=120)
    said = json.loads(second.stdout)
    assert said["new"] is False and len(dumps_in(settings.dumps)) == 1
    nowhere = subprocess.run(
        [*asked[:-1], str(settings.home / "no")], capture_output=True, text=True, timeout=120
    )
    assert nowhere.returncode != 0 and "There is no site in" in nowhere.stderr


def test_the_clock_runs_the_command_and_waits_again(small) -> None:
    settings = small[0]
    schedule = Dumping(settings, 1.0)
    schedule.start()
    ends = time.monotonic() + 100
    while last_ended(settings) == 0 and time.monotonic() < ends:
        time.sleep(0.1)
    schedule.stop()
    assert len(dumps_in(settings.dumps)) == 1
    assert 0 < time.time() - last_ended(settings) < 100


def test_a_dump_that_fails_is_said_and_not_tried_at_once(small, monkeypatch) -> None:
    settings = small[0]
    monkeypatch.setenv("PEERSCOPE_API_RATE", "often")
    assert Dumping(settings, 1.0).once() != 0
    assert last_ended(settings) > 0 and dumps_in(settings.dumps) == []
