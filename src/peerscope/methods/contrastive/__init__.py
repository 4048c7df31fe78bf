"""Contrastive losses: on score matrices, on embeddings, and as modules.

`scores` holds the losses themselves, on a matrix of queries by candidates. `pairs` builds that matrix from
the embeddings of two views (other keys of the batch, a queue, the same view) and has functions of the same
names; `losses` wraps them as modules for training code.

All are computed in float32 at least: scores in float16 or bfloat16 are widened before they are divided by a
temperature.
"""

from peerscope.methods.contrastive.losses import (
    ContrastiveLoss,
    Decoupled,
    DualTemperature,
    HingeAttention,
    InfoNCE,
    SampledSoftmax,
    ScaleMatched,
)
from peerscope.methods.contrastive.pairs import Contrast, contrast
from peerscope.methods.contrastive.scores import (
    decoupled,
    dual_temperature,
    hinge_attention,
    negative_share,
    sampled_softmax,
    scale_matched,
    soft_dot,
)

__all__ = [
    "Contrast",
    "ContrastiveLoss",
    "Decoupled",
    "DualTemperature",
    "HingeAttention",
    "InfoNCE",
    "SampledSoftmax",
    "ScaleMatched",
    "contrast",
    "decoupled",
    "dual_temperature",
    "hinge_attention",
    "negative_share",
    "sampled_softmax",
    "scale_matched",
    "soft_dot",
]
