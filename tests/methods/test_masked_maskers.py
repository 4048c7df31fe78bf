from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the extra `learn` is not installed")

from peerscope.methods.masked.corruptions import (  # noqa: E402
    GaussianNoise,
    MaskToken,
    OtherNodes,
    OtherWords,
    SaltAndPepper,
    ZeroNoise,
)
from peerscope.methods.masked.maskers import (  # noqa: E402
    BlockMasker,
    EveryUnit,
    GridMasker,
    RandomMasker,
    SpanMasker,
    TubeMasker,
)
from peerscope.methods.masked.masking import hidden_count  # noqa: E402

MASKERS = {
    "random": (RandomMasker(), (8, 8)),
    "squares": (RandomMasker(0.6, unit=2, rounding="up"), (8, 8)),
    "block": (BlockMasker(exact=True), (14, 14)),
    "grid": (GridMasker(), (8, 8)),
    "grid, example": (GridMasker(place="example"), (8, 8)),
    "grid, cell": (GridMasker(place="cell"), (8, 8)),
    "tube": (TubeMasker(RandomMasker(0.9)), (4, 6, 6)),
    "span": (SpanMasker(), (60,)),
}


def seeded(seed: int = 0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", MASKERS)
def test_a_mask_has_its_shape_its_count_and_its_seed(name) -> None:
    masker, grid = MASKERS[name]
    mask = masker(5, grid, generator=seeded())
    assert mask.shape == (5, math.prod(grid))
    assert mask.dtype == torch.bool
    assert (~mask).sum(dim=1).tolist() == [masker.visible(grid)] * 5
    assert torch.equal(mask, masker(5, grid, generator=seeded()))
    if masker != GridMasker():
        assert not torch.equal(mask, masker(5, grid, generator=seeded(1)))
        assert not torch.equal(mask[0], mask[1])


@pytest.mark.parametrize("name", MASKERS)
def test_without_a_generator_the_global_seed_decides(name) -> None:
    masker, grid = MASKERS[name]
    torch.manual_seed(3)
    first = masker(2, grid)
    torch.manual_seed(3)
    assert torch.equal(first, masker(2, grid))


@settings(deadline=None)
@given(length=st.integers(2, 400), ratio=st.floats(0.01, 0.99))
def test_counts_are_those_of_the_published_codes(length, ratio) -> None:
    published = {
        "keep": length - int(length * (1 - ratio)),
        "up": int(np.ceil(length * ratio)),
        "down": int(ratio * length),
    }
    for rounding, count in published.items():
        if 0 < count < length:
            assert hidden_count(length, ratio, rounding) == count
        else:
            with pytest.raises(ValueError, match="ratio"):
                hidden_count(length, ratio, rounding)


def test_mae_keeps_a_quarter_of_196() -> None:
    assert RandomMasker(0.75).visible((14, 14)) == 49
    assert RandomMasker(0.6, unit=2, rounding="up").visible((12, 12)) == 4 * (36 - 22)


@pytest.mark.parametrize("ratio", [0.0, 1.0, -0.1, 1.5])
@pytest.mark.parametrize("masker", [RandomMasker, BlockMasker, SpanMasker])
def test_ratios_of_nought_and_one_are_refused_by_name(masker, ratio) -> None:
    with pytest.raises(ValueError, match="mask ratio must lie between 0 and 1"):
        masker(ratio)


def test_ratios_that_come_to_nought_or_one_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="leaves none of 16 units visible"):
        RandomMasker(0.99)(1, (4, 4))
    with pytest.raises(ValueError, match="hides none of 16 units"):
        RandomMasker(0.01, rounding="down")(1, (4, 4))


def test_other_bad_choices_are_refused() -> None:
    for make, message in [
        (lambda: RandomMasker(unit=0), "1 or more"),
        (lambda: RandomMasker(unit=3)(1, (4, 4)), "does not divide"),
        (lambda: GridMasker(1), "hide nothing"),
        (lambda: GridMasker()(1, (5, 4)), "does not divide"),
        (lambda: BlockMasker()(1, (9,)), "two axes"),
        (lambda: BlockMasker(0.3, spread=0.3), "out of"),
        (lambda: BlockMasker(aspect=0), "lie in"),
        (lambda: SpanMasker()(1, (3, 3)), "one axis"),
        (lambda: SpanMasker(stop=0), "lies in"),
        (lambda: TubeMasker()(1, (4,)), "time and space"),
        (lambda: GaussianNoise(0), "above 0"),
        (lambda: ZeroNoise(0), "lies in"),
        (lambda: SaltAndPepper(2), "lies in"),
        (lambda: OtherWords(0, 5, masked=0.9, random=0.2), "at most 1"),
        (lambda: OtherWords(0, 1), "special words only"),
        (lambda: OtherNodes(3, 1.0), "lies in"),
    ]:
        with pytest.raises(ValueError, match=message):
            make()


