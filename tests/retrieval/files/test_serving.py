from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import httpx2
import pytest
import uvicorn
from made_shop import shop_rows

from peerscope.retrieval.bundle import BundleStore
from peerscope.retrieval.files.changes import ChangeLog
from peerscope.retrieval.files.home import Home
from peerscope.retrieval.files.models import ServedModels
from peerscope.retrieval.files.pipeline import index_model
from peerscope.retrieval.files.serving import Asked, NotServedError, RetiredError, Servable
from peerscope.web.servable import create_servable_app


@contextmanager
def serving(home: Home, **options):
    """A real server on loopback, with its client and its models."""
    models = ServedModels(home)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    app = create_servable_app(models, **options)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        with httpx2.Client(base_url=address, timeout=30) as client:
            deadline = time.monotonic() + 30
            while not server.started and time.monotonic() < deadline:
                time.sleep(0.02)
            yield client, models
    finally:
        server.should_exit = True
        thread.join(30)


def copied_bundle(store: BundleStore, name: str) -> str:
    """The bundle in service once more under a later name, published by the rename of its link."""
    shutil.copytree(store.path(store.current()), store.path(name))
    store._point(name)
    return name


def flip_a_byte(store: BundleStore, name: str) -> None:
    path = store.path(name) / "index" / "vectors.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_search_filters_facets_and_who_asks(home) -> None:
    with serving(home) as (client, _):
        found = client.get("/v1/search", params={"q": "red lamp", "k": 3}).json()
        items = {row["id"]: row for row in shop_rows()[0]}
        assert [len(found["hits"]), found["model"], found["personal"]] == [3, "main", False]
        assert all(hit["title"] == items[hit["id"]]["title"] for hit in found["hits"])
        assert "lamp" in found["hits"][0]["matched_words"]
        asked = {
            "query": "red", "where": {"colour": ["red"]}, "ranges": {"stock": [1, 2]},
            "facets": ["stock"], "user": {"id": "0"}, "k": 200,
        }  # fmt: skip
        found = client.post("/v1/search", json=asked).json()
        assert found["personal"]
        chosen = [items[hit["id"]] for hit in found["hits"]]
        assert chosen
        assert {(row["colour"], row["stock"]) for row in chosen} == {("red", 1), ("red", 2)}
        assert found["facets"]["stock"] == {
            value: sum(str(row["stock"]) == value for row in chosen) for value in ("1", "2")
        }
        assert {hit["because"] for hit in found["hits"]} - {None}
        plain = client.post("/v1/search", json=asked | {"personal": False}).json()
        assert not plain["personal"]
        assert {hit["because"] for hit in plain["hits"]} == {None}


def test_items_go_in_and_out_and_are_found_at_once(home) -> None:
    with serving(home) as (client, models):
        new = [
            {"id": 7, "title": "A wombat lamp", "colour": "plum", "rating": 4.5},
            {"id": None, "title": "x"},
        ]
        answer = client.put("/v1/items", json={"items": new}).json()
        assert answer["items"] == 1
        assert {(one["row"], one["column"]) for one in answer["problems"]} == {
            (1, "rating"),
            (2, "id"),
        }
        asked = {"query": "wombat", "where": {"colour": ["plum"]}}
        hit = client.post("/v1/search", json=asked).json()["hits"][0]
        assert (hit["id"], hit["title"]) == ("7", "A wombat lamp")
        client.put(
            "/v1/items", json={"items": [{"id": "7", "title": "Now a bilby"}]}
        ).raise_for_status()
        assert client.get("/v1/search", params={"q": "bilby"}).json()["hits"][0]["id"] == "7"
        assert "wombat" not in str(client.get("/v1/search", params={"q": "wombat"}).json()["hits"])
        second = ServedModels(home)  # another process over the same folder
        second.refresh()
        assert second.search(Asked("bilby")).found[0].id == "7"
        assert (
            client.delete("/v1/items", params={"id": ["7", "sku-0", "unknown"]}).status_code == 200
        )
        assert "bilby" not in str(client.get("/v1/search", params={"q": "bilby"}).json()["hits"])
        second.refresh()
        hits = second.search(Asked("red blue green black white", 1000)).found
        assert "sku-0" not in {found.id for found in hits}
        assert models.search(Asked("lamp no 0", 200)).results.total > 0
        second.close()


def test_changes_outlive_the_process_and_the_bundle(home) -> None:
    with serving(home) as (client, _):
        client.put("/v1/items", json={"items": [{"id": "w", "title": "A wombat lamp"}]})
        first = client.get("/healthz").json()["models"]["main"]
        copied_bundle(home.model().store, "99990101-000000-000000-aaaa")
        wait_for(client, "99990101-000000-000000-aaaa")
        assert client.get("/v1/search", params={"q": "wombat"}).json()["hits"][0]["id"] == "w"
        home.model().store.rollback()
        wait_for(client, first)
        assert client.get("/v1/search", params={"q": "wombat"}).json()["hits"][0]["id"] == "w"
    with serving(home) as (client, _):
        assert client.get("/v1/search", params={"q": "wombat"}).json()["hits"][0]["id"] == "w"


