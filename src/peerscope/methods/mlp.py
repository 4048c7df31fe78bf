"""Perceptrons between features and losses: projectors and predictors.

What published heads differ in is where they normalise and how the last layer ends: see `mlp`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

from torch import nn

Last = Literal["bare", "norm", "plain-norm"]


def mlp(
    widths: Sequence[int],
    *,
    norm: Callable[[int], nn.Module] | None = nn.BatchNorm1d,
    last: Last = "bare",
) -> nn.Sequential:
    """Linear layers with a norm and ReLU between them.

    ======================================  =======================  ========  ==============
    head                                    widths                   norm      last
    ======================================  =======================  ========  ==============
    MoCo v2, dual temperature               512, 128, 128            ``None``  ``bare``
    BYOL's projector and predictor          dim, 4096, 256           default   ``bare``
    SimSiam's projector                     dim, 2048, 2048, 2048    default   ``plain-norm``
    SimSiam's predictor                     2048, 512, 2048          default   ``bare``
    ======================================  =======================  ========  ==============

    Args:
        widths: Of the input, of each hidden layer and of the output.
        norm: From a width to the norm of the hidden layers; ``None`` for none.
        last: The output as the linear layer gives it, batch-normalised, or batch-normalised without scale
            and shift.

    Raises:
        ValueError: There are fewer than two widths, or ``last`` is none of these.
    """
    if len(widths) < 2:
        raise ValueError("A perceptron has at least the widths of its input and its output.")
    if last not in ("bare", "norm", "plain-norm"):
        raise ValueError(f"last is bare, norm or plain-norm, not {last!r}.")
    layers: list[nn.Module] = []
    for before, after in pairwise(widths[:-1]):
        layers.append(nn.Linear(before, after, bias=norm is None))
        if norm is not None:
            layers.append(norm(after))
        layers.append(nn.ReLU(inplace=True))
    layers.append(nn.Linear(widths[-2], widths[-1], bias=last == "bare"))
    if last != "bare":
        layers.append(nn.BatchNorm1d(widths[-1], affine=last == "norm"))
    return nn.Sequential(*layers)
