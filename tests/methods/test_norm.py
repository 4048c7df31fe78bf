from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the extra `learn` is not installed")

from torch import nn  # noqa: E402

from peerscope.methods.backbones import ResNet  # noqa: E402
from peerscope.methods.norm import ORDERS, GroupNormPlus, replace_norm  # noqa: E402

STATS = ("position", "channel")
EPS = ("std", "var")


def drawn(*shape, seed=0, scale=2.0, shift=0.7):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(shape, generator=generator, dtype=torch.float64) + shift


def standardised(x, axes, convention, eps=1e-5):
    """NumPy, from the definition; a single value has deviation 0."""
    mean = x.mean(axis=axes, keepdims=True)
    if convention == "var":
        return (x - mean) / np.sqrt(x.var(axis=axes, keepdims=True) + eps)
    count = np.prod([x.shape[axis] for axis in axes])
    deviation = x.std(axis=axes, keepdims=True, ddof=1) if count > 1 else 0 * mean
    return (x - mean) / (deviation + eps)


def reference(x, layer):
    """The layer in NumPy as the dossier of the paper writes it down."""

    def group(values):
        grouped = values.reshape(len(values), layer.num_groups, -1)
        return standardised(grouped, (2,), layer.compat_eps).reshape(values.shape)

    def batch(values):
        axes = (0,) if layer.batch_stats == "position" else (0, *range(2, values.ndim))
        return standardised(values, axes, layer.compat_eps)

    s = float(layer.blend.detach())
    s = 1 / (1 + np.exp(-s)) if layer.gate == "sigmoid" else s
    if layer.order == "gn_first":
        a = group(x)
        b = batch(a)
    elif layer.order == "bn_first":
        b = batch(x)
        a = group(b)
    else:
        a, b = group(x), batch(x)
    along = (1, -1) + (1,) * (x.ndim - 2)
    return (s * a + (1 - s) * b) * layer.weight.detach().numpy().reshape(
        along
    ) + layer.bias.detach().numpy().reshape(along)


def layer_of(channels, groups, seed=0, **options) -> GroupNormPlus:
    layer = GroupNormPlus(channels, groups, **options).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(channels, generator=generator, dtype=torch.float64))
        layer.bias.copy_(torch.randn(channels, generator=generator, dtype=torch.float64))
        layer.blend.copy_(torch.randn((), generator=generator, dtype=torch.float64))
    return layer


@given(
    n=st.integers(2, 4),
    groups=st.integers(1, 3),
    size=st.integers(1, 3),
    places=st.lists(st.integers(1, 4), max_size=3),
    order=st.sampled_from(ORDERS),
    stats=st.sampled_from(STATS),
    compat=st.sampled_from(EPS),
    gate=st.sampled_from(["sigmoid", "none"]),
)
@settings(max_examples=120, deadline=None)
def test_the_layer_is_its_definition_for_any_shape(
    n, groups, size, places, order, stats, compat, gate
) -> None:
    x = drawn(n, groups * size, *places)
    layer = layer_of(
        groups * size, groups, order=order, batch_stats=stats, compat_eps=compat, gate=gate
    )
    np.testing.assert_allclose(layer(x).detach().numpy(), reference(x.numpy(), layer), atol=1e-9)


def written_out(x, weight, bias, blend, groups, order, stats, compat):
    """The same with differentiable operations, for its gradient."""

    def standard(values, dims):
        mean = values.mean(dims, keepdim=True)
        if compat == "std":
            return (values - mean) / (values.std(dims, keepdim=True) + 1e-5)
        return (values - mean) / (values.var(dims, keepdim=True, correction=0) + 1e-5).sqrt()

    def group(values):
        return standard(values.reshape(len(values), groups, -1), (2,)).reshape(values.shape)

    def batch(values):
        return standard(values, (0,) if stats == "position" else (0, 2, 3))

    s = blend.sigmoid()
    first = {"gn_first": group, "bn_first": batch, "parallel": lambda v: v}[order](x)
    a = first if order == "gn_first" else group(first)
    b = first if order == "bn_first" else batch(first)
    return (s * a + (1 - s) * b) * weight[:, None, None] + bias[:, None, None]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("stats", STATS)
