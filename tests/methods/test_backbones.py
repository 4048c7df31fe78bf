"""All encoders by the same measure, and the sizes of those that have published ones."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from peerscope.methods.backbones import BACKBONES, Backbone, ResNet, VisionTransformer, backbone

SMALL = {
    "resnet18": {"width": 0.125},
    "resnet50": {"width": 0.0625},
    "vgg11": {"width": 0.125},
    "vit": {"dim": 48, "depth": 2},
}


def small(name: str, channels: int, **settings: object) -> Backbone:
    torch.manual_seed(0)
    return backbone(name, channels, **SMALL.get(name, {}), **settings)


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize(("channels", "side"), [(1, 16), (1, 28), (3, 32)])
def test_features_and_gradients_of_every_backbone(name: str, channels: int, side: int) -> None:
    encoder = small(name, channels)
    images = torch.rand(4, channels, side, side, generator=torch.Generator().manual_seed(0))
    features = encoder(images)
    assert features.shape == (4, encoder.dim)
    assert bool(features.isfinite().all())
    assert float(features.detach().std(0).mean()) > 1e-4
    (features * torch.arange(1.0, encoder.dim + 1)).sum().backward()
    for part, weight in encoder.named_parameters():
        assert weight.grad is not None, part
        assert bool(weight.grad.isfinite().all()), part


@pytest.mark.parametrize("name", BACKBONES)
def test_the_blocks_in_order_and_the_pooling_are_the_backbone(name: str) -> None:
    encoder = small(name, 3).eval()
    images = torch.rand(2, 3, 32, 32)
    maps: Tensor = images
    for block in encoder.blocks:
        maps = block(maps)
    assert torch.equal(encoder.pooled(maps), encoder(images))
    assert len(list(encoder.blocks.children())) >= 3


@pytest.mark.parametrize("name", BACKBONES)
def test_images_with_channels_last_give_the_same_features(name: str) -> None:
    encoder = small(name, 3).eval()
    images = torch.rand(2, 3, 32, 32)
    expected = encoder(images)
    encoder = encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    made = encoder(images.to(memory_format=torch.channels_last))
    torch.testing.assert_close(made, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", [name for name in BACKBONES if name != "vit"])
def test_norms_can_be_swapped(name: str) -> None:
    encoder = small(name, 3, norm=partial(nn.GroupNorm, 1))
    kinds = {type(module) for module in encoder.modules()}
    assert nn.GroupNorm in kinds
    assert nn.BatchNorm2d not in kinds


@pytest.mark.parametrize("name", BACKBONES)
def test_evaluation_does_not_depend_on_the_batch(name: str) -> None:
    encoder = small(name, 1).eval()
    images = torch.rand(3, 1, 28, 28)
    torch.testing.assert_close(encoder(images)[:1], encoder(images[:1]), atol=1e-5, rtol=1e-4)


def test_residual_nets_have_the_published_sizes_but_for_stem_and_head() -> None:
    # torchvision states 11,689,512 and 25,557,032 with a 7x7 stem of 9,408 and heads of 513,000 and 2,049,000.
    for name, whole, head in (
        ("resnet18", 11_689_512, 513_000),
        ("resnet50", 25_557_032, 2_049_000),
    ):
        with torch.device("meta"):
            found = sum(weight.numel() for weight in backbone(name).parameters())
        assert found == whole - head - 9_408 + 3 * 64 * 9


def test_the_stem_of_a_residual_net_keeps_the_size_or_grows_it() -> None:
    images = torch.rand(1, 3, 32, 32)
    assert ResNet(width=0.125).blocks[0](images).shape[2:] == (32, 32)
    assert ResNet(width=0.125, stem_padding=2).blocks[0](images).shape[2:] == (34, 34)


def test_a_vision_transformer_sees_where_a_patch_is() -> None:
    torch.manual_seed(0)
    encoder = VisionTransformer(1, dim=32, depth=2, heads=2).eval()
    images = torch.rand(1, 1, 16, 16)
    assert not torch.allclose(encoder(images), encoder(images.roll(4, 3)), atol=1e-4)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"resnet34.*conv4"):
        backbone("resnet34")


def test_a_net_with_another_number_of_strides_is_refused() -> None:
    with pytest.raises(ValueError, match="as many strides"):
        backbone("conv4", widths=(8, 8), strides=(1,))
