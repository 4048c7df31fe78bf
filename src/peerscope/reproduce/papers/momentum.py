"""Claims of "On the Pros and Cons of Momentum Encoder in Self-Supervised Visual Representation Learning".

Only the abstract could be read, so no claim has a printed number, and masks, rates and measures of
fluctuation are this project's reading of it.
"""

from __future__ import annotations

from peerscope.reproduce.claims import Check, Claim, Paper
from peerscope.reproduce.protocol import Profile, Protocol

ABSTRACT = "abstract; the body could not be read"
ARMS = ("none", "stop_gradient", "full", "projector", "prefix-2", "suffix-2")

ACCURACY = Protocol(
    name="momentum_accuracy",
    version=1,
    entry="peerscope.reproduce.protocols.momentum_accuracy:run",
    summary="SimCLR on Fashion-MNIST with momentum targets of different parts and the control without an "
    "average; features judged by 20 nearest neighbours and a linear probe on the 10,000 test images.",
    figures={
        "knn/*": "% of test images whose class the 20 nearest features vote for, by arm; a value for each "
        "ten images",
        "linear/*": "% of test images that a linear probe gets right, by arm; a value for each ten images",
    },
    profiles={
        "cpu": Profile(
            {"encoder": "conv4", "images": 20_000, "tests": 10_000, "iterations": 100,
             "batch": 128, "seen": 51_200,
             "warmup": 3_840, "rate": 0.06, "momentum": 0.95, "others": (0.99,), "arms": ARMS},
            seeds=5, seconds=600,
        ),
        "gpu": Profile(
            {"encoder": "resnet18", "images": 60_000, "tests": 10_000, "iterations": 100,
             "batch": 256, "seen": 480_000,
             "warmup": 15_360, "rate": 0.06, "momentum": 0.99, "others": (),
             "arms": (*ARMS, "suffix-3")},
            seeds=3, seconds=300, memory_mb=16_384, device="cuda",
        ),
        "tiny": Profile(
            {"encoder": "conv4", "images": 64, "tests": 20, "iterations": 2, "batch": 16, "seen": 192,
             "warmup": 16, "rate": 0.06, "momentum": 0.9, "others": (0.99,), "arms": ARMS},
            seeds=1, seconds=60,
        ),
    },
    data=("fashion-mnist",),
)  # fmt: skip

WATCHED = ("none", "stop_gradient", "projector", "full")

FLUCTUATION = Protocol(
    name="momentum_fluctuation",
    version=1,
    entry="peerscope.reproduce.protocols.momentum_fluctuation:run",
    summary="Gradients of SimCLR's loss to the output of each block, step by step after the warm-up at a "
    "constant learning rate, on Fashion-MNIST, without a target and with ones of different parts.",
    figures={
        "variation/*": "deviation over steps of the mean norm of a sample's gradient, over its mean, by arm "
        "and part (first and last are blocks of the encoder)",
        "cosine/*": "mean cosine of the batch-mean gradients of successive steps, by arm and part",
        "change/*": "mean length of their difference over that of the later one, by arm and part",
        "drift/*": "mean of 1 - cosine between a probe's keys of successive steps, by arm",
    },
    profiles={
        "cpu": Profile(
            {"encoder": "conv4", "images": 20_000, "batch": 128, "seen": 25_600, "warmup": 6_400,
             "rate": 0.06, "momentum": 0.95, "probed": 128, "arms": WATCHED},
            seeds=5, seconds=300,
        ),
        "gpu": Profile(
            {"encoder": "resnet18", "images": 60_000, "batch": 256, "seen": 256_000, "warmup": 51_200,
             "rate": 0.06, "momentum": 0.99, "probed": 1_024, "arms": WATCHED},
            seeds=5, seconds=300, memory_mb=16_384, device="cuda",
        ),
        "tiny": Profile(
            {"encoder": "conv4", "images": 64, "batch": 16, "seen": 80, "warmup": 16,
             "rate": 0.06, "momentum": 0.9, "probed": 16, "arms": WATCHED},
            seeds=1, seconds=60,
        ),
    },
    data=("fashion-mnist",),
)  # fmt: skip

TIMED = ("none", "stop_gradient", "projector", "suffix-2", "full")

