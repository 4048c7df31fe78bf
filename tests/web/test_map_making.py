"""Making maps of a real site: the same bytes each time, through kills, without openTSNE, one after another."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from peerscope.discover.improving import Improvement, write_improvement
from peerscope.discover.maps import (
    MapError,
    MapStore,
    SiteMaps,
    background,
    make_map,
    making,
    read_note,
)
from peerscope.discover.maps.background import mapping
from peerscope.discover.maps.keeping import WORKS
from peerscope.record import Database, WriterBusyError, delete_works, file_lock
from peerscope.record.models import Work
from peerscope.retrieval import BundleStore
from peerscope.retrieval.bundle import open_items
from peerscope.retrieval.tsne import tsne_version
from peerscope.settings import Settings

needs_tsne = pytest.mark.skipif(tsne_version() is None, reason="openTSNE is not installed")


def silent(stage: str, done: int, total: int | None) -> None:
    pass


@pytest.fixture
def home(site, tmp_path) -> Path:
    """A copy of the site, with its map."""
    shutil.copytree(site[0].home, tmp_path / "site", symlinks=True)
    return tmp_path / "site"


@pytest.fixture
def settings(home) -> Settings:
    return Settings(home=home)


@pytest.fixture
def database(settings):
    found = Database(settings.record_url)
    yield found
    found.close()


def bytes_of(settings: Settings) -> dict[str, bytes]:
    store = MapStore(settings.maps)
    folder = store.path(store.bundles()[-1])
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "about.json"}


def bundle_again(settings: Settings, name: str = "29990101-000000-000000-0000") -> str:
    """The same bundle in service under a later name, as after another publication."""
    store = BundleStore(settings.bundles)
    shutil.copytree(store.path(store.current()), store.path(name))
    store._point(name)
    return name


def test_a_map_holds_every_work_of_the_bundle_where_the_record_says(
    site, settings, database
) -> None:
    store = MapStore(settings.maps)
    about, works, tiles, regions = store.opened(store.bundles()[-1])
    with database.session() as session:
        stated = {
            one.id: one for one in session.query(Work).filter(Work.deleted_at.is_(None))
        }  # fmt: skip
        assert set(works["id"].astype(int)) <= set(stated)
        assert about.works == len(works) == len(stated) - about.without_vector
        for work in works[:: len(works) // 50]:
            own = stated[int(work["id"])]
            assert work["year"] == (own.publication_year or 0)
            assert work["cited"] == own.cited_by_count
            assert about.types[work["type"]] == own.type
    assert len({(int(one["x"]), int(one["y"])) for one in works}) == len(works)
    assert sum(one["count"] for one in tiles) == len(works)
    counted = {one.number: one.works for one in regions if one.level == 1}
    assert 8 <= len(counted) <= 12
    assert sum(counted.values()) == len(works)
    assert set(works["region"]) <= {one.number for one in regions}
    if about.method == "t-SNE":
        assert about.kept > 0.3


def test_the_same_bundle_gives_the_same_map_to_the_byte(settings, database) -> None:
    before = bytes_of(settings)
    assert make_map(settings, database, silent, again=True).made
    assert bytes_of(settings) == before
    told = make_map(settings, database, silent)
    assert not told.made
    assert "already" in told.note


@needs_tsne
@pytest.mark.parametrize("reached", ["near.npz", "cold.npz"])
def test_killed_while_it_is_made_it_ends_as_if_it_had_not_been(settings, database, reached) -> None:
    before = bytes_of(settings)
    bundle = MapStore(settings.maps).bundles()[-1]
    shutil.rmtree(settings.maps)
    child = subprocess.Popen(
        [sys.executable, "-m", "peerscope", "map", "--home", str(settings.home)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ},
    )  # fmt: skip
    state = settings.maps / ".making" / bundle / reached
    end = time.monotonic() + 60
    while not state.exists() and child.poll() is None and time.monotonic() < end:
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert state.exists(), "it was too quick to be killed"
    assert not MapStore(settings.maps).bundles()
    assert read_note(settings).state == "stopped"
    with database.session() as session:
        maps = SiteMaps(settings)
        assert maps.current(session) is None
        assert "not made yet" in maps.why_none()
    assert make_map(settings, database, silent).made
    assert bytes_of(settings) == before
    assert not (settings.maps / ".making").exists()


def test_without_opentsne_it_is_a_plane_and_says_so(settings, database, monkeypatch) -> None:
    monkeypatch.setattr(making, "tsne_version", lambda: None)
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    made = make_map(settings, database, silent, again=True)
    assert made.about.method == "PCA"
    assert made.about.library.startswith("NumPy")
    assert 0 < made.about.kept < 0.3


@needs_tsne
def test_a_map_after_another_keeps_its_look(settings, database) -> None:
    first = MapStore(settings.maps).bundles()[-1]
    later = bundle_again(settings)
    with database.session() as session:
        maps = SiteMaps(settings)
        older = maps.current(session)
        assert older.about.bundle == first
        assert maps.is_older(older)
        about = make_map(settings, database, silent).about
        assert (about.bundle, about.follows) == (later, first)
        assert about.moved < 0.05
        now = maps.current(session)
        assert now.about.bundle == later
        assert not maps.is_older(now)
    store = MapStore(settings.maps)
    ids, before, _ = store.places(first)
    _, after, _ = store.places(later)
    same = dict(zip(store.places(later)[0].tolist(), after.tolist(), strict=True))
    gaps = [
        np.hypot(*(np.asarray(same[i]) - place))
        for i, place in zip(ids.tolist(), before, strict=True)
    ]
    assert np.median(gaps) == pytest.approx(about.moved, abs=1e-3)


def test_after_a_rollback_the_map_is_that_of_the_bundle_in_service(settings, database) -> None:
    first = MapStore(settings.maps).bundles()[-1]
    bundle_again(settings)
    make_map(settings, database, silent)
    BundleStore(settings.bundles).rollback()
    with database.session() as session:
        assert SiteMaps(settings).current(session).about.bundle == first


def test_maps_of_bundles_that_are_gone_go_as_well_but_for_the_newest(settings, database) -> None:
    store, first = MapStore(settings.maps), MapStore(settings.maps).bundles()[-1]
    later = bundle_again(settings)
    make_map(settings, database, silent)
    assert store.bundles() == [first, later]
    store.prune([later])
    assert store.bundles() == [later]
    store.prune([])
    assert store.bundles() == [later]


def test_a_broken_map_is_refused_with_its_mend(settings, database) -> None:
    store = MapStore(settings.maps)
    bundle = store.bundles()[-1]
    file = store.path(bundle) / WORKS
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(MapError, match=r"works\.npy is not as it was made.*peerscope map --again"):
        store.opened(bundle)
    maps = SiteMaps(settings)
    with database.session() as session:
        assert maps.current(session) is None
    assert "--again" in maps.why_none()


def test_without_a_bundle_or_without_vectors_it_says_so(settings, database) -> None:
    (settings.bundles / "current").unlink()
    told = make_map(settings, database, silent)
    assert not told.made
    assert "No bundle is in service" in told.note
    with database.session() as session:
        assert SiteMaps(settings).current(session) is None


def test_two_do_not_make_it_at_once(settings, database) -> None:
    with (
        file_lock(settings.maps / "making.lock", "making the map"),
        pytest.raises(WriterBusyError, match="making the map"),
    ):
        make_map(settings, database, silent, again=True)


def test_what_fails_is_noted_and_shown(settings, database, monkeypatch) -> None:
    shutil.rmtree(settings.maps)

    def broken(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(making, "facts_of", broken)
    with pytest.raises(OSError, match="No space left"):
        make_map(settings, database, silent)
    maps = SiteMaps(settings)
    with database.session() as session:
        assert maps.current(session) is None
    assert "No space left on device" in maps.why_none()


def test_deleted_works_are_not_on_the_next_map(settings, database) -> None:
    store = MapStore(settings.maps)
    works = store.opened(store.bundles()[-1])[1]
    gone = int(works["id"][0])
    with database.writer("deleting"), database.begin() as session:
        assert delete_works(session, [gone]) == 1
    made = make_map(settings, database, silent, again=True)
    assert made.about.works == len(works) - 1
    assert gone not in store.opened(store.bundles()[-1])[1]["id"]


def test_a_bundle_that_comes_into_service_gets_its_map_in_the_background(settings) -> None:
    later = bundle_again(settings)
    store = MapStore(settings.maps)
    with mapping(settings):
        end = time.monotonic() + 120
        while not store.has(later) and time.monotonic() < end:
            time.sleep(0.1)
    assert store.has(later)
    assert store.about(later).follows == store.bundles()[0]


@needs_tsne
def test_stopped_with_the_server_the_making_stops_too(settings) -> None:
    bundle = MapStore(settings.maps).bundles()[-1]
    shutil.rmtree(settings.maps)
    with mapping(settings):
        end = time.monotonic() + 120
        while read_note(settings) is None and time.monotonic() < end:
            time.sleep(0.005)
    note = read_note(settings)
    assert note.state == "stopped" or MapStore(settings.maps).has(bundle)


def test_while_works_are_encoded_no_map_is_made_that_would_be_thrown_away(
    settings, monkeypatch
) -> None:
    asked = []
    monkeypatch.setattr(background, "_run", lambda *_: asked.append(1))
    monkeypatch.setattr(background, "LOOKED_EVERY", 0.01)
    shutil.rmtree(settings.maps)
    write_improvement(settings, Improvement("waiting", total=5))
    with mapping(settings):
        time.sleep(0.3)
    assert asked == []
    write_improvement(settings, Improvement("done"))
    with mapping(settings):
        time.sleep(0.3)
    assert asked == [1]  # once, not each time it looks


def test_neighbours_are_looked_up_from_where_a_stopped_run_was(
    settings, tmp_path, monkeypatch
) -> None:
    store = BundleStore(settings.bundles)
    index = open_items(store.path(store.current()))
    ids = index.ids()
    vectors = index.vectors(ids.tolist())
    held = np.linalg.norm(vectors, axis=1) > 0
    ids, vectors = ids[held], vectors[held]
    monkeypatch.setattr(making, "CHUNK", 50)
    monkeypatch.setattr(making, "KEPT_EVERY", 2)
    whole = making.nearest_rows(index, ids, vectors, 5)
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -np.inf)
    best = np.sort(likeness, axis=1)[:, ::-1][:, :5]
    assert np.allclose(np.take_along_axis(likeness, whole, axis=1), best, atol=1e-5)

    class StoppedError(Exception):
        pass

    def stop(stage: str, done: int, total: int | None) -> None:
        if done >= 150:
            raise StoppedError

    with pytest.raises(StoppedError):
        making.nearest_rows(index, ids, vectors, 5, tmp_path, stop)
    seen: list[int] = []
    again = making.nearest_rows(
        index, ids, vectors, 5, tmp_path, lambda stage, done, total: seen.append(done)
    )
    assert np.array_equal(again, whole)
    assert seen[0] == 150  # two chunks of fifty were kept, the third was not
