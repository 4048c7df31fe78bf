"""Group normalisation blended with a batch step, and swapping a model's norms.

GN+ (Gunawan et al. 2022, arXiv 2207.01972) as in the first author's code: normalise each group of channels
of an image, ``a``; normalise ``a`` over the batch, ``b``; give ``(s a + (1 - s) b) gamma + beta`` with one
learned scalar a layer, ``s = sigmoid(lambda)``. The code takes the batch step's statistics for every
position and channel over the images alone, and divides by the unbiased deviation plus eps. Whether the
printed equation does so is not known.

What differs: that code always normalises by the images at hand, so a prediction depends on its neighbours and
one image alone gives NaN. Here statistics can be kept for evaluation (``track_running_stats``), and where
there is nothing to take batch statistics over, the layer is its group step alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from peerscope.methods.norm_steps import Statistics, blend, standardise

ORDERS = ("gn_first", "bn_first", "parallel")


class GroupNormPlus(nn.Module):
    """GN+ for inputs of shape ``[N, C, *]``, in the precision of the input, statistics in float32 or better.

    Without running statistics, evaluation takes those of the batch it is given, as the authors' does and
    `torch.nn.BatchNorm2d` does without its own. With them, the first training batch fixes the positions'
    shape when ``batch_stats="position"``, so such a layer serves one resolution. Its gradients are written by
    hand and have no second derivative.

    Args:
        num_channels: C. First, unlike in `torch.nn.GroupNorm`, so that norms can be swapped by ``norm(C)``.
        num_groups: Groups of channels, a divisor of C; ``"auto"`` for the largest divisor up to 32.
        eps: Added to the deviation or the variance, as ``compat_eps`` says.
        order: ``gn_first`` as above; ``bn_first`` blends the batch step and the group step on it;
            ``parallel`` blends both on the input.
        batch_stats: ``position`` takes the batch step's statistics over N, ``channel`` over all but C as
            batch normalisation does, which is steadier for small batches and serves every resolution.
        lambda_init: Start of the blending scalar.
        gate: ``sigmoid`` or ``none``: how ``s`` comes from the scalar.
        compat_eps: ``std`` divides by the unbiased deviation plus eps (the authors' code), ``var`` by the
            root of the biased variance plus eps (PyTorch's norms).
        affine: Whether there are gamma (`weight`) and beta (`bias`), shape ``[C]``.
        track_running_stats: Whether to keep the batch step's statistics for evaluation.
        momentum: Weight of a batch in them; ``None`` for their plain average.

    Raises:
        ValueError: C is not divisible by the groups, or a choice is unknown.
    """

    weight: nn.Parameter | None
    bias: nn.Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_channels: int,
        num_groups: int | str = 32,
        eps: float = 1e-5,
        *,
        order: str = "gn_first",
        batch_stats: str = "position",
        lambda_init: float = 1.0,
        gate: str = "sigmoid",
        compat_eps: str = "std",
        affine: bool = True,
        track_running_stats: bool = False,
        momentum: float | None = 0.1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if num_groups == "auto":
            num_groups = next(
                g for g in range(min(32, num_channels), 0, -1) if num_channels % g == 0
            )
        if not isinstance(num_groups, int) or num_groups < 1 or num_channels % num_groups:
            raise ValueError(
                f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups}); "
                'num_groups="auto" finds a divisor.'
            )
        _one_of("order", order, ORDERS)
        _one_of("batch_stats", batch_stats, ("position", "channel"))
        _one_of("gate", gate, ("sigmoid", "none"))
        _one_of("compat_eps", compat_eps, ("std", "var"))
        self.num_channels, self.num_groups, self.eps = num_channels, num_groups, eps
        self.order, self.batch_stats, self.gate = order, batch_stats, gate
        self.compat_eps, self.affine, self.momentum = compat_eps, affine, momentum
        self.track_running_stats = track_running_stats
        place: dict[str, Any] = {"device": device, "dtype": dtype}
        self.blend = nn.Parameter(torch.tensor(float(lambda_init), **place))
        self.register_parameter(
            "weight", nn.Parameter(torch.ones(num_channels, **place)) if affine else None
        )
        self.register_parameter(
            "bias", nn.Parameter(torch.zeros(num_channels, **place)) if affine else None
        )
        kept = track_running_stats
        self.register_buffer("running_mean", torch.zeros(num_channels, **place) if kept else None)
        self.register_buffer("running_var", torch.ones(num_channels, **place) if kept else None)
        self.register_buffer(
            "num_batches_tracked", torch.tensor(0, device=device) if kept else None
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs, shape ``[N, C, *]``, to normalised ones of the same shape and precision.

        Raises:
            ValueError: The inputs have another number of channels, or another resolution than the running
                statistics of positions.
        """
        if inputs.ndim < 2 or inputs.shape[1] != self.num_channels:
            raise ValueError(
                f"Inputs must have shape [N, {self.num_channels}, *], not {list(inputs.shape)}."
            )
        half = inputs.dtype in (torch.float16, torch.bfloat16)
        values = inputs.float() if half else inputs
        along = (1, -1) + (1,) * (values.ndim - 2)
        weight = self._spread(self.weight, 1.0, values, along)
        bias = self._spread(self.bias, 0.0, values, along)
        share = self.blend.to(values.dtype)
        share = share.sigmoid() if self.gate == "sigmoid" else share
        if self.track_running_stats and not self.training:
            result = self._with_running(values, share) * weight + bias
        elif self._batch.count(values.shape) < 2:
            # One value has no spread: what is left is the group step.
            result = standardise(values, self._group)[0] * weight + bias
        else:
            result, mean, squares = self._with_batch(values, share, weight, bias)
            if self.track_running_stats and self.training:
                self._keep(mean, squares, self._batch.count(values.shape))
        return result.to(inputs.dtype)

    def extra_repr(self) -> str:
        """The settings."""
        return (
            f"{self.num_channels}, groups={self.num_groups}, eps={self.eps}, order={self.order}, "
            f"batch_stats={self.batch_stats}, gate={self.gate}, compat_eps={self.compat_eps}, "
            f"affine={self.affine}, track_running_stats={self.track_running_stats}"
        )

    @property
    def _group(self) -> Statistics:
        return Statistics("group", self.num_groups, self.eps, self.compat_eps == "std")

    @property
    def _batch(self) -> Statistics:
        return Statistics(self.batch_stats, self.num_groups, self.eps, self.compat_eps == "std")

    def _with_batch(
        self, values: Tensor, share: Tensor, weight: Tensor, bias: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The output, and mean and sum of squares of the batch step."""
        if self.order == "gn_first":
            grouped = standardise(values, self._group)[0]
            return blend(grouped, share, weight, bias, self._batch)
        batched, mean, squares = standardise(values, self._batch)
        if self.order == "bn_first":
            return blend(batched, 1 - share, weight, bias, self._group)[0], mean, squares
        grouped = standardise(values, self._group)[0]
        result = torch.addcmul(bias, grouped, share * weight)
        return torch.addcmul(result, batched, (1 - share) * weight), mean, squares

    def _with_running(self, values: Tensor, share: Tensor) -> Tensor:
        """The blend with the kept statistics, before gamma and beta."""
        first = standardise(values, self._group)[0] if self.order == "gn_first" else values
        mean, variance = self._kept(first)
        if self.compat_eps == "std":
            scale = (variance.sqrt() + self.eps).reciprocal()
        else:
            scale = (variance + self.eps).rsqrt()
        batched = (first - mean) * scale
        if self.order == "gn_first":
            return torch.lerp(batched, first, share)
        grouped = standardise(batched if self.order == "bn_first" else values, self._group)[0]
        return torch.lerp(batched, grouped, share)

    def _kept(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Running mean and variance so that they broadcast with the values."""
        assert self.running_mean is not None and self.running_var is not None
        mean, variance = self.running_mean.to(values.dtype), self.running_var.to(values.dtype)
        if mean.ndim == 1:
            along = (1, -1) + (1,) * (values.ndim - 2)
            return mean.reshape(along), variance.reshape(along)
        if mean.shape != values.shape[1:]:
            raise ValueError(
                f"The running statistics hold positions of shape {list(mean.shape)}, the inputs have "
                f'{list(values.shape[1:])}: batch_stats="channel" serves every resolution.'
            )
        return mean, variance

    @torch.no_grad()
    def _keep(self, mean: Tensor, squares: Tensor, count: int) -> None:
        """Take a batch into the running statistics; like PyTorch's, they hold the unbiased variance."""
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        old_mean, old_variance = self._kept(mean)
        momentum = self.momentum
        if momentum is None:
            momentum = 1.0 / float(self.num_batches_tracked)
        shape = mean.shape[1:] if self.batch_stats == "position" else (self.num_channels,)
        variance = squares / (count - 1)
        new_mean = torch.lerp(old_mean.expand_as(mean), mean, momentum).reshape(shape)
        new_variance = torch.lerp(old_variance.expand_as(mean), variance, momentum).reshape(shape)
        if new_mean.shape == self.running_mean.shape:
            self.running_mean.copy_(new_mean)
            self.running_var.copy_(new_variance)
        else:
            self.running_mean = new_mean.to(self.running_mean.dtype)
            self.running_var = new_variance.to(self.running_var.dtype)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Statistics of positions have the shape that their first batch gave them."""
        for name in ("running_mean", "running_var"):
            saved, own = state_dict.get(prefix + name), getattr(self, name)
            if saved is not None and own is not None and self.batch_stats == "position":
                setattr(self, name, own.new_empty(saved.shape))
        super()._load_from_state_dict(state_dict, prefix, *args)

    def _spread(
        self, parameter: Tensor | None, default: float, values: Tensor, along: tuple[int, ...]
    ) -> Tensor:
        if parameter is None:
            return values.new_full((1,) * values.ndim, default).expand(
                1, self.num_channels, *along[2:]
            )
        return parameter.to(values.dtype).reshape(along)


def replace_norm(
    model: nn.Module,
    factory: Callable[[int], nn.Module],
    *,
    skip: Callable[[str, nn.Module], bool] | None = None,
) -> nn.Module:
    """Swap the batch and group norms of a model, in place.

    Gamma and beta go over where both have them, with their device, precision and whether they are trained;
    running statistics do not, since they belong to what was normalised before. A norm that is used in several
    places is replaced by one new norm.

    Args:
        model: Changed in place.
        factory: From a number of channels to a norm: ``GroupNormPlus``, ``nn.BatchNorm2d``,
            ``lambda channels: nn.GroupNorm(8, channels)``.
        skip: Of a module's dotted name and itself, whether it stays.

    Returns:
        The model, or the new norm where the model itself is one.
    """
    made: dict[nn.Module, nn.Module] = {}
    kept: set[nn.Module] = set()
    for name, module in list(model.named_modules()):
        channels = _channels(module)
        if channels is None:
            continue
        if skip is not None and skip(name, module):
            kept.add(module)
        else:
            made[module] = _carried(module, factory(channels))
    for parent in list(model.modules()):
        if parent in made or parent in kept:
            continue
        # named_children() leaves out a module's further places.
        for name, child in list(parent._modules.items()):
            if child in made:
                setattr(parent, name, made[child])
    return made.get(model, model)


def _channels(module: nn.Module) -> int | None:
    if isinstance(module, _BatchNorm):
        return module.num_features
    return module.num_channels if isinstance(module, nn.GroupNorm | GroupNormPlus) else None


def _carried(old: nn.Module, new: nn.Module) -> nn.Module:
    for place in (old.parameters(), old.buffers()):
        for like in place:
            if like.is_floating_point():
                new = new.to(device=like.device, dtype=like.dtype)
                break
        else:
            continue
        break
    for name in ("weight", "bias"):
        before, after = getattr(old, name, None), getattr(new, name, None)
        if isinstance(before, nn.Parameter) and isinstance(after, nn.Parameter):
            with torch.no_grad():
                after.copy_(before)
            after.requires_grad_(before.requires_grad)
    return new.train(old.training)


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} is one of {', '.join(allowed)}, not {value!r}.")