@pytest.mark.parametrize("compat", EPS)
def test_gradients_by_hand_are_those_of_autograd_and_of_finite_differences(
    order, stats, compat
) -> None:
    layer = layer_of(6, 3, order=order, batch_stats=stats, compat_eps=compat)
    x = drawn(4, 6, 2, 3).requires_grad_()
    parameters = x, layer.weight, layer.bias, layer.blend
    slope = drawn(4, 6, 2, 3, seed=1)
    found = torch.autograd.grad(layer(x), parameters, slope)
    plain = written_out(*parameters, 3, order, stats, compat)
    for mine, theirs in zip(found, torch.autograd.grad(plain, parameters, slope), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-10)

    def of(x, weight, bias, blend):
        values = {"weight": weight, "bias": bias, "blend": blend}
        return torch.func.functional_call(layer, values, (x,))

    assert torch.autograd.gradcheck(of, parameters)


@pytest.mark.parametrize("stats", STATS)
@pytest.mark.parametrize("order", ORDERS)
def test_with_all_of_the_group_step_it_is_group_norm(order, stats) -> None:
    x = drawn(4, 6, 5, 5)
    layer = GroupNormPlus(
        6, 3, order=order, batch_stats=stats, lambda_init=1.0, gate="none", compat_eps="var"
    ).double()
    before = x
    if order == "bn_first":
        before = torch.tensor(
            standardised(x.numpy(), (0,) if stats == "position" else (0, 2, 3), "var")
        )
    expected = nn.functional.group_norm(before, 3, eps=1e-5)
    torch.testing.assert_close(layer(x), expected)
    # sigmoid reaches the same limit.
    layer = GroupNormPlus(
        6, 3, order=order, batch_stats=stats, lambda_init=50.0, compat_eps="var"
    ).double()
    torch.testing.assert_close(layer(x), expected)


def test_the_authors_eps_differs_from_pytorchs_by_the_unbiased_factor() -> None:
    x = drawn(2, 6, 8, 8)
    authors = GroupNormPlus(6, 3, lambda_init=1.0, gate="none").double()(x)
    expected = nn.functional.group_norm(x, 3, eps=0.0) * np.sqrt(1 - 1 / (2 * 64))
    torch.testing.assert_close(authors, expected, rtol=2e-5, atol=1e-6)


def test_without_the_group_step_it_is_batch_norm_of_the_groups_output() -> None:
    x = drawn(5, 6, 4, 4)
    layer = GroupNormPlus(
        6, 3, batch_stats="channel", lambda_init=0.0, gate="none", compat_eps="var"
    ).double()
    a = nn.functional.group_norm(x, 3, eps=1e-5)
    torch.testing.assert_close(layer(x), nn.BatchNorm2d(6).double()(a))
    first = GroupNormPlus(
        6,
        3,
        order="bn_first",
        batch_stats="channel",
        lambda_init=0.0,
        gate="none",
        compat_eps="var",
    ).double()
    torch.testing.assert_close(first(x), nn.BatchNorm2d(6).double()(x))
    parallel = GroupNormPlus(
        6,
        3,
        order="parallel",
        batch_stats="position",
        lambda_init=0.0,
        gate="none",
        compat_eps="var",
    ).double()
    positions = nn.BatchNorm1d(6 * 16).double()(x.flatten(1)).reshape(x.shape)
    torch.testing.assert_close(parallel(x), positions)


def test_the_defaults_are_those_of_the_authors() -> None:
    layer = GroupNormPlus(64)
    assert float(layer.blend.detach()) == 1.0 and layer.num_groups == 32
    assert (layer.order, layer.batch_stats, layer.gate, layer.compat_eps) == (
        "gn_first", "position", "sigmoid", "std",
    )  # fmt: skip
    assert layer.running_mean is None and set(dict(layer.named_parameters())) == {
        "blend",
        "weight",
        "bias",
    }
    assert "order=gn_first" in repr(layer)


