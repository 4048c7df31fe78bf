from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the extra `learn` is not installed")

from peerscope.methods.text_views import TwoTextViews  # noqa: E402


def rows(lengths, longest: int):
    """Texts whose tokens are their places, from 1."""
    places = torch.arange(1, longest + 1)
    return torch.where(places <= torch.tensor(lengths)[:, None], places, 0)


@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=8), st.floats(0.1, 1), st.floats(0, 0.9),
    st.integers(0, 1000),
)  # fmt: skip
@settings(max_examples=60)
def test_a_view_is_a_thinned_run_of_the_text(lengths, least, drop, seed) -> None:
    texts = rows(lengths, 12)
    views = TwoTextViews((least, 1.0), drop)(texts, torch.Generator().manual_seed(seed))
    for view in views:
        assert view.shape == texts.shape
        for length, row in zip(lengths, view.tolist(), strict=True):
            known = [token for token in row if token]
            assert row == known + [0] * (12 - len(known))
            assert known == sorted(set(known))
            assert set(known) <= set(range(1, length + 1))
            assert bool(known) == bool(length)


def test_shares_are_kept_on_average() -> None:
    texts = rows([100] * 400, 100)
    view = TwoTextViews((0.5, 0.5), 0.2).view(texts, torch.Generator().manual_seed(0))
    counts = (view > 0).sum(dim=1).double()
    assert counts.mean().item() == pytest.approx(40, abs=1)
    first = view[:, 0].double().numpy()
    assert np.ptp(first) > 40
    whole = TwoTextViews((1.0, 1.0), 0.0)(texts, torch.Generator().manual_seed(0))
    assert torch.equal(whole[0], texts)


def test_views_differ_and_are_drawn_again_from_the_same_seed() -> None:
    texts = rows([30] * 5, 30)
    make = TwoTextViews()
    one, other = make(texts, torch.Generator().manual_seed(3))
    assert not torch.equal(one, other)
    again = make(texts, torch.Generator().manual_seed(3))
    assert torch.equal(one, again[0])
    assert torch.equal(other, again[1])


def test_shares_outside_their_range_are_refused() -> None:
    with pytest.raises(ValueError, match="keep"):
        TwoTextViews((0.0, 1.0))
    with pytest.raises(ValueError, match="drop"):
        TwoTextViews(drop=1.0)
