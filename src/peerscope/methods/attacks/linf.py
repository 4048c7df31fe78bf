"""The family of FGSM under an L-infinity budget, with any loss.

One step is ``x <- clip(x + alpha sign(g))`` with ``g`` the gradient of the loss at the current images and
the clip to both the budget around the originals and the range of pixels. One step with ``alpha = eps`` is
FGSM (Goodfellow et al. 2015), several are I-FGSM (Kurakin et al. 2017), with a random start PGD (Madry et al.
2018). Momentum (Dong et al. 2018, arXiv 1710.06081) accumulates ``m <- mu m + g / mean |g|`` and steps along
its sign; input diversity changes the images before the gradient, translation invariance smooths it before the
momentum.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from peerscope.methods.attacks.inputs import InputDiversity, TranslationInvariance
from peerscope.methods.attacks.losses import Loss, alignment, named
from peerscope.methods.attacks.metrics import interest_class_rank
from peerscope.methods.attacks.models import Model, checked_logits, evaluating


@dataclass(frozen=True, slots=True)
class Trace:
    """What an attack did, at its start and after each of T steps, at the images without input diversity.

    Attributes:
        ranks: Rank of the class of interest, from 1, int64, shape ``[T + 1, N]``.
        log_probabilities: Log-softmax of the class of interest, shape ``[T + 1, N]``.
        cosines: Of the loss's gradient by the logits with ``1/K - e_y``, shape ``[T + 1, N]``.
    """

    ranks: Tensor
    log_probabilities: Tensor
    cosines: Tensor


class LinfAttack:
    """Change images within ``eps`` per pixel so that the loss rises (or falls, towards a target).

    The model's modes, parameters and their gradients are as before afterwards; it is attacked in evaluation
    mode. Half precision is the caller's `torch.autocast`; images stay float32 there.

    Args:
        model: Images to logits; a normalisation of pixels belongs inside it.
        loss: A name (``cross_entropy``, ``margin``, ``logit``, ``relative_cross_entropy``) or a function of
            logits and labels that gives a value an image.
        eps: Budget per pixel in the units of the images, 0 or more.
        alpha: Length of a step; ``None`` for ``eps / steps``.
        steps: Number of steps, at least 1.
        momentum: ``mu``, 0 or more; 0 for none, 1 is usual.
        diversity: Transformation of the images before each gradient.
        translation: Smoothing of each gradient.
        targeted: Whether the labels are targets to reach, not truths to leave.
        random_start: Whether to start at a uniformly random place within the budget.
        bounds: Lowest and highest value of a pixel.

    Raises:
        ValueError: A value is out of its range, or the loss is not known.
    """

    def __init__(
        self,
        model: Model,
        loss: str | Loss = "relative_cross_entropy",
        *,
        eps: float,
        alpha: float | None = None,
        steps: int = 10,
        momentum: float = 0.0,
        diversity: InputDiversity | None = None,
        translation: TranslationInvariance | None = None,
        targeted: bool = False,
        random_start: bool = False,
        bounds: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        if eps < 0 or steps < 1 or momentum < 0 or (alpha is not None and alpha <= 0):
            raise ValueError(
                "An attack needs eps of 0 or more, alpha above 0, at least one step and momentum of 0 or "
                f"more, not eps={eps}, alpha={alpha}, steps={steps}, momentum={momentum}."
            )
        self.model, self.eps, self.steps, self.momentum = model, eps, steps, momentum
        self.loss_name, self.loss = named(loss)
        self.alpha = eps / steps if alpha is None else alpha
        self.diversity, self.translation = diversity, translation
        self.targeted, self.random_start, self.bounds = targeted, random_start, bounds

    def __call__(
        self, images: Tensor, labels: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """The attacked images.

        Images in half precision are attacked in float32 and rounded at the end, which may exceed the budget
        by half a unit of their precision: keep them float32 and use autocast where that matters.

        Args:
            images: Floating point within the bounds, shape ``[N, C, H, W]``.
            labels: True classes or, for a targeted attack, targets, int64, shape ``[N]``.
            generator: Source of the random start and of input diversity.

        Raises:
            ValueError: Images, labels or logits do not have these shapes and ranges, or a gradient is not
                finite.
        """
        return self._attacked(images, labels, generator, None)

    def trace(
        self, images: Tensor, labels: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Trace]:
        """The attacked images and what happened on the way; one more forward pass a step.

        Args and errors as of a call.
        """
        seen: list[tuple[Tensor, Tensor, Tensor]] = []
        attacked = self._attacked(images, labels, generator, seen)
        ranks, logs, cosines = (torch.stack(rows) for rows in zip(*seen, strict=True))
        return attacked, Trace(ranks, logs, cosines)

    def _attacked(
        self,
        images: Tensor,
        labels: Tensor,
        generator: torch.Generator | None,
        seen: list[tuple[Tensor, Tensor, Tensor]] | None,
    ) -> Tensor:
        self._check(images, labels)
        with torch.inference_mode(False), torch.enable_grad(), evaluating(self.model):
            clean, labels = _plain(images), _plain(labels)
            lowest = (clean - self.eps).clamp_min(self.bounds[0])
            highest = (clean + self.eps).clamp_max(self.bounds[1])
            current = self._start(clean, generator).clamp(lowest, highest)
            velocity = torch.zeros_like(current) if self.momentum else None
            finite = torch.ones((), dtype=torch.bool, device=current.device)
            for _ in range(self.steps):
                if seen is not None:
                    seen.append(self._observed(current, labels, images.dtype))
                gradient = self._gradient(current, labels, generator, images.dtype)
                # The sign of NaN is 0, so the images would not show it.
                finite &= gradient.sum().isfinite()
                direction = self._direction(gradient, velocity)
                current.add_(direction.sign(), alpha=-self.alpha if self.targeted else self.alpha)
                torch.clamp(current, lowest, highest, out=current)
            if seen is not None:
                seen.append(self._observed(current, labels, images.dtype))
        if not bool(finite):
            raise ValueError(
                "The loss has a gradient that is not finite at some image: a half precision overflows "
                "(use bfloat16) or the model itself gives NaN there."
            )
        return current.to(images.dtype)

    def _gradient(
        self,
        current: Tensor,
        labels: Tensor,
        generator: torch.Generator | None,
        dtype: torch.dtype,
    ) -> Tensor:
        point = current.detach().requires_grad_()
        inputs = point if self.diversity is None else self.diversity(point, generator)
        logits = checked_logits(self.model(inputs.to(dtype)), labels)
        (gradient,) = torch.autograd.grad(self.loss(logits, labels).sum(), point)
        return gradient if self.translation is None else self.translation(gradient)

    def _direction(self, gradient: Tensor, velocity: Tensor | None) -> Tensor:
        if velocity is None:
            return gradient
        length = gradient.abs().mean(dim=tuple(range(1, gradient.ndim)), keepdim=True)
        # An image without a gradient keeps its momentum.
        length = length.clamp_min(torch.finfo(length.dtype).tiny)
        return velocity.mul_(self.momentum).addcdiv_(gradient, length)

    def _start(self, clean: Tensor, generator: torch.Generator | None) -> Tensor:
        if not self.random_start:
            return clean
        device = clean.device if generator is None else generator.device
        noise = torch.rand(clean.shape, generator=generator, dtype=clean.dtype, device=device)
        return clean + (2 * noise.to(clean.device) - 1) * self.eps

    def _observed(
        self, current: Tensor, labels: Tensor, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor, Tensor]:
        with torch.no_grad():
            logits = checked_logits(self.model(current.to(dtype)), labels)
        logits = logits.detach().float().requires_grad_()
        (gradient,) = torch.autograd.grad(self.loss(logits, labels).sum(), logits)
        logits = logits.detach()
        logs = logits.log_softmax(dim=1).gather(1, labels[:, None])[:, 0]
        return interest_class_rank(logits, labels), logs, alignment(gradient, labels)

    def _check(self, images: Tensor, labels: Tensor) -> None:
        if not images.is_floating_point() or images.ndim != 4:
            raise ValueError(
                "Images must be floating point of shape [N, C, H, W], not "
                f"{images.dtype} {list(images.shape)}."
            )
        if labels.shape != images.shape[:1] or labels.dtype != torch.int64:
            raise ValueError(
                f"Labels must be int64 of shape [{len(images)}], not {labels.dtype} {list(labels.shape)}."
            )
        if not images.numel():
            raise ValueError("There is no image to attack.")
        low, high = (float(end) for end in torch.aminmax(images.detach()))
        if not (low >= self.bounds[0] and high <= self.bounds[1]):
            raise ValueError(
                f"Pixels lie in [{low:g}, {high:g}], outside of {list(self.bounds)}: scale the images, put "
                "any normalisation into the model, or pass bounds."
            )


def _plain(values: Tensor) -> Tensor:
    """Detached, of at least single precision, and free to take part in autograd."""
    found = values.detach()
    if found.dtype in (torch.float16, torch.bfloat16):
        return found.float()
    return found.clone() if found.is_inference() else found