@pytest.mark.parametrize("order", ORDERS)
def test_permuting_the_batch_permutes_the_output(order) -> None:
    x = drawn(6, 4, 3, 3)
    shuffled = torch.tensor([3, 0, 5, 1, 4, 2])
    layer = layer_of(4, 2, order=order)
    torch.testing.assert_close(layer(x[shuffled]), layer(x)[shuffled])
    assert not torch.allclose(layer(x[:3]), layer(x)[:3])


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("training", [True, False])
def test_one_image_alone_takes_the_group_step(order, training) -> None:
    x = drawn(1, 4, 3, 3).requires_grad_()
    layer = GroupNormPlus(4, 2, order=order, compat_eps="var").double().train(training)
    torch.testing.assert_close(layer(x), nn.functional.group_norm(x, 2, eps=1e-5))
    assert bool(torch.autograd.grad(layer(x).sum(), x)[0].isfinite().all())
    # Channel statistics have the positions left, unless there is one only.
    channel = layer_of(4, 2, order=order, batch_stats="channel")
    np.testing.assert_allclose(
        channel(x).detach().numpy(), reference(x.detach().numpy(), channel), atol=1e-9
    )
    alone = drawn(1, 4)
    single = GroupNormPlus(4, 2, batch_stats="channel", compat_eps="var").double()
    torch.testing.assert_close(single(alone), nn.functional.group_norm(alone, 2, eps=1e-5))


@pytest.mark.parametrize("compat", EPS)
@pytest.mark.parametrize("order", ORDERS)
def test_values_without_spread_give_finite_outputs_and_gradients(order, compat) -> None:
    for x in (
        torch.ones(3, 4, 2, 2),
        torch.randn(1, 4, 2, 2).expand(3, 4, 2, 2),
        torch.randn(3, 4, 1, 1),
    ):
        x = x.clone().requires_grad_()
        layer = GroupNormPlus(4, 4, order=order, compat_eps=compat)
        out = layer(x)
        slopes = torch.autograd.grad(out.square().sum(), [x, *layer.parameters()])
        assert all(bool(value.isfinite().all()) for value in (out, *slopes))
    assert GroupNormPlus(4, 2)(torch.zeros(0, 4, 3, 3)).shape == (0, 4, 3, 3)


@pytest.mark.parametrize("order,stats,compat", list(itertools.product(ORDERS, STATS, EPS)))
def test_running_statistics_serve_an_image_alone(order, stats, compat) -> None:
    options = {"order": order, "batch_stats": stats, "compat_eps": compat}
    layer = layer_of(4, 2, track_running_stats=True, momentum=None, **options)
    batches = [drawn(8, 4, 3, 3, seed=seed) for seed in range(5)]
    for x in batches:
        out = layer(x)
        np.testing.assert_allclose(out.detach().numpy(), reference(x.numpy(), layer), atol=1e-9)
    # What the batch step saw, and the plain averages of its moments.
    group = GroupNormPlus(
        4, 2, affine=False, lambda_init=1.0, gate="none", compat_eps=compat
    ).double()
    seen = [group(x) if order == "gn_first" else x for x in batches]
    axes = (0,) if stats == "position" else (0, 2, 3)
    mean = torch.stack([x.mean(axes) for x in seen]).mean(dim=0)
    variance = torch.stack([x.var(axes) for x in seen]).mean(dim=0)
    torch.testing.assert_close(layer.running_mean, mean)
    torch.testing.assert_close(layer.running_var, variance)
    assert int(layer.num_batches_tracked) == 5
    layer.eval()
    x = drawn(6, 4, 3, 3, seed=9)
    whole = layer(x)
    torch.testing.assert_close(torch.cat([layer(image[None]) for image in x]), whole)
    assert int(layer.num_batches_tracked) == 5
    wide = (slice(None), None, None) if stats == "channel" else slice(None)
    scale = (
        1 / (variance[wide].sqrt() + 1e-5) if compat == "std" else (variance[wide] + 1e-5).rsqrt()
    )
    s = layer.blend.sigmoid()
    first = group(x) if order == "gn_first" else x
    b = (first - mean[wide]) * scale
    a = first if order == "gn_first" else group(b if order == "bn_first" else x)
    expected = (s * a + (1 - s) * b) * layer.weight[:, None, None] + layer.bias[:, None, None]
    torch.testing.assert_close(whole, expected)


