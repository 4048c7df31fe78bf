"""Claims of "Dual Temperature Helps Contrastive Learning Without Many Negative Samples" (CVPR 2022).

Of the paper itself only the opening could be read. What stands as printed comes from the table in the
authors' README; how the loss and the arms are made, from their code.
"""

from __future__ import annotations

from peerscope.reproduce.claims import Check, Claim, Paper
from peerscope.reproduce.protocol import Profile, Protocol, Setting

IDENTITIES = Protocol(
    name="dual_temperature_identities",
    version=1,
    entry="peerscope.reproduce.protocols.dual_temperature_identities:run",
    summary="Gradients of InfoNCE and of the dual-temperature loss to queries and keys against closed forms, "
    "in float64 on random unit vectors.",
    figures={
        "error/*": "largest relative error of a gradient against its closed form",
        "finite/*": "share of the gradient's entries that are finite where the positive is far ahead, by "
        "form of the loss and type of the scores",
    },
    profiles={
        "cpu": Profile({"anchors": 64, "width": 128}, seeds=5, seconds=60),
        "gpu": Profile({"anchors": 1024, "width": 128}, seeds=5, seconds=60, device="cuda"),
        "tiny": Profile({"anchors": 8, "width": 16}, seeds=1, seconds=60),
    },
)

WEIGHTS = Protocol(
    name="dual_temperature_weights",
    version=1,
    entry="peerscope.reproduce.protocols.dual_temperature_weights:run",
    summary="The weight W of an anchor in InfoNCE's gradient: in closed form for a positive at cosine 0.8 "
    "and random negatives, and over the anchors of Fashion-MNIST while InfoNCE trains for 200 steps.",
    figures={
        "closed/*": "mean W over anchors, by number of negatives and temperature",
        "rise/*": "smallest rise of W between neighbouring dictionary sizes or temperatures of the table",
        "variation/*": "deviation over mean of W across anchors at the end of training: negatives of the "
        "batch at 0.1, of a large dictionary at 0.1, of the batch at 1.0 (outer)",
        "mean/*": "mean of the same W",
    },
    profiles={
        "cpu": Profile(
            {"anchors": 256, "images": 20_000, "encoder": "conv4", "batch": 64, "seen": 12_800,
             "warmup": 1_920, "rate": 0.06, "dictionary": 4_096, "measured": 1_024},
            seeds=5, seconds=300,
        ),
        "gpu": Profile(
            {"anchors": 256, "images": 60_000, "encoder": "resnet18", "batch": 256, "seen": 51_200,
             "warmup": 7_680, "rate": 0.06, "dictionary": 65_536, "measured": 1_024},
            seeds=5, seconds=300, memory_mb=16_384, device="cuda",
        ),
        "tiny": Profile(
            {"anchors": 4, "images": 128, "encoder": "conv4", "batch": 16, "seen": 64,
             "warmup": 16, "rate": 0.06, "dictionary": 64, "measured": 32},
            seeds=1, seconds=60,
        ),
    },
    data=("fashion-mnist",),
)  # fmt: skip

ARMS = ("moco_v2", "moco_batch", "simmoco", "simco", "symmetric", "scale_matched")
AT_64 = tuple(f"{arm}/64" for arm in ARMS)
AT_256 = tuple(f"{arm}/256" for arm in ARMS)
BATCHES = ("simco/128", "symmetric/128")
TRAINING: dict[str, Setting] = {"batch": 64, "warmup": 1_920, "rate": 0.06, "momentum": 0.95}