def wait_for(client, bundle: str, model: str = "main") -> None:
    deadline = time.monotonic() + 20
    while client.get("/healthz").json()["models"].get(model) != bundle:
        assert time.monotonic() < deadline, f"{bundle} did not come into service"
        time.sleep(0.05)


def test_bundles_come_and_go_under_load_without_a_failed_request(home) -> None:
    store = home.model().store
    stop = threading.Event()
    answers: list[tuple[int, str]] = []
    failures: list[str] = []

    with serving(home) as (client, _):

        def ask(number: int) -> None:
            with httpx2.Client(base_url=client.base_url, timeout=30) as own:
                step = 0
                while not stop.is_set():
                    step += 1
                    try:
                        if number == 0 and step % 5 == 0:
                            rows = [{"id": f"new-{step}", "title": f"wombat number {step}"}]
                            found = own.put("/v1/items", json={"items": rows})
                        else:
                            params = {
                                "q": f"{('red', 'blue')[step % 2]} lamp",
                                "user": step % 60,
                                "k": 50,
                            }
                            found = own.get("/v1/search", params=params)
                            answers.append((len(found.json()["hits"]), found.json()["bundle"]))
                        if found.status_code != 200:
                            failures.append(found.text)
                    except Exception as error:
                        failures.append(repr(error))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        try:
            for step in range(6):
                name = copied_bundle(store, f"99990101-00000{step}-000000-aaaa")
                if step % 2 == 0:
                    wait_for(client, name)
                store.prune(1)  # removes bundles that this server may still have open
            built = index_model(home, "main").build
            assert built.published
            wait_for(client, built.bundle)
            store._point(name)
            wait_for(client, name)
            wait_for(client, store.rollback())
        finally:
            stop.set()
            for thread in threads:
                thread.join(30)
    assert failures == []
    assert {number for number, _ in answers} == {50}
    assert len({bundle for _, bundle in answers}) >= 4
    assert len(answers) > 50


def test_a_broken_bundle_is_refused_and_the_old_one_keeps_serving(home, caplog) -> None:
    store = home.model().store
    before = store.current()
    with serving(home) as (client, models), caplog.at_level(logging.ERROR):
        name = "99990101-000000-000000-bbbb"
        shutil.copytree(store.path(before), store.path(name))
        flip_a_byte(store, name)
        store._point(name)
        deadline = time.monotonic() + 20
        while name not in models.model("main").refused:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert client.get("/v1/search", params={"q": "lamp"}).json()["bundle"] == before
        lines = [record.getMessage() for record in caplog.records if name in record.getMessage()]
        assert len(lines) == 1
        assert "refused" in lines[0]
        assert "vectors.npy" in lines[0]
        assert name in client.get("/v1/models").json()[0]["refused"]
        good = "99990101-000001-000000-cccc"
        shutil.copytree(store.path(before), store.path(good))
        store._point(good)
        wait_for(client, good)


def test_started_on_a_broken_bundle_the_one_before_serves(home) -> None:
    store = home.model().store
    before = store.current()
    flip_a_byte(store, copied_bundle(store, "99990101-000000-000000-bbbb"))
    with serving(home) as (client, _):
        assert client.get("/healthz").json() == {"ok": True, "models": {"main": before}}


def test_a_bundle_of_the_site_is_refused(home) -> None:
    store = home.model().store
    name = copied_bundle(store, "99990101-000000-000000-dddd")
    (store.path(name) / "catalogue.sqlite").unlink()
    manifest = store.path(name) / "manifest.json"
    stated = json.loads(manifest.read_text())
    del stated["files"]["catalogue.sqlite"]
    manifest.write_text(json.dumps(stated))
    models = ServedModels(home)
    models.refresh()
    assert "was not made by" in models.model("main").refused[name]
    models.close()