COST = Protocol(
    name="momentum_cost",
    version=1,
    entry="peerscope.reproduce.protocols.momentum_cost:run",
    summary="A training step under momentum masks, arms by turns on the same views of Fashion-MNIST: passes "
    "of the encoder, time, memory of the copies.",
    figures={
        "passes/*": "passes of the encoder in a step, both views together, by arm",
        "time/*": "milliseconds a step without making views, median of the rounds, by arm; processor time on "
        "a CPU",
        "copied/*": "MiB of averaged weights and buffers, by arm",
        "memory/*": "peak MiB of a step above what all arms hold, by arm; on a GPU only",
    },
    profiles={
        "cpu": Profile(
            {"encoder": "conv4", "images": 256, "batch": 128, "momentum": 0.95, "rounds": 8,
             "arms": TIMED},
            seeds=5, seconds=120,
        ),
        "gpu": Profile(
            {"encoder": "resnet18", "images": 1_024, "batch": 512, "momentum": 0.99, "rounds": 40,
             "arms": TIMED},
            seeds=5, seconds=120, memory_mb=16_384, device="cuda",
        ),
        "tiny": Profile(
            {"encoder": "conv4", "images": 32, "batch": 16, "momentum": 0.9, "rounds": 1,
             "arms": TIMED},
            seeds=1, seconds=60,
        ),
    },
    data=("fashion-mnist",),
)  # fmt: skip

TRAINED = {
    "cpu": "Fashion-MNIST (20,000 images), a four-layer net, 400 steps of 128 instead of hundreds of epochs, "
    "momentum 0.95 so that the average's 20 steps fit the run",
    "gpu": "Fashion-MNIST, ResNet-18 at half width, 8 epochs in batches of 256, momentum 0.99",
}
STEADY = {
    "cpu": "Fashion-MNIST, a four-layer net, 150 steps of 128 after the warm-up, momentum 0.95; measures of "
    "this project",
    "gpu": "Fashion-MNIST, ResNet-18 at half width, 800 steps of 256 after the warm-up, momentum 0.99; "
    "measures of this project",
}
CONTROL = (
    "stop-gradient without an average, which every momentum target also is; against no target the gradient "
    "is halved too, at one learning rate for all arms"
)
BOUNDED = f"{CONTROL}. The bound of a point is this project's"
PLACES = (("first", "the first block"), ("last", "the last block"), ("projector", "the projector"))

