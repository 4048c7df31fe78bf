from __future__ import annotations

import numpy as np
import pytest
from made_shop import shop_rows

from peerscope.retrieval.files.catalogue import Files, read_catalogue
from peerscope.retrieval.files.evaluation import METRICS, POOL, askings, drawn, evaluate_model
from peerscope.retrieval.files.held_out import HeldOutPart
from peerscope.retrieval.files.home import Home
from peerscope.retrieval.files.pipeline import index_model, train_model, trained_state
from peerscope.retrieval.histories import Histories


def test_systems_are_measured_over_the_same_held_out_queries(home) -> None:
    found = evaluate_model(home, "main", most=60)
    assert list(found.systems) == [
        "words", "vectors", "fused", "vectors, with user", "fused, with user",
    ]  # fmt: skip
    assert found.measured == (60, 60)
    assert found.pool == 240
    for means in (*found.systems.values(), *found.personal.values()):
        assert list(means) == list(METRICS)
        assert all(0 <= value <= 1 for value in means.values())
        assert means["top1"] <= means["top10"]
    assert found.systems["fused, with user"] != found.systems["fused"]
    assert evaluate_model(home, "main", most=60).systems == found.systems
    assert found.as_dict()["held_out"]["by"] == "time"


def test_who_asks_is_known_as_of_then_only(shop_files, home) -> None:
    found = read_catalogue(Files(*shop_files))
    held_out = HeldOutPart(**trained_state(home.model())["held_out"])
    histories = Histories(found.users, found.interactions, (item.id for item in found.items))
    events = found.interactions.where(held_out.mask(found.interactions))
    asked = askings(events, histories)
    rows = {(row["query"], str(row["user_id"]), float(row["time"])): row for row in shop_rows()[2]}
    assert len(asked) == len(events)
    for one, event in zip(asked, events, strict=True):
        row = rows[one.query, event.user_id, event.time]
        earlier = [
            other["item_id"]
            for other in sorted(shop_rows()[2], key=lambda other: -other["time"])
            if other["user_id"] == row["user_id"] and other["time"] < row["time"]
        ]
        before = shop_rows()[1][row["user_id"]]["history"]
        assert [found.ids.own(n) for n in one.user.history] == list(
            dict.fromkeys([*earlier, *before])
        )
        assert {found.ids.own(n) for n in one.grades} == {row["item_id"]}


@pytest.mark.parametrize("number", [3, 500, 20_000])
def test_a_pool_holds_one_chosen_item_and_others_drawn_evenly(number) -> None:
    every = np.arange(1, number + 1)
    generator = np.random.default_rng(0)
    grades = {2: 1.0, 3: 1.0}
    counts = np.zeros(number + 1)
    for _ in range(30):
        pool = drawn(every, grades, generator)
        assert pool[0] in grades
        assert not set(pool[1:].tolist()) & set(grades)
        assert len(set(pool.tolist())) == len(pool) == min(POOL, number - 1)
        counts[pool[1:]] += 1
    assert counts[1:].sum() == 30 * (min(POOL, number - 1) - 1)


def test_what_was_not_held_out_cannot_be_measured(tmp_path, shop_files) -> None:
    home = Home(tmp_path / "home")
    with pytest.raises(ValueError, match="index it first"):
        evaluate_model(home, "main")
    train_model(home, "main", shop_files, share=0, changes=("threads=1", "epochs=1", "width=16"))
    assert index_model(home, "main").build.published
    with pytest.raises(ValueError, match="No interactions were held out"):
        evaluate_model(home, "main")
