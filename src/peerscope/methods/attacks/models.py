"""What an attack needs of a model: logits from images, and to be left as it was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

Model = Callable[[Tensor], Tensor]
"""Images, shape ``[N, C, H, W]``, to logits, shape ``[N, K]``; an `nn.Module` or any function."""


@contextmanager
def evaluating(*models: Model) -> Iterator[None]:
    """Put models into evaluation mode and afterwards each of their modules into the mode it had."""
    found = [model for model in models if isinstance(model, nn.Module)]
    modes = [(module, module.training) for model in found for module in model.modules()]
    was = [model.training for model in found]
    try:
        for model in found:
            model.eval()
        yield
    finally:
        # train() first, for modules that do more there than set the mode.
        for model, training in zip(found, was, strict=True):
            model.train(training)
        for module, training in modes:
            module.training = training


def checked_logits(logits: Tensor, labels: Tensor) -> Tensor:
    """The logits as they are, if they fit the labels.

    Raises:
        ValueError: They are not of shape ``[N, K]`` with K of 2 or more.
    """
    if logits.ndim != 2 or len(logits) != len(labels) or logits.shape[1] < 2:
        raise ValueError(
            f"The model must give logits of shape [{len(labels)}, K] with at least two classes, "
            f"not {list(logits.shape)}."
        )
    return logits


class Ensemble(nn.Module):
    """Mean logits of several models, to attack them as one (Liu et al. 2017, arXiv 1611.02770, in logits).

    Args:
        models: At least one, over the same classes.
    """

    def __init__(self, *models: nn.Module) -> None:
        super().__init__()
        if not models:
            raise ValueError("An ensemble needs at least one model.")
        self.models = nn.ModuleList(models)

    def forward(self, images: Tensor) -> Tensor:
        """Images, shape ``[N, C, H, W]``, to logits, shape ``[N, K]``."""
        return torch.stack([model(images) for model in self.models]).mean(dim=0)
