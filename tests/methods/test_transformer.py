from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the extra `learn` is not installed")

from peerscope.methods.transformer import (  # noqa: E402
    Block,
    patch_grid,
    patchify,
    sincos_positions,
    start_weights,
    unpatchify,
)


@settings(deadline=None, max_examples=40)
@given(
    number=st.integers(1, 3),
    channels=st.integers(1, 4),
    axes=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=3),
)
def test_patches_go_back_into_place(number, channels, axes) -> None:
    size = [grid * side for grid, side in axes]
    sides = [side for _, side in axes]
    images = torch.randn(number, channels, *size)
    patches = patchify(images, sides)
    assert patches.shape == (
        number,
        math.prod(grid for grid, _ in axes),
        math.prod(sides) * channels,
    )
    assert torch.equal(unpatchify(patches, sides, size), images)


def test_a_patch_holds_its_pixels_row_by_row_channels_last() -> None:
    images = torch.arange(2 * 3 * 6 * 8).reshape(2, 3, 6, 8)
    patches = patchify(images, 2)
    assert patch_grid((6, 8), 2) == (3, 4)
    row, column = 1, 2
    by_hand = [
        int(images[1, c, 2 * row + i, 2 * column + j])
        for i in range(2) for j in range(2) for c in range(3)
    ]  # fmt: skip
    assert patches[1, row * 4 + column].tolist() == by_hand


def test_what_does_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="does not divide into patches of 4"):
        patchify(torch.zeros(1, 1, 30, 32), 4)
    with pytest.raises(ValueError, match="2 sides"):
        patchify(torch.zeros(1, 1, 4, 4), (2, 2, 2))
    with pytest.raises(ValueError, match="do not make an image"):
        unpatchify(torch.zeros(1, 5, 4), 2, (4, 4))
    with pytest.raises(ValueError, match=r"\[N, C"):
        patchify(torch.zeros(4, 4), 2)
    with pytest.raises(ValueError, match="multiple of 4"):
        sincos_positions((2, 2), 10)
    with pytest.raises(ValueError, match="do not divide"):
        Block(10, 3)


def test_positions_are_sines_and_cosines_of_column_then_row() -> None:
    rows, columns, dim = 3, 5, 16
    found = sincos_positions((rows, columns), dim).numpy()
    for row in range(rows):
        for column in range(columns):
            by_hand = []
            for place in (column, row):
                angles = [place / 10000 ** (i / (dim / 4)) for i in range(dim // 4)]
                by_hand += [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
            assert found[row * columns + column] == pytest.approx(np.array(by_hand), abs=1e-6)
    assert sincos_positions((2, 3, 2), 12).shape == (12, 12)


def test_a_block_is_attention_and_perceptron_each_with_a_bypass() -> None:
    torch.manual_seed(0)
    block = Block(12, 3).double().apply(start_weights)
    tokens = torch.randn(2, 5, 12, dtype=torch.float64)
    normed = block.norm1(tokens)
    query, key, value = (
        part.unflatten(-1, (3, 4)) for part in block.attn.qkv(normed).chunk(3, dim=-1)
    )
    logits = torch.einsum("nqhd,nkhd->nhqk", query, key) / 2.0
    mixed = torch.einsum("nhqk,nkhd->nqhd", logits.softmax(-1), value).flatten(2)
    middle = tokens + block.attn.proj(mixed)
    expected = middle + block.mlp(block.norm2(middle))
    torch.testing.assert_close(block(tokens), expected)


def test_absent_tokens_are_not_looked_at() -> None:
    torch.manual_seed(0)
    block = Block(8, 2)
    tokens = torch.randn(1, 4, 8)
    present = torch.tensor([[True, True, True, False]])
    moved = tokens.clone()
    moved[:, 3] += 10
    torch.testing.assert_close(block(tokens, present)[:, :3], block(moved, present)[:, :3])
    torch.testing.assert_close(block(tokens, present)[:, :3], block(tokens[:, :3]))