def test_models_are_asked_by_name(home) -> None:
    shutil.copytree(home.model().folder, home.folder / "models" / "other", symlinks=True)
    with serving(home) as (client, _):
        assert set(client.get("/healthz").json()["models"]) == {"main", "other"}
        found = client.get("/v1/search", params={"q": "lamp", "model": "other"}).json()
        assert found["model"] == "other"
        assert client.get("/v1/search", params={"q": "lamp"}).json()["model"] == "main"
        missing = client.get("/v1/search", params={"q": "lamp", "model": "none"})
        assert missing.status_code == 404
        assert "main, other" in missing.json()["detail"]
        assert (
            client.put("/v1/items", json={"items": [{"id": 1, "title": "wombat"}]}).status_code
            == 200
        )
        for model in ("main", "other"):
            hits = client.get("/v1/search", params={"q": "wombat", "model": model}).json()["hits"]
            assert hits[0]["id"] == "1"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "detail"),
    [
        ("GET", "/v1/search", None, 422, "q"),
        ("GET", "/v1/search?q=a&k=0", None, 422, "k"),
        ("GET", "/v1/search?q=a&k=ten", None, 422, "k"),
        ("GET", "/v1/search?q=" + "a" * 2001, None, 422, "q"),
        ("POST", "/v1/search", {"query": "a", "odd": 1}, 422, "odd"),
        ("POST", "/v1/search", {"query": "a", "ranges": {"x": [1]}}, 422, "ranges"),
        ("PUT", "/v1/items", {"items": []}, 422, "items"),
        ("PUT", "/v1/items", {"items": [{"id": 1}]}, 422, "no column `title`"),
        ("PUT", "/v1/items", {"items": [{"id": 1, "title": ""}]}, 422, "row 1, column title"),
        ("DELETE", "/v1/items", None, 422, "id"),
        ("GET", "/v2", None, 404, "Not Found"),
    ],
)  # fmt: skip
def test_requests_that_cannot_be_answered(served, method, path, body, status, detail) -> None:
    answer = served.request(method, path, json=body)
    assert answer.status_code == status
    assert detail in answer.json()["detail"]
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "query", ["", " ", "\x00", "the of and", "🦊", '" OR 1=1 --', "*" * 500, "a" * 2000]
)  # fmt: skip
def test_any_string_is_a_query(served, query) -> None:
    assert served.post("/v1/search", json={"query": query}).status_code == 200


def test_half_a_character_is_answered_too(served) -> None:
    answer = served.post("/v1/search", content=b'{"query": "lamp \\ud83d"}')
    assert answer.status_code in (200, 422)
    assert answer.json()


@pytest.fixture(scope="module")
def served(trained_home, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "home"
    shutil.copytree(trained_home, folder, symlinks=True)
    with serving(Home(folder)) as (client, _):
        yield client


def test_a_query_waits_for_no_writer(home) -> None:
    with serving(home) as (client, models):
        model = models.model()
        with model._writing, model._swapping:  # a swap and a write that never end
            assert client.get("/v1/search", params={"q": "lamp", "user": "0"}, timeout=5).json()[
                "hits"
            ]


def test_a_read_only_server_takes_no_items(home) -> None:
    with serving(home, writable=False) as (client, _):
        assert client.put("/v1/items", json={"items": [{"id": 1, "title": "a"}]}).status_code == 403
        assert client.delete("/v1/items", params={"id": "1"}).status_code == 403
        assert ChangeLog(home.changes).last() == 0


def test_an_empty_folder_is_served_until_something_is_published(tmp_path, trained_home) -> None:
    home = Home(tmp_path / "home")
    home.folder.mkdir()
    with serving(home) as (client, _):
        assert client.get("/healthz").status_code == 503
        assert client.get("/v1/search", params={"q": "lamp"}).status_code == 404
        shutil.copytree(trained_home / "models", home.folder / "models", symlinks=True)
        wait_for(client, home.model().store.current())


def test_a_retired_bundle_stays_open_for_the_query_that_has_it(home) -> None:
    store = home.model().store
    servable = Servable(store, store.current())
    with servable.reading():
        servable.retire()
        assert servable.search("main", Asked("lamp")).found
        with pytest.raises(RetiredError), servable.reading():
            pass
    with pytest.raises(Exception, match="closed"):
        servable.search("main", Asked("lamp"))
    with pytest.raises(NotServedError):
        ServedModels(Home(home.folder / "none")).search(Asked("lamp"))


def test_serving_imports_neither_torch_nor_pyarrow(home) -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from fastapi.testclient import TestClient\n"
        "from peerscope.cli import app\n"
        "from peerscope.retrieval.files.home import Home\n"
        "from peerscope.retrieval.files.models import ServedModels\n"
        "from peerscope.web.servable import create_servable_app\n"
        "with TestClient(create_servable_app(ServedModels(Home(Path(sys.argv[1]))))) as client:\n"
        "    client.put('/v1/items', json={'items': [{'id': 1, 'title': 'wombat lamp'}]})\n"
        "    found = client.get('/v1/search', params={'q': 'wombat lamp', 'user': '0'}).json()\n"
        "    assert found['hits'][0]['id'] == '1' and found['mode'] == 'hybrid', found\n"
        "print(sorted({'torch', 'pyarrow'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(home.folder)], capture_output=True, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.stdout.strip() == "[]", done.stderr


def test_a_change_log_is_shared_by_threads_and_keeps_the_last_state(tmp_path) -> None:
    log = ChangeLog(tmp_path / "new" / "changes.sqlite")
    assert (log.last(), log.since(0)) == (0, [])

    def write(number: int) -> None:
        for _ in range(20):
            log.remove([f"id-{number}", "shared"])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.last() == 160
    found = log.since(0)
    assert {change.own for change in found} == {"shared", *(f"id-{number}" for number in range(4))}
    assert [change.number for change in found] == sorted(change.number for change in found)
    assert len(log.since(0, 2)) == 2
    log.forget(log.last())
    assert log.since(0) == []
    assert log.put([]) == 160