PAPER = Paper(
    learned=(
        "The cost is as claimed and counted: momentum on the projector alone needs no second pass, and "
        "its step takes the time of a step without a target, where a full target takes a third more. In "
        "accuracy by neighbours a full target gains 0.27 points on SimCLR and 0.19 on the stop-gradient "
        "alone after 400 steps, both with intervals that hold zero; by the linear probe, which no check "
        "asks for, it is 0.5 points below SimCLR, and so is the stop-gradient. Momentum on the last block "
        "and the projector is 0.43 points above momentum on the first two blocks, because the latter "
        "loses 0.45 and not because the former gains. That gradients fluctuate most in the last layers "
        "does not show by our measures; the paper's own could not be read. That a target calms gradients "
        "(our hypothesis) holds at the first block and at the projector, and is open at the last block."
    ),
    slug="momentum",
    title="On the Pros and Cons of Momentum Encoder in Self-Supervised Visual Representation Learning",
    identifiers=("arxiv:2208.05744",),
    version="arXiv 2208.05744",
    known="Read was the abstract alone, on several pages; tables, rates, data and the measure of fluctuation "
    "could not be, and no code of it was found. So only directions stand here, and the protocols are this "
    "project's.",
    claims=(
        Claim(
            id="momentum-1",
            learned=(
                "Four hundred steps at momentum 0.95 are too few, or the gain too small, for five seeds "
                "of 10,000 test images."
            ),
            statement="A momentum encoder improves SimCLR, a framework without one.",
            metric="kNN accuracy, points",
            location=ABSTRACT,
            protocol="momentum_accuracy",
            checks=(
                Check("the full target above no target", "knn/full", "knn/none"),
                Check("and above stop-gradient alone", "knn/full", "knn/stop_gradient"),
            ),
            profiles=TRAINED,
            controls=CONTROL,
            curve="kNN accuracy of the full target over m, %",
        ),
        Claim(
            id="momentum-2",
            learned=(
                "The early blocks change less than a point, but not nothing: they lose 0.45. The late ones "
                "do not gain over the stop-gradient (-0.02), so only half of the claim shows."
            ),
            statement="Momentum on the blocks near the input matters little, on the later ones much more.",
            metric="kNN accuracy, points",
            location=ABSTRACT,
            protocol="momentum_accuracy",
            checks=(
                Check("the first two blocks change less than a point", "knn/prefix-2", "knn/stop_gradient",
                      relation="within", tolerance=1.0),
                Check("the last block and the projector help", "knn/suffix-2", "knn/stop_gradient"),
                Check("more than the first two blocks do", "knn/suffix-2", "knn/prefix-2"),
            ),
            profiles=TRAINED,
            controls=BOUNDED,
            curve="InfoNCE at 0.2 over steps",
        ),
        Claim(
            id="momentum-3",
            learned=(
                "Successive gradients agree least at the first block, against the claim; the norms of "
                "gradients tell the places apart too little. The paper's measure, and its far deeper "
                "net, were not at hand."
            ),
            statement="Gradients with respect to the output of a block fluctuate most in the last layers.",
            metric="deviation over mean of gradient norms, and cosine of successive gradients",
            location=f"{ABSTRACT}; the measures are this project's",
            protocol="momentum_fluctuation",
            checks=(
                Check("norms vary more at the projector than at the first block", "variation/none/projector",
                      "variation/none/first", bound=1.0, compare="ratio"),
                Check("norms vary more at the last block than at the first", "variation/none/last",
                      "variation/none/first", bound=1.0, compare="ratio"),
                Check("successive gradients agree less at the projector than at the first block",
                      "cosine/none/projector", "cosine/none/first", relation="below"),
                Check("successive gradients agree less at the last block than at the first",
                      "cosine/none/last", "cosine/none/first", relation="below"),
            ),
            profiles=STEADY,
            better="neither",
            curve="deviation over mean of gradient norms, by part",
        ),
        Claim(
            id="momentum-4",
            statement="Momentum on the projector alone is comparable to or better than on the whole.",
            metric="kNN accuracy, points",
            location=ABSTRACT,
            protocol="momentum_accuracy",
            checks=(
                Check("not a point below the full target", "knn/projector", "knn/full", bound=-1.0),
                Check("above stop-gradient alone", "knn/projector", "knn/stop_gradient"),
            ),
            profiles=TRAINED,
            controls=BOUNDED,
            curve="InfoNCE at 0.2 over steps",
        ),
        Claim(
            id="momentum-5",
            statement="Momentum on the projector alone needs no second pass of the encoder, so it costs what "
            "SimCLR without a target costs.",
            metric="passes of the encoder in a step, and ratio of times of a step",
            better="lower",
            location=ABSTRACT,
            protocol="momentum_cost",
            checks=(
                Check("as many passes as without a target", "passes/projector", "passes/none",
                      relation="within", tolerance=0.0),
                Check("the full target takes more passes", "passes/full", "passes/projector"),
                Check("time of a step within a tenth of that without a target, or below", "time/projector",
                      "time/none", relation="below", bound=1.1, compare="ratio"),
                Check("and of stop-gradient's", "time/projector", "time/stop_gradient",
                      relation="below", bound=1.1, compare="ratio"),
                Check("the full target's step takes longer", "time/full", "time/projector", bound=1.0,
                      compare="ratio"),
            ),
            profiles={
                "cpu": "a four-layer net, batches of 128; processor time of one thread",
                "gpu": "ResNet-18 at half width, batches of 512, bfloat16",
            },
            controls="stop-gradient, which lacks only the projector's average and its second pass",
        ),
        Claim(
            id="momentum-6",
            statement="A momentum target damps the fluctuation of gradients at every block.",
            metric="deviation over mean of gradient norms",
            better="lower",
            location="this project's own hypothesis: the abstract ascribes part of the gain to stability, "
            "and does not say this",
            protocol="momentum_fluctuation",
            checks=tuple(
                Check(f"less at {words} than with {other}", f"variation/full/{place}",
                      f"variation/{control}/{place}", relation="below", bound=1.0, compare="ratio")
                for control, other in (("none", "no target"), ("stop_gradient", "stop-gradient alone"))
                for place, words in PLACES
            ),
            profiles=STEADY,
            controls=CONTROL,
            curve="deviation over mean of gradient norms, by part",
        ),
    ),
    protocols=(ACCURACY, FLUCTUATION, COST),
)  # fmt: skip
