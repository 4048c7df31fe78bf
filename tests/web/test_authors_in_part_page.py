"""A work that only one person's record states says that it may have other authors."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "record"))

import source_samples as samples

from peerscope.discover import SiteDiscovery
from peerscope.record import Database, ingest, refresh_counts, resolve_people
from peerscope.record.importers import importer_for
from peerscope.settings import Settings
from peerscope.web import create_app

NOTE = "whether there are others is not known"


@pytest.fixture
def page(tmp_path):
    settings = Settings(home=tmp_path)
    database = Database(settings.record_url)
    database.migrate()
    app = create_app(settings, database, SiteDiscovery(database, settings.bundles, settings.index))
    client = TestClient(app)

    def shown(name: str, content: str) -> str:
        path = tmp_path / name
        path.write_text(content)
        ingest(database, importer_for(str(path)), str(path))
        resolve_people(database)
        refresh_counts(database)
        answer = client.get("/works/W1")
        assert answer.status_code == 200
        return answer.text

    yield shown
    database.close()


def test_the_page_says_so_until_a_source_lists_them(page) -> None:
    doi = samples.external("doi", "10.5555/abc.1")
    listed = page("o.json", json.dumps(samples.record([samples.summary(1, "Few negatives", doi)])))
    assert NOTE in listed and "Ada Example" in listed and "Ben Sample" not in listed
    whole = page("a.bib", samples.BIBTEX)
    assert NOTE not in whole and "Ben Sample" in whole