def test_every_set_of_units_is_equally_likely() -> None:
    # 4 of 6 units: 15 sets; chi-square with 14 degrees of freedom is below 36.1 with a chance of 99.9%
    drawn = 15_000
    mask = RandomMasker(0.66)(drawn, (2, 3), generator=seeded(1))
    assert mask.sum(dim=1).unique().tolist() == [4]
    codes = (mask.long() * 2 ** torch.arange(6)).sum(dim=1)
    counts = codes.bincount()
    counts = counts[counts > 0].numpy()
    assert len(counts) == 15
    expected = drawn / 15
    assert ((counts - expected) ** 2 / expected).sum() < 36.1


def test_squares_are_hidden_whole() -> None:
    mask = RandomMasker(0.5, unit=2)(3, (4, 6), generator=seeded()).reshape(3, 2, 2, 3, 2)
    squares = mask.permute(0, 1, 3, 2, 4).flatten(3).float().mean(dim=-1)
    assert set(squares.flatten().tolist()) == {0.0, 1.0}


@settings(deadline=None, max_examples=60)
@given(
    rows=st.integers(3, 16),
    columns=st.integers(3, 16),
    ratio=st.floats(0.1, 0.8),
    least=st.integers(1, 20),
    seed=st.integers(0, 2**30),
)
def test_blocks_never_hide_more_than_wanted(rows, columns, ratio, least, seed) -> None:
    wanted = max(1, round(ratio * rows * columns))
    free = BlockMasker(ratio, least=least)(2, (rows, columns), generator=seeded(seed))
    assert (free.sum(dim=1) <= wanted).all()
    exact = BlockMasker(ratio, least=least, exact=True)
    assert exact(2, (rows, columns), generator=seeded(seed)).sum(dim=1).tolist() == [wanted] * 2
    assert exact.visible((rows, columns)) == rows * columns - wanted


def test_blocks_come_near_to_what_is_wanted_and_hang_together() -> None:
    mask = BlockMasker()(200, (14, 14), generator=seeded())
    counts = mask.sum(dim=1).float()
    assert counts.max() <= 75
    assert counts.mean() > 70

    def touching(m):
        square = m.reshape(-1, 14, 14)
        return (square[:, 1:] & square[:, :-1]).float().sum() / square.float().sum()

    single = RandomMasker(75 / 196)(200, (14, 14), generator=seeded())
    assert touching(mask) > 1.5 * touching(single)


def test_a_rectangle_keeps_its_bounds() -> None:
    for seed in range(300):
        chance = np.random.default_rng(seed)
        mask = np.zeros((14, 14), bool)
        added = BlockMasker(least=16)._rectangle(mask, 75, chance)
        rows, columns = np.nonzero(mask)
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert mask.sum() == added == height * width
        # both sides are rounded, so the bounds hold for sides half a unit longer or shorter
        assert (height + 0.5) * (width + 0.5) >= 16
        assert (height - 0.5) * (width - 0.5) <= 75
        assert (height - 0.5) / (width + 0.5) <= 1 / 0.3
        assert (width - 0.5) / (height + 0.5) <= 1 / 0.3


def test_ibot_masks_some_images_with_different_shares() -> None:
    mask = BlockMasker(0.3, spread=0.2, share=0.5)(400, (14, 14), generator=seeded())
    shares = mask.float().mean(dim=1)
    masked = shares[shares > 0]
    assert 150 < len(masked) < 250
    assert masked.max() <= 0.5
    assert masked.std() > 0.08
    assert BlockMasker(0.3, spread=0.2).visible((14, 14)) is None
    assert BlockMasker().visible((14, 14)) is None


def test_a_grid_keeps_one_unit_of_each_cell() -> None:
    fixed = GridMasker()(1, (4, 4)).reshape(4, 4)
    assert (~fixed).nonzero().tolist() == [[0, 0], [0, 2], [2, 0], [2, 2]]
    for place in ("example", "cell"):
        mask = GridMasker(place=place)(50, (4, 6), generator=seeded())
        cells = mask.reshape(50, 2, 2, 3, 2).permute(0, 1, 3, 2, 4).reshape(50, 6, 4)
        assert ((~cells).sum(dim=2) == 1).all()
        same = (cells == cells[:, :1]).all()
        assert bool(same) == (place == "example")


def test_a_tube_is_the_same_at_all_times() -> None:
    mask = TubeMasker(RandomMasker(0.75))(3, (5, 4, 4), generator=seeded()).reshape(3, 5, 16)
    assert (mask == mask[:, :1]).all()
    assert (mask[:, 0].sum(dim=1) == 12).all()