ACCURACY = Protocol(
    name="dual_temperature_accuracy",
    version=1,
    entry="peerscope.reproduce.protocols.dual_temperature_accuracy:run",
    summary="MoCo v2, SimMoCo, SimCo and their controls trained from the same start on the same views of "
    "Fashion-MNIST; features judged by 20 nearest neighbours and a linear probe on the 10,000 test images.",
    figures={
        "knn/*": "% of test images whose class the 20 nearest features vote for, by arm and batch; a value "
        "for each ten images",
        "linear/*": "% of test images that a linear probe gets right, by arm and batch; a value for each ten "
        "images",
        "spread/*": "largest less smallest kNN accuracy over batch sizes, in points, by arm",
        "share/*": "mean weight W(0.1) of an anchor in the last tenth of training, by arm and batch",
    },
    profiles={
        "cpu": Profile(
            {**TRAINING, "encoder": "conv4", "images": 20_000, "tests": 10_000, "iterations": 100,
             "seen": 32_000, "queue": 4_096, "runs": (*AT_64, *BATCHES, "simco/256", "symmetric/256")},
            seeds=5, seconds=600,
        ),
        "gpu": Profile(
            {**TRAINING, "encoder": "resnet18", "images": 60_000, "tests": 10_000, "iterations": 100,
             "seen": 72_000, "queue": 16_384, "runs": (*AT_64, *BATCHES, *AT_256)},
            seeds=5, seconds=300, memory_mb=16_384, device="cuda",
        ),
        "tiny": Profile(
            {**TRAINING, "encoder": "conv4", "images": 256, "tests": 40, "iterations": 2,
             "seen": 256, "warmup": 64, "queue": 64, "runs": (*AT_64, *BATCHES, *AT_256)},
            seeds=1, seconds=60,
        ),
    },
    data=("fashion-mnist",),
)  # fmt: skip

DICTIONARY = Protocol(
    name="dual_temperature_dictionary",
    version=1,
    entry="peerscope.reproduce.protocols.dual_temperature_dictionary:run",
    summary="MoCo v2 on Fashion-MNIST with two dictionaries: the weight of an anchor is taken over one, the "
    "negatives' pull over the other, each of 256, 4,096 or 65,536 keys of one queue.",
    figures={
        "knn/*": "% of test images that 20 nearest neighbours get right, by scalar and vector size; a value "
        "for each ten images",
        "linear/*": "the same by a linear probe",
        "effect/scalar": "kNN accuracy with the largest less with the smallest scalar dictionary, points, "
        "mean over vector sizes",
        "effect/vector": "kNN accuracy with the largest less with the smallest vector dictionary, points, "
        "mean over scalar sizes",
        "effect/relative": "kNN accuracy with the largest scalar and smallest vector dictionary less that of "
        "the smallest ones whose weights have the largest's mean, points",
    },
    profiles={
        "gpu": Profile(
            {"encoder": "resnet18", "images": 60_000, "tests": 10_000, "iterations": 100, "batch": 256,
             "seen": 360_000, "warmup": 7_680, "rate": 0.06, "momentum": 0.99, "sizes": (256, 4_096, 65_536)},
            seeds=3, seconds=400, memory_mb=16_384, device="cuda",
        ),
        "tiny": Profile(
            {"encoder": "conv4", "images": 64, "tests": 20, "iterations": 2, "batch": 16, "seen": 32,
             "warmup": 16, "rate": 0.06, "momentum": 0.9, "sizes": (8, 16, 32)},
            seeds=1, seconds=60,
        ),
    },
    data=("fashion-mnist",),
)  # fmt: skip

ON_CPU = (
    "Fashion-MNIST (20,000 images) instead of CIFAR-100, a four-layer net instead of ResNet-18, 500 steps of "
    "64 instead of 200 epochs, momentum 0.95 instead of 0.99 and a queue of 4,096 instead of 65,536 to fit "
    "so few steps"
)
ON_GPU = (
    "Fashion-MNIST instead of CIFAR-100, ResNet-18 at half width, 72,000 images seen instead of 200 epochs, "
    "momentum 0.95 and a queue of 16,384 to fit so few steps, batches of 64 and 256 only"
)
ACCURACIES = {"cpu": ON_CPU, "gpu": ON_GPU}
README = (
    "table of top-1 accuracies in the authors' README; the paper's own tables could not be read"
)
CLOSED = (
    ("63 negatives at 0.1: 0.030", "closed/63/0.1", 0.030),
    ("1,023 negatives at 0.1: 0.323", "closed/1023/0.1", 0.323),
    ("65,536 negatives at 0.1: 0.970", "closed/65536/0.1", 0.970),
    ("63 negatives at 1.0: 0.966", "closed/63/1", 0.966),
)


