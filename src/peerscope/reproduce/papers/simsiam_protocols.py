"""How the claims of "How Does SimSiam Avoid Collapse Without Negative Samples?" are tested."""

from __future__ import annotations

from collections.abc import Mapping

from peerscope.reproduce.protocol import Profile, Protocol, Setting

Settings = Mapping[str, Setting]

COMMON: Settings = {"data": "fashion-mnist", "decay": 1e-5}
CPU: Settings = {
    **COMMON, "images": 10_000, "held": 1_000, "bank": 4_000, "net": "conv4", "channels": (32, 64, 128, 128),
    "width": 256, "batch": 128, "steps": 250, "rate": 0.06, "warmup": 30, "half": False,
}  # fmt: skip
GPU: Settings = {
    **COMMON, "images": 60_000, "held": 1_000, "bank": 20_000, "net": "resnet18", "channels": (32,),
    "width": 2_048, "batch": 256, "steps": 2_340, "rate": 0.5, "warmup": 234, "half": True,
}  # fmt: skip
TINY: Settings = {
    **COMMON, "images": 64, "held": 32, "bank": 64, "net": "conv4", "channels": (4, 8, 8, 8),
    "width": 16, "batch": 16, "steps": 4, "rate": 0.06, "warmup": 1, "half": False,
}  # fmt: skip

OF_VECTORS: Mapping[str, str] = {
    "m_o/*": "length of the mean of the unit vectors that the loss acts on, last eight steps, 0 to 1",
    "m_r/*": "root mean square length of the same vectors less their mean, 0 to 1",
    "spread/*": "mean over dimensions of their deviation, times the root of the number of dimensions; "
    "about 1 when even",
    "covariance/*": "sum of their squared covariances of different dimensions, over the number of dimensions",
    "rank/*": "effective rank of their covariance",
}
CORRECT: Mapping[str, str] = {
    "correct/*": "one value a held-out image: 1 where its 20 nearest features tell its class, else 0",
}


def _profiles(
    seeds: int, cpu: Settings, gpu: Settings, tiny: Settings, seconds: float = 600
) -> Mapping[str, Profile]:
    return {
        "cpu": Profile({**CPU, **cpu}, seeds=seeds, seconds=seconds),
        "gpu": Profile({**GPU, **gpu}, seeds=seeds, seconds=480, memory_mb=16_384, device="cuda"),
        "tiny": Profile({**TINY, **tiny}, seeds=1, seconds=60),
    }


ARMS = Protocol(
    name="simsiam_arms",
    version=1,
    entry="peerscope.reproduce.protocols.simsiam_arms:run",
    summary="SimSiam and eight variants are trained on Fashion-MNIST from the same start on the same "
    "batches; the vectors that each loss acts on are judged, accuracy is not.",
    figures={
        **OF_VECTORS,
        "z_*/*": "the same of the projections of held-out images",
        "loss/*": "loss over the last eight steps; for symmetric, the negative cosine of two predictions",
        **CORRECT,
        "share/*": "how much of the second vector the first holds, mean over the run: the regression "
        "coefficient of o_e on o_p, and of -o_e on o_z",
        "identity/*": "relative difference of the gradients of two forms of one loss, in float64",
        "cosine/bias_centre": "cosine of the bias and the mean projection",
    },
    profiles=_profiles(
        3,
        {"long_steps": 2_000, "share_every": 20},
        {"long_steps": 2_340, "share_every": 100},
        {"long_steps": 4, "share_every": 2},
        seconds=900,
    ),
    data=("fashion-mnist",),
)

TRIPLET = Protocol(
    name="simsiam_triplet",
    version=1,
    entry="peerscope.reproduce.protocols.simsiam_triplet:run",
    summary="A triplet loss with a random negative is trained on Fashion-MNIST with its extra gradient "
    "whole, without the residual and without the mean.",
    figures={**OF_VECTORS, **CORRECT},
    profiles=_profiles(3, {}, {}, {}),
    data=("fashion-mnist",),
)

FORCES = Protocol(
    name="simsiam_forces",
    version=1,
    entry="peerscope.reproduce.protocols.simsiam_forces:run",
    summary="One net is pulled by single components of a gradient, one after the other; a second is trained "
    "as SimSiam, collapsed, and then trained by a loss on correlation alone.",
    figures={
        "m_o/*": "length of the mean of the unit vectors that the loss acts on, over the last eight steps of "
        "the phase, 0 to 1",
        "m_r/*": "root mean square length of the same vectors less their mean, 0 to 1",
    },
    profiles=_profiles(
        5,
        {"phase": 100, "healthy": 100, "collapsing": 150, "restoring": 50, "heavy": 1_000.0},
        {"phase": 400, "healthy": 1_170, "collapsing": 234, "restoring": 234, "heavy": 1_000.0},
        {"phase": 2, "healthy": 2, "collapsing": 2, "restoring": 2, "heavy": 1_000.0},
    ),
    data=("fashion-mnist",),
)

ALIGNMENT = Protocol(
    name="simsiam_alignment",
    version=1,
    entry="peerscope.reproduce.protocols.simsiam_alignment:run",
    summary="A net is trained a little by InfoNCE on Fashion-MNIST and frozen; its gradient is taken apart "
    "at several temperatures and compared with the descent of the vectors' squared covariances.",
    figures={
        "o_e/*": "mean cosine of the mean of InfoNCE's extra gradient at that temperature with the descent "
        "of decorrelation, in batches",
        "r_e/*": "the same of the rest of the extra gradient; r_e/limit is that for large temperatures",
        "whole_o_e/*": "as o_e, with all held-out images as one batch",
        "whole_r_e/*": "as r_e, with all held-out images as one batch",
        "even/*": "share of the squared entries of the covariance that lies on its diagonal, in [0, 1]",
        **OF_VECTORS,
    },
    profiles=_profiles(
        5,
        {"held": 2_048, "apart": 256, "temperature": 0.2,
         "temperatures": (0.02, 0.05, 0.1, 0.2, 0.4, 1.0, 3.0)},
        {"held": 10_000, "apart": 256, "temperature": 0.2,
         "temperatures": (0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.7, 1.0, 3.0)},
        {"apart": 16, "temperature": 0.2, "temperatures": (0.02, 0.1, 0.2, 1.0)},
    ),
    data=("fashion-mnist",),
)  # fmt: skip

AVERAGE = Protocol(
    name="simsiam_average",
    version=1,
    entry="peerscope.reproduce.protocols.simsiam_average:run",
    summary="Two projections are pulled together on Fashion-MNIST without a predictor: towards the mean of n "
    "further views under the current weights, or towards a moving average of each image's projections.",
    figures={**OF_VECTORS, **CORRECT},
    profiles=_profiles(
        3,
        {
            "images": 5_000,
            "batch": 64,
            "views": (10,),
            "steps": 200,
            "moving_steps": 2_000,
            "keep": 0.8,
        },
        {"views": (10, 25), "steps": 1_000, "moving_steps": 4_680, "keep": 0.8},
        {"views": (10, 25), "moving_steps": 4, "keep": 0.8},
    ),
    data=("fashion-mnist",),
)

PROTOCOLS = (ARMS, TRIPLET, FORCES, ALIGNMENT, AVERAGE)