def test_spans_are_runs_on_eligible_units() -> None:
    eligible = torch.ones(40, 100, dtype=torch.bool)
    eligible[:, 90:] = False
    mask = SpanMasker(0.2)(40, (100,), eligible=eligible, generator=seeded())
    assert mask.sum(dim=1).tolist() == [18] * 40
    assert not (mask & ~eligible).any()
    runs = (mask[:, 1:] & ~mask[:, :-1]).sum(dim=1).float().mean() + mask[:, 0].float().mean()
    assert 18 / runs > 2.0  # single units would give about 1.25
    few = SpanMasker(0.9)(1, (3,), eligible=torch.tensor([[True, False, True]]))
    assert few.tolist() == [[True, False, True]]


def test_random_masks_of_texts_hide_a_share_of_each_text() -> None:
    eligible = torch.zeros(3, 40, dtype=torch.bool)
    eligible[0, :40] = eligible[1, 5:25] = eligible[2, :2] = True
    mask = RandomMasker(0.15)(3, (40,), eligible=eligible, generator=seeded())
    assert not (mask & ~eligible).any()
    assert mask.sum(dim=1).tolist() == [6, 3, 1]
    assert EveryUnit()(3, (40,), eligible=eligible).equal(eligible)
    with pytest.raises(ValueError, match="eligible"):
        RandomMasker(unit=2)(3, (40,), eligible=eligible)


def test_words_become_the_mask_80_others_10_themselves_10() -> None:
    words = torch.full((200, 500), 7)
    mask = torch.zeros_like(words, dtype=torch.bool)
    mask[:, ::2] = True
    corruption = OtherWords(1, 50, special=(0, 2))
    found = corruption(words, mask, seeded())
    assert (found[~mask] == 7).all()
    hidden = found[mask]
    number = len(hidden)
    # one of the 47 ordinary words is 7 itself
    shares = {"mask": (hidden == 1).sum() / number, "same": (hidden == 7).sum() / number}
    assert float(shares["mask"]) == pytest.approx(0.8, abs=5 * math.sqrt(0.16 / number))
    assert float(shares["same"]) == pytest.approx(0.1 + 0.1 / 47, abs=5 * math.sqrt(0.09 / number))
    others = hidden[(hidden != 1) & (hidden != 7)]
    assert set(others.tolist()) == set(range(3, 50)) - {7}
    counts = others.bincount(minlength=50)[3:]
    counts = counts[counts > 0].double()
    expected = counts.sum() / 46
    # chi-square with 45 degrees of freedom is below 80.1 with a chance of 99.9%
    assert ((counts - expected) ** 2 / expected).sum() < 80.1


def test_noise_acts_on_hidden_units_only() -> None:
    values = torch.full((4, 60, 50), 0.5)
    mask = RandomMasker(0.5)(4, (60,), generator=seeded())
    noisy = GaussianNoise(0.3)(values, mask, seeded())
    assert (noisy[~mask] == 0.5).all()
    assert float(noisy[mask].std()) == pytest.approx(0.3, rel=0.05)
    zeroed = ZeroNoise(0.4)(values, mask, seeded())
    assert (zeroed[~mask] == 0.5).all()
    assert float((zeroed[mask] == 0).float().mean()) == pytest.approx(0.4, abs=0.03)
    salted = SaltAndPepper(0.4, low=-1, high=2)(values, mask, seeded())
    assert (salted[~mask] == 0.5).all()
    for value in (-1, 2):
        assert float((salted[mask] == value).float().mean()) == pytest.approx(0.2, abs=0.03)
    token = MaskToken(50)
    replaced = token.embedded(values, mask)
    assert (replaced[~mask] == 0.5).all()
    assert torch.equal(replaced[mask], token.token.expand(int(mask.sum()), -1))


def test_hidden_nodes_take_the_token_or_another_node() -> None:
    nodes = torch.randn(1, 200, 6)
    mask = RandomMasker(0.5, rounding="down")(1, (200,), generator=seeded())
    corruption = OtherNodes(6, replace=0.1)
    with torch.no_grad():
        corruption.token.fill_(9.0)
    found = corruption(nodes, mask, seeded())
    assert torch.equal(found[~mask], nodes[~mask])
    hidden = found[mask]
    token = (hidden == 9.0).all(dim=1)
    assert int(token.sum()) == 90
    for row in hidden[~token]:
        assert (nodes[0] == row).all(dim=1).any()
    assert (OtherNodes(6, replace=0.0)(nodes, mask)[mask] == 0).all()
