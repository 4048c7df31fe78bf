"""What is trained is what serves, and both are DPSR's formulas worked out by other means."""

from __future__ import annotations

import math

import numpy as np
import pytest

from peerscope.retrieval import Interaction, Item, Tokenizer, User, load_towers, save_towers, train
from peerscope.retrieval.embed import Bag
from peerscope.retrieval.examples import kept_aside, training_pairs
from peerscope.retrieval.learn.config import PRESETS, TrainConfig, best, configured, paper
from peerscope.retrieval.schema import UserInput
from peerscope.retrieval.towers import Categories, History, Tower, soft_dot

torch = pytest.importorskip("torch", reason="the extra `learn` is not installed")

from peerscope.methods.contrastive import soft_dot as torch_soft_dot  # noqa: E402
from peerscope.retrieval.learn.data import known_answers, meeting  # noqa: E402
from peerscope.retrieval.learn.lists import Lists  # noqa: E402
from peerscope.retrieval.learn.model import Model, attended  # noqa: E402
from peerscope.retrieval.learn.objective import disuse, objective, separation  # noqa: E402

QUICK = {"epochs": 2, "hidden": (16,), "batch": 64, "threads": 1}


@pytest.fixture
def clicks(items) -> list[Interaction]:
    found = []
    for n in range(240):
        user, own = f"u{n % 12}", items[(n * 7) % 240]
        found.append(Interaction(items[n].title, own.id, user, time=float(n)))
    return found


@pytest.fixture
def users() -> list[User]:
    return [User(f"u{n}", {"field": "abc"[n % 3]}, (n + 1, n + 2)) for n in range(12)]


