"""Regions: named by what sets them apart, from titles and given topics, one within another."""

from __future__ import annotations

import numpy as np

from peerscope.discover.maps.regions import SMALLEST, Naming, regions_of
from peerscope.discover.maps.shapes import Region

OUTER = np.repeat([0, 1], 40)
INNER = np.repeat([0, 1, 2, 3], 20)
TITLES = (
    [f"Parsing sentences with a chart parser, part {n}" for n in range(20)]
    + [f"Parsing sentences with dependency arcs, part {n}" for n in range(20)]
    + [f"Recognition of speech in noise, part {n}" for n in range(20)]
    + [f"Recognition of speech of children, part {n}" for n in range(20)]
)
PLACES = np.stack([INNER / 4 + 0.1, np.linspace(0.1, 0.9, 80)], axis=1)
NAMES = {1: "Syntactic analysis", 2: "Acoustics"}


def made(groups=(OUTER, INNER), titles=TITLES, topics=None, given=frozenset()):
    naming = Naming(titles, topics or [[] for _ in titles], NAMES, given)
    return regions_of(list(groups), PLACES[: len(titles)], naming)


def test_names_are_what_is_frequent_inside_and_rare_around() -> None:
    regions, innermost = made()
    assert [(one.level, one.parent, one.works) for one in regions] == [
        (1, None, 40), (1, None, 40), (2, 1, 20), (2, 1, 20), (2, 2, 20), (2, 2, 20),
    ]  # fmt: skip
    said = [" ".join([one.label, *one.words]).casefold() for one in regions]
    assert "parsing sentences" in said[0] and "speech" not in said[0]
    assert "recognition of speech" in said[1] and "pars" not in said[1]
    assert "chart parser" in said[2] and "dependency arcs" not in said[2]
    assert "dependency arcs" in said[3]
    assert "children" in said[5]
    assert len({one.label for one in regions}) == len(regions)
    assert innermost.tolist() == np.repeat([3, 4, 5, 6], 20).tolist()


def test_topics_that_a_source_gave_name_regions_and_suggested_ones_do_not() -> None:
    topics = [[1]] * 40 + [[2]] * 40
    named = made(groups=(OUTER,), topics=topics, given=frozenset({1, 2}))[0]
    words = [{one.label, *one.words} for one in named]
    assert "Syntactic analysis" in words[0] and "Acoustics" in words[1]
    suggested = made(groups=(OUTER,), topics=topics)[0]
    assert all("Acoustics" not in {one.label, *one.words} for one in suggested)
    assert suggested[1].topics == ((2, "Acoustics", 40),)


def test_a_region_of_works_without_words_has_a_name_all_the_same() -> None:
    regions, _ = made(titles=["…"] * 80)
    assert [one.label for one in regions] == [f"Region {n}" for n in range(1, 7)]


def test_a_group_that_is_almost_its_parent_is_no_region_of_its_own() -> None:
    inner = OUTER.copy()
    inner[: SMALLEST - 1] = 7
    regions, innermost = made(groups=(OUTER, inner))
    assert [one.level for one in regions] == [1, 1]
    assert set(innermost.tolist()) == {1, 2}


def test_a_name_stands_at_a_work_of_its_region_and_most_works_are_in_its_box() -> None:
    regions, _ = made()
    for one, rows in zip(regions, [OUTER == 0, OUTER == 1], strict=False):
        own = PLACES[rows]
        assert np.isclose(own, (one.x, one.y), atol=1e-4).all(axis=1).any()
        left, top, right, bottom = one.box
        inside = (own >= (left, top)).all(axis=1) & (own <= (right, bottom)).all(axis=1)
        assert inside.mean() >= 0.8


def test_a_region_comes_back_from_json_as_it_was() -> None:
    from dataclasses import asdict

    import orjson

    for one in made()[0]:
        assert Region.from_dict(orjson.loads(orjson.dumps(asdict(one)))) == one


def test_a_server_reads_maps_without_what_makes_them() -> None:
    import subprocess
    import sys

    program = (
        "import sys, peerscope.web.app, peerscope.discover.maps\n"
        "print([name for name in ('openTSNE', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