def _above(first: str, second: str, what: str, *, gpu_at_256: bool = True) -> tuple[Check, ...]:
    """That the kNN accuracy of an arm is above another's at batch 64, on a GPU at 256 too."""
    small = Check(f"{what}, batch 64", f"knn/{first}/64", f"knn/{second}/64")
    large = Check(f"{what}, batch 256", f"knn/{first}/256", f"knn/{second}/256", profiles=("gpu",))
    return (small, large) if gpu_at_256 else (small,)


def _near(one: int, other: int) -> Check:
    """That SimCo's kNN accuracy at two batch sizes is less than a point apart."""
    return Check(
        f"batches of {one} and {other} less than a point apart", f"knn/simco/{one}",
        f"knn/simco/{other}", relation="within", tolerance=1.0,
    )  # fmt: skip


PAPER = Paper(
    learned=(
        "The mechanism stands exactly: the gradient is the weight of an anchor times a vector part "
        "(errors near 1e-15), a large dictionary and a high temperature both flatten the weights, and "
        "in training the weights of a batch of 64 vary 69 times as much as those of a dictionary of "
        "4,096. The order SimCo, SimMoCo, MoCo v2 shows too. What does not show at this size is the "
        "loss itself: against symmetric InfoNCE, and against InfoNCE with the same mean weight, dual "
        "temperature gains 0.04 and 0.05 points with intervals that hold zero, and MoCo without its "
        "queue is not told apart from SimMoCo. Of the gap between MoCo v2 and SimCo, 2.2 points come "
        "with leaving the queue and 0.6 with dropping momentum for symmetry and gradients through the "
        "keys. After 500 steps MoCo v2 with its queue is by neighbours no better than the untrained net, "
        "so the gaps to it are those of a run too short for a queue. A larger net on a GPU may tell more."
    ),
    slug="dual-temperature",
    title="Dual Temperature Helps Contrastive Learning Without Many Negative Samples: Towards Understanding "
    "and Simplifying MoCo",
    identifiers=("arxiv:2203.17248",),
    version="CVPR 2022, arXiv 2203.17248",
    known="Read were the abstract, public summaries, and the authors' code and README, whose one table gives "
    "accuracies by batch size. The paper's other tables and figures could not be read, so no number of "
    "theirs stands here.",
    claims=(
        Claim(
            id="dual-temperature-1",
            statement="InfoNCE's gradient is a scalar part times a vector part, and the dual-temperature "
            "loss changes only the scalar.",
            metric="largest relative error of a gradient against the product of its parts",
            better="lower",
            location="caption of figure 1 in the authors' repository, and their loss's code",
            protocol="dual_temperature_identities",
            checks=(
                Check("InfoNCE is W times the vector part", "error/info_nce", relation="below", bound=1e-9),
                Check("dual temperature is W at the second temperature times the vector part",
                      "error/dual_temperature", relation="below", bound=1e-9),
                Check("the authors' quotient of shares has the same gradient",
                      "error/quotient", relation="below", bound=1e-9),
                Check("equal temperatures give InfoNCE", "error/equal", relation="below", bound=1e-9),
                Check("an endless second temperature gives decoupled contrast times (N - 1) / N",
                      "error/endless", relation="below", bound=1e-9),
                *(Check(f"finite in {kind} where the positive is far ahead",
                        f"finite/dual_temperature/{kind}", relation="within", bound=1.0, tolerance=0.0,
                        profiles=("gpu",))
                  for kind in ("float32", "bfloat16", "float16")),
            ),
            profiles={"cpu": "", "gpu": ""},
            controls="equal temperatures (InfoNCE) and an endless second temperature (decoupled contrast)",
        ),
        Claim(
            id="dual-temperature-2",
            statement="The scalar part W comes near 1 for every anchor with more negatives or a higher "
            "temperature, so either takes its hardness-awareness away.",
            metric="mean W over anchors, positive at cosine 0.8, random negatives in 128 dimensions",
            better="neither",
            location="abstract and a public summary; the values checked are this project's derivation, none "
            "of them is printed in the paper",
            protocol="dual_temperature_weights",
            checks=(
                *(Check(label, name, relation="within", bound=value, tolerance=0.02)
                  for label, name, value in CLOSED),
                Check("65,536 negatives at 0.1 weigh as 63 at 1.0", "closed/65536/0.1", "closed/63/1",
                      relation="within", tolerance=0.02),
                Check("W rises with every larger dictionary", "rise/size"),
                Check("W rises with every higher temperature", "rise/temperature"),
            ),
            profiles={"cpu": "", "gpu": ""},
            curve="W over temperature, closed form",
        ),
        Claim(
            id="dual-temperature-3",
            statement="Anchors' weights are spread widely with the few negatives of a batch; a large "
            "dictionary evens them out, and so does a second temperature of 1.0 without one.",
            metric="deviation over mean of W across anchors",
            better="lower",
            location="abstract and caption of figure 1 in the authors' repository; no number is printed",
            protocol="dual_temperature_weights",
            checks=(
                Check("more than twice the spread of a large dictionary", "variation/batch",
                      "variation/dictionary", bound=2.0, compare="ratio"),
                Check("more than twice the spread at the second temperature", "variation/batch",
                      "variation/outer", bound=2.0, compare="ratio"),
            ),
            profiles={
                "cpu": "Fashion-MNIST, a four-layer net, 200 steps of 64, a dictionary of 4,096",
                "gpu": "Fashion-MNIST, ResNet-18 at half width, 200 steps of 256, a dictionary of 65,536",
            },
            controls="the same anchors, net and temperature with another dictionary, and the reverse",
            curve="deviation over mean of W, over steps",
        ),
        Claim(
            id="dual-temperature-4",
            statement="What a large dictionary is needed for is mostly the scalar part: its size matters "
            "there, and little in the vector part.",
            metric="kNN accuracy, points",
            location="abstract and a public summary; the paper's grid of dictionary sizes could not be read",
            protocol="dual_temperature_dictionary",
            checks=(
                Check("a larger scalar dictionary helps", "effect/scalar"),
                Check("more than a larger vector dictionary does", "effect/scalar", "effect/vector"),
                Check("and more than its larger mean weight does", "effect/relative"),
            ),
            profiles={
                "gpu": "Fashion-MNIST, ResNet-18 at half width, 6 epochs, momentum 0.99",
            },
            not_run={
                "cpu": "Ten trainings with a queue of 65,536 that has to fill first; the differences are "
                "below what three seeds of a four-layer net resolve."
            },
            controls="the smallest dictionaries with weights scaled to the largest one's mean",
            curve="kNN accuracy over scalar dictionary, %",
        ),
        Claim(
            id="dual-temperature-5",
            learned=(
                "SimMoCo is 2.1 points above MoCo v2 with a queue, but MoCo without its queue is 2.2 above "
                "it too: what helps is leaving the queue, not the second temperature. Why a queue of "
                "4,096 costs so much in 500 steps was not looked into."
            ),
            statement="SimMoCo, MoCo v2 with dual temperature in place of the queue, is better than MoCo v2 "
            "at every batch size.",
            metric="kNN accuracy, points",
            reported="52.58 % (MoCo v2) and 54.02 % (SimMoCo) at batch 64, 53.28 % and 54.11 % at 256",
            location=README,
            protocol="dual_temperature_accuracy",
            checks=(
                *_above("simmoco", "moco_v2", "SimMoCo above MoCo v2"),
                *_above("simmoco", "moco_batch", "and above MoCo without its queue"),
            ),
            profiles=ACCURACIES,
            controls="MoCo without its queue, which differs from SimMoCo in the loss alone",
            curve="InfoNCE at 0.1 over images seen",
        ),
        Claim(
            id="dual-temperature-6",
            learned=(
                "The order shows; against the two InfoNCE controls, which share symmetry, no momentum "
                "and gradients through the keys, SimCo gains 0.04 and 0.05 points, with intervals of "
                "nearly a point and a third of a point on either side."
            ),
            statement="SimCo, without queue and momentum, is better than SimMoCo, and SimMoCo than MoCo v2, "
            "at every batch size.",
            metric="kNN accuracy, points",
            reported="52.58 % (MoCo v2), 54.02 % (SimMoCo), 58.04 % (SimCo) at batch 64; 53.28 %, 54.11 %, "
            "58.35 % at 256",
            location=README,
            protocol="dual_temperature_accuracy",
            checks=(
                *_above("simco", "simmoco", "SimCo above SimMoCo"),
                *_above("simmoco", "moco_v2", "SimMoCo above MoCo v2"),
                *_above("simco", "symmetric", "SimCo above symmetric InfoNCE"),
                *_above("simco", "scale_matched", "SimCo above scale-matched InfoNCE"),
            ),
            profiles=ACCURACIES,
            controls="symmetric InfoNCE (SimCo but for the loss) and its form with dual temperature's mean "
            "weight; without them pairing, gradients and step size stand in for the loss. One learning rate "
            "for all arms, as in the official scripts",
            curve="InfoNCE at 0.1 over images seen",
        ),
        Claim(
            id="dual-temperature-7",
            learned=(
                "At equal images a larger batch makes fewer steps, which in a run this short weighs "
                "more than the batch size: both losses lose two points from 64 to 256."
            ),
            statement="SimCo hardly depends on the batch size from 64 to 256.",
            metric="kNN accuracy, points",
            better="neither",
            reported="58.04 %, 58.29 % and 58.35 % at batches of 64, 128 and 256",
            location=README,
            protocol="dual_temperature_accuracy",
            checks=(
                _near(64, 128),
                _near(128, 256),
                _near(64, 256),
                Check("spread no larger than symmetric InfoNCE's", "spread/simco", "spread/symmetric",
                      relation="below"),
            ),
            profiles=ACCURACIES,
            controls="symmetric InfoNCE at the same batches; equal numbers of images, learning rate in "
            "proportion to the batch. The bound of a point is this project's",
            curve="kNN accuracy over batch, %",
        ),
        Claim(
            id="dual-temperature-8",
            statement="A second temperature well above the first helps; equal ones are InfoNCE.",
            metric="kNN and linear accuracy, points",
            location="abstract; the paper's sweep of the second temperature could not be read",
            protocol="dual_temperature_accuracy",
            checks=(
                *_above("simco", "symmetric", "kNN above equal temperatures"),
                *_above("simco", "scale_matched", "kNN above scale-matched InfoNCE"),
                Check("linear probe above equal temperatures", "linear/simco/64", "linear/symmetric/64"),
                Check("linear probe above scale-matched InfoNCE", "linear/simco/64",
                      "linear/scale_matched/64"),
            ),
            profiles=ACCURACIES,
            controls="scale-matched InfoNCE: dual temperature also multiplies the mean gradient, which alone "
            "acts like a larger learning rate",
            curve="mean W(0.1) over images seen",
        ),
    ),
    protocols=(IDENTITIES, WEIGHTS, ACCURACY, DICTIONARY),
)  # fmt: skip