def test_running_statistics_follow_their_momentum_as_batch_norms_do() -> None:
    layer = GroupNormPlus(
        4, 2, order="bn_first", batch_stats="channel", lambda_init=0.0, gate="none", compat_eps="var",
        track_running_stats=True, momentum=0.3,
    )  # fmt: skip
    theirs = nn.BatchNorm2d(4, momentum=0.3)
    for seed in range(3):
        x = drawn(5, 4, 3, 3, seed=seed).float()
        torch.testing.assert_close(layer(x), theirs(x))
    torch.testing.assert_close(layer.running_mean, theirs.running_mean)
    torch.testing.assert_close(layer.running_var, theirs.running_var)
    x = drawn(1, 4, 3, 3, seed=7).float()
    torch.testing.assert_close(layer.eval()(x), theirs.eval()(x))


@pytest.mark.parametrize("stats", STATS)
def test_a_state_goes_there_and_back(stats, tmp_path) -> None:
    layer = layer_of(4, 2, batch_stats=stats, track_running_stats=True)
    layer(drawn(5, 4, 3, 3))
    torch.save(layer.state_dict(), tmp_path / "state")
    other = nn.Sequential(GroupNormPlus(4, 2, batch_stats=stats, track_running_stats=True).double())
    state = {f"0.{key}": value for key, value in torch.load(tmp_path / "state").items()}
    other.load_state_dict(state)
    x = drawn(2, 4, 3, 3, seed=4)
    assert torch.equal(other.eval()(x), layer.eval()(x))
    other.train()(x)
    if stats == "position":
        with pytest.raises(ValueError, match=r"positions of shape \[4, 3, 3\].*serves every"):
            layer(drawn(2, 4, 5, 5))
    else:
        assert layer(drawn(2, 4, 5, 5)).shape == (2, 4, 5, 5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("order", ORDERS)
def test_half_precision_takes_its_statistics_in_single(order, dtype) -> None:
    # In float16 the squares of these would overflow.
    x = drawn(8, 4, 4, 4, scale=300.0, shift=3000.0).to(dtype)
    layer = GroupNormPlus(4, 2, order=order, track_running_stats=True)
    found = layer(x)
    assert found.dtype == dtype
    torch.testing.assert_close(found, layer(x.float()).to(dtype))
    x.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        layer(x).float().square().sum().backward()
    assert x.grad.dtype == dtype and layer.weight.grad.dtype == torch.float32
    halved = GroupNormPlus(4, 2, order=order, dtype=dtype, track_running_stats=True)
    torch.testing.assert_close(halved(x.detach()), found.detach())
    assert halved.running_mean.dtype == dtype


def test_the_memory_format_is_kept() -> None:
    x = drawn(4, 4, 3, 5).to(memory_format=torch.channels_last)
    layer = layer_of(4, 2)
    assert layer(x).is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(layer(x), layer(x.contiguous()))


@pytest.mark.parametrize("channels,groups", [(6, 4), (6, 0), (6, -2), (6, 12)])
def test_groups_that_do_not_divide_the_channels_are_refused_as_by_group_norm(
    channels, groups
) -> None:
    with pytest.raises(ValueError, match="must be divisible by num_groups"):
        GroupNormPlus(channels, groups)
    if groups > 0:
        with pytest.raises(ValueError, match="divisible"):
            nn.GroupNorm(groups, channels)


def test_auto_takes_the_largest_divisor_up_to_32() -> None:
    found = [GroupNormPlus(c, "auto").num_groups for c in (1, 7, 24, 33, 37, 64, 96, 100)]
    assert found == [1, 7, 24, 11, 1, 32, 32, 25]


def test_bad_settings_and_inputs_are_named() -> None:
    for option, value in [
        ("order", "gn"),
        ("batch_stats", "n"),
        ("gate", "relu"),
        ("compat_eps", "eps"),
    ]:
        with pytest.raises(ValueError, match=f"{option} is one of"):
            GroupNormPlus(4, 2, **{option: value})
    with pytest.raises(ValueError, match=r"divisible by num_groups \(none\)"):
        GroupNormPlus(4, "none")
    for shape in ((4,), (2, 5, 3, 3)):
        with pytest.raises(ValueError, match=r"shape \[N, 4, \*\]"):
            GroupNormPlus(4, 2)(torch.zeros(shape))


def test_without_affine_it_has_the_blend_only() -> None:
    layer = GroupNormPlus(4, 2, affine=False)
    assert [name for name, _ in layer.named_parameters()] == ["blend"]
    x = drawn(3, 4, 2, 2).float()
    torch.testing.assert_close(layer(x), GroupNormPlus(4, 2)(x))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.same = self.norm
        self.rest = nn.Sequential(nn.GroupNorm(2, 4), nn.ReLU(), nn.BatchNorm2d(4, affine=False))

    def forward(self, x):
        return self.rest(self.same(self.norm(self.conv(x))))


def test_norms_are_replaced_with_their_affine_weights() -> None:
    model = Block().double().eval()
    nn.init.uniform_(model.norm.weight)
    nn.init.uniform_(model.rest[0].bias)
    model.norm.weight.requires_grad_(False)
    weight, bias = model.norm.weight.clone(), model.rest[0].bias.clone()
    assert replace_norm(model, lambda channels: GroupNormPlus(channels, 2)) is model
    assert model.norm is model.same and isinstance(model.norm, GroupNormPlus)
    assert torch.equal(model.norm.weight, weight) and not model.norm.weight.requires_grad
    assert torch.equal(model.rest[0].bias, bias) and model.rest[0].bias.requires_grad
    assert isinstance(model.rest[2], GroupNormPlus) and bool((model.rest[2].weight == 1).all())
    assert {p.dtype for p in model.parameters()} == {torch.float64}
    assert not any(module.training for module in model.modules())
    assert model(drawn(2, 3, 5, 5)).shape == (2, 4, 3, 3)
    replace_norm(model, nn.BatchNorm2d)
    assert torch.equal(model.norm.weight, weight)
    assert not any(isinstance(module, GroupNormPlus) for module in model.modules())


def test_replacing_group_norm_by_the_group_step_alone_changes_nothing() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(4, 8), nn.ReLU(), nn.Conv2d(8, 8, 1))
    nn.init.uniform_(model[1].weight)
    x = drawn(3, 3, 6, 6).float()
    expected = model(x)
    replace_norm(
        model, lambda c: GroupNormPlus(c, 4, lambda_init=1.0, gate="none", compat_eps="var")
    )
    torch.testing.assert_close(model(x), expected)


