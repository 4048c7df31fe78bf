"""A whole site on a real record: two imports, trained towers, a published bundle, the application."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi.testclient import TestClient

from peerscope.discover import SiteDiscovery
from peerscope.discover.maps import make_map
from peerscope.discover.pipeline import publish_site, train_site
from peerscope.record import Database, ingest, refresh_counts, resolve_people
from peerscope.record.importers import importer_for
from peerscope.record.starter import FOLDER, STARTER
from peerscope.reproduce.store import Store
from peerscope.settings import Settings
from peerscope.web import create_app

CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update"]  # fmt: skip

HOSTILE = r"""
@article{script, title={<script>alert(1)</script> A title with "quotes" & <b>tags</b>},
  author={Example, Ada "<img src=x onerror=alert(2)>"}, year={2020}, abstract={<svg onload=alert(3)> text}}
@article{maths, title={Bounds of $O(n^2)$ and \emph{more}}, author={Example, Ada}, year={2021}}
@article{rtl, title={عنوان العمل}, author={محمد, علي}, year={2019}}
"""


def crowd() -> str:
    names = " and ".join(f"Author{n}, Ada{n}" for n in range(3000))
    return f"@article{{crowd, title={{A work of three thousand}}, author={{{names}}}, year={{2022}}}}\n"


def many() -> str:
    """Four hundred works of one person, stated by an identifier as in a prepared collection."""
    works = (
        {
            "id": f"m{n}",
            "title": f"Study {n} of a prolific person on subject {n % 7}",
            "year": 1980 + n % 40,
            "venue": ["Proceedings of Everything"],
            "type": "proceedings-article",
            "authors": [
                {"id": "prolific", "name": "Quentin Xavier Prolific"},
                {"id": f"partner{n % 40}", "name": f"Zoe Partner{n % 40}"},
            ],
        }
        for n in range(400)
    )
    return "\n".join(json.dumps(work) for work in works)


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Iterator[tuple[Settings, Database, SiteDiscovery]]:
    home = tmp_path_factory.mktemp("site")
    # All tests together are one network address, and ask more often than one may.
    settings = Settings(home=home, site_name="Test site", api_rate="")
    database = Database(settings.record_url)
    database.migrate()
    ingest(database, importer_for(STARTER), str(FOLDER), location=STARTER, name="Starter")
    path = home / "hostile.bib"
    path.write_text(HOSTILE + crowd(), encoding="utf-8")
    ingest(database, importer_for(str(path)), str(path))
    lines = home / "many.jsonl"
    lines.write_text(many(), encoding="utf-8")
    ingest(database, importer_for(str(lines)), str(lines))
    resolve_people(database)
    refresh_counts(database)
    train_site(settings, database, lambda *_: None)
    assert publish_site(settings, database, lambda *_: None).published
    assert make_map(settings, database, lambda *_: None).made
    Store(settings.reproductions).take_shipped()
    discovery = SiteDiscovery(database, settings.bundles)
    yield settings, database, discovery
    database.close()


@pytest.fixture(scope="session")
def client(site) -> TestClient:
    return TestClient(create_app(*site), raise_server_exceptions=False)


@pytest.fixture(scope="session")
def numbers(site) -> dict[str, int]:
    """Ids of what the tests look at, by name."""
    from sqlalchemy import select

    from peerscope.record.models import Institution, Person, Topic, Venue, Work

    _, database, _ = site
    with database.session() as session:
        found = {
            f"work:{title[:30]}": number
            for number, title in session.execute(select(Work.id, Work.title))
        }
        for kind, table in (
            ("person", Person),
            ("topic", Topic),
            ("place", Institution),
            ("venue", Venue),
        ):
            rows = session.execute(select(table.id, table.display_name).order_by(table.works_count))
            found |= {f"{kind}:{name}": number for number, name in rows}
    return found


@pytest.fixture
def static_folder() -> Path:
    import peerscope.web

    return Path(peerscope.web.__file__).parent / "static"


@contextmanager
def served(application) -> Iterator[str]:
    """The address of an application that listens on a free port."""
    server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    for _ in range(200):
        if server.started:
            break
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture(scope="session")
def serve():
    """`served`, for tests with an application of their own."""
    return served


@pytest.fixture(scope="session")
def address(site) -> Iterator[str]:
    with served(create_app(*site)) as found:
        yield found


@pytest.fixture(scope="session")
def own_address(society) -> Iterator[str]:
    """As `address`, with the accounts of `society`."""
    with served(society.application) as found:
        yield found


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(params=["light", "dark", "phone", "no script"])
def page(request, browser):
    """A page in light, dark, on a phone and without script; it collects what the console and dialogs say."""
    phone = request.param == "phone"
    context = browser.new_context(
        viewport={"width": 390 if phone else 1280, "height": 844 if phone else 900},
        color_scheme="dark" if request.param == "dark" else "light",
        java_script_enabled=request.param != "no script",
    )
    opened = context.new_page()
    opened.messages = []
    opened.on("console", lambda message: opened.messages.append(message.text))
    opened.on("dialog", lambda dialog: opened.messages.append("a dialog: " + dialog.message))
    yield opened
    context.close()


class Society:
    """Accounts of the test site, each with a browser of its own that is signed in."""

    PASSWORD = "a horse and a battery"

    def __init__(self, application, community) -> None:
        self.application, self.community = application, community

    def browser(self) -> TestClient:
        """Somebody who is not signed in."""
        return TestClient(
            self.application,
            raise_server_exceptions=False,
            headers={"sec-fetch-site": "same-origin"},
        )

    def member(self, name: str, role: str = "member", level: int = 1):
        """A fresh account, made below the pages; `join` goes through them."""
        from peerscope.community.accounts import create_account
        from peerscope.community.proofs import add_proof
        from peerscope.community.sessions import open_session

        email = f"{name.lower().replace(' ', '.')}.{secrets.token_hex(4)}@example.org"
        kinds = {1: "email", 2: "orcid", 3: "domain", 4: "vouch", 5: "admin"}
        with self.community.writing() as session:
            number = create_account(session, name, email=email, password=self.PASSWORD, role=role)
            for rung in range(1, level + 1):
                add_proof(session, number, kinds[rung], issuer="test")
            secret = open_session(session, number, "password")
        client = self.browser()
        client.cookies.set("peerscope-session", secret)
        client.account_id, client.email = number, email
        return client

    def token(self, client: TestClient, place: str = "/me") -> str:
        """The token of a form on a page."""
        return re.search(r'name="token" value="([^"]+)"', client.get(place).text)[1]

    def post(self, client: TestClient, address: str, place: str = "/me", **fields):
        """Send a form of a page; the redirect that follows is not gone."""
        fields = {"token": self.token(client, place), **fields}
        return client.post(address, data=fields, follow_redirects=False)


@pytest.fixture(scope="session")
def society(site) -> Iterator[Society]:
    from peerscope.community import Community

    community = Community(site[0])
    yield Society(create_app(*site, community=community, address="http://testserver"), community)
    community.close()


@pytest.fixture(scope="session")
def small_society(tmp_path_factory):
    """Makes a society on an empty record, with settings of its own: for tests of accounts alone."""
    from peerscope.community import Community

    home, opened = tmp_path_factory.mktemp("small"), []
    database = Database(f"sqlite:///{home / 'record.sqlite'}")
    database.migrate()

    def make(address: str = "http://testserver", **settings: object) -> Society:
        given = Settings(
            home=home / str(len(opened)),
            database_url=f"sqlite:///{home / 'record.sqlite'}",
            site_name="Test site",
            **settings,
        )
        community = Community(given)
        opened.append(community)
        discovery = SiteDiscovery(database, given.bundles)
        made = create_app(given, database, discovery, community=community, address=address)
        return Society(made, community)

    yield make
    for community in opened:
        community.close()
    database.close()


@pytest.fixture(autouse=True)
def _no_counts(request) -> None:
    """Each test begins with nothing counted."""
    if "society" in request.fixturenames:
        request.getfixturevalue("society").community.rates.clear()