CASES = {
    "best": best(**QUICK),
    "best, all parts": best(
        **QUICK, heads=3, separation=0.1, profile=("field",), fields=("kind", "tag"), mask_above=0.1,
        hard=1, hard_after=0, hard_ranks=(5, 20), matryoshka=(8,),
    ),
    "best, mean history": best(**QUICK, history="mean", loss="dual_temperature"),
    "paper": paper(**QUICK, width=16, dim=16),
    "paper, two heads, profile": paper(**QUICK, width=16, dim=16, heads=2, profile=("field",)),
    "paper, last ReLU": paper(**QUICK, width=16, dim=16, last_relu=True, alpha=1.0),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_served_towers_are_the_trained_ones(items, clicks, users, tmp_path, name) -> None:
    """The served arithmetic, after a round through files, against the trainable module."""
    config = CASES[name]
    trained = train(items, clicks, config, users=users)
    assert trained is not None
    towers = trained.towers
    save_towers(towers, tmp_path / "towers")
    served = load_towers(tmp_path / "towers")
    model = Model(
        towers.front, config, {n: part.values for n, part in towers.profile.items()},
        {n: part.values for n, part in towers.fields.items()},
    ).eval()  # fmt: skip
    fitted = model.take_over(towers)
    assert fitted == (config.text == "analysis" and not config.profile and not config.fields)
    texts = [item.title for item in items[:9]] + ["", "the of", "zzzqqq"]
    vectors = towers.embed_items(items[:9])
    who = [UserInput(vectors[: n % 4], {"field": "abc?"[n % 4]}) for n in range(len(texts))]
    ours = towers.embed_queries(texts, who)
    assert ours.shape == (len(texts), config.heads, towers.dim)
    if fitted:
        places = np.arange(len(texts))
        counts = np.asarray([n % 4 for n in range(len(texts))])
        padded = torch.from_numpy(np.stack([vectors[:3]] * len(texts)))
        present = torch.from_numpy(np.arange(3) < counts[:, None])
        with torch.no_grad():
            rows = model.texts(texts).rows(places)
            reference = model.query_vectors(rows, (padded, present), []).numpy()
        assert ours == pytest.approx(reference, abs=2e-5)
    # term vectors are stored in half precision
    again = served.embed_queries(texts, who)
    known = np.linalg.norm(ours, axis=2) > 0.5
    assert np.einsum("nkd,nkd->nk", again, ours)[known].min() > 0.999
    # unknown words share the buckets of a learned table
    assert not (again[-3:] if config.text == "analysis" else again[-3:-1]).any()
    assert served.embed_items(items[:9]) == pytest.approx(vectors, abs=0.05)
    assert np.isfinite(again).all()


@pytest.mark.parametrize("heads", [1, 2, 5])
@pytest.mark.parametrize("beta", [0.05, 1.0])
def test_the_soft_dot_product_is_equation_1(heads, beta) -> None:
    scores = np.random.default_rng(heads).uniform(-1, 1, size=(4, heads))
    by_hand = []
    for row in scores.tolist():
        weights = [math.exp(s / beta) for s in row]
        by_hand.append(sum(w * s for w, s in zip(weights, row, strict=True)) / sum(weights))
    assert soft_dot(scores.astype(np.float32), beta) == pytest.approx(by_hand, abs=1e-5)
    own = torch_soft_dot(torch.tensor(scores.T[None]), beta)[0]
    assert own.numpy() == pytest.approx(by_hand, abs=1e-12)


def test_the_soft_dot_product_goes_from_the_mean_to_the_largest() -> None:
    scores = np.asarray([[0.9, 0.1, -0.4]], np.float32)
    assert soft_dot(scores, 1e-4)[0] == pytest.approx(0.9, abs=1e-5)
    assert soft_dot(scores, 1e4)[0] == pytest.approx(0.2, abs=1e-4)


def test_a_history_is_pooled_alike_in_training_and_serving() -> None:
    generator = np.random.default_rng(0)
    query, items = generator.normal(size=8), generator.normal(size=(5, 8))
    served = History("attention", 4, 0.3).pooled(query.astype(np.float32), items.astype(np.float32))
    logits = items[:4] @ query / 0.3
    shares = np.exp(logits) / np.exp(logits).sum()
    assert served == pytest.approx(shares @ items[:4], rel=1e-4)
    present = torch.tensor([[True] * 4 + [False]])
    own = attended(torch.tensor(query)[None], torch.tensor(items)[None], present, 0.3)[0]
    assert own.numpy() == pytest.approx(shares @ items[:4], rel=1e-9)
    nothing = attended(torch.tensor(query)[None], torch.tensor(items)[None], ~present & False, 0.3)
    assert not nothing.any()


def test_a_history_moves_a_query_towards_what_was_met(items, clicks, users) -> None:
    towers = train(items, clicks, best(**QUICK | {"epochs": 1}), users=users).towers
    vectors = towers.embed_items(items)
    own, plain = towers.embed_queries(["images"] * 2, [UserInput(vectors[:1]), None])
    assert (own @ vectors[0])[0] > (plain @ vectors[0])[0]


def test_heads_kept_apart_are_less_alike() -> None:
    same = torch.nn.functional.normalize(torch.ones(3, 2, 4), dim=2)
    apart = torch.eye(4)[None, :2].repeat(3, 1, 1)
    assert float(separation(same)) == pytest.approx(1.0)
    assert float(separation(apart)) == pytest.approx(0.0)
    assert float(separation(same[:, :1])) == 0.0
    used = torch.eye(4)[:2]
    assert float(disuse(apart[:2], used, 0.05)) == pytest.approx(0.0, abs=1e-4)
    assert float(disuse(apart[:2], used[:1].repeat(2, 1), 0.05)) == pytest.approx(
        math.log(2), abs=1e-4
    )


def test_the_objective_averages_over_the_shorter_lengths() -> None:
    generator = torch.Generator().manual_seed(0)
    heads = torch.nn.functional.normalize(torch.randn(3, 1, 8, generator=generator), dim=2)
    items = torch.nn.functional.normalize(torch.randn(6, 8, generator=generator), dim=1)
    excluded = torch.zeros(3, 6, dtype=torch.bool)

    def loss(config: TrainConfig, length: int) -> float:
        part = torch.nn.functional.normalize(heads[:, :, :length], dim=2)
        other = torch.nn.functional.normalize(items[:, :length], dim=1)
        return float(objective(part, other, config, log_expected=None, excluded=excluded))

    plain = best()
    both = objective(heads, items, best(matryoshka=(4,)), log_expected=None, excluded=excluded)
    assert float(both) == pytest.approx((loss(plain, 8) + loss(plain, 4)) / 2, rel=1e-5)


def test_candidates_far_above_the_positive_are_masked() -> None:
    heads = torch.tensor([[[1.0, 0.0]]])
    items = torch.tensor([[0.6, 0.8], [1.0, 0.0], [0.0, 1.0]])
    excluded = torch.zeros(1, 3, dtype=torch.bool)
    masked = objective(heads, items, best(mask_above=0.1), log_expected=None, excluded=excluded)
    without = objective(heads, items[[0, 2]], best(), log_expected=None, excluded=excluded[:, :2])
    assert float(masked) == pytest.approx(float(without), rel=1e-5)


def test_towers_cut_short_keep_the_first_entries(items, clicks) -> None:
    towers = train(items, clicks, best(**QUICK, history="none", matryoshka=(8,))).towers
    short = towers.truncated(8)
    whole = towers.embed_items(items[:5])[:, :8]
    whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    assert short.embed_items(items[:5]) == pytest.approx(whole, abs=1e-5)
    personal = train(items, clicks, best(**QUICK)).towers.truncated(8)
    vectors = personal.embed_items(items[:3])
    assert personal.embed_queries(["images"], [UserInput(vectors)]).shape == (1, 1, 8)
    with pytest.raises(ValueError, match="must lie from 1"):
        towers.truncated(towers.dim + 1)


def test_a_warm_start_keeps_the_front_and_begins_from_the_weights(items, clicks, users) -> None:
    first = train(items, clicks, best(**QUICK), users=users)
    again = train(
        [*items, Item(999, "images pixels camera", "")], clicks,
        best(**QUICK | {"epochs": 1, "learning_rate": 1e-9, "weight_decay": 0.0}),
        users=users, warm=first.towers,
    )  # fmt: skip
    assert again.figures["warm"]
    assert again.towers.front is first.towers.front
    texts = [item.title for item in items[:20]]
    assert again.towers.embed_queries(texts) == pytest.approx(
        first.towers.embed_queries(texts), abs=1e-3
    )
    other = train(items, clicks, best(**QUICK, heads=2), users=users, warm=first.towers)
    assert not other.figures["warm"]


def test_which_columns_are_known_answers_is_found_for_each_row() -> None:
    generator = np.random.default_rng(2)
    rows = [sorted(set(generator.integers(0, 30, size=n).tolist())) for n in (0, 1, 5, 12)]
    columns = generator.integers(0, 30, size=40)
    places = np.asarray([3, 0, 2, 2, 1])
    found = meeting(Lists.of(rows), places, columns)
    for row, place in enumerate(places):
        assert found[row].tolist() == [column in rows[place] for column in columns]


def test_lists_are_taken_padded_and_cut() -> None:
    lists = Lists.of([[], [4, 5, 6], [7]])
    flat, sizes = lists.take(np.asarray([1, 0, 2, 1]))
    assert flat.tolist() == [4, 5, 6, 7, 4, 5, 6]
    assert sizes.tolist() == [3, 0, 1, 3]
    rows, present = lists.padded(np.asarray([1, 0, 2]), 2)
    assert rows.tolist() == [[4, 5], [0, 0], [7, 0]]
    assert present.tolist() == [2, 0, 1]
    empty, none = Lists.of([[], []]).padded(np.asarray([0, 1]), 3)
    assert empty.tolist() == [[0], [0]]
    assert none.tolist() == [0, 0]


def test_a_plain_bag_is_the_mean_of_its_features() -> None:
    tokenizer = Tokenizer()
    features = np.unique(tokenizer.features("alpha beta"))
    table = np.random.default_rng(0).normal(size=(len(features) + 2, 4)).astype(np.float32)
    bag = Bag(features, np.ones(len(features), np.float32), table, plain=True)
    places = [int(np.searchsorted(features, n)) for n in tokenizer.features("alpha beta")]
    mean = np.mean([table[n] for n in places], axis=0)
    assert bag.embed(tokenizer, ["alpha beta"])[0] == pytest.approx(mean, abs=1e-6)
    unknown = int(tokenizer.features("gamma")[0]) % 2
    assert bag.embed(tokenizer, ["gamma"])[0] == pytest.approx(table[len(features) + unknown])
    assert not bag.embed(tokenizer, [""]).any()


def test_categories_average_and_know_the_unknown() -> None:
    table = np.arange(9, dtype=np.float32).reshape(3, 3)
    categories = Categories(("a", "b"), table)
    found = categories.embed([("a", "b"), ("?",), (), ("b",)])
    assert found.tolist() == [[4.5, 5.5, 6.5], [0, 1, 2], [0, 1, 2], [6, 7, 8]]


def test_a_tower_without_anything_known_gives_no_direction() -> None:
    tower = Tower(((np.ones((3, 2), np.float32), np.ones(2, np.float32)),))
    assert tower(np.zeros((1, 3), np.float32)).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize(
    ("preset", "changes", "message"),
    [
        ("worst", [], "no configuration"),
        ("best", ["depth=3"], "no setting 'depth'"),
        ("best", ["batch=many"], "batch=many"),
        ("best", ["loss=triplet"], "loss=triplet"),
        ("best", ["alpha=1.5"], "from 0 to 1"),
        ("best", ["temperature=0"], "above 0"),
        ("best", ["dim=8"], "residual"),
        ("paper", ["history=attention"], "choose mean"),
        ("best", ["hard_ranks=9,3"], "grow"),
    ],
)
def test_a_wrong_setting_is_named(preset, changes, message) -> None:
    with pytest.raises(ValueError, match=message):
        configured(preset, changes)


def test_settings_are_read_from_a_command_line() -> None:
    config = configured("paper", ["heads=2", "hidden=64,32", "mask_above=0.2", "log_q=true"])
    assert (config.heads, config.hidden, config.mask_above, config.log_q) == (
        2,
        (64, 32),
        0.2,
        True,
    )
    assert set(PRESETS) == {"best", "paper"}


@pytest.mark.parametrize(("alpha", "drawn"), [(0.25, 21), (0.5, 63), (0.75, 189)])
def test_the_mixing_ratio_gives_the_drawn_negatives(alpha, drawn) -> None:
    assert paper(alpha=alpha).random_negatives == drawn


def test_the_paper_leaves_nothing_out_at_random() -> None:
    # The paper names no dropout, neither of inputs nor of histories.
    assert (paper().dropout, paper().history_dropout) == (0.0, 0.0)


def test_what_a_query_led_to_and_its_own_item_are_no_negatives(items) -> None:
    clicks = [Interaction("query", items[n].id) for n in (4, 9)]
    clicks += [Interaction(items[7].title, items[2].id)]
    assert not kept_aside("query")
    assert not kept_aside(items[7].title)
    pairs = training_pairs(items, [item.title for item in items], clicks)
    known = known_answers(pairs, items)
    found = {
        pairs.queries[text]: known.take(np.asarray([asking]))[0].tolist()
        for asking, text in enumerate(pairs.asked)
    }
    assert found["query"] == [4, 9]
    assert found[items[7].title] == [2, 7]