def test_norms_may_be_skipped_and_a_model_may_be_one_itself() -> None:
    model = Block()
    first = model.norm
    replace_norm(model, lambda c: nn.GroupNorm(2, c), skip=lambda name, module: name == "norm")
    assert model.norm is first and isinstance(model.rest[2], nn.GroupNorm)
    alone = replace_norm(nn.BatchNorm2d(4), lambda c: nn.GroupNorm(2, c))
    assert isinstance(alone, nn.GroupNorm)
    plain = nn.Sequential(nn.Linear(2, 2))
    assert replace_norm(plain, nn.BatchNorm2d) is plain


def test_an_encoder_takes_it_as_its_norm_or_gets_it_later() -> None:
    def norm(channels):
        return GroupNormPlus(channels, "auto", batch_stats="channel", track_running_stats=True)

    torch.manual_seed(0)
    built = ResNet(width=0.125, norm=norm)
    swapped = replace_norm(ResNet(width=0.125), norm)
    kinds = [[type(m) for m in net.modules()] for net in (built, swapped)]
    assert kinds[0] == kinds[1] and GroupNormPlus in kinds[0]
    images = torch.rand(4, 3, 16, 16)
    swapped(images).square().mean().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in swapped.parameters())
    swapped.eval()
    torch.testing.assert_close(swapped(images[:1]), swapped(images)[:1], atol=1e-5, rtol=1e-4)
